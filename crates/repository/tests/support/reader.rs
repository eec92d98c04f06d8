//! A reader of what is published that believes only what the trust code lets through.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use countersign_repository::Repository;
use index::{DistributionFilename, file_path, page_path};
use metadata::{Document, Role, TargetPath, Targets, Version, Wire};
use trust::{Answer, Held, Lookup, RootChain, Rules, Snapped, Step};

use super::Ceremony;

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
