//! Ways past the proxy that environment, settings and command line open: under `exec` they count for
//! nothing, and the last line says so. Each is first seen to be one.

use std::fs;
use std::process::Command;

use crate::machine::{EvilIndex, Machine, Ran, WORDS};
use crate::stage::{ALL, Installer, Stage};

/// Evil words of a higher version lie elsewhere; the proxy serves the good ones.
struct Leaky {
    stage: Stage,
    machine: Machine,
    evil: EvilIndex,
}

impl Leaky {
    fn new() -> Self {
        let stage = Stage::new();
        Self {
            machine: Machine::of(&stage),
            evil: EvilIndex::with_words("9.0.0"),
            stage,
        }
    }

    /// The installer asks the verifying proxy, and is led elsewhere by `lead` beside it.
    fn is_led_astray(&self, installer: Installer, lead: impl Fn(&mut Command)) -> Ran {
        let proxy = self.stage.proxy();
        let into = self
            .machine
            .home
            .path()
            .join(format!("{installer:?}-astray"));
        let _ = fs::remove_dir_all(&into);
        let words = installer.command();
        let mut command = self.machine.clean(words[0].clone().into());
        command
            .args(&words[1..])
            .args(["--no-cache-dir", "--target"])
            .arg(&into);
        let index = proxy.url("simple/");
        let name = if installer.is_pip() {
            "PIP_INDEX_URL"
        } else {
            "UV_DEFAULT_INDEX"
        };
        command.env(name, index);
        lead(&mut command);
        Ran::of(&command.arg(WORDS).output().unwrap(), &into)
    }

    fn is_not_under_exec(&self, installer: Installer, lead: impl Fn(&mut Command), named: &str) {
        let mut exec = self.machine.exec(&[]);
        lead(&mut exec);
        let ran = self.machine.install_by(installer, exec, &[WORDS]);
        ran.has_good_words();
        assert!(ran.verdict.contains("neutralized "), "{}", ran.verdict);
        assert!(ran.verdict.contains(named), "{named}: {}", ran.verdict);
    }
}

#[test]
fn variables() {
    let leaky = Leaky::new();
    let (url, links) = (leaky.evil.url(), leaky.evil.links().display().to_string());
    for (installer, name, value) in [
        (Installer::Pip, "PIP_EXTRA_INDEX_URL", &url),
        (Installer::Pip24, "PIP_EXTRA_INDEX_URL", &url),
        (Installer::Pip22, "PIP_EXTRA_INDEX_URL", &url),
        (Installer::Pip, "PIP_FIND_LINKS", &links),
        (Installer::Uv12, "UV_INDEX", &url),
        (Installer::Uv12, "UV_FIND_LINKS", &links),
        (Installer::Uv, "UV_INDEX", &url),
        (Installer::Uv, "UV_EXTRA_INDEX_URL", &url),
        (Installer::Uv, "UV_FIND_LINKS", &links),
    ] {
        let lead = |command: &mut Command| {
            command.env(name, value);
        };
        leaky.is_led_astray(installer, lead).has_evil_words();
        leaky.is_not_under_exec(installer, lead, name);
    }
}

#[test]
fn settings() {
    for (installer, file, text) in [
        (
            Installer::Pip,
            ".config/pip/pip.conf",
            "[global]\nextra-index-url = URL\n",
        ),
        (
            Installer::Pip22,
            ".config/pip/pip.conf",
            "[global]\nextra-index-url = URL\n",
        ),
        (
            Installer::Pip24,
            ".config/pip/pip.conf",
            "[global]\nfind-links = LINKS\n",
        ),
        (Installer::Uv12, "uv.toml", "[[index]]\nurl = \"URL\"\n"),
        (
            Installer::Pip,
            ".pip/pip.conf",
            "[install]\nfind_links = LINKS\n",
        ),
        (
            Installer::Uv,
            ".config/uv/uv.toml",
            "[[index]]\nurl = \"URL\"\n",
        ),
        (Installer::Uv, "uv.toml", "find-links = [\"LINKS\"]\n"),
        (
            Installer::Uv,
            "pyproject.toml",
            "[tool.uv]\nextra-index-url = [\"URL\"]\n",
        ),
    ] {
        let leaky = Leaky::new();
        let path = leaky.machine.home.path().join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let links = leaky.evil.links().display().to_string();
        let text = text
            .replace("URL", &leaky.evil.url())
            .replace("LINKS", &links);
        fs::write(&path, text).unwrap();
        leaky.is_led_astray(installer, |_| ()).has_evil_words();
        leaky.is_not_under_exec(installer, |_| (), file);
    }
}

/// What stands on the command line wins over everything: it is refused before anything runs.
#[test]
fn options() {
    let leaky = Leaky::new();
    let (url, links) = (leaky.evil.url(), leaky.evil.links().display().to_string());
    let requirements = leaky.machine.home.path().join("requirements.txt");
    fs::write(&requirements, format!("{WORDS}\n--find-links {links}\n")).unwrap();
    let file = requirements.display().to_string();
    for installer in ALL {
        for option in [
            ["--extra-index-url", &url],
            ["--find-links", &links],
            ["-f", &links],
            ["-r", &file],
        ] {
            let lead = |command: &mut Command| {
                command.args(option);
            };
            leaky.is_led_astray(installer, lead).has_evil_words();
            let ran = leaky
                .machine
                .install(installer, &[option[0], option[1], WORDS]);
            assert_eq!(ran.code, Some(125), "{}", ran.said);
            assert!(ran.said.contains("hint: leave it out"), "{}", ran.said);
            assert!(!ran.into.exists(), "{}", ran.said);
        }
    }
    assert!(!leaky.evil.asked().is_empty());
}
