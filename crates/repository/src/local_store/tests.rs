use super::*;

fn path(text: &str) -> StorePath {
    StorePath::parse(text).unwrap()
}

#[test]
fn immutable_objects_are_written_once() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = LocalStore::open(folder.path()).unwrap();
    let at = path("metadata/1.root.json");
    store.put_new(&at, b"one").unwrap();
    store.put_new(&at, b"one").unwrap();
    assert!(matches!(
        store.put_new(&at, b"two"),
        Err(StoreError::Conflict { .. })
    ));
    assert_eq!(store.get(&at, 10).unwrap().unwrap(), b"one");
    store.flush().unwrap();
    let names: Vec<_> = fs::read_dir(folder.path().join("metadata"))
        .unwrap()
        .collect();
    assert_eq!(names.len(), 1, "no temporary file is left");
}

#[test]
fn files_links_and_pointers() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = LocalStore::open(folder.path().join("store")).unwrap();
    let incoming = folder.path().join("incoming");
    fs::write(&incoming, b"wheel").unwrap();
    store
        .put_new_file(&path("targets/a/b.whl"), &incoming)
        .unwrap();
    store
        .link(&path("targets/a/b.whl"), &path("packages/b.whl"))
        .unwrap();
    store
        .link(&path("targets/a/b.whl"), &path("packages/b.whl"))
        .unwrap();
    fs::write(&incoming, b"other").ok();
    let fresh = folder.path().join("fresh");
    fs::write(&fresh, b"fresh").unwrap();
    let conflict = store.put_new_file(&path("targets/a/b.whl"), &fresh);
    assert!(matches!(conflict, Err(StoreError::Conflict { .. })));
    store
        .put_pointer(&path("metadata/timestamp.json"), b"1")
        .unwrap();
    store
        .put_pointer(&path("metadata/timestamp.json"), b"2")
        .unwrap();
    assert_eq!(
        store
            .get(&path("metadata/timestamp.json"), 9)
            .unwrap()
            .unwrap(),
        b"2"
    );
    store.flush().unwrap();
}

#[test]
fn reads_are_bounded_and_checked() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = LocalStore::open(folder.path()).unwrap();
    store.put_new(&path("a"), b"abc").unwrap();
    assert!(store.get(&path("a"), 2).is_err());
    assert!(store.get(&path("b"), 2).unwrap().is_none());
    let digest = metadata::Sha256::of(b"abc");
    assert_eq!(store.get_checked(&path("a"), 3, digest).unwrap(), b"abc");
    fs::write(folder.path().join("a"), b"abd").unwrap();
    let altered = store.get_checked(&path("a"), 3, digest);
    assert!(matches!(altered, Err(StoreError::Altered { .. })));
}
