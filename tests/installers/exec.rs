//! `countersign exec` as people use it: what it passes on, what it says, and whom it asks.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use chrono::{TimeDelta, Utc};
use countersign_tests::environment::{Server, said};
use countersign_tests::published::Made;
use policy::Encoding;

use crate::machine::{EvilIndex, Machine, WORDS};
use crate::stage::{ALL, BOTH, Installer, Stage};

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

/// A large file is verified before its first byte is sent: installers are told to wait for it, unless the
/// user has said for how long.
#[test]
fn installers_are_told_to_wait() {
    let stage = Stage::new();
    let machine = Machine::of(&stage);
    let waits = |set: Option<&str>| {
        let mut exec = machine.exec(&[]);
        if let Some(seconds) = set {
            exec.env("UV_HTTP_TIMEOUT", seconds);
        }
        let names = "$PIP_DEFAULT_TIMEOUT $UV_HTTP_TIMEOUT $POETRY_REQUESTS_TIMEOUT";
        exec.args(["sh", "-c", &format!("echo {names}")]);
        String::from_utf8(exec.output().unwrap().stdout).unwrap()
    };
    assert_eq!(waits(None), "600 600 600\n");
    assert_eq!(waits(Some("30")), "600 30 600\n");
}

/// Somebody asks for a file that nobody signed, by its URL.
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
    for installer in ALL {
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
    for installer in ALL {
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
