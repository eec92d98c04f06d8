//! Whole projects under `exec`: locks of uv, poetry, and machines that are set up from an anchor.

use std::fs;

use chrono::{TimeDelta, Utc};
use countersign_tests::environment::{Server, clean_command, free_port, prepared, program, said};

use crate::machine::{Machine, Ran, WORDS};
use crate::stage::{Stage, forged_wheel};

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
    let sync = |machine: &Machine, mode: &[&str], options: &[&str]| {
        let mut exec = machine.exec(mode);
        exec.arg(prepared("venv/bin/uv")).args(["sync", "--python"]);
        exec.arg(prepared("venv/bin/python"))
            .args(options)
            .current_dir(&project);
        let ran = Ran::of(&exec.output().unwrap(), &project);
        let _ = fs::remove_dir_all(project.join(".venv"));
        ran
    };
    // The first lock names the index itself, so that it is of use on any machine.
    let ran = sync(&machine, &[], &[]);
    assert_eq!(ran.code, Some(0), "{}", ran.said);
    let lock = fs::read_to_string(project.join("uv.lock")).unwrap();
    assert!(lock.contains(&stage.server.url("simple/")), "{lock}");
    let ran = sync(&Machine::of(&stage), &[], &["--frozen"]);
    assert_eq!(ran.code, Some(0), "{}", ran.said);
    assert!(ran.verdict.contains("1 file of main"), "{}", ran.verdict);
    // One that names the proxy does as well.
    fs::remove_file(project.join("uv.lock")).unwrap();
    let ran = sync(&machine, &["--mode", "index"], &[]);
    assert_eq!(ran.code, Some(0), "{}", ran.said);
    let lock = fs::read_to_string(project.join("uv.lock")).unwrap();
    assert!(lock.contains(&machine.index_url()), "{lock}");
    // Another machine, whose index has another port: what the lock names is verified all the same.
    let other = Machine::of(&stage);
    let ran = sync(&other, &[], &["--frozen"]);
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
    let ran = sync(&tampered, &[], &["--frozen"]);
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

/// What a CI job runs: no terminal, a home folder that is new each time, and one folder that is restored if
/// there is one from an earlier job.
const JOB: &str = "
countersign trust add main \"$INDEX\" --root-digest \"sha256:$ROOT\"
countersign exec -- uv sync --frozen
";

#[test]
fn a_ci_job_with_and_without_a_restored_cache() {
    let stage = Stage::new();
    let lock = tempfile::tempdir().unwrap();
    let text = format!(
        "[project]\nname = \"p\"\nversion = \"1\"\nrequires-python = \">=3.9\"\ndependencies = [\"{WORDS}\"]\n"
    );
    fs::write(lock.path().join("pyproject.toml"), text).unwrap();
    let machine = Machine::of(&stage);
    let mut exec = machine.exec(&[]);
    exec.arg(prepared("venv/bin/uv")).args(["lock", "--python"]);
    exec.arg(prepared("venv/bin/python"))
        .current_dir(lock.path());
    let locked = exec.output().unwrap();
    assert!(locked.status.success(), "{}", said(&locked));

    let (kept, port) = (tempfile::tempdir().unwrap(), free_port().to_string());
    let root = fs::read(stage.index.root()).unwrap();
    let job = |root: &str| {
        let home = tempfile::tempdir().unwrap();
        let project = home.path().join("project");
        fs::create_dir(&project).unwrap();
        copy(lock.path(), &project);
        let programs = program("countersign").parent().unwrap().to_owned();
        let path = std::env::var_os("PATH").unwrap_or_default();
        let first = [prepared("venv/bin"), programs];
        let path = first.into_iter().chain(std::env::split_paths(&path));
        let mut sh = clean_command("sh", home.path());
        sh.args(["-euc", JOB])
            .env("PATH", std::env::join_paths(path).unwrap())
            .env("COUNTERSIGN_HOME", kept.path())
            .env("COUNTERSIGN_PROXY_PORT", &port)
            .env("INDEX", stage.server.url(""))
            .env("ROOT", root)
            .env("UV_PYTHON", prepared("venv/bin/python"))
            .env_remove("UV_CACHE_DIR")
            .current_dir(&project);
        Ran::of(&sh.output().unwrap(), &project)
    };
    let root = metadata::Sha256::of(&root).to_string();
    let first = job(&root);
    assert_eq!(first.code, Some(0), "{}", first.said);
    assert!(
        first.verdict.contains("1 file of main"),
        "{}",
        first.verdict
    );
    let asked = stage.server.log();
    let second = job(&root);
    assert_eq!(second.code, Some(0), "{}", second.said);
    let since = stage.server.log().replacen(&asked, "", 1);
    assert!(!since.contains(".whl"), "{since}");
    // A folder that was restored from elsewhere does not decide what is trusted.
    let other = job(&"0".repeat(64));
    assert_eq!(other.code, Some(1), "{}", other.said);
    assert!(
        other.said.contains("do not trust this index"),
        "{}",
        other.said
    );
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
