//! Key files: PKCS#8 in PEM, read within limits and written once.

use std::path::Path;

use pkcs8::LineEnding;

use crate::container::seal;
use crate::file_key::unusable;
use crate::formats::KeyText;
use crate::private::PrivateKey;
use crate::{
    FileKey, Kdf, KeyError, KeyFlaw, KeyUri, KeyWarning, LoadOptions, Passphrase, PassphraseSource,
    Signer, pem, require_key, secret_file,
};

/// Largest key file read, in bytes; an encrypted key of ours has about 400.
pub const MAX_KEY_FILE: usize = 64 * 1024;

/// A key read from a file, and what deserves attention about it.
#[derive(Debug)]
pub struct LoadedKey {
    /// The key.
    pub key: FileKey,
    /// For the caller to show.
    pub warnings: Vec<KeyWarning>,
}

impl FileKey {
    /// Reads an unencrypted PKCS#8 PEM text.
    pub fn from_pkcs8_pem(text: &str) -> Result<Self, KeyFlaw> {
        match pem::decode(text)? {
            (Some(pem::PRIVATE_KEY), der) => Self::from_private(PrivateKey::from_pkcs8(&der)?),
            (found, _) => Err(KeyFlaw::Label {
                found,
                expected: pem::PRIVATE_KEY,
            }),
        }
    }

    /// Reads an encrypted key: PKCS#8 with PBES2 (scrypt or PBKDF2 with HMAC-SHA-2, and AES), an
    /// OpenSSH key (bcrypt, aes256-ctr) or one of cosign (scrypt, secretbox), as long as the
    /// key derivation is affordable. Returns what protected it, too.
    pub fn from_encrypted_pem(text: &str, passphrase: &Passphrase) -> Result<(Self, Kdf), KeyFlaw> {
        match KeyText::parse(text)? {
            KeyText::Sealed(sealed) => {
                let kdf = sealed.kdf();
                Ok((Self::from_private(sealed.open(passphrase)?)?, kdf))
            }
            KeyText::Plain(_) => Err(KeyFlaw::Unencrypted),
        }
    }

    /// Loads a key file of at most [`MAX_KEY_FILE`] bytes. `passphrases` is asked only for an
    /// encrypted file, and only after its parameters were found affordable.
    pub fn load(
        path: &Path,
        passphrases: &dyn PassphraseSource,
        options: LoadOptions,
    ) -> Result<LoadedKey, KeyError> {
        let name = KeyUri::File(path.to_owned()).to_string();
        let flawed = |flaw| unusable(&name, flaw);
        let file = secret_file::read(path, MAX_KEY_FILE)?;
        let text = std::str::from_utf8(&file.bytes).map_err(|_| flawed(KeyFlaw::Pem))?;
        let (private, mut warnings) = match KeyText::parse(text).map_err(flawed)? {
            KeyText::Sealed(sealed) => {
                let warnings = weak_kdf(&name, sealed.kdf());
                let passphrase = ask(passphrases, &name)?;
                (sealed.open(&passphrase), warnings)
            }
            KeyText::Plain(plain) if options.allow_unencrypted => {
                let key = name.clone();
                (plain.open(), vec![KeyWarning::Unencrypted { key }])
            }
            KeyText::Plain(_) => return Err(flawed(KeyFlaw::Unencrypted)),
        };
        warnings.extend(
            file.mode
                .and_then(|mode| KeyWarning::about_mode(path, mode)),
        );
        let private = private.map_err(flawed)?;
        let mut key = Self::from_private(private).map_err(flawed)?;
        key.origin = Some(path.to_owned());
        Ok(LoadedKey { key, warnings })
    }

    /// Encrypts the key: PKCS#8 v1, PBES2, AES-256-CBC, in PEM.
    pub fn to_encrypted_pem(&self, passphrase: &Passphrase, kdf: Kdf) -> Result<String, KeyError> {
        let flawed = |flaw| unusable(&self.describe(), flaw);
        let pkcs8 = self.private.to_pkcs8().map_err(flawed)?;
        let der = seal(&pkcs8, passphrase, kdf, &self.rng)?;
        pkcs8::der::pem::encode_string(pem::ENCRYPTED_PRIVATE_KEY, LineEnding::LF, &der)
            .map_err(|_| flawed(KeyFlaw::Der))
    }

    /// Writes the key, encrypted, to a new file that only its owner may read, and has it on the
    /// disk before returning. Never overwrites a file.
    pub fn save_encrypted(
        &self,
        path: &Path,
        passphrase: &Passphrase,
        kdf: Kdf,
    ) -> Result<(), KeyError> {
        secret_file::create(path, self.to_encrypted_pem(passphrase, kdf)?.as_bytes())
    }

    /// Writes the key like [`Self::save_encrypted`] and returns what the new file holds, opened
    /// with the new passphrase: for converting a key, whose old file may be destroyed after that.
    pub fn save_and_reopen(
        &self,
        path: &Path,
        passphrase: &Passphrase,
        kdf: Kdf,
    ) -> Result<Self, KeyError> {
        self.save_encrypted(path, passphrase, kdf)?;
        let name = KeyUri::File(path.to_owned()).to_string();
        let flawed = |flaw| unusable(&name, flaw);
        let file = secret_file::read(path, MAX_KEY_FILE)?;
        let text = std::str::from_utf8(&file.bytes).map_err(|_| flawed(KeyFlaw::Pem))?;
        let (mut key, _) = Self::from_encrypted_pem(text, passphrase).map_err(flawed)?;
        key.origin = Some(path.to_owned());
        require_key(&key, self.public_key())?;
        Ok(key)
    }
}

fn ask(passphrases: &dyn PassphraseSource, key: &str) -> Result<Passphrase, KeyError> {
    passphrases
        .passphrase(key)
        .map_err(|source| KeyError::Passphrase {
            key: key.to_owned(),
            source,
        })
}

fn weak_kdf(key: &str, kdf: Kdf) -> Vec<KeyWarning> {
    let key = key.to_owned();
    if kdf.is_weak() {
        vec![KeyWarning::WeakKdf { key, kdf }]
    } else {
        Vec::new()
    }
}

#[cfg(test)]
mod tests {
    use ring::rand::SystemRandom;

    use super::*;
    use crate::{KeyType, NoPassphrase, PassphraseError, SignatureCheck};

    const FAST: Kdf = Kdf::Scrypt {
        log_n: 4,
        r: 8,
        p: 1,
    };

    fn right(_key: &str) -> Result<Passphrase, PassphraseError> {
        Passphrase::new("right".to_owned())
    }

    #[test]
    fn saved_keys_load_and_sign() {
        let folder = tempfile::tempdir().unwrap();
        for (key_type, name) in [(KeyType::Ed25519, "ed"), (KeyType::EcdsaP256, "ec")] {
            let made = FileKey::generate(key_type, &SystemRandom::new()).unwrap();
            let path = folder.path().join(name);
            made.save_encrypted(&path, &right("").unwrap(), FAST)
                .unwrap();
            let again = made.save_encrypted(&path, &right("").unwrap(), FAST);
            assert!(matches!(again, Err(KeyError::Exists { .. })));

            let LoadedKey { key, warnings } =
                FileKey::load(&path, &right, LoadOptions::default()).unwrap();
            assert_eq!(key.public_key(), made.public_key());
            assert_eq!(key.key_type(), key_type);
            let name = format!("file:{}", path.display());
            assert_eq!(key.describe(), name);
            assert_eq!(
                warnings,
                [KeyWarning::WeakKdf {
                    key: name,
                    kdf: FAST
                }]
            );
            let signature = key.sign(b"message").unwrap();
            assert_eq!(&signature.keyid, made.key_id());
            let check = SignatureCheck::new(made.public_key()).unwrap();
            assert!(check.verifies(b"message", &signature.bytes));
        }
    }

    #[test]
    fn the_default_protection_is_not_weak() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key.pem");
        let made = FileKey::generate(KeyType::Ed25519, &SystemRandom::new()).unwrap();
        made.save_encrypted(&path, &right("").unwrap(), Kdf::default())
            .unwrap();
        let loaded = FileKey::load(&path, &right, LoadOptions::default()).unwrap();
        assert_eq!(loaded.warnings, []);
        assert_eq!(loaded.key.key_id(), made.key_id());
    }

    #[test]
    fn a_wrong_or_missing_passphrase_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key.pem");
        let made = FileKey::generate(KeyType::Ed25519, &SystemRandom::new()).unwrap();
        made.save_encrypted(&path, &right("").unwrap(), FAST)
            .unwrap();
        let wrong = |_: &str| Passphrase::new("wrong".to_owned());
        let load = |source: &dyn PassphraseSource| {
            FileKey::load(&path, source, LoadOptions::default()).unwrap_err()
        };
        let flaw = KeyFlaw::WrongPassphrase;
        assert!(matches!(load(&wrong), KeyError::Unusable { flaw: f, .. } if f == flaw));
        let source = load(&NoPassphrase);
        assert!(matches!(
            source,
            KeyError::Passphrase {
                source: PassphraseError::NotGiven,
                ..
            }
        ));
    }
}
