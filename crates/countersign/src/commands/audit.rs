//! `countersign audit`: a whole repository, read by our client and then by one that is not ours.

use std::fs;
use std::path::Path;
use std::path::PathBuf;

use audit::{AuditOptions, Report, SecondOpinion, Stage};
use clap::builder::FalseyValueParser;
use client::{ClientError, Pace, ReadError, Transport, Wanted, read_limited, transport_for};
use metadata::{Role, Version};
use trust::Rejection;
use url::Url;

use crate::cli::JsonArgs;
use crate::clock;
use crate::commands::client::rules;
use crate::console::Console;
use crate::failure::Failure;
use crate::progress::Progress;
use crate::runtime;

/// Read a whole repository and say what is wrong with it
///
/// Every role and page is verified as a client would, every target is looked up; then tough, a client
/// that shares no code with this one, is asked what it reads. Nothing is kept.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// URL or folder that holds `metadata` and `targets`, or the folder of an index
    repo: String,

    /// Root to start from; without it the repository's own first root is believed
    #[arg(long, value_name = "FILE", env = "COUNTERSIGN_ROOT")]
    root: Option<PathBuf>,

    /// Read every file to its last byte, not only every page
    #[arg(long, env = "COUNTERSIGN_READ_FILES", value_parser = FalseyValueParser::new())]
    read_files: bool,

    /// Accept metadata as other programs write it
    #[arg(long, env = "COUNTERSIGN_LENIENT", value_parser = FalseyValueParser::new())]
    lenient: bool,

    #[command(flatten)]
    json: JsonArgs,
}

pub(crate) fn run(args: &Args, console: &Console) -> Result<(), Failure> {
    let base = base_url(&args.repo)?;
    let rules = rules(args.lenient);
    let progress = Watching(Progress::spinner(console, "auditing"));
    let report = runtime::run(async {
        let [metadata_url, targets_url] = [join(&base, "metadata/")?, join(&base, "targets/")?];
        let transport = transport_for(&metadata_url, Pace::default())?;
        let trusted_root = match &args.root {
            Some(path) => fs::read(path).map_err(|source| Failure::Io {
                doing: "read",
                path: path.clone(),
                source,
            })?,
            None => first_root(&*transport, &metadata_url, rules.limits.root).await?,
        };
        let options = AuditOptions {
            metadata_url,
            targets_url,
            trusted_root,
            rules,
            now: clock::now(),
            read_targets: args.read_files,
        };
        Ok(audit::audit(options, transport, &progress).await?)
    })?;
    drop(progress);
    console.report(args.json.json, &report, || text(&report, args.read_files))?;
    match report.exit_code() {
        0 => Ok(()),
        code => Err(Failure::Findings { code }),
    }
}

/// Where metadata and targets lie side by side.
fn base_url(repo: &str) -> Result<Url, Failure> {
    let neither = || Failure::NotARepository {
        repo: repo.to_owned(),
    };
    let path = Path::new(repo);
    if !path.is_dir() {
        let slash = if repo.ends_with('/') { "" } else { "/" };
        return Url::parse(&format!("{repo}{slash}")).map_err(|_| neither());
    }
    let inside = path.join("repository");
    let folder = if inside.is_dir() {
        inside.as_path()
    } else {
        path
    };
    let absolute = std::path::absolute(folder).map_err(|_| neither())?;
    Url::from_directory_path(absolute).map_err(|()| neither())
}

fn join(base: &Url, part: &str) -> Result<Url, ClientError> {
    base.join(part).map_err(|_| ClientError::BaseUrl {
        url: base.to_string(),
        why: "nothing can lie below it",
    })
}

/// The repository's own word for where trust begins: good for looking for mistakes, not for attacks.
async fn first_root(
    transport: &dyn Transport,
    metadata_url: &Url,
    limit: u64,
) -> Result<Vec<u8>, Failure> {
    tracing::warn!("believing the repository's own first root; --root says which one it has to be");
    let failed = |source| ClientError::Transport {
        what: Wanted::Role(Role::Root, Some(Version::FIRST)),
        source: Box::new(source),
    };
    let url = join(metadata_url, "1.root.json")?;
    let body = transport.get(&url).await.map_err(failed)?;
    let file = read_limited(body, limit)
        .await
        .map_err(|error| match error {
            ReadError::TooLarge => {
                let role = Role::Root;
                Rejection::TooLarge { role, limit }.into()
            }
            ReadError::Transport(source) => failed(source),
        })?;
    Ok(file)
}

fn text(report: &Report, files_read: bool) -> String {
    let mut out = Vec::new();
    for role in report.roles.iter().filter(|role| !is_bin(&role.role)) {
        let (name, version) = (role.role.to_string(), role.version.to_string());
        out.push(format!(
            "{name:<10} v{version:<5} {} of {} keys, valid until {}",
            role.threshold, role.keys, role.expires
        ));
    }
    let bins = report
        .roles
        .iter()
        .filter(|role| is_bin(&role.role))
        .count();
    out.push(format!(
        "{bins} bins, {} targets, {} lookups; {} pages read",
        report.targets, report.lookups, report.pages
    ));
    if !report.tombstones.is_empty() {
        out.push(format!(
            "{} tombstones: nobody delegates to them, and clients want the snapshot to list them",
            report.tombstones.len()
        ));
    }
    out.push(if files_read {
        format!("{} files read, each to its last byte", report.files)
    } else {
        "files were not read: --read-files compares every byte of them with what is signed"
            .to_owned()
    });
    for finding in &report.findings {
        out.push(format!("WRONG: {finding}"));
    }
    if report.findings_left_out > 0 {
        out.push(format!("and {} more", report.findings_left_out));
    }
    out.extend(second_opinion(&report.second_opinion));
    out.join("\n")
}

/// Bins are many and alike; they are counted.
fn is_bin(role: &Role) -> bool {
    role.name()
        .strip_prefix(draft::BINS_PREFIX)
        .is_some_and(|rest| !rest.is_empty())
}

fn second_opinion(opinion: &SecondOpinion) -> Vec<String> {
    match opinion {
        SecondOpinion::Agrees {
            roles,
            targets,
            files,
        } => vec![format!(
            "tough agrees: {roles} roles, {targets} targets, {files} files read"
        )],
        SecondOpinion::Disagrees(differences) => {
            let lines = differences.iter().map(|one| format!("WRONG: tough: {one}"));
            lines.collect()
        }
        SecondOpinion::NotAvailable(why) => vec![format!("second opinion not available: {why}")],
    }
}

/// Shows how far the audit is.
pub(crate) struct Watching(pub(crate) Progress);

impl audit::Progress for Watching {
    fn step(&self, stage: Stage, done: u64, total: u64) {
        let what = match stage {
            Stage::Roles => "verifying roles",
            Stage::Targets => "asking who speaks for each target",
            Stage::Lookups => "looking paths up",
            Stage::Pages => "reading pages",
            Stage::Files => "reading files",
            Stage::SecondOpinion => "asking tough",
        };
        self.0.at(what, done, total);
    }
}
