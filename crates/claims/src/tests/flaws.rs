//! One flaw each: every check of [`crate::verify_transaction`] refuses it by its own code.

use super::*;
use metadata::{KeyId, PathPattern, Value};

/// The honest release with one change, refused by `code`.
#[track_caller]
pub(super) fn refused(code: &str, change: impl FnOnce(&Stage, &mut Draft)) {
    let stage = Stage::claimed();
    let mut draft = Stage::release();
    stage
        .verify(&draft)
        .expect("without the flaw it is accepted");
    change(&stage, &mut draft);
    let reason = stage.verify(&draft).expect_err(code);
    assert_eq!(reason.code(), code, "{reason}");
}

/// A new version of the project's own role, sound but for one change.
#[track_caller]
pub(super) fn main_refused(code: &str, change: impl FnOnce(&Stage, &mut Targets)) {
    let stage = Stage::claimed();
    let mut draft = stage.first();
    draft.roles.remove(&role("alice"));
    draft.roles.remove(&role("farm"));
    draft.document("").version = v(2);
    stage
        .verify(&draft)
        .expect("without the flaw it is accepted");
    change(&stage, draft.document(""));
    let reason = stage.verify(&draft).expect_err(code);
    assert_eq!(reason.code(), code, "{reason}");
}

fn sub_role<'a>(main: &'a mut Targets, sub: &str) -> &'a mut DelegatedRole {
    let Some(DelegatedRoles::Listed(roles)) = main.delegations.as_mut().map(|d| &mut d.roles)
    else {
        panic!("the project delegates to listed roles")
    };
    roles.iter_mut().find(|one| one.name == role(sub)).unwrap()
}

pub(super) fn with(document: &Targets, path: &str, file: TargetFile) -> Targets {
    let added = (TargetPath::parse(path).unwrap(), file);
    let all = document.targets().iter().cloned().chain([added]);
    document.clone().with_targets(all)
}

#[test]
fn signatures() {
    refused("signatures", |_, draft| {
        draft.roles.get_mut(&role("alice")).unwrap().1 = vec!["thief"];
    });
    refused("signatures", |_, draft| {
        draft.roles.get_mut(&role("alice")).unwrap().1 = vec!["one", "two"];
    });
    // One of two that have to sign.
    let stage = Stage::unclaimed();
    for one in ["one", "two"] {
        let mut draft = stage.first();
        draft.roles.get_mut(&role("")).unwrap().1 = vec![one];
        assert_eq!(stage.verify(&draft).unwrap_err().code(), "signatures");
    }
}

/// Check C-20.
#[test]
fn versions() {
    for wrong in [1, 3, 1 << 52] {
        refused("version", |_, draft| {
            draft.document("alice").version = v(wrong);
        });
    }
    let mut stage = Stage::claimed();
    stage
        .published
        .last_versions
        .insert(role("alice"), Version::MAX);
    let reason = stage.verify(&Stage::release()).unwrap_err();
    assert_eq!(reason.code(), "versions-used-up");
    // A sub-role that was given up once goes on from where it was.
    let mut stage = Stage::unclaimed();
    stage.published.last_versions.insert(role("farm"), v(7));
    assert_eq!(stage.verify(&stage.first()).unwrap_err().code(), "version");
}

/// Check C-21.
#[test]
fn expiries() {
    for days in [-1, 1, 6, 401, 3650] {
        refused("expiry", |_, draft| {
            draft.document("alice").expires = Expiry::at(now() + TimeDelta::days(days));
        });
    }
    for days in [7, 400] {
        let stage = Stage::claimed();
        let mut draft = Stage::release();
        draft.document("alice").expires = Expiry::at(now() + TimeDelta::days(days));
        stage.verify(&draft).unwrap();
    }
}

/// Checks C-23 and C-24: names, patterns, flags.
#[test]
fn delegations_beyond_the_layout() {
    main_refused("delegation", |_, main| {
        sub_role(main, "alice").terminating = true;
    });
    main_refused("delegation", |_, main| {
        sub_role(main, "alice").paths = PathSet::Patterns(Vec::new());
    });
    main_refused("delegation", |_, main| {
        sub_role(main, "alice").paths = PathSet::HashPrefixes(vec!["8".into()]);
    });
    for pattern in [
        "packages/8e/beta/*",
        "packages/*/*/*",
        "packages/8e/alpha/a*",
        "packages/8e/alpha/?",
        "packages/8e/alpha/*/*",
        "*",
    ] {
        main_refused("pattern", |_, main| {
            let pattern = PathPattern::parse(pattern).unwrap();
            sub_role(main, "alice").paths = PathSet::Patterns(vec![pattern]);
        });
    }
    for (name, code) in [
        ("project-beta", "delegation"),
        ("project-beta--alice", "delegation"),
        ("project-alpha", "delegation"),
        ("project-alpha--UPPER", "role-name"),
        ("project-alpha---x", "role-name"),
        ("bins-0001", "role-name"),
        ("claimed", "role-name"),
    ] {
        main_refused(code, |_, main| {
            sub_role(main, "alice").name = RoleName::parse(name).unwrap();
        });
    }
    main_refused("role-missing", |_, main| {
        sub_role(main, "alice").name = role("nobody");
    });
    refused("delegation", |stage, draft| {
        let alice = &stage.keys["alice"];
        let further = delegations(
            &[alice],
            vec![delegated("farm", alice, &[FilePattern::All])],
        );
        draft.document("alice").delegations = Some(further);
    });
    refused("role-not-delegated", |_, draft| {
        draft
            .roles
            .insert(role("stray"), (document(1, &[]), vec!["thief"]));
    });
}

/// DESIGN §4: at most eight names ever, those given up included.
#[test]
fn more_sub_roles_than_ever_allowed() {
    let mut stage = Stage::claimed();
    for number in 0..6 {
        stage
            .published
            .last_versions
            .insert(role(&format!("old-{number}")), v(1));
    }
    stage.verify(&Stage::release()).unwrap();
    stage.published.last_versions.insert(role("one-more"), v(1));
    assert_eq!(
        stage.verify(&Stage::release()).unwrap_err().code(),
        "sub-roles"
    );
}

/// Check C-26.
#[test]
fn keys_that_no_client_can_use() {
    main_refused("key", |_, main| {
        let keys = &mut sub_role(main, "alice").keys;
        keys.keyids = vec![KeyId::parse("ab".repeat(32)).unwrap()];
    });
    main_refused("threshold", |_, main| {
        sub_role(main, "alice").keys.threshold = 2;
    });
    main_refused("threshold", |_, main| {
        sub_role(main, "alice").keys.keyids.clear();
    });
    // A scheme that is not among the recommended ones.
    main_refused("key", |_, main| {
        let text = br#"{"keytype":"ecdsa","keyval":{"public":"x"},"scheme":"ecdsa-sha2-nistp384"}"#;
        let key = PublicKey::from_value(&Value::parse(text).unwrap()).unwrap();
        let delegations = main.delegations.as_mut().unwrap();
        delegations.keys.insert(key.id(), key.clone());
        sub_role(main, "alice").keys.keyids = vec![key.id()];
    });
    main_refused("private-key", |_, main| {
        let text =
            br#"{"keytype":"ed25519","keyval":{"private":"00","public":"00"},"scheme":"ed25519"}"#;
        let key = PublicKey::from_value(&Value::parse(text).unwrap()).unwrap();
        let delegations = main.delegations.as_mut().unwrap();
        delegations.keys.insert(key.id(), key);
    });
    refused("private-key", |_, draft| {
        let pem = Value::String("-----BEGIN ENCRYPTED PRIVATE KEY-----".to_owned());
        draft
            .document("alice")
            .extra
            .insert("x-note".to_owned(), pem);
    });
}

/// PEP 480: a delegatee must not sign what was not delegated to it; each project only its own.
#[test]
fn paths_of_others() {
    let file = || TargetFile::new(1, Sha256::of(b"x"));
    for path in [
        "packages/f4/beta/beta-1.0.zip",
        "packages/8e/alpha/beta-1.0.zip",
        "packages/00/alpha/alpha-1.0.zip",
        "simple/8e/alpha/vnd.pypi.simple.v1.json",
        "publishers/claimed/8e/alpha.json",
        "packages/8e/alpha/x/alpha-1.0.zip",
        "alpha-1.0.zip",
    ] {
        refused("path", |_, draft| {
            let alice = draft.document("alice");
            *alice = with(alice, path, file());
        });
    }
    // The build farm may sign wheels and nothing else.
    refused("path-not-delegated", |_, draft| {
        let dist = Dist::sdist("3.0");
        draft
            .roles
            .insert(role("farm"), (document(2, &[&dist]), vec!["farm"]));
        draft.dists.push(dist);
    });
    refused("file-in-two-roles", |_, draft| {
        let wheel = draft.dists[0].clone();
        draft
            .roles
            .insert(role("farm"), (document(2, &[&wheel]), vec!["farm"]));
    });
}

/// Checks C-22, C-25 and C-29: documents that are none.
#[test]
fn documents_that_are_none() {
    let stage = Stage::claimed();
    let alice = &stage.keys["alice"];
    let good = document(2, &[]).to_canonical();
    let good = String::from_utf8(good).unwrap();
    for bad in [
        good.replace("\"targets\",", "\"snapshot\","),
        good.replace("1.0.34", "2.0.0"),
        good.replace("\"version\":2", "\"version\":2.0"),
        good.replace("\"version\":2", "\"version\":0"),
        good.replace("\"version\":2", "\"version\":9007199254740992"),
        good.replace("\"version\":2", "\"version\":2,\"version\":2"),
        good.replace("00:00:00Z", "00:00:00.5Z"),
        "{}".to_owned(),
        "[]".to_owned(),
    ] {
        assert_ne!(bad, good);
        let file = format!(r#"{{"signatures":[],"signed":{bad}}}"#);
        let bytes = archive_of(&[(role("alice"), file.into_bytes())], &[]);
        let reason = stage.verify_bytes(&bytes).unwrap_err();
        assert_eq!(reason.code(), "role", "{bad}: {reason}");
    }
    let file = Wire::write(good.as_bytes(), &[alice.sign(good.as_bytes())]);
    let bytes = archive_of(&[(role("alice"), file)], &[]);
    stage.verify_bytes(&bytes).unwrap();
}

/// Each project writes only its own role (PEP 480 "Snapshot Process").
#[test]
fn a_transaction_of_another_project() {
    let mut stage = Stage::claimed();
    let bytes = stage.archive(&Stage::release());
    stage.published.registration.project = ProjectName::parse("beta").unwrap();
    assert_eq!(
        stage.verify_bytes(&bytes).unwrap_err().code(),
        "other-project"
    );
}
