//! Content hashes as metadata lists them (TUF 4.4, 4.5 HASHES).

use std::collections::BTreeMap;

use ring::digest;

use crate::canonical::Writer;
use crate::members::{Entries, Text};
use crate::{MetadataError, Sha256};

/// The hashes of one file. We write SHA-256 alone (reference A-96); SHA-512 is understood; others are
/// kept but prove nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hashes {
    sha256: Option<Sha256>,
    /// Every other algorithm by name, its digest in hex as listed.
    other: BTreeMap<String, String>,
}

impl Hashes {
    /// SHA-256 only.
    #[must_use]
    pub fn sha256(digest: Sha256) -> Self {
        Self {
            sha256: Some(digest),
            other: BTreeMap::new(),
        }
    }

    /// The SHA-256, if listed.
    #[must_use]
    pub fn get_sha256(&self) -> Option<Sha256> {
        self.sha256
    }

    /// The digests to put before a file name, in hex, best first (TUF 6.2.1 HASH).
    pub fn prefixes(&self) -> impl Iterator<Item = String> + '_ {
        self.sha256
            .iter()
            .map(Sha256::to_string)
            .chain(self.other.get("sha512").cloned())
    }

    /// Whether `bytes` has every hash listed that this program can compute, and there is one such.
    #[must_use]
    pub fn fit(&self, bytes: &[u8]) -> bool {
        let mut check = self.check();
        check.update(bytes);
        check.finish()
    }

    /// Starts checking a file piece by piece.
    #[must_use]
    pub fn check(&self) -> HashCheck {
        let start = |algorithm, expected| (digest::Context::new(algorithm), expected);
        let mut running = Vec::with_capacity(1);
        if let Some(sha256) = self.sha256 {
            running.push(start(&digest::SHA256, sha256.as_bytes().to_vec()));
        }
        if let Some(sha512) = self
            .other
            .get("sha512")
            .and_then(|text| hex::decode(text).ok())
        {
            running.push(start(&digest::SHA512, sha512));
        }
        HashCheck { running }
    }

    pub(crate) fn from_entries(
        member: impl Fn() -> String,
        entries: HashesWire<'_>,
    ) -> Result<Self, MetadataError> {
        let mut out = Self {
            sha256: None,
            other: BTreeMap::new(),
        };
        for (Text(algorithm), Text(hex)) in entries.0 {
            if algorithm == "sha256" {
                out.sha256 = Some(Sha256::parse(&hex)?);
            } else if algorithm == "sha512" && (hex.len() != 128 || hex::decode(&*hex).is_err()) {
                return Err(MetadataError::member(
                    member(),
                    "sha512 is not 128 hex digits",
                ));
            } else {
                out.other.insert(algorithm.into_owned(), hex.into_owned());
            }
        }
        if out.sha256.is_none() && out.other.is_empty() {
            return Err(MetadataError::member(member(), "lists no hash"));
        }
        Ok(out)
    }

    pub(crate) fn write(&self, out: &mut Writer) {
        if let (Some(digest), true) = (&self.sha256, self.other.is_empty()) {
            out.object(|out| out.key("sha256").hex(digest.as_bytes()));
            return;
        }
        let sha256 = self.sha256.map(|digest| digest.to_string());
        out.object(|out| {
            let listed = self
                .other
                .iter()
                .map(|(name, hex)| (name.as_str(), hex.as_str()));
            let mut all: Vec<_> = sha256.iter().map(|hex| ("sha256", hex.as_str())).collect();
            all.extend(listed);
            all.sort_unstable();
            for (name, hex) in all {
                out.key(name).string(hex);
            }
        });
    }
}

/// HASHES as received; nothing is copied.
pub(crate) type HashesWire<'a> = Entries<Text<'a>, Text<'a>>;

/// A running comparison of a file with its listed hashes.
pub struct HashCheck {
    running: Vec<(digest::Context, Vec<u8>)>,
}

impl HashCheck {
    /// Adds the next piece.
    pub fn update(&mut self, piece: &[u8]) {
        for (context, _) in &mut self.running {
            context.update(piece);
        }
    }

    /// Whether all hashes fit. With no hash this program can compute the answer is no.
    #[must_use]
    pub fn finish(self) -> bool {
        !self.running.is_empty()
            && self
                .running
                .into_iter()
                .all(|(context, expected)| context.finish().as_ref() == expected)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_known_hashes_must_fit_and_one_must_be_known() {
        let sha256 = Sha256::of(b"x");
        assert!(Hashes::sha256(sha256).fit(b"x"));
        assert!(!Hashes::sha256(sha256).fit(b"y"));
        let entries = |list: &[(&str, String)]| {
            let list = list
                .iter()
                .map(|(k, v)| (Text((*k).into()), Text(v.clone().into())))
                .collect();
            Hashes::from_entries(|| "hashes".into(), Entries(list)).unwrap()
        };
        let sha512 = hex::encode(digest::digest(&digest::SHA512, b"x"));
        assert!(entries(&[("sha512", sha512.clone())]).fit(b"x"));
        assert!(
            !entries(&[("sha256", Sha256::of(b"y").to_string()), ("sha512", sha512)]).fit(b"x")
        );
        assert!(!entries(&[("blake2b-256", "00".into())]).fit(b"x"));
    }
}
