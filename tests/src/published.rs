//! An index made for real: keys, a ceremony, a repository on disk, as the shipped programs make it,
//! but at a time the test chooses.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ceremony::{Event, GenesisPlan, HeldKey};
use chrono::{DateTime, Utc};
use draft::BinLayout;
use index::BinCount;
use keys::{FileKey, KeyType, Signer};
use policy::{Encoding, Policy};
use repository::{OnlineSigners, Repository, Settings, TickOptions};
use ring::rand::SystemRandom;

/// A signed index in a folder.
pub struct PublishedIndex {
    repository: Repository,
    online: Arc<dyn Signer>,
    targets: Arc<FileKey>,
    root: PathBuf,
}

/// How an index is made.
#[derive(Clone, Copy)]
pub struct Made {
    /// Number of bins and how they are named.
    pub bins: (u64, Encoding),
    /// The kind of all keys.
    pub keys: KeyType,
    /// When the ceremony is held and everything is signed.
    pub now: DateTime<Utc>,
}

impl Made {
    /// The small-index policy with 16 bins, Ed25519, now.
    #[must_use]
    pub fn small(encoding: Encoding) -> Self {
        Self {
            bins: (16, encoding),
            keys: KeyType::Ed25519,
            now: Utc::now(),
        }
    }
}

/// What a first ceremony produced.
pub struct Genesis {
    /// The folder that `index apply` takes.
    pub set: PathBuf,
    /// The file to trust: the first root.
    pub root: PathBuf,
    /// The key of targets.
    pub targets: Arc<FileKey>,
}

impl Genesis {
    /// Holds a ceremony in `folder` for an index with this online key.
    #[must_use]
    pub fn hold(folder: &Path, policy: &str, made: Made, online: &dyn Signer) -> Self {
        let settings = Settings::from_policy(policy).unwrap();
        let key = || Arc::new(FileKey::generate(made.keys, &SystemRandom::new()).unwrap());
        let root: Vec<_> = (0..settings.policy.roles.root.keys)
            .map(|_| key())
            .collect();
        let (targets, bins) = (key(), key());
        let event = Event::plan_genesis(
            &folder.join("genesis"),
            &GenesisPlan {
                policy,
                layout: Some(BinLayout {
                    count: BinCount::new(made.bins.0).unwrap(),
                    encoding: made.bins.1,
                }),
                now: made.now,
                root: root
                    .iter()
                    .enumerate()
                    .map(|(n, key)| held(&format!("Root {n}"), key.as_ref()))
                    .collect(),
                targets: vec![held("Targets", targets.as_ref())],
                bins: vec![held("Bins", bins.as_ref())],
                snapshot: vec![held("Signer", online)],
                timestamp: vec![held("Signer", online)],
            },
        )
        .unwrap();
        for key in root.iter().chain([&targets, &bins]) {
            event.sign(key.as_ref(), made.now).unwrap();
        }
        let set = event.combine(made.now).unwrap();
        Self {
            root: set.folder.join("1.root.json"),
            set: set.folder,
            targets,
        }
    }
}

impl PublishedIndex {
    /// Holds a ceremony in `folder` and publishes these files.
    #[must_use]
    pub fn make(folder: &Path, made: Made, files: &[PathBuf]) -> Self {
        let online = FileKey::generate(made.keys, &SystemRandom::new()).unwrap();
        Self::make_with(folder, made, files, Arc::new(online))
    }

    /// The same with an online key of the caller's, wherever it lives.
    #[must_use]
    pub fn make_with(
        folder: &Path,
        made: Made,
        files: &[PathBuf],
        online: Arc<dyn Signer>,
    ) -> Self {
        Self::make_by(folder, &policy_text(made.bins), made, files, online)
    }

    /// The same by a policy of the caller's.
    #[must_use]
    pub fn make_by(
        folder: &Path,
        policy: &str,
        made: Made,
        files: &[PathBuf],
        online: Arc<dyn Signer>,
    ) -> Self {
        let genesis = Genesis::hold(folder, policy, made, online.as_ref());
        let settings = Settings::from_policy(policy).unwrap();
        let mut repository = Repository::init(&folder.join("index"), &settings).unwrap();
        repository.apply_set(&genesis.set, made.now).unwrap();
        let intake = repository.add_files(files, made.now).unwrap();
        assert!(intake.refused.is_empty(), "{:?}", intake.refused);
        let mut index = Self {
            repository,
            online,
            targets: genesis.targets,
            root: genesis.root,
        };
        index.tick(made.now);
        index
    }

    /// Publishes what is due at `now`.
    pub fn tick(&mut self, now: DateTime<Utc>) {
        let signers = OnlineSigners::new(vec![Arc::clone(&self.online)]);
        self.repository
            .tick(&signers, now, TickOptions { at_once: true })
            .unwrap();
    }

    /// Publishes what is due at `now`, and what waits once the policy's batch is full or old enough.
    pub fn tick_waiting(&mut self, now: DateTime<Utc>) {
        let signers = OnlineSigners::new(vec![Arc::clone(&self.online)]);
        let options = TickOptions { at_once: false };
        self.repository.tick(&signers, now, options).unwrap();
    }

    /// The repository.
    pub fn repository(&mut self) -> &mut Repository {
        &mut self.repository
    }

    /// The offline key of targets.
    #[must_use]
    pub fn targets_key(&self) -> &FileKey {
        &self.targets
    }

    /// The folder a web server serves.
    #[must_use]
    pub fn store(&self) -> PathBuf {
        self.repository.store_folder().unwrap().to_owned()
    }

    /// The file to trust: the first root.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The one file of the store whose path ends so.
    #[must_use]
    pub fn stored(&self, end: &str) -> PathBuf {
        let mut found = Vec::new();
        walk(&self.store(), &mut |path| {
            if path.to_string_lossy().ends_with(end) {
                found.push(path.to_owned());
            }
        });
        assert_eq!(found.len(), 1, "{end}: {found:?}");
        found.remove(0)
    }

    /// Rewrites every file of the store whose path contains `part`; says how many there were.
    pub fn tamper(&self, part: &str, bend: impl Fn(Vec<u8>) -> Vec<u8>) -> usize {
        let mut count = 0;
        walk(&self.store(), &mut |path| {
            if path.to_string_lossy().contains(part) {
                let bytes = bend(fs::read(path).unwrap());
                // Stored files may be hard links of each other: each name gets bytes of its own.
                fs::remove_file(path).unwrap();
                fs::write(path, bytes).unwrap();
                count += 1;
            }
        });
        count
    }
}

fn held(holder: &str, key: &dyn Signer) -> HeldKey {
    HeldKey {
        holder: holder.to_owned(),
        key: key.public_key().clone(),
    }
}

/// The small-index policy with this many bins.
#[must_use]
pub fn policy_text((count, encoding): (u64, Encoding)) -> String {
    let encoding = match encoding {
        Encoding::PathHashPrefixes => "path-hash-prefixes",
        Encoding::Succinct => "succinct",
    };
    Policy::built_in_text("small-index")
        .unwrap()
        .replace("bins = \"auto\" ", &format!("bins = {count} "))
        .replace("encoding = \"auto\"", &format!("encoding = \"{encoding}\""))
}

/// The policy of a small index with 16 bins whose developers sign, as the policy's reasons show it.
#[must_use]
pub fn developers_sign() -> String {
    let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("../policy/README.md");
    let readme = fs::read_to_string(readme).unwrap();
    let (_, rest) = readme.split_once("```toml\n").unwrap();
    let (claims, _) = rest.split_once("```").unwrap();
    let small = Policy::built_in_text("small-index").unwrap();
    let small = small
        .replace("\"365d\"", "\"90d\"")
        .replace("bins = \"auto\" ", "bins = 16 ");
    format!("{small}\n{claims}")
}

fn walk(folder: &Path, visit: &mut impl FnMut(&Path)) {
    let mut entries: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            walk(&path, visit);
        } else {
            visit(&path);
        }
    }
}
