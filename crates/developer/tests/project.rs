//! A project from its first key to releases by several maintainers, against what an index knows.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{Cursor, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, TimeZone, Utc};
use claims::{
    Accepted, Challenge, ClaimLimits, Distribution, FilePattern, Grant, Operator, ProjectRole,
    Published, Signed, Statement, Transaction, check_request, verify_transaction,
};
use countersign_developer::{ProjectError, ProjectFolder, Stage};
use index::{DistributionFilename, InspectLimits, ProjectName, file_path, metadata_path};
use keys::{FileKey, KeyType, Signer};
use metadata::{Expiry, Sha256, TargetFile};
use ring::rand::SystemRandom;
use tempfile::TempDir;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

const INDEX: &str = "https://index.example/";

fn now() -> DateTime<Utc> {
    Utc.with_ymd_and_hms(2030, 1, 1, 0, 0, 0).unwrap()
}

fn expires() -> Expiry {
    Expiry::at(now() + TimeDelta::days(90))
}

fn alpha() -> ProjectName {
    ProjectName::parse("alpha").unwrap()
}

fn key() -> FileKey {
    FileKey::generate(KeyType::Ed25519, &SystemRandom::new()).unwrap()
}

/// A claimed project with two keys, and what its index knows of it.
struct Story {
    home: TempDir,
    folder: ProjectFolder,
    keys: [Arc<FileKey>; 2],
    published: Published,
}

impl Story {
    fn claimed() -> Self {
        let home = tempfile::tempdir().unwrap();
        let (operator, keys) = (key(), [Arc::new(key()), Arc::new(key())]);
        let of_operator = Operator::one(operator.public_key().clone());
        let challenge = Challenge {
            index: INDEX.to_owned(),
            project: alpha(),
            nonce: [1; 32],
            expires: Expiry::at(now() + TimeDelta::days(1)),
        };
        let challenge = by_operator(&challenge, &operator);
        let publics: Vec<_> = keys.iter().map(|key| key.public_key().clone()).collect();
        let path = home.path().join("alpha");
        let claim = || {
            ProjectFolder::claim(
                &path,
                &challenge,
                &of_operator,
                INDEX,
                &alpha(),
                &publics,
                1,
                now(),
            )
        };
        let folder = claim().unwrap();
        assert!(matches!(claim(), Err(ProjectError::Taken { .. })));
        // Each on a machine of their own.
        assert_eq!(folder.sign_request(&[&*keys[0]]).unwrap().len(), 1);
        let read = || std::fs::read(folder.request_file()).unwrap();
        let parsed = Signed::parse(&challenge).unwrap();
        let limits = ClaimLimits::default();
        assert!(check_request(&read(), &parsed, &limits).is_err());
        assert!(folder.sign_request(&[&*keys[1]]).unwrap().is_empty());
        let request = check_request(&read(), &parsed, &limits).unwrap();
        let grant = Grant {
            request: request.digest(),
            index: INDEX.to_owned(),
            project: alpha(),
            issued: now(),
            expires: Expiry::at(now() + TimeDelta::days(7)),
        };
        let grant = by_operator(&grant, &operator);
        let registration = folder
            .check_grant(&challenge, &grant, &of_operator, now())
            .unwrap();
        let published = Published {
            registration,
            roles: BTreeMap::new(),
            last_versions: BTreeMap::new(),
            files: BTreeMap::new(),
            withdrawn: BTreeSet::new(),
        };
        Self {
            home,
            folder,
            keys,
            published,
        }
    }

    fn dist(&self, version: &str) -> (PathBuf, Distribution) {
        let name = format!("alpha-{version}-py3-none-any.whl");
        let path = self.home.path().join(&name);
        let metadata = format!("Metadata-Version: 2.1\nName: alpha\nVersion: {version}\n");
        let mut wheel = ZipWriter::new(Cursor::new(Vec::new()));
        let options = SimpleFileOptions::default();
        let entry = format!("alpha-{version}.dist-info/METADATA");
        wheel.start_file(entry, options).unwrap();
        wheel.write_all(metadata.as_bytes()).unwrap();
        std::fs::write(&path, wheel.finish().unwrap().into_inner()).unwrap();
        let name = DistributionFilename::parse(&name).unwrap();
        let file = File::open(&path).unwrap();
        let dist = Distribution::read(name, file, &InspectLimits::default()).unwrap();
        (path, dist)
    }

    /// Prepares, signs by `keys`, sends, and has the index take it.
    fn release(
        &mut self,
        sub: Option<&str>,
        version: &str,
        keys: &[&FileKey],
    ) -> Result<Accepted, ProjectError> {
        let (path, dist) = self.dist(version);
        let role = self.folder.role(sub)?;
        let draft = self
            .folder
            .draft(&role, expires(), &[dist], &BTreeSet::new())?;
        self.folder.keep(&draft)?;
        for key in keys {
            self.folder.sign(&role, &[*key])?;
        }
        self.send(&[path])
    }

    fn send(&mut self, files: &[PathBuf]) -> Result<Accepted, ProjectError> {
        let to = self.home.path().join("transaction.zip");
        let ours = self.folder.upload(files, &to, now())?;
        let accepted = self.receive(&to);
        assert_eq!(accepted.roles.len(), ours.roles.len());
        std::fs::remove_file(&to).unwrap();
        self.folder.accepted().unwrap();
        Ok(accepted)
    }

    /// What an index does.
    fn receive(&mut self, archive: &Path) -> Accepted {
        let file = File::open(archive).unwrap();
        let mut transaction = Transaction::open(file, ClaimLimits::default()).unwrap();
        let accepted = verify_transaction(&self.published, &mut transaction, now()).unwrap();
        for role in &accepted.roles {
            let (name, file) = (role.name.clone(), role.file.clone());
            self.published.roles.insert(name.clone(), file);
            self.published.last_versions.insert(name, role.version);
        }
        for new in &accepted.new_files {
            let metadata = new.inspected.core_metadata.as_ref().unwrap();
            let file = TargetFile::new(metadata.len() as u64, Sha256::of(metadata));
            let files = &mut self.published.files;
            files.insert(metadata_path(&new.filename), file);
            files.insert(file_path(&new.filename), new.file.clone());
        }
        accepted
    }
}

fn by_operator(statement: &impl Statement, operator: &FileKey) -> Vec<u8> {
    statement.seal(&[operator.sign(&statement.to_canonical()).unwrap()])
}

#[test]
fn one_person_releases_with_one_key() {
    let mut story = Story::claimed();
    let one = Arc::clone(&story.keys[0]);
    let accepted = story.release(None, "1.0", &[&*one]).unwrap();
    assert!(accepted.is_first);
    assert_eq!(accepted.layout.roles_visited, 3);
    let accepted = story.release(None, "1.1", &[&*one]).unwrap();
    assert_eq!(accepted.roles[0].version.get(), 2);
    let standing = story.folder.standing(now()).unwrap();
    assert_eq!(standing.roles.len(), 1);
    assert_eq!(standing.roles[0].stage, Stage::Published);
    assert_eq!(standing.roles[0].targets, 4);
    assert!(standing.unsigned_request.is_empty());
}

/// The project's keys name a maintainer's role, replace her key, and remove it again.
#[test]
fn maintainers_come_and_go() {
    let mut story = Story::claimed();
    let one = Arc::clone(&story.keys[0]);
    let (alice, new_alice) = (key(), key());
    story.release(None, "1.0", &[&*one]).unwrap();
    let own = story.folder.role(None).unwrap();
    let hers = story.folder.role(Some("alice")).unwrap();

    // The delegation and her first version, which lists nothing, go together.
    let name_her = |story: &Story, key: &FileKey| {
        let keys = [key.public_key().clone()];
        let all = [FilePattern::All];
        let draft = story
            .folder
            .draft_sub_role("alice", &keys, 1, &all, expires());
        story.folder.keep(&draft.unwrap()).unwrap();
        story.folder.sign(&own, &[&*one]).unwrap();
    };
    name_her(&story, &alice);
    let refused = story.send(&[]).unwrap_err();
    let ProjectError::Refused(reason) = &refused else {
        panic!("{refused:?}")
    };
    assert_eq!(reason.code(), "role-missing");
    let by_alice = story.release(Some("alice"), "2.0", &[&alice]).unwrap();
    assert_eq!(by_alice.roles.len(), 2);
    assert_eq!(by_alice.layout.roles_visited, 4);
    // The thief of nobody's key signs nothing.
    let stranger = story
        .release(Some("alice"), "2.1", &[&new_alice])
        .unwrap_err();
    assert!(
        matches!(stranger, ProjectError::NotItsKey { .. }),
        "{stranger:?}"
    );
    let unsigned = story.send(&[story.dist("2.1").0]).unwrap_err();
    assert!(matches!(unsigned, ProjectError::Refused(_)), "{unsigned:?}");

    // Her key is replaced; her role waits above, and is signed by the new one.
    name_her(&story, &new_alice);
    story.folder.sign(&hers, &[&new_alice]).unwrap();
    let rotated = story.send(&[story.dist("2.1").0]).unwrap();
    assert_eq!(rotated.roles.len(), 2);
    let gone = story.release(Some("alice"), "2.2", &[&alice]).unwrap_err();
    assert!(matches!(gone, ProjectError::NotItsKey { .. }), "{gone:?}");
    story.folder.sign(&hers, &[&new_alice]).unwrap();
    story.send(&[story.dist("2.2").0]).unwrap();

    // She leaves: her files move into the project's own role.
    let dists: Vec<Distribution> = ["2.0", "2.1", "2.2"].map(|v| story.dist(v).1).into();
    let draft = story.folder.draft_without("alice", expires()).unwrap();
    story.folder.keep(&draft).unwrap();
    let draft = story
        .folder
        .draft(&own, expires(), &dists, &BTreeSet::new())
        .unwrap();
    story.folder.keep(&draft).unwrap();
    story.folder.sign(&own, &[&*one]).unwrap();
    let without = story.send(&[]).unwrap();
    assert_eq!(without.layout.sub_roles, 0);
    let standing = story.folder.standing(now()).unwrap();
    assert_eq!(standing.roles.len(), 1);
    assert_eq!(standing.roles[0].targets, 8);
}

#[test]
fn what_is_on_its_way_is_not_changed() {
    let mut story = Story::claimed();
    let one = Arc::clone(&story.keys[0]);
    let (path, dist) = story.dist("1.0");
    let own = ProjectRole::of(alpha());
    let draft = story
        .folder
        .draft(&own, expires(), &[dist], &BTreeSet::new())
        .unwrap();
    assert!(matches!(
        story.folder.sign(&own, &[&*one]),
        Err(ProjectError::NothingToSign { .. })
    ));
    story.folder.keep(&draft).unwrap();
    story.folder.sign(&own, &[&*one]).unwrap();
    let to = story.home.path().join("first.zip");
    let missing = story.folder.upload(&[], &to, now()).unwrap_err();
    assert!(matches!(missing, ProjectError::Refused(_)), "{missing:?}");
    assert!(!to.exists(), "nothing that would be refused is written");
    story
        .folder
        .upload(std::slice::from_ref(&path), &to, now())
        .unwrap();
    let busy = story.release(None, "1.1", &[&*one]).unwrap_err();
    assert!(matches!(busy, ProjectError::OnItsWay), "{busy:?}");
    // The index refused it: the same version is changed and sent again, to a new file.
    story.folder.refused().unwrap();
    let again = story
        .folder
        .upload(std::slice::from_ref(&path), &to, now())
        .unwrap_err();
    assert!(matches!(again, ProjectError::Io { .. }), "{again:?}");
    let second = story.home.path().join("second.zip");
    story.folder.upload(&[path], &second, now()).unwrap();
    assert_eq!(
        std::fs::read(&to).unwrap(),
        std::fs::read(&second).unwrap(),
        "the same contents make the same bytes"
    );
    story.receive(&second);
    assert_eq!(story.folder.accepted().unwrap(), [own.name()]);
    assert!(matches!(
        story.folder.accepted(),
        Err(ProjectError::NothingSent)
    ));
}
