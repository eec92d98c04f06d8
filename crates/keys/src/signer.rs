//! The one trait every key back end implements, and signing a document with several of them.

use metadata::{KeyId, PublicKey, Signature, UnverifiedSignature};

use crate::KeyError;

/// A private key somewhere: in an encrypted file now; in a token, an agent or a key service behind
/// the same trait.
pub trait Signer: Send + Sync {
    /// The public key, in the form metadata lists.
    fn public_key(&self) -> &PublicKey;

    /// The id of [`Self::public_key`] (TUF 4.2.1).
    fn key_id(&self) -> &KeyId;

    /// Signs canonical bytes. The signature is verified against [`Self::public_key`] before it is
    /// returned: a faulty device or a swapped key shows here and not at the clients.
    fn sign(&self, message: &[u8]) -> Result<Signature, KeyError>;

    /// Signs canonical bytes and leaves the check to whoever takes the signature, who cannot get at
    /// it otherwise. Signers whose device may err check all the same.
    fn sign_unverified(&self, message: &[u8]) -> Result<UnverifiedSignature, KeyError> {
        self.sign(message).map(UnverifiedSignature::from)
    }

    /// Signs several documents; the signatures come in their order, and the first failure ends it. One
    /// after the other, unless what holds the key works on several at once.
    fn sign_many(&self, messages: &[&[u8]]) -> Result<Vec<UnverifiedSignature>, KeyError> {
        messages
            .iter()
            .map(|message| self.sign_unverified(message))
            .collect()
    }

    /// Where the key lives, as a key URI such as `file:keys/online.pem`; no secrets.
    fn describe(&self) -> String;
}

/// Signs the canonical bytes of one document with every signer, in key id order. Refuses one key
/// twice, which would make a file that no reader accepts (TUF 4.2.1). Counting signatures against
/// thresholds is left to those who know the roles.
pub fn sign_document(
    canonical: &[u8],
    signers: &[&dyn Signer],
) -> Result<Vec<Signature>, KeyError> {
    let mut sorted = signers.to_vec();
    sorted.sort_by(|a, b| a.key_id().cmp(b.key_id()));
    for pair in sorted.windows(2) {
        if pair[0].key_id() == pair[1].key_id() {
            return Err(KeyError::SameKey {
                keyid: pair[0].key_id().clone(),
                first: pair[0].describe(),
                second: pair[1].describe(),
            });
        }
    }
    sorted.iter().map(|signer| signer.sign(canonical)).collect()
}

#[cfg(test)]
mod tests {
    use metadata::{VerifyingKey, Wire};
    use ring::rand::SystemRandom;

    use super::*;
    use crate::{FileKey, KeyType, SignatureCheck};

    #[test]
    fn every_signer_signs_once_in_key_id_order() {
        let rng = SystemRandom::new();
        let one = FileKey::generate(KeyType::Ed25519, &rng).unwrap();
        let two = FileKey::generate(KeyType::EcdsaP256, &rng).unwrap();
        let canonical = br#"{"a":1}"#;
        let signatures = sign_document(canonical, &[&one, &two]).unwrap();
        assert!(signatures[0].keyid < signatures[1].keyid);
        let file = Wire::write(canonical, &signatures);
        assert_eq!(Wire::parse(&file, 2).unwrap().signatures, signatures);
        for signature in &signatures {
            let signer: &dyn Signer = if &signature.keyid == one.key_id() {
                &one
            } else {
                &two
            };
            let check = SignatureCheck::new(signer.public_key()).unwrap();
            assert!(check.verifies(canonical, &signature.bytes));
            assert!(!check.verifies(b"{}", &signature.bytes));
        }
    }

    #[test]
    fn a_fresh_signature_comes_out_only_where_it_verifies() {
        for key_type in [KeyType::Ed25519, KeyType::EcdsaP256] {
            let key = FileKey::generate(key_type, &SystemRandom::new()).unwrap();
            let other = FileKey::generate(key_type, &SystemRandom::new()).unwrap();
            let fresh = key.sign_unverified(b"{}").unwrap();
            let verifying = |key: &FileKey| VerifyingKey::new(key.public_key()).unwrap();
            assert_eq!(fresh.keyid(), key.key_id());
            assert!(fresh.verify(&verifying(&key), b"{}").is_some());
            assert!(fresh.verify(&verifying(&key), b"[]").is_none());
            assert!(fresh.verify(&verifying(&other), b"{}").is_none());
        }
    }

    #[test]
    fn refuses_one_key_twice() {
        let key = FileKey::generate(KeyType::Ed25519, &SystemRandom::new()).unwrap();
        let error = sign_document(b"{}", &[&key, &key]).unwrap_err();
        assert!(matches!(error, KeyError::SameKey { keyid, .. } if &keyid == key.key_id()));
    }
}
