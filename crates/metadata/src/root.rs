//! root.json: the keys and thresholds of the top-level roles (TUF 4.3).

use std::collections::BTreeMap;

use crate::canonical::Writer;
use crate::document::{Document, SPEC_VERSION};
use crate::members::{Entries, MemberWriter, Members};
use crate::{Expiry, KeyId, MetadataError, PublicKey, Role, Value, Version};

/// Which keys speak for a role, and how many of them must (TUF 4.3 ROLE).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoleKeys {
    /// Key ids, in the order listed, none twice.
    pub keyids: Vec<KeyId>,
    /// Signatures needed; at least 1.
    pub threshold: u32,
}

/// The root document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Root {
    /// `spec_version` as written.
    pub spec_version: String,
    /// Consecutive: N+1 follows N.
    pub version: Version,
    /// Checked on the last root of a chain only (TUF 5.3.10).
    pub expires: Expiry,
    /// Whether files are named by version and hash (TUF 6.2.1).
    pub consistent_snapshot: bool,
    /// All keys, by key id.
    pub keys: BTreeMap<KeyId, PublicKey>,
    /// Keys of the root role.
    pub root: RoleKeys,
    /// Keys of the timestamp role.
    pub timestamp: RoleKeys,
    /// Keys of the snapshot role.
    pub snapshot: RoleKeys,
    /// Keys of the top-level targets role.
    pub targets: RoleKeys,
    /// Members this program does not know; kept and written again.
    pub extra: BTreeMap<String, Value>,
}

impl Root {
    /// The keys of a top-level role; `None` for a delegated one.
    #[must_use]
    pub fn role_keys(&self, role: &Role) -> Option<&RoleKeys> {
        match role {
            Role::Root => Some(&self.root),
            Role::Timestamp => Some(&self.timestamp),
            Role::Snapshot => Some(&self.snapshot),
            Role::Targets => Some(&self.targets),
            Role::Delegated(_) => None,
        }
    }

    /// A first root with the current spec version and no unknown members.
    #[must_use]
    pub fn new(
        version: Version,
        expires: Expiry,
        keys: BTreeMap<KeyId, PublicKey>,
        [root, timestamp, snapshot, targets]: [RoleKeys; 4],
    ) -> Self {
        Self {
            spec_version: SPEC_VERSION.to_owned(),
            version,
            expires,
            consistent_snapshot: true,
            keys,
            root,
            timestamp,
            snapshot,
            targets,
            extra: BTreeMap::new(),
        }
    }
}

impl Document for Root {
    const TYPE: &'static str = "root";

    fn from_members(mut members: Members<'_>) -> Result<Self, MetadataError> {
        let header = members.header(Self::TYPE)?;
        let consistent_snapshot = members
            .read_optional("consistent_snapshot")?
            .unwrap_or(false);
        let keys = members
            .take("keys")
            .ok_or_else(|| MetadataError::member("keys", "is missing"))
            .and_then(read_keys)?;
        let mut roles: BTreeMap<String, RoleKeysWire> = members
            .read::<Entries<RoleKeysWire>>("roles")?
            .0
            .into_iter()
            .collect();
        let mut take = |name: &str| {
            let member = format!("roles.{name}");
            let wire = roles
                .remove(name)
                .ok_or_else(|| MetadataError::member(&member, "is missing"))?;
            wire.check(&member)
        };
        Ok(Self {
            spec_version: header.spec_version,
            version: header.version,
            expires: header.expires,
            consistent_snapshot,
            root: take("root")?,
            timestamp: take("timestamp")?,
            snapshot: take("snapshot")?,
            targets: take("targets")?,
            keys,
            extra: members.rest()?,
        })
    }

    fn write(&self, out: &mut Writer) {
        let mut members = MemberWriter::new(&self.extra);
        members.header(Self::TYPE, &self.spec_version, self.version, self.expires);
        members.add("consistent_snapshot", |out| {
            out.bool(self.consistent_snapshot);
        });
        members.add("keys", |out| write_keys(&self.keys, out));
        members.add("roles", |out| {
            out.object(|out| {
                self.root.write(out.key("root"));
                self.snapshot.write(out.key("snapshot"));
                self.targets.write(out.key("targets"));
                self.timestamp.write(out.key("timestamp"));
            });
        });
        members.write(out);
    }

    fn version(&self) -> Version {
        self.version
    }

    fn expires(&self) -> Expiry {
        self.expires
    }

    fn keys(&self) -> Option<&BTreeMap<KeyId, PublicKey>> {
        Some(&self.keys)
    }
}

impl RoleKeys {
    fn write(&self, out: &mut Writer) {
        out.object(|out| {
            self.write_members(out);
        });
    }

    /// `keyids` only; `threshold` sorts after other members of a delegation.
    pub(crate) fn write_keyids(&self, out: &mut Writer) {
        out.key("keyids").array(|out| {
            for keyid in &self.keyids {
                out.item().string(keyid.as_str());
            }
        });
    }

    fn write_members(&self, out: &mut Writer) {
        self.write_keyids(out);
        out.key("threshold").integer(u64::from(self.threshold));
    }
}

/// `keyids` and `threshold` as they stand on the wire.
#[derive(serde::Deserialize)]
pub(crate) struct RoleKeysWire {
    keyids: Vec<String>,
    threshold: u64,
}

impl RoleKeysWire {
    pub(crate) fn new(keyids: Vec<String>, threshold: u64) -> Self {
        Self { keyids, threshold }
    }

    /// A positive threshold, no key id twice (TUF 4.3, 4.5; reference ).
    pub(crate) fn check(self, member: &str) -> Result<RoleKeys, MetadataError> {
        let threshold = u32::try_from(self.threshold)
            .ok()
            .filter(|threshold| *threshold > 0)
            .ok_or_else(|| MetadataError::member(member, "threshold is not 1 to 2^32-1"))?;
        let keyids = self
            .keyids
            .into_iter()
            .map(KeyId::parse)
            .collect::<Result<Vec<_>, MetadataError>>()?;
        let mut sorted: Vec<&KeyId> = keyids.iter().collect();
        sorted.sort_unstable();
        if sorted.windows(2).any(|pair| pair[0] == pair[1]) {
            return Err(MetadataError::member(member, "lists one keyid twice"));
        }
        Ok(RoleKeys { keyids, threshold })
    }
}

pub(crate) fn read_keys(text: &str) -> Result<BTreeMap<KeyId, PublicKey>, MetadataError> {
    let value = Value::parse(text.as_bytes())?;
    let members = value
        .as_object()
        .ok_or_else(|| MetadataError::member("keys", "is no object"))?;
    members
        .iter()
        .map(|(id, key)| Ok((KeyId::parse(id)?, PublicKey::from_value(key)?)))
        .collect()
}

pub(crate) fn write_keys(keys: &BTreeMap<KeyId, PublicKey>, out: &mut Writer) {
    out.object(|out| {
        for (id, key) in keys {
            key.write(out.key(id.as_str()));
        }
    });
}
