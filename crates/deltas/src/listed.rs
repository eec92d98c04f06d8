//! What a timestamp says of the deltas to its snapshot.

use std::collections::BTreeMap;

use metadata::{Sha256, Timestamp, Value, Version};

/// The member of a timestamp that lists them: by the version they start from, length and hashes as TUF 4.6
/// lists them of a file. Clients that do not know it read past it.
pub const MEMBER: &str = "x-snapshot-deltas";

/// One delta as a timestamp lists it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Its size in bytes.
    pub length: u64,
    /// Its digest.
    pub sha256: Sha256,
}

impl Listed {
    /// What to list of a delta.
    #[must_use]
    pub fn describing(delta: &[u8]) -> Self {
        Self {
            length: delta.len() as u64,
            sha256: Sha256::of(delta),
        }
    }

    /// Whether these are its bytes.
    #[must_use]
    pub fn fits(&self, delta: &[u8]) -> bool {
        delta.len() as u64 == self.length && Sha256::of(delta) == self.sha256
    }

    fn to_value(self) -> Value {
        let object = |members: [(&str, Value); 1]| {
            Value::Object(members.map(|(name, value)| (name.to_owned(), value)).into())
        };
        let hashes = object([("sha256", Value::String(self.sha256.to_string()))]);
        let length = Value::Integer(self.length.into());
        let members = [("hashes", hashes), ("length", length)];
        Value::Object(members.map(|(name, value)| (name.to_owned(), value)).into())
    }

    fn of(value: &Value) -> Option<Self> {
        let members = value.as_object()?;
        let Value::Integer(length) = members.get("length")? else {
            return None;
        };
        let sha256 = members
            .get("hashes")?
            .as_object()?
            .get("sha256")?
            .as_str()?;
        Some(Self {
            length: u64::try_from(*length).ok()?,
            sha256: Sha256::parse(sha256).ok()?,
        })
    }
}

/// The name of a delta below the folder of the metadata.
#[must_use]
pub fn file_name(new: Version, from: Version) -> String {
    format!("deltas/{new}-from-{from}.snapshot.zst")
}

/// Has a timestamp list these deltas to its snapshot, and no others.
pub fn list(timestamp: &mut Timestamp, deltas: &BTreeMap<Version, Listed>) {
    timestamp.extra.remove(MEMBER);
    if !deltas.is_empty() {
        let members = deltas
            .iter()
            .map(|(from, delta)| (from.to_string(), delta.to_value()));
        let all = Value::Object(members.collect());
        timestamp.extra.insert(MEMBER.to_owned(), all);
    }
}

/// Every delta that a timestamp lists. What cannot be read is none: deltas only save bytes.
#[must_use]
pub fn listed(timestamp: &Timestamp) -> BTreeMap<Version, Listed> {
    let members = timestamp.extra.get(MEMBER).and_then(Value::as_object);
    let members = members.into_iter().flatten();
    let read = |(from, value): (&String, &Value)| Some((version(from)?, Listed::of(value)?));
    members.filter_map(read).collect()
}

/// The delta from a snapshot of this version, if the timestamp lists one.
#[must_use]
pub fn listed_from(timestamp: &Timestamp, from: Version) -> Option<Listed> {
    let members = timestamp.extra.get(MEMBER)?.as_object()?;
    Listed::of(members.get(&from.to_string())?)
}

/// Only as it is written: no sign, no leading zero.
fn version(text: &str) -> Option<Version> {
    let version = Version::new(text.parse().ok()?).ok()?;
    (version.to_string() == text).then_some(version)
}

#[cfg(test)]
mod tests {
    use metadata::{Document, Expiry, MetaFile};

    use super::*;

    fn version_of(number: u64) -> Version {
        Version::new(number).unwrap()
    }

    fn timestamp() -> Timestamp {
        let expires = Expiry::parse("2030-01-01T00:00:00Z").unwrap();
        let snapshot = MetaFile::version_only(version_of(12));
        Timestamp::new(version_of(40), expires, snapshot)
    }

    #[test]
    fn what_is_listed_is_read_back_from_what_is_signed() {
        let delta = Listed::describing(b"bytes");
        let deltas: BTreeMap<_, _> = [9, 11].map(|from| (version_of(from), delta)).into();
        let mut document = timestamp();
        list(&mut document, &deltas);
        let signed = document.to_canonical();
        let text = String::from_utf8(signed.clone()).unwrap();
        assert!(
            text.contains(r#""x-snapshot-deltas":{"11":{"hashes":{"sha256":"#),
            "{text}"
        );
        let read = Timestamp::parse(&signed).unwrap();
        assert_eq!(listed(&read), deltas);
        assert_eq!(listed_from(&read, version_of(9)), Some(delta));
        assert_eq!(listed_from(&read, version_of(10)), None);
        assert!(delta.fits(b"bytes") && !delta.fits(b"byteS") && !delta.fits(b"byte"));
        list(&mut document, &BTreeMap::new());
        assert_eq!(document, timestamp());
    }

    #[test]
    fn what_cannot_be_read_is_no_delta_and_no_error() {
        let good = Listed::describing(b"bytes").to_value();
        for (from, value) in [
            ("09", good.clone()),
            ("+9", good.clone()),
            ("0", good.clone()),
            ("9", Value::Null),
            ("9", Value::String("9".to_owned())),
            ("9", Value::Object(BTreeMap::new())),
        ] {
            let mut document = timestamp();
            let member = Value::Object([(from.to_owned(), value)].into());
            document.extra.insert(MEMBER.to_owned(), member);
            assert_eq!(listed(&document), BTreeMap::new(), "{from}");
            assert_eq!(listed_from(&document, version_of(9)), None);
        }
        let mut document = timestamp();
        document.extra.insert(MEMBER.to_owned(), Value::Null);
        assert_eq!(listed(&document), BTreeMap::new());
    }

    #[test]
    fn names_are_those_of_the_design() {
        let name = file_name(version_of(12), version_of(9));
        assert_eq!(name, "deltas/12-from-9.snapshot.zst");
    }
}
