//! Metadata from `.tar.gz` source distributions, read as a stream up to the `PKG-INFO`.

use std::io::{self, Read};

use flate2::read::MultiGzDecoder;
use tar::{Archive, Entry, EntryType, PaxExtensions};

use super::zipped::is_pkg_info;
use super::{InspectError, Part, Source};

/// Most bytes of an entry that only names the next one (pax header, GNU long name).
pub(super) const MAX_EXTENSION: u64 = 1 << 20;

/// The bytes of the first `*/PKG-INFO` at that depth.
pub(super) fn sdist_metadata(
    source: &Source<'_>,
    reader: impl Read,
) -> Result<Vec<u8>, InspectError> {
    let mut unpacked = MultiGzDecoder::new(reader).take(source.limits.unpacked_bytes);
    let found = find(source, &mut unpacked);
    match found {
        // Whatever went wrong, it may have been for want of the bytes beyond the limit.
        Err(InspectError::BrokenTar { .. } | InspectError::NoMetadata { .. })
            if unpacked.limit() == 0 =>
        {
            Err(source.too_large(Part::Unpacked))
        }
        other => other,
    }
}

/// Walks the raw entries: the `tar` crate would hold long names and pax headers whole, however
/// large they are.
fn find(source: &Source<'_>, unpacked: impl Read) -> Result<Vec<u8>, InspectError> {
    let broken = |error| broken(source, error);
    let mut archive = Archive::new(unpacked);
    let mut long_name: Option<Vec<u8>> = None;
    for (at, entry) in archive.entries().map_err(broken)?.raw(true).enumerate() {
        if at >= source.limits.entries {
            return Err(source.too_large(Part::Entries));
        }
        let mut entry = entry.map_err(broken)?;
        match entry.header().entry_type() {
            EntryType::GNULongName => {
                let mut name = extension(source, &mut entry)?;
                name.truncate(name.iter().position(|b| *b == 0).unwrap_or(name.len()));
                long_name = Some(name);
            }
            EntryType::XHeader => {
                if let Some(name) = pax_path(&extension(source, &mut entry)?) {
                    long_name = Some(name);
                }
            }
            EntryType::GNULongLink | EntryType::XGlobalHeader => {}
            kind => {
                let name = long_name.take();
                let name = name.unwrap_or_else(|| entry.header().path_bytes().into_owned());
                let name = name.strip_prefix(b"./").unwrap_or(&name);
                if kind.is_file() && is_pkg_info(name) {
                    return source.read_metadata(entry, broken);
                }
            }
        }
    }
    Err(source.no_metadata("NAME-VERSION/PKG-INFO"))
}

fn extension(
    source: &Source<'_>,
    entry: &mut Entry<'_, impl Read>,
) -> Result<Vec<u8>, InspectError> {
    let mut bytes = Vec::new();
    let limited = entry.take(MAX_EXTENSION + 1).read_to_end(&mut bytes);
    limited.map_err(|error| broken(source, error))?;
    if bytes.len() as u64 > MAX_EXTENSION {
        return Err(source.too_large(Part::EntryName));
    }
    Ok(bytes)
}

/// The `path` of a pax header (POSIX.1 pax), the last one if there are several.
fn pax_path(header: &[u8]) -> Option<Vec<u8>> {
    PaxExtensions::new(header)
        .filter_map(Result::ok)
        .filter(|extension| extension.key_bytes() == b"path")
        .last()
        .map(|extension| extension.value_bytes().to_vec())
}

fn broken(source: &Source<'_>, error: io::Error) -> InspectError {
    InspectError::BrokenTar {
        filename: source.filename.clone(),
        source: error,
    }
}
