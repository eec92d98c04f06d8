//! `countersign index apply`: takes over what a ceremony signed.

use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use metadata::{Role, Version};
use repository::Repository;
use serde::Serialize;

use crate::cli::JsonArgs;
use crate::clock;
use crate::console::Console;
use crate::data_dir::DataDirArgs;
use crate::failure::Failure;
use crate::places;

/// Take over the roles a key ceremony signed
///
/// Everything in SET is verified again, and held against the keys that developers have registered until
/// now. The next `countersign online tick` publishes it, all at once.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Folder of files named VERSION.ROLE.json: the `publish-set` of a ceremony
    set: PathBuf,

    /// Release of a claimed project whose keys SET changes, signed by the new keys: published with it
    #[arg(long, value_name = "FILE", env = "COUNTERSIGN_TRANSACTION")]
    #[arg(value_delimiter = ',')]
    transaction: Vec<PathBuf>,

    #[command(flatten)]
    data_dir: DataDirArgs,

    #[command(flatten)]
    json: JsonArgs,
}

#[derive(Serialize)]
struct Report {
    roles: Vec<RoleReport>,
}

#[derive(Serialize)]
struct RoleReport {
    role: String,
    version: u64,
}

pub(crate) fn run(args: &Args, console: &Console) -> Result<(), Failure> {
    let mut repository = places::open(&args.data_dir.open())?;
    let roles = repository.apply_set_with(&args.set, &args.transaction, clock::now())?;
    let roles = roles.iter().map(|(role, version)| RoleReport {
        role: role.to_string(),
        version: version.get(),
    });
    let report = Report {
        roles: roles.collect(),
    };
    console.report(args.json.json, &report, || {
        let names: Vec<_> = report
            .roles
            .iter()
            .map(|one| format!("{} v{}", one.role, one.version))
            .collect();
        format!(
            "verified and queued: {}\nnext: `countersign online tick` publishes them\n",
            names.join(", ")
        )
    })
}

/// Verifies a set and queues it for the next cycle.
pub(crate) fn apply(
    repository: &mut Repository,
    set: &Path,
    now: DateTime<Utc>,
) -> Result<Vec<(Role, Version)>, Failure> {
    Ok(repository.apply_set(set, now)?)
}
