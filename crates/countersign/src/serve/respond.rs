//! Answers one request from the folder.

use std::io;
use std::path::Path;

use axum::body::Body;
use axum::http::header::{
    ACCEPT, ALLOW, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, LOCATION, VARY,
    X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, HeaderValue, Method, Response, StatusCode, Uri, response};
use bytes::Bytes;
use futures_util::{Stream, stream};
use proxy::Form;
use tokio::fs::File;
use tokio::io::AsyncReadExt;

use super::object::{MOMENT, Object, Wanted, wanted};

/// Bytes read at a time.
const PIECE: usize = 65_536;

/// Answers a request.
pub(super) async fn respond(
    folder: &Path,
    method: &Method,
    uri: &Uri,
    headers: &HeaderMap,
) -> Response<Body> {
    if !matches!(*method, Method::GET | Method::HEAD) {
        let builder = plain(StatusCode::METHOD_NOT_ALLOWED).header(ALLOW, "GET, HEAD");
        return finish(builder, "this repository is read-only\n");
    }
    let with_body = method == Method::GET;
    match wanted(uri.path()) {
        Wanted::Nothing => missing(),
        Wanted::Moved(to) => {
            let builder = plain(StatusCode::MOVED_PERMANENTLY).header(LOCATION, to);
            finish(builder, "")
        }
        Wanted::File(object) => send(folder, &object, with_body, None).await,
        Wanted::Page(project) => {
            let wish = headers.get(ACCEPT).and_then(|value| value.to_str().ok());
            let Some(form) = Form::choose(wish) else {
                let builder = plain(StatusCode::NOT_ACCEPTABLE).header(VARY, "Accept");
                return finish(builder, "pages are JSON (PEP 691) or HTML (PEP 503)\n");
            };
            let object = Object::page(&project, form);
            send(folder, &object, with_body, Some("Accept")).await
        }
    }
}

/// Sends a file as it comes from the disk.
async fn send(
    folder: &Path,
    object: &Object,
    with_body: bool,
    vary: Option<&'static str>,
) -> Response<Body> {
    let (file, length) = match open(&folder.join(&object.path)).await {
        Ok(opened) => opened,
        Err(error) if is_missing(&error) => return missing(),
        Err(error) => {
            tracing::error!("{}: {error}", object.path.display());
            let status = StatusCode::INTERNAL_SERVER_ERROR;
            return finish(plain(status), "the repository could not be read\n");
        }
    };
    let mut builder = Response::builder()
        .header(CONTENT_TYPE, object.content_type)
        .header(CONTENT_LENGTH, length)
        .header(CACHE_CONTROL, object.cache)
        .header(X_CONTENT_TYPE_OPTIONS, "nosniff");
    if let Some(vary) = vary {
        builder = builder.header(VARY, vary);
    }
    let body = if with_body {
        Body::from_stream(pieces(file))
    } else {
        Body::empty()
    };
    finish(builder, body)
}

async fn open(path: &Path) -> io::Result<(File, u64)> {
    let file = File::open(path).await?;
    let about = file.metadata().await?;
    if about.is_file() {
        Ok((file, about.len()))
    } else {
        Err(io::ErrorKind::NotFound.into())
    }
}

fn is_missing(error: &io::Error) -> bool {
    use io::ErrorKind::{InvalidFilename, NotADirectory, NotFound};
    matches!(error.kind(), NotFound | NotADirectory | InvalidFilename)
}

fn pieces(file: File) -> impl Stream<Item = io::Result<Bytes>> {
    stream::try_unfold(file, |mut file| async move {
        let mut piece = vec![0; PIECE];
        let read = file.read(&mut piece).await?;
        piece.truncate(read);
        Ok((read > 0).then(|| (piece.into(), file)))
    })
}

/// Not there now; the next root may be there in a moment.
fn missing() -> Response<Body> {
    let builder = plain(StatusCode::NOT_FOUND).header(CACHE_CONTROL, MOMENT);
    finish(builder, "there is no such file in this repository\n")
}

fn plain(status: StatusCode) -> response::Builder {
    Response::builder()
        .status(status)
        .header(CONTENT_TYPE, HeaderValue::from_static("text/plain"))
}

/// Every header above is a constant, a number or a path of printable ASCII.
fn finish(builder: response::Builder, body: impl Into<Body>) -> Response<Body> {
    builder.body(body.into()).unwrap_or_else(|error| {
        tracing::error!("{error}");
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
        response
    })
}
