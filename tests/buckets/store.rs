//! What the store promises when nothing goes wrong.

use countersign_tests::faults::{Fault, Faults, ask};
use countersign_tests::s3::{BUCKET, S3, quick};
use repository::{Store, StoreError, StorePath, UploadPlace};
use store_bucket::BucketError;

pub(crate) fn path(text: &str) -> StorePath {
    StorePath::parse(text).unwrap()
}

#[test]
fn immutable_objects_are_written_once_and_read_back() {
    let s3 = S3::start();
    let mut store = s3.store("a/b");
    let snapshot = path("metadata/1.snapshot.json");
    store.put_new(&snapshot, b"{}").unwrap();
    store.flush().unwrap();
    store.put_new(&snapshot, b"{}").unwrap();
    store.flush().unwrap();
    for other in [&b"[]"[..], b"{} ", b""] {
        let put = store.put_new(&snapshot, other).and_then(|()| store.flush());
        assert!(matches!(put, Err(StoreError::Conflict { .. })), "{put:?}");
    }
    assert_eq!(
        store.get(&snapshot, 2).unwrap().as_deref(),
        Some(&b"{}"[..])
    );
    assert!(store.get(&snapshot, 1).is_err(), "longer than the limit");
    assert_eq!(store.get(&path("metadata/2.root.json"), 9).unwrap(), None);
    assert_eq!(store.list().unwrap(), std::slice::from_ref(&snapshot));
    // Another prefix is another store.
    assert_eq!(s3.store("a").list().unwrap().len(), 0);
    store.remove(&snapshot).unwrap();
    store.remove(&path("metadata/none.json")).unwrap();
    store.flush().unwrap();
    assert_eq!(store.list().unwrap(), []);
}

#[test]
fn files_of_any_size_get_there_whole_and_once() {
    let s3 = S3::start();
    let mut store = s3.store("files");
    let folder = tempfile::tempdir().unwrap();
    // Less than a part, exactly one, and three.
    for (number, length) in [0, 9, 5 << 20, (10 << 20) + 1].into_iter().enumerate() {
        let bytes: Vec<u8> = (0..length).map(|n: u32| (n >> 8) as u8 ^ n as u8).collect();
        let file = folder.path().join("upload");
        std::fs::write(&file, &bytes).unwrap();
        let upload = UploadPlace::File(file.clone());
        let target = path(&format!("targets/packages/aa/a/{number}.a-1.tar.gz"));
        let plain = path(&format!("packages/aa/a/a-{number}.tar.gz"));
        for _ in 0..2 {
            store.put_new_upload(&target, &upload).unwrap();
            store.link(&target, &plain).unwrap();
            store.flush().unwrap();
        }
        for path in [&target, &plain] {
            assert!(
                store.get(path, bytes.len() as u64).unwrap().as_ref() == Some(&bytes),
                "{path}"
            );
        }
        let mut other = bytes.clone();
        other.push(0);
        std::fs::write(&file, &other).unwrap();
        let put = store
            .put_new_upload(&target, &upload)
            .and_then(|()| store.flush());
        assert!(matches!(put, Err(StoreError::Conflict { .. })), "{put:?}");
        store.replace_by_upload(&target, &upload).unwrap();
        store.flush().unwrap();
        assert!(store.get(&target, u64::MAX).unwrap() == Some(other));
    }
    let linked = store.link(&path("targets/none"), &path("packages/none"));
    linked.unwrap();
    assert!(store.flush().is_err(), "nothing to copy");
}

#[test]
fn readers_are_told_what_an_object_is_and_how_long_it_lives() {
    let s3 = S3::start();
    let mut store = s3.store("p");
    store.put_new(&path("metadata/1.root.json"), b"{}").unwrap();
    store
        .put_pointer(&path("simple/a/index.html"), b"<a>")
        .unwrap();
    store
        .put_pointer(&path("simple/a/index.html"), b"<b>")
        .unwrap();
    store.begin_pointers().unwrap();
    store
        .put_pointer(&path("metadata/timestamp.json"), b"{}")
        .unwrap();
    store.flush().unwrap();
    let seconds = quick().pointer_seconds;
    for (object, media, cache) in [
        (
            "metadata/1.root.json",
            "application/json",
            "max-age=31536000, immutable".to_owned(),
        ),
        (
            "metadata/timestamp.json",
            "application/json",
            format!("max-age={seconds}"),
        ),
        (
            "simple/a/index.html",
            "text/html; charset=utf-8",
            format!("max-age={seconds}"),
        ),
    ] {
        let answer = ask(s3.port(), "GET", &format!("/{BUCKET}/p/{object}"), b"");
        let answer = answer.to_ascii_lowercase();
        assert!(
            answer.contains(&format!("content-type: {media}\r\n")),
            "{answer}"
        );
        assert!(
            answer.contains(&format!("cache-control: public, {cache}\r\n")),
            "{answer}"
        );
    }
    let html = store.get(&path("simple/a/index.html"), 9).unwrap();
    assert_eq!(html.as_deref(), Some(&b"<b>"[..]), "the later one");
}

/// DESIGN §5: `timestamp.json` is replaced only if it is what it was before the head moved.
#[test]
fn a_signer_that_was_overtaken_replaces_nothing() {
    let s3 = S3::start();
    let timestamp = path("metadata/timestamp.json");
    let (mut slept, mut awake) = (s3.store("p"), s3.store("p"));
    for (before, newer, older) in [(None, "2", "1"), (Some("2"), "4", "3")] {
        let read = |store: &dyn Store| store.get(&timestamp, 9).unwrap();
        assert_eq!(read(&slept).as_deref(), before.map(str::as_bytes));
        slept.begin_pointers().unwrap();
        awake.begin_pointers().unwrap();
        awake.put_pointer(&timestamp, newer.as_bytes()).unwrap();
        let put = slept.put_pointer(&timestamp, older.as_bytes());
        assert!(matches!(put, Err(StoreError::Overtaken { .. })), "{put:?}");
        assert_eq!(read(&slept).as_deref(), Some(newer.as_bytes()));
        // Who put it may put it again, within the same pointers.
        awake.put_pointer(&timestamp, newer.as_bytes()).unwrap();
        awake.end_pointers();
        let put = awake.put_pointer(&timestamp, b"9");
        assert!(
            matches!(put, Err(StoreError::Overtaken { .. })),
            "not begun: {put:?}"
        );
    }
}

#[test]
fn a_bucket_is_asked_whether_it_keeps_signers_apart_and_says_what_is_missing() {
    let s3 = S3::start();
    s3.store("p").check().unwrap();
    s3.store("p").check().unwrap();
    assert_eq!(
        s3.store("p").list().unwrap(),
        [],
        "nothing that clients know of"
    );
    let faults = Faults::before(s3.port(), |asked| match asked.header("if-none-match") {
        Some(_) => Fault::Unconditional,
        None => Fault::None,
    });
    let refused = |what: &str| s3.store_behind(&faults, "p").check().expect_err(what);
    let error = refused("it overwrites what is there");
    let condition = "If-None-Match";
    assert!(matches!(error, BucketError::NoConditions { condition: c, .. } if c == condition));
    faults.plan(|asked| match asked.header("if-match") {
        Some(_) => Fault::Unconditional,
        None => Fault::None,
    });
    let error = refused("it replaces what has another tag");
    assert!(
        matches!(
            error,
            BucketError::NoConditions {
                condition: "If-Match",
                ..
            }
        ),
        "{error}"
    );
    faults.plan(|asked| match asked.method.as_str() {
        "HEAD" => Fault::Status(403),
        _ => Fault::None,
    });
    let error = refused("it denies what is missing");
    assert!(
        matches!(error, BucketError::MissingIsDenied { .. }),
        "{error}"
    );
    faults.plan(
        |asked| match (asked.method.as_str(), asked.header("authorization")) {
            ("HEAD", None) if asked.target.ends_with("root.json") => Fault::Status(403),
            _ => Fault::None,
        },
    );
    let error = refused("it denies readers what is missing");
    assert!(
        matches!(error, BucketError::MissingIsDenied { .. }),
        "{error}"
    );
    faults.plan(|_| Fault::Status(403));
    let error = refused("it lets nobody in");
    assert!(matches!(error, BucketError::Unusable { .. }), "{error}");
}
