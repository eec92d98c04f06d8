//! Percent-encoding (RFC 3986 2.1), strict: a URI that means two things names two keys.

/// Decodes `%XX`; `None` if a `%` is not followed by two hex digits.
pub(crate) fn decode(text: &str) -> Option<Vec<u8>> {
    let mut bytes = text.bytes();
    let mut out = Vec::with_capacity(text.len());
    while let Some(byte) = bytes.next() {
        out.push(match byte {
            b'%' => {
                let mut pair = [0];
                hex::decode_to_slice([bytes.next()?, bytes.next()?], &mut pair).ok()?;
                pair[0]
            }
            plain => plain,
        });
    }
    Some(out)
}

/// Decodes text; `None` if it is malformed, not UTF-8 or holds control characters.
pub(crate) fn decode_text(text: &str) -> Option<String> {
    let decoded = String::from_utf8(decode(text)?).ok()?;
    (!decoded.chars().any(char::is_control)).then_some(decoded)
}

/// Encodes all but unreserved characters (RFC 3986 2.3) and those in `keep`.
pub(crate) fn encode(bytes: &[u8], keep: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len());
    for byte in bytes {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(byte) || keep.contains(byte) {
            out.push(char::from(*byte));
        } else {
            out.push('%');
            out.push_str(&hex::encode_upper([*byte]));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn decodes_strictly() {
        assert_eq!(decode("a%20b%C3%bc").unwrap(), "a bü".as_bytes());
        for malformed in ["%", "%2", "%2g", "%%20", "a%"] {
            assert_eq!(decode(malformed), None, "{malformed}");
        }
        assert_eq!(decode_text("%FF"), None);
        assert_eq!(decode_text("a%0Ab"), None);
    }

    proptest! {
        #[test]
        fn encoding_decodes_back(bytes: Vec<u8>) {
            let text = encode(&bytes, b"/:");
            prop_assert!(text.is_ascii());
            prop_assert_eq!(decode(&text), Some(bytes));
        }
    }
}
