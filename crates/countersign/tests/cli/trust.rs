//! Which indexes are trusted, by what, and what is said where none is.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::program::{Place, Run};

const ROOT: &str = "countersign-data/ceremony/publish-set/1.root.json";

/// An index, and a line that adds it.
fn index() -> (Place, String) {
    let place = Place::after_quickstart();
    let url = place.url("countersign-data/repository");
    (place, format!("trust add --home home main {url}"))
}

fn shown(place: &Place) -> serde_json::Value {
    let run = place.run("trust show --home home --json").expect_code(0);
    run.json()
}

/// A run whose last argument has spaces in it.
fn with_words(place: &Place, line: &str, words: &str) -> Run {
    let mut command = place.command(line);
    let output = command.args(["--words", words]).output();
    Run::from(output.expect("the program runs"))
}

#[test]
fn a_root_is_given_or_named_by_its_fingerprint() {
    let (place, add) = index();
    place
        .run("trust list --home home")
        .expect_code(0)
        .expect_text("No index is trusted");
    place.run(&add).expect_code(2).expect_text("--root-digest");
    place
        .run(&format!("{add} --root {ROOT}"))
        .expect_code(0)
        .expect_text("words ");
    let root = shown(&place)["root"].clone();
    let mode = fs::metadata(place.at("home/indexes/main"))
        .expect("made")
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o700);
    // The same once more changes nothing; anything else under that name is refused.
    place.run(&format!("{add} --root {ROOT}")).expect_code(0);
    for other in ["--minimum timestamp=1", "--lenient", "--proxy-port 1"] {
        place
            .run(&format!("{add} --root {ROOT} {other}"))
            .expect_code(1)
            .expect_text("trusted already");
    }
    assert_eq!(shown(&place)["root"], root);
    place.run("trust remove --home home main").expect_code(0);
    assert!(!place.at("home/indexes/main").exists());

    let digest = root["sha256"].as_str().expect("a digest").to_owned();
    let words = root["words"].as_str().expect("words").to_owned();
    place
        .run(&format!("{add} --root-digest sha256:{digest}"))
        .expect_code(0);
    assert_eq!(shown(&place)["root"], root);
    place.run("trust remove --home home main").expect_code(0);
    with_words(&place, &add, &words.to_uppercase()).expect_code(0);
    assert_eq!(shown(&place)["root"], root);
    place.run("trust remove --home home main").expect_code(0);

    // Another root's, and one misheard.
    let other = "00".repeat(32);
    place
        .run(&format!("{add} --root-digest sha256:{other}"))
        .expect_code(1)
        .expect_text("do not trust this index");
    let first = words.split(' ').next().expect("a word");
    let misheard = if first == "acorn" { "adult" } else { "acorn" };
    with_words(&place, &add, &words.replacen(first, misheard, 1))
        .expect_code(1)
        .expect_text("do not trust this index");
    with_words(&place, &add, "acorn")
        .expect_code(1)
        .expect_text("sixteen words");
    place
        .run("trust list --home home")
        .expect_text("No index is trusted");

    place
        .run(&format!("{add} --trust-on-first-use"))
        .expect_code(0)
        .expect_text("nobody vouches for this root");
}

#[test]
fn least_versions_and_names_are_checked() {
    let (place, add) = index();
    for wrong in ["timestamp", "timestamp=0", "timestamp=x", "=1"] {
        place
            .run(&format!("{add} --root {ROOT} --minimum {wrong}"))
            .expect_code(2);
    }
    place
        .run(&format!(
            "{add} --root {ROOT} --minimum timestamp=2,snapshot=1"
        ))
        .expect_code(0)
        .expect_text("at least  snapshot v1, timestamp v2");
    place
        .run("client refresh --home home --index main")
        .expect_code(13)
        .expect_text("timestamp v1 is older than v2, which the trust anchor asks for");
    let line = add.replace(" main ", " ../main ");
    place
        .run(&format!("{line} --root {ROOT}"))
        .expect_code(1)
        .expect_text("cannot name an index");
    place.write("letter.json", "{}");
    let other = add.replace(" main ", " other ");
    place
        .run(&format!("{other} --root letter.json"))
        .expect_code(10)
        .expect_text("no root that can be trusted");
    assert!(!place.at("home/indexes/other").exists());
    place
        .run(&format!("{other} --anchor letter.json"))
        .expect_code(1)
        .expect_text("no trust anchor");
}

#[test]
fn an_index_stands_for_its_urls() {
    let (place, add) = index();
    place.run(&format!("{add} --root {ROOT}")).expect_code(0);
    let wheel = "countersign_sample_words-1.0.0-py3-none-any.whl";
    place
        .run(&format!(
            "client download --home home --index main --dir out {wheel}"
        ))
        .expect_code(0);
    assert!(place.at("out").join(wheel).exists());
    let url = place.url("countersign-data/repository/metadata");
    place
        .run(&format!(
            "client refresh --home home --index main --metadata-url {url}"
        ))
        .expect_code(2);
    place
        .run("client refresh --home home --index other")
        .expect_code(1)
        .expect_text("hint: trusted are main");
}

/// One trusted index needs no name, of several one has to be named, and where there is none the way to one
/// is said.
#[test]
fn the_only_index_is_meant_where_none_is_named() {
    let (place, add) = index();
    let url = place.url("countersign-data/repository/metadata");
    let refresh = "client refresh --home home";
    place
        .run(refresh)
        .expect_code(2)
        .expect_text("no index is trusted yet")
        .expect_text("hint: `countersign trust add");
    place.run(&format!("{add} --root {ROOT}")).expect_code(0);
    place.run(refresh).expect_code(0);
    let add = add.replace(" main ", " other ");
    place.run(&format!("{add} --root {ROOT}")).expect_code(0);
    place
        .run(refresh)
        .expect_code(1)
        .expect_text("several indexes are trusted");
    place
        .run(&format!("{refresh} --index other"))
        .expect_code(0);
    // A URL says that none of them is meant: what it leads to is trusted in a folder of its own, or not at all.
    place
        .run(&format!("{refresh} --metadata-url {url}"))
        .expect_code(1)
        .expect_text("countersign-trust");
    place
        .run(&format!("{refresh} --targets-url {url}"))
        .expect_code(2)
        .expect_text("--metadata-url <URL>");
}

#[test]
fn doctor_names_what_is_wrong_and_how_to_mend_it() {
    let (place, add) = index();
    place
        .run("doctor --home home")
        .expect_code(1)
        .expect_text("no index is trusted in ")
        .expect_text("mend: ");
    place.run(&format!("{add} --root {ROOT}")).expect_code(0);
    let levels = |run: &Run| {
        let findings = run.json()["findings"].as_array().expect("a list").clone();
        let level = |check: &str| {
            let found = findings.iter().find(|it| it["check"] == check);
            found.expect(check)["level"]
                .as_str()
                .expect("a level")
                .to_owned()
        };
        ["clock", "leaks", "reach", "expiry", "cache"].map(level)
    };
    let well = place.run("doctor --home home --json");
    assert_eq!(levels(&well), ["ok"; 5], "{}", well.stdout);

    let home = place.at("home/indexes/main");
    fs::set_permissions(&home, fs::Permissions::from_mode(0o755)).expect("opened");
    let later = std::time::SystemTime::now() + std::time::Duration::from_hours(24);
    let file = fs::File::options()
        .append(true)
        .open(home.join("metadata/timestamp.json"));
    file.expect("stored").set_modified(later).expect("set");
    fs::remove_file(place.at("countersign-data/repository/metadata/timestamp.json")).expect("gone");
    let leak = [("UV_INDEX", "http://index.example/simple/".as_ref())];
    let ill = place
        .run_with("doctor --home home --json", &leak)
        .expect_code(1);
    let expected = ["wrong", "warning", "wrong", "ok", "wrong"];
    assert_eq!(levels(&ill), expected, "{}", ill.stdout);
    for finding in ill.json()["findings"].as_array().expect("a list") {
        assert!(
            finding["level"] == "ok" || finding["mend"].is_string(),
            "{finding}"
        );
    }
}

/// What `exec` says before it runs anything; what it does then is in `tests/installers`.
#[test]
fn exec_without_an_index_runs_nothing() {
    let place = Place::new();
    place
        .run("exec --home home -- touch ran")
        .expect_code(125)
        .expect_text("no index is trusted yet")
        .expect_text("hint: `countersign trust add");
    assert!(!Path::new(&place.at("ran")).exists());
}
