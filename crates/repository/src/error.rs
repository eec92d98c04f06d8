//! What can go wrong between a change and its publication.

use std::io;
use std::path::PathBuf;

use chrono::{DateTime, Utc};
use draft::{Refused, ShardFlaw, Unsigned};
use index::{FilenameError, InspectError, PageError, ProjectName, ProjectNameError};
use keys::KeyError;
use metadata::{MetadataError, Role, Sha256, Version};
use trust::Rejection;

use crate::receive::ReceiveError;
use crate::store::StorePath;

/// Why a cycle, or a command on the repository, failed.
#[derive(Debug, thiserror::Error)]
pub enum RepositoryError {
    /// The state database failed or holds what it should not.
    #[error("the state database failed while {doing}")]
    State {
        /// What was being done.
        doing: &'static str,
        /// What the database said.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The state database is of another version than this program writes.
    #[error("the state database has schema version {found}, this program reads {expected}")]
    Schema {
        /// Version found.
        found: i64,
        /// Version this program reads.
        expected: i64,
    },
    /// A record in the state database cannot be read.
    #[error("the state database holds a damaged record of {what}")]
    Damaged {
        /// What the record describes.
        what: String,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A file outside store and state failed.
    #[error("could not {doing} {path}")]
    Io {
        /// What was being done.
        doing: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The state is elsewhere by now.
    #[error("the state was moved to {to}; what was kept here is not used any more")]
    Moved {
        /// Where it is.
        to: String,
        /// Which copy is meant.
        id: String,
    },
    /// A copy that has not taken the state's place yet.
    #[error("this is a copy of the state in {from}, and has not taken its place yet")]
    Arriving {
        /// Where the state is.
        from: String,
    },
    /// A place that holds another state.
    #[error("{place} holds another state")]
    HoldsAnother {
        /// The place.
        place: String,
    },
    /// What was read back after the state was copied is not what it was copied from.
    #[error("the copy of the state differs in `{table}`; nothing was moved")]
    CopyDiffers {
        /// The first table that differs.
        table: &'static str,
    },
    /// The index is published elsewhere by now.
    #[error("the index has left the store at {place}")]
    StoreLeft {
        /// The store left.
        place: String,
    },
    /// Another process holds the repository.
    #[error("another process is at work on {path}")]
    Locked {
        /// The lock file.
        path: PathBuf,
    },
    /// Another machine or process is the writer.
    #[error("{holder} is at work on this index, by a lease that ends {until}")]
    Leased {
        /// Who: host, process id, and the number of the lease.
        holder: String,
        /// When its lease ends unless it is renewed, by the database's clock.
        until: DateTime<Utc>,
    },
    /// This process was the writer, but another took its place: its lease had run out.
    #[error(
        "lease {number} of this process ran out, and {holder} took its place; nothing more was published by this one"
    )]
    LeaseLost {
        /// The lease lost.
        number: i64,
        /// Who is the writer now.
        holder: String,
    },
    /// A cycle's work was asked of the state without its lease; a defect.
    #[error("this process does not hold the lease of the index")]
    NotTheWriter,
    /// There is no repository here.
    #[error("{path} holds no repository")]
    Missing {
        /// The folder.
        path: PathBuf,
    },
    /// A rebin to the bins there are.
    #[error("the index has {count} bins of this form already")]
    SameBins {
        /// How many.
        count: u32,
    },
    /// There is one already.
    #[error("{path} already holds something; nothing is ever overwritten")]
    Exists {
        /// The folder.
        path: PathBuf,
    },
    /// A document broke a rule.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// The keys at hand do not reach a role's threshold.
    #[error(transparent)]
    Unsigned(#[from] Unsigned),
    /// A key failed.
    #[error("a key failed while signing {role}")]
    Key {
        /// The role being signed.
        role: Role,
        /// What the key said.
        source: KeyError,
    },
    /// Our own client would refuse what was about to be published (DESIGN §3 rehearsal).
    #[error("the rehearsal refused the batch")]
    Rehearsal {
        /// What the client code said.
        source: Rejection,
    },
    /// The rehearsal could not find a changed file where clients will look for it.
    #[error("the rehearsal did not find `{path}` through {role}")]
    RehearsalLookup {
        /// The target path.
        path: String,
        /// What the search ended in.
        role: String,
    },
    /// No root has been applied yet.
    #[error("no root, targets and bins have been applied yet")]
    NoRoles,
    /// Claims that nobody has confirmed since the state was recovered.
    #[error(
        "{projects} projects are held since the state was recovered: their keys are not confirmed"
    )]
    ClaimsHeld {
        /// How many.
        projects: usize,
    },
    /// Developers cannot sign here: nothing leads to their roles.
    #[error("targets does not delegate to `recently-claimed`, or the policy has no table `claims`")]
    NoDelegation,
    /// A role delegates in a way this program did not set up.
    #[error("{role} v{version} does not delegate the bins as this index was set up")]
    Layout {
        /// The role.
        role: Role,
        /// Its version.
        version: Version,
    },
    /// The clock is behind the last signature; signing now could issue shorter lives than before.
    #[error("the clock says {now}, but the last signature was made at {last}")]
    ClockBehind {
        /// The clock.
        now: DateTime<Utc>,
        /// The last signature.
        last: DateTime<Utc>,
    },
    /// Another process moved the head in between.
    #[error("the head moved from generation {expected} to {found} during the cycle")]
    HeadMoved {
        /// The generation this cycle started from.
        expected: u64,
        /// The generation found.
        found: u64,
    },
    /// A document or name that was built here is not valid; a defect.
    #[error("built an invalid document")]
    Document(#[from] MetadataError),
    /// A page that was built here is not valid; a defect.
    #[error("built an invalid project page")]
    Page(#[from] PageError),
    /// Two calls at one moment want a file name for different bytes (reference F7).
    #[error(
        "`{filename}` was taken for other bytes ({published}) a moment ago; nothing was queued"
    )]
    NameTaken {
        /// The name.
        filename: String,
        /// The digest it stands for.
        published: String,
    },
    /// Two calls at one moment took the same request.
    #[error("the request of {project} was used before; begin anew with a challenge")]
    ClaimUsed {
        /// The project.
        project: ProjectName,
    },
    /// A set of offline-signed roles was refused.
    #[error("the set was refused: {why}")]
    Set {
        /// Why.
        why: String,
    },
    /// A shard that does not follow from what is registered.
    #[error("the set was refused: {role} v{version} does not hold any more: {flaw}")]
    Shard {
        /// The shard.
        role: Role,
        /// Its version.
        version: Version,
        /// Why.
        flaw: Box<ShardFlaw>,
    },
    /// The snapshot would be larger than the policy reserves for it.
    #[error(
        "the set was refused: with its roles the snapshot would have up to {needed} bytes, more than the \
         {limit} of `repository.snapshot_bytes`"
    )]
    NoRoom {
        /// Bytes of the snapshot at most.
        needed: u64,
        /// The limit.
        limit: u64,
    },
    /// Two roles would delegate to one, and clients could read either (reference F31).
    #[error("{role} would have two delegators in one snapshot")]
    TwoDelegators {
        /// The role.
        role: Role,
    },
    /// A claimed project would get keys that have not signed its role.
    #[error(
        "the set was refused: project-{project} is not signed by the keys that {project} would get, and all \
         its files would be refused"
    )]
    NotResigned {
        /// The project.
        project: ProjectName,
    },
    /// What should come with a set was refused.
    #[error("nothing was queued: `{}` was refused ({})", path.display(), source.code())]
    WithSet {
        /// The transaction.
        path: PathBuf,
        /// Why.
        source: Box<ReceiveError>,
    },
    /// Every role of a set was published before, or a later one.
    #[error("nothing is new in the set: {roles} published already")]
    SetPublished {
        /// The roles and their versions, in words.
        roles: String,
    },
    /// A synchronisation would remove more than it may without being told so.
    #[error("{removed} of {present} files would be removed, more than {percent} percent")]
    SyncRemoves {
        /// Files that would go.
        removed: usize,
        /// Files on the index.
        present: usize,
        /// The share allowed.
        percent: u32,
    },
    /// The state is older than what is published, as after a backup was restored (reference F18).
    #[error("the state knows timestamp v{ours}, but v{published} of another snapshot is published")]
    StateBehind {
        /// The timestamp the state knows.
        ours: Version,
        /// The timestamp that is published.
        published: Version,
    },
    /// A role that the timestamp key cannot renew has expired.
    #[error("{role} has expired, and the timestamp key cannot sign it")]
    NotForThisKey {
        /// The role.
        role: Role,
    },
    /// The store shows an older version than was seen before.
    #[error("the store shows {role} v{found}, but v{floor} was seen before")]
    BelowFloor {
        /// The role.
        role: Role,
        /// The version seen before.
        floor: u64,
        /// The version found.
        found: Version,
    },
    /// The store has no `timestamp.json` to recover from.
    #[error("the store holds no timestamp.json")]
    NothingPublished,
    /// The store lacks what the published metadata names.
    #[error("the store does not hold {what}")]
    NotInStore {
        /// A metadata file or target.
        what: String,
    },
    /// A file of a set was refused by the trust code.
    #[error("the set was refused")]
    SetRejected {
        /// Why.
        source: Rejection,
    },
}

impl RepositoryError {
    /// Whether another is at work, so that trying again later is all there is to do.
    #[must_use]
    pub fn is_busy(&self) -> bool {
        matches!(
            self,
            Self::Locked { .. }
                | Self::Leased { .. }
                | Self::LeaseLost { .. }
                | Self::HeadMoved { .. }
                | Self::Store(StoreError::Locked { .. } | StoreError::Overtaken { .. })
        )
    }

    /// Whether it can be the content of a queued change that was refused.
    pub(crate) fn may_be_of_a_change(&self) -> bool {
        matches!(
            self,
            Self::Refused(_)
                | Self::Rehearsal { .. }
                | Self::RehearsalLookup { .. }
                | Self::Document(_)
                | Self::Page(_)
        )
    }

    /// The error and what is behind it, for a record that is kept.
    pub(crate) fn in_one_line(&self) -> String {
        let mut line = self.to_string();
        let mut next = std::error::Error::source(self);
        while let Some(cause) = next {
            let text = cause.to_string();
            if !line.contains(&text) {
                line = format!("{line}: {text}");
            }
            next = cause.source();
        }
        line
    }

    /// Whether what was about to be signed or published was refused, or cannot be signed with the keys
    /// at hand, as against machines that failed and may work again.
    #[must_use]
    pub fn is_refusal(&self) -> bool {
        matches!(
            self,
            Self::Refused(_)
                | Self::Unsigned(_)
                | Self::Rehearsal { .. }
                | Self::RehearsalLookup { .. }
                | Self::Layout { .. }
                | Self::Key {
                    source: KeyError::DifferentKey { .. },
                    ..
                }
                | Self::Set { .. }
                | Self::Shard { .. }
                | Self::NotResigned { .. }
                | Self::TwoDelegators { .. }
                | Self::NoRoom { .. }
                | Self::WithSet { .. }
                | Self::SetRejected { .. }
        )
    }
}

/// Why the store failed.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The system said no.
    #[error("could not {doing} `{path}` in the store")]
    Io {
        /// What was being done.
        doing: &'static str,
        /// The object.
        path: StorePath,
        /// What the system said.
        source: io::Error,
    },
    /// What was written could not be made durable.
    #[error("could not flush the store")]
    Flush {
        /// What the system said.
        source: io::Error,
    },
    /// Another process is putting pointers.
    #[error("another process is publishing to the folder of {path}")]
    Locked {
        /// The lock file.
        path: PathBuf,
    },
    /// The lock on the pointers failed.
    #[error("could not lock {path}")]
    Lock {
        /// The lock file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The objects could not be listed.
    #[error("could not list the store")]
    List {
        /// What the system said.
        source: io::Error,
    },
    /// An immutable object is there with other bytes.
    #[error("`{path}` is in the store with other bytes than those to be published")]
    Conflict {
        /// The object.
        path: StorePath,
    },
    /// A store on another machine did not do what it was asked, for as long as it is tried again.
    #[error("could not {doing} `{path}` in the store")]
    Remote {
        /// What was being done.
        doing: &'static str,
        /// The object.
        path: StorePath,
        /// What it answered, or why it did not.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A store on another machine does not let this program in.
    #[error("the store does not let this program {doing} `{path}`")]
    Denied {
        /// What was being done.
        doing: &'static str,
        /// The object.
        path: StorePath,
        /// What it answered.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A pointer is not what it was when this process began to put pointers: another signer has published,
    /// and this one leaves what it finds.
    #[error("another signer has replaced `{path}` meanwhile")]
    Overtaken {
        /// The object.
        path: StorePath,
    },
    /// An object is gone or was altered behind our back.
    #[error("`{path}` in the store is not what was published: expected {expected}")]
    Altered {
        /// The object.
        path: StorePath,
        /// The digest it should have.
        expected: Sha256,
    },
}

/// Why one file was not taken in.
#[derive(Debug, thiserror::Error)]
pub enum IntakeError {
    /// Not the name of a distribution.
    #[error(transparent)]
    Filename(#[from] FilenameError),
    /// Not a sound distribution.
    #[error(transparent)]
    Content(#[from] InspectError),
    /// Cannot be read.
    #[error("could not be read")]
    Unreadable(#[source] io::Error),
    /// Not a regular file.
    #[error("is not a regular file")]
    NotAFile,
    /// Larger than the policy allows.
    #[error("has {found} bytes, more than the {limit} allowed")]
    TooLarge {
        /// Bytes found.
        found: u64,
        /// Bytes allowed.
        limit: u64,
    },
    /// The name was used before with other bytes; names are never reused (reference F7).
    #[error("was published before with other bytes ({published})")]
    NameTaken {
        /// The digest published under this name.
        published: Sha256,
    },
    /// Two files of the same name in one call.
    #[error("stands twice in this call, with different bytes")]
    Twice,
    /// Developers sign this project: its files come in their transactions (PEP 480).
    #[error(
        "belongs to {project}, whose developers sign: it has to come in a transaction of theirs"
    )]
    DevelopersSign {
        /// The project.
        project: ProjectName,
    },
    /// There is no such file on the index.
    #[error("is not on the index")]
    Unknown,
    /// Not the name of a project.
    #[error(transparent)]
    Project(#[from] ProjectNameError),
    /// Its page could not be published so: a reason with control characters, for example.
    #[error(transparent)]
    Page(#[from] PageError),
}
