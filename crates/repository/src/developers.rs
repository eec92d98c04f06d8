//! A project as its developers have left it: its claim, its roles, what it has given up; and what a
//! queued claim or transaction makes of that, one after the other.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use claims::ProjectRole;
use draft::ProjectChange;
use index::ProjectName;
use metadata::{Role, Sha256};

use crate::change::Change;
use crate::claim_record::{ClaimRecord, ClaimStage, Granted, TransactionRecord};
use crate::error::RepositoryError;
use crate::record::{FileRecord, RoleRecord};
use crate::state::State;

/// The developers' part of a project.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Developers {
    /// None if nobody has claimed it, or whoever did was released.
    pub(crate) claim: Option<ClaimRecord>,
    /// The last version of every role that the project ever had.
    pub(crate) roles: BTreeMap<Role, RoleRecord>,
    /// Every file given up, by name.
    pub(crate) withdrawn: BTreeSet<String>,
}

impl Developers {
    pub(crate) fn load(state: &dyn State, project: &ProjectName) -> Result<Self, RepositoryError> {
        let roles = state.project_roles(project)?.into_iter();
        Ok(Self {
            claim: state.claim(project)?,
            roles: roles.map(|record| (record.role.clone(), record)).collect(),
            withdrawn: state.withdrawn(project)?,
        })
    }

    /// Whether the project's own role speaks for its files, and nobody else.
    pub(crate) fn sign(&self) -> bool {
        self.claim.as_ref().is_some_and(ClaimRecord::is_signed)
    }

    /// What a transaction is verified against, in one digest: keys, versions, files.
    pub(crate) fn basis(&self, files: &BTreeMap<String, FileRecord>) -> Sha256 {
        let mut lines = Vec::new();
        if let Some(claim) = &self.claim {
            // Not who delegates: a ceremony may move the project meanwhile.
            lines.push(
                if claim.is_signed() {
                    "signed"
                } else {
                    "registered"
                }
                .to_owned(),
            );
            if let Some(registration) = claim.next_registration() {
                lines.push(format!("threshold {}", registration.role_keys.threshold));
                lines.extend(registration.keys.keys().map(|id| format!("key {id}")));
            }
        }
        for (role, record) in &self.roles {
            lines.push(format!("role {role} {} {}", record.version, record.sha256));
        }
        for (name, file) in files {
            lines.push(format!("file {name} {}", file.sha256));
        }
        lines.extend(self.withdrawn.iter().map(|name| format!("gone {name}")));
        Sha256::of(lines.join("\n").as_bytes())
    }

    /// Registers keys: at once where no transaction has come, with the next one otherwise.
    pub(crate) fn register(&mut self, granted: &Granted, since: DateTime<Utc>) {
        match &mut self.claim {
            Some(claim) => {
                claim.next = Some(granted.clone());
                claim.held = false;
            }
            None => {
                self.claim = Some(ClaimRecord {
                    stage: ClaimStage::Registered,
                    since,
                    in_force: None,
                    next: Some(granted.clone()),
                    held: false,
                });
            }
        }
    }

    /// Takes a transaction up if it is what was verified against this very state.
    pub(crate) fn take(
        &mut self,
        transaction: &TransactionRecord,
        files: &mut BTreeMap<String, FileRecord>,
        since: DateTime<Utc>,
    ) -> Result<(), String> {
        if self.basis(files) != transaction.basis {
            return Err(format!(
                "{} has changed since the transaction was checked; send it again",
                transaction.project
            ));
        }
        let Some(claim) = &mut self.claim else {
            return Err(format!("nobody has claimed {}", transaction.project));
        };
        if claim.held {
            let project = &transaction.project;
            return Err(format!("{project} is held since the state was recovered"));
        }
        if claim.stage == ClaimStage::Registered {
            claim.stage = ClaimStage::RecentlyClaimed;
            claim.since = since;
        }
        // What an offline role lists, a transaction does not change.
        if claim.stage != ClaimStage::Claimed
            && let Some(next) = claim.next.take()
        {
            claim.in_force = Some(next);
        }
        for record in &transaction.roles {
            self.roles.insert(record.role.clone(), record.clone());
        }
        for file in &transaction.files {
            files.insert(file.filename.as_str().to_owned(), file.clone());
        }
        for filename in &transaction.withdrawn {
            files.remove(filename.as_str());
            self.withdrawn.insert(filename.as_str().to_owned());
        }
        Ok(())
    }

    /// Does what an offline role says of the project.
    pub(crate) fn follow(&mut self, change: ProjectChange, since: DateTime<Utc>) {
        let Some(claim) = &mut self.claim else { return };
        match change {
            ProjectChange::Claimed => {
                claim.stage = ClaimStage::Claimed;
                claim.since = since;
            }
            ProjectChange::KeysReplaced { .. } => {
                if let Some(next) = claim.next.take() {
                    claim.in_force = Some(next);
                    claim.held = false;
                }
            }
            ProjectChange::Released => self.claim = None,
        }
    }

    /// Has the index speak for the project again.
    pub(crate) fn release(&mut self, project: &ProjectName) -> Result<(), String> {
        match &self.claim {
            None => Err(format!("nobody has claimed {project}")),
            Some(claim) if claim.stage == ClaimStage::Claimed => Err(format!(
                "{project} is claimed by an offline role, which only a ceremony changes"
            )),
            Some(_) => {
                self.claim = None;
                Ok(())
            }
        }
    }
}

/// Why a change of the index's own is not for a project whose developers sign; nothing if it is.
pub(crate) fn is_developers_own(change: &Change) -> Option<String> {
    match change {
        Change::Add(file) => Some(format!(
            "the developers of {} sign its files: `{}` has to come in a transaction of theirs",
            file.project(),
            file.filename
        )),
        _ => None,
    }
}

/// The role `project-NAME`.
pub(crate) fn own_role(project: &ProjectName) -> Role {
    Role::Delegated(ProjectRole::of(project.clone()).name())
}

/// The project whose role this is, its own or a sub-role's.
pub(crate) fn project_of(role: &Role) -> Option<ProjectName> {
    match role {
        Role::Delegated(name) => ProjectRole::parse(name)
            .ok()
            .map(|role| role.project().clone()),
        _ => None,
    }
}
