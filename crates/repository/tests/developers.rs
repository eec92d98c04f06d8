//! Projects whose developers sign, from the bins to `recently-claimed` and back: what the index takes,
//! what it publishes, and in which order (PEP 480; reference C-45, C.7, C.9).

mod support;

use std::path::{Path, PathBuf};

use countersign_repository::{
    ClaimStage, Outcome, Received, Repository, SqliteState, State, TickOptions, TickReport,
};
use index::ProjectName;
use support::checker::Checker;
use support::developers::Team;
use support::{Ceremony, Reader, key, samples, start};

const AT_ONCE: TickOptions = TickOptions { at_once: true };
const GREETER: &str = "countersign-sample-greeter";

/// An index with the samples on it, and the team of one of them.
struct Scene {
    folder: tempfile::TempDir,
    ceremony: Ceremony,
    index: Repository,
    checker: Checker,
}

impl Scene {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let ceremony = Ceremony::with_claims();
        let mut index = support::published(folder.path(), &ceremony);
        index.add_files(&samples(), start()).unwrap();
        index.tick(&ceremony.online(), start(), AT_ONCE).unwrap();
        let checker = Checker::new(&folder.path().join("repository"));
        Self {
            folder,
            ceremony,
            index,
            checker,
        }
    }

    fn team(&self, project: &str) -> Team {
        Team::new(self.folder.path(), project, 1, start())
    }

    /// One cycle; every client sees a whole state after it.
    fn tick(&mut self) -> TickReport {
        let report = self
            .index
            .tick(&self.ceremony.online(), start(), AT_ONCE)
            .unwrap();
        self.checker.look(start()).unwrap();
        report
    }

    /// The greeter's team, after its first release: 1.0.0 of before and 1.1.
    fn claimed(&mut self) -> Team {
        let team = self.team(GREETER);
        team.register(&mut self.index, start()).unwrap();
        let new = [team.wheel("1.1")];
        team.release(&mut self.index, &new, &[greeter()], start())
            .unwrap();
        self.tick();
        team
    }

    /// Lowers a limit of what is published from now on.
    fn limit(&mut self, name: &str, from: u64, to: u64) {
        let text = |number: u64| {
            let digits = number.to_string();
            let digits = digits.as_bytes().rchunks(3).rev();
            let digits: Vec<_> = digits.map(|part| str::from_utf8(part).unwrap()).collect();
            format!("\n{name} = {}", digits.join("_"))
        };
        // The last of that name is the repository's; the client's comes before it.
        let (before, after) = support::CLAIMS.rsplit_once(&text(from)).unwrap();
        let text = format!("{before}{}{after}", text(to));
        let text = text.replace("expected_targets = 500", "expected_targets = 16");
        let db = rusqlite::Connection::open(self.folder.path().join("state.sqlite")).unwrap();
        let sql = "UPDATE settings SET value = ?1 WHERE name = 'policy'";
        assert_eq!(db.execute(sql, [text]).unwrap(), 1);
        drop(db);
        self.index = Repository::open(self.folder.path()).unwrap();
    }

    fn reader(&self) -> Reader {
        Reader::of(&self.index, &self.ceremony, start())
    }

    fn stage(&self, project: &ProjectName) -> Option<ClaimStage> {
        self.index
            .claims()
            .unwrap()
            .get(project)
            .map(|claim| claim.stage)
    }

    /// Which role lists a file, as a client finds it.
    fn role_of(&self, path: &Path) -> Option<String> {
        self.reader().role_of(&name(path))
    }
}

fn greeter() -> PathBuf {
    let mut all = samples().into_iter();
    all.find(|path| name(path).contains("greeter")).unwrap()
}

fn name(path: &Path) -> String {
    path.file_name().unwrap().to_str().unwrap().to_owned()
}

fn refusal(report: &TickReport) -> Vec<&str> {
    let refused = report.outcomes.iter().map(|(_, outcome)| outcome);
    refused
        .filter_map(|outcome| match outcome {
            Outcome::Refused(why) => Some(why.as_str()),
            Outcome::Published(_) => None,
        })
        .collect()
}

#[test]
fn a_project_goes_from_the_bins_to_its_developers() {
    let mut scene = Scene::new();
    let team = scene.team(GREETER);
    let before = scene.role_of(&greeter()).unwrap();
    assert!(before.starts_with("bins-"), "{before}");

    // Keys alone change nothing for clients.
    let receipt = team.register(&mut scene.index, start()).unwrap();
    assert!(matches!(
        receipt.received,
        Received::Claim { stage: None, .. }
    ));
    let report = scene.tick();
    assert_eq!((report.snapshot, report.outcomes.len()), (None, 1));
    assert_eq!(scene.stage(&team.project), Some(ClaimStage::Registered));
    assert_eq!(scene.role_of(&greeter()).unwrap(), before);

    // The first release without a file that is there would have it vanish.
    let new = [team.wheel("1.1")];
    let refused = team
        .release(&mut scene.index, &new, &[], start())
        .unwrap_err();
    assert_eq!(refused.code(), "files-dropped");
    let report = scene.tick();
    assert!(report.outcomes.is_empty() && report.snapshot.is_none());

    let answer = team.release(&mut scene.index, &new, &[greeter()], start());
    let receipt = answer.unwrap();
    let Received::Transaction(accepted) = receipt.received else {
        panic!("it was a transaction");
    };
    assert!(accepted.is_first && accepted.new_files.len() == 1);
    let report = scene.tick();
    assert_eq!(report.project_roles.len(), 1);
    assert_eq!(
        scene.stage(&team.project),
        Some(ClaimStage::RecentlyClaimed)
    );
    let own = format!("project-{GREETER}");
    for file in [greeter(), new[0].clone()] {
        assert_eq!(scene.role_of(&file), Some(own.clone()));
        assert_eq!(
            scene.reader().file(&name(&file)).unwrap(),
            std::fs::read(file).unwrap()
        );
    }
    let counts = scene.index.status(start()).unwrap().claims;
    assert_eq!(
        (counts.registered, counts.recently_claimed, counts.claimed),
        (0, 1, 0)
    );
    assert_eq!(counts.first_to_expire.unwrap().role.name(), own);
}

#[test]
fn a_sub_role_releases_without_the_project() {
    let mut scene = Scene::new();
    let team = scene.claimed();
    let alice = key();
    let second = [team.wheel("2.0")];
    team.delegate("alice", &alice, &second, start());
    let archive = team.pack(&second, &[], start());
    team.send(&mut scene.index, &archive, start()).unwrap();
    scene.tick();
    let third = [team.wheel("3.0")];
    team.sub_release("alice", &alice, &third, start());
    let archive = team.pack(&third, &[], start());
    team.send(&mut scene.index, &archive, start()).unwrap();
    let report = scene.tick();
    assert_eq!(report.project_roles.len(), 1);
    let sub = format!("project-{GREETER}--alice");
    for file in [&second[0], &third[0]] {
        assert_eq!(scene.role_of(file).as_ref(), Some(&sub));
    }
}

/// Two transactions in one batch: the result of one after the other, and one version in the snapshot.
#[test]
fn a_batch_publishes_the_last_version_of_each_role() {
    let mut scene = Scene::new();
    let team = scene.claimed();
    for version in ["2.0", "3.0"] {
        let new = [team.wheel(version)];
        team.release(&mut scene.index, &new, &[], start()).unwrap();
    }
    let report = scene.tick();
    assert!(refusal(&report).is_empty() && report.outcomes.len() == 2);
    assert_eq!(report.project_roles.len(), 1);
    assert_eq!(report.project_roles[0].1.get(), 3);
    for version in ["1.1", "2.0", "3.0"] {
        assert!(scene.role_of(&team.wheel(version)).is_some(), "{version}");
    }
}

/// Whoever verified a transaction against a state that is gone by the time it is its turn is told so.
#[test]
fn a_transaction_is_published_on_what_it_was_verified_against_or_not_at_all() {
    let mut scene = Scene::new();
    let team = scene.claimed();
    let new = [team.wheel("2.0")];
    team.release(&mut scene.index, &new, &[], start()).unwrap();
    let mut state = SqliteState::open(&scene.folder.path().join("state.sqlite")).unwrap();
    let once_more = state.pending().unwrap().remove(0).change;
    state.enqueue(&[once_more], start()).unwrap();
    drop(state);
    let report = scene.tick();
    assert_eq!(report.outcomes.len(), 2);
    let refused = refusal(&report);
    assert!(
        refused.len() == 1 && refused[0].contains("has changed since"),
        "{refused:?}"
    );
    assert_eq!(report.project_roles[0].1.get(), 2);
}

/// Other keys are in force with the snapshot that brings the role they have signed, and from their
/// registration on nothing that the old ones sign is taken.
#[test]
fn keys_change_at_once_while_recently_claimed() {
    let mut scene = Scene::new();
    let mut team = scene.claimed();
    let by_the_old = team.archive(&[team.wheel("6.6")], &[], start());
    team.folder.refused().unwrap();
    let request = team.claim(start());
    team.with_other_keys(2, start());
    let receipt = team.register(&mut scene.index, start()).unwrap();
    let stage = Some(ClaimStage::RecentlyClaimed);
    assert!(matches!(receipt.received, Received::Claim { stage: found, .. } if found == stage));
    for settled in [false, true] {
        let answer = scene
            .index
            .receive_transaction(&by_the_old, start())
            .unwrap();
        assert_eq!(
            answer.unwrap_err().code(),
            "signatures",
            "settled: {settled}"
        );
        scene.tick();
    }
    // The old request does not bring the old keys back.
    let (old, grant) = request;
    let answer = scene.index.receive_claim(
        &old,
        &grant,
        &team.operator(),
        support::developers::INDEX,
        start(),
    );
    assert_eq!(answer.unwrap().unwrap_err().code(), "claim-used");

    team.release(&mut scene.index, &[], &[], start()).unwrap();
    let report = scene.tick();
    assert_eq!(report.project_roles[0].1.get(), 2);
    let claim = scene.index.claims().unwrap().remove(&team.project).unwrap();
    let listed: Vec<_> = claim
        .in_force
        .unwrap()
        .registration
        .keys
        .into_keys()
        .collect();
    let mut keys: Vec<_> = team
        .keys
        .iter()
        .map(|key| keys::Signer::key_id(&**key).clone())
        .collect();
    keys.sort_unstable();
    assert_eq!((listed, claim.next), (keys, None));
    assert!(scene.role_of(&greeter()).unwrap().starts_with("project-"));
}

#[test]
fn the_index_speaks_for_a_project_again_when_it_is_released() {
    let mut scene = Scene::new();
    let team = scene.claimed();
    scene
        .index
        .release_claim(&team.project, start())
        .unwrap()
        .unwrap();
    scene.tick();
    assert_eq!(scene.stage(&team.project), None);
    for file in [greeter(), team.wheel("1.1")] {
        assert!(scene.role_of(&file).unwrap().starts_with("bins-"));
    }
    let answer = scene.index.release_claim(&team.project, start()).unwrap();
    assert_eq!(answer.unwrap_err().code(), "unregistered");

    // Claimed anew, versions go on where they were: clients know the old ones.
    let other = Team::new(&scene.folder.path().join("incoming"), GREETER, 1, start());
    other.register(&mut scene.index, start()).unwrap();
    let there = [greeter(), team.wheel("1.1")];
    let answer = other.release(&mut scene.index, &[], &there, start());
    assert_eq!(answer.unwrap_err().code(), "version");
}

#[test]
fn what_developers_sign_comes_from_nobody_else() {
    let mut scene = Scene::new();
    let team = scene.claimed();
    let other = team.wheel("9.9");
    let intake = scene
        .index
        .add_files(std::slice::from_ref(&other), start())
        .unwrap();
    assert_eq!((intake.accepted.len(), intake.refused.len()), (0, 1));
    // A file that waited before the first transaction came is listed by it, or refused with the rest.
    assert!(scene.tick().outcomes.is_empty());

    // The page is the index's: it yanks, and it hides.
    let no = index::Yanked::Because("broken".to_owned());
    scene
        .index
        .yank_files(&[name(&greeter())], &no, start())
        .unwrap();
    let report = scene.tick();
    assert!(report.project_roles.is_empty() && report.snapshot.is_some());
    assert!(scene.role_of(&greeter()).unwrap().starts_with("project-"));
}

#[test]
fn files_given_up_are_gone_and_their_names_with_them() {
    let mut scene = Scene::new();
    let team = scene.claimed();
    let role = team.folder.role(None).unwrap();
    let gone = index::DistributionFilename::parse(&name(&greeter())).unwrap();
    let expires = metadata::Expiry::at(start() + chrono::TimeDelta::days(30));
    let draft = team
        .folder
        .draft(&role, expires, &[], &[gone].into())
        .unwrap();
    team.folder.keep(&draft).unwrap();
    team.sign_own();
    let archive = team.pack(&[], &[], start());
    team.send(&mut scene.index, &archive, start()).unwrap();
    scene.tick();
    assert_eq!(scene.role_of(&greeter()), None);
    let answer = team.release(&mut scene.index, &[greeter()], &[], start());
    assert_eq!(answer.unwrap_err().code(), "file-reused");
}

/// A limit of clients is named before it is crossed: here the policy's three projects.
#[test]
fn a_claim_too_many_is_refused_by_the_limits_name() {
    let mut scene = Scene::new();
    for project in ["alpha", "beta", "gamma"] {
        scene
            .team(project)
            .register(&mut scene.index, start())
            .unwrap();
    }
    for settled in [false, true] {
        let team = scene.team(if settled { "delta" } else { "epsilon" });
        let refused = team.register(&mut scene.index, start()).unwrap_err();
        assert_eq!(refused.code(), "head-room");
        let text = refused.to_string();
        assert!(
            text.contains("recently-claimed") && text.contains("than the 3"),
            "{text}"
        );
        scene.tick();
    }
}

/// The three limits of clients that developers can come near, each named before it is crossed.
#[test]
fn what_clients_do_not_read_is_refused_by_the_limits_name() {
    for (limit, code, what) in [
        ("snapshot_bytes", "head-room", "bytes of the snapshot"),
        ("role_bytes", "head-room", "bytes of `recently-claimed`"),
        // A lookup visits as many roles as the policy allows sub-roles.
        (
            "sub_roles_per_project",
            "sub-roles",
            "the project would have used 2 names of sub-roles, more than 1",
        ),
    ] {
        let mut scene = Scene::new();
        let team = scene.claimed();
        let status = scene.index.status(start()).unwrap();
        let room = status.claims.roles_visited;
        assert_eq!((room.used, room.limit), (4, 32));
        assert!(status.claims.projects_left > 10_000);
        let sub_role = |scene: &mut Scene, name: &str| {
            team.delegate(name, &key(), &[], start());
            let archive = team.pack(&[], &[], start());
            team.send(&mut scene.index, &archive, start())
        };
        let answer = match limit {
            "snapshot_bytes" => {
                let little = status.snapshot_room.used + 60;
                scene.limit(limit, 2_000_000, little);
                sub_role(&mut scene, "alice")
            }
            "role_bytes" => {
                scene.limit(limit, 5_000_000, 5_000);
                let many = Team::new(scene.folder.path(), "alpha", 32, start());
                many.register(&mut scene.index, start())
            }
            _ => {
                scene.limit(limit, 8, 1);
                sub_role(&mut scene, "alice").unwrap();
                scene.tick();
                sub_role(&mut scene, "bob")
            }
        };
        let refused = answer.unwrap_err();
        assert_eq!(refused.code(), code, "{refused}");
        let text = refused.to_string();
        assert!(text.starts_with(what), "{text}");
        let report = scene.tick();
        assert!(report.outcomes.is_empty() && report.snapshot.is_none());
    }
}

#[test]
fn an_index_whose_policy_has_nobody_sign_takes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let ceremony = Ceremony::new();
    let mut index = support::published(folder.path(), &ceremony);
    let team = Team::new(folder.path(), "alpha", 1, start());
    assert_eq!(
        team.register(&mut index, start()).unwrap_err().code(),
        "nobody-signs"
    );
    let answer = team.release(&mut index, &[team.wheel("1.0")], &[], start());
    assert_eq!(answer.unwrap_err().code(), "nobody-signs");
}

/// `recently-claimed` is renewed like every role that is signed online.
#[test]
fn recently_claimed_is_renewed_before_it_lapses() {
    let mut scene = Scene::new();
    let team = scene.claimed();
    let mut now = start();
    for _ in 0..40 {
        now += chrono::TimeDelta::minutes(5);
        scene
            .index
            .tick(&scene.ceremony.online(), now, AT_ONCE)
            .unwrap();
        scene.checker.look(now).unwrap();
    }
    let status = scene.index.status(now).unwrap();
    let recent = status
        .roles
        .iter()
        .find(|role| role.role.name() == "recently-claimed");
    assert!(recent.unwrap().version.get() > 2);
    assert_eq!(
        scene.stage(&team.project),
        Some(ClaimStage::RecentlyClaimed)
    );
}
