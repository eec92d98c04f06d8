//! Attacks on what a client keeps: it may never be believed for longer, or for more, than what it was
//! believed for at first (DESIGN §7).

use std::sync::Arc;

use chrono::Duration;
use countersign_tests::{Key, Simulator, User, fails, files};
use metadata::{Role, TargetPath, UnverifiedSignature};
use trust::{
    Answer, Authority, Limits, Lookup, Rejection, RootChain, Rules, Step, Verified, Walked,
    tally_unverified,
};

use crate::{ids, v};

fn path(text: &str) -> TargetPath {
    TargetPath::parse(text).unwrap()
}

/// A role that a running client has in memory is replaced in the next snapshot.
#[tokio::test]
async fn role_in_memory_that_was_replaced() {
    let mut repository = Simulator::standard();
    let user = User::of(&repository);
    let updater = user.updater().unwrap();
    let session = updater.refresh(repository.now).await.unwrap();
    assert!(matches!(
        session.find(&path(files::CLAIMED)).await,
        Answer::Found(_)
    ));
    repository.remove_target("project-alpha", files::CLAIMED);
    repository.publish();
    let session = updater.refresh(repository.now).await.unwrap();
    let answer = session.find(&path(files::CLAIMED)).await;
    fails(matches!(answer, Answer::Terminated(_)), &answer);
}

/// A role that a running client has in memory expires (TUF 5.6.5).
#[tokio::test]
async fn role_in_memory_that_has_expired() {
    let mut repository = Simulator::standard();
    repository.set_lifetime("project-alpha", Duration::hours(1));
    repository.touch("project-alpha");
    repository.publish();
    let user = User::of(&repository);
    let updater = user.updater().unwrap();
    let session = updater.refresh(repository.now).await.unwrap();
    assert!(matches!(
        session.find(&path(files::CLAIMED)).await,
        Answer::Found(_)
    ));
    repository.advance(Duration::hours(1));
    let session = updater.refresh(repository.now).await.unwrap();
    let answer = session.find(&path(files::CLAIMED)).await;
    fails(matches!(answer, Answer::Failed { .. }), &answer);
}

/// Mix and match (TUF 1.5.2): a second snapshot of a version that the client holds. It has to go on with the
/// one that the timestamp names (5.5.2).
#[tokio::test]
async fn held_snapshot_that_the_timestamp_does_not_name() {
    let mut repository = Simulator::standard();
    let user = User::of(&repository);
    user.refresh(&repository).await.unwrap();
    let version = repository.version("snapshot");
    repository.set_next_version("snapshot", version.get());
    repository.add_target("targets", "second", b"second");
    repository.publish();
    assert_eq!(repository.version("snapshot"), version);
    let session = user.refresh(&repository).await.unwrap();
    let named = session.snapped().snapshot().file() == &*repository.file("snapshot");
    fails(named, "the held one is in force");
    assert_eq!(user.kept("snapshot").unwrap(), repository.file("snapshot"));
}

/// Endless data (TUF 1.5.2): a chain counts its roots whoever fetches them (5.3.3).
#[test]
fn chain_of_more_roots_than_allowed() {
    let mut repository = Simulator::standard();
    let rules = Rules {
        limits: Limits {
            root_rotations: 2,
            ..Limits::default()
        },
        ..Rules::default()
    };
    let mut chain = RootChain::pinned(&repository.archived("root", 1), rules).unwrap();
    for version in 2..=4 {
        repository.touch("root");
        repository.publish();
        match chain.advance(&repository.archived("root", version)) {
            Ok(next) => chain = next,
            Err(refused) => {
                assert_eq!(
                    (version, refused),
                    (4, Rejection::TooManyRoots { limit: 2 })
                );
                return;
            }
        }
    }
    fails(false, "a third root");
}

/// A key gives out a signature that is not one, or one by another key, when a document is sealed.
#[test]
fn signature_fresh_from_a_key_that_lies() {
    let repository = Simulator::standard();
    let keys = repository.keys("root").to_vec();
    let root = repository.archived("root", 1);
    let chain = RootChain::pinned(&root, Rules::default()).unwrap();
    let listed = &chain.root().keys;
    let authority = Authority::new("the root itself", listed, &chain.root().root);
    let fresh = |signer: &Key, named: &Key, message: &[u8]| {
        UnverifiedSignature::new(named.id().clone(), signer.sign(message).bytes)
    };
    let lies = [
        fresh(&keys[0], &keys[0], b"message"),
        fresh(&keys[0], &keys[1], b"message"),
        fresh(&keys[2], &keys[2], b"another message"),
    ];
    let (tally, valid) = tally_unverified(b"message", &lies, &authority);
    fails(!tally.is_met() && valid.len() == 1, &tally);
    assert_eq!(tally.valid, ids(&keys[..1]));
    assert_eq!(valid, [keys[0].sign(b"message")]);
}

/// The roles asked for on the way to a path, those in memory left out.
fn walk(
    session: &client::Session,
    repository: &Simulator,
    to: &str,
    walked: &mut Walked,
) -> Vec<String> {
    let (snapped, top) = (session.snapped(), Arc::clone(session.targets()));
    let (mut lookup, mut step) = Lookup::start(snapped, top, path(to));
    let mut fetched = Vec::new();
    while let Step::Fetch(request) = step {
        if let Some(next) = lookup.reuse(snapped, walked) {
            step = next;
            continue;
        }
        let name = request.role.name().to_owned();
        step = lookup.supply(snapped, &repository.file(&name));
        walked.keep(lookup.accepted().unwrap());
        fetched.push(name);
    }
    assert!(matches!(step, Step::Done(Answer::Found(_))));
    fetched
}

/// Endless data (TUF 1.5.2), in memory: what is kept never takes more than its limit; up to that, nothing is
/// read twice.
#[tokio::test]
async fn roles_kept_without_end() {
    let mut repository = Simulator::standard();
    // Both know one path, and nothing else is asked on the way to it.
    for name in ["left", "right"] {
        let key = Key::ed25519(name);
        repository.delegate("targets", name, &[key], &[&format!("{name}/*")]);
        repository.add_target(name, &format!("{name}/file"), b"file");
    }
    repository.publish();
    let session = User::of(&repository).refresh(&repository).await.unwrap();
    let size = |name| repository.file(name).len();
    let (left, right) = (size("left"), size("right"));
    let go = |walked: &mut Walked, name: &str| {
        walk(&session, &repository, &format!("{name}/file"), walked).len()
    };
    // Room for both, for one at a time, for the one, for neither.
    for (limit, expected) in [
        (left + right, [1, 0, 1, 0, 0]),
        (left + right - 1, [1, 0, 1, 1, 1]),
        (left, [1, 0, 1, 1, 1]),
        (left.min(right) - 1, [1, 1, 1, 1, 1]),
    ] {
        let mut walked = Walked::new(limit);
        let fetched = ["left", "left", "right", "left", "right"].map(|name| go(&mut walked, name));
        fails(fetched == expected, (limit, fetched));
    }
    // A role that comes again takes the place of the old one.
    let mut walked = Walked::new(2 * left + right);
    let accepted = {
        let (snapped, top) = (session.snapped(), Arc::clone(session.targets()));
        let (mut lookup, _) = Lookup::start(snapped, top, path("left/file"));
        let _ = lookup.supply(snapped, &repository.file("left"));
        lookup.accepted().unwrap().clone()
    };
    walked.keep(&accepted);
    walked.keep(&accepted);
    assert_eq!(["right", "left"].map(|name| go(&mut walked, name)), [1, 0]);
}

/// Arbitrary software (TUF 1.5.2): a file in memory, checked as a whole.
#[tokio::test]
async fn other_bytes_of_a_target() {
    let repository = Simulator::standard();
    let session = User::of(&repository).refresh(&repository).await.unwrap();
    let Answer::Found(target) = session.find(&path(files::ANCHOR)).await else {
        panic!("it is listed");
    };
    let good = files::content(files::ANCHOR);
    target.check_bytes(&good).unwrap();
    let mut evil = good.clone();
    evil[0] ^= 1;
    fails(target.check_bytes(&evil).is_err(), "other bytes");
    fails(target.check_bytes(&good[1..]).is_err(), "fewer bytes");
}

/// The limits in force are those the update was given, in every step of it.
#[tokio::test]
async fn limits_are_those_given() {
    let repository = Simulator::standard();
    let mut user = User::of(&repository);
    user.rules.limits.signatures = 7;
    let session = user.refresh(&repository).await.unwrap();
    assert_eq!(session.snapped().rules().limits.signatures, 7);
    let timestamp: &Verified<_> = session.snapped().timestamp();
    assert_eq!(
        (timestamp.role(), timestamp.version),
        (&Role::Timestamp, v(1))
    );
}
