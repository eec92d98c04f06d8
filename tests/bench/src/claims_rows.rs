//! Thousands of projects whose developers sign, in 256 shards beside 1,024 bins: written in full, each with a key
//! of its own, held to what clients are sure to read, and looked up by them.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use draft::{DelegatedProject, projects_role};
use index::{BinCount, DistributionFilename, ProjectName, file_path};
use keys::{FileKey, KeyType, Signer};
use metadata::{
    DelegatedRole, DelegatedRoles, Delegations, Document, Expiry, MetaFile, PathPattern, PathSet,
    PublicKey, Role, RoleKeys, RoleName, Sha256, TargetFile, TargetPath, Targets, Version, Wire,
};
use policy::Encoding;
use ring::rand::SystemRandom;
use serde_json::{Value, json};

use crate::meter::Meter;
use crate::scene::Scene;

/// Bins and shards, as an index of this size has them.
const BINS: u64 = 1_024;
const SHARDS: usize = 256;

/// The file of a project by number.
pub(crate) fn claimed_path(number: u32) -> TargetPath {
    let name = format!("project_{number:08}-1.0.tar.gz");
    file_path(&DistributionFilename::parse(&name).unwrap())
}

/// A role's file, its version 1, and where it goes.
struct Put<'a> {
    folder: &'a Path,
    /// What the snapshot lists in full.
    listed: Vec<(Role, MetaFile)>,
}

impl Put<'_> {
    fn role(&mut self, name: &str, document: &Targets, key: &FileKey) -> u64 {
        let canonical = document.to_canonical();
        let file = Wire::write(&canonical, &[key.sign(&canonical).unwrap()]);
        let role = Role::parse(name).unwrap();
        let path = self.folder.join(role.versioned_file_name(Version::FIRST));
        fs::write(path, &file).unwrap();
        let described = MetaFile::describing(Version::FIRST, &file);
        self.listed.push((role, described));
        file.len() as u64
    }
}

/// Writes the repository and says how much of each limit is used.
pub(crate) fn write(folder: &Path, projects: u32) -> Value {
    let count = BinCount::new(BINS).unwrap();
    let mut scene = Scene::of(KeyType::Ed25519, count, Encoding::PathHashPrefixes);
    let metadata = folder.join("metadata");
    fs::create_dir_all(&metadata).unwrap();
    let offline = key();
    delegate_claimed(&mut scene.top, &offline);
    let mut put = Put {
        folder: &metadata,
        listed: Vec::new(),
    };
    let expires = Expiry::at(scene.now + chrono::TimeDelta::days(90));
    let mut meter = Meter::start();
    let mut shards: BTreeMap<String, Vec<DelegatedProject>> = BTreeMap::new();
    let mut largest_project = 0;
    for number in 0..projects {
        let (project, developers) = (project(number), key());
        let name = format!("project-{project}");
        let bytes = meter.time(|| put.role(&name, &own_role(number, expires), &developers));
        largest_project = largest_project.max(bytes);
        let shard = shards.entry(project.shard().to_string()).or_default();
        shard.push(delegated(project, developers.public_key()));
    }
    assert_eq!(shards.len(), SHARDS, "so many projects fill every shard");
    let mut largest_shard = 0;
    for (prefix, projects) in &shards {
        let bytes = meter.time(|| {
            let document = projects_role(expires, Version::FIRST, projects).unwrap();
            put.role(&format!("claimed-{prefix}"), &document, &offline)
        });
        largest_shard = largest_shard.max(bytes);
    }
    let claimed = claimed(expires, shards.keys(), &offline);
    let claimed = put.role("claimed", &claimed, &offline);
    let snapshot = meter.time(|| finish(&scene, &metadata, &put.listed));
    let limits = scene.policy.repository;
    assert!(snapshot <= limits.snapshot_bytes, "{snapshot}");
    for bytes in [largest_project, largest_shard, claimed] {
        assert!(bytes <= limits.role_bytes, "{bytes}");
    }
    let each = (snapshot - 40_000) / u64::from(projects);
    let mut report: Value = serde_json::from_str(&meter.report("claims", "ours")).unwrap();
    report["head_room"] = json!({
        "snapshot": [snapshot, limits.snapshot_bytes],
        "largest_role": [largest_shard.max(claimed), limits.role_bytes],
        "claimed": claimed,
        "projects_that_fit": u64::from(projects) + (limits.snapshot_bytes - snapshot) / each,
    });
    report
}

/// Bins, offline roles, snapshot and timestamp; the size of the snapshot.
fn finish(scene: &Scene, metadata: &Path, listed: &[(Role, MetaFile)]) -> u64 {
    for (role, version, file) in scene.offline() {
        fs::write(metadata.join(role.versioned_file_name(version)), file).unwrap();
    }
    for bin in scene.layout.count.bins() {
        let file = scene.sign_bin(bin, scene.bin(Version::FIRST), None);
        fs::write(metadata.join(file.file_name()), file.bytes()).unwrap();
    }
    let mut snapshot = scene.snapshot();
    for (role, file) in listed {
        snapshot.set(role, file.clone());
    }
    let snapshot = scene.sign_snapshot(snapshot, None);
    fs::write(metadata.join(snapshot.file_name()), snapshot.bytes()).unwrap();
    let described = MetaFile::describing(snapshot.version(), snapshot.bytes());
    let timestamp = scene.sign_timestamp(Version::FIRST, described);
    fs::write(metadata.join(timestamp.file_name()), timestamp.bytes()).unwrap();
    snapshot.bytes().len() as u64
}

fn key() -> FileKey {
    FileKey::generate(KeyType::Ed25519, &SystemRandom::new()).unwrap()
}

fn project(number: u32) -> ProjectName {
    ProjectName::parse_normalized(&format!("project-{number:08}")).unwrap()
}

/// What a project's developers sign: one file.
fn own_role(number: u32, expires: Expiry) -> Targets {
    let path = claimed_path(number);
    let file = TargetFile::new(1_000, Sha256::of(path.as_str().as_bytes()));
    Targets::new(Version::FIRST, expires).with_targets([(path, file)])
}

fn one_key(key: &PublicKey) -> RoleKeys {
    RoleKeys {
        keyids: vec![key.id()],
        threshold: 1,
    }
}

fn delegated(project: ProjectName, key: &PublicKey) -> DelegatedProject {
    DelegatedProject {
        project,
        keys: BTreeMap::from([(key.id(), key.clone())]),
        role_keys: one_key(key),
    }
}

fn delegation(name: &str, pattern: &str, key: &PublicKey) -> DelegatedRole {
    DelegatedRole {
        name: RoleName::parse(name).unwrap(),
        keys: one_key(key),
        paths: PathSet::Patterns(vec![PathPattern::parse(pattern).unwrap()]),
        terminating: false,
    }
}

/// `claimed`, which delegates to one shard for each two hex digits.
fn claimed<'a>(
    expires: Expiry,
    prefixes: impl Iterator<Item = &'a String>,
    offline: &FileKey,
) -> Targets {
    let key = offline.public_key();
    let roles = prefixes.map(|prefix| {
        let (name, pattern) = (
            format!("claimed-{prefix}"),
            format!("packages/{prefix}/*/*"),
        );
        delegation(&name, &pattern, key)
    });
    Targets::new(Version::FIRST, expires).with_delegations(Delegations {
        keys: BTreeMap::from([(key.id(), key.clone())]),
        roles: DelegatedRoles::Listed(roles.collect()),
    })
}

/// Has `targets` delegate to `claimed` first.
fn delegate_claimed(top: &mut Targets, offline: &FileKey) {
    let key = offline.public_key();
    let delegations = top.delegations.as_mut().unwrap();
    delegations.keys.insert(key.id(), key.clone());
    if let DelegatedRoles::Listed(roles) = &mut delegations.roles {
        roles.insert(0, delegation("claimed", "packages/*/*/*", key));
    }
}
