//! Accepts connections, within limits: whoever sends nothing, or sends a header byte by byte, is cut
//! off, and no more connections are open at a time than this program can bear.

use std::future::Future;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use policy::ProxyLimits;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};
use tokio_rustls::TlsAcceptor;

use crate::interim::{Interim, WithInterim};

/// Wait after a failure to accept that is not one connection's own, such as too many open files.
const AFTER_FAILURE: Duration = Duration::from_millis(200);

/// What a server bears with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConnectionLimits {
    /// Time from the start of a connection, or the end of the answer before, to the end of the next
    /// request's header.
    pub header: Duration,
    /// Connections open at a time; further ones wait.
    pub connections: u32,
    /// How often an installer that waits for a file is told so, where that helps.
    pub interim: Duration,
}

impl From<&ProxyLimits> for ConnectionLimits {
    fn from(limits: &ProxyLimits) -> Self {
        Self {
            header: limits.header_timeout,
            connections: limits.connections,
            interim: limits.interim_interval,
        }
    }
}

impl Default for ConnectionLimits {
    /// Those of the policy `small-index`.
    fn default() -> Self {
        Self::from(&ProxyLimits::default())
    }
}

/// Serves until `shutdown` ends, then lets the requests in progress finish.
pub async fn serve_router(
    listener: TcpListener,
    router: Router,
    limits: ConnectionLimits,
    shutdown: impl Future<Output = ()> + Send,
) -> io::Result<()> {
    serve(listener, router, limits, None, shutdown).await
}

/// The same over TLS. The time for a header includes the handshake.
pub async fn serve_router_tls(
    listener: TcpListener,
    router: Router,
    limits: ConnectionLimits,
    tls: Arc<rustls::ServerConfig>,
    shutdown: impl Future<Output = ()> + Send,
) -> io::Result<()> {
    let tls = TlsAcceptor::from(tls);
    serve(listener, router, limits, Some(tls), shutdown).await
}

async fn serve(
    listener: TcpListener,
    router: Router,
    limits: ConnectionLimits,
    tls: Option<TlsAcceptor>,
    shutdown: impl Future<Output = ()> + Send,
) -> io::Result<()> {
    let places = Arc::new(Semaphore::new(limits.connections as usize));
    let (stop, stopped) = watch::channel(());
    tokio::pin!(shutdown);
    loop {
        let next = async {
            let place = Arc::clone(&places).acquire_owned().await;
            (place, listener.accept().await)
        };
        let (place, accepted) = tokio::select! {
            next = next => next,
            () = &mut shutdown => break,
        };
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(error) if is_of_one_connection(&error) => continue,
            Err(error) => {
                tracing::error!(%error, "no connection could be accepted");
                tokio::time::sleep(AFTER_FAILURE).await;
                continue;
            }
        };
        // Without it small answers wait for the acknowledgement of the ones before.
        let _ = stream.set_nodelay(true);
        let (router, stopped, tls) = (router.clone(), stopped.clone(), tls.clone());
        tokio::spawn(async move {
            match tls {
                None => answer(stream, router, limits, stopped).await,
                Some(tls) => {
                    let shaken = tokio::time::timeout(limits.header, tls.accept(stream)).await;
                    match shaken {
                        Ok(Ok(stream)) => answer(stream, router, limits, stopped).await,
                        Ok(Err(error)) => tracing::debug!(%error, "a handshake failed"),
                        Err(_) => tracing::debug!("a handshake did not come to its end"),
                    }
                }
            }
            drop(place);
        });
    }
    drop((listener, stopped));
    let _ = stop.send(());
    // Every connection holds a receiver until it ends.
    stop.closed().await;
    Ok(())
}

async fn answer(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    router: Router,
    limits: ConnectionLimits,
    mut stopped: watch::Receiver<()>,
) {
    let interim = Interim::new(limits.interim);
    let stream = WithInterim::new(stream, interim.clone());
    let router = TowerToHyperService::new(router);
    let service = service_fn(move |mut request: hyper::Request<Incoming>| {
        if Interim::helps(request.version(), request.headers()) {
            request.extensions_mut().insert(interim.clone());
        }
        router.call(request)
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.header)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    tokio::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        _ = stopped.changed() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection ended early");
    }
}

fn is_of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(
        error.kind(),
        ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted
    )
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use axum::routing::get;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpStream;
    use tokio::time::{Instant, timeout};

    use super::*;

    const LIMITS: ConnectionLimits = ConnectionLimits {
        header: Duration::from_millis(300),
        connections: 2,
        interim: Duration::from_secs(5),
    };

    async fn served(shutdown: impl Future<Output = ()> + Send + 'static) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let slow = || async {
            tokio::time::sleep(Duration::from_millis(200)).await;
            "slow"
        };
        let router = Router::new()
            .route("/", get(|| async { "here" }))
            .route("/slow", get(slow));
        tokio::spawn(serve_router(listener, router, LIMITS, shutdown));
        address
    }

    async fn ask(address: SocketAddr, path: &str) -> io::Result<String> {
        let mut stream = TcpStream::connect(address).await?;
        let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        Ok(answer)
    }

    #[tokio::test]
    async fn a_header_that_does_not_come_ends_the_connection() {
        let address = served(std::future::pending()).await;
        for start in ["", "GET / HTTP/1.1\r\nhost: "] {
            let started = Instant::now();
            let mut stream = TcpStream::connect(address).await.unwrap();
            stream.write_all(start.as_bytes()).await.unwrap();
            let mut left = Vec::new();
            let ended = timeout(Duration::from_secs(5), stream.read_to_end(&mut left)).await;
            ended.expect("the server hangs up").unwrap();
            assert!(
                started.elapsed() >= LIMITS.header,
                "{:?}",
                started.elapsed()
            );
        }
        assert!(ask(address, "/").await.unwrap().ends_with("here"));
    }

    #[tokio::test]
    async fn further_connections_wait_until_there_is_room() {
        let address = served(std::future::pending()).await;
        let idle = [
            TcpStream::connect(address).await.unwrap(),
            TcpStream::connect(address).await.unwrap(),
        ];
        let started = Instant::now();
        assert!(ask(address, "/").await.unwrap().ends_with("here"));
        // Room came when the first of the silent ones was cut off.
        assert!(
            started.elapsed() >= LIMITS.header / 2,
            "{:?}",
            started.elapsed()
        );
        drop(idle);
    }

    #[tokio::test]
    async fn what_has_begun_is_answered_before_the_end() {
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let address = served(async { drop(stopped.await) }).await;
        let asked = tokio::spawn(async move { ask(address, "/slow").await });
        tokio::time::sleep(Duration::from_millis(100)).await;
        drop(stop);
        assert!(asked.await.unwrap().unwrap().ends_with("slow"));
        assert!(TcpStream::connect(address).await.is_err());
    }
}
