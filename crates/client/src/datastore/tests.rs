//! What the folder holds after writes that succeed, fail or break off.

use super::*;
use crate::testing::Repository;
use trust::{RootChain, Rules};

fn opened() -> (tempfile::TempDir, Datastore) {
    let dir = tempfile::tempdir().unwrap();
    let datastore = Datastore::open(dir.path().join("md")).unwrap();
    (dir, datastore)
}

fn names(datastore: &Datastore) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(datastore.dir())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[tokio::test]
async fn keeps_the_bytes_as_served_and_nothing_else() {
    let (_dir, datastore) = opened();
    let file = Repository::new().root(1);
    let chain = RootChain::pinned(&file, Rules::default()).unwrap();
    assert!(
        datastore
            .read(&Role::Root, 100_000)
            .await
            .unwrap()
            .is_none()
    );
    datastore.store(chain.root()).await.unwrap();
    datastore.store(chain.root()).await.unwrap();
    assert_eq!(names(&datastore), ["root.json"]);
    assert_eq!(
        datastore.read(&Role::Root, 100_000).await.unwrap().unwrap(),
        file
    );
    assert_eq!(
        datastore
            .read(&Role::Root, 10)
            .await
            .unwrap()
            .unwrap()
            .len(),
        11
    );
}

#[tokio::test]
async fn an_unfinished_write_is_never_read_and_swept_when_abandoned() {
    let (_dir, datastore) = opened();
    let old = datastore.dir().join(".old.part");
    for path in [&old, &datastore.dir().join(".new.part")] {
        fs::write(path, b"{\"half").unwrap();
    }
    let yesterday = SystemTime::now() - 2 * ABANDONED;
    File::options()
        .write(true)
        .open(&old)
        .unwrap()
        .set_modified(yesterday)
        .unwrap();
    assert!(datastore.read(&Role::Root, 100).await.unwrap().is_none());
    drop(datastore.lock().await.unwrap());
    assert_eq!(names(&datastore), [".lock", ".new.part"]);
}

#[test]
fn a_file_that_somebody_else_has_just_removed_is_no_error() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(".gone.part");
    fs::write(&path, b"").unwrap();
    RealDisk.remove(&path).unwrap();
    RealDisk.remove(&path).unwrap();
    assert!(RealDisk.remove(dir.path()).is_err());
}

#[tokio::test]
async fn one_updates_at_a_time() {
    let (_dir, datastore) = opened();
    let other = datastore.clone().with_patience(Duration::from_millis(60));
    let held = datastore.lock().await.unwrap();
    assert!(matches!(other.lock().await, Err(ClientError::Busy { .. })));
    let patient = datastore.clone();
    let waiting = tokio::spawn(async move { patient.lock().await });
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(!waiting.is_finished());
    drop(held);
    waiting.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_failed_write_leaves_the_old_file() {
    let (_dir, datastore) = opened();
    let repository = Repository::new();
    let first = RootChain::pinned(&repository.root(1), Rules::default()).unwrap();
    datastore.store(first.root()).await.unwrap();
    // A folder where the new name has to go: the rename fails as on a broken disk.
    let blocked = Datastore::open(datastore.dir().join("blocked")).unwrap();
    fs::create_dir_all(blocked.dir().join("root.json/x")).unwrap();
    assert!(matches!(
        blocked.store(first.root()).await,
        Err(ClientError::File { .. })
    ));
    assert_eq!(names(&blocked), ["root.json"]);
    assert!(
        datastore
            .read(&Role::Root, 100_000)
            .await
            .unwrap()
            .is_some()
    );
}

#[tokio::test]
async fn forgetting_is_repeatable() {
    let (_dir, datastore) = opened();
    for name in ["timestamp.json", "snapshot.json", "root.json"] {
        fs::write(datastore.dir().join(name), b"{}").unwrap();
    }
    datastore.forget_floors().await.unwrap();
    datastore.forget_floors().await.unwrap();
    assert_eq!(names(&datastore), ["root.json"]);
}

#[tokio::test]
async fn a_write_keeps_the_lock_when_its_update_is_dropped() {
    let dir = tempfile::tempdir().unwrap();
    let datastore = Datastore::open(dir.path()).unwrap();
    let other = Datastore::open(dir.path()).unwrap();
    let lock = datastore.lock().await.unwrap();
    let (go_on, wait) = std::sync::mpsc::channel::<()>();
    let write = datastore.blocking("written", move || {
        wait.recv().map_err(io::Error::other)?;
        Ok(())
    });
    assert!(tokio::time::timeout(Duration::ZERO, write).await.is_err());
    drop(lock);
    let busy = other.clone().with_patience(Duration::ZERO).lock().await;
    assert!(matches!(busy, Err(ClientError::Busy { .. })));
    go_on.send(()).unwrap();
    other.lock().await.unwrap();
}

#[test]
fn no_delegated_role_takes_the_file_of_a_top_level_one() {
    let stored = |name| stored_name(&Role::parse(name).unwrap());
    assert_eq!(stored("Snapshot"), "%53napshot.json");
    assert_eq!(stored("ROOT"), "%52%4F%4F%54.json");
    assert_eq!(stored("tImestamp"), "t%49mestamp.json");
    // Escaped names are nobody else's, and all others stay as they are.
    assert_eq!(stored("%53napshot"), "%2553napshot.json");
    for name in ["root", "timestamp", "snapshot", "targets", "Foo", "Roots"] {
        assert_eq!(stored(name), format!("{name}.json"));
    }
}
