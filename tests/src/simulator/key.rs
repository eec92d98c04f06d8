//! Signing keys of the simulator, the same in every run: made from a name, not from chance.

use std::fmt;
use std::sync::Arc;

use metadata::{KeyId, PublicKey, Sha256, Signature};
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P384_SHA384_ASN1_SIGNING, EcdsaKeyPair, Ed25519KeyPair,
    KeyPair, RSA_PKCS1_SHA256, RSA_PKCS1_SHA384, RSA_PKCS1_SHA512, RSA_PSS_SHA256, RSA_PSS_SHA384,
    RSA_PSS_SHA512, RsaEncoding, RsaKeyPair,
};
use serde_json::json;

/// A key pair, and the key id under which it is listed and signs.
#[derive(Clone)]
pub struct Key {
    id: KeyId,
    public: PublicKey,
    pair: Arc<Pair>,
}

enum Pair {
    Ed25519(Ed25519KeyPair),
    /// P-256 or P-384.
    Ecdsa(EcdsaKeyPair),
    Rsa(RsaKeyPair, &'static dyn RsaEncoding),
}

impl Key {
    /// The Ed25519 key of that name: its seed is the name's digest.
    #[must_use]
    pub fn ed25519(name: &str) -> Self {
        let seed = Sha256::of(name.as_bytes());
        let pair = Ed25519KeyPair::from_seed_unchecked(seed.as_bytes()).unwrap();
        let public: [u8; 32] = pair.public_key().as_ref().try_into().unwrap();
        Self::new(PublicKey::ed25519(&public), Pair::Ed25519(pair))
    }

    /// A P-256 key, numbered 1 to 8. Its signatures differ from run to run: `ring` draws their
    /// nonces.
    ///
    /// # Panics
    ///
    /// If there is no key of that number.
    #[must_use]
    pub fn p256(number: u8) -> Self {
        let multiple = P256_MULTIPLES[usize::from(number) - 1];
        let mut point = [0; 65];
        for (byte, pair) in point.iter_mut().zip(multiple.as_bytes().chunks(2)) {
            *byte = u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
        }
        let mut scalar = [0; 32];
        scalar[31] = number;
        let pair = EcdsaKeyPair::from_private_key_and_public_key(
            &ECDSA_P256_SHA256_ASN1_SIGNING,
            &scalar,
            &point,
            &SystemRandom::new(),
        );
        let public = PublicKey::ecdsa_p256(spki_pem(&point));
        Self::new(public, Pair::Ecdsa(pair.unwrap()))
    }

    /// The P-384 key, whose signatures differ from run to run as well.
    #[must_use]
    pub fn p384() -> Self {
        let pair = EcdsaKeyPair::from_pkcs8(
            &ECDSA_P384_SHA384_ASN1_SIGNING,
            include_bytes!("data/p384.pk8"),
            &SystemRandom::new(),
        );
        let pem = include_str!("data/p384.pub.pem");
        let public = listing("ecdsa", "ecdsa-sha2-nistp384", pem);
        Self::new(public, Pair::Ecdsa(pair.unwrap()))
    }

    /// The RSA key of 2,048 bits, which signs by this scheme of TUF 4.2.2 or of older tools.
    ///
    /// # Panics
    ///
    /// If there is no such scheme.
    #[must_use]
    pub fn rsa(scheme: &str) -> Self {
        let padding: &dyn RsaEncoding = match scheme {
            "rsassa-pss-sha256" => &RSA_PSS_SHA256,
            "rsassa-pss-sha384" => &RSA_PSS_SHA384,
            "rsassa-pss-sha512" => &RSA_PSS_SHA512,
            "rsa-pkcs1v15-sha256" => &RSA_PKCS1_SHA256,
            "rsa-pkcs1v15-sha384" => &RSA_PKCS1_SHA384,
            "rsa-pkcs1v15-sha512" => &RSA_PKCS1_SHA512,
            other => panic!("{other} is no scheme of RSA"),
        };
        let pair = RsaKeyPair::from_pkcs8(include_bytes!("data/rsa2048.pk8")).unwrap();
        let public = listing("rsa", scheme, include_str!("data/rsa2048.pub.pem"));
        Self::new(public, Pair::Rsa(pair, padding))
    }

    /// The same key listed under another key type, as tools did before TUF 1.0.32.
    #[must_use]
    pub fn as_type(&self, keytype: &str) -> Self {
        self.listed_as(listing(keytype, self.public.scheme(), self.public.public()))
    }

    /// The same EC key listed as its uncompressed point in hex, as early tools did.
    ///
    /// # Panics
    ///
    /// If it is no EC key.
    #[must_use]
    pub fn in_hex(&self) -> Self {
        let Pair::Ecdsa(pair) = &*self.pair else {
            panic!("{self:?} is no EC key");
        };
        let point = hex::encode(pair.public_key().as_ref());
        self.listed_as(listing(self.public.keytype(), self.public.scheme(), &point))
    }

    fn listed_as(&self, public: PublicKey) -> Self {
        Self {
            id: public.id(),
            public,
            pair: Arc::clone(&self.pair),
        }
    }

    fn new(public: PublicKey, pair: Pair) -> Self {
        Self {
            id: public.id(),
            public,
            pair: Arc::new(pair),
        }
    }

    /// The same key under another key id, which the strict dialect refuses (TAP 12).
    #[must_use]
    pub fn under_id(&self, id: &str) -> Self {
        Self {
            id: KeyId::parse(id).unwrap(),
            ..self.clone()
        }
    }

    /// The key id: the digest of the key unless [`Key::under_id`] made it another.
    #[must_use]
    pub fn id(&self) -> &KeyId {
        &self.id
    }

    /// The public key as metadata lists it.
    #[must_use]
    pub fn public(&self) -> &PublicKey {
        &self.public
    }

    /// Signs.
    #[must_use]
    pub fn sign(&self, message: &[u8]) -> Signature {
        let bytes = match &*self.pair {
            Pair::Ed25519(pair) => pair.sign(message).as_ref().to_vec(),
            Pair::Ecdsa(pair) => pair
                .sign(&SystemRandom::new(), message)
                .unwrap()
                .as_ref()
                .to_vec(),
            Pair::Rsa(pair, padding) => {
                let mut bytes = vec![0; pair.public().modulus_len()];
                let random = SystemRandom::new();
                pair.sign(*padding, &random, message, &mut bytes).unwrap();
                bytes
            }
        };
        Signature {
            keyid: self.id.clone(),
            bytes,
        }
    }
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id && self.public == other.public
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.public.keytype(), self.id.short())
    }
}

/// A public key as metadata lists it (TUF 4.2.1 KEY).
fn listing(keytype: &str, scheme: &str, public: &str) -> PublicKey {
    let key = json!({"keytype": keytype, "scheme": scheme, "keyval": {"public": public}});
    let value = metadata::Value::parse(key.to_string().as_bytes()).unwrap();
    PublicKey::from_value(&value).unwrap()
}

/// The point as SPKI in PEM (RFC 5480): a fixed head before the uncompressed point.
fn spki_pem(point: &[u8; 65]) -> String {
    const HEAD: &str = "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE";
    // The head ends with the point's first byte, 04, on a base64 boundary.
    let body = format!("{HEAD}{}", base64(&point[1..]));
    let lines: Vec<&str> = body
        .as_bytes()
        .chunks(64)
        .map(|line| std::str::from_utf8(line).unwrap())
        .collect();
    format!(
        "-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n",
        lines.join("\n")
    )
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::new();
    for chunk in bytes.chunks(3) {
        let group = chunk
            .iter()
            .fold(0_u32, |sum, byte| sum << 8 | u32::from(*byte));
        let group = group << (8 * (3 - chunk.len()));
        for digit in 0..4 {
            let value = (group >> (18 - 6 * digit)) & 63;
            out.push(if digit > chunk.len() {
                '='
            } else {
                char::from(DIGITS[value as usize])
            });
        }
    }
    out
}

/// The first multiples of the P-256 base point, uncompressed: the public keys of the scalars 1 to 8.
const P256_MULTIPLES: [&str; 8] = [
    "046b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296\
     4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5",
    "047cf27b188d034f7e8a52380304b51ac3c08969e277f21b35a60b48fc47669978\
     07775510db8ed040293d9ac69f7430dbba7dade63ce982299e04b79d227873d1",
    "045ecbe4d1a6330a44c8f7ef951d4bf165e6c6b721efada985fb41661bc6e7fd6c\
     8734640c4998ff7e374b06ce1a64a2ecd82ab036384fb83d9a79b127a27d5032",
    "04e2534a3532d08fbba02dde659ee62bd0031fe2db785596ef509302446b030852\
     e0f1575a4c633cc719dfee5fda862d764efc96c3f30ee0055c42c23f184ed8c6",
    "0451590b7a515140d2d784c85608668fdfef8c82fd1f5be52421554a0dc3d033ed\
     e0c17da8904a727d8ae1bf36bf8a79260d012f00d4d80888d1d0bb44fda16da4",
    "04b01a172a76a4602c92d3242cb897dde3024c740debb215b4c6b0aae93c2291a9\
     e85c10743237dad56fec0e2dfba703791c00f7701c7e16bdfd7c48538fc77fe2",
    "048e533b6fa0bf7b4625bb30667c01fb607ef9f8b8a80fef5b300628703187b2a3\
     73eb1dbde03318366d069f83a6f5900053c73633cb041b21c55e1a86c1f400b4",
    "0462d9779dbee9b0534042742d3ab54cadc1d238980fce97dbb4dd9dc1db6fb393\
     ad5accbd91e9d8244ff15d771167cee0a2ed51f6bbe76a78da540a6a0f09957e",
];

#[cfg(test)]
mod tests {
    use metadata::VerifyingKey;

    use super::*;

    #[test]
    fn what_a_key_signs_its_public_key_verifies() {
        let keys: Vec<Key> = (1..=8)
            .map(Key::p256)
            .chain([Key::ed25519("a"), Key::ed25519("b")])
            .chain([Key::p384(), Key::rsa("rsassa-pss-sha256")])
            .chain([Key::p256(1).in_hex(), Key::p384().in_hex()])
            .collect();
        for key in &keys {
            let verifying = VerifyingKey::new(key.public()).unwrap();
            let signature = key.sign(b"message");
            assert!(verifying.verifies(b"message", &signature.bytes), "{key:?}");
            assert!(!verifying.verifies(b"another", &signature.bytes), "{key:?}");
            assert_eq!(
                keys.iter().filter(|other| other.id() == key.id()).count(),
                1
            );
        }
    }

    #[test]
    fn one_name_is_one_key() {
        assert_eq!(Key::ed25519("a"), Key::ed25519("a"));
        assert_ne!(Key::ed25519("a"), Key::ed25519("a").under_id("odd"));
    }
}
