//! Checks single signatures, with `ring` (TUF 4.2.2 schemes).

use ring::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P384_SHA384_ASN1, ED25519, RSA_PKCS1_2048_8192_SHA256,
    RSA_PKCS1_2048_8192_SHA384, RSA_PKCS1_2048_8192_SHA512, RSA_PSS_2048_8192_SHA256,
    RSA_PSS_2048_8192_SHA384, RSA_PSS_2048_8192_SHA512, UnparsedPublicKey, VerificationAlgorithm,
};

use crate::{MetadataError, PublicKey};

/// A public key this program can verify with.
pub struct VerifyingKey {
    algorithm: &'static dyn VerificationAlgorithm,
    identity: KeyIdentity,
}

/// The key itself, apart from how it is written: two listings of one key have the same identity,
/// whatever their key ids (TAP 12, reference F33).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyIdentity {
    kind: KeyKind,
    /// Ed25519 point, EC point or PKCS#1 `RSAPublicKey`.
    public: Vec<u8>,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum KeyKind {
    Ed25519,
    P256,
    P384,
    Rsa,
}

impl VerifyingKey {
    /// Understands a listed key. A type or scheme this program does not know is an error here and
    /// simply never counts towards a threshold (TAP 9).
    pub fn new(key: &PublicKey) -> Result<Self, MetadataError> {
        let wrong = |why| MetadataError::Key {
            keytype: key.keytype().to_owned(),
            scheme: key.scheme().to_owned(),
            why,
        };
        let (algorithm, kind): (&'static dyn VerificationAlgorithm, _) =
            match (key.keytype(), key.scheme()) {
                ("ed25519", "ed25519") => (&ED25519, KeyKind::Ed25519),
                // The second keytype is what was written before TUF 1.0.32 (reference A-20).
                ("ecdsa" | "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp256") => {
                    (&ECDSA_P256_SHA256_ASN1, KeyKind::P256)
                }
                ("ecdsa" | "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp384") => {
                    (&ECDSA_P384_SHA384_ASN1, KeyKind::P384)
                }
                // `ring` refuses fewer than 2,048 bits (TUF 4.2.2).
                ("rsa", "rsassa-pss-sha256") => (&RSA_PSS_2048_8192_SHA256, KeyKind::Rsa),
                // What only other repositories use: see `is_foreign`.
                ("rsa", "rsassa-pss-sha384") => (&RSA_PSS_2048_8192_SHA384, KeyKind::Rsa),
                ("rsa", "rsassa-pss-sha512") => (&RSA_PSS_2048_8192_SHA512, KeyKind::Rsa),
                ("rsa", "rsa-pkcs1v15-sha256") => (&RSA_PKCS1_2048_8192_SHA256, KeyKind::Rsa),
                ("rsa", "rsa-pkcs1v15-sha384") => (&RSA_PKCS1_2048_8192_SHA384, KeyKind::Rsa),
                ("rsa", "rsa-pkcs1v15-sha512") => (&RSA_PKCS1_2048_8192_SHA512, KeyKind::Rsa),
                _ => return Err(wrong("this program does not know the type or scheme")),
            };
        let public = match kind {
            KeyKind::Ed25519 => hex::decode(key.public())
                .ok()
                .filter(|raw| raw.len() == 32)
                .ok_or_else(|| wrong("public is not 64 hex digits"))?,
            KeyKind::P256 => ec_key(key, 65, &[EC, P256]).map_err(wrong)?,
            KeyKind::P384 => ec_key(key, 97, &[EC, P384]).map_err(wrong)?,
            KeyKind::Rsa => spki_key(key, &[RSA]).map_err(wrong)?,
        };
        Ok(Self {
            algorithm,
            identity: KeyIdentity { kind, public },
        })
    }

    /// Whether a key is listed in a way that this program reads of other repositories, and does not
    /// take of its own: schemes beyond those of TUF 4.2.2, an EC point in hex.
    #[must_use]
    pub fn is_foreign(key: &PublicKey) -> bool {
        let known = [
            "ed25519",
            "ecdsa-sha2-nistp256",
            "ecdsa-sha2-nistp384",
            "rsassa-pss-sha256",
        ];
        let is_ec = key.scheme().starts_with("ecdsa-");
        let is_read = Self::new(key).is_ok();
        is_read && (!known.contains(&key.scheme()) || (is_ec && hex::decode(key.public()).is_ok()))
    }

    /// Which key this is.
    #[must_use]
    pub fn identity(&self) -> &KeyIdentity {
        &self.identity
    }

    /// Whether `signature` is this key's over `message`.
    #[must_use]
    pub fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        UnparsedPublicKey::new(self.algorithm, &self.identity.public)
            .verify(message, signature)
            .is_ok()
    }
}

const EC: &str = "1.2.840.10045.2.1";
const P256: &str = "1.2.840.10045.3.1.7";
const P384: &str = "1.3.132.0.34";
const RSA: &str = "1.2.840.113549.1.1.1";

/// An EC point of `length` bytes: its SPKI in PEM, or uncompressed in hex as early tools listed it.
fn ec_key(key: &PublicKey, length: usize, oids: &[&str]) -> Result<Vec<u8>, &'static str> {
    match hex::decode(key.public()) {
        Ok(point) if point.len() == length && point.first() == Some(&4) => Ok(point),
        Ok(_) => Err("public is no uncompressed point of its curve"),
        Err(_) => spki_key(key, oids),
    }
}

/// The key bits of an SPKI in PEM, whose algorithm (and curve) must be the one expected.
fn spki_key(key: &PublicKey, oids: &[&str]) -> Result<Vec<u8>, &'static str> {
    use spki::der::{Decode, asn1::ObjectIdentifier};

    let (_, der) = spki::der::pem::decode_vec(key.public().as_bytes())
        .map_err(|_| "public is not one PEM block")?;
    let info = spki::SubjectPublicKeyInfoRef::from_der(&der).map_err(|_| "PEM holds no SPKI")?;
    let mut found = vec![info.algorithm.oid];
    if oids.len() > 1 {
        let curve: Option<ObjectIdentifier> = info
            .algorithm
            .parameters
            .and_then(|any| any.decode_as().ok());
        found.extend(curve);
    }
    if found
        .iter()
        .map(ToString::to_string)
        .ne(oids.iter().copied())
    {
        return Err("SPKI holds a key of another algorithm");
    }
    let bits = info
        .subject_public_key
        .as_bytes()
        .ok_or("SPKI holds a bit string of odd length")?;
    Ok(bits.to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Value;

    /// A key, its signature, and whether our own repositories list keys so.
    type Listed = (PublicKey, Vec<u8>, bool);

    /// Keys and signatures that python's `cryptography` made, in every form that is read.
    fn foreign() -> (Vec<u8>, Vec<Listed>) {
        let file = include_str!("../tests/data/foreign_keys.json");
        let file: serde_json::Value = serde_json::from_str(file).unwrap();
        let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
        let keys = file["keys"].as_array().unwrap().iter().map(|it| {
            let listed = serde_json::json!({
                "keytype": it["keytype"],
                "scheme": it["scheme"],
                "keyval": {"public": it["public"]},
            });
            let value = Value::parse(listed.to_string().as_bytes()).unwrap();
            let signature = hex::decode(text(&it["sig"])).unwrap();
            let key = PublicKey::from_value(&value).unwrap();
            (key, signature, it["strict"].as_bool().unwrap())
        });
        (text(&file["message"]).into_bytes(), keys.collect())
    }

    #[test]
    fn every_form_in_the_wild_verifies_and_is_told_from_ours() {
        let (message, keys) = foreign();
        assert_eq!(keys.len(), 10);
        for (key, signature, is_ours) in &keys {
            let context = format!("{} {}", key.keytype(), key.scheme());
            let verifying = VerifyingKey::new(key).unwrap();
            assert!(verifying.verifies(&message, signature), "{context}");
            assert!(!verifying.verifies(b"{}", signature), "{context}");
            assert_eq!(VerifyingKey::is_foreign(key), !is_ours, "{context}");
        }
    }

    /// A scheme is no second key: PKCS#1 and PSS of one RSA key, hex and PEM of one point count once.
    #[test]
    fn one_key_in_two_forms_is_one_key() {
        let (message, keys) = foreign();
        let identities: std::collections::BTreeSet<_> = keys
            .iter()
            .map(|(key, ..)| VerifyingKey::new(key).unwrap().identity().clone())
            .collect();
        assert_eq!(identities.len(), 3, "P-256, P-384, RSA");
        // And a signature of one scheme is none of another.
        let rsa = keys.iter().filter(|(key, ..)| key.keytype() == "rsa");
        let rsa: Vec<_> = rsa.collect();
        for (at, (key, ..)) in rsa.iter().enumerate() {
            for (other, (_, signature, _)) in rsa.iter().enumerate() {
                let verifies = VerifyingKey::new(key)
                    .unwrap()
                    .verifies(&message, signature);
                assert_eq!(verifies, at == other, "{}", key.scheme());
            }
        }
    }
}
