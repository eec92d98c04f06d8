//! What the index knows of a project whose developers sign (PEP 480): whose keys count, on whose word,
//! and how far the project has come.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use claims::Registration;
use draft::DelegatedProject;
use index::{DistributionFilename, ProjectName};
use metadata::canonical::{Writer, to_json};
use metadata::{Expiry, PublicKey, Sha256, Value};

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
    /// Keys that come into force with the next transaction, which has to be signed by them.
    pub next: Option<Granted>,
    /// Whether nothing is taken of the project, because a recovery cannot tell that no other keys were
    /// registered since the backup: until the operator confirms these or grants others (decision 0023).
    pub held: bool,
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

/// Every claim that a ceremony would move, as one canonical document: what it freezes by its digest,
/// so that a change of keys meanwhile is noticed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimsExport {
    /// Canonical JSON.
    pub bytes: Vec<u8>,
    /// Its SHA-256.
    pub sha256: Sha256,
    /// How many projects it has.
    pub projects: usize,
}

impl ClaimsExport {
    /// Writes down every claim whose developers sign.
    pub(crate) fn of<'a>(
        claims: impl IntoIterator<Item = (&'a ProjectName, &'a ClaimRecord)>,
    ) -> Self {
        let mut projects = BTreeMap::new();
        for (name, claim) in claims {
            // Keys that nobody has confirmed since a recovery are not for a ceremony to cement.
            let is_meant = claim.is_signed() && !claim.held;
            if let Some(granted) = claim.in_force.as_ref().filter(|_| is_meant) {
                projects.insert(name.to_string(), exported(claim, granted));
            }
        }
        let count = projects.len();
        let document = Value::Object(BTreeMap::from([
            text("_type", "claims"),
            ("projects".to_owned(), Value::Object(projects)),
        ]));
        let bytes = document.to_canonical();
        Self {
            sha256: Sha256::of(&bytes),
            projects: count,
            bytes,
        }
    }
}

fn exported(claim: &ClaimRecord, granted: &Granted) -> Value {
    let registration = &granted.registration;
    let keys = registration.keys.iter();
    let keys = keys.map(|(id, key)| (id.to_string(), key_value(key)));
    let mut members = BTreeMap::from([
        ("keys".to_owned(), Value::Object(keys.collect())),
        (
            "threshold".to_owned(),
            Value::Integer(registration.role_keys.threshold.into()),
        ),
        text("stage", claim.stage.as_str()),
        text("since", &Expiry::at(claim.since).to_string()),
    ]);
    if let Some(evidence) = granted.evidence {
        members.extend([
            text("challenge", &evidence.challenge.to_string()),
            text("request", &evidence.request.to_string()),
            text("grant", &evidence.grant.to_string()),
        ]);
    }
    Value::Object(members)
}

fn text(name: &str, value: &str) -> (String, Value) {
    (name.to_owned(), Value::String(value.to_owned()))
}

/// The KEY object as a value.
fn key_value(key: &PublicKey) -> Value {
    Value::parse(key_json(key).as_bytes()).unwrap_or(Value::Null)
}

/// The KEY object as JSON.
pub(crate) fn key_json(key: &PublicKey) -> String {
    let mut out = Writer::new();
    key.write(&mut out);
    String::from_utf8_lossy(&to_json(&out.into_bytes())).into_owned()
}
