//! A small ceremony, and indexes that it makes.

#![allow(
    dead_code,
    unreachable_pub,
    reason = "each test binary uses its own part of this"
)]

/// The same module that the whole-system tests use; a dependency on their crate would be a circle.
#[path = "../../../../tests/src/checker.rs"]
pub mod checker;
pub mod crash_developers;
pub mod crash_matrix;
pub mod developers;
pub mod fuse;
pub mod lossy;
mod reader;
pub mod watched;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};

use chrono::{DateTime, TimeZone, Utc};
use countersign_repository::{OnlineSigners, Parts, Repository, Settings, TickOptions};
use draft::{BinLayout, Draft, DraftDocument, Setting, bins_role, first_root, top_targets};
use index::BinCount;
use keys::{FileKey, KeyType, Signer};
use metadata::{Document, PublicKey, Role, Root, Version, Wire};
use policy::{Encoding, Policy};
use trust::Authority;

pub use reader::{Reader, Warm};

/// The rehearsal policy: short lives, few bins.
pub static POLICY: LazyLock<String> =
    LazyLock::new(|| Policy::built_in_text("rehearsal").unwrap().to_owned());

pub fn start() -> DateTime<Utc> {
    Utc.with_ymd_and_hms(2030, 1, 1, 0, 0, 0).unwrap()
}

pub fn version(number: u64) -> Version {
    Version::new(number).unwrap()
}

/// The project's own sample distributions.
pub fn samples() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/samples/dist");
    let mut files: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    files
}

/// The same for an index whose developers sign.
pub static CLAIMS: LazyLock<String> = LazyLock::new(|| {
    let role = |name, kind| {
        let keys = "keys = 1\nthreshold = 1\nlifetime = \"3h\"";
        format!("[claims.{name}]\nkind = \"{kind}\"\n{keys}\n")
    };
    let claims = [
        POLICY.as_str(),
        "[claims]\nshards = 16\nrecently_claimed_projects = 3\nsub_roles_per_project = 8\n\
         lost_keys_wait = \"20m\"\n",
        &role("claimed", "offline"),
        &role("claimed-shard", "offline"),
        &role("publishers-claimed", "offline"),
        &role("recently-claimed", "online"),
    ];
    claims.join("\n")
});

pub fn repository(folder: &Path) -> Repository {
    Repository::init(folder, &Settings::from_policy(&POLICY).unwrap()).unwrap()
}

/// Where the index of a test keeps its parts.
pub trait Site {
    /// Makes the parts of a new index.
    fn init(&self, folder: &Path, settings: &Settings);

    /// Opens them.
    fn parts(&self, folder: &Path) -> Parts;

    /// Opens the index.
    fn open(&self, folder: &Path) -> Repository {
        Repository::assemble(self.parts(folder)).unwrap()
    }
}

/// All parts in one folder.
pub struct FolderSite;

impl Site for FolderSite {
    fn init(&self, folder: &Path, settings: &Settings) {
        Repository::init(folder, settings).unwrap();
    }

    fn parts(&self, folder: &Path) -> Parts {
        Parts::of_folder(folder).unwrap()
    }
}

/// A repository with its first set published.
pub fn published(folder: &Path, ceremony: &Ceremony) -> Repository {
    published_at(&FolderSite, folder, ceremony)
}

/// The same with its parts at `site`.
pub fn published_at(site: &dyn Site, folder: &Path, ceremony: &Ceremony) -> Repository {
    site.init(
        folder,
        &Settings::from_policy(&ceremony.policy_text).unwrap(),
    );
    let mut index = site.open(folder);
    index
        .apply_set(&ceremony.genesis(folder, start()), start())
        .unwrap();
    index
        .tick(&ceremony.online(), start(), TickOptions { at_once: true })
        .unwrap();
    index
}

/// Keys in memory, and what a ceremony does with them.
#[derive(Clone)]
pub struct Ceremony {
    root: Vec<Arc<FileKey>>,
    pub targets: Vec<Arc<FileKey>>,
    bins: Vec<Arc<FileKey>>,
    /// Timestamp, snapshot, bins: one key for all unless they are told apart.
    online: [Arc<FileKey>; 3],
    pub policy: Policy,
    layout: BinLayout,
    policy_text: String,
}

pub fn key() -> Arc<FileKey> {
    Arc::new(FileKey::generate(KeyType::Ed25519, &ring::rand::SystemRandom::new()).unwrap())
}

fn one_for_all(key: Arc<FileKey>) -> [Arc<FileKey>; 3] {
    [Arc::clone(&key), Arc::clone(&key), key]
}

fn public(keys: &[Arc<FileKey>]) -> Vec<PublicKey> {
    keys.iter().map(|key| key.public_key().clone()).collect()
}

impl Ceremony {
    pub fn new() -> Self {
        Self::by(&POLICY)
    }

    /// For an index whose developers sign.
    pub fn with_claims() -> Self {
        Self::by(&CLAIMS)
    }

    fn by(policy_text: &str) -> Self {
        let policy = Policy::parse(policy_text).unwrap();
        let many = |count| (0..count).map(|_| key()).collect::<Vec<_>>();
        let roles = &policy.roles;
        Self {
            root: many(roles.root.keys),
            targets: many(roles.targets.keys),
            bins: many(roles.bins.keys),
            online: one_for_all(key()),
            layout: BinLayout::of(&policy.index),
            policy,
            policy_text: policy_text.to_owned(),
        }
    }

    /// The same with an online key kept as test data.
    pub fn with_online_key(pem: &str) -> Self {
        Self {
            online: one_for_all(Arc::new(FileKey::from_pkcs8_pem(pem).unwrap())),
            ..Self::new()
        }
    }

    pub fn replace_online_key(&mut self) {
        self.online = one_for_all(key());
    }

    /// The online keys of now.
    pub fn online_keys(&self) -> [Arc<FileKey>; 3] {
        self.online.clone()
    }

    /// Keys that were in use before are in use again.
    pub fn take_back_online(&mut self, keys: [Arc<FileKey>; 3]) {
        self.online = keys;
    }

    /// Other bins from the next set on.
    pub fn rebin(&mut self, count: u64, encoding: Encoding) {
        let count = BinCount::new(count).unwrap();
        self.layout = BinLayout { count, encoding };
    }

    /// One online key for each of timestamp, snapshot, bins.
    pub fn tell_online_keys_apart(&mut self) {
        self.online = [key(), key(), key()];
    }

    /// The key of one online role alone: 0 timestamp, 1 snapshot, 2 bins.
    pub fn only(&self, role: usize) -> OnlineSigners {
        OnlineSigners::new(vec![Arc::clone(&self.online[role]) as Arc<dyn Signer>])
    }

    /// A new snapshot key; the others stay.
    pub fn replace_snapshot_key(&mut self) {
        self.online[1] = key();
    }

    pub fn online(&self) -> OnlineSigners {
        let signers = self
            .online
            .iter()
            .map(|key| Arc::clone(key) as Arc<dyn Signer>);
        OnlineSigners::new(signers.collect())
    }

    /// The first set, as a folder.
    pub fn genesis(&self, folder: &Path, now: DateTime<Utc>) -> PathBuf {
        self.set(folder, now, 1, None)
    }

    /// A later set with the same offline keys: every role at `version`.
    pub fn renewal(&self, folder: &Path, now: DateTime<Utc>, number: u64) -> PathBuf {
        let previous = first_version(folder);
        self.set(folder, now, number, previous.as_ref())
    }

    fn set(&self, folder: &Path, now: DateTime<Utc>, number: u64, old: Option<&Root>) -> PathBuf {
        let set = folder.join(format!("set-{number}-{}", self.root[0].key_id().short()));
        fs::create_dir(&set).unwrap();
        let [timestamp, snapshot, bin] =
            [0, 1, 2].map(|role| [self.online[role].public_key().clone()]);
        let [root, targets, bins] =
            [&self.root, &self.targets, &self.bins].map(|keys| public(keys));
        let mut new = first_root(&self.policy, now, [&root, &timestamp, &snapshot, &targets]);
        new.version = version(number);
        let top = top_targets(&self.policy, now, version(number), &bins, &bin).unwrap();
        let bins = bins_role(&self.policy, now, version(number), self.layout, &bin).unwrap();

        let clone = new.clone();
        let own = Authority::new("the root itself", &clone.keys, &clone.root);
        let old_one = old.map(|old| Authority::new("the previous root", &old.keys, &old.root));
        let authorities: Vec<_> = std::iter::once(own)
            .chain(old_one.filter(|_| number > 1))
            .collect();
        let previous = old.filter(|_| new.version == old_next(old));
        self.write(
            &set,
            Role::Root,
            new,
            now,
            &clone,
            previous,
            &self.root,
            &authorities,
        );
        let keys = [Authority::new("root", &clone.keys, &clone.targets)];
        let bin_authority = top.clone();
        self.write(
            &set,
            Role::Targets,
            top,
            now,
            &clone,
            None,
            &self.targets,
            &keys,
        );
        let delegations = bin_authority.delegations.as_ref().unwrap();
        let metadata::DelegatedRoles::Listed(listed) = &delegations.roles else {
            unreachable!()
        };
        let of_bins = &listed.last().unwrap().keys;
        let keys = [Authority::new("targets", &delegations.keys, of_bins)];
        let role = Role::parse("bins").unwrap();
        self.write(&set, role, bins, now, &clone, None, &self.bins, &keys);
        set
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "one call writes one file of a set"
    )]
    pub fn write<R: DraftDocument>(
        &self,
        set: &Path,
        role: Role,
        document: R,
        now: DateTime<Utc>,
        root: &Root,
        previous: Option<&R>,
        signers: &[Arc<FileKey>],
        authorities: &[Authority<'_>],
    ) {
        let name = role.versioned_file_name(document.version());
        let canonical = document.to_canonical();
        let signatures: Vec<_> = signers
            .iter()
            .map(|key| key.sign(&canonical).unwrap())
            .collect();
        let setting = Setting {
            now,
            policy: &self.policy,
            root: Some(root),
        };
        // A stranger's set cannot be sealed with the right authorities; it is written all the same.
        let sealed = Draft::new(role, document)
            .in_layout(self.layout)
            .lint(&setting, previous)
            .ok()
            .and_then(|linted| linted.seal(&signatures, authorities).ok())
            .map_or_else(
                || Wire::write(&canonical, &signatures),
                |signed| signed.bytes().to_vec(),
            );
        fs::write(set.join(name), sealed).unwrap();
    }
}

fn old_next(old: Option<&Root>) -> Version {
    old.unwrap().version.next().unwrap()
}

fn first_version(folder: &Path) -> Option<Root> {
    let file = fs::read(folder.join("repository/metadata/1.root.json")).ok()?;
    Root::parse(Wire::parse(&file, 9).unwrap().signed).ok()
}

/// A folder with all that is in it.
pub fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_folder(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), to).unwrap();
        }
    }
}
