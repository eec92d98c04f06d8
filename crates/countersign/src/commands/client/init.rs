//! `countersign client init`: trusts a root that came by a way of its own.

use std::fs;
use std::path::{Path, PathBuf};

use client::{ClientError, Datastore};
use metadata::Sha256;
use serde::Serialize;
use trust::{RootChain, Rules};

use super::place::TrustArgs;
use crate::cli::JsonArgs;
use crate::console::Console;
use crate::failure::Failure;
use crate::runtime;

/// Trust a root, once and by hand: everything else follows from it
///
/// ROOT has to come by a way that the repository's server has no hand in. Nothing is fetched.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// File of the root to trust, such as 1.root.json
    root: PathBuf,

    /// SHA-256 the file must have, as published elsewhere
    #[arg(long, value_name = "HEX", value_parser = digest, env = "COUNTERSIGN_ROOT_SHA256")]
    root_sha256: Option<Sha256>,

    #[command(flatten)]
    trust: TrustArgs,

    #[command(flatten)]
    json: JsonArgs,
}

/// The root that is trusted now.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Trusted {
    version: u64,
    sha256: String,
    expires: String,
    threshold: u32,
    keys: usize,
}

pub(crate) fn run(args: &Args, console: &Console) -> Result<(), Failure> {
    let rules = args.trust.rules();
    let dir = &args.trust.metadata_dir;
    let trusted = runtime::run(init(&args.root, args.root_sha256, dir, &rules))?;
    console.report(args.json.json, &trusted, || {
        format!(
            "{} trusts root v{}, signed by {} of its {} keys, valid until {}\nsha256 {}",
            dir.display(),
            trusted.version,
            trusted.threshold,
            trusted.keys,
            trusted.expires,
            trusted.sha256
        )
    })
}

/// Stores the root as trusted, if it signs itself and nothing else is trusted there yet.
pub(crate) async fn init(
    path: &Path,
    expected: Option<Sha256>,
    metadata_dir: &Path,
    rules: &Rules,
) -> Result<Trusted, Failure> {
    let file = fs::read(path).map_err(|source| Failure::Io {
        doing: "read",
        path: path.to_owned(),
        source,
    })?;
    let found = Sha256::of(&file);
    if let Some(expected) = expected.filter(|expected| *expected != found) {
        let path = path.to_owned();
        return Err(Failure::RootDigest {
            path,
            expected,
            found,
        });
    }
    let refused = |error: ClientError| match error {
        ClientError::Rejected(_) => Failure::NotARoot {
            path: path.to_owned(),
            source: Box::new(error),
        },
        other => other.into(),
    };
    // What is no root leaves no folder behind.
    RootChain::pinned(&file, *rules)
        .map_err(ClientError::from)
        .map_err(refused)?;
    let datastore = Datastore::open(metadata_dir)?;
    client::init(&datastore, &file, rules)
        .await
        .map_err(refused)?;
    let chain = RootChain::pinned(&file, *rules).map_err(ClientError::from)?;
    let root = chain.root();
    Ok(Trusted {
        version: root.version.get(),
        sha256: found.to_string(),
        expires: root.expires.to_string(),
        threshold: root.root.threshold,
        keys: root.root.keyids.len(),
    })
}

fn digest(text: &str) -> Result<Sha256, metadata::MetadataError> {
    Sha256::parse(text)
}
