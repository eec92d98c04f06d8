//! Requirements that lead to repositories of source: under `exec` git asks over HTTP alone, and so the proxy,
//! which refuses hosts that were not allowed; other programs do not run. Each is first seen to install what nobody
//! signed.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use countersign_tests::environment::{Server, said};
use tempfile::TempDir;

use crate::machine::{Machine, Ran, WORDS};
use crate::poetry::PoetryProject;
use crate::stage::{ALL, Installer, Stage, forged_wheel};

const NAME: &str = "countersign_sample_words-9.0.0-py3-none-any.whl";

/// A backend that "builds" the wheel that lies beside it.
const BACKEND: &str = "
import os, shutil
def build_wheel(folder, settings=None, metadata=None):
    here = os.path.dirname(os.path.abspath(__file__))
    name = 'countersign_sample_words-9.0.0-py3-none-any.whl'
    shutil.copy(os.path.join(here, name), folder)
    return name
";

const PYPROJECT: &str = "
[build-system]
requires = []
build-backend = \"backend\"
backend-path = [\".\"]
";

/// A repository of evil words, and a program that reaches it as `ssh` would.
struct Repository {
    folder: TempDir,
}

impl Repository {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let source = folder.path().join("source");
        fs::create_dir(&source).unwrap();
        fs::write(source.join("backend.py"), BACKEND).unwrap();
        fs::write(source.join("pyproject.toml"), PYPROJECT).unwrap();
        fs::write(source.join(NAME), forged_wheel("9.0.0", &[])).unwrap();
        let git = |at: &Path, words: &[&str]| {
            let mut git = Command::new("git");
            git.current_dir(at)
                .args([
                    "-c",
                    "user.name=somebody",
                    "-c",
                    "user.email=me@index.example",
                ])
                .args(words);
            let output = git.output().unwrap();
            assert!(output.status.success(), "{}", said(&output));
        };
        git(&source, &["init", "--quiet", "--initial-branch", "main"]);
        git(&source, &["add", "."]);
        git(&source, &["commit", "--quiet", "--message", "words"]);
        git(
            folder.path(),
            &["clone", "--quiet", "--bare", "source", "words.git"],
        );
        // For servers that know nothing of git.
        git(&folder.path().join("words.git"), &["update-server-info"]);
        let ssh = folder.path().join("bin/ssh");
        fs::create_dir(ssh.parent().unwrap()).unwrap();
        let script = format!(
            "#!/bin/sh\ntouch '{0}/asked'\nfor last; do :; done\ncd '{0}' && eval \"$last\"\n",
            folder.path().display()
        );
        program(&ssh, &script);
        Self { folder }
    }

    /// Puts a program beside its `ssh` that fetches the source from wherever it is told to, as `svn`, `hg` and
    /// `bzr` would.
    fn fetched_by(&self, name: &str) {
        let script = format!(
            "#!/bin/sh\ntouch '{0}/asked'\nfor last; do :; done\n\
             case \"$1\" in checkout | clone | branch) cp -R '{0}/source' \"$last\" ;; revno) echo 1 ;; esac\n",
            self.folder.path().display()
        );
        program(&self.folder.path().join("bin").join(name), &script);
    }

    /// Its URL over SSH.
    fn url(&self) -> String {
        format!(
            "ssh://git@code.example{}/words.git",
            self.folder.path().display()
        )
    }

    /// Has a command find its `ssh` before any other.
    fn reach(&self, command: &mut Command) {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let bin = self.folder.path().join("bin");
        let path = std::iter::once(bin).chain(std::env::split_paths(&path));
        command.env("PATH", std::env::join_paths(path).unwrap());
    }

    /// Whether its `ssh` was started since this was asked last.
    fn was_asked(&self) -> bool {
        fs::remove_file(self.folder.path().join("asked")).is_ok()
    }
}

fn program(path: &Path, script: &str) {
    fs::write(path, script).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

/// Installs without `exec`, or by one.
fn install(
    machine: &Machine,
    repository: &Repository,
    installer: Installer,
    exec: Option<Command>,
    what: &str,
) -> Ran {
    let into = machine
        .home
        .path()
        .join(format!("{installer:?}-{}", exec.is_some()));
    let _ = fs::remove_dir_all(&into);
    let words = installer.command();
    let mut command = match exec {
        Some(mut exec) => {
            exec.arg(&words[0]);
            exec
        }
        None => machine.clean(words[0].clone().into()),
    };
    repository.reach(&mut command);
    installer.prepare(&mut command);
    command
        .args(&words[1..])
        .arg("--target")
        .arg(&into)
        .arg(what);
    Ran::of(&command.output().unwrap(), &into)
}

#[test]
fn a_repository_over_ssh_is_not_reached() {
    let (stage, repository) = (Stage::new(), Repository::new());
    let what = format!("{WORDS} @ git+{}", repository.url());
    for installer in ALL {
        let machine = Machine::of(&stage);
        install(&machine, &repository, installer, None, &what).has_evil_words();
        assert!(repository.was_asked());
        let ran = install(
            &machine,
            &repository,
            installer,
            Some(machine.exec(&[])),
            &what,
        );
        ran.is_refused("countersign_sample_words", &[]);
        assert!(!repository.was_asked(), "{installer:?} {}", ran.said);
        assert!(
            ran.said.contains("not allowed"),
            "{installer:?} {}",
            ran.said
        );
    }
    // poetry brings a git of its own, which asks nobody what is allowed.
    let machine = Machine::of(&stage);
    let project = PoetryProject::new(&machine, "project");
    let depends = format!("{WORDS} = {{ git = \"{}\" }}", repository.url());
    let words = PoetryProject::words();
    let mut direct = machine.clean(words[0].clone().into());
    repository.reach(&mut direct);
    direct.args(&words[1..]);
    project.install(direct, &[], &depends).has_evil_words();
    assert!(repository.was_asked());
    let mut exec = machine.exec(&[]);
    repository.reach(&mut exec);
    exec.args(words);
    let ran = project.install(exec, &[&machine.index_url()], &depends);
    ran.is_refused("countersign_sample_words", &[]);
    assert!(!repository.was_asked(), "{}", ran.said);
}

/// Over HTTP the proxy is asked, whatever git's own settings say of proxies.
#[test]
fn a_repository_over_http_is_refused_and_named_unless_its_host_is_allowed() {
    let (stage, repository) = (Stage::new(), Repository::new());
    let server = Server::of_folder(repository.folder.path());
    let host = server.url("").replace("http://", "").replace('/', "");
    let what = format!("{WORDS} @ git+{}", server.url("words.git"));
    for installer in [Installer::Pip, Installer::Uv] {
        let machine = Machine::of(&stage);
        // What names a URL, or where things come from, counts before what does not.
        let settings = format!(
            "[http]\n\tproxy =\n[http \"http://{host}/\"]\n\tproxy =\n[remote \"origin\"]\n\tproxy =\n"
        );
        fs::write(machine.home.path().join(".gitconfig"), settings).unwrap();
        install(&machine, &repository, installer, None, &what).has_evil_words();
        let ran = install(
            &machine,
            &repository,
            installer,
            Some(machine.exec(&[])),
            &what,
        );
        let named = format!("REFUSED connections to {host}");
        ran.is_refused("countersign_sample_words", &[&named]);
        let allowed = machine.exec(&["--allow-host", &host]);
        let ran = install(&machine, &repository, installer, Some(allowed), &what);
        ran.has_evil_words();
        let counted = format!("UNVERIFIED {host}");
        assert!(ran.verdict.contains(&counted), "{}", ran.verdict);
    }
}

/// What pip starts beside git asks whatever proxy its own settings name, or none.
#[test]
fn repositories_of_other_programs_are_not_reached() {
    let (stage, repository) = (Stage::new(), Repository::new());
    for name in ["svn", "hg", "bzr"] {
        repository.fetched_by(name);
        let what = format!("{WORDS} @ {name}+https://code.example/words");
        for installer in [Installer::Pip, Installer::Pip24, Installer::Pip22] {
            let machine = Machine::of(&stage);
            install(&machine, &repository, installer, None, &what).has_evil_words();
            assert!(repository.was_asked());
            let ran = install(
                &machine,
                &repository,
                installer,
                Some(machine.exec(&["--allow-host", "code.example"])),
                &what,
            );
            ran.is_refused("countersign_sample_words", &[]);
            assert!(!repository.was_asked(), "{installer:?} {}", ran.said);
            let why = format!("countersign: {name} does not run here");
            assert!(ran.said.contains(&why), "{installer:?} {}", ran.said);
        }
    }
}
