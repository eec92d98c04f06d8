//! Passphrases, kept out of everything else.

use std::fmt;
use std::fs::File;
use std::path::Path;

use ring::rand::SecureRandom;
use zeroize::Zeroizing;

use crate::secret::Secret;
use crate::{KeyError, PassphraseError, secret_file};

/// Longest passphrase, in bytes.
pub const MAX_PASSPHRASE: usize = 1024;

/// A passphrase. Kept out of the swap where the system permits, wiped from memory when dropped;
/// cannot be printed.
pub struct Passphrase(Secret);

impl Passphrase {
    /// Takes what a person typed, without its line end. Owns the text so that it can wipe it.
    pub fn new(text: String) -> Result<Self, PassphraseError> {
        Self::from_bytes(&Zeroizing::new(text.into_bytes()))
    }

    fn from_bytes(bytes: &[u8]) -> Result<Self, PassphraseError> {
        match bytes.len() {
            0 => Err(PassphraseError::Empty),
            1..=MAX_PASSPHRASE => Ok(Self(Secret::copy_of(bytes))),
            _ => Err(PassphraseError::TooLong {
                limit: MAX_PASSPHRASE,
            }),
        }
    }

    /// Reads the first line of a file, without its line end. Any bytes but NUL and line ends may
    /// stand in it.
    pub fn from_file(path: &Path) -> Result<Self, PassphraseError> {
        let failed = |source| PassphraseError::File {
            path: path.to_owned(),
            source,
        };
        // Room for the longest passphrase and CR LF; the rest of the file is left alone.
        let bytes = File::open(path)
            .and_then(|file| secret_file::read_up_to(file, MAX_PASSPHRASE + 2))
            .map_err(failed)?;
        Self::from_line(&bytes).map_err(|_| PassphraseError::FirstLine {
            path: path.to_owned(),
        })
    }

    /// Takes what stands before the first line end.
    pub(crate) fn from_line(bytes: &[u8]) -> Result<Self, PassphraseError> {
        let line = bytes
            .split(|byte| *byte == b'\n')
            .next()
            .unwrap_or_default();
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        // A NUL says that this is no text.
        if line.contains(&0) {
            return Err(PassphraseError::Empty);
        }
        Self::from_bytes(line)
    }

    /// Makes one of 32 random bytes, as 64 hex digits, for keys that no person unlocks.
    pub fn random(rng: &dyn SecureRandom) -> Result<Self, KeyError> {
        let mut bytes = Zeroizing::new([0; 32]);
        rng.fill(&mut *bytes).map_err(|_| KeyError::Randomness)?;
        let mut text = Zeroizing::new(vec![0; 64]);
        hex::encode_to_slice(&bytes[..], &mut text).map_err(|_| KeyError::Randomness)?;
        Ok(Self(Secret::copy_of(&text)))
    }

    /// Writes it as a line to a new file that only its owner may read; never overwrites one.
    pub fn save_new(&self, path: &Path) -> Result<(), KeyError> {
        let mut line = Zeroizing::new(Vec::with_capacity(self.0.len() + 1));
        line.extend_from_slice(&self.0);
        line.push(b'\n');
        secret_file::create(path, &line)
    }

    /// The secret itself. Neither print, log nor copy it.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Passphrase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Passphrase(…)")
    }
}

#[cfg(test)]
mod tests {
    use ring::rand::SystemRandom;

    use super::*;

    fn read(content: &[u8]) -> Result<Passphrase, PassphraseError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("passphrase");
        std::fs::write(&path, content).unwrap();
        Passphrase::from_file(&path)
    }

    #[test]
    fn takes_the_first_line() {
        for content in ["grüne äpfel", "grüne äpfel\n", "grüne äpfel\r\nsecond\n"] {
            assert_eq!(
                read(content.as_bytes()).unwrap().expose(),
                "grüne äpfel".as_bytes()
            );
        }
        assert_eq!(read(b" x \n").unwrap().expose(), b" x ");
        let longest = [b'x'; MAX_PASSPHRASE];
        assert_eq!(
            read(&[&longest[..], b"\r\n"].concat()).unwrap().expose(),
            longest
        );
    }

    #[test]
    fn refuses_what_is_no_passphrase() {
        for content in [
            &b""[..],
            b"\nx",
            b"\r\n",
            b"a\0b\n",
            &[b'x'; MAX_PASSPHRASE + 1],
        ] {
            assert!(matches!(
                read(content),
                Err(PassphraseError::FirstLine { .. })
            ));
        }
        let missing = Passphrase::from_file(Path::new("/nonexistent"));
        assert!(matches!(missing, Err(PassphraseError::File { .. })));
        assert!(matches!(
            Passphrase::new(String::new()),
            Err(PassphraseError::Empty)
        ));
        let long = Passphrase::new("x".repeat(MAX_PASSPHRASE + 1));
        assert!(matches!(long, Err(PassphraseError::TooLong { .. })));
    }

    #[test]
    fn random_ones_differ_and_survive_a_file() {
        let rng = SystemRandom::new();
        let one = Passphrase::random(&rng).unwrap();
        assert_eq!(one.expose().len(), 64);
        assert_ne!(one.expose(), Passphrase::random(&rng).unwrap().expose());
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("passphrase");
        one.save_new(&path).unwrap();
        assert_eq!(Passphrase::from_file(&path).unwrap().expose(), one.expose());
        assert!(matches!(one.save_new(&path), Err(KeyError::Exists { .. })));
    }
}
