//! A small index with two projects, signed with keys made here: everything about it can be set
//! before it is published.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use index::{
    BinCount, DistributionFilename, PageFile, ProjectName, SimplePage, Status, Yanked, file_path,
    page_path,
};
use metadata::{
    DelegatedRole, DelegatedRoles, Delegations, Document, Expiry, KeyId, MetaFile, PathPattern,
    PathSet, PublicKey, Role, RoleKeys, RoleName, Root, Sha256, Signature, Snapshot, SuccinctRoles,
    TargetFile, TargetPath, Targets, Timestamp, Version, Wire,
};
use ring::signature::{Ed25519KeyPair, KeyPair};

use crate::memory::Memory;
use crate::published::Published;

pub(crate) const FILES: [(&str, &str); 3] = [
    ("one", "one-1.0.tar.gz"),
    ("one", "one-1.1+local.tar.gz"),
    ("two", "two-0.1-py3-none-any.whl"),
];

/// How bins are written.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Bins {
    Prefixes(u64),
    Succinct(u32),
}

/// The index before it is signed.
pub(crate) struct Index {
    pub(crate) bins: Bins,
    /// Whether files are targets too, or only bound by pages.
    pub(crate) files_are_targets: bool,
    /// Roles delegated by targets before the bins: name, pattern, terminating.
    pub(crate) before_bins: Vec<(&'static str, String, bool)>,
    /// Targets listed beyond those of the pages: role, path, bytes.
    pub(crate) also: Vec<(String, TargetPath, Vec<u8>)>,
    /// Roles that have expired.
    pub(crate) expired: Vec<String>,
    /// Roles that snapshot lists beyond those signed.
    pub(crate) also_in_snapshot: Vec<&'static str>,
    /// Roles that were given up: snapshot lists their last file, and nobody delegates to them.
    pub(crate) given_up: Vec<&'static str>,
    key: Ed25519KeyPair,
    now: DateTime<Utc>,
}

pub(crate) fn content(filename: &str) -> Vec<u8> {
    format!("the bytes of {filename}").into_bytes()
}

pub(crate) fn project(name: &str) -> ProjectName {
    ProjectName::parse(name).unwrap()
}

pub(crate) fn path_of(filename: &str) -> TargetPath {
    file_path(&DistributionFilename::parse(filename).unwrap())
}

pub(crate) fn role(name: &str) -> Role {
    Role::parse(name).unwrap()
}

fn describe(bytes: &[u8]) -> TargetFile {
    TargetFile::new(bytes.len() as u64, Sha256::of(bytes))
}

impl Index {
    pub(crate) fn new(bins: Bins) -> Self {
        Self {
            bins,
            files_are_targets: true,
            before_bins: Vec::new(),
            also: Vec::new(),
            expired: Vec::new(),
            also_in_snapshot: Vec::new(),
            given_up: Vec::new(),
            key: Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap(),
            now: Utc::now(),
        }
    }

    /// The bin that answers for a path.
    pub(crate) fn bin_of(&self, path: &TargetPath) -> RoleName {
        let bin = self.count().bin_of(&path.hash());
        bin.name("bins").unwrap()
    }

    /// A bin that does not.
    pub(crate) fn other_bin(&self, path: &TargetPath) -> RoleName {
        let right = self.count().bin_of(&path.hash()).get();
        let wrong = self.count().bin(u16::from(right == 0));
        wrong.unwrap().name("bins").unwrap()
    }

    /// Lists a target in a role, and puts its bytes.
    pub(crate) fn list(&mut self, role: &str, path: TargetPath, bytes: &[u8]) {
        self.also.push((role.to_owned(), path, bytes.to_vec()));
    }

    /// A document of a bin that lists one target, signed like the published one.
    pub(crate) fn bin_with(&self, path: &TargetPath, bytes: &[u8]) -> Vec<u8> {
        let document = Targets::new(Version::FIRST, self.expiry("bin"))
            .with_targets([(path.clone(), describe(bytes))]);
        self.sign(&document)
    }

    pub(crate) fn publish(&self) -> Published {
        let memory = Arc::new(Memory::default());
        let mut roles: BTreeMap<String, Vec<(TargetPath, TargetFile)>> = BTreeMap::new();
        for name in self.delegated() {
            roles.entry(name).or_default();
        }
        for (role, path, bytes) in self.pages_and_files() {
            memory.put(&path.with_digest(&Sha256::of(&bytes)), &bytes);
            if let Some(role) = role {
                let listed = (path, describe(&bytes));
                roles.entry(role).or_default().push(listed);
            }
        }
        let mut snapshot = Snapshot::new(Version::FIRST, self.expiry("snapshot"));
        for (name, listed) in roles {
            let mut document =
                Targets::new(Version::FIRST, self.expiry(&name)).with_targets(listed);
            document.delegations = self.delegations(&name);
            let role = role(&name);
            let file = self.sign(&document);
            memory.put(&role.versioned_file_name(Version::FIRST), &file);
            snapshot.set(&role, MetaFile::version_only(Version::FIRST));
        }
        for name in &self.given_up {
            let file = self.sign(&Targets::new(Version::FIRST, self.expiry(name)));
            memory.put(&role(name).versioned_file_name(Version::FIRST), &file);
            let listed = MetaFile::describing(Version::FIRST, &file);
            snapshot.set(&role(name), listed);
        }
        for name in &self.also_in_snapshot {
            snapshot.set(&role(name), MetaFile::version_only(Version::FIRST));
        }
        let root = self.publish_top_level(&memory, &snapshot);
        let now = self.now;
        Published { memory, root, now }
    }

    fn publish_top_level(&self, memory: &Memory, snapshot: &Snapshot) -> Vec<u8> {
        let snapshot = self.sign(snapshot);
        memory.put("1.snapshot.json", &snapshot);
        let described = MetaFile::describing(Version::FIRST, &snapshot);
        let timestamp = Timestamp::new(Version::FIRST, self.expiry("timestamp"), described);
        memory.put("timestamp.json", &self.sign(&timestamp));
        let roles = [(); 4].map(|()| self.role_keys());
        let root = Root::new(Version::FIRST, self.expiry("root"), self.keys(), roles);
        let root = self.sign(&root);
        memory.put("1.root.json", &root);
        root
    }

    /// Every file of the index, and the role that lists it, if one does.
    fn pages_and_files(&self) -> Vec<(Option<String>, TargetPath, Vec<u8>)> {
        let mut out = Vec::new();
        let bin = |path: &TargetPath| Some(self.bin_of(path).to_string());
        for name in ["one", "two"] {
            let project = project(name);
            let files = FILES.iter().filter(|(of, _)| *of == name);
            let page_files = files.map(|(_, filename)| page_file(filename)).collect();
            let page = SimplePage::new(project.clone(), page_files, Status::default()).unwrap();
            let path = page_path(&project);
            out.push((bin(&path), path, page.render_json()));
        }
        for (_, filename) in FILES {
            let path = path_of(filename);
            let role = bin(&path).filter(|_| self.files_are_targets);
            out.push((role, path, content(filename)));
        }
        for (role, path, bytes) in &self.also {
            out.push((Some(role.clone()), path.clone(), bytes.clone()));
        }
        out
    }

    fn count(&self) -> BinCount {
        match self.bins {
            Bins::Prefixes(count) => BinCount::new(count).unwrap(),
            // Beyond what an index has: for documents that nobody should follow.
            Bins::Succinct(bits) => BinCount::from_bit_length(bits.min(14) as u8).unwrap(),
        }
    }

    fn delegated(&self) -> Vec<String> {
        let mut out = vec!["targets".to_owned(), "bins".to_owned()];
        out.extend(self.before_bins.iter().map(|(name, ..)| (*name).to_owned()));
        let bins = self.count().bins();
        out.extend(bins.map(|bin| bin.name("bins").unwrap().to_string()));
        out
    }

    fn delegations(&self, role: &str) -> Option<Delegations> {
        let roles = match (role, self.bins) {
            ("targets", _) => {
                let patterns = ["simple/*/*/*", "packages/*/*/*"].map(str::to_owned);
                let before = self.before_bins.iter();
                let before = before.map(|(name, pattern, terminating)| {
                    self.by_pattern(name, std::slice::from_ref(pattern), *terminating)
                });
                let bins = self.by_pattern("bins", &patterns, false);
                DelegatedRoles::Listed(before.chain([bins]).collect())
            }
            ("bins", Bins::Succinct(bit_length)) => DelegatedRoles::Succinct(SuccinctRoles {
                keys: self.role_keys(),
                bit_length,
                name_prefix: "bins".to_owned(),
            }),
            ("bins", Bins::Prefixes(_)) => {
                let bins = self.count().bins().map(|bin| DelegatedRole {
                    name: bin.name("bins").unwrap(),
                    keys: self.role_keys(),
                    paths: PathSet::HashPrefixes(bin.hash_prefixes()),
                    terminating: false,
                });
                DelegatedRoles::Listed(bins.collect())
            }
            _ => return None,
        };
        let keys = self.keys();
        Some(Delegations { keys, roles })
    }

    fn by_pattern(&self, name: &str, patterns: &[String], terminating: bool) -> DelegatedRole {
        let patterns = patterns.iter().map(|it| PathPattern::parse(it).unwrap());
        DelegatedRole {
            name: RoleName::parse(name).unwrap(),
            keys: self.role_keys(),
            paths: PathSet::Patterns(patterns.collect()),
            terminating,
        }
    }

    pub(crate) fn expiry(&self, role: &str) -> Expiry {
        let days = if self.expired.iter().any(|it| it == role) {
            -1
        } else {
            1
        };
        Expiry::at(self.now + TimeDelta::days(days))
    }

    fn public(&self) -> PublicKey {
        PublicKey::ed25519(self.key.public_key().as_ref().try_into().unwrap())
    }

    fn keys(&self) -> BTreeMap<KeyId, PublicKey> {
        [(self.public().id(), self.public())].into()
    }

    fn role_keys(&self) -> RoleKeys {
        RoleKeys {
            keyids: vec![self.public().id()],
            threshold: 1,
        }
    }

    pub(crate) fn sign(&self, document: &impl Document) -> Vec<u8> {
        let canonical = document.to_canonical();
        let bytes = self.key.sign(&canonical).as_ref().to_vec();
        let keyid = self.public().id();
        Wire::write(&canonical, &[Signature { keyid, bytes }])
    }
}

fn page_file(filename: &str) -> PageFile {
    let bytes = content(filename);
    PageFile {
        filename: DistributionFilename::parse(filename).unwrap(),
        sha256: Sha256::of(&bytes),
        size: bytes.len() as u64,
        requires_python: None,
        upload_time: None,
        yanked: Yanked::No,
        core_metadata: None,
    }
}
