//! Takes in what developers send: claims with their grants, transactions. Everything is verified before
//! anything is kept, kept before it is queued, and queued before it is acknowledged (PEP 480
//! "Snapshot Process").

mod error;
pub(crate) mod head_room;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Seek};
use std::path::Path;

use chrono::{DateTime, Utc};
use claims::{
    Accepted, ClaimLimits, Operator, ProjectRole, Published, Registration, Transaction,
    check_claim, verify_transaction,
};
use draft::ClaimsExport;
use index::{DistributionFilename, ProjectName, Yanked, file_path, metadata_path};
use metadata::{DelegatedRoles, Document, Role, RoleName, TargetFile, TargetPath, Targets, Wire};
use trust::Authority;

pub use error::ReceiveError;

use crate::batch::recently_claimed_keys;
use crate::change::{Change, ChangeId};
use crate::claim_record::{ClaimStage, Evidence, Granted, TransactionRecord, exported};
use crate::developers::{own_role, project_of};
use crate::error::RepositoryError;
use crate::outlook::published;
use crate::pages::Project;
use crate::record::{FileRecord, Listing, RoleRecord};
use crate::repository::Repository;
use crate::standing::Standing;
use crate::store::StorePath;

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

    /// Every claim whose developers sign, as published: what a ceremony freezes.
    /// Keys that nobody has confirmed since a recovery are not for a ceremony to cement.
    pub fn export_claims(&self) -> Result<ClaimsExport, RepositoryError> {
        let claims = self.state.claims()?;
        match claims.values().filter(|claim| claim.held).count() {
            0 => Ok(exported(&claims)),
            projects => Err(RepositoryError::ClaimsHeld { projects }),
        }
    }

    /// Every claim, as published.
    pub fn claims(
        &self,
    ) -> Result<BTreeMap<ProjectName, crate::claim_record::ClaimRecord>, RepositoryError> {
        self.state.claims()
    }

    /// When the own role of each project expires: then clients refuse its files, and only its developers can
    /// renew it (reference F32).
    pub fn project_expiries(
        &self,
    ) -> Result<BTreeMap<ProjectName, DateTime<Utc>>, RepositoryError> {
        let roles = self.state.roles()?.into_iter();
        Ok(roles
            .filter_map(|record| {
                let project = project_of(&record.role)?;
                (own_role(&project) == record.role).then_some((project, record.expires))
            })
            .collect())
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

    /// The limits of a transaction, where developers can sign: the policy says so, and targets delegates.
    fn claim_limits(&self) -> Result<Option<ClaimLimits>, RepositoryError> {
        let policy = &self.settings.policy;
        let Some(claims) = &policy.claims else {
            return Ok(None);
        };
        let before = self.read_before(&self.roles_by_name()?, None)?;
        let targets = published(&before)?.targets;
        if targets.as_ref().and_then(recently_claimed_keys).is_none() {
            return Ok(None);
        }
        let limits = ClaimLimits::default();
        Ok(Some(ClaimLimits {
            role_bytes: limits.role_bytes.min(policy.repository.role_bytes),
            file_bytes: policy.client.file_bytes,
            sub_roles: claims.sub_roles_per_project as usize,
            signatures: policy.client.signatures as usize,
            ..limits
        }))
    }

    /// What a transaction is verified against; nothing if nobody has registered keys.
    fn known(
        &self,
        project: &Project,
        signed_by: SignedBy,
    ) -> Result<Option<Published>, RepositoryError> {
        let developers = &project.developers;
        let Some(claim) = &developers.claim else {
            return Ok(None);
        };
        // Keys that nobody vouches for have no say before a ceremony gives it to them.
        let registration = match (&claim.in_force, signed_by) {
            (Some(granted), SignedBy::KeysInForce) if claim.waits_unvouched() => {
                Some(&granted.registration)
            }
            _ => claim.next_registration(),
        };
        let Some(registration) = registration.cloned() else {
            return Ok(None);
        };
        let mut last_versions = BTreeMap::new();
        for (role, record) in &developers.roles {
            if let Role::Delegated(name) = role {
                last_versions.insert(name.clone(), record.version);
            }
        }
        let mut roles = BTreeMap::new();
        if claim.is_signed() {
            let own = ProjectRole::of(registration.project.clone()).name();
            let current = self.current_roles(&own, &developers.roles)?;
            roles.extend(current);
        }
        let mut files: BTreeMap<TargetPath, TargetFile> = BTreeMap::new();
        for file in project.now.values() {
            let path = file_path(&file.filename);
            files.insert(path, TargetFile::new(file.size, file.sha256));
            if let Some((digest, size)) = file.core_metadata {
                let path = metadata_path(&file.filename);
                files.insert(path, TargetFile::new(size, digest));
            }
        }
        let withdrawn = developers.withdrawn.iter();
        let withdrawn = withdrawn
            .filter_map(|name| DistributionFilename::parse_for(name, &registration.project).ok());
        Ok(Some(Published {
            withdrawn: withdrawn.collect(),
            registration,
            roles,
            last_versions,
            files,
        }))
    }

    /// The files of `project-NAME` and of the sub-roles it delegates to.
    fn current_roles(
        &self,
        own: &RoleName,
        records: &BTreeMap<Role, RoleRecord>,
    ) -> Result<BTreeMap<RoleName, Vec<u8>>, RepositoryError> {
        let mut current = BTreeMap::new();
        let read = |name: &RoleName| {
            let record = records.get(&Role::Delegated(name.clone()));
            record.map(|record| self.any_role(record)).transpose()
        };
        let Some(file) = read(own)? else {
            return Ok(current);
        };
        let document = Targets::parse(Wire::parse(&file, usize::MAX)?.signed)?;
        current.insert(own.clone(), file);
        if let Some(DelegatedRoles::Listed(roles)) = document.delegations.map(|all| all.roles) {
            for role in roles {
                if let Some(file) = read(&role.name)? {
                    current.insert(role.name, file);
                }
            }
        }
        Ok(current)
    }

    /// A role's file, published or on its way.
    fn any_role(&self, record: &RoleRecord) -> Result<Vec<u8>, RepositoryError> {
        match self.read_upload(record)? {
            Some(bytes) => Self::held_against(record, bytes),
            None => self.published_role(record),
        }
    }

    /// A published role's file, held against the state's digest.
    pub(crate) fn published_role(&self, record: &RoleRecord) -> Result<Vec<u8>, RepositoryError> {
        let damaged = || RepositoryError::Damaged {
            what: format!("role {}", record.role),
        };
        let name = record.role.versioned_file_name(record.version);
        let path = StorePath::metadata(&name).ok_or_else(damaged)?;
        Ok(self
            .store
            .get_checked(&path, record.length, record.sha256)?)
    }

    /// The file of a role that was taken in, held against its digest.
    pub(crate) fn received_role(&self, record: &RoleRecord) -> Result<Vec<u8>, RepositoryError> {
        match self.read_upload(record)? {
            Some(bytes) => Self::held_against(record, bytes),
            None => Err(self.upload_failed("open", &record.sha256)(
                std::io::ErrorKind::NotFound.into(),
            )),
        }
    }

    /// The upload that should be a role, with one byte more than that at most.
    fn read_upload(&self, record: &RoleRecord) -> Result<Option<Vec<u8>>, RepositoryError> {
        let opened = self.uploads.open(&record.sha256);
        let Some(upload) = opened.map_err(self.upload_failed("open", &record.sha256))? else {
            return Ok(None);
        };
        let mut bytes = Vec::new();
        upload
            .take(record.length + 1)
            .read_to_end(&mut bytes)
            .map_err(self.upload_failed("read", &record.sha256))?;
        Ok(Some(bytes))
    }

    fn held_against(record: &RoleRecord, bytes: Vec<u8>) -> Result<Vec<u8>, RepositoryError> {
        if metadata::Sha256::of(&bytes) == record.sha256 {
            return Ok(bytes);
        }
        Err(RepositoryError::Damaged {
            what: format!("the upload of role {}", record.role),
        })
    }

    /// Keeps new distributions and their core metadata as uploads.
    fn keep_files<R: Read + Seek>(
        &self,
        transaction: &mut Transaction<R>,
        accepted: &Accepted,
        now: DateTime<Utc>,
    ) -> Result<Result<Vec<FileRecord>, ReceiveError>, RepositoryError> {
        let mut files = Vec::new();
        for new in &accepted.new_files {
            let copied = self.keep_with(|out| transaction.copy(&new.filename, out))?;
            let (sha256, size) = match copied {
                Ok(copied) => copied,
                Err(error) => return Ok(Err(ReceiveError::Unreadable(error))),
            };
            // Whoever changes the archive while it is read gets nothing in.
            if new.file.hashes.get_sha256() != Some(sha256) || new.file.length != size {
                let error = std::io::Error::other("the archive changed while it was read");
                return Ok(Err(ReceiveError::Unreadable(error)));
            }
            let core_metadata = match &new.inspected.core_metadata {
                None => None,
                Some(bytes) => Some(self.keep_bytes(bytes)?),
            };
            files.push(FileRecord {
                filename: new.filename.clone(),
                sha256,
                size,
                requires_python: new.inspected.requires_python.clone(),
                uploaded: now,
                core_metadata,
                yanked: Yanked::No,
            });
        }
        Ok(Ok(files))
    }

    fn keep_roles(&self, accepted: &Accepted) -> Result<Vec<RoleRecord>, RepositoryError> {
        let keep = |role: &claims::AcceptedRole| {
            let (sha256, length) = self.keep_bytes(&role.file)?;
            Ok(RoleRecord {
                role: Role::Delegated(role.name.clone()),
                version: role.version,
                sha256,
                length,
                expires: role.expires.instant(),
                listing: Listing::Full,
            })
        };
        accepted.roles.iter().map(keep).collect()
    }
}
