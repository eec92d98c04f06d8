//! Sends a verified file, or one range of it.

use std::io::SeekFrom;

use axum::body::Body;
use axum::http::StatusCode;
use axum::http::header::{
    ACCEPT_RANGES, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG,
};
use axum::response::Response;
use bytes::Bytes;
use futures_util::stream;
use tokio::fs::File;
use tokio::io::{AsyncReadExt, AsyncSeekExt, Take};

use crate::cache::Cached;
use crate::pages::names;
use crate::problem::Problem;
use crate::range::Part;

/// For what its URL binds.
const IMMUTABLE: &str = "public, max-age=31536000, immutable";

/// Bytes read at a time.
const PIECE: usize = 65_536;

/// The conditions of a request.
pub(crate) struct Conditions<'a> {
    pub(crate) range: Option<&'a str>,
    pub(crate) if_range: Option<&'a str>,
    pub(crate) if_none_match: Option<&'a str>,
}

/// The response with a file. What is at a URL that names the digest never changes; what is at another
/// one is asked for again.
pub(crate) async fn send(
    mut cached: Cached,
    conditions: &Conditions<'_>,
    is_immutable: bool,
) -> Result<Response, Problem> {
    let failed = |error: std::io::Error| Problem::internal(format!("cache: {error}"));
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
        cached
            .file
            .seek(SeekFrom::Start(first))
            .await
            .map_err(failed)?;
        let mut builder = builder
            .status(status)
            .header(CONTENT_TYPE, "application/octet-stream")
            .header(CONTENT_LENGTH, count);
        if let Part::Bytes { first, last } = part {
            builder = builder.header(CONTENT_RANGE, format!("bytes {first}-{last}/{length}"));
        }
        builder.body(stream_of(cached.file.take(count)))
    };
    response.map_err(|error| Problem::internal(error.to_string()))
}

fn stream_of(file: Take<File>) -> Body {
    Body::from_stream(stream::try_unfold(file, |mut file| async move {
        let mut piece = vec![0; PIECE];
        let read = file.read(&mut piece).await?;
        piece.truncate(read);
        Ok::<_, std::io::Error>((read > 0).then(|| (Bytes::from(piece), file)))
    }))
}
