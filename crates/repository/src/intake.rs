//! Takes distribution files in: looked into, hashed, copied where nothing is lost, queued.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufReader, Read, Seek, Write};
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use index::{DistributionFilename, InspectLimits, Yanked, inspect};
use metadata::{Sha256, Sha256Stream};

use crate::change::{Change, ChangeId};
use crate::error::{IntakeError, RepositoryError};
use crate::pages::Project;
use crate::record::FileRecord;
use crate::repository::{Repository, Stage};
use crate::standing::Standing;
use crate::uploads::Upload;

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
        let mut standing = Standing::default();
        let (mut intake, changes) = self.take_in(paths, &mut standing, now)?;
        intake.changes = self.state.enqueue(&changes, now)?;
        Ok(intake)
    }

    /// Keeps files as uploads and says which changes they come to; queues nothing.
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

    /// Looks into a file and keeps it, with its core metadata, among the uploads.
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
        let (file, size) = match open(path, self.settings.policy.client.file_bytes) {
            Ok(opened) => opened,
            Err(error) => return Ok(Err(error)),
        };
        let read = self.look_into(filename, file, size, now)?;
        Ok(read.map(|record| Candidate {
            path: path.to_owned(),
            record,
        }))
    }

    /// Looks into a file of one request and copies it, with its core metadata, into the intake folder.
    /// One that would be refused leaves nothing there. `sha256` is what the caller has read.
    pub fn examine(
        &self,
        filename: DistributionFilename,
        file: File,
        sha256: Sha256,
        now: DateTime<Utc>,
    ) -> Result<Result<FileRecord, IntakeError>, RepositoryError> {
        let project = Project::load_queued(self, filename.project())?;
        let taken = self.state.digest_of_name(filename.as_str())?;
        if let Err(why) = check_addition(&filename, sha256, &project, taken) {
            return Ok(Err(why));
        }
        let limit = self.settings.policy.client.file_bytes;
        let size = match file.metadata() {
            Ok(about) => about.len(),
            Err(error) => return Ok(Err(IntakeError::Unreadable(error))),
        };
        if size > limit {
            return Ok(Err(IntakeError::TooLarge { found: size, limit }));
        }
        let kept = self.look_into(filename, file, size, now)?;
        self.sync_incoming()?;
        Ok(kept)
    }

    fn look_into(
        &self,
        filename: DistributionFilename,
        mut file: File,
        size: u64,
        now: DateTime<Utc>,
    ) -> Result<Result<FileRecord, IntakeError>, RepositoryError> {
        let limit = self.settings.policy.client.file_bytes;
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
        Ok(Ok(FileRecord {
            filename,
            sha256,
            size,
            requires_python: inspected.requires_python,
            uploaded: now,
            core_metadata,
            yanked: Yanked::No,
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
        let project = standing.project(self, filename.project())?;
        let taken = self.state.digest_of_name(filename.as_str())?;
        if let Err(why) = check_addition(&filename, sha256, project, taken) {
            intake.refused.push((path, why));
            return Ok(());
        }
        let already = project.now.contains_key(filename.as_str());
        if !already {
            changes.push(Change::Add(record));
        }
        intake.accepted.push(Accepted {
            path,
            filename,
            sha256,
            already,
        });
        Ok(())
    }

    /// Keeps bytes as an upload under their digest.
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
        kept.map_err(self.uploads_failed("write"))
    }

    /// The same for whatever `copy` writes; what it fails with is not our fault, unless it is a write
    /// of ours.
    pub(crate) fn keep_with<T>(
        &self,
        copy: impl FnOnce(&mut Hashing) -> io::Result<T>,
    ) -> Result<io::Result<(Sha256, u64)>, RepositoryError> {
        let upload = self.uploads.begin().map_err(self.uploads_failed("write"))?;
        let mut out = Hashing {
            upload,
            digest: Sha256Stream::new(),
            length: 0,
            failed: None,
        };
        let copied = copy(&mut out);
        if let Some(error) = out.failed {
            return Err(self.uploads_failed("write")(error));
        }
        if let Err(error) = copied {
            return Ok(Err(error));
        }
        let sha256 = out.digest.finish();
        out.upload
            .keep(&sha256)
            .map_err(self.upload_failed("keep", &sha256))?;
        Ok(Ok((sha256, out.length)))
    }

    pub(crate) fn sync_incoming(&self) -> Result<(), RepositoryError> {
        self.uploads.flush().map_err(self.uploads_failed("sync"))
    }
}

/// Whether a file may be added to a project, where its name was taken for these bytes or for none.
pub(crate) fn check_addition(
    filename: &DistributionFilename,
    sha256: Sha256,
    project: &Project,
    taken: Option<Sha256>,
) -> Result<(), IntakeError> {
    if project.developers.sign() {
        let project = filename.project().clone();
        return Err(IntakeError::DevelopersSign { project });
    }
    match taken.filter(|taken| *taken != sha256) {
        Some(published) => Err(IntakeError::NameTaken { published }),
        None => Ok(()),
    }
}

/// An upload that knows what went into it.
pub(crate) struct Hashing {
    upload: Box<dyn Upload>,
    digest: Sha256Stream,
    length: u64,
    /// Why a write failed: a fault of ours.
    failed: Option<io::Error>,
}

impl Write for Hashing {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.upload.write(bytes) {
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
        self.upload.flush()
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
