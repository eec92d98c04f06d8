//! Keys, thresholds and lifetimes of the roles that PEP 458 has.

use chrono::TimeDelta;

use crate::PolicyError;
use crate::reader::Section;

/// Most keys one role may have. How many signatures clients read may allow fewer.
const MAX_KEYS: u32 = 1_024;

/// The keys of the table `roles`.
pub(crate) const KEYS: &[&str] = &["root", "targets", "bins", "bin-n", "snapshot", "timestamp"];

/// The keys of a table that describes one role.
pub(crate) const ROLE_KEYS: &[&str] = &["kind", "keys", "threshold", "lifetime"];

/// The roles of PEP 458 "Minimum Security Model".
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Roles {
    /// Names the keys of all top-level roles (TUF 4.3).
    pub root: RolePolicy,
    /// Delegates to `bins` (and, with PEP 480, to `claimed` and its fellows).
    pub targets: RolePolicy,
    /// Delegates to every bin.
    pub bins: RolePolicy,
    /// Each of the bins, which list pages and files.
    pub bin_n: RolePolicy,
    /// Lists the version of every targets role (TUF 4.4).
    pub snapshot: RolePolicy,
    /// Names the current snapshot (TUF 4.6).
    pub timestamp: RolePolicy,
}

/// What holds for one role, or for each of a family of roles such as the bins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RolePolicy {
    /// Where the private keys are kept.
    pub kind: KeyKind,
    /// How many keys the role has, at least one.
    pub keys: u32,
    /// How many of them must sign: 1 to `keys` (TUF 4.3 THRESHOLD).
    pub threshold: u32,
    /// From signing to `expires`; whole seconds, more than zero.
    pub lifetime: TimeDelta,
}

/// Where private keys are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyKind {
    /// Away from every machine that serves the index; used in ceremonies only.
    Offline,
    /// Where the program that signs unattended can use them.
    Online,
}

impl KeyKind {
    /// The word that stands for it in a policy file.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Offline => "offline",
            Self::Online => "online",
        }
    }
}

impl Roles {
    /// Every role with its name in the policy file, from `root` to `timestamp`.
    #[must_use]
    pub fn all(&self) -> [(&'static str, RolePolicy); 6] {
        [
            ("root", self.root),
            ("targets", self.targets),
            ("bins", self.bins),
            ("bin-n", self.bin_n),
            ("snapshot", self.snapshot),
            ("timestamp", self.timestamp),
        ]
    }

    pub(crate) fn read(section: &Section<'_>) -> Result<Self, PolicyError> {
        let role = |name| RolePolicy::read(&section.section(name, ROLE_KEYS)?);
        Ok(Self {
            root: role("root")?,
            targets: role("targets")?,
            bins: role("bins")?,
            bin_n: role("bin-n")?,
            snapshot: role("snapshot")?,
            timestamp: role("timestamp")?,
        })
    }
}

impl RolePolicy {
    pub(crate) fn read(section: &Section<'_>) -> Result<Self, PolicyError> {
        let kinds = [KeyKind::Offline, KeyKind::Online].map(|kind| (kind.as_str(), kind));
        Ok(Self {
            kind: section.choice("kind", &kinds)?,
            keys: section.count("keys", 1..=MAX_KEYS)?,
            threshold: section.count("threshold", 1..=MAX_KEYS)?,
            lifetime: section.duration("lifetime")?,
        })
    }
}
