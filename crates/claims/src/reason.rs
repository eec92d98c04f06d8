//! Why a transaction is refused. Each reason has a code that stays the same for ever, so that a
//! developer's tool can say what to do about it.

use chrono::{DateTime, Utc};
use index::{DistributionFilename, InspectError, ProjectName};
use metadata::{KeyId, PathPattern, RoleName, TargetPath, Version};
use trust::Rejection;
use zip::result::ZipError;

use crate::RoleNameError;

/// Why nothing of a transaction was taken.
#[derive(Debug, thiserror::Error)]
pub enum Reason {
    /// Not a zip archive, or one that readers could see differently.
    #[error("the transaction is no sound zip archive")]
    Archive(#[from] ZipError),
    /// More entries, or a longer directory, than allowed.
    #[error("the transaction has {what} beyond {limit}")]
    ArchiveTooLarge {
        /// What there is too much of.
        what: &'static str,
        /// The limit.
        limit: u64,
    },
    /// An entry that is neither a role nor a file.
    #[error("entry {entry} is neither metadata/ROLE.json nor targets/FILE")]
    EntryName {
        /// The name, escaped and shortened.
        entry: String,
    },
    /// Two entries of one name, or of names that some disks take for one.
    #[error("entry {entry} stands twice in the transaction")]
    EntryTwice {
        /// The name.
        entry: String,
    },
    /// A link, a device, or something encrypted.
    #[error("entry {entry} is no plain file")]
    EntryKind {
        /// The name.
        entry: String,
    },
    /// Compressed: what it unpacks to is anybody's guess.
    #[error("entry {entry} is compressed; entries are stored as they are")]
    EntryCompressed {
        /// The name.
        entry: String,
    },
    /// Larger than its kind may be.
    #[error("entry {entry} has {size} bytes, more than {limit}")]
    EntryTooLarge {
        /// The name.
        entry: String,
        /// Its size.
        size: u64,
        /// The limit.
        limit: u64,
    },
    /// No role at all.
    #[error("the transaction has no role")]
    NoRole,
    /// Private key material, which must never leave its owner.
    #[error("{role} contains a private key; replace that key wherever it is used")]
    PrivateKey {
        /// The role.
        role: RoleName,
    },
    /// A role or file of another project.
    #[error("{entry} is not of project {project}")]
    OtherProject {
        /// The entry.
        entry: String,
        /// The project that the transaction is for.
        project: ProjectName,
    },
    /// A role's name that no project may use.
    #[error(transparent)]
    RoleName(#[from] RoleNameError),
    /// A role that is no TUF document, not in strict form, or too few have signed.
    #[error(transparent)]
    Role(#[from] Rejection),
    /// Not the version that follows.
    #[error("{role} has v{found}, after what is published it has to be v{expected}")]
    Version {
        /// The role.
        role: RoleName,
        /// What has to follow.
        expected: Version,
        /// What was sent.
        found: Version,
    },
    /// The versions of a role have come to their end.
    #[error("{role} has used the last version there is")]
    VersionsUsedUp {
        /// The role.
        role: RoleName,
    },
    /// Expires too early or too late.
    #[error(
        "{role} expires at {found}, not between {earliest} and {latest}",
        found = found.format("%FT%TZ"),
        earliest = earliest.format("%FT%TZ"),
        latest = latest.format("%FT%TZ")
    )]
    Expiry {
        /// The role.
        role: RoleName,
        /// When it expires.
        found: DateTime<Utc>,
        /// When it may expire at the earliest.
        earliest: DateTime<Utc>,
        /// When it may expire at the latest.
        latest: DateTime<Utc>,
    },
    /// A delegation that is not allowed.
    #[error("{role} {why}")]
    Delegation {
        /// The role delegated to.
        role: RoleName,
        /// What is wrong.
        why: &'static str,
    },
    /// A path pattern that is not allowed.
    #[error("{role} may not have the paths {pattern}")]
    Pattern {
        /// The role delegated to.
        role: RoleName,
        /// The pattern.
        pattern: PathPattern,
    },
    /// More sub-roles than a project may ever have.
    #[error("the project would have used {found} names of sub-roles, more than {limit}")]
    SubRoles {
        /// How many.
        found: usize,
        /// The limit.
        limit: usize,
    },
    /// A key that cannot be taken.
    #[error("{role}: key {keyid} {why}", keyid = keyid.short())]
    Key {
        /// The role it is for.
        role: RoleName,
        /// The key.
        keyid: KeyId,
        /// What is wrong.
        why: String,
    },
    /// A threshold that its keys can never meet.
    #[error("{role} asks for {threshold} signatures of {keys} distinct keys")]
    Threshold {
        /// The role.
        role: RoleName,
        /// Signatures asked for.
        threshold: u32,
        /// Distinct keys.
        keys: usize,
    },
    /// A role that is delegated to and not there.
    #[error("{role} is neither in the transaction nor published")]
    RoleMissing {
        /// The role.
        role: RoleName,
    },
    /// A role that nobody delegates to.
    #[error("{role} is in the transaction, and nobody delegates to it")]
    RoleNotDelegated {
        /// The role.
        role: RoleName,
    },
    /// A path outside the project.
    #[error("{role} lists {path}, which is no file of its project")]
    Path {
        /// The role.
        role: RoleName,
        /// The path.
        path: TargetPath,
    },
    /// A path that the role may not speak for.
    #[error("{role} lists {path}, which was not delegated to it")]
    PathNotDelegated {
        /// The role.
        role: RoleName,
        /// The path.
        path: TargetPath,
    },
    /// Listed without a SHA-256.
    #[error("{role} lists {path} without its SHA-256")]
    NoSha256 {
        /// The role.
        role: RoleName,
        /// The path.
        path: TargetPath,
    },
    /// Two roles list one file.
    #[error("both {first} and {second} list {path}")]
    FileInTwoRoles {
        /// The path.
        path: TargetPath,
        /// One of them.
        first: RoleName,
        /// The other.
        second: RoleName,
    },
    /// Listed, but neither sent nor on the index.
    #[error("{role} lists {path}, which is neither in the transaction nor on the index")]
    FileMissing {
        /// The role.
        role: RoleName,
        /// The path.
        path: TargetPath,
    },
    /// Sent, or on the index, with other bytes than listed.
    #[error("{path} is not the file that {role} lists: length or digest differ")]
    FileDiffers {
        /// The role.
        role: RoleName,
        /// The path.
        path: TargetPath,
    },
    /// A published file would change.
    #[error("{path} is published with other bytes; a file never changes")]
    FileChanged {
        /// The path.
        path: TargetPath,
    },
    /// Published files would vanish.
    #[error(
        "{} published files would vanish, {first} among them; list them or give them up by name",
        files.len(), first = files.first().map_or("none", DistributionFilename::as_str)
    )]
    FilesDropped {
        /// The files.
        files: Vec<DistributionFilename>,
    },
    /// A name that was given up comes back.
    #[error("{file} was given up before; its name is not used again")]
    FileReused {
        /// The file.
        file: DistributionFilename,
    },
    /// Sent, but nobody lists it.
    #[error("{entry} is in the transaction, and no role lists it")]
    FileUnlisted {
        /// The entry.
        entry: String,
    },
    /// Not the distribution that its name says.
    #[error("{file} is not what its name says")]
    Distribution {
        /// The file.
        file: DistributionFilename,
        /// Why.
        source: Box<InspectError>,
    },
    /// A wheel without its core metadata among the targets.
    #[error("{file} is listed without {file}.metadata")]
    MetadataMissing {
        /// The wheel.
        file: DistributionFilename,
    },
    /// Core metadata that are not those inside the wheel.
    #[error("{file}.metadata is not the METADATA inside {file}")]
    MetadataDiffers {
        /// The wheel.
        file: DistributionFilename,
    },
    /// A list of files given up that does not hold.
    #[error("{role}: its list of files given up {why}")]
    Withdrawal {
        /// The role.
        role: RoleName,
        /// What is wrong.
        why: String,
    },
}

impl Reason {
    /// The code, for programs.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Archive(_) => "archive",
            Self::ArchiveTooLarge { .. } => "archive-too-large",
            Self::EntryName { .. } => "entry-name",
            Self::EntryTwice { .. } => "entry-twice",
            Self::EntryKind { .. } => "entry-kind",
            Self::EntryCompressed { .. } => "entry-compressed",
            Self::EntryTooLarge { .. } => "entry-too-large",
            Self::NoRole => "no-role",
            Self::PrivateKey { .. } => "private-key",
            Self::OtherProject { .. } => "other-project",
            Self::RoleName(_) => "role-name",
            Self::Role(Rejection::Signatures { .. }) => "signatures",
            Self::Role(_) => "role",
            Self::Version { .. } => "version",
            Self::VersionsUsedUp { .. } => "versions-used-up",
            Self::Expiry { .. } => "expiry",
            Self::Delegation { .. } => "delegation",
            Self::Pattern { .. } => "pattern",
            Self::SubRoles { .. } => "sub-roles",
            Self::Key { .. } => "key",
            Self::Threshold { .. } => "threshold",
            Self::RoleMissing { .. } => "role-missing",
            Self::RoleNotDelegated { .. } => "role-not-delegated",
            Self::Path { .. } => "path",
            Self::PathNotDelegated { .. } => "path-not-delegated",
            Self::NoSha256 { .. } => "no-sha256",
            Self::FileInTwoRoles { .. } => "file-in-two-roles",
            Self::FileMissing { .. } => "file-missing",
            Self::FileDiffers { .. } => "file-differs",
            Self::FileChanged { .. } => "file-changed",
            Self::FilesDropped { .. } => "files-dropped",
            Self::FileReused { .. } => "file-reused",
            Self::FileUnlisted { .. } => "file-unlisted",
            Self::Distribution { .. } => "distribution",
            Self::MetadataMissing { .. } => "metadata-missing",
            Self::MetadataDiffers { .. } => "metadata-differs",
            Self::Withdrawal { .. } => "withdrawal",
        }
    }
}
