//! `countersign client download`: files that are what their roles say, or none.

use std::path::{Path, PathBuf};

use client::{ClientError, Session, VerifiedFile, found, local_name};
use index::{DistributionFilename, PageFile, ProjectName, Yanked};
use metadata::TargetPath;
use serde::Serialize;

use super::place::PlaceArgs;
use super::wanted::{self, ChoiceArgs, Wanted};
use crate::cli::JsonArgs;
use crate::clock;
use crate::console::Console;
use crate::data_dir::make_folder;
use crate::failure::Failure;
use crate::progress::Progress;
use crate::runtime;

/// Download files and verify them to the last byte
///
/// A requirement such as `requests>=2.31` means all files of the newest version that fits: final
/// before pre-release, yanked only where `==` pins it. Nothing is resolved: dependencies, extras and
/// environment markers are read past, so name every project that is wanted, or give a file that an
/// installer has locked. Digests in that file (`--hash`) have to fit.
///
/// Refreshes first. A file appears in DIR whole and verified, or not at all; the first failure ends
/// the command.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Requirements, file names of wheels and sdists, or target paths
    #[arg(required_unless_present = "requirement", value_name = "REQUIREMENT")]
    wanted: Vec<String>,

    /// File of requirements, as pip reads them
    #[arg(short, long, value_name = "FILE", env = "COUNTERSIGN_REQUIREMENT")]
    requirement: Vec<PathBuf>,

    #[command(flatten)]
    choice: ChoiceArgs,

    /// Folder for the files
    #[arg(
        short,
        long,
        value_name = "DIR",
        default_value = ".",
        env = "COUNTERSIGN_DOWNLOAD_DIR"
    )]
    dir: PathBuf,

    #[command(flatten)]
    place: PlaceArgs,

    #[command(flatten)]
    json: JsonArgs,
}

/// A file that was verified.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Downloaded {
    /// Its target path.
    pub(crate) target: String,
    /// Where it is now.
    pub(crate) file: PathBuf,
    /// The role that vouches for it.
    pub(crate) role: String,
    /// The hashes it was checked against, algorithm first.
    pub(crate) sha256: Option<String>,
    /// Whether its project has withdrawn it (PEP 592).
    pub(crate) yanked: bool,
}

/// A file that was found: what it has to be, and its name here.
pub(super) struct Found {
    file: VerifiedFile,
    name: String,
    yanked: Yanked,
}

#[derive(Serialize)]
struct Report {
    files: Vec<Downloaded>,
}

pub(crate) fn run(args: &Args, console: &Console) -> Result<(), Failure> {
    let mut all = wanted::read(&args.requirement)?;
    for word in &args.wanted {
        all.push(Wanted::parse(word)?);
    }
    let updater = args.place.place()?.updater()?;
    let files = runtime::run(async {
        let session = updater.refresh(clock::now()).await?;
        let mut found = Vec::new();
        for wanted in &all {
            found.extend(find(&session, wanted, &args.choice).await?);
        }
        make_folder(&args.dir)?;
        let progress = Progress::steps(console, found.len(), "downloading");
        let mut files = Vec::new();
        for one in &found {
            files.push(fetch(&session, one, &args.dir).await?);
            progress.step();
        }
        Ok(files)
    })?;
    let report = Report { files };
    console.report(args.json.json, &report, || {
        let line = |one: &Downloaded| {
            let (file, role) = (one.file.display(), &one.role);
            format!("verified {file}: {} by word of {role}\n", one.target)
        };
        report.files.iter().map(line).collect()
    })
}

/// Downloads what `name` names: a distribution, through its project's page, or a target path.
pub(crate) async fn download(
    session: &Session,
    name: &str,
    dir: &Path,
) -> Result<Downloaded, Failure> {
    let found = match DistributionFilename::parse(name) {
        Ok(filename) => on_page(session, &filename).await?,
        Err(_) => at_path(session, &TargetPath::parse(name)?).await?,
    };
    fetch(session, &found, dir).await
}

/// What one argument or line means.
async fn find(
    session: &Session,
    wanted: &Wanted,
    choice: &ChoiceArgs,
) -> Result<Vec<Found>, Failure> {
    match wanted {
        Wanted::File(filename) => Ok(vec![on_page(session, filename).await?]),
        Wanted::Path(path) => Ok(vec![at_path(session, path).await?]),
        Wanted::Word(path, requirement) => match at_path(session, path).await {
            Err(Failure::Client(ClientError::Unclaimed { .. })) => {
                wanted::files(session, requirement, choice).await
            }
            found => Ok(vec![found?]),
        },
        Wanted::Requirement(requirement) => wanted::files(session, requirement, choice).await,
    }
}

async fn fetch(session: &Session, found: &Found, dir: &Path) -> Result<Downloaded, Failure> {
    let (file, to) = (&found.file, dir.join(&found.name));
    match &found.yanked {
        Yanked::No => {}
        Yanked::Yes => tracing::warn!("{} was yanked by its project", found.name),
        Yanked::Because(why) => tracing::warn!("{} was yanked: {why}", found.name),
    }
    session.download_as(file, &to).await?;
    Ok(Downloaded {
        target: file.path().to_string(),
        role: file.role().to_string(),
        sha256: file.hashes().get_sha256().map(|digest| digest.to_string()),
        file: to,
        yanked: found.yanked != Yanked::No,
    })
}

async fn at_path(session: &Session, path: &TargetPath) -> Result<Found, Failure> {
    let target = found(path, session.find(path).await)?;
    Ok(Found {
        file: target.into(),
        name: local_name(path),
        yanked: Yanked::No,
    })
}

/// What vouches for a file on its project's page.
async fn on_page(session: &Session, filename: &DistributionFilename) -> Result<Found, Failure> {
    let page = page(session, filename.project(), filename.as_str()).await?;
    let file = page.page().file(filename.as_str());
    let file = file.ok_or_else(|| ClientError::NotOnPage {
        project: filename.project().clone(),
        filename: filename.to_string(),
    })?;
    of_page(session, &page, file).await
}

/// A project's page; `wanted` is what was asked for.
pub(super) async fn page(
    session: &Session,
    project: &ProjectName,
    wanted: &str,
) -> Result<client::ProjectPage, Failure> {
    let page = session.project_page(project).await;
    page.map_err(|error| match error {
        ClientError::Unclaimed { .. } => Failure::UnknownProject {
            filename: wanted.to_owned(),
            project: project.clone(),
        },
        other => other.into(),
    })
}

pub(super) async fn of_page(
    session: &Session,
    page: &client::ProjectPage,
    file: &PageFile,
) -> Result<Found, Failure> {
    Ok(Found {
        file: session.file(page, file).await?,
        name: file.filename.to_string(),
        yanked: file.yanked.clone(),
    })
}
