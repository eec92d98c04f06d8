//! Public keys and signatures as SSH encodes them, in the forms of TUF.

use super::wire::Reader;
use crate::private::uncompressed;
use crate::public::Numbers;

/// RFC 8709.
pub(crate) const ED25519: &str = "ssh-ed25519";
/// RFC 5656.
pub(crate) const P256: &str = "ecdsa-sha2-nistp256";

/// The algorithm a public key blob names; `None` if it is not even that.
pub(super) fn algorithm(blob: &[u8]) -> Option<String> {
    let name = Reader::new(blob).text()?;
    let plain = name.bytes().all(|byte| byte.is_ascii_graphic());
    (plain && name.len() <= 64).then(|| name.to_owned())
}

/// Reads the public key blob of an algorithm TUF knows.
pub(super) fn numbers(blob: &[u8]) -> Option<Numbers> {
    let mut reader = Reader::new(blob);
    let numbers = match reader.text()? {
        ED25519 => Numbers::Ed25519(reader.string()?.try_into().ok()?),
        P256 => {
            if reader.text()? != "nistp256" {
                return None;
            }
            Numbers::EcdsaP256(uncompressed(reader.string()?).ok()?)
        }
        _ => return None,
    };
    reader.rest().is_empty().then_some(numbers)
}

/// Reads a signature blob of `algorithm` into the form TUF clients verify.
pub(super) fn signature(blob: &[u8], algorithm: &str) -> Option<Vec<u8>> {
    let mut reader = Reader::new(blob);
    let named = reader.text()?;
    let bytes = reader.string()?;
    if named != algorithm || !reader.rest().is_empty() {
        return None;
    }
    match algorithm {
        ED25519 => Some(bytes.to_vec()),
        P256 => ecdsa_der(bytes),
        _ => None,
    }
}

/// Turns two `mpint`s (RFC 5656 3.1.2) into an `ECDSA-Sig-Value` (RFC 3279): what stands in an
/// `mpint` is what stands in an `INTEGER`, and 33 bytes at most keep all lengths in one byte.
fn ecdsa_der(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut reader = Reader::new(bytes);
    let mut body = Vec::with_capacity(70);
    for _ in 0..2 {
        let number = reader.string()?;
        let length = u8::try_from(number.len()).ok().filter(|n| *n <= 33)?;
        body.extend_from_slice(&[0x02, length]);
        body.extend_from_slice(number);
    }
    let length = u8::try_from(body.len()).ok()?;
    let mut der = vec![0x30, length];
    der.append(&mut body);
    reader.rest().is_empty().then_some(der)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::wire::put_string;
    use super::*;

    fn strings(parts: &[&[u8]]) -> Vec<u8> {
        let mut out = Vec::new();
        for part in parts {
            put_string(&mut out, part).unwrap();
        }
        out
    }

    #[test]
    fn foreign_blobs_are_no_keys() {
        let good = strings(&[ED25519.as_bytes(), &[7; 32]]);
        assert!(matches!(numbers(&good), Some(Numbers::Ed25519(bytes)) if bytes == [7; 32]));
        for bad in [
            strings(&[ED25519.as_bytes(), &[7; 31]]),
            strings(&[ED25519.as_bytes(), &[7; 32], b""]),
            strings(&[P256.as_bytes(), b"nistp384", &[4; 65]]),
            strings(&[b"ssh-rsa", &[1], &[1; 256]]),
            vec![0, 0, 0, 9],
        ] {
            assert!(numbers(&bad).is_none());
        }
        assert_eq!(algorithm(&good).as_deref(), Some(ED25519));
        assert_eq!(algorithm(&strings(&[b"a\nb"])), None);
    }

    #[test]
    fn signatures_of_another_algorithm_are_refused() {
        let blob = strings(&[ED25519.as_bytes(), &[7; 64]]);
        assert_eq!(signature(&blob, ED25519), Some(vec![7; 64]));
        assert_eq!(signature(&blob, P256), None);
        let numbers = strings(&[&[1, 2], &[3]]);
        let blob = strings(&[P256.as_bytes(), &numbers]);
        let der = vec![0x30, 7, 2, 2, 1, 2, 2, 1, 3];
        assert_eq!(signature(&blob, P256), Some(der));
        let long = strings(&[P256.as_bytes(), &strings(&[&[1; 34], &[3]])]);
        assert_eq!(signature(&long, P256), None);
    }

    proptest! {
        #[test]
        fn never_panics(bytes: Vec<u8>) {
            let _ = (numbers(&bytes), algorithm(&bytes), signature(&bytes, ED25519), ecdsa_der(&bytes));
        }
    }
}
