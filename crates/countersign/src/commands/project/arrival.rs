//! Waits until clients see what was sent, then looks at it as one of them: by whatever way it was carried, what
//! counts is what is published.

use std::time::{Duration, Instant};

use client::{Session, Updater, found};
use developer::{ProjectFolder, SentRole};
use index::DistributionFilename;
use metadata::Role;

use crate::clock;
use crate::console::Console;
use crate::failure::Failure;
use crate::progress::Progress;
use crate::runtime;
use crate::trusted::HomeArgs;

/// How often it looks. A snapshot is published once a minute at most (PEP 480 "Snapshot Process").
const EVERY: Duration = Duration::from_secs(2);

/// Which index to look at.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct LookArgs {
    /// Index that `countersign trust add` knows: look there, as a client does
    #[arg(long, value_name = "NAME", env = "COUNTERSIGN_INDEX")]
    index: Option<String>,

    #[command(flatten)]
    home: HomeArgs,
}

/// Whether, and how long, to wait.
#[derive(Clone, Copy, Debug, clap::Args)]
pub(super) struct WaitArgs {
    /// Wait until clients see it, then verify it as one of them (needs --index)
    #[arg(long, env = "COUNTERSIGN_WAIT", requires = "index")]
    #[arg(value_parser = clap::builder::FalseyValueParser::new())]
    pub(super) wait: bool,

    /// Longest wait, in seconds; then the exit code is 75 and nothing is lost
    #[arg(long, value_name = "SECONDS", default_value_t = 600)]
    #[arg(env = "COUNTERSIGN_WAIT_LIMIT")]
    wait_limit: u64,
}

/// What a client has seen.
#[derive(Clone, Debug, serde::Serialize)]
pub(super) struct Arrived {
    /// The timestamp that covers it.
    pub(super) timestamp: u64,
    pub(super) snapshot: u64,
    /// How many files and core metadata of the roles sent were found where they belong.
    pub(super) found: usize,
    /// New files that were downloaded and verified to the last byte.
    pub(super) downloaded: usize,
}

impl LookArgs {
    /// What looks there; nothing if no index was named.
    pub(super) fn updater(&self) -> Result<Option<Updater>, Failure> {
        let Some(name) = &self.index else {
            return Ok(None);
        };
        let entry = self.home.open()?.entry(name)?;
        Ok(Some(entry.place()?.updater()?))
    }
}

impl WaitArgs {
    /// Waits until the snapshot lists every version that was sent; without --wait looks once. Then looks up
    /// everything that the roles list, and downloads these new files.
    pub(super) fn arrived(
        self,
        updater: &Updater,
        folder: &ProjectFolder,
        new: &[DistributionFilename],
        console: &Console,
    ) -> Result<Arrived, Failure> {
        let sent = folder.sent()?;
        let begin = Instant::now();
        let limit = if self.wait { self.wait_limit } else { 0 };
        let _progress = Progress::spinner(console, "waiting for the index");
        runtime::run(async {
            loop {
                let session = updater.refresh(clock::now()).await?;
                if is_covered(&session, &sent)? {
                    return verified(&session, &sent, new).await;
                }
                if begin.elapsed() >= Duration::from_secs(limit) {
                    return Err(Failure::NotPublished {
                        project: folder.project().clone(),
                        seconds: limit,
                    });
                }
                tokio::time::sleep(EVERY).await;
            }
        })
    }
}

/// Whether the snapshot lists these versions, or later ones.
fn is_covered(session: &Session, sent: &[SentRole]) -> Result<bool, Failure> {
    for one in sent {
        let role = Role::Delegated(one.name.clone());
        let Some(listed) = session.snapped().snapshot().get(&role) else {
            return Ok(false);
        };
        if listed.version < one.version {
            return Ok(false);
        }
        let sha256 = listed.hashes.and_then(metadata::Hashes::get_sha256);
        if listed.version == one.version && sha256 != Some(one.sha256) {
            return Err(Failure::OthersPublished {
                role,
                version: one.version,
            });
        }
    }
    Ok(true)
}

/// Every file is found, with the digest that was signed; the new ones to the last byte.
async fn verified(
    session: &Session,
    sent: &[SentRole],
    new: &[DistributionFilename],
) -> Result<Arrived, Failure> {
    let snapped = session.snapped();
    let mut arrived = Arrived {
        timestamp: snapped.timestamp().version.get(),
        snapshot: snapped.snapshot().version.get(),
        found: 0,
        downloaded: 0,
    };
    let folder = tempfile::tempdir().map_err(|source| Failure::Io {
        doing: "make",
        path: std::env::temp_dir(),
        source,
    })?;
    for one in sent {
        let role = Role::Delegated(one.name.clone());
        let superseded = snapped.snapshot().get(&role);
        let superseded = superseded.is_some_and(|listed| listed.version > one.version);
        for (path, file) in &one.targets {
            let target = match found(path, session.find(path).await) {
                // A later version may have given it up.
                Err(_) if superseded => continue,
                target => target?,
            };
            if target.file().hashes != file.hashes {
                let version = one.version;
                return Err(Failure::OthersPublished { role, version });
            }
            arrived.found += 1;
            if new.iter().any(|new| index::file_path(new) == *path) {
                session.download_to(&target, folder.path()).await?;
                arrived.downloaded += 1;
            }
        }
    }
    Ok(arrived)
}

impl Arrived {
    pub(super) fn text(&self) -> String {
        format!(
            "clients see it: timestamp v{}, snapshot v{}; {} targets found, {} new files verified to the \
             last byte\n",
            self.timestamp, self.snapshot, self.found, self.downloaded
        )
    }
}
