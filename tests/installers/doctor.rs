//! What `countersign doctor` finds on a machine: each finding with the mend, and what is well without one.
//! The port is in `exec.rs`, an authority in use in `forward.rs`, open folders in the program's own tests.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::path::Path;
use std::process::Command;

use chrono::{NaiveDate, TimeDelta, Utc};
use countersign_tests::environment::said;
use countersign_tests::preload::{CLOCK_MOVED_BY, moved_clock};
use countersign_tests::published::Made;
use policy::Encoding;

use crate::machine::{Machine, WORDS};
use crate::stage::Stage;

/// The findings of one check: how bad each is, and all that is said of it.
fn found(machine: &Machine, check: &str) -> Vec<(String, String)> {
    found_with(machine.countersign(&["doctor", "--json"]), check)
}

fn found_with(mut doctor: Command, check: &str) -> Vec<(String, String)> {
    let output = doctor.output().unwrap();
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let findings = report["findings"].as_array().unwrap().iter();
    findings
        .filter(|it| it["check"] == check)
        .map(|it| {
            let level = it["level"].as_str().unwrap().to_owned();
            assert_eq!(level == "ok", it.get("mend").is_none(), "{it}");
            (level, format!("{} {}", it["found"], it["mend"]))
        })
        .collect()
}

#[track_caller]
fn has(machine: &Machine, check: &str, level: &str, words: &[&str]) {
    is_among(&found(machine, check), level, words);
}

#[track_caller]
fn is_among(all: &[(String, String)], level: &str, words: &[&str]) {
    let is_it = |(found, text): &&(String, String)| {
        found == level && words.iter().all(|word| text.contains(word))
    };
    assert!(all.iter().any(|it| is_it(&it)), "{words:?}: {all:?}");
}

#[test]
fn expiry_is_seen_coming_and_gone() {
    let aged = |by: TimeDelta| {
        let stage = Stage::made(Made {
            now: Utc::now() - by,
            ..Made::small(Encoding::PathHashPrefixes)
        });
        let machine = Machine::of(&stage);
        (stage, machine)
    };
    let (_stage, young) = aged(TimeDelta::zero());
    has(&young, "expiry", "ok", &["23 h 59 min from now"]);
    let (_stage, ending) = aged(TimeDelta::minutes(24 * 60 - 30));
    has(
        &ending,
        "expiry",
        "warning",
        &["0 h 29 min", "ask the operator"],
    );
    let (_stage, ended) = aged(TimeDelta::days(3));
    has(&ended, "reach", "wrong", &["expired at", "check the clock"]);
}

#[test]
fn a_clock_before_this_program_was_written_is_wrong() {
    let stage = Stage::new();
    let machine = Machine::of(&stage);
    has(&machine, "clock", "ok", &["it says "]);
    let past = NaiveDate::from_ymd_opt(2025, 6, 1).unwrap();
    let off = past - Utc::now().date_naive();
    let scratch = tempfile::tempdir().unwrap();
    let mut doctor = machine.countersign(&["doctor", "--json"]);
    doctor.env("LD_PRELOAD", moved_clock(scratch.path()));
    doctor.env(CLOCK_MOVED_BY, off.num_milliseconds().to_string());
    let all = found_with(doctor, "clock");
    is_among(
        &all,
        "wrong",
        &["it says 2025-", "which is past", "set the clock"],
    );
}

#[test]
fn a_folder_of_another_user_is_wrong_until_it_is_made_anew() {
    let stage = Stage::new();
    let machine = Machine::of(&stage);
    let index = machine
        .home
        .path()
        .join(".local/share/countersign/indexes/main");
    has(&machine, "cache", "ok", &[]);
    for name in ["cache", "installers"] {
        let folder = index.join(name);
        let _ = fs::remove_dir_all(&folder);
        belongs_to_another(&folder);
        let shown = folder.display().to_string();
        let mend = format!("rm -r {shown}");
        has(
            &machine,
            "cache",
            "wrong",
            &[&shown, " belongs to user ", &mend],
        );
        let mut rm = machine.clean("rm".into());
        assert!(rm.arg("-r").arg(&folder).status().unwrap().success());
        has(&machine, "cache", "ok", &[]);
    }
    // What was verified lies in the folder itself: where that is another's, nothing in it counts.
    let is_root = rustix::process::geteuid().is_root();
    if is_root {
        chown(&index, Some(NOBODY), None).unwrap();
        let mend = "trust remove main`, and add it again";
        has(&machine, "cache", "wrong", &[" belongs to user ", mend]);
        let removed = machine.countersign(&["trust", "remove", "main"]).output();
        let removed = removed.unwrap();
        assert!(removed.status.success(), "{}", said(&removed));
        assert!(!index.exists());
    }
}

/// A user who is not the one that runs tests.
const NOBODY: u32 = 65_534;

/// Makes a folder of another user's: one that root gives away, else one that leads to root's.
fn belongs_to_another(folder: &Path) {
    if rustix::process::geteuid().is_root() {
        fs::create_dir(folder).unwrap();
        chown(folder, Some(NOBODY), None).unwrap();
    } else {
        symlink("/", folder).unwrap();
    }
}

#[test]
fn what_is_served_instead_of_metadata_is_no_reason_to_install() {
    let stage = Stage::new();
    let machine = Machine::of(&stage);
    has(&machine, "reach", "ok", &[" answers"]);
    let timestamp = stage.index.store().join("metadata/timestamp.json");
    let text = fs::read_to_string(&timestamp).unwrap();
    let forged = text.replace("\"version\":1", "\"version\":9");
    assert_ne!(forged, text);
    fs::write(&timestamp, forged).unwrap();
    has(
        &machine,
        "reach",
        "wrong",
        &["timestamp", "do not install from it"],
    );
    drop(stage);
    has(&machine, "reach", "wrong", &["check the network"]);
}

/// The file of a proxy's authority, as a forward proxy leaves it behind.
#[test]
fn an_authority_that_is_of_no_use_or_open_to_others_is_named() {
    let stage = Stage::new();
    let machine = Machine::of(&stage);
    has(&machine, "authority", "ok", &["no local authority"]);
    let file = machine
        .home
        .path()
        .join(".local/share/countersign/indexes/main/authorities.pem");
    fs::write(&file, "nothing").unwrap();
    has(
        &machine,
        "authority",
        "warning",
        &["holds no certificate", "start `proxy --forward` again"],
    );
    fs::set_permissions(&file, fs::Permissions::from_mode(0o622)).unwrap();
    let mend = format!("rm {}", file.display());
    has(
        &machine,
        "authority",
        "wrong",
        &["others can write ", &mend],
    );
    fs::remove_file(&file).unwrap();
    has(&machine, "authority", "ok", &[]);
}

#[test]
fn settings_that_lead_elsewhere_are_named() {
    let stage = Stage::new();
    let machine = Machine::of(&stage);
    has(&machine, "leaks", "ok", &[]);
    let write = |path: &str, text: &str| {
        let path = machine.home.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    write(
        ".config/pip/pip.conf",
        "[global]\nextra-index-url = http://other.example/simple/\n",
    );
    write(
        ".config/uv/uv.toml",
        "[[index]]\nurl = \"http://other.example/simple/\"\n",
    );
    has(
        &machine,
        "leaks",
        "warning",
        &["extra-index-url in ", "pip.conf", "remove "],
    );
    has(
        &machine,
        "leaks",
        "warning",
        &["index in ", "uv.toml", "remove "],
    );

    let poetry = |source: &str| {
        let text = format!(
            "[tool.poetry]\nname = \"p\"\n[tool.poetry.dependencies]\n{WORDS} = \"*\"\n{source}"
        );
        write("pyproject.toml", &text);
    };
    assert!(found(&machine, "poetry").is_empty());
    poetry("");
    let own = stage.server.url("simple/");
    has(
        &machine,
        "poetry",
        "warning",
        &["names no source", "poetry source add", &own],
    );
    let source = |url: &str| format!("[[tool.poetry.source]]\nname = \"x\"\nurl = \"{url}\"\n");
    poetry(&source("https://other.example/simple/"));
    has(
        &machine,
        "poetry",
        "warning",
        &["other.example", "poetry source add"],
    );
    for url in [own.trim_end_matches('/'), &machine.index_url()] {
        poetry(&source(url));
        has(&machine, "poetry", "ok", &[]);
    }
}
