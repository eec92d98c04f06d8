//! A small ceremony and a reader that believes only what the trust code lets through.

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

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};

use chrono::{DateTime, TimeZone, Utc};
use countersign_repository::{
    OnlineSigners, Parts, Repository, Settings, Store, StoreError, StorePath, TickOptions,
    UploadPlace,
};
use draft::{BinLayout, Draft, DraftDocument, Setting, bins_role, first_root, top_targets};
use index::{BinCount, DistributionFilename, file_path, page_path};
use keys::{FileKey, KeyType, Signer};
use metadata::{Document, PublicKey, Role, Root, TargetPath, Targets, Version, Wire};
use policy::{Encoding, Policy};
use trust::{Answer, Authority, Held, Lookup, RootChain, Rules, Snapped, Step};

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

/// Reads a published repository from its files with the trust code alone.
pub struct Reader {
    folder: PathBuf,
    snapped: Snapped,
    targets: Arc<trust::Verified<Targets>>,
}

impl Reader {
    /// A full update from the first root; panics if anything is refused.
    pub fn of(index: &Repository, _: &Ceremony, now: DateTime<Utc>) -> Self {
        let folder = index.store_folder().unwrap();
        let root = fs::read(folder.join("metadata/1.root.json")).unwrap();
        Self::update(folder, &root, Held::default(), now)
    }

    fn update(folder: &Path, root: &[u8], held: Held<'_>, now: DateTime<Utc>) -> Self {
        let read = |name: String| fs::read(folder.join("metadata").join(name));
        let mut chain = RootChain::pinned(root, Rules::default()).unwrap();
        while let Ok(next) = read(format!("{}.root.json", chain.next_version().unwrap())) {
            chain = chain.advance(&next).unwrap();
        }
        let timestamp = read("timestamp.json".into()).unwrap();
        let timed = chain
            .close(now)
            .unwrap()
            .timestamp(&timestamp, held)
            .unwrap();
        let request = timed.snapshot_request();
        let snapshot = read(request.role.versioned_file_name(request.version)).unwrap();
        let snapped = timed.snapshot(&snapshot).unwrap();
        let request = snapped.request(&Role::Targets).unwrap();
        let file = read(request.role.versioned_file_name(request.version)).unwrap();
        let targets = Arc::new(snapped.targets(&file).unwrap());
        Self {
            folder: folder.to_owned(),
            snapped,
            targets,
        }
    }

    /// An update as a client makes that holds the files of `warm`.
    pub fn after(index: &Repository, warm: &Warm, now: DateTime<Utc>) -> Self {
        let held = Held {
            timestamp: Some(&warm.timestamp),
            snapshot: Some(&warm.snapshot),
        };
        Self::update(index.store_folder().unwrap(), &warm.root, held, now)
    }

    /// The bytes of a distribution file, if it is a target and on its project's page.
    pub fn file(&self, name: &str) -> Option<Vec<u8>> {
        let filename = DistributionFilename::parse(name).unwrap();
        let page = self.target(&page_path(filename.project()))?;
        let listed =
            index::SimplePage::parse_json(&page, filename.project(), &index::PageLimits::default())
                .unwrap();
        let file = self.target(&file_path(&filename));
        assert_eq!(
            listed.file(name).is_some(),
            file.is_some(),
            "page and bins agree"
        );
        file
    }

    /// The role that lists a file, if one does.
    pub fn role_of(&self, name: &str) -> Option<String> {
        let filename = DistributionFilename::parse(name).unwrap();
        match self.ask(&file_path(&filename)) {
            Answer::Found(target) => Some(target.role().name().to_owned()),
            _ => None,
        }
    }

    /// Which of `recently-claimed` and the shards of `claimed` delegate to a role.
    pub fn delegators_of(&self, role: &str) -> Vec<String> {
        let entries = self.snapped.snapshot().entries();
        let delegators = entries.filter_map(|(name, file)| {
            let name = name.strip_suffix(".json").unwrap();
            let may = name == draft::RECENTLY_CLAIMED || draft::is_claimed_shard(name);
            let file = format!("metadata/{}.{name}.json", file.version);
            may.then(|| (name.to_owned(), fs::read(self.folder.join(file)).unwrap()))
        });
        let lists = |file: &[u8]| {
            let document = Targets::parse(Wire::parse(file, 9).unwrap().signed).unwrap();
            let listed = draft::delegated_projects(&document).unwrap();
            listed
                .keys()
                .any(|project| format!("project-{project}") == role)
        };
        delegators
            .filter(|(_, file)| lists(file))
            .map(|(name, _)| name)
            .collect()
    }

    /// The files of a project's roles, as the snapshot lists them.
    pub fn project_roles(&self, project: &str) -> std::collections::BTreeMap<String, Vec<u8>> {
        let own = format!("project-{project}");
        let of_project = |name: &str| name == own || name.starts_with(&format!("{own}--"));
        let entries = self.snapped.snapshot().entries();
        let roles = entries.map(|(name, file)| (name.strip_suffix(".json").unwrap(), file.version));
        let roles = roles.filter(|(name, _)| of_project(name));
        let read = |(name, version): (&str, Version)| {
            let file = self.folder.join(format!("metadata/{version}.{name}.json"));
            (name.to_owned(), fs::read(file).unwrap())
        };
        roles.map(read).collect()
    }

    fn ask(&self, path: &TargetPath) -> Answer {
        let (mut lookup, mut step) =
            Lookup::start(&self.snapped, Arc::clone(&self.targets), path.clone());
        loop {
            step = match step {
                Step::Done(answer) => break answer,
                Step::Fetch(request) => {
                    let name = request.role.versioned_file_name(request.version);
                    let file = fs::read(self.folder.join("metadata").join(name)).unwrap();
                    lookup.supply(&self.snapped, &file)
                }
            };
        }
    }

    fn target(&self, path: &TargetPath) -> Option<Vec<u8>> {
        match self.ask(path) {
            Answer::Found(target) => {
                let digest = target.file().hashes.get_sha256().unwrap();
                let at = self.folder.join("targets").join(path.with_digest(&digest));
                let bytes = fs::read(at).unwrap();
                target.check_bytes(&bytes).unwrap();
                Some(bytes)
            }
            Answer::Unclaimed | Answer::Terminated(_) => None,
            other @ Answer::Failed { .. } => panic!("{path}: {other:?}"),
        }
    }
}

/// What a client holds that updated at some moment, and the session it is in the middle of.
pub struct Warm {
    pub root: Vec<u8>,
    pub timestamp: Vec<u8>,
    pub snapshot: Vec<u8>,
    session: Reader,
}

impl Warm {
    pub fn of(index: &Repository, now: DateTime<Utc>) -> Self {
        let folder = index.store_folder().unwrap();
        let root = fs::read(folder.join("metadata/1.root.json")).unwrap();
        let session = Reader::update(folder, &root, Held::default(), now);
        Self {
            root: session.snapped.root().file().to_vec(),
            timestamp: session.snapped.timestamp().file().to_vec(),
            snapshot: session.snapped.snapshot().file().to_vec(),
            session,
        }
    }

    /// Goes on with the session: every file of then is still found, with its bytes.
    pub fn finds(&self, names: &[String]) {
        for name in names {
            assert!(self.session.file(name).is_some(), "{name}");
        }
    }
}

/// Asked before each write, by path: an error fails it.
pub type Watcher = Box<dyn FnMut(&str) -> std::io::Result<()> + Send>;

/// A store whose writes are watched.
pub struct WatchedStore {
    inner: Box<dyn Store>,
    watcher: Watcher,
}

/// Opens a repository with a watched store.
pub fn watched(folder: &Path, watcher: Watcher) -> Repository {
    let mut parts = Parts::of_folder(folder).unwrap();
    let inner = parts.store;
    parts.store = Box::new(WatchedStore { inner, watcher });
    Repository::assemble(parts).unwrap()
}

impl WatchedStore {
    fn ask(&mut self, path: &StorePath) -> Result<(), StoreError> {
        (self.watcher)(path.as_str()).map_err(|source| StoreError::Io {
            doing: "write",
            path: path.clone(),
            source,
        })
    }
}

impl Store for WatchedStore {
    fn put_new(&mut self, path: &StorePath, bytes: &[u8]) -> Result<(), StoreError> {
        self.ask(path)?;
        self.inner.put_new(path, bytes)
    }
    fn put_new_upload(&mut self, path: &StorePath, upload: &UploadPlace) -> Result<(), StoreError> {
        self.ask(path)?;
        self.inner.put_new_upload(path, upload)
    }
    fn replace_by_upload(
        &mut self,
        path: &StorePath,
        upload: &UploadPlace,
    ) -> Result<(), StoreError> {
        self.ask(path)?;
        self.inner.replace_by_upload(path, upload)
    }
    fn relink(&mut self, existing: &StorePath, path: &StorePath) -> Result<(), StoreError> {
        self.ask(path)?;
        self.inner.relink(existing, path)
    }
    fn link(&mut self, existing: &StorePath, path: &StorePath) -> Result<(), StoreError> {
        self.ask(path)?;
        self.inner.link(existing, path)
    }
    fn put_pointer(&mut self, path: &StorePath, bytes: &[u8]) -> Result<(), StoreError> {
        self.ask(path)?;
        self.inner.put_pointer(path, bytes)
    }
    fn flush(&mut self) -> Result<(), StoreError> {
        self.inner.flush()
    }
    fn begin_pointers(&mut self) -> Result<(), StoreError> {
        self.inner.begin_pointers()
    }
    fn end_pointers(&mut self) {
        self.inner.end_pointers();
    }
    fn folder(&self) -> Option<&Path> {
        self.inner.folder()
    }
    fn get(&self, path: &StorePath, limit: u64) -> Result<Option<Vec<u8>>, StoreError> {
        self.inner.get(path, limit)
    }
    fn list(&self) -> Result<Vec<StorePath>, StoreError> {
        self.inner.list()
    }
    fn remove(&mut self, path: &StorePath) -> Result<(), StoreError> {
        self.ask(path)?;
        self.inner.remove(path)
    }
}
