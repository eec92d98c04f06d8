//! The routes, and serving them.

use std::future::Future;
use std::io;
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde::Serialize;
use tokio::net::TcpListener;

use crate::problem::Problem;
use crate::state::SharedState;
use crate::verdict::Verdict;
use crate::{files, guard, pages};

/// The routes of a proxy.
pub fn router(state: SharedState) -> Router {
    Router::new()
        .route("/simple", get(pages::root_list))
        .route("/simple/", get(pages::root_list))
        .route("/simple/{name}", get(pages::without_slash))
        .route("/simple/{name}/", get(pages::page))
        .route("/files/{sha256}/{filename}", get(files::file))
        .route("/+countersign/status", get(status))
        .route("/healthz", get(healthz))
        .fallback(nothing_here)
        .layer(from_fn_with_state(Arc::clone(&state), guard::check_host))
        .with_state(state)
}

/// Serves until `shutdown` ends, then lets the requests in progress finish. Whoever binds the
/// listener decides who can reach it: loopback only, unless the network is trusted.
pub async fn serve(
    listener: TcpListener,
    state: SharedState,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    axum::serve(listener, router(state))
        .with_graceful_shutdown(shutdown)
        .await
}

async fn nothing_here() -> Problem {
    Problem::not_found(
        "this proxy has pages at /simple/NAME/ and nothing else",
        "ask for a page",
    )
}

async fn healthz() -> &'static str {
    "ok\n"
}

/// What the proxy trusts at the moment, and what it did so far.
#[derive(Serialize)]
struct Status {
    version: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    trusted: Option<Trusted>,
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<Problem>,
    verdict: Verdict,
}

#[derive(Serialize)]
struct Trusted {
    root: u64,
    timestamp: u64,
    snapshot: u64,
    targets: u64,
    valid_until: String,
}

async fn status(State(state): State<SharedState>) -> Response {
    let (trusted, problem) = match state.session().await {
        Ok(session) => {
            let snapped = session.snapped();
            let trusted = Trusted {
                root: snapped.root().version.get(),
                timestamp: snapped.timestamp().version.get(),
                snapshot: snapped.snapshot().version.get(),
                targets: session.targets().version.get(),
                valid_until: metadata::Expiry::at(session.valid_until()).to_string(),
            };
            (Some(trusted), None)
        }
        Err(problem) => (None, Some(problem)),
    };
    let verdict = state.verdict();
    let status = Status {
        version: env!("CARGO_PKG_VERSION"),
        trusted,
        problem,
        verdict,
    };
    let body = match serde_json::to_vec(&status) {
        Ok(body) => body,
        Err(error) => return Problem::internal(error.to_string()).into_response(),
    };
    ([(CONTENT_TYPE, "application/json")], body).into_response()
}
