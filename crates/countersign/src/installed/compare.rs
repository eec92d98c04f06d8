//! What deviates: files altered, missing or added.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use metadata::Sha256;
use serde::Serialize;

use super::distribution::{Installed, joined};
use super::scripts::is_generated;
use super::wheel::{WheelFiles, after_first_line, digest};

/// A file that is not as the wheel has it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(crate) struct Deviation {
    /// The file.
    pub(crate) path: PathBuf,
    /// `altered`, `missing`, `added`, or `script`: no program that an installer writes.
    pub(crate) what: &'static str,
}

/// What installers write beside a wheel's files: data about the installation, which nothing runs.
const OWN: [&str; 8] = [
    "INSTALLER",
    "RECORD",
    "RECORD.jws",
    "RECORD.p7s",
    "REQUESTED",
    "direct_url.json",
    "uv_build.json",
    "uv_cache.json",
];

/// Largest program that is read as one.
const PROGRAM: u64 = 65_536;

/// Holds what is installed against a wheel.
pub(crate) fn compare(
    site: &Path,
    installed: &Installed,
    wheel: &WheelFiles,
) -> io::Result<Vec<Deviation>> {
    let mut found = Found::default();
    for (name, wanted) in &wheel.site {
        let path = joined(site, name);
        let what = altered(&path, wanted, false)?;
        found.judge(path, what);
    }
    let others = wheel.elsewhere.iter().map(|it| (it, false));
    for ((name, wanted), is_script) in others.chain(wheel.scripts.iter().map(|it| (it, true))) {
        // Only RECORD knows where the installer has put it; what is there is checked all the same.
        let listed = (installed.files.iter()).find(|path| path.ends_with(name));
        let path = listed.cloned().unwrap_or_else(|| PathBuf::from(name));
        let what = match listed {
            Some(path) => altered(path, wanted, is_script)?,
            None => Some("missing"),
        };
        found.judge(path, what);
    }
    for path in &installed.files {
        if !found.seen.contains(path) {
            let what = added(path, installed, wheel)?;
            found.judge(path.clone(), what);
        }
    }
    found.deviations.sort();
    Ok(found.deviations)
}

/// What was looked at, and what deviates.
#[derive(Default)]
struct Found {
    seen: BTreeSet<PathBuf>,
    deviations: Vec<Deviation>,
}

impl Found {
    fn judge(&mut self, path: PathBuf, what: Option<&'static str>) {
        if let Some(what) = what {
            let path = path.clone();
            self.deviations.push(Deviation { path, what });
        }
        self.seen.insert(path);
    }
}

fn altered(path: &Path, wanted: &Sha256, is_script: bool) -> io::Result<Option<&'static str>> {
    let found = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Some("missing")),
        Err(error) => return Err(error),
        Ok(_) if is_script => after_first_line(&fs::read(path)?).map(Sha256::of),
        Ok(mut file) => Some(digest(&mut file)?.0),
    };
    Ok((found.as_ref() != Some(wanted)).then_some("altered"))
}

/// What is wrong with a file that RECORD lists and the wheel does not hold.
fn added(
    path: &Path,
    installed: &Installed,
    wheel: &WheelFiles,
) -> io::Result<Option<&'static str>> {
    let name = path
        .file_name()
        .and_then(|name| name.to_str())
        .unwrap_or_default();
    let is_own = path.parent() == Some(&installed.folder) && OWN.contains(&name);
    if is_own || is_bytecode(path) || !path.exists() {
        return Ok(None);
    }
    let folder = path.parent().and_then(Path::file_name);
    let is_program = folder.is_some_and(|it| it == "bin" || it == "Scripts");
    if !is_program || fs::metadata(path)?.len() > PROGRAM {
        return Ok(Some("added"));
    }
    let text = String::from_utf8_lossy(&fs::read(path)?).into_owned();
    Ok((!is_generated(&wheel.entry_points, name, &text)).then_some("script"))
}

/// Whether it is what Python has compiled of a module beside it. Nobody signs that: it can only be deleted.
pub(crate) fn is_bytecode(path: &Path) -> bool {
    let source = || {
        let name = path.file_name()?.to_str()?.strip_suffix(".pyc")?;
        let folder = path.parent()?;
        let module = name.split('.').next()?;
        let is_cache = folder.file_name()? == "__pycache__";
        is_cache.then(|| folder.parent().map(|it| it.join(format!("{module}.py"))))?
    };
    source().is_some_and(|source| source.is_file())
}

/// The files below a folder that nothing owns, and how many are bytecode.
pub(crate) fn unowned(site: &Path, owned: &BTreeSet<PathBuf>) -> io::Result<(Vec<PathBuf>, usize)> {
    let (mut found, mut bytecode) = (Vec::new(), 0);
    let mut folders = vec![site.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder)? {
            let entry = entry?;
            let path = entry.path();
            if owned.contains(&path) {
                bytecode += usize::from(is_bytecode(&path));
            } else if entry.file_type()?.is_dir() {
                folders.push(path);
            } else if is_bytecode(&path) {
                bytecode += 1;
            } else {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok((found, bytecode))
}
