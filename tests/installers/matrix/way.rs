//! How somebody installs: with which program, and by which way to the index.

use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use countersign_tests::environment::Server;

use crate::machine::{Machine, Ran};
use crate::poetry::PoetryProject;
use crate::stage::{Installer, Stage};

/// A program that installs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Who {
    Pip,
    Pip24,
    Pip22,
    Uv,
    Uv12,
    Poetry,
}

impl Who {
    /// The same among those that install into a folder; poetry installs into environments only.
    fn installer(self) -> Option<Installer> {
        Some(match self {
            Self::Pip => Installer::Pip,
            Self::Pip24 => Installer::Pip24,
            Self::Pip22 => Installer::Pip22,
            Self::Uv => Installer::Uv,
            Self::Uv12 => Installer::Uv12,
            Self::Poetry => return None,
        })
    }

    /// Whether it takes no wheel whose last bytes are missing, though they were but a comment.
    pub(super) fn reads_the_end_of_a_wheel(self) -> bool {
        self == Self::Uv
    }

    /// Whether it prints what a server answers in place of a page or file.
    pub(super) fn repeats_reasons(self) -> bool {
        matches!(self, Self::Pip | Self::Uv)
    }
}

/// A way to the index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    /// From the mirror itself: the control.
    Direct,
    /// A proxy is the index.
    Index,
    /// The index's own URL, through a forward proxy.
    Forward,
    Exec,
}

/// The URL of nobody's host: whatever comes from there comes from the proxy.
const OWN: &str = "https://index.example/simple/";

/// A machine from which the index is reached in one mode.
pub(super) struct Way {
    who: Who,
    mode: Mode,
    index: String,
    poetry: PoetryProject,
    machine: Machine,
    proxy: Option<Server>,
}

/// What came of an installation.
pub(super) struct Attempt {
    pub(super) code: Option<i32>,
    /// Everything the installer wrote.
    pub(super) said: String,
    /// What the proxy wrote meanwhile, or the last line of `exec`.
    pub(super) reported: String,
    site: PathBuf,
}

impl Attempt {
    pub(super) fn has(&self, module: &str) -> bool {
        self.site.join(module).exists()
    }
}

impl Way {
    pub(super) fn new(stage: &Stage, who: Who, mode: Mode) -> Self {
        let options: &[&str] = match mode {
            Mode::Forward => &["--canonical-url", OWN],
            _ => &[],
        };
        let machine = Machine::with(stage, options);
        let proxy = match mode {
            Mode::Direct | Mode::Exec => None,
            Mode::Index => Some(stage.proxy()),
            Mode::Forward => {
                let mut command = machine.countersign(&["proxy", "--index", "main", "--forward"]);
                command.current_dir(machine.home.path());
                Some(Server::start(command, machine.port))
            }
        };
        let index = match (mode, &proxy) {
            (Mode::Index, Some(proxy)) => proxy.url("simple/"),
            (Mode::Direct, _) => stage.server.url("simple/"),
            (Mode::Forward, _) => OWN.to_owned(),
            _ => machine.index_url(),
        };
        Self {
            who,
            mode,
            index,
            poetry: PoetryProject::new(&machine, "project"),
            machine,
            proxy,
        }
    }

    /// Installs the project into an environment that has nothing of it.
    pub(super) fn install(&self, project: &str) -> Attempt {
        let before = self.proxy.as_ref().map_or(0, |proxy| proxy.log().len());
        let ran = match self.who.installer() {
            Some(installer) => self.install_into_a_folder(installer, project),
            None => self.install_by_poetry(project),
        };
        let mut reported = ran.verdict;
        if let Some(proxy) = &self.proxy {
            reported = log_since(proxy, before, ran.code != Some(0));
        }
        Attempt {
            code: ran.code,
            said: ran.said,
            reported,
            site: ran.into,
        }
    }

    fn install_into_a_folder(&self, installer: Installer, project: &str) -> Ran {
        let into = self.machine.home.path().join(project);
        let words = installer.command();
        let mut command = self.command(&words[0]);
        installer.prepare(&mut command);
        command.args(&words[1..]).arg("--target").arg(&into);
        command.arg(project);
        Ran::of(&command.output().unwrap(), &into)
    }

    fn install_by_poetry(&self, project: &str) -> Ran {
        let words = PoetryProject::words();
        let mut command = self.command(&words[0]);
        command.args(&words[1..]);
        let depends = format!("{project} = \"*\"");
        self.poetry.install(command, &[&self.index], &depends)
    }

    /// The program as it is started in this mode.
    fn command(&self, program: &str) -> Command {
        let mut command = match self.mode {
            Mode::Exec => {
                let mut exec = self.machine.exec(&[]);
                exec.arg(program);
                return exec;
            }
            _ => self.machine.clean(program.into()),
        };
        command.env("PIP_INDEX_URL", &self.index);
        command.env("PIP_TRUSTED_HOST", "127.0.0.1");
        command.env("UV_DEFAULT_INDEX", &self.index);
        if let (Mode::Forward, Some(proxy)) = (self.mode, &self.proxy) {
            let file = ".local/share/countersign/indexes/main/authorities.pem";
            command.env("HTTPS_PROXY", proxy.url(""));
            for name in ["SSL_CERT_FILE", "PIP_CERT", "REQUESTS_CA_BUNDLE"] {
                command.env(name, self.machine.home.path().join(file));
            }
        }
        command
    }
}

/// What the proxy has written since; a refusal may take a moment to come through the pipe.
fn log_since(proxy: &Server, before: usize, is_due: bool) -> String {
    let deadline = Instant::now() + Duration::from_secs(2);
    loop {
        let log = proxy.log().split_off(before);
        if !is_due || log.contains("TUF") || Instant::now() > deadline {
            return log;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}
