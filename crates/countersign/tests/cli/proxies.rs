//! How the proxy starts, and how it says that it cannot.

use std::fs::File;
use std::process::Stdio;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::installs::get;
use crate::program::{Place, Run, copy};

const ROOT: &str = "countersign-data/ceremony/publish-set/1.root.json";

fn line(place: &Place, root: &str) -> String {
    let url = place.url("countersign-data/repository/metadata");
    format!("proxy --metadata-url {url} --root {root} --metadata-dir md --listen 127.0.0.1:0")
}

#[test]
fn another_root_than_the_one_trusted_is_refused() {
    let place = Place::after_quickstart();
    let line_ = line(&place, ROOT);
    for _ in 0..2 {
        // The same root again is no news.
        let served = place.serve(&line_, "Ctrl-C ends it");
        assert_eq!(served.end(Signal::TERM), Some(0));
    }
    let other = Place::new();
    other.run("quickstart --once --port 0").expect_code(0);
    copy(&other.at("countersign-data"), &place.at("other"));
    let theirs = ROOT.replace("countersign-data", "other");
    place
        .run(&line(&place, &theirs))
        .expect_code(1)
        .expect_text("md trusts another root: v1 with SHA-256 ")
        .expect_text("hint: leave the root out");
}

#[test]
fn a_bad_url_is_named_with_the_cause_and_a_hint() {
    let place = Place::after_quickstart();
    let refused = format!("proxy --metadata-url ftp://index.example/md/ --root {ROOT}");
    place
        .run(&refused)
        .expect_code(1)
        .expect_text("ftp://index.example/md/")
        .expect_text("only http, https and file are fetched")
        .expect_text("hint: ");
    // One that may be right later: it starts, and says why it serves nothing.
    let url = "http://127.0.0.1:1/metadata/";
    let unreachable = format!("proxy --metadata-url {url} --root {ROOT} --metadata-dir md2");
    let mut child = place
        .command(&format!("{unreachable} --listen 127.0.0.1:0"))
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts");
    std::thread::sleep(Duration::from_secs(2));
    let id = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(id, Signal::TERM).expect("it runs");
    child.stdin.take();
    let run = Run::from(child.wait_with_output().expect("it ends")).expect_code(0);
    run.expect_text(url)
        .expect_text("onnection refused")
        .expect_text("hint");
}

#[test]
fn a_busy_folder_does_not_hold_it_up() {
    let place = Place::after_quickstart();
    let line = line(&place, ROOT);
    let served = place.serve(&line, "Ctrl-C ends it");
    get(&format!(
        "{}/countersign-sample-words/",
        served.url("serving")
    ));
    assert_eq!(served.end(Signal::TERM), Some(0));
    // Another process keeps the metadata to itself: what was verified before is served.
    let lock = File::open(place.at("md/.lock")).expect("the lock");
    lock.lock().expect("locked");
    let started = Instant::now();
    let without_root = line.replace(&format!("--root {ROOT} "), "");
    let served = place.serve(&without_root, "Ctrl-C ends it");
    assert!(
        started.elapsed() < Duration::from_secs(20),
        "{:?}",
        started.elapsed()
    );
    let base = served.url("serving");
    let page = get(&format!("{base}/countersign-sample-words/"));
    assert!(page.starts_with("HTTP/1.1 200 "), "{page}");
    let status = get(&format!(
        "{}/+countersign/status",
        base.trim_end_matches("/simple")
    ));
    assert!(status.contains("in use by another process"), "{status}");
}
