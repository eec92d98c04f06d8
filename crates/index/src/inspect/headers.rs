//! The four header fields an index needs, read from core metadata the way Python's `email` parser
//! reads them: that is what installers do, and a second reading would be a way to deceive one side.

use super::{Field, HeaderError};

/// The fields of `METADATA` or `PKG-INFO` that are read here.
pub(super) struct Headers {
    pub(super) metadata_version: String,
    pub(super) name: String,
    pub(super) version: String,
    pub(super) requires_python: Option<String>,
}

const FIELDS: [Field; 4] = [
    Field::MetadataVersion,
    Field::Name,
    Field::Version,
    Field::RequiresPython,
];

impl Headers {
    /// Reads up to the first empty line, or the first that is neither a field nor continues one.
    pub(super) fn parse(metadata: &[u8]) -> Result<Self, HeaderError> {
        let mut values: [Option<Vec<u8>>; 4] = [const { None }; 4];
        // Which of the four a continuation line would belong to.
        let mut open: Option<usize> = None;
        for line in lines(metadata) {
            if matches!(line.first(), Some(b' ' | b'\t')) {
                if let Some(value) = open.and_then(|at| values[at].as_mut()) {
                    value.push(b' ');
                    value.extend_from_slice(line.trim_ascii());
                }
                continue;
            }
            // Python passes over these two and goes on; stopping here would hide fields from us.
            if line.starts_with(b"From ") || line.starts_with(b":") {
                open = None;
                continue;
            }
            let Some((key, value)) = split_field(line) else {
                break;
            };
            open = FIELDS
                .iter()
                .position(|f| f.name().as_bytes().eq_ignore_ascii_case(key));
            if let Some(at) = open
                && values[at].replace(value.to_vec()).is_some()
            {
                return Err(HeaderError::Twice(FIELDS[at]));
            }
        }
        let [metadata_version, name, version, requires_python] = values;
        let needed = |field, value| plain(field, value)?.ok_or(HeaderError::Missing(field));
        Ok(Self {
            metadata_version: needed(Field::MetadataVersion, metadata_version)?,
            name: needed(Field::Name, name)?,
            version: needed(Field::Version, version)?,
            requires_python: plain(Field::RequiresPython, requires_python)?,
        })
    }
}

/// Lines ended by LF, CR LF or CR, as Python's parser divides them.
fn lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = text;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let end = rest
            .iter()
            .position(|b| matches!(b, b'\r' | b'\n'))
            .unwrap_or(rest.len());
        let line = &rest[..end];
        let ending = if rest[end..].starts_with(b"\r\n") {
            2
        } else {
            1
        };
        rest = rest.get(end + ending..).unwrap_or_default();
        Some(line)
    })
}

/// `KEY:VALUE` with a key of printable ASCII without space, as RFC 5322 2.2 has it.
fn split_field(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let colon = line.iter().position(|b| *b == b':')?;
    let (key, value) = (&line[..colon], &line[colon + 1..]);
    (!key.is_empty() && key.iter().all(u8::is_ascii_graphic)).then_some((key, value))
}

/// The value as text, trimmed; an empty one counts as absent.
fn plain(field: Field, value: Option<Vec<u8>>) -> Result<Option<String>, HeaderError> {
    let value = value.unwrap_or_default();
    let value = value.trim_ascii();
    if !value.iter().all(|b| b.is_ascii_graphic() || *b == b' ') {
        return Err(HeaderError::NotPlain(field));
    }
    Ok((!value.is_empty()).then(|| value.iter().copied().map(char::from).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn reads_folded_fields_in_any_case_and_line_ending() {
        let text =
            b"metadata-version: 2.1\r\nNAME:  Foo.Bar \nVersion: 1.0\rSummary: x\n  Name: y\n\
                     Requires-Python:\n >=3.8,\n\t <4\n \n\nVersion: 2.0\n";
        let headers = Headers::parse(text).unwrap();
        assert_eq!(headers.metadata_version, "2.1");
        assert_eq!(headers.name, "Foo.Bar");
        assert_eq!(headers.version, "1.0");
        assert_eq!(headers.requires_python.as_deref(), Some(">=3.8, <4"));
    }

    #[test]
    fn the_body_is_not_read() {
        let text = b"Metadata-Version: 1.0\nName: a\nVersion: 1\nno field here\nName: b\n\xff";
        assert_eq!(Headers::parse(text).unwrap().name, "a");
        let text = b"Metadata-Version: 1.0\nName: a\nVersion: 1\nRequires-Python:\nAuthor: \xff";
        assert_eq!(Headers::parse(text).unwrap().requires_python, None);
    }

    #[test]
    fn refuses_missing_double_and_odd_fields() {
        let error = |text: &str| Headers::parse(text.as_bytes()).err().unwrap();
        assert_eq!(error(""), HeaderError::Missing(Field::MetadataVersion));
        assert_eq!(
            error("\nName: a"),
            HeaderError::Missing(Field::MetadataVersion)
        );
        let head = "Metadata-Version: 2.1\nVersion: 1\n";
        assert_eq!(error(head), HeaderError::Missing(Field::Name));
        assert_eq!(
            error(&format!("{head}Name:\n")),
            HeaderError::Missing(Field::Name)
        );
        assert_eq!(
            error(&format!("{head}Name: a\nname: a")),
            HeaderError::Twice(Field::Name)
        );
        // A bare CR ends a line for Python, so it must end one here.
        let hidden = format!("{head}Name: a\nSummary: x\rName: b\n");
        assert_eq!(error(&hidden), HeaderError::Twice(Field::Name));
        // What continues a line passed over belongs to no field.
        let text = format!("{head}Name: a\nFrom me\n b\n: x\n c\n");
        assert_eq!(Headers::parse(text.as_bytes()).unwrap().name, "a");
        assert_eq!(
            error(&format!("{head}Name: ä")),
            HeaderError::NotPlain(Field::Name)
        );
        assert_eq!(
            error(&format!("{head}Name: a\0")),
            HeaderError::NotPlain(Field::Name)
        );
    }

    proptest! {
        #[test]
        fn never_panics(text in prop::collection::vec(any::<u8>(), 0..80)) {
            let _ = Headers::parse(&text);
        }

        #[test]
        fn lines_lose_nothing_but_their_ends(text in "[a\r\n]{0,20}") {
            let kept: usize = lines(text.as_bytes()).map(<[u8]>::len).sum();
            prop_assert_eq!(kept, text.matches('a').count());
        }
    }
}
