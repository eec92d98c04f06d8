//! Projects that a ceremony has claimed: moved from `recently-claimed` to an offline role, given other keys,
//! given back; and what the index refuses of that (PEP 480 "Producing Consistent Snapshots"; reference C.7,
//! C.9, F4, F29–F31; decision 0022).

mod support;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use countersign_repository::{
    ClaimStage, ClaimsExport, Repository, RepositoryError, SqliteState, State, TickOptions,
    TickReport,
};
use draft::{
    CLAIMED, ClaimedShard, DelegatedProject, ShardFlaw, bind_registrations, claimed_role,
    delegate_claimed, delegated_projects, projects_role,
};
use index::ProjectName;
use keys::{FileKey, Signer};
use metadata::{DelegatedRoles, Document, Expiry, Role, Root, Targets, Wire};
use support::checker::Checker;
use support::developers::Team;
use support::fuse::{Failure, Fuse, failing};
use support::{Ceremony, Reader, Warm, key, samples, start, version};
use trust::Authority;

const AT_ONCE: TickOptions = TickOptions { at_once: true };
const GREETER: &str = "countersign-sample-greeter";

type Projects = BTreeMap<ProjectName, DelegatedProject>;

/// An index, a team that signs under `recently-claimed`, and who holds the keys of the offline roles.
struct Scene {
    folder: tempfile::TempDir,
    ceremony: Ceremony,
    index: Repository,
    checker: Checker,
    claimed: Arc<FileKey>,
    shards: Arc<FileKey>,
    now: DateTime<Utc>,
    sets: u32,
}

impl Scene {
    fn new() -> (Self, Team) {
        let folder = tempfile::tempdir().unwrap();
        let ceremony = Ceremony::with_claims();
        let mut index = support::published(folder.path(), &ceremony);
        index.add_files(&samples(), start()).unwrap();
        index.tick(&ceremony.online(), start(), AT_ONCE).unwrap();
        let checker = Checker::new(&folder.path().join("repository"));
        let mut scene = Self {
            folder,
            ceremony,
            index,
            checker,
            claimed: key(),
            shards: key(),
            now: start(),
            sets: 0,
        };
        let team = Team::new(scene.folder.path(), GREETER, 2, start());
        team.register(&mut scene.index, start()).unwrap();
        let new = [team.wheel("1.1")];
        team.release(&mut scene.index, &new, &[greeter()], start())
            .unwrap();
        scene.tick();
        (scene, team)
    }

    /// The same, with the project claimed.
    fn claimed() -> (Self, Team) {
        let (mut scene, team) = Self::new();
        let set = scene.moved(&team);
        scene.apply(&set).unwrap();
        scene.tick();
        assert_eq!(scene.stage(&team.project), Some(ClaimStage::Claimed));
        (scene, team)
    }

    fn tick(&mut self) -> TickReport {
        let report = self.try_tick().unwrap();
        self.checker.look(self.now).unwrap();
        report
    }

    fn try_tick(&mut self) -> Result<TickReport, RepositoryError> {
        self.index.tick(&self.ceremony.online(), self.now, AT_ONCE)
    }

    /// Lets time pass while the signer runs.
    fn wait(&mut self, minutes: i64) {
        for _ in 0..minutes / 5 {
            self.now += TimeDelta::minutes(5);
            self.tick();
        }
    }

    fn apply(&mut self, set: &Path) -> Result<(), RepositoryError> {
        self.index.apply_set(set, self.now).map(drop)
    }

    fn stage(&self, project: &ProjectName) -> Option<ClaimStage> {
        let claims = self.index.claims().unwrap();
        claims.get(project).map(|claim| claim.stage)
    }

    fn role_of(&self, file: &Path) -> Option<String> {
        Reader::of(&self.index, &self.ceremony, self.now).role_of(&name(file))
    }

    fn published<R: Document>(&self, role: &Role) -> Option<R> {
        let folder = self.index.store_folder().unwrap().join("metadata");
        let versions = (1..50).rev().map(version);
        let mut files = versions.map(|version| folder.join(role.versioned_file_name(version)));
        let file = fs::read(files.find(|path| path.exists())?).unwrap();
        Some(R::parse(Wire::parse(&file, 9).unwrap().signed).unwrap())
    }

    /// A ceremony's set: the shard of a project as it was planned with `claims`, and what leads to it.
    fn set(
        &mut self,
        team: &Team,
        claims: &ClaimsExport,
        change: impl FnOnce(&mut Projects),
    ) -> PathBuf {
        self.sets += 1;
        let set = self.folder.path().join(format!("claim-{}", self.sets));
        fs::create_dir(&set).unwrap();
        let policy = self.ceremony.policy.clone();
        let of_claims = policy.claims.as_ref().unwrap();
        let shard = ClaimedShard::of(&team.project, of_claims);
        let root: Root = self.published(&Role::Root).unwrap();
        let mut targets: Targets = self.published(&Role::Targets).unwrap();
        let expires = Expiry::at(self.now + of_claims.claimed.lifetime);
        let public = |key: &Arc<FileKey>| [key.public_key().clone()];
        if delegate_claimed(&mut targets, &policy, &public(&self.claimed)).unwrap() {
            targets.version = targets.version.next().unwrap();
            let by_root = [Authority::new("root", &root.keys, &root.targets)];
            let signers = &self.ceremony.targets;
            let targets = targets.clone();
            self.ceremony.write(
                &set,
                Role::Targets,
                targets,
                self.now,
                &root,
                None,
                signers,
                &by_root,
            );
        }
        let role = Role::parse(CLAIMED).unwrap();
        let claimed = self.published(&role).unwrap_or_else(|| {
            let shards = [shard].into();
            let first = version(1);
            let new = claimed_role(expires, first, &shards, &public(&self.shards), 1).unwrap();
            self.write(
                &set,
                &role,
                new.clone(),
                None,
                &root,
                &targets,
                &self.claimed,
            );
            new
        });
        let role = Role::Delegated(shard.role_name().unwrap());
        let old: Option<Targets> = self.published(&role);
        let projects = old.as_ref().map(|old| delegated_projects(old).unwrap());
        let mut projects = projects.unwrap_or_default();
        change(&mut projects);
        let next = old
            .as_ref()
            .map_or(version(1), |old| old.version.next().unwrap());
        let projects: Vec<_> = projects.into_values().collect();
        let mut new = projects_role(expires, next, &projects).unwrap();
        bind_registrations(&mut new, old.as_ref(), claims);
        self.write(
            &set,
            &role,
            new,
            old.as_ref(),
            &root,
            &claimed,
            &self.shards,
        );
        set
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "one call writes one file of a set"
    )]
    fn write(
        &self,
        set: &Path,
        role: &Role,
        document: Targets,
        old: Option<&Targets>,
        root: &Root,
        delegator: &Targets,
        signer: &Arc<FileKey>,
    ) {
        let list = delegator.delegations.as_ref().unwrap();
        let DelegatedRoles::Listed(roles) = &list.roles else {
            panic!("delegations are listed");
        };
        let entry = roles.iter().find(|one| one.name.as_str() == role.name());
        let by = [Authority::new(
            "delegator",
            &list.keys,
            &entry.unwrap().keys,
        )];
        let signers = [Arc::clone(signer)];
        let (role, now) = (role.clone(), self.now);
        self.ceremony
            .write(set, role, document, now, root, old, &signers, &by);
    }

    /// A set that moves the team's project, planned from the claims of now.
    fn moved(&mut self, team: &Team) -> PathBuf {
        let claims = self.index.export_claims().unwrap();
        let in_force = claims.projects[&team.project].in_force.clone();
        self.set(team, &claims, |projects| put(projects, team, &in_force))
    }

    /// A set that gives it the keys that are registered.
    fn with_other_keys(&mut self, team: &Team) -> PathBuf {
        let claims = self.index.export_claims().unwrap();
        let next = claims.projects[&team.project].next.clone().unwrap();
        self.set(team, &claims, |projects| put(projects, team, &next))
    }
}

fn put(projects: &mut Projects, team: &Team, keys: &draft::RegisteredKeys) {
    let project = DelegatedProject {
        project: team.project.clone(),
        keys: keys.keys.clone(),
        role_keys: keys.role_keys(),
    };
    projects.insert(team.project.clone(), project);
}

fn greeter() -> PathBuf {
    let mut all = samples().into_iter();
    all.find(|path| name(path).contains("greeter")).unwrap()
}

fn name(path: &Path) -> String {
    path.file_name().unwrap().to_str().unwrap().to_owned()
}

fn flaw(error: RepositoryError) -> ShardFlaw {
    match error {
        RepositoryError::Shard { flaw, .. } => *flaw,
        other => panic!("{other}"),
    }
}

fn own() -> String {
    format!("project-{GREETER}")
}

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
        let at = support::CLAIMS.rfind("snapshot_bytes = 2_000_000").unwrap();
        let (before, after) = support::CLAIMS.split_at(at);
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

/// The set of a ceremony, and the release that it brings keys for, when the process dies at any write from
/// `index apply` to the timestamp: both are there or neither, each project has one delegator in every state
/// that clients see, and the next cycle goes on without anybody's help.
#[test]
fn any_write_of_a_claim_may_be_the_last() {
    let (mut scene, team) = Scene::new();
    let set = scene.moved(&team);
    let new = team.wheel("2.0");
    team.release(&mut scene.index, std::slice::from_ref(&new), &[], scene.now)
        .unwrap();
    let moves = Dying {
        new: name(&new),
        archives: Vec::new(),
        set,
        scene,
    };
    let (mut scene, mut team) = Scene::claimed();
    team.with_other_keys(1, scene.now);
    team.register(&mut scene.index, scene.now).unwrap();
    scene.tick();
    scene.wait(20);
    let set = scene.with_other_keys(&team);
    let new = team.wheel("2.0");
    let archive = team.archive(std::slice::from_ref(&new), &[], scene.now);
    let lost = Dying {
        new: name(&new),
        archives: vec![archive],
        set,
        scene,
    };
    // All of them in `tests/long`, as in the crash matrix.
    let is_long = std::env::var_os("COUNTERSIGN_LONG_ROUNDS").is_some();
    for (dying, step) in [(moves, 4), (lost, 3)] {
        for failure in [Failure::Lost, Failure::Reported] {
            let mut writes = 0;
            while dying.dies(writes, failure) {
                writes += if is_long { 1 } else { step };
            }
            assert!(writes > 12, "{writes} writes");
        }
    }
}

/// An index to which a set comes.
struct Dying {
    scene: Scene,
    set: PathBuf,
    archives: Vec<PathBuf>,
    /// A file that comes at the same time.
    new: String,
}

impl Dying {
    /// In a copy of the index; says whether the fuse blew.
    fn dies(&self, writes: usize, failure: Failure) -> bool {
        let (folder, now) = (tempfile::tempdir().unwrap(), self.scene.now);
        copy(self.scene.folder.path(), folder.path());
        let context = format!("{writes} writes, {failure:?}");
        let mut checker = Checker::new(&folder.path().join("repository"));
        let mut judge = |index: &Repository| {
            checker
                .look(now)
                .unwrap_or_else(|wrong| panic!("{wrong}: {context}"));
            let reader = Reader::of(index, &self.scene.ceremony, now);
            let delegators = reader.delegators_of(&own());
            assert_eq!(delegators.len(), 1, "{delegators:?}: {context}");
            assert_eq!(reader.role_of(&name(&greeter())), Some(own()), "{context}");
            (
                delegators[0] != draft::RECENTLY_CLAIMED,
                reader.role_of(&self.new),
            )
        };
        let online = self.scene.ceremony.online();
        let fuse = Fuse::new(writes, failure);
        let mut index = failing(folder.path(), &fuse);
        let before = judge(&index);
        let warm = Warm::of(&index, now);
        let applied = index.apply_set_with(&self.set, &self.archives, now);
        let died = match &applied {
            Ok(_) => index.tick(&online, now, AT_ONCE).is_err(),
            Err(_) => true,
        };
        let whole = (true, Some(own()));
        // The release of the first index waits in its queue, whatever becomes of the set.
        let seen = judge(&index);
        assert!(seen == before || seen == whole, "{seen:?}: {context}");
        drop(index);

        let mut index = Repository::open(folder.path()).unwrap();
        let waits = index.status(now).unwrap();
        let with_it = self.archives.len();
        let queued = (waits.waiting_sets, waits.pending);
        if applied.is_err() && failure == Failure::Lost {
            assert_eq!(waits.waiting_sets, 0, "{context}");
            assert_eq!(waits.pending, 1 - with_it, "a part was queued: {context}");
        } else if seen == before && !waits.unfinished {
            assert_eq!(queued, (1, 1), "{context}");
        }
        index.tick(&online, now, AT_ONCE).unwrap();
        let after = judge(&index);
        Reader::after(&index, &warm, now);
        if applied.is_err() && failure == Failure::Lost {
            // Nothing of the set came in; whoever applied it was told so, and does it again.
            index
                .apply_set_with(&self.set, &self.archives, now)
                .unwrap();
            index.tick(&online, now, AT_ONCE).unwrap();
        } else {
            assert_eq!(after, whole, "{context}");
        }
        assert_eq!(judge(&index), whole, "{context}");
        let status = index.status(now).unwrap();
        assert_eq!(
            (status.waiting_sets, status.pending, status.unfinished),
            (0, 0, false),
            "{context}"
        );
        died
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy(&path, &target);
        } else {
            fs::copy(&path, &target).unwrap();
        }
    }
}
