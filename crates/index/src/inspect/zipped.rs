//! Metadata from wheels and `.zip` source distributions.
//!
//! A zip archive states its entries twice, and readers that look at different statements can be shown
//! different files. So an archive is taken only when all statements agree.

use std::collections::BTreeSet;
use std::io::{Read, Seek};

use zip::ZipArchive;
use zip::read::Config;
use zip::result::ZipError;
use zip::unstable::read::ZipIterable;

use super::{InspectError, Part, Source};
use crate::{distribution::version_after, excerpt};

const DIST_INFO: &str = ".dist-info";

/// The bytes of `NAME-VERSION.dist-info/METADATA` (PEP 427), the only such folder in the wheel.
pub(super) fn wheel_metadata(
    source: &Source<'_>,
    reader: impl Read + Seek,
) -> Result<Vec<u8>, InspectError> {
    let mut archive = open(source, reader)?;
    let folders: BTreeSet<&[u8]> = archive
        .file_names_raw()
        .filter_map(|name| name.split(|b| *b == b'/').next())
        .filter(|folder| folder.ends_with(DIST_INFO.as_bytes()))
        .collect();
    let wanted = "NAME-VERSION.dist-info/METADATA";
    let folder = only(source, &folders)?.ok_or_else(|| source.no_metadata(wanted))?;
    let stem = folder.strip_suffix(DIST_INFO).unwrap_or(&folder);
    if version_after(stem, source.filename.project()).as_ref() != Some(source.filename.version()) {
        let (filename, found) = (source.filename.clone(), excerpt(&folder));
        return Err(InspectError::NameMismatch { filename, found });
    }
    read(source, &mut archive, &format!("{folder}/METADATA"), wanted)
}

/// The bytes of `*/PKG-INFO`, the only one at that depth.
pub(super) fn sdist_metadata(
    source: &Source<'_>,
    reader: impl Read + Seek,
) -> Result<Vec<u8>, InspectError> {
    let mut archive = open(source, reader)?;
    let names: BTreeSet<&[u8]> = archive
        .file_names_raw()
        .filter(|name| is_pkg_info(name))
        .collect();
    let wanted = "NAME-VERSION/PKG-INFO";
    let name = only(source, &names)?.ok_or_else(|| source.no_metadata(wanted))?;
    read(source, &mut archive, &name, wanted)
}

/// Whether `path` is `FOLDER/PKG-INFO`.
pub(super) fn is_pkg_info(path: &[u8]) -> bool {
    path.strip_suffix(b"/PKG-INFO")
        .is_some_and(|top| !top.is_empty() && !top.contains(&b'/'))
}

/// The one name in `names`; two are an error.
fn only(source: &Source<'_>, names: &BTreeSet<&[u8]>) -> Result<Option<String>, InspectError> {
    let mut names = names.iter().map(|name| String::from_utf8_lossy(name));
    match (names.next(), names.next()) {
        (Some(first), Some(second)) => Err(InspectError::Ambiguous {
            filename: source.filename.clone(),
            first: excerpt(&first),
            second: excerpt(&second),
        }),
        (first, _) => Ok(first.map(std::borrow::Cow::into_owned)),
    }
}

/// Opens an archive whose directory is within limits and contradicts nothing.
fn open<R: Read + Seek>(source: &Source<'_>, reader: R) -> Result<ZipArchive<R>, InspectError> {
    let reader = measured(source, reader)?;
    let mut archive = ZipArchive::new(reader).map_err(|error| broken(source, error))?;
    archive
        .validate_header_consistency()
        .map_err(|error| broken(source, error))?;
    Ok(archive)
}

/// Walks the central directory once without keeping it, before [`ZipArchive`] reserves memory for as
/// many entries as the archive states.
fn measured<R: Read + Seek>(source: &Source<'_>, mut reader: R) -> Result<R, InspectError> {
    let mut entries = ZipIterable::try_new(&mut reader, Config::default())
        .map_err(|error| broken(source, error))?;
    if entries.len() > source.limits.entries {
        return Err(source.too_large(Part::Entries));
    }
    let mut first = None;
    for entry in entries.files().map_err(|error| broken(source, error))? {
        let at = entry
            .map_err(|error| broken(source, error))?
            .central_header_start();
        if at.saturating_sub(*first.get_or_insert(at)) > source.limits.directory_bytes {
            return Err(source.too_large(Part::Directory));
        }
    }
    Ok(reader)
}

fn read<R: Read + Seek>(
    source: &Source<'_>,
    archive: &mut ZipArchive<R>,
    name: &str,
    wanted: &'static str,
) -> Result<Vec<u8>, InspectError> {
    let entry = match archive.by_name(name) {
        Err(ZipError::FileNotFound) => return Err(source.no_metadata(wanted)),
        other => other.map_err(|error| broken(source, error))?,
    };
    source.read_metadata(entry, |error| broken(source, ZipError::Io(error)))
}

fn broken(source: &Source<'_>, error: ZipError) -> InspectError {
    InspectError::BrokenZip {
        filename: source.filename.clone(),
        source: error,
    }
}
