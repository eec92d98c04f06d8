//! Attacks by names: role and target names that would become other files, paths or names (reference
//! F22–F24).

use countersign_tests::{Key, Simulator, User, fails, files, role};
use metadata::TargetPath;

/// Role-file-name collisions: a delegated role `Timestamp` must not take the place of the timestamp,
/// and its floor, where a file system ignores case.
#[tokio::test]
async fn role_named_like_the_timestamp_in_other_letters() {
    let mut repository = Simulator::bare();
    for name in ["Timestamp", "SNAPSHOT", "Root", "tArgets"] {
        let folder = format!("{name}/*");
        repository.delegate("targets", name, &[Key::ed25519("some")], &[&folder]);
        repository.add_target(name, &format!("{name}/file"), b"bytes");
    }
    repository.publish();
    let user = User::of(&repository);
    for name in ["Timestamp", "SNAPSHOT", "Root", "tArgets"] {
        let found = user.role_of(&repository, &format!("{name}/file")).await;
        assert_eq!(found, role(name));
    }
    let mut names: Vec<String> = std::fs::read_dir(user.datastore())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .map(|name| name.to_lowercase())
        .collect();
    names.sort_unstable();
    let all = names.len();
    names.dedup();
    fails(names.len() == all, &names);
    assert_eq!(
        user.kept("timestamp").unwrap(),
        repository.file("timestamp")
    );
    user.refresh(&repository).await.unwrap();
}

/// A role whose name is a path: its file stays in the folder of the metadata, here and there.
#[tokio::test]
async fn role_named_like_a_path() {
    let mut repository = Simulator::bare();
    let name = "../escaped";
    repository.delegate("targets", name, &[Key::ed25519("some")], &["a/*"]);
    repository.add_target(name, "a/file", b"bytes");
    repository.publish();
    let user = User::of(&repository);
    let found = user.find(&repository, "a/file").await;
    let outside = user.datastore().join("../escaped.json");
    fails(!outside.exists(), &outside);
    assert!(matches!(found, trust::Answer::Found(_)), "{found:?}");
    let asked = repository.server().take_requests();
    assert_eq!(asked[4], "metadata/1...%2Fescaped.json");
}

/// Two roles whose names differ, and would not in a file name that is escaped once: each keeps a file
/// of its own.
#[tokio::test]
async fn roles_whose_file_names_would_be_one() {
    let mut repository = Simulator::bare();
    for (name, folder) in [("a/b", "x"), ("a%2Fb", "y")] {
        let pattern = format!("{folder}/*");
        repository.delegate("targets", name, &[Key::ed25519(name)], &[&pattern]);
        repository.add_target(name, &format!("{folder}/file"), name.as_bytes());
    }
    repository.publish();
    let user = User::of(&repository);
    for (name, folder) in [("a/b", "x"), ("a%2Fb", "y")] {
        let bytes = user.download(&repository, &format!("{folder}/file")).await;
        fails(bytes.is_ok(), name);
        assert_eq!(bytes.unwrap(), name.as_bytes());
    }
    let kept = [user.kept("a/b").unwrap(), user.kept("a%2Fb").unwrap()];
    fails(kept[0] != kept[1], "one file for both");
}

/// A target path with escapes in it: they are letters of the path, never dots and slashes, in the URL
/// and on the disk.
#[tokio::test]
async fn target_path_with_escaped_dots() {
    let mut repository = Simulator::bare();
    let path = "a/%2e%2e/%2e%2e/%2e%2e/file";
    repository.add_target("targets", path, b"bytes");
    repository.publish();
    let user = User::of(&repository);
    let folder = tempfile::tempdir().unwrap();
    let saved = user.download_to(&repository, path, folder.path()).await;
    let asked = repository.server().take_requests();
    let last = asked.last().unwrap();
    fails(last.starts_with("targets/a/"), last);
    assert_eq!(saved.unwrap().parent().unwrap(), folder.path());
}

/// Two target paths that would be one file in the folder they are downloaded to.
#[tokio::test]
async fn target_paths_whose_local_names_would_be_one() {
    let mut repository = Simulator::bare();
    for path in ["a/b", "a%2Fb"] {
        repository.add_target("targets", path, path.as_bytes());
    }
    repository.publish();
    let user = User::of(&repository);
    let folder = tempfile::tempdir().unwrap();
    let mut saved = Vec::new();
    for path in ["a/b", "a%2Fb"] {
        let to = user.download_to(&repository, path, folder.path()).await;
        saved.push(to.unwrap());
    }
    fails(saved[0] != saved[1], &saved);
    assert_eq!(std::fs::read(&saved[0]).unwrap(), b"a/b");
    assert_eq!(std::fs::read(&saved[1]).unwrap(), b"a%2Fb");
}

/// A target whose file is asked for as a whole path, not as its last part: two files of one name in
/// two folders are two files.
#[tokio::test]
async fn same_file_name_in_another_folder() {
    let mut repository = Simulator::standard();
    let user = User::of(&repository);
    let (_, name) = files::PLAIN.rsplit_once('/').unwrap();
    let elsewhere = format!("elsewhere/{name}");
    repository.add_target("targets", &elsewhere, b"of the same name");
    repository.publish();
    let bytes = user.download(&repository, files::PLAIN).await.unwrap();
    fails(bytes == files::content(files::PLAIN), &bytes);
    let folder = tempfile::tempdir().unwrap();
    for path in [files::PLAIN, &elsewhere] {
        let saved = user.download_to(&repository, path, folder.path()).await;
        assert!(saved.is_ok(), "{saved:?}");
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2);
}

/// Unicode tricks: letters that look like others, or that fold to them, are no letters of a path, so
/// that nobody lists `p\u{430}ypal` beside `paypal` (reference F22).
#[tokio::test]
async fn letters_that_look_like_others() {
    for bad in [
        "packages/p\u{430}ypal",
        "packages/\u{212a}ernel",
        "packages/pay\u{200b}pal",
        "packages/\u{ff50}aypal",
        "packages/pay\u{ad}pal",
        "packages/\u{202e}lapyap",
    ] {
        assert!(TargetPath::parse(bad).is_err(), "{bad}");
        let mut repository = Simulator::bare();
        repository.add_target("targets", "packages/paypal", b"bytes");
        repository.publish();
        let user = User::of(&repository);
        repository
            .tamper("targets")
            .text(move |text| text.replace("packages/paypal", bad));
        repository.publish();
        let refused = user.refused(&repository).await;
        let is_path = matches!(
            &refused,
            trust::Rejection::Malformed {
                source: metadata::MetadataError::TargetPath { .. },
                ..
            }
        );
        assert!(is_path, "{bad}: {refused:?}");
        repository.publish();
        user.refresh(&repository).await.unwrap();
    }
}
