//! Runs what is online, until it is done or the user has had enough.

use std::future::Future;
use std::time::Duration;

use tokio::runtime::Builder;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

use crate::failure::Failure;

/// How long requests in flight may take once the end was asked for.
pub(crate) const GRACE: Duration = Duration::from_secs(5);

/// Runs one command to its end; Ctrl-C drops it where it waits, which leaves nothing half done.
pub(crate) fn run<T>(command: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    block_on(async {
        tokio::select! {
            done = command => done,
            stopped = tokio::signal::ctrl_c() => {
                stopped.map_err(Failure::Runtime)?;
                Err(Failure::Interrupted)
            }
        }
    })
}

/// Runs a command that hears [`Shutdown`] itself.
pub(crate) fn block_on<T>(command: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    ended(Builder::new_multi_thread(), command)
}

/// The same on this thread alone, beside those that read and write files: a proxy of one machine's
/// installers is nowhere near what one thread can do, and every request that changes threads on its way
/// costs more than serving it.
pub(crate) fn block_on_one_thread<T>(
    command: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    ended(Builder::new_current_thread(), command)
}

fn ended<T>(
    mut runtime: Builder,
    command: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    let runtime = runtime.enable_all().build().map_err(Failure::Runtime)?;
    let done = runtime.block_on(command);
    runtime.shutdown_timeout(GRACE);
    done
}

/// Tells everything that serves when to end.
#[derive(Clone)]
pub(crate) struct Shutdown(watch::Receiver<Option<Ended>>);

/// Who ended it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    /// Somebody at the terminal: SIGINT.
    Interrupted,
    /// Whoever supervises the process: SIGTERM.
    Terminated,
}

/// Hears that settings and keys are to be read again: SIGHUP.
pub(crate) struct Reload(Signal);

impl Reload {
    /// Listens from now on.
    pub(crate) fn listen() -> Result<Self, Failure> {
        let hangup = signal(SignalKind::hangup()).map_err(Failure::Runtime)?;
        Ok(Self(hangup))
    }

    /// Returns when it was asked for.
    pub(crate) async fn requested(&mut self) {
        if self.0.recv().await.is_none() {
            std::future::pending::<()>().await;
        }
    }
}

/// Asks for the end from within.
pub(crate) struct Stopper(watch::Sender<Option<Ended>>);

impl Shutdown {
    /// Listens for signals from now on.
    pub(crate) fn listen() -> Result<(Self, Stopper), Failure> {
        let mut interrupt = signal(SignalKind::interrupt()).map_err(Failure::Runtime)?;
        let mut terminate = signal(SignalKind::terminate()).map_err(Failure::Runtime)?;
        let (sender, receiver) = watch::channel(None);
        let signalled = sender.clone();
        tokio::spawn(async move {
            let ended = tokio::select! {
                _ = interrupt.recv() => Ended::Interrupted,
                _ = terminate.recv() => Ended::Terminated,
            };
            // Nobody listens any more only when everything has ended already.
            let _ = signalled.send(Some(ended));
        });
        Ok((Self(receiver), Stopper(sender)))
    }

    /// Returns when the end was asked for.
    pub(crate) async fn requested(mut self) -> Ended {
        match self.0.wait_for(Option::is_some).await {
            Ok(ended) => ended.unwrap_or(Ended::Terminated),
            Err(_) => Ended::Terminated,
        }
    }
}

impl Stopper {
    /// Asks for the end.
    pub(crate) fn stop(&self) {
        let _ = self.0.send(Some(Ended::Terminated));
    }
}

impl Ended {
    /// How a program that only ends when told to ends: code 130 after Ctrl-C (DESIGN §9), 0 when
    /// its supervisor asked.
    pub(crate) fn into_result(self) -> Result<(), Failure> {
        match self {
            Self::Interrupted => Err(Failure::Interrupted),
            Self::Terminated => Ok(()),
        }
    }
}
