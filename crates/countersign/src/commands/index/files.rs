//! Which files are meant by the paths on a command line.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use repository::IntakeError;

/// Files to take in, and what was found beside them.
#[derive(Debug, Default)]
pub(crate) struct Collected {
    /// Regular files, in order of their paths within each folder.
    pub(crate) files: Vec<PathBuf>,
    /// What is no file or cannot be looked at.
    pub(crate) refused: Vec<(PathBuf, IntakeError)>,
}

/// Collects files, and the files in folders and the folders below them. Hidden files in folders
/// (`.gitignore`, `.DS_Store`) are nobody's distributions and passed over; links to folders are not
/// followed. Nothing is opened here: a pipe would never end.
pub(crate) fn collect(paths: &[PathBuf]) -> Collected {
    let mut collected = Collected::default();
    for path in paths {
        match fs::metadata(path) {
            Ok(about) if about.is_dir() => collected.folder(path),
            about => collected.file(path.clone(), about),
        }
    }
    collected
}

impl Collected {
    fn file(&mut self, path: PathBuf, about: io::Result<fs::Metadata>) {
        match about {
            Ok(about) if about.is_file() => self.files.push(path),
            Ok(_) => self.refused.push((path, IntakeError::NotAFile)),
            Err(error) => self.refused.push((path, IntakeError::Unreadable(error))),
        }
    }

    fn folder(&mut self, folder: &Path) {
        let entries = fs::read_dir(folder).and_then(Iterator::collect::<io::Result<Vec<_>>>);
        let mut entries = match entries {
            Ok(entries) => entries,
            Err(error) => {
                let refused = (folder.to_owned(), IntakeError::Unreadable(error));
                return self.refused.push(refused);
            }
        };
        entries.sort_by_key(fs::DirEntry::file_name);
        for entry in entries {
            if entry.file_name().to_string_lossy().starts_with('.') {
                continue;
            }
            let path = entry.path();
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                self.folder(&path);
            } else {
                let about = fs::metadata(&path);
                self.file(path, about);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_are_walked_and_oddities_named() {
        let root = tempfile::tempdir().expect("a temporary folder");
        let at = |name: &str| root.path().join(name);
        fs::create_dir(at("b")).expect("a folder");
        for name in ["z.whl", "b/y.whl", ".hidden", "b/.git"] {
            fs::write(at(name), "x").expect("a file");
        }
        std::os::unix::fs::symlink("nowhere", at("dangling.whl")).expect("a link");
        std::os::unix::fs::symlink("b", at("loop")).expect("a link");
        let found = collect(&[root.path().to_owned(), at("missing.whl")]);
        assert_eq!(found.files, [at("b/y.whl"), at("z.whl")]);
        let refused: Vec<_> = found.refused.iter().map(|(path, _)| path.clone()).collect();
        assert_eq!(refused, [at("dangling.whl"), at("loop"), at("missing.whl")]);
        assert!(matches!(found.refused[1].1, IntakeError::NotAFile));
    }
}
