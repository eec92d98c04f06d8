//! OLPC canonical JSON: the bytes that are signed (TUF 4.1, reference A-3).
//!
//! No white space; object keys ascending by their (unescaped) bytes; in strings only `"` and `\`
//! escaped, every other byte raw; integers only. [`Writer`] produces it, [`is_canonical`] decides in
//! one scan whether received bytes already are it.

mod scan;
#[cfg(test)]
mod tests;

use std::borrow::Cow;

use crate::Value;

pub use scan::is_canonical;
pub(crate) use scan::{MAX_DEPTH, Scan, quote_or_backslash};

const HEX_DIGITS: &[u8; 16] = b"0123456789abcdef";

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
        let mut rest = text.as_bytes();
        while let Some(at) = quote_or_backslash(rest) {
            self.out.extend_from_slice(&rest[..at]);
            self.out.extend_from_slice(&[b'\\', rest[at]]);
            rest = &rest[at + 1..];
        }
        self.out.extend_from_slice(rest);
        self.out.push(b'"');
    }

    /// Writes bytes as a string of lower-case hex digits.
    pub fn hex(&mut self, bytes: &[u8]) {
        self.out.push(b'"');
        let at = self.out.len();
        self.out.resize(at + 2 * bytes.len(), 0);
        for (pair, byte) in self.out[at..].chunks_exact_mut(2).zip(bytes) {
            pair[0] = HEX_DIGITS[usize::from(byte >> 4)];
            pair[1] = HEX_DIGITS[usize::from(byte & 0xf)];
        }
        self.out.push(b'"');
    }

    /// Writes a non-negative integer.
    pub fn integer(&mut self, number: u64) {
        let (mut digits, mut at, mut left) = ([b'0'; 20], 20, number);
        loop {
            at -= 1;
            // A digit fits a byte.
            digits[at] = b'0' + (left % 10) as u8;
            left /= 10;
            if left == 0 {
                break;
            }
        }
        self.out.extend_from_slice(&digits[at..]);
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
