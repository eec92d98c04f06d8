//! Takes a JSON object apart into its members, each still text, so that every document reads its
//! own members with its own types and keeps the ones it does not know (TUF 4, reference A-4).

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::canonical::{MAX_DEPTH, Scan, has_control};
use crate::value::{duplicate_key, json_error};
use crate::{Expiry, MetadataError, Value, Version};

/// The members of one object, in the order found, none twice.
#[derive(Debug)]
pub struct Members<'a>(Vec<(Cow<'a, str>, &'a str)>);

impl<'a> Members<'a> {
    pub(crate) fn parse(text: &'a [u8]) -> Result<Self, MetadataError> {
        if let Some(members) = Self::canonical(text) {
            return Ok(members);
        }
        let entries: Entries<&'a RawValue, Text<'a>> = from_slice(text)?;
        let plain = |(Text(key), raw): (_, &'a RawValue)| (key, raw.get());
        Ok(Self(entries.0.into_iter().map(plain).collect()))
    }

    /// The members of canonical text that is JSON too, in one scan.
    fn canonical(text: &'a [u8]) -> Option<Self> {
        let mut scan = Scan::new(text)?;
        let members = Self::scan(&mut scan, MAX_DEPTH)?;
        (scan.is_at_end() && !has_control(text)).then_some(members)
    }

    /// The members of the object a scan stands before. Whoever scans makes sure that there is no
    /// control character in the text: canonical strings hold them, JSON does not.
    pub(crate) fn scan(scan: &mut Scan<'a>, depth: usize) -> Option<Self> {
        let (mut members, depth) = (Vec::with_capacity(8), depth.checked_sub(1)?);
        scan.object(|scan, key| {
            members.push((Cow::Borrowed(key.plain()?), scan.raw(depth)?));
            Some(())
        })?;
        Some(Self(members))
    }

    /// Removes a member and returns its text.
    pub(crate) fn take(&mut self, member: &str) -> Option<&'a str> {
        let at = self.0.iter().position(|(key, _)| key == member)?;
        Some(self.0.swap_remove(at).1)
    }

    /// Removes a member and reads it as `T`; its absence is an error.
    pub(crate) fn read<T: Deserialize<'a>>(&mut self, member: &str) -> Result<T, MetadataError> {
        let raw = self
            .take(member)
            .ok_or_else(|| MetadataError::member(member, "is missing"))?;
        read_raw(member, raw)
    }

    /// Removes a member, if it is there, and reads it as `T`.
    pub(crate) fn read_optional<T: Deserialize<'a>>(
        &mut self,
        member: &str,
    ) -> Result<Option<T>, MetadataError> {
        self.take(member)
            .map(|raw| read_raw(member, raw))
            .transpose()
    }

    /// What every role document begins with: type, spec version, version, expiry (TUF 4.3–4.6).
    pub(crate) fn header(&mut self, expected: &'static str) -> Result<Header, MetadataError> {
        let found: String = self.read("_type")?;
        if found != expected {
            return Err(MetadataError::DocumentType {
                expected,
                found: crate::error::excerpt(&found),
            });
        }
        let spec: String = self.read("spec_version")?;
        let numeric = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        if spec.split('.').next() != Some("1") || !spec.split('.').all(numeric) {
            return Err(MetadataError::SpecVersion {
                found: crate::error::excerpt(&spec),
            });
        }
        let version = Version::new(self.read("version")?)?;
        let expires = Expiry::parse(&self.read::<String>("expires")?)?;
        Ok(Header {
            spec_version: spec,
            version,
            expires,
        })
    }

    /// The members nobody took, as values.
    pub(crate) fn rest(self) -> Result<BTreeMap<String, Value>, MetadataError> {
        self.0
            .into_iter()
            .map(|(key, raw)| Ok((key.into_owned(), Value::parse(raw.as_bytes())?)))
            .collect()
    }
}

pub(crate) struct Header {
    pub(crate) spec_version: String,
    pub(crate) version: Version,
    pub(crate) expires: Expiry,
}

pub(crate) fn read_raw<'a, T: Deserialize<'a>>(
    member: &str,
    raw: &'a str,
) -> Result<T, MetadataError> {
    serde_json::from_str(raw)
        .map_err(|e| MetadataError::member(member, crate::error::excerpt(&e.to_string())))
}

pub(crate) fn from_slice<'a, T: Deserialize<'a>>(text: &'a [u8]) -> Result<T, MetadataError> {
    serde_json::from_slice(text).map_err(|e| json_error(text, &e))
}

/// A JSON object as a list, refused if a key stands twice. The check sorts only when the keys are
/// not already ascending, which they are in everything we wrote.
pub(crate) struct Entries<V, K = String>(pub(crate) Vec<(K, V)>);

/// A string that stays where it was read, if it has no escapes.
#[derive(serde::Deserialize, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Text<'a>(#[serde(borrow)] pub(crate) Cow<'a, str>);

impl AsRef<str> for Text<'_> {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl<'de, V, K> Deserialize<'de> for Entries<V, K>
where
    V: Deserialize<'de>,
    K: Deserialize<'de> + Ord + AsRef<str>,
{
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        input.deserialize_map(EntriesVisitor(PhantomData))
    }
}

struct EntriesVisitor<V, K>(PhantomData<(V, K)>);

impl<'de, V, K> Visitor<'de> for EntriesVisitor<V, K>
where
    V: Deserialize<'de>,
    K: Deserialize<'de> + Ord + AsRef<str>,
{
    type Value = Entries<V, K>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Entries<V, K>, A::Error> {
        let mut out: Vec<(K, V)> = Vec::new();
        let mut ascending = true;
        while let Some((key, value)) = members.next_entry::<K, V>()? {
            ascending &= out.last().is_none_or(|(last, _)| *last < key);
            out.push((key, value));
        }
        if !ascending {
            let mut keys: Vec<&str> = out.iter().map(|(key, _)| key.as_ref()).collect();
            keys.sort_unstable();
            if let Some(pair) = keys.windows(2).find(|pair| pair[0] == pair[1]) {
                return Err(duplicate_key(pair[0]));
            }
        }
        Ok(Entries(out))
    }
}

type WriteMember<'a> = Box<dyn FnOnce(&mut crate::canonical::Writer) + 'a>;

/// Writes members in ascending key order, whatever order they are given in: the known ones with
/// their writers, the unknown ones as values.
pub(crate) struct MemberWriter<'a> {
    members: Vec<(&'a str, WriteMember<'a>)>,
}

impl<'a> MemberWriter<'a> {
    pub(crate) fn new(extra: &'a BTreeMap<String, Value>) -> Self {
        let mut out = Self {
            members: Vec::with_capacity(extra.len() + 8),
        };
        for (key, value) in extra {
            out.add(key, move |w| w.value(value));
        }
        out
    }

    pub(crate) fn header(
        &mut self,
        document_type: &'static str,
        spec_version: &'a str,
        version: Version,
        expires: Expiry,
    ) {
        self.add("_type", move |w| w.string(document_type));
        self.add("spec_version", move |w| w.string(spec_version));
        self.add("version", move |w| w.integer(version.get()));
        self.add("expires", move |w| w.string(&expires.to_string()));
    }

    pub(crate) fn add(
        &mut self,
        key: &'a str,
        write: impl FnOnce(&mut crate::canonical::Writer) + 'a,
    ) {
        self.members.push((key, Box::new(write)));
    }

    pub(crate) fn write(mut self, out: &mut crate::canonical::Writer) {
        self.members.sort_by_key(|(key, _)| *key);
        out.object(|out| {
            for (key, write) in self.members {
                write(out.key(key));
            }
        });
    }
}
