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

/// A crash of a process with our pid, as in another container, may leave a temporary file that is a hard
/// link of an upload: what is written next must not be written into that.
#[test]
fn a_leftover_temporary_is_never_written_into() {
    let folder = tempfile::tempdir().unwrap();
    let upload = folder.path().join("upload");
    std::fs::write(&upload, b"upload").unwrap();
    let root = folder.path().join("store");
    let mut store = LocalStore::open(&root).unwrap();
    std::fs::create_dir(root.join("metadata")).unwrap();
    for number in 1..=3 {
        let leftover = format!("metadata/.{}-{number}.tmp", std::process::id());
        std::fs::hard_link(&upload, root.join(leftover)).unwrap();
    }
    store.put_new(&path("metadata/1.a.json"), b"new").unwrap();
    store
        .put_pointer(&path("metadata/timestamp.json"), b"pointer")
        .unwrap();
    store
        .put_new_file(&path("metadata/2.a.json"), &upload)
        .unwrap();
    assert_eq!(std::fs::read(&upload).unwrap(), b"upload");
    for (name, bytes) in [
        ("metadata/1.a.json", &b"new"[..]),
        ("metadata/timestamp.json", b"pointer"),
        ("metadata/2.a.json", b"upload"),
    ] {
        assert_eq!(std::fs::read(root.join(name)).unwrap(), bytes, "{name}");
    }
}

#[test]
fn pointers_are_put_by_one_process() {
    let folder = tempfile::tempdir().unwrap();
    let mut one = LocalStore::open_shared(folder.path()).unwrap();
    let mut other = LocalStore::open_shared(folder.path()).unwrap();
    one.begin_pointers().unwrap();
    let refused = other.begin_pointers();
    assert!(matches!(refused, Err(StoreError::Locked { .. })));
    one.end_pointers();
    other.begin_pointers().unwrap();
    assert!(one.begin_pointers().is_err());
    drop(other);
    one.begin_pointers().unwrap();
}
