//! What a distribution says about itself: its core metadata, found without unpacking or running
//! anything, and held against its file name.

mod error;
mod headers;
#[cfg(test)]
mod hostile;
mod tar_gz;
#[cfg(test)]
mod tests;
mod zipped;

use std::io::{self, Read, Seek};

use crate::{DistributionFilename, DistributionKind, ProjectName, Version440, excerpt};
pub use error::{Field, HeaderError, InspectError, Part};
use headers::Headers;

/// How much of a distribution may be read and held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InspectLimits {
    /// Bytes of `METADATA` or `PKG-INFO`.
    pub metadata_bytes: u64,
    /// Entries of an archive.
    pub entries: usize,
    /// Bytes of a zip archive's central directory.
    pub directory_bytes: u64,
    /// Bytes unpacked from a `.tar.gz` until its `PKG-INFO` is found.
    pub unpacked_bytes: u64,
}

impl Default for InspectLimits {
    /// 10 MB, 200,000 entries, 32 MiB, 1 GiB: several times the largest seen of each.
    fn default() -> Self {
        Self {
            metadata_bytes: 10_000_000,
            entries: 200_000,
            directory_bytes: 32 << 20,
            unpacked_bytes: 1 << 30,
        }
    }
}

/// What a distribution's core metadata say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inspected {
    /// A wheel's `METADATA`, byte for byte: what is served as `FILE.metadata` (PEP 658). `None` for
    /// source distributions, whose metadata may change when they are built.
    pub core_metadata: Option<Vec<u8>>,
    /// `Name` as written; it normalizes to the project of the file's name.
    pub name: String,
    /// `Version`; equal to that of the file's name.
    pub version: Version440,
    /// `Requires-Python` as written, printable ASCII.
    pub requires_python: Option<String>,
    /// `Metadata-Version` as written.
    pub metadata_version: String,
}

/// Reads the core metadata of `filename` from its bytes, and checks that they fit the name.
///
/// Nothing is unpacked to disk or run, and no more is read or held than `limits` say. `reader`
/// should be buffered.
pub fn inspect(
    filename: &DistributionFilename,
    reader: impl Read + Seek,
    limits: &InspectLimits,
) -> Result<Inspected, InspectError> {
    let archive = Source { filename, limits };
    let metadata = match filename.kind() {
        DistributionKind::Wheel => zipped::wheel_metadata(&archive, reader)?,
        DistributionKind::SdistZip => zipped::sdist_metadata(&archive, reader)?,
        DistributionKind::SdistTarGz => tar_gz::sdist_metadata(&archive, reader)?,
    };
    let headers = Headers::parse(&metadata).map_err(|source| InspectError::Headers {
        filename: filename.clone(),
        source,
    })?;
    let version = check(filename, &headers)?;
    Ok(Inspected {
        core_metadata: (filename.kind() == DistributionKind::Wheel).then_some(metadata),
        name: headers.name,
        version,
        requires_python: headers.requires_python,
        metadata_version: headers.metadata_version,
    })
}

/// Holds name and version of the metadata against the file's name.
fn check(filename: &DistributionFilename, headers: &Headers) -> Result<Version440, InspectError> {
    if !ProjectName::parse(&headers.name).is_ok_and(|name| name == *filename.project()) {
        let found = excerpt(&headers.name);
        return Err(InspectError::NameMismatch {
            filename: filename.clone(),
            found,
        });
    }
    match Version440::parse(&headers.version) {
        Ok(version) if version == *filename.version() => Ok(version),
        _ => {
            let found = excerpt(&headers.version);
            Err(InspectError::VersionMismatch {
                filename: filename.clone(),
                found,
            })
        }
    }
}

/// The file being read, for errors and limits.
struct Source<'a> {
    filename: &'a DistributionFilename,
    limits: &'a InspectLimits,
}

impl Source<'_> {
    fn too_large(&self, part: Part) -> InspectError {
        let limit = match part {
            Part::Metadata => self.limits.metadata_bytes,
            Part::Entries => self.limits.entries as u64,
            Part::Directory => self.limits.directory_bytes,
            Part::Unpacked => self.limits.unpacked_bytes,
            Part::EntryName => tar_gz::MAX_EXTENSION,
        };
        InspectError::TooLarge {
            filename: self.filename.clone(),
            part,
            limit,
        }
    }

    fn no_metadata(&self, wanted: &'static str) -> InspectError {
        InspectError::NoMetadata {
            filename: self.filename.clone(),
            wanted,
        }
    }

    /// Reads `METADATA` or `PKG-INFO`, whatever size its header states.
    fn read_metadata(
        &self,
        entry: impl Read,
        broken: impl FnOnce(io::Error) -> InspectError,
    ) -> Result<Vec<u8>, InspectError> {
        let limit = self.limits.metadata_bytes;
        let mut metadata = Vec::new();
        entry
            .take(limit.saturating_add(1))
            .read_to_end(&mut metadata)
            .map_err(broken)?;
        if metadata.len() as u64 > limit {
            return Err(self.too_large(Part::Metadata));
        }
        Ok(metadata)
    }
}
