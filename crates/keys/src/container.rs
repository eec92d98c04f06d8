//! Encrypted PKCS#8 (RFC 5958 3) with PBES2 (RFC 8018): sealing and opening with a passphrase.

use pkcs8::der::asn1::{AnyRef, ObjectIdentifier, OctetString};
use pkcs8::der::{Decode, Encode, ErrorKind, Reader, SliceReader};
use pkcs8::pkcs5::{EncryptionScheme, pbes2};
use pkcs8::{AlgorithmIdentifierRef, EncryptedPrivateKeyInfo, EncryptedPrivateKeyInfoOwned};
use ring::rand::SecureRandom;
use zeroize::Zeroizing;

use crate::{Kdf, KeyError, KeyFlaw, Passphrase};

/// An encrypted key whose parameters have been judged, so that opening it is affordable.
pub(crate) struct Sealed {
    params: pbes2::Parameters,
    ciphertext: Vec<u8>,
    kdf: Kdf,
}

impl Sealed {
    /// Reads an `EncryptedPrivateKeyInfo`; refuses a key derivation that costs too much before
    /// anybody is asked for a passphrase.
    pub(crate) fn from_der(der: &[u8]) -> Result<Self, KeyFlaw> {
        let oid = scheme(der).map_err(|_| KeyFlaw::Der)?;
        if oid != pbes2::PBES2_OID {
            return Err(KeyFlaw::Protection { oid });
        }
        let info =
            EncryptedPrivateKeyInfoOwned::from_der(der).map_err(|error| match error.kind() {
                ErrorKind::OidUnknown { oid } => KeyFlaw::Protection { oid },
                _ => KeyFlaw::Der,
            })?;
        let EncryptionScheme::Pbes2(params) = info.encryption_algorithm else {
            return Err(KeyFlaw::Protection { oid });
        };
        if params
            .kdf
            .key_length()
            .is_some_and(|length| usize::from(length) != params.encryption.key_size())
        {
            return Err(KeyFlaw::KdfParameters);
        }
        Ok(Self {
            kdf: Kdf::from_params(&params.kdf)?,
            params,
            ciphertext: info.encrypted_data.into_bytes().into_vec(),
        })
    }

    /// What protects it.
    pub(crate) fn kdf(&self) -> Kdf {
        self.kdf
    }

    /// Decrypts it to PKCS#8 in DER. CBC has no integrity: what a wrong passphrase yields now and
    /// then is garbage, which [`KeyFlaw::WrongPassphrase`] covers too.
    pub(crate) fn open(mut self, passphrase: &Passphrase) -> Result<Zeroizing<Vec<u8>>, KeyFlaw> {
        let plain = self
            .params
            .decrypt_in_place(passphrase.expose(), &mut self.ciphertext)
            .map_err(|_| KeyFlaw::WrongPassphrase)?
            .len();
        let mut plaintext = Zeroizing::new(std::mem::take(&mut self.ciphertext));
        plaintext.truncate(plain);
        if pkcs8::PrivateKeyInfoRef::try_from(plaintext.as_slice()).is_err() {
            return Err(KeyFlaw::WrongPassphrase);
        }
        Ok(plaintext)
    }
}

/// The encryption scheme, whatever it is, so that an error can name it.
fn scheme(der: &[u8]) -> pkcs8::der::Result<ObjectIdentifier> {
    let mut outer = SliceReader::new(der)?;
    outer.sequence(|reader| {
        let algorithm = AlgorithmIdentifierRef::decode(reader)?;
        AnyRef::decode(reader)?;
        Ok(algorithm.oid)
    })
}

/// Encrypts PKCS#8 in DER with AES-256-CBC under a fresh salt and IV; returns
/// `EncryptedPrivateKeyInfo` in DER.
pub(crate) fn seal(
    pkcs8: &[u8],
    passphrase: &Passphrase,
    kdf: Kdf,
    rng: &dyn SecureRandom,
) -> Result<Vec<u8>, KeyError> {
    let (mut salt, mut iv) = ([0; 16], [0; 16]);
    rng.fill(&mut salt)
        .and_then(|()| rng.fill(&mut iv))
        .map_err(|_| KeyError::Randomness)?;
    seal_with(pkcs8, passphrase, kdf, &salt, iv).map_err(|flaw| KeyError::Unusable {
        key: "key to be encrypted".to_owned(),
        flaw,
    })
}

fn seal_with(
    pkcs8: &[u8],
    passphrase: &Passphrase,
    kdf: Kdf,
    salt: &[u8; 16],
    iv: [u8; 16],
) -> Result<Vec<u8>, KeyFlaw> {
    let params = kdf.to_params(salt, iv)?;
    let ciphertext = params
        .encrypt(passphrase.expose(), pkcs8)
        .map_err(|_| KeyFlaw::KdfParameters)?;
    EncryptedPrivateKeyInfo {
        encryption_algorithm: params.into(),
        encrypted_data: OctetString::new(ciphertext).map_err(|_| KeyFlaw::Der)?,
    }
    .to_der()
    .map_err(|_| KeyFlaw::Der)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use ring::rand::SystemRandom;

    use super::*;
    use crate::private::PrivateKey;

    const FAST: Kdf = Kdf::Scrypt {
        log_n: 4,
        r: 8,
        p: 1,
    };

    fn sealed(kdf: Kdf) -> (Vec<u8>, Zeroizing<Vec<u8>>) {
        let rng = SystemRandom::new();
        let plain = PrivateKey::generate_ed25519(&rng)
            .unwrap()
            .to_pkcs8()
            .unwrap();
        let right = Passphrase::new("right".to_owned()).unwrap();
        (seal(&plain, &right, kdf, &rng).unwrap(), plain)
    }

    #[test]
    fn opens_with_the_right_passphrase_only() {
        for kdf in [FAST, Kdf::Pbkdf2 { iterations: 10 }] {
            let (der, plain) = sealed(kdf);
            let open = |passphrase: &str| {
                let sealed = Sealed::from_der(&der).unwrap();
                assert_eq!(sealed.kdf(), kdf);
                sealed.open(&Passphrase::new(passphrase.to_owned()).unwrap())
            };
            assert_eq!(open("right").unwrap(), plain);
            assert_eq!(open("wrong"), Err(KeyFlaw::WrongPassphrase));
            assert_eq!(open("right "), Err(KeyFlaw::WrongPassphrase));
        }
    }

    #[test]
    fn never_seals_twice_alike() {
        let (one, plain) = sealed(FAST);
        let right = Passphrase::new("right".to_owned()).unwrap();
        assert_ne!(
            one,
            seal(&plain, &right, FAST, &SystemRandom::new()).unwrap()
        );
    }

    #[test]
    fn names_foreign_protection() {
        let (der, _) = sealed(Kdf::Pbkdf2 { iterations: 10 });
        // hmacWithSHA256 (1.2.840.113549.2.9) becomes hmacWithSHA1 (….2.7).
        let prf = [0x86, 0x48, 0x86, 0xf7, 0x0d, 0x02, 0x09];
        let at = der.windows(7).position(|bytes| bytes == prf).unwrap();
        let mut sha1 = der.clone();
        sha1[at + 6] = 0x07;
        let oid = pbes2::HMAC_WITH_SHA1_OID;
        assert_eq!(
            Sealed::from_der(&sha1).err(),
            Some(KeyFlaw::Protection { oid })
        );
        // PBES2 (1.2.840.113549.1.5.13) becomes pbeWithMD5AndDES-CBC (….5.3).
        let scheme = [0x86, 0xf7, 0x0d, 0x01, 0x05, 0x0d];
        let at = der.windows(6).position(|bytes| bytes == scheme).unwrap();
        let mut pbes1 = der.clone();
        pbes1[at + 5] = 0x03;
        let oid = ObjectIdentifier::new_unwrap("1.2.840.113549.1.5.3");
        assert_eq!(
            Sealed::from_der(&pbes1).err(),
            Some(KeyFlaw::Protection { oid })
        );
        // aes256-CBC (2.16.840.1.101.3.4.1.42) becomes an arc nobody has assigned (….1.127).
        let cipher = [0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x01, 0x2a];
        let at = der.windows(9).position(|bytes| bytes == cipher).unwrap();
        let mut foreign = der.clone();
        foreign[at + 8] = 0x7f;
        let oid = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.1.127");
        assert_eq!(
            Sealed::from_der(&foreign).err(),
            Some(KeyFlaw::Protection { oid })
        );
    }

    proptest! {
        /// Judging a damaged file never panics and never derives a key.
        #[test]
        fn damaged_files_are_judged(at in 0usize..200, to: u8, cut in 0usize..200) {
            let (mut der, _) = sealed(FAST);
            let at = at % der.len();
            der[at] = to;
            let _ = Sealed::from_der(&der);
            prop_assert!(Sealed::from_der(&der[..cut % der.len()]).is_err());
        }
    }
}
