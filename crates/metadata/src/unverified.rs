//! A signature that nobody has checked yet. It can neither be read nor written: the only way on is
//! through the check, so that a signer may leave that to whoever seals the file, and no signature is
//! checked twice or never.

use crate::{KeyId, Signature, VerifyingKey};

/// A signature fresh from a key.
///
/// ```compile_fail,E0616
/// # fn leak(fresh: &countersign_metadata::UnverifiedSignature) -> &[u8] {
/// &fresh.bytes
/// # }
/// ```
pub struct UnverifiedSignature {
    keyid: KeyId,
    bytes: Vec<u8>,
}

impl UnverifiedSignature {
    /// What a key gave out.
    #[must_use]
    pub fn new(keyid: KeyId, bytes: Vec<u8>) -> Self {
        Self { keyid, bytes }
    }

    /// The key it claims to be by.
    #[must_use]
    pub fn keyid(&self) -> &KeyId {
        &self.keyid
    }

    /// The signature, if it is one by `key` over `message`.
    #[must_use]
    pub fn verify(&self, key: &VerifyingKey, message: &[u8]) -> Option<Signature> {
        let valid = key.verifies(message, &self.bytes);
        valid.then(|| Signature {
            keyid: self.keyid.clone(),
            bytes: self.bytes.clone(),
        })
    }
}

/// What was checked by the signer is checked again by whoever takes it for unverified.
impl From<Signature> for UnverifiedSignature {
    fn from(signature: Signature) -> Self {
        Self::new(signature.keyid, signature.bytes)
    }
}
