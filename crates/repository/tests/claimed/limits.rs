//! One delegator a project, and a snapshot that clients read: what would break either is not published.

use countersign_repository::{ClaimStage, Repository, RepositoryError};
use metadata::Role;

use crate::scene::{Scene, name, own};
use crate::support::developers::Team;
use crate::support::{CLAIMS, Reader, samples};

/// A state that has forgotten that a ceremony moved the project would have `recently-claimed` delegate to it,
/// too: nothing of that is published.
#[test]
fn a_project_is_not_delegated_to_twice() {
    let (mut scene, team) = Scene::claimed();
    let path = scene.folder.path().join("state.sqlite");
    let moved = |from: &str, to: &str| {
        let db = rusqlite::Connection::open(&path).unwrap();
        let sql = "UPDATE claims SET body = replace(body, ?1, ?2) WHERE instr(body, ?1) > 0";
        assert_eq!(db.execute(sql, [from, to]).unwrap(), 1);
    };
    moved("\"claimed\"", "\"recently-claimed\"");
    scene.index = Repository::open(scene.folder.path()).unwrap();
    let other = Team::new(
        scene.folder.path(),
        "countersign-sample-words",
        1,
        scene.now,
    );
    other.register(&mut scene.index, scene.now).unwrap();
    let there = samples()
        .into_iter()
        .filter(|path| name(path).contains("words"));
    let there: Vec<_> = there.collect();
    other
        .release(&mut scene.index, &[other.wheel("1.1")], &there, scene.now)
        .unwrap();
    let before = Reader::of(&scene.index, &scene.ceremony, scene.now);
    let error = scene.try_tick().unwrap_err();
    let role = Role::parse(&own()).unwrap();
    assert!(
        matches!(&error, RepositoryError::TwoDelegators { role: found } if *found == role),
        "{error}"
    );
    let after = Reader::of(&scene.index, &scene.ceremony, scene.now);
    for reader in [&before, &after] {
        assert_eq!(reader.delegators_of(&own()).len(), 1);
    }
    assert_eq!(
        after.role_of(&name(&there[0])),
        before.role_of(&name(&there[0]))
    );
    // The control: what waits is published once the state is right again.
    moved("\"recently-claimed\"", "\"claimed\"");
    scene.index = Repository::open(scene.folder.path()).unwrap();
    scene.tick();
    let role = "project-countersign-sample-words";
    assert_eq!(scene.role_of(&there[0]).as_deref(), Some(role));
    assert_eq!(scene.role_of(&team.wheel("1.1")), Some(own()));
}

/// A ceremony that adds roles is refused where the snapshot would leave its limit, by the limit's name.
#[test]
fn a_set_too_many_for_the_snapshot_is_refused_by_the_limits_name() {
    let (mut scene, team) = Scene::new();
    let set = scene.moved(&team);
    let used = scene.index.status(scene.now).unwrap().snapshot_room.used;
    assert_eq!(scene.index.export_claims().unwrap().snapshot_bytes, used);
    // Two roles come: one has place, the other has not.
    let signatures = draft::snapshot_bytes_with(0, []);
    for (room, fits) in [(200, false), (400, true)] {
        let room = room + signatures;
        let limit = format!("snapshot_bytes = {}", used + room);
        let at = CLAIMS.rfind("snapshot_bytes = 2_000_000").unwrap();
        let (before, after) = CLAIMS.split_at(at);
        let text = format!(
            "{before}{}",
            after.replacen("snapshot_bytes = 2_000_000", &limit, 1)
        );
        let text = text.replace("expected_targets = 500", "expected_targets = 16");
        let db = rusqlite::Connection::open(scene.folder.path().join("state.sqlite")).unwrap();
        let sql = "UPDATE settings SET value = ?1 WHERE name = 'policy'";
        assert_eq!(db.execute(sql, [text]).unwrap(), 1);
        drop(db);
        scene.index = Repository::open(scene.folder.path()).unwrap();
        match scene.apply(&set) {
            Ok(()) => assert!(fits),
            Err(error) => {
                assert!(!fits, "{error}");
                let text = error.to_string();
                assert!(text.contains("`repository.snapshot_bytes`"), "{text}");
            }
        }
    }
    scene.tick();
    assert_eq!(scene.stage(&team.project), Some(ClaimStage::Claimed));
}
