//! A project moves to an offline role, and what stops a move.

use countersign_repository::{ClaimStage, SqliteState, State};
use draft::{ShardFlaw, delegated_projects};
use keys::Signer;
use metadata::{Role, Targets};

use crate::scene::{Scene, flaw, greeter, name, own, put};
use crate::support::{Reader, Warm, key};

/// One snapshot: gone from `recently-claimed`, there in the shard, its own role as it was; and its
/// developers go on alone.
#[test]
fn a_ceremony_moves_a_project_and_its_own_role_stays_as_it_is() {
    let (mut scene, team) = Scene::new();
    let role = Role::parse(&own()).unwrap();
    let before: Targets = scene.published(&role).unwrap();
    let warm = Warm::of(&scene.index, scene.now);
    let set = scene.moved(&team);
    scene.apply(&set).unwrap();
    assert_eq!(
        scene.stage(&team.project),
        Some(ClaimStage::RecentlyClaimed)
    );
    let report = scene.tick();
    assert_eq!(report.offline_roles.len(), 3);
    assert!(report.project_roles.is_empty() && report.bins == 0);
    assert_eq!(scene.stage(&team.project), Some(ClaimStage::Claimed));
    assert_eq!(scene.published::<Targets>(&role).unwrap(), before);
    let recent: Targets = scene
        .published(&Role::parse("recently-claimed").unwrap())
        .unwrap();
    assert!(delegated_projects(&recent).unwrap().is_empty());
    assert_eq!(scene.role_of(&greeter()), Some(own()));

    // Whoever was in the middle ends well, and finds the same afterwards.
    warm.finds(&[name(&greeter())]);
    let after = Reader::after(&scene.index, &warm, scene.now);
    assert_eq!(after.role_of(&name(&greeter())), Some(own()));

    // Releases and sub-roles need no ceremony.
    let new = [team.wheel("2.0")];
    team.delegate("alice", &key(), &new, scene.now);
    let archive = team.pack(&new, &[], scene.now);
    team.send(&mut scene.index, &archive, scene.now).unwrap();
    scene.tick();
    assert_eq!(scene.role_of(&new[0]), Some(format!("{}--alice", own())));
    let status = scene.index.status(scene.now).unwrap();
    assert_eq!(
        (status.claims.recently_claimed, status.claims.claimed),
        (0, 1)
    );
}

/// A release that waits while the set comes is published with it: it does not matter who delegates.
#[test]
fn a_release_and_the_move_share_a_snapshot() {
    let (mut scene, team) = Scene::new();
    let set = scene.moved(&team);
    let new = [team.wheel("2.0")];
    team.release(&mut scene.index, &new, &[], scene.now)
        .unwrap();
    scene.apply(&set).unwrap();
    let report = scene.tick();
    assert_eq!(
        (report.project_roles.len(), report.offline_roles.len()),
        (1, 3)
    );
    assert_eq!(scene.role_of(&new[0]), Some(own()));
    assert_eq!(scene.stage(&team.project), Some(ClaimStage::Claimed));
}

/// The keys that a ceremony has frozen were replaced since: it does not bring them back, whether the other
/// keys are queued, in force, or the same ones granted anew.
#[test]
fn a_ceremony_does_not_revive_replaced_keys() {
    let (mut scene, mut team) = Scene::new();
    let set = scene.moved(&team);
    team.with_other_keys(1, scene.now);
    team.register(&mut scene.index, scene.now).unwrap();
    for settled in [false, true] {
        let flaw = flaw(scene.apply(&set).unwrap_err());
        assert!(
            matches!(flaw, ShardFlaw::Registrations { .. }),
            "{settled}: {flaw}"
        );
        scene.tick();
    }
    team.release(&mut scene.index, &[], &[], scene.now).unwrap();
    scene.tick();
    assert!(matches!(
        flaw(scene.apply(&set).unwrap_err()),
        ShardFlaw::Registrations { .. }
    ));
    // Planned anew, it holds.
    let set = scene.moved(&team);
    scene.apply(&set).unwrap();
    scene.tick();
    assert_eq!(scene.stage(&team.project), Some(ClaimStage::Claimed));
}

/// The same between `apply` and the cycle: the set is given up, and everything else goes on.
#[test]
fn keys_registered_while_the_set_waits_void_it() {
    let (mut scene, mut team) = Scene::new();
    let set = scene.moved(&team);
    scene.apply(&set).unwrap();
    team.with_other_keys(1, scene.now);
    team.register(&mut scene.index, scene.now).unwrap();
    let error = scene.try_tick().unwrap_err();
    assert!(matches!(flaw(error), ShardFlaw::Registrations { .. }));
    let report = scene.tick();
    assert!(report.offline_roles.is_empty() && report.outcomes.len() == 1);
    assert_eq!(
        scene.stage(&team.project),
        Some(ClaimStage::RecentlyClaimed)
    );
    assert_eq!(scene.role_of(&greeter()), Some(own()));
}

#[test]
fn a_released_project_is_not_moved() {
    let (mut scene, team) = Scene::new();
    let set = scene.moved(&team);
    scene
        .index
        .release_claim(&team.project, scene.now)
        .unwrap()
        .unwrap();
    assert!(matches!(
        flaw(scene.apply(&set).unwrap_err()),
        ShardFlaw::Registrations { .. }
    ));
    scene.tick();
    assert!(matches!(
        flaw(scene.apply(&set).unwrap_err()),
        ShardFlaw::Registrations { .. }
    ));
}

/// A ceremony that was planned before the state was lost: nobody can tell whether the keys it has frozen
/// were replaced since the backup.
#[test]
fn a_project_whose_keys_are_held_after_a_recovery_is_not_moved() {
    let (mut scene, team) = Scene::new();
    let set = scene.moved(&team);
    let mut claim = scene.index.claims().unwrap().remove(&team.project).unwrap();
    claim.held = true;
    let mut state = SqliteState::open(&scene.folder.path().join("state.sqlite")).unwrap();
    let held = [(team.project.clone(), Some(claim))];
    state.settle(&[], &held).unwrap();
    drop(state);
    let found = flaw(scene.apply(&set).unwrap_err());
    assert!(matches!(found, ShardFlaw::Registrations { .. }), "{found}");
    let projects = [team.project.clone()];
    scene.index.confirm_claims(&projects).unwrap();
    scene.apply(&set).unwrap();
}

/// Holders who sign what nobody registered find an index that does not publish it.
#[test]
fn keys_that_nobody_registered_come_from_no_ceremony() {
    let (mut scene, team) = Scene::new();
    let claims = scene.index.export_claims().unwrap();
    let mut forged = claims.projects[&team.project].in_force.clone();
    let foreign = key().public_key().clone();
    forged.keys.insert(foreign.id(), foreign);
    let set = scene.set(&team, &claims, |projects| put(projects, &team, &forged));
    assert!(matches!(
        flaw(scene.apply(&set).unwrap_err()),
        ShardFlaw::Keys { .. }
    ));
}
