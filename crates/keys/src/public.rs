//! Public keys: between SPKI files and the form metadata lists.

use metadata::PublicKey;
use pkcs8::der::asn1::{AnyRef, BitStringRef, Null, ObjectIdentifier, UintRef};
use pkcs8::der::{EncodePem, Reader, SliceReader};
use pkcs8::{AlgorithmIdentifierRef, LineEnding, SubjectPublicKeyInfoRef};
use ring::agreement::{ECDH_P256, EphemeralPrivateKey, UnparsedPublicKey, agree_ephemeral};

use crate::KeyFlaw;
use crate::pem;
use crate::private::{EC, ED25519, P256, uncompressed};

/// `rsaEncryption` (RFC 8017).
const RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
/// TUF 4.2.2 demands 2048 bits; `ring` verifies up to 8192.
const RSA_BITS: std::ops::RangeInclusive<usize> = 2048..=8192;

/// Reads a public key from an SPKI PEM file (`BEGIN PUBLIC KEY`) of an Ed25519, P-256 or RSA key.
/// However the file is wrapped, the key is brought into the one form whose key id is right: SPKI,
/// LF, 64 columns, one final newline (TUF 4.2.2, reference F34); Ed25519 becomes hex.
pub fn public_key_from_pem(text: &str) -> Result<PublicKey, KeyFlaw> {
    Numbers::from_pem(text)?.to_listed()
}

/// Writes the public key as an SPKI PEM file, to be handed to a ceremony.
pub fn public_key_to_pem(key: &PublicKey) -> Result<String, KeyFlaw> {
    Numbers::from_listed(key)?.to_pem()
}

/// A public key taken out of its encoding.
pub(crate) enum Numbers {
    /// RFC 8032.
    Ed25519([u8; 32]),
    /// An uncompressed point on P-256.
    EcdsaP256([u8; 65]),
    /// `RSAPublicKey` in DER (RFC 8017).
    Rsa(Vec<u8>),
}

impl Numbers {
    fn from_pem(text: &str) -> Result<Self, KeyFlaw> {
        let (label, der) = pem::decode(text)?;
        if label != Some(pem::PUBLIC_KEY) {
            return Err(KeyFlaw::Label {
                found: label,
                expected: pem::PUBLIC_KEY,
            });
        }
        let spki = SubjectPublicKeyInfoRef::try_from(der.as_slice()).map_err(|_| KeyFlaw::Der)?;
        let bits = spki.subject_public_key.as_bytes().ok_or(KeyFlaw::Der)?;
        match spki.algorithm.oid {
            ED25519 => bits
                .try_into()
                .map(Self::Ed25519)
                .map_err(|_| KeyFlaw::PublicKey),
            EC => {
                let curve = spki.algorithm.parameters_oid().map_err(|_| KeyFlaw::Der)?;
                if curve != P256 {
                    return Err(KeyFlaw::Curve { oid: curve });
                }
                let point = uncompressed(bits)?;
                if !is_on_p256(&point) {
                    return Err(KeyFlaw::PublicKey);
                }
                Ok(Self::EcdsaP256(point))
            }
            RSA => rsa_public_key(bits).map(Self::Rsa),
            oid => Err(KeyFlaw::Algorithm { oid }),
        }
    }

    pub(crate) fn from_listed(key: &PublicKey) -> Result<Self, KeyFlaw> {
        match (key.keytype(), key.scheme()) {
            ("ed25519", "ed25519") => {
                let mut bytes = [0; 32];
                hex::decode_to_slice(key.public(), &mut bytes).map_err(|_| KeyFlaw::PublicKey)?;
                Ok(Self::Ed25519(bytes))
            }
            ("ecdsa" | "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp256")
            | ("rsa", "rsassa-pss-sha256") => {
                let numbers = Self::from_pem(key.public())?;
                match (&numbers, key.scheme()) {
                    (Self::EcdsaP256(_), "ecdsa-sha2-nistp256")
                    | (Self::Rsa(_), "rsassa-pss-sha256") => Ok(numbers),
                    _ => Err(scheme_flaw(key)),
                }
            }
            _ => Err(scheme_flaw(key)),
        }
    }

    pub(crate) fn to_listed(&self) -> Result<PublicKey, KeyFlaw> {
        Ok(match self {
            Self::Ed25519(bytes) => PublicKey::ed25519(bytes),
            Self::EcdsaP256(_) => PublicKey::ecdsa_p256(self.to_pem()?),
            Self::Rsa(_) => PublicKey::rsa_pss(self.to_pem()?),
        })
    }

    fn to_pem(&self) -> Result<String, KeyFlaw> {
        let (oid, parameters, bits) = match self {
            Self::Ed25519(bytes) => (ED25519, None, bytes.as_slice()),
            Self::EcdsaP256(point) => (EC, Some(AnyRef::from(&P256)), point.as_slice()),
            Self::Rsa(der) => (RSA, Some(AnyRef::from(Null)), der.as_slice()),
        };
        SubjectPublicKeyInfoRef {
            algorithm: AlgorithmIdentifierRef { oid, parameters },
            subject_public_key: BitStringRef::from_bytes(bits).map_err(|_| KeyFlaw::Der)?,
        }
        .to_pem(LineEnding::LF)
        .map_err(|_| KeyFlaw::Der)
    }
}

fn scheme_flaw(key: &PublicKey) -> KeyFlaw {
    KeyFlaw::Scheme {
        keytype: key.keytype().chars().take(64).collect(),
        scheme: key.scheme().chars().take(64).collect(),
    }
}

/// Whether the point satisfies the curve equation. `ring` tells so only when agreeing on a key.
fn is_on_p256(point: &[u8; 65]) -> bool {
    EphemeralPrivateKey::generate(&ECDH_P256, &ring::rand::SystemRandom::new())
        .and_then(|own| agree_ephemeral(own, &UnparsedPublicKey::new(&ECDH_P256, point), |_| ()))
        .is_ok()
}

/// Checks an `RSAPublicKey` for size and exponent and returns it as it was.
pub(crate) fn rsa_public_key(der: &[u8]) -> Result<Vec<u8>, KeyFlaw> {
    let parse = |der| -> pkcs8::der::Result<(UintRef<'_>, UintRef<'_>)> {
        let mut outer = SliceReader::new(der)?;
        let numbers = outer
            .sequence(|reader| Ok::<_, pkcs8::der::Error>((reader.decode()?, reader.decode()?)))?;
        outer.finish()?;
        Ok(numbers)
    };
    let (modulus, exponent) = parse(der).map_err(|_| KeyFlaw::Der)?;
    let modulus = modulus.as_bytes();
    let leading = modulus.first().map_or(0, |byte| byte.leading_zeros()) as usize;
    let bits = 8 * modulus.len() - leading;
    if !RSA_BITS.contains(&bits) {
        return Err(KeyFlaw::RsaSize { bits });
    }
    // Odd, at least 3, and within the 33 bits `ring` takes.
    let exponent = exponent.as_bytes();
    let value = exponent
        .iter()
        .take(6)
        .fold(0u64, |sum, byte| sum << 8 | u64::from(*byte));
    let odd = |bytes: &[u8]| bytes.last().is_some_and(|byte| byte & 1 == 1);
    let usable = exponent.len() <= 5 && (3..1 << 33).contains(&value);
    if !usable || !odd(exponent) || !odd(modulus) {
        return Err(KeyFlaw::PublicKey);
    }
    Ok(der.to_vec())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const RSA_2048: &str = include_str!("../testdata/openssl-rsa2048.pub.pem");
    const RSA_1024: &str = include_str!("../testdata/openssl-rsa1024.pub.pem");
    const POINT: &str = include_str!("../testdata/openssl-p256.pub.pem");
    const ED: &str = include_str!("../testdata/openssl-ed25519.pub.pem");

    #[test]
    fn every_wrapping_of_a_key_is_one_key() {
        for tidy in [RSA_2048, POINT, ED] {
            let key = public_key_from_pem(tidy).unwrap();
            assert_eq!(public_key_to_pem(&key).unwrap(), tidy);
            let joined = tidy.replace('\n', "").replace("KEY-----", "KEY-----\n");
            let joined = joined.replace("-----END", "\n-----END");
            for untidy in [
                tidy.replace('\n', "\r\n"),
                tidy.trim_end().to_owned(),
                format!("from: a holder\n{tidy}\n\n"),
                joined,
            ] {
                assert_eq!(
                    public_key_from_pem(&untidy).unwrap().id(),
                    key.id(),
                    "{untidy}"
                );
            }
        }
    }

    #[test]
    fn listed_forms() {
        let ed = public_key_from_pem(ED).unwrap();
        assert_eq!(
            (ed.keytype(), ed.scheme(), ed.public().len()),
            ("ed25519", "ed25519", 64)
        );
        let ec = public_key_from_pem(POINT).unwrap();
        assert_eq!(
            (ec.keytype(), ec.scheme(), ec.public()),
            ("ecdsa", "ecdsa-sha2-nistp256", POINT)
        );
        let rsa = public_key_from_pem(RSA_2048).unwrap();
        assert_eq!(
            (rsa.keytype(), rsa.scheme(), rsa.public()),
            ("rsa", "rsassa-pss-sha256", RSA_2048)
        );
    }

    #[test]
    fn refuses_weak_and_foreign_keys() {
        assert_eq!(
            public_key_from_pem(RSA_1024),
            Err(KeyFlaw::RsaSize { bits: 1024 })
        );
        let label = Err(KeyFlaw::Label {
            found: Some("CERTIFICATE"),
            expected: "PUBLIC KEY",
        });
        assert_eq!(
            public_key_from_pem(&ED.replace("PUBLIC KEY", "CERTIFICATE")),
            label
        );
        let mut off_curve = [4; 65];
        off_curve[64] = 1;
        let pem = Numbers::EcdsaP256(off_curve).to_pem().unwrap();
        assert_eq!(public_key_from_pem(&pem), Err(KeyFlaw::PublicKey));
        // An X25519 key: 1.3.101.110 where Ed25519 has …112.
        let x25519 = ED.replacen("MCowBQYDK2Vw", "MCowBQYDK2Vu", 1);
        let oid = ObjectIdentifier::new_unwrap("1.3.101.110");
        assert_eq!(
            public_key_from_pem(&x25519),
            Err(KeyFlaw::Algorithm { oid })
        );
    }

    #[test]
    fn refuses_rsa_numbers_no_key_has() {
        let encode = |modulus: &[u8], exponent: &[u8]| {
            let body = [
                [&[0x02, 0x82, 1, modulus.len() as u8][..], modulus].concat(),
                [&[0x02, exponent.len() as u8][..], exponent].concat(),
            ]
            .concat();
            let length = u16::try_from(body.len()).unwrap().to_be_bytes();
            [&[0x30, 0x82][..], &length, &body].concat()
        };
        let mut modulus = [0xff; 257];
        modulus[0] = 0;
        assert!(rsa_public_key(&encode(&modulus, &[1, 0, 1])).is_ok());
        assert!(rsa_public_key(&encode(&modulus, &[3])).is_ok());
        for exponent in [&[1][..], &[4], &[2, 0, 0, 0, 1], &[1, 0, 0, 0, 0, 1]] {
            assert_eq!(
                rsa_public_key(&encode(&modulus, exponent)),
                Err(KeyFlaw::PublicKey)
            );
        }
        modulus[256] = 0xfe;
        assert_eq!(
            rsa_public_key(&encode(&modulus, &[3])),
            Err(KeyFlaw::PublicKey)
        );
        let mut trailing = encode(&modulus, &[3]);
        trailing.push(0);
        assert_eq!(rsa_public_key(&trailing), Err(KeyFlaw::Der));
    }

    proptest! {
        #[test]
        fn rsa_numbers_never_panic(der in prop::collection::vec(any::<u8>(), 0..64)) {
            let _ = rsa_public_key(&der);
        }

        #[test]
        fn never_panics(at in 27usize..400, to in "[A-Za-z0-9+/=\n]") {
            for tidy in [RSA_2048, POINT, ED] {
                let mut text = tidy.to_owned();
                let at = at % (text.len() - 1);
                text.replace_range(at..=at, &to);
                if let Ok(key) = public_key_from_pem(&text) {
                    prop_assert_eq!(public_key_from_pem(&public_key_to_pem(&key).unwrap()), Ok(key));
                }
            }
        }
    }
}
