//! `ceremony.toml`: what is to be signed and by whom. The one file people review, read strictly.

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::path::Path;

use index::BinCount;
use metadata::canonical::{Writer, to_json};
use metadata::{Expiry, KeyId, PublicKey, Role, Sha256, Value, Version};
use serde::{Deserialize, Serialize};

use crate::{CeremonyError, EventFlaw, KeyRole, Kind};

/// The format this program writes and reads.
const FORMAT: u32 = 1;

/// Name of the file.
pub(crate) const FILE: &str = "ceremony.toml";

/// A public key and the person or machine that holds the private one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldKey {
    /// A name people know the holder by, 1 to 64 printable characters.
    pub holder: String,
    /// The key.
    pub key: PublicKey,
}

/// The whole file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Description {
    pub(crate) format: u32,
    pub(crate) kind: Kind,
    /// When it was planned; the rules are checked for this time by `verify`.
    pub(crate) planned: String,
    /// SHA-256 of `policy.toml`.
    pub(crate) policy: String,
    pub(crate) bins: BinsPart,
    /// The claims that a shard is made from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) claims: Option<ClaimsPart>,
    pub(crate) payload: Vec<PayloadPart>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) previous: Vec<PayloadPart>,
    pub(crate) key: Vec<KeyPart>,
    /// Names for published keys that no role lists any more.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) former: Vec<FormerPart>,
}

/// Who held a key that the ceremony takes out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct FormerPart {
    pub(crate) holder: String,
    pub(crate) keyid: String,
}

/// How many bins, and how `bins` lists them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct BinsPart {
    pub(crate) count: u32,
    pub(crate) encoding: EncodingPart,
}

/// What an index wrote down of its claims.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ClaimsPart {
    /// The shard that is made from them.
    pub(crate) shard: String,
    /// SHA-256 of all that the index wrote down.
    pub(crate) export: String,
    /// SHA-256 of `claims.json`: the part with the projects of the shard.
    pub(crate) sha256: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum EncodingPart {
    PathHashPrefixes,
    Succinct,
}

/// A document of the event: to be signed, or published before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PayloadPart {
    pub(crate) role: String,
    pub(crate) version: u64,
    pub(crate) expires: String,
    /// SHA-256 of the file.
    pub(crate) sha256: String,
}

/// A key, its holder, and the roles it serves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct KeyPart {
    pub(crate) holder: String,
    pub(crate) roles: Vec<KeyRole>,
    pub(crate) keyid: String,
    /// The KEY object as metadata lists it (TUF 4.2.2).
    pub(crate) key: String,
}

impl PayloadPart {
    pub(crate) fn new(role: &Role, version: Version, expires: Expiry, file: &[u8]) -> Self {
        Self {
            role: role.name().to_owned(),
            version: version.get(),
            expires: expires.to_string(),
            sha256: Sha256::of(file).to_string(),
        }
    }
}

impl KeyPart {
    /// The key; refused if it does not have the id it stands under.
    pub(crate) fn held(&self, path: &Path) -> Result<HeldKey, CeremonyError> {
        let flaw = |what, found: &str| {
            let found = found.to_owned();
            EventFlaw::Value { what, found }.at(path)
        };
        let key = Value::parse(self.key.as_bytes())
            .and_then(|value| PublicKey::from_value(&value))
            .map_err(|_| flaw("key", &self.key))?;
        if key.id().as_str() != self.keyid {
            return Err(flaw("keyid", &self.keyid));
        }
        check_holder(&self.holder)?;
        Ok(HeldKey {
            holder: self.holder.clone(),
            key,
        })
    }
}

impl Description {
    pub(crate) fn new(
        kind: Kind,
        planned: Expiry,
        policy_text: &str,
        layout: draft::BinLayout,
    ) -> Self {
        Self {
            format: FORMAT,
            kind,
            planned: planned.to_string(),
            policy: Sha256::of(policy_text.as_bytes()).to_string(),
            bins: BinsPart {
                count: layout.count.get(),
                encoding: match layout.encoding {
                    policy::Encoding::PathHashPrefixes => EncodingPart::PathHashPrefixes,
                    policy::Encoding::Succinct => EncodingPart::Succinct,
                },
            },
            claims: None,
            payload: Vec::new(),
            previous: Vec::new(),
            key: Vec::new(),
            former: Vec::new(),
        }
    }

    /// Adds the keys of a role. One person counts once in a role, and so does one key.
    pub(crate) fn add_keys(
        &mut self,
        role: KeyRole,
        held: &[HeldKey],
    ) -> Result<(), CeremonyError> {
        let mut holders = BTreeSet::new();
        let mut ids = BTreeSet::new();
        for one in held {
            check_holder(&one.holder)?;
            let twice = |why| CeremonyError::Holder {
                holder: one.holder.clone(),
                why,
            };
            if !holders.insert(&one.holder) {
                return Err(twice("holds two keys of one role"));
            }
            let keyid = one.key.id();
            if !ids.insert(keyid.clone()) {
                return Err(twice("holds the same key as another holder of the role"));
            }
            self.add_key(role, one, &keyid);
        }
        Ok(())
    }

    fn add_key(&mut self, role: KeyRole, one: &HeldKey, keyid: &KeyId) {
        let known = self
            .key
            .iter_mut()
            .find(|part| part.keyid == keyid.as_str() && part.holder == one.holder);
        if let Some(part) = known {
            part.roles.push(role);
            return;
        }
        let mut out = Writer::new();
        one.key.write(&mut out);
        self.key.push(KeyPart {
            holder: one.holder.clone(),
            roles: vec![role],
            keyid: keyid.to_string(),
            key: String::from_utf8_lossy(&to_json(&out.into_bytes())).into_owned(),
        });
    }

    pub(crate) fn write(&self) -> Result<String, CeremonyError> {
        toml::to_string(self).map_err(|error| EventFlaw::Toml(error.to_string()).at(FILE))
    }

    pub(crate) fn parse(path: &Path, bytes: &[u8]) -> Result<Self, CeremonyError> {
        let flaw = |text: String| EventFlaw::Toml(text).at(path);
        let text = std::str::from_utf8(bytes).map_err(|error| flaw(error.to_string()))?;
        let read: Self = toml::from_str(text).map_err(|error| flaw(error.to_string()))?;
        if read.format != FORMAT {
            let (found, known) = (read.format, FORMAT);
            return Err(EventFlaw::Format { found, known }.at(path));
        }
        Ok(read)
    }

    pub(crate) fn layout(&self, path: &Path) -> Result<draft::BinLayout, CeremonyError> {
        let count = BinCount::new(u64::from(self.bins.count)).map_err(|_| {
            let found = self.bins.count.to_string();
            EventFlaw::Value {
                what: "number of bins",
                found,
            }
            .at(path)
        })?;
        let encoding = match self.bins.encoding {
            EncodingPart::PathHashPrefixes => policy::Encoding::PathHashPrefixes,
            EncodingPart::Succinct => policy::Encoding::Succinct,
        };
        Ok(draft::BinLayout { count, encoding })
    }

    pub(crate) fn planned(&self, path: &Path) -> Result<Expiry, CeremonyError> {
        let (what, found) = ("planned", self.planned.clone());
        Expiry::parse(&self.planned).map_err(|_| EventFlaw::Value { what, found }.at(path))
    }
}

/// Names go to terminals and into reports, so nothing that moves a cursor may stand in them.
pub(crate) fn check_holder(holder: &str) -> Result<(), CeremonyError> {
    let why = if holder.trim().is_empty() {
        "has no name"
    } else if holder.chars().count() > 64 {
        "has a name longer than 64 characters"
    } else if holder.chars().any(char::is_control) {
        "has a control character in the name"
    } else {
        return Ok(());
    };
    Err(CeremonyError::Holder {
        holder: holder
            .chars()
            .filter(|c| !c.is_control())
            .take(64)
            .collect(),
        why,
    })
}
