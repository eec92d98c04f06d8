//! `client download` by requirements: which files are chosen, and what is refused.

use crate::program::{Place, Run};

const METADATA: &str = "countersign-data/repository/metadata";
const WORDS: &str = "countersign_sample_words-1.0.0";

fn place() -> Place {
    let place = Place::after_quickstart();
    place
        .run("client init countersign-data/ceremony/publish-set/1.root.json")
        .expect_code(0);
    place
}

fn download(place: &Place, words: &str) -> Run {
    let url = place.url(METADATA);
    place.run(&format!(
        "client download -d got --metadata-url {url} {words}"
    ))
}

fn names(place: &Place) -> Vec<String> {
    let entries = std::fs::read_dir(place.at("got")).expect("a folder");
    let names = entries.map(|it| it.expect("an entry").file_name());
    let mut names: Vec<_> = names.map(|it| it.into_string().expect("text")).collect();
    names.sort();
    names
}

#[test]
fn a_requirement_means_all_files_of_one_version() {
    let place = place();
    let (wheel, sdist) = (
        format!("{WORDS}-py3-none-any.whl"),
        format!("{WORDS}.tar.gz"),
    );
    download(&place, "Countersign.Sample_Words>=0.9,<2").expect_code(0);
    let whole = names(&place);
    assert!(whole.contains(&wheel), "{whole:?}");
    std::fs::remove_dir_all(place.at("got")).unwrap();
    download(
        &place,
        "countersign-sample-words --only wheel --platform win32",
    )
    .expect_code(0);
    assert_eq!(names(&place), [wheel.as_str()]);
    std::fs::remove_dir_all(place.at("got")).unwrap();
    let sdists = download(&place, "countersign-sample-words --only sdist");
    if whole.contains(&sdist) {
        sdists.expect_code(0);
        assert_eq!(names(&place), [sdist.as_str()]);
    } else {
        sdists.expect_code(14).expect_text("has no file that fits");
    }
}

#[test]
fn a_requirement_that_cannot_be_met_is_named() {
    let place = place();
    for (words, code, said) in [
        (
            "countersign-sample-words>=9",
            14,
            "countersign-sample-words has no file that fits >=9",
        ),
        (
            "no-such-project>=1",
            14,
            "there is no project `no-such-project`",
        ),
        (
            "six@https://code.example/x.zip",
            14,
            "asked for from https://code.example/x.zip",
        ),
        (
            "countersign-sample-words>=x",
            1,
            "hint: name a requirement such as",
        ),
        ("-r none.txt", 1, "could not read none.txt"),
    ] {
        download(&place, words).expect_code(code).expect_text(said);
    }
    assert!(!place.at("got").exists(), "nothing was begun");
}

/// pip's rules for files of requirements: a digest that is promised has to fit.
#[test]
fn digests_in_a_file_of_requirements_have_to_fit() {
    let place = place();
    let report = download(&place, "countersign-sample-words --only wheel --json").json();
    let digest = report["files"][0]["sha256"]
        .as_str()
        .expect("a digest")
        .to_owned();
    let other = digest.replace(['0', '1'], "2");
    let line = |digest: &str| {
        format!(
            "--index-url https://index.example/\ncountersign-sample-words==1.0 ; python_version > '3' \\\n    --hash=sha256:{digest}\n"
        )
    };
    std::fs::remove_dir_all(place.at("got")).unwrap();
    place.write("requirements.txt", line(&digest));
    download(&place, "-r requirements.txt").expect_code(0);
    assert_eq!(names(&place), [format!("{WORDS}-py3-none-any.whl")]);
    for (text, code, said) in [
        (
            line(&other),
            10,
            "has no file that fits the digests promised",
        ),
        (
            format!("{}countersign-sample-cli\n", line(&digest)),
            1,
            "line 4: has no `--hash`, though others have",
        ),
        (
            line(&digest).replace("sha256:", "sha512:"),
            1,
            "line 2: has no SHA-256",
        ),
        ("--pre\nsix\n".to_owned(), 1, "line 1: has an option"),
        ("-r more.txt\n".to_owned(), 1, "line 1: names another file"),
        ("-e .\n".to_owned(), 1, "line 1: an editable project"),
    ] {
        place.write("requirements.txt", text);
        download(&place, "-r requirements.txt")
            .expect_code(code)
            .expect_text(said);
    }
}

/// A yanked file is passed over, unless it is pinned: then it is named, here and by `verify-lock`.
#[test]
fn yanked_files_are_named() {
    let place = place();
    let wheel = format!("{WORDS}-py3-none-any.whl");
    let report = download(&place, "countersign-sample-words --only wheel --json").json();
    let digest = report["files"][0]["sha256"]
        .as_str()
        .expect("a digest")
        .to_owned();
    place
        .run(&format!("index yank {wheel} --reason broken"))
        .expect_code(0);
    place.run("online tick --at-once").expect_code(0);
    download(&place, "countersign-sample-words --only wheel")
        .expect_code(14)
        .expect_text("yanked ones have to be pinned");
    let run = download(&place, "countersign-sample-words==1.0 --only wheel --json")
        .expect_code(0)
        .expect_text("was yanked: broken");
    assert_eq!(run.json()["files"][0]["yanked"], true);

    place.write(
        "requirements.txt",
        format!("countersign-sample-words==1.0 --hash=sha256:{digest}\n"),
    );
    let url = place.url(METADATA);
    let line = format!("verify-lock requirements.txt --metadata-url {url}");
    place
        .run(&line)
        .expect_code(0)
        .expect_text(&format!(
            "yanked countersign-sample-words 1.0 sha256:{digest}: broken"
        ))
        .expect_text("1 files are signed as locked, 0 are not");
    let report = place.run(&format!("{line} --json")).expect_code(0).json();
    assert_eq!(report["entries"][0]["verdict"], "yanked");
    assert_eq!(report["entries"][0]["why"], "broken");
}
