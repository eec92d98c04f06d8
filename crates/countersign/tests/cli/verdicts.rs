//! Each kind of failure has its exit code, and a message that names what failed.

use std::fs::File;
use std::net::TcpListener;
use std::path::Path;

use chrono::{TimeDelta, Utc};
use rustix::process::Signal;

use crate::past::publish;
use crate::program::{Place, content, copy};

const WORDS: &str = "countersign_sample_words-1.0.0-py3-none-any.whl";
const REPOSITORY: &str = "countersign-data/repository";

/// A client that trusts quickstart's repository.
fn with_client() -> Place {
    let place = Place::after_quickstart();
    place
        .run("client init countersign-data/ceremony/publish-set/1.root.json")
        .expect_code(0);
    place
}

fn refresh(place: &Place) -> String {
    format!(
        "client refresh --metadata-url {}",
        place.url(&format!("{REPOSITORY}/metadata"))
    )
}

fn download(place: &Place) -> String {
    let url = place.url(&format!("{REPOSITORY}/metadata"));
    format!("client download {WORDS} --dir got --metadata-url {url}")
}

/// Changes the one file below `folder` whose path has `part` in it.
fn alter(folder: &Path, part: &str, change: impl FnOnce(&mut Vec<u8>)) {
    let mut found: Vec<_> = content(folder)
        .into_iter()
        .filter(|(path, _)| path.to_string_lossy().contains(part))
        .collect();
    assert_eq!(found.len(), 1, "{part}");
    let (path, mut bytes) = found.remove(0);
    change(&mut bytes);
    // Files of a repository share their bytes with other names: a new one is put in place.
    std::fs::remove_file(&path).expect("removed");
    std::fs::write(path, bytes).expect("written");
}

#[test]
fn code_10_for_altered_files_pages_and_metadata() {
    for (part, folder) in [
        (
            ".countersign_sample_words-1.0.0-py3-none-any.whl",
            "targets/packages",
        ),
        (".vnd.pypi.simple.v1.json", "targets/simple/60"),
        ("1.targets.json", "metadata"),
    ] {
        let place = with_client();
        let folder = place.at(&format!("{REPOSITORY}/{folder}"));
        let suffix = if part.ends_with("whl") {
            "any.whl"
        } else {
            part
        };
        let is_wheel = part.ends_with("whl");
        let before = content(&folder);
        for (path, mut bytes) in before {
            let name = path.to_string_lossy().into_owned();
            if name.ends_with(suffix) && (!is_wheel || name.contains("words")) {
                let last = bytes.len() - 3;
                bytes[last] ^= 1;
                std::fs::remove_file(&path).expect("removed");
                std::fs::write(path, bytes).expect("written");
            }
        }
        let run = place.run(&download(&place)).expect_code(10);
        assert!(
            run.stderr
                .contains("hint: what was served is not what was signed"),
            "{}",
            run.stderr
        );
        assert!(!place.at(&format!("got/{WORDS}")).exists(), "{part}");
    }
}

#[test]
fn code_11_for_metadata_signed_by_nobody_we_know() {
    let place = with_client();
    alter(&place.at(REPOSITORY), "timestamp.json", |bytes| {
        let text = String::from_utf8(bytes.clone()).expect("JSON");
        let at = text.find("\"sig\":\"").expect("a signature") + 7;
        bytes[at] = if bytes[at] == b'0' { b'1' } else { b'0' };
    });
    place
        .run(&refresh(&place))
        .expect_code(11)
        .expect_text("timestamp v1 has 0 of 1 signatures");
}

#[test]
fn code_12_for_a_repository_that_nobody_renews() {
    let place = Place::new();
    let root = publish(&place, Utc::now() - TimeDelta::days(3));
    place.run(&format!("client init {root}")).expect_code(0);
    let run = place.run(&refresh(&place)).expect_code(12);
    assert!(
        run.stderr.contains("error: timestamp v1 expired at "),
        "{}",
        run.stderr
    );
    assert!(
        run.stderr
            .contains("hint: the repository is not being updated"),
        "{}",
        run.stderr
    );
}

/// What has expired is renewed by whoever has the online key, and is good again.
#[test]
fn a_daemon_renews_what_has_expired() {
    let place = Place::new();
    let root = publish(&place, Utc::now() - TimeDelta::days(3));
    place.run(&format!("client init {root}")).expect_code(0);
    place.run(&refresh(&place)).expect_code(12);
    let line = "online run --every 1 --online-key file:online.pem --passphrase-file online.secret";
    let served = place.serve(line, "until stopped");
    let mut tries = 0;
    while place.run(&refresh(&place)).code != Some(0) {
        tries += 1;
        assert!(tries < 100, "nothing was renewed");
        std::thread::sleep(std::time::Duration::from_millis(200));
    }
    assert_eq!(served.end(Signal::TERM), Some(0));
}

/// A server that accepts and never answers; the user has had enough.
#[test]
fn code_130_for_ctrl_c() {
    let place = with_client();
    let silent = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = silent.local_addr().expect("an address");
    let line = format!("client refresh --metadata-url http://{address}/metadata/");
    let mut child = place.command(&line).spawn().expect("the program starts");
    let (_connection, _) = silent.accept().expect("it asks");
    let id = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(id, Signal::INT).expect("it runs");
    assert_eq!(child.wait().expect("it ends").code(), Some(130));
}

#[test]
fn code_13_for_an_older_timestamp() {
    let place = with_client();
    copy(&place.at(REPOSITORY), &place.at("old"));
    // Removing a file makes a second version.
    place.run(&format!("index remove {WORDS}")).expect_code(0);
    place.run("online tick --at-once").expect_code(0);
    place.run(&refresh(&place)).expect_code(0);
    let old = format!(
        "client refresh --metadata-url {}",
        place.url("old/metadata")
    );
    place
        .run(&old)
        .expect_code(13)
        .expect_text("timestamp went back from v2 to v1");
}

#[test]
fn code_14_for_what_nobody_signed() {
    let place = with_client();
    let url = place.url(&format!("{REPOSITORY}/metadata"));
    for (name, text) in [
        (
            "numpy-2.0.0.tar.gz",
            "there is no project `numpy` on this index",
        ),
        (
            "countersign_sample_words-2.0.0-py3-none-any.whl",
            "does not list",
        ),
        (
            "packages/60/countersign-sample-words/other.whl",
            "no role lists it",
        ),
    ] {
        place
            .run(&format!("client download {name} --metadata-url {url}"))
            .expect_code(14)
            .expect_text(text);
    }
}

#[test]
fn code_20_for_what_cannot_be_fetched() {
    let place = with_client();
    place
        .run("client refresh --metadata-url http://127.0.0.1:1/metadata/")
        .expect_code(20)
        .expect_text("could not be fetched");
}

#[test]
fn code_75_while_another_process_signs() {
    let place = Place::after_quickstart();
    let lock = File::open(place.at("countersign-data/lock")).expect("the lock");
    lock.lock().expect("locked");
    place
        .run("online tick")
        .expect_code(75)
        .expect_text("another process is at work");
    drop(lock);
    place.run("online tick").expect_code(0);
}

#[test]
fn codes_1_and_2_for_refusals_and_wrong_usage() {
    let place = Place::new();
    place
        .run("index status")
        .expect_code(1)
        .expect_text("hint: `countersign index init`");
    place.run("index fly").expect_code(2);
    place.run("client download --metadata-url").expect_code(2);
    place
        .run("online tick --online-key online.pem")
        .expect_code(2)
        .expect_text("`file:online.pem`");
    place.run("client init nowhere.json").expect_code(1);
    place.write("letter.json", "{}");
    place
        .run("client init letter.json")
        .expect_code(10)
        .expect_text("no root that can be trusted");
    place.write("root.json", "{}");
    let sha256 = "00".repeat(32);
    place
        .run(&format!("client init root.json --root-sha256 {sha256}"))
        .expect_code(1)
        .expect_text("do not trust this file");
}

#[test]
fn an_audit_names_what_is_wrong() {
    let place = Place::after_quickstart();
    let bins = place.at(&format!("{REPOSITORY}/metadata/1.bins-000.json"));
    std::fs::remove_file(bins).expect("removed");
    let root = "--root countersign-data/ceremony/publish-set/1.root.json";
    let run = place
        .run(&format!("audit countersign-data {root}"))
        .expect_code(20);
    assert!(run.stdout.contains("WRONG: bins-000"), "{}", run.stdout);
    let report = place
        .run(&format!("audit countersign-data {root} --json"))
        .expect_code(20)
        .json();
    assert_eq!(report["findings"][0]["finding"], "role");
}
