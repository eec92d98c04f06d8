//! Attacks on project pages, and on the choice between two voices for one file: a role that speaks
//! for its path, or the page (PEP 458, PEP 480, DESIGN §4).

use client::ClientError;
use countersign_tests::{Bend, Simulator, User, fails, files, rejection};
use index::{
    DistributionFilename, PageError, PageFile, ProjectName, SimplePage, Status, Yanked, file_path,
    metadata_path, page_path,
};
use metadata::Sha256;
use trust::{Mismatch, Rejection};

fn project(name: &str) -> ProjectName {
    ProjectName::parse(name).unwrap()
}

fn file(name: &str, bytes: &[u8]) -> PageFile {
    PageFile {
        filename: DistributionFilename::parse(name).unwrap(),
        sha256: Sha256::of(bytes),
        size: bytes.len() as u64,
        requires_python: None,
        upload_time: None,
        yanked: Yanked::No,
        core_metadata: Some(Sha256::of(b"Metadata-Version: 2.1\n")),
    }
}

fn page(name: &str, files: Vec<PageFile>) -> Vec<u8> {
    let page = SimplePage::new(project(name), files, Status::default());
    page.unwrap().render_json()
}

/// Lists `bytes` as the page of a project in the bin it belongs to, and publishes.
fn publish_page(repository: &mut Simulator, name: &str, bytes: &[u8]) -> String {
    let path = page_path(&project(name)).to_string();
    let bin = repository.bin_of("bins", &path);
    repository.add_target(&bin, &path, bytes);
    repository.publish();
    path
}

async fn page_refused(bytes: Vec<u8>) -> PageError {
    let mut repository = Simulator::standard();
    let user = User::of(&repository);
    publish_page(&mut repository, "beta", &bytes);
    let session = user.refresh(&repository).await.unwrap();
    let refused = session.project_page(&project("beta")).await;
    fails(refused.is_err(), &refused);

    publish_page(&mut repository, "beta", &page("beta", vec![]));
    let session = user.refresh(&repository).await.unwrap();
    session.project_page(&project("beta")).await.unwrap();
    match refused {
        Err(ClientError::Page(error)) => error,
        other => panic!("{other:?}"),
    }
}

/// Wrong software (TUF 1.5.2): the signed page of one project, listed under the path of another.
#[tokio::test]
async fn page_of_another_project() {
    let refused = page_refused(page("alpha", vec![])).await;
    let is_other =
        matches!(&refused, PageError::OtherProject { found, .. } if *found == project("alpha"));
    assert!(is_other, "{refused:?}");
}

/// Wrong software: a page that offers another project's file, so that an installer which asks for one
/// project gets another.
#[tokio::test]
async fn page_that_lists_a_file_of_another_project() {
    let honest = page("beta", vec![file("beta-1.0.tar.gz", b"")]);
    let text = String::from_utf8(honest).unwrap();
    let evil = text.replace("beta-1.0.tar.gz", "evil-1.0.tar.gz");
    let refused = page_refused(evil.into_bytes()).await;
    assert!(matches!(refused, PageError::Filename { .. }), "{refused:?}");
}

/// Unicode tricks on a page: a file name with a letter that looks like another.
#[tokio::test]
async fn page_with_a_file_name_that_looks_like_another() {
    let honest = page("beta", vec![file("beta-1.0.tar.gz", b"")]);
    let text = String::from_utf8(honest).unwrap();
    for odd in [
        "bet\u{430}-1.0.tar.gz",
        "beta-1\u{ff0e}0.tar.gz",
        "../beta-1.0.tar.gz",
    ] {
        let evil = text.replace("beta-1.0.tar.gz", odd).into_bytes();
        let refused = page_refused(evil).await;
        assert!(matches!(refused, PageError::Filename { .. }), "{refused:?}");
    }
}

/// A page that lists one file twice, with different digests: readers keep the first or the last.
#[tokio::test]
async fn page_that_lists_a_file_twice() {
    let entry = |bytes: &[u8]| {
        let text = String::from_utf8(page("beta", vec![file("beta-1.0.tar.gz", bytes)])).unwrap();
        let json: serde_json::Value = serde_json::from_str(&text).unwrap();
        json
    };
    let (mut both, second) = (entry(b"one"), entry(b"two"));
    let files = both["files"].as_array_mut().unwrap();
    files.push(second["files"][0].clone());
    let refused = page_refused(both.to_string().into_bytes()).await;
    assert!(
        matches!(refused, PageError::Duplicate { .. }),
        "{refused:?}"
    );
}

/// A page of another major version of the API, whose members may mean something else (PEP 629).
#[tokio::test]
async fn page_of_another_major_version() {
    let text = String::from_utf8(page("beta", vec![])).unwrap();
    let from = r#""api-version":"1."#;
    assert!(text.contains(from));
    let evil = text.replace(from, r#""api-version":"2."#).into_bytes();
    let refused = page_refused(evil).await;
    assert!(
        matches!(refused, PageError::ApiVersion { .. }),
        "{refused:?}"
    );
}

/// Endless data (TUF 1.5.2): a page that is listed with more bytes than a page may have. Nothing of
/// it is fetched.
#[tokio::test]
async fn page_listed_beyond_the_limit() {
    let mut repository = Simulator::standard();
    let user = User::of(&repository);
    let path = page_path(&project("beta")).to_string();
    let bin = repository.bin_of("bins", &path);
    let huge = metadata::TargetFile::new(1 << 40, Sha256::of(b""));
    repository.list_target(&bin, &path, huge);
    repository.publish();
    repository.server().bend("*.json", Bend::Endless);
    repository.server().unbend();
    let session = user.refresh(&repository).await.unwrap();
    repository.server().take_requests();
    let refused = session.project_page(&project("beta")).await.unwrap_err();
    let asked = repository.server().take_requests();
    fails(
        !asked.iter().any(|name| name.starts_with("targets/")),
        &asked,
    );
    assert!(
        matches!(refused, ClientError::PageTooLarge { .. }),
        "{refused:?}"
    );
}

/// Publishes a page of `beta` with one file, whose bytes no role lists but the page binds.
fn bound_by_the_page(bytes: &[u8]) -> (Simulator, PageFile) {
    let mut repository = Simulator::standard();
    let listed = file("beta-3.0.tar.gz", bytes);
    repository.serve_target(file_path(&listed.filename).as_str(), bytes);
    publish_page(&mut repository, "beta", &page("beta", vec![listed.clone()]));
    (repository, listed)
}

/// Arbitrary software (TUF 1.5.2): other bytes of a distribution that the page binds (target profile
/// `pages`), of the same length, longer and shorter.
#[tokio::test]
async fn distribution_with_other_bytes_than_the_page_binds() {
    let (repository, listed) = bound_by_the_page(b"honest");
    let user = User::of(&repository);
    let session = user.refresh(&repository).await.unwrap();
    let page = session.project_page(&project("beta")).await.unwrap();
    let found = session.file(&page, &listed).await.unwrap();
    let name = repository.target_name(file_path(&listed.filename).as_str(), b"honest");
    for (bytes, why) in [
        ("hOnest", Mismatch::Hash),
        ("honest!", Mismatch::Longer { listed: 6 }),
        (
            "hones",
            Mismatch::Length {
                listed: 6,
                found: 5,
            },
        ),
    ] {
        repository.server().bend(&name, Bend::replaced(bytes));
        let refused = rejection(session.read(&found).await.unwrap_err());
        let is_why =
            matches!(&refused, Rejection::TargetMismatch { why: found, .. } if *found == why);
        assert!(is_why, "{refused:?}");
    }
    repository.server().unbend();
    assert_eq!(session.read(&found).await.unwrap(), b"honest");
}

/// Endless data: core metadata, whose length no page states, goes on without end.
#[tokio::test]
async fn core_metadata_without_end() {
    let (repository, listed) = bound_by_the_page(b"honest");
    let user = User::of(&repository);
    let session = user.refresh(&repository).await.unwrap();
    let page = session.project_page(&project("beta")).await.unwrap();
    let found = session.core_metadata(&page, &listed).await.unwrap();
    let path = metadata_path(&listed.filename).to_string();
    let name = repository.target_name(&path, b"Metadata-Version: 2.1\n");
    repository.server().bend(&name, Bend::Endless);
    let most = found.most();
    let refused = session.read(&found).await.unwrap_err();
    let sent = repository.server().requests().last().unwrap().sent();
    fails(sent <= most + 16_384, sent);
    let refused = rejection(refused);
    let is_longer = matches!(refused, Rejection::TargetMismatch { why: Mismatch::Longer { listed }, .. } if listed == most);
    assert!(is_longer, "{refused:?}");
}

/// Selective withholding: with the developers' role out of reach a page does not speak in its place,
/// though the page is there and binds the file (DESIGN §4: a failure, never a downgrade).
#[tokio::test]
async fn withheld_claim_does_not_leave_the_file_to_the_page() {
    let mut repository = Simulator::standard();
    let user = User::of(&repository);
    let evil = b"what a thief would like installed";
    let (_, name) = files::CLAIMED.rsplit_once('/').unwrap();
    let listed = file(name, evil);
    repository.serve_target(files::CLAIMED, evil);
    publish_page(
        &mut repository,
        "alpha",
        &page("alpha", vec![listed.clone()]),
    );
    for name in ["claimed", "project-alpha"] {
        let user = User::of(&repository);
        repository
            .server()
            .bend(&repository.name(name), Bend::Status(404));
        let session = user.refresh(&repository).await.unwrap();
        let page = session.project_page(&project("alpha")).await;
        let page = page.unwrap();
        let file = session.file(&page, &listed).await;
        fails(file.is_err(), &file);
        let error = file.unwrap_err();
        assert!(matches!(error, ClientError::Failed { .. }), "{error:?}");
        // Nor is it shown to an installer.
        let shown = session.listing(&page).await;
        assert_eq!(shown.page.files().len(), 0, "{name}");
        repository.server().unbend();
    }
    // In reach again, the role says other bytes than the page.
    let session = user.refresh(&repository).await.unwrap();
    let page = session.project_page(&project("alpha")).await.unwrap();
    let error = session.file(&page, &listed).await.unwrap_err();
    assert!(
        matches!(error, ClientError::PageDisagrees { .. }),
        "{error:?}"
    );
}

/// Key compromise of the online key: the page offers a release that the developer's role does not
/// list. It is withheld by name (DESIGN §7).
#[tokio::test]
async fn release_that_only_the_page_knows() {
    let mut repository = Simulator::standard();
    let user = User::of(&repository);
    let (_, name) = files::CLAIMED_ABSENT.rsplit_once('/').unwrap();
    let evil = file(name, b"what a thief would like installed");
    let (_, honest) = files::CLAIMED.rsplit_once('/').unwrap();
    let honest = file(honest, &files::content(files::CLAIMED));
    let bytes = page("alpha", vec![evil.clone(), honest]);
    publish_page(&mut repository, "alpha", &bytes);
    let session = user.refresh(&repository).await.unwrap();
    let page = session.project_page(&project("alpha")).await.unwrap();
    let shown = session.listing(&page).await;
    fails(shown.page.files().len() == 1, shown.page.files().len());
    assert_eq!(shown.withheld[0].file.filename, evil.filename);
    let error = session.file(&page, &evil).await.unwrap_err();
    assert!(matches!(error, ClientError::Terminated { .. }), "{error:?}");
}

/// A file of one page asked for with another page: what counts is the page's own entry.
#[tokio::test]
async fn entry_of_another_page() {
    let (repository, listed) = bound_by_the_page(b"honest");
    let user = User::of(&repository);
    let session = user.refresh(&repository).await.unwrap();
    let page = session.project_page(&project("beta")).await.unwrap();
    let mut forged = listed.clone();
    forged.sha256 = Sha256::of(b"what a thief would like installed");
    let found = session.file(&page, &forged).await.unwrap();
    fails(found.hashes().get_sha256() == Some(listed.sha256), &found);
    let other = file("beta-4.0.tar.gz", b"bytes");
    let error = session.file(&page, &other).await.unwrap_err();
    assert!(matches!(error, ClientError::NotOnPage { .. }), "{error:?}");
}
