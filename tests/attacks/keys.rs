//! Attacks on how keys are named, listed and counted (TUF 4.2, 4.3, 5.3.4, TAP 9, TAP 12).

use countersign_tests::{BinEncoding, Key, Simulator, User, files, rejection, role};
use metadata::{MetadataError, Role, Wire};
use serde_json::json;
use trust::{Answer, Rejection};

use crate::{ids, v};

fn thief() -> Key {
    Key::ed25519("thief")
}

fn too_few(name: &str, voucher: &str, valid: &[Key], missing: &[Key]) -> Rejection {
    Rejection::Signatures {
        role: role(name),
        version: v(2),
        voucher: voucher.to_owned(),
        threshold: (valid.len() + 1) as u32,
        valid: ids(valid),
        missing: ids(missing),
    }
}

/// Key compromise (TUF 1.5.2): a threshold of two met by one stolen key and a key of another role of
/// the same root (2.1: a role's own keys count, and no others).
#[tokio::test]
async fn snapshot_signed_by_keys_of_other_roles() {
    let mut repository = Simulator::standard();
    let user = User::of(&repository);
    let own = [Key::ed25519("online"), Key::ed25519("online-2")];
    repository.rotate("snapshot", &own, 2);
    let others = repository.keys("targets").to_vec();
    repository
        .tamper("snapshot")
        .signed_by([&own[0], &others[0]]);
    repository.publish();
    let expected = too_few("snapshot", "root", &own[..1], &own[1..]);
    assert_eq!(user.refused(&repository).await, expected);

    repository.publish();
    user.refresh(&repository).await.unwrap();
}

/// Key compromise: a key that was rotated away still signs (5.4.2: the keys of the newest root).
#[tokio::test]
async fn timestamp_by_a_key_rotated_away() {
    let mut repository = Simulator::standard();
    let user = User::of(&repository);
    user.refresh(&repository).await.unwrap();
    let stolen = repository.keys("timestamp").to_vec();
    let new = [Key::ed25519("online-2")];
    repository.rotate("timestamp", &new, 1);
    repository.tamper("timestamp").signed_by(&stolen);
    repository.publish();
    let expected = too_few("timestamp", "root", &[], &new);
    assert_eq!(user.refused(&repository).await, expected);

    repository.publish();
    user.refresh(&repository).await.unwrap();
}

/// Key compromise: after a rebin the online key of before signs on, in each role it had, and lists the
/// bins of before (5.3.11: its snapshots went with it; 5.4.2, 5.5.3, 5.6.3: the keys of the newest root
/// and of the newest `bins`).
#[tokio::test]
async fn bins_of_before_by_the_online_key_of_before() {
    let mut repository = Simulator::standard();
    let (user, newcomer) = (User::of(&repository), User::of(&repository));
    user.refresh(&repository).await.unwrap();
    let stolen = repository.keys("snapshot").to_vec();
    let new = [Key::ed25519("online-2")];
    repository.rotate("snapshot", &new, 1);
    repository.rotate("timestamp", &new, 1);
    for bin in ["bin-0", "bin-1", "bin-2", "bin-3"] {
        repository.unlist(bin);
    }
    repository.delegate_bins("bins", "tub", 3, BinEncoding::HashPrefixes, &new[0]);
    let tub = repository.bin_of("bins", files::PLAIN);
    repository.add_target(&tub, files::PLAIN, &files::content(files::PLAIN));
    for name in ["timestamp", "snapshot"] {
        repository.tamper(name).signed_by(&stolen);
        repository.publish();
        for user in [&newcomer, &user] {
            let refused = user.refused(&repository).await;
            let Rejection::Signatures {
                role: of, valid, ..
            } = &refused
            else {
                panic!("{refused:?}");
            };
            assert_eq!((of, valid.len()), (&role(name), 0));
        }
    }
    repository.tamper(&tub).signed_by(&stolen);
    repository.publish();
    let session = user.refresh(&repository).await.unwrap();
    let path = metadata::TargetPath::parse(files::PLAIN).unwrap();
    let answer = session.find(&path).await;
    assert!(matches!(&answer, Answer::Failed { .. }), "{answer:?}");

    repository.publish();
    for user in [&user, &newcomer] {
        let session = user.refresh(&repository).await.unwrap();
        let answer = session.find(&path).await;
        assert!(matches!(&answer, Answer::Found(_)), "{answer:?}");
    }
}

/// Key compromise: the root keys of two generations ago, a whole threshold of them (5.3.4: those of
/// the root just before).
#[tokio::test]
async fn root_by_the_keys_of_two_generations_ago() {
    let mut repository = Simulator::standard();
    let user = User::of(&repository);
    let old = repository.keys("root").to_vec();
    let new = [1, 2].map(|n| Key::ed25519(&format!("second-{n}")));
    repository.rotate("root", &new, 2);
    repository.publish();
    user.refresh(&repository).await.unwrap();

    repository.rotate("root", &old, 2);
    repository.tamper("root").signed_by(&old);
    repository.publish();
    let refused = user.refused(&repository).await;
    let Rejection::Signatures { voucher, valid, .. } = refused else {
        panic!("{refused:?}")
    };
    assert_eq!((voucher.as_str(), valid), ("the previous root", vec![]));

    repository.publish();
    user.refresh(&repository).await.unwrap();
}

/// A threshold of two met by one key that is listed twice, in two spellings, so that each of its two
/// key ids is the digest of its key, as the strict dialect asks (5.3.4: distinct keys).
#[tokio::test]
async fn threshold_met_by_one_key_in_two_spellings() {
    let mut repository = Simulator::standard();
    let user = User::of(&repository);
    let one = Key::ed25519("one");
    let spelled = one.public().public().to_uppercase();
    let other = metadata::Value::parse(
        json!({"keytype": "ed25519", "keyval": {"public": spelled}, "scheme": "ed25519"})
            .to_string()
            .as_bytes(),
    );
    let other = metadata::PublicKey::from_value(&other.unwrap()).unwrap();
    let again = one.under_id(other.id().as_str());
    repository.rotate("snapshot", std::slice::from_ref(&one), 1);
    let (id, keys) = (other.id(), repository.root.snapshot.keyids.clone());
    repository.root.keys.insert(id.clone(), other);
    repository.root.snapshot.keyids = [keys, vec![id]].concat();
    repository.root.snapshot.threshold = 2;
    repository.tamper("snapshot").signed_by([&one, &again]);
    repository.publish();
    let refused = user.refused(&repository).await;
    let Rejection::Signatures { valid, .. } = refused else {
        panic!("{refused:?}")
    };
    assert_eq!(valid.len(), 1);

    repository.root.snapshot.threshold = 1;
    repository.publish();
    user.refresh(&repository).await.unwrap();
}

/// A role that lists one key id twice, so that one signature might count twice (4.3; reference A-77).
#[tokio::test]
async fn role_that_lists_one_key_id_twice() {
    let mut repository = Simulator::standard();
    let user = User::of(&repository);
    let twice = [(); 2].map(|()| repository.root.snapshot.keyids[0].clone());
    repository.root.snapshot.keyids = twice.to_vec();
    repository.root.snapshot.threshold = 2;
    repository.publish();
    let source = MetadataError::member("roles.snapshot", "lists one keyid twice");
    let role = Role::Root;
    assert_eq!(
        user.refused(&repository).await,
        Rejection::Malformed { role, source }
    );

    let mut honest = Simulator::standard();
    honest.rotate("snapshot", &[Key::ed25519("a"), Key::ed25519("b")], 2);
    honest.publish();
    User::of(&honest).refresh(&honest).await.unwrap();
}

/// A threshold of zero, which no signature at all would meet (4.3, 4.5: at least 1), of a top-level
/// role and of a delegated one.
#[tokio::test]
async fn threshold_of_zero() {
    for (name, member) in [
        ("root", "roles.timestamp"),
        ("claimed", "delegations.roles.project-alpha"),
    ] {
        let mut repository = Simulator::standard();
        let user = User::of(&repository);
        if name == "root" {
            repository.root.timestamp.threshold = 0;
            repository.tamper("timestamp").signed_by(&[]);
        } else {
            set_threshold(&mut repository, name, 0);
            repository.tamper("project-alpha").signed_by(&[]);
        }
        repository.publish();
        let refused = user.refused_file(&repository, files::CLAIMED).await;
        let source = MetadataError::member(member, "threshold is not 1 to 2^32-1");
        let role = role(name);
        assert_eq!(refused, Rejection::Malformed { role, source });
    }
    let honest = Simulator::standard();
    let user = User::of(&honest);
    user.download(&honest, files::CLAIMED).await.unwrap();
}

fn set_threshold(repository: &mut Simulator, of: &str, threshold: u32) {
    let metadata::DelegatedRoles::Listed(roles) = &mut repository.delegations(of).roles else {
        panic!()
    };
    roles[0].keys.threshold = threshold;
}

/// A developer's threshold of two met by one of the developers (5.6.3 for a delegated role).
#[tokio::test]
async fn project_signed_by_one_of_two_developers() {
    let mut repository = Simulator::standard();
    let user = User::of(&repository);
    let developers = [Key::ed25519("alpha"), Key::ed25519("alpha-2")];
    repository.rotate("project-alpha", &developers, 2);
    repository.add_target("project-alpha", files::CLAIMED, b"by one alone");
    repository
        .tamper("project-alpha")
        .signed_by(&developers[..1]);
    repository.publish();
    let refused = user.refused_file(&repository, files::CLAIMED).await;
    let (valid, missing) = developers.split_at(1);
    assert_eq!(refused, too_few("project-alpha", "claimed", valid, missing));

    repository.publish();
    user.download(&repository, files::CLAIMED).await.unwrap();
}

/// A developer lists a thief's key under the key id of the index's online key, to have it counted
/// wherever that id stands (4.3: one key per key id, "across this key list and other files"). Keys
/// count only in the document that lists them; the strict dialect refuses the listing itself.
#[tokio::test]
async fn key_id_of_the_index_given_to_another_key() {
    let mut repository = Simulator::standard();
    let (strict, lenient) = (User::of(&repository), User::of(&repository).lenient());
    let online = Key::ed25519("online");
    let as_online = thief().under_id(online.id().as_str());
    let alpha = files::CLAIMED.replace("alpha-1.0", "*");
    repository.delegate(
        "project-alpha",
        "sub",
        std::slice::from_ref(&as_online),
        &[&alpha],
    );
    repository.add_target("sub", files::CLAIMED_ABSENT, b"by the developer's word");
    let bin = repository.bin_of("bins", files::PLAIN);
    repository.publish();
    let refused = strict.refused_file(&repository, files::CLAIMED_ABSENT);
    let refused = refused.await;
    assert!(
        matches!(&refused, Rejection::NotStrict { role: of, .. } if *of == role("project-alpha")),
        "{refused:?}"
    );

    // With the listing read, the same process is offered a bin by the thief.
    let session = lenient.refresh(&repository).await.unwrap();
    let path = |path| metadata::TargetPath::parse(path).unwrap();
    let sub = session.find(&path(files::CLAIMED)).await;
    assert!(matches!(sub, trust::Answer::Found(_)), "{sub:?}");
    repository.add_target(&bin, files::PLAIN, b"what a thief would like installed");
    repository.tamper(&bin).signed_by([&as_online]);
    repository.publish();
    let refused = lenient.refused_file(&repository, files::PLAIN).await;
    assert_eq!(refused, too_few(&bin, "bins", &[], &[online]));

    repository.publish();
    lenient.download(&repository, files::PLAIN).await.unwrap();
}

/// A key with members that nobody knows: tools differ in what its key id is the digest of (4.2.1;
/// reference A-24). Our own repositories have none.
#[tokio::test]
async fn key_with_unknown_members() {
    let mut repository = Simulator::standard();
    let (strict, lenient) = (User::of(&repository), User::of(&repository).lenient());
    repository.tamper("root").json(|root| {
        let keys = root["keys"].as_object_mut().unwrap();
        for key in keys.values_mut() {
            key["x-note"] = json!("in a safe");
        }
    });
    repository.publish();
    let refused = strict.refused(&repository).await;
    assert!(
        matches!(
            &refused,
            Rejection::NotStrict {
                role: Role::Root,
                ..
            }
        ),
        "{refused:?}"
    );
    lenient.refresh(&repository).await.unwrap();
}

/// A scheme that is not the key type's (TAP 9: such a key verifies nothing), with a signature that
/// would be valid under the scheme that is.
#[tokio::test]
async fn key_with_a_scheme_nobody_knows() {
    let mut repository = Simulator::standard();
    let user = User::of(&repository);
    let text = json!({
        "keytype": "ed25519",
        "keyval": {"public": thief().public().public()},
        "scheme": "ed25519-without-digest",
    });
    let value = metadata::Value::parse(text.to_string().as_bytes()).unwrap();
    let odd = metadata::PublicKey::from_value(&value).unwrap();
    let signer = thief().under_id(odd.id().as_str());
    repository.rotate("timestamp", &[Key::ed25519("online"), thief()], 1);
    let unknown = odd.id();
    repository.root.keys.remove(thief().id());
    repository.root.timestamp.keyids[1] = unknown.clone();
    repository.root.keys.insert(unknown, odd);
    repository.tamper("timestamp").signed_by([&signer]);
    repository.publish();
    let refused = user.refused(&repository).await;
    let Rejection::Signatures { valid, .. } = refused else {
        panic!("{refused:?}")
    };
    assert_eq!(valid, vec![]);

    // The key beside it still counts.
    repository
        .tamper("timestamp")
        .signed_by([&Key::ed25519("online")]);
    repository.publish_timestamp();
    user.refresh(&repository).await.unwrap();
}

/// A signature over the text as it stands and not over its canonical form: one of the two is checked
/// for all signatures, never whichever fits (4.1, DESIGN §4).
#[tokio::test]
async fn signature_over_the_text_and_not_its_canonical_form() {
    let mut repository = Simulator::standard();
    let user = User::of(&repository);
    repository.tamper("timestamp").file(|file| {
        let wire = Wire::parse(&file, 64).unwrap();
        let signed: serde_json::Value = serde_json::from_slice(wire.signed).unwrap();
        let text = serde_json::to_string_pretty(&signed).unwrap();
        let text = text.replace('\n', " ");
        let signature = Key::ed25519("online").sign(text.as_bytes());
        Wire::write(text.as_bytes(), &[signature])
    });
    repository.publish();
    let expected = too_few("timestamp", "root", &[], &[Key::ed25519("online")]);
    assert_eq!(user.refused(&repository).await, expected);

    repository.publish();
    user.refresh(&repository).await.unwrap();
}

/// A maintainer of a project signs for another project: both are developers' keys, each of one role
/// only (5.6.7).
#[tokio::test]
async fn developer_of_another_project() {
    let mut repository = Simulator::standard();
    let user = User::of(&repository);
    let beta = Key::ed25519("beta");
    repository
        .delegate(
            "claimed",
            "project-beta",
            std::slice::from_ref(&beta),
            &["packages/f4/beta/*"],
        )
        .terminating = true;
    repository.add_target("project-alpha", files::CLAIMED, b"by the wrong developer");
    repository.tamper("project-alpha").signed_by([&beta]);
    repository.publish();
    let error = user.download(&repository, files::CLAIMED).await;
    let refused = rejection(error.unwrap_err());
    let alpha = repository.keys("project-alpha").to_vec();
    assert_eq!(refused, too_few("project-alpha", "claimed", &[], &alpha));

    repository.publish();
    user.download(&repository, files::CLAIMED).await.unwrap();
}
