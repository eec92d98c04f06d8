//! `client mirror`: a copy that verifies by itself, and what is refused of an altered one.

use crate::locks::{done, tool};
use crate::program::{Place, content};

const METADATA: &str = "countersign-data/repository/metadata";
const WORDS: &str = "countersign-sample-words";
const ROOT: &str = "countersign-data/ceremony/publish-set/1.root.json";

fn place() -> Place {
    let place = Place::after_quickstart();
    place.run(&format!("client init {ROOT}")).expect_code(0);
    place
}

fn mirror(place: &Place, words: &str) -> crate::program::Run {
    let url = place.url(METADATA);
    place.run(&format!(
        "client mirror {words} -d mirror --metadata-url {url}"
    ))
}

/// What somebody downloads who has only the copy and the root.
fn download(place: &Place, words: &str) -> crate::program::Run {
    let url = place.url("mirror/metadata");
    place.run(&format!(
        "client download {words} -d got --metadata-dir elsewhere --metadata-url {url}"
    ))
}

/// With the index gone, the copy serves our client, and pip through our proxy.
#[test]
fn a_mirror_verifies_by_itself() {
    let place = place();
    let run = mirror(&place, &format!("{WORDS} --json")).expect_code(0);
    assert_eq!(run.json()["roots"], serde_json::json!([1]));
    std::fs::copy(place.at(ROOT), place.at("1.root.json")).unwrap();
    std::fs::remove_dir_all(place.at("countersign-data")).unwrap();
    place
        .run("client init 1.root.json --metadata-dir elsewhere")
        .expect_code(0);
    download(&place, WORDS).expect_code(0);
    // What was not copied is missing, not denied.
    download(&place, "countersign-sample-greeter").expect_code(20);

    let url = place.url("mirror/metadata");
    let proxy = format!(
        "proxy --metadata-url {url} --root 1.root.json --metadata-dir proxied --listen 127.0.0.1:0"
    );
    let proxy = place.serve(&proxy, "Ctrl-C ends it");
    let index = format!("{}/", proxy.url("serving"));
    let install = ["install", "--no-cache-dir", "--target", "site", "-i"];
    done(tool(&place, "pip").args(install).args([&index, WORDS]));
    assert!(
        place
            .at("site/countersign_sample_words/__init__.py")
            .exists()
    );
}

/// A later run brings all its projects up to date, and what is there already is not fetched again.
#[test]
fn a_mirror_is_brought_up_to_date() {
    let place = place();
    mirror(&place, "")
        .expect_code(1)
        .expect_text("no project is named");
    mirror(&place, WORDS).expect_code(0);
    place
        .run("index yank countersign_sample_words-1.0.0-py3-none-any.whl --reason broken")
        .expect_code(0);
    place.run("online tick --at-once").expect_code(0);
    let before = content(&place.at("mirror"));
    mirror(&place, "nobody").expect_code(14);
    let failed = content(&place.at("mirror"));
    assert_eq!(failed, before, "a failure leaves the copy as it is");
    mirror(&place, "Countersign.Sample-Greeter").expect_code(0);
    place
        .run(&format!("client init {ROOT} --metadata-dir elsewhere"))
        .expect_code(0);
    download(&place, &format!("{WORDS}==1.0"))
        .expect_code(0)
        .expect_text("was yanked: broken");
    download(&place, "countersign-sample-greeter").expect_code(0);
}

#[test]
fn an_altered_mirror_is_refused() {
    let place = place();
    mirror(&place, WORDS).expect_code(0);
    place
        .run(&format!("client init {ROOT} --metadata-dir elsewhere"))
        .expect_code(0);
    for (end, code) in [(".whl", 10), (".v1.json", 10), ("timestamp.json", 11)] {
        let files = content(&place.at("mirror"));
        let (path, honest) = files
            .iter()
            .find(|(path, _)| path.to_str().is_some_and(|path| path.ends_with(end)))
            .expect("a file");
        let mut bytes = honest.clone();
        let at = match end {
            // A digit of the version: still a timestamp, and nobody has signed it.
            "timestamp.json" => {
                let text = String::from_utf8_lossy(&bytes);
                text.find("\"version\":1").expect("a version") + 10
            }
            _ => bytes.len() / 2,
        };
        bytes[at] ^= 2;
        std::fs::write(path, &bytes).unwrap();
        download(&place, WORDS).expect_code(code);
        std::fs::write(path, honest).unwrap();
    }
    download(&place, WORDS).expect_code(0);
}
