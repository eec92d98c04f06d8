//! Who listens on a port of loopback: a proxy of this user's for this trust anchor, or somebody else.

use std::fmt;
use std::fs;
use std::net::SocketAddr;
use std::time::Duration;

use proxy::{Challenge, Identity};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(2);

/// Longest answer that is read, in bytes.
const MOST_BYTES: u64 = 4_096;

/// Who has a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Holder {
    /// A proxy of this user's, for this anchor: it knows the key, and runs as this user.
    Ours,
    /// Another program of this user's.
    SameUser,
    /// A program of another user's.
    User(u32),
    /// Nobody knows whose.
    Unknown,
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ours => f.write_str("a proxy of this user's for this index"),
            Self::SameUser => f.write_str("another program of this user's"),
            Self::User(user) => write!(f, "a program of user {user}"),
            Self::Unknown => f.write_str("another program"),
        }
    }
}

/// Who listens at `address`: nothing is believed because somebody answers there.
pub(crate) async fn holder(address: SocketAddr, identity: &Identity) -> Holder {
    let user = rustix::process::geteuid().as_raw();
    let listener = listener_of(address);
    if let Some(other) = listener.filter(|listener| *listener != user) {
        return Holder::User(other);
    }
    let asked = timeout(PATIENCE, proves(address, identity)).await;
    match (asked, listener) {
        (Ok(Ok(true)), _) => Holder::Ours,
        (_, Some(_)) => Holder::SameUser,
        (_, None) => Holder::Unknown,
    }
}

async fn proves(address: SocketAddr, identity: &Identity) -> std::io::Result<bool> {
    let challenge = Challenge::new()?;
    let request = format!(
        "GET {} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n",
        challenge.path()
    );
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    stream.take(MOST_BYTES).read_to_end(&mut answer).await?;
    let answer = String::from_utf8_lossy(&answer);
    let body = answer.split_once("\r\n\r\n").map(|(_, body)| body);
    Ok(body.is_some_and(|body| identity.accepts(&challenge, address, body)))
}

/// The user whose program listens, as Linux tells everybody; elsewhere the challenge has to do.
fn listener_of(address: SocketAddr) -> Option<u32> {
    let SocketAddr::V4(address) = address else {
        return None;
    };
    let table = fs::read_to_string("/proc/net/tcp").ok()?;
    let wildcard = SocketAddr::from(([0, 0, 0, 0], address.port()));
    find(&table, &[address.into(), wildcard])
}

/// Line by line `sl local_address rem_address st … uid`; state 0A listens.
fn find(table: &str, addresses: &[SocketAddr]) -> Option<u32> {
    let wanted: Vec<String> = addresses
        .iter()
        .filter_map(|address| match address {
            SocketAddr::V4(it) => {
                let ip = u32::from_ne_bytes(it.ip().octets());
                Some(format!("{ip:08X}:{:04X}", it.port()))
            }
            SocketAddr::V6(_) => None,
        })
        .collect();
    table.lines().skip(1).find_map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let is_listening = fields.get(3) == Some(&"0A");
        let is_wanted = fields
            .get(1)
            .is_some_and(|at| wanted.iter().any(|it| it == at));
        if is_listening && is_wanted {
            fields.get(7)?.parse().ok()
        } else {
            None
        }
    })
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn the_table_of_sockets_names_the_user() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("an address");
        let user = rustix::process::geteuid().as_raw();
        assert_eq!(listener_of(address), Some(user));
        drop(listener);
        assert_eq!(listener_of(address), None);
        let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid\n\
            0: 0100007F:20F8 00000000:0000 01 0:0 00:0 0 1001 0 1\n\
            1: 0100007F:20F8 00000000:0000 0A 0:0 00:0 0 1002 0 2\n";
        let here: SocketAddr = "127.0.0.1:8440".parse().expect("an address");
        assert_eq!(find(table, &[here]), Some(1002));
    }

    #[tokio::test]
    async fn whoever_does_not_know_the_key_is_somebody_else() {
        let identity = Identity::new(&[1; 32], "anchor");
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("an address");
        let squatter = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().expect("asked");
            let mut request = [0; 512];
            let _ = std::io::Read::read(&mut stream, &mut request);
            let answer = format!("HTTP/1.1 200 OK\r\n\r\n{}", "0".repeat(64));
            let _ = std::io::Write::write_all(&mut stream, answer.as_bytes());
        });
        assert_eq!(holder(address, &identity).await, Holder::SameUser);
        squatter.join().expect("it ends");
    }
}
