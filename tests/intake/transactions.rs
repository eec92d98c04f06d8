//! What developers have signed, handed in over HTTP: verified as `index receive` verifies it, and refused with
//! the same codes.

use std::fs;

use countersign_tests::environment::{packages, said};
use serde_json::Value;

use crate::stage::{Answer, Ask, Stage, small_policy};

const SDIST: &str = "idna-3.20.tar.gz";
const ARCHIVE: &str = "application/vnd.countersign.transaction+zip";

/// The policy with the claims that the reasons of the shipped policies show.
fn developers_sign() -> String {
    let readme = concat!(env!("CARGO_MANIFEST_DIR"), "/../policy/README.md");
    let readme = fs::read_to_string(readme).unwrap();
    let (_, rest) = readme.split_once("```toml\n").unwrap();
    let (claims, _) = rest.split_once("```").unwrap();
    format!(
        "{}\n{claims}",
        small_policy().replace("\"365d\"", "\"90d\"")
    )
}

fn run(stage: &Stage, line: &str) -> String {
    let words: Vec<&str> = line.split(' ').collect();
    let output = stage
        .command(&words)
        .env("COUNTERSIGN_PASSPHRASE_FILE", "secret")
        .env("COUNTERSIGN_INDEX_URL", "https://index.example/")
        .output()
        .unwrap();
    assert!(output.status.success(), "{line}: {}", said(&output));
    String::from_utf8(output.stdout).unwrap()
}

/// An index with a claim on idna whose first release is signed and not handed in.
fn with_a_release() -> Stage {
    let stage = Stage::by(&developers_sign());
    let sdist = packages()
        .into_iter()
        .find(|path| path.ends_with(SDIST))
        .unwrap();
    fs::copy(sdist, stage.home().join(SDIST)).unwrap();
    for line in [
        "project key new ada.pem",
        "project key new operator.pem",
        "index claims challenge idna --operator-key operator.pem --to challenge.json",
        "project claim idna --challenge challenge.json --operator-public-key operator.pem.pub \
         --key ada.pem",
        "index claims grant idna --challenge challenge.json \
         --request countersign-project/request.json --operator-key operator.pem --to grant.json",
        "index receive countersign-project/request.json grant.json \
         --operator-public-key operator.pem.pub",
    ] {
        run(&stage, line);
    }
    assert!(stage.tick().status.success());
    run(&stage, &format!("project sign {SDIST} --yes --key ada.pem"));
    run(&stage, &format!("project upload {SDIST} --to first.zip"));
    stage
}

fn hand_in(stage: &Stage, token: &str, archive: &[u8]) -> Answer {
    stage.ask_as(
        token,
        Ask::new("POST", "/v1/changes").with(ARCHIVE, archive),
    )
}

#[test]
fn a_transaction_is_verified_before_it_is_acknowledged() {
    let stage = with_a_release();
    stage.token("theirs", &["--may", "transaction", "--project", "other-*"]);
    stage.token("ours", &["--may", "transaction", "--project", "idna"]);
    std::thread::sleep(std::time::Duration::from_millis(1_100));
    let archive = fs::read(stage.home().join("first.zip")).unwrap();
    let before = stage.kept();
    let beyond = hand_in(&stage, "theirs", &archive);
    assert_eq!(beyond.problem(), (403, "out-of-scope".to_owned()));
    // A byte of the file inside, and one of the role.
    let of_file = archive.len() / 2;
    let at = |part: &[u8]| {
        archive
            .windows(part.len())
            .position(|one| one == part)
            .unwrap()
    };
    for place in [of_file, at(b"\"signed\"")] {
        let mut bent = archive.clone();
        bent[place] ^= 1;
        let answer = hand_in(&stage, "ours", &bent);
        assert_eq!(
            answer.problem(),
            (422, "invalid".to_owned()),
            "{place}: {answer:?}"
        );
        let code: Value = answer.json()["code"].clone();
        assert!(code.is_string(), "{answer:?}");
    }
    assert_eq!(stage.kept(), before);

    // By the developers' own program: what is refused is named with what to do.
    let url = format!("http://127.0.0.1:{}/", stage.port());
    let send = |archive: &str, token: &str| {
        let words = [
            "project",
            "send",
            archive,
            "--intake-url",
            &url,
            "--token-file",
            token,
        ];
        stage.command(&words).output().unwrap()
    };
    fs::write(stage.home().join("bent.zip"), &archive[..archive.len() / 2]).unwrap();
    let refused = send("bent.zip", "ours.token");
    assert_eq!(refused.status.code(), Some(1), "{}", said(&refused));
    assert!(
        said(&refused).contains("hint: send the archive as"),
        "{}",
        said(&refused)
    );
    let refused = send("first.zip", "theirs.token");
    assert!(
        said(&refused).contains("hint: ask the operator"),
        "{}",
        said(&refused)
    );
    assert_eq!(stage.kept(), before);
    let taken = send("first.zip", "ours.token");
    assert!(
        taken.status.success() && said(&taken).contains("queued as"),
        "{}",
        said(&taken)
    );
    assert_eq!(
        send("first.zip", "ours.token").stdout,
        taken.stdout,
        "it is the same request"
    );

    let keyed = || {
        let ask = Ask::new("POST", "/v1/changes").with(ARCHIVE, &archive);
        let key = metadata::Sha256::of(&archive).to_string();
        stage.ask_as("ours", ask.header("idempotency-key", &key))
    };
    let taken = keyed();
    let id = taken.id();
    assert_eq!(taken.json()["changes"][0]["action"], "transaction");
    assert!(stage.tick().status.success());
    let fate = stage.ask_as("ours", Ask::get(&format!("/v1/changes/{id}")));
    assert_eq!(fate.json()["state"], "published", "{fate:?}");
    assert!(stage.lists("idna", SDIST));
    // By the door for files nothing more comes in: its developers sign.
    let sdist = fs::read(stage.home().join(SDIST)).unwrap();
    let plain = stage.ask(Ask::file(SDIST, &sdist));
    assert_eq!(plain.problem(), (409, "developers-sign".to_owned()));
    // Under its key it is the same for ever; without one the version is taken.
    assert_eq!(keyed().body, taken.body);
    let again = hand_in(&stage, "ours", &archive);
    assert_eq!(again.problem().0, 422, "{again:?}");
}
