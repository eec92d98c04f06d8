//! Sends a verified file, or one range of it.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};

use axum::body::Body;
use axum::http::StatusCode;
use axum::http::header::{
    ACCEPT_RANGES, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG,
};
use axum::response::Response;
use bytes::Bytes;
use futures_util::stream;
use tokio::task::spawn_blocking;

use crate::cache::Cached;
use crate::pages::names;
use crate::problem::Problem;
use crate::range::Part;

/// For what its URL binds.
const IMMUTABLE: &str = "public, max-age=31536000, immutable";

/// Bytes read at a time. Each piece is a change of threads and back, which costs more than the reading
/// of a small one; and each connection holds one piece.
const PIECE: u64 = 262_144;

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
        let file = cached.file.into_std().await;
        builder.body(stream_of(file, first, count))
    };
    response.map_err(|error| Problem::internal(error.to_string()))
}

/// `count` bytes of a file, from the first on, or fewer if it has become shorter.
fn stream_of(file: File, first: u64, count: u64) -> Body {
    // Wherever whoever opened it has left it: the check of a file ends at its end.
    Body::from_stream(stream::try_unfold(
        (file, Some(first), count),
        |(file, start, left)| async move {
            if left == 0 {
                return Ok(None);
            }
            let read = spawn_blocking(move || piece_of(file, start, left.min(PIECE)));
            let (piece, file) = read.await.map_err(io::Error::other)??;
            let left = left - piece.len() as u64;
            Ok::<_, io::Error>(
                (!piece.is_empty()).then(|| (Bytes::from(piece), (file, None, left))),
            )
        },
    ))
}

/// The next piece of a file, or the one at `start`.
fn piece_of(mut file: File, start: Option<u64>, length: u64) -> io::Result<(Vec<u8>, File)> {
    if let Some(start) = start {
        file.seek(SeekFrom::Start(start))?;
    }
    let mut piece = Vec::with_capacity(length as usize);
    let mut part = file.take(length);
    part.read_to_end(&mut piece)?;
    Ok((piece, part.into_inner()))
}
