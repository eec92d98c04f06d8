//! Indexes that sign nothing, as people have them: pypiserver, and the registry that this machine is
//! configured for, over TLS, with whatever password that takes.

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use countersign_tests::environment::{packages, prepared, said, samples};
use url::Url;

use crate::machine::Machine;
use crate::pypiserver::Pypiserver;
use crate::stage::{BOTH, Stage};

/// The registry that pip on this machine is configured for, with what it takes to reach it.
struct Registry {
    url: String,
    login: Option<(String, String)>,
    authorities: Option<OsString>,
}

impl Registry {
    /// By pip's own word: its settings, else what it was built with. The set-up of the tests asks the same one.
    fn of_this_machine() -> Self {
        let pip = |words: &[&str]| {
            let mut command = Command::new(prepared("venv/bin/python"));
            let output = command.args(words).output().unwrap();
            assert!(output.status.success(), "{}", said(&output));
            String::from_utf8(output.stdout).unwrap()
        };
        let settings = pip(&["-m", "pip", "config", "list"]);
        // The environment comes first in that list, and counts before files.
        let mut lines = settings.lines();
        let configured = lines.find_map(|line| line.split_once(".index-url='"));
        let configured = configured.map(|(_, url)| url.trim_end_matches('\'').to_owned());
        let url = configured.unwrap_or_else(|| {
            let script = "from pip._internal.models.index import PyPI; print(PyPI.simple_url)";
            pip(&["-c", script]).trim().to_owned()
        });
        let mut url = Url::parse(&url).unwrap();
        let login = url
            .password()
            .map(|it| (url.username().to_owned(), it.to_owned()));
        url.set_username("").unwrap();
        url.set_password(None).unwrap();
        if !url.path().ends_with('/') {
            url.set_path(&format!("{}/", url.path()));
        }
        Self {
            url: url.to_string(),
            login,
            authorities: std::env::var_os("PIP_CERT"),
        }
    }

    /// Gives a machine and a command what they need to reach it.
    fn reach(&self, machine: &Machine, exec: &mut Command) {
        if let Some(file) = &self.authorities {
            exec.env("SSL_CERT_FILE", file);
        }
        if let Some((user, password)) = &self.login {
            let host = Url::parse(&self.url).unwrap();
            let host = host.host_str().unwrap();
            let netrc = machine.home.path().join(".netrc");
            let text = format!("machine {host} login {user} password \"{password}\"\n");
            fs::write(&netrc, text).unwrap();
            fs::set_permissions(&netrc, fs::Permissions::from_mode(0o600)).unwrap();
        }
    }
}

/// What signs nothing can be listed for single projects: they come from it, and the last line counts them.
#[test]
fn single_projects_come_unverified_from_indexes_that_sign_nothing() {
    let upstream = Pypiserver::start();
    upstream.upload(&packages());
    let registry = Registry::of_this_machine();
    let stage = Stage::with_files(&samples());
    for installer in BOTH {
        for url in [&upstream.server.url("simple/"), &registry.url] {
            let machine = Machine::of(&stage);
            let rules = machine.home.path().join("rules.toml");
            let text = format!(
                "[[rule]]\nprojects = [\"idna\"]\nunverified = \"{url}\"\n\
                 [[rule]]\nprojects = [\"*\"]\nupstream = \"main\"\n"
            );
            fs::write(&rules, text).unwrap();
            let mut exec = machine.exec(&["--rules", rules.to_str().unwrap()]);
            if *url == registry.url {
                registry.reach(&machine, &mut exec);
            }
            let ran = machine.install_by(installer, exec, &["idna", "countersign-sample-words"]);
            ran.has_good_words();
            assert!(ran.into.join("idna").exists(), "{}", ran.said);
            let counted = format!("UNVERIFIED 1 page and 1 file of {url}");
            assert!(ran.verdict.contains(&counted), "{}", ran.verdict);
            assert!(
                ran.verdict.contains("verified 1 page and 1 file of main"),
                "{}",
                ran.verdict
            );
        }
    }
}
