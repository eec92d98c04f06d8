//! The machine of somebody who trusts the index by `countersign trust add`, and an index of somebody
//! who means ill.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use countersign_tests::environment::{Server, clean_command, free_port, prepared, program, said};
use tempfile::TempDir;

use crate::stage::{Installer, Stage, forged_wheel};

pub(crate) const WORDS: &str = "countersign-sample-words";

/// A home folder in which the index is trusted as `main`.
pub(crate) struct Machine {
    pub(crate) home: TempDir,
    /// The fixed port of the index's proxy.
    pub(crate) port: u16,
}

/// What came of a command.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    /// Everything it wrote.
    pub(crate) said: String,
    /// The last line of `exec`.
    pub(crate) verdict: String,
    /// Where it was to install.
    pub(crate) into: PathBuf,
}

impl Machine {
    pub(crate) fn of(stage: &Stage) -> Self {
        Self::with(stage, &[])
    }

    /// The same, trusted with these options.
    pub(crate) fn with(stage: &Stage, options: &[&str]) -> Self {
        Self::trusting(&stage.server.url(""), stage.index.root(), options)
    }

    /// A machine on which the index at this URL is trusted by its root.
    pub(crate) fn trusting(url: &str, root: &Path, options: &[&str]) -> Self {
        let machine = Self {
            home: tempfile::tempdir().unwrap(),
            port: free_port(),
        };
        let added = machine
            .countersign(&["trust", "add", "main", url])
            .args(["--root".as_ref(), root.as_os_str()])
            .args(["--proxy-port", &machine.port.to_string()])
            .args(options)
            .output()
            .unwrap();
        assert!(added.status.success(), "{}", said(&added));
        machine
    }

    /// Our program, at home here.
    pub(crate) fn countersign(&self, arguments: &[&str]) -> Command {
        let mut command = self.clean(program("countersign"));
        command.args(arguments);
        command
    }

    /// A program at home here, which reads the settings that lie here.
    pub(crate) fn clean(&self, program: PathBuf) -> Command {
        let mut command = clean_command(program, self.home.path());
        command
            .env_remove("PIP_CONFIG_FILE")
            .env_remove("UV_NO_CONFIG")
            .env_remove("UV_CACHE_DIR")
            .env_remove("XDG_CONFIG_HOME")
            .env_remove("XDG_CACHE_HOME")
            .env_remove("XDG_DATA_HOME")
            .env("UV_HTTP_RETRIES", "0")
            .env("PIP_RETRIES", "0")
            .current_dir(self.home.path());
        command
    }

    /// `countersign exec`, with these options before the command.
    pub(crate) fn exec(&self, options: &[&str]) -> Command {
        let mut command = self.countersign(&["exec"]);
        command.args(options).arg("--");
        command
    }

    /// Installs under `exec`, into a folder of its own.
    pub(crate) fn install(&self, installer: Installer, what: &[&str]) -> Ran {
        self.install_by(installer, self.exec(&[]), what)
    }

    /// The same by an `exec` with more to it.
    pub(crate) fn install_by(&self, installer: Installer, mut exec: Command, what: &[&str]) -> Ran {
        let into = self
            .home
            .path()
            .join(format!("{installer:?}-{}", free_port()));
        installer.prepare(&mut exec);
        exec.args(installer.command())
            .arg("--target")
            .arg(&into)
            .args(what);
        Ran::of(&exec.output().unwrap(), &into)
    }

    /// Installs without `exec`, as the machine is set up.
    pub(crate) fn install_directly(&self, installer: Installer, index: &str, what: &[&str]) -> Ran {
        let into = self
            .home
            .path()
            .join(format!("{installer:?}-{}", free_port()));
        let words = installer.command();
        let mut command = self.clean(words[0].clone().into());
        installer.prepare(&mut command);
        command.args(&words[1..]).arg("--target").arg(&into);
        if installer.is_pip() {
            command
                .env("PIP_INDEX_URL", index)
                .env("PIP_TRUSTED_HOST", "127.0.0.1");
        } else {
            command.env("UV_DEFAULT_INDEX", index);
        }
        Ran::of(&command.args(what).output().unwrap(), &into)
    }

    /// The index under the proxy's fixed address.
    pub(crate) fn index_url(&self) -> String {
        format!("http://127.0.0.1:{}/simple/", self.port)
    }
}

impl Ran {
    pub(crate) fn of(output: &Output, into: &Path) -> Self {
        let stderr = String::from_utf8_lossy(&output.stderr);
        let verdict = stderr
            .lines()
            .rev()
            .find(|line| line.starts_with("countersign: "));
        Self {
            code: output.status.code(),
            // Some wrap their lines.
            said: said(output)
                .split_whitespace()
                .collect::<Vec<_>>()
                .join(" "),
            verdict: verdict.unwrap_or_default().to_owned(),
            into: into.to_owned(),
        }
    }

    /// That the words came, as their developers wrote them.
    #[track_caller]
    pub(crate) fn has_good_words(&self) {
        assert_eq!(self.code, Some(0), "{}", self.said);
        let module = self.module("countersign_sample_words");
        assert!(!module.expect(&self.said).contains("evil"), "{}", self.said);
    }

    /// That evil words came: the attack works.
    #[track_caller]
    pub(crate) fn has_evil_words(&self) {
        assert_eq!(self.code, Some(0), "{}", self.said);
        let module = self.module("countersign_sample_words");
        assert!(module.expect(&self.said).contains("evil"), "{}", self.said);
    }

    /// That it failed, left nothing of `module`, and the last line says each of `words`.
    #[track_caller]
    pub(crate) fn is_refused(&self, module: &str, words: &[&str]) {
        assert!(!matches!(self.code, Some(0) | None), "{}", self.said);
        assert_eq!(self.module(module), None, "{}", self.said);
        for word in words {
            assert!(
                self.verdict.contains(word),
                "{word}: {} {}",
                self.verdict,
                self.said
            );
        }
    }

    fn module(&self, name: &str) -> Option<String> {
        fs::read_to_string(self.into.join(name).join("__init__.py")).ok()
    }
}

/// An index without any signatures, for whoever asks it.
pub(crate) struct EvilIndex {
    pub(crate) server: Server,
    folder: TempDir,
}

impl EvilIndex {
    /// The words in this version, in a page and as links in a folder.
    pub(crate) fn with_words(version: &str) -> Self {
        Self::made(version, Server::of_folder)
    }

    /// The same at this address.
    pub(crate) fn at(port: u16, version: &str) -> Self {
        Self::made(version, |folder| {
            let mut command = Command::new(prepared("venv/bin/python"));
            command.args(["-m", "http.server", "--bind", "127.0.0.1", "--directory"]);
            command.arg(folder).arg(port.to_string());
            Server::start(command, port)
        })
    }

    fn made(version: &str, serve: impl FnOnce(&Path) -> Server) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let name = format!("countersign_sample_words-{version}-py3-none-any.whl");
        let page = folder.path().join("simple").join(WORDS);
        fs::create_dir_all(&page).unwrap();
        fs::create_dir(folder.path().join("links")).unwrap();
        let wheel = forged_wheel(version, &[]);
        fs::write(page.join(&name), &wheel).unwrap();
        fs::write(folder.path().join("links").join(&name), &wheel).unwrap();
        fs::write(
            page.join("index.html"),
            format!("<a href=\"{name}\">{name}</a>"),
        )
        .unwrap();
        Self {
            server: serve(folder.path()),
            folder,
        }
    }

    /// Its index URL.
    pub(crate) fn url(&self) -> String {
        self.server.url("simple/")
    }

    /// Its folder of links.
    pub(crate) fn links(&self) -> PathBuf {
        self.folder.path().join("links")
    }

    /// What it was asked for.
    pub(crate) fn asked(&self) -> String {
        self.server.log()
    }
}
