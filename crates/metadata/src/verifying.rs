//! Checks single signatures, with `ring` (TUF 4.2.2 schemes).

use ring::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P384_SHA384_ASN1, ED25519, RSA_PSS_2048_8192_SHA256,
    UnparsedPublicKey, VerificationAlgorithm,
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
                _ => return Err(wrong("this program does not know the type or scheme")),
            };
        let public = match kind {
            KeyKind::Ed25519 => hex::decode(key.public())
                .ok()
                .filter(|raw| raw.len() == 32)
                .ok_or_else(|| wrong("public is not 64 hex digits"))?,
            KeyKind::P256 => spki_key(key, &[EC, P256]).map_err(wrong)?,
            KeyKind::P384 => spki_key(key, &[EC, P384]).map_err(wrong)?,
            KeyKind::Rsa => spki_key(key, &[RSA]).map_err(wrong)?,
        };
        Ok(Self {
            algorithm,
            identity: KeyIdentity { kind, public },
        })
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
