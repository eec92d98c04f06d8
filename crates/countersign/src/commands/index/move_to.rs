//! `countersign index move`: carries an index to another store, or its state to another database, without a
//! gap for its clients.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use audit::AuditOptions;
use bytes::Bytes;
use chrono::{DateTime, SecondsFormat, Utc};
use client::{Body, Transport, TransportError};
use futures_util::stream;
use policy::StoreLimits;
use repository::{MoveReport, Store, StorePath};
use serde::Serialize;
use store_bucket::Bucket;
use url::Url;

use crate::cli::JsonArgs;
use crate::clock;
use crate::commands::audit::Watching;
use crate::commands::index::move_state;
use crate::config::{Config, Setting, keep_store};
use crate::console::{Console, in_one_line};
use crate::data_dir::{DataDir, DataDirArgs};
use crate::failure::{Failure, UsageError};
use crate::places::{self, StatePlace, StorePlace};
use crate::progress::{self, Progress};
use crate::runtime;

/// Carry the index to another store, or its state to another database
///
/// --to copies everything clients can still ask for, held against the state's digests, and reads it there
/// as a client does. --state-to copies the state and reads it back; nobody writes to it meanwhile. Then the
/// settings name the new place, and the old one is refused to whoever has not heard of it. Programs that run
/// with these settings follow by themselves; those of other machines need the new place in theirs. Cut short
/// at any point, the same can be given again. --store-endpoint, --state-password-file and the like are said
/// of the new place.
#[derive(clap::Args)]
#[command(group(clap::ArgGroup::new("place").required(true).args(["to", "state_to"])))]
pub(crate) struct Args {
    #[command(flatten)]
    data_dir: DataDirArgs,

    /// Where the store shall be: a folder, or `s3://BUCKET/PREFIX`
    #[arg(long, value_name = "DIR|URL", env = "COUNTERSIGN_MOVE_TO")]
    to: Option<StorePlace>,

    /// Where the state shall be: a file, or `postgres://USER@HOST/DATABASE`, a database that is empty
    #[arg(long, value_name = "FILE|URL", env = "COUNTERSIGN_MOVE_STATE_TO")]
    state_to: Option<StatePlace>,

    #[command(flatten)]
    json: JsonArgs,
}

#[derive(Serialize)]
struct Report {
    from: String,
    to: String,
    objects: u64,
    bytes: u64,
    by_signature: u64,
    old_store_good_until: Option<String>,
}

pub(crate) fn run(args: &Args, console: &Console) -> Result<(), Failure> {
    match (&args.to, &args.state_to) {
        (_, Some(to)) => move_state::run(&args.data_dir, to, args.json, console),
        (Some(to), None) => move_store(args, to, console),
        (None, None) => Err(UsageError::MovesNowhere.into()),
    }
}

fn move_store(args: &Args, to: &StorePlace, console: &Console) -> Result<(), Failure> {
    let given = args.data_dir.open();
    if given.storage().store.is_some() || given.storage().uploads.is_some() {
        return Err(UsageError::MovesByTo.into());
    }
    // What is said of buckets is said of the new place: the old one is as the settings have it.
    let data_dir = DataDir::at(given.path().to_owned());
    let config = Config::load(&data_dir)?;
    let mut target = Config::load(&data_dir)?;
    target.store = Setting::given(to.clone().absolute()?);
    target.bucket = given
        .storage()
        .bucket
        .clone()
        .or(&config.bucket, data_dir.path());
    if target.store.value == config.store.value {
        return Err(UsageError::MovesNowhere.into());
    }
    let mut repository = places::open(&data_dir)?;
    let limits = repository.settings().policy.store;
    check(&target, limits)?;
    let mut to = places::store(&target, limits)?;
    let progress = progress::watching(&mut repository, console, "copying");
    let done = repository.move_to(
        to.as_mut(),
        clock::now(),
        |report| read_back(report, places::store(&target, limits)?, console),
        || keep_store(&data_dir.config(), &target.store.value, &target.bucket),
    )?;
    drop(progress);
    let time = |time: DateTime<Utc>| time.to_rfc3339_opts(SecondsFormat::Secs, true);
    let report = Report {
        from: config.store.value.to_string(),
        to: target.store.value.to_string(),
        objects: done.objects,
        bytes: done.bytes,
        by_signature: done.by_signature,
        old_store_good_until: done.good_until.map(time),
    };
    console.report(args.json.json, &report, || report.text())
}

fn check(target: &Config, limits: StoreLimits) -> Result<(), Failure> {
    if let StorePlace::Bucket(place) = &target.store.value {
        Bucket::open(place.clone(), &target.bucket.endpoint()?, limits)?.check()?;
        if let Some(uploads) = &target.uploads.value {
            uploads.is_apart_from(place)?;
        }
    }
    Ok(())
}

/// Reads all of the new place as a client that holds the root and nothing else.
fn read_back(report: &MoveReport, store: Box<dyn Store>, console: &Console) -> Result<(), Failure> {
    let progress = Watching(Progress::spinner(console, "reading the new place"));
    let base = Url::parse("http://index.example/").map_err(|_| UsageError::MovesNowhere)?;
    let url = |folder| base.join(folder).map_err(|_| UsageError::MovesNowhere);
    let options = AuditOptions {
        metadata_url: url("metadata/")?,
        targets_url: url("targets/")?,
        trusted_root: report.root.clone(),
        rules: crate::commands::client::rules(false),
        now: clock::now(),
        read_targets: false,
    };
    let transport = Arc::new(Reading(Arc::new(Mutex::new(store))));
    let read = runtime::run(async { Ok(audit::audit(options, transport, &progress).await?) })?;
    match read.exit_code() {
        0 => Ok(()),
        code => {
            for finding in &read.findings {
                tracing::error!("{finding}");
            }
            Err(Failure::Findings { code })
        }
    }
}

/// Fetches from a store, whatever web server will stand before it.
struct Reading(Arc<Mutex<Box<dyn Store>>>);

#[async_trait]
impl Transport for Reading {
    async fn get(&self, url: &Url) -> Result<Body, TransportError> {
        let missing = || TransportError::NotFound { url: url.clone() };
        let path = StorePath::parse(url.path().trim_start_matches('/')).ok_or_else(missing)?;
        let store = Arc::clone(&self.0);
        let read = tokio::task::spawn_blocking(move || {
            let store = store.lock().unwrap_or_else(PoisonError::into_inner);
            store.get(&path, u64::MAX)
        });
        let broken = |why: String| TransportError::Connection {
            url: url.clone(),
            why,
        };
        let read = read.await.map_err(|error| broken(error.to_string()))?;
        let bytes = read.map_err(|error| broken(in_one_line(&error)))?;
        let bytes = Bytes::from(bytes.ok_or_else(missing)?);
        Ok(Box::pin(stream::iter([Ok(bytes)])))
    }
}

impl Report {
    fn text(&self) -> String {
        let until = self.old_store_good_until.as_deref().unwrap_or("it expires");
        format!(
            "copied {} objects of {} bytes from {} to {}, and read them back\n\
             next: lead clients to the new place (DNS, CDN) before {until}; until all of them are there\n\
             keep serving the old one, which is not published to any more\n",
            self.objects, self.bytes, self.from, self.to
        )
    }
}
