//! Says what is known of a target without asking anybody, from what an earlier update left:
//!
//!     cargo run -p countersign-client --example offline -- TRUSTED_FOLDER TARGET_PATH
//!
//! Everything held is verified again; what has expired since is refused.

use std::error::Error;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use countersign_client as client;

use client::{Body, Datastore, Transport, TransportError, Updater, UpdaterConfig};
use trust::Answer;
use url::Url;

/// A way to fetch files that fetches none.
struct Nobody;

#[async_trait::async_trait]
impl Transport for Nobody {
    async fn get(&self, url: &Url) -> Result<Body, TransportError> {
        Err(TransportError::NotFound { url: url.clone() })
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    println!("{}", run(&words, Utc::now()).await?);
    Ok(())
}

/// What `main` does, at a time given.
pub(crate) async fn run(words: &[String], now: DateTime<Utc>) -> Result<String, Box<dyn Error>> {
    let [trusted, path] = words else {
        return Err("two words: TRUSTED_FOLDER TARGET_PATH".into());
    };
    let nowhere: Url = "https://index.example/".parse()?;
    let config = UpdaterConfig::new(nowhere.clone(), nowhere);
    let updater = Updater::new(config, Datastore::open(trusted)?, Arc::new(Nobody))?;
    let session = updater.resume(now).await?;
    let path = metadata::TargetPath::parse(path.as_str())?;
    Ok(match session.find(&path).await {
        Answer::Found(target) => {
            format!(
                "{path}: {} bytes, by word of {}",
                target.file().length,
                target.role()
            )
        }
        Answer::Terminated(role) => {
            format!("{path}: {role} alone speaks for it and does not list it")
        }
        Answer::Unclaimed => format!("{path}: nobody lists it"),
        Answer::Failed { role, why } => format!("{path}: unknown, because {role} failed: {why}"),
    })
}
