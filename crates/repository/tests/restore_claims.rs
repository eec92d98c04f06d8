//! A state restored from a backup, at every stage of a claim: what is published comes back, what may have
//! changed unpublished is held, and nothing that was used is taken twice (decision 0023).

mod support;

use std::fs;
use std::path::{Path, PathBuf};

use chrono::{DateTime, TimeDelta, Utc};
use claims::Registration;
use countersign_repository::{ClaimStage, Repository, RepositoryError, TickOptions};
use support::developers::{INDEX, Team};
use support::{Ceremony, Reader, Warm, copy_folder, key, samples, start};

const AT_ONCE: TickOptions = TickOptions { at_once: true };
const GREETER: &str = "countersign-sample-greeter";

/// What happens to the project, one after the other. After each the state may be lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Step {
    Nothing,
    KeysQueued,
    KeysRegistered,
    ReleaseQueued,
    ReleasePublished,
    OtherKeysQueued,
    OtherKeysRegistered,
    OtherKeysInForce,
    SubRole,
    FileGivenUp,
    Released,
}

const STEPS: [Step; 11] = [
    Step::Nothing,
    Step::KeysQueued,
    Step::KeysRegistered,
    Step::ReleaseQueued,
    Step::ReleasePublished,
    Step::OtherKeysQueued,
    Step::OtherKeysRegistered,
    Step::OtherKeysInForce,
    Step::SubRole,
    Step::FileGivenUp,
    Step::Released,
];

/// The life of a claim, with a copy of everything after each step.
struct Life {
    home: tempfile::TempDir,
    ceremony: Ceremony,
    /// The keys of before and after the change.
    teams: Vec<Team>,
    /// Requests with their grants.
    claims: Vec<(Vec<u8>, Vec<u8>)>,
    /// What was sent.
    archives: Vec<PathBuf>,
    now: DateTime<Utc>,
}

/// One moment of it.
struct Moment {
    folder: PathBuf,
    /// Claims that had been sent by then.
    claims: usize,
    archives: usize,
    stage: Option<ClaimStage>,
    keys: Option<Registration>,
    role_of_greeter: Option<String>,
}

impl Life {
    fn lived() -> (Self, Vec<Moment>) {
        let home = tempfile::tempdir().unwrap();
        let ceremony = Ceremony::with_claims();
        let folder = home.path().join("index");
        fs::create_dir(&folder).unwrap();
        let mut index = support::published(&folder, &ceremony);
        index.add_files(&samples(), start()).unwrap();
        index.tick(&ceremony.online(), start(), AT_ONCE).unwrap();
        let team = Team::new(&folder, GREETER, 1, start());
        let mut life = Self {
            home,
            ceremony,
            teams: vec![team.at(&folder)],
            claims: Vec::new(),
            archives: Vec::new(),
            now: start(),
        };
        let mut team = team;
        let mut moments = Vec::new();
        for step in STEPS {
            life.now += TimeDelta::seconds(1);
            life.take(step, &mut index, &mut team);
            moments.push(life.copy(step, &index));
        }
        life.teams.push(team);
        (life, moments)
    }

    fn take(&mut self, step: Step, index: &mut Repository, team: &mut Team) {
        let now = self.now;
        match step {
            Step::Nothing => {}
            Step::KeysQueued | Step::OtherKeysQueued => {
                if step == Step::OtherKeysQueued {
                    team.with_other_keys(1, now);
                }
                self.claims.push(team.claim(now));
                team.register(index, now).unwrap();
            }
            Step::KeysRegistered | Step::ReleasePublished | Step::OtherKeysRegistered => {
                self.tick(index);
            }
            Step::ReleaseQueued => self.send(index, team, &[team.wheel("1.1")], &[greeter()]),
            Step::OtherKeysInForce => {
                self.send(index, team, &[team.wheel("1.2")], &[]);
                self.tick(index);
            }
            Step::SubRole => {
                let new = [team.wheel("2.0")];
                team.delegate("alice", &key(), &new, now);
                self.archives.push(team.pack(&new, &[], now));
                team.send(index, self.archives.last().unwrap(), now)
                    .unwrap();
                self.tick(index);
            }
            Step::FileGivenUp => {
                let role = team.folder.role(None).unwrap();
                let gone = index::DistributionFilename::parse(&name(&greeter())).unwrap();
                let expires = metadata::Expiry::at(now + TimeDelta::days(30));
                let draft = team.folder.draft(&role, expires, &[], &[gone].into());
                team.folder.keep(&draft.unwrap()).unwrap();
                team.sign_own();
                self.archives.push(team.pack(&[], &[], now));
                team.send(index, self.archives.last().unwrap(), now)
                    .unwrap();
                self.tick(index);
            }
            Step::Released => {
                index.release_claim(&team.project, now).unwrap().unwrap();
                self.tick(index);
            }
        }
    }

    fn send(&mut self, index: &mut Repository, team: &Team, new: &[PathBuf], there: &[PathBuf]) {
        self.archives.push(team.archive(new, there, self.now));
        let archive = self.archives.last().unwrap();
        team.send(index, archive, self.now).unwrap();
    }

    fn tick(&self, index: &mut Repository) {
        let report = index.tick(&self.ceremony.online(), self.now, AT_ONCE);
        report.unwrap();
    }

    fn copy(&self, step: Step, index: &Repository) -> Moment {
        let folder = self.home.path().join(format!("{step:?}"));
        copy_folder(&self.home.path().join("index"), &folder);
        let claim = index.claims().unwrap().into_values().next();
        let reader = Reader::of(index, &self.ceremony, self.now);
        Moment {
            folder,
            claims: self.claims.len(),
            archives: self.archives.len(),
            stage: claim.as_ref().map(|claim| claim.stage),
            keys: claim
                .and_then(|claim| claim.in_force)
                .map(|one| one.registration),
            role_of_greeter: reader.role_of(&name(&greeter())),
        }
    }

    /// The state of `moment` is lost, and that of an earlier one is put in its place.
    fn restored(&self, moment: &Moment, backup: &Moment) -> PathBuf {
        let folder = self.home.path().join("restored");
        let _ = fs::remove_dir_all(&folder);
        copy_folder(&moment.folder, &folder);
        for name in ["state.sqlite", "state.sqlite-wal", "state.sqlite-shm"] {
            let _ = fs::remove_file(folder.join(name));
            let _ = fs::copy(backup.folder.join(name), folder.join(name));
        }
        folder
    }
}

fn greeter() -> PathBuf {
    let mut all = samples().into_iter();
    all.find(|path| name(path).contains("greeter")).unwrap()
}

fn name(path: &Path) -> String {
    path.file_name().unwrap().to_str().unwrap().to_owned()
}

/// Every pair of a moment and an earlier backup.
#[test]
fn a_state_may_be_lost_at_every_stage_of_a_claim() {
    let (life, moments) = Life::lived();
    let now = life.now + TimeDelta::seconds(1);
    for (lost, moment) in moments.iter().enumerate() {
        for (kept, backup) in moments[..lost].iter().enumerate() {
            let context = format!("lost after {:?}, restored {:?}", STEPS[lost], STEPS[kept]);
            let folder = life.restored(moment, backup);
            recover(&life, moment, &folder, STEPS[lost], now, &context);
        }
    }
}

fn recover(
    life: &Life,
    moment: &Moment,
    folder: &Path,
    lost: Step,
    now: DateTime<Utc>,
    context: &str,
) {
    let mut index = Repository::open(folder).unwrap();
    let warm = Warm::of(&index, now);
    let report = index.recover_from_store(now).expect(context);
    let tick = |index: &mut Repository, now| {
        let report = index.tick(&life.ceremony.online(), now, AT_ONCE);
        report.unwrap_or_else(|error| panic!("{error:?}: {context}"))
    };
    let first = tick(&mut index, now);
    assert!(first.project_roles.is_empty(), "{context}");

    // What is published is as it was, for whoever knows it already and for others.
    let claim = index.claims().unwrap().into_values().next();
    let signed = claim.as_ref().filter(|claim| claim.is_signed());
    let was_signed = moment.stage == Some(ClaimStage::RecentlyClaimed);
    assert_eq!(signed.is_some(), was_signed, "{context}");
    assert_eq!(report.claims, usize::from(was_signed), "{context}");
    if was_signed {
        let keys = claim.as_ref().unwrap().in_force.as_ref().unwrap();
        assert_eq!(Some(&keys.registration), moment.keys.as_ref(), "{context}");
    }
    for reader in [
        Reader::of(&index, &life.ceremony, now),
        Reader::after(&index, &warm, now),
    ] {
        let role = reader.role_of(&name(&greeter()));
        assert_eq!(role, moment.role_of_greeter, "{context}");
    }

    // No grant of before is taken, nor anything that was sent, nor anything that either keys sign now.
    let operator = life.teams[0].operator();
    for (request, grant) in &life.claims[..moment.claims] {
        let answer = index.receive_claim(request, grant, &operator, INDEX, now);
        let code = answer.unwrap().expect_err(context).code();
        assert_eq!(code, "claim-before-recovery", "{context}");
    }
    for archive in &life.archives[..moment.archives] {
        let answer = index.receive_transaction(archive, now).unwrap();
        answer.expect_err(context);
    }
    let published = Reader::of(&index, &life.ceremony, now).project_roles(GREETER);
    let thief = life.teams[0].at(folder);
    thief.follow(&published);
    let there: Vec<_> = published.is_empty().then(greeter).into_iter().collect();
    let stolen = thief.archive(&[thief.wheel("6.6")], &there, now);
    let answer = index.receive_transaction(&stolen, now).unwrap();
    let code = answer.expect_err(context).code();
    let expected = if claim.is_some() {
        "held"
    } else {
        "unregistered"
    };
    assert_eq!(code, expected, "{context}");
    tick(&mut index, now);
    assert_eq!(index.status(now).unwrap().pending, 0, "{context}");

    // With a grant of after it the developers go on, and only they.
    let now = now + TimeDelta::seconds(1);
    let mut team = life.teams[0].at(folder);
    team.with_other_keys(1, now);
    team.follow(&published);
    team.register(&mut index, now).expect(context);
    let answer = index.receive_transaction(&stolen, now).unwrap();
    assert_eq!(answer.expect_err(context).code(), "signatures", "{context}");
    if lost == Step::Released {
        return;
    }
    let new = team.wheel("7.0");
    let answer = team.release(&mut index, std::slice::from_ref(&new), &there, now);
    answer.expect(context);
    tick(&mut index, now);
    let role = Reader::after(&index, &warm, now).role_of(&name(&new));
    assert_eq!(role, Some(format!("project-{GREETER}")), "{context}");
    if lost >= Step::FileGivenUp {
        let answer = team.release(&mut index, &[greeter()], &[], now);
        assert_eq!(
            answer.expect_err(context).code(),
            "file-reused",
            "{context}"
        );
    }
}

/// Where the operator knows that nothing was registered since the backup, a word is enough.
#[test]
fn developers_go_on_with_their_keys_once_they_are_confirmed() {
    let (life, moments) = Life::lived();
    let [published, backup] =
        [Step::ReleasePublished, Step::KeysRegistered].map(|step| &moments[step as usize]);
    let folder = life.restored(published, backup);
    let now = life.now + TimeDelta::seconds(1);
    let mut index = Repository::open(&folder).unwrap();
    let report = index.recover_from_store(now).unwrap();
    let team = life.teams[0].at(&folder);
    assert_eq!(report.held, std::slice::from_ref(&team.project));
    let status = index.status(now).unwrap();
    assert_eq!(status.claims.held, 1);
    let metrics = |status| countersign_repository::prometheus_text(status, now);
    assert!(metrics(&status).contains("\ncountersign_claims_held 1\n"));
    // What nobody has confirmed is not for a ceremony.
    let export = index.export_claims();
    assert!(matches!(
        export,
        Err(RepositoryError::ClaimsHeld { projects: 1 })
    ));
    let projects = [team.project.clone()];
    assert_eq!(index.confirm_claims(&projects).unwrap(), projects);
    assert!(index.confirm_claims(&projects).unwrap().is_empty());
    let status = index.status(now).unwrap();
    assert!(metrics(&status).contains("\ncountersign_claims_held 0\n"));
    assert!(metrics(&status).contains("\ncountersign_claims_recently_claimed "));
    assert_eq!(index.export_claims().unwrap().projects.len(), 1);
    team.follow(&Reader::of(&index, &life.ceremony, now).project_roles(GREETER));
    team.release(&mut index, &[team.wheel("1.2")], &[], now)
        .unwrap();
    let report = index.tick(&life.ceremony.online(), now, AT_ONCE).unwrap();
    assert_eq!(report.project_roles[0].1.get(), 2);
    // The digests of the evidence came with the backup.
    let claim = index.claims().unwrap().remove(&team.project).unwrap();
    assert!(claim.in_force.unwrap().evidence.is_some());
}

/// A project whose developers let its role expire keeps nobody from recovering.
#[test]
fn a_lapsed_role_is_taken_over_as_it_is_listed() {
    let folder = tempfile::tempdir().unwrap();
    let ceremony = Ceremony::with_claims();
    let mut index = support::published(folder.path(), &ceremony);
    index.add_files(&samples(), start()).unwrap();
    index.tick(&ceremony.online(), start(), AT_ONCE).unwrap();
    let team = Team::new(folder.path(), GREETER, 1, start());
    team.register(&mut index, start()).unwrap();
    team.release(&mut index, &[team.wheel("1.1")], &[greeter()], start())
        .unwrap();
    index.tick(&ceremony.online(), start(), AT_ONCE).unwrap();
    let late = start() + TimeDelta::days(91);
    let set = ceremony.renewal(folder.path(), late, 2);
    index.apply_set(&set, late).unwrap();
    index.tick(&ceremony.online(), late, AT_ONCE).unwrap();
    let backup = folder.path().join("backup");
    drop(index);
    fs::copy(folder.path().join("state.sqlite"), &backup).unwrap();
    let mut index = Repository::open(folder.path()).unwrap();
    let yanked = index::Yanked::Yes;
    let names: Vec<_> = samples().iter().map(|path| name(path)).collect();
    index.yank_files(&names[..1], &yanked, late).unwrap();
    index.tick(&ceremony.online(), late, AT_ONCE).unwrap();
    drop(index);
    for name in ["state.sqlite-wal", "state.sqlite-shm"] {
        let _ = fs::remove_file(folder.path().join(name));
    }
    fs::copy(&backup, folder.path().join("state.sqlite")).unwrap();
    let mut index = Repository::open(folder.path()).unwrap();
    let before = index.status(late).unwrap().claims.first_to_expire.unwrap();
    assert!(before.seconds_left < 0);
    index.recover_from_store(late).unwrap();
    let after = index.status(late).unwrap().claims.first_to_expire.unwrap();
    assert_eq!(
        (after.version, after.expires),
        (before.version, before.expires)
    );
    let report = index.tick(&ceremony.online(), late, AT_ONCE).unwrap();
    assert!(report.outcomes.is_empty());
    Reader::of(&index, &ceremony, late);
}
