//! Encrypted keys of cosign and sigstore: scrypt and secretbox in JSON in PEM. Read only.

use base64ct::{Base64, Encoding as _};
use pkcs8::pkcs5::scrypt;
use poly1305::Poly1305;
use poly1305::universal_hash::KeyInit;
use salsa20::XSalsa20;
use salsa20::cipher::{KeyIvInit, StreamCipher};
use serde::Deserialize;
use zeroize::Zeroizing;

use crate::{Kdf, KeyFlaw, Passphrase};

/// An encrypted key whose parameters have been judged.
pub(crate) struct Sealed {
    kdf: Kdf,
    salt: Vec<u8>,
    nonce: [u8; 24],
    /// The Poly1305 tag, then the ciphertext.
    boxed: Vec<u8>,
}

const TAG: usize = 16;

#[derive(Deserialize)]
struct Envelope {
    kdf: Derivation,
    cipher: Cipher,
    ciphertext: String,
}

#[derive(Deserialize)]
struct Derivation {
    name: String,
    params: Params,
    salt: String,
}

#[derive(Deserialize)]
struct Params {
    #[serde(rename = "N")]
    n: u64,
    r: u16,
    p: u16,
}

#[derive(Deserialize)]
struct Cipher {
    name: String,
    nonce: String,
}

impl Sealed {
    /// Reads what the PEM block holds; refuses a key derivation that costs too much before anybody
    /// is asked for a passphrase.
    pub(crate) fn from_json(json: &[u8]) -> Result<Self, KeyFlaw> {
        let Envelope {
            kdf,
            cipher,
            ciphertext,
        } = serde_json::from_slice(json).map_err(|_| KeyFlaw::Envelope)?;
        if kdf.name != "scrypt" || cipher.name != "nacl/secretbox" {
            return Err(KeyFlaw::Envelope);
        }
        let Params { n, r, p } = kdf.params;
        if !n.is_power_of_two() {
            return Err(KeyFlaw::KdfParameters);
        }
        // At most 63.
        let log_n = n.trailing_zeros() as u8;
        let decode = |text: &str| Base64::decode_vec(text).map_err(|_| KeyFlaw::Envelope);
        let boxed = decode(&ciphertext)?;
        if boxed.len() < TAG {
            return Err(KeyFlaw::Envelope);
        }
        Ok(Self {
            kdf: Kdf::Scrypt { log_n, r, p }.bounded()?,
            salt: decode(&kdf.salt)?,
            nonce: decode(&cipher.nonce)?
                .try_into()
                .map_err(|_| KeyFlaw::Envelope)?,
            boxed,
        })
    }

    /// What protects it.
    pub(crate) fn kdf(&self) -> Kdf {
        self.kdf
    }

    /// Decrypts it to PKCS#8 in DER.
    pub(crate) fn open(mut self, passphrase: &Passphrase) -> Result<Zeroizing<Vec<u8>>, KeyFlaw> {
        let key = self.derive(passphrase)?;
        let mut stream = XSalsa20::new((&*key).into(), (&self.nonce).into());
        // The first 32 bytes of the stream are the key of the authenticator.
        let mut authenticator = Zeroizing::new([0; 32]);
        stream.apply_keystream(&mut *authenticator);
        let ciphertext = self.boxed.split_off(TAG);
        let tag = Poly1305::new((&*authenticator).into()).compute_unpadded(&ciphertext);
        if tag.as_slice() != self.boxed {
            return Err(KeyFlaw::WrongPassphrase);
        }
        let mut plaintext = Zeroizing::new(ciphertext);
        stream.apply_keystream(&mut plaintext);
        Ok(plaintext)
    }

    fn derive(&self, passphrase: &Passphrase) -> Result<Zeroizing<[u8; 32]>, KeyFlaw> {
        let Kdf::Scrypt { log_n, r, p } = self.kdf else {
            return Err(KeyFlaw::KdfParameters);
        };
        let params =
            scrypt::Params::new(log_n, r.into(), p.into()).map_err(|_| KeyFlaw::KdfParameters)?;
        let mut key = Zeroizing::new([0; 32]);
        scrypt::scrypt(passphrase.expose(), &self.salt, &params, &mut *key)
            .map_err(|_| KeyFlaw::KdfParameters)?;
        Ok(key)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn envelope(n: u64, cipher: &str, nonce: usize, ciphertext: &str) -> String {
        let nonce = Base64::encode_string(&vec![0; nonce]);
        format!(
            r#"{{"kdf":{{"name":"scrypt","params":{{"N":{n},"r":8,"p":1}},"salt":"AAAA"}},
            "cipher":{{"name":"{cipher}","nonce":"{nonce}"}},"ciphertext":"{ciphertext}"}}"#
        )
    }

    #[test]
    fn judges_before_it_derives() {
        let tag = "A".repeat(24);
        let judge = |text: String| Sealed::from_json(text.as_bytes()).err();
        assert_eq!(judge(envelope(16, "nacl/secretbox", 24, &tag)), None);
        let too_short = envelope(16, "nacl/secretbox", 24, "AAAA");
        let foreign = envelope(16, "aes", 24, &tag);
        let short_nonce = envelope(16, "nacl/secretbox", 12, &tag);
        for text in [too_short, foreign, short_nonce, "{}".to_owned()] {
            assert_eq!(judge(text), Some(KeyFlaw::Envelope));
        }
        let odd = envelope(17, "nacl/secretbox", 24, &tag);
        assert_eq!(judge(odd), Some(KeyFlaw::KdfParameters));
        let dear = envelope(1 << 40, "nacl/secretbox", 24, &tag);
        assert!(matches!(judge(dear), Some(KeyFlaw::KdfCost { .. })));
    }

    proptest! {
        #[test]
        fn never_panics(text in "\\{\"kdf\":\\PC{0,30}\\}|\\PC{0,20}", cut in 0usize..200) {
            let _ = Sealed::from_json(text.as_bytes());
            let whole = envelope(16, "nacl/secretbox", 24, "AAAA");
            let _ = Sealed::from_json(&whole.as_bytes()[..cut.min(whole.len())]);
        }
    }
}
