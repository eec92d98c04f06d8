//! An index's ceremonies from the first to the eighth, unattended, with the shipped programs and
//! keys on tokens: each event verified from its folder alone, applied, published in the middle of a
//! client's update, and read by our client and python-tuf as a new user and as one who has followed
//! since the first root; at the end by tough and by pip.

mod claims;
mod desk;
mod index;
mod people;
mod record;

use desk::Desk;

#[test]
fn from_genesis_to_a_new_majority_of_holders() {
    let mut desk = Desk::new();
    for (token, objects) in [
        ("ada", &["root", "targets"][..]),
        ("bo", &["root", "bins"]),
        ("cleo", &["root"]),
        ("dana", &["root"]),
    ] {
        desk.token(token);
        for object in objects {
            let key_type = if token == "bo" {
                "ecdsa-p256"
            } else {
                "ed25519"
            };
            desk.key(token, object, key_type);
        }
    }
    desk.online_key("online");
    genesis(&mut desk);
    renewal(&mut desk);
    holder_replaced(&mut desk);
    online_key_rotated(&mut desk);
    bins_replaced(&mut desk);
    key_lost(&mut desk);
    majority_replaced(&mut desk);
    desk.index.audit();
    desk.index.install_with_pip("countersign-sample-greeter");
}

/// Every offline key is proved for the invitation, with what its token says of itself.
fn genesis(desk: &mut Desk) {
    desk.ok(&["invite", "invitation.json", "--name", "genesis"]);
    for (holder, token, object) in [
        ("Ada", "ada", "root"),
        ("Ada", "ada", "targets"),
        ("Bo", "bo", "root"),
        ("Bo", "bo", "bins"),
        ("Cleo", "cleo", "root"),
    ] {
        desk.join(holder, token, object);
    }
    let event = desk.plan(
        "genesis",
        &[
            "--invitation=invitation.json",
            "--root-key=Ada=ada-root.join",
            "--root-key=Bo=bo-root.join",
            "--root-key=Cleo=cleo-root.join",
            "--targets-key=Ada=ada-targets.join",
            "--bins-key=Bo=bo-bins.join",
            "--online-key=signer=online.pub",
        ],
    );
    desk.sign(
        &event,
        "Ada",
        &[&Desk::uri("ada", "root"), &Desk::uri("ada", "targets")],
    );
    let (code, said) = desk.refused(&["combine", &event]);
    assert_eq!(code, 11, "{said}");
    desk.sign(
        &event,
        "Bo",
        &[&Desk::uri("bo", "root"), &Desk::uri("bo", "bins")],
    );
    let report = desk.publish(&event);
    assert_eq!(report_of(&report), (16, 3));
}

fn renewal(desk: &mut Desk) {
    let event = desk.plan("renew", &[]);
    desk.sign(&event, "Cleo", &[&Desk::uri("cleo", "root")]);
    desk.sign(
        &event,
        "Ada",
        &[&Desk::uri("ada", "root"), &Desk::uri("ada", "targets")],
    );
    desk.sign(&event, "Bo", &[&Desk::uri("bo", "bins")]);
    let report = desk.publish(&event);
    assert_eq!(report_of(&report), (0, 3));
}

fn holder_replaced(desk: &mut Desk) {
    let arguments = ["--holder=Cleo", "--root-key=Dana=dana-root.pub"];
    let event = desk.plan("replace-holder", &arguments);
    let said = desk.ok(&["review", &event]);
    assert!(said.contains("root: key of Dana ("), "{said}");
    assert!(said.contains("root: key of Cleo ("), "{said}");
    desk.sign(&event, "Ada", &[&Desk::uri("ada", "root")]);
    desk.sign(&event, "Bo", &[&Desk::uri("bo", "root")]);
    desk.publish(&event);
}

/// The new key beside the old one, then alone: all bins are signed again both times.
fn online_key_rotated(desk: &mut Desk) {
    desk.online_key("online-2");
    for overlap in [true, false] {
        let mut arguments = vec!["--online-key=signer-2=online-2.pub"];
        if overlap {
            arguments.push("--overlap");
        } else {
            desk.index.drop_key();
        }
        let event = desk.plan("rotate-online", &arguments);
        desk.sign(&event, "Dana", &[&Desk::uri("dana", "root")]);
        desk.sign(
            &event,
            "Bo",
            &[&Desk::uri("bo", "root"), &Desk::uri("bo", "bins")],
        );
        let report = desk.publish(&event);
        assert_eq!(report_of(&report), (16, 2));
    }
}

/// Four times as many bins: with the key in use it is refused, with a new one everything goes over in
/// one switch, what was queued meanwhile too.
fn bins_replaced(desk: &mut Desk) {
    let said = desk.index.ok(&["index", "rebin", "--bins", "64"]);
    assert!(
        said.contains("64 bins (path-hash-prefixes) instead of 16"),
        "{said}"
    );
    let arguments = [
        "plan",
        "rebin",
        "kept",
        "--from=published",
        "--after=5-rotate-online",
    ];
    let kept = ["--bins=64", "--online-key=signer-2=online-2.pub"];
    let (code, said) = desk.refused(&[&arguments[..], &kept].concat());
    assert_eq!(code, 1, "{said}");
    assert!(
        said.contains("is, or was, listed by a published root"),
        "{said}"
    );
    // Not even the one of the genesis, which nobody uses any more.
    let old = ["--bins=64", "--online-key=signer=online.pub"];
    let (code, said) = desk.refused(&[&arguments[..], &old].concat());
    assert_eq!(code, 1, "{said}");
    desk.index.drop_key();
    desk.online_key("online-3");
    let event = desk.plan(
        "rebin",
        &["--bins=64", "--online-key=signer-3=online-3.pub"],
    );
    let said = desk.ok(&["review", &event]);
    assert!(said.contains("(64 bins, listed) instead of"), "{said}");
    desk.sign(&event, "Dana", &[&Desk::uri("dana", "root")]);
    desk.sign(
        &event,
        "Bo",
        &[&Desk::uri("bo", "root"), &Desk::uri("bo", "bins")],
    );
    desk.index.add_late();
    let report = desk.publish(&event);
    assert_eq!(report_of(&report), (64, 2));
}

/// Bo's token is gone, with a key of root and the only one of bins.
fn key_lost(desk: &mut Desk) {
    desk.token("bo-2");
    desk.key("bo-2", "root", "ed25519");
    desk.key("bo-2", "bins", "ecdsa-p256");
    let arguments = [
        "--holder=Bo",
        "--root-key=Bo=bo-2-root.pub",
        "--bins-key=Bo=bo-2-bins.pub",
    ];
    let event = desk.plan("replace-holder", &arguments);
    desk.sign(
        &event,
        "Ada",
        &[&Desk::uri("ada", "root"), &Desk::uri("ada", "targets")],
    );
    desk.sign(&event, "Dana", &[&Desk::uri("dana", "root")]);
    desk.sign(&event, "Bo", &[&Desk::uri("bo-2", "bins")]);
    let report = desk.publish(&event);
    assert_eq!(report_of(&report), (0, 3));
}

/// Two of the three root keys at once: the old threshold and the new one sign.
fn majority_replaced(desk: &mut Desk) {
    for token in ["eve", "fay"] {
        desk.token(token);
        desk.key(token, "root", "ed25519");
    }
    let event = desk.plan(
        "rotate-root",
        &[
            "--root-key=Ada=ada-root.pub",
            "--root-key=Eve=eve-root.pub",
            "--root-key=Fay=fay-root.pub",
        ],
    );
    desk.sign(&event, "Eve", &[&Desk::uri("eve", "root")]);
    desk.sign(&event, "Fay", &[&Desk::uri("fay", "root")]);
    let (code, said) = desk.refused(&["combine", &event]);
    assert_eq!(code, 11, "{said}");
    desk.sign(&event, "Dana", &[&Desk::uri("dana", "root")]);
    desk.sign(&event, "Bo", &[&Desk::uri("bo-2", "root")]);
    desk.publish(&event);
}

/// How many bins and offline roles a cycle published.
fn report_of(report: &serde_json::Value) -> (u64, usize) {
    let roles = report["offline_roles"].as_array().unwrap();
    (report["bins"].as_u64().unwrap(), roles.len())
}
