//! Developers of a project with their keys and their folder, and the operator who grants their claim.

use std::io::{Cursor, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use claims::{Challenge, Distribution, FilePattern, Grant, Operator, Signed, Statement};
use countersign_repository::{Receipt, ReceiveError, Repository};
use developer::ProjectFolder;
use index::{DistributionFilename, InspectLimits, ProjectName};
use keys::{FileKey, Signer};
use metadata::Expiry;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use super::key;

pub const INDEX: &str = "https://index.example/";

/// What one call of the index said.
pub type Answer = Result<Receipt, ReceiveError>;

/// The developers of one project.
pub struct Team {
    pub home: PathBuf,
    pub project: ProjectName,
    pub folder: ProjectFolder,
    pub keys: Vec<Arc<FileKey>>,
    operator: Arc<FileKey>,
    claims: u8,
}

impl Team {
    /// A team that has asked for its project, and whom nobody has heard yet.
    pub fn new(home: &Path, project: &str, keys: usize, now: DateTime<Utc>) -> Self {
        let project = ProjectName::parse(project).unwrap();
        let home = home.join(format!("team-{project}"));
        std::fs::create_dir(&home).unwrap();
        let (operator, keys) = (key(), (0..keys).map(|_| key()).collect::<Vec<_>>());
        let folder = claim(&home.join("0"), &project, &operator, &keys, 0, now);
        Self {
            home,
            project,
            folder,
            keys,
            operator,
            claims: 0,
        }
    }

    /// The same team at home elsewhere, where everything of theirs was copied to.
    pub fn at(&self, home: &Path) -> Self {
        let home = home.join(self.home.file_name().unwrap());
        let folder = ProjectFolder::open(&home.join(self.claims.to_string())).unwrap();
        Self {
            home,
            folder,
            project: self.project.clone(),
            keys: self.keys.clone(),
            operator: Arc::clone(&self.operator),
            claims: self.claims,
        }
    }

    /// Has nothing but what the index has published of the project.
    pub fn follow(&self, published: &std::collections::BTreeMap<String, Vec<u8>>) {
        let home = self.home.join(self.claims.to_string());
        for place in ["published", "next", "uploaded", "retired"] {
            let _ = std::fs::remove_dir_all(home.join(place));
        }
        std::fs::create_dir(home.join("published")).unwrap();
        for (role, file) in published {
            std::fs::write(home.join(format!("published/{role}.json")), file).unwrap();
        }
    }

    /// Begins anew with other keys: the roles that are published come along.
    pub fn with_other_keys(&mut self, keys: usize, now: DateTime<Utc>) {
        self.with_keys((0..keys).map(|_| key()).collect(), now);
    }

    /// The same with these keys, one of which has to sign.
    pub fn with_keys(&mut self, keys: Vec<Arc<FileKey>>, now: DateTime<Utc>) {
        let before = self.home.join(self.claims.to_string());
        while self.home.join(self.claims.to_string()).exists() {
            self.claims += 1;
        }
        self.keys = keys;
        let path = self.home.join(self.claims.to_string());
        let (operator, keys) = (&self.operator, &self.keys);
        let folder = claim(&path, &self.project, operator, keys, self.claims, now);
        let published = before.join("published");
        if published.exists() {
            let to = path.join("published");
            std::fs::create_dir(&to).unwrap();
            for entry in std::fs::read_dir(published).unwrap() {
                let from = entry.unwrap().path();
                std::fs::copy(&from, to.join(from.file_name().unwrap())).unwrap();
            }
        }
        self.folder = folder;
    }

    /// Request and grant, as they go to the index.
    pub fn claim(&self, now: DateTime<Utc>) -> (Vec<u8>, Vec<u8>) {
        let request = std::fs::read(self.folder.request_file()).unwrap();
        let signed = Signed::<claims::Request>::parse(&request).unwrap();
        let grant = Grant {
            request: signed.digest(),
            index: INDEX.to_owned(),
            project: self.project.clone(),
            issued: now,
            expires: Expiry::at(now + TimeDelta::days(7)),
        };
        (request, sealed(&grant, &self.operator))
    }

    pub fn operator(&self) -> Operator {
        Operator::one(self.operator.public_key().clone())
    }

    /// Has the index take the claim.
    pub fn register(&self, index: &mut Repository, now: DateTime<Utc>) -> Answer {
        let (request, grant) = self.claim(now);
        index
            .receive_claim(&request, &grant, &self.operator(), INDEX, now)
            .unwrap()
    }

    /// A wheel of this project.
    pub fn wheel(&self, version: &str) -> PathBuf {
        let project = self.project.as_str().replace('-', "_");
        let path = self
            .home
            .join(format!("{project}-{version}-py3-none-any.whl"));
        let metadata = format!(
            "Metadata-Version: 2.1\nName: {}\nVersion: {version}\n",
            self.project
        );
        let mut wheel = ZipWriter::new(Cursor::new(Vec::new()));
        let entry = format!("{project}-{version}.dist-info/METADATA");
        wheel
            .start_file(entry, SimpleFileOptions::default())
            .unwrap();
        wheel.write_all(metadata.as_bytes()).unwrap();
        std::fs::write(&path, wheel.finish().unwrap().into_inner()).unwrap();
        path
    }

    /// Signs a release with every key of the project; `there` are files that the index has.
    pub fn archive(&self, new: &[PathBuf], there: &[PathBuf], now: DateTime<Utc>) -> PathBuf {
        let all: Vec<_> = new.iter().chain(there).map(|path| read(path)).collect();
        let role = self.folder.role(None).unwrap();
        let none = std::collections::BTreeSet::new();
        let draft = self.folder.draft(&role, expires(now), &all, &none).unwrap();
        self.folder.keep(&draft).unwrap();
        self.sign_own();
        self.pack(new, there, now)
    }

    /// The next version of the project's own role with a sub-role in it, and that sub-role's.
    pub fn delegate(&self, sub: &str, key: &FileKey, new: &[PathBuf], now: DateTime<Utc>) {
        let public = [key.public_key().clone()];
        let draft = self
            .folder
            .draft_sub_role(sub, &public, 1, &[FilePattern::All], expires(now))
            .unwrap();
        self.folder.keep(&draft).unwrap();
        self.sign_own();
        self.sub_release(sub, key, new, now);
    }

    /// The next version of a sub-role.
    pub fn sub_release(&self, sub: &str, key: &FileKey, new: &[PathBuf], now: DateTime<Utc>) {
        let role = self.folder.role(Some(sub)).unwrap();
        let all: Vec<_> = new.iter().map(|path| read(path)).collect();
        let none = std::collections::BTreeSet::new();
        let draft = self.folder.draft(&role, expires(now), &all, &none).unwrap();
        self.folder.keep(&draft).unwrap();
        self.folder.sign(&role, &[key]).unwrap();
    }

    pub fn sign_own(&self) {
        let signers: Vec<&dyn Signer> = self.keys.iter().map(|key| &**key as _).collect();
        let role = self.folder.role(None).unwrap();
        self.folder.sign(&role, &signers).unwrap();
    }

    /// Everything that waits, as an archive. Files that the index has already need not be sent; the
    /// team sends them all the same.
    pub fn pack(&self, new: &[PathBuf], there: &[PathBuf], now: DateTime<Utc>) -> PathBuf {
        let files: Vec<_> = new.iter().chain(there).cloned().collect();
        let count = std::fs::read_dir(&self.home).unwrap().count();
        let to = self.home.join(format!("{count}.zip"));
        self.folder.upload(&files, &to, now).unwrap();
        to
    }

    /// Signs a release, has the index take it, and notes that it did.
    pub fn release(
        &self,
        index: &mut Repository,
        new: &[PathBuf],
        there: &[PathBuf],
        now: DateTime<Utc>,
    ) -> Answer {
        let archive = self.archive(new, there, now);
        self.send(index, &archive, now)
    }

    pub fn send(&self, index: &mut Repository, archive: &Path, now: DateTime<Utc>) -> Answer {
        let answer = index.receive_transaction(archive, now).unwrap();
        match &answer {
            Ok(_) => drop(self.folder.accepted().unwrap()),
            Err(_) => drop(self.folder.refused().unwrap()),
        }
        answer
    }
}

fn expires(now: DateTime<Utc>) -> Expiry {
    Expiry::at(now + TimeDelta::days(90))
}

fn read(path: &Path) -> Distribution {
    let name = path.file_name().unwrap().to_str().unwrap();
    let name = DistributionFilename::parse(name).unwrap();
    let file = std::fs::File::open(path).unwrap();
    Distribution::read(name, file, &InspectLimits::default()).unwrap()
}

fn claim(
    path: &Path,
    project: &ProjectName,
    operator: &FileKey,
    keys: &[Arc<FileKey>],
    nonce: u8,
    now: DateTime<Utc>,
) -> ProjectFolder {
    let challenge = Challenge {
        index: INDEX.to_owned(),
        project: project.clone(),
        nonce: [nonce; 32],
        expires: Expiry::at(now + TimeDelta::days(1)),
    };
    let challenge = sealed(&challenge, operator);
    let by = Operator::one(operator.public_key().clone());
    let publics: Vec<_> = keys.iter().map(|key| key.public_key().clone()).collect();
    let folder =
        ProjectFolder::claim(path, &challenge, &by, INDEX, project, &publics, 1, now).unwrap();
    let signers: Vec<&dyn Signer> = keys.iter().map(|key| &**key as _).collect();
    assert!(folder.sign_request(&signers).unwrap().is_empty());
    folder
}

fn sealed(statement: &impl Statement, key: &FileKey) -> Vec<u8> {
    let signature = key.sign(&statement.to_canonical()).unwrap();
    statement.seal(&[signature])
}
