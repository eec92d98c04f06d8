//! The private key in this process's memory, used with `ring`.

use std::fmt;
use std::path::PathBuf;

use metadata::{KeyId, PublicKey, Signature, UnverifiedSignature};
use ring::rand::{SecureRandom, SystemRandom};
use ring::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _};

use crate::private::{PrivateKey, uncompressed};
use crate::public::Numbers;
use crate::{KeyError, KeyFlaw, KeyUri, SignatureCheck, Signer};

/// The kinds of key that can be made here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyType {
    /// Small and deterministic; the default.
    Ed25519,
    /// For hardware and key services, and quicker for large documents: one SHA-256 pass instead of
    /// two SHA-512 passes.
    EcdsaP256,
}

/// A private key held in this process, as a rule from an encrypted file.
pub struct FileKey {
    pub(crate) private: PrivateKey,
    pair: Pair,
    public: PublicKey,
    keyid: KeyId,
    check: SignatureCheck,
    pub(crate) rng: SystemRandom,
    /// The file it was loaded from.
    pub(crate) origin: Option<PathBuf>,
}

/// The same key as `ring` wants it.
enum Pair {
    Ed25519(Ed25519KeyPair),
    EcdsaP256(EcdsaKeyPair),
}

/// How errors name a key that has no file yet.
const IN_MEMORY: &str = "key in memory";

impl FileKey {
    /// Makes a new key.
    pub fn generate(key_type: KeyType, rng: &dyn SecureRandom) -> Result<Self, KeyError> {
        let private = match key_type {
            KeyType::Ed25519 => PrivateKey::generate_ed25519(rng)?,
            KeyType::EcdsaP256 => PrivateKey::generate_p256(rng)?,
        };
        Self::from_private(private).map_err(|flaw| unusable(IN_MEMORY, flaw))
    }

    /// Hands the numbers to `ring`, which checks that private and public key belong together.
    pub(crate) fn from_private(private: PrivateKey) -> Result<Self, KeyFlaw> {
        let rng = SystemRandom::new();
        let (pair, numbers) = match &private {
            PrivateKey::Ed25519 { seed, public } => {
                let pair = Ed25519KeyPair::from_seed_unchecked(&seed[..])
                    .map_err(|_| KeyFlaw::PrivateKey)?;
                let derived: [u8; 32] = pair
                    .public_key()
                    .as_ref()
                    .try_into()
                    .map_err(|_| KeyFlaw::PublicKey)?;
                if public.is_some_and(|stored| stored != derived) {
                    return Err(KeyFlaw::PublicKeyMismatch);
                }
                (Pair::Ed25519(pair), Numbers::Ed25519(derived))
            }
            PrivateKey::EcdsaP256 { scalar, point } => {
                let pair = EcdsaKeyPair::from_private_key_and_public_key(
                    &ECDSA_P256_SHA256_ASN1_SIGNING,
                    &scalar[..],
                    point,
                    &rng,
                )
                .map_err(|_| KeyFlaw::PublicKeyMismatch)?;
                let point = uncompressed(pair.public_key().as_ref())?;
                (Pair::EcdsaP256(pair), Numbers::EcdsaP256(point))
            }
        };
        let public = numbers.to_listed()?;
        Ok(Self {
            keyid: public.id(),
            check: SignatureCheck::new(&public)?,
            private,
            pair,
            public,
            rng,
            origin: None,
        })
    }

    /// What kind of key it is.
    #[must_use]
    pub fn key_type(&self) -> KeyType {
        match self.pair {
            Pair::Ed25519(_) => KeyType::Ed25519,
            Pair::EcdsaP256(_) => KeyType::EcdsaP256,
        }
    }

    fn sign_bytes(&self, message: &[u8]) -> Result<Vec<u8>, KeyError> {
        Ok(match &self.pair {
            Pair::Ed25519(pair) => pair.sign(message).as_ref().to_vec(),
            Pair::EcdsaP256(pair) => pair
                .sign(&self.rng, message)
                .map_err(|_| KeyError::Signing {
                    key: self.describe(),
                })?
                .as_ref()
                .to_vec(),
        })
    }
}

impl Signer for FileKey {
    fn public_key(&self) -> &PublicKey {
        &self.public
    }

    fn key_id(&self) -> &KeyId {
        &self.keyid
    }

    fn sign(&self, message: &[u8]) -> Result<Signature, KeyError> {
        self.check.accept(self, message, self.sign_bytes(message)?)
    }

    fn sign_unverified(&self, message: &[u8]) -> Result<UnverifiedSignature, KeyError> {
        let bytes = self.sign_bytes(message)?;
        Ok(UnverifiedSignature::new(self.keyid.clone(), bytes))
    }

    /// On all cores: each document is hashed twice, and nothing else is shared.
    fn sign_many(&self, messages: &[&[u8]]) -> Result<Vec<UnverifiedSignature>, KeyError> {
        /// Fewer are signed before a thread has started.
        const WORTH_A_THREAD: usize = 4;
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let share = messages.len().div_ceil(cores).max(WORTH_A_THREAD);
        let sign = |some: &[&[u8]]| {
            let signatures = some.iter().map(|message| self.sign_unverified(message));
            signatures.collect::<Result<Vec<_>, _>>()
        };
        let signed: Result<Vec<Vec<_>>, KeyError> = std::thread::scope(|scope| {
            let threads: Vec<_> = messages
                .chunks(share)
                .map(|some| scope.spawn(|| sign(some)))
                .collect();
            let joined = threads.into_iter().map(std::thread::ScopedJoinHandle::join);
            let resumed = |panic| std::panic::resume_unwind(panic);
            joined
                .map(|signed| signed.unwrap_or_else(resumed))
                .collect()
        });
        Ok(signed?.into_iter().flatten().collect())
    }

    fn describe(&self) -> String {
        match &self.origin {
            Some(path) => KeyUri::File(path.clone()).to_string(),
            None => IN_MEMORY.to_owned(),
        }
    }
}

impl fmt::Debug for FileKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FileKey({}, {})", self.describe(), self.keyid)
    }
}

pub(crate) fn unusable(key: &str, flaw: KeyFlaw) -> KeyError {
    KeyError::Unusable {
        key: key.to_owned(),
        flaw,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A signature that does not verify never leaves: here another key's public half stands where
    /// the own one should.
    #[test]
    fn a_swapped_public_key_is_caught_at_signing() {
        let rng = SystemRandom::new();
        for key_type in [KeyType::Ed25519, KeyType::EcdsaP256] {
            let mut key = FileKey::generate(key_type, &rng).unwrap();
            let other = FileKey::generate(key_type, &rng).unwrap();
            key.check = SignatureCheck::new(other.public_key()).unwrap();
            let error = key.sign(b"message").unwrap_err();
            assert!(matches!(error, KeyError::BadSignature { .. }), "{error}");
        }
    }

    #[test]
    fn halves_that_do_not_match_are_refused() {
        let rng = SystemRandom::new();
        let PrivateKey::EcdsaP256 { scalar, .. } = PrivateKey::generate_p256(&rng).unwrap() else {
            panic!("asked for P-256");
        };
        let PrivateKey::EcdsaP256 { point, .. } = PrivateKey::generate_p256(&rng).unwrap() else {
            panic!("asked for P-256");
        };
        let mixed = PrivateKey::EcdsaP256 { scalar, point };
        assert_eq!(
            FileKey::from_private(mixed).err(),
            Some(KeyFlaw::PublicKeyMismatch)
        );
        let PrivateKey::Ed25519 { seed, .. } = PrivateKey::generate_ed25519(&rng).unwrap() else {
            panic!("asked for Ed25519");
        };
        let public = Some([1; 32]);
        let mixed = PrivateKey::Ed25519 { seed, public };
        assert_eq!(
            FileKey::from_private(mixed).err(),
            Some(KeyFlaw::PublicKeyMismatch)
        );
    }
}
