//! Sends a verified file, or one range of it.

use std::fs::File;
use std::io::{self, Seek, SeekFrom};

use axum::body::Body;
use axum::http::StatusCode;
use axum::http::header::{
    ACCEPT_RANGES, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG,
};
use axum::response::Response;
use bytes::Bytes;
use client::Piece;
use futures_util::stream;
use tokio::task::spawn_blocking;

use crate::cache::Cached;
use crate::pages::names;
use crate::problem::Problem;
use crate::range::Part;

/// For what its URL binds.
const IMMUTABLE: &str = "public, max-age=31536000, immutable";

/// The conditions of a request.
pub(crate) struct Conditions<'a> {
    pub(crate) range: Option<&'a str>,
    pub(crate) if_range: Option<&'a str>,
    pub(crate) if_none_match: Option<&'a str>,
}

/// The response with a file. What is at a URL that names the digest never changes; what is at another
/// one is asked for again.
pub(crate) async fn send(
    cached: Cached,
    conditions: &Conditions<'_>,
    is_immutable: bool,
) -> Result<Response, Problem> {
    let etag = format!("\"{}\"", cached.sha256);
    let builder = Response::builder()
        .header(ETAG, &etag)
        .header(ACCEPT_RANGES, "bytes")
        .header(
            CACHE_CONTROL,
            if is_immutable { IMMUTABLE } else { "no-cache" },
        );
    let length = cached.length;
    let part = Part::of(conditions.range, conditions.if_range, &etag, length);
    let response = if conditions
        .if_none_match
        .is_some_and(|tags| names(tags, &etag))
    {
        builder.status(StatusCode::NOT_MODIFIED).body(Body::empty())
    } else if part == Part::Unsatisfiable {
        builder
            .status(StatusCode::RANGE_NOT_SATISFIABLE)
            .header(CONTENT_RANGE, format!("bytes */{length}"))
            .header(CONTENT_LENGTH, 0)
            .body(Body::empty())
    } else {
        let (status, first, count) = match part {
            Part::Bytes { first, last } => (StatusCode::PARTIAL_CONTENT, first, last - first + 1),
            _ => (StatusCode::OK, 0, length),
        };
        let mut builder = builder
            .status(status)
            .header(CONTENT_TYPE, "application/octet-stream")
            .header(CONTENT_LENGTH, count);
        if let Part::Bytes { first, last } = part {
            builder = builder.header(CONTENT_RANGE, format!("bytes {first}-{last}/{length}"));
        }
        let start = cached.start.filter(|_| first == 0);
        let failed = |error: io::Error| Problem::internal(format!("cache: {error}"));
        builder.body(stream_of(cached.file, start, first, count).map_err(failed)?)
    };
    response.map_err(|error| Problem::internal(error.to_string()))
}

/// `count` bytes of a file, from the first on, or fewer if it has become shorter; `start` is what was read of
/// it already.
fn stream_of(mut file: File, start: Option<Piece>, first: u64, count: u64) -> io::Result<Body> {
    if start.is_none() {
        // Whoever has checked the file has left it at its end.
        file.seek(SeekFrom::Start(first))?;
    }
    let body = stream::try_unfold((file, start, count), |(file, start, left)| async move {
        if left == 0 {
            return Ok(None);
        }
        let (piece, file) = match start {
            Some(start) => (start, file),
            None => next_of(file, left).await?,
        };
        let length = piece.len().min(left);
        let sent = Bytes::from_owner(piece).slice(..length as usize);
        Ok::<_, io::Error>((length > 0).then(|| (sent, (file, None, left - length))))
    });
    Ok(Body::from_stream(body))
}

/// The next piece of a file; by another thread where a disk has to be waited for.
async fn next_of(mut file: File, left: u64) -> io::Result<(Piece, File)> {
    let mut piece = Piece::new();
    if piece.read_now(&file, left) {
        return Ok((piece, file));
    }
    let read = spawn_blocking(move || {
        piece.read_from(&mut file, left)?;
        Ok((piece, file))
    });
    read.await.map_err(io::Error::other)?
}
