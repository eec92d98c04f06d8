//! `countersign verify-lock`: are the digests of a lock file those that are signed now?

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use client::{ClientError, Kind, ProjectPage, Promise, PromiseError, Session};
use futures_util::{StreamExt, stream};
use index::{ProjectName, Yanked};
use locks::{Lock, LockKind, LockedFile, LockedPackage, Source};
use serde::Serialize;

use crate::cli::JsonArgs;
use crate::clock;
use crate::commands::client::PlaceArgs;
use crate::console::{Console, in_one_line};
use crate::failure::Failure;
use crate::runtime;

/// Pages fetched at once.
const AT_ONCE: usize = 8;

/// Check that every digest in a lock file is signed, today, for the right project
///
/// Reads uv.lock, poetry.lock, pylock.toml (PEP 751) and requirements.txt with --hash. Names what is
/// not signed, what has vanished and what was yanked; nothing is downloaded or installed. Exits with
/// the code of the first file that is not what the index signs.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Lock files
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,

    #[command(flatten)]
    place: PlaceArgs,

    #[command(flatten)]
    json: JsonArgs,
}

/// What was found.
#[derive(Serialize)]
struct Report {
    /// Files promised, in all lock files.
    files: usize,
    /// Of those, how many are not what is signed.
    broken: usize,
    /// Every file, in the order of the lock files.
    entries: Vec<Entry>,
}

/// What was found of one file, or of an entry without files.
#[derive(Serialize)]
struct Entry {
    /// The lock file.
    lock: PathBuf,
    /// The project.
    project: String,
    /// The version pinned.
    version: Option<String>,
    /// The file, or its digest where the lock file names none.
    file: Option<String>,
    /// `signed`, `yanked`, `local`, or why not.
    verdict: &'static str,
    /// The role that vouches for it.
    role: Option<String>,
    /// What there is to say.
    why: Option<String>,
    #[serde(skip)]
    code: u8,
}

pub(crate) fn run(args: &Args, console: &Console) -> Result<(), Failure> {
    let locks = args
        .files
        .iter()
        .map(|path| Ok((path.as_path(), read(path)?)));
    let locks = locks.collect::<Result<Vec<_>, Failure>>()?;
    let updater = args.place.place()?.updater()?;
    let entries = runtime::run(async {
        let session = updater.refresh(clock::now()).await?;
        let pages = pages(&session, &locks).await;
        let mut entries = Vec::new();
        for (path, lock) in &locks {
            for package in &lock.packages {
                entries.extend(check(&session, &pages, path, package).await);
            }
        }
        Ok(entries)
    })?;
    let broken = entries.iter().filter(|entry| entry.code != 0);
    let (broken, code) = (
        broken.clone().count(),
        broken.map(|entry| entry.code).next(),
    );
    let files = entries.len();
    let report = Report {
        files,
        broken,
        entries,
    };
    console.report(args.json.json, &report, || text(&report))?;
    match code {
        None => Ok(()),
        Some(code) => Err(Failure::Broken {
            broken,
            total: files,
            code,
        }),
    }
}

/// Reads a lock file, whose name says of which kind it is.
pub(crate) fn read(path: &Path) -> Result<Lock, Failure> {
    let name = path.file_name().and_then(|name| name.to_str());
    let kind = name.and_then(LockKind::of);
    let kind = kind.ok_or_else(|| Failure::NotALock {
        path: path.to_owned(),
        source: None,
    })?;
    let text = fs::read_to_string(path).map_err(|source| Failure::Io {
        doing: "read",
        path: path.to_owned(),
        source,
    })?;
    Lock::parse(kind, &text).map_err(|source| Failure::NotALock {
        path: path.to_owned(),
        source: Some(source),
    })
}

type Pages = BTreeMap<ProjectName, Result<ProjectPage, ClientError>>;

/// The page of every project that is to come from the index, each fetched once.
async fn pages(session: &Session, locks: &[(&Path, Lock)]) -> Pages {
    let packages = locks.iter().flat_map(|(_, lock)| &lock.packages);
    let mut names: Vec<&ProjectName> = packages
        .filter(|package| package.source == Source::Index)
        .map(|package| &package.name)
        .collect();
    names.sort_unstable();
    names.dedup();
    let fetch = |name: ProjectName| async move {
        let page = session.project_page(&name).await;
        (name, page)
    };
    stream::iter(names.into_iter().cloned())
        .map(fetch)
        .buffer_unordered(AT_ONCE)
        .collect()
        .await
}

async fn check(
    session: &Session,
    pages: &Pages,
    lock: &Path,
    package: &LockedPackage,
) -> Vec<Entry> {
    let entry =
        |file: Option<String>, verdict: &'static str, code: u8, why: Option<String>| Entry {
            lock: lock.to_owned(),
            project: package.name.to_string(),
            version: package.version.clone(),
            file,
            verdict,
            role: None,
            why,
            code,
        };
    match &package.source {
        Source::Local => return vec![entry(None, "local", 0, None)],
        Source::Elsewhere(place) => {
            let why = format!("comes from {place}, for which no index speaks");
            let code = Kind::NotSigned.exit_code();
            return vec![entry(None, "elsewhere", code, Some(why))];
        }
        Source::Index if package.files.is_empty() => {
            let why = "has no digest, so that any bytes would do".to_owned();
            let code = Kind::Refused.exit_code();
            return vec![entry(None, "no-digest", code, Some(why))];
        }
        Source::Index => {}
    }
    let mut entries = Vec::new();
    for file in &package.files {
        let shown = file.filename.clone();
        let shown = shown.or_else(|| Some(format!("sha256:{}", file.sha256?)));
        let Some(sha256) = file.sha256 else {
            let why = "has a digest, but no SHA-256, which is what is signed".to_owned();
            let code = Kind::Refused.exit_code();
            entries.push(entry(shown, "no-digest", code, Some(why)));
            continue;
        };
        let promise = promise(package, file, sha256);
        let kept = match &pages[&package.name] {
            Ok(page) => session.promised(page, &promise).await,
            Err(error) => {
                let (word, code) = (error.kind().word(), error.exit_code());
                entries.push(entry(shown, word, code, Some(in_one_line(error))));
                continue;
            }
        };
        entries.push(match kept {
            Ok(kept) => Entry {
                role: Some(kept.role.to_string()),
                ..match kept.yanked {
                    Yanked::No => entry(shown, "signed", 0, None),
                    Yanked::Yes => entry(shown, "yanked", 0, None),
                    Yanked::Because(why) => entry(shown, "yanked", 0, Some(why)),
                }
            },
            Err(error) => {
                let word = match &error {
                    PromiseError::Vanished { .. } => "vanished",
                    other => other.kind().word(),
                };
                let code = error.kind().exit_code();
                entry(shown, word, code, Some(in_one_line(&error)))
            }
        });
    }
    entries
}

fn promise(package: &LockedPackage, file: &LockedFile, sha256: metadata::Sha256) -> Promise {
    Promise {
        project: package.name.clone(),
        version: package.version.clone(),
        filename: file.filename.clone(),
        sha256,
    }
}

/// What is not plainly signed, line by line, and a line for all.
fn text(report: &Report) -> String {
    let mut out = String::new();
    for entry in &report.entries {
        if matches!(entry.verdict, "signed" | "local") {
            continue;
        }
        let what = entry.file.as_deref().unwrap_or("-");
        let version = entry.version.as_deref().unwrap_or("");
        let line = format!("{} {} {version} {what}", entry.verdict, entry.project);
        out.push_str(line.trim_end());
        if let Some(why) = &entry.why {
            out.push_str(": ");
            out.push_str(why);
        }
        out.push('\n');
    }
    let signed = report.entries.iter().filter(|entry| entry.role.is_some());
    out.push_str(&counted(signed.count(), report.broken));
    out
}

fn counted(signed: usize, broken: usize) -> String {
    format!("{signed} files are signed as locked, {broken} are not\n")
}
