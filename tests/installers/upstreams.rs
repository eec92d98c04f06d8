//! Two indexes, each signed as it should be, by their own operators. A project belongs to one of them;
//! whatever the other publishes under its name, however it is spelled, counts for nothing. The
//! control is the same attack under rules that give the name to the attacker.

use std::fs;
use std::path::PathBuf;

use countersign_tests::environment::{Server, free_port, said};
use countersign_tests::published::{Made, PublishedIndex};
use policy::Encoding;

use crate::machine::{Machine, Ran, WORDS};
use crate::poetry::PoetryProject;
use crate::stage::{ALL, BOTH, Installer, Stage, forged_wheel, sample};

const WHEEL: &str = "countersign_sample_words-1.0.0-py3-none-any.whl";

/// What an index called `other` publishes.
struct Other {
    _home: tempfile::TempDir,
    index: PublishedIndex,
    server: Server,
}

impl Other {
    /// These versions of the words, all evil, and the true first one if it is asked for.
    fn with(evil: &[&str], is_true_there: bool) -> Self {
        let home = tempfile::tempdir().unwrap();
        let mut files: Vec<PathBuf> = evil
            .iter()
            .map(|version| {
                let name = WHEEL.replace("1.0.0", version);
                let path = home.path().join(name);
                fs::write(&path, forged_wheel(version, &[])).unwrap();
                path
            })
            .collect();
        files.extend(is_true_there.then(|| sample(WHEEL)));
        let folder = home.path().join("index");
        fs::create_dir(&folder).unwrap();
        let index = PublishedIndex::make(&folder, Made::small(Encoding::PathHashPrefixes), &files);
        let server = Server::of_folder(&index.store());
        Self {
            _home: home,
            index,
            server,
        }
    }

    /// A machine that trusts both.
    fn machine(&self, stage: &Stage) -> Machine {
        self.machine_at(stage, free_port())
    }

    /// The same; this port is for this index.
    fn machine_at(&self, stage: &Stage, port: u16) -> Machine {
        let machine = Machine::of(stage);
        let added = machine
            .countersign(&["trust", "add", "other", &self.server.url("")])
            .args(["--root".as_ref(), self.index.root().as_os_str()])
            .args(["--proxy-port", &port.to_string()])
            .output()
            .unwrap();
        assert!(added.status.success(), "{}", said(&added));
        machine
    }
}

fn install(machine: &Machine, installer: Installer, rules: &str, what: &str) -> Ran {
    let path = machine.home.path().join("rules.toml");
    fs::write(&path, rules).unwrap();
    let exec = machine.exec(&["--rules", path.to_str().unwrap()]);
    machine.install_by(installer, exec, &[what])
}

fn belongs(name: &str, upstream: &str, rest: &str) -> String {
    format!(
        "[[rule]]\nprojects = [\"{name}\"]\nupstream = \"{upstream}\"\n\
         [[rule]]\nprojects = [\"*\"]\nupstream = \"{rest}\"\n"
    )
}

#[test]
fn a_higher_version_elsewhere_confuses_nobody() {
    let stage = Stage::new();
    let other = Other::with(&["9.0.0"], false);
    for installer in ALL {
        let machine = other.machine(&stage);
        let ran = install(&machine, installer, &belongs(WORDS, "main", "other"), WORDS);
        ran.has_good_words();
        assert!(ran.verdict.contains("of main and other"), "{}", ran.verdict);
        let ran = install(&machine, installer, &belongs(WORDS, "other", "main"), WORDS);
        ran.has_evil_words();
    }
}

#[test]
fn the_spelling_of_a_name_changes_nothing() {
    let stage = Stage::new();
    let other = Other::with(&["9.0.0"], false);
    for installer in BOTH {
        for (ruled, asked) in [
            ("Countersign_Sample.Words", WORDS),
            (WORDS, "COUNTERSIGN__sample-Words"),
            ("countersign.sample_*", "countersign-Sample.words"),
        ] {
            let machine = other.machine(&stage);
            install(&machine, installer, &belongs(ruled, "main", "other"), asked).has_good_words();
            install(&machine, installer, &belongs(ruled, "other", "main"), asked).has_evil_words();
        }
    }
}

/// What an upstream does not have is not there, though another one has it.
#[test]
fn a_missing_project_is_not_taken_from_elsewhere() {
    let stage = Stage::new();
    let other = Other::with(&["9.0.0"], false);
    for installer in BOTH {
        let machine = other.machine(&stage);
        for rules in [
            // The other index has no greeter, this one has.
            belongs("countersign-sample-greeter", "other", "main"),
            // Nobody says whose it is.
            format!("[[rule]]\nprojects = [\"{WORDS}\"]\nupstream = \"main\"\n"),
        ] {
            let ran = install(&machine, installer, &rules, "countersign-sample-greeter");
            ran.is_refused("countersign_sample_greeter", &[]);
        }
        let rules = belongs("countersign-sample-*", "main", "other");
        let ran = install(&machine, installer, &rules, "countersign-sample-greeter");
        assert_eq!(ran.code, Some(0), "{}", ran.said);
    }
}

/// Where both have to agree, neither alone gets anything through.
#[test]
fn what_two_have_to_agree_on_takes_both() {
    let stage = Stage::new();
    let both = format!(
        "[[rule]]\nprojects = [\"{WORDS}\"]\nupstreams = [\"main\", \"other\"]\nagree = 2\n"
    );
    // A version that one alone has is left out, and said to be.
    let other = Other::with(&["9.0.0"], true);
    for installer in BOTH {
        let machine = other.machine(&stage);
        let ran = install(&machine, installer, &both, WORDS);
        ran.has_good_words();
        assert!(ran.verdict.contains("WITHHELD 1 file"), "{}", ran.verdict);
        install(&machine, installer, &belongs(WORDS, "other", "main"), WORDS).has_evil_words();
    }
    // Other bytes under the same name: nobody's come.
    let other = Other::with(&["1.0.0"], false);
    for installer in BOTH {
        let machine = other.machine(&stage);
        let ran = install(&machine, installer, &both, WORDS);
        ran.is_refused("countersign_sample_words", &["REFUSED TUF disagreement"]);
        install(&machine, installer, &belongs(WORDS, "other", "main"), WORDS).has_evil_words();
    }
    // One that cannot be asked agrees with nobody.
    let machine = other.machine(&stage);
    drop(other.server);
    let ran = install(&machine, Installer::Pip, &both, WORDS);
    ran.is_refused("countersign_sample_words", &["REFUSED"]);
    install(
        &machine,
        Installer::Pip,
        &belongs(WORDS, "main", "other"),
        WORDS,
    )
    .has_good_words();
}

/// A project that names the other index by the address of its proxy: `exec` before one index does not answer
/// for it from that one, where anybody may have published the name.
#[test]
fn the_address_of_another_index_is_not_answered_from_this_one() {
    let stage = Stage::new();
    let other = Other::with(&[], true);
    let port = free_port();
    let machine = other.machine_at(&stage, port);
    let address = format!("http://127.0.0.1:{port}/simple/");
    let project = PoetryProject::new(&machine, "project");
    let install = |name: &str| {
        let mut exec = machine.exec(&["--index", name]);
        exec.args(PoetryProject::words());
        project.install(exec, &[&address], &format!("{WORDS} = \"*\""))
    };
    let ran = install("other");
    assert_eq!(ran.code, Some(0), "{}", ran.said);
    assert!(ran.verdict.contains("1 file of other"), "{}", ran.verdict);
    let ran = install("main");
    assert_ne!(ran.code, Some(0), "{}", ran.said);
    let refused = format!("REFUSED connections to 127.0.0.1:{port}");
    assert!(ran.verdict.contains(&refused), "{}", ran.verdict);
    assert!(!ran.verdict.contains("1 file"), "{}", ran.verdict);
}
