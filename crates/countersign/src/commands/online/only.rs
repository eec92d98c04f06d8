//! `countersign online tick --only timestamp`: for a machine that holds the timestamp key alone.

use std::path::PathBuf;

use chrono::SecondsFormat;
use clap::ValueEnum;
use policy::Policy;
use repository::TimestampOnly;
use serde::Serialize;

use crate::clock;
use crate::commands::index::policy_text;
use crate::config::{Config, Setting};
use crate::console::Console;
use crate::data_dir::DataDir;
use crate::failure::Failure;
use crate::online_keys::{self, OnlineKeyArgs};
use crate::places::{self, StorePlace};

/// The one role such a machine signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum OnlyRole {
    /// The timestamp.
    Timestamp,
}

/// Where such a machine finds what it works on.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "With --only timestamp")]
pub(super) struct OnlyArgs {
    /// Renew nothing but the timestamp, without the state: from the repository, a root and a floor
    #[arg(long, value_name = "ROLE", env = "COUNTERSIGN_ONLY")]
    pub(super) only: Option<OnlyRole>,

    /// Folder that is served, not trusted [default: `repository` in the data directory]
    #[arg(long, value_name = "DIR", env = "COUNTERSIGN_REPOSITORY")]
    repository: Option<PathBuf>,

    /// Root to start from, any there has been [default: `root.json` in the data directory]
    #[arg(long, value_name = "FILE", env = "COUNTERSIGN_ROOT")]
    root: Option<PathBuf>,

    /// File in which this machine keeps what must never go back [default: `timestamp-floor.json` in
    /// the data directory]
    #[arg(long, value_name = "FILE", env = "COUNTERSIGN_FLOOR")]
    floor: Option<PathBuf>,

    /// Policy: small-index, pep458, rehearsal, or a file
    #[arg(long, value_name = "NAME|FILE", default_value = "small-index")]
    #[arg(env = "COUNTERSIGN_POLICY")]
    policy: String,
}

#[derive(Serialize)]
struct Report {
    timestamp: Option<u64>,
    snapshot: u64,
    expires: String,
}

pub(super) fn run(
    args: &OnlyArgs,
    keys: &OnlineKeyArgs,
    data_dir: &DataDir,
    json: bool,
    console: &Console,
) -> Result<(), Failure> {
    let place = |given: &Option<PathBuf>, name: &str| {
        let here = || data_dir.path().join(name);
        given.clone().unwrap_or_else(here)
    };
    let io = |doing, path: &PathBuf| {
        let path = path.clone();
        move |source| Failure::Io {
            doing,
            path,
            source,
        }
    };
    let text = policy_text(&args.policy)?;
    let policy = Policy::parse(&text).map_err(|source| Failure::Policy {
        name: args.policy.clone(),
        source,
    })?;
    let root_file = place(&args.root, "root.json");
    let root = std::fs::read(&root_file).map_err(io("read", &root_file))?;
    let mut config = Config::load(data_dir)?;
    if let Some(folder) = &args.repository {
        config.store = Setting::given(StorePlace::Folder(folder.clone()));
    }
    if let StorePlace::Folder(folder) = &config.store.value
        && !folder.is_dir()
    {
        let source = std::io::ErrorKind::NotFound.into();
        return Err(io("open", folder)(source));
    }
    let mut store = places::store(&config, policy.store)?;
    let signers = online_keys::open(data_dir, keys, &policy.signers, console)?;
    let done = TimestampOnly {
        store: store.as_mut(),
        root: &root,
        floor: &place(&args.floor, "timestamp-floor.json"),
        policy: &policy,
    }
    .tick(&signers, clock::now())?;
    let report = Report {
        timestamp: done.signed.map(metadata::Version::get),
        snapshot: done.snapshot.get(),
        expires: done.expires.to_rfc3339_opts(SecondsFormat::Secs, true),
    };
    console.report(json, &report, || match report.timestamp {
        Some(version) => format!(
            "published timestamp v{version} for snapshot v{}, valid until {}\n",
            report.snapshot, report.expires
        ),
        None => format!(
            "nothing to do: the timestamp is valid until {}\n",
            report.expires
        ),
    })
}
