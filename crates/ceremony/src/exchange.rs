//! Signatures by other programs: the bytes to sign go out as a file, the signature comes in as one.

use base64ct::{Base64, Encoding};
use chrono::{DateTime, Utc};
use metadata::{Role, Sha256, Signature, VerifyingKey, Version};

use crate::sign::{Made, signature_file, write};
use crate::{CeremonyError, Event, Given, Step};

impl Event {
    /// Exactly the bytes to sign for a role, after every rule has passed as of `now`.
    pub fn export_payload(&self, role: &Role, now: DateTime<Utc>) -> Result<&[u8], CeremonyError> {
        self.check_copy()?;
        self.lint(now)?;
        self.payload(role)
    }

    /// Takes in a signature over the payload of a role: raw, DER, or either in hex or base64. Whose
    /// it is shows by itself: it is tried with every key that signs for the role.
    pub fn import_signature(
        &self,
        role: &Role,
        file: &[u8],
        now: DateTime<Utc>,
    ) -> Result<Given, CeremonyError> {
        self.check_not_combined()?;
        self.check_copy()?;
        self.lint(now)?;
        self.check_clock(now)?;
        let (payload, version) = (self.payload(role)?, self.version(role)?);
        let signature = self.recognize(role, version, payload, file)?;
        let sha256 = Sha256::of(payload);
        let name = signature_file(role, &signature.keyid);
        let there = self.folder.read_if_there(&name)?;
        let given = Given {
            role: role.clone(),
            version,
            sha256,
            was_there: there.is_some(),
        };
        let made = [Made {
            given: given.clone(),
            bytes: there.unwrap_or_else(|| write(&signature, &sha256)),
            name,
        }];
        self.keep_signatures(Step::Imported, &signature.keyid, &made, now, None)?;
        Ok(given)
    }

    fn payload(&self, role: &Role) -> Result<&[u8], CeremonyError> {
        let found = self.payloads().into_iter().find(|(one, _)| *one == role);
        found.map(|(_, bytes)| bytes).ok_or_else(|| {
            let role = role.clone();
            CeremonyError::NoPayload { role }
        })
    }

    fn recognize(
        &self,
        role: &Role,
        version: Version,
        payload: &[u8],
        file: &[u8],
    ) -> Result<Signature, CeremonyError> {
        let readings = readings(file);
        for voucher in self.vouchers(role)? {
            for keyid in &voucher.role_keys.keyids {
                let key = voucher.keys.get(keyid).map(VerifyingKey::new);
                let Some(Ok(key)) = key else {
                    continue;
                };
                if let Some(bytes) = readings.iter().find(|one| key.verifies(payload, one)) {
                    let (keyid, bytes) = (keyid.clone(), bytes.clone());
                    return Ok(Signature { keyid, bytes });
                }
            }
        }
        let role = role.clone();
        Err(CeremonyError::ForeignSignature { role, version })
    }
}

/// What a file may mean: its bytes, hex, base64; and of 64 bytes, both numbers of ECDSA as tokens
/// give them, which metadata holds in DER.
fn readings(file: &[u8]) -> Vec<Vec<u8>> {
    let mut found = vec![file.to_vec()];
    if let Ok(text) = std::str::from_utf8(file) {
        let text: String = text.split_whitespace().collect();
        found.extend(hex::decode(&text));
        found.extend(Base64::decode_vec(&text));
    }
    let numbers = found.iter().filter(|one| one.len() == 64);
    let der: Vec<Vec<u8>> = numbers.map(|one| ecdsa_der(one)).collect();
    found.extend(der);
    found
}

/// `SEQUENCE { INTEGER r, INTEGER s }` of two numbers of 32 bytes.
fn ecdsa_der(numbers: &[u8]) -> Vec<u8> {
    let mut inner = Vec::with_capacity(70);
    for number in numbers.chunks(32) {
        let zeros = number.iter().take_while(|byte| **byte == 0).count();
        let plain = &number[zeros.min(number.len() - 1)..];
        let sign = plain[0] & 0x80 != 0;
        // At most 33 bytes, so every length fits one byte.
        inner.extend([2, u8::try_from(plain.len()).unwrap_or(0) + u8::from(sign)]);
        inner.extend(sign.then_some(0));
        inner.extend(plain);
    }
    let mut out = vec![0x30, u8::try_from(inner.len()).unwrap_or(0)];
    out.extend(inner);
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn numbers_become_der() {
        let mut numbers = [0; 64];
        numbers[31] = 5;
        numbers[32] = 0x80;
        let der = ecdsa_der(&numbers);
        assert_eq!(der[..7], [0x30, 3 + 2 + 33, 2, 1, 5, 2, 33]);
        assert_eq!((der[7], der[8], der.len()), (0, 0x80, 2 + 3 + 2 + 33));
    }

    proptest! {
        #[test]
        fn any_file_is_read(file in prop::collection::vec(any::<u8>(), 0..200)) {
            let found = readings(&file);
            prop_assert_eq!(&found[0], &file);
            let hex = readings(hex::encode(&file).as_bytes());
            prop_assert!(hex.contains(&file));
        }
    }
}
