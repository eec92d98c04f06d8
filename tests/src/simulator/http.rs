//! The simulated server behind real HTTP on a free loopback port, for installers and foreign
//! clients.

use axum::body::Body;
use axum::http::{Response, StatusCode, Uri, header};
use futures_util::StreamExt;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use url::Url;

use super::Server;
use super::server::{Answer, BrokenConnection, REFUSED};

/// A server that listens until this is dropped.
pub struct Listening {
    base: Url,
    task: JoinHandle<()>,
}

impl Server {
    /// Listens on a free port of the loopback address.
    pub async fn listen(&self) -> Listening {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = self.clone();
        let serve = move |uri: Uri| async move { respond(server.answer(uri.path())) };
        let app = axum::Router::new().fallback(axum::routing::get(serve));
        let task = tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Listening {
            base: Url::parse(&format!("http://{address}/")).unwrap(),
            task,
        }
    }
}

impl Listening {
    /// Where the metadata is.
    #[must_use]
    pub fn metadata_url(&self) -> Url {
        self.base.join("metadata/").unwrap()
    }

    /// Where the target files are.
    #[must_use]
    pub fn targets_url(&self) -> Url {
        self.base.join("targets/").unwrap()
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A refused connection becomes one that breaks before its first byte of body: behind a listening
/// port there is no other.
fn respond(answer: Answer) -> Response<Body> {
    if answer.status == REFUSED {
        let nothing = futures_util::stream::iter([Err::<Vec<u8>, _>(BrokenConnection)]);
        return Response::new(Body::from_stream(nothing));
    }
    let mut response = Response::new(Body::from_stream(answer.body.boxed()));
    *response.status_mut() = StatusCode::from_u16(answer.status).unwrap();
    if let Some(length) = answer.length {
        response
            .headers_mut()
            .insert(header::CONTENT_LENGTH, length.into());
    }
    response
}
