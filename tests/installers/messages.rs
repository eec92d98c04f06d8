//! What somebody reads whose installation fails, for the five failures that happen most, from each of the
//! installers of today: recorded in `messages.md`, which is read as a page. With `COUNTERSIGN_RECORD=1` it is
//! written anew.

use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::process::Output;

use chrono::{TimeDelta, Utc};
use countersign_tests::environment::{Server, prepared, said};
use countersign_tests::preload::{CLOCK_MOVED_BY, moved_clock};
use countersign_tests::published::Made;
use policy::Encoding;

use crate::machine::{Machine, WORDS};
use crate::stage::{Installer, Stage, forged_wheel};

const HEAD: &str = "\
# What users read

Under `countersign exec`, for the five failures that happen most: what the installer says of it, and the last lines. Lines
about progress, and what is logged meanwhile, are left out. `tests/installers/messages.rs` holds this page.
";

#[derive(Clone, Copy, PartialEq, Eq)]
enum Who {
    Pip,
    Uv,
    Poetry,
}

const ALL: [(Who, &str); 3] = [(Who::Pip, "pip"), (Who::Uv, "uv"), (Who::Poetry, "poetry")];

/// In milliseconds: longer than a timestamp lives.
const THREE_DAYS: i64 = 3 * 86_400 * 1_000;

/// Installs a project under `exec`, on a clock that is wrong where `clock` is a library that makes it so.
fn install(machine: &Machine, who: Who, what: &str, clock: Option<&Path>) -> Output {
    let mut exec = machine.exec(&[]);
    if let Some(clock) = clock {
        exec.env("LD_PRELOAD", clock);
        exec.env(CLOCK_MOVED_BY, THREE_DAYS.to_string());
    }
    let into = machine.home.path().join("into");
    match who {
        Who::Pip | Who::Uv => {
            let installer = if who == Who::Pip {
                Installer::Pip
            } else {
                Installer::Uv
            };
            installer.prepare(&mut exec);
            exec.args(installer.command())
                .arg("--target")
                .arg(&into)
                .arg(what);
        }
        Who::Poetry => {
            let url = machine.index_url();
            let text = format!(
                "[tool.poetry]\nname = \"p\"\nversion = \"1\"\ndescription = \"\"\nauthors = []\n\
                 package-mode = false\n[tool.poetry.dependencies]\npython = \">=3.9\"\n{what} = \"*\"\n\
                 [[tool.poetry.source]]\nname = \"main\"\nurl = \"{url}\"\npriority = \"primary\"\n"
            );
            let project = machine.home.path().join("project");
            fs::create_dir_all(&project).unwrap();
            fs::write(project.join("pyproject.toml"), text).unwrap();
            exec.arg(prepared("venv/bin/python"))
                .args(["-m", "poetry", "install", "-n"])
                .env("PYTHONPATH", prepared("installers/poetry-2.5.1"))
                .env("POETRY_VIRTUALENVS_IN_PROJECT", "true")
                .current_dir(&project);
        }
    }
    let output = exec.output().unwrap();
    assert!(!output.status.success(), "{}", said(&output));
    output
}

/// What a person has to be told: that it was refused, why, and what to do.
fn told(output: &Output, names: &[(String, &str)]) -> String {
    let mut text = String::new();
    let all = said(output);
    let words = [
        "TUF ",
        "ERROR",
        "error:",
        "Error",
        "hint:",
        "cause:",
        "countersign:",
        "match",
    ];
    let shown = all.lines().filter(|line| {
        let line = line.trim_start();
        // poetry shows lines of its own source.
        let is_source = line.starts_with(|c: char| c.is_ascii_digit() || "→│".contains(c));
        words.iter().any(|word| line.contains(word)) && !is_source && !line.starts_with("warning: ")
    });
    for line in shown {
        let mut line = line.trim().to_owned();
        for (name, instead) in names {
            line = line.replace(name, instead);
        }
        let line = without_digests(&without_times(&line));
        if !text.contains(&line) {
            writeln!(text, "{line}").unwrap();
        }
    }
    text
}

/// Runs of sixteen and more hex digits become DIGEST.
fn without_digests(line: &str) -> String {
    let mut out = String::new();
    let mut run = String::new();
    for c in line.chars().chain(['\n']) {
        if c.is_ascii_digit() || ('a'..='f').contains(&c) {
            run.push(c);
            continue;
        }
        out.push_str(if run.len() >= 16 { "DIGEST" } else { &run });
        run.clear();
        out.push(c);
    }
    out.trim_end().to_owned()
}

/// `2026-12-01T12:00:00Z` becomes TIME.
fn without_times(line: &str) -> String {
    let mut out = line.to_owned();
    while let Some(at) = time_in(&out) {
        out.replace_range(at..at + 20, "TIME");
    }
    out
}

fn time_in(line: &str) -> Option<usize> {
    let form = b"0000-00-00T00:00:00Z";
    line.as_bytes().windows(form.len()).position(|window| {
        let mut pairs = window.iter().zip(form);
        pairs.all(|(byte, form)| {
            if *form == b'0' {
                byte.is_ascii_digit()
            } else {
                byte == form
            }
        })
    })
}

#[test]
fn failures_are_said_in_words_that_people_understand() {
    let scratch = tempfile::tempdir().unwrap();
    let clock = moved_clock(scratch.path());
    let mut page = HEAD.to_owned();
    let mut record =
        |title: &str, stage: Option<&Stage>, what: &str, clock: Option<&Path>, words: &[&str]| {
            write!(page, "\n## {title}\n").unwrap();
            for (who, name) in ALL {
                // Without a stage it is one that goes away once it is trusted.
                let own = stage.is_none().then(Stage::new);
                let stage = stage.or(own.as_ref()).expect("one of the two is there");
                let (machine, port) = (Machine::of(stage), port_of(&stage.server));
                drop(own);
                let output = install(&machine, who, what, clock);
                let names = [
                    (machine.home.path().display().to_string(), "~"),
                    (machine.port.to_string(), "PORT"),
                    (port, "SERVER"),
                ];
                let told = told(&output, &names);
                for word in words {
                    assert!(
                        told.contains(word),
                        "{name} does not say {word}: {}",
                        said(&output)
                    );
                }
                write!(page, "\n{name}:\n\n```text\n{told}```\n").unwrap();
            }
        };
    let fresh = Stage::new();
    record(
        "A project that is not there, such as a misspelt one",
        Some(&fresh),
        "no-such-project",
        None,
        &[
            "no-such-project",
            "NOT THERE no-such-project",
            "check the spelling",
        ],
    );
    record(
        "The clock of this machine is three days ahead",
        Some(&fresh),
        WORDS,
        Some(clock.as_path()),
        &[
            "expired at",
            "check the clock of this machine",
            "nothing is valid any more",
        ],
    );
    let old = Stage::made(Made {
        now: Utc::now() - TimeDelta::days(3),
        ..Made::small(Encoding::PathHashPrefixes)
    });
    record(
        "The index has published nothing for three days, or somebody hides it",
        Some(&old),
        WORDS,
        None,
        &["expired at", "the index has stopped publishing"],
    );
    let evil = forged_wheel("1.0.0", &[]);
    let tampered = Stage::new();
    let name = ".countersign_sample_words-1.0.0-py3-none-any.whl";
    tampered.index.tamper(name, |bytes| {
        if bytes.starts_with(b"PK") {
            evil.clone()
        } else {
            bytes
        }
    });
    record(
        "A wheel was tampered with",
        Some(&tampered),
        WORDS,
        None,
        &[
            "TUF mismatch",
            "The bytes served are not those that were signed",
        ],
    );
    record(
        "The index cannot be reached",
        None,
        WORDS,
        None,
        &["TUF unreachable", "look at the network"],
    );
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("installers/messages.md");
    if std::env::var_os("COUNTERSIGN_RECORD").is_some() {
        fs::write(&file, &page).unwrap();
    }
    let recorded = fs::read_to_string(&file).unwrap();
    assert!(
        page == recorded,
        "COUNTERSIGN_RECORD=1 writes it anew: {page}"
    );
}

fn port_of(server: &Server) -> String {
    let url = server.url("");
    let port = url.trim_end_matches('/').rsplit(':').next();
    port.unwrap_or_default().to_owned()
}
