//! What changes from one version of a document to the next, in words for the people who sign it.

mod compare;
#[cfg(test)]
mod tests;

use std::fmt;

use metadata::{Expiry, KeyId, Version};

pub use compare::difference;

/// One change. `Display` names keys by their short ids; [`Change::words`] by whatever the caller
/// calls them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// Nothing is published yet.
    First {
        /// The first version.
        version: Version,
        /// Its expiry.
        expires: Expiry,
    },
    /// Another version.
    Version {
        /// The published one.
        from: Version,
        /// The new one.
        to: Version,
    },
    /// Another expiry.
    Expires {
        /// The published one.
        from: Expiry,
        /// The new one.
        to: Expiry,
    },
    /// A key may sign for a role.
    KeyAdded {
        /// The role.
        role: String,
        /// The key.
        keyid: KeyId,
    },
    /// A key may no longer sign for a role.
    KeyRemoved {
        /// The role.
        role: String,
        /// The key.
        keyid: KeyId,
    },
    /// Another number of signatures is needed.
    Threshold {
        /// The role.
        role: String,
        /// As published; `None` for a new role.
        from: Option<u32>,
        /// The new one.
        to: u32,
        /// How many keys there then are.
        keys: usize,
    },
    /// A role is delegated to that was not.
    DelegationAdded {
        /// The role.
        role: String,
        /// What it may speak for, in words.
        paths: String,
    },
    /// A role is no longer delegated to.
    DelegationRemoved {
        /// The role.
        role: String,
    },
    /// What a role may speak for changes.
    DelegationPaths {
        /// The role.
        role: String,
        /// As published.
        from: String,
        /// The new paths.
        to: String,
    },
    /// The delegations are asked in another order.
    DelegationOrder,
    /// Target files come, go or change.
    Targets {
        /// Paths that were not listed.
        added: usize,
        /// Paths no longer listed.
        removed: usize,
        /// Paths listed with other contents.
        changed: usize,
    },
    /// A role is listed in the snapshot, or with another version.
    Listed {
        /// Its METAPATH.
        metapath: String,
        /// The version published, if it was listed.
        from: Option<Version>,
        /// The new version; `None` if it is dropped.
        to: Option<Version>,
    },
    /// Something else in the document, by the name of its member.
    Member {
        /// The member.
        name: String,
    },
}

impl Change {
    /// The change in words, keys called by what `name` returns for them, or by their short ids.
    pub fn words(&self, name: &dyn Fn(&KeyId) -> Option<String>) -> String {
        let key = |id: &KeyId| match name(id) {
            Some(name) => format!("{name} ({})", id.short()),
            None => id.short().to_owned(),
        };
        match self {
            Self::First { version, expires } => {
                format!("first version v{version}, expires {expires}")
            }
            Self::Version { from, to } => format!("v{from} becomes v{to}"),
            Self::Expires { from, to } => format!("expires {to} instead of {from}"),
            Self::KeyAdded { role, keyid } => format!("{role}: key of {} added", key(keyid)),
            Self::KeyRemoved { role, keyid } => format!("{role}: key of {} removed", key(keyid)),
            Self::Threshold {
                role,
                from,
                to,
                keys,
            } => match from {
                Some(from) => format!("{role}: {to} of {keys} must sign instead of {from}"),
                None => format!("{role}: {to} of {keys} must sign"),
            },
            Self::DelegationAdded { role, paths } => format!("{role} may now speak for {paths}"),
            Self::DelegationRemoved { role } => format!("{role} may no longer speak for anything"),
            Self::DelegationPaths { role, from, to } => {
                format!("{role} may speak for {to} instead of {from}")
            }
            Self::DelegationOrder => "roles are asked in another order".to_owned(),
            Self::Targets {
                added,
                removed,
                changed,
            } => {
                format!("files: {added} added, {removed} removed, {changed} changed")
            }
            Self::Listed { metapath, from, to } => match (from, to) {
                (Some(from), Some(to)) => format!("{metapath}: v{from} becomes v{to}"),
                (None, Some(to)) => format!("{metapath} is listed with v{to}"),
                (_, None) => format!("{metapath} is no longer listed"),
            },
            Self::Member { name } => format!("member `{name}` changes"),
        }
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.words(&|_| None))
    }
}
