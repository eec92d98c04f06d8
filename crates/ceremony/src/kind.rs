//! What ceremonies are for, and the roles whose keys they handle.

use serde::{Deserialize, Serialize};

/// What a ceremony is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// The first root, targets and bins.
    Genesis,
    /// New versions with the same keys and fresh expiries.
    Renew,
    /// Other root keys, or another threshold of them.
    RotateRoot,
    /// Other online keys.
    RotateOnline,
    /// Another number of bins, with other online keys and without overlap.
    Rebin,
    /// Projects whose developers sign: moved to an offline role, with other keys, or given back.
    Claim,
    /// One more holder.
    AddHolder,
    /// A holder's keys replaced, by another's or by new ones of the same holder.
    ReplaceHolder,
    /// One holder less.
    RemoveHolder,
}

impl Kind {
    /// The name, as `plan` and `ceremony.toml` have it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Genesis => "genesis",
            Self::Renew => "renew",
            Self::RotateRoot => "rotate-root",
            Self::RotateOnline => "rotate-online",
            Self::Rebin => "rebin",
            Self::Claim => "claim",
            Self::AddHolder => "add-holder",
            Self::ReplaceHolder => "replace-holder",
            Self::RemoveHolder => "remove-holder",
        }
    }
}

/// The roles whose keys a ceremony knows holders for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum KeyRole {
    /// The anchor.
    Root,
    /// The top-level targets role.
    Targets,
    /// The role that delegates to the bins.
    Bins,
    /// The role that delegates to the shards of claimed projects.
    Claimed,
    /// Every one of those shards.
    ClaimedShard,
    /// Online: every bin.
    BinN,
    /// Online.
    Snapshot,
    /// Online.
    Timestamp,
}

impl KeyRole {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Root,
        Self::Targets,
        Self::Bins,
        Self::Claimed,
        Self::ClaimedShard,
        Self::BinN,
        Self::Snapshot,
        Self::Timestamp,
    ];

    /// Those whose keys people hold.
    pub const OFFLINE: [Self; 5] = [
        Self::Root,
        Self::Targets,
        Self::Bins,
        Self::Claimed,
        Self::ClaimedShard,
    ];

    /// The name, as policies write it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Root => "root",
            Self::Targets => "targets",
            Self::Bins => "bins",
            Self::Claimed => "claimed",
            Self::ClaimedShard => "claimed-shard",
            Self::BinN => "bin-n",
            Self::Snapshot => "snapshot",
            Self::Timestamp => "timestamp",
        }
    }
}
