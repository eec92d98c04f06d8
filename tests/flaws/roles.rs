//! Roles that say what they may not, or that nobody has signed who may.

use chrono::TimeDelta;
use claims::{FilePattern, ProjectRole};
use keys::Signer;
use metadata::{
    DelegatedRole, DelegatedRoles, Document, Expiry, PathPattern, PathSet, PublicKey, RoleName,
    Sha256, TargetFile, TargetPath, Targets, Value,
};

use crate::stage::{Dist, Draft, Flaw, Stage, project, role, v, zip_of};

/// The release with one change.
fn bent(
    stage: &Stage,
    code: &'static str,
    what: impl Into<String>,
    change: impl FnOnce(&mut Draft<'_>),
) -> Flaw {
    let mut draft = stage.release();
    change(&mut draft);
    Flaw::new(code, what, draft.archive())
}

/// The next version of the project's own role, with one change.
fn own(
    stage: &Stage,
    code: &'static str,
    what: impl Into<String>,
    change: impl FnOnce(&mut Targets),
) -> Flaw {
    let mut draft = stage.next_own();
    change(draft.document(""));
    Flaw::new(code, what, draft.archive())
}

fn listed(own: &mut Targets) -> &mut Vec<DelegatedRole> {
    match own.delegations.as_mut().map(|all| &mut all.roles) {
        Some(DelegatedRoles::Listed(roles)) => roles,
        _ => panic!("the project delegates to listed roles"),
    }
}

fn with(document: &Targets, path: &str, file: TargetFile) -> Targets {
    let added = (TargetPath::parse(path).unwrap(), file);
    let all = document.targets().iter().cloned().chain([added]);
    document.clone().with_targets(all)
}

pub(crate) fn flaws(stage: &Stage) -> Vec<Flaw> {
    let mut flaws = signatures(stage);
    flaws.extend(versions(stage));
    flaws.extend(documents(stage));
    flaws.extend(delegations(stage));
    flaws.extend(sub_roles(stage));
    flaws.extend(keys(stage));
    flaws.extend(paths(stage));
    flaws
}

fn signatures(stage: &Stage) -> Vec<Flaw> {
    let by = |who: &[&'static str]| {
        let what = format!("signed by {}", who.join(" and "));
        bent(stage, "signatures", what, |draft| {
            draft.roles.get_mut(&role("alice")).unwrap().1 = who.to_vec();
        })
    };
    let mut one_of_two = stage.next_own();
    one_of_two.roles.get_mut(&role("")).unwrap().1 = vec!["one"];
    vec![
        by(&["thief"]),
        by(&["one", "two"]),
        by(&[]),
        Flaw::new("signatures", "one of two owners", one_of_two.archive()),
    ]
}

fn versions(stage: &Stage) -> Vec<Flaw> {
    let mut flaws: Vec<Flaw> = [1, 3, 5, 1 << 52]
        .into_iter()
        .map(|version| {
            let what = format!("version {version} after 3");
            bent(stage, "version", what, |draft| {
                draft.document("alice").version = v(version);
            })
        })
        .collect();
    flaws.extend([-1, 1, 401, 3_650].into_iter().map(|days| {
        let what = format!("expires in {days} days");
        bent(stage, "expiry", what, |draft| {
            draft.document("alice").expires = Expiry::at(stage.now + TimeDelta::days(days));
        })
    }));
    flaws
}

fn documents(stage: &Stage) -> Vec<Flaw> {
    let name = format!("metadata/{}.json", role("alice"));
    let good = stage.document(4, &[]).to_canonical();
    let good = String::from_utf8(good).unwrap();
    let bent = [
        (
            "another type",
            good.replace("\"targets\",", "\"snapshot\","),
        ),
        ("another specification", good.replace("1.0.34", "2.0.0")),
        (
            "a version that is none",
            good.replace("\"version\":4", "\"version\":4.0"),
        ),
        (
            "a member twice",
            good.replace("\"version\":4", "\"version\":4,\"version\":4"),
        ),
        ("nothing of a role", "[]".to_owned()),
    ];
    bent.into_iter()
        .map(|(what, text)| {
            assert_ne!(text, good);
            let file = format!(r#"{{"signatures":[],"signed":{text}}}"#);
            Flaw::new("role", what, zip_of(&[(&*name, file.as_bytes())]))
        })
        .collect()
}

fn delegations(stage: &Stage) -> Vec<Flaw> {
    let mut flaws = vec![
        own(
            stage,
            "delegation",
            "a sub-role that ends the search",
            |own| {
                listed(own)[0].terminating = true;
            },
        ),
        own(stage, "delegation", "a sub-role by hash", |own| {
            listed(own)[0].paths = PathSet::HashPrefixes(vec!["8".into()]);
        }),
        own(stage, "threshold", "a threshold out of reach", |own| {
            listed(own)[0].keys.threshold = 2;
        }),
        bent(stage, "delegation", "a sub-role that delegates", |draft| {
            let delegations = stage.own(1).delegations.unwrap();
            let alice = draft.document("alice");
            *alice = alice.clone().with_delegations(delegations);
        }),
    ];
    for (number, pattern) in ["packages/*/*/*", "packages/8e/alpha/a*", "*"]
        .iter()
        .enumerate()
    {
        let what = format!("a pattern beyond the project {number}");
        flaws.push(own(stage, "pattern", what, |own| {
            let pattern = PathPattern::parse(*pattern).unwrap();
            listed(own)[0].paths = PathSet::Patterns(vec![pattern]);
        }));
    }
    for (name, code) in [
        ("project-beta", "delegation"),
        ("project-beta--alice", "delegation"),
        ("project-alpha---x", "role-name"),
        ("claimed", "role-name"),
    ] {
        flaws.push(own(stage, code, format!("delegates to {name}"), |own| {
            listed(own)[0].name = RoleName::parse(name).unwrap();
        }));
    }
    flaws
}

fn sub_roles(stage: &Stage) -> Vec<Flaw> {
    let more = |count: usize| {
        let mut draft = stage.next_own();
        for number in 0..count {
            let sub = format!("more-{number}");
            let role = stage.delegated(&sub, "alice", &[FilePattern::All]);
            listed(draft.document("")).push(role.clone());
            let first = (stage.document(1, &[]), vec!["alice"]);
            draft.roles.insert(role.name, first);
        }
        draft
    };
    let mut missing = more(1);
    let new = ProjectRole::sub(project("alpha"), "more-0").unwrap().name();
    missing.roles.remove(&new);
    let mut stray = stage.release();
    stray
        .roles
        .insert(new, (stage.document(1, &[]), vec!["alice"]));
    vec![
        Flaw::new("sub-roles", "nine sub-roles", more(7).archive()),
        Flaw::new(
            "role-missing",
            "a sub-role without a version",
            missing.archive(),
        ),
        Flaw::new("role-not-delegated", "a role nobody named", stray.archive()),
    ]
}

fn keys(stage: &Stage) -> Vec<Flaw> {
    let parsed =
        |text: &str| PublicKey::from_value(&Value::parse(text.as_bytes()).unwrap()).unwrap();
    vec![
        own(stage, "key", "a key that is not listed", |own| {
            let thief = stage.keys["thief"].public_key().id();
            listed(own)[0].keys.keyids = vec![thief];
        }),
        own(stage, "key", "a key of a kind few read", |own| {
            let key = parsed(
                r#"{"keytype":"ecdsa","keyval":{"public":"x"},"scheme":"ecdsa-sha2-nistp384"}"#,
            );
            listed(own)[0].keys.keyids = vec![key.id()];
            own.delegations.as_mut().unwrap().keys.insert(key.id(), key);
        }),
        own(stage, "private-key", "the private half of a key", |own| {
            let key = parsed(
                r#"{"keytype":"ed25519","keyval":{"private":"00","public":"00"},"scheme":"ed25519"}"#,
            );
            own.delegations.as_mut().unwrap().keys.insert(key.id(), key);
        }),
        bent(stage, "private-key", "a private key in a note", |draft| {
            let pem = Value::String("-----BEGIN ENCRYPTED PRIVATE KEY-----".to_owned());
            let note = ("x-note".to_owned(), pem);
            draft.document("alice").extra.extend([note]);
        }),
    ]
}

fn paths(stage: &Stage) -> Vec<Flaw> {
    let file = || TargetFile::new(1, Sha256::of(b"x"));
    let mut flaws: Vec<Flaw> = [
        "packages/f4/beta/beta-1.0.zip",
        "packages/00/alpha/alpha-1.0.zip",
        "simple/8e/alpha/vnd.pypi.simple.v1.json",
        "publishers/claimed/8e/alpha.json",
    ]
    .iter()
    .enumerate()
    .map(|(number, path)| {
        bent(
            stage,
            "path",
            format!("a path of another {number}"),
            |draft| {
                let alice = draft.document("alice");
                *alice = with(alice, path, file());
            },
        )
    })
    .collect();
    flaws.extend([
        bent(
            stage,
            "path-not-delegated",
            "an sdist by the build farm",
            |draft| {
                let dist = Dist::sdist("3.0");
                let farm = (stage.document(2, &[&dist]), vec!["farm"]);
                draft.roles.insert(role("farm"), farm);
                draft.dists.push(dist);
            },
        ),
        bent(
            stage,
            "file-in-two-roles",
            "a wheel of two roles",
            |draft| {
                let farm = (stage.document(2, &[&draft.dists[0]]), vec!["farm"]);
                draft.roles.insert(role("farm"), farm);
            },
        ),
        bent(stage, "no-sha256", "a file without a digest", |draft| {
            let alice = draft.document("alice");
            let (_, file) = Dist::sdist("2.0").entries().remove(0);
            let known = format!("\"sha256\":\"{}\"", file.hashes.get_sha256().unwrap());
            let other = format!("\"sha512\":\"{}\"", "00".repeat(64));
            let text = String::from_utf8(alice.to_canonical()).unwrap();
            assert!(text.contains(&known));
            *alice = Targets::parse(text.replace(&known, &other).as_bytes()).unwrap();
        }),
    ]);
    flaws
}
