//! Makes what was written survive a loss of power: one wait for all of it where that can be had.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Syncs files and folders below `root`; the error names the path it met.
pub(super) fn all(root: &Path, paths: &BTreeSet<PathBuf>) -> Result<(), (PathBuf, io::Error)> {
    if paths.len() > MANY && is_one_file_system(root, paths) {
        return File::open(root)
            .and_then(|root| Ok(rustix::fs::syncfs(root)?))
            .map_err(|source| (root.to_owned(), source));
    }
    sync_each(paths)
}

/// From how many files on a file system is synced as a whole: one wait instead of one each.
const MANY: usize = 64;

/// Whether nothing in the repository is mounted from elsewhere, which `syncfs` would pass over.
fn is_one_file_system(root: &Path, paths: &BTreeSet<PathBuf>) -> bool {
    let device = |path: &Path| fs::metadata(path).map(|about| about.dev()).ok();
    let of_root = device(root);
    let parents: BTreeSet<&Path> = paths.iter().filter_map(|path| path.parent()).collect();
    of_root.is_some() && parents.iter().all(|folder| device(folder) == of_root)
}

/// Files first, then folders, deepest first: a name never outlives its content.
fn sync_each(paths: &BTreeSet<PathBuf>) -> Result<(), (PathBuf, io::Error)> {
    let (files, folders): (Vec<_>, Vec<_>) = paths.iter().partition(|path| !path.is_dir());
    for path in files.iter().chain(folders.iter().rev()) {
        File::open(path)
            .and_then(|file| file.sync_all())
            .map_err(|source| ((*path).clone(), source))?;
    }
    Ok(())
}
