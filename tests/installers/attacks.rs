//! What a dishonest mirror does to whoever installs under `exec`: nothing. Each attack is first seen to
//! succeed against the same installer without it.

use std::fs;

use countersign_tests::published::Made;
use metadata::Sha256;
use policy::Encoding;

use crate::machine::{Machine, WORDS};
use crate::stage::{ALL, BOTH, Installer, Stage, forged_wheel, sample};

const WHEEL: &str = "countersign_sample_words-1.0.0-py3-none-any.whl";
const GREETER: &str = "countersign_sample_greeter-1.0.0-py3-none-any.whl";

/// The index, an installer that asks it directly, and one under `exec`.
fn attacked(
    attack: impl Fn(&Stage),
    module: &str,
    control: impl Fn(&crate::machine::Ran),
    what: &str,
    words: &[&str],
) {
    for installer in ALL {
        let stage = Stage::new();
        let machine = Machine::of(&stage);
        attack(&stage);
        control(&machine.install_directly(installer, &stage.server.url("simple/"), &[what]));
        machine
            .install(installer, &[what])
            .is_refused(module, words);
    }
}

/// Puts other bytes in place of a file wherever it lies, and its digest into the unsigned pages.
fn swap(stage: &Stage, name: &str, genuine: &[u8], evil: &[u8]) {
    let swapped = stage.index.tamper(name, |bytes| {
        if bytes == genuine {
            evil.to_vec()
        } else {
            bytes
        }
    });
    assert!(swapped > 0, "{name}");
    let (before, after) = (
        Sha256::of(genuine).to_string(),
        Sha256::of(evil).to_string(),
    );
    stage.index.tamper("/index.html", |bytes| {
        let page = String::from_utf8(bytes).unwrap();
        page.replace(&before, &after).into_bytes()
    });
}

#[test]
fn a_swapped_wheel_does_not_come_through() {
    let genuine = fs::read(sample(WHEEL)).unwrap();
    let evil = forged_wheel("1.0.0", &[]);
    attacked(
        |stage| swap(stage, WHEEL, &genuine, &evil),
        "countersign_sample_words",
        crate::machine::Ran::has_evil_words,
        WORDS,
        &["REFUSED TUF mismatch bins-", WHEEL],
    );
}

#[test]
fn a_dependency_in_swapped_core_metadata_does_not_come_through() {
    let stage = Stage::new();
    let path = stage.index.stored(&format!("{WORDS}/{WHEEL}.metadata"));
    let genuine = fs::read(path).unwrap();
    let evil = [&genuine[..], b"Requires-Dist: idna\n"].concat();
    // pip 22.3 knows nothing of core metadata.
    for installer in ALL.into_iter().filter(|it| *it != Installer::Pip22) {
        let stage = Stage::new();
        let machine = Machine::of(&stage);
        swap(&stage, &format!("{WHEEL}.metadata"), &genuine, &evil);
        let direct = machine.install_directly(installer, &stage.server.url("simple/"), &[WORDS]);
        // pip of today notices, when it has the wheel, that the two differ; it has fetched by then.
        assert!(direct.said.contains("idna"), "{}", direct.said);
        let ran = machine.install(installer, &[WORDS]);
        assert!(!ran.said.contains("idna"), "{}", ran.said);
        ran.is_refused("countersign_sample_words", &["REFUSED TUF mismatch bins-"]);
    }
}

#[test]
fn a_version_that_a_page_adds_does_not_come_through() {
    let evil = forged_wheel("9.0.0", &[]);
    let name = WHEEL.replace("1.0.0", "9.0.0");
    let genuine = fs::read(sample(WHEEL)).unwrap();
    attacked(
        |stage| {
            // The files of 1.0.0 become those of 9.0.0, in the signed page as in the others.
            swap(stage, WHEEL, &genuine, &evil);
            stage.index.tamper(&format!("/{WORDS}/"), |bytes| {
                match String::from_utf8(bytes) {
                    Ok(page) => page.replace("-1.0.0-", "-9.0.0-").into_bytes(),
                    Err(other) => other.into_bytes(),
                }
            });
            let here = stage.index.stored(&format!("packages/60/{WORDS}/{WHEEL}"));
            fs::rename(&here, here.with_file_name(&name)).unwrap();
            let metadata = here.with_file_name(format!("{WHEEL}.metadata"));
            fs::remove_file(metadata).unwrap();
            stage
                .index
                .tamper(&format!("simple/{WORDS}/index.html"), |bytes| {
                    let page = String::from_utf8(bytes).unwrap();
                    let mut words = page
                        .split_inclusive(' ')
                        .map(str::to_owned)
                        .collect::<Vec<_>>();
                    for word in &mut words {
                        if word.contains("core-metadata") || word.contains("dist-info-metadata") {
                            let rest = word.find('>').map_or("", |at| &word[at..]).to_owned();
                            *word = rest;
                        }
                    }
                    words.concat().into_bytes()
                });
        },
        "countersign_sample_words",
        crate::machine::Ran::has_evil_words,
        WORDS,
        &["REFUSED TUF mismatch bins-", "vnd.pypi.simple.v1.json"],
    );
}

#[test]
fn a_truncated_wheel_does_not_come_through() {
    let genuine = fs::read(sample(GREETER)).unwrap();
    for left in [0, 1, genuine.len() / 2, genuine.len() - 1] {
        let stage = Stage::new();
        let machine = Machine::of(&stage);
        swap(&stage, GREETER, &genuine, &genuine[..left]);
        for installer in ALL {
            let ran = machine.install(installer, &["countersign-sample-greeter"]);
            ran.is_refused(
                "countersign_sample_greeter",
                &["REFUSED TUF mismatch bins-"],
            );
        }
    }
}

/// Metadata is forged, then honest again: what was refused has left no trace.
#[test]
fn forged_metadata_stops_everything_until_it_is_gone() {
    let stage = Stage::new();
    let machine = Machine::of(&stage);
    let forge = |from: &'static str, to: &'static str| {
        stage.index.tamper("metadata/1.bins-", |bytes| {
            let text = String::from_utf8(bytes).unwrap();
            text.replace(from, to).into_bytes()
        })
    };
    assert!(forge("\"version\":1", "\"version\":3") > 0);
    for installer in BOTH {
        let ran = machine.install(installer, &[WORDS]);
        ran.is_refused("countersign_sample_words", &["REFUSED TUF ", "bins-"]);
    }
    forge("\"version\":3", "\"version\":1");
    for installer in BOTH {
        machine.install(installer, &[WORDS]).has_good_words();
    }
}

/// A cache that was filled before, by an index that lied, is not the one that is used.
#[test]
fn a_poisoned_cache_of_the_installer_is_not_used() {
    let stage = Stage::made(Made::small(Encoding::PathHashPrefixes));
    for installer in ALL {
        let machine = Machine::of(&stage);
        // The attacker was there first, at the very address, with the very file name.
        let evil = crate::machine::EvilIndex::at(machine.port, "1.0.0");
        let url = machine.index_url();
        machine
            .install_directly(installer, &url, &[WORDS])
            .has_evil_words();
        drop(evil);
        machine.install(installer, &[WORDS]).has_good_words();
        if !installer.is_pip() {
            // The control: with the cache as it is, nothing of the proxy's helps.
            let offline = ["--offline", WORDS];
            machine
                .install_directly(installer, &url, &offline)
                .has_evil_words();
        }
    }
}
