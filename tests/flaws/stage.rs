//! An index with the project `alpha`, whose two owners have named a maintainer and a build farm; and
//! drafts of what they send.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Cursor, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use claims::{FilePattern, Grant, ProjectRole, Request, Signed, Statement, WITHDRAWN};
use countersign_tests::environment::{clean_command, program, samples};
use countersign_tests::published::{Made, PublishedIndex, developers_sign};
use index::{DistributionFilename, ProjectName, file_path, metadata_path};
use keys::{FileKey, Kdf, KeyType, Passphrase, Signer, public_key_to_pem};
use metadata::{
    DelegatedRole, DelegatedRoles, Delegations, Document, Expiry, PathSet, RoleKeys, RoleName,
    Sha256, TargetFile, TargetPath, Targets, Version, Wire,
};
use policy::Encoding;
use ring::rand::SystemRandom;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

pub(crate) const INDEX: &str = "https://index.example/";

/// A file with one flaw, and the code that it is refused by.
pub(crate) struct Flaw {
    pub(crate) what: String,
    pub(crate) code: &'static str,
    pub(crate) bytes: Vec<u8>,
}

impl Flaw {
    pub(crate) fn new(code: &'static str, what: impl Into<String>, bytes: Vec<u8>) -> Self {
        let what = what.into();
        Self { what, code, bytes }
    }

    pub(crate) fn file_name(&self) -> String {
        format!("{}.zip", self.what.replace([' ', '/'], "-"))
    }
}

pub(crate) fn key() -> FileKey {
    FileKey::generate(KeyType::Ed25519, &SystemRandom::new()).unwrap()
}

pub(crate) fn project(name: &str) -> ProjectName {
    ProjectName::parse(name).unwrap()
}

pub(crate) fn v(number: u64) -> Version {
    Version::new(number).unwrap()
}

/// The name of `project-alpha`, or of a sub-role.
pub(crate) fn role(sub: &str) -> RoleName {
    if sub.is_empty() {
        return ProjectRole::of(project("alpha")).name();
    }
    ProjectRole::sub(project("alpha"), sub).unwrap().name()
}

/// The index, and everybody who has to do with it.
pub(crate) struct Stage {
    home: tempfile::TempDir,
    pub(crate) now: DateTime<Utc>,
    pub(crate) operator: FileKey,
    pub(crate) keys: BTreeMap<&'static str, FileKey>,
    /// The request and grant that the index has used.
    pub(crate) used: (Vec<u8>, Vec<u8>),
}

impl Stage {
    /// The project has released version 1.0; Alice has given up 0.9; of 0.8 the index remembers the name.
    pub(crate) fn claimed() -> Self {
        let home = tempfile::tempdir().unwrap();
        let now = Utc::now();
        let keys = ["one", "two", "alice", "farm", "thief"];
        let keys: BTreeMap<_, _> = keys.map(|name| (name, key())).into();
        let operator = key();
        let used = claim(&keys, &operator, now);
        let stage = Self {
            home,
            now,
            operator,
            keys,
            used,
        };
        stage.make_index();
        let pem = public_key_to_pem(stage.operator.public_key()).unwrap();
        stage.write("operator.pub", pem.as_bytes());
        let claim = [
            stage.write("request.json", &stage.used.0),
            stage.write("grant.json", &stage.used.1),
        ];
        stage.accepts(&claim);
        stage.accepts(&[stage.write("first.zip", &stage.first().archive())]);
        for draft in [stage.version(2, &[Dist::sdist("0.9")]), stage.gives_up()] {
            stage.accepts(&[stage.write("next.zip", &draft.archive())]);
        }
        stage
    }

    fn make_index(&self) {
        self.write("secret", b"correct horse battery staple\n");
        let online = key();
        let passphrase = Passphrase::from_file(&self.path("secret")).unwrap();
        let kdf = Kdf::Scrypt {
            log_n: 14,
            r: 8,
            p: 1,
        };
        online
            .save_encrypted(&self.path("online.pem"), &passphrase, kdf)
            .unwrap();
        let alpha = ["0.8", "1.0"].map(|version| {
            let dist = Dist::sdist(version);
            self.write(dist.name.as_str(), &dist.bytes)
        });
        let files: Vec<_> = samples().into_iter().chain(alpha).collect();
        let made = Made {
            now: self.now,
            ..Made::small(Encoding::PathHashPrefixes)
        };
        let policy = developers_sign();
        let online: Arc<dyn Signer> = Arc::new(online);
        let mut index = PublishedIndex::make_by(self.home.path(), &policy, made, &files, online);
        let gone = ["alpha-0.8.zip".to_owned()];
        index.repository().remove_files(&gone, self.now).unwrap();
        index.tick(self.now);
    }

    fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, bytes).unwrap();
        path
    }

    pub(crate) fn written(&self, flaws: &[Flaw]) -> Vec<PathBuf> {
        let write = |flaw: &Flaw| self.write(&flaw.file_name(), &flaw.bytes);
        flaws.iter().map(write).collect()
    }

    /// `countersign index receive`: its exit code and its report.
    pub(crate) fn receive(&self, files: &[PathBuf]) -> (i32, serde_json::Value) {
        let mut command = self.countersign(&["index", "receive", "--json"]);
        command.args([
            "--operator-public-key",
            "operator.pub",
            "--index-url",
            INDEX,
        ]);
        run(command.args(files))
    }

    /// The state database, as a backup has it.
    pub(crate) fn state(&self) -> Vec<u8> {
        fs::read(self.path("index/state.sqlite")).unwrap()
    }

    /// Puts a backup in its place.
    pub(crate) fn restore(&self, backup: &[u8]) {
        for name in ["state.sqlite-wal", "state.sqlite-shm"] {
            let _ = fs::remove_file(self.path(&format!("index/{name}")));
        }
        self.write("index/state.sqlite", backup);
    }

    /// A command of our program: its exit code and its report.
    pub(crate) fn run(&self, words: &[&str]) -> (i32, serde_json::Value) {
        run(&mut self.countersign(words))
    }

    pub(crate) fn tick(&self) -> (i32, serde_json::Value) {
        run(&mut self.countersign(&["online", "tick", "--at-once", "--json"]))
    }

    fn accepts(&self, files: &[PathBuf]) {
        let (code, report) = self.receive(files);
        assert_eq!(code, 0, "{report}");
        let (code, report) = self.tick();
        assert_eq!(code, 0, "{report}");
    }

    pub(crate) fn countersign(&self, words: &[&str]) -> std::process::Command {
        let mut command = clean_command(program("countersign"), self.home.path());
        command
            .current_dir(self.home.path())
            .env("COUNTERSIGN_PASSPHRASE_FILE", "secret")
            .env("COUNTERSIGN_DATA_DIR", "index")
            .env("COUNTERSIGN_ONLINE_KEY", "file:online.pem")
            .args(words);
        command
    }

    /// Every byte of the index: its state, its store, and what was taken in.
    pub(crate) fn everything(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        fn walk(folder: &Path, found: &mut BTreeMap<PathBuf, Vec<u8>>) {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    walk(&path, found);
                } else {
                    found.insert(path.clone(), fs::read(path).unwrap());
                }
            }
        }
        let mut found = BTreeMap::new();
        walk(&self.path("index"), &mut found);
        assert!(found.len() > 30);
        found
    }

    /// Everything that is kept of requests while a server has the state open: what waits or was answered,
    /// and every file but the state's own.
    pub(crate) fn kept(&self) -> (Vec<PathBuf>, u64, bool) {
        let files = self.everything().into_keys();
        let files = files.filter(|path| !path.to_string_lossy().contains("state.sqlite"));
        let index = repository::Repository::open(&self.path("index")).unwrap();
        let first = index.submission(repository::SubmissionId(1)).unwrap();
        (files.collect(), index.waiting().unwrap(), first.is_some())
    }

    fn of(&self, names: &[&str]) -> Vec<&FileKey> {
        names.iter().map(|name| &self.keys[*name]).collect()
    }

    /// A role that lists these, for 90 days.
    pub(crate) fn document(&self, version: u64, dists: &[&Dist]) -> Targets {
        let expires = Expiry::at(self.now + TimeDelta::days(90));
        let entries = dists.iter().flat_map(|dist| dist.entries());
        Targets::new(v(version), expires).with_targets(entries)
    }

    pub(crate) fn delegated(
        &self,
        sub: &str,
        key: &str,
        patterns: &[FilePattern],
    ) -> DelegatedRole {
        let patterns = patterns.iter().map(|one| one.of(&project("alpha")));
        DelegatedRole {
            name: role(sub),
            keys: RoleKeys {
                keyids: vec![self.keys[key].public_key().id()],
                threshold: 1,
            },
            paths: PathSet::Patterns(patterns.collect()),
            terminating: false,
        }
    }

    /// The project's own role: version 1.0, the maintainer, the build farm.
    pub(crate) fn own(&self, version: u64) -> Targets {
        let wheels = [FilePattern::Wheels, FilePattern::WheelMetadata];
        let roles = vec![
            self.delegated("alice", "alice", &[FilePattern::All]),
            self.delegated("farm", "farm", &wheels),
        ];
        let keys = self.of(&["alice", "farm"]).into_iter();
        let keys = keys.map(|key| (key.public_key().id(), key.public_key().clone()));
        self.document(version, &[&Dist::sdist("1.0")])
            .with_delegations(Delegations {
                keys: keys.collect(),
                roles: DelegatedRoles::Listed(roles),
            })
    }

    fn first(&self) -> Draft<'_> {
        let roles = [
            (role(""), self.own(1), vec!["one", "two"]),
            (role("alice"), self.document(1, &[]), vec!["alice"]),
            (role("farm"), self.document(1, &[]), vec!["farm"]),
        ];
        self.draft(roles, Vec::new())
    }

    fn draft(
        &self,
        roles: impl IntoIterator<Item = (RoleName, Targets, Vec<&'static str>)>,
        dists: Vec<Dist>,
    ) -> Draft<'_> {
        Draft {
            stage: self,
            roles: roles
                .into_iter()
                .map(|(name, document, by)| (name, (document, by)))
                .collect(),
            dists,
        }
    }

    /// A version of Alice's with these.
    pub(crate) fn version(&self, version: u64, dists: &[Dist]) -> Draft<'_> {
        let all: Vec<_> = dists.iter().collect();
        let document = self.document(version, &all);
        self.draft([(role("alice"), document, vec!["alice"])], dists.to_vec())
    }

    fn gives_up(&self) -> Draft<'_> {
        let mut draft = self.version(3, &[]);
        let gone = [Dist::sdist("0.9").name].into();
        let member = (WITHDRAWN.to_owned(), claims::withdrawn_value(&gone));
        draft.document("alice").extra.extend([member]);
        draft
    }

    /// The release that has no flaw.
    pub(crate) fn release(&self) -> Draft<'_> {
        self.version(4, &[Dist::wheel("2.0"), Dist::sdist("2.0")])
    }

    /// The next version of the project's own role, by both owners.
    pub(crate) fn next_own(&self) -> Draft<'_> {
        self.draft([(role(""), self.own(2), vec!["one", "two"])], Vec::new())
    }

    pub(crate) fn signed(&self, document: &Targets, by: &[&str]) -> Vec<u8> {
        let canonical = document.to_canonical();
        let sign = |key: &FileKey| key.sign(&canonical).unwrap();
        let signatures: Vec<_> = self.of(by).into_iter().map(sign).collect();
        Wire::write(&canonical, &signatures)
    }
}

fn run(command: &mut std::process::Command) -> (i32, serde_json::Value) {
    let output = command.output().unwrap();
    let report = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| {
        panic!("{error}: {}", countersign_tests::environment::said(&output));
    });
    (output.status.code().unwrap(), report)
}

fn claim(
    keys: &BTreeMap<&str, FileKey>,
    operator: &FileKey,
    now: DateTime<Utc>,
) -> (Vec<u8>, Vec<u8>) {
    let request = request("alpha", &[&keys["one"], &keys["two"]], 2);
    let request = sealed(&request, &[&keys["one"], &keys["two"]]);
    let grant = sealed(&grant(&request, "alpha", now), &[operator]);
    (request, grant)
}

/// What asks for these keys.
pub(crate) fn request(name: &str, keys: &[&FileKey], threshold: u32) -> Request {
    let keys = keys.iter();
    let keys = keys.map(|key| (key.public_key().id(), key.public_key().clone()));
    Request {
        challenge: Sha256::of(b"a challenge"),
        index: INDEX.to_owned(),
        project: project(name),
        keys: keys.collect(),
        threshold,
    }
}

/// What grants a request.
pub(crate) fn grant(request: &[u8], name: &str, now: DateTime<Utc>) -> Grant {
    Grant {
        request: Signed::<Request>::parse(request).unwrap().digest(),
        index: INDEX.to_owned(),
        project: project(name),
        issued: now - TimeDelta::minutes(1),
        expires: Expiry::at(now + TimeDelta::days(1)),
    }
}

pub(crate) fn sealed(statement: &impl Statement, keys: &[&FileKey]) -> Vec<u8> {
    let canonical = statement.to_canonical();
    let sign = |key: &&FileKey| key.sign(&canonical).unwrap();
    let signatures: Vec<_> = keys.iter().map(sign).collect();
    statement.seal(&signatures)
}

/// A distribution of `alpha`.
#[derive(Clone)]
pub(crate) struct Dist {
    pub(crate) name: DistributionFilename,
    pub(crate) bytes: Vec<u8>,
    pub(crate) core_metadata: Option<Vec<u8>>,
}

impl Dist {
    pub(crate) fn wheel(version: &str) -> Self {
        let metadata = format!("Metadata-Version: 2.1\nName: alpha\nVersion: {version}\n");
        let entry = format!("alpha-{version}.dist-info/METADATA");
        Self {
            name: named(&format!("alpha-{version}-py3-none-any.whl")),
            bytes: zip_of(&[(&entry, metadata.as_bytes())]),
            core_metadata: Some(metadata.into_bytes()),
        }
    }

    pub(crate) fn sdist(version: &str) -> Self {
        let metadata = format!("Metadata-Version: 2.1\nName: alpha\nVersion: {version}\n");
        let entry = format!("alpha-{version}/PKG-INFO");
        Self {
            name: named(&format!("alpha-{version}.zip")),
            bytes: zip_of(&[(&entry, metadata.as_bytes())]),
            core_metadata: None,
        }
    }

    /// What a role lists of it.
    pub(crate) fn entries(&self) -> Vec<(TargetPath, TargetFile)> {
        let file = |bytes: &[u8]| TargetFile::new(bytes.len() as u64, Sha256::of(bytes));
        let mut entries = vec![(file_path(&self.name), file(&self.bytes))];
        if let Some(metadata) = &self.core_metadata {
            entries.push((metadata_path(&self.name), file(metadata)));
        }
        entries
    }
}

pub(crate) fn named(name: &str) -> DistributionFilename {
    DistributionFilename::parse(name).unwrap()
}

/// What is sent: roles with those who sign them, and distributions.
#[derive(Clone)]
pub(crate) struct Draft<'a> {
    stage: &'a Stage,
    pub(crate) roles: BTreeMap<RoleName, (Targets, Vec<&'static str>)>,
    pub(crate) dists: Vec<Dist>,
}

impl Draft<'_> {
    pub(crate) fn document(&mut self, sub: &str) -> &mut Targets {
        &mut self.roles.get_mut(&role(sub)).unwrap().0
    }

    /// The names and bytes of its archive.
    pub(crate) fn entries(&self) -> Vec<(String, Vec<u8>)> {
        let roles = self.roles.iter().map(|(name, (document, by))| {
            (
                format!("metadata/{name}.json"),
                self.stage.signed(document, by),
            )
        });
        let dists = self.dists.iter();
        let dists = dists.map(|dist| (format!("targets/{}", dist.name), dist.bytes.clone()));
        roles.chain(dists).collect()
    }

    pub(crate) fn archive(&self) -> Vec<u8> {
        let entries = self.entries();
        let entries: Vec<_> = entries
            .iter()
            .map(|(name, bytes)| (&**name, &**bytes))
            .collect();
        zip_of(&entries)
    }
}

pub(crate) fn stored() -> SimpleFileOptions {
    SimpleFileOptions::default().compression_method(CompressionMethod::Stored)
}

/// An archive of these entries, stored as they are.
pub(crate) fn zip_of(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in entries {
        archive.start_file(*name, stored()).unwrap();
        archive.write_all(bytes).unwrap();
    }
    archive.finish().unwrap().into_inner()
}
