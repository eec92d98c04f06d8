//! `countersign index claims`: what the operator of an index says to developers who claim projects, and
//! which have.

mod confirm;
mod listed;

use std::io::Write;
use std::path::{Path, PathBuf};

use ceremony::key_command::{KeyName, PassphraseArgs, ReachArgs};
use chrono::TimeDelta;
use claims::{
    Challenge, ClaimLimits, Grant, NONCE_BYTES, Operator, Statement, check_challenge, check_request,
};
use clap::Subcommand;
use index::ProjectName;
use keys::Signer;
use metadata::Expiry;
use policy::SignerLimits;
use ring::rand::{SecureRandom, SystemRandom};
use serde::Serialize;

pub(super) use listed::published;

use crate::cli::JsonArgs;
use crate::clock;
use crate::commands::project::read;
use crate::console::Console;
use crate::failure::Failure;
use crate::key_service::KmsArgs;
use crate::online_keys::open_key;

/// Bytes of a document of a claim; their reader allows less.
const MAX_DOCUMENT: u64 = 1 << 20;

/// Challenge developers who claim projects, grant claims, list them
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Challenge(ChallengeArgs),
    Grant(GrantArgs),
    List(listed::ListArgs),
    Export(listed::ExportArgs),
    Release(listed::ReleaseArgs),
    Confirm(confirm::Args),
}

/// Issue a challenge, which the developers of a project answer with `countersign project claim`
#[derive(clap::Args)]
struct ChallengeArgs {
    /// Project
    project: ProjectName,

    #[command(flatten)]
    common: CommonArgs,
}

/// Grant a request: its sender owns the project, as you have made sure by a way of your own
///
/// The request is checked first: it answers a challenge of this index, and every key in it has
/// signed it.
#[derive(clap::Args)]
struct GrantArgs {
    /// Project that the sender owns
    project: ProjectName,

    /// Request of its developers
    #[arg(long, value_name = "FILE", env = "COUNTERSIGN_REQUEST")]
    request: PathBuf,

    /// Challenge that it answers
    #[arg(long, value_name = "FILE", env = "COUNTERSIGN_CHALLENGE")]
    challenge: PathBuf,

    #[command(flatten)]
    common: CommonArgs,
}

#[derive(clap::Args)]
struct CommonArgs {
    /// Days within which the next step has to be taken: a challenge granted, a grant used
    #[arg(
        long,
        value_name = "DAYS",
        default_value_t = 14,
        env = "COUNTERSIGN_DAYS"
    )]
    #[arg(value_parser = clap::value_parser!(u16).range(1..=90))]
    days: u16,

    /// Address of this index, such as `https://index.example/`
    #[arg(long, value_name = "URL", env = "COUNTERSIGN_INDEX_URL")]
    index_url: String,

    /// The operator's key for claims: a key URI or a key file. It signs nothing else
    #[arg(long, value_name = "KEY", env = "COUNTERSIGN_OPERATOR_KEY")]
    operator_key: KeyName,

    /// File to write
    #[arg(long, value_name = "FILE", env = "COUNTERSIGN_TO")]
    to: PathBuf,

    #[command(flatten)]
    passphrases: PassphraseArgs,

    #[command(flatten)]
    reach: ReachArgs,

    #[command(flatten)]
    kms: KmsArgs,

    #[command(flatten)]
    json: JsonArgs,
}

#[derive(Serialize)]
struct Report {
    written: PathBuf,
    project: String,
    expires: String,
    keys: Vec<String>,
    threshold: Option<u32>,
}

pub(super) fn run(args: &Args, console: &Console) -> Result<(), Failure> {
    match &args.command {
        Command::Challenge(args) => challenge(args, console),
        Command::Grant(args) => grant(args, console),
        Command::List(args) => listed::list(args, console),
        Command::Export(args) => listed::export(args, console),
        Command::Release(args) => listed::release(args, console),
        Command::Confirm(args) => confirm::run(args, console),
    }
}

fn challenge(args: &ChallengeArgs, console: &Console) -> Result<(), Failure> {
    let mut nonce = [0; NONCE_BYTES];
    SystemRandom::new()
        .fill(&mut nonce)
        .map_err(|_| Failure::NoRandomness)?;
    let challenge = Challenge {
        index: args.common.index_url.clone(),
        project: args.project.clone(),
        nonce,
        expires: in_days(args.common.days),
    };
    let signer = args.common.signer()?;
    let file = seal(&challenge, signer.as_ref())?;
    // What our own reader refuses, such as an address with a space, is not handed out.
    let operator = Operator::one(signer.public_key().clone());
    check_challenge(
        &file,
        &operator,
        &challenge.index,
        &args.project,
        clock::now(),
    )
    .map_err(developer::ProjectError::from)?;
    args.common.finish(
        console,
        &file,
        &Report {
            written: args.common.to.clone(),
            project: args.project.to_string(),
            expires: challenge.expires.to_string(),
            keys: Vec::new(),
            threshold: None,
        },
    )
}

fn grant(args: &GrantArgs, console: &Console) -> Result<(), Failure> {
    let signer = args.common.signer()?;
    let operator = Operator::one(signer.public_key().clone());
    let read = |path: &Path| read(path, MAX_DOCUMENT);
    let index = &args.common.index_url;
    let (challenge, request) = (read(&args.challenge)?, read(&args.request)?);
    let checked = || {
        let now = clock::now();
        let challenge = check_challenge(&challenge, &operator, index, &args.project, now)?;
        check_request(&request, &challenge, &ClaimLimits::default())
    };
    let request = checked().map_err(developer::ProjectError::from)?;
    let grant = Grant {
        request: request.digest(),
        index: index.clone(),
        project: args.project.clone(),
        issued: clock::now(),
        expires: in_days(args.common.days),
    };
    let file = seal(&grant, signer.as_ref())?;
    let asked = request.peek_unverified();
    args.common.finish(
        console,
        &file,
        &Report {
            written: args.common.to.clone(),
            project: args.project.to_string(),
            expires: grant.expires.to_string(),
            keys: asked.keys.keys().map(ToString::to_string).collect(),
            threshold: Some(asked.threshold),
        },
    )
}

fn in_days(days: u16) -> Expiry {
    Expiry::at(clock::now() + TimeDelta::days(days.into()))
}

fn seal(statement: &impl Statement, signer: &dyn Signer) -> Result<Vec<u8>, Failure> {
    let signature = signer.sign(&statement.to_canonical())?;
    Ok(statement.seal(&[signature]))
}

impl CommonArgs {
    fn signer(&self) -> Result<std::sync::Arc<dyn Signer>, Failure> {
        open_key(
            &self.operator_key.0,
            &self.passphrases.source(),
            &self.reach.reach(),
            &self.kms.opener(&SignerLimits::default()),
        )
    }

    /// Writes the file, which must be new, and reports.
    fn finish(&self, console: &Console, file: &[u8], report: &Report) -> Result<(), Failure> {
        std::fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .open(&self.to)
            .and_then(|mut out| {
                out.write_all(file)?;
                out.sync_all()
            })
            .map_err(|source| Failure::Io {
                doing: "write",
                path: self.to.clone(),
                source,
            })?;
        console.report(self.json.json, report, || report.text())
    }
}

impl Report {
    fn text(&self) -> String {
        let (file, project, expires) = (self.written.display(), &self.project, &self.expires);
        match self.threshold {
            None => format!("{file}: a challenge for {project}, to be answered until {expires}"),
            Some(threshold) => format!(
                "{file}: {project} belongs to {threshold} of these keys, to be taken until {expires}\n{}",
                self.keys.join("\n")
            ),
        }
    }
}
