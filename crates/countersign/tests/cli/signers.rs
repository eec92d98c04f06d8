//! Signers that run by themselves: the daemon, and a machine with the timestamp key alone.

use std::fs;
use std::time::{Duration, Instant};

use chrono::{TimeDelta, Utc};
use rustix::process::Signal;

use crate::installs::get;
use crate::past;
use crate::program::Place;

/// Looks until something is so; a signer needs a moment.
fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !is_so() {
        assert!(begin.elapsed() < Duration::from_secs(30), "{what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_daemon_tells_its_metrics_and_reads_its_keys_again() {
    let place = Place::after_quickstart();
    let log = fs::File::create(place.at("log")).expect("a file");
    let line = "online run --every 1 --metrics-listen 127.0.0.1:0 --metrics-file signer.prom \
                --verbose --log-format json";
    let served = place.serve_logging(line, "until stopped", log);
    let url = served.url("metrics at");
    let text = get(&url);
    assert!(text.starts_with("HTTP/1.1 200"), "{text}");
    for sample in [
        "countersign_role_seconds_to_expiry{role=\"timestamp\"}",
        "countersign_role_seconds_to_expiry{role=\"bin-n\"}",
        "countersign_store_intact 1",
        "countersign_last_publication_bins 512",
    ] {
        assert!(text.contains(sample), "{sample} is not in {text}");
    }
    until("the textfile is written", || {
        fs::read_to_string(place.at("signer.prom"))
            .is_ok_and(|text| text.contains("countersign_cycles_total{result=\"done\"} "))
    });
    let said = |what: &str| {
        let log = fs::read_to_string(place.at("log")).expect("the log");
        log.lines().any(|line| {
            let line: serde_json::Value = serde_json::from_str(line).expect("a JSON object");
            line["message"]
                .as_str()
                .is_some_and(|message| message.contains(what))
        })
    };
    served.signal(Signal::HUP);
    until("keys are read again", || {
        said("settings and keys were read again")
    });
    // What cannot be read leaves it with what it had.
    place.write("countersign-data/countersign.toml", "[online]\nkeys = 1\n");
    served.signal(Signal::HUP);
    until("a bad file is said", || {
        said("going on with the keys of before")
    });
    let timestamp = place.at("countersign-data/repository/metadata/timestamp.json");
    fs::remove_file(&timestamp).expect("removed");
    until("it still works", || timestamp.exists());
    assert_eq!(served.end(Signal::TERM), Some(0));
}

#[test]
fn a_daemon_whose_port_is_taken_does_not_start() {
    let place = Place::after_quickstart();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("an address");
    place
        .run(&format!("online run --metrics-listen {address}"))
        .expect_code(1)
        .expect_text("cannot listen on");
}

const KEYS: &str = "--online-key file:online.pem --passphrase-file online.secret";

/// Timestamps live a day: after thirteen hours one is due.
fn another_machine(hours: i64) -> Place {
    let place = Place::new();
    let root = past::publish(&place, Utc::now() - TimeDelta::hours(hours));
    place.write("signer/root.json", place.read(&root));
    place
}

fn only(place: &Place, more: &str) -> crate::program::Run {
    place.run(&format!(
        "online tick --only timestamp --data-dir signer {KEYS} \
         --repository countersign-data/repository {more}"
    ))
}

#[test]
fn a_machine_with_the_timestamp_key_alone_renews_it() {
    let place = another_machine(13);
    let report = only(&place, "--json").expect_code(0).json();
    assert_eq!(
        (&report["timestamp"], &report["snapshot"]),
        (&2.into(), &1.into())
    );
    only(&place, "").expect_code(0).expect_text("nothing to do");
    // Where the state is, that is taken note of, and the next number is above.
    place
        .run(&format!("online tick {KEYS} --json"))
        .expect_code(0);
    let root = "ceremony/publish-set/1.root.json";
    place
        .run(&format!("audit countersign-data --root {root}"))
        .expect_code(0);

    let floor = "signer/timestamp-floor.json";
    let text = String::from_utf8(place.read(floor)).expect("text");
    place.write(floor, text.replace("\"snapshot\":1", "\"snapshot\":9"));
    only(&place, "")
        .expect_code(13)
        .expect_text("but v9 was seen before");
    place.write(floor, "{");
    only(&place, "").expect_code(1).expect_text("the floor");
}

#[test]
fn it_renews_nothing_that_needs_another_key() {
    let place = another_machine(25);
    only(&place, "")
        .expect_code(12)
        .expect_text("snapshot has expired, and the timestamp key cannot sign it")
        .expect_text("hint: run `countersign online tick` where the other online keys are");
    place
        .run(&format!("online tick --only snapshot {KEYS}"))
        .expect_code(2);
    only(&place, "--root nowhere.json").expect_code(1);
    place
        .run(&format!(
            "online tick --only timestamp --data-dir signer {KEYS} --repository nowhere"
        ))
        .expect_code(1)
        .expect_text("could not open nowhere");
    assert!(!place.at("nowhere").exists());
}
