//! `countersign quickstart`.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;

use rustix::process::Signal;

use crate::installs::get;
use crate::program::{Place, content};

#[test]
fn once_signs_verifies_and_ends_with_0() {
    let place = Place::new();
    let run = place.run("quickstart --once --port 0").expect_code(0);
    let transcript = include_str!("../screens/quickstart.txt");
    assert_eq!(without_ports(&run.stdout), transcript);
    assert_eq!(run.stderr, "");
    let kept = place.read("countersign-data/client/downloads/countersign_sample_cli-1.0.0.tar.gz");
    let sample = place.read("countersign-data/samples/countersign_sample_cli-1.0.0.tar.gz");
    assert_eq!(kept, sample);
    place
        .run("audit countersign-data --root countersign-data/ceremony/publish-set/1.root.json")
        .expect_code(0)
        .expect_text("tough agrees");
}

/// The text with each port of loopback as `PORT`.
fn without_ports(text: &str) -> String {
    let mut parts = text.split("127.0.0.1:");
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let rest = part.trim_start_matches(|digit: char| digit.is_ascii_digit());
        out.push_str("127.0.0.1:PORT");
        out.push_str(rest);
    }
    out
}

/// Six keys, each encrypted, each with its own random passphrase, all for the owner's eyes only.
#[test]
fn keys_are_encrypted_and_private() {
    let place = Place::after_quickstart();
    let (mut keys, mut passphrases) = (0, std::collections::BTreeSet::new());
    for (path, bytes) in content(&place.at("countersign-data/keys")) {
        let mode = fs::metadata(&path).expect("a file").permissions().mode();
        let text = String::from_utf8(bytes).expect("text");
        let name = path
            .file_name()
            .expect("a name")
            .to_string_lossy()
            .into_owned();
        if name.ends_with(".pem.pub") {
            assert!(text.starts_with("-----BEGIN PUBLIC KEY-----"), "{name}");
            continue;
        }
        assert_eq!(mode & 0o077, 0, "{name} has mode {mode:o}");
        if name.ends_with(".passphrase") {
            assert_eq!(text.trim_end().len(), 64, "{name}");
            passphrases.insert(text);
        } else {
            assert!(
                text.starts_with("-----BEGIN ENCRYPTED PRIVATE KEY-----"),
                "{name}"
            );
            keys += 1;
        }
    }
    assert_eq!((keys, passphrases.len()), (6, 6));
}

#[test]
fn nothing_is_overwritten() {
    let place = Place::after_quickstart();
    let before = content(&place.at("countersign-data"));
    let run = place.run("quickstart --once --port 0").expect_code(1);
    assert!(
        run.stderr.contains("nothing is ever overwritten"),
        "{}",
        run.stderr
    );
    assert!(run.stderr.contains("hint: "), "{}", run.stderr);
    assert!(content(&place.at("countersign-data")) == before);
    // A folder of somebody else's is left alone as well, and so is a file.
    place.write("mine/letter.txt", "dear");
    place
        .run("quickstart --once --data-dir mine")
        .expect_code(1);
    place
        .run("quickstart --once --data-dir mine/letter.txt")
        .expect_code(1);
    assert_eq!(content(&place.at("mine")).len(), 1);
}

/// Whatever can be known to fail does so before a key is made.
#[test]
fn what_cannot_work_leaves_nothing_behind() {
    let place = Place::new();
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = taken.local_addr().expect("an address").port();
    place
        .run(&format!("quickstart --once --port {port}"))
        .expect_code(1)
        .expect_text(&format!("cannot listen on 127.0.0.1:{port}"))
        .expect_text("hint: choose another port");
    place.run("quickstart --once --port 65535").expect_code(2);
    place.write("empty/README.txt", "nothing to install");
    place
        .run("quickstart empty --once --port 0")
        .expect_code(1)
        .expect_text("empty holds no wheel and no source distribution");
    place
        .run("quickstart missing --once --port 0")
        .expect_code(1);
    assert!(!place.at("countersign-data").exists());
}

#[test]
fn it_serves_until_told_to_stop() {
    let place = Place::new();
    let served = place.serve("quickstart --port 0", "Ctrl-C ends it");
    let (proxy, repository) = (served.url("proxy at"), served.url("repository is at"));
    let page = get(&format!("{proxy}/countersign-sample-words/"));
    assert!(page.starts_with("HTTP/1.1 200"), "{page}");
    assert!(
        page.contains("countersign_sample_words-1.0.0-py3-none-any.whl"),
        "{page}"
    );
    let missing = get(&format!("{proxy}/numpy/"));
    assert!(!missing.starts_with("HTTP/1.1 200"), "{missing}");
    let timestamp = get(&format!("{repository}/metadata/timestamp.json"));
    assert!(timestamp.contains("\"_type\":\"timestamp\""), "{timestamp}");
    // The keeper of freshness lets others sign as well: it holds the lock only while it works.
    place.run("online tick").expect_code(0);
    assert_eq!(served.end(Signal::INT), Some(130));
    let port = repository.rsplit(':').next().expect("a port");
    TcpListener::bind(format!("127.0.0.1:{port}")).expect("the port is free again");
}

#[test]
fn a_supervisor_ends_it_with_0() {
    let place = Place::after_quickstart();
    let served = place.serve("serve --listen 127.0.0.1:0", "Ctrl-C ends it");
    assert_eq!(served.end(Signal::TERM), Some(0));
}
