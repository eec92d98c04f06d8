//! Key material, made and used with AWS-LC: an implementation other than the one under test.

use aws_lc_rs::digest::{Digest, SHA256, SHA384, digest};
use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P384_SHA384_ASN1_SIGNING, EcdsaKeyPair, Ed25519KeyPair,
    KeyPair, RSA_PKCS1_SHA256, RSA_PSS_SHA256, RsaEncoding, RsaKeyPair,
};

/// What kind of key to make.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeySpec {
    /// `ECC_NIST_P256` for signing.
    P256,
    /// `ECC_NIST_P384` for signing.
    P384,
    /// `RSA_2048` for signing.
    Rsa2048,
    /// `RSA_2048` for encryption.
    Rsa2048Encryption,
    /// `RSA_3072` for signing.
    Rsa3072,
    /// `ECC_NIST_EDWARDS25519` for signing.
    Ed25519,
    /// `SYMMETRIC_DEFAULT`, which has no public key.
    Symmetric,
}

/// What may be done with a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyState {
    /// Everything.
    Enabled,
    /// Nothing until it is enabled again.
    Disabled,
    /// Nothing, and soon it is gone.
    PendingDeletion,
    /// Nothing: its key store is not connected.
    Unavailable,
}

pub(crate) enum Material {
    Ecdsa(EcdsaKeyPair),
    Rsa(Box<RsaKeyPair>),
    Ed25519(Ed25519KeyPair),
    Symmetric,
}

impl KeySpec {
    pub(crate) fn generate(self) -> Material {
        let rsa = |size| Material::Rsa(Box::new(RsaKeyPair::generate(size).unwrap()));
        match self {
            Self::P256 => {
                Material::Ecdsa(EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).unwrap())
            }
            Self::P384 => {
                Material::Ecdsa(EcdsaKeyPair::generate(&ECDSA_P384_SHA384_ASN1_SIGNING).unwrap())
            }
            Self::Rsa2048 | Self::Rsa2048Encryption => rsa(KeySize::Rsa2048),
            Self::Rsa3072 => rsa(KeySize::Rsa3072),
            Self::Ed25519 => Material::Ed25519(Ed25519KeyPair::generate().unwrap()),
            Self::Symmetric => Material::Symmetric,
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::P256 => "ECC_NIST_P256",
            Self::P384 => "ECC_NIST_P384",
            Self::Rsa2048 | Self::Rsa2048Encryption => "RSA_2048",
            Self::Rsa3072 => "RSA_3072",
            Self::Ed25519 => "ECC_NIST_EDWARDS25519",
            Self::Symmetric => "SYMMETRIC_DEFAULT",
        }
    }

    pub(crate) fn usage(self) -> &'static str {
        match self {
            Self::Rsa2048Encryption | Self::Symmetric => "ENCRYPT_DECRYPT",
            _ => "SIGN_VERIFY",
        }
    }

    /// The signing algorithms that the double implements for such a key.
    pub(crate) fn algorithms(self) -> &'static [&'static str] {
        match self {
            Self::P256 => &["ECDSA_SHA_256"],
            Self::P384 => &["ECDSA_SHA_384"],
            Self::Rsa2048 | Self::Rsa3072 => &["RSASSA_PSS_SHA_256"],
            Self::Ed25519 => &["ED25519_SHA_512"],
            Self::Rsa2048Encryption | Self::Symmetric => &[],
        }
    }
}

impl KeyState {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Enabled => "Enabled",
            Self::Disabled => "Disabled",
            Self::PendingDeletion => "PendingDeletion",
            Self::Unavailable => "Unavailable",
        }
    }
}

impl Material {
    /// `SubjectPublicKeyInfo` in DER.
    pub(crate) fn public_key(&self) -> Option<Vec<u8>> {
        fn der<K: AsDer<PublicKeyX509Der<'static>>>(key: &K) -> Vec<u8> {
            key.as_der().unwrap().as_ref().to_vec()
        }
        match self {
            Self::Ecdsa(pair) => Some(der(pair.public_key())),
            Self::Rsa(pair) => Some(der(pair.public_key())),
            Self::Ed25519(pair) => Some(der(pair.public_key())),
            Self::Symmetric => None,
        }
    }

    pub(crate) fn sign_digest(&self, bytes: &[u8]) -> Vec<u8> {
        let algorithm = if bytes.len() == 48 { &SHA384 } else { &SHA256 };
        self.sign(&Digest::import_less_safe(bytes, algorithm).unwrap())
    }

    pub(crate) fn sign_raw(&self, message: &[u8]) -> Vec<u8> {
        match self {
            Self::Ed25519(pair) => pair.sign(message).as_ref().to_vec(),
            _ => self.sign(&digest(&SHA256, message)),
        }
    }

    /// The same with the padding of PKCS#1 v1.5, where there is one.
    pub(crate) fn sign_pkcs1(&self, bytes: &[u8]) -> Vec<u8> {
        match self {
            Self::Rsa(pair) => {
                let digest = Digest::import_less_safe(bytes, &SHA256).unwrap();
                rsa(pair, &RSA_PKCS1_SHA256, &digest)
            }
            _ => self.sign_digest(bytes),
        }
    }

    fn sign(&self, digest: &Digest) -> Vec<u8> {
        match self {
            Self::Ecdsa(pair) => pair.sign_digest(digest).unwrap().as_ref().to_vec(),
            Self::Rsa(pair) => rsa(pair, &RSA_PSS_SHA256, digest),
            Self::Ed25519(_) | Self::Symmetric => panic!("these keys sign no digests"),
        }
    }
}

fn rsa(pair: &RsaKeyPair, padding: &'static dyn RsaEncoding, digest: &Digest) -> Vec<u8> {
    let mut signature = vec![0; pair.public_modulus_len()];
    pair.sign_digest(padding, digest, &mut signature).unwrap();
    signature
}
