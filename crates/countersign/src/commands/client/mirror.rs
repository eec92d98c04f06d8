//! `countersign client mirror`: a copy of some projects that verifies anywhere.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use index::ProjectName;
use serde::Serialize;

use super::place::PlaceArgs;
use crate::cli::JsonArgs;
use crate::clock;
use crate::console::{Console, in_one_line};
use crate::data_dir::make_folder;
use crate::failure::Failure;
use crate::replace_file::replace_file;
use crate::runtime;

/// Copy projects with everything that proves them, to be read offline or on the other side of a gap
///
/// DIR becomes a repository of its own: `file://DIR/` can be given to `countersign trust add`, and any web
/// server can serve it to any TUF client. Nothing in it is signed anew and nobody has to trust it: it is
/// held to the same root. It stays valid as long as its timestamp does; run the command again to bring it
/// up to date, with the projects it has and those named. Snapshot deltas come along, so that clients of the
/// copy fetch as little as those of the index. Nothing is ever removed.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Projects; those already in DIR stay
    #[arg(value_name = "PROJECT", value_parser = ProjectName::parse)]
    projects: Vec<ProjectName>,

    /// Folder of the copy
    #[arg(short, long, value_name = "DIR", env = "COUNTERSIGN_DIR")]
    dir: PathBuf,

    #[command(flatten)]
    place: PlaceArgs,

    #[command(flatten)]
    json: JsonArgs,
}

/// The projects of a copy, one a line.
const PROJECTS: &str = "projects.txt";

#[derive(Serialize)]
struct Report {
    projects: Vec<String>,
    roots: Vec<u64>,
    roles: usize,
    deltas: usize,
    targets: usize,
    bytes: u64,
    valid_until: String,
    withheld: Vec<Withheld>,
}

#[derive(Serialize)]
struct Withheld {
    file: String,
    why: String,
}

pub(crate) fn run(args: &Args, console: &Console) -> Result<(), Failure> {
    let list = args.dir.join(PROJECTS);
    let mut projects = read(&list)?;
    projects.extend(args.projects.iter().cloned());
    if projects.is_empty() {
        let dir = args.dir.clone();
        return Err(Failure::NothingToMirror { dir });
    }
    let projects: Vec<_> = projects.into_iter().collect();
    let updater = args.place.place()?.updater()?;
    let report = runtime::run(async {
        let now = clock::now();
        let session = updater.refresh(now).await?;
        make_folder(&args.dir)?;
        let made = session.mirror(&projects, &args.dir, now).await?;
        Ok(Report {
            projects: projects.iter().map(ToString::to_string).collect(),
            roots: made.roots.iter().map(|version| version.get()).collect(),
            roles: made.roles,
            deltas: made.deltas,
            targets: made.targets.len(),
            bytes: made
                .targets
                .iter()
                .filter_map(client::VerifiedFile::length)
                .sum(),
            valid_until: session.valid_until().to_rfc3339(),
            withheld: made.withheld.iter().map(Withheld::of).collect(),
        })
    })?;
    // Last: a project that could not be copied would be in the way of every later update.
    let lines: Vec<String> = report.projects.iter().map(|it| format!("{it}\n")).collect();
    replace_file(&list, lines.concat().as_bytes())?;
    for file in &report.withheld {
        tracing::warn!("{} was left out: {}", file.file, file.why);
    }
    console.report(args.json.json, &report, || {
        format!(
            "{} holds {} projects: {} pages and files, {} roles and roots\nvalid until {}",
            args.dir.display(),
            report.projects.len(),
            report.targets,
            report.roles + report.roots.len() + 3,
            report.valid_until
        )
    })
}

impl Withheld {
    fn of(withheld: &client::Withheld) -> Self {
        Self {
            file: withheld.file.filename.to_string(),
            why: in_one_line(&withheld.error),
        }
    }
}

fn read(list: &Path) -> Result<BTreeSet<ProjectName>, Failure> {
    let failed = |source| Failure::Io {
        doing: "read",
        path: list.to_owned(),
        source,
    };
    let text = match fs::read_to_string(list) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(BTreeSet::new()),
        text => text.map_err(failed)?,
    };
    let names = text.lines().map(|line| ProjectName::parse(line.trim()));
    let names: Result<_, _> = names.collect();
    names.map_err(|error| failed(io::Error::other(error)))
}
