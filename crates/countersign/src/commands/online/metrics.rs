//! What a signer tells Prometheus: on a port, or in a file for `node_exporter`'s textfile collector.

use std::fmt::Write as _;
use std::net::TcpListener;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use chrono::{DateTime, Utc};
use repository::prometheus_text;

use crate::clock;
use crate::console::in_one_line;
use crate::data_dir::DataDir;
use crate::failure::Failure;
use crate::places;
use crate::replace_file::replace_file;
use crate::runtime::{GRACE, Shutdown};
use crate::serve::online;

/// What the cycles of this process came to.
#[derive(Clone, Debug, Default)]
pub(super) struct Cycles(Arc<Mutex<Counts>>);

#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    done: u64,
    failed: u64,
    last: Option<(DateTime<Utc>, bool)>,
}

impl Cycles {
    /// Counts a cycle.
    pub(super) fn count(&self, succeeded: bool) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if succeeded {
            counts.done += 1;
        } else {
            counts.failed += 1;
        }
        counts.last = Some((clock::now(), succeeded));
    }

    fn text(&self) -> String {
        let counts = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut text = String::new();
        let mut family = |name: &str, kind: &str, help: &str, samples: &[(&str, i64)]| {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "# HELP countersign_{name} {help}");
            let _ = writeln!(text, "# TYPE countersign_{name} {kind}");
            for (labels, value) in samples {
                let _ = writeln!(text, "countersign_{name}{labels} {value}");
            }
        };
        let number = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
        family(
            "cycles_total",
            "counter",
            "Cycles run by this process.",
            &[
                ("{result=\"done\"}", number(counts.done)),
                ("{result=\"failed\"}", number(counts.failed)),
            ],
        );
        if let Some((time, succeeded)) = counts.last {
            family(
                "last_cycle_timestamp_seconds",
                "gauge",
                "When the last cycle ended.",
                &[("", time.timestamp())],
            );
            family(
                "last_cycle_succeeded",
                "gauge",
                "Whether the last cycle did what was due.",
                &[("", succeeded.into())],
            );
        }
        text
    }
}

/// The index and this process, as Prometheus reads them.
fn text(data_dir: &DataDir, cycles: &Cycles) -> Result<String, Failure> {
    let now = clock::now();
    let status = places::open(data_dir)?.status(now)?;
    Ok(prometheus_text(&status, now) + &cycles.text())
}

/// Writes the metrics to a file. That it cannot is said and no reason to stop signing.
pub(super) fn write(path: &Path, data_dir: &DataDir, cycles: &Cycles) {
    let written = text(data_dir, cycles).and_then(|text| replace_file(path, text.as_bytes()));
    if let Err(failure) = written {
        tracing::error!("no metrics were written: {}", in_one_line(&failure));
    }
}

/// Serves `/metrics` until told to stop.
pub(super) async fn serve(
    listener: TcpListener,
    data_dir: DataDir,
    cycles: Cycles,
    shutdown: Shutdown,
) -> Result<(), Failure> {
    let answer = move || {
        let (data_dir, cycles) = (data_dir.clone(), cycles.clone());
        async move {
            let text = tokio::task::spawn_blocking(move || text(&data_dir, &cycles)).await;
            respond(text)
        }
    };
    let router = Router::new().route("/metrics", get(answer));
    let requested = shutdown.clone();
    let server = axum::serve(online(listener)?, router)
        .with_graceful_shutdown(async move {
            requested.requested().await;
        })
        .into_future();
    let too_late = async {
        shutdown.requested().await;
        tokio::time::sleep(GRACE).await;
    };
    let what = "metrics server";
    tokio::select! {
        ended = server => ended.map_err(|source| Failure::Server { what, source }),
        () = too_late => Ok(()),
    }
}

fn respond(text: Result<Result<String, Failure>, tokio::task::JoinError>) -> Response {
    match text {
        Ok(Ok(text)) => {
            let kind = (header::CONTENT_TYPE, "text/plain; version=0.0.4");
            ([kind], text).into_response()
        }
        Ok(Err(failure)) => {
            tracing::error!("no metrics: {}", in_one_line(&failure));
            StatusCode::SERVICE_UNAVAILABLE.into_response()
        }
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}
