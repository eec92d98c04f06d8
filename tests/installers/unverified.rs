//! An index that signs nothing, named in the rules for single projects: real installers get those from
//! it and nothing else, and every verdict says so. It is served by Python's web server as HTML, and by
//! our own server, which negotiates, as JSON.

use std::fs;

use countersign_tests::environment::{Server, free_port};
use countersign_tests::published::{Made, PublishedIndex};
use policy::Encoding;

use crate::machine::{EvilIndex, Machine, Ran, WORDS};
use crate::stage::{ALL, BOTH, Installer, Stage, forged_wheel, sample};

const WHEEL: &str = "countersign_sample_words-1.0.0-py3-none-any.whl";

/// The words come from `url`, which signs nothing; all else from `main`.
fn rules(machine: &Machine, url: &str) -> String {
    let path = machine.home.path().join("rules.toml");
    let text = format!(
        "[[rule]]\nprojects = [\"{WORDS}\"]\nunverified = \"{url}\"\n\
         [[rule]]\nprojects = [\"*\"]\nupstream = \"main\"\n"
    );
    fs::write(&path, text).unwrap();
    path.display().to_string()
}

fn install(machine: &Machine, installer: Installer, url: &str, what: &str) -> Ran {
    let exec = machine.exec(&["--rules", &rules(machine, url)]);
    machine.install_by(installer, exec, &[what])
}

#[test]
fn what_comes_from_it_is_counted_and_named() {
    let stage = Stage::new();
    // Its words are of another version, so that it shows where they come from.
    let old = EvilIndex::with_words("9.0.0");
    let wheel = WHEEL.replace("1.0.0", "9.0.0");
    for installer in ALL {
        let machine = Machine::of(&stage);
        let ran = install(
            &machine,
            installer,
            &old.url(),
            "countersign-sample-greeter",
        );
        ran.has_evil_words();
        for words in [
            "verified 1 page and 1 file of main".to_owned(),
            format!("UNVERIFIED 1 page and 1 file of {}: {wheel}", old.url()),
        ] {
            assert!(ran.verdict.contains(&words), "{words}: {}", ran.verdict);
        }
        let warning = format!(
            "unverified: the file is served as it came, index {}, file {wheel}",
            old.url()
        );
        assert!(ran.said.contains(&warning), "{warning}: {}", ran.said);
    }
    // It was asked for what is its own.
    let asked = old.asked();
    assert!(
        asked.contains(WORDS) && !asked.contains("greeter"),
        "{asked}"
    );

    let machine = Machine::of(&stage);
    let mut exec = machine.exec(&["--json", "--rules", &rules(&machine, &old.url())]);
    Installer::Uv.prepare(&mut exec);
    exec.args(Installer::Uv.command()).arg("--target");
    exec.arg(machine.home.path().join("json")).arg(WORDS);
    let output = exec.output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    let report = stderr.lines().last().unwrap();
    let report: serde_json::Value = serde_json::from_str(report).expect(&stderr);
    let from = &report["verdict"]["unverified"][old.url()];
    assert_eq!(from["distributions"][0], wheel.as_str(), "{report}");
    assert_eq!(from["projects"][0], WORDS);
    assert_eq!(report["verdict"]["files"], 0);
}

/// Its own page's hashes are enforced for installers that do not.
#[test]
fn a_file_that_its_page_does_not_name_is_refused() {
    let stage = Stage::new();
    let folder = tempfile::tempdir().unwrap();
    let page = folder.path().join("simple").join(WORDS);
    fs::create_dir_all(&page).unwrap();
    let digest = metadata::Sha256::of(&fs::read(sample(WHEEL)).unwrap());
    let json = format!(
        "{{\"meta\": {{\"api-version\": \"1.0\"}}, \"name\": \"{WORDS}\", \"files\": [{{\"filename\": \
         \"{WHEEL}\", \"url\": \"{WHEEL}\", \"hashes\": {{\"sha256\": \"{digest}\"}}}}]}}"
    );
    fs::write(page.join("index.html"), json).unwrap();
    let server = Server::of_folder(folder.path());
    for installer in ALL {
        let machine = Machine::of(&stage);
        fs::copy(sample(WHEEL), page.join(WHEEL)).unwrap();
        install(&machine, installer, &server.url("simple/"), WORDS).has_good_words();
        // The proxy has it by now; another machine's has not.
        fs::write(page.join(WHEEL), forged_wheel("1.0.0", &[])).unwrap();
        let machine = Machine::of(&stage);
        let ran = install(&machine, installer, &server.url("simple/"), WORDS);
        ran.is_refused(
            "countersign_sample_words",
            &[
                "REFUSED TUF mismatch ",
                "has another hash than its page says",
            ],
        );
    }
}

/// Trusts an index as `other`.
fn trust_empty(machine: &Machine, other: &Stage) {
    let port = free_port().to_string();
    let url = other.server.url("");
    let mut added = machine.countersign(&["trust", "add", "other", &url, "--proxy-port", &port]);
    added.arg("--root").arg(other.index.root());
    assert!(added.status().unwrap().success());
}

/// A name belongs to it or does not: it is never asked because another index fails or has nothing.
#[test]
fn it_stands_in_for_nobody() {
    let stage = Stage::new();
    let old = EvilIndex::with_words("9.0.0");
    let empty = Stage::with_files(&[sample(WHEEL)]);
    for installer in BOTH {
        let machine = Machine::of(&stage);
        trust_empty(&machine, &empty);
        for rules in [
            // No rule says whose the greeter is; or one says that it is an index's that has none.
            format!("[[rule]]\nprojects = [\"{WORDS}\"]\nupstream = \"main\"\n"),
            "[[rule]]\nprojects = [\"countersign-sample-g*\"]\nupstream = \"other\"\n".to_owned(),
        ] {
            let named = old.url();
            let rules =
                format!("{rules}[[rule]]\nprojects = [\"something\"]\nunverified = \"{named}\"\n");
            let path = machine.home.path().join("rules.toml");
            fs::write(&path, rules).unwrap();
            let exec = machine.exec(&["--rules", path.to_str().unwrap()]);
            let ran = machine.install_by(installer, exec, &["countersign-sample-greeter"]);
            ran.is_refused("countersign_sample_greeter", &[]);
        }
        // Nor is anybody asked in its place.
        let gone = format!("http://127.0.0.1:{}/simple/", free_port());
        let ran = install(&machine, installer, &gone, WORDS);
        ran.is_refused("countersign_sample_words", &["REFUSED TUF unreachable"]);
    }
    assert!(!old.asked().contains("GET"), "{}", old.asked());
    let machine = Machine::of(&stage);
    let path = rules(&machine, "http://old.example/simple/");
    let exec = machine.exec(&["--rules", &path]);
    let ran = machine.install_by(Installer::Uv, exec, &[WORDS]);
    assert_eq!(ran.code, Some(125), "{}", ran.said);
    assert!(ran.said.contains("without TLS"), "{}", ran.said);
}

/// Pages as JSON, core metadata among it: our own server's plain mirror, taken for what it is to those
/// who know nothing of TUF.
#[test]
fn a_json_index_serves_core_metadata_too() {
    let stage = Stage::new();
    let home = tempfile::tempdir().unwrap();
    let made = Made::small(Encoding::PathHashPrefixes);
    let index = PublishedIndex::make(home.path(), made, &[sample(WHEEL)]);
    let port = free_port();
    let mut command = Machine::of(&stage).countersign(&["serve", "--listen"]);
    command.arg(format!("127.0.0.1:{port}")).arg("--data-dir");
    command.arg(index.store().parent().unwrap());
    command.current_dir(home.path());
    let server = Server::start(command, port);
    for installer in BOTH {
        let machine = Machine::of(&stage);
        let ran = install(&machine, installer, &server.url("simple/"), WORDS);
        ran.has_good_words();
        assert!(ran.verdict.contains("UNVERIFIED 1 page"), "{}", ran.verdict);
    }
}
