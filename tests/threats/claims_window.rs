//! DESIGN §4: until the roles that say who has claimed what expire, a thief of the online keys can
//! show a client that has never seen a claim the state before it. How long, and to whom.

use chrono::Duration;
use countersign_tests::{BinEncoding, Key, Simulator, User, files, role};
use metadata::{DelegatedRole, DelegatedRoles, Version};

use crate::attacker::{Attacker, Publication};
use crate::foreign::PythonTuf;
use crate::layouts::EVIL;

/// Everything that is online.
const ONLINE: [&str; 4] = ["timestamp", "snapshot", "recently-claimed", "bin-n"];
/// Days that `targets`, `claimed` and the shards live (policy: at most 90 where developers sign).
const LIFETIME: i64 = 90;

/// A repository whose project `alpha` was claimed on the second day, and its edge of that day.
fn before_the_claim() -> (Simulator, DelegatedRole) {
    let mut repository = Simulator::bare();
    for role in ["timestamp", "snapshot"] {
        repository.rotate(role, &[Key::ed25519(role)], 1);
    }
    let everything = ["packages/*/*/*"];
    let offline = [Key::ed25519("claimed")];
    repository.delegate("targets", "claimed", &offline, &everything);
    let alpha = repository.delegate(
        "claimed",
        "project-alpha",
        &[Key::ed25519("alpha")],
        &["packages/8e/alpha/*"],
    );
    alpha.terminating = true;
    let edge = alpha.clone();
    repository.delegate("targets", "bins", &[Key::ed25519("bins")], &everything);
    let encoding = BinEncoding::HashPrefixes;
    repository.delegate_bins("bins", "bin", 1, encoding, &Key::ed25519("bin-n"));
    let bin = repository.bin_of("bins", files::CLAIMED);
    repository.add_target(&bin, files::CLAIMED, &files::content(files::CLAIMED));
    for role in ["targets", "claimed", "bins"] {
        repository.set_lifetime(role, Duration::days(LIFETIME));
    }
    set_edges(&mut repository, Vec::new());
    repository.publish();
    (repository, edge)
}

fn set_edges(repository: &mut Simulator, edges: Vec<DelegatedRole>) {
    repository.delegations("claimed").roles = DelegatedRoles::Listed(edges);
}

/// Has the developer's role speak for the project.
fn claim(repository: &mut Simulator, edge: DelegatedRole) {
    repository.advance(Duration::days(1));
    set_edges(repository, vec![edge]);
    let content = files::content(files::CLAIMED);
    repository.add_target("project-alpha", files::CLAIMED, &content);
    repository.publish();
}

/// Shows the state before the claim, kept alive, with an evil file in the bin.
fn attack(repository: &mut Simulator) {
    let attacker = Attacker::with(&ONLINE);
    let bin = repository.bin_of("bins", files::CLAIMED);
    repository.rewind("claimed", 1);
    repository.add_target(&bin, files::CLAIMED, EVIL);
    attacker.publish(repository, &[bin], Publication::New);
}

async fn is_fooled(user: &User, repository: &Simulator) -> bool {
    let got = user.download(repository, files::CLAIMED).await;
    got.is_ok_and(|bytes| bytes == EVIL)
}

/// The repository so many days after the claim, attacked.
fn attacked_after(days: i64) -> Simulator {
    let (mut repository, edge) = before_the_claim();
    claim(&mut repository, edge);
    repository.advance(Duration::days(days));
    attack(&mut repository);
    repository
}

#[tokio::test]
async fn who_has_seen_the_claim_is_safe_and_the_others_after_the_window() {
    let (mut repository, edge) = before_the_claim();
    let warm = User::of(&repository);
    claim(&mut repository, edge);
    let honest = warm.download(&repository, files::CLAIMED).await.unwrap();
    assert_eq!(honest, files::content(files::CLAIMED));
    let mut last_day = None;
    for day in (0..=LIFETIME).step_by(5) {
        let repository = attacked_after(day);
        assert!(!is_fooled(&warm, &repository).await, "warm, day {day}");
        if is_fooled(&User::of(&repository), &repository).await {
            last_day = Some(day);
        }
    }
    // One day of the lifetime had passed when the project was claimed.
    assert_eq!(last_day, Some(LIFETIME - 5), "the measured window, in days");
}

/// A root handed out with the versions of its day is as good as having seen the claim.
#[tokio::test]
async fn a_trust_anchor_newer_than_the_claim_closes_the_window() {
    let claimed = |version| (role("claimed"), Version::new(version).unwrap());
    let repository = attacked_after(0);
    let mut anchored = User::of(&repository);
    anchored.minimum = [claimed(2)].into_iter().collect();
    assert!(!is_fooled(&anchored, &repository).await);
    // The control: an anchor of the day before the claim.
    let mut older = User::of(&repository);
    older.minimum = [claimed(1)].into_iter().collect();
    assert!(is_fooled(&older, &repository).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_window_of_python_tuf_is_the_same() {
    let mut python = PythonTuf::start();
    let (mut repository, edge) = before_the_claim();
    let warm = python.fresh(&repository);
    claim(&mut repository, edge);
    assert!(!python.takes_evil(&repository, &warm, files::CLAIMED).await);
    for (day, fooled) in [(0, true), (LIFETIME - 5, true), (LIFETIME, false)] {
        let repository = attacked_after(day);
        let fresh = python.fresh(&repository);
        let found = python.takes_evil(&repository, &fresh, files::CLAIMED).await;
        assert_eq!(found, fooled, "fresh, day {day}");
        let found = python.takes_evil(&repository, &warm, files::CLAIMED).await;
        assert!(!found, "warm, day {day}");
    }
}
