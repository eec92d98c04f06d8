//! What the index knows of a project whose developers sign (PEP 480): whose keys count, on whose word,
//! and how far the project has come.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use claims::Registration;
pub use draft::Evidence;
use draft::{ClaimsExport, DelegatedProject, ExportedClaim, RegisteredKeys};
use index::{DistributionFilename, ProjectName};
use metadata::canonical::{Writer, to_json};
use metadata::{PublicKey, Sha256};

use crate::record::{FileRecord, RoleRecord};

/// How far a claim has come (PEP 480 "Maximum Security Model").
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ClaimStage {
    /// Keys are registered, no transaction has come: the index still speaks for the project.
    Registered,
    /// `recently-claimed` delegates to the project.
    RecentlyClaimed,
    /// An offline role does.
    Claimed,
}

impl ClaimStage {
    /// Every stage.
    pub const ALL: [Self; 3] = [Self::Registered, Self::RecentlyClaimed, Self::Claimed];

    /// Its name in reports and in the state.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Registered => "registered",
            Self::RecentlyClaimed => "recently-claimed",
            Self::Claimed => "claimed",
        }
    }
}

/// Keys that the operator granted a project.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Granted {
    /// The project and its keys.
    pub registration: Registration,
    /// On whose word; `None` for keys that a recovery found published.
    pub evidence: Option<Evidence>,
    /// When the index took it.
    pub received: DateTime<Utc>,
}

/// The claim of one project.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimRecord {
    /// How far it has come.
    pub stage: ClaimStage,
    /// Since when.
    pub since: DateTime<Utc>,
    /// The keys that the delegator lists; none before the first transaction.
    pub in_force: Option<Granted>,
    /// Keys that come into force with the next transaction, which has to be signed by them; once the
    /// project is claimed, with the next ceremony.
    pub next: Option<Granted>,
    /// Whether nothing is taken of the project, because a recovery cannot tell that no other keys were
    /// registered since the backup: until the operator confirms these or grants others (decision 0023).
    pub held: bool,
}

impl Granted {
    /// As a ceremony reads it.
    pub(crate) fn registered(&self) -> RegisteredKeys {
        RegisteredKeys {
            keys: self.registration.keys.clone(),
            threshold: self.registration.role_keys.threshold,
            received: self.received,
            evidence: self.evidence,
        }
    }
}

impl ClaimRecord {
    /// Whether the project's own role speaks for its files, and nobody else.
    #[must_use]
    pub fn is_signed(&self) -> bool {
        self.stage != ClaimStage::Registered
    }

    /// Whose signatures the next transaction needs.
    #[must_use]
    pub fn next_registration(&self) -> Option<&Registration> {
        let granted = self.next.as_ref().or(self.in_force.as_ref());
        granted.map(|granted| &granted.registration)
    }

    /// Whether keys wait for a ceremony that too few of those in force have vouched for: they count for
    /// nothing until then, and those in force go on as ever (decision 0022).
    #[must_use]
    pub fn waits_unvouched(&self) -> bool {
        match (self.stage, &self.in_force, &self.next) {
            (ClaimStage::Claimed, Some(now), Some(next)) => {
                !next.registered().are_vouched_for_by(&now.registered())
            }
            _ => false,
        }
    }

    /// As its delegator lists it.
    #[must_use]
    pub fn delegated(&self) -> Option<DelegatedProject> {
        let registration = &self.in_force.as_ref()?.registration;
        Some(DelegatedProject {
            project: registration.project.clone(),
            keys: registration.keys.clone(),
            role_keys: registration.role_keys.clone(),
        })
    }
}

/// A transaction that was verified whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TransactionRecord {
    /// The project.
    pub project: ProjectName,
    /// What it was verified against, as a digest: it is published on that or not at all.
    pub basis: Sha256,
    /// The new versions of the project's roles; their files lie in the intake folder.
    pub roles: Vec<RoleRecord>,
    /// The files that came with it.
    pub files: Vec<FileRecord>,
    /// The files given up.
    pub withdrawn: Vec<DistributionFilename>,
}

/// Every claim whose developers sign, for a ceremony, which freezes it by its digest so that a change of
/// keys meanwhile is noticed; with the bytes of the snapshot in force.
pub(crate) fn exported(
    claims: &BTreeMap<ProjectName, ClaimRecord>,
    snapshot_bytes: u64,
) -> ClaimsExport {
    let claim = |(name, claim): (&ProjectName, &ClaimRecord)| {
        // After a recovery nobody can tell whether these keys were replaced since the backup.
        let is_certain = claim.is_signed() && !claim.held;
        let in_force = claim.in_force.as_ref().filter(|_| is_certain)?;
        let exported = ExportedClaim {
            is_claimed: claim.stage == ClaimStage::Claimed,
            since: claim.since,
            in_force: in_force.registered(),
            next: claim.next.as_ref().map(Granted::registered),
        };
        Some((name.clone(), exported))
    };
    ClaimsExport {
        projects: claims.iter().filter_map(claim).collect(),
        snapshot_bytes,
    }
}

/// The KEY object as JSON.
pub(crate) fn key_json(key: &PublicKey) -> String {
    let mut out = Writer::new();
    key.write(&mut out);
    String::from_utf8_lossy(&to_json(&out.into_bytes())).into_owned()
}
