//! Why a file is not the distribution its name says.

use std::{fmt, io};

use thiserror::Error;
use zip::result::ZipError;

use crate::DistributionFilename;

/// A part of an archive that has a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// `METADATA` or `PKG-INFO`, in bytes.
    Metadata,
    /// The number of entries.
    Entries,
    /// The central directory of a zip archive, in bytes.
    Directory,
    /// What was unpacked, in bytes.
    Unpacked,
    /// The long name of one entry, in bytes.
    EntryName,
}

/// A field of core metadata that is read here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    /// `Metadata-Version`.
    MetadataVersion,
    /// `Name`.
    Name,
    /// `Version`.
    Version,
    /// `Requires-Python`.
    RequiresPython,
}

/// What is wrong with the header fields of core metadata.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum HeaderError {
    /// Not there, or empty.
    #[error("field {0} is missing")]
    Missing(Field),
    /// There twice: readers would differ on which one counts.
    #[error("field {0} stands twice")]
    Twice(Field),
    /// Bytes outside printable ASCII.
    #[error("field {0} has bytes outside printable ASCII")]
    NotPlain(Field),
}

/// Why a file is not a distribution that an index can take in under its name.
#[derive(Debug, Error)]
pub enum InspectError {
    /// Not a zip archive, or one that readers could see differently: two entries of one name,
    /// local headers that contradict the central directory, entries over each other.
    #[error("file {filename} is no sound zip archive")]
    BrokenZip {
        /// The file.
        filename: DistributionFilename,
        /// What is wrong.
        source: ZipError,
    },
    /// Not a tar archive compressed with gzip.
    #[error("file {filename} is no sound .tar.gz archive")]
    BrokenTar {
        /// The file.
        filename: DistributionFilename,
        /// What is wrong.
        source: io::Error,
    },
    /// No `NAME-VERSION.dist-info/METADATA` in a wheel, no `*/PKG-INFO` in a source distribution.
    #[error("file {filename} has no {wanted}")]
    NoMetadata {
        /// The file.
        filename: DistributionFilename,
        /// What should be there.
        wanted: &'static str,
    },
    /// Two folders that could hold the metadata.
    #[error("file {filename} has both {first} and {second}")]
    Ambiguous {
        /// The file.
        filename: DistributionFilename,
        /// One of them, shortened.
        first: String,
        /// Another, shortened.
        second: String,
    },
    /// A part larger than its limit.
    #[error("file {filename}: {part} exceeds {limit}")]
    TooLarge {
        /// The file.
        filename: DistributionFilename,
        /// The part.
        part: Part,
        /// Its limit.
        limit: u64,
    },
    /// Metadata without a needed field, or with one twice.
    #[error("metadata of file {filename} are malformed")]
    Headers {
        /// The file.
        filename: DistributionFilename,
        /// What is wrong.
        source: HeaderError,
    },
    /// The name in the metadata, or of the `.dist-info` folder, is of another project.
    #[error("file {filename} names itself {found} inside, not {}", filename.project())]
    NameMismatch {
        /// The file.
        filename: DistributionFilename,
        /// The name found, shortened.
        found: String,
    },
    /// The version in the metadata is another one.
    #[error("file {filename} has version {found} inside, not {}", filename.version())]
    VersionMismatch {
        /// The file.
        filename: DistributionFilename,
        /// The version found, shortened.
        found: String,
    },
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Metadata => "size of the metadata",
            Self::Entries => "number of entries",
            Self::Directory => "size of the central directory",
            Self::Unpacked => "size unpacked before PKG-INFO was found",
            Self::EntryName => "name of an entry",
        })
    }
}

impl Field {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::MetadataVersion => "Metadata-Version",
            Self::Name => "Name",
            Self::Version => "Version",
            Self::RequiresPython => "Requires-Python",
        }
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
