//! The hashes that an index without signatures gives of a file. They say that its page and its file fit
//! together, and nothing of who made either.

use std::collections::BTreeMap;

use metadata::Sha256;
use ring::digest::{Algorithm, Context, SHA256, SHA384, SHA512};

/// Hashes that installers know, by name, with the length of each in hex digits. What this program does
/// not compute itself is passed on, for the installer to check.
const KNOWN: [(&str, usize, Option<&Algorithm>); 6] = [
    ("md5", 32, None),
    ("sha1", 40, None),
    ("sha224", 56, None),
    ("sha256", 64, Some(&SHA256)),
    ("sha384", 96, Some(&SHA384)),
    ("sha512", 128, Some(&SHA512)),
];

/// The hashes of a file, in lower-case hex, by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Digests(BTreeMap<&'static str, String>);

impl Digests {
    /// Takes the hashes that are known; `None` if one of them cannot be one.
    pub(crate) fn read<'a>(given: impl IntoIterator<Item = (&'a str, &'a str)>) -> Option<Self> {
        let mut read = BTreeMap::new();
        for (name, value) in given {
            let known = KNOWN
                .iter()
                .find(|(it, ..)| it.eq_ignore_ascii_case(name.trim()));
            let Some((name, digits, _)) = known else {
                continue;
            };
            let value = value.trim().to_ascii_lowercase();
            if value.len() != *digits || !value.bytes().all(|it| it.is_ascii_hexdigit()) {
                return None;
            }
            read.insert(*name, value);
        }
        Some(Self(read))
    }

    /// All of them, by name.
    pub(crate) fn all(&self) -> &BTreeMap<&'static str, String> {
        &self.0
    }

    /// Its SHA-256, if that is among them.
    pub(crate) fn sha256(&self) -> Option<Sha256> {
        Sha256::parse(self.0.get("sha256")?).ok()
    }

    /// The best of them as a URL's fragment (PEP 503).
    pub(crate) fn fragment(&self) -> String {
        let best = self.sha256().map(|it| ("sha256", it.to_string()));
        let any = || {
            self.0
                .iter()
                .next_back()
                .map(|(it, value)| (*it, value.clone()))
        };
        best.or_else(any)
            .map_or_else(String::new, |(name, value)| format!("#{name}={value}"))
    }

    /// Whether this program computes one of them.
    pub(crate) fn can_check(&self) -> bool {
        let computed = KNOWN.iter().filter(|(.., algorithm)| algorithm.is_some());
        computed
            .into_iter()
            .any(|(name, ..)| self.0.contains_key(name))
    }

    /// Starts checking a file against those that this program computes.
    pub(crate) fn check(&self) -> DigestCheck {
        let running = KNOWN.iter().filter_map(|(name, _, algorithm)| {
            Some((Context::new((*algorithm)?), self.0.get(name)?.clone()))
        });
        DigestCheck(running.collect())
    }
}

/// A file being checked.
pub(crate) struct DigestCheck(Vec<(Context, String)>);

impl DigestCheck {
    /// Adds the next piece.
    pub(crate) fn update(&mut self, piece: &[u8]) {
        for (context, _) in &mut self.0 {
            context.update(piece);
        }
    }

    /// Whether the file has each of them.
    pub(crate) fn fits(self) -> bool {
        let mut all = self.0.into_iter();
        all.all(|(context, expected)| hex::encode(context.finish()) == expected)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_hash_that_can_be_computed_has_to_fit() {
        let sha256 = Sha256::of(b"x").to_string();
        let other = Sha256::of(b"y").to_string();
        let fits = |given: &[(&str, &str)]| {
            let digests = Digests::read(given.iter().copied())?;
            let mut check = digests.check();
            check.update(b"x");
            Some(check.fits())
        };
        let sha512 = hex::encode(ring::digest::digest(&SHA512, b"x"));
        assert_eq!(fits(&[("sha256", &sha256)]), Some(true));
        assert_eq!(fits(&[("SHA256", &sha256.to_uppercase())]), Some(true));
        assert_eq!(fits(&[("sha256", &other)]), Some(false));
        assert_eq!(
            fits(&[("sha512", &sha512), ("sha256", &other)]),
            Some(false)
        );
        assert_eq!(fits(&[("sha512", &sha512)]), Some(true));
        assert_eq!(fits(&[("sha512", &"0".repeat(128))]), Some(false));
        for none in [&[][..], &[("blake2b", "zz")], &[("md5", &"0".repeat(32))]] {
            assert_eq!(fits(none), Some(true), "{none:?}");
        }
        for broken in ["", "0", &sha256[1..], &"g".repeat(64)] {
            assert_eq!(fits(&[("sha256", broken)]), None, "{broken}");
        }
    }

    #[test]
    fn a_fragment_has_the_best() {
        let digests = |given: &[(&str, &str)]| Digests::read(given.iter().copied()).unwrap();
        let (md5, sha256) = ("0".repeat(32), "1".repeat(64));
        let both = digests(&[("sha256", &sha256), ("md5", &md5)]);
        assert_eq!(both.fragment(), format!("#sha256={sha256}"));
        assert_eq!(digests(&[("md5", &md5)]).fragment(), format!("#md5={md5}"));
        assert_eq!(digests(&[]).fragment(), "");
    }
}
