//! The file in which other programs look for passwords: `NETRC`, or `.netrc` in the home folder. Its
//! `default` entry counts for nothing.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use url::Url;
use zeroize::Zeroizing;

/// Largest file that is read, in bytes.
const MOST_BYTES: u64 = 1_000_000;

/// What the user's file has for the host of a URL, and for the user whom the URL names, if it names one.
pub(crate) fn credentials(url: &Url) -> Option<Credentials> {
    let named = std::env::var_os("NETRC").map(PathBuf::from);
    let home = || Some(PathBuf::from(std::env::var_os("HOME")?).join(".netrc"));
    let text = named.or_else(home).and_then(|path| text_of(&path))?;
    let found = find(&text, url.host_str()?)?;
    let user = percent_encoding::percent_decode_str(url.username());
    let user = user.decode_utf8().ok()?;
    (user.is_empty() || *found.login == *user).then_some(found)
}

/// The file, if it is this user's alone.
fn text_of(path: &Path) -> Option<Zeroizing<String>> {
    let about = fs::metadata(path).ok()?;
    let user = rustix::process::geteuid().as_raw();
    if about.uid() != user || about.mode() & 0o077 != 0 {
        let path = path.display();
        tracing::warn!("{path} is open to others and counts for nothing: chmod 600 {path}");
        return None;
    }
    let is_small = about.is_file() && about.len() <= MOST_BYTES;
    is_small.then(|| fs::read_to_string(path).ok().map(Zeroizing::new))?
}

/// What the file says for a host.
pub(crate) struct Credentials {
    pub(crate) login: Zeroizing<String>,
    pub(crate) password: Zeroizing<String>,
}

/// The entry of a machine, in the form that `ftp` has read since 4.2BSD.
fn find(text: &str, host: &str) -> Option<Credentials> {
    let mut words = Words(text);
    let mut is_it = false;
    let (mut login, mut password) = (None, None);
    while let Some(word) = words.next() {
        match word.as_str() {
            "machine" | "default" if is_it => break,
            "machine" => is_it = words.next()?.eq_ignore_ascii_case(host),
            "default" => is_it = false,
            "macdef" => words.skip_macro(),
            "login" | "user" | "password" | "account" => {
                let value = words.next()?;
                match word.as_str() {
                    "password" if is_it => password = Some(value),
                    "login" | "user" if is_it => login = Some(value),
                    _ => {}
                }
            }
            // What this program does not know says nothing to it.
            _ => return None,
        }
    }
    Some(Credentials {
        login: login?,
        password: password?,
    })
}

/// The words of a file: separated by white space, or in quotes; comments are left out.
struct Words<'a>(&'a str);

impl Words<'_> {
    fn next(&mut self) -> Option<Zeroizing<String>> {
        loop {
            self.0 = self.0.trim_start();
            if !self.0.starts_with('#') {
                break;
            }
            self.0 = self.0.split_once('\n').map_or("", |(_, rest)| rest);
        }
        let mut word = Zeroizing::new(String::new());
        let is_quoted = self.0.starts_with('"');
        let mut letters = self.0.char_indices().skip(usize::from(is_quoted));
        while let Some((at, letter)) = letters.next() {
            match letter {
                '"' if is_quoted => {
                    self.0 = &self.0[at + 1..];
                    return Some(word);
                }
                '\\' => word.push(letters.next()?.1),
                space if space.is_whitespace() && !is_quoted => {
                    self.0 = &self.0[at..];
                    return Some(word);
                }
                other => word.push(other),
            }
        }
        self.0 = "";
        (!word.is_empty() && !is_quoted).then_some(word)
    }

    /// A macro goes on to an empty line.
    fn skip_macro(&mut self) {
        self.0 = self.0.split_once("\n\n").map_or("", |(_, rest)| rest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str, host: &str) -> Option<String> {
        let found = find(text, host)?;
        Some(format!("{} {}", *found.login, *found.password))
    }

    #[test]
    fn credentials_are_those_of_the_host_alone() {
        let text = "# mine\nmachine other.example login o password p\n\
            macdef init\nmachine index.example login x password y\n\n\
            machine Index.example\n\tlogin \"a b\" account c password d\\ \\\"e\n\
            machine last.example login l\ndefault login anybody password anything";
        assert_eq!(found(text, "index.example").unwrap(), "a b d \"e");
        assert_eq!(found(text, "INDEX.example").unwrap(), "a b d \"e");
        assert_eq!(found(text, "other.example").unwrap(), "o p");
        for host in [
            "x.index.example",
            "index.example.",
            "last.example",
            "else",
            "",
        ] {
            assert_eq!(found(text, host), None, "{host}");
        }
        for broken in [
            "machine",
            "machine a login",
            "machine a login \"b",
            "machin a",
            "\\",
        ] {
            assert_eq!(found(broken, "a"), None, "{broken}");
        }
    }
}
