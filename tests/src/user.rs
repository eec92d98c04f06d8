//! Somebody who uses a simulated repository: the client, with a datastore of its own.

use std::path::Path;
use std::sync::Arc;

use client::{ClientError, Datastore, Minimum, Session, Transport, Updater, UpdaterConfig};
use metadata::{Role, TargetPath};
use tempfile::TempDir;
use trust::{Answer, Dialect, Failure, Rejection, Rules};
use url::Url;

use crate::Simulator;

/// With these words a test fails whose attack went through: `tests/controls` looks for them when one
/// check is off.
pub const SUCCEEDED: &str = "the attack succeeded";

/// Asserts that an attack has not had its effect; `evidence` says what there would be to see of it.
///
/// # Panics
///
/// If it has.
#[track_caller]
pub fn fails(attack_failed: bool, evidence: impl std::fmt::Debug) {
    assert!(attack_failed, "{SUCCEEDED}: {evidence:?}");
}

/// A client that trusts the first root of a repository. Everything it does goes through the code
/// that is shipped: fetching, limits, datastore, trust.
pub struct User {
    /// What the repository is held to; the strict dialect and the usual limits at first.
    pub rules: Rules,
    /// The versions that came with the root as a trust anchor; none at first.
    pub minimum: Minimum,
    home: TempDir,
    transport: Arc<dyn Transport>,
    metadata_url: Url,
    targets_url: Url,
}

impl User {
    /// A client of the repository's server, without a network between them.
    #[must_use]
    pub fn of(repository: &Simulator) -> Self {
        let url = |path: &str| Url::parse(&format!("http://index.example/{path}/")).unwrap();
        let server = Arc::new(repository.server().clone());
        Self::over(repository, server, url("metadata"), url("targets"))
    }

    /// A client that reaches the repository by another transport.
    #[must_use]
    pub fn over(
        repository: &Simulator,
        transport: Arc<dyn Transport>,
        metadata_url: Url,
        targets_url: Url,
    ) -> Self {
        let root = repository.archived("root", 1);
        Self::with_root(&root, transport, metadata_url, targets_url)
    }

    fn with_root(
        root: &[u8],
        transport: Arc<dyn Transport>,
        metadata_url: Url,
        targets_url: Url,
    ) -> Self {
        let user = Self {
            rules: Rules::default(),
            minimum: Minimum::default(),
            home: tempfile::tempdir().unwrap(),
            transport,
            metadata_url,
            targets_url,
        };
        user.trust(root);
        user
    }

    /// A client of the repository's server that trusts this root.
    #[must_use]
    pub fn holding(repository: &Simulator, root: &[u8]) -> Self {
        let url = |path: &str| Url::parse(&format!("http://index.example/{path}/")).unwrap();
        let server = Arc::new(repository.server().clone());
        Self::with_root(root, server, url("metadata"), url("targets"))
    }

    /// The same, reading also what other tools write.
    #[must_use]
    pub fn lenient(mut self) -> Self {
        self.rules.dialect = Dialect::Lenient;
        self
    }

    /// Puts `root` into the datastore, in place of everything it holds, without asking whether
    /// anybody should.
    pub fn trust(&self, root: &[u8]) {
        let _ = std::fs::remove_dir_all(self.datastore());
        std::fs::create_dir(self.datastore()).unwrap();
        std::fs::write(self.datastore().join("root.json"), root).unwrap();
    }

    /// The folder of what the client trusts.
    #[must_use]
    pub fn datastore(&self) -> std::path::PathBuf {
        self.home.path().join("trusted")
    }

    /// The file of a role as the client keeps it.
    #[must_use]
    pub fn kept(&self, role: &str) -> Option<Vec<u8>> {
        std::fs::read(self.datastore().join(crate::role(role).file_name())).ok()
    }

    /// A client as one process has it, which may update several times.
    pub fn updater(&self) -> Result<Updater, ClientError> {
        let mut config = UpdaterConfig::new(self.metadata_url.clone(), self.targets_url.clone());
        config.rules = self.rules;
        config.minimum = self.minimum.clone();
        let datastore = Datastore::open(self.datastore())?;
        Updater::new(config, datastore, Arc::clone(&self.transport))
    }

    /// Updates, at the repository's time. Each call is a new process as far as memory goes.
    pub async fn refresh(&self, repository: &Simulator) -> Result<Session, ClientError> {
        self.updater()?.refresh(repository.now).await
    }

    /// Updates, which must be refused, and says why.
    ///
    /// # Panics
    ///
    /// If the update succeeds, or fails for another reason than a rejection.
    pub async fn refused(&self, repository: &Simulator) -> Rejection {
        rejection(self.stopped(repository).await)
    }

    /// Updates, which must not end well for whatever reason.
    ///
    /// # Panics
    ///
    /// If the update succeeds.
    pub async fn stopped(&self, repository: &Simulator) -> ClientError {
        let done = self.refresh(repository).await;
        done.err()
            .unwrap_or_else(|| panic!("{SUCCEEDED}: the update was not refused"))
    }

    /// Updates and downloads a path, which must be refused, and says why.
    ///
    /// # Panics
    ///
    /// If there is a file at the end, or the download fails for another reason than a rejection.
    pub async fn refused_file(&self, repository: &Simulator, path: &str) -> Rejection {
        match self.download(repository, path).await {
            Ok(bytes) => panic!("{SUCCEEDED}: {path} came with {} bytes", bytes.len()),
            Err(error) => rejection(error),
        }
    }

    /// Updates and finds who speaks for a path.
    ///
    /// # Panics
    ///
    /// If the update fails.
    pub async fn find(&self, repository: &Simulator, path: &str) -> Answer {
        let session = self.refresh(repository).await.unwrap();
        session.find(&TargetPath::parse(path).unwrap()).await
    }

    /// Updates and finds the role that lists a path.
    ///
    /// # Panics
    ///
    /// If the update fails or no role lists it.
    pub async fn role_of(&self, repository: &Simulator, path: &str) -> Role {
        match self.find(repository, path).await {
            Answer::Found(target) => target.role().clone(),
            other => panic!("{path}: {other:?}"),
        }
    }

    /// Updates, finds a path, and downloads the file into memory.
    pub async fn download(
        &self,
        repository: &Simulator,
        path: &str,
    ) -> Result<Vec<u8>, ClientError> {
        let session = self.refresh(repository).await?;
        let path = TargetPath::parse(path).unwrap();
        let target = client::found(&path, session.find(&path).await)?;
        session.read(&target.into()).await
    }

    /// Does the same into a folder.
    pub async fn download_to(
        &self,
        repository: &Simulator,
        path: &str,
        folder: &Path,
    ) -> Result<std::path::PathBuf, ClientError> {
        let session = self.refresh(repository).await?;
        let path = TargetPath::parse(path).unwrap();
        let target = client::found(&path, session.find(&path).await)?;
        session.download_to(&target, folder).await
    }
}

/// The rejection in an error.
///
/// # Panics
///
/// If the error is something else.
#[must_use]
pub fn rejection(error: ClientError) -> Rejection {
    match error {
        ClientError::Rejected(rejection) => rejection,
        ClientError::Failed { source, .. } => match *source {
            Failure::Rejected(rejection) => rejection,
            other @ Failure::Unavailable(_) => panic!("failed otherwise: {other:?}"),
        },
        other => panic!("failed otherwise: {other:?}"),
    }
}
