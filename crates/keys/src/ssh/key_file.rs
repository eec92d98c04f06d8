//! OpenSSH private key files (`PROTOCOL.key`). Read only: what is written here is PKCS#8.

use aes::Aes256;
use ctr::Ctr128BE;
use ctr::cipher::{KeyIvInit, StreamCipher};
use zeroize::Zeroizing;

use super::public_key::{ED25519, P256};
use super::wire::Reader;
use crate::private::{PrivateKey, scalar_of_mpint, uncompressed};
use crate::secret::Secret;
use crate::{Kdf, KeyFlaw, Passphrase};

/// An OpenSSH key file whose parameters have been judged.
pub(crate) struct OpenSshFile {
    protection: Option<Protection>,
    private: Zeroizing<Vec<u8>>,
}

struct Protection {
    rounds: u32,
    salt: Vec<u8>,
}

const MAGIC: &[u8] = b"openssh-key-v1\0";

impl OpenSshFile {
    /// Reads what the PEM block holds; refuses a key derivation that costs too much before anybody
    /// is asked for a passphrase.
    pub(crate) fn parse(content: &[u8]) -> Result<Self, KeyFlaw> {
        let rest = content.strip_prefix(MAGIC).ok_or(KeyFlaw::OpenSsh)?;
        let mut reader = Reader::new(rest);
        let cipher = reader.text().ok_or(KeyFlaw::OpenSsh)?;
        let kdf = reader.text().ok_or(KeyFlaw::OpenSsh)?;
        let options = reader.string().ok_or(KeyFlaw::OpenSsh)?;
        let protection = match (cipher, kdf) {
            ("none", "none") => None,
            ("aes256-ctr", "bcrypt") => Some(Protection::read(options)?),
            _ => {
                let cipher = known_cipher(cipher);
                return Err(KeyFlaw::OpenSshCipher { cipher });
            }
        };
        // One key, its public half, its private half.
        let (Some(1), Some(_), Some(private)) = (reader.u32(), reader.string(), reader.string())
        else {
            return Err(KeyFlaw::OpenSsh);
        };
        if !reader.rest().is_empty() {
            return Err(KeyFlaw::OpenSsh);
        }
        Ok(Self {
            protection,
            private: Zeroizing::new(private.to_vec()),
        })
    }

    /// What protects it, if anything does.
    pub(crate) fn kdf(&self) -> Option<Kdf> {
        let Protection { rounds, .. } = self.protection.as_ref()?;
        Some(Kdf::Bcrypt { rounds: *rounds })
    }

    /// Decrypts it.
    pub(crate) fn open(mut self, passphrase: &Passphrase) -> Result<PrivateKey, KeyFlaw> {
        let Some(Protection { rounds, salt }) = &self.protection else {
            return self.open_plain();
        };
        // Key and IV of AES-256.
        let mut derived = Zeroizing::new([0; 48]);
        bcrypt_pbkdf::bcrypt_pbkdf(passphrase.expose(), salt, *rounds, &mut *derived)
            .map_err(|_| KeyFlaw::KdfParameters)?;
        let (key, iv) = derived.split_at(32);
        Ctr128BE::<Aes256>::new_from_slices(key, iv)
            .map_err(|_| KeyFlaw::OpenSsh)?
            .apply_keystream(&mut self.private);
        read_private(&self.private)
    }

    /// Reads an unencrypted one.
    pub(crate) fn open_plain(self) -> Result<PrivateKey, KeyFlaw> {
        match read_private(&self.private) {
            Err(KeyFlaw::WrongPassphrase) => Err(KeyFlaw::OpenSsh),
            other => other,
        }
    }
}

impl Protection {
    fn read(options: &[u8]) -> Result<Self, KeyFlaw> {
        let mut reader = Reader::new(options);
        let (Some(salt), Some(rounds)) = (reader.string(), reader.u32()) else {
            return Err(KeyFlaw::OpenSsh);
        };
        if salt.is_empty() || !reader.rest().is_empty() {
            return Err(KeyFlaw::KdfParameters);
        }
        Kdf::Bcrypt { rounds }.bounded()?;
        let salt = salt.to_vec();
        Ok(Self { rounds, salt })
    }
}

/// Ciphers `ssh-keygen -Z` knows; anything else found is not repeated.
fn known_cipher(name: &str) -> &'static str {
    const KNOWN: &[&str] = &[
        "3des-cbc",
        "aes128-cbc",
        "aes128-ctr",
        "aes128-gcm@openssh.com",
        "aes192-cbc",
        "aes192-ctr",
        "aes256-cbc",
        "aes256-gcm@openssh.com",
        "chacha20-poly1305@openssh.com",
    ];
    let known = KNOWN.iter().find(|known| **known == name);
    known.copied().unwrap_or("another cipher")
}

/// Reads the private section. CTR has no integrity: two equal numbers in front tell whether the
/// passphrase was right.
fn read_private(section: &[u8]) -> Result<PrivateKey, KeyFlaw> {
    let mut reader = Reader::new(section);
    let (Some(one), Some(two)) = (reader.u32(), reader.u32()) else {
        return Err(KeyFlaw::OpenSsh);
    };
    if one != two {
        return Err(KeyFlaw::WrongPassphrase);
    }
    let algorithm = reader.text().ok_or(KeyFlaw::OpenSsh)?;
    let key = match algorithm {
        ED25519 => read_ed25519(&mut reader)?,
        P256 => read_p256(&mut reader)?,
        _ => return Err(KeyFlaw::OpenSshAlgorithm),
    };
    let comment = reader.string();
    let padding = (1u8..).zip(reader.rest());
    if comment.is_none()
        || padding
            .into_iter()
            .any(|(expected, byte)| expected != *byte)
    {
        return Err(KeyFlaw::OpenSsh);
    }
    Ok(key)
}

fn read_ed25519(reader: &mut Reader) -> Result<PrivateKey, KeyFlaw> {
    let (Some(public), Some(private)) = (reader.string(), reader.string()) else {
        return Err(KeyFlaw::OpenSsh);
    };
    let public = public.try_into().map_err(|_| KeyFlaw::PublicKey)?;
    // The seed, and the public key once more.
    let (seed, again) = private.split_at_checked(32).ok_or(KeyFlaw::PrivateKey)?;
    if again != public {
        return Err(KeyFlaw::PublicKeyMismatch);
    }
    Ok(PrivateKey::Ed25519 {
        seed: Secret::copy_of(seed),
        public: Some(public),
    })
}

fn read_p256(reader: &mut Reader) -> Result<PrivateKey, KeyFlaw> {
    let (Some("nistp256"), Some(point), Some(scalar)) =
        (reader.text(), reader.string(), reader.string())
    else {
        return Err(KeyFlaw::OpenSsh);
    };
    Ok(PrivateKey::EcdsaP256 {
        scalar: scalar_of_mpint(scalar)?,
        point: uncompressed(point)?,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::wire::put_string;
    use super::*;

    fn file(cipher: &str, kdf: &str, options: &[u8], private: &[u8]) -> Vec<u8> {
        let mut out = MAGIC.to_vec();
        for part in [cipher.as_bytes(), kdf.as_bytes(), options] {
            put_string(&mut out, part).unwrap();
        }
        out.extend([0, 0, 0, 1]);
        put_string(&mut out, b"public").unwrap();
        put_string(&mut out, private).unwrap();
        out
    }

    fn bcrypt(rounds: u32) -> Vec<u8> {
        let mut options = Vec::new();
        put_string(&mut options, &[7; 16]).unwrap();
        options.extend(rounds.to_be_bytes());
        options
    }

    fn flaw(content: &[u8]) -> Option<KeyFlaw> {
        OpenSshFile::parse(content).err()
    }

    #[test]
    fn judges_before_it_derives() {
        let kdf = Kdf::Bcrypt { rounds: 16 };
        let sealed = OpenSshFile::parse(&file("aes256-ctr", "bcrypt", &bcrypt(16), b"")).unwrap();
        assert_eq!(sealed.kdf(), Some(kdf));
        let kdf = Kdf::Bcrypt { rounds: 1 << 30 };
        let dear = file("aes256-ctr", "bcrypt", &bcrypt(1 << 30), b"");
        assert_eq!(flaw(&dear), Some(KeyFlaw::KdfCost { kdf }));
        let gcm = file("aes256-gcm@openssh.com", "bcrypt", &bcrypt(16), b"");
        let cipher = "aes256-gcm@openssh.com";
        assert_eq!(flaw(&gcm), Some(KeyFlaw::OpenSshCipher { cipher }));
        let mut two = file("none", "none", b"", b"");
        two.push(0);
        assert_eq!(flaw(&two), Some(KeyFlaw::OpenSsh));
    }

    proptest! {
        #[test]
        fn never_panics(private: Vec<u8>, options: Vec<u8>, cut in 0usize..100) {
            let content = file("none", "none", &options, &private);
            if let Ok(file) = OpenSshFile::parse(&content) {
                let _ = file.open_plain();
            }
            let _ = OpenSshFile::parse(&file("aes256-ctr", "bcrypt", &options, &private));
            let _ = OpenSshFile::parse(&content[..cut.min(content.len())]);
            let _ = read_private(&private);
        }
    }
}
