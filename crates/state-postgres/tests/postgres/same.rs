//! What the state in PostgreSQL holds after a life is what the state in SQLite holds after the same one.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use countersign_repository::{
    OnlineSigners, Outcome, Parts, Repository, State, Superseded, TickOptions,
};
use index::{ProjectName, Yanked};
use policy::Encoding;

use crate::site::PostgresSite;
use crate::support::developers::Team;
use crate::support::{Ceremony, FolderSite, Site, published_at, samples, start};

const AT_ONCE: TickOptions = TickOptions { at_once: true };

/// One life: files come, are yanked and go, developers claim a project and release, the bins become more,
/// old objects are swept.
fn live(
    index: &mut Repository,
    [before, after]: [&OnlineSigners; 2],
    team: &Team,
    [archive, set]: [&Path; 2],
) {
    let tick = |index: &mut Repository, online: &OnlineSigners| {
        index.tick(online, start(), AT_ONCE).unwrap()
    };
    index.add_files(&samples(), start()).unwrap();
    tick(index, before);
    let name = |path: &Path| path.file_name().unwrap().to_str().unwrap().to_owned();
    let first = name(&samples()[0]);
    let yanked = Yanked::Because("a \"reason\"".to_owned());
    index
        .yank_files(std::slice::from_ref(&first), &yanked, start())
        .unwrap();
    tick(index, before);
    team.register(index, start()).unwrap();
    index
        .receive_transaction(archive, start())
        .unwrap()
        .unwrap();
    let report = tick(index, before);
    let refused = |outcome: &&(_, Outcome)| matches!(outcome.1, Outcome::Refused(_));
    assert_eq!(report.outcomes.iter().find(refused), None);
    index.remove_files(&[first], start()).unwrap();
    tick(index, before);
    index.apply_set(set, start()).unwrap();
    tick(index, after);
    assert_eq!(index.settings().layout.count.get(), 64);
    let later = start() + index.settings().policy.retention.snapshots * 3;
    assert!(!index.sweep(later).unwrap().objects.is_empty());
    index.recover_from_store(start()).unwrap();
    index.add_files(&samples(), start()).unwrap();
}

/// Everything a state answers, in words.
pub(crate) fn all(state: &dyn State) -> Vec<String> {
    let mut said = Vec::new();
    let mut say = |what: &str, answer: String| said.push(format!("{what}: {answer}"));
    let settings = state.settings().unwrap();
    say("layout", format!("{:?}", settings.layout));
    assert_eq!(settings.recovered, Some(start()));
    say("head", format!("{:?}", state.head().unwrap()));
    let mut roles = state.roles().unwrap();
    roles.sort_by(|one, other| one.role.name().cmp(other.role.name()));
    say("roles", format!("{roles:#?}"));
    say("allocated", format!("{:#?}", state.allocated().unwrap()));
    let pending = state.pending().unwrap();
    say("pending", format!("{pending:#?}"));
    let before: Vec<_> = (1..pending[0].id.0)
        .map(countersign_repository::ChangeId)
        .collect();
    say("answers", format!("{:#?}", state.answers(&before).unwrap()));
    say("claims", format!("{:#?}", state.claims().unwrap()));
    let projects = state.projects().unwrap();
    assert_eq!(projects.len() as u64, state.project_count().unwrap());
    let by_two: Vec<_> = (0..projects.len() as u64)
        .step_by(2)
        .flat_map(|skip| state.some_projects(skip, 2).unwrap())
        .collect();
    assert_eq!(by_two, projects);
    for project in &projects {
        let files = state.files(project).unwrap();
        for file in &files {
            let digest = state.digest_of_name(file.filename.as_str()).unwrap();
            assert_eq!(digest, Some(file.sha256));
        }
        let at_once = state.files_of(&[project]).unwrap();
        assert_eq!(at_once.get(project).cloned().unwrap_or_default(), files);
        say("files", format!("{files:#?}"));
        say("claim", format!("{:?}", state.claim(project).unwrap()));
        say(
            "withdrawn",
            format!("{:?}", state.withdrawn(project).unwrap()),
        );
        let mut own = state.project_roles(project).unwrap();
        own.sort_by(|one, other| one.role.name().cmp(other.role.name()));
        say("its roles", format!("{own:#?}"));
    }
    for bin in settings.layout.count.bins() {
        let targets = state.bin_targets(bin.get()).unwrap();
        for (path, length, digest) in &targets {
            let found = state.target(bin.get(), path).unwrap();
            assert_eq!(found, Some((*length, *digest)));
            assert_eq!(settings.layout.count.bin_of(&path.hash()), bin);
        }
        say("bin", format!("{targets:?}"));
    }
    say("targets", state.target_count().unwrap().to_string());
    say(
        "publications",
        format!("{:#?}", state.publications(7).unwrap()),
    );
    let history = state.history().unwrap();
    let superseded = history.superseded.iter();
    let superseded: BTreeSet<_> = superseded
        .map(|Superseded { path, named_until }| (path.clone(), *named_until))
        .collect();
    say("named", format!("{:#?}", history.named));
    say("superseded", format!("{superseded:#?}"));
    say("unrecorded", format!("{:?}", history.unrecorded_until));
    said
}

/// What a life takes that people sign: made once, lived by several indexes.
pub(crate) struct Life {
    ceremony: Ceremony,
    team: Team,
    archive: PathBuf,
    set: PathBuf,
    signers: [OnlineSigners; 2],
    _home: [tempfile::TempDir; 2],
}

impl Life {
    pub(crate) fn new() -> Self {
        let home = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
        let mut ceremony = Ceremony::with_claims();
        let team = Team::new(home[0].path(), "countersign-sample-greeter", 1, start());
        // One transaction and one set for all: people sign once.
        let is_greeter = |path: &PathBuf| path.to_str().unwrap().contains("greeter");
        let there: Vec<_> = samples().into_iter().filter(is_greeter).collect();
        let archive = team.archive(&[team.wheel("1.1")], &there, start());
        let before = ceremony.online();
        let first = ceremony.clone();
        ceremony.rebin(64, Encoding::PathHashPrefixes);
        ceremony.replace_online_key();
        let set = ceremony.renewal(home[1].path(), start(), 2);
        let after = ceremony.online();
        Self {
            ceremony: first,
            team,
            archive,
            set,
            signers: [before, after],
            _home: home,
        }
    }

    /// Makes an index that has lived it.
    pub(crate) fn live(&self, site: &dyn Site, folder: &Path) {
        std::fs::create_dir_all(folder).unwrap();
        let mut index = published_at(site, folder, &self.ceremony);
        let [before, after] = &self.signers;
        live(
            &mut index,
            [before, after],
            &self.team,
            [&self.archive, &self.set],
        );
    }

    /// The keys that sign afterwards.
    pub(crate) fn signers(&self) -> &OnlineSigners {
        &self.signers[1]
    }
}

#[test]
fn after_the_same_life_both_states_hold_the_same() {
    let life = Life::new();
    let site = PostgresSite::start();
    let sites: [&dyn Site; 2] = [&FolderSite, &site];
    let mut states = Vec::new();
    for site in sites {
        let folder = tempfile::tempdir().unwrap();
        life.live(site, folder.path());
        let Parts { state, .. } = site.parts(folder.path());
        states.push(all(state.as_ref()));
    }
    for (sqlite, postgres) in states[0].iter().zip(&states[1]) {
        assert_eq!(sqlite, postgres);
    }
    assert_eq!(states[0].len(), states[1].len());
}

/// Projects whose names stand in each other's way are told apart by the role names of SQL's range.
#[test]
fn sub_roles_of_one_project_are_not_those_of_another() {
    let name = |text: &str| ProjectName::parse(text).unwrap();
    let [own, from, to] = countersign_repository::rows::project_role_names(&name("a"));
    let is_its = |role: &str| role == own || (from.as_str()..to.as_str()).contains(&role);
    for its in ["project-a", "project-a--ci", "project-a--z"] {
        assert!(is_its(its), "{its}");
    }
    for other in ["project-a-b", "project-ab", "project-a.b", "project-b--ci"] {
        assert!(!is_its(other), "{other}");
    }
}
