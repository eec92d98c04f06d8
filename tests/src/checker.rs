//! Judges a published repository from its files alone, again and again over its life: that what clients of
//! every kind see is whole, and that no version ever has two bodies. What crash, power-loss and soak tests
//! share; it knows nothing of the code that publishes but the trust code, which clients run as well.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use index::{PageLimits, ProjectName, SimplePage, file_path, metadata_path};
use metadata::{Document, Role, Sha256, TargetPath, Targets, Version};
use trust::{Answer, Held, Lookup, RootChain, Rules, Snapped, Step, Verified};

/// What is wrong, in words.
pub type Wrong = String;

/// What the index lists: file names with their digests, and those that are yanked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listed {
    /// Every file on a page.
    pub files: BTreeMap<String, Sha256>,
    /// The yanked ones among them.
    pub yanked: Vec<String>,
}

/// Remembers everything it has seen of one repository.
pub struct Checker {
    folder: PathBuf,
    root: Vec<u8>,
    /// Digests of all metadata files ever seen: a name stands for one body.
    bodies: BTreeMap<String, Sha256>,
    /// The digest of each timestamp version ever seen.
    timestamps: BTreeMap<Version, Sha256>,
    before: Option<Client>,
}

/// A client after an update: what it holds, and how far its chain of roots goes.
struct Client {
    root: Version,
    timestamp: Vec<u8>,
    snapshot: Vec<u8>,
    expires: DateTime<Utc>,
}

impl Checker {
    /// Judges the repository served from `folder`, whose first root users were given.
    ///
    /// # Panics
    ///
    /// If the first root is not there.
    #[must_use]
    pub fn new(folder: &Path) -> Self {
        Self {
            folder: folder.to_owned(),
            root: fs::read(folder.join("metadata/1.root.json")).unwrap(),
            bodies: BTreeMap::new(),
            timestamps: BTreeMap::new(),
            before: None,
        }
    }

    /// Looks at everything as of `now`: as a new client, as the one that looked last, and as one that
    /// was in the middle of its update then. Says what is listed.
    pub fn look(&mut self, now: DateTime<Utc>) -> Result<Listed, Wrong> {
        self.bodies()?;
        let timestamp = self.read("timestamp.json")?;
        let fresh = self.update(None, &timestamp, Held::default(), now)?;
        self.deltas(&fresh)?;
        let listed = self.tree(&fresh)?;
        if let Some(before) = &self.before {
            let held = Held {
                timestamp: Some(&before.timestamp),
                snapshot: Some(&before.snapshot),
            };
            let warm = self.update(None, &timestamp, held, now)?;
            if warm.timestamp().version != fresh.timestamp().version {
                return Err("a warm client stays behind a fresh one".to_owned());
            }
            if before.expires > now {
                let old = Some(before.root);
                let midway = self.update(old, &before.timestamp, Held::default(), now)?;
                self.tree(&midway)?;
            }
        }
        let version = fresh.timestamp().version;
        one_body(&mut self.timestamps, version, Sha256::of(&timestamp))?;
        self.before = Some(Client {
            root: fresh.root().version,
            expires: fresh.timestamp().expires.instant(),
            snapshot: fresh.snapshot().file().to_vec(),
            timestamp,
        });
        Ok(listed)
    }

    /// Every metadata file but `timestamp.json` has the bytes it always had.
    fn bodies(&mut self) -> Result<(), Wrong> {
        let folder = self.folder.join("metadata");
        for entry in fs::read_dir(&folder).map_err(text)? {
            let name = entry.map_err(text)?.file_name();
            let name = name.to_string_lossy().into_owned();
            // A folder; its files are judged by what the timestamp lists of them.
            if name == "deltas" {
                continue;
            }
            // Leftovers of a crash have names that no client asks for.
            if name != "timestamp.json" && !name.starts_with('.') {
                let digest = Sha256::of(&self.read(&name)?);
                // What nothing published names may still be put again by recovery.
                if self.is_named(&name) {
                    one_body(&mut self.bodies, name, digest)?;
                }
            }
        }
        Ok(())
    }

    /// Whether a file is named by the snapshot of now, or is a root or snapshot some timestamp named.
    fn is_named(&self, name: &str) -> bool {
        self.bodies.contains_key(name) || name.ends_with(".root.json") || {
            let listed = || {
                let timestamp = self.read("timestamp.json").ok()?;
                let wire = metadata::Wire::parse(&timestamp, 64).ok()?;
                let timestamp = metadata::Timestamp::parse(wire.signed).ok()?;
                let snapshot = Role::Snapshot.versioned_file_name(timestamp.snapshot.version);
                if snapshot == name {
                    return Some(true);
                }
                let file = self.read(&snapshot).ok()?;
                let wire = metadata::Wire::parse(&file, 64).ok()?;
                let snapshot = metadata::Snapshot::parse(wire.signed).ok()?;
                let (version, role) = name.strip_suffix(".json")?.split_once('.')?;
                let role = Role::parse(role).ok()?;
                let listed = snapshot.get(&role)?.version.get();
                Some(version == listed.to_string())
            };
            listed().unwrap_or(false)
        }
    }

    fn read(&self, name: &str) -> Result<Vec<u8>, Wrong> {
        let path = self.folder.join("metadata").join(name);
        fs::read(&path).map_err(|error| format!("{name}: {error}"))
    }

    /// An update from the first root, with the roots up to `last`.
    fn update(
        &self,
        last: Option<Version>,
        timestamp: &[u8],
        held: Held<'_>,
        now: DateTime<Utc>,
    ) -> Result<Snapped, Wrong> {
        let mut chain = RootChain::pinned(&self.root, Rules::default()).map_err(text)?;
        loop {
            let next = chain.next_version().map_err(text)?;
            let name = Role::Root.versioned_file_name(next);
            if last.is_some_and(|last| next > last) {
                break;
            }
            let Ok(file) = self.read(&name) else { break };
            chain = chain.advance(&file).map_err(text)?;
        }
        let rooted = chain.close(now).map_err(text)?;
        let timed = rooted.timestamp(timestamp, held).map_err(text)?;
        let request = timed.snapshot_request();
        let file = self.read(&request.role.versioned_file_name(request.version))?;
        timed.snapshot(&file).map_err(text)
    }

    /// Every delta that the timestamp lists makes its snapshot of one that is still there.
    fn deltas(&self, snapped: &Snapped) -> Result<(), Wrong> {
        let new = snapped.snapshot();
        for (from, listed) in deltas::listed(snapped.timestamp()) {
            let name = deltas::file_name(new.version, from);
            let delta = self.read(&name)?;
            let wrong = || Err(format!("{name} does not lead to the snapshot"));
            if !listed.fits(&delta) {
                return wrong();
            }
            // The snapshot it starts from may be swept: clients that hold it need it no more.
            if let Ok(old) = self.read(&Role::Snapshot.versioned_file_name(from)) {
                let made = deltas::apply(&old, &delta, new.file().len() as u64);
                if made.map_err(text)? != new.file() {
                    return wrong();
                }
            }
        }
        Ok(())
    }

    /// Everything a snapshot leads to is there and verifies; pages and bins agree.
    fn tree(&self, snapped: &Snapped) -> Result<Listed, Wrong> {
        let fetch = |role: &Role| {
            let request = snapped.request(role).map_err(text)?;
            self.read(&role.versioned_file_name(request.version))
        };
        let targets = snapped.targets(&fetch(&Role::Targets)?).map_err(text)?;
        let mut found = BTreeMap::new();
        walk(&targets, snapped, &fetch, &mut found)?;
        let top = Arc::new(targets);
        let mut listed = Listed::default();
        let mut on_pages = 0;
        for (path, (length, digest)) in &found {
            self.look_up(snapped, &top, path, *digest)?;
            let bytes = self.target(path, *digest)?;
            if bytes.len() as u64 != *length {
                return Err(format!("{path} has {} bytes, not {length}", bytes.len()));
            }
            if path.as_str().starts_with("simple/") {
                on_pages += self.page(path, &bytes, &found, &mut listed)?;
            }
        }
        let pages = found
            .keys()
            .filter(|path| path.as_str().starts_with("simple/"));
        let pages = pages.count();
        if found.len() != pages + on_pages {
            let files = found.len() - pages;
            return Err(format!("{files} files in bins, {on_pages} on pages"));
        }
        Ok(listed)
    }

    /// A client that walks down from the top ends where the path stands.
    fn look_up(
        &self,
        snapped: &Snapped,
        top: &Arc<Verified<Targets>>,
        path: &TargetPath,
        digest: Sha256,
    ) -> Result<(), Wrong> {
        let (mut lookup, mut step) = Lookup::start(snapped, Arc::clone(top), path.clone());
        let answer = loop {
            step = match step {
                Step::Done(answer) => break answer,
                Step::Fetch(request) => {
                    let name = request.role.versioned_file_name(request.version);
                    lookup.supply(snapped, &self.read(&name)?)
                }
            };
        };
        match answer {
            Answer::Found(target) if target.file().hashes.get_sha256() == Some(digest) => Ok(()),
            other => Err(format!("{path}: {other:?}")),
        }
    }

    /// The files of a page are targets, as long as it says; says how many targets they come to.
    fn page(
        &self,
        path: &TargetPath,
        bytes: &[u8],
        found: &BTreeMap<TargetPath, (u64, Sha256)>,
        listed: &mut Listed,
    ) -> Result<usize, Wrong> {
        let name = path.as_str().split('/').nth(2).unwrap_or_default();
        let project = ProjectName::parse_normalized(name).map_err(text)?;
        let page = SimplePage::parse_json(bytes, &project, &PageLimits::default()).map_err(text)?;
        let mut count = 0;
        for file in page.files() {
            let at = file_path(&file.filename);
            if found.get(&at) != Some(&(file.size, file.sha256)) {
                return Err(format!("{} is on a page and no such target", file.filename));
            }
            let plain = fs::read(self.folder.join(at.as_str())).map_err(text)?;
            if Sha256::of(&plain) != file.sha256 {
                return Err(format!("{at} has other bytes than its target"));
            }
            count += 1;
            if let Some(digest) = file.core_metadata {
                let at = metadata_path(&file.filename);
                if found.get(&at).map(|(_, found)| *found) != Some(digest) {
                    return Err(format!("{at} is named by a page and no such target"));
                }
                count += 1;
            }
            let name = file.filename.to_string();
            if file.yanked != index::Yanked::No {
                listed.yanked.push(name.clone());
            }
            listed.files.insert(name, file.sha256);
        }
        Ok(count)
    }

    fn target(&self, path: &TargetPath, digest: Sha256) -> Result<Vec<u8>, Wrong> {
        let at = self.folder.join("targets").join(path.with_digest(&digest));
        let bytes = fs::read(&at).map_err(|error| format!("{path}: {error}"))?;
        if Sha256::of(&bytes) == digest {
            return Ok(bytes);
        }
        Err(format!("{path} has other bytes than it was signed with"))
    }
}

/// Adds the targets of every role below one: bins, or the roles of developers.
fn walk(
    delegator: &Verified<Targets>,
    snapped: &Snapped,
    fetch: &impl Fn(&Role) -> Result<Vec<u8>, Wrong>,
    found: &mut BTreeMap<TargetPath, (u64, Sha256)>,
) -> Result<(), Wrong> {
    for edge in delegator.all_edges() {
        let role = Role::Delegated(edge.name().clone());
        let verified = snapped.delegate(&edge, &fetch(&role)?).map_err(text)?;
        for (path, file) in verified.targets() {
            let digest = file.hashes.get_sha256().ok_or("a target without SHA-256")?;
            if found.insert(path.clone(), (file.length, digest)).is_some() {
                return Err(format!("{path} stands in two roles"));
            }
        }
        walk(&verified, snapped, fetch, found)?;
    }
    Ok(())
}

fn one_body<K: Ord + std::fmt::Debug>(
    bodies: &mut BTreeMap<K, Sha256>,
    name: K,
    digest: Sha256,
) -> Result<(), Wrong> {
    match bodies.get(&name) {
        Some(known) if *known != digest => Err(format!("{name:?} has two bodies")),
        _ => {
            bodies.insert(name, digest);
            Ok(())
        }
    }
}

fn text(error: impl std::fmt::Display) -> Wrong {
    error.to_string()
}
