//! Checking one's own signatures before anybody else sees them.

use metadata::{PublicKey, Signature, VerifyingKey};

use crate::public::Numbers;
use crate::{KeyError, KeyFlaw, Signer};

/// Checks that signatures are by the key they claim. Every back end runs it before it hands out a
/// signature; what clients may believe is decided in `trust`, not here.
pub struct SignatureCheck(VerifyingKey);

impl SignatureCheck {
    /// Prepares checking signatures by `key`, which must be one that is sound and named as it is.
    pub fn new(key: &PublicKey) -> Result<Self, KeyFlaw> {
        Numbers::from_listed(key)?;
        VerifyingKey::new(key)
            .map(Self)
            .map_err(|_| KeyFlaw::PublicKey)
    }

    /// Whether `signature` is one by this key over `message`.
    #[must_use]
    pub fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        self.0.verifies(message, signature)
    }

    /// Lets through what `signer` made of `message` if it verifies: the last step of every
    /// [`Signer::sign`].
    pub fn accept(
        &self,
        signer: &dyn Signer,
        message: &[u8],
        bytes: Vec<u8>,
    ) -> Result<Signature, KeyError> {
        let keyid = signer.key_id().clone();
        if self.verifies(message, &bytes) {
            return Ok(Signature { keyid, bytes });
        }
        Err(KeyError::BadSignature {
            key: signer.describe(),
            keyid,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const POINT: &str = include_str!("../testdata/openssl-p256.pub.pem");
    const RSA: &str = include_str!("../testdata/openssl-rsa2048.pub.pem");

    #[test]
    fn refuses_keys_listed_as_what_they_are_not() {
        let mixed = [
            PublicKey::rsa_pss(POINT.to_owned()),
            PublicKey::ecdsa_p256(RSA.to_owned()),
        ];
        for key in mixed {
            let flaw = SignatureCheck::new(&key).err();
            assert!(matches!(flaw, Some(KeyFlaw::Scheme { .. })), "{flaw:?}");
        }
        let hex = PublicKey::ecdsa_p256("04".repeat(65));
        assert_eq!(SignatureCheck::new(&hex).err(), Some(KeyFlaw::Pem));
    }

    #[test]
    fn no_bytes_pass_for_a_signature() {
        for key in [
            PublicKey::ed25519(&[7; 32]),
            PublicKey::ecdsa_p256(POINT.to_owned()),
            PublicKey::rsa_pss(RSA.to_owned()),
        ] {
            let check = SignatureCheck::new(&key).unwrap();
            for length in [0, 1, 64, 70, 256] {
                assert!(!check.verifies(b"message", &vec![0x30; length]));
            }
        }
    }
}
