//! Which mechanism signs with which type of key, and what its bytes become.

use cryptoki::mechanism::eddsa::{EddsaParams, EddsaSignatureScheme};
use cryptoki::mechanism::rsa::{PkcsMgfType, PkcsPssParams};
use cryptoki::mechanism::{Mechanism, MechanismType};
use ring::digest::{SHA256, digest};

use super::TokenError;
use super::public::ecdsa_der;
use crate::public::Numbers;

/// How a token signs what TUF wants signed (TUF 4.2.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Signing {
    /// `CKM_ECDSA` over our own SHA-256: every token with P-256 has it, `CKM_ECDSA_SHA256` few.
    EcdsaP256,
    /// `CKM_EDDSA` without parameters: Ed25519 of RFC 8032.
    Ed25519,
    /// `CKM_SHA256_RSA_PKCS_PSS`.
    RsaPss,
    /// `CKM_RSA_PKCS_PSS` over our own SHA-256.
    RsaPssOfDigest,
}

impl Signing {
    /// Chooses among the mechanisms that the token offers.
    pub(super) fn choose(key: &Numbers, offered: &[MechanismType]) -> Result<Self, TokenError> {
        let choices: &[(MechanismType, Self)] = match key {
            Numbers::EcdsaP256(_) => &[(MechanismType::ECDSA, Self::EcdsaP256)],
            Numbers::Ed25519(_) => &[(MechanismType::EDDSA, Self::Ed25519)],
            Numbers::Rsa(_) => &[
                (MechanismType::SHA256_RSA_PKCS_PSS, Self::RsaPss),
                (MechanismType::RSA_PKCS_PSS, Self::RsaPssOfDigest),
            ],
        };
        let mut choices = choices.iter();
        let found = choices.find(|(mechanism, _)| offered.contains(mechanism));
        found
            .map(|(_, signing)| *signing)
            .ok_or(TokenError::Mechanism {
                needed: match key {
                    Numbers::EcdsaP256(_) => "CKM_ECDSA",
                    Numbers::Ed25519(_) => "CKM_EDDSA",
                    Numbers::Rsa(_) => "CKM_SHA256_RSA_PKCS_PSS or CKM_RSA_PKCS_PSS",
                },
            })
    }

    pub(super) fn mechanism(self) -> Mechanism<'static> {
        // TUF's `rsassa-pss-sha256`: MGF1 with SHA-256, salt as long as the digest.
        let pss = PkcsPssParams {
            hash_alg: MechanismType::SHA256,
            mgf: PkcsMgfType::MGF1_SHA256,
            s_len: 32.into(),
        };
        match self {
            Self::EcdsaP256 => Mechanism::Ecdsa,
            // The variants with parameters point to freed memory in cryptoki 0.12.
            Self::Ed25519 => Mechanism::Eddsa(EddsaParams::new(EddsaSignatureScheme::Ed25519)),
            Self::RsaPss => Mechanism::Sha256RsaPkcsPss(pss),
            Self::RsaPssOfDigest => Mechanism::RsaPkcsPss(pss),
        }
    }

    /// What the token gets to sign.
    pub(super) fn input(self, message: &[u8]) -> Vec<u8> {
        match self {
            Self::EcdsaP256 | Self::RsaPssOfDigest => digest(&SHA256, message).as_ref().to_vec(),
            Self::Ed25519 | Self::RsaPss => message.to_vec(),
        }
    }

    /// The signature as metadata carries it; `None` if the token's bytes are none.
    pub(super) fn output(self, raw: Vec<u8>) -> Option<Vec<u8>> {
        match self {
            Self::EcdsaP256 => ecdsa_der(&raw),
            Self::Ed25519 | Self::RsaPss | Self::RsaPssOfDigest => Some(raw),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_the_better_mechanism_on_offer() {
        let rsa = Numbers::Rsa(Vec::new());
        let both = [
            MechanismType::RSA_PKCS_PSS,
            MechanismType::SHA256_RSA_PKCS_PSS,
        ];
        assert_eq!(Signing::choose(&rsa, &both).unwrap(), Signing::RsaPss);
        let one = Signing::choose(&rsa, &both[..1]).unwrap();
        assert_eq!(one, Signing::RsaPssOfDigest);
        let point = Numbers::EcdsaP256([4; 65]);
        let error = Signing::choose(&point, &[MechanismType::ECDSA_SHA256]).unwrap_err();
        let needed = "CKM_ECDSA";
        assert!(matches!(error, TokenError::Mechanism { needed: found } if found == needed));
    }
}
