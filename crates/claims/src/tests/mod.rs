//! What the tests of this crate share: keys, distributions, and a project with two maintainers and a
//! build farm.

mod archives;
mod claiming;
mod flaws;
mod flaws_of_files;
mod honest;
mod properties;

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Cursor, Write};

use chrono::{DateTime, TimeDelta, TimeZone, Utc};
use index::{DistributionFilename, ProjectName, file_path, metadata_path};
use metadata::{
    DelegatedRole, DelegatedRoles, Delegations, Document, Expiry, PathSet, PublicKey, RoleKeys,
    RoleName, Sha256, Signature, TargetFile, TargetPath, Targets, Version, Wire,
};
use ring::signature::{Ed25519KeyPair, KeyPair};
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use crate::{
    Accepted, ClaimLimits, FilePattern, ProjectRole, Published, Reason, Registration, Transaction,
    verify_transaction, write_transaction,
};

/// An Ed25519 key, the same in every run.
pub(super) struct Key {
    pair: Ed25519KeyPair,
    pub(super) public: PublicKey,
}

impl Key {
    pub(super) fn named(name: &str) -> Self {
        let seed = Sha256::of(name.as_bytes());
        let pair = Ed25519KeyPair::from_seed_unchecked(seed.as_bytes()).unwrap();
        let public = PublicKey::ed25519(pair.public_key().as_ref().try_into().unwrap());
        Self { pair, public }
    }

    pub(super) fn sign(&self, canonical: &[u8]) -> Signature {
        Signature {
            keyid: self.public.id(),
            bytes: self.pair.sign(canonical).as_ref().to_vec(),
        }
    }
}

/// What the build farm may sign.
pub(super) const WHEELS: [FilePattern; 2] = [FilePattern::Wheels, FilePattern::WheelMetadata];

pub(super) fn now() -> DateTime<Utc> {
    Utc.with_ymd_and_hms(2030, 1, 1, 0, 0, 0).unwrap()
}

pub(super) fn alpha() -> ProjectName {
    ProjectName::parse("alpha").unwrap()
}

/// The name of `project-alpha`, or of a sub-role.
pub(super) fn role(sub: &str) -> RoleName {
    let name = if sub.is_empty() {
        ProjectRole::of(alpha())
    } else {
        ProjectRole::sub(alpha(), sub).unwrap()
    };
    name.name()
}

pub(super) fn v(number: u64) -> Version {
    Version::new(number).unwrap()
}

/// A distribution of `alpha`.
#[derive(Clone)]
pub(super) struct Dist {
    pub(super) name: DistributionFilename,
    pub(super) bytes: Vec<u8>,
    pub(super) core_metadata: Option<Vec<u8>>,
}

impl Dist {
    pub(super) fn wheel(version: &str) -> Self {
        let metadata = format!("Metadata-Version: 2.1\nName: alpha\nVersion: {version}\n");
        let folder = format!("alpha-{version}.dist-info/METADATA");
        Self {
            name: named(&format!("alpha-{version}-py3-none-any.whl")),
            bytes: zip_of(&[(&folder, metadata.as_bytes())]),
            core_metadata: Some(metadata.into_bytes()),
        }
    }

    pub(super) fn sdist(version: &str) -> Self {
        let metadata = format!("Metadata-Version: 2.1\nName: alpha\nVersion: {version}\n");
        let folder = format!("alpha-{version}/PKG-INFO");
        Self {
            name: named(&format!("alpha-{version}.zip")),
            bytes: zip_of(&[(&folder, metadata.as_bytes())]),
            core_metadata: None,
        }
    }

    /// What a role lists of it.
    pub(super) fn entries(&self) -> Vec<(TargetPath, TargetFile)> {
        let file = |bytes: &[u8]| TargetFile::new(bytes.len() as u64, Sha256::of(bytes));
        let mut entries = vec![(file_path(&self.name), file(&self.bytes))];
        if let Some(metadata) = &self.core_metadata {
            entries.push((metadata_path(&self.name), file(metadata)));
        }
        entries
    }
}

pub(super) fn named(name: &str) -> DistributionFilename {
    DistributionFilename::parse(name).unwrap()
}

/// An archive of these entries, stored.
pub(super) fn zip_of(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    let stored = SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    for (name, bytes) in entries {
        archive.start_file(*name, stored).unwrap();
        archive.write_all(bytes).unwrap();
    }
    archive.finish().unwrap().into_inner()
}

/// A role that lists `dists`, for 90 days.
pub(super) fn document(version: u64, dists: &[&Dist]) -> Targets {
    let expires = Expiry::at(now() + TimeDelta::days(90));
    let entries = dists.iter().flat_map(|dist| dist.entries());
    Targets::new(v(version), expires).with_targets(entries)
}

pub(super) fn signed(document: &Targets, keys: &[&Key]) -> Vec<u8> {
    let canonical = document.to_canonical();
    let signatures: Vec<_> = keys.iter().map(|key| key.sign(&canonical)).collect();
    Wire::write(&canonical, &signatures)
}

pub(super) fn role_keys(keys: &[&Key], threshold: u32) -> RoleKeys {
    RoleKeys {
        keyids: keys.iter().map(|key| key.public.id()).collect(),
        threshold,
    }
}

pub(super) fn delegated(sub: &str, key: &Key, patterns: &[FilePattern]) -> DelegatedRole {
    let patterns = patterns.iter().map(|pattern| pattern.of(&alpha()));
    DelegatedRole {
        name: role(sub),
        keys: role_keys(&[key], 1),
        paths: PathSet::Patterns(patterns.collect()),
        terminating: false,
    }
}

pub(super) fn delegations(keys: &[&Key], roles: Vec<DelegatedRole>) -> Delegations {
    Delegations {
        keys: keys
            .iter()
            .map(|key| (key.public.id(), key.public.clone()))
            .collect(),
        roles: DelegatedRoles::Listed(roles),
    }
}

/// A project: two keys, both of which sign `project-alpha`; the sub-role of Alice, for everything,
/// and that of a build farm, for wheels.
pub(super) struct Stage {
    pub(super) published: Published,
    pub(super) keys: BTreeMap<&'static str, Key>,
}

/// What is sent: roles and who signs them, and distributions.
pub(super) struct Draft {
    pub(super) roles: BTreeMap<RoleName, (Targets, Vec<&'static str>)>,
    pub(super) dists: Vec<Dist>,
}

impl Stage {
    /// Registered, nothing published; the index has version 1.0 from before.
    pub(super) fn unclaimed() -> Self {
        let names = ["one", "two", "alice", "farm", "thief"];
        let keys: BTreeMap<_, _> = names.map(|name| (name, Key::named(name))).into();
        let both = [&keys["one"], &keys["two"]];
        let registration = Registration {
            project: alpha(),
            keys: both
                .iter()
                .map(|key| (key.public.id(), key.public.clone()))
                .collect(),
            role_keys: role_keys(&both, 2),
        };
        let there = [Dist::wheel("1.0"), Dist::sdist("1.0")];
        let published = Published {
            registration,
            roles: BTreeMap::new(),
            last_versions: BTreeMap::new(),
            files: there.iter().flat_map(Dist::entries).collect(),
            withdrawn: BTreeSet::new(),
        };
        Self { published, keys }
    }

    /// The first transaction: everything the index has, and the sub-roles, empty.
    pub(super) fn first(&self) -> Draft {
        let (alice, farm) = (&self.keys["alice"], &self.keys["farm"]);
        let roles = vec![
            delegated("alice", alice, &[FilePattern::All]),
            delegated("farm", farm, &WHEELS),
        ];
        let there = [&Dist::wheel("1.0"), &Dist::sdist("1.0")];
        let main = document(1, &there).with_delegations(delegations(&[alice, farm], roles));
        Draft {
            roles: BTreeMap::from([
                (role(""), (main, vec!["one", "two"])),
                (role("alice"), (document(1, &[]), vec!["alice"])),
                (role("farm"), (document(1, &[]), vec!["farm"])),
            ]),
            dists: Vec::new(),
        }
    }

    /// After the first transaction.
    pub(super) fn claimed() -> Self {
        let mut stage = Self::unclaimed();
        let accepted = stage.verify(&stage.first()).unwrap();
        stage.apply(&accepted);
        stage
    }

    /// Alice releases version 2.0.
    pub(super) fn release() -> Draft {
        let dists = vec![Dist::wheel("2.0"), Dist::sdist("2.0")];
        let alice = document(2, &dists.iter().collect::<Vec<_>>());
        Draft {
            roles: BTreeMap::from([(role("alice"), (alice, vec!["alice"]))]),
            dists,
        }
    }

    pub(super) fn archive(&self, draft: &Draft) -> Vec<u8> {
        let roles: Vec<(RoleName, Vec<u8>)> = draft
            .roles
            .iter()
            .map(|(name, (document, signers))| {
                let keys: Vec<&Key> = signers.iter().map(|name| &self.keys[name]).collect();
                (name.clone(), signed(document, &keys))
            })
            .collect();
        archive_of(&roles, &draft.dists)
    }

    pub(super) fn verify(&self, draft: &Draft) -> Result<Accepted, Reason> {
        self.verify_bytes(&self.archive(draft))
    }

    pub(super) fn verify_bytes(&self, bytes: &[u8]) -> Result<Accepted, Reason> {
        let mut transaction = Transaction::open(Cursor::new(bytes), ClaimLimits::default())?;
        verify_transaction(&self.published, &mut transaction, now())
    }

    /// What an index does with what it accepted.
    pub(super) fn apply(&mut self, accepted: &Accepted) {
        let published = &mut self.published;
        for role in &accepted.roles {
            published.roles.insert(role.name.clone(), role.file.clone());
            published
                .last_versions
                .insert(role.name.clone(), role.version);
        }
        for new in &accepted.new_files {
            let metadata = new.inspected.core_metadata.as_deref();
            let metadata = metadata.map(|m| TargetFile::new(m.len() as u64, Sha256::of(m)));
            published
                .files
                .insert(file_path(&new.filename), new.file.clone());
            published
                .files
                .extend(metadata.map(|file| (metadata_path(&new.filename), file)));
        }
        for file in &accepted.withdrawn {
            published.files.remove(&file_path(file));
            published.files.remove(&metadata_path(file));
        }
        published
            .withdrawn
            .extend(accepted.withdrawn.iter().cloned());
    }
}

pub(super) fn archive_of(roles: &[(RoleName, Vec<u8>)], dists: &[Dist]) -> Vec<u8> {
    let roles = roles.iter().map(|(name, file)| (name, &**file));
    let files = dists.iter().map(|dist| (&dist.name, &*dist.bytes));
    write_transaction(Cursor::new(Vec::new()), roles, files)
        .unwrap()
        .into_inner()
}

impl Draft {
    pub(super) fn document(&mut self, sub: &str) -> &mut Targets {
        &mut self.roles.get_mut(&role(sub)).unwrap().0
    }
}
