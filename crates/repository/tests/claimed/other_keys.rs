//! A claimed project gets other keys: vouched for by the old ones, or after a waiting time.

use std::sync::Arc;

use countersign_repository::{ClaimStage, RepositoryError};
use draft::ShardFlaw;
use keys::Signer;

use crate::scene::{Scene, flaw, greeter, own};
use crate::support::key;

/// One of the old keys signs for the new ones: until the ceremony both have to sign, from then on the new
/// ones do.
#[test]
fn other_keys_come_into_force_with_a_ceremony() {
    let (mut scene, mut team) = Scene::claimed();
    let (old, gone) = (Arc::clone(&team.keys[0]), Arc::clone(&team.keys[1]));
    let new = key();
    team.keys = vec![Arc::clone(&gone)];
    let by_the_one_that_goes = team.archive(&[team.wheel("6.6")], &[], scene.now);
    team.folder.refused().unwrap();
    team.with_keys(vec![old, Arc::clone(&new)], scene.now);
    team.register(&mut scene.index, scene.now).unwrap();
    scene.tick();
    let claim = scene.index.claims().unwrap().remove(&team.project).unwrap();
    assert!(claim.next.is_some() && !claim.waits_unvouched());
    assert!(
        claim
            .in_force
            .unwrap()
            .registration
            .keys
            .contains_key(gone.key_id())
    );

    // The new key alone is not enough for clients yet, the one that goes no more for the index.
    let all = std::mem::replace(&mut team.keys, vec![new]);
    let refused = team
        .release(&mut scene.index, &[], &[], scene.now)
        .unwrap_err();
    assert_eq!(refused.code(), "awaits-ceremony");
    let refused = scene
        .index
        .receive_transaction(&by_the_one_that_goes, scene.now)
        .unwrap()
        .unwrap_err();
    assert_eq!(refused.code(), "signatures");
    team.keys = all;
    team.release(&mut scene.index, &[], &[], scene.now).unwrap();
    scene.tick();
    let set = scene.with_other_keys(&team);
    scene.apply(&set).unwrap();
    let report = scene.tick();
    assert_eq!(
        (report.offline_roles.len(), report.project_roles.len()),
        (1, 0)
    );
    let claim = scene.index.claims().unwrap().remove(&team.project).unwrap();
    assert_eq!((claim.next, claim.stage), (None, ClaimStage::Claimed));
    assert_eq!(scene.role_of(&greeter()), Some(own()));
    team.keys.remove(0);
    team.release(&mut scene.index, &[team.wheel("2.0")], &[], scene.now)
        .unwrap();
    scene.tick();
}

/// Nobody has the old keys: the new ones wait, do nothing meanwhile, and come with the release that they
/// have signed.
#[test]
fn lost_keys_are_replaced_after_a_waiting_time_together_with_a_release() {
    let (mut scene, mut team) = Scene::claimed();
    team.with_other_keys(1, scene.now);
    team.register(&mut scene.index, scene.now).unwrap();
    scene.tick();
    let set = scene.with_other_keys(&team);
    assert!(matches!(
        flaw(scene.apply(&set).unwrap_err()),
        ShardFlaw::TooEarly { .. }
    ));
    scene.wait(20);

    let set = scene.with_other_keys(&team);
    let error = scene.apply(&set).unwrap_err();
    assert!(
        matches!(error, RepositoryError::NotResigned { .. }),
        "{error}"
    );
    let archive = team.archive(&[team.wheel("2.0")], &[], scene.now);
    scene
        .index
        .apply_set_with(&set, std::slice::from_ref(&archive), scene.now)
        .unwrap();
    team.folder.accepted().unwrap();
    let report = scene.tick();
    assert_eq!(
        (report.offline_roles.len(), report.project_roles.len()),
        (1, 1)
    );
    for file in [greeter(), team.wheel("2.0")] {
        assert_eq!(scene.role_of(&file), Some(own()));
    }
}

/// Whoever has not lost the keys goes on while others wait to replace them; these have no say.
#[test]
fn keys_that_nobody_vouches_for_have_no_say() {
    let (mut scene, mut team) = Scene::claimed();
    let new = team.wheel("2.0");
    let by_the_owner = team.archive(std::slice::from_ref(&new), &[], scene.now);
    team.folder.refused().unwrap();
    team.with_other_keys(1, scene.now);
    team.register(&mut scene.index, scene.now).unwrap();
    scene.tick();
    let found = team
        .release(&mut scene.index, &[], &[], scene.now)
        .unwrap_err();
    assert_eq!(found.code(), "signatures");
    let answer = scene.index.receive_transaction(&by_the_owner, scene.now);
    answer.unwrap().unwrap();
    scene.tick();
    assert_eq!(scene.role_of(&new), Some(own()));
}

/// A granted request of somebody else ends when the owner registers keys that the old ones vouch for.
#[test]
fn the_owner_ends_what_somebody_else_has_registered() {
    let (mut scene, mut team) = Scene::claimed();
    let mine = team.keys.clone();
    team.with_other_keys(1, scene.now);
    team.register(&mut scene.index, scene.now).unwrap();
    scene.tick();
    scene.wait(20);
    let theirs = scene.with_other_keys(&team);
    team.with_keys(mine, scene.now);
    team.register(&mut scene.index, scene.now).unwrap();
    scene.tick();
    let flaw = flaw(scene.apply(&theirs).unwrap_err());
    assert!(matches!(flaw, ShardFlaw::Registrations { .. }), "{flaw}");
}
