//! Developers who sign their releases: from `key new` to the archive for the index.

use std::io::{Cursor, Write};

use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use crate::program::Place;

const INDEX: &str = "--index-url https://index.example/";
const OPERATOR: &str = "--operator-key operator.pem --passphrase-file secret";

/// A folder with the keys of an operator, of two owners of the project and of a maintainer.
fn with_keys() -> Place {
    let place = Place::new();
    place.write("secret", "correct horse battery staple\n");
    for name in ["operator", "ada", "bob", "alice"] {
        let line = format!("project key new {name}.pem --kdf pbkdf2 --passphrase-file secret");
        place.run(&line).expect_code(0);
    }
    place
}

/// The same with a claim that the operator has granted: two of two keys.
fn claimed() -> Place {
    let place = with_keys();
    place
        .run(&format!(
            "index claims challenge alpha {INDEX} {OPERATOR} --to challenge.json"
        ))
        .expect_code(0);
    place
        .run(&format!(
            "project claim alpha --challenge challenge.json --operator-public-key operator.pem.pub \
             {INDEX} --threshold 2 --public-key bob.pem.pub --key ada.pem --passphrase-file secret"
        ))
        .expect_code(0)
        .expect_text("still needs the signatures of");
    grant(&place)
        .expect_code(11)
        .expect_text("claim PROJECT --add-signature");
    place
        .run("project claim alpha --add-signature --key bob.pem --passphrase-file secret")
        .expect_code(0)
        .expect_text("every key of alpha has signed");
    let granted = grant(&place).expect_code(0);
    assert_eq!(
        granted.stdout.matches("2 of these keys").count(),
        1,
        "{}",
        granted.stdout
    );
    place
}

fn grant(place: &Place) -> crate::program::Run {
    place.run(&format!(
        "index claims grant alpha --request countersign-project/request.json \
         --challenge challenge.json {INDEX} {OPERATOR} --to grant.json"
    ))
}

fn wheel(place: &Place, version: &str) -> String {
    let name = format!("alpha-{version}-py3-none-any.whl");
    let mut wheel = ZipWriter::new(Cursor::new(Vec::new()));
    let entry = format!("alpha-{version}.dist-info/METADATA");
    wheel
        .start_file(entry, SimpleFileOptions::default())
        .expect("an entry");
    let metadata = format!("Metadata-Version: 2.1\nName: alpha\nVersion: {version}\n");
    wheel.write_all(metadata.as_bytes()).expect("it is written");
    place.write(&name, wheel.finish().expect("an archive").into_inner());
    name
}

#[test]
fn two_owners_and_a_maintainer_release() {
    let place = claimed();
    let first = wheel(&place, "1.0");
    // Nothing is written before it was looked at.
    let shown = place.run(&format!("project sign {first}")).expect_code(0);
    assert!(
        shown.stdout.contains("first version v1"),
        "{}",
        shown.stdout
    );
    assert!(
        shown.stdout.contains(&format!("+ {first}")),
        "{}",
        shown.stdout
    );
    place
        .run("project upload --to first.zip")
        .expect_code(1)
        .expect_text("nothing waits to be sent");
    place
        .run(&format!(
            "project sign {first} --yes --key ada.pem --passphrase-file secret"
        ))
        .expect_code(0)
        .expect_text("1 of 2");
    // One signature is missing.
    place
        .run(&format!("project upload {first} --to first.zip"))
        .expect_code(11)
        .expect_text("code `signatures`")
        .expect_text("hint: sign with `countersign project sign --add-signature");
    place
        .run("project sign --add-signature --key bob.pem --passphrase-file secret")
        .expect_code(0)
        .expect_text("2 of 2");
    let upload = place
        .run(&format!("project upload {first} --to first.zip --json"))
        .expect_code(0)
        .json();
    assert_eq!(upload["is_first"], true);
    assert_eq!(upload["roles"][0], "project-alpha v1");
    assert_eq!(upload["new_files"][0], first);
    place.run("project accepted").expect_code(0);

    // A maintainer with a key of her own; from here on the owners' keys can rest.
    let both = "--key ada.pem --key bob.pem --passphrase-file secret";
    place
        .run(&format!(
            "project sub-role set alice --public-key alice.pem.pub --yes {both}"
        ))
        .expect_code(0)
        .expect_text("project-alpha--alice may now speak for");
    let second = wheel(&place, "2.0");
    let alice = "--sub-role alice --key alice.pem --passphrase-file secret";
    place
        .run(&format!("project sign {second} --yes {alice}"))
        .expect_code(0);
    let upload = place
        .run(&format!("project upload {second} --to second.zip --json"))
        .expect_code(0)
        .json();
    assert_eq!(upload["is_first"], false);
    assert_eq!(upload["roles_visited"], 4);
    assert_eq!(upload["roles"][1], "project-alpha--alice v1");
    place.run("project accepted").expect_code(0);
    let status = place.run("project status --json").expect_code(0).json();
    assert_eq!(status["threshold"], 2);
    assert_eq!(status["roles"].as_array().map(Vec::len), Some(2));
    assert_eq!(status["roles"][1]["stage"], "published");

    // She gives up a file of hers; it is named, and gone.
    place
        .run(&format!("project sign --withdraw {second} --yes {alice}"))
        .expect_code(0)
        .expect_text(&format!("- {second}"));
    let upload = place
        .run("project upload --to third.zip --json")
        .expect_code(0);
    assert_eq!(upload.json()["given_up"][0], second);
}

#[test]
fn claims_are_for_one_index_and_project() {
    let place = with_keys();
    place
        .run(&format!(
            "index claims challenge alpha {INDEX} {OPERATOR} --to challenge.json"
        ))
        .expect_code(0);
    let claim = |project: &str, operator: &str, index: &str| {
        place.run(&format!(
            "project claim {project} --challenge challenge.json --operator-public-key {operator} \
             --index-url {index} --key ada.pem --passphrase-file secret"
        ))
    };
    claim("beta", "operator.pem.pub", "https://index.example/")
        .expect_code(1)
        .expect_text("is for project alpha, not beta");
    claim("alpha", "operator.pem.pub", "https://other.example/")
        .expect_code(1)
        .expect_text("is for the index https://index.example/");
    claim("alpha", "bob.pem.pub", "https://index.example/")
        .expect_code(11)
        .expect_text("0 of 1 signatures of the index's operator");
    place
        .run("project status")
        .expect_code(1)
        .expect_text("is no folder of a project");
    claim("alpha", "operator.pem.pub", "https://index.example/").expect_code(0);
    claim("alpha", "operator.pem.pub", "https://index.example/")
        .expect_code(1)
        .expect_text("is the folder of project alpha");
    // A challenge is never overwritten: somebody may be answering it.
    place
        .run(&format!(
            "index claims challenge alpha {INDEX} {OPERATOR} --to challenge.json"
        ))
        .expect_code(1)
        .expect_text("could not write challenge.json");
    // Nor is a key's place in the project taken by another.
    let file = wheel(&place, "1.0");
    place
        .run(&format!(
            "project sign {file} --yes --key alice.pem --passphrase-file secret"
        ))
        .expect_code(1)
        .expect_text("does not sign project-alpha");
    place
        .run("project sign other-1.0.tar.gz --yes")
        .expect_code(1);
}
