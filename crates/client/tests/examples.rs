//! The examples do what their first lines say, on the repository of these tests, signed for the first day of 2030.

#[path = "../examples/download.rs"]
#[allow(dead_code, reason = "its `main` is not called here")]
mod download;
#[path = "../examples/offline.rs"]
#[allow(dead_code, reason = "its `main` is not called here")]
mod offline;

use chrono::{DateTime, Utc};

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

#[tokio::test]
async fn a_download_then_the_same_offline() {
    let repository = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/repository");
    let url = url::Url::from_directory_path(&repository)
        .unwrap()
        .to_string();
    let folder = tempfile::tempdir().unwrap();
    let text = |path: &std::path::Path| path.to_str().unwrap().to_owned();
    let words = |path: &str| {
        let root = text(&repository.join("1.root.json"));
        [
            url.clone(),
            url.clone(),
            root,
            path.to_owned(),
            text(folder.path()),
        ]
    };
    let day = at("2030-01-01T00:00:00Z");
    let file = download::run(&words("hello.txt"), day).await.unwrap();
    assert_eq!(std::fs::read(&file).unwrap(), b"Hello.\n");
    let absent = download::run(&words("absent.txt"), day).await.unwrap_err();
    assert_eq!(
        absent.to_string(),
        "`absent.txt` is not signed: no role lists it"
    );
    assert!(download::run(&[], day).await.is_err());

    let trusted = text(&folder.path().join("trusted"));
    let offline = |path: &str, now| {
        let words = [trusted.clone(), path.to_owned()];
        async move { offline::run(&words, now).await }
    };
    let known = offline("hello.txt", day).await.unwrap();
    assert_eq!(known, "hello.txt: 7 bytes, by word of targets");
    let absent = offline("absent.txt", day).await.unwrap();
    assert_eq!(absent, "absent.txt: nobody lists it");
    let late = offline("hello.txt", at("2030-01-03T00:00:00Z")).await;
    assert!(late.unwrap_err().to_string().contains("expired"));
}
