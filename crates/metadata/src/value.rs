//! A JSON value of the subset TUF allows: integers only, no key twice (TUF 4.1, reference A-2, A-7).

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{self, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

use crate::error::{JsonFlaw, excerpt};
use crate::{MetadataError, canonical};

/// A parsed JSON value. Objects are kept in canonical key order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// An integer of 64 bits, signed or not.
    Integer(i128),
    /// A string.
    String(String),
    /// An array.
    Array(Vec<Value>),
    /// An object.
    Object(BTreeMap<String, Value>),
}

impl Value {
    /// Parses one value that fills all of `text`. Nesting is limited to 128 by `serde_json`.
    pub fn parse(text: &[u8]) -> Result<Self, MetadataError> {
        let mut input = serde_json::Deserializer::from_slice(text);
        let value = ValueSeed
            .deserialize(&mut input)
            .map_err(|e| json_error(text, &e))?;
        input.end().map_err(|e| json_error(text, &e))?;
        Ok(value)
    }

    /// The canonical bytes of the value (OLPC canonical JSON).
    #[must_use]
    pub fn to_canonical(&self) -> Vec<u8> {
        let mut out = canonical::Writer::new();
        out.value(self);
        out.into_bytes()
    }

    /// The members, if this is an object.
    #[must_use]
    pub fn as_object(&self) -> Option<&BTreeMap<String, Self>> {
        match self {
            Self::Object(members) => Some(members),
            _ => None,
        }
    }

    /// The text, if this is a string.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(text) => Some(text),
            _ => None,
        }
    }
}

/// Turns `serde_json`'s error into ours, with the offset of its line and column.
pub(crate) fn json_error(text: &[u8], error: &serde_json::Error) -> MetadataError {
    let line_start = text
        .split_inclusive(|b| *b == b'\n')
        .take(error.line().saturating_sub(1))
        .map(<[u8]>::len)
        .sum::<usize>();
    let at = line_start + error.column();
    let message = error.to_string();
    let plain = message.split(" at line ").next().unwrap_or(&message);
    let why = if let Some(key) = plain.strip_prefix(DUPLICATE) {
        JsonFlaw::DuplicateKey(key.to_owned())
    } else if let Some(rest) = plain.strip_prefix("duplicate field ") {
        JsonFlaw::DuplicateKey(rest.trim_matches('`').to_owned())
    } else if plain == NUMBER {
        JsonFlaw::Number
    } else if plain == "trailing characters" {
        JsonFlaw::Trailing
    } else {
        JsonFlaw::Syntax(excerpt(plain))
    };
    MetadataError::Json { at, why }
}

const DUPLICATE: &str = "duplicate key: ";
const NUMBER: &str = "number is no integer";

/// The error `serde` visitors return for a key that stands twice.
pub(crate) fn duplicate_key<E: de::Error>(key: &str) -> E {
    E::custom(format!("{DUPLICATE}{}", excerpt(key)))
}

/// Deserializes any [`Value`]; also used to walk over members nobody knows, so that a repeated key
/// is refused there too.
pub(crate) struct ValueSeed;

impl<'de> DeserializeSeed<'de> for ValueSeed {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, input: D) -> Result<Value, D::Error> {
        input.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for ValueSeed {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value without floating-point numbers")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Integer(i128::from(value)))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Integer(i128::from(value)))
    }

    fn visit_f64<E: de::Error>(self, _: f64) -> Result<Value, E> {
        Err(E::custom(NUMBER))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut out = Vec::new();
        while let Some(item) = items.next_element_seed(Self)? {
            out.push(item);
        }
        Ok(Value::Array(out))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut out = BTreeMap::new();
        while let Some(key) = members.next_key::<String>()? {
            let value = members.next_value_seed(Self)?;
            if out.contains_key(&key) {
                return Err(duplicate_key(&key));
            }
            out.insert(key, value);
        }
        Ok(Value::Object(out))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flaw(text: &str) -> JsonFlaw {
        match Value::parse(text.as_bytes()) {
            Err(MetadataError::Json { why, .. }) => why,
            other => panic!("{text}: {other:?}"),
        }
    }

    #[test]
    fn refuses_duplicates_floats_and_trailing_text() {
        assert_eq!(
            flaw(r#"{"a":{"b":1,"b":2}}"#),
            JsonFlaw::DuplicateKey("b".into())
        );
        assert_eq!(
            flaw(r#"{"a":1,"\u0061":2}"#),
            JsonFlaw::DuplicateKey("a".into())
        );
        assert_eq!(flaw("1.0"), JsonFlaw::Number);
        assert_eq!(flaw("1e3"), JsonFlaw::Number);
        assert_eq!(flaw("18446744073709551616"), JsonFlaw::Number);
        assert_eq!(flaw("1 2"), JsonFlaw::Trailing);
        assert!(matches!(flaw(&"[".repeat(200)), JsonFlaw::Syntax(_)));
        assert!(matches!(flaw(""), JsonFlaw::Syntax(_)));
    }

    #[test]
    fn errors_carry_the_offset() {
        let Err(MetadataError::Json { at, .. }) = Value::parse(b"{\n\"a\":1,\n\"a\":2}") else {
            panic!("accepted")
        };
        assert!(at > 9, "{at}");
    }
}
