//! Passwords for private indexes from the user's keyring, by the program `keyring`, as pip and uv ask it
//! with `--keyring-provider subprocess`: for the URL, then for its host. Only where the user has asked for
//! it, and only for a URL that names a user. The password comes through a pipe and goes nowhere else.

use std::io::Read;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use client::without_credentials;
use url::Url;
use zeroize::Zeroizing;

/// The program, found on PATH.
const PROGRAM: &str = "keyring";

/// How long it may take: somebody may have to unlock the keyring meanwhile.
const PATIENCE: Duration = Duration::from_mins(1);

/// Longest password that is read, in bytes.
const MOST_BYTES: usize = 4_096;

/// Wait between two looks whether it has ended.
const PAUSE: Duration = Duration::from_millis(10);

/// Who is asked for passwords that no netrc file has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum KeyringProvider {
    /// Nobody.
    #[default]
    Disabled,
    /// The program `keyring`.
    Subprocess,
}

impl KeyringProvider {
    /// The password of the user that the URL names.
    pub(crate) fn password(self, url: &Url) -> Option<Zeroizing<String>> {
        if self == Self::Disabled {
            return None;
        }
        let user = percent_encoding::percent_decode_str(url.username());
        let user = user.decode_utf8().ok().filter(|user| !user.is_empty())?;
        let host = url.host_str()?;
        let host = match url.port() {
            Some(port) => format!("{host}:{port}"),
            None => host.to_owned(),
        };
        let whole = without_credentials(url).to_string();
        [whole, host]
            .iter()
            .find_map(|service| asked(service, &user))
    }
}

/// What the program has for a service and a user.
fn asked(service: &str, user: &str) -> Option<Zeroizing<String>> {
    let child = Command::new(PROGRAM)
        .args(["get", "--", service, user])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn();
    let mut child = match child {
        Ok(child) => child,
        Err(error) => {
            tracing::warn!("the keyring cannot be asked: `{PROGRAM}` could not be run: {error}");
            return None;
        }
    };
    let answer = answer_of(&mut child);
    // Whatever it still does, nobody waits for it.
    let _ = child.kill();
    let _ = child.wait();
    if answer.is_none() {
        tracing::debug!(service, "the keyring has no password");
    }
    answer
}

/// Its answer, if it ended well in time.
fn answer_of(child: &mut Child) -> Option<Zeroizing<String>> {
    let deadline = Instant::now() + PATIENCE;
    let mut stdout = child.stdout.take()?;
    let (send, receive) = mpsc::channel();
    std::thread::spawn(move || {
        // As large as it can get, so that no copy is left where it grew from.
        let mut bytes = Zeroizing::new(vec![0_u8; MOST_BYTES + 1]);
        let mut length = 0;
        while let Ok(read @ 1..) = stdout.read(&mut bytes[length..]) {
            length += read;
        }
        let text = std::str::from_utf8(&bytes[..length]).ok();
        let text = text.filter(|_| length <= MOST_BYTES);
        let _ = send.send(text.map(|text| Zeroizing::new(text.to_owned())));
    });
    let Ok(text) = receive.recv_timeout(PATIENCE) else {
        tracing::warn!("the keyring did not answer within {} s", PATIENCE.as_secs());
        return None;
    };
    let text = text?;
    let ended = loop {
        match child.try_wait().ok()? {
            Some(status) => break status,
            None if Instant::now() < deadline => std::thread::sleep(PAUSE),
            None => return None,
        }
    };
    let password = text.strip_suffix('\n').unwrap_or(&text);
    let password = password.strip_suffix('\r').unwrap_or(password);
    (ended.success() && !password.is_empty()).then(|| Zeroizing::new(password.to_owned()))
}
