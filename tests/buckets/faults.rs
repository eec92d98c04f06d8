//! The network and the service fail in every way they know: what was promised is there, what is not
//! whole is nowhere.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use countersign_tests::faults::{Fault, Faults};
use countersign_tests::s3::S3;
use repository::{Store, StoreError, UploadPlace};

use crate::store::path;

/// Every request fails so once, then goes through.
fn once(fault: Fault) -> impl FnMut(&countersign_tests::faults::Asked) -> Fault + Send {
    let failed = Mutex::new(std::collections::BTreeSet::new());
    move |asked| {
        let key = (asked.method.clone(), asked.target.clone());
        if failed.lock().unwrap().insert(key) {
            fault
        } else {
            Fault::None
        }
    }
}

#[test]
fn what_fails_for_a_while_is_done_again_and_once() {
    let s3 = S3::start();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("upload");
    let bytes = vec![7; (5 << 20) + 1];
    std::fs::write(&file, &bytes).unwrap();
    let faults = Faults::before(s3.port(), |_| Fault::None);
    for (number, fault) in [
        Fault::Status(500),
        Fault::Status(503),
        Fault::Status(429),
        Fault::Delay(Duration::from_millis(50)),
        Fault::Lost,
        Fault::Unanswered,
        Fault::Cut,
    ]
    .into_iter()
    .enumerate()
    {
        faults.plan(once(fault));
        let mut store = s3.store_behind(&faults, &number.to_string());
        let small = path("metadata/1.snapshot.json");
        let (large, plain) = (path("targets/packages/aa/a/0.a"), path("packages/aa/a/a"));
        let timestamp = path("metadata/timestamp.json");
        store.put_new(&small, b"{}").unwrap();
        store
            .put_new_upload(&large, &UploadPlace::File(file.clone()))
            .unwrap();
        store.link(&large, &plain).unwrap();
        store.flush().unwrap();
        store.begin_pointers().unwrap();
        store.put_pointer(&timestamp, b"1").unwrap();
        store.put_pointer(&timestamp, b"2").unwrap();
        store
            .put_pointer(&path("simple/a/index.html"), b"a")
            .unwrap();
        store.flush().unwrap();
        store.end_pointers();
        assert_eq!(store.list().unwrap().len(), 5, "{fault:?}");
        assert_eq!(
            store.get(&timestamp, 9).unwrap().as_deref(),
            Some(&b"2"[..]),
            "{fault:?}"
        );
        for path in [&large, &plain] {
            assert!(
                store.get(path, u64::MAX).unwrap().as_ref() == Some(&bytes),
                "{fault:?}"
            );
        }
        store.remove(&small).unwrap();
        store.flush().unwrap();
        assert_eq!(store.get(&small, 9).unwrap(), None, "{fault:?}");
    }
}

#[test]
fn what_is_not_whole_is_nowhere() {
    let s3 = S3::start();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("upload");
    std::fs::write(&file, vec![7; (5 << 20) + 1]).unwrap();
    for fault in [
        Fault::Cut,
        Fault::Lost,
        Fault::Status(500),
        Fault::Status(503),
    ] {
        let faults = Faults::before(s3.port(), move |asked| {
            if asked.is_write() && asked.length > 0 {
                fault
            } else {
                Fault::None
            }
        });
        let mut store = s3.store_behind(&faults, "p");
        let put = store.put_new(&path("metadata/1.a.json"), b"{\"long\":1}");
        let put = put.and_then(|()| store.flush());
        assert!(
            matches!(put, Err(StoreError::Remote { .. })),
            "{fault:?}: {put:?}"
        );
        let upload = UploadPlace::File(file.clone());
        let put = store.put_new_upload(&path("targets/0.a"), &upload);
        let put = put.and_then(|()| store.flush());
        assert!(
            matches!(put, Err(StoreError::Remote { .. })),
            "{fault:?}: {put:?}"
        );
        store.begin_pointers().unwrap();
        let put = store.put_pointer(&path("metadata/timestamp.json"), b"{\"version\":1}");
        assert!(
            matches!(put, Err(StoreError::Remote { .. })),
            "{fault:?}: {put:?}"
        );
        assert_eq!(s3.store("p").list().unwrap(), [], "{fault:?}");
    }
}

#[test]
fn what_is_denied_is_said_at_once() {
    let s3 = S3::start();
    let faults = Faults::before(s3.port(), |_| Fault::Status(403));
    let mut store = s3.store_behind(&faults, "p");
    let put = store.put_new(&path("metadata/1.a.json"), b"{}");
    let error = put.and_then(|()| store.flush()).unwrap_err();
    assert!(matches!(error, StoreError::Denied { .. }), "{error:?}");
    let why = std::error::Error::source(&error).unwrap().to_string();
    assert!(why.contains("Fault403"), "{why}");
    assert_eq!(faults.seen().len(), 1, "no use in trying again");
    assert!(matches!(
        store.get(&path("x"), 9),
        Err(StoreError::Denied { .. })
    ));
    assert!(matches!(store.list(), Err(StoreError::List { .. })));
}

#[test]
fn many_writes_go_at_once_but_not_too_many() {
    let s3 = S3::start();
    let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let faults = Faults::before(s3.port(), |_| Fault::Delay(Duration::from_millis(20)));
    let mut limits = countersign_tests::s3::quick();
    limits.puts_at_once = 8;
    let endpoint = s3.endpoint(faults.port());
    let mut store = store_bucket::Bucket::open(S3::place("p"), &endpoint, limits).unwrap();
    // The plan is asked one request at a time; what is under way is counted around the delay instead.
    let (begun, highest) = (Arc::clone(&now), Arc::clone(&most));
    faults.plan(move |_| {
        highest.fetch_max(begun.load(Ordering::SeqCst), Ordering::SeqCst);
        Fault::Delay(Duration::from_millis(20))
    });
    for number in 0..64 {
        now.fetch_add(1, Ordering::SeqCst);
        store
            .put_new(&path(&format!("metadata/{number}.a.json")), b"{}")
            .unwrap();
    }
    store.flush().unwrap();
    assert_eq!(store.list().unwrap().len(), 64);
    let requests = faults.seen();
    assert_eq!(
        requests.iter().filter(|asked| asked.is_write()).count(),
        64,
        "one put each"
    );
    assert!(most.load(Ordering::SeqCst) >= 2, "they overlap");
}
