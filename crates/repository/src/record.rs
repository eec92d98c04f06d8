//! What the state keeps: records, and the work of one cycle journalled whole.

use chrono::{DateTime, Utc};
use draft::BinLayout;
use index::{BinCount, DistributionFilename, ProjectName, Yanked};
use metadata::{MetaFile, Role, Sha256, Version};
use policy::{Encoding, Policy, TargetProfile};
use serde::{Deserialize, Serialize};

use crate::change::{ChangeId, Outcome};
use crate::claim_record::ClaimRecord;
use crate::error::RepositoryError;

/// What was fixed when the repository was made, but for the bins.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The policy, as text: a repository keeps the one it was made with until it is told otherwise.
    pub policy_text: String,
    /// The same, read.
    pub policy: Policy,
    /// Number and encoding of the bins: the policy's until a rebin.
    pub layout: BinLayout,
    /// What becomes a target.
    pub profile: TargetProfile,
    /// When the state was last recovered from a backup. What the operator granted before that may have
    /// been used in what was lost.
    pub recovered: Option<DateTime<Utc>>,
}

impl Settings {
    /// Settings from a policy's text; bins and profile as it says.
    pub fn from_policy(policy_text: &str) -> Result<Self, policy::PolicyError> {
        let policy = Policy::parse(policy_text)?;
        Ok(Self {
            policy_text: policy_text.to_owned(),
            layout: BinLayout::of(&policy.index),
            profile: policy.index.profile,
            recovered: None,
            policy,
        })
    }

    pub(crate) fn encode(&self) -> [(&'static str, String); 4] {
        let [bins, encoding] = layout_settings(self.layout);
        let profile = match self.profile {
            TargetProfile::Pages => "pages",
            TargetProfile::PagesAndFiles => "pages+files",
        };
        [
            ("policy", self.policy_text.clone()),
            bins,
            encoding,
            ("profile", profile.to_owned()),
        ]
    }

    pub(crate) fn decode(get: impl Fn(&str) -> Option<String>) -> Result<Self, RepositoryError> {
        let damaged = |what: &str| RepositoryError::Damaged {
            what: format!("setting {what}"),
        };
        let field = |name: &str| get(name).ok_or_else(|| damaged(name));
        let policy_text = field("policy")?;
        let policy = Policy::parse(&policy_text).map_err(|_| damaged("policy"))?;
        let bins = field("bins")?.parse().map_err(|_| damaged("bins"))?;
        let encoding = match field("encoding")?.as_str() {
            "succinct" => Encoding::Succinct,
            "path-hash-prefixes" => Encoding::PathHashPrefixes,
            _ => return Err(damaged("encoding")),
        };
        let profile = match field("profile")?.as_str() {
            "pages" => TargetProfile::Pages,
            "pages+files" => TargetProfile::PagesAndFiles,
            _ => return Err(damaged("profile")),
        };
        let recovered = match get(RECOVERED) {
            None => None,
            Some(seconds) => {
                let time = seconds.parse().ok();
                let time = time.and_then(|seconds| DateTime::from_timestamp(seconds, 0));
                Some(time.ok_or_else(|| damaged(RECOVERED))?)
            }
        };
        let count = BinCount::new(bins).map_err(|_| damaged("bins"))?;
        Ok(Self {
            policy_text,
            policy,
            layout: BinLayout { count, encoding },
            profile,
            recovered,
        })
    }
}

/// The setting that says when the state was last recovered, in seconds since 1970.
pub(crate) const RECOVERED: &str = "recovered";

/// How a layout stands among the settings.
pub(crate) fn layout_settings(layout: BinLayout) -> [(&'static str, String); 2] {
    let encoding = match layout.encoding {
        Encoding::Succinct => "succinct",
        Encoding::PathHashPrefixes => "path-hash-prefixes",
    };
    [
        ("bins", layout.count.get().to_string()),
        ("encoding", encoding.to_owned()),
    ]
}

/// How the snapshot lists a role.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Listing {
    /// Not at all: root, snapshot, timestamp.
    None,
    /// Version alone: a bin whose key is the snapshot's (DESIGN §4).
    Version,
    /// Version, length and SHA-256.
    Full,
}

/// A published role.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoleRecord {
    /// The role.
    pub role: Role,
    /// Its version.
    pub version: Version,
    /// Digest of the file.
    pub sha256: Sha256,
    /// Bytes of the file.
    pub length: u64,
    /// When it expires.
    pub expires: DateTime<Utc>,
    /// How the snapshot lists it.
    pub listing: Listing,
}

impl RoleRecord {
    /// The entry of a snapshot that lists it so, if it has one.
    #[must_use]
    pub fn meta_file(&self, listing: Listing) -> Option<MetaFile> {
        match listing {
            Listing::None => None,
            Listing::Version => Some(MetaFile::version_only(self.version)),
            Listing::Full => Some(MetaFile {
                version: self.version,
                length: Some(self.length),
                hashes: Some(metadata::Hashes::sha256(self.sha256)),
            }),
        }
    }
}

/// A distribution file of the index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileRecord {
    /// Its name.
    pub filename: DistributionFilename,
    /// Digest of its bytes.
    pub sha256: Sha256,
    /// Its size in bytes.
    pub size: u64,
    /// `Requires-Python`.
    pub requires_python: Option<String>,
    /// When it was taken in.
    pub uploaded: DateTime<Utc>,
    /// Digest and size of its core metadata file.
    pub core_metadata: Option<(Sha256, u64)>,
    /// Whether resolvers should pass over it (PEP 592).
    pub yanked: Yanked,
}

impl FileRecord {
    /// The project it belongs to.
    #[must_use]
    pub fn project(&self) -> &ProjectName {
        self.filename.project()
    }
}

/// A target as the bins list it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TargetRecord {
    /// The bin responsible.
    pub bin: u16,
    /// The path.
    pub path: metadata::TargetPath,
    /// Length and digest; `None` if the target is gone.
    pub file: Option<(u64, Sha256)>,
}

/// Where an object's bytes come from when it is put.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// From the journal itself: signed metadata and pages.
    Bytes(Vec<u8>),
    /// From a file taken in, by digest.
    Incoming(Sha256),
    /// A second name for another object of the store.
    Link(String),
}

/// When, in a publication, an object is put.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// Before the head moves: everything immutable.
    Immutable,
    /// After it: roots, at the last moment. A client takes the newest root there is, and where a root
    /// names other online keys it refuses the timestamp of before.
    Root,
    /// `timestamp.json`.
    Timestamp,
    /// Last: pages of the plain mirror.
    Mirror,
}

/// One object to put.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Object {
    /// When.
    pub phase: Phase,
    /// Where to.
    pub path: String,
    /// From where.
    pub source: Source,
}

/// One publication, for the record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Publication {
    /// Its number: the head's generation after it.
    pub generation: u64,
    /// When it was signed.
    pub signed: DateTime<Utc>,
    /// The timestamp it brought.
    pub timestamp: Option<Version>,
    /// The snapshot it brought, unless only the timestamp was renewed.
    pub snapshot: Option<Version>,
    /// How many bins it signed.
    pub bins: u64,
    /// How many changes it published or refused.
    pub changes: u64,
}

impl Publication {
    /// How many are remembered.
    pub const REMEMBERED: u64 = 100;
}

/// The whole work of one cycle, journalled before the first put.
#[derive(Clone, Debug, Default)]
pub struct Staged {
    /// The generation of the head this follows.
    pub base: u64,
    /// When it was signed.
    pub signed: DateTime<Utc>,
    /// Roles with their new versions.
    pub roles: Vec<RoleRecord>,
    /// Files that are new.
    pub files: Vec<FileRecord>,
    /// Names of files that are gone.
    pub gone: Vec<DistributionFilename>,
    /// Targets that are new, other or gone.
    pub targets: Vec<TargetRecord>,
    /// What became of the changes taken up.
    pub outcomes: Vec<(ChangeId, Outcome)>,
    /// Sets of offline-signed roles taken up.
    pub sets: Vec<i64>,
    /// Roles that leave the snapshot, together with the online keys of before.
    pub dropped: Vec<Role>,
    /// Other bins, over which every target is spread anew.
    pub layout: Option<BinLayout>,
    /// Claims that are new or other; `None` for those that go.
    pub claims: Vec<(ProjectName, Option<ClaimRecord>)>,
    /// Files that developers have given up.
    pub withdrawn: Vec<DistributionFilename>,
    /// When the state was recovered, if this is what a recovery found published.
    pub recovered: Option<DateTime<Utc>>,
    /// What is put, in order.
    pub objects: Vec<Object>,
}
