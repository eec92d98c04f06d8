//! Values that are each allowed but cannot both hold: each pair is refused by its own error.

use chrono::TimeDelta;
use countersign_policy::{Contradiction, Policy, PolicyError};

fn small() -> &'static str {
    Policy::built_in_text("small-index").unwrap()
}

/// The contradiction that setting these keys leads to.
fn contradiction(changes: &[(&str, &str, &str)]) -> Contradiction {
    let mut text = small().to_owned();
    for (section, key, value) in changes {
        let (start, rest) = text.split_once(&format!("[{section}]\n")).unwrap();
        let at = rest.find(&format!("{key} = ")).unwrap();
        let end = at + rest[at..].find('\n').unwrap();
        text = format!(
            "{start}[{section}]\n{}{key} = {value}{}",
            &rest[..at],
            &rest[end..]
        );
    }
    match Policy::parse(&text) {
        Err(PolicyError::Contradiction(contradiction)) => contradiction,
        other => panic!("{changes:?}: {other:?}"),
    }
}

#[test]
fn keys_and_thresholds_must_agree() {
    assert_eq!(
        contradiction(&[("roles.root", "threshold", "4")]),
        Contradiction::ThresholdAboveKeys {
            role: "root",
            threshold: 4,
            keys: 3
        }
    );
    assert_eq!(
        contradiction(&[("roles.root", "keys", "33")]),
        Contradiction::TooManySignatures {
            role: "root",
            needed: 66,
            signatures: 64
        }
    );
    assert_eq!(
        contradiction(&[("roles.bins", "kind", "\"online\"")]),
        Contradiction::KeyKind {
            role: "bins",
            required: "offline"
        }
    );
    assert_eq!(
        contradiction(&[("roles.bin-n", "kind", "\"offline\"")]),
        Contradiction::KeyKind {
            role: "bin-n",
            required: "online"
        }
    );
}

#[test]
fn bins_and_limits_must_agree() {
    assert_eq!(
        contradiction(&[("index", "bins", "1_000")]),
        Contradiction::BinsNotPowerOfTwo { bins: 1_000 }
    );
    for (changes, role) in [
        (
            &[
                ("index", "bins", "2"),
                ("index", "expected_targets", "1_000_000"),
            ],
            "bin-n",
        ),
        (
            &[
                ("index", "bins", "1024"),
                ("repository", "role_bytes", "200_000"),
            ],
            "bins",
        ),
        (
            &[
                ("index", "bins", "1024"),
                ("repository", "snapshot_bytes", "35_000"),
            ],
            "snapshot",
        ),
    ] {
        let found = contradiction(changes);
        assert!(
            matches!(found, Contradiction::RoleTooLarge { role: too_large, .. } if too_large == role),
            "{found}"
        );
    }
    let above = "repository.snapshot_bytes";
    assert_eq!(
        contradiction(&[("repository", "snapshot_bytes", "2_000_001")]),
        Contradiction::AboveClientsInUse {
            key: above,
            bytes: 2_000_001,
            clients: 2_000_000
        }
    );
    assert_eq!(
        contradiction(&[("client", "snapshot_bytes", "1_000_000")]),
        Contradiction::AboveOwnClient {
            key: above,
            bytes: 2_000_000,
            client_key: "client.snapshot_bytes",
            client: 1_000_000
        }
    );
    assert_eq!(
        contradiction(&[("client", "listed_bytes", "4_000_000")]).to_string(),
        "repository.role_bytes = 5000000, but client.listed_bytes = 4000000"
    );
    assert_eq!(
        contradiction(&[("client", "delegations", "2")]),
        Contradiction::WalkTooLong {
            roles: 3,
            delegations: 2
        }
    );
}

#[test]
fn times_must_agree() {
    assert_eq!(
        contradiction(&[("online", "offline_alarms", "[\"30d\", \"60d\"]")]),
        Contradiction::AlarmsNotFalling {
            before: TimeDelta::days(30),
            after: TimeDelta::days(60)
        }
    );
    let outlives = contradiction(&[("roles.bins", "lifetime", "\"60d\"")]);
    assert_eq!(
        outlives.to_string(),
        "alarm at 60d is not within the 60d that role bins lives"
    );
    assert_eq!(
        contradiction(&[("online", "batch_wait", "\"12h\"")]).to_string(),
        "online.batch_wait = 12h, but timestamp is due 12h before it expires"
    );
}

#[test]
fn claims_need_short_lived_targets() {
    let role = |name: &str, kind: &str| {
        format!("[claims.{name}]\nkind = \"{kind}\"\nkeys = 1\nthreshold = 1\nlifetime = \"90d\"\n")
    };
    let text = [
        small(),
        "[claims]\nshards = 16\nrecently_claimed_projects = 1000\nsub_roles_per_project = 8\n",
        &role("claimed", "offline"),
        &role("claimed-shard", "offline"),
        &role("publishers-claimed", "offline"),
        &role("recently-claimed", "online"),
    ]
    .concat();
    assert_eq!(
        Policy::parse(&text),
        Err(PolicyError::Contradiction(Contradiction::ClaimsHidden {
            role: "targets",
            lifetime: TimeDelta::days(365),
            limit: TimeDelta::days(90),
        }))
    );
    let short = text.replace("\"365d\"", "\"90d\"");
    assert!(Policy::parse(&short).is_ok());
    let many = short.replace("sub_roles_per_project = 8", "sub_roles_per_project = 29");
    assert_eq!(
        Policy::parse(&many),
        Err(PolicyError::Contradiction(Contradiction::WalkTooLong {
            roles: 33,
            delegations: 32
        }))
    );
}
