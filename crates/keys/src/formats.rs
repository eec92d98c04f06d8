//! The kinds of private key files there are, told apart by their PEM label.

use zeroize::Zeroizing;

use crate::container::Sealed;
use crate::private::PrivateKey;
use crate::ssh::key_file::OpenSshFile;
use crate::{Kdf, KeyFlaw, Passphrase, pem, sigstore};

/// A private key file that has been read, but not yet opened.
pub(crate) enum KeyText {
    /// Anybody can open it. Looked into only once the caller has allowed that.
    Plain(PlainKey),
    /// It takes a passphrase.
    Sealed(SealedKey),
}

pub(crate) enum PlainKey {
    Pkcs8(Zeroizing<Vec<u8>>),
    OpenSsh(OpenSshFile),
}

pub(crate) enum SealedKey {
    Pkcs8(Sealed),
    OpenSsh(OpenSshFile, Kdf),
    Sigstore(sigstore::Sealed),
}

impl KeyText {
    /// Reads a file and judges what opening it would cost.
    pub(crate) fn parse(text: &str) -> Result<Self, KeyFlaw> {
        let (label, content) = pem::decode(text)?;
        match label {
            Some(pem::PRIVATE_KEY) => Ok(Self::Plain(PlainKey::Pkcs8(content))),
            Some(pem::ENCRYPTED_PRIVATE_KEY) => {
                Sealed::from_der(&content).map(|sealed| Self::Sealed(SealedKey::Pkcs8(sealed)))
            }
            Some(pem::OPENSSH_PRIVATE_KEY) => {
                let file = OpenSshFile::parse(&content)?;
                Ok(match file.kdf() {
                    None => Self::Plain(PlainKey::OpenSsh(file)),
                    Some(kdf) => Self::Sealed(SealedKey::OpenSsh(file, kdf)),
                })
            }
            Some(pem::SIGSTORE_PRIVATE_KEY | pem::COSIGN_PRIVATE_KEY) => {
                let sealed = sigstore::Sealed::from_json(&content)?;
                Ok(Self::Sealed(SealedKey::Sigstore(sealed)))
            }
            found => Err(KeyFlaw::Label {
                found,
                expected: pem::ENCRYPTED_PRIVATE_KEY,
            }),
        }
    }
}

impl PlainKey {
    pub(crate) fn open(self) -> Result<PrivateKey, KeyFlaw> {
        match self {
            Self::Pkcs8(der) => PrivateKey::from_pkcs8(&der),
            Self::OpenSsh(file) => file.open_plain(),
        }
    }
}

impl SealedKey {
    /// What protects it.
    pub(crate) fn kdf(&self) -> Kdf {
        match self {
            Self::Pkcs8(sealed) => sealed.kdf(),
            Self::OpenSsh(_, kdf) => *kdf,
            Self::Sigstore(sealed) => sealed.kdf(),
        }
    }

    pub(crate) fn open(self, passphrase: &Passphrase) -> Result<PrivateKey, KeyFlaw> {
        match self {
            Self::Pkcs8(sealed) => PrivateKey::from_pkcs8(&sealed.open(passphrase)?),
            Self::OpenSsh(file, _) => file.open(passphrase),
            Self::Sigstore(sealed) => PrivateKey::from_pkcs8(&sealed.open(passphrase)?),
        }
    }
}
