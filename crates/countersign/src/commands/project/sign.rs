//! `countersign project sign`: the next version of a role.

use std::collections::BTreeSet;
use std::fs::File;
use std::path::PathBuf;

use claims::{Distribution, ProjectRole};
use developer::{Draft, ProjectFolder};
use index::{DistributionFilename, InspectLimits};
use metadata::Version;
use serde::Serialize;
use trust::Tally;

use super::FolderArgs;
use super::arrival::LookArgs;
use super::on_index;
use super::signing::{LifetimeArgs, SigningArgs, borrowed};
use crate::cli::JsonArgs;
use crate::clock;
use crate::commands::index::collect;
use crate::console::Console;
use crate::failure::{Failure, UsageError};

/// Sign a release: look into the files, show what changes, sign the next version of the role
///
/// Without --yes nothing is written. The first time, name every file that the index has of the
/// project: from then on what the project's roles do not list is not there for clients. With --index
/// those that are neither listed nor given up are named.
#[derive(clap::Args)]
pub(super) struct Args {
    /// Wheels and sdists, or folders with them
    #[arg(value_name = "FILE|DIR")]
    distributions: Vec<PathBuf>,

    /// Sub-role that signs; the project's own role if none is named
    #[arg(long, value_name = "NAME", env = "COUNTERSIGN_SUB_ROLE")]
    sub_role: Option<String>,

    /// File to give up, by its name; it never comes back. Once per file
    #[arg(long, value_name = "FILENAME", env = "COUNTERSIGN_WITHDRAW")]
    withdraw: Vec<String>,

    /// Sign the version that waits, as it is
    #[arg(long, env = "COUNTERSIGN_ADD_SIGNATURE", conflicts_with_all = ["distributions", "withdraw"])]
    #[arg(value_parser = clap::builder::FalseyValueParser::new())]
    add_signature: bool,

    /// Do it: what changes has been looked at
    #[arg(long, env = "COUNTERSIGN_YES")]
    #[arg(value_parser = clap::builder::FalseyValueParser::new())]
    yes: bool,

    #[command(flatten)]
    look: LookArgs,

    #[command(flatten)]
    lifetime: LifetimeArgs,

    #[command(flatten)]
    signing: SigningArgs,

    #[command(flatten)]
    folder: FolderArgs,

    #[command(flatten)]
    json: JsonArgs,
}

/// What was, or would be, signed.
#[derive(Serialize)]
pub(super) struct Report {
    role: String,
    version: Option<u64>,
    expires: Option<String>,
    changes: Vec<String>,
    added: Vec<String>,
    given_up: Vec<String>,
    /// Files that the index has and that would not be there any more; the index refuses that.
    neither_listed_nor_given_up: Vec<String>,
    written: bool,
    signed_by: Vec<String>,
    threshold: Option<u32>,
}

pub(super) fn run(args: &Args, console: &Console) -> Result<(), Failure> {
    let folder = args.folder.open()?;
    let role = folder.role(args.sub_role.as_deref())?;
    if args.add_signature {
        if args.signing.is_empty() {
            return Err(UsageError::NoKeys.into());
        }
        let report = Report::signed(&role, &signed(&folder, &role, &args.signing)?);
        return console.report(args.json.json, &report, || report.text());
    }
    let added = look_into(&folder, &args.distributions)?;
    let given_up = args.withdraw.iter();
    let given_up = given_up.map(|name| DistributionFilename::parse_for(name, folder.project()));
    let given_up = given_up
        .collect::<Result<BTreeSet<_>, _>>()
        .map_err(developer::ProjectError::from)?;
    let expires = args.lifetime.expires(clock::now());
    let draft = folder.draft(&role, expires, &added, &given_up)?;
    let mut report = Report::of(&draft);
    if draft.document.version == Version::FIRST
        && let Some(updater) = args.look.updater()?
    {
        let there = on_index::files(&updater, folder.project())?;
        let left = there.iter().filter(|file| {
            let path = index::file_path(file);
            let is_listed = draft
                .document
                .targets()
                .iter()
                .any(|(listed, _)| *listed == path);
            !is_listed && !draft.given_up.contains(*file)
        });
        report.neither_listed_nor_given_up = left.map(ToString::to_string).collect();
    }
    conclude(
        &folder,
        &draft,
        report,
        &args.signing,
        args.yes,
        console,
        args.json,
    )
}

/// Shows a draft; with `yes`, has it wait and signs it.
pub(super) fn finish(
    folder: &ProjectFolder,
    draft: &Draft,
    signing: &SigningArgs,
    yes: bool,
    console: &Console,
    json: JsonArgs,
) -> Result<(), Failure> {
    let report = Report::of(draft);
    conclude(folder, draft, report, signing, yes, console, json)
}

fn conclude(
    folder: &ProjectFolder,
    draft: &Draft,
    mut report: Report,
    signing: &SigningArgs,
    yes: bool,
    console: &Console,
    json: JsonArgs,
) -> Result<(), Failure> {
    if yes {
        folder.keep(draft)?;
        report.written = true;
        if !signing.is_empty() {
            report.add(&signed(folder, &draft.role, signing)?);
        }
    }
    console.report(json.json, &report, || report.text())
}

fn signed(
    folder: &ProjectFolder,
    role: &ProjectRole,
    signing: &SigningArgs,
) -> Result<Tally, Failure> {
    let signers = signing.open()?;
    Ok(folder.sign(role, &borrowed(&signers))?)
}

/// Reads every file to its end; the first that is not what its name says ends the command.
fn look_into(folder: &ProjectFolder, paths: &[PathBuf]) -> Result<Vec<Distribution>, Failure> {
    let collected = collect(paths);
    if let Some((path, why)) = collected.refused.into_iter().next() {
        let source = std::io::Error::other(why.to_string());
        let doing = "read";
        return Err(Failure::Io {
            doing,
            path,
            source,
        });
    }
    let limits = InspectLimits::default();
    let look = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let name = DistributionFilename::parse_for(&name, folder.project())
            .map_err(developer::ProjectError::from)?;
        let file = File::open(path).map_err(|source| Failure::Io {
            doing: "read",
            path: path.clone(),
            source,
        })?;
        Ok(Distribution::read(name, file, &limits).map_err(developer::ProjectError::from)?)
    };
    collected.files.iter().map(look).collect()
}

impl Report {
    fn of(draft: &Draft) -> Self {
        let names = |name: &DistributionFilename| name.to_string();
        Self {
            role: draft.role.to_string(),
            version: Some(draft.document.version.get()),
            expires: Some(draft.document.expires.to_string()),
            changes: draft.changes.iter().map(ToString::to_string).collect(),
            added: draft.added.iter().map(names).collect(),
            given_up: draft.given_up.iter().map(names).collect(),
            neither_listed_nor_given_up: Vec::new(),
            written: false,
            signed_by: Vec::new(),
            threshold: None,
        }
    }

    fn signed(role: &ProjectRole, tally: &Tally) -> Self {
        let mut report = Self {
            role: role.to_string(),
            version: None,
            expires: None,
            changes: Vec::new(),
            added: Vec::new(),
            given_up: Vec::new(),
            neither_listed_nor_given_up: Vec::new(),
            written: true,
            signed_by: Vec::new(),
            threshold: None,
        };
        report.add(tally);
        report
    }

    fn add(&mut self, tally: &Tally) {
        self.signed_by = tally.valid.iter().map(|id| id.short().to_owned()).collect();
        self.threshold = Some(tally.threshold);
    }

    fn text(&self) -> String {
        let mut lines = vec![self.role.clone()];
        lines.extend(self.changes.iter().map(|change| format!("  {change}")));
        lines.extend(self.added.iter().map(|file| format!("  + {file}")));
        lines.extend(self.given_up.iter().map(|file| format!("  - {file}")));
        let left = &self.neither_listed_nor_given_up;
        lines.extend(left.iter().map(|file| {
            format!("  ! {file} is on the index: list it, or give it up with --withdraw {file}")
        }));
        if !self.written {
            lines.push("nothing was written; if this is what you want, say --yes".to_owned());
        } else if let Some(threshold) = self.threshold {
            let (count, by) = (self.signed_by.len(), self.signed_by.join(", "));
            lines.push(format!("signed by {by}: {count} of {threshold}"));
        } else {
            lines.push("waits for signatures: --add-signature --key KEY".to_owned());
        }
        lines.join("\n")
    }
}
