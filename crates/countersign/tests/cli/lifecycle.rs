//! The steps of quickstart by hand, with nothing but the separate commands and a key ceremony.

use std::path::Path;

use ceremony::{Event, GenesisPlan, HeldKey};
use chrono::Utc;
use keys::{FileKey, LoadOptions, PassphraseFile, Signer};

use crate::program::Place;

const METADATA: &str = "--metadata-url";

/// Makes keys with the program, then holds a ceremony with them: its folder's `publish-set`.
fn hold_ceremony(place: &Place) -> String {
    let mut held = Vec::new();
    for name in ["root-1", "root-2", "root-3", "targets", "bins", "online"] {
        place
            .run(&format!(
                "key new {name}.pem --random-passphrase {name}.secret"
            ))
            .expect_code(0);
        let source = PassphraseFile(place.at(&format!("{name}.secret")));
        let path = place.at(&format!("{name}.pem"));
        let loaded = FileKey::load(&path, &source, LoadOptions::default()).expect("a key");
        held.push((name, loaded.key));
    }
    let of = |prefix: &str| -> Vec<HeldKey> {
        let mine = held.iter().filter(|(name, _)| name.starts_with(prefix));
        mine.map(|(name, key)| HeldKey {
            holder: (*name).to_owned(),
            key: key.public_key().clone(),
        })
        .collect()
    };
    let plan = GenesisPlan {
        policy: policy::Policy::built_in_text("small-index").expect("a policy"),
        layout: None,
        now: Utc::now(),
        root: of("root"),
        targets: of("targets"),
        bins: of("bins"),
        snapshot: of("online"),
        timestamp: of("online"),
    };
    let event = Event::plan_genesis(&place.at("ceremony"), &plan).expect("a plan");
    for (name, key) in held.iter().filter(|(name, _)| *name != "online") {
        event
            .sign(key, Utc::now())
            .unwrap_or_else(|error| panic!("{name}: {error}"));
    }
    event.combine(Utc::now()).expect("enough signatures");
    "ceremony/publish-set".to_owned()
}

/// Init, apply, add, tick, serve, download, remove: the same result as quickstart's, and a client that
/// follows along.
#[test]
fn the_separate_commands_make_a_repository() {
    let place = Place::new();
    let set = hold_ceremony(&place);
    let samples = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/samples/dist");
    place
        .run("index init --online-key file:online.pem --passphrase-file online.secret")
        .expect_code(0)
        .expect_text("512 bins");
    place
        .run(&format!("index apply {set}"))
        .expect_code(0)
        .expect_text("root v1");
    place
        .run(&format!("index add {samples}"))
        .expect_code(0)
        .expect_text("queued: countersign_");
    // From another folder too: the settings name the keys wherever they lie.
    let data_dir = place.at("countersign-data");
    let tick = format!(
        "online tick --at-once --json --data-dir {}",
        data_dir.display()
    );
    let report = Place::new().run(&tick).expect_code(0).json();
    assert_eq!(
        (&report["bins"], &report["changes_published"]),
        (&512.into(), &3.into())
    );
    let again = place.run("online tick --at-once").expect_code(0);
    assert!(
        again.stdout.starts_with("nothing to do\n"),
        "{}",
        again.stdout
    );

    let served = place.serve("serve --listen 127.0.0.1:0", "Ctrl-C ends it");
    let metadata = served.url("  metadata ");
    let base = metadata.trim_end_matches("/metadata").to_owned();
    place
        .run("client init ceremony/publish-set/1.root.json")
        .expect_code(0);
    place
        .run(&format!("client refresh {METADATA} {metadata}"))
        .expect_code(0);
    let file = "countersign_sample_greeter-1.0.0-py3-none-any.whl";
    let download = format!("client download {file} --dir got {METADATA} {metadata}");
    let report = place
        .run(&format!("{download} --json"))
        .expect_code(0)
        .json();
    assert!(
        report["files"][0]["role"]
            .as_str()
            .expect("a role")
            .starts_with("bins-")
    );
    assert_eq!(
        place.read(&format!("got/{file}")),
        std::fs::read(format!("{samples}/{file}")).expect("a sample")
    );
    place
        .run(&format!(
            "audit {base} --root {set}/1.root.json --read-files"
        ))
        .expect_code(0);

    place.run(&format!("index remove {file}")).expect_code(0);
    place.run("online tick --at-once").expect_code(0);
    place.run(&download).expect_code(14);
    let status = place.run("index status --json").expect_code(0).json();
    assert_eq!(status["changes_waiting"], 0);
    assert_eq!(status["roles"][1]["role"], "timestamp");
    assert_eq!(status["roles"][1]["version"], 2);
    place
        .run(&format!("audit {base} --root {set}/1.root.json --json"))
        .expect_code(0);
}

/// The proxy takes its root once and is a whole index from then on.
#[test]
fn a_proxy_needs_a_root_and_then_nothing() {
    let place = Place::after_quickstart();
    let metadata = place.url("countersign-data/repository/metadata");
    let root = "countersign-data/ceremony/publish-set/1.root.json";
    place
        .run(&format!("proxy --listen 127.0.0.1:0 {METADATA} {metadata}"))
        .expect_code(1)
        .expect_text("hint: `countersign client init ROOT`");
    for options in [
        format!("--root {root}"),
        String::new(),
        format!("--root {root}"),
    ] {
        let line = format!("proxy --listen 127.0.0.1:0 {METADATA} {metadata} {options}");
        let served = place.serve(&line, "Ctrl-C ends it");
        let page = crate::installs::get(&format!(
            "{}/countersign-sample-cli/",
            served.url("verified at")
        ));
        assert!(
            page.contains("countersign_sample_cli-1.0.0.tar.gz"),
            "{page}"
        );
    }
    assert!(place.at("countersign-trust/cache").is_dir());
}

/// The contract of the TUF conformance suite: options first, exit code 0 or 1.
#[test]
fn the_conformance_contract_is_kept() {
    let place = Place::after_quickstart();
    let url = |part: &str| place.url(&format!("countersign-data/repository/{part}"));
    std::fs::create_dir(place.at("md")).expect("a folder");
    std::fs::create_dir(place.at("td")).expect("a folder");
    let root = "countersign-data/ceremony/publish-set/1.root.json";
    for client in ["client conformance", "client"] {
        let run = |rest: &str, code| place.run(&format!("{client} {rest}")).expect_code(code);
        run(&format!("--metadata-dir md init {root}"), 0);
        let at = format!("--metadata-url {} --metadata-dir md", url("metadata"));
        run(&format!("{at} refresh"), 0);
        let file =
            "packages/60/countersign-sample-words/countersign_sample_words-1.0.0-py3-none-any.whl";
        let base = format!("--target-dir td --target-base-url {}", url("targets"));
        run(&format!("{at} --target-name {file} {base} download"), 0);
        run(
            &format!("{at} --target-name nothing/at/all {base} download"),
            1,
        );
        run(&format!("{at} dance"), 1);
        run("--metadata-dir md init nowhere.json", 1);
    }
    for name in ["root", "timestamp", "snapshot", "targets"] {
        assert!(place.at(&format!("md/{name}.json")).is_file(), "{name}");
    }
    let kept = Path::new("td");
    assert_eq!(
        crate::program::content(&place.at(&kept.to_string_lossy())).len(),
        1
    );
}
