//! A transaction on its way: one zip archive with `metadata/ROLE.json` and `targets/FILE` (PEP 480
//! "Snapshot Process"). Every entry is stored as it is, so nothing can unpack to more than was sent,
//! and a wheel can be looked into where it lies.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Read, Seek, Write};

use index::{DistributionFilename, Inspected, METADATA_SUFFIX, ProjectName, inspect};
use metadata::{RoleName, Sha256, Sha256Stream, TargetFile};
use zip::read::Config;
use zip::result::{ZipError, ZipResult};
use zip::unstable::read::ZipIterable;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipArchive, ZipWriter};

use crate::{ClaimLimits, ProjectRole, Reason};

const METADATA: &str = "metadata/";
const TARGETS: &str = "targets/";
const JSON: &str = ".json";

/// The archive of a transaction: all of its names are checked and its roles read, nothing is
/// verified.
#[derive(Debug)]
pub struct Transaction<R> {
    archive: ZipArchive<R>,
    project: ProjectName,
    roles: BTreeMap<RoleName, Vec<u8>>,
    files: BTreeMap<DistributionFilename, usize>,
    core_metadata: BTreeMap<DistributionFilename, usize>,
    limits: ClaimLimits,
}

/// What an entry is.
enum Entry {
    Role(ProjectRole),
    Target(String),
    Folder,
}

impl<R: Read + Seek> Transaction<R> {
    /// Reads names and roles, within limits.
    pub fn open(reader: R, limits: ClaimLimits) -> Result<Self, Reason> {
        let reader = measured(reader, &limits)?;
        let mut archive = ZipArchive::new(reader)?;
        archive.validate_header_consistency()?;
        let mut roles = BTreeMap::new();
        let mut targets = Vec::new();
        let mut project: Option<ProjectName> = None;
        for at in 0..archive.len() {
            let name = archive.by_index_data(at)?.name()?.into_owned();
            match Entry::parse(&name)? {
                Entry::Folder => {}
                Entry::Target(file) => targets.push((at, file)),
                Entry::Role(role) => {
                    let project = project.get_or_insert_with(|| role.project().clone());
                    if role.project() != project {
                        return Err(other(&name, project));
                    }
                    let bytes = read(&mut archive, at, &name, limits.role_bytes)?;
                    roles.insert(role.name(), bytes);
                }
            }
        }
        let project = project.ok_or(Reason::NoRole)?;
        let (mut files, mut core_metadata) = (BTreeMap::new(), BTreeMap::new());
        for (at, target) in targets {
            let (file, of) = match target.strip_suffix(METADATA_SUFFIX) {
                Some(file) => (file, &mut core_metadata),
                None => (target.as_str(), &mut files),
            };
            let file = DistributionFilename::parse_for(file, &project)
                .map_err(|_| other(&format!("{TARGETS}{target}"), &project))?;
            of.insert(file, at);
        }
        Ok(Self {
            archive,
            project,
            roles,
            files,
            core_metadata,
            limits,
        })
    }

    /// The project that all its roles and files are of.
    #[must_use]
    pub fn project(&self) -> &ProjectName {
        &self.project
    }

    /// The files of its roles.
    #[must_use]
    pub fn roles(&self) -> &BTreeMap<RoleName, Vec<u8>> {
        &self.roles
    }

    /// Its distributions.
    pub fn files(&self) -> impl Iterator<Item = &DistributionFilename> {
        self.files.keys()
    }

    /// The limits it was opened with.
    #[must_use]
    pub fn limits(&self) -> &ClaimLimits {
        &self.limits
    }

    /// Files whose core metadata were sent beside them.
    pub(crate) fn core_metadata_files(&self) -> Vec<DistributionFilename> {
        self.core_metadata.keys().cloned().collect()
    }

    /// Copies a distribution out; length and digest as they went by.
    pub fn copy(
        &mut self,
        file: &DistributionFilename,
        to: &mut impl Write,
    ) -> io::Result<TargetFile> {
        let at = *self.files.get(file).ok_or(io::ErrorKind::NotFound)?;
        let mut entry = self.archive.by_index(at).map_err(io::Error::from)?;
        let mut digest = Sha256Stream::new();
        let mut length = 0;
        let mut buffer = vec![0; 64 << 10];
        loop {
            let count = entry.read(&mut buffer)?;
            if count == 0 {
                return Ok(TargetFile::new(length, digest.finish()));
            }
            digest.update(&buffer[..count]);
            length += count as u64;
            to.write_all(&buffer[..count])?;
        }
    }

    /// Length and digest of a distribution, and what it says of itself.
    pub(crate) fn inspect(
        &mut self,
        file: &DistributionFilename,
    ) -> Result<(TargetFile, Inspected), Reason> {
        let failed = |source: io::Error| Reason::Archive(ZipError::Io(source));
        let found = self.copy(file, &mut io::sink()).map_err(failed)?;
        let at = self.files[file];
        let entry = io::BufReader::new(self.archive.by_index_seek(at)?);
        let inspected = inspect(file, entry, &self.limits.inspect).map_err(|source| {
            let (file, source) = (file.clone(), Box::new(source));
            Reason::Distribution { file, source }
        })?;
        Ok((found, inspected))
    }

    /// The core metadata that were sent beside a distribution.
    pub(crate) fn sent_metadata(
        &mut self,
        file: &DistributionFilename,
    ) -> Result<Option<Sha256>, Reason> {
        let Some(at) = self.core_metadata.get(file).copied() else {
            return Ok(None);
        };
        let name = format!("{TARGETS}{file}{METADATA_SUFFIX}");
        let limit = self.limits.inspect.metadata_bytes;
        let bytes = read(&mut self.archive, at, &name, limit)?;
        Ok(Some(Sha256::of(&bytes)))
    }
}

impl Entry {
    fn parse(name: &str) -> Result<Self, Reason> {
        let refused = || Reason::EntryName {
            entry: excerpt(name),
        };
        if matches!(name, METADATA | TARGETS) {
            return Ok(Self::Folder);
        }
        if let Some(role) = name
            .strip_prefix(METADATA)
            .and_then(|f| f.strip_suffix(JSON))
        {
            let role = RoleName::parse(role).map_err(|_| refused())?;
            return Ok(Self::Role(ProjectRole::parse(&role)?));
        }
        let target = name.strip_prefix(TARGETS).ok_or_else(refused)?;
        let file = target.strip_suffix(METADATA_SUFFIX).unwrap_or(target);
        // What is no file name of a distribution has a slash, is `..`, or is nobody's.
        DistributionFilename::parse(file).map_err(|_| refused())?;
        Ok(Self::Target(target.to_owned()))
    }
}

/// Walks the central directory once without keeping it: counts and sizes before anything is
/// reserved for them, kinds, and names that repeat.
fn measured<R: Read + Seek>(mut reader: R, limits: &ClaimLimits) -> Result<R, Reason> {
    let too_large = |what, limit| Reason::ArchiveTooLarge { what, limit };
    let mut entries = ZipIterable::try_new(&mut reader, Config::default())?;
    if entries.len() > limits.entries {
        return Err(too_large("entries", limits.entries as u64));
    }
    let mut first = None;
    let mut names = BTreeSet::new();
    for entry in entries.files()? {
        let entry = entry?;
        let at = entry.central_header_start();
        if at.saturating_sub(*first.get_or_insert(at)) > limits.directory_bytes {
            return Err(too_large("a directory", limits.directory_bytes));
        }
        let name = excerpt(&String::from_utf8_lossy(entry.name_raw()));
        if !names.insert(entry.name_raw().to_ascii_lowercase()) {
            return Err(Reason::EntryTwice { entry: name });
        }
        // The upper bits of a mode say what it is; archives made elsewhere have none.
        let kind = entry.unix_mode().unwrap_or(0) & 0o170_000;
        let plain = matches!(kind, 0 | 0o100_000) || (kind == 0o040_000 && entry.is_dir());
        if !plain || entry.encrypted() || entry.is_symlink() {
            return Err(Reason::EntryKind { entry: name });
        }
        if entry.compression() != CompressionMethod::Stored
            || entry.compressed_size() != entry.size()
        {
            return Err(Reason::EntryCompressed { entry: name });
        }
        if entry.size() > limits.file_bytes {
            let (size, limit) = (entry.size(), limits.file_bytes);
            return Err(Reason::EntryTooLarge {
                entry: name,
                size,
                limit,
            });
        }
    }
    Ok(reader)
}

fn read<R: Read + Seek>(
    archive: &mut ZipArchive<R>,
    at: usize,
    name: &str,
    limit: u64,
) -> Result<Vec<u8>, Reason> {
    let entry = archive.by_index(at)?;
    let size = entry.size();
    let mut bytes = Vec::new();
    entry
        .take(limit.saturating_add(1))
        .read_to_end(&mut bytes)
        .map_err(ZipError::Io)?;
    if size > limit || bytes.len() as u64 > limit {
        let entry = excerpt(name);
        return Err(Reason::EntryTooLarge { entry, size, limit });
    }
    Ok(bytes)
}

/// Writes the archive of a transaction: roles, then distributions, each stored as it is. The same
/// contents make the same bytes.
pub fn write_transaction<'a, W: Write + Seek, F: Read>(
    to: W,
    roles: impl IntoIterator<Item = (&'a RoleName, &'a [u8])>,
    files: impl IntoIterator<Item = (&'a DistributionFilename, F)>,
) -> ZipResult<W> {
    let plain = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Stored)
        .last_modified_time(zip::DateTime::default())
        .unix_permissions(0o644);
    let mut archive = ZipWriter::new(to);
    for (role, file) in roles {
        archive.start_file(format!("{METADATA}{role}{JSON}"), plain)?;
        archive.write_all(file)?;
    }
    for (name, mut file) in files {
        archive.start_file(format!("{TARGETS}{name}"), plain.large_file(true))?;
        io::copy(&mut file, &mut archive)?;
    }
    archive.finish()
}

fn other(entry: &str, project: &ProjectName) -> Reason {
    Reason::OtherProject {
        entry: excerpt(entry),
        project: project.clone(),
    }
}

/// The first 80 characters of untrusted text, with what terminals would obey escaped.
fn excerpt(text: &str) -> String {
    text.chars().take(80).flat_map(char::escape_debug).collect()
}
