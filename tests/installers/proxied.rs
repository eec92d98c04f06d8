//! pip and uv, pointed at the proxy: the real thing arrives, the tampered does not, and what the
//! installer prints names the reason.

use std::fs;

use chrono::{TimeDelta, Utc};
use countersign_tests::environment::said;
use countersign_tests::published::Made;
use policy::Encoding;

use crate::stage::{ALL, BOTH, Installer, Stage, evil_wheel, installed, sample};

#[test]
fn samples_and_requests_install() {
    let stage = Stage::new();
    let proxy = stage.proxy();
    for installer in BOTH {
        let (output, into) = stage.install(installer, &proxy, &["countersign-sample-cli"]);
        installed(&into, "countersign_sample_words", &output);
        let (output, into) = stage.install(installer, &proxy, &["requests"]);
        for module in [
            "requests",
            "urllib3",
            "idna",
            "certifi",
            "charset_normalizer",
        ] {
            installed(&into, module, &output);
        }
    }
}

#[test]
fn succinct_bins_and_source_distributions_install() {
    let stage = Stage::made(Made::small(Encoding::Succinct));
    let proxy = stage.proxy();
    for (installer, no_binary) in [
        (Installer::Pip, "--no-binary=idna"),
        (Installer::Uv, "--no-binary=idna"),
    ] {
        let (output, into) = stage.install(installer, &proxy, &["idna", no_binary]);
        installed(&into, "idna", &output);
    }
}

/// Without the proxy the same tampering succeeds: an index that lies about page and wheel alike is
/// believed by an installer that asks it directly.
#[test]
fn control_a_lying_index_is_believed_without_the_proxy() {
    let stage = Stage::new();
    let wheel = "countersign_sample_words-1.0.0-py3-none-any.whl";
    let evil = evil_wheel();
    let digest = metadata::Sha256::of(&evil).to_string();
    assert!(
        stage
            .index
            .tamper(wheel, |bytes| if bytes.starts_with(b"PK") {
                evil.clone()
            } else {
                bytes
            })
            >= 1
    );
    let genuine = metadata::Sha256::of(&fs::read(sample(wheel)).unwrap()).to_string();
    let lie = |bytes: Vec<u8>| {
        String::from_utf8(bytes)
            .unwrap()
            .replace(&genuine, &digest)
            .into_bytes()
    };
    assert!(
        stage
            .index
            .tamper("simple/countersign-sample-words/index.html", lie)
            == 1
    );
    let (output, into) =
        stage.install(Installer::Pip, &stage.server, &["countersign-sample-words"]);
    assert!(output.status.success(), "{}", said(&output));
    let module = fs::read_to_string(into.join("countersign_sample_words/__init__.py")).unwrap();
    assert!(module.contains("evil"), "{module}");
    stage.refused(
        "countersign-sample-words",
        "countersign_sample_words",
        &[wheel],
    );
}

#[test]
fn a_tampered_wheel_is_refused() {
    let stage = Stage::new();
    let wheel = "countersign_sample_words-1.0.0-py3-none-any.whl";
    let evil = evil_wheel();
    stage.index.tamper(&format!(".{wheel}"), |bytes| {
        if bytes.starts_with(b"PK") {
            evil.clone()
        } else {
            bytes
        }
    });
    stage.refused(
        "countersign-sample-words",
        "countersign_sample_words",
        &[wheel, "409"],
    );
}

/// Cut in every part of a wheel, and one byte longer than it was signed: no installer gets it.
#[test]
fn a_wheel_of_another_length_is_refused() {
    let wheel = "countersign_sample_words-1.0.0-py3-none-any.whl";
    let genuine = fs::read(sample(wheel)).unwrap();
    let find = |mark: &[u8]| genuine.windows(4).position(|it| it == mark).unwrap();
    let (directory, end) = (find(b"PK\x01\x02"), find(b"PK\x05\x06"));
    for left in [
        0,                 // nothing at all
        1,                 // in the signature of the first entry
        20,                // in the header of the first entry
        directory / 2,     // in the files
        directory,         // before the central directory
        end - 1,           // in the central directory
        end,               // before its end record
        genuine.len() - 1, // in the end record
        genuine.len() + 1, // after it
    ] {
        let stage = Stage::new();
        let mut cut = genuine.clone();
        cut.resize(left, b'\n');
        let count = stage.index.tamper(
            wheel,
            |bytes| {
                if bytes == genuine { cut.clone() } else { bytes }
            },
        );
        assert!(count > 0);
        stage.refused(
            "countersign-sample-words",
            "countersign_sample_words",
            &[wheel],
        );
        // The control: by its own pages the index would have it installed where it is a wheel still.
        // uv by itself takes none with bytes after its end.
        if left > genuine.len() {
            let (before, after) = (
                metadata::Sha256::of(&genuine).to_string(),
                metadata::Sha256::of(&cut).to_string(),
            );
            stage.index.tamper("/index.html", |bytes| {
                let page = String::from_utf8(bytes).unwrap();
                page.replace(&before, &after).into_bytes()
            });
            for installer in ALL.into_iter().filter(|it| it.is_pip()) {
                let what = ["countersign-sample-words"];
                let (output, into) = stage.install(installer, &stage.server, &what);
                installed(&into, "countersign_sample_words", &output);
            }
        }
    }
}

#[test]
fn a_tampered_page_is_refused() {
    let stage = Stage::new();
    stage.index.tamper(
        "/countersign-sample-words/",
        |bytes| match String::from_utf8(bytes) {
            Ok(text) if text.contains("\"files\"") => text.replace("1.0.0", "9.0.0").into_bytes(),
            Ok(text) => text.into_bytes(),
            Err(error) => error.into_bytes(),
        },
    );
    stage.refused(
        "countersign-sample-words",
        "countersign_sample_words",
        &["TUF", "vnd.pypi.simple.v1.json", "bins-"],
    );
}

#[test]
fn tampered_metadata_is_refused() {
    for (file, from, to) in [
        (
            "metadata/timestamp.json",
            "\"version\":1}",
            "\"version\":2}",
        ),
        (
            "metadata/1.snapshot.json",
            "\"version\":1}",
            "\"version\":2}",
        ),
        (
            "metadata/1.targets.json",
            "\"terminating\":false",
            "\"terminating\":true",
        ),
        ("metadata/1.bins-", "\"length\":", "\"length\":1"),
    ] {
        let stage = Stage::new();
        let count = stage.index.tamper(file, |bytes| {
            String::from_utf8(bytes)
                .unwrap()
                .replace(from, to)
                .into_bytes()
        });
        assert!(count > 0, "{file}");
        let role = file
            .trim_start_matches("metadata/")
            .trim_start_matches("1.");
        let role = role.trim_end_matches(".json");
        stage.refused(
            "countersign-sample-words",
            "countersign_sample_words",
            &["TUF", role],
        );
    }
}

#[test]
fn a_stale_timestamp_is_refused() {
    let made = Made {
        now: Utc::now() - TimeDelta::days(3),
        ..Made::small(Encoding::PathHashPrefixes)
    };
    let stage = Stage::made(made);
    let words = ["TUF", "expired", "timestamp"];
    stage.refused(
        "countersign-sample-words",
        "countersign_sample_words",
        &words,
    );
}
