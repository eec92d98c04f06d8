//! What `countersign doctor` finds on a machine: each finding with the mend, and what is well without one.
//! The port is in `exec.rs`, the authority in `forward.rs`, folders in the program's own tests.

use std::fs;

use chrono::{TimeDelta, Utc};
use countersign_tests::published::Made;
use policy::Encoding;

use crate::machine::{Machine, WORDS};
use crate::stage::Stage;

/// The findings of one check: how bad each is, and all that is said of it.
fn found(machine: &Machine, check: &str) -> Vec<(String, String)> {
    let mut doctor = machine.countersign(&["doctor", "--json"]);
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
    let all = found(machine, check);
    let is_it = |(found, text): &&(String, String)| {
        found == level && words.iter().all(|word| text.contains(word))
    };
    assert!(all.iter().any(|it| is_it(&it)), "{check}: {all:?}");
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
