//! A claimed project is given back, deleted, renewed, and lapses.

use chrono::TimeDelta;
use countersign_repository::{ClaimStage, ClaimsExport};
use metadata::Expiry;

use crate::scene::{GREETER, Projects, Scene, greeter, name};
use crate::support::developers::Team;

/// Given back by a ceremony alone, with all its files; versions go on.
#[test]
fn the_index_speaks_for_a_claimed_project_again_when_a_ceremony_says_so() {
    let (mut scene, team) = Scene::claimed();
    let refused = scene
        .index
        .release_claim(&team.project, scene.now)
        .unwrap()
        .unwrap_err();
    assert_eq!(refused.code(), "claimed");
    let claims = scene.index.export_claims().unwrap();
    let set = scene.set(&team, &claims, Projects::clear);
    scene.apply(&set).unwrap();
    scene.tick();
    assert_eq!(scene.stage(&team.project), None);
    for file in [greeter(), team.wheel("1.1")] {
        assert!(scene.role_of(&file).unwrap().starts_with("bins-"));
    }
}

/// A project whose files are all gone stays claimed: its name is nobody else's, and no file name is used
/// twice (reference F7, F32).
#[test]
fn a_deleted_project_leaves_its_name_claimed() {
    let (mut scene, team) = Scene::claimed();
    let role = team.folder.role(None).unwrap();
    let files = [greeter(), team.wheel("1.1")]
        .map(|path| index::DistributionFilename::parse(&name(&path)).unwrap());
    let expires = Expiry::at(scene.now + TimeDelta::days(30));
    let draft = team
        .folder
        .draft(&role, expires, &[], &files.into())
        .unwrap();
    team.folder.keep(&draft).unwrap();
    team.sign_own();
    let archive = team.pack(&[], &[], scene.now);
    team.send(&mut scene.index, &archive, scene.now).unwrap();
    scene.tick();
    assert_eq!(scene.role_of(&greeter()), None);
    let intake = scene.index.add_files(&[greeter()], scene.now).unwrap();
    assert_eq!(intake.accepted.len(), 0);
    let other = Team::new(&scene.folder.path().join("incoming"), GREETER, 1, scene.now);
    other.register(&mut scene.index, scene.now).unwrap();
    let answer = other.release(&mut scene.index, &[other.wheel("9.9")], &[], scene.now);
    assert!(answer.is_err());
    scene.tick();
    assert_eq!(scene.stage(&team.project), Some(ClaimStage::Claimed));
}

/// A renewal says nothing of projects, so it holds whatever was registered meanwhile.
#[test]
fn a_renewal_gives_nobody_other_keys() {
    let (mut scene, mut team) = Scene::claimed();
    team.with_other_keys(1, scene.now);
    team.register(&mut scene.index, scene.now).unwrap();
    scene.tick();
    let none = ClaimsExport::default();
    let set = scene.set(&team, &none, |_| {});
    scene.apply(&set).unwrap();
    let report = scene.tick();
    assert_eq!(report.offline_roles.len(), 1);
    let claim = scene.index.claims().unwrap().remove(&team.project).unwrap();
    assert!(claim.next.is_some() && claim.stage == ClaimStage::Claimed);
}

/// Offline roles that lapse are an outage, so they are announced like the others.
#[test]
fn claimed_roles_raise_alarms() {
    let (mut scene, _) = Scene::claimed();
    scene.wait(120);
    let status = scene.index.status(scene.now).unwrap();
    let raised = |name: &str| {
        status
            .alarms
            .iter()
            .any(|alarm| alarm.role.name().starts_with(name))
    };
    assert!(
        raised("claimed") && raised("claimed-"),
        "{:?}",
        status.alarms
    );
    let signer = |name: &str| {
        status
            .signers
            .iter()
            .any(|one| one.role.name().starts_with(name))
    };
    assert!(signer("claimed") && signer("claimed-"));
}
