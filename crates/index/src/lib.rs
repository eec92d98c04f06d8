//! Package-index words: project names, distributions, target paths, bins, simple pages.
//!
//! Pure: no file, network, clock, randomness or async; bytes and readers are arguments. What an
//! index takes in (names, file names, wheels, pages) is parsed here once, into types that cannot
//! hold anything else.

mod bins;
mod choose;
mod distribution;
#[cfg(feature = "inspect")]
mod inspect;
mod project;
mod simple_page;
mod target_path;
mod version;

pub use bins::{BinCount, BinCountError, BinIndex, MAX_BINS};
pub use choose::{Choice, choose};
pub use distribution::{DistributionFilename, DistributionKind, FilenameError, MAX_FILENAME};
#[cfg(feature = "inspect")]
pub use inspect::{Field, HeaderError, InspectError, InspectLimits, Inspected, Part, inspect};
pub use project::{MAX_PROJECT_NAME, ProjectName, ProjectNameError, Shard};
pub use simple_page::{
    API_VERSION, PageError, PageFile, PageLimits, ProjectStatus, SimplePage, Status, Yanked,
    mirror_url, mirror_url_of,
};
pub use target_path::{
    IndexPath, IndexPathError, METADATA_SUFFIX, PAGE_FILE, PolicySource, file_path, metadata_path,
    page_path, publisher_policy_path,
};
pub use version::{
    MAX_SPECIFIERS, MAX_VERSION, SpecifierError, Specifiers, Version440, VersionError,
};

/// The first 80 characters of untrusted text, for error messages, with what terminals would obey
/// escaped.
fn excerpt(text: &str) -> String {
    let mut out: String = text.chars().take(80).flat_map(char::escape_debug).collect();
    if text.chars().nth(80).is_some() {
        out.push('…');
    }
    out
}
