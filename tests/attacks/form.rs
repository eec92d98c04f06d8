//! Attacks that live on readers who understand one text in two ways (TUF 4.1, 4.2; reference A-7,
//! F22–F25): each is refused, by name, before or after a signature that is perfectly valid.

use countersign_tests::{Key, Simulator, User, role};
use metadata::{JsonFlaw, MetadataError, Role, TargetPath};
use trust::Rejection;

use crate::v;

/// Publishes a role whose `signed` text is edited before its own keys sign it, and returns what the
/// client says. The same repository, left honest, must please the same client.
async fn refused_after(
    name: &str,
    lenient: bool,
    edit: impl FnOnce(String) -> String + Send + 'static,
) -> Rejection {
    let mut repository = Simulator::bare();
    repository.add_target("targets", "a/file", b"bytes");
    repository.publish();
    let user = User::of(&repository);
    let user = if lenient { user.lenient() } else { user };
    repository.tamper(name).text(move |text| {
        let edited = edit(text.clone());
        assert_ne!(edited, text, "nothing was edited");
        edited
    });
    repository.publish();
    let refused = user.refused(&repository).await;
    repository.publish();
    user.download(&repository, "a/file").await.unwrap();
    refused
}

fn flaw(refused: Rejection) -> JsonFlaw {
    match refused {
        Rejection::Malformed {
            source: MetadataError::Json { why, .. },
            ..
        } => why,
        other => panic!("{other:?}"),
    }
}

/// A key twice: one reader keeps the first, another the last.
#[tokio::test]
async fn key_twice() {
    for name in ["root", "timestamp", "snapshot", "targets"] {
        let refused =
            refused_after(name, true, |text| text.replacen('{', r#"{"version":9,"#, 1)).await;
        assert_eq!(
            flaw(refused),
            JsonFlaw::DuplicateKey("version".to_owned()),
            "{name}"
        );
    }
    let nested = refused_after("targets", true, |text| {
        text.replacen(
            r#""length":5"#,
            r#""length":5,"custom":{"a":1,"\u0061":2}"#,
            1,
        )
    });
    assert_eq!(flaw(nested.await), JsonFlaw::DuplicateKey("a".to_owned()));
}

/// Numbers that not every reader holds: fractions, exponents, more than 2^53 − 1, none.
#[tokio::test]
async fn numbers_out_of_range() {
    for number in ["2.0", "2e0", "18446744073709551616"] {
        let refused = refused_after("timestamp", true, move |text| {
            text.replace(r#""version":2}"#, &format!(r#""version":{number}}}"#))
        });
        let refused = refused.await;
        assert!(
            matches!(
                &refused,
                Rejection::Malformed {
                    role: Role::Timestamp,
                    ..
                }
            ),
            "{refused:?}"
        );
    }
    for (number, found) in [("0", 0), ("9007199254740992", 1 << 53)] {
        let refused = refused_after("timestamp", true, move |text| {
            text.replace(r#""version":2}"#, &format!(r#""version":{number}}}"#))
        });
        let source = MetadataError::Version { found };
        assert_eq!(
            refused.await,
            Rejection::Malformed {
                role: Role::Timestamp,
                source
            }
        );
    }
}

/// Dates in any form but `YYYY-MM-DDTHH:MM:SSZ` (reference F25) are refused by the strict dialect;
/// what is no date by both.
#[tokio::test]
async fn dates_in_other_forms() {
    for (form, is_date) in [
        ("2030-01-08T00:00:00.5Z", true),
        ("2030-01-08T00:00:00+00:00", true),
        ("2030-01-08t00:00:00z", true),
        ("2030-02-30T00:00:00Z", false),
        ("1893456000", false),
    ] {
        let edit = move |text: String| {
            text.replace("2030-01-02T00:00:00Z", form)
                .replace("2030-01-08T00:00:00Z", form)
        };
        let refused = refused_after("timestamp", false, edit).await;
        if is_date {
            let (role, version) = (Role::Timestamp, v(2));
            let why = "has an expiry not of the form YYYY-MM-DDTHH:MM:SSZ".to_owned();
            assert_eq!(refused, Rejection::NotStrict { role, version, why });
            let mut repository = Simulator::standard();
            let user = User::of(&repository).lenient();
            repository.tamper("timestamp").text(edit);
            repository.publish();
            user.refresh(&repository).await.unwrap();
        } else {
            let source = MetadataError::Expiry {
                found: form.to_owned(),
            };
            assert_eq!(
                refused,
                Rejection::Malformed {
                    role: Role::Timestamp,
                    source
                }
            );
        }
    }
}

/// Paths that could leave a folder, or that readers hash or print differently (reference F22, F23).
#[tokio::test]
async fn target_paths_that_lead_elsewhere() {
    for bad in [
        "../file",
        "a/../../file",
        "/etc/passwd",
        "a//file",
        "a/./file",
        "a\\\\..\\\\file",
        "caf\u{e9}",
        "a\\u0000b",
    ] {
        let refused = refused_after("targets", true, move |text| text.replace("a/file", bad)).await;
        let Rejection::Malformed {
            role: Role::Targets,
            source,
        } = &refused
        else {
            panic!("{bad}: {refused:?}")
        };
        assert!(
            matches!(source, MetadataError::TargetPath { .. }),
            "{bad}: {source:?}"
        );
    }
    assert!(TargetPath::parse("a/file").is_ok());
}

/// Role names that are those of other files, or that no file can have (reference fact 23, F23).
#[tokio::test]
async fn role_names_that_lead_elsewhere() {
    for bad in [
        "root",
        "timestamp",
        "snapshot",
        "targets",
        "caf\u{e9}",
        "",
        "a\\u0000b",
    ] {
        let mut repository = Simulator::bare();
        repository.publish();
        let user = User::of(&repository);
        repository.delegate("targets", "honest", &[Key::ed25519("some")], &["a/*"]);
        repository
            .tamper("targets")
            .text(move |text| text.replace(r#""name":"honest""#, &format!(r#""name":"{bad}""#)));
        repository.publish();
        let refused = user.refused(&repository).await;
        let Rejection::Malformed {
            role: Role::Targets,
            source,
        } = &refused
        else {
            panic!("{bad}: {refused:?}")
        };
        assert!(
            matches!(source, MetadataError::RoleName { .. }),
            "{bad}: {source:?}"
        );
        repository.publish();
        user.refresh(&repository).await.unwrap();
    }
}

/// A timestamp that describes more than the snapshot (4.6 MUST).
#[tokio::test]
async fn timestamp_that_lists_other_files() {
    let refused = refused_after("timestamp", true, |text| {
        text.replace(r#""meta":{"#, r#""meta":{"root.json":{"version":1},"#)
    });
    let source = MetadataError::member("meta", "does not list exactly one file");
    assert_eq!(
        refused.await,
        Rejection::Malformed {
            role: Role::Timestamp,
            source
        }
    );
}

/// A document of another major version of the specification (4.3 `spec_version`).
#[tokio::test]
async fn specification_of_another_major_version() {
    let refused = refused_after("snapshot", true, |text| text.replace("1.0.34", "2.0.0"));
    let source = MetadataError::SpecVersion {
        found: "2.0.0".to_owned(),
    };
    assert_eq!(
        refused.await,
        Rejection::Malformed {
            role: Role::Snapshot,
            source
        }
    );
}

/// Text after the end of the file, and more signatures than the limit.
#[tokio::test]
async fn files_with_more_than_a_document() {
    let mut repository = Simulator::standard();
    let user = User::of(&repository).lenient();
    repository
        .tamper("timestamp")
        .file(|file| [&file[..], b"{}"].concat());
    repository.publish();
    assert_eq!(flaw(user.refused(&repository).await), JsonFlaw::Trailing);

    let keys: Vec<Key> = (0..65)
        .map(|number| Key::ed25519(&number.to_string()))
        .collect();
    let with_own = |strangers: usize| {
        let own = Key::ed25519("online");
        let all = keys[..strangers].iter().cloned().chain([own]);
        all.collect::<Vec<_>>()
    };
    repository.tamper("timestamp").signed_by(&with_own(64));
    repository.publish();
    let source = MetadataError::member("signatures", "lists more than 64");
    let expected = Rejection::Malformed {
        role: Role::Timestamp,
        source,
    };
    assert_eq!(user.refused(&repository).await, expected);

    repository.tamper("timestamp").signed_by(&with_own(63));
    repository.publish();
    user.refresh(&repository).await.unwrap();
}

/// White space and another order of members change nothing: the canonical form is what is signed
/// (4.1). Signatures that cannot be read, or are by nobody, are passed over (reference F45).
#[tokio::test]
async fn same_document_written_otherwise() {
    let mut repository = Simulator::standard();
    let user = User::of(&repository);
    repository.tamper("timestamp").file(|file| {
        let json: serde_json::Value = serde_json::from_slice(&file).unwrap();
        let text = serde_json::to_string_pretty(&json).unwrap();
        let odd = r#""signatures": [{"keyid": "nobody", "sig": ""}, {"keyid": "x", "sig": "zz"},"#;
        text.replacen(r#""signatures": ["#, odd, 1).into_bytes()
    });
    repository.publish();
    let session = user.refresh(&repository).await.unwrap();
    assert_eq!(session.snapped().timestamp().version, v(2));
    assert_eq!(
        user.kept("timestamp").unwrap(),
        repository.file("timestamp")
    );
    assert_eq!(
        user.role_of(&repository, countersign_tests::files::ANCHOR)
            .await,
        role("targets")
    );
}
