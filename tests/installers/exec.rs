//! `countersign exec` as people use it: what it passes on, what it says, and whom it asks.

use std::fs;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use chrono::{TimeDelta, Utc};
use countersign_tests::environment::{Server, free_port, prepared, said};
use countersign_tests::published::Made;
use policy::Encoding;

use crate::machine::{EvilIndex, Machine, Ran, WORDS};
use crate::stage::{ALL, BOTH, Installer, Stage, forged_wheel};

#[test]
fn what_is_signed_is_installed_and_the_last_line_says_by_whom() {
    let stage = Stage::new();
    for installer in ALL {
        let machine = Machine::of(&stage);
        let ran = machine.install(installer, &["countersign-sample-cli", "requests"]);
        ran.has_good_words();
        for words in [
            "verified 8 pages and 8 files of main, signed by bins-",
            "under root sha256:",
            "timestamp v1, snapshot v1, valid until ",
        ] {
            assert!(ran.verdict.contains(words), "{words}: {}", ran.verdict);
        }
        for words in ["REFUSED", "UNVERIFIED", "neutralized", "not refreshed"] {
            assert!(!ran.verdict.contains(words), "{words}: {}", ran.verdict);
        }
    }
    let machine = Machine::of(&stage);
    let mut exec = machine.exec(&["--json"]);
    exec.args(["sh", "-c", "echo to stdout"]);
    let output = exec.output().unwrap();
    assert_eq!(output.stdout, b"to stdout\n");
    let report: serde_json::Value = serde_json::from_slice(&output.stderr).unwrap();
    assert_eq!(
        (&report["index"], &report["code"]),
        (&"main".into(), &0.into())
    );
}

#[test]
fn codes_and_signals_are_passed_on() {
    let stage = Stage::new();
    let machine = Machine::of(&stage);
    let code = |options: &[&str], script: &str| {
        let mut exec = machine.exec(options);
        let output = exec.args(["sh", "-c", script]).output().unwrap();
        (output.status.code(), said(&output))
    };
    assert_eq!(code(&[], "exit 7").0, Some(7));
    assert_eq!(code(&[], "kill -KILL $$").0, Some(137));
    for (options, why) in [
        (["--index", "other"], "there is no trusted index `other`"),
        (["--home", "nowhere"], "no index is trusted yet"),
    ] {
        let (code, said) = code(&options, "exit 7");
        assert_eq!(code, Some(125), "{said}");
        assert!(said.contains(why) && said.contains("hint: "), "{said}");
    }
    let missing = machine.exec(&[]).arg("no-such-program").output().unwrap();
    assert_eq!(missing.status.code(), Some(125));

    let mut exec = machine.exec(&[]);
    exec.args([
        "sh",
        "-c",
        "trap 'exit 9' TERM; touch ready; while :; do sleep 0.05; done",
    ]);
    let mut child = exec
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let deadline = Instant::now() + Duration::from_secs(30);
    while !machine.home.path().join("ready").exists() {
        assert!(Instant::now() < deadline, "it never starts");
        std::thread::sleep(Duration::from_millis(20));
    }
    let killed = Command::new("kill")
        .args(["-TERM", &child.id().to_string()])
        .status();
    assert!(killed.unwrap().success());
    assert_eq!(child.wait().unwrap().code(), Some(9));
}

/// A signed package asks for a file that nobody signed, by its URL.
#[test]
fn a_direct_url_leads_nowhere_unless_its_host_is_allowed() {
    let evil = EvilIndex::with_words("9.0.0");
    let name = "countersign_sample_words-9.0.0-py3-none-any.whl";
    let what = format!("{WORDS} @ {}", evil.server.url(&format!("links/{name}")));
    let stage = Stage::new();
    let machine = Machine::of(&stage);
    let host = evil.server.url("");
    let host = host
        .trim_start_matches("http://")
        .trim_end_matches('/')
        .to_owned();
    for installer in BOTH {
        let index = stage.server.url("simple/");
        machine
            .install_directly(installer, &index, &[&what])
            .has_evil_words();
        let refused = machine.install(installer, &[&what]);
        refused.is_refused(
            "countersign_sample_words",
            &["REFUSED connections to ", &host],
        );
        let allowed = machine.exec(&["--allow-host", &host]);
        let ran = machine.install_by(installer, allowed, &[&what]);
        ran.has_evil_words();
        assert!(
            ran.verdict.contains(&format!("UNVERIFIED {host}")),
            "{}",
            ran.verdict
        );
        let mut quiet = machine.exec(&[]);
        // Whatever the command makes of it, what was refused is not passed over.
        quiet.args(["sh", "-c"]).arg(format!(
            "{} --target {}/gone '{what}' || true",
            installer.command().join(" "),
            machine.home.path().display()
        ));
        assert_eq!(quiet.output().unwrap().status.code(), Some(1));
    }
}

/// Another program has the port before us: it is not asked.
#[test]
fn a_squatted_port_is_noticed() {
    let stage = Stage::new();
    for installer in BOTH {
        let machine = Machine::of(&stage);
        let squatter = EvilIndex::at(machine.port, "1.0.0");
        let url = machine.index_url();
        machine
            .install_directly(installer, &url, &[WORDS])
            .has_evil_words();
        let before = squatter.asked();
        let ran = machine.install(installer, &[WORDS]);
        ran.has_good_words();
        assert!(
            ran.verdict.contains("its port is taken by "),
            "{}",
            ran.verdict
        );
        let since = squatter.asked().replacen(&before, "", 1);
        assert!(!since.contains("/simple/"), "{since}");
        let doctor = machine.countersign(&["doctor"]).output().unwrap();
        assert_eq!(doctor.status.code(), Some(1));
        let said = said(&doctor);
        assert!(
            said.contains("WRONG") && said.contains("is taken by"),
            "{said}"
        );
    }
}

/// A proxy of our own has the port: its address stays, as installers and lock files know it.
#[test]
fn a_proxy_of_our_own_is_recognized() {
    let stage = Stage::new();
    let machine = Machine::of(&stage);
    let command = machine.countersign(&["proxy", "--index", "main"]);
    let running = Server::start(command, machine.port);
    let doctor = machine.countersign(&["doctor"]).output().unwrap();
    assert!(
        said(&doctor).contains("a proxy of this user's for this index"),
        "{}",
        said(&doctor)
    );
    for installer in BOTH {
        let ran = machine.install(installer, &[WORDS]);
        ran.has_good_words();
        assert!(!ran.verdict.contains("port"), "{}", ran.verdict);
    }
    let printed = machine
        .exec(&[])
        .args(["sh", "-c", "echo $UV_DEFAULT_INDEX"])
        .output()
        .unwrap();
    assert_eq!(
        String::from_utf8_lossy(&printed.stdout).trim(),
        machine.index_url()
    );
    drop(running);
    // One of another trust anchor is not: it would serve what this user did not mean.
    let other = Stage::new();
    let theirs = Machine::of(&other);
    let mut command = theirs.countersign(&["proxy", "--index", "main", "--listen"]);
    command.arg(format!("127.0.0.1:{}", machine.port));
    let _running = Server::start(command, machine.port);
    let ran = machine.install(Installer::Uv, &[WORDS]);
    ran.has_good_words();
    assert!(
        ran.verdict.contains("its port is taken by "),
        "{}",
        ran.verdict
    );
}

/// A new project, its lock, and the lock again on a machine without any cache.
#[test]
fn uv_sync_and_a_frozen_sync_from_the_lock() {
    let stage = Stage::new();
    let machine = Machine::of(&stage);
    let project = machine.home.path().join("project");
    fs::create_dir(&project).unwrap();
    let text = format!(
        "[project]\nname = \"p\"\nversion = \"1\"\nrequires-python = \">=3.9\"\ndependencies = [\"{WORDS}\"]\n"
    );
    fs::write(project.join("pyproject.toml"), text).unwrap();
    let sync = |machine: &Machine, options: &[&str]| {
        let mut exec = machine.exec(&[]);
        exec.arg(prepared("venv/bin/uv")).args(["sync", "--python"]);
        exec.arg(prepared("venv/bin/python"))
            .args(options)
            .current_dir(&project);
        let ran = Ran::of(&exec.output().unwrap(), &project);
        let _ = fs::remove_dir_all(project.join(".venv"));
        ran
    };
    let ran = sync(&machine, &[]);
    assert_eq!(ran.code, Some(0), "{}", ran.said);
    let lock = fs::read_to_string(project.join("uv.lock")).unwrap();
    assert!(lock.contains(&machine.index_url()), "{lock}");
    // Another machine, whose index has another port: what the lock names is verified all the same.
    let other = Machine::of(&stage);
    let ran = sync(&other, &["--frozen"]);
    assert_eq!(ran.code, Some(0), "{}", ran.said);
    assert!(ran.verdict.contains("1 file of main"), "{}", ran.verdict);
    let tampered = Machine::of(&stage);
    let evil = forged_wheel("1.0.0", &[]);
    stage.index.tamper(
        ".countersign_sample_words-1.0.0-py3-none-any.whl",
        |bytes| {
            if bytes.starts_with(b"PK") {
                evil.clone()
            } else {
                bytes
            }
        },
    );
    let ran = sync(&tampered, &["--frozen"]);
    assert_ne!(ran.code, Some(0), "{}", ran.said);
    assert!(
        ran.verdict.contains("REFUSED TUF mismatch"),
        "{}",
        ran.verdict
    );
}

/// poetry has no variable for its index: a project names it as its source, or poetry asks its default
/// one, which is refused.
#[test]
fn poetry_installs_from_the_source_its_project_names() {
    let stage = Stage::new();
    let install = |machine: &Machine, source: &str| {
        let project = machine
            .home
            .path()
            .join(format!("project-{}", source.len()));
        fs::create_dir(&project).unwrap();
        let text = format!(
            "[tool.poetry]\nname = \"p\"\nversion = \"1\"\ndescription = \"\"\nauthors = []\n\
             package-mode = false\n[tool.poetry.dependencies]\npython = \">=3.9\"\n{WORDS} = \"*\"\n{source}"
        );
        fs::write(project.join("pyproject.toml"), text).unwrap();
        let mut exec = machine.exec(&[]);
        exec.arg(prepared("venv/bin/python"))
            .args(["-m", "poetry", "install", "-n"]);
        exec.env("PYTHONPATH", prepared("installers/poetry-2.5.1"))
            .env("POETRY_VIRTUALENVS_IN_PROJECT", "true")
            .current_dir(&project);
        Ran::of(&exec.output().unwrap(), &project)
    };
    let source = |machine: &Machine| {
        let url = machine.index_url();
        format!(
            "[[tool.poetry.source]]\nname = \"main\"\nurl = \"{url}\"\npriority = \"primary\"\n"
        )
    };
    let machine = Machine::of(&stage);
    let ran = install(&machine, "");
    assert_ne!(ran.code, Some(0), "{}", ran.said);
    assert!(
        ran.verdict.contains("REFUSED connections to "),
        "{}",
        ran.verdict
    );
    let ran = install(&machine, &source(&machine));
    assert_eq!(ran.code, Some(0), "{}", ran.said);
    assert!(
        ran.verdict.contains("verified 1 page and 1 file of main"),
        "{}",
        ran.verdict
    );

    let evil = forged_wheel("1.0.0", &[]);
    let swap = |bytes: Vec<u8>| {
        if bytes.starts_with(b"PK") {
            evil.clone()
        } else {
            bytes
        }
    };
    stage
        .index
        .tamper(".countersign_sample_words-1.0.0-py3-none-any.whl", swap);
    let other = Machine::of(&stage);
    let ran = install(&other, &source(&other));
    assert_ne!(ran.code, Some(0), "{}", ran.said);
    assert!(
        ran.verdict.contains("REFUSED TUF mismatch "),
        "{}",
        ran.verdict
    );
}

/// What goes wrong most, in words that somebody understands who knows nothing of TUF.
#[test]
fn typical_failures_are_understood() {
    let stage = Stage::new();
    for installer in BOTH {
        let machine = Machine::of(&stage);
        let unknown = machine.install(installer, &["no-such-project"]);
        assert_ne!(unknown.code, Some(0));
        assert!(!unknown.verdict.contains("REFUSED"), "{}", unknown.verdict);
        assert!(unknown.said.contains("no-such-project"), "{}", unknown.said);
    }
    let old = Stage::made(Made {
        now: Utc::now() - TimeDelta::days(3),
        ..Made::small(Encoding::PathHashPrefixes)
    });
    for installer in BOTH {
        let machine = Machine::of(&old);
        let ran = machine.install(installer, &[WORDS]);
        ran.is_refused(
            "countersign_sample_words",
            &["REFUSED TUF expired timestamp: "],
        );
        assert!(ran.verdict.contains("nothing is valid"), "{}", ran.verdict);
        assert!(ran.said.contains("expired at"), "{}", ran.said);
    }
    let machine = Machine::of(&stage);
    let Stage { server, .. } = stage;
    drop(server);
    // What was verified before is good for a day, but its files cannot be fetched.
    let ran = machine.install(Installer::Pip, &[WORDS]);
    ran.is_refused(
        "countersign_sample_words",
        &["not refreshed: TUF unreachable"],
    );
}

/// An index that is trusted by an anchor from another machine has its least versions from the start.
#[test]
fn an_exported_anchor_carries_what_was_seen() {
    let mut stage = Stage::new();
    let old = tempfile::tempdir().unwrap();
    copy(&stage.index.store(), old.path());
    stage.index.tick(Utc::now() + TimeDelta::hours(13));
    let machine = Machine::of(&stage);
    let exported = machine.countersign(&["trust", "export"]).output().unwrap();
    assert!(exported.status.success(), "{}", said(&exported));
    let anchor = machine.home.path().join("anchor.toml");
    fs::write(&anchor, &exported.stdout).unwrap();
    let text = String::from_utf8(exported.stdout).unwrap();
    assert!(text.contains("timestamp = 2"), "{text}");

    // A mirror that serves the state before, to somebody who has seen nothing yet.
    let mirror = Server::of_folder(old.path());
    let url = mirror.url("");
    let add = |name: &str, options: &[&str]| {
        let port = free_port().to_string();
        let mut command = machine.countersign(&["trust", "add", name, &url, "--proxy-port", &port]);
        let output = command.args(options).output().unwrap();
        assert!(output.status.success(), "{}", said(&output));
        let refresh = machine
            .countersign(&["client", "refresh", "--index", name])
            .output()
            .unwrap();
        (refresh.status.code(), said(&refresh))
    };
    let root = stage.index.root().display().to_string();
    // The control: with the root alone the old state is taken for the newest.
    assert_eq!(add("bare", &["--root", &root]).0, Some(0));
    let (code, said) = add("seen", &["--anchor", anchor.to_str().unwrap()]);
    assert_eq!(code, Some(13), "{said}");
    assert!(said.contains("timestamp v1 is older than v2"), "{said}");
}

fn copy(from: &std::path::Path, to: &std::path::Path) {
    for entry in fs::read_dir(from).unwrap() {
        let (entry, kind) = entry
            .map(|it| (it.path(), it.file_type().unwrap()))
            .unwrap();
        let target = to.join(entry.file_name().unwrap());
        if kind.is_dir() {
            fs::create_dir(&target).unwrap();
            copy(&entry, &target);
        } else {
            fs::copy(&entry, &target).unwrap();
        }
    }
}
