//! Public keys as tokens show them, each module in its own wrapping.

use cryptoki::object::{KeyType, ObjectClass};
use cryptoki::session::Session;
use pkcs8::ObjectIdentifier;
use pkcs8::der::asn1::{AnyRef, UintRef};
use pkcs8::der::{Decode, Encode, Tag, Tagged};

use super::TokenError;
use super::object::{KeyObject, find};
use crate::KeyFlaw;
use crate::private::{ED25519, P256};
use crate::public::Numbers;

/// `curveName` of PKCS#11 3.0, 2.3.3, where others put the OID.
const EDWARDS25519: &[u8] = b"edwards25519";

/// A curve some TUF scheme is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Curve {
    P256,
    Ed25519,
}

/// Finds the public half of a private key: the private object may tell it, else the public object
/// of the same id (or label, where it has no id).
pub(super) fn public_key(session: &Session, private: &KeyObject) -> Result<Numbers, TokenError> {
    if let Some(numbers) = numbers(private).map_err(flaw_of(private))? {
        return Ok(numbers);
    }
    let (label, id) = match private.id.as_slice() {
        [] => (Some(private.label.as_str()), None),
        id => (None, Some(id)),
    };
    let mut candidates = find(session, ObjectClass::PUBLIC_KEY, label, id)?;
    candidates.retain(|public| public.key_type == private.key_type);
    match candidates.as_slice() {
        [] => Err(TokenError::NoPublicKey),
        [public] => numbers(public)
            .map_err(flaw_of(public))?
            .ok_or(TokenError::NoPublicKey),
        several => Err(TokenError::SeveralKeys {
            matching: several.iter().map(KeyObject::name).collect(),
        }),
    }
}

pub(super) fn flaw_of(key: &KeyObject) -> impl Fn(Flaw) -> TokenError + use<> {
    let found = key.type_name();
    move |flaw| match flaw {
        Flaw::Type => TokenError::KeyType {
            found: found.clone(),
        },
        Flaw::Key(flaw) => TokenError::Flaw(flaw),
    }
}

/// Why an object holds no usable public key.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Flaw {
    Type,
    Key(KeyFlaw),
}

impl From<KeyFlaw> for Flaw {
    fn from(flaw: KeyFlaw) -> Self {
        Self::Key(flaw)
    }
}

/// The public key in an object's attributes; `None` if they do not tell it.
pub(super) fn numbers(key: &KeyObject) -> Result<Option<Numbers>, Flaw> {
    match key.key_type {
        Some(KeyType::EC | KeyType::EC_EDWARDS) => {
            let Some(params) = key.ec_params.as_deref() else {
                return Ok(None);
            };
            let curve = curve(Some(params)).ok_or_else(|| foreign_curve(params))?;
            let point = key.ec_point.as_deref();
            Ok(point.map(|point| on_curve(curve, point)).transpose()?)
        }
        Some(KeyType::RSA) => match (&key.modulus, &key.exponent) {
            (Some(modulus), Some(exponent)) => Ok(Some(rsa(modulus, exponent)?)),
            _ => Ok(None),
        },
        _ => Err(Flaw::Type),
    }
}

/// Reads `CKA_EC_PARAMS`: an OID, or for Ed25519 also its name.
pub(super) fn curve(params: Option<&[u8]>) -> Option<Curve> {
    let any = AnyRef::from_der(params?).ok()?;
    match any.tag() {
        Tag::ObjectIdentifier => match any.decode_as().ok()? {
            P256 => Some(Curve::P256),
            ED25519 => Some(Curve::Ed25519),
            _ => None,
        },
        Tag::PrintableString if any.value() == EDWARDS25519 => Some(Curve::Ed25519),
        _ => None,
    }
}

fn foreign_curve(params: &[u8]) -> Flaw {
    match ObjectIdentifier::from_der(params) {
        Ok(oid) => Flaw::Key(KeyFlaw::Curve { oid }),
        Err(_) => Flaw::Type,
    }
}

/// Reads `CKA_EC_POINT`: the point in an OCTET STRING (PKCS#11 2.3.3), in a BIT STRING, or bare. The
/// lengths tell them apart.
fn on_curve(curve: Curve, point: &[u8]) -> Result<Numbers, KeyFlaw> {
    let length = match curve {
        Curve::P256 => 65,
        Curve::Ed25519 => 32,
    };
    let bare = match point {
        bare if bare.len() == length => bare,
        [0x04, size, bare @ ..] if bare.len() == length && usize::from(*size) == length => bare,
        [0x03, size, 0, bare @ ..] if bare.len() == length && usize::from(*size) == length + 1 => {
            bare
        }
        _ if curve == Curve::P256 && is_compressed(point) => return Err(KeyFlaw::PointForm),
        _ => return Err(KeyFlaw::PublicKey),
    };
    match curve {
        Curve::P256 => crate::private::uncompressed(bare).map(Numbers::EcdsaP256),
        Curve::Ed25519 => bare
            .try_into()
            .map(Numbers::Ed25519)
            .map_err(|_| KeyFlaw::PublicKey),
    }
}

fn is_compressed(point: &[u8]) -> bool {
    matches!(point, [2 | 3, rest @ ..] | [4, 33, 2 | 3, rest @ ..] | [3, 34, 0, 2 | 3, rest @ ..] if rest.len() == 32)
}

/// `RSAPublicKey` (RFC 8017) of the two numbers, which tokens show without sign.
fn rsa(modulus: &[u8], exponent: &[u8]) -> Result<Numbers, KeyFlaw> {
    let der = two_numbers(modulus, exponent).ok_or(KeyFlaw::PublicKey)?;
    crate::public::rsa_public_key(&der).map(Numbers::Rsa)
}

/// `ECDSA-Sig-Value` (RFC 3279 2.2.3) of the two halves a token gives (PKCS#11 2.3.1).
pub(super) fn ecdsa_der(raw: &[u8]) -> Option<Vec<u8>> {
    if raw.is_empty() || raw.len() > 64 || !raw.len().is_multiple_of(2) {
        return None;
    }
    let (r, s) = raw.split_at(raw.len() / 2);
    two_numbers(r, s)
}

/// A SEQUENCE of two INTEGERs.
fn two_numbers(first: &[u8], second: &[u8]) -> Option<Vec<u8>> {
    let numbers = [UintRef::new(first).ok()?, UintRef::new(second).ok()?];
    numbers.to_der().ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const P256_OID: &[u8] = &[6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7];
    const ED25519_OID: &[u8] = &[6, 3, 0x2b, 0x65, 0x70];

    #[test]
    fn curves_by_oid_and_by_name() {
        assert_eq!(curve(Some(P256_OID)), Some(Curve::P256));
        assert_eq!(curve(Some(ED25519_OID)), Some(Curve::Ed25519));
        let named = [&[0x13, 12][..], EDWARDS25519].concat();
        assert_eq!(curve(Some(&named)), Some(Curve::Ed25519));
        let p384 = [6, 5, 0x2b, 0x81, 4, 0, 0x22];
        assert_eq!(curve(Some(&p384)), None);
        let oid = ObjectIdentifier::new_unwrap("1.3.132.0.34");
        assert_eq!(foreign_curve(&p384), Flaw::Key(KeyFlaw::Curve { oid }));
        assert_eq!(foreign_curve(&[0x13, 1, b'x']), Flaw::Type);
        assert_eq!(curve(Some(&named[..13])), None);
    }

    #[test]
    fn points_in_three_wrappings() {
        for (curve, bare) in [
            (Curve::Ed25519, vec![4; 32]),
            (Curve::Ed25519, vec![3; 32]),
            (Curve::P256, vec![4; 65]),
        ] {
            let size = bare.len() as u8;
            for wrapped in [
                bare.clone(),
                [&[4, size][..], &bare].concat(),
                [&[3, size + 1, 0][..], &bare].concat(),
            ] {
                let found = match on_curve(curve, &wrapped).unwrap() {
                    Numbers::Ed25519(bytes) => bytes.to_vec(),
                    Numbers::EcdsaP256(bytes) => bytes.to_vec(),
                    Numbers::Rsa(_) => panic!("no RSA"),
                };
                assert_eq!(found, bare);
            }
        }
        for wrapped in [
            vec![2; 33],
            [&[4, 33][..], &[3; 33]].concat(),
            [&[3, 34, 0][..], &[2; 33]].concat(),
        ] {
            let flaw = on_curve(Curve::P256, &wrapped).err();
            assert_eq!(flaw, Some(KeyFlaw::PointForm));
        }
        for wrong in [
            vec![4; 34],
            vec![4; 31],
            [&[3, 33, 1][..], &[4; 32]].concat(),
        ] {
            let flaw = on_curve(Curve::Ed25519, &wrong).err();
            assert_eq!(flaw, Some(KeyFlaw::PublicKey));
        }
    }

    #[test]
    fn signatures_become_minimal_der() {
        let raw = [&[0, 0, 0x80, 1][..], &[0, 0, 0, 2]].concat();
        assert_eq!(
            ecdsa_der(&raw).unwrap(),
            [0x30, 8, 2, 3, 0, 0x80, 1, 2, 1, 2]
        );
        for wrong in [0, 1, 63, 66] {
            assert_eq!(ecdsa_der(&vec![1; wrong]), None);
        }
    }

    #[test]
    fn rsa_keys_are_checked() {
        let mut modulus = vec![0xff; 256];
        assert!(rsa(&modulus, &[1, 0, 1]).is_ok());
        assert!(rsa(&[&[0], modulus.as_slice()].concat(), &[0, 1, 0, 1]).is_ok());
        assert_eq!(rsa(&modulus, &[2]).err(), Some(KeyFlaw::PublicKey));
        modulus.truncate(128);
        let flaw = rsa(&modulus, &[1, 0, 1]).err();
        assert_eq!(flaw, Some(KeyFlaw::RsaSize { bits: 1024 }));
    }

    proptest! {
        #[test]
        fn never_panics(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
            let _ = curve(Some(&bytes));
            let _ = on_curve(Curve::P256, &bytes);
            let _ = on_curve(Curve::Ed25519, &bytes);
            let _ = ecdsa_der(&bytes);
            let _ = rsa(&bytes, &bytes);
        }
    }
}
