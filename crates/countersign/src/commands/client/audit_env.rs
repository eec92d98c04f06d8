//! `countersign client audit-env`: is what is installed what was signed?

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use client::{ClientError, ProjectPage, Session};
use index::{DistributionKind, PageFile, ProjectName, Version440, Yanked};
use serde::Serialize;

use super::place::PlaceArgs;
use crate::cli::JsonArgs;
use crate::clock;
use crate::console::{Console, in_one_line};
use crate::failure::Failure;
use crate::installed::{
    Deviation, Installed, Origin, WheelFiles, compare, installed, site_packages, unowned,
};
use crate::progress::Progress;
use crate::runtime;

/// Wheels of one version that are tried where none has the tags of the one installed.
const TRIED: usize = 8;

/// Check that an installed environment is, file by file, what the index signs
///
/// For each distribution the wheel it came from is fetched, verified and held against the files that
/// are there. What is altered, missing or added is named, and so is what no index speaks for: builds
/// of source distributions, direct URLs, editable projects, files that belong to nothing. Any of that
/// ends with code 1.
///
/// The interpreter and its standard library are not checked, nor the bytecode in `__pycache__`, which
/// nobody signs: it is counted, and can be deleted. Nothing of a virtual environment is run.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Virtual environment, or its interpreter, or another [default: the one that is active]
    #[arg(value_name = "PYTHON", conflicts_with = "path")]
    python: Option<PathBuf>,

    /// Folder of installed distributions
    #[arg(long, value_name = "SITE-PACKAGES", env = "COUNTERSIGN_PATH")]
    path: Vec<PathBuf>,

    /// Project or file that is known and does not count, such as `pip` where the index has none
    #[arg(
        long,
        value_name = "NAME",
        value_delimiter = ',',
        env = "COUNTERSIGN_IGNORE"
    )]
    ignore: Vec<String>,

    #[command(flatten)]
    place: PlaceArgs,

    #[command(flatten)]
    json: JsonArgs,
}

#[derive(Default, Serialize)]
struct Report {
    /// The folders checked.
    folders: Vec<PathBuf>,
    distributions: Vec<Checked>,
    /// Files that belong to no distribution.
    unowned: Vec<PathBuf>,
    /// Files of bytecode, which nobody signs.
    bytecode: usize,
    /// Distributions and unowned files that deviate.
    deviating: usize,
}

/// What was found of one distribution.
#[derive(Serialize)]
struct Checked {
    project: String,
    version: String,
    /// `signed`, `yanked`, `ignored`, or why not: `altered`, `not-signed`, `elsewhere`, `editable`,
    /// `unknown`, or the kind of a refusal.
    verdict: &'static str,
    /// The wheel it was held against.
    wheel: Option<String>,
    /// The role that vouches for that.
    role: Option<String>,
    why: Option<String>,
    files: Vec<Deviation>,
}

pub(crate) fn run(args: &Args, console: &Console) -> Result<(), Failure> {
    let folders = if args.path.is_empty() {
        site_packages(args.python.as_deref())?
    } else {
        args.path.clone()
    };
    let updater = args.place.place()?.updater()?;
    let report = runtime::run(async {
        let session = updater.refresh(clock::now()).await?;
        let mut report = Report::default();
        for folder in &folders {
            audit(&session, folder, args, console, &mut report).await?;
        }
        Ok(report)
    })?;
    console.report(args.json.json, &report, || report.text())?;
    match report.deviating {
        0 => Ok(()),
        deviating => Err(Failure::Deviates { deviating }),
    }
}

async fn audit(
    session: &Session,
    folder: &Path,
    args: &Args,
    console: &Console,
    report: &mut Report,
) -> Result<(), Failure> {
    let failed = |source| Failure::Io {
        doing: "read",
        path: folder.to_owned(),
        source,
    };
    let folder = folder.canonicalize().map_err(failed)?;
    let all = installed(&folder).map_err(failed)?;
    let progress = Progress::steps(console, all.len(), "checking");
    let mut owned = BTreeSet::new();
    for one in &all {
        let checked = match Wanted::of(one, args) {
            Ok(wanted) => check(session, &folder, one, &wanted).await?,
            Err(checked) => *checked,
        };
        report.deviating += usize::from(checked.deviates());
        report.distributions.push(checked);
        owned.extend(one.files.iter().cloned());
        progress.step();
    }
    let (mut files, bytecode) = unowned(&folder, &owned).map_err(failed)?;
    files.retain(|path| {
        let name = path.file_name().map(|name| name.to_string_lossy());
        !args
            .ignore
            .iter()
            .any(|it| Some(it.as_str()) == name.as_deref())
    });
    report.deviating += files.len();
    report.unowned.extend(files);
    report.bytecode += bytecode;
    report.folders.push(folder);
    Ok(())
}

/// A distribution that an index can speak for.
struct Wanted<'a> {
    project: &'a ProjectName,
    version: &'a Version440,
}

impl<'a> Wanted<'a> {
    fn of(one: &'a Installed, args: &Args) -> Result<Self, Box<Checked>> {
        let is_ignored = args.ignore.iter().any(|name| match &one.known {
            Some((project, _)) => ProjectName::parse(name).is_ok_and(|it| it == *project),
            None => *name == one.name,
        });
        let verdict = match &one.origin {
            _ if is_ignored => ("ignored", None),
            Origin::Editable => ("editable", None),
            Origin::Elsewhere(url) => ("elsewhere", Some(format!("it comes from {url}"))),
            Origin::Unknown => (
                "unknown",
                Some("it is not installed from a wheel".to_owned()),
            ),
            Origin::Index => match &one.known {
                Some((project, version)) => return Ok(Self { project, version }),
                None => ("unknown", Some("it has no name and version".to_owned())),
            },
        };
        Err(Box::new(Checked::new(one, verdict.0, verdict.1)))
    }
}

async fn check(
    session: &Session,
    folder: &Path,
    one: &Installed,
    wanted: &Wanted<'_>,
) -> Result<Checked, Failure> {
    let refused =
        |error: &ClientError| Checked::new(one, error.kind().word(), Some(in_one_line(error)));
    let page = match session.project_page(wanted.project).await {
        Ok(page) => page,
        Err(error) => return Ok(refused(&error)),
    };
    let mut best: Option<Checked> = None;
    for file in candidates(&page, one, wanted.version) {
        let checked = match against(session, folder, one, (&page, file)).await {
            Ok(checked) => checked,
            Err(Failure::Client(error)) => return Ok(refused(&error)),
            Err(error) => return Err(error),
        };
        let is_better = best
            .as_ref()
            .is_none_or(|it| checked.files.len() < it.files.len());
        if is_better {
            best = Some(checked);
        }
        if best.as_ref().is_some_and(|it| it.files.is_empty()) {
            break;
        }
    }
    let why = "the index signs no wheel of this version: it was built here, or elsewhere";
    Ok(best.unwrap_or_else(|| Checked::new(one, "not-signed", Some(why.to_owned()))))
}

/// The wheels that may have been installed: those with the very tags, or else any of the version.
fn candidates<'a>(
    page: &'a ProjectPage,
    one: &Installed,
    version: &Version440,
) -> Vec<&'a PageFile> {
    let of_version = |file: &&PageFile| {
        file.filename.kind() == DistributionKind::Wheel && file.filename.version() == version
    };
    let wheels = page.page().files().iter().filter(of_version);
    let (same, others): (Vec<_>, Vec<_>) =
        wheels.partition(|file| expanded(file.filename.wheel_tags()) == one.tags);
    let mut wheels = if same.is_empty() { others } else { same };
    wheels.truncate(TRIED);
    wheels
}

/// PEP 425 "Compressed Tag Sets".
fn expanded(tags: Option<[&str; 3]>) -> BTreeSet<String> {
    let mut out = BTreeSet::new();
    let [pythons, abis, platforms] = tags.unwrap_or_default();
    for python in pythons.split('.') {
        for abi in abis.split('.') {
            out.extend(
                platforms
                    .split('.')
                    .map(|it| format!("{python}-{abi}-{it}")),
            );
        }
    }
    out
}

async fn against(
    session: &Session,
    folder: &Path,
    one: &Installed,
    (page, file): (&ProjectPage, &PageFile),
) -> Result<Checked, Failure> {
    let failed = |source| Failure::Io {
        doing: "check",
        path: one.folder.clone(),
        source,
    };
    let verified = session.file(page, file).await?;
    let scratch = tempfile::tempdir().map_err(failed)?;
    let path = scratch.path().join(file.filename.as_str());
    session.download_as(&verified, &path).await?;
    let (role, wheel) = (verified.role().to_string(), file.filename.to_string());
    let mut checked = match WheelFiles::read(&path, &file.filename) {
        Ok(files) => {
            let files = compare(folder, one, &files).map_err(failed)?;
            let verdict = match (&file.yanked, files.is_empty()) {
                (_, false) => "altered",
                (Yanked::No, true) => "signed",
                (Yanked::Yes | Yanked::Because(_), true) => "yanked",
            };
            Checked {
                files,
                ..Checked::new(one, verdict, None)
            }
        }
        Err(error) => Checked::new(one, "unknown", Some(in_one_line(&error))),
    };
    if let Yanked::Because(why) = &file.yanked {
        checked.why = Some(why.clone());
    }
    checked.wheel = Some(wheel);
    checked.role = Some(role);
    Ok(checked)
}

impl Checked {
    fn new(one: &Installed, verdict: &'static str, why: Option<String>) -> Self {
        Self {
            project: match &one.known {
                Some((project, _)) => project.to_string(),
                None => one.name.clone(),
            },
            version: one.version.clone(),
            verdict,
            wheel: None,
            role: None,
            why,
            files: Vec::new(),
        }
    }

    fn deviates(&self) -> bool {
        !matches!(self.verdict, "signed" | "yanked" | "ignored")
    }
}

impl Report {
    fn text(&self) -> String {
        let mut lines = Vec::new();
        for one in &self.distributions {
            let by = one.role.as_ref();
            let by = by.map_or(String::new(), |role| format!(", by word of {role}"));
            let why = one.why.as_ref();
            let why = why.map_or(String::new(), |why| format!(": {why}"));
            let (verdict, project, version) = (one.verdict, &one.project, &one.version);
            lines.push(format!("{verdict} {project} {version}{by}{why}"));
            let deviation = |it: &Deviation| format!("  {} {}", it.what, it.path.display());
            lines.extend(one.files.iter().map(deviation));
        }
        let unowned = |path: &PathBuf| format!("unowned {}", path.display());
        lines.extend(self.unowned.iter().map(unowned));
        if self.bytecode > 0 {
            let bytecode = self.bytecode;
            lines.push(format!(
                "{bytecode} files of bytecode in __pycache__ were not checked: nobody signs them"
            ));
        }
        let signed = self.distributions.iter().filter(|it| it.role.is_some());
        let signed = signed.filter(|it| !it.deviates()).count();
        let deviating = self.deviating;
        lines.push(format!(
            "{signed} distributions are what is signed, {deviating} deviate\n"
        ));
        lines.join("\n")
    }
}
