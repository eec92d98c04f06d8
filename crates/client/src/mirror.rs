//! A copy of some projects that verifies anywhere: metadata, pages, files and snapshot deltas, laid out as
//! the repository itself, so that every TUF client reads it from a folder or any web server.
//!
//! The copy is proven before it counts: everything is written but the timestamp, then a client that
//! knows nothing but the root updates from the folder and looks up every path. Only then the timestamp
//! is put in place, last and by one rename. If we die before: the copy is the old one, with files of the
//! new one beside it.

mod snapshot_deltas;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use futures_util::stream;
use index::{PageFile, PolicySource, ProjectName, publisher_policy_path};
use metadata::{Role, Version};
use trust::{Answer, RootChain};
use url::Url;

use crate::datastore::{RealDisk, replace};
use crate::error::found;
use crate::fetch::fetch_role;
use crate::file::local_path;
use crate::location::Base;
use crate::{
    Body, ClientError, Datastore, FileTransport, Session, Transport, TransportError, Updater,
    UpdaterConfig, VerifiedFile, Withheld, init,
};

/// Where metadata lies in a mirror.
const METADATA: &str = "metadata";
/// Where target files lie in a mirror.
const TARGETS: &str = "targets";

/// What a mirror holds now.
#[derive(Debug)]
pub struct Mirrored {
    /// Roots, oldest first: a client that trusts any of them can read the mirror.
    pub roots: Vec<Version>,
    /// Roles that are delegated to.
    pub roles: usize,
    /// Deltas to its snapshot, from those before it.
    pub deltas: usize,
    /// Pages and files.
    pub targets: Vec<VerifiedFile>,
    /// Files of the pages that a role refuses: they are not there.
    pub withheld: Vec<Withheld>,
}

impl Session {
    /// Makes or updates a mirror of `projects` in the folder `dir`: all they need, as this session
    /// has it, and nothing else. `now` is the time by which the copy is proven, that of the update.
    pub async fn mirror(
        &self,
        projects: &[ProjectName],
        dir: &Path,
        now: DateTime<Utc>,
    ) -> Result<Mirrored, ClientError> {
        let mut targets = Vec::new();
        let mut withheld = Vec::new();
        for project in projects {
            withheld.extend(self.wanted(project, &mut targets).await?);
        }
        let folder = Folder::open(dir)?;
        for file in &targets {
            let url = folder
                .targets
                .target(file.path(), self.prefix(file)?.as_deref());
            let to = local_path(&url).map_err(|error| folder.unusable(&error))?;
            make_folder(to.parent().unwrap_or(dir)).await?;
            self.download_as(file, &to).await?;
        }
        let roots = self.mirror_roots(&folder).await?;
        let roles = self.mirror_roles(&folder).await?;
        let deltas = self.mirror_deltas(&folder).await?;
        self.prove(&folder, &targets, now).await?;
        let timestamp = self.snapped.timestamp().file();
        folder.put(&Role::Timestamp, None, timestamp).await?;
        Ok(Mirrored {
            roots,
            roles,
            deltas,
            targets,
            withheld,
        })
    }

    /// Adds what a project needs to `targets`; what is refused of its page.
    async fn wanted(
        &self,
        project: &ProjectName,
        targets: &mut Vec<VerifiedFile>,
    ) -> Result<Vec<Withheld>, ClientError> {
        let page = self.project_page(project).await?;
        targets.push(page.target().clone().into());
        let listing = self.listing(&page).await;
        let refused = |file: &PageFile| {
            let mut refused = listing.without_metadata.iter();
            refused.any(|it| it.file.filename == file.filename)
        };
        for file in listing.page.files() {
            targets.push(self.file(&page, file).await?);
            // What a role refuses of core metadata is not copied, and clients refuse it there, too.
            if file.core_metadata.is_some() && !refused(file) {
                targets.push(self.core_metadata(&page, file).await?);
            }
        }
        for source in [PolicySource::Claimed, PolicySource::Recent] {
            let path = publisher_policy_path(source, project);
            match self.find(&path).await {
                Answer::Unclaimed | Answer::Terminated(_) => {}
                answer => targets.push(found(&path, answer)?.into()),
            }
        }
        Ok(listing.withheld)
    }

    /// All roots from which a chain leads to the one in force, each verified by leading to the next.
    async fn mirror_roots(&self, folder: &Folder) -> Result<Vec<Version>, ClientError> {
        let (shared, rules) = (&self.shared, self.shared.config.rules);
        let root = self.snapped.root();
        let (mut version, mut next) = (root.version, root.file().to_vec());
        let mut roots = vec![version];
        folder.put(&Role::Root, Some(version), &next).await?;
        for _ in 0..rules.limits.root_rotations {
            let Ok(before) = Version::new(version.get() - 1) else {
                break;
            };
            let url = shared.metadata.role(&Role::Root, Some(before));
            let asked = (&Role::Root, Some(before));
            let file = fetch_role(&*shared.transport, &url, asked, rules.limits.root).await;
            let file = match file {
                Err(error) if error.is_not_found() => break,
                file => file?,
            };
            let _chain = RootChain::pinned(&file, rules)?.advance(&next)?;
            folder.put(&Role::Root, Some(before), &file).await?;
            roots.push(before);
            (version, next) = (before, file);
        }
        roots.reverse();
        Ok(roots)
    }

    /// Snapshot, targets, and every role that this session has asked; how many those are.
    async fn mirror_roles(&self, folder: &Folder) -> Result<usize, ClientError> {
        let consistent = self.snapped.root().consistent_snapshot;
        let versioned = |version: Version| consistent.then_some(version);
        let snapshot = self.snapped.snapshot();
        let version = versioned(snapshot.version);
        folder
            .put(&Role::Snapshot, version, snapshot.file())
            .await?;
        let targets = self.targets();
        let version = versioned(targets.version);
        folder.put(&Role::Targets, version, targets.file()).await?;
        let asked = self.asked();
        for role in &asked {
            let request = self.snapped.request(role)?;
            // What nobody accepted leads nowhere: the copy without it is proven below.
            if let Some(file) = self.held_file(&request).await {
                folder.put(role, versioned(request.version), &file).await?;
            }
        }
        Ok(asked.len())
    }

    /// Updates from the copy as somebody would who knows the first root alone, and looks up all.
    async fn prove(
        &self,
        folder: &Folder,
        targets: &[VerifiedFile],
        now: DateTime<Utc>,
    ) -> Result<(), ClientError> {
        let failed = |source| ClientError::File {
            path: std::env::temp_dir(),
            action: "written",
            source,
        };
        let scratch = tempfile::tempdir().map_err(failed)?;
        let datastore = Datastore::open(scratch.path())?;
        init(
            &datastore,
            self.snapped.root().file(),
            &self.shared.config.rules,
        )
        .await?;
        let timestamp = folder.metadata.role(&Role::Timestamp, None);
        let overlay = Overlay {
            url: timestamp,
            bytes: Bytes::copy_from_slice(self.snapped.timestamp().file()),
        };
        let config = UpdaterConfig {
            metadata_url: folder.metadata_url.clone(),
            targets_url: folder.targets_url.clone(),
            ..self.shared.config.clone()
        };
        let updater = Updater::new(config, datastore, Arc::new(overlay))?;
        let copy = Box::pin(updater.refresh(now)).await?;
        for file in targets {
            let before = self.find(file.path()).await;
            let after = copy.find(file.path()).await;
            if before != after {
                found(file.path(), after)?;
                return Err(ClientError::Unclaimed {
                    path: file.path().clone(),
                });
            }
            copy.download_file(file, &mut tokio::io::sink()).await?;
        }
        Ok(())
    }
}

/// The two folders of a mirror.
struct Folder {
    metadata_dir: PathBuf,
    metadata_url: Url,
    targets_url: Url,
    metadata: Base,
    targets: Base,
}

impl Folder {
    fn open(dir: &Path) -> Result<Self, ClientError> {
        let failed = |source| ClientError::File {
            path: dir.to_path_buf(),
            action: "created",
            source,
        };
        for inner in [METADATA, TARGETS] {
            std::fs::create_dir_all(dir.join(inner)).map_err(failed)?;
        }
        let dir = dir.canonicalize().map_err(failed)?;
        let url = |inner: &str| {
            Url::from_directory_path(dir.join(inner)).map_err(|()| ClientError::BaseUrl {
                url: dir.display().to_string(),
                why: "no URL can name it",
            })
        };
        let (metadata_url, targets_url) = (url(METADATA)?, url(TARGETS)?);
        Ok(Self {
            metadata: Base::new(&metadata_url)?,
            targets: Base::new(&targets_url)?,
            metadata_dir: dir.join(METADATA),
            metadata_url,
            targets_url,
        })
    }

    /// Writes a role's file, whole or not at all.
    async fn put(
        &self,
        role: &Role,
        version: Option<Version>,
        file: &[u8],
    ) -> Result<(), ClientError> {
        let path = local_path(&self.metadata.role(role, version));
        let path = path.map_err(|error| self.unusable(&error))?;
        let there = tokio::fs::read(&path).await;
        if there.is_ok_and(|there| there == file) {
            return Ok(());
        }
        self.write(&path, file).await
    }

    /// Replaces a file of the metadata by one rename.
    async fn write(&self, path: &Path, file: &[u8]) -> Result<(), ClientError> {
        let name = path.file_name().unwrap_or_default().to_owned();
        let dir = path.parent().unwrap_or(&self.metadata_dir).to_path_buf();
        let bytes = file.to_vec();
        let written =
            tokio::task::spawn_blocking(move || replace(&RealDisk, &dir, &name, &bytes)).await;
        let written = written.unwrap_or_else(|stopped| Err(std::io::Error::other(stopped)));
        written.map_err(|source| ClientError::File {
            path: path.to_path_buf(),
            action: "written",
            source,
        })
    }

    /// A role or target whose name cannot be a file's.
    fn unusable(&self, error: &TransportError) -> ClientError {
        ClientError::File {
            path: self.metadata_dir.clone(),
            action: "used",
            source: std::io::Error::other(error.to_string()),
        }
    }
}

async fn make_folder(path: &Path) -> Result<(), ClientError> {
    let made = tokio::fs::create_dir_all(path).await;
    made.map_err(|source| ClientError::File {
        path: path.to_path_buf(),
        action: "created",
        source,
    })
}

/// The folder with the timestamp that is to come.
struct Overlay {
    url: Url,
    bytes: Bytes,
}

#[async_trait]
impl Transport for Overlay {
    async fn get(&self, url: &Url) -> Result<Body, TransportError> {
        if *url != self.url {
            return FileTransport.get(url).await;
        }
        let bytes = self.bytes.clone();
        Ok(Box::pin(stream::once(async move { Ok(bytes) })))
    }
}
