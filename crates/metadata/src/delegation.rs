//! Delegations: who else may speak for which paths (TUF 4.5, TAP 15).

use std::collections::BTreeMap;

use crate::canonical::Writer;
use crate::members::Members;
use crate::root::{RoleKeys, RoleKeysWire, read_keys, write_keys};
use crate::{KeyId, MetadataError, PathPattern, PathSet, PublicKey, RoleName, Sha256};

/// The delegations of a targets role, in order of priority.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delegations {
    /// Keys of the delegated roles, by key id.
    pub keys: BTreeMap<KeyId, PublicKey>,
    /// The roles.
    pub roles: DelegatedRoles,
}

/// Roles listed one by one, or a succinct family of bins; never both (TAP 15).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DelegatedRoles {
    /// In order of priority, no name twice.
    Listed(Vec<DelegatedRole>),
    /// 2^n bins that share their keys.
    Succinct(SuccinctRoles),
}

/// One delegated role (TUF 4.5).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DelegatedRole {
    /// Its name.
    pub name: RoleName,
    /// Its keys and threshold.
    pub keys: RoleKeys,
    /// The paths it may speak for.
    pub paths: PathSet,
    /// Whether the search ends after it and its own delegations.
    pub terminating: bool,
}

/// Bins delegated in a few bytes (TAP 15 `succinct_roles`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SuccinctRoles {
    /// Keys and threshold all bins share.
    pub keys: RoleKeys,
    /// The number of bins is two to this power, 1 to 32.
    pub bit_length: u32,
    /// Bins are called `PREFIX-HEX`.
    pub name_prefix: String,
}

impl SuccinctRoles {
    /// The bin responsible for a path with this hash.
    #[must_use]
    pub fn bin_of(&self, hash: &Sha256) -> u32 {
        let [a, b, c, d, ..] = *hash.as_bytes();
        u32::from_be_bytes([a, b, c, d]) >> (32 - self.bit_length)
    }

    /// The name of a bin: its number in hex, as wide as the last one's.
    pub fn name(&self, bin: u32) -> Result<RoleName, MetadataError> {
        let width = self.bit_length.div_ceil(4) as usize;
        RoleName::parse(format!("{}-{bin:0width$x}", self.name_prefix))
    }

    /// The number of bins.
    #[must_use]
    pub fn count(&self) -> u64 {
        1 << self.bit_length
    }
}

impl Delegations {
    pub(crate) fn parse(raw: &str) -> Result<Self, MetadataError> {
        let mut members = Members::parse(raw.as_bytes())?;
        let keys = members
            .take("keys")
            .ok_or_else(|| MetadataError::member("delegations.keys", "is missing"))
            .and_then(read_keys)?;
        let listed = members.read_optional::<Vec<DelegatedRoleWire>>("roles")?;
        let succinct = members.read_optional::<SuccinctWire>("succinct_roles")?;
        let roles = match (listed, succinct) {
            (Some(listed), None) => DelegatedRoles::Listed(check_listed(listed)?),
            (None, Some(succinct)) => DelegatedRoles::Succinct(succinct.check()?),
            _ => {
                let why = "needs exactly one of `roles` and `succinct_roles`";
                return Err(MetadataError::member("delegations", why));
            }
        };
        Ok(Self { keys, roles })
    }

    pub(crate) fn write(&self, out: &mut Writer) {
        out.object(|out| {
            write_keys(&self.keys, out.key("keys"));
            match &self.roles {
                DelegatedRoles::Listed(roles) => out.key("roles").array(|out| {
                    for role in roles {
                        role.write(out.item());
                    }
                }),
                DelegatedRoles::Succinct(succinct) => succinct.write(out.key("succinct_roles")),
            }
        });
    }
}

fn check_listed(listed: Vec<DelegatedRoleWire>) -> Result<Vec<DelegatedRole>, MetadataError> {
    let roles = listed
        .into_iter()
        .map(DelegatedRoleWire::check)
        .collect::<Result<Vec<_>, MetadataError>>()?;
    let mut names: Vec<&RoleName> = roles.iter().map(|role| &role.name).collect();
    names.sort_unstable();
    match names.windows(2).find(|pair| pair[0] == pair[1]) {
        // TUF 4.5: ROLENAME is unique within a delegations object.
        Some(pair) => Err(MetadataError::RoleName {
            name: crate::error::excerpt(pair[0].as_str()),
            reason: "stands twice among the delegations",
        }),
        None => Ok(roles),
    }
}

impl DelegatedRole {
    fn write(&self, out: &mut Writer) {
        out.object(|out| {
            self.keys.write_keyids(out);
            out.key("name").string(self.name.as_str());
            match &self.paths {
                PathSet::Patterns(patterns) => {
                    write_strings(patterns.iter().map(PathPattern::as_str), out.key("paths"));
                }
                PathSet::HashPrefixes(prefixes) => {
                    let prefixes = prefixes.iter().map(String::as_str);
                    write_strings(prefixes, out.key("path_hash_prefixes"));
                }
            }
            out.key("terminating").bool(self.terminating);
            out.key("threshold").integer(u64::from(self.keys.threshold));
        });
    }
}

impl SuccinctRoles {
    fn write(&self, out: &mut Writer) {
        out.object(|out| {
            out.key("bit_length").integer(u64::from(self.bit_length));
            self.keys.write_keyids(out);
            out.key("name_prefix").string(&self.name_prefix);
            out.key("threshold").integer(u64::from(self.keys.threshold));
        });
    }
}

fn write_strings<'a>(strings: impl Iterator<Item = &'a str>, out: &mut Writer) {
    out.array(|out| {
        for string in strings {
            out.item().string(string);
        }
    });
}

#[derive(serde::Deserialize)]
struct DelegatedRoleWire {
    name: String,
    keyids: Vec<String>,
    threshold: u64,
    paths: Option<Vec<String>>,
    path_hash_prefixes: Option<Vec<String>>,
    terminating: bool,
}

impl DelegatedRoleWire {
    fn check(self) -> Result<DelegatedRole, MetadataError> {
        let name = RoleName::parse(self.name)?;
        let member = format!("delegations.roles.{name}");
        let paths = match (self.paths, self.path_hash_prefixes) {
            (Some(patterns), None) => PathSet::Patterns(
                patterns
                    .into_iter()
                    .map(PathPattern::parse)
                    .collect::<Result<_, _>>()?,
            ),
            (None, Some(prefixes)) => {
                let hex = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
                if prefixes.iter().any(|p| p.len() > 64 || !p.bytes().all(hex)) {
                    let why = "has a hash prefix that is not lower-case hex";
                    return Err(MetadataError::member(member, why));
                }
                PathSet::HashPrefixes(prefixes)
            }
            _ => {
                let why = "needs exactly one of `paths` and `path_hash_prefixes`";
                return Err(MetadataError::member(member, why));
            }
        };
        let keys = RoleKeysWire::new(self.keyids, self.threshold).check(&member)?;
        Ok(DelegatedRole {
            name,
            keys,
            paths,
            terminating: self.terminating,
        })
    }
}

#[derive(serde::Deserialize)]
struct SuccinctWire {
    keyids: Vec<String>,
    threshold: u64,
    bit_length: u32,
    name_prefix: String,
}

impl SuccinctWire {
    fn check(self) -> Result<SuccinctRoles, MetadataError> {
        let member = "delegations.succinct_roles";
        if !(1..=32).contains(&self.bit_length) {
            return Err(MetadataError::member(member, "bit_length is not 1 to 32"));
        }
        let roles = SuccinctRoles {
            keys: RoleKeysWire::new(self.keyids, self.threshold).check(member)?,
            bit_length: self.bit_length,
            name_prefix: self.name_prefix,
        };
        roles.name(0)?;
        Ok(roles)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::TargetPath;

    /// TAP 15 vectors of the reference: sha256 27b9… lies in 09e, 13d and 09ee.
    #[test]
    fn succinct_bins_are_the_first_bits_of_the_hash() {
        let hash = TargetPath::parse("simple/requests/vnd.pypi.simple.v1.json")
            .unwrap()
            .hash();
        assert!(hash.to_string().starts_with("27b9e822"));
        for (bit_length, expected) in [(10, "bins-09e"), (11, "bins-13d"), (14, "bins-09ee")] {
            let keys = RoleKeys {
                keyids: Vec::new(),
                threshold: 1,
            };
            let bins = SuccinctRoles {
                keys,
                bit_length,
                name_prefix: "bins".into(),
            };
            assert_eq!(bins.name(bins.bin_of(&hash)).unwrap().as_str(), expected);
        }
    }
}
