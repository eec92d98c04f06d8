//! Role names: which document of the repository is meant.

use std::fmt;

use crate::MetadataError;

/// Longest role name accepted, in bytes; a file name with version and suffix must fit 255.
pub const MAX_ROLE_NAME: usize = 200;

/// The name of a delegated targets role: printable ASCII, not one of the top-level names.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RoleName(String);

impl RoleName {
    /// Checks `name` and takes it as it is.
    pub fn parse(name: impl Into<String>) -> Result<Self, MetadataError> {
        let name = name.into();
        match Self::flaw(&name) {
            None => Ok(Self(name)),
            Some(reason) => Err(MetadataError::RoleName {
                name: crate::error::excerpt(&name),
                reason,
            }),
        }
    }

    /// Says what is wrong with `name` as the name of a delegated role, if anything.
    pub(crate) fn flaw(name: &str) -> Option<&'static str> {
        if name.is_empty() {
            return Some("is empty");
        }
        if name.len() > MAX_ROLE_NAME {
            return Some("is longer than 200 bytes");
        }
        if !name.bytes().all(|b| b.is_ascii_graphic() || b == b' ') {
            return Some("has a byte outside printable ASCII");
        }
        if matches!(
            name,
            "root" | "targets" | "snapshot" | "timestamp" | "mirrors"
        ) {
            return Some("is a top-level role's name");
        }
        None
    }

    /// The name as listed.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RoleName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for RoleName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0)
    }
}

/// A role of the repository: the four top-level ones, or a delegated targets role.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// The anchor: names everybody else's keys (TUF 2.1.1).
    Root,
    /// The freshest statement: which snapshot is current (TUF 2.1.4).
    Timestamp,
    /// The list of all targets roles and their versions (TUF 2.1.3).
    Snapshot,
    /// The top-level targets role (TUF 2.1.2).
    Targets,
    /// A delegated targets role.
    Delegated(RoleName),
}

impl Role {
    /// Reads a role from its plain name, top-level or delegated.
    pub fn parse(name: &str) -> Result<Self, MetadataError> {
        Ok(match name {
            "root" => Self::Root,
            "timestamp" => Self::Timestamp,
            "snapshot" => Self::Snapshot,
            "targets" => Self::Targets,
            other => Self::Delegated(RoleName::parse(other)?),
        })
    }

    /// The plain name.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Root => "root",
            Self::Timestamp => "timestamp",
            Self::Snapshot => "snapshot",
            Self::Targets => "targets",
            Self::Delegated(name) => name.as_str(),
        }
    }

    /// The role's METAPATH in a snapshot: `NAME.json`, unescaped (TUF 4.4).
    #[must_use]
    pub fn metapath(&self) -> String {
        format!("{}.json", self.name())
    }

    /// The file name without version, every byte outside `[A-Za-z0-9_.~-]` percent-encoded, so that
    /// no role name can become a path (reference F23).
    #[must_use]
    pub fn file_name(&self) -> String {
        format!("{}.json", escape(self.name()))
    }

    /// The file name of one version: `VERSION.NAME.json` (TUF 6.2.1).
    #[must_use]
    pub fn versioned_file_name(&self, version: crate::Version) -> String {
        format!("{version}.{}", self.file_name())
    }

    /// The `_type` its document carries.
    #[must_use]
    pub fn document_type(&self) -> &'static str {
        match self {
            Self::Root => "root",
            Self::Timestamp => "timestamp",
            Self::Snapshot => "snapshot",
            Self::Targets | Self::Delegated(_) => "targets",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

fn escape(name: &str) -> String {
    use fmt::Write;

    let mut out = String::with_capacity(name.len());
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'~' | b'-') {
            out.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Version;

    #[test]
    fn file_names_never_leave_their_folder() {
        let role = Role::parse("../delegated/role?").unwrap();
        let v3 = Version::new(3).unwrap();
        assert_eq!(
            role.versioned_file_name(v3),
            "3...%2Fdelegated%2Frole%3F.json"
        );
        assert_eq!(role.metapath(), "../delegated/role?.json");
        assert_eq!(Role::Snapshot.versioned_file_name(v3), "3.snapshot.json");
    }

    #[test]
    fn refuses_reserved_and_unprintable_names() {
        for bad in ["", "root", "timestamp", "mirrors", "a\0", "ü", "a\n"] {
            assert!(RoleName::parse(bad).is_err(), "{bad:?}");
        }
    }
}
