//! Private keys as numbers: out of PKCS#8 as others write it, into the one form written here.

use pkcs8::der::asn1::{BitStringRef, ContextSpecific, ObjectIdentifier, OctetStringRef};
use pkcs8::der::{Decode, Encode, Reader, SliceReader, TagMode, TagNumber};
use pkcs8::{AlgorithmIdentifierRef, PrivateKeyInfoRef};
use ring::rand::SecureRandom;
use ring::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair};
use zeroize::Zeroizing;

use crate::secret::Secret;
use crate::{KeyError, KeyFlaw};

/// `id-Ed25519` (RFC 8410).
pub(crate) const ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");
/// `id-ecPublicKey` (RFC 5480).
pub(crate) const EC: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
/// `secp256r1` (RFC 5480), NIST P-256.
pub(crate) const P256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");

/// A P-256 `ECPrivateKey` (RFC 5915) up to the 32 bytes of the private key …
const EC_KEY_HEAD: [u8; 7] = [0x30, 0x6b, 0x02, 0x01, 0x01, 0x04, 0x20];
/// … and from there to the 65 bytes of the public point; no parameters, they stand outside.
const EC_KEY_MIDDLE: [u8; 5] = [0xa1, 0x44, 0x03, 0x42, 0x00];

/// A private key taken out of its encoding. Wiped when dropped.
pub(crate) enum PrivateKey {
    /// The seed of RFC 8032, and the public key if it stood beside it.
    Ed25519 {
        seed: Secret,
        public: Option<[u8; 32]>,
    },
    /// The scalar, and the public key as an uncompressed point.
    EcdsaP256 { scalar: Secret, point: [u8; 65] },
}

impl PrivateKey {
    /// Makes an Ed25519 key from 32 random bytes (RFC 8032 5.1.5).
    pub(crate) fn generate_ed25519(rng: &dyn SecureRandom) -> Result<Self, KeyError> {
        let mut seed = Zeroizing::new([0; 32]);
        rng.fill(&mut *seed).map_err(|_| KeyError::Randomness)?;
        Ok(Self::Ed25519 {
            seed: Secret::copy_of(&*seed),
            public: None,
        })
    }

    /// Makes a P-256 key. `ring` alone can compute the public point, and hands both out as PKCS#8.
    pub(crate) fn generate_p256(rng: &dyn SecureRandom) -> Result<Self, KeyError> {
        let document = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, rng)
            .map_err(|_| KeyError::Randomness)?;
        Self::from_pkcs8(document.as_ref()).map_err(|flaw| KeyError::Unusable {
            key: "generated key".to_owned(),
            flaw,
        })
    }

    /// Reads PKCS#8 v1 or v2 (RFC 5958).
    pub(crate) fn from_pkcs8(der: &[u8]) -> Result<Self, KeyFlaw> {
        let info = PrivateKeyInfoRef::try_from(der).map_err(|_| KeyFlaw::Der)?;
        let outer_public = match &info.public_key {
            None => None,
            Some(bits) => Some(bits.as_bytes().ok_or(KeyFlaw::PublicKey)?),
        };
        match info.algorithm.oid {
            ED25519 => Self::ed25519(info.private_key.as_bytes(), outer_public),
            EC => {
                let curve = info.algorithm.parameters_oid().map_err(|_| KeyFlaw::Der)?;
                if curve != P256 {
                    return Err(KeyFlaw::Curve { oid: curve });
                }
                Self::p256(info.private_key.as_bytes(), outer_public)
            }
            oid => Err(KeyFlaw::Algorithm { oid }),
        }
    }

    fn ed25519(key: &[u8], public: Option<&[u8]>) -> Result<Self, KeyFlaw> {
        let seed = <&OctetStringRef>::from_der(key).map_err(|_| KeyFlaw::Der)?;
        let public = public
            .map(|bytes| bytes.try_into().map_err(|_| KeyFlaw::PublicKey))
            .transpose()?;
        Ok(Self::Ed25519 {
            seed: secret_number(seed.as_bytes())?,
            public,
        })
    }

    fn p256(key: &[u8], outer_public: Option<&[u8]>) -> Result<Self, KeyFlaw> {
        let (scalar, curve, public) = ec_private_key(key).map_err(|_| KeyFlaw::Der)?;
        if let Some(oid) = curve.filter(|curve| *curve != P256) {
            return Err(KeyFlaw::Curve { oid });
        }
        let public = match public {
            None => outer_public.ok_or(KeyFlaw::PublicKeyMissing)?,
            Some(bits) => bits.as_bytes().ok_or(KeyFlaw::PublicKey)?,
        };
        Ok(Self::EcdsaP256 {
            scalar: secret_number(scalar)?,
            point: uncompressed(public)?,
        })
    }

    /// Writes PKCS#8 v1 (RFC 5208), the form every other tool reads: 48 bytes for Ed25519.
    pub(crate) fn to_pkcs8(&self) -> Result<Zeroizing<Vec<u8>>, KeyFlaw> {
        let mut inner = Zeroizing::new(Vec::with_capacity(128));
        let algorithm = match self {
            Self::Ed25519 { seed, .. } => {
                inner.extend_from_slice(&[0x04, 0x20]);
                inner.extend_from_slice(&seed[..]);
                AlgorithmIdentifierRef {
                    oid: ED25519,
                    parameters: None,
                }
            }
            Self::EcdsaP256 { scalar, point } => {
                inner.extend_from_slice(&EC_KEY_HEAD);
                inner.extend_from_slice(&scalar[..]);
                inner.extend_from_slice(&EC_KEY_MIDDLE);
                inner.extend_from_slice(point);
                AlgorithmIdentifierRef {
                    oid: EC,
                    parameters: Some((&P256).into()),
                }
            }
        };
        let inner = OctetStringRef::new(&inner).map_err(|_| KeyFlaw::Der)?;
        let info = PrivateKeyInfoRef::new(algorithm, inner);
        info.to_der().map(Zeroizing::new).map_err(|_| KeyFlaw::Der)
    }
}

/// The members of an `ECPrivateKey` (RFC 5915 3): private key, curve, public key.
type EcPrivateKey<'a> = (&'a [u8], Option<ObjectIdentifier>, Option<BitStringRef<'a>>);

fn ec_private_key(der: &[u8]) -> pkcs8::der::Result<EcPrivateKey<'_>> {
    let mut outer = SliceReader::new(der)?;
    let members = outer.sequence(|reader| {
        u8::decode(reader)?;
        let scalar = <&OctetStringRef>::decode(reader)?;
        let curve = ContextSpecific::decode_explicit(reader, TagNumber(0))?;
        let public = reader.context_specific(TagNumber(1), TagMode::Explicit)?;
        Ok::<_, pkcs8::der::Error>((scalar.as_bytes(), curve.map(|field| field.value), public))
    })?;
    outer.finish()?;
    Ok(members)
}

/// Takes a seed or scalar of 32 bytes.
fn secret_number(bytes: &[u8]) -> Result<Secret, KeyFlaw> {
    if bytes.len() != 32 {
        return Err(KeyFlaw::PrivateKey);
    }
    Ok(Secret::copy_of(bytes))
}

/// Takes a scalar as SSH writes numbers (RFC 4251 5, `mpint`): without leading zeros, but with one
/// where the first bit would be taken for a sign.
pub(crate) fn scalar_of_mpint(bytes: &[u8]) -> Result<Secret, KeyFlaw> {
    let digits = bytes.strip_prefix(&[0]).unwrap_or(bytes);
    let mut whole = Zeroizing::new([0; 32]);
    let start = 32usize
        .checked_sub(digits.len())
        .ok_or(KeyFlaw::PrivateKey)?;
    whole[start..].copy_from_slice(digits);
    Ok(Secret::copy_of(&*whole))
}

/// Takes an uncompressed P-256 point (SEC 1 2.3.3).
pub(crate) fn uncompressed(bytes: &[u8]) -> Result<[u8; 65], KeyFlaw> {
    let flaw = match bytes.first() {
        Some(2 | 3 | 6 | 7) => KeyFlaw::PointForm,
        _ => KeyFlaw::PublicKey,
    };
    bytes
        .try_into()
        .ok()
        .filter(|point: &[u8; 65]| point[0] == 4)
        .ok_or(flaw)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use ring::rand::SystemRandom;
    use ring::signature::Ed25519KeyPair;

    use super::*;

    #[test]
    fn ed25519_v2_becomes_v1_of_48_bytes() {
        let v2 = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
        assert_eq!(v2.as_ref().len(), 83);
        let v1 = PrivateKey::from_pkcs8(v2.as_ref())
            .unwrap()
            .to_pkcs8()
            .unwrap();
        assert_eq!(v1.len(), 48);
        Ed25519KeyPair::from_pkcs8_maybe_unchecked(&v1).unwrap();
        assert_eq!(PrivateKey::from_pkcs8(&v1).unwrap().to_pkcs8().unwrap(), v1);
    }

    #[test]
    fn p256_written_as_ring_writes_it() {
        let rng = SystemRandom::new();
        let theirs = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &rng).unwrap();
        let key = PrivateKey::from_pkcs8(theirs.as_ref()).unwrap();
        assert_eq!(*key.to_pkcs8().unwrap(), theirs.as_ref());
    }

    #[test]
    fn names_what_is_missing_or_foreign() {
        let ec = |inner: &[u8], curve: ObjectIdentifier| {
            let info = PrivateKeyInfoRef::new(
                AlgorithmIdentifierRef {
                    oid: EC,
                    parameters: Some((&curve).into()),
                },
                OctetStringRef::new(inner).unwrap(),
            );
            PrivateKey::from_pkcs8(&info.to_der().unwrap()).err()
        };
        let mut bare = vec![0x30, 0x25, 0x02, 0x01, 0x01, 0x04, 0x20];
        bare.extend([7; 32]);
        assert_eq!(ec(&bare, P256), Some(KeyFlaw::PublicKeyMissing));
        let p384 = ObjectIdentifier::new_unwrap("1.3.132.0.34");
        assert_eq!(ec(&bare, p384), Some(KeyFlaw::Curve { oid: p384 }));
        bare.push(0);
        assert_eq!(ec(&bare, P256), Some(KeyFlaw::Der));
        assert_eq!(uncompressed(&[2; 33]), Err(KeyFlaw::PointForm));
        assert_eq!(uncompressed(&[5; 65]), Err(KeyFlaw::PublicKey));
    }

    proptest! {
        #[test]
        fn never_panics(at in 0usize..138, to: u8, cut in 0usize..138) {
            let key = PrivateKey::generate_p256(&SystemRandom::new()).unwrap();
            let mut der = key.to_pkcs8().unwrap().to_vec();
            der[at] = to;
            let _ = PrivateKey::from_pkcs8(&der);
            let _ = PrivateKey::from_pkcs8(&der[..cut]);
        }
    }
}
