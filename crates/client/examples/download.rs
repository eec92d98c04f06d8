//! Downloads one target of any TUF repository, verified:
//!
//!     cargo run -p countersign-client --example download -- \
//!         METADATA_URL TARGETS_URL ROOT_FILE TARGET_PATH FOLDER
//!
//! The first run trusts `ROOT_FILE` and remembers it in FOLDER/trusted; later runs go on from what was seen.

use std::error::Error;
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use countersign_client as client;

use client::{Datastore, Pace, Updater, UpdaterConfig, found, init, transport_for};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let file = run(&words, Utc::now()).await?;
    println!("{} is what the repository lists", file.display());
    Ok(())
}

/// What `main` does, at a time given.
pub(crate) async fn run(words: &[String], now: DateTime<Utc>) -> Result<PathBuf, Box<dyn Error>> {
    let [metadata, targets, root, path, folder] = words else {
        return Err("five words: METADATA_URL TARGETS_URL ROOT_FILE TARGET_PATH FOLDER".into());
    };
    let folder = Path::new(folder);
    let config = UpdaterConfig::new(metadata.parse()?, targets.parse()?);
    let transport = transport_for(&config.metadata_url, Pace::default())?;
    let datastore = Datastore::open(folder.join("trusted"))?;
    init(&datastore, &std::fs::read(root)?, &config.rules).await?;

    let session = Updater::new(config, datastore, transport)?
        .refresh(now)
        .await?;
    let path = metadata::TargetPath::parse(path.as_str())?;
    // Found, or an error that says who does not list it.
    let target = found(&path, session.find(&path).await)?;
    Ok(session.download_to(&target, folder).await?)
}
