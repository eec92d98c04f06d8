//! Extraneous dependencies (TUF 1.5.2): what an installer installs beside a distribution it reads from
//! the project's page and from the distribution's core metadata, so neither may be altered.

use client::{ClientError, ProjectPage, Session};
use countersign_tests::{Bend, Simulator, User, files, rejection};
use index::{
    DistributionFilename, PageFile, ProjectName, SimplePage, Status, Yanked, metadata_path,
    page_path,
};
use metadata::Sha256;
use trust::{Mismatch, Rejection};

const HONEST: &[u8] = b"Metadata-Version: 2.1\nName: beta\nVersion: 1.0\n";
const EVIL: &[u8] = b"Metadata-Version: 2.1\nName: beta\nVersion: 1.0\nRequires-Dist: evil\n";

fn file_of(path: &str, core_metadata: &[u8]) -> PageFile {
    let (_, filename) = path.rsplit_once('/').unwrap();
    let bytes = files::content(path);
    PageFile {
        filename: DistributionFilename::parse(filename).unwrap(),
        sha256: Sha256::of(&bytes),
        size: bytes.len() as u64,
        requires_python: None,
        upload_time: None,
        yanked: Yanked::No,
        core_metadata: Some(Sha256::of(core_metadata)),
    }
}

fn project(name: &str) -> ProjectName {
    ProjectName::parse(name).unwrap()
}

/// Lists a page with one file in the bin it belongs to, and publishes.
fn publish_page(repository: &mut Simulator, name: &str, file: PageFile) -> (String, Vec<u8>) {
    let page = SimplePage::new(project(name), vec![file], Status::default()).unwrap();
    let (path, bytes) = (page_path(&project(name)).to_string(), page.render_json());
    let bin = repository.bin_of("bins", &path);
    repository.add_target(&bin, &path, &bytes);
    repository.publish();
    (path, bytes)
}

/// What the client hands on as the core metadata of the page's only file.
async fn core_metadata(session: &Session, page: &ProjectPage) -> Result<Vec<u8>, ClientError> {
    let file = &page.page().files()[0];
    let found = session.core_metadata(page, file).await?;
    session.read(&found).await
}

/// A mirror serves core metadata that requires one project more.
#[tokio::test]
async fn core_metadata_with_another_dependency() {
    let mut repository = Simulator::standard();
    let user = User::of(&repository);
    let file = file_of(files::PLAIN, HONEST);
    let path = metadata_path(&file.filename).to_string();
    publish_page(&mut repository, "beta", file);
    repository.serve_target(&path, HONEST);
    let name = repository.target_name(&path, HONEST);
    repository.server().bend(&name, Bend::replaced(EVIL));

    let session = user.refresh(&repository).await.unwrap();
    let page = session.project_page(&project("beta")).await.unwrap();
    let refused = rejection(core_metadata(&session, &page).await.unwrap_err());
    let Rejection::TargetMismatch { path: of, why, .. } = refused else {
        panic!("{refused:?}")
    };
    assert_eq!((of.as_str(), why), (path.as_str(), Mismatch::Hash));

    repository.server().unbend();
    assert_eq!(core_metadata(&session, &page).await.unwrap(), HONEST);
}

/// A mirror serves a page that binds other core metadata, of the same length.
#[tokio::test]
async fn page_that_binds_other_core_metadata() {
    let mut repository = Simulator::standard();
    let user = User::of(&repository);
    let (path, honest) = publish_page(&mut repository, "beta", file_of(files::PLAIN, HONEST));
    let evil = SimplePage::new(
        project("beta"),
        vec![file_of(files::PLAIN, EVIL)],
        Status::default(),
    );
    let evil = evil.unwrap().render_json();
    assert_eq!(evil.len(), honest.len());
    let name = repository.target_name(&path, &honest);
    repository.server().bend(&name, Bend::replaced(evil));

    let session = user.refresh(&repository).await.unwrap();
    let refused = rejection(session.project_page(&project("beta")).await.unwrap_err());
    let Rejection::TargetMismatch { path: of, why, .. } = refused else {
        panic!("{refused:?}")
    };
    assert_eq!((of.as_str(), why), (path.as_str(), Mismatch::Hash));

    repository.server().unbend();
    session.project_page(&project("beta")).await.unwrap();
}

/// The index itself, with its online key, binds other core metadata to a file that a developer
/// signed: the page does not count where a project's role speaks.
#[tokio::test]
async fn page_that_overrules_the_developer() {
    let mut repository = Simulator::standard();
    let user = User::of(&repository);
    let file = file_of(files::CLAIMED, EVIL);
    let path = metadata_path(&file.filename).to_string();
    publish_page(&mut repository, "alpha", file);
    repository.serve_target(&path, EVIL);
    let bin = repository.bin_of("bins", &path);
    repository.add_target(&bin, &path, EVIL);
    repository.publish();

    let session = user.refresh(&repository).await.unwrap();
    let page = session.project_page(&project("alpha")).await.unwrap();
    let refused = core_metadata(&session, &page).await.unwrap_err();
    let ClientError::Terminated { path: of, role } = &refused else {
        panic!("{refused:?}")
    };
    assert_eq!(of.as_str(), path);
    assert_eq!(*role, countersign_tests::role("project-alpha"));

    // With the developer's key as well it goes through: what holds is that key and nothing else.
    repository.add_target("project-alpha", &path, EVIL);
    repository.publish();
    let session = user.refresh(&repository).await.unwrap();
    let page = session.project_page(&project("alpha")).await.unwrap();
    assert_eq!(core_metadata(&session, &page).await.unwrap(), EVIL);
}
