//! `verify-lock` and `client verify`: promises of others against what is signed, with the real uv, pip and poetry
//! making the lock files.

use std::path::Path;
use std::process::Command;

use crate::program::Place;

const WORDS: &str = "countersign_sample_words-1.0.0-py3-none-any.whl";
const METADATA: &str = "countersign-data/repository/metadata";

/// A client that trusts quickstart's repository, and two of its files downloaded.
fn place() -> Place {
    let place = Place::after_quickstart();
    place
        .run("client init countersign-data/ceremony/publish-set/1.root.json")
        .expect_code(0);
    place
}

fn verify_lock(place: &Place, file: &str) -> String {
    format!("verify-lock {file} --metadata-url {}", place.url(METADATA))
}

fn sha256(place: &Place) -> String {
    let url = place.url(METADATA);
    let line = format!("client download {WORDS} --dir got --json --metadata-url {url}");
    let run = place.run(&line).expect_code(0);
    run.json()["files"][0]["sha256"]
        .as_str()
        .expect("a digest")
        .to_owned()
}

/// One of the tools that `tests/run` sets up, without this machine's settings.
pub(crate) fn tool(place: &Place, name: &str) -> Command {
    let base = std::env::var_os("COUNTERSIGN_TEST_ENV").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/.env"),
        Into::into,
    );
    let program = base.join("venv/bin").join(name);
    assert!(
        program.exists(),
        "{} is missing: run `python3 tests/run --setup-only`",
        program.display()
    );
    let mut command = Command::new(program);
    command
        .current_dir(place.at(""))
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("HOME", place.at(""))
        .env("PIP_CONFIG_FILE", "/dev/null")
        .env("PIP_DISABLE_PIP_VERSION_CHECK", "1")
        .env("UV_NO_CONFIG", "1")
        .env("UV_PYTHON_DOWNLOADS", "never");
    command
}

pub(crate) fn done(command: &mut Command) {
    let output = command.output().expect("the tool runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
}

/// Has poetry lock a project of its own, in the folder `p`.
fn poetry_lock(place: &Place, index: &str) {
    std::fs::create_dir(place.at("p")).expect("a folder");
    place.write(
        "p/pyproject.toml",
        format!(
            "[tool.poetry]\nname = \"p\"\nversion = \"1\"\ndescription = \"\"\nauthors = []\n\
             package-mode = false\n[tool.poetry.dependencies]\npython = \">=3.10\"\n\
             countersign-sample-words = \"*\"\n\
             [[tool.poetry.source]]\nname = \"main\"\nurl = \"{index}\"\n"
        ),
    );
    let mut python = tool(place, "python");
    let installers = Path::new(python.get_program()).ancestors().nth(3);
    let poetry = installers
        .expect("its folder")
        .join("installers/poetry-2.5.1");
    python.env("PYTHONPATH", poetry).current_dir(place.at("p"));
    done(python.args(["-m", "poetry", "lock", "--no-interaction"]));
}

/// What uv, pip and poetry lock from the served index is what is signed, and one digit less is not; of each
/// format what was yanked since and what has vanished is named.
#[test]
fn locks_of_the_real_tools() {
    let place = place();
    let served = place.serve("serve --listen 127.0.0.1:0", "Ctrl-C ends it");
    let index = format!("{}/simple/", served.url("serving"));
    place.write(
        "pyproject.toml",
        "[project]\nname = \"app\"\nversion = \"1\"\nrequires-python = \">=3.10\"\n\
         dependencies = [\"countersign-sample-cli\", \"countersign-sample-words\"]\n",
    );
    done(tool(&place, "uv").args(["lock", "--default-index", &index, "--no-cache"]));
    let lock = [
        "lock",
        "countersign-sample-words",
        "--no-deps",
        "--only-binary=:all:",
        "-o",
        "pylock.toml",
        "-i",
        &index,
    ];
    done(tool(&place, "pip").args(lock));
    let export = [
        "export",
        "--frozen",
        "--no-emit-project",
        "-o",
        "requirements.txt",
        "-q",
    ];
    done(tool(&place, "uv").args(export));
    poetry_lock(&place, &index);
    let digest = sha256(&place);
    let locks = [
        "uv.lock",
        "pylock.toml",
        "requirements.txt",
        "p/poetry.lock",
    ];
    for file in locks {
        let run = place
            .run(&format!("{} --json", verify_lock(&place, file)))
            .expect_code(0);
        let report = run.json();
        assert_eq!(report["broken"], 0, "{report}");
        let entries = report["entries"].as_array().expect("a list");
        let signed = entries.iter().filter(|entry| entry["verdict"] == "signed");
        assert!(signed.count() >= 1, "{report}");

        let text = String::from_utf8(place.read(file)).expect("text");
        let at = text.find(&digest).expect("the digest is locked");
        let other = if &text[at..=at] == "0" { "1" } else { "0" };
        place.write(file, format!("{}{other}{}", &text[..at], &text[at + 1..]));
        let code = if file == "requirements.txt" { 14 } else { 10 };
        let said = if code == 14 {
            "vanished"
        } else {
            "is signed as"
        };
        place
            .run(&verify_lock(&place, file))
            .expect_code(code)
            .expect_text(said);
        place.write(file, text);
    }
    for (change, code, said) in [
        ("yank --reason broken", 0, "yanked countersign-sample-words"),
        ("remove", 14, "vanished countersign-sample-words"),
    ] {
        place.run(&format!("index {change} {WORDS}")).expect_code(0);
        place.run("online tick --at-once").expect_code(0);
        for file in locks {
            place
                .run(&verify_lock(&place, file))
                .expect_code(code)
                .expect_text(said);
        }
    }
}

/// Poetry's format, and every way in which a promise is not kept, each named.
#[test]
fn promises_that_are_not_kept_are_named() {
    let place = place();
    let digest = sha256(&place);
    let poetry = |file: &str, version: &str, digest: &str| {
        format!(
            "[[package]]\nname = \"countersign-sample-words\"\nversion = \"{version}\"\n\
             files = [{{file = \"{file}\", hash = \"sha256:{digest}\"}}]\n\
             [metadata]\nlock-version = \"2.1\"\n"
        )
    };
    place.write("poetry.lock", poetry(WORDS, "1.0", &digest));
    place
        .run(&verify_lock(&place, "poetry.lock"))
        .expect_code(0)
        .expect_text("1 files are signed as locked, 0 are not");
    let nine = "countersign_sample_words-9.0-py3-none-any.whl";
    for (text, code, said) in [
        (
            poetry(WORDS, "1.0", &digest.replace(['0', '1'], "2")),
            10,
            "is signed as sha256:",
        ),
        (poetry(WORDS, "2.0", &digest), 10, "is not of version 2.0"),
        (
            poetry(nine, "9.0", &digest),
            14,
            "vanished countersign-sample-words",
        ),
        (
            poetry(WORDS, "1.0", &digest).replace("sample-words", "nobody"),
            14,
            "not-signed",
        ),
        (
            poetry(WORDS, "1.0", &digest).replace("sha256:", "sha512:"),
            1,
            "no-digest",
        ),
    ] {
        place.write("poetry.lock", text);
        place
            .run(&verify_lock(&place, "poetry.lock"))
            .expect_code(code)
            .expect_text(said);
    }
    place.write("requirements.txt", "x @ https://code.example/x.zip\n");
    place
        .run(&verify_lock(&place, "requirements.txt"))
        .expect_code(14)
        .expect_text("elsewhere x");
    place.write("requirements.txt", "x>=1\n");
    place
        .run(&verify_lock(&place, "requirements.txt"))
        .expect_code(1)
        .expect_text("line 1: is not pinned");
    place
        .run(&verify_lock(&place, "Pipfile"))
        .expect_code(1)
        .expect_text("hint: name a uv.lock");
}

/// Name and bytes count, wherever the file lies.
#[test]
fn client_verify_knows_a_file_by_name_and_bytes() {
    let place = place();
    sha256(&place);
    let verify = |file: &str| {
        format!(
            "client verify {file} --metadata-url {}",
            place.url(METADATA)
        )
    };
    let run = place
        .run(&format!("{} --json", verify(&format!("got/{WORDS}"))))
        .expect_code(0);
    assert_eq!(run.json()["files"][0]["verdict"], "signed");

    let mut bytes = place.read(&format!("got/{WORDS}"));
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    place.write(&format!("bad/{WORDS}"), bytes);
    place
        .run(&verify(&format!("got/{WORDS} bad/{WORDS}")))
        .expect_code(10)
        .expect_text("mismatch bad/")
        .expect_text("1 of 2 files are not what the index signs");
    place.write("bad/notes.txt", "x");
    place
        .run(&verify("bad/notes.txt"))
        .expect_code(1)
        .expect_text("hint: name a wheel or sdist");
}
