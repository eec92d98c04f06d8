//! The routes, and serving them.

use std::collections::BTreeMap;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::header::CONTENT_TYPE;
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Extension, Router};
use client::Session;
use serde::Serialize;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::connections::{ConnectionLimits, serve_router};
use crate::problem::Problem;
use crate::state::SharedState;
use crate::verdict::Verdict;
use crate::{files, guard, pages, project_list};

/// The routes of a proxy.
pub fn router(state: SharedState) -> Router {
    Router::new()
        .route("/simple", get(project_list::list))
        .route("/simple/", get(project_list::list))
        .route("/simple/{name}", get(pages::without_slash))
        .route("/simple/{name}/", get(pages::page))
        .route("/files/unhashed/{filename}", get(files::unhashed))
        .route("/files/{sha256}/{filename}", get(files::file))
        .route("/+countersign/status", get(status))
        .route("/+countersign/challenge/{challenge}", get(challenge))
        .route("/healthz", get(healthz))
        .fallback(nothing_here)
        .layer(from_fn_with_state(Arc::clone(&state), guard::check_host))
        .with_state(state)
}

/// Serves until `shutdown` ends, then lets the requests in progress finish; meanwhile the state is
/// kept fresh. Whoever binds the listener decides who can reach it: loopback only, unless the network
/// is trusted.
pub async fn serve(
    listener: TcpListener,
    state: SharedState,
    shutdown: impl Future<Output = ()> + Send,
) -> io::Result<()> {
    let address = listener.local_addr()?;
    let limits = ConnectionLimits::from(&state.config().limits);
    let router = router(Arc::clone(&state)).layer(Extension(Address(address)));
    let fresh = AbortOnDrop(tokio::spawn(state.keep_fresh()));
    let served = serve_router(listener, router, limits, shutdown).await;
    drop(fresh);
    served
}

/// Where a proxy listens.
#[derive(Clone, Copy)]
struct Address(SocketAddr);

/// Ends a task with its owner.
struct AbortOnDrop(JoinHandle<()>);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Proves whose proxy this is; see `identity.rs`.
async fn challenge(
    State(state): State<SharedState>,
    address: Option<Extension<Address>>,
    Path(challenge): Path<String>,
) -> Response {
    let answer = address.and_then(|Extension(Address(address))| {
        let identity = state.config().identity.as_ref()?;
        identity.answer(&challenge, address)
    });
    answer.map_or_else(
        || {
            let hint = "start it with --index NAME";
            Problem::not_found("this proxy has no name to prove", hint).into_response()
        },
        IntoResponse::into_response,
    )
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
    /// Of the only upstream there is.
    #[serde(skip_serializing_if = "Option::is_none")]
    trusted: Option<Trusted>,
    /// By upstream, where there are several.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    upstreams: BTreeMap<String, Option<Trusted>>,
    /// Indexes that sign nothing, which the rules name for single projects.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    unverified: Vec<String>,
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

impl Trusted {
    fn of(session: &Session) -> Self {
        let snapped = session.snapped();
        Self {
            root: snapped.root().version.get(),
            timestamp: snapped.timestamp().version.get(),
            snapshot: snapped.snapshot().version.get(),
            targets: session.targets().version.get(),
            valid_until: metadata::Expiry::at(session.valid_until()).to_string(),
        }
    }
}

async fn status(State(state): State<SharedState>) -> Response {
    let (mut upstreams, mut refused) = (BTreeMap::new(), None);
    for (name, session) in state.sessions().await {
        let trusted = session.as_ref().ok().map(|session| Trusted::of(session));
        refused = refused.or(session.err());
        upstreams.insert(name.to_owned(), trusted);
    }
    let trusted = if upstreams.len() == 1 {
        upstreams.pop_first().and_then(|(_, trusted)| trusted)
    } else {
        None
    };
    // While the last verified state is served, this says why there is no newer one.
    let problem = refused.or_else(|| state.problem());
    let verdict = state.verdict();
    let status = Status {
        version: env!("CARGO_PKG_VERSION"),
        trusted,
        upstreams,
        unverified: state.unverified_names().map(str::to_owned).collect(),
        problem,
        verdict,
    };
    let body = match serde_json::to_vec(&status) {
        Ok(body) => body,
        Err(error) => return Problem::internal(error.to_string()).into_response(),
    };
    ([(CONTENT_TYPE, "application/json")], body).into_response()
}
