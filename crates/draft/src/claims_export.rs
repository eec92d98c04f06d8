//! What an index wrote down of its claims for a ceremony: who has registered which keys, since when, on
//! whose word. The ceremony freezes it by its digest.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use index::ProjectName;
use metadata::canonical::{Writer, to_json};
use metadata::{Expiry, KeyId, MetadataError, PublicKey, RoleKeys, Sha256, Value};

/// The documents on whose word keys were registered, by their digests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Evidence {
    /// The index's challenge.
    pub challenge: Sha256,
    /// The developers' request; none is taken twice.
    pub request: Sha256,
    /// The operator's grant.
    pub grant: Sha256,
}

/// Keys that are registered for a project.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegisteredKeys {
    /// The keys.
    pub keys: BTreeMap<KeyId, PublicKey>,
    /// How many of them have to sign.
    pub threshold: u32,
    /// When the index took them.
    pub received: DateTime<Utc>,
    /// On whose word; `None` for keys that a recovery found published.
    pub evidence: Option<Evidence>,
}

impl RegisteredKeys {
    /// As a delegator lists them.
    #[must_use]
    pub fn role_keys(&self) -> RoleKeys {
        RoleKeys {
            keyids: self.keys.keys().cloned().collect(),
            threshold: self.threshold,
        }
    }

    /// Whether enough of the keys of before signed the request that registered these: every key in a
    /// request has signed it.
    #[must_use]
    pub fn are_vouched_for_by(&self, before: &Self) -> bool {
        let stay = before.keys.keys().filter(|id| self.keys.contains_key(*id));
        stay.count() >= before.threshold as usize
    }
}

/// A project whose developers sign.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExportedClaim {
    /// Whether an offline role delegates to it; `recently-claimed` does otherwise.
    pub is_claimed: bool,
    /// Since when.
    pub since: DateTime<Utc>,
    /// The keys that its delegator lists.
    pub in_force: RegisteredKeys,
    /// Keys that are registered and not in force.
    pub next: Option<RegisteredKeys>,
}

/// Every project whose developers sign, as one canonical document.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClaimsExport {
    /// By name.
    pub projects: BTreeMap<ProjectName, ExportedClaim>,
    /// Bytes of the snapshot in force, which every role that a ceremony adds makes larger.
    pub snapshot_bytes: u64,
}

const TYPE: &str = "claims";
const SNAPSHOT_BYTES: &str = "snapshot_bytes";

/// The largest number that every reader of JSON reads as it stands (RFC 8259 section 6).
const MAX_INTEGER: u64 = (1 << 53) - 1;

impl ClaimsExport {
    /// Canonical JSON.
    #[must_use]
    pub fn to_canonical(&self) -> Vec<u8> {
        let projects = self.projects.iter();
        let projects = projects.map(|(name, claim)| (name.to_string(), claim.value()));
        Value::Object(BTreeMap::from([
            text("_type", TYPE),
            ("projects".to_owned(), Value::Object(projects.collect())),
            (
                SNAPSHOT_BYTES.to_owned(),
                Value::Integer(self.snapshot_bytes.into()),
            ),
        ]))
        .to_canonical()
    }

    /// Reads what [`Self::to_canonical`] wrote, and nothing else.
    pub fn parse(bytes: &[u8]) -> Result<Self, MetadataError> {
        let value = Value::parse(&to_json(bytes))?;
        let members = object(&value, TYPE)?;
        if member(members, "_type")?.as_str() != Some(TYPE) {
            return Err(MetadataError::member("_type", "is not `claims`"));
        }
        let mut projects = BTreeMap::new();
        for (name, claim) in object(member(members, "projects")?, "projects")? {
            let parsed = ProjectName::parse_normalized(name)
                .map_err(|error| MetadataError::member(name, error.to_string()))?;
            projects.insert(parsed, ExportedClaim::read(name, claim)?);
        }
        let snapshot_bytes = match member(members, SNAPSHOT_BYTES)? {
            Value::Integer(number) => u64::try_from(*number).ok(),
            _ => None,
        };
        let snapshot_bytes = snapshot_bytes.filter(|bytes| *bytes <= MAX_INTEGER);
        let read = Self {
            projects,
            snapshot_bytes: snapshot_bytes
                .ok_or_else(|| MetadataError::member(SNAPSHOT_BYTES, "is no size"))?,
        };
        if read.to_canonical() == bytes {
            return Ok(read);
        }
        Err(MetadataError::member(TYPE, "is not what an index writes"))
    }

    /// The part that some projects have in it.
    #[must_use]
    pub fn of<'a>(&self, names: impl IntoIterator<Item = &'a ProjectName>) -> Self {
        let claim = |name: &ProjectName| Some((name.clone(), self.projects.get(name)?.clone()));
        Self {
            projects: names.into_iter().filter_map(claim).collect(),
            snapshot_bytes: self.snapshot_bytes,
        }
    }

    /// The digest of who has registered which keys for these projects, whoever delegates to them: a
    /// project that was released since, or has other keys, changes it.
    #[must_use]
    pub fn registrations<'a>(&self, names: impl IntoIterator<Item = &'a ProjectName>) -> Sha256 {
        let registration = |name: &ProjectName| {
            let claim = self.projects.get(name).map(ExportedClaim::keys);
            let claim = claim.map_or(Value::Null, |keys| Value::Object(keys.into()));
            (name.to_string(), claim)
        };
        let projects = names.into_iter().map(registration).collect();
        let document = BTreeMap::from([
            text("_type", "registrations"),
            ("projects".to_owned(), Value::Object(projects)),
        ]);
        Sha256::of(&Value::Object(document).to_canonical())
    }
}

impl ExportedClaim {
    fn keys(&self) -> [(String, Value); 2] {
        let next = self.next.as_ref();
        [
            ("in_force".to_owned(), self.in_force.value()),
            (
                "next".to_owned(),
                next.map_or(Value::Null, RegisteredKeys::value),
            ),
        ]
    }

    fn value(&self) -> Value {
        let mut members = BTreeMap::from(self.keys());
        let stage = if self.is_claimed {
            "claimed"
        } else {
            "recently-claimed"
        };
        members.extend([
            text("stage", stage),
            text("since", &Expiry::at(self.since).to_string()),
        ]);
        Value::Object(members)
    }

    fn read(name: &str, value: &Value) -> Result<Self, MetadataError> {
        let members = object(value, name)?;
        let next = match member(members, "next")? {
            Value::Null => None,
            value => Some(RegisteredKeys::read(name, value)?),
        };
        Ok(Self {
            is_claimed: match member(members, "stage")?.as_str() {
                Some("claimed") => true,
                Some("recently-claimed") => false,
                _ => return Err(MetadataError::member(name, "has an unknown stage")),
            },
            since: time(name, member(members, "since")?)?,
            in_force: RegisteredKeys::read(name, member(members, "in_force")?)?,
            next,
        })
    }
}

impl RegisteredKeys {
    fn value(&self) -> Value {
        let keys = self.keys.iter();
        let keys = keys.map(|(id, key)| (id.to_string(), key_value(key)));
        let mut members = BTreeMap::from([
            ("keys".to_owned(), Value::Object(keys.collect())),
            (
                "threshold".to_owned(),
                Value::Integer(self.threshold.into()),
            ),
            text("received", &Expiry::at(self.received).to_string()),
        ]);
        if let Some(evidence) = self.evidence {
            members.extend([
                text("challenge", &evidence.challenge.to_string()),
                text("request", &evidence.request.to_string()),
                text("grant", &evidence.grant.to_string()),
            ]);
        }
        Value::Object(members)
    }

    fn read(name: &str, value: &Value) -> Result<Self, MetadataError> {
        let members = object(value, name)?;
        let mut keys = BTreeMap::new();
        for value in object(member(members, "keys")?, name)?.values() {
            let key = PublicKey::from_value(value)?;
            keys.insert(key.id(), key);
        }
        let threshold = match member(members, "threshold")? {
            Value::Integer(number) => u32::try_from(*number).ok(),
            _ => None,
        };
        let threshold = threshold.filter(|count| (1..=keys.len()).contains(&(*count as usize)));
        let digest = |what: &str| match members.get(what) {
            None => Ok(None),
            Some(value) => Sha256::parse(value.as_str().unwrap_or_default()).map(Some),
        };
        let digests = (digest("challenge")?, digest("request")?, digest("grant")?);
        let evidence = match digests {
            (Some(challenge), Some(request), Some(grant)) => Some(Evidence {
                challenge,
                request,
                grant,
            }),
            _ => None,
        };
        Ok(Self {
            threshold: threshold
                .ok_or_else(|| MetadataError::member(name, "has a threshold nobody can meet"))?,
            received: time(name, member(members, "received")?)?,
            evidence,
            keys,
        })
    }
}

fn text(name: &str, value: &str) -> (String, Value) {
    (name.to_owned(), Value::String(value.to_owned()))
}

fn object<'a>(value: &'a Value, what: &str) -> Result<&'a BTreeMap<String, Value>, MetadataError> {
    let is_none = || MetadataError::member(what, "is no object");
    value.as_object().ok_or_else(is_none)
}

fn member<'a>(
    members: &'a BTreeMap<String, Value>,
    name: &str,
) -> Result<&'a Value, MetadataError> {
    let is_missing = || MetadataError::member(name, "is missing");
    members.get(name).ok_or_else(is_missing)
}

fn time(name: &str, value: &Value) -> Result<DateTime<Utc>, MetadataError> {
    let text = value.as_str();
    let text = text.ok_or_else(|| MetadataError::member(name, "has a time that is none"))?;
    Ok(Expiry::parse(text)?.instant())
}

/// The KEY object as a value.
fn key_value(key: &PublicKey) -> Value {
    let mut out = Writer::new();
    key.write(&mut out);
    Value::parse(&to_json(&out.into_bytes())).unwrap_or(Value::Null)
}

#[cfg(test)]
pub(crate) mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::lints::samples::{key, now};

    pub(crate) fn registered(numbers: &[u8]) -> RegisteredKeys {
        let digest = |what: &str| Sha256::of(format!("{what} {numbers:?}").as_bytes());
        let keys = numbers.iter().map(|number| key(*number));
        RegisteredKeys {
            keys: keys.map(|key| (key.id(), key)).collect(),
            threshold: 1,
            received: now(),
            evidence: Some(Evidence {
                challenge: digest("challenge"),
                request: digest("request"),
                grant: digest("grant"),
            }),
        }
    }

    pub(crate) fn claim(is_claimed: bool, keys: &[u8], next: Option<&[u8]>) -> ExportedClaim {
        ExportedClaim {
            is_claimed,
            since: now(),
            in_force: registered(keys),
            next: next.map(registered),
        }
    }

    pub(crate) fn export(claims: &[(&str, ExportedClaim)]) -> ClaimsExport {
        let claims = claims.iter();
        let name = |name: &str| ProjectName::parse(name).unwrap();
        ClaimsExport {
            projects: claims
                .map(|(project, claim)| (name(project), claim.clone()))
                .collect(),
            snapshot_bytes: 5_000,
        }
    }

    fn sample() -> ClaimsExport {
        let mut recovered = claim(true, &[4, 5], None);
        recovered.in_force.evidence = None;
        export(&[
            ("alpha", claim(false, &[1, 2], None)),
            ("beta", claim(true, &[3], Some(&[6]))),
            ("gamma", recovered),
        ])
    }

    #[test]
    fn what_is_written_is_read_again_and_nothing_else() {
        let one = sample();
        let bytes = one.to_canonical();
        assert_eq!(ClaimsExport::parse(&bytes).unwrap(), one);
        let text = String::from_utf8(bytes).unwrap();
        for (from, to) in [
            ("\"claims\"", "\"claim\""),
            ("recently-claimed", "registered"),
            ("\"threshold\":1", "\"threshold\":3"),
            ("\"threshold\":1", "\"threshold\":0"),
            ("\"threshold\":1", "\"threshold\":1,\"x\":1"),
            ("alpha", "Alpha"),
            (":5000", ":-1"),
            (":5000", ":9007199254740992"),
            (":5000", ":\"5000\""),
            ("snapshot_bytes", "snapshot"),
            ("\"in_force\"", "\"in-force\""),
            ("Z\"", "\""),
            ("{", " {"),
            (
                &registered(&[3]).keys.keys().next().unwrap().to_string(),
                &"0".repeat(64),
            ),
        ] {
            assert!(text.contains(from), "{from}");
            let other = text.replacen(from, to, 1);
            assert!(ClaimsExport::parse(other.as_bytes()).is_err(), "{from}");
        }
    }

    /// Who delegates, and since when, is no difference; keys and the word for them are.
    #[test]
    fn the_digest_is_of_registrations() {
        let (one, names) = (sample(), ["alpha", "beta", "gamma"]);
        let names = names.map(|name| ProjectName::parse(name).unwrap());
        let of = |export: &ClaimsExport| export.registrations(&names);
        let changed = |change: fn(&mut ExportedClaim)| {
            let mut other = sample();
            change(other.projects.get_mut(&names[1]).unwrap());
            of(&other)
        };
        assert_eq!(changed(|claim| claim.is_claimed = false), of(&one));
        assert_eq!(
            changed(|claim| claim.since += chrono::TimeDelta::days(1)),
            of(&one)
        );
        for change in [
            (|claim: &mut ExportedClaim| claim.next = None) as fn(&mut ExportedClaim),
            |claim| claim.in_force = registered(&[9]),
            |claim| claim.in_force.evidence = registered(&[9]).evidence,
            |claim| claim.next = Some(registered(&[3])),
        ] {
            assert_ne!(changed(change), of(&one));
        }
        let mut gone = sample();
        gone.projects.remove(&names[1]);
        assert_ne!(of(&gone), of(&one));
        assert_ne!(one.registrations(&names[1..]), of(&one));
    }

    #[test]
    fn enough_keys_of_before_vouch() {
        let mut before = registered(&[1, 2, 3]);
        before.threshold = 2;
        assert!(registered(&[1, 2, 9]).are_vouched_for_by(&before));
        assert!(!registered(&[1, 9]).are_vouched_for_by(&before));
        assert!(!registered(&[9]).are_vouched_for_by(&registered(&[1])));
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200), at in 0usize..900) {
            let _ = ClaimsExport::parse(&bytes);
            let mut text = sample().to_canonical();
            let at = at % text.len();
            text.splice(at..at, bytes);
            let _ = ClaimsExport::parse(&text);
        }
    }
}
