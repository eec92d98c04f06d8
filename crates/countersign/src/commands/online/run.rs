//! `countersign online run`: cycle after cycle, for those who have no timers.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use repository::{OnlineSigners, Outcome, TickOptions, TickReport};

use super::metrics::{self, Cycles};
use super::tick::tick;
use crate::clock;
use crate::console::{Console, in_one_line};
use crate::data_dir::{DataDir, DataDirArgs};
use crate::exit_code;
use crate::failure::Failure;
use crate::online_keys::{self, OnlineKeyArgs};
use crate::places;
use crate::runtime::{self, Reload, Shutdown};
use crate::serve::listen;

/// Run cycles until stopped: timestamp and snapshot stay fresh, changes are published as they come
///
/// SIGTERM and Ctrl-C end it between two cycles, never within one. SIGHUP has it read its settings and
/// open its keys again; if that fails it goes on with those it has.
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

    /// Address on which Prometheus finds /metrics; keep it from strangers
    #[arg(long, value_name = "ADDRESS:PORT", env = "COUNTERSIGN_METRICS_LISTEN")]
    metrics_listen: Option<SocketAddr>,

    /// File that is kept up to date for the node exporter's textfile collector; its name ends in .prom
    #[arg(long, value_name = "FILE", env = "COUNTERSIGN_METRICS_FILE")]
    metrics_file: Option<PathBuf>,
}

/// Opens the keys again.
type OpenKeys = Arc<dyn Fn() -> Result<OnlineSigners, Failure> + Send + Sync>;

/// What keeps an index fresh.
pub(crate) struct Keeper {
    data_dir: DataDir,
    signers: OnlineSigners,
    every: Duration,
    cycles: Cycles,
    metrics_file: Option<PathBuf>,
    reload: Option<(Reload, OpenKeys)>,
}

pub(crate) fn run(args: &Args, console: &Console) -> Result<(), Failure> {
    let data_dir = args.data_dir.open().settled()?;
    places::check(&data_dir)?;
    let limits = online_keys::limits(&data_dir)?;
    let signers = online_keys::open(&data_dir, &args.online_keys, &limits, console)?;
    let listener = args.metrics_listen.map(listen).transpose()?;
    let again: OpenKeys = {
        let (data_dir, keys) = (data_dir.clone(), args.online_keys.clone());
        let console = console.clone();
        Arc::new(move || online_keys::open(&data_dir, &keys, &limits, &console))
    };
    let mut keeper = Keeper::new(data_dir.clone(), signers, Duration::from_secs(args.every));
    keeper.metrics_file.clone_from(&args.metrics_file);
    if let Some(Ok(address)) = listener.as_ref().map(std::net::TcpListener::local_addr) {
        console.say(format!("metrics at http://{address}/metrics"))?;
    }
    console.say("signing what is due, until stopped")?;
    runtime::block_on(async move {
        let (shutdown, stopper) = Shutdown::listen()?;
        keeper.reload = Some((Reload::listen()?, again));
        let served = listener.map(|listener| {
            let cycles = keeper.cycles.clone();
            tokio::spawn(metrics::serve(listener, data_dir, cycles, shutdown.clone()))
        });
        let ended = keeper.keep(shutdown.clone()).await;
        if ended.is_err() {
            stopper.stop();
        }
        if let Some(served) = served {
            let what = "metrics server";
            let died = |source| Failure::Worker { what, source };
            served.await.map_err(died)??;
        }
        ended?;
        shutdown.requested().await.into_result()
    })
}

impl Keeper {
    /// Keeps the index in `data_dir` fresh, with a look every so often.
    pub(crate) fn new(data_dir: DataDir, signers: OnlineSigners, every: Duration) -> Self {
        Self {
            data_dir,
            signers,
            every,
            cycles: Cycles::default(),
            metrics_file: None,
            reload: None,
        }
    }

    /// Runs cycles until told to stop. A cycle that fails is said and tried again: the repository
    /// stays as it was, and clients have half a life of every role before they notice.
    pub(crate) async fn keep(mut self, shutdown: Shutdown) -> Result<(), Failure> {
        loop {
            self.cycle().await?;
            tokio::select! {
                _ = shutdown.clone().requested() => return Ok(()),
                () = tokio::time::sleep(self.every) => {}
                () = reload_asked(&mut self.reload) => self.open_keys().await?,
            }
        }
    }

    /// Never dropped half way: a cycle that has begun is waited for.
    async fn cycle(&self) -> Result<(), Failure> {
        let (data_dir, signers) = (self.data_dir.clone(), self.signers.clone());
        let (cycles, file) = (self.cycles.clone(), self.metrics_file.clone());
        let done = tokio::task::spawn_blocking(move || {
            let done = tick(
                &data_dir,
                &signers,
                clock::now(),
                TickOptions::default(),
                None,
            );
            cycles.count(done.is_ok());
            if let Some(file) = file {
                metrics::write(&file, &data_dir, &cycles);
            }
            done
        });
        let what = "online cycle";
        match done
            .await
            .map_err(|source| Failure::Worker { what, source })?
        {
            Ok(report) => tell(&report),
            Err(failure) => tell_failure(&failure),
        }
        Ok(())
    }

    async fn open_keys(&mut self) -> Result<(), Failure> {
        let Some((_, open)) = &self.reload else {
            return Ok(());
        };
        let open = Arc::clone(open);
        let opened = tokio::task::spawn_blocking(move || open()).await;
        let what = "reload";
        match opened.map_err(|source| Failure::Worker { what, source })? {
            Ok(signers) => {
                self.signers = signers;
                tracing::info!("settings and keys were read again");
            }
            Err(failure) => {
                let why = in_one_line(&failure);
                tracing::error!("going on with the keys of before: {why}");
            }
        }
        Ok(())
    }
}

/// Returns when a reload is asked for; never where none can be.
async fn reload_asked(reload: &mut Option<(Reload, OpenKeys)>) {
    match reload {
        Some((reload, _)) => reload.requested().await,
        None => std::future::pending().await,
    }
}

fn tell(report: &TickReport) {
    super::tick::tell_events(report);
    if let Some(timestamp) = report.timestamp {
        let changes = report.outcomes.len();
        let snapshot = report.snapshot.map(metadata::Version::get);
        tracing::info!(%timestamp, snapshot, bins = report.bins, changes, "published");
    }
    for (_, outcome) in &report.outcomes {
        if let Outcome::Refused(why) = outcome {
            tracing::error!("refused {why}");
        }
    }
}

fn tell_failure(failure: &Failure) {
    let why = in_one_line(failure);
    if exit_code::of(failure) == exit_code::BUSY {
        tracing::info!("the cycle waits for its turn: {why}");
    } else {
        tracing::error!("the cycle failed and is tried again: {why}");
    }
}
