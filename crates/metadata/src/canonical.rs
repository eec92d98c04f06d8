//! OLPC canonical JSON: the bytes that are signed (TUF 4.1, reference A-3).
//!
//! No white space; object keys ascending by their (unescaped) bytes; in strings only `"` and `\`
//! escaped, every other byte raw; integers only. [`Writer`] produces it, [`is_canonical`] decides in
//! one scan whether received bytes already are it.

use std::borrow::Cow;

use crate::Value;

/// Writes canonical JSON piece by piece. The caller gives object keys in ascending order; that is
/// checked in debug builds, and [`is_canonical`] checks every document before it is signed.
#[derive(Default)]
pub struct Writer {
    out: Vec<u8>,
    fresh: bool,
}

impl Writer {
    /// An empty writer.
    #[must_use]
    pub fn new() -> Self {
        Self::with_capacity(256)
    }

    /// An empty writer with room for `bytes`.
    #[must_use]
    pub fn with_capacity(bytes: usize) -> Self {
        Self {
            out: Vec::with_capacity(bytes),
            fresh: true,
        }
    }

    /// What has been written.
    #[must_use]
    pub fn into_bytes(self) -> Vec<u8> {
        self.out
    }

    /// Writes an object whose members `fill` writes with [`Writer::key`] and one value each.
    pub fn object(&mut self, fill: impl FnOnce(&mut Self)) {
        self.nested(b'{', b'}', fill);
    }

    /// Writes an array whose items `fill` writes, each after [`Writer::item`].
    pub fn array(&mut self, fill: impl FnOnce(&mut Self)) {
        self.nested(b'[', b']', fill);
    }

    fn nested(&mut self, open: u8, close: u8, fill: impl FnOnce(&mut Self)) {
        self.out.push(open);
        let outer_fresh = std::mem::replace(&mut self.fresh, true);
        fill(self);
        self.fresh = outer_fresh;
        self.out.push(close);
    }

    /// Starts the next item of an array.
    pub fn item(&mut self) -> &mut Self {
        if !std::mem::replace(&mut self.fresh, false) {
            self.out.push(b',');
        }
        self
    }

    /// Starts the next member of an object; its value follows.
    pub fn key(&mut self, key: &str) -> &mut Self {
        self.item();
        self.string(key);
        self.out.push(b':');
        self
    }

    /// Writes a string.
    pub fn string(&mut self, text: &str) {
        self.out.push(b'"');
        if text.bytes().any(|b| matches!(b, b'"' | b'\\')) {
            for byte in text.bytes() {
                if matches!(byte, b'"' | b'\\') {
                    self.out.push(b'\\');
                }
                self.out.push(byte);
            }
        } else {
            self.out.extend_from_slice(text.as_bytes());
        }
        self.out.push(b'"');
    }

    /// Writes a non-negative integer.
    pub fn integer(&mut self, number: u64) {
        self.out.extend_from_slice(number.to_string().as_bytes());
    }

    /// Writes `true` or `false`.
    pub fn bool(&mut self, value: bool) {
        self.out
            .extend_from_slice(if value { b"true" } else { b"false" });
    }

    /// Writes bytes that are canonical JSON already.
    pub fn raw(&mut self, canonical: &[u8]) {
        self.out.extend_from_slice(canonical);
    }

    /// Writes any value.
    pub fn value(&mut self, value: &Value) {
        match value {
            Value::Null => self.raw(b"null"),
            Value::Bool(value) => self.bool(*value),
            Value::Integer(number) => self.raw(number.to_string().as_bytes()),
            Value::String(text) => self.string(text),
            Value::Array(items) => self.array(|out| {
                for item in items {
                    out.item().value(item);
                }
            }),
            Value::Object(members) => self.object(|out| {
                for (key, value) in members {
                    out.key(key).value(value);
                }
            }),
        }
    }
}

/// The same document as JSON. Canonical strings hold control characters raw, which JSON forbids: the
/// line ends of PEM keys are the ones that occur. Readers who parse this and write the canonical form
/// get the bytes that were signed; text without control characters is returned as it is.
#[must_use]
pub fn to_json(canonical: &[u8]) -> Cow<'_, [u8]> {
    if !has_control(canonical) {
        return Cow::Borrowed(canonical);
    }
    let mut out = Vec::with_capacity(canonical.len() + 64);
    for byte in canonical {
        match byte {
            b'\n' => out.extend_from_slice(b"\\n"),
            0..0x20 => out.extend_from_slice(format!("\\u{byte:04x}").as_bytes()),
            _ => out.push(*byte),
        }
    }
    Cow::Owned(out)
}

/// Whether a control character stands in `text`. Looks at whole blocks without a way out in between,
/// which the compiler turns into a few instructions per 16 bytes: bins are scanned by the megabyte.
#[must_use]
pub fn has_control(text: &[u8]) -> bool {
    let least = |block: &[u8]| block.iter().copied().min();
    text.chunks(4096).any(|block| least(block) < Some(0x20))
}

/// Decides in one scan whether `text` is one canonical JSON value: then it may be verified as it
/// stands. Canonical objects have strictly ascending keys, so no key stands twice in them.
#[must_use]
pub fn is_canonical(text: &[u8]) -> bool {
    let mut scan = Scan { rest: text };
    scan.value(MAX_DEPTH).is_some() && scan.rest.is_empty() && std::str::from_utf8(text).is_ok()
}

/// As deep as `serde_json` goes, which gives up at the 128th level; the scan recurses, so it needs a
/// bound of its own.
const MAX_DEPTH: usize = 127;

struct Scan<'a> {
    rest: &'a [u8],
}

impl<'a> Scan<'a> {
    fn value(&mut self, depth: usize) -> Option<()> {
        match self.rest.first()? {
            b'{' => self.object(depth.checked_sub(1)?),
            b'[' => self.array(depth.checked_sub(1)?),
            b'"' => self.string().map(drop),
            b't' => self.literal(b"true"),
            b'f' => self.literal(b"false"),
            b'n' => self.literal(b"null"),
            _ => self.integer(),
        }
    }

    fn object(&mut self, depth: usize) -> Option<()> {
        self.literal(b"{")?;
        if self.literal(b"}").is_some() {
            return Some(());
        }
        let mut previous: Option<&[u8]> = None;
        loop {
            let key = self.string()?;
            if previous.is_some_and(|previous| !ascending(previous, key)) {
                return None;
            }
            previous = Some(key);
            self.literal(b":")?;
            self.value(depth)?;
            if self.literal(b"}").is_some() {
                return Some(());
            }
            self.literal(b",")?;
        }
    }

    fn array(&mut self, depth: usize) -> Option<()> {
        self.literal(b"[")?;
        if self.literal(b"]").is_some() {
            return Some(());
        }
        loop {
            self.value(depth)?;
            if self.literal(b"]").is_some() {
                return Some(());
            }
            self.literal(b",")?;
        }
    }

    /// The text between the quotes, escapes and all.
    fn string(&mut self) -> Option<&'a [u8]> {
        self.literal(b"\"")?;
        let text = self.rest;
        let mut at = 0;
        loop {
            match *text.get(at)? {
                b'"' => break,
                b'\\' if matches!(text.get(at + 1)?, b'"' | b'\\') => at += 2,
                b'\\' => return None,
                _ => at += 1,
            }
        }
        self.rest = &text[at + 1..];
        Some(&text[..at])
    }

    /// An integer of 64 bits without sign of zero, leading zeros, fraction or exponent.
    fn integer(&mut self) -> Option<()> {
        let sign = usize::from(self.rest.first() == Some(&b'-'));
        let digits = self.rest[sign..]
            .iter()
            .take_while(|b| b.is_ascii_digit())
            .count();
        let number = std::str::from_utf8(&self.rest[..sign + digits]).ok()?;
        let canonical = match self.rest.get(sign)? {
            b'0' => sign == 0 && digits == 1,
            _ => number.parse::<u64>().is_ok() || number.parse::<i64>().is_ok(),
        };
        self.rest = &self.rest[sign + digits..];
        canonical.then_some(())
    }

    fn literal(&mut self, literal: &[u8]) -> Option<()> {
        self.rest = self.rest.strip_prefix(literal)?;
        Some(())
    }
}

/// Whether two keys, still escaped, are in strictly ascending order of their unescaped bytes.
fn ascending(first: &[u8], second: &[u8]) -> bool {
    if first.contains(&b'\\') || second.contains(&b'\\') {
        unescaped(first).lt(unescaped(second))
    } else {
        first < second
    }
}

fn unescaped(key: &[u8]) -> impl Iterator<Item = u8> + '_ {
    let mut escaped = false;
    key.iter().copied().filter(move |byte| {
        escaped = !escaped && *byte == b'\\';
        !escaped
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn canonical(text: &str) -> String {
        String::from_utf8(Value::parse(text.as_bytes()).unwrap().to_canonical()).unwrap()
    }

    /// The reference encoder's answers (reference A.1), where olpc-cjson 0.1.4 answers otherwise.
    #[test]
    fn agrees_with_the_reference_encoder() {
        for (input, expected) in [
            (r#"{"a!":2,"a":1}"#, r#"{"a":1,"a!":2}"#),
            (r#"{"a b":2,"a":1}"#, r#"{"a":1,"a b":2}"#),
            (r#"{"a#b":2,"a\"b":1}"#, r#"{"a\"b":1,"a#b":2}"#),
            (r#"{"e\u0301":1}"#, "{\"e\u{301}\":1}"),
            (r#"{"k":"line\nbreak"}"#, "{\"k\":\"line\nbreak\"}"),
            (r#"{"k":"\u0000\u001f\/"}"#, "{\"k\":\"\0\u{1f}/\"}"),
            (
                "[true, false, null, -1, 0, 18446744073709551615]",
                "[true,false,null,-1,0,18446744073709551615]",
            ),
            (
                r#"{"b":{"d":[],"c":{}},"a":""}"#,
                r#"{"a":"","b":{"c":{},"d":[]}}"#,
            ),
        ] {
            assert_eq!(canonical(input), expected);
            assert!(is_canonical(expected.as_bytes()), "{expected}");
        }
    }

    #[test]
    fn the_scan_refuses_everything_else() {
        for text in [
            "",
            " 1",
            "1 ",
            "01",
            "-0",
            "-",
            "1.0",
            "1e1",
            "18446744073709551616",
            "[1, 2]",
            "[1,]",
            r#"{"b":1,"a":2}"#,
            r#"{"a":1,"a":2}"#,
            r#"{"a":1,}"#,
            r#""\u0061""#,
            r#""\n""#,
            "\"a",
            "nul",
            "{}{}",
            r#"{"a#b":2,"a\"b":1}"#,
        ] {
            assert!(!is_canonical(text.as_bytes()), "{text}");
        }
        assert!(!is_canonical(&[b'"', 0xff, b'"']));
        assert!(!is_canonical("[".repeat(100_000).as_bytes()));
    }

    #[test]
    fn the_scan_goes_as_deep_as_the_parser() {
        for depth in [127, 128] {
            let text = "[".repeat(depth) + &"]".repeat(depth);
            assert_eq!(is_canonical(text.as_bytes()), depth == 127);
            assert_eq!(Value::parse(text.as_bytes()).is_ok(), depth == 127);
        }
    }

    #[test]
    fn control_characters_are_found_wherever_they_are() {
        let mut text = vec![b' '; 10_000];
        assert!(!has_control(&text) && !has_control(b""));
        for at in [0, 4095, 4096, 9_999] {
            for control in [0, 0x1f] {
                text[at] = control;
                assert!(has_control(&text), "{at}");
            }
            text[at] = 0xff;
        }
        assert!(!has_control(&text));
    }

    fn any_value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::Bool),
            any::<i64>().prop_map(|n| Value::Integer(n.into())),
            any::<u64>().prop_map(|n| Value::Integer(n.into())),
            "(?s).{0,8}|[\0-\u{1f}]{0,3}".prop_map(Value::String),
        ];
        leaf.prop_recursive(4, 32, 5, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..5).prop_map(Value::Array),
                prop::collection::btree_map("[\n -~\u{301}]{0,4}", inner, 0..5)
                    .prop_map(Value::Object),
            ]
        })
    }

    proptest! {
        /// What is written is canonical, and as JSON reads back as the same value.
        #[test]
        fn written_is_canonical(value in any_value()) {
            let bytes = value.to_canonical();
            prop_assert!(is_canonical(&bytes));
            prop_assert_eq!(Value::parse(&to_json(&bytes)).unwrap(), value);
        }

        /// A text the scan accepts is its own canonical form.
        #[test]
        fn accepted_is_its_own_form(text in r#"[\[\]{}",:\\ab0-9 -]{0,24}"#) {
            if is_canonical(text.as_bytes()) {
                let value = Value::parse(text.as_bytes()).unwrap();
                prop_assert_eq!(value.to_canonical(), text.as_bytes());
            }
        }
    }
}
