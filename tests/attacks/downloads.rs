//! Attacks on target files (TUF 5.7).

use std::sync::Arc;
use std::time::Duration;

use client::{ClientError, HttpTransport, Pace, TransportError};
use countersign_tests::{Bend, Simulator, User, fails, files, rejection};
use metadata::TargetPath;
use trust::{Mismatch, Rejection};

use crate::v;

fn mismatch(path: &str, role: &str, why: Mismatch) -> Rejection {
    let path = TargetPath::parse(path).unwrap();
    Rejection::TargetMismatch {
        path,
        role: countersign_tests::role(role),
        why,
    }
}

/// Arbitrary software (TUF 1.5.2): other bytes than those listed, of the same length, shorter or
/// longer (5.7.3). Nothing of them is left in the folder.
#[tokio::test]
async fn file_with_other_bytes() {
    let repository = Simulator::standard();
    let user = User::of(&repository);
    let folder = tempfile::tempdir().unwrap();
    let honest = files::content(files::CLAIMED);
    let name = repository.target_name(files::CLAIMED, &honest);
    let listed = honest.len() as u64;
    let longer = [&honest[..], b"x"].concat();
    for (bend, why) in [
        (Bend::one_bit(), Mismatch::Hash),
        (Bend::Truncated(10), Mismatch::Length { listed, found: 10 }),
        (Bend::replaced(longer), Mismatch::Longer { listed }),
        (Bend::replaced(""), Mismatch::Length { listed, found: 0 }),
    ] {
        repository.server().bend(&name, bend);
        let downloaded = user
            .download_to(&repository, files::CLAIMED, folder.path())
            .await;
        let refused = rejection(downloaded.unwrap_err());
        assert_eq!(refused, mismatch(files::CLAIMED, "project-alpha", why));
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }
    repository.server().unbend();
    let path = user
        .download_to(&repository, files::CLAIMED, folder.path())
        .await
        .unwrap();
    assert_eq!(std::fs::read(path).unwrap(), honest);
}

/// Endless data (TUF 1.5.2): a file that goes on after its listed length (5.7.3).
#[tokio::test]
async fn file_without_end() {
    let repository = Simulator::standard();
    let user = User::of(&repository);
    let honest = files::content(files::ANCHOR);
    let listed = honest.len() as u64;
    repository.server().bend(
        &repository.target_name(files::ANCHOR, &honest),
        Bend::Endless,
    );
    let refused = rejection(user.download(&repository, files::ANCHOR).await.unwrap_err());
    assert_eq!(
        refused,
        mismatch(files::ANCHOR, "targets", Mismatch::Longer { listed })
    );
    assert!(repository.server().requests().last().unwrap().sent() <= listed + 16_384);

    repository.server().unbend();
    assert_eq!(
        user.download(&repository, files::ANCHOR).await.unwrap(),
        honest
    );
}

/// Wrong software (TUF 1.5.2): a file that is signed, but under another path (5.7.1).
#[tokio::test]
async fn file_of_another_path() {
    let repository = Simulator::standard();
    let user = User::of(&repository);
    let (wanted, other) = (files::content(files::ANCHOR), files::content(files::PLAIN));
    repository.server().bend(
        &repository.target_name(files::ANCHOR, &wanted),
        Bend::replaced(other.clone()),
    );
    let refused = rejection(user.download(&repository, files::ANCHOR).await.unwrap_err());
    let listed = wanted.len() as u64;
    assert_eq!(
        refused,
        mismatch(files::ANCHOR, "targets", Mismatch::Longer { listed })
    );
    assert_eq!(
        user.download(&repository, files::PLAIN).await.unwrap(),
        other
    );
}

/// Rollback of one file: the bytes of the release before, which were listed once (5.7.3).
#[tokio::test]
async fn file_as_it_was_before() {
    let mut repository = Simulator::standard();
    let user = User::of(&repository);
    let old = files::content(files::ANCHOR);
    assert_eq!(
        user.download(&repository, files::ANCHOR).await.unwrap(),
        old
    );
    let new: Vec<u8> = old.iter().rev().copied().collect();
    repository.add_target("targets", files::ANCHOR, &new);
    repository.publish();
    repository.server().bend(
        &repository.target_name(files::ANCHOR, &new),
        Bend::replaced(old),
    );
    let refused = rejection(user.download(&repository, files::ANCHOR).await.unwrap_err());
    assert_eq!(refused, mismatch(files::ANCHOR, "targets", Mismatch::Hash));
    assert_eq!(repository.version("targets"), v(2));

    repository.server().unbend();
    assert_eq!(
        user.download(&repository, files::ANCHOR).await.unwrap(),
        new
    );
}

/// Slow retrieval (PEP 458 "Appendix A"): a server that stalls, and one that gives a byte now and
/// then, over real HTTP.
#[tokio::test]
async fn server_that_takes_for_ever() {
    let repository = Simulator::standard();
    let listening = repository.server().listen().await;
    let pace = Pace {
        idle: Duration::from_millis(200),
        minimum_bytes_per_second: 1_000,
        window: Duration::from_millis(400),
        ..Pace::default()
    };
    let transport = Arc::new(HttpTransport::new(pace).unwrap());
    let urls = (listening.metadata_url(), listening.targets_url());
    let user = User::over(&repository, transport, urls.0, urls.1);
    let drip = Bend::Slow {
        piece: 1,
        pause: Duration::from_millis(50),
    };
    for bend in [Bend::Stalled(100), drip] {
        repository.server().bend("*.snapshot.json", bend.clone());
        let started = std::time::Instant::now();
        let error = user.refresh(&repository).await.err().unwrap();
        let ClientError::Transport { source, .. } = &error else {
            panic!("{bend:?}: {error:?}")
        };
        assert!(
            matches!(**source, TransportError::TooSlow { .. }),
            "{bend:?}: {source:?}"
        );
        assert!(started.elapsed() < Duration::from_secs(5), "{bend:?}");
    }
    repository.server().unbend();
    user.refresh(&repository).await.unwrap();
}

/// A file that is in the folder already, of the right name and length, is no reason to believe it
/// (5.7.3); one that fits is not fetched again.
#[tokio::test]
async fn file_already_there_with_other_bytes() {
    let repository = Simulator::standard();
    let user = User::of(&repository);
    let folder = tempfile::tempdir().unwrap();
    let path = TargetPath::parse(files::ANCHOR).unwrap();
    let there = folder.path().join(client::local_name(&path));
    let honest = files::content(files::ANCHOR);
    std::fs::write(&there, vec![b'x'; honest.len()]).unwrap();
    let to = user.download_to(&repository, files::ANCHOR, folder.path());
    assert_eq!(to.await.unwrap(), there);
    let found = std::fs::read(&there).unwrap();
    fails(found == honest, String::from_utf8_lossy(&found));

    repository.server().take_requests();
    let again = user.download_to(&repository, files::ANCHOR, folder.path());
    again.await.unwrap();
    let asked = repository.server().take_requests();
    assert!(
        !asked.iter().any(|name| name.starts_with("targets/")),
        "{asked:?}"
    );
}

/// A link laid in the folder, under the name of a file to come, that leads elsewhere: the link is
/// replaced, what it leads to is not written.
#[cfg(unix)]
#[tokio::test]
async fn link_in_place_of_the_file() {
    let repository = Simulator::standard();
    let user = User::of(&repository);
    let (folder, home) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let precious = home.path().join("precious");
    std::fs::write(&precious, b"precious").unwrap();
    let path = TargetPath::parse(files::ANCHOR).unwrap();
    let link = folder.path().join(client::local_name(&path));
    std::os::unix::fs::symlink(&precious, &link).unwrap();
    user.download_to(&repository, files::ANCHOR, folder.path())
        .await
        .unwrap();
    let kept = std::fs::read(&precious).unwrap();
    fails(kept == b"precious", String::from_utf8_lossy(&kept));
    assert_eq!(std::fs::read(&link).unwrap(), files::content(files::ANCHOR));
}

/// A download that breaks off: nothing of it is left, under the final name or any other (5.7.3).
#[tokio::test]
async fn download_broken_off() {
    let repository = Simulator::standard();
    let user = User::of(&repository);
    let folder = tempfile::tempdir().unwrap();
    let honest = files::content(files::ANCHOR);
    let name = repository.target_name(files::ANCHOR, &honest);
    for bend in [
        Bend::Broken(10),
        Bend::Broken(honest.len()),
        Bend::Truncated(10),
    ] {
        repository.server().bend(&name, bend.clone());
        let done = user
            .download_to(&repository, files::ANCHOR, folder.path())
            .await;
        fails(done.is_err(), &bend);
        let left = std::fs::read_dir(folder.path()).unwrap().count();
        fails(left == 0, left);
    }
    repository.server().unbend();
    user.download_to(&repository, files::ANCHOR, folder.path())
        .await
        .unwrap();
}
