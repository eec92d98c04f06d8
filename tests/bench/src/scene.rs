//! An index to measure on: policy, keys, offline roles, and targets drawn from a number, so that
//! python-tuf signs the same paths, lengths and digests.

use chrono::{DateTime, TimeDelta, Utc};
use draft::{BinLayout, Draft, DraftDocument, Setting, SignedFile};
use index::{BinCount, BinIndex, ProjectName, page_path};
use keys::{FileKey, KeyType, Signer};
use metadata::{
    DelegatedRoles, Delegations, MetaFile, Role, RoleKeys, Root, Snapshot, TargetFile, TargetPath,
    Targets, Timestamp, Version,
};
use policy::{Encoding, Policy};
use ring::rand::SystemRandom;
use trust::Authority;

/// Bins of every measurement, as DESIGN §10 asks.
pub(crate) const BINS: u64 = 16_384;

/// Policy, keys and offline roles.
pub(crate) struct Scene {
    pub(crate) now: DateTime<Utc>,
    pub(crate) policy: Policy,
    pub(crate) layout: BinLayout,
    pub(crate) key: FileKey,
    pub(crate) root: Root,
    pub(crate) top: Targets,
    pub(crate) bins: Targets,
}

impl Scene {
    /// One key for everything: what is measured does not depend on how many there are.
    pub(crate) fn new(key_type: KeyType) -> Self {
        let bins = BinCount::new(BINS).unwrap();
        Self::of(key_type, bins, Encoding::Succinct)
    }

    /// The same with other bins.
    pub(crate) fn of(key_type: KeyType, count: BinCount, encoding: Encoding) -> Self {
        let text = Policy::built_in_text("small-index").unwrap();
        let text = text.replace("bins = \"auto\" ", &format!("bins = {count} "));
        let form = match encoding {
            Encoding::Succinct => "succinct",
            Encoding::PathHashPrefixes => "path-hash-prefixes",
        };
        let text = text.replace("encoding = \"auto\"", &format!("encoding = \"{form}\""));
        let policy = Policy::parse(&text).unwrap();
        let layout = BinLayout { count, encoding };
        let key = FileKey::generate(key_type, &SystemRandom::new()).unwrap();
        let (now, one) = (Utc::now(), [key.public_key().clone()]);
        let mut root = draft::first_root(&policy, now, [&one, &one, &one, &one]);
        root.root.threshold = 1;
        let top = draft::top_targets(&policy, now, Version::FIRST, &one, &one).unwrap();
        let bins = draft::bins_role(&policy, now, Version::FIRST, layout, &one).unwrap();
        Self {
            now,
            policy,
            layout,
            key,
            root,
            top,
            bins,
        }
    }

    pub(crate) fn bin_role(&self, bin: BinIndex) -> Role {
        Role::Delegated(self.layout.role_name(bin).unwrap())
    }

    /// Keys of the bins, as `bins` lists them.
    pub(crate) fn bin_authority(&self) -> Authority<'_> {
        let Delegations { keys, roles } = self.bins.delegations.as_ref().unwrap();
        let role_keys = match roles {
            DelegatedRoles::Succinct(succinct) => &succinct.keys,
            DelegatedRoles::Listed(roles) => &roles[0].keys,
        };
        Authority::new("bins", keys, role_keys)
    }

    fn root_authority<'a>(&'a self, keys: &'a RoleKeys) -> Authority<'a> {
        Authority::new("root", &self.root.keys, keys)
    }

    /// Lints and signs, as the repository does with every document.
    fn sign<R: DraftDocument>(
        &self,
        role: Role,
        document: R,
        previous: Option<&R>,
        authority: Authority<'_>,
    ) -> SignedFile {
        let setting = Setting {
            now: self.now,
            policy: &self.policy,
            root: Some(&self.root),
        };
        let draft = Draft::new(role, document).in_layout(self.layout);
        let linted = draft.lint(&setting, previous).unwrap();
        let signature = self.key.sign_unverified(linted.canonical()).unwrap();
        let sealed = linted.seal_unverified(&[signature], &authority);
        sealed.unwrap().into_file()
    }

    pub(crate) fn sign_bin(
        &self,
        bin: BinIndex,
        document: Targets,
        previous: Option<&Targets>,
    ) -> SignedFile {
        let role = self.bin_role(bin);
        self.sign(role, document, previous, self.bin_authority())
    }

    pub(crate) fn sign_snapshot(&self, new: Snapshot, previous: Option<&Snapshot>) -> SignedFile {
        let authority = self.root_authority(&self.root.snapshot);
        self.sign(Role::Snapshot, new, previous, authority)
    }

    pub(crate) fn sign_timestamp(&self, version: Version, snapshot: MetaFile) -> SignedFile {
        let expires = self.now + self.policy.roles.timestamp.lifetime;
        let document = Timestamp::new(version, metadata::Expiry::at(expires), snapshot);
        let authority = self.root_authority(&self.root.timestamp);
        self.sign(Role::Timestamp, document, None, authority)
    }

    /// Root, top-level targets and `bins`, signed without lints: the root here has one key.
    pub(crate) fn offline(&self) -> [(Role, Version, Vec<u8>); 3] {
        fn file<R: DraftDocument>(scene: &Scene, document: &R) -> Vec<u8> {
            let canonical = document.to_canonical();
            let signature = scene.key.sign(&canonical).unwrap();
            metadata::Wire::write(&canonical, &[signature])
        }
        let (first, bins) = (Version::FIRST, Role::parse("bins").unwrap());
        [
            (Role::Root, first, file(self, &self.root)),
            (Role::Targets, first, file(self, &self.top)),
            (bins, first, file(self, &self.bins)),
        ]
    }

    /// A new version of a bin with the whole lifetime.
    pub(crate) fn bin(&self, version: Version) -> Targets {
        let expires = self.now + self.policy.roles.bin_n.lifetime - TimeDelta::seconds(1);
        Targets::new(version, metadata::Expiry::at(expires))
    }

    /// The first snapshot: every bin at version 1, the offline roles in full.
    pub(crate) fn snapshot(&self) -> Snapshot {
        let expires = self.now + self.policy.roles.snapshot.lifetime;
        let mut snapshot = Snapshot::new(Version::FIRST, metadata::Expiry::at(expires));
        for bin in self.layout.count.bins() {
            let file = MetaFile::version_only(Version::FIRST);
            snapshot.set(&self.bin_role(bin), file);
        }
        for (role, version, file) in &self.offline()[1..] {
            snapshot.set(role, MetaFile::describing(*version, file));
        }
        snapshot
    }
}

/// Targets by number, grouped by bin: 4 bytes each, so that ten million fit in little memory.
pub(crate) struct Stream {
    starts: Vec<u32>,
    numbers: Vec<u32>,
}

impl Stream {
    pub(crate) fn new(targets: u32, count: BinCount) -> Self {
        let bins: Vec<u16> = (0..targets)
            .map(|number| count.bin_of(&path_of(number).hash()).get())
            .collect();
        let mut starts = vec![0; count.get() as usize + 1];
        for bin in &bins {
            starts[usize::from(*bin) + 1] += 1;
        }
        for at in 1..starts.len() {
            starts[at] += starts[at - 1];
        }
        let (mut next, mut numbers) = (starts.clone(), vec![0; bins.len()]);
        for (number, bin) in (0..targets).zip(&bins) {
            let at = &mut next[usize::from(*bin)];
            numbers[*at as usize] = number;
            *at += 1;
        }
        Self { starts, numbers }
    }

    /// The targets of a bin in path order, as a database would give them.
    pub(crate) fn of(&self, bin: BinIndex) -> Vec<(TargetPath, TargetFile)> {
        let at = usize::from(bin.get());
        let range = self.starts[at] as usize..self.starts[at + 1] as usize;
        let mut out: Vec<_> = self.numbers[range].iter().map(|n| target_of(*n)).collect();
        out.sort_by(|(one, _), (other, _)| one.cmp(other));
        out
    }
}

/// The page of project `project-NNNNNNNN`.
pub(crate) fn path_of(number: u32) -> TargetPath {
    page_path(&ProjectName::parse_normalized(&format!("project-{number:08}")).unwrap())
}

/// Its length and digest come from the number too.
pub(crate) fn target_of(number: u32) -> (TargetPath, TargetFile) {
    let path = path_of(number);
    let file = TargetFile::new(2_000 + u64::from(number % 1_000), path.hash());
    (path, file)
}
