//! `countersign online run`: cycle after cycle, for those who have no timers.

use std::time::Duration;

use repository::{OnlineSigners, Outcome, Repository, TickOptions, TickReport};

use super::tick::tick;
use crate::clock;
use crate::console::{Console, in_one_line};
use crate::data_dir::{DataDir, DataDirArgs};
use crate::failure::Failure;
use crate::online_keys::{self, OnlineKeyArgs};
use crate::runtime::{self, Shutdown};

/// Run cycles until stopped: timestamp and snapshot stay fresh, changes are published as they come
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    data_dir: DataDirArgs,

    #[command(flatten)]
    online_keys: OnlineKeyArgs,

    /// Seconds between two looks for something to do
    #[arg(
        long,
        value_name = "SECONDS",
        default_value = "10",
        env = "COUNTERSIGN_EVERY"
    )]
    #[arg(value_parser = clap::value_parser!(u64).range(1..=3600))]
    every: u64,
}

pub(crate) fn run(args: &Args, console: &Console) -> Result<(), Failure> {
    let data_dir = args.data_dir.open();
    drop(Repository::open(data_dir.path())?);
    let signers = online_keys::open(&data_dir, &args.online_keys, console)?;
    let every = Duration::from_secs(args.every);
    console.say("signing what is due, until stopped")?;
    runtime::block_on(async move {
        let (shutdown, _stopper) = Shutdown::listen()?;
        keep_fresh(data_dir, signers, every, shutdown.clone()).await?;
        shutdown.requested().await.into_result()
    })
}

/// Runs cycles until told to stop. A cycle that fails is said and tried again: the repository stays
/// as it was, and clients have half a life of every role before they notice.
pub(crate) async fn keep_fresh(
    data_dir: DataDir,
    signers: OnlineSigners,
    every: Duration,
    shutdown: Shutdown,
) -> Result<(), Failure> {
    loop {
        let (data_dir, signers) = (data_dir.clone(), signers.clone());
        let cycle = tokio::task::spawn_blocking(move || {
            tick(&data_dir, &signers, clock::now(), TickOptions::default())
        });
        // Never dropped half way: a cycle that has begun is waited for.
        match cycle.await {
            Ok(Ok(report)) => tell(&report),
            Ok(Err(failure)) => tell_failure(&failure),
            Err(source) => {
                let what = "online cycle";
                return Err(Failure::Worker { what, source });
            }
        }
        tokio::select! {
            _ = shutdown.clone().requested() => return Ok(()),
            () = tokio::time::sleep(every) => {}
        }
    }
}

fn tell(report: &TickReport) {
    if let Some(timestamp) = report.timestamp {
        let changes = report.outcomes.len();
        tracing::info!(%timestamp, bins = report.bins, changes, "published");
    }
    for (_, outcome) in &report.outcomes {
        if let Outcome::Refused(why) = outcome {
            tracing::error!("refused {why}");
        }
    }
}

fn tell_failure(failure: &Failure) {
    let why = in_one_line(failure);
    tracing::error!("the cycle failed and is tried again: {why}");
}
