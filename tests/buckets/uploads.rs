//! Uploads that lie in a bucket until they are published.

use std::io::{Read, Write};

use chrono::Utc;
use countersign_tests::faults::{Fault, Faults, ask};
use countersign_tests::s3::{BUCKET, S3};
use metadata::Sha256;
use repository::{Store, StoreError, UploadPlace, Uploads};
use store_bucket::BucketUploads;

use crate::store::path;

fn keep(uploads: &BucketUploads, bytes: &[u8]) -> Sha256 {
    let digest = Sha256::of(bytes);
    let mut upload = uploads.begin().unwrap();
    upload.write_all(bytes).unwrap();
    upload.keep(&digest).unwrap();
    uploads.flush().unwrap();
    digest
}

#[test]
fn an_upload_is_kept_published_and_removed() {
    let s3 = S3::start();
    s3.make("intake-box");
    let limits = countersign_tests::s3::quick();
    let elsewhere = "s3://intake-box/new".parse().unwrap();
    let elsewhere = BucketUploads::open(elsewhere, &s3.endpoint(s3.port()), limits).unwrap();
    let mut store = s3.store("public");
    for (uploads, name) in [(s3.uploads("private"), "one"), (elsewhere, "other")] {
        drop(uploads.begin().unwrap().write_all(b"given up"));
        for length in [3, (11 << 20) + 1] {
            let bytes: Vec<u8> = (0..length).map(|n: u32| (n >> 7) as u8).collect();
            let digest = keep(&uploads, &bytes);
            // Once more, by another machine.
            assert_eq!(keep(&uploads, &bytes), digest);
            let mut read = Vec::new();
            let mut opened = uploads.open(&digest).unwrap().unwrap();
            opened.read_to_end(&mut read).unwrap();
            assert!(read == bytes);
            assert!(uploads.written(&digest).unwrap().unwrap() > Utc::now());
            let listed = uploads.list().unwrap();
            assert_eq!(listed.len(), 1);
            assert_eq!(listed[0].name, digest.to_string());
            let target = path(&format!("targets/packages/aa/a/{name}-{length}"));
            store
                .put_new_upload(&target, &uploads.place(&digest))
                .unwrap();
            store
                .put_new_upload(&target, &uploads.place(&digest))
                .unwrap();
            store.flush().unwrap();
            assert!(store.get(&target, u64::MAX).unwrap().as_ref() == Some(&bytes));
            let answer = ask(
                s3.port(),
                "HEAD",
                &format!("/{BUCKET}/public/{target}"),
                b"",
            );
            let answer = answer.to_ascii_lowercase();
            assert!(answer.contains("max-age=31536000, immutable"), "{answer}");
            uploads.remove(&digest.to_string()).unwrap();
            uploads.remove(&digest.to_string()).unwrap();
            assert!(uploads.open(&digest).unwrap().is_none());
            assert_eq!(uploads.written(&digest).unwrap(), None);
        }
        assert!(uploads.remove("../public/metadata").is_err());
    }
}

/// The bucket is not trusted: what was put in an upload's place is not published.
#[test]
fn an_altered_upload_is_not_published() {
    let s3 = S3::start();
    let uploads = s3.uploads("private");
    let mut store = s3.store("public");
    let target = path("targets/packages/aa/a/0.a");
    for length in [3, (5 << 20) + 1] {
        let bytes = vec![7; length];
        let digest = keep(&uploads, &bytes);
        let UploadPlace::Object { key, .. } = uploads.place(&digest) else {
            panic!("it lies in a bucket");
        };
        let mut other = bytes.clone();
        other[0] ^= 1;
        let put = ask(s3.port(), "PUT", &format!("/{BUCKET}/{key}"), &other);
        assert!(put.starts_with("HTTP/1.1 200"), "{put}");
        let put = store.put_new_upload(&target, &uploads.place(&digest));
        let put = put.and_then(|()| store.flush());
        assert!(matches!(put, Err(StoreError::Altered { .. })), "{put:?}");
        assert_eq!(store.get(&target, u64::MAX).unwrap(), None);
        uploads.remove(&digest.to_string()).unwrap();
        let put = store.put_new_upload(&target, &uploads.place(&digest));
        let put = put.and_then(|()| store.flush());
        assert!(
            matches!(put, Err(StoreError::Altered { .. })),
            "gone: {put:?}"
        );
    }
}

/// Between being read and being copied by the service.
#[test]
fn an_upload_altered_behind_its_check_is_not_published() {
    let s3 = S3::start();
    let uploads = s3.uploads("private");
    let bytes = vec![7; (5 << 20) + 1];
    let digest = keep(&uploads, &bytes);
    let UploadPlace::Object { key, .. } = uploads.place(&digest) else {
        panic!("it lies in a bucket");
    };
    let port = s3.port();
    let faults = Faults::before(port, move |asked| {
        if asked.header("x-amz-copy-source").is_some() {
            drop(ask(
                port,
                "PUT",
                &format!("/{BUCKET}/{key}"),
                b"other bytes",
            ));
        }
        Fault::None
    });
    let mut store = s3.store_behind(&faults, "public");
    let target = path("targets/packages/aa/a/0.a");
    let put = store.put_new_upload(&target, &uploads.place(&digest));
    assert!(put.and_then(|()| store.flush()).is_err());
    assert_eq!(store.get(&target, u64::MAX).unwrap(), None);
}
