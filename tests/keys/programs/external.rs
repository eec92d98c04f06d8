//! External signers that both programs start: their words go to stderr, and those that hang, lie, die or
//! flood end in time, with what to do.

use std::time::{Duration, Instant};

use crate::common::{PlainKey, in_workspace, python};
use crate::programs::desk::{Desk, PROGRAMS};

/// The URI of `child.py` with this behaviour.
fn child(behaviour: &str, key: &PlainKey) -> String {
    let script = in_workspace("tests/keys/child.py");
    format!(
        "exec:{}?arg={}&arg={behaviour}&arg={}",
        python().display(),
        script.display(),
        key.path().display()
    )
}

#[test]
fn signers_are_named_shown_and_checked() {
    let key = PlainKey::make("ecdsa");
    let desk = Desk::new();
    let uri = child("digest", &key);
    for program in PROGRAMS {
        let shown = desk.json(program, &format!("key show {uri}"));
        assert_eq!(shown["scheme"], "ecdsa-sha2-nistp256");
        desk.write_root("root.json", &shown);
        let check = format!("key check exec:desk --signer desk={uri} --root root.json");
        assert_eq!(desk.json(program, &check)["roles"][0], "root");
        let said = desk.run(program, "key check exec:desk").expect(1);
        said.says(&[
            "no command `desk` is configured",
            "hint: name it with --signer",
        ]);
    }
}

#[test]
fn signers_that_fail_end_in_time() {
    let key = PlainKey::make("ed25519");
    let desk = Desk::new();
    let protocol = "hint: `crates/keys/exec-protocol.md` says";
    for (behaviour, says) in [
        (
            "hang",
            &[
                "it did not answer `sign` within 3 seconds and was ended",
                "hint: somebody may",
            ][..],
        ),
        ("die", &["it ended (", protocol]),
        (
            "flood",
            &[
                "it wrote a line of more than 65536 bytes and was ended",
                protocol,
            ],
        ),
        (
            "lie",
            &[
                "its signature does not verify against its public key",
                "hint: do not use this key",
            ],
        ),
        (
            "digest",
            &["it wants digests", "hint: let it want the payload"],
        ),
    ] {
        for program in PROGRAMS {
            let started = Instant::now();
            let check = format!("key check {} --key-timeout 3", child(behaviour, &key));
            desk.run(program, &check).expect(1).says(says);
            assert!(started.elapsed() < Duration::from_secs(20), "{behaviour}");
        }
    }
    for program in PROGRAMS {
        let said = desk
            .run(program, "key check exec:/nonexistent/signer")
            .expect(1);
        said.says(&[
            "cannot start `/nonexistent/signer`",
            "hint: check that the file is there",
        ]);
    }
}
