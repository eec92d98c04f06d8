//! `countersign online token`: who may hand changes in over HTTP.

use std::path::PathBuf;

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use clap::Subcommand;
use intake::{NewToken, Pattern, Token, TokenFile, TokenSecret, Verb};
use ring::rand::SystemRandom;
use serde::Serialize;

use crate::cli::JsonArgs;
use crate::clock;
use crate::console::Console;
use crate::data_dir::{DataDir, DataDirArgs};
use crate::failure::Failure;
use crate::replace_file::replace_file;

/// Make, list and revoke the tokens of `online serve`
///
/// A token's secret is shown once, when it is made; the file of tokens holds digests. A running intake
/// notices changes of the file within a second.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    New(NewArgs),
    List(ListArgs),
    Revoke(RevokeArgs),
}

/// Where the tokens are.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct TokensArgs {
    /// File of the tokens [default: tokens.toml in the index's folder]
    #[arg(long, value_name = "FILE", env = "COUNTERSIGN_TOKENS")]
    tokens: Option<PathBuf>,
}

impl TokensArgs {
    /// The file.
    pub(super) fn file(&self, data_dir: &DataDir) -> PathBuf {
        let default = || data_dir.path().join("tokens.toml");
        self.tokens.clone().unwrap_or_else(default)
    }
}

/// Make a token and show its secret, this once
#[derive(clap::Args)]
struct NewArgs {
    /// Its name: lower-case letters, digits and `-`. It never comes back, not even once revoked
    name: String,

    /// What it may do: add, yank, remove, transaction, read
    #[arg(long, value_name = "VERB", required = true, value_delimiter = ',')]
    #[arg(env = "COUNTERSIGN_MAY")]
    may: Vec<Verb>,

    /// Projects it is for: names, beginnings such as `acme-*`, or `*`
    #[arg(long, value_name = "PATTERN", required = true, value_delimiter = ',')]
    #[arg(env = "COUNTERSIGN_PROJECT")]
    project: Vec<Pattern>,

    /// Days until it expires
    #[arg(
        long,
        value_name = "DAYS",
        default_value_t = 90,
        env = "COUNTERSIGN_DAYS"
    )]
    #[arg(value_parser = clap::value_parser!(u16).range(1..=3_650))]
    days: u16,

    /// Write the secret to a new file for its owner's eyes only, instead of stdout
    #[arg(long, value_name = "FILE", env = "COUNTERSIGN_TO")]
    to: Option<PathBuf>,

    #[command(flatten)]
    data_dir: DataDirArgs,

    #[command(flatten)]
    tokens: TokensArgs,
}

/// List all tokens, without anything secret
#[derive(clap::Args)]
struct ListArgs {
    #[command(flatten)]
    data_dir: DataDirArgs,

    #[command(flatten)]
    tokens: TokensArgs,

    #[command(flatten)]
    json: JsonArgs,
}

/// Revoke a token: what it has handed in stays, nothing more is taken from it
#[derive(clap::Args)]
struct RevokeArgs {
    /// Its name
    name: String,

    #[command(flatten)]
    data_dir: DataDirArgs,

    #[command(flatten)]
    tokens: TokensArgs,
}

pub(crate) fn run(args: &Args, console: &Console) -> Result<(), Failure> {
    match &args.command {
        Command::New(args) => new(args, console),
        Command::List(args) => list(args, console),
        Command::Revoke(args) => revoke(args, console),
    }
}

fn new(args: &NewArgs, console: &Console) -> Result<(), Failure> {
    let path = args.tokens.file(&args.data_dir.open());
    let mut file = TokenFile::read(&path)?;
    let now = clock::now();
    let secret = TokenSecret::generate(&SystemRandom::new()).map_err(|_| Failure::NoRandomness)?;
    let token = NewToken {
        name: args.name.clone(),
        may: args.may.clone(),
        projects: args.project.clone(),
        expires: now + TimeDelta::days(args.days.into()),
    };
    let token = token.with_secret(&secret, now);
    let line = described(&token, now);
    file.add(token)?;
    // The secret first: a token that nobody knows the secret of would have to be revoked by hand.
    if let Some(to) = &args.to {
        write_private(to, secret.expose().as_bytes())?;
        replace_file(&path, file.text().as_bytes())?;
        return console.say(format!("{line}\nits secret is in {}", to.display()));
    }
    replace_file(&path, file.text().as_bytes())?;
    tracing::info!("{line}; its secret is shown this once");
    console.say(secret.expose())
}

fn write_private(path: &std::path::Path, bytes: &[u8]) -> Result<(), Failure> {
    use std::io::Write;
    use std::os::unix::fs::OpenOptionsExt;
    let write = || {
        let mut options = std::fs::File::options();
        let mut file = options
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(path)?;
        file.write_all(bytes)?;
        file.sync_all()
    };
    write().map_err(|source| Failure::Io {
        doing: "write",
        path: path.to_owned(),
        source,
    })
}

#[derive(Serialize)]
struct Report {
    tokens: Vec<Line>,
}

#[derive(Serialize)]
struct Line {
    name: String,
    /// `live`, `expired` or `revoked`.
    state: &'static str,
    may: Vec<Verb>,
    projects: Vec<Pattern>,
    created: String,
    expires: String,
}

fn list(args: &ListArgs, console: &Console) -> Result<(), Failure> {
    let file = TokenFile::read(&args.tokens.file(&args.data_dir.open()))?;
    let now = clock::now();
    let line = |token: &Token| Line {
        name: token.name.clone(),
        state: state(token, now),
        may: token.may.clone(),
        projects: token.projects.clone(),
        created: stamp(token.created),
        expires: stamp(token.expires),
    };
    let report = Report {
        tokens: file.tokens.iter().map(line).collect(),
    };
    console.report(args.json.json, &report, || {
        if file.tokens.is_empty() {
            return "no tokens; `countersign online token new` makes one".to_owned();
        }
        let lines: Vec<_> = file.tokens.iter().map(|one| described(one, now)).collect();
        lines.join("\n")
    })
}

fn revoke(args: &RevokeArgs, console: &Console) -> Result<(), Failure> {
    let path = args.tokens.file(&args.data_dir.open());
    let mut file = TokenFile::read(&path)?;
    let was_live = file.revoke(&args.name, clock::now())?;
    replace_file(&path, file.text().as_bytes())?;
    let name = &args.name;
    console.say(if was_live {
        format!("token {name} is revoked; a running intake takes nothing from it within a second")
    } else {
        format!("token {name} was expired or revoked already")
    })
}

fn state(token: &Token, now: DateTime<Utc>) -> &'static str {
    if token.revoked.is_some() {
        "revoked"
    } else if token.is_live(now) {
        "live"
    } else {
        "expired"
    }
}

/// A token in one line.
fn described(token: &Token, now: DateTime<Utc>) -> String {
    let may: Vec<_> = token.may.iter().map(ToString::to_string).collect();
    let projects: Vec<_> = token.projects.iter().map(ToString::to_string).collect();
    format!(
        "{} ({}): may {} for {} until {}",
        token.name,
        state(token, now),
        may.join(", "),
        projects.join(", "),
        stamp(token.expires)
    )
}

fn stamp(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Secs, true)
}
