//! What poetry and signed packages themselves lead to under `exec`: requirements that are URLs, second
//! sources of a project, a cache and a port that somebody had before. Each is first seen to work
//! without it.

use std::fs;
use std::os::unix::fs::symlink;

use countersign_tests::environment::{clean_command, prepared, said};
use countersign_tests::published::Made;
use policy::Encoding;

use crate::machine::{EvilIndex, Machine, Ran, WORDS};
use crate::poetry::PoetryProject;
use crate::stage::{ALL, Stage};

const DEMANDING: &str = "countersign-demanding";

/// A wheel with nothing in it but a requirement.
fn demanding_wheel(requires: &str) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("wheel");
    let script = "
import sys, zipfile
target, requires = sys.argv[1:]
info = 'countersign_demanding-1.0.0.dist-info'
with zipfile.ZipFile(target, 'w') as wheel:
    wheel.writestr('countersign_demanding/__init__.py', '')
    wheel.writestr(f'{info}/METADATA', 'Metadata-Version: 2.1\\nName: countersign-demanding\\n'
                   f'Version: 1.0.0\\nRequires-Dist: {requires}\\n')
    wheel.writestr(f'{info}/WHEEL', 'Wheel-Version: 1.0\\nGenerator: g\\nRoot-Is-Purelib: true\\n'
                   'Tag: py3-none-any\\n')
    wheel.writestr(f'{info}/RECORD', ''.join(f'{it},,\\n' for it in wheel.namelist()))
";
    let output = clean_command(prepared("venv/bin/python"), folder.path())
        .args(["-c", script])
        .arg(&target)
        .arg(requires)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", said(&output));
    fs::read(target).unwrap()
}

/// A machine with a project of poetry.
struct Poet {
    machine: Machine,
    project: PoetryProject,
}

impl Poet {
    fn of(stage: &Stage) -> Self {
        let machine = Machine::of(stage);
        let project = PoetryProject::new(&machine, "project");
        Self { machine, project }
    }

    fn directly(&self, sources: &[&str], what: &str) -> Ran {
        let words = PoetryProject::words();
        let mut command = self.machine.clean(words[0].clone().into());
        command.args(&words[1..]);
        self.project
            .install(command, sources, &format!("{what} = \"*\""))
    }

    fn under_exec(&self, sources: &[&str], what: &str) -> Ran {
        let mut exec = self.machine.exec(&[]);
        exec.args(PoetryProject::words());
        self.project
            .install(exec, sources, &format!("{what} = \"*\""))
    }
}

/// What was signed requires a file of another host by its URL: the signature is no word for that.
#[test]
fn a_dependency_by_its_url_is_not_fetched() {
    let evil = EvilIndex::with_words("9.0.0");
    let host = evil.server.url("").replace("http://", "").replace('/', "");
    let file = "links/countersign_sample_words-9.0.0-py3-none-any.whl";
    let requires = format!("{WORDS} @ {}", evil.server.url(file));
    let folder = tempfile::tempdir().unwrap();
    let wheel = folder
        .path()
        .join("countersign_demanding-1.0.0-py3-none-any.whl");
    fs::write(&wheel, demanding_wheel(&requires)).unwrap();
    let stage = Stage::of(Made::small(Encoding::PathHashPrefixes), &[wheel]);
    let index = stage.server.url("simple/");
    let words = ["REFUSED connections to ", &host];
    for installer in ALL {
        let machine = Machine::of(&stage);
        let direct = machine.install_directly(installer, &index, &[DEMANDING]);
        let ran = machine.install(installer, &[DEMANDING]);
        if installer.is_pip() {
            direct.has_evil_words();
            ran.is_refused("countersign_sample_words", &words);
        } else {
            // uv takes URLs from whoever asks for them, and from no package.
            direct.is_refused("countersign_sample_words", &[]);
            ran.is_refused("countersign_sample_words", &[]);
        }
    }
    let poet = Poet::of(&stage);
    poet.directly(&[&index], DEMANDING).has_evil_words();
    let ran = poet.under_exec(&[&poet.machine.index_url()], DEMANDING);
    ran.is_refused("countersign_sample_words", &words);
}

/// A project that names another source first. Under the paths of a proxy's, on this machine, it may be
/// the proxy of an earlier run, and is answered with what was verified; elsewhere it is refused.
#[test]
fn another_source_of_a_poetry_project_is_not_asked() {
    let stage = Stage::new();
    let evil = EvilIndex::with_words("9.0.0");
    let elsewhere = evil.links().with_file_name("elsewhere");
    symlink("simple", elsewhere).unwrap();
    let host = evil.server.url("").replace("http://", "").replace('/', "");
    let poet = Poet::of(&stage);
    let (index, ours) = (stage.server.url("simple/"), poet.machine.index_url());
    for (url, is_refused) in [(evil.url(), false), (evil.server.url("elsewhere/"), true)] {
        poet.directly(&[&url, &index], WORDS).has_evil_words();
        let before = evil.asked();
        let ran = poet.under_exec(&[&url, &ours], WORDS);
        assert_eq!(evil.asked(), before, "{}", ran.said);
        if is_refused {
            let words = ["REFUSED connections to ", &host];
            ran.is_refused("countersign_sample_words", &words);
        } else {
            ran.has_good_words();
        }
    }
}

/// Somebody had the address before: what poetry keeps of it is not what it uses.
#[test]
fn a_poisoned_cache_of_poetry_is_not_used() {
    let stage = Stage::new();
    let poet = Poet::of(&stage);
    let url = poet.machine.index_url();
    let evil = EvilIndex::at(poet.machine.port, "1.0.0");
    poet.directly(&[&url], WORDS).has_evil_words();
    drop(evil);
    poet.under_exec(&[&url], WORDS).has_good_words();
}

/// Somebody has the address now, and it stands in the project: nobody is asked there.
#[test]
fn a_squatted_port_does_not_get_poetry() {
    let stage = Stage::new();
    let poet = Poet::of(&stage);
    let url = poet.machine.index_url();
    let squatter = EvilIndex::at(poet.machine.port, "1.0.0");
    poet.directly(&[&url], WORDS).has_evil_words();
    let before = squatter.asked();
    let ran = poet.under_exec(&[&url], WORDS);
    let taken = ran.verdict.contains("its port is taken by ");
    assert!(taken, "{}", ran.verdict);
    ran.has_good_words();
    let since = squatter.asked().replacen(&before, "", 1);
    assert!(!since.contains("/simple/"), "{since}");
}
