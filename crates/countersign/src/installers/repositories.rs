//! Repositories of source, which nobody has signed: git asks the proxy and nobody else, and other programs that
//! fetch them do not run (policy/decisions/0027-git-over-http-alone.md).

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs;
use std::io::{self, Write};
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::NamedTempFile;

/// What pip starts beside git. Settings of their own say which proxy these ask, or none.
const OTHERS: [&str; 3] = ["bzr", "hg", "svn"];

/// Names of git's settings that name a proxy for some URLs alone.
const PROXIES: &str = r"^(http|remote)\..+\.proxy$";

/// A variable's name, and its value.
type Variable = (String, OsString);

/// What makes git ask the proxy: it speaks HTTP alone, whatever its settings say of proxies, and poetry uses it
/// instead of one of its own.
pub(super) fn for_git(proxy: &str) -> Vec<Variable> {
    let mut keys = vec![OsString::from("http.proxy")];
    keys.extend(proxies_in_settings());
    let mut set: Vec<Variable> = vec![
        // Installers copy repositories on this machine, from their caches.
        ("GIT_ALLOW_PROTOCOL".into(), "file:http:https".into()),
        ("GIT_CONFIG_COUNT".into(), keys.len().to_string().into()),
        ("POETRY_SYSTEM_GIT_CLIENT".into(), "true".into()),
    ];
    for (number, key) in keys.into_iter().enumerate() {
        set.push((format!("GIT_CONFIG_KEY_{number}"), key));
        set.push((format!("GIT_CONFIG_VALUE_{number}"), proxy.into()));
    }
    set
}

/// The settings that would count before `http.proxy`; none where there is no git.
fn proxies_in_settings() -> Vec<OsString> {
    let mut git = Command::new("git");
    git.args(["config", "--null", "--name-only", "--get-regexp", PROXIES])
        .stdin(Stdio::null())
        .stderr(Stdio::null());
    let found = git.output().map(|output| output.stdout).unwrap_or_default();
    let keys: BTreeSet<_> = found
        .split(|it| *it == 0)
        .filter(|it| !it.is_empty())
        .collect();
    keys.into_iter()
        .map(|it| OsString::from_vec(it.to_vec()))
        .collect()
}

/// `PATH`, on which programs that refuse, made in `folder`, stand before those they are named after.
pub(super) fn path(folder: &Path) -> io::Result<OsString> {
    for program in OTHERS {
        make_refusing(folder, program)?;
    }
    let path = std::env::var_os("PATH").unwrap_or_else(|| "/usr/local/bin:/usr/bin:/bin".into());
    let all = std::iter::once(PathBuf::from(folder)).chain(std::env::split_paths(&path));
    std::env::join_paths(all).map_err(io::Error::other)
}

fn make_refusing(folder: &Path, program: &str) -> io::Result<()> {
    let script = format!(
        "#!/bin/sh\n\
         echo 'countersign: {program} does not run here: what it fetches is not verified, and asks no proxy' >&2\n\
         echo 'hint: name a version of the project, or its git repository over https with --allow-host' >&2\n\
         exit 1\n"
    );
    let to = folder.join(program);
    if fs::read(&to).is_ok_and(|it| it == script.as_bytes()) {
        return Ok(());
    }
    let mut file = NamedTempFile::new_in(folder)?;
    file.write_all(script.as_bytes())?;
    let mode = fs::Permissions::from_mode(0o700);
    file.as_file().set_permissions(mode)?;
    file.persist(to).map_err(|error| error.error)?;
    Ok(())
}
