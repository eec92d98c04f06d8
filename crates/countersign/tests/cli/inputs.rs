//! Folders as they are found: broken, doubled and foreign files are named, the rest goes on.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use crate::program::Place;

const WORDS: &str = "countersign_sample_words-1.0.0-py3-none-any.whl";
const GREETER: &str = "countersign_sample_greeter-1.0.0-py3-none-any.whl";

/// A folder with one sound wheel among what can go wrong.
fn odd_folder(place: &Place) {
    let samples = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/samples/dist");
    let words = fs::read(format!("{samples}/{WORDS}")).expect("a sample");
    let greeter = fs::read(format!("{samples}/{GREETER}")).expect("a sample");
    place.write(&format!("dist/{WORDS}"), &words);
    place.write(
        "dist/broken-1.0-py3-none-any.whl",
        &words[..words.len() / 2],
    );
    place.write("dist/empty-1.0.tar.gz", "");
    place.write("dist/notes.txt", "no distribution");
    place.write("dist/.gitignore", "*");
    // Two files of one name, with different bytes.
    place.write(&format!("dist/one/{GREETER}"), &greeter);
    place.write(&format!("dist/two/{GREETER}"), of_another_day(greeter));
    place.write("dist/unreadable-1.0.tar.gz", "closed");
    let closed = fs::Permissions::from_mode(0o000);
    fs::set_permissions(place.at("dist/unreadable-1.0.tar.gz"), closed).expect("a mode");
    std::os::unix::fs::symlink("gone", place.at("dist/dangling-1.0.tar.gz")).expect("a link");
}

/// The same archive in other bytes: the first file in it has another date, as its own header and the
/// central directory say (APPNOTE 4.3.7, 4.3.12).
fn of_another_day(mut archive: Vec<u8>) -> Vec<u8> {
    let central = archive
        .windows(4)
        .position(|four| four == b"PK\x01\x02")
        .expect("a directory");
    archive[12] ^= 1;
    archive[central + 14] ^= 1;
    archive
}

const REFUSED: [(&str, &str); 7] = [
    ("dist/broken-1.0-py3-none-any.whl", "no sound zip archive"),
    (
        "dist/dangling-1.0.tar.gz",
        "could not be read: No such file",
    ),
    ("dist/empty-1.0.tar.gz", "no sound .tar.gz archive"),
    (
        "dist/notes.txt",
        "ends neither in .whl nor .tar.gz nor .zip",
    ),
    (
        "dist/one/countersign_sample_greeter-1.0.0-py3-none-any.whl",
        "stands twice in this call, with different bytes",
    ),
    (
        "dist/two/countersign_sample_greeter-1.0.0-py3-none-any.whl",
        "stands twice in this call, with different bytes",
    ),
    // Root reads what nobody may, and finds that it is no archive.
    ("dist/unreadable-1.0.tar.gz", ""),
];

#[test]
fn quickstart_names_what_it_refuses_and_goes_on() {
    let place = Place::new();
    odd_folder(&place);
    let run = place.run("quickstart dist --once --port 0").expect_code(1);
    for (path, why) in REFUSED {
        let line = run
            .stderr
            .lines()
            .find(|line| line.contains(&format!("refused {path}: ")) && line.contains(why));
        assert!(line.is_some(), "{path} {why} is not in {}", run.stderr);
    }
    assert!(!run.stderr.contains(".gitignore"), "{}", run.stderr);
    assert!(
        run.stdout.contains(&format!("added      {WORDS}\n")),
        "{}",
        run.stdout
    );
    assert!(
        run.stdout.contains(&format!("verified   {WORDS}")),
        "{}",
        run.stdout
    );
    assert!(
        run.stderr
            .contains("error: 7 of 8 files were refused, the rest went on"),
        "{}",
        run.stderr
    );
}

#[test]
fn index_add_does_the_same() {
    let place = Place::new();
    odd_folder(&place);
    place.run("index init").expect_code(0);
    let run = place.run("index add dist --json").expect_code(1);
    let report = run.json();
    let names = |list: &str| -> Vec<String> {
        let list = report[list].as_array().expect("a list");
        list.iter()
            .map(|one| one["path"].as_str().expect("a path").to_owned())
            .collect()
    };
    assert_eq!(names("refused"), REFUSED.map(|(path, _)| path));
    assert_eq!(names("accepted"), [format!("dist/{WORDS}")]);
    let status = place.run("index status --json").expect_code(0).json();
    assert_eq!(status["changes_waiting"], 1);
}

/// A pipe without a writer would be waited for for ever.
#[test]
fn pipes_and_folders_of_other_things_do_not_hang() {
    let place = Place::new();
    place.run("index init").expect_code(0);
    let made = std::process::Command::new("mkfifo")
        .arg(place.at("pipe-1.0.tar.gz"))
        .status();
    assert!(made.expect("mkfifo runs").success());
    place
        .run("index add pipe-1.0.tar.gz")
        .expect_code(1)
        .expect_text("refused pipe-1.0.tar.gz: is not a regular file");
    for number in 0..150 {
        place.write(&format!("papers/{number}.txt"), "paper");
    }
    let run = place.run("index add papers").expect_code(1);
    assert_eq!(
        run.stderr.matches("error: refused").count(),
        101,
        "{}",
        run.stderr
    );
    assert!(run.stderr.contains("refused 50 more"), "{}", run.stderr);
    assert!(
        run.stderr.contains("150 of 150 files were refused\n"),
        "{}",
        run.stderr
    );
}

/// If nothing at all is sound there is an index, and it is said that it is empty.
#[test]
fn a_folder_of_broken_files_only() {
    let place = Place::new();
    place.write("dist/broken-1.0-py3-none-any.whl", "no archive");
    place
        .run("quickstart dist --once --port 0")
        .expect_code(1)
        .expect_text("refused dist/broken-1.0-py3-none-any.whl: ")
        .expect_text("none of the 1 files could be taken in");
}
