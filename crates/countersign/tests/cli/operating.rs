//! Running an index day by day: changes, waiting, plans, sweeps, status, upgrades, restored backups.

use std::fs::{self, File};
use std::process::Stdio;

use chrono::{TimeDelta, Utc};

use crate::past;
use crate::program::{Place, Run, copy};

const CLI: &str = "countersign_sample_cli-1.0.0.tar.gz";
const WORDS: &str = "countersign_sample_words-1.0.0-py3-none-any.whl";
const SAMPLES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/samples/dist");
const STATE: &str = "countersign-data/state.sqlite";

fn page(place: &Place, project: &str) -> String {
    let page = format!("countersign-data/repository/simple/{project}/index.json");
    String::from_utf8(place.read(&page)).expect("text")
}

#[test]
fn files_are_yanked_and_projects_removed() {
    let place = Place::after_quickstart();
    place
        .run(&format!("index yank {CLI} --reason slow"))
        .expect_code(0)
        .expect_text("queued to be yanked: countersign_sample_cli-1.0.0.tar.gz")
        .expect_text("has waited 60 s")
        .expect_text("`online tick --at-once` does it");
    place
        .run("online tick")
        .expect_code(0)
        .expect_text("1 changes wait until");
    place.run("online tick --at-once").expect_code(0);
    assert!(page(&place, "countersign-sample-cli").contains("\"yanked\":\"slow\""));
    place
        .run(&format!("index yank {CLI} --undo"))
        .expect_code(0);
    place
        .run("index remove-project countersign-sample-words --json")
        .expect_code(0);
    place
        .run("index remove-project no-such-project")
        .expect_code(1)
        .expect_text("refused no-such-project: is not on the index");
    place.run("online tick --at-once").expect_code(0);
    assert!(!page(&place, "countersign-sample-cli").contains("yanked"));
    assert!(!page(&place, "countersign-sample-words").contains(WORDS));
}

#[test]
fn a_folder_is_followed_and_an_empty_one_is_not() {
    let place = Place::after_quickstart();
    copy(SAMPLES.as_ref(), &place.at("dist"));
    fs::remove_file(place.at(&format!("dist/{WORDS}"))).expect("removed");
    place.write("dist/notes.txt", "no distribution");
    place
        .run("index sync dist")
        .expect_code(1)
        .expect_text("1 of 3 files would be removed, more than 20 percent")
        .expect_text("--max-removed allows more");
    place
        .run("index sync dist --dry-run")
        .expect_code(0)
        .expect_text(&format!("remove  {WORDS}"))
        .expect_text("0 to add, 1 to remove, 2 the same, 0 with other bytes, 1 ignored");
    let plan = place.run("index sync dist --dry-run --json").json();
    assert_eq!(plan["remove"][0], WORDS);
    let waiting =
        |place: &Place| place.run("index status --json").json()["changes_waiting"].clone();
    assert_eq!(waiting(&place), 0, "a dry run queues nothing");
    place.run("index sync dist --max-removed 40").expect_code(0);
    assert_eq!(waiting(&place), 1);
    place.run("online tick --at-once").expect_code(0);
    assert!(!page(&place, "countersign-sample-words").contains(WORDS));
    place.write("empty/.keep", "");
    place.run("index sync empty").expect_code(1);
    place.run("index sync empty --force").expect_code(0);
    place
        .run("index sync dist --max-removed 101")
        .expect_code(2);
}

#[test]
fn waiting_ends_when_clients_see_the_change() {
    let place = Place::after_quickstart();
    let remove = format!("index remove {CLI}");
    place
        .run(&format!("{remove} --wait --wait-limit 0"))
        .expect_code(75)
        .expect_text("1 changes are still queued after 0 s")
        .expect_text("nothing is lost");
    let mut command = place.command(&format!("index remove {WORDS} --wait --json"));
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let waiting = command.spawn().expect("the program starts");
    while place.run("index status --json").json()["changes_waiting"] != 2 {}
    place.run("online tick --at-once").expect_code(0);
    let report = Run::from(waiting.wait_with_output().expect("it ends"))
        .expect_code(0)
        .json();
    assert_eq!(report["snapshot"], 2);
    let status = place.run("index status --json").json();
    let last = &status["last_publications"][0];
    assert_eq!(
        (&last["snapshot"], &last["changes"]),
        (&2.into(), &2.into())
    );
    // Nothing to wait for.
    place
        .run(&format!("index add {SAMPLES} --wait --wait-limit 0"))
        .expect_code(75);
    place.run("online tick --at-once").expect_code(0);
    place
        .run(&format!("index add {SAMPLES} --wait --wait-limit 0"))
        .expect_code(0)
        .expect_text("already there");
}

#[test]
fn plans_are_shown_for_any_time_and_sign_nothing() {
    let place = Place::after_quickstart();
    let before = place.read(STATE);
    place
        .run("online plan")
        .expect_code(0)
        .expect_text("nothing to do");
    let plan = place
        .run("online plan --at +36h --json")
        .expect_code(0)
        .json();
    let bins = plan["bins"].as_object().expect("bins").len();
    assert!(bins > 0 && bins < 512, "bins are staggered: {bins}");
    assert_eq!(
        (&plan["timestamp"], &plan["idle"]),
        (&"changed".into(), &false.into())
    );
    place
        .run("online plan --at 2099-01-01T00:00:00Z")
        .expect_code(0)
        .expect_text("sign 512 bins: due");
    place.run("online plan --at tomorrow").expect_code(2);
    assert_eq!(place.read(STATE), before);
}

#[test]
fn a_rebin_is_tried_before_a_ceremony() {
    let place = Place::after_quickstart();
    let before = place.read(STATE);
    let tried = place
        .run("index rebin --bins 64 --json")
        .expect_code(0)
        .json();
    assert_eq!(tried["to"]["bins"], 64);
    assert_eq!(tried["new_keys_tried"], 0);
    assert!(tried["snapshot_bytes"]["used"].as_u64().expect("bytes") > 1_000);
    place
        .run("index rebin --bins 2048")
        .expect_code(0)
        .expect_text("2048 bins (succinct) instead of")
        .expect_text("next: `countersign-ceremony plan rebin EVENT");
    // The key in use would leave clients with a snapshot that lists bins of before.
    let online = "countersign-data/keys/online/online";
    place
        .run(&format!(
            "index rebin --bins 64 --online-key file:{online}.pem --passphrase-file {online}.passphrase"
        ))
        .expect_code(1)
        .expect_text("bins leave while an online key of a published root stays")
        .expect_text("hint: nothing was changed");
    let bins = tried["from"]["bins"].as_u64().expect("bins");
    place
        .run(&format!("index rebin --bins {bins}"))
        .expect_code(1)
        .expect_text("of this form already")
        .expect_text("hint: for other online keys");
    place.run("index rebin --bins 100").expect_code(2);
    assert_eq!(place.read(STATE), before, "nothing was written");
}

#[test]
fn what_nobody_can_ask_for_is_swept() {
    let place = Place::new();
    let then = Utc::now() - TimeDelta::days(30);
    past::publish(&place, then);
    let keys = "--online-key file:online.pem --passphrase-file online.secret";
    place.run(&format!("online tick {keys}")).expect_code(0);
    let old = place.at("countersign-data/repository/metadata/1.snapshot.json");
    place
        .run("online sweep --dry-run")
        .expect_code(0)
        .expect_text("delete metadata/1.snapshot.json");
    assert!(old.exists());
    let swept = place.run("online sweep --json").expect_code(0).json();
    assert!(swept["objects"].as_array().expect("objects").len() > 500);
    assert!(!old.exists());
    place
        .run("online sweep")
        .expect_code(0)
        .expect_text("0 objects and 0 stray uploads deleted");
    place
        .run("audit countersign-data --root ceremony/publish-set/1.root.json")
        .expect_code(0);
}

/// Alarms of offline roles and expired roles: as text, as exit code, as metric, as a page.
#[test]
fn a_status_says_what_needs_attention() {
    let place = Place::new();
    // Root and targets live a year: forty days are left.
    past::publish(&place, Utc::now() - TimeDelta::days(325));
    let expired = place.run("index status").expect_code(0);
    assert!(expired.stdout.contains("EXPIRED"), "{}", expired.stdout);
    assert!(
        expired
            .stdout
            .contains("hint: `countersign online tick` renews"),
        "{}",
        expired.stdout
    );
    place
        .run("index status --check")
        .expect_code(12)
        .expect_text("timestamp v1 expired at");
    let tick = "online tick --online-key file:online.pem --passphrase-file online.secret";
    place
        .run(tick)
        .expect_code(0)
        .expect_text("warning: root expires at");
    place
        .run("index status --check")
        .expect_code(1)
        .expect_text("ALARM: root expires at")
        .expect_text("hold a ceremony (alarm 1 of those at 60 days before)");
    let report = place.run("index status --json").expect_code(0).json();
    assert_eq!(report["alarms"].as_array().expect("alarms").len(), 3);
    assert_eq!(report["alarms"][0]["level"], 1);
    assert_eq!(report["roles"][0]["threshold"], 2);
    assert_eq!(
        report["roles"][0]["keyids"].as_array().expect("keys").len(),
        3
    );
    assert!(report["snapshot_bytes"]["used"].as_u64() > Some(10_000));
    place
        .run("index status --metrics")
        .expect_code(0)
        .expect_text("countersign_offline_alarm{role=\"root\"} 1");
    let page = place.run("index status --html").expect_code(0).stdout;
    assert!(page.starts_with("<!doctype html>") && page.contains("needs a ceremony"));
    place
        .run("index status --html --output status.html")
        .expect_code(0);
    assert!(place.read("status.html").starts_with(b"<!doctype html>"));
    place.run("index status --html --json").expect_code(2);
}

#[test]
fn what_is_damaged_in_the_store_is_mended_or_named() {
    let place = Place::after_quickstart();
    let timestamp = place.at("countersign-data/repository/metadata/timestamp.json");
    fs::remove_file(&timestamp).expect("removed");
    place
        .run("online tick")
        .expect_code(0)
        .expect_text("put again, as published: metadata/timestamp.json");
    assert!(timestamp.exists());
    let snapshot = "countersign-data/repository/metadata/1.snapshot.json";
    place.write(snapshot, "{}");
    place
        .run("index status --check")
        .expect_code(1)
        .expect_text("ALTERED: `metadata/1.snapshot.json` is not what was published");
    place
        .run("online tick")
        .expect_code(10)
        .expect_text("`metadata/1.snapshot.json` in the store is not what was published");
}

#[test]
fn a_restored_backup_goes_on_from_what_is_published() {
    let place = Place::after_quickstart();
    let backup = place.read(STATE);
    place.run(&format!("index remove {CLI}")).expect_code(0);
    place.run("online tick --at-once").expect_code(0);
    place.write(STATE, backup);
    for name in ["state.sqlite-wal", "state.sqlite-shm"] {
        let _ = fs::remove_file(place.at(&format!("countersign-data/{name}")));
    }
    place
        .run("online tick --at-once")
        .expect_code(13)
        .expect_text("hint: a backup was restored: `countersign index recover`");
    place
        .run("index recover")
        .expect_code(0)
        .expect_text("took over what timestamp v2 leads to: 0 files found, 1 gone");
    place
        .run("online tick")
        .expect_code(0)
        .expect_text("nothing to do");
    let report = place.run("index status --json").expect_code(0).json();
    assert_eq!(report["roles"][1]["version"], 2);
}

#[test]
fn an_index_of_an_older_version_is_upgraded() {
    let place = Place::new();
    let old = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../repository/tests/data/version-1"
    );
    copy(old.as_ref(), &place.at("countersign-data"));
    fs::create_dir(place.at("countersign-data/incoming")).expect("a folder");
    let sql = String::from_utf8(place.read("countersign-data/state.sql")).expect("text");
    let db = rusqlite::Connection::open(place.at(STATE)).expect("a database");
    db.execute_batch(&sql).expect("the tables of version 1");
    drop(db);
    place
        .run("index status")
        .expect_code(1)
        .expect_text("schema version 1, this program reads 5")
        .expect_text("`countersign index upgrade`");
    place
        .run("index upgrade")
        .expect_code(0)
        .expect_text("upgraded the index from schema version 1 to 5");
    place
        .run("index upgrade")
        .expect_code(0)
        .expect_text("has schema version 5 already");
    let status = place.run("index status --json").expect_code(0).json();
    assert_eq!(
        (&status["projects"], &status["changes_waiting"]),
        (&3.into(), &1.into())
    );
}

#[test]
fn a_held_lease_is_code_75() {
    let place = Place::after_quickstart();
    let lock = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(place.at("countersign-data/lock"))
        .expect("the lock");
    lock.lock().expect("free");
    for command in ["online tick", "online sweep", "index recover"] {
        place
            .run(command)
            .expect_code(75)
            .expect_text("another process is at work");
    }
    // Intake and status need no lease.
    place.run(&format!("index remove {CLI}")).expect_code(0);
    place.run("index status").expect_code(0);
}

#[test]
fn an_index_takes_only_keys_that_can_sign() {
    let place = Place::after_quickstart();
    let key = "countersign-data/keys/online/online.pem";
    place
        .run(&format!(
            "index init --data-dir x --online-key file:{key}.pub"
        ))
        .expect_code(1)
        .expect_text("hint: name the private key");
    let wrong = "countersign-data/keys/offline/bins.passphrase";
    place
        .run(&format!(
            "index init --data-dir x --online-key file:{key} --passphrase-file {wrong}"
        ))
        .expect_code(1)
        .expect_text("does not open with this passphrase");
    assert!(!place.at("x").exists(), "nothing was made");
    place
        .run(&format!("index init --data-dir x --online-key file:{key}"))
        .expect_code(0);
    place
        .run("index apply countersign-data/ceremony/publish-set")
        .expect_code(1)
        .expect_text(
            "nothing is new in the set: bins v1, root v1, targets v1 were published already",
        )
        .expect_text("hint: nothing has to be done");
}
