//! An index, a team of developers, and the ceremony that claims their project.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use countersign_repository::{
    ClaimStage, ClaimsExport, Repository, RepositoryError, TickOptions, TickReport,
};
use draft::{
    CLAIMED, ClaimedShard, DelegatedProject, ShardFlaw, bind_registrations, claimed_role,
    delegate_claimed, delegated_projects, projects_role,
};
use index::ProjectName;
use keys::{FileKey, Signer};
use metadata::{DelegatedRoles, Document, Expiry, Role, Root, Targets, Wire};
use trust::Authority;

use crate::support::checker::Checker;
use crate::support::developers::Team;
use crate::support::{Ceremony, Reader, key, published, samples, start, version};

pub(crate) const AT_ONCE: TickOptions = TickOptions { at_once: true };
pub(crate) const GREETER: &str = "countersign-sample-greeter";

pub(crate) type Projects = BTreeMap<ProjectName, DelegatedProject>;

/// An index, a team that signs under `recently-claimed`, and who holds the keys of the offline roles.
pub(crate) struct Scene {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) ceremony: Ceremony,
    pub(crate) index: Repository,
    pub(crate) checker: Checker,
    pub(crate) claimed: Arc<FileKey>,
    pub(crate) shards: Arc<FileKey>,
    pub(crate) now: DateTime<Utc>,
    pub(crate) sets: u32,
}

impl Scene {
    pub(crate) fn new() -> (Self, Team) {
        let folder = tempfile::tempdir().unwrap();
        let ceremony = Ceremony::with_claims();
        let mut index = published(folder.path(), &ceremony);
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
    pub(crate) fn claimed() -> (Self, Team) {
        let (mut scene, team) = Self::new();
        let set = scene.moved(&team);
        scene.apply(&set).unwrap();
        scene.tick();
        assert_eq!(scene.stage(&team.project), Some(ClaimStage::Claimed));
        (scene, team)
    }

    pub(crate) fn tick(&mut self) -> TickReport {
        let report = self.try_tick().unwrap();
        self.checker.look(self.now).unwrap();
        report
    }

    pub(crate) fn try_tick(&mut self) -> Result<TickReport, RepositoryError> {
        self.index.tick(&self.ceremony.online(), self.now, AT_ONCE)
    }

    /// Lets time pass while the signer runs.
    pub(crate) fn wait(&mut self, minutes: i64) {
        for _ in 0..minutes / 5 {
            self.now += TimeDelta::minutes(5);
            self.tick();
        }
    }

    pub(crate) fn apply(&mut self, set: &Path) -> Result<(), RepositoryError> {
        self.index.apply_set(set, self.now).map(drop)
    }

    pub(crate) fn stage(&self, project: &ProjectName) -> Option<ClaimStage> {
        let claims = self.index.claims().unwrap();
        claims.get(project).map(|claim| claim.stage)
    }

    pub(crate) fn role_of(&self, file: &Path) -> Option<String> {
        Reader::of(&self.index, &self.ceremony, self.now).role_of(&name(file))
    }

    pub(crate) fn published<R: Document>(&self, role: &Role) -> Option<R> {
        let folder = self.index.store_folder().unwrap().join("metadata");
        let versions = (1..50).rev().map(version);
        let mut files = versions.map(|version| folder.join(role.versioned_file_name(version)));
        let file = fs::read(files.find(|path| path.exists())?).unwrap();
        Some(R::parse(Wire::parse(&file, 9).unwrap().signed).unwrap())
    }

    /// A ceremony's set: the shard of a project as it was planned with `claims`, and what leads to it.
    pub(crate) fn set(
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
    pub(crate) fn write(
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
    pub(crate) fn moved(&mut self, team: &Team) -> PathBuf {
        let claims = self.index.export_claims().unwrap();
        let in_force = claims.projects[&team.project].in_force.clone();
        self.set(team, &claims, |projects| put(projects, team, &in_force))
    }

    /// A set that gives it the keys that are registered.
    pub(crate) fn with_other_keys(&mut self, team: &Team) -> PathBuf {
        let claims = self.index.export_claims().unwrap();
        let next = claims.projects[&team.project].next.clone().unwrap();
        self.set(team, &claims, |projects| put(projects, team, &next))
    }
}

pub(crate) fn put(projects: &mut Projects, team: &Team, keys: &draft::RegisteredKeys) {
    let project = DelegatedProject {
        project: team.project.clone(),
        keys: keys.keys.clone(),
        role_keys: keys.role_keys(),
    };
    projects.insert(team.project.clone(), project);
}

pub(crate) fn greeter() -> PathBuf {
    let mut all = samples().into_iter();
    all.find(|path| name(path).contains("greeter")).unwrap()
}

pub(crate) fn name(path: &Path) -> String {
    path.file_name().unwrap().to_str().unwrap().to_owned()
}

pub(crate) fn flaw(error: RepositoryError) -> ShardFlaw {
    match error {
        RepositoryError::Shard { flaw, .. } => *flaw,
        other => panic!("{other}"),
    }
}

pub(crate) fn own() -> String {
    format!("project-{GREETER}")
}
