//! The envelope on the wire: `{"signatures":[…],"signed":…}` (TUF 4.2.1).

use std::borrow::Cow;
use std::ops::Range;

use crate::canonical::{MAX_DEPTH, Scan, Writer, has_control, is_canonical, to_json};
use crate::members::{Members, from_slice};
use crate::{Document, KeyId, MetadataError, Value};

/// One signature as listed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Signature {
    /// The key it claims to be by.
    pub keyid: KeyId,
    /// The signature bytes; empty if what was listed is not hex (it then counts for nothing,
    /// reference F45).
    pub bytes: Vec<u8>,
}

/// A metadata file taken apart, nothing verified.
#[derive(Debug)]
pub struct Wire<'a> {
    /// The text of `signed` as received.
    pub signed: &'a [u8],
    /// Where it stands in the file.
    pub signed_at: Range<usize>,
    /// Its canonical form: the same text where that already is canonical. All signatures are
    /// checked over these bytes, never over a choice per signature.
    pub canonical: Cow<'a, [u8]>,
    /// The signatures, no key id twice (TUF 4.2.1).
    pub signatures: Vec<Signature>,
    /// The members of `signed`, where they were met on the way.
    members: Option<Members<'a>>,
}

/// A file in canonical form throughout, taken apart in one scan.
struct Canonical<'a> {
    signed: &'a str,
    members: Members<'a>,
    signatures: &'a str,
}

impl<'a> Canonical<'a> {
    fn parse(file: &'a [u8]) -> Option<Self> {
        const INNER: usize = MAX_DEPTH - 1;
        let (mut signed, mut signatures) = (None, None);
        let mut scan = Scan::new(file)?;
        scan.object(|scan, key| {
            match key.plain()? {
                "signed" => {
                    let before = scan.rest();
                    let members = Members::scan(scan, INNER)?;
                    let length = before.len() - scan.rest().len();
                    signed = Some((before.get(..length)?, members));
                }
                "signatures" => signatures = Some(scan.raw(INNER)?),
                _ => scan.value(INNER)?,
            }
            Some(())
        })?;
        let (signed, members) = signed?;
        let out = Self {
            signed,
            members,
            signatures: signatures?,
        };
        (scan.is_at_end() && !has_control(file)).then_some(out)
    }
}

impl<'a> Wire<'a> {
    /// Takes a file apart. Refuses duplicate keys anywhere, trailing text and more than
    /// `max_signatures` signatures.
    pub fn parse(file: &'a [u8], max_signatures: usize) -> Result<Self, MetadataError> {
        let whole = file;
        if let Some(file) = Canonical::parse(file) {
            let signed = file.signed.as_bytes();
            return Ok(Self {
                signed,
                signed_at: place_of(signed, whole),
                canonical: Cow::Borrowed(signed),
                signatures: read_signatures(file.signatures, max_signatures)?,
                members: Some(file.members),
            });
        }
        let mut members = Members::parse(file)?;
        let mut take = |member| {
            members
                .take(member)
                .ok_or_else(|| MetadataError::member(member, "is missing"))
        };
        let (signed, listed) = (take("signed")?.as_bytes(), take("signatures")?);
        let signatures = read_signatures(listed, max_signatures)?;
        // Read the members nobody knows: they too must not name a key twice.
        members.rest()?;
        let canonical = if is_canonical(signed) {
            Cow::Borrowed(signed)
        } else {
            Cow::Owned(Value::parse(signed)?.to_canonical())
        };
        Ok(Self {
            signed,
            signed_at: place_of(signed, whole),
            canonical,
            signatures,
            members: None,
        })
    }

    /// Reads what is signed as a document. Says nothing about who signed it.
    pub fn document<R: Document>(&mut self) -> Result<R, MetadataError> {
        match self.members.take() {
            Some(members) => R::from_members(members),
            None => R::parse(self.signed),
        }
    }

    /// Writes a file: canonical `signed`, signatures in key id order. Control characters, which
    /// canonical JSON holds as they are and JSON does not allow (the line ends of a PEM key), are
    /// escaped; readers come back to the canonical form by parsing.
    #[must_use]
    pub fn write(canonical: &[u8], signatures: &[Signature]) -> Vec<u8> {
        let mut sorted: Vec<&Signature> = signatures.iter().collect();
        sorted.sort_unstable();
        let mut out = Writer::with_capacity(canonical.len() + 64 + 256 * sorted.len());
        out.object(|out| {
            out.key("signatures").array(|out| {
                for signature in sorted {
                    out.item().object(|out| {
                        out.key("keyid").string(signature.keyid.as_str());
                        out.key("sig").hex(&signature.bytes);
                    });
                }
            });
            out.key("signed").raw(canonical);
        });
        let canonical = out.into_bytes();
        match to_json(&canonical) {
            Cow::Owned(escaped) => escaped,
            Cow::Borrowed(_) => canonical,
        }
    }
}

/// Where a part of `whole` stands in it.
fn place_of(part: &[u8], whole: &[u8]) -> Range<usize> {
    let start = part.as_ptr().addr() - whole.as_ptr().addr();
    start..start + part.len()
}

fn read_signatures(text: &str, max: usize) -> Result<Vec<Signature>, MetadataError> {
    #[derive(serde::Deserialize)]
    struct SignatureWire {
        keyid: String,
        sig: String,
    }

    // Members of a signature that nobody knows are looked at only for repeated keys.
    Value::parse(text.as_bytes())?;
    let listed: Vec<SignatureWire> = from_slice(text.as_bytes())?;
    if listed.len() > max {
        return Err(MetadataError::member(
            "signatures",
            format!("lists more than {max}"),
        ));
    }
    let signatures = listed
        .into_iter()
        .map(|wire| {
            let bytes = hex::decode(&wire.sig).unwrap_or_default();
            Ok(Signature {
                keyid: KeyId::parse(wire.keyid)?,
                bytes,
            })
        })
        .collect::<Result<Vec<_>, MetadataError>>()?;
    let mut ids: Vec<&KeyId> = signatures
        .iter()
        .map(|signature| &signature.keyid)
        .collect();
    ids.sort_unstable();
    if ids.windows(2).any(|pair| pair[0] == pair[1]) {
        return Err(MetadataError::member("signatures", "names one keyid twice"));
    }
    Ok(signatures)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn verifies_the_received_slice_when_it_is_canonical() {
        let file = br#"{ "signatures": [{"keyid":"k","sig":"00"}], "signed": {"a":1,"b":2} }"#;
        let wire = Wire::parse(file, 4).unwrap();
        assert!(matches!(wire.canonical, Cow::Borrowed(_)));
        assert_eq!(&*wire.canonical, br#"{"a":1,"b":2}"#);
    }

    #[test]
    fn canonicalizes_what_is_not() {
        let file = br#"{"signed":{"b":2, "a":1},"signatures":[{"sig":"zz","keyid":"k"}]}"#;
        let wire = Wire::parse(file, 4).unwrap();
        assert_eq!(&*wire.canonical, br#"{"a":1,"b":2}"#);
        assert_eq!(wire.signatures[0].bytes, b"");
    }

    /// A PEM key has line ends, which canonical JSON holds raw and JSON forbids.
    #[test]
    fn files_with_pem_keys_are_json() {
        let canonical = b"{\"public\":\"-----BEGIN\nA\n\"}";
        let file = Wire::write(canonical, &[]);
        assert_eq!(
            file,
            br#"{"signatures":[],"signed":{"public":"-----BEGIN\nA\n"}}"#
        );
        assert_eq!(&*Wire::parse(&file, 0).unwrap().canonical, canonical);
    }

    #[test]
    fn refuses_duplicates_everywhere_trailing_text_and_floods() {
        for bad in [
            r#"{"signed":{},"signatures":[]}x"#,
            r#"{"signed":{},"signed":{},"signatures":[]}"#,
            r#"{"signed":{"a":1,"a":1},"signatures":[]}"#,
            r#"{"signed":{},"signatures":[{"keyid":"k","sig":"","sig":"00"}]}"#,
            r#"{"signed":{},"signatures":[{"keyid":"k","sig":"","x":{"y":1,"y":2}}]}"#,
            r#"{"signed":{},"signatures":[{"keyid":"k","sig":""},{"keyid":"k","sig":"00"}]}"#,
            r#"{"signed":{},"signatures":[],"x":{"y":1,"y":2}}"#,
            r#"{"signed":{"a":1.5},"signatures":[]}"#,
            r#"{"signatures":[]}"#,
            r#"{"signed":{}}"#,
            "[]",
        ] {
            assert!(Wire::parse(bad.as_bytes(), 4).is_err(), "{bad}");
        }
        let one = r#"{"keyid":"k","sig":""}"#;
        let many = format!(r#"{{"signed":{{}},"signatures":[{}]}}"#, [one; 5].join(","));
        assert!(Wire::parse(many.as_bytes(), 4).is_err());
    }

    /// A key in PEM has line ends, so every root that lists a P-256 key goes this way.
    #[test]
    fn control_characters_are_escaped_in_the_file_only() {
        let canonical = b"{\"k\":\"line\nend\0\\\\\"}";
        let file = Wire::write(canonical, &[]);
        assert_eq!(
            String::from_utf8(file.clone()).unwrap(),
            r#"{"signatures":[],"signed":{"k":"line\nend\u0000\\"}}"#
        );
        let wire = Wire::parse(&file, 1).unwrap();
        assert_eq!(&*wire.canonical, canonical);
    }

    /// Text that is canonical is taken apart while it is looked at; the same text with a blank in it is
    /// not. Both must come to the same.
    #[test]
    fn both_ways_of_reading_agree() {
        for (signed, signatures) in [
            (r#"{"a":1,"b":{"c":[]}}"#, r#"[{"keyid":"k","sig":"00"}]"#),
            (r#"{"a":1,"a":1}"#, "[]"),
            (r#"{"b":1,"a":1}"#, "[]"),
            (r#"{"a":{"b":1,"b":1}}"#, "[]"),
            (r#"{"a\"":1}"#, "[]"),
            (r#"{"a":1.0}"#, "[]"),
            ("{\"a\":\"\n\"}", "[]"),
            ("[]", "[]"),
            ("{}", "{}"),
            (
                "{}",
                r#"[{"keyid":"k","sig":"00"},{"keyid":"k","sig":"01"}]"#,
            ),
        ] {
            let compact = format!(r#"{{"signatures":{signatures},"signed":{signed}}}"#);
            let spaced = format!(r#"{{ "signatures":{signatures},"signed":{signed}}}"#);
            let read = |file: &str| {
                let wire = Wire::parse(file.as_bytes(), 4).ok()?;
                assert_eq!(&file.as_bytes()[wire.signed_at], wire.signed);
                Some((wire.canonical.into_owned(), wire.signatures))
            };
            assert_eq!(read(&compact), read(&spaced), "{compact}");
        }
    }

    proptest! {
        #[test]
        fn never_panics(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = Wire::parse(&bytes, 4);
        }

        #[test]
        fn written_files_read_back(sig in prop::collection::vec(any::<u8>(), 0..70)) {
            let signature = Signature { keyid: KeyId::parse("ab").unwrap(), bytes: sig };
            let file = Wire::write(br#"{"a":1}"#, std::slice::from_ref(&signature));
            let wire = Wire::parse(&file, 1).unwrap();
            prop_assert_eq!(&*wire.canonical, br#"{"a":1}"#);
            prop_assert_eq!(wire.signatures, vec![signature]);
        }
    }
}
