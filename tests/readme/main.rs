//! README does what it says: every shell block runs, in order, and the screen shown is the screen seen.

mod intake;
mod signing;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use countersign_tests::environment::{clean_command, prepared, program, said, samples};

pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn readme() -> String {
    fs::read_to_string(root().join("README.md")).unwrap()
}

/// The contents of all fenced blocks of one language.
fn blocks(language: &str) -> Vec<String> {
    let fence = format!("```{language}\n");
    let text = readme();
    text.split(&fence)
        .skip(1)
        .map(|rest| rest.split("```").next().unwrap().to_owned())
        .collect()
}

/// A shell in `folder` that finds our programs first, then the installers of the set-up.
pub(crate) fn shell(folder: &Path, script: &str) -> Command {
    let programs = program("countersign").parent().unwrap().to_owned();
    let path = std::env::var("PATH").unwrap();
    let installers = prepared("venv/bin/pip").parent().unwrap().to_owned();
    let mut command = clean_command("bash", folder);
    command
        .args(["-euo", "pipefail", "-c", script])
        .current_dir(folder)
        .env(
            "PATH",
            format!("{}:{}:{path}", programs.display(), installers.display()),
        );
    command
}

#[test]
fn at_most_1200_words() {
    let words = readme().split_whitespace().count();
    assert!(words <= 1200, "{words}");
}

/// The first command, and the screen it shows. `.ci/run` runs the command to the letter; here the
/// program that is built already takes the place of `cargo run`.
#[test]
fn quickstart_shows_what_the_readme_shows() {
    let first = blocks("sh").remove(0);
    let arguments = first
        .trim()
        .strip_prefix("cargo run --bin countersign -- ")
        .expect("cargo run");
    let folder = tempfile::tempdir().unwrap();
    let output = shell(folder.path(), &format!("countersign {arguments}"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", said(&output));
    let shown = blocks("console").remove(0);
    let (command, screen) = shown.split_once('\n').unwrap();
    assert_eq!(command, format!("$ countersign {arguments}"));
    assert_eq!(String::from_utf8(output.stdout).unwrap(), screen);
}

/// The second command is the one that runs this test, here and in `.ci/run`.
#[test]
fn the_test_command_is_the_one_ci_runs() {
    let second = blocks("sh").remove(1);
    assert_eq!(second.trim(), "python3 tests/run");
    let ci = fs::read_to_string(root().join(".ci/run")).unwrap();
    assert!(
        ci.lines()
            .any(|line| line.trim() == "section \"tests\" python3 tests/run")
    );
}

/// From keys to a verified download by hand.
#[test]
fn the_same_by_hand_works() {
    let folder = tempfile::tempdir().unwrap();
    let dist = folder.path().join("dist");
    fs::create_dir(&dist).unwrap();
    for sample in samples() {
        fs::copy(&sample, dist.join(sample.file_name().unwrap())).unwrap();
    }
    let script: String = blocks("sh").split_off(2).concat();
    let output = shell(folder.path(), &script).output().unwrap();
    assert!(output.status.success(), "{}", said(&output));
    let wheel = "countersign_sample_words-1.0.0-py3-none-any.whl";
    let downloaded = fs::read(folder.path().join("downloads").join(wheel)).unwrap();
    assert_eq!(downloaded, fs::read(dist.join(wheel)).unwrap());
    let module = folder
        .path()
        .join("site/countersign_sample_words/__init__.py");
    assert!(module.exists(), "{}", said(&output));
}
