//! Key URIs: one way to name a key in both programs and all configuration.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use crate::{
    FileKey, KeyError, KeyWarning, LoadOptions, LoadedKey, PassphraseSource, Signer, UriError,
};

/// Schemes this crate opens.
const SCHEMES: &[&str] = &["file"];

/// The name of a key: where it lives, not what it is. Comes from the operator's configuration or
/// command line, never from metadata.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum KeyUri {
    /// `file:PATH`: PKCS#8 in PEM. The path is taken verbatim (no percent-decoding) and may be
    /// relative; `file:///PATH` is read too (RFC 8089).
    File(PathBuf),
}

/// A key that is ready to sign, and what deserves attention about it.
pub struct OpenedSigner {
    /// The key.
    pub signer: Box<dyn Signer>,
    /// For the caller to show.
    pub warnings: Vec<KeyWarning>,
}

impl KeyUri {
    /// Opens the key, asking `passphrases` only if it is encrypted.
    pub fn open(
        &self,
        passphrases: &dyn PassphraseSource,
        options: LoadOptions,
    ) -> Result<OpenedSigner, KeyError> {
        match self {
            Self::File(path) => {
                let LoadedKey { key, warnings } = FileKey::load(path, passphrases, options)?;
                Ok(OpenedSigner {
                    signer: Box::new(key),
                    warnings,
                })
            }
        }
    }
}

impl FromStr for KeyUri {
    type Err = UriError;

    fn from_str(text: &str) -> Result<Self, UriError> {
        let (scheme, rest) = text
            .split_once(':')
            .filter(|(scheme, _)| is_scheme(scheme))
            .ok_or(UriError::NoScheme { known: SCHEMES })?;
        match scheme {
            "file" => file_path(rest).map(Self::File),
            _ => Err(UriError::UnknownScheme {
                scheme: scheme.chars().take(32).collect(),
                known: SCHEMES,
            }),
        }
    }
}

/// RFC 3986 3.1, lower case only.
fn is_scheme(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_lowercase())
        && text
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"+-.".contains(&b))
}

fn file_path(rest: &str) -> Result<PathBuf, UriError> {
    let path = match rest.strip_prefix("//") {
        None => rest,
        Some(path) if path.starts_with('/') => path,
        Some(authority) => {
            let host = authority.split('/').next().unwrap_or_default();
            return Err(UriError::Host {
                host: host.chars().take(64).collect(),
            });
        }
    };
    if path.is_empty() || path.contains('\0') {
        return Err(UriError::Path);
    }
    Ok(PathBuf::from(path))
}

impl fmt::Display for KeyUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "file:{}", path.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn reads_file_uris() {
        for (text, path) in [
            ("file:online.pem", "online.pem"),
            ("file:keys/a b%20c.pem", "keys/a b%20c.pem"),
            ("file:/etc/keys/root.pem", "/etc/keys/root.pem"),
            ("file:///etc/keys/root.pem", "/etc/keys/root.pem"),
        ] {
            let uri: KeyUri = text.parse().unwrap();
            assert_eq!(uri, KeyUri::File(PathBuf::from(path)));
            assert_eq!(uri.to_string(), format!("file:{path}"));
        }
    }

    #[test]
    fn says_what_is_wrong_with_others() {
        let parse = |text: &str| text.parse::<KeyUri>().unwrap_err();
        let no_scheme = UriError::NoScheme { known: SCHEMES };
        for text in ["", "online.pem", "/etc/a:b", "A:b", ":x", "keys/a:b"] {
            assert_eq!(parse(text), no_scheme, "{text}");
        }
        let UriError::UnknownScheme { scheme, known } = parse("gpg:0xabc") else {
            panic!("gpg: is no scheme");
        };
        assert_eq!((scheme.as_str(), known), ("gpg", SCHEMES));
        assert_eq!(parse("file:"), UriError::Path);
        assert_eq!(parse("file:a\0b"), UriError::Path);
        let host = "index.example".to_owned();
        assert_eq!(parse("file://index.example/k.pem"), UriError::Host { host });
    }

    proptest! {
        #[test]
        fn display_parses_back(text in "file:[^\\PC]{0,3}\\PC{0,30}|\\PC{0,20}") {
            if let Ok(uri) = text.parse::<KeyUri>() {
                prop_assert_eq!(uri.to_string().parse::<KeyUri>().unwrap(), uri);
            }
        }
    }
}
