//! `countersign client download`: files that are what their roles say, or none.

use std::path::{Path, PathBuf};

use client::{ClientError, Session, VerifiedFile, found, local_name};
use index::DistributionFilename;
use metadata::TargetPath;
use serde::Serialize;

use super::place::PlaceArgs;
use crate::cli::JsonArgs;
use crate::clock;
use crate::console::Console;
use crate::data_dir::make_folder;
use crate::failure::Failure;
use crate::progress::Progress;
use crate::runtime;

/// Download files and verify them to the last byte
///
/// Refreshes first. A file appears in DIR whole and verified, or not at all; the first failure ends
/// the command.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// File names of wheels and sdists, or target paths
    #[arg(required = true, value_name = "TARGET")]
    targets: Vec<String>,

    /// Folder for the files
    #[arg(
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
}

#[derive(Serialize)]
struct Report {
    files: Vec<Downloaded>,
}

pub(crate) fn run(args: &Args, console: &Console) -> Result<(), Failure> {
    let updater = args.place.place()?.updater()?;
    let files = runtime::run(async {
        let session = updater.refresh(clock::now()).await?;
        make_folder(&args.dir)?;
        let progress = Progress::steps(console, args.targets.len(), "downloading");
        let mut files = Vec::new();
        for name in &args.targets {
            files.push(download(&session, name, &args.dir).await?);
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
    let (file, to) = if let Ok(filename) = DistributionFilename::parse(name) {
        (on_page(session, &filename).await?, dir.join(name))
    } else {
        let path = TargetPath::parse(name)?;
        let target = found(&path, session.find(&path).await)?;
        (target.into(), dir.join(local_name(&path)))
    };
    session.download_as(&file, &to).await?;
    Ok(Downloaded {
        target: file.path().to_string(),
        role: file.role().to_string(),
        sha256: file.hashes().get_sha256().map(|digest| digest.to_string()),
        file: to,
    })
}

/// What vouches for a file on its project's page.
async fn on_page(
    session: &Session,
    filename: &DistributionFilename,
) -> Result<VerifiedFile, Failure> {
    let project = filename.project();
    let page = session.project_page(project).await;
    let page = page.map_err(|error| match error {
        ClientError::Unclaimed { .. } => Failure::UnknownProject {
            filename: filename.to_string(),
            project: project.clone(),
        },
        other => other.into(),
    })?;
    let file = page.page().file(filename.as_str());
    let file = file.ok_or_else(|| ClientError::NotOnPage {
        project: project.clone(),
        filename: filename.to_string(),
    })?;
    Ok(session.file(&page, file).await?)
}
