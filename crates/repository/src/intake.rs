//! Takes distribution files in: looked into, hashed, copied where nothing is lost, queued.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, BufReader, Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use chrono::{DateTime, Utc};
use index::{DistributionFilename, InspectLimits, Yanked, inspect};
use metadata::{Sha256, Sha256Stream};

use crate::change::{Change, ChangeId};
use crate::error::{IntakeError, RepositoryError};
use crate::record::FileRecord;
use crate::repository::{Repository, Stage, incoming_path};
use crate::standing::Standing;

/// The result of one intake: what was taken in, and what was not and why. The good files are queued
/// whatever becomes of the others.
#[derive(Debug, Default)]
pub struct Intake {
    /// Files queued, or there already.
    pub accepted: Vec<Accepted>,
    /// Files refused.
    pub refused: Vec<(PathBuf, IntakeError)>,
    /// The changes queued for what was accepted, to ask what became of them.
    pub changes: Vec<ChangeId>,
}

/// A file taken in.
#[derive(Clone, Debug)]
pub struct Accepted {
    /// Where it came from.
    pub path: PathBuf,
    /// What it is.
    pub filename: DistributionFilename,
    /// Its digest.
    pub sha256: Sha256,
    /// Whether it is on the index, or queued, already: then there is nothing to do.
    pub already: bool,
}

impl Repository {
    /// Takes files in. When this returns, everything accepted survives a loss of power; all of one
    /// call appears in one snapshot.
    pub fn add_files(
        &mut self,
        paths: &[PathBuf],
        now: DateTime<Utc>,
    ) -> Result<Intake, RepositoryError> {
        let mut standing = self.standing()?;
        let (mut intake, changes) = self.take_in(paths, &mut standing, now)?;
        intake.changes = self.state.enqueue(&changes, now)?;
        Ok(intake)
    }

    /// Copies files into the intake folder and says which changes they come to; queues nothing.
    pub(crate) fn take_in(
        &self,
        paths: &[PathBuf],
        standing: &mut Standing,
        now: DateTime<Utc>,
    ) -> Result<(Intake, Vec<Change>), RepositoryError> {
        let mut intake = Intake::default();
        let mut read: BTreeMap<String, Vec<Candidate>> = BTreeMap::new();
        for (done, path) in paths.iter().enumerate() {
            self.at(Stage::Reading, done as u64, paths.len() as u64);
            match self.read_file(path, now)? {
                Ok(one) => {
                    read.entry(one.record.filename.as_str().to_owned())
                        .or_default()
                        .push(one);
                }
                Err(error) => intake.refused.push((path.clone(), error)),
            }
        }
        let mut changes = Vec::new();
        for candidates in read.into_values() {
            self.decide(candidates, standing, &mut intake, &mut changes)?;
        }
        self.sync_incoming()?;
        Ok((intake, changes))
    }

    /// Looks into a file and copies it, with its core metadata, into the intake folder.
    fn read_file(
        &self,
        path: &Path,
        now: DateTime<Utc>,
    ) -> Result<Result<Candidate, IntakeError>, RepositoryError> {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let filename = match DistributionFilename::parse(&name) {
            Ok(filename) => filename,
            Err(error) => return Ok(Err(error.into())),
        };
        let limit = self.settings.policy.client.file_bytes;
        let (mut file, size) = match open(path, limit) {
            Ok(opened) => opened,
            Err(error) => return Ok(Err(error)),
        };
        let inspected = match inspect(
            &filename,
            BufReader::new(&mut file),
            &InspectLimits::default(),
        ) {
            Ok(inspected) => inspected,
            Err(error) => return Ok(Err(error.into())),
        };
        if let Err(error) = file.rewind() {
            return Ok(Err(IntakeError::Unreadable(error)));
        }
        let sha256 = match self.keep(file.take(limit + 1)) {
            Ok((sha256, length)) if length == size => sha256,
            Ok((_, found)) => return Ok(Err(IntakeError::TooLarge { found, limit: size })),
            Err(Kept::Source(error)) => return Ok(Err(IntakeError::Unreadable(error))),
            Err(Kept::Ours(error)) => return Err(error),
        };
        let core_metadata = match &inspected.core_metadata {
            None => None,
            Some(bytes) => match self.keep(bytes.as_slice()) {
                Ok((sha256, length)) => Some((sha256, length)),
                Err(Kept::Source(error)) => return Ok(Err(IntakeError::Unreadable(error))),
                Err(Kept::Ours(error)) => return Err(error),
            },
        };
        let requires_python = inspected.requires_python;
        let record = FileRecord {
            filename,
            sha256,
            size,
            requires_python,
            uploaded: now,
            core_metadata,
            yanked: Yanked::No,
        };
        Ok(Ok(Candidate {
            path: path.to_owned(),
            record,
        }))
    }

    /// Decides about all files of one name in a call.
    fn decide(
        &self,
        candidates: Vec<Candidate>,
        standing: &mut Standing,
        intake: &mut Intake,
        changes: &mut Vec<Change>,
    ) -> Result<(), RepositoryError> {
        let differ = candidates
            .windows(2)
            .any(|two| two[0].record.sha256 != two[1].record.sha256);
        if differ {
            let refused = candidates
                .into_iter()
                .map(|one| (one.path, IntakeError::Twice));
            intake.refused.extend(refused);
            return Ok(());
        }
        // The rest are the same file once more.
        let Some(Candidate { path, record }) = candidates.into_iter().next() else {
            return Ok(());
        };
        let filename = record.filename.clone();
        let sha256 = record.sha256;
        if standing
            .project(self, filename.project())?
            .developers
            .sign()
        {
            let project = filename.project().clone();
            intake
                .refused
                .push((path, IntakeError::DevelopersSign { project }));
            return Ok(());
        }
        match self.state.digest_of_name(filename.as_str())? {
            Some(published) if published != sha256 => {
                intake
                    .refused
                    .push((path, IntakeError::NameTaken { published }));
            }
            known => {
                let already = known.is_some() && standing.file(self, &filename)?.is_some();
                if !already {
                    changes.push(Change::Add(record));
                }
                intake.accepted.push(Accepted {
                    path,
                    filename,
                    sha256,
                    already,
                });
            }
        }
        Ok(())
    }

    /// Copies bytes into the intake folder under their digest, synced.
    fn keep(&self, mut source: impl Read) -> Result<(Sha256, u64), Kept> {
        let copied = self.keep_with(|out| {
            let mut buffer = vec![0; 1 << 17];
            loop {
                let read = match source.read(&mut buffer) {
                    Ok(0) => return Ok(()),
                    Ok(read) => read,
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                    Err(error) => return Err(error),
                };
                out.write_all(&buffer[..read])?;
            }
        });
        copied.map_err(Kept::Ours)?.map_err(Kept::Source)
    }

    /// The same for bytes at hand.
    pub(crate) fn keep_bytes(&self, bytes: &[u8]) -> Result<(Sha256, u64), RepositoryError> {
        let kept = self.keep_with(|out| out.write_all(bytes))?;
        kept.map_err(|source| RepositoryError::Io {
            doing: "write",
            path: self.incoming(),
            source,
        })
    }

    /// The same for whatever `copy` writes; what it fails with is not our fault, unless it is a write
    /// of ours.
    pub(crate) fn keep_with<T>(
        &self,
        copy: impl FnOnce(&mut Hashing) -> io::Result<T>,
    ) -> Result<io::Result<(Sha256, u64)>, RepositoryError> {
        let folder = self.incoming();
        let ours = |doing, path: &Path, source| RepositoryError::Io {
            doing,
            path: path.to_owned(),
            source,
        };
        let (temporary, file) =
            create_temporary(&folder).map_err(|error| ours("write", &folder, error))?;
        let mut out = Hashing {
            file,
            digest: Sha256Stream::new(),
            length: 0,
            failed: None,
        };
        let copied = copy(&mut out);
        if let Some(error) = out.failed {
            return Err(ours("write", &temporary, error));
        }
        if let Err(error) = copied {
            // Nobody waits for it; if it stays, a sweep takes it.
            let _ = fs::remove_file(&temporary);
            return Ok(Err(error));
        }
        out.file
            .sync_all()
            .map_err(|error| ours("sync", &temporary, error))?;
        let sha256 = out.digest.finish();
        let path = incoming_path(&folder, &sha256);
        fs::rename(&temporary, &path).map_err(|error| ours("name", &path, error))?;
        Ok(Ok((sha256, out.length)))
    }

    pub(crate) fn sync_incoming(&self) -> Result<(), RepositoryError> {
        let path = self.incoming();
        File::open(&path)
            .and_then(|folder| folder.sync_all())
            .map_err(|source| RepositoryError::Io {
                doing: "sync",
                path,
                source,
            })
    }
}

/// A file that nobody else writes: not another thread, nor another container with the same pid.
fn create_temporary(folder: &Path) -> io::Result<(PathBuf, File)> {
    static COUNTER: AtomicU64 = AtomicU64::new(0);
    loop {
        let number = COUNTER.fetch_add(1, Ordering::Relaxed);
        let path = folder.join(format!(".{}-{number}.tmp", std::process::id()));
        match File::create_new(&path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            created => return Ok((path, created?)),
        }
    }
}

/// A file of the intake folder that knows what went into it.
pub(crate) struct Hashing {
    file: File,
    digest: Sha256Stream,
    length: u64,
    /// Why a write failed: a fault of ours.
    failed: Option<io::Error>,
}

impl Write for Hashing {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.file.write(bytes) {
            Ok(written) => {
                self.digest.update(&bytes[..written]);
                self.length += written as u64;
                Ok(written)
            }
            Err(error) => {
                let kind = error.kind();
                if kind != io::ErrorKind::Interrupted {
                    self.failed = Some(error);
                }
                Err(kind.into())
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

struct Candidate {
    path: PathBuf,
    record: FileRecord,
}

/// Whose fault a failed copy is.
enum Kept {
    Source(io::Error),
    Ours(RepositoryError),
}

fn open(path: &Path, limit: u64) -> Result<(File, u64), IntakeError> {
    let file = File::open(path).map_err(IntakeError::Unreadable)?;
    let about = file.metadata().map_err(IntakeError::Unreadable)?;
    if !about.is_file() {
        return Err(IntakeError::NotAFile);
    }
    if about.len() > limit {
        return Err(IntakeError::TooLarge {
            found: about.len(),
            limit,
        });
    }
    Ok((file, about.len()))
}
