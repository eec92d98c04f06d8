//! The folder of a cache: whose it is, what lies in it, and how it is kept within its limit. Other
//! processes of the same user may work in it at the same time.

use std::fs::{self, Metadata};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use metadata::Sha256;

/// How unfinished files end; each process gives its own names of its own.
const UNFINISHED: &str = ".part";

/// Age after which an unfinished file belongs to nobody any more.
const ABANDONED: Duration = Duration::from_secs(86_400);

/// What tells a file from one that was put in its place or written to since.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stamp {
    /// Its length in bytes.
    pub(crate) length: u64,
    identity: (u64, u64),
    /// The system sets it at every change of bytes or name; nobody else can.
    changed: (i64, i64),
}

impl Stamp {
    /// The stamp of a file, which must be this user's.
    #[cfg(unix)]
    pub(crate) fn of(about: &Metadata) -> io::Result<Self> {
        use std::os::unix::fs::MetadataExt;

        check_owner(about, rustix::process::geteuid().as_raw())?;
        Ok(Self {
            length: about.len(),
            identity: (about.dev(), about.ino()),
            changed: (about.ctime(), about.ctime_nsec()),
        })
    }

    /// Without owners and change times a file counts as changed whenever it is looked at.
    #[cfg(not(unix))]
    pub(crate) fn of(about: &Metadata) -> io::Result<Self> {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let now = now.map_err(io::Error::other)?.as_nanos();
        Ok(Self {
            length: about.len(),
            identity: (0, 0),
            changed: (0, now as i64),
        })
    }
}

/// Makes the folder, or takes one that is this user's, and closes it to others: whoever can write
/// there could put files in the place of those just checked.
#[cfg(unix)]
pub(crate) fn make_private(dir: &Path) -> io::Result<()> {
    use std::os::unix::fs::{DirBuilderExt, PermissionsExt};

    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(dir)?;
    let user = rustix::process::geteuid().as_raw();
    // Of a link both: the link, which its owner can point elsewhere, and what it points to.
    check_owner(&fs::symlink_metadata(dir)?, user)?;
    let about = fs::metadata(dir)?;
    check_owner(&about, user)?;
    if about.permissions().mode() & 0o777 != 0o700 {
        fs::set_permissions(dir, fs::Permissions::from_mode(0o700))?;
    }
    Ok(())
}

#[cfg(not(unix))]
pub(crate) fn make_private(dir: &Path) -> io::Result<()> {
    fs::create_dir_all(dir)
}

#[cfg(unix)]
fn check_owner(about: &Metadata, user: u32) -> io::Result<()> {
    let owner = std::os::unix::fs::MetadataExt::uid(about);
    if owner == user {
        return Ok(());
    }
    let why = format!("it belongs to user {owner}, not to user {user} who runs this");
    Err(io::Error::new(io::ErrorKind::PermissionDenied, why))
}

/// A file of the cache.
struct Found {
    written: SystemTime,
    length: u64,
    path: PathBuf,
    sha256: Sha256,
}

/// Removes what was left unfinished long ago, and the oldest whole files until at most `limit` bytes
/// are left, but never `keep`. Returns the bytes that are left. Files that are not the cache's own
/// are not touched.
pub(crate) fn sweep(dir: &Path, limit: u64, keep: Option<Sha256>) -> io::Result<u64> {
    let mut files = Vec::new();
    for shard in there(fs::read_dir(dir))?.into_iter().flatten() {
        let shard = shard?;
        if !is_shard(&shard)? {
            continue;
        }
        for file in there(fs::read_dir(shard.path()))?.into_iter().flatten() {
            let file = file?;
            let Some(about) = there(file.metadata())? else {
                continue;
            };
            look_at(&file, &about, &mut files)?;
        }
    }
    files.sort_by(|one, other| (one.written, &one.path).cmp(&(other.written, &other.path)));
    let mut left: u64 = files.iter().map(|file| file.length).sum();
    for file in files {
        if left <= limit {
            break;
        }
        if keep != Some(file.sha256) {
            there(fs::remove_file(file.path))?;
            left -= file.length;
        }
    }
    Ok(left)
}

/// Two hex digits; and nobody else's, who could put files into it.
fn is_shard(entry: &fs::DirEntry) -> io::Result<bool> {
    let name = entry.file_name();
    let is_named = name
        .to_str()
        .is_some_and(|name| name.len() == 2 && name.bytes().all(|it| it.is_ascii_hexdigit()));
    if !is_named || !entry.file_type()?.is_dir() {
        return Ok(false);
    }
    if let Some(about) = there(entry.metadata())? {
        Stamp::of(&about)?;
    }
    Ok(true)
}

/// Takes note of a whole file, removes an abandoned one.
fn look_at(entry: &fs::DirEntry, about: &Metadata, files: &mut Vec<Found>) -> io::Result<()> {
    let name = entry.file_name();
    let name = name.to_str().unwrap_or_default();
    let written = about.modified()?;
    if let Ok(sha256) = Sha256::parse(name) {
        files.push(Found {
            written,
            length: about.len(),
            path: entry.path(),
            sha256,
        });
    } else if name.starts_with('.') && name.ends_with(UNFINISHED) {
        // Another process may be writing it: each write makes it young again.
        let age = SystemTime::now().duration_since(written);
        if age.is_ok_and(|age| age > ABANDONED) {
            there(fs::remove_file(entry.path()))?;
        }
    }
    Ok(())
}

/// `None` for what another process has removed meanwhile.
fn there<T>(found: io::Result<T>) -> io::Result<Option<T>> {
    match found {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(byte: &str) -> String {
        byte.repeat(32)
    }

    /// A shard with a file of 10 bytes for each age in minutes.
    fn filled(files: &[(u64, String)]) -> (tempfile::TempDir, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let shard = dir.path().join("aa");
        fs::create_dir(&shard).unwrap();
        for (minutes, name) in files {
            let file = fs::File::create(shard.join(name)).unwrap();
            file.set_len(10).unwrap();
            file.set_modified(SystemTime::now() - Duration::from_secs(60 * minutes))
                .unwrap();
        }
        (dir, shard)
    }

    fn names(shard: &Path) -> Vec<String> {
        let entries = fs::read_dir(shard).unwrap();
        let mut names: Vec<_> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn the_newest_whole_files_stay_and_what_others_write_stays_too() {
        let day = 24 * 60;
        let (dir, shard) = filled(&[
            (3, name("aa")),
            (2, name("ab")),
            (1, name("ac")),
            (day - 1, ".young.part".into()),
            (day + 1, ".old.part".into()),
            (2 * day, "notes.txt".into()),
        ]);
        fs::create_dir(dir.path().join("photos")).unwrap();
        fs::write(dir.path().join("photos").join(name("aa")), b"x").unwrap();
        assert_eq!(sweep(dir.path(), 20, None).unwrap(), 20);
        let left = [
            ".young.part".to_owned(),
            name("ab"),
            name("ac"),
            "notes.txt".into(),
        ];
        assert_eq!(names(&shard), left);
        assert_eq!(names(&dir.path().join("photos")), [name("aa")]);
        let oldest = Sha256::parse(&name("ab")).unwrap();
        assert_eq!(sweep(dir.path(), 5, Some(oldest)).unwrap(), 10);
        assert!(shard.join(name("ab")).exists() && !shard.join(name("ac")).exists());
    }

    #[test]
    fn a_file_that_another_process_has_just_removed_is_no_error() {
        let gone = Path::new("there is no such file");
        assert!(there(fs::remove_file(gone)).unwrap().is_none());
        assert_eq!(sweep(gone, 0, None).unwrap(), 0);
        let file = tempfile::NamedTempFile::new().unwrap();
        assert!(there(fs::read_dir(file.path())).is_err());
    }

    #[cfg(unix)]
    #[test]
    fn the_folder_is_this_users_and_closed_to_others() {
        use std::os::unix::fs::PermissionsExt;

        let dir = tempfile::tempdir().unwrap();
        let (open, link) = (dir.path().join("open"), dir.path().join("link"));
        fs::create_dir(&open).unwrap();
        fs::set_permissions(&open, fs::Permissions::from_mode(0o777)).unwrap();
        std::os::unix::fs::symlink(&open, &link).unwrap();
        for folder in [&link, &open, &dir.path().join("new/below")] {
            make_private(folder).unwrap();
            let mode = fs::metadata(folder).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o700, "{}", folder.display());
        }
        let about = fs::metadata(&open).unwrap();
        let other = rustix::process::geteuid().as_raw() + 1;
        let refused = check_owner(&about, other).unwrap_err().to_string();
        assert!(
            refused.contains(&format!("not to user {other}")),
            "{refused}"
        );
    }
}
