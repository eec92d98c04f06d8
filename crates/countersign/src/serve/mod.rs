//! Serves the folder of a repository, read-only: metadata, targets, files and the plain mirror pages
//! for installers that know nothing of TUF. Clients verify what they get; nothing here is trusted.

mod object;
mod respond;

use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::response::Response;
use proxy::{ConnectionLimits, serve_router};

use crate::failure::Failure;
use crate::runtime::{GRACE, Shutdown};

/// Takes an address, before anything that would have to be undone if it is taken already.
pub(crate) fn listen(address: SocketAddr) -> Result<TcpListener, Failure> {
    let bind = || {
        let listener = TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        Ok(listener)
    };
    bind().map_err(|source| Failure::Listen { address, source })
}

/// The same for the runtime, in which this has to be called.
pub(crate) fn online(listener: TcpListener) -> Result<tokio::net::TcpListener, Failure> {
    tokio::net::TcpListener::from_std(listener).map_err(Failure::Runtime)
}

/// Serves the repository in `folder` until told to stop; then requests under way may end.
pub(crate) async fn serve(
    listener: TcpListener,
    folder: PathBuf,
    shutdown: Shutdown,
) -> Result<(), Failure> {
    let listener = online(listener)?;
    let router = Router::new().fallback(answer).with_state(Arc::new(folder));
    let requested = shutdown.clone();
    let server = serve_router(listener, router, ConnectionLimits::default(), async move {
        requested.requested().await;
    });
    let too_late = async {
        shutdown.requested().await;
        tokio::time::sleep(GRACE).await;
    };
    tokio::select! {
        ended = server => ended.map_err(|source| Failure::Server { what: "repository server", source }),
        () = too_late => Ok(()),
    }
}

async fn answer(State(folder): State<Arc<PathBuf>>, request: Request) -> Response {
    let response =
        respond::respond(&folder, request.method(), request.uri(), request.headers()).await;
    tracing::info!(
        status = response.status().as_u16(),
        "{} {}",
        request.method(),
        request.uri().path()
    );
    response
}

#[cfg(test)]
mod tests;
