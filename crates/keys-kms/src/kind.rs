//! The kinds of keys that sign metadata, and what each is sent.

use aws_sdk_kms::operation::get_public_key::GetPublicKeyOutput;
use aws_sdk_kms::types::{KeySpec, KeyUsageType, MessageType, SigningAlgorithmSpec};
use ring::digest::{SHA256, digest};

use crate::KmsError;
use crate::classify::printable;
use crate::limits::MAX_RAW_MESSAGE;

/// How a key signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The SHA-256 digest is sent.
    EcdsaP256,
    /// The SHA-256 digest is sent; signatures have as many bytes as the modulus.
    RsaPss { modulus: usize },
    /// The document is sent.
    Ed25519,
}

/// What is sent for one document.
pub(crate) struct Request {
    pub(crate) message: Vec<u8>,
    pub(crate) message_type: MessageType,
    pub(crate) algorithm: SigningAlgorithmSpec,
}

impl Kind {
    /// Refuses keys that are for other work or of a kind that signs no metadata.
    pub(crate) fn of(answer: &GetPublicKeyOutput) -> Result<Self, KmsError> {
        match &answer.key_usage {
            Some(KeyUsageType::SignVerify) => {}
            usage => {
                let usage = usage.as_ref().map_or("no usage", KeyUsageType::as_str);
                return Err(KmsError::Usage {
                    usage: printable(usage),
                });
            }
        }
        match &answer.key_spec {
            Some(KeySpec::EccNistP256) => Ok(Self::EcdsaP256),
            Some(KeySpec::EccNistEdwards25519) => Ok(Self::Ed25519),
            Some(KeySpec::Rsa2048) => Ok(Self::RsaPss { modulus: 256 }),
            Some(KeySpec::Rsa3072) => Ok(Self::RsaPss { modulus: 384 }),
            Some(KeySpec::Rsa4096) => Ok(Self::RsaPss { modulus: 512 }),
            spec => Err(KmsError::Spec {
                spec: printable(spec.as_ref().map_or("unknown", KeySpec::as_str)),
            }),
        }
    }

    /// Prepares what is sent for a document.
    pub(crate) fn request(self, message: &[u8]) -> Result<Request, KmsError> {
        let of_digest = |algorithm| Request {
            message: digest(&SHA256, message).as_ref().to_vec(),
            message_type: MessageType::Digest,
            algorithm,
        };
        match self {
            Self::EcdsaP256 => Ok(of_digest(SigningAlgorithmSpec::EcdsaSha256)),
            Self::RsaPss { .. } => Ok(of_digest(SigningAlgorithmSpec::RsassaPssSha256)),
            Self::Ed25519 if message.len() > MAX_RAW_MESSAGE => Err(KmsError::TooLong {
                size: message.len(),
                limit: MAX_RAW_MESSAGE,
            }),
            Self::Ed25519 => Ok(Request {
                message: message.to_vec(),
                message_type: MessageType::Raw,
                algorithm: SigningAlgorithmSpec::Ed25519Sha512,
            }),
        }
    }

    /// The scheme that metadata lists for such a key.
    pub(crate) fn scheme(self) -> &'static str {
        match self {
            Self::EcdsaP256 => "ecdsa-sha2-nistp256",
            Self::RsaPss { .. } => "rsassa-pss-sha256",
            Self::Ed25519 => "ed25519",
        }
    }

    /// An RSA signature is a number; some implementations leave out the zeros it begins with, and
    /// verifiers want as many bytes as the modulus has (RFC 8017 8.1.2).
    pub(crate) fn padded(self, signature: Vec<u8>) -> Vec<u8> {
        match self {
            Self::RsaPss { modulus } if signature.len() < modulus => {
                let zeros = vec![0; modulus - signature.len()];
                [zeros, signature].concat()
            }
            _ => signature,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pads_rsa_signatures_only() {
        let rsa = Kind::RsaPss { modulus: 4 };
        assert_eq!(rsa.padded(vec![7, 8]), [0, 0, 7, 8]);
        assert_eq!(rsa.padded(vec![1, 2, 3, 4]), [1, 2, 3, 4]);
        assert_eq!(rsa.padded(vec![1; 5]), [1; 5]);
        assert_eq!(Kind::EcdsaP256.padded(vec![7, 8]), [7, 8]);
    }
}
