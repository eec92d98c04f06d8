//! Everything that is tried. A strategy changes what the repository would say; the attacker then
//! signs the changed roles with what he has.

use chrono::Duration;
use countersign_tests::{Key, Simulator, User, files, role};
use metadata::{DelegatedRoles, TargetPath};
use trust::Answer;

use crate::attacker::{Attacker, Publication};
use crate::layouts::{EVIL, Goal, LATER, Layout};
use crate::rows::Row;

/// Where the evil file is put, and what is bent so that clients look there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Strategy {
    /// The role that vouches for the file lists it.
    InItsRole,
    /// A role above it in the chain lists it itself: a role's own word comes before its delegations.
    Directly(String),
    /// From this role on down the chain, everybody's key becomes the attacker's.
    KeysBelow(String),
    /// This role no longer delegates to the next, and a bin lists the file.
    Undelegated(String),
    /// The bin lists it, whoever else is asked first.
    InABin,
    /// `recently-claimed` delegates the path to the attacker's own role.
    Recently,
    /// A new root says that every role's key is the attacker's.
    NewRoot,
}

/// One attempt.
#[derive(Clone, Debug)]
pub(crate) struct Attempt {
    pub(crate) strategy: Strategy,
    pub(crate) publication: Publication,
    /// Whether the client had updated before.
    pub(crate) warm: bool,
}

/// Every attempt at a goal.
pub(crate) fn attempts(layout: Layout, goal: Goal) -> Vec<Attempt> {
    let chain = goal.chain(&layout.repository());
    let above = &chain[..chain.len() - 1];
    let mut strategies = vec![Strategy::InItsRole, Strategy::InABin, Strategy::NewRoot];
    for name in above {
        strategies.push(Strategy::Directly(name.clone()));
        strategies.push(Strategy::KeysBelow(name.clone()));
        strategies.push(Strategy::Undelegated(name.clone()));
    }
    if layout == Layout::Pep480 {
        strategies.push(Strategy::Recently);
        // Asked before the bins for every path, in whatever chain the goal is.
        for name in ["claimed", "recently-claimed"] {
            strategies.push(Strategy::Directly(name.to_owned()));
        }
    }
    let mut attempts = Vec::new();
    for strategy in strategies {
        for publication in Publication::ALL {
            for warm in [false, true] {
                let strategy = strategy.clone();
                attempts.push(Attempt {
                    strategy,
                    publication,
                    warm,
                });
            }
        }
    }
    attempts
}

impl Attempt {
    /// Changes the repository and publishes as far as the attacker's keys go.
    pub(crate) fn make(&self, goal: Goal, stolen: &[&str], on: &mut Simulator) {
        let attacker = Attacker::with(stolen);
        let changed = self.strategy.apply(goal, &attacker, on);
        attacker.publish(on, &changed, self.publication);
    }

    /// The same, and the page of the project says so too, where he has a key for pages.
    pub(crate) fn make_with_page(&self, goal: Goal, stolen: &[&str], on: &mut Simulator) {
        let attacker = Attacker::with(stolen);
        let (path, bytes) = goal.evil_page();
        let bin = on.bin_of("bins", &path);
        let mut changed = self.strategy.apply(goal, &attacker, on);
        let mut place = None;
        if self.strategy == Strategy::NewRoot || attacker.has("targets") {
            place = Some("targets".to_owned());
        } else if attacker.has("bin-n") || attacker.has("online") {
            place = Some(bin);
        }
        if let Some(role) = place {
            on.add_target(&role, &path, &bytes);
            if !changed.contains(&role) {
                changed.push(role);
            }
        }
        attacker.publish(on, &changed, self.publication);
    }
}

impl Strategy {
    /// The roles that are changed.
    fn apply(&self, goal: Goal, attacker: &Attacker, on: &mut Simulator) -> Vec<String> {
        let chain = goal.chain(on);
        let path = goal.path();
        let own = [Attacker::own()];
        let bin = on.bin_of("bins", path);
        match self {
            Self::InItsRole => {
                let last = chain[chain.len() - 1].clone();
                on.add_target(&last, path, EVIL);
                vec![last]
            }
            Self::InABin => {
                on.add_target(&bin, path, EVIL);
                vec![bin]
            }
            Self::Directly(name) => {
                on.add_target(name, path, EVIL);
                vec![name.clone()]
            }
            Self::KeysBelow(name) => {
                let at = chain.iter().position(|one| one == name).unwrap();
                for below in &chain[at + 1..] {
                    on.rotate(below, &own, 1);
                }
                on.add_target(&chain[chain.len() - 1], path, EVIL);
                chain[at..].to_vec()
            }
            Self::Undelegated(name) => {
                let at = chain.iter().position(|one| one == name).unwrap();
                let next = &chain[at + 1];
                if let DelegatedRoles::Listed(roles) = &mut on.delegations(name).roles {
                    roles.retain(|one| one.name.as_str() != next);
                }
                on.add_target(&bin, path, EVIL);
                vec![name.clone(), bin]
            }
            Self::Recently => {
                on.delegate(
                    "recently-claimed",
                    "project-evil",
                    &own,
                    &["packages/*/*/*"],
                )
                .terminating = true;
                // Before the honest delegation of the same project.
                if let DelegatedRoles::Listed(roles) = &mut on.delegations("recently-claimed").roles
                {
                    roles.reverse();
                }
                on.add_target("project-evil", path, EVIL);
                vec!["recently-claimed".to_owned(), "project-evil".to_owned()]
            }
            Self::NewRoot => {
                let old: Vec<Key> = on.keys("root").to_vec();
                let stolen: Vec<Key> = ["root-1", "root-2", "root-3"]
                    .iter()
                    .filter(|name| attacker.has(name))
                    .map(|name| Key::ed25519(name))
                    .collect();
                for name in ["root", "targets", "snapshot", "timestamp"] {
                    on.rotate(name, &own, 1);
                }
                let signers: Vec<Key> = stolen.into_iter().chain(own.clone()).collect();
                assert!(old.iter().all(|key| *key != own[0]));
                on.tamper("root").signed_by(&signers);
                on.add_target("targets", path, EVIL);
                vec!["targets".to_owned()]
            }
        }
    }
}

/// The first attempt that makes our client take the evil file.
pub(crate) async fn malicious(row: &Row, stolen: &[&str], goal: Goal) -> Option<Attempt> {
    for attempt in attempts(row.layout, goal) {
        let mut repository = row.layout.repository();
        let user = User::of(&repository);
        if attempt.warm {
            let answer = user.find(&repository, goal.path()).await;
            assert!(!matches!(answer, Answer::Failed { .. }), "{answer:?}");
        }
        attempt.make(goal, stolen, &mut repository);
        let got = user.download(&repository, goal.path()).await;
        if got.is_ok_and(|bytes| bytes == EVIL) {
            return Some(attempt);
        }
    }
    None
}

/// So many days on, when the honest timestamp has expired, the attacker shows what was published
/// then, kept alive with his keys. A client that takes it is frozen.
pub(crate) fn keep_alive(repository: &mut Simulator, stolen: &[&str], days: i64) {
    let attacker = Attacker::with(stolen);
    repository.advance(Duration::days(days));
    if attacker.has("root-1") {
        take_over(repository);
        repository.publish_root();
    }
    if !attacker_keys(repository, &attacker, "snapshot").is_empty() {
        repository.publish_snapshot();
    }
    let honest = repository.file("timestamp");
    attacker.sign(repository, "timestamp");
    repository.publish_timestamp();
    if attacker_keys(repository, &attacker, "timestamp").is_empty() {
        // What he cannot sign he does not show: the old one is the best he has.
        repository.server().put("metadata/timestamp.json", honest);
    }
}

/// A new root by two stolen keys: snapshot and timestamp are the attacker's.
fn take_over(repository: &mut Simulator) {
    let own = [Attacker::own()];
    for name in ["root", "snapshot", "timestamp"] {
        repository.rotate(name, &own, 1);
    }
    let old = ["root-1", "root-2"].map(Key::ed25519);
    let signers: Vec<Key> = old.into_iter().chain(own).collect();
    repository.tamper("root").signed_by(&signers);
}

fn attacker_keys(repository: &Simulator, attacker: &Attacker, role: &str) -> Vec<Key> {
    let names = ["timestamp", "snapshot", "online", "thief"];
    let has = names.iter().filter(|name| attacker.has(name));
    let has: Vec<Key> = has.map(|name| Key::ed25519(name)).collect();
    let keys = repository.keys(role).iter();
    keys.filter(|key| has.contains(key)).cloned().collect()
}

/// Whether our client, fresh or warm, is frozen after so many days.
pub(crate) async fn freeze(row: &Row, stolen: &[&str], days: i64) -> bool {
    let mut repository = row.layout.repository();
    let (fresh, warm) = (User::of(&repository), User::of(&repository));
    warm.refresh(&repository).await.unwrap();
    keep_alive(&mut repository, stolen, days);
    let taken = [&fresh, &warm].map(|user| user.refresh(&repository));
    let [fresh, warm] = taken;
    let (fresh, warm) = (fresh.await.is_ok(), warm.await.is_ok());
    assert_eq!(
        fresh, warm,
        "{}: who has updated before is no worse off",
        row.name
    );
    warm
}

/// The repository as it never was: of two roles that changed together one is new and one is old.
pub(crate) fn mixed(row: &Row, stolen: &[&str], how: Publication) -> (Simulator, String) {
    let mut repository = row.layout.repository();
    let attacker = Attacker::with(stolen);
    let bin = repository.bin_of("bins", files::PLAIN);
    // The second release comes with a change of `targets`.
    for (name, path) in [("targets", files::ANCHOR), (bin.as_str(), LATER)] {
        repository.add_target(name, path, &files::content(path));
    }
    repository.publish();
    if attacker.has("root-1") {
        take_over(&mut repository);
    }
    repository.rewind(&bin, 1);
    attacker.publish(&mut repository, &[], how);
    (repository, bin)
}

/// Whether our client takes the mixture.
pub(crate) async fn inconsistency(row: &Row, stolen: &[&str]) -> bool {
    for how in Publication::ALL {
        let (repository, bin) = mixed(row, stolen, how);
        let user = User::of(&repository);
        let Ok(session) = user.refresh(&repository).await else {
            continue;
        };
        let path = TargetPath::parse(files::PLAIN).unwrap();
        let found = session.find(&path).await;
        let old = session
            .snapped()
            .snapshot()
            .get(&role(&bin))
            .map(|listed| listed.version.get());
        if matches!(found, Answer::Found(_)) && old == Some(1) {
            return true;
        }
    }
    false
}
