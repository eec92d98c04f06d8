//! Pages, and who is heard on their files.

use std::sync::Arc;

use index::Status;
use url::Url;

use super::*;
use crate::testing::{BASE, Repository, now};
use crate::{Datastore, Kind, Transport, Updater, UpdaterConfig, init};

const WHEEL: &str = "x-1.0-py3-none-any.whl";
const SDIST: &str = "x-1.0.tar.gz";

fn project() -> ProjectName {
    ProjectName::parse("x").unwrap()
}

fn entry(filename: &str, bytes: &[u8]) -> PageFile {
    PageFile {
        filename: DistributionFilename::parse_for(filename, &project()).unwrap(),
        sha256: Sha256::of(bytes),
        size: bytes.len() as u64,
        requires_python: None,
        upload_time: None,
        yanked: index::Yanked::No,
        core_metadata: (filename == WHEEL).then(|| Sha256::of(b"metadata")),
    }
}

/// A repository whose bin lists the page (and `in_bin`), and whose project role, if there is one,
/// lists `claimed`.
async fn session(
    in_bin: &[(String, &[u8])],
    claimed: Option<&[(String, &[u8])]>,
) -> (tempfile::TempDir, Repository, Session) {
    let mut repository = Repository::new();
    let files = vec![entry(WHEEL, b"wheel"), entry(SDIST, b"sdist")];
    let page = SimplePage::new(project(), files, Status::default())
        .unwrap()
        .render_json();
    let page_at = page_path(&project()).to_string();
    repository.file(&page_at, &page);
    let claims = claimed.map(|_| {
        let pattern = format!("packages/{}/x/*", project().shard());
        repository.delegations(&[("project-x", &pattern, true)])
    });
    let top = repository.delegations(&[("claimed", "packages/*/*/*", false), ("bin-0", "", false)]);
    repository.targets("targets", 1, &[], Some(top));
    repository.targets("claimed", 1, &[], claims);
    let mut listed: Vec<(&str, &[u8])> = vec![(&page_at, &page)];
    listed.extend(in_bin.iter().map(|(path, bytes)| (path.as_str(), *bytes)));
    repository.targets("bin-0", 1, &listed, None);
    if let Some(files) = claimed {
        let listed: Vec<_> = files
            .iter()
            .map(|(path, bytes)| (path.as_str(), *bytes))
            .collect();
        repository.targets("project-x", 1, &listed, None);
    }
    repository.publish(1);
    let dir = tempfile::tempdir().unwrap();
    let datastore = Datastore::open(dir.path()).unwrap();
    let base: Url = BASE.parse().unwrap();
    let config = UpdaterConfig::new(base.clone(), base);
    init(&datastore, &repository.root(1), &config.rules)
        .await
        .unwrap();
    let transport = Arc::clone(&repository.memory) as Arc<dyn Transport>;
    let updater = Updater::new(config, datastore, transport).unwrap();
    let session = updater.refresh(now()).await.unwrap();
    (dir, repository, session)
}

fn wheel_at() -> String {
    file_path(&entry(WHEEL, b"").filename).to_string()
}

fn metadata_at() -> String {
    metadata_path(&entry(WHEEL, b"").filename).to_string()
}

#[tokio::test]
async fn a_page_binds_files_that_no_role_speaks_for() {
    let (_dir, repository, session) = session(&[], None).await;
    let page = session.project_page(&project()).await.unwrap();
    assert_eq!(page.target().role().name(), "bin-0");
    assert_eq!(session.listing(&page).await.page, *page.page());
    repository.memory.requests();
    session
        .project_page_from(&project(), Some(&page))
        .await
        .unwrap();
    assert!(repository.memory.requests().is_empty());
    let file = session.file(&page, &page.page().files()[0]).await.unwrap();
    assert_eq!((file.length(), file.target()), (Some(5), None));
    repository.file(&wheel_at(), b"wheel");
    assert_eq!(session.read(&file).await.unwrap(), b"wheel");
    let metadata = session
        .core_metadata(&page, &page.page().files()[0])
        .await
        .unwrap();
    repository.file(&metadata_at(), b"metadata");
    assert_eq!(session.read(&metadata).await.unwrap(), b"metadata");
    let sdist = &page.page().files()[1];
    let none = session.core_metadata(&page, sdist).await.unwrap_err();
    assert!(matches!(none, ClientError::NotOnPage { .. }));
    let foreign = entry("x-9.zip", b"");
    assert_eq!(
        session.file(&page, &foreign).await.unwrap_err().kind(),
        Kind::NotSigned
    );
}

#[tokio::test]
async fn a_role_that_lists_a_file_has_to_agree_with_the_page() {
    let (_dir, _repository, same) = session(&[(wheel_at(), b"wheel")], None).await;
    let page = same.project_page(&project()).await.unwrap();
    let file = same.file(&page, &page.page().files()[0]).await.unwrap();
    assert_eq!(file.target().unwrap().role().name(), "bin-0");
    for other in [b"WHEEL".as_slice(), b"wheel!"] {
        let (_dir, _repository, session) = session(&[(wheel_at(), other)], None).await;
        let page = session.project_page(&project()).await.unwrap();
        let error = session
            .file(&page, &page.page().files()[0])
            .await
            .unwrap_err();
        assert!(matches!(error, ClientError::PageDisagrees { .. }));
    }
}

#[tokio::test]
async fn a_claimed_project_answers_for_each_of_its_files() {
    let claimed = [(wheel_at(), b"wheel".as_slice()), (metadata_at(), b"other")];
    let (_dir, repository, session) = session(&[], Some(&claimed)).await;
    let page = session.project_page(&project()).await.unwrap();
    let listing = session.listing(&page).await;
    assert_eq!(listing.page.files().len(), 1);
    assert_eq!(listing.withheld[0].file.filename.as_str(), SDIST);
    assert!(matches!(
        listing.withheld[0].error,
        ClientError::Terminated { .. }
    ));
    let [wheel, sdist] = page.page().files() else {
        panic!("two files")
    };
    assert_eq!(
        session.file(&page, wheel).await.unwrap().role().name(),
        "project-x"
    );
    assert_eq!(
        session.file(&page, sdist).await.unwrap_err().exit_code(),
        14
    );
    let error = session.core_metadata(&page, wheel).await.unwrap_err();
    assert!(matches!(error, ClientError::PageDisagrees { .. }));
    let [left_out] = &listing.without_metadata[..] else {
        panic!("{:?}", listing.without_metadata)
    };
    assert_eq!(left_out.file.filename.as_str(), WHEEL);
    assert_eq!(left_out.error.to_string(), error.to_string());
    drop(repository);
}

#[tokio::test]
async fn what_a_role_lists_and_the_page_does_not_is_found() {
    let at = |name: &str| {
        let name = DistributionFilename::parse_for(name, &project()).unwrap();
        file_path(&name).to_string()
    };
    let hidden = ["x-1.1-py3-none-any.whl", "x-1.1.tar.gz"];
    let mut claimed = vec![
        (wheel_at(), b"wheel".as_slice()),
        (metadata_at(), b"metadata"),
    ];
    claimed.extend(hidden.map(|name| (at(name), b"new".as_slice())));
    claimed.push((at(hidden[0]) + ".metadata", b"of it"));
    let (_dir, _repository, session) = session(&[], Some(&claimed)).await;
    let page = session.project_page(&project()).await.unwrap();
    let found = session.hidden(&page).await;
    let names: Vec<_> = found.iter().map(|it| it.path().file_name()).collect();
    assert_eq!(names, hidden);
    assert!(found.iter().all(|it| it.role().name() == "project-x"));
    assert!(session.listing(&page).await.without_metadata.is_empty());
}

#[tokio::test]
async fn nothing_is_hidden_where_nobody_claims_or_the_role_fails() {
    let new = file_path(&entry(SDIST, b"").filename).to_string() + ".zip";
    let (_dir, repository, unclaimed) = session(&[(new, b"new")], None).await;
    let page = unclaimed.project_page(&project()).await.unwrap();
    repository.memory.requests();
    assert!(unclaimed.hidden(&page).await.is_empty());
    // No bin is fetched to know that.
    let asked = repository.memory.requests();
    assert!(!asked.iter().any(|it| it.contains("bin")), "{asked:?}");
    let (_dir, repository, missing) = session(&[], Some(&[(wheel_at(), b"wheel")])).await;
    repository.memory.remove("1.project-x.json");
    let page = missing.project_page(&project()).await.unwrap();
    assert!(missing.hidden(&page).await.is_empty());
}

#[tokio::test]
async fn a_missing_role_withholds_instead_of_falling_back_to_the_page() {
    let (_dir, repository, session) = session(&[], Some(&[(wheel_at(), b"wheel")])).await;
    repository.memory.remove("1.project-x.json");
    let page = session.project_page(&project()).await.unwrap();
    let listing = session.listing(&page).await;
    assert!(listing.page.files().is_empty());
    assert!(
        listing
            .withheld
            .iter()
            .all(|it| it.error.kind() == Kind::Network)
    );
    let error = session
        .file(&page, &page.page().files()[0])
        .await
        .unwrap_err();
    assert!(matches!(error, ClientError::Failed { .. }));
}

#[tokio::test]
async fn pages_are_checked_and_bounded() {
    let (_dir, repository, session) = session(&[], None).await;
    let none = ProjectName::parse("nobody").unwrap();
    assert_eq!(
        session.project_page(&none).await.unwrap_err().exit_code(),
        14
    );
    let at = page_path(&project());
    let target = found(&at, session.find(&at).await).unwrap();
    let name = at.with_digest(&target.file().hashes.get_sha256().unwrap());
    let mut page = repository.memory.remove(&name);
    page[0] ^= 1;
    repository.memory.put(&name, &page);
    assert_eq!(
        session
            .project_page(&project())
            .await
            .unwrap_err()
            .exit_code(),
        10
    );
}
