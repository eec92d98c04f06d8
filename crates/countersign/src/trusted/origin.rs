//! How a root that is fetched can be trusted: somebody said its fingerprint. What the index serves
//! counts for nothing by itself.

use std::str::FromStr;

use client::{Pace, ReadError, TransportError, Wanted, read_limited, transport_for};
use keys::fingerprint_words;
use metadata::{Role, Sha256, Version};
use trust::Rejection;

use super::TrustError;
use crate::commands::client::Place;
use crate::credentials::with_credentials;
use crate::failure::Failure;

/// What somebody said of a root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fingerprint {
    /// All of its SHA-256.
    Digest(Sha256),
    /// The first 128 bits, in words.
    Words(String),
    /// Nothing: whatever comes first is trusted.
    Nothing,
}

impl Fingerprint {
    /// Sixteen words, however they are spaced and written.
    pub(crate) fn words(text: &str) -> Result<Self, TrustError> {
        let words: Vec<String> = text
            .split(|it: char| !it.is_ascii_alphabetic())
            .filter(|word| !word.is_empty())
            .map(str::to_ascii_lowercase)
            .collect();
        let all: Vec<u8> = (0..=u8::MAX).collect();
        let list: Vec<String> = all.iter().map(|byte| fingerprint_words(&[*byte])).collect();
        if words.len() == 16 && words.iter().all(|word| list.contains(word)) {
            return Ok(Self::Words(words.join(" ")));
        }
        Err(TrustError::Fingerprint {
            text: text.to_owned(),
        })
    }

    fn fits(&self, root: &[u8]) -> bool {
        let found = Sha256::of(root);
        match self {
            Self::Digest(digest) => *digest == found,
            Self::Words(words) => *words == fingerprint_words(found.as_bytes()),
            Self::Nothing => true,
        }
    }
}

/// `sha256:…` or the bare digits.
impl FromStr for Fingerprint {
    type Err = TrustError;

    fn from_str(text: &str) -> Result<Self, TrustError> {
        let digits = text.strip_prefix("sha256:").unwrap_or(text);
        Sha256::parse(digits)
            .map(Self::Digest)
            .map_err(|_| TrustError::Fingerprint {
                text: text.to_owned(),
            })
    }
}

/// The root at a place that has the fingerprint: from the first on, until there are no more.
pub(crate) async fn fetch_root(
    place: &Place,
    fingerprint: &Fingerprint,
) -> Result<Vec<u8>, Failure> {
    let metadata_url = with_credentials(&place.metadata_url, place.keyring);
    let transport = transport_for(&metadata_url, Pace::default())?;
    let limits = &place.rules.limits;
    let mut version = Version::FIRST;
    for looked_at in 0..=u64::from(limits.root_rotations) {
        let name = Role::Root.versioned_file_name(version);
        let url = metadata_url.join(&name);
        let url = url.map_err(|_| client::ClientError::BaseUrl {
            url: place.metadata_url.to_string(),
            why: "nothing can lie below it",
        })?;
        let failed = |source| client::ClientError::Transport {
            what: Wanted::Role(Role::Root, Some(version)),
            source: Box::new(source),
        };
        let body = match transport.get(&url).await {
            Err(TransportError::NotFound { .. }) if looked_at > 0 => {
                let url = client::without_credentials(&place.metadata_url).to_string();
                return Err(TrustError::NoSuchRoot { url, looked_at }.into());
            }
            body => body.map_err(failed)?,
        };
        let root = read_limited(body, limits.root).await;
        let root = root.map_err(|error| match error {
            ReadError::TooLarge => client::ClientError::from(Rejection::TooLarge {
                role: Role::Root,
                limit: limits.root,
            }),
            ReadError::Transport(source) => failed(source),
        })?;
        if fingerprint.fits(&root) {
            return Ok(root);
        }
        let next = version.get() + 1;
        version = Version::new(next).map_err(Failure::Target)?;
    }
    let limit = limits.root_rotations;
    Err(client::ClientError::from(Rejection::TooManyRoots { limit }).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fingerprints_are_a_digest_or_sixteen_words() {
        let root = b"root";
        let digest = Sha256::of(root);
        let words = fingerprint_words(digest.as_bytes());
        for right in [
            digest.to_string().parse(),
            format!("sha256:{digest}").parse(),
            Fingerprint::words(&words),
            Fingerprint::words(&words.to_uppercase().replace(' ', " - \n")),
        ] {
            let fingerprint = right.expect("a fingerprint");
            assert!(fingerprint.fits(root) && !fingerprint.fits(b"other"));
        }
        for wrong in ["", "sha256:", "md5:00", "sha256:00"] {
            assert!(wrong.parse::<Fingerprint>().is_err(), "{wrong}");
        }
        let misheard = words.replacen(char::is_alphabetic, "x", 1);
        for wrong in ["", "acorn", &format!("{words} acorn"), &misheard] {
            assert!(Fingerprint::words(wrong).is_err(), "{wrong}");
        }
    }
}
