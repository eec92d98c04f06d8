//! Takes in what developers send: claims with their grants, transactions. Everything is verified before
//! anything is kept, kept before it is queued, and queued before it is acknowledged (PEP 480
//! "Snapshot Process").

mod basis;
mod error;
pub(crate) mod head_room;
mod kept;
mod report;

use std::fs::File;
use std::path::Path;

use chrono::{DateTime, Utc};
use claims::{
    Accepted, Operator, ProjectRole, Registration, Transaction, check_claim, verify_transaction,
};
use index::ProjectName;
use metadata::Role;
use trust::Authority;

pub use error::ReceiveError;

use crate::change::{Change, ChangeId};
use crate::claim_record::{ClaimStage, Evidence, Granted, TransactionRecord};
use crate::error::RepositoryError;
use crate::repository::Repository;
use crate::standing::Standing;

/// What was taken in.
#[derive(Clone, Debug)]
pub struct Receipt {
    /// The project.
    pub project: ProjectName,
    /// What it was.
    pub received: Received,
    /// The change queued for it.
    pub change: ChangeId,
}

/// What developers sent.
#[derive(Clone, Debug)]
pub enum Received {
    /// Keys, with the stage of the project when they were registered.
    Claim {
        /// The keys.
        registration: Registration,
        /// Where the project stood; none if it was nobody's.
        stage: Option<ClaimStage>,
    },
    /// A transaction.
    Transaction(Box<Accepted>),
}

/// By whose keys a transaction has to be signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SignedBy {
    /// By those that clients are shown now, and by those that are to come, if these vouch for them.
    KeysInForce,
    /// By those that a set brings with it.
    KeysToCome,
}

/// What receiving one file or pair of files came to.
type Answer = Result<Result<Receipt, ReceiveError>, RepositoryError>;

impl Repository {
    /// Takes a claim in: a request and the operator's grant for it.
    pub fn receive_claim(
        &mut self,
        request: &[u8],
        grant: &[u8],
        operator: &Operator,
        index: &str,
        now: DateTime<Utc>,
    ) -> Answer {
        self.follow_other_processes()?;
        let Some(limits) = self.claim_limits()? else {
            return Ok(Err(ReceiveError::NobodySigns));
        };
        let claim = match check_claim(request, grant, operator, index, &limits, now) {
            Ok(claim) => claim,
            Err(error) => return Ok(Err(error.into())),
        };
        let registration = claim.registration;
        let schemes = &self.settings.policy.keys.schemes;
        for key in registration.keys.values() {
            if !schemes.iter().any(|scheme| scheme.as_str() == key.scheme()) {
                let (keyid, scheme) = (key.id(), key.scheme().to_owned());
                return Ok(Err(ReceiveError::Scheme { keyid, scheme }));
            }
        }
        let project = registration.project.clone();
        let recovered = self.settings.recovered;
        if let Some(recovered) = recovered.filter(|recovered| claim.issued <= *recovered) {
            return Ok(Err(ReceiveError::BeforeRecovery {
                project,
                issued: claim.issued,
                recovered,
            }));
        }
        if self.state.is_request_used(&claim.request)? {
            return Ok(Err(ReceiveError::Used { project }));
        }
        let mut standing = Standing::default();
        let before = standing.project(self, &project)?.developers.claim.as_ref();
        let stage = before.map(|claim| claim.stage);
        if stage.is_none()
            && let Err(full) = self.room_for_a_claim()?
        {
            return Ok(Err(full));
        }
        if stage != Some(ClaimStage::Claimed)
            && let Err(full) = self.room_for_keys(&registration)?
        {
            return Ok(Err(full));
        }
        let granted = Granted {
            registration: registration.clone(),
            evidence: Some(Evidence {
                challenge: claim.challenge,
                request: claim.request,
                grant: claim.grant,
            }),
            received: now,
        };
        let changes = [Change::Claim(Box::new(granted))];
        self.queued(project, &changes, now, |_| Received::Claim {
            registration,
            stage,
        })
    }

    /// Takes a transaction in: one archive.
    pub fn receive_transaction(&mut self, path: &Path, now: DateTime<Utc>) -> Answer {
        self.follow_other_processes()?;
        let file = match File::open(path) {
            Ok(file) => file,
            Err(error) => return Ok(Err(ReceiveError::Unreadable(error))),
        };
        let (change, accepted) = match self.keep_transaction(file, SignedBy::KeysInForce, now)? {
            Ok(kept) => kept,
            Err(error) => return Ok(Err(error)),
        };
        let project = change.project().clone();
        self.queued(project, &[change], now, |_| Received::Transaction(accepted))
    }

    /// The project that a transaction says it is of; nothing of it is verified.
    pub fn project_of_transaction(
        &self,
        file: File,
    ) -> Result<Result<ProjectName, ReceiveError>, RepositoryError> {
        let Some(limits) = self.claim_limits()? else {
            return Ok(Err(ReceiveError::NobodySigns));
        };
        let opened = Transaction::open(file, limits);
        Ok(opened
            .map(|transaction| transaction.project().clone())
            .map_err(ReceiveError::from))
    }

    /// Verifies a transaction against what will be published, keeps its roles and files, and says what
    /// to queue.
    pub(crate) fn keep_transaction(
        &self,
        file: File,
        signed_by: SignedBy,
        now: DateTime<Utc>,
    ) -> Result<Result<(Change, Box<Accepted>), ReceiveError>, RepositoryError> {
        let Some(limits) = self.claim_limits()? else {
            return Ok(Err(ReceiveError::NobodySigns));
        };
        let mut transaction = match Transaction::open(file, limits) {
            Ok(transaction) => transaction,
            Err(reason) => return Ok(Err(reason.into())),
        };
        let project = transaction.project().clone();
        let mut standing = Standing::default();
        let before = standing.project(self, &project)?;
        let is_held = before.developers.claim.as_ref();
        let is_held = is_held.is_some_and(|claim| claim.held);
        if is_held && signed_by == SignedBy::KeysInForce {
            return Ok(Err(ReceiveError::Held { project }));
        }
        let Some(known) = self.known(before, signed_by)? else {
            return Ok(Err(ReceiveError::Unregistered { project }));
        };
        let in_force = match &before.developers.claim {
            Some(claim) if claim.stage == ClaimStage::Claimed => claim.in_force.clone(),
            _ => None,
        };
        let basis = before.developers.basis(&before.now);
        let accepted = match verify_transaction(&known, &mut transaction, now) {
            Ok(accepted) => accepted,
            Err(reason) => return Ok(Err(reason.into())),
        };
        if signed_by == SignedBy::KeysInForce
            && let Some(in_force) = in_force
            && !self.is_signed_in_force(&accepted, &in_force)
        {
            return Ok(Err(ReceiveError::AwaitsCeremony { project }));
        }
        for new in &accepted.new_files {
            let taken = self.state.digest_of_name(new.filename.as_str())?;
            let sha256 = new.file.hashes.get_sha256();
            if let Some(published) = taken.filter(|taken| Some(*taken) != sha256) {
                let file = new.filename.clone();
                return Ok(Err(ReceiveError::NameTaken { file, published }));
            }
        }
        if let Err(full) = self.room_for(&accepted, &known)? {
            return Ok(Err(full));
        }
        let files = match self.keep_files(&mut transaction, &accepted, now)? {
            Ok(files) => files,
            Err(error) => return Ok(Err(error)),
        };
        let record = TransactionRecord {
            project,
            basis,
            roles: self.keep_roles(&accepted)?,
            files,
            withdrawn: accepted.withdrawn.iter().cloned().collect(),
        };
        self.sync_incoming()?;
        Ok(Ok((
            Change::Transaction(Box::new(record)),
            Box::new(accepted),
        )))
    }

    /// Whether the keys that an offline role lists have signed the project's role, too, if it is new.
    fn is_signed_in_force(&self, accepted: &Accepted, in_force: &Granted) -> bool {
        let registration = &in_force.registration;
        let authority = Authority::new("claimed", &registration.keys, &registration.role_keys);
        let own = ProjectRole::of(registration.project.clone()).name();
        let new = accepted.roles.iter().find(|role| role.name == own);
        new.is_none_or(|role| self.is_signed_by(&Role::Delegated(own), &role.file, &authority))
    }

    /// Queues that the index speaks for a project again: after a theft of the online key (reference C.9),
    /// or when its developers have lost their keys.
    pub fn release_claim(&mut self, project: &ProjectName, now: DateTime<Utc>) -> Answer {
        let mut standing = Standing::default();
        let claim = &standing.project(self, project)?.developers.claim;
        let project = project.clone();
        let stage = match claim.as_ref().map(|claim| claim.stage) {
            None => return Ok(Err(ReceiveError::Unregistered { project })),
            Some(ClaimStage::Claimed) => return Ok(Err(ReceiveError::Claimed { project })),
            Some(stage) => stage,
        };
        let registration = claim.as_ref().and_then(|claim| claim.next_registration());
        let Some(registration) = registration.cloned() else {
            return Ok(Err(ReceiveError::Unregistered { project }));
        };
        let changes = [Change::Release(project.clone())];
        self.queued(project, &changes, now, |_| Received::Claim {
            registration,
            stage: Some(stage),
        })
    }

    fn queued(
        &mut self,
        project: ProjectName,
        changes: &[Change],
        now: DateTime<Utc>,
        received: impl FnOnce(ChangeId) -> Received,
    ) -> Answer {
        let ids = self.state.enqueue(changes, now)?;
        let change = ids.into_iter().next().ok_or(RepositoryError::Damaged {
            what: "the journal".to_owned(),
        })?;
        Ok(Ok(Receipt {
            project,
            received: received(change),
            change,
        }))
    }
}
