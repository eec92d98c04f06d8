//! Reads what is fetched up to a limit and no further (endless data, TUF 5.3.3, 5.4.1, 5.5.1, 5.6.1).

use futures_util::StreamExt;
use metadata::{Role, Version};
use trust::Rejection;
use url::Url;

use crate::{Body, ClientError, Transport, TransportError, Wanted};

/// Memory set aside before anything has come; more grows with what really comes.
const FIRST_ALLOCATION: u64 = 16_384;

/// Why reading stopped.
#[derive(Debug)]
pub enum ReadError {
    /// More bytes than the limit.
    TooLarge,
    /// The bytes stopped coming.
    Transport(TransportError),
}

/// Reads a whole body of at most `limit` bytes. Of a longer one nothing beyond the piece that
/// crosses the limit is read, and that piece is not kept.
pub async fn read_limited(mut body: Body, limit: u64) -> Result<Vec<u8>, ReadError> {
    let mut out = Vec::with_capacity(limit.min(FIRST_ALLOCATION) as usize);
    while let Some(piece) = body.next().await {
        let piece = piece.map_err(ReadError::Transport)?;
        if (out.len() + piece.len()) as u64 > limit {
            return Err(ReadError::TooLarge);
        }
        out.extend_from_slice(&piece);
    }
    Ok(out)
}

/// Fetches the metadata file of a role.
pub(crate) async fn fetch_role(
    transport: &dyn Transport,
    url: &Url,
    (role, version): (&Role, Option<Version>),
    limit: u64,
) -> Result<Vec<u8>, ClientError> {
    let failed = |source| ClientError::transport(Wanted::Role(role.clone(), version), source);
    let body = transport.get(url).await.map_err(failed)?;
    read_limited(body, limit)
        .await
        .map_err(|error| match error {
            ReadError::TooLarge => Rejection::TooLarge {
                role: role.clone(),
                limit,
            }
            .into(),
            ReadError::Transport(source) => failed(source),
        })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use bytes::Bytes;
    use futures_util::stream;

    use super::*;

    fn pieces(count: usize) -> (Body, Arc<AtomicUsize>) {
        let read = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&read);
        let body = stream::iter(0..count).map(move |_| {
            counter.fetch_add(1, Ordering::SeqCst);
            Ok(Bytes::from_static(b"0123456789"))
        });
        (Box::pin(body), read)
    }

    #[tokio::test]
    async fn stops_at_the_first_byte_beyond_the_limit() {
        let (body, _) = pieces(3);
        assert_eq!(read_limited(body, 30).await.unwrap().len(), 30);
        let (body, read) = pieces(1_000_000);
        assert!(matches!(
            read_limited(body, 29).await,
            Err(ReadError::TooLarge)
        ));
        assert_eq!(read.load(Ordering::SeqCst), 3);
    }

    #[tokio::test]
    async fn a_huge_limit_sets_no_memory_aside() {
        let (body, _) = pieces(1);
        let read = read_limited(body, u64::MAX).await.unwrap();
        assert!(read.capacity() <= FIRST_ALLOCATION as usize);
    }

    #[tokio::test]
    async fn a_body_that_breaks_off_is_no_file() {
        let url = Url::parse("https://index.example/x").unwrap();
        let broken = TransportError::Connection {
            url,
            why: "reset".to_owned(),
        };
        let body = stream::iter([Ok(Bytes::from_static(b"{}")), Err(broken.clone())]);
        let error = read_limited(Box::pin(body), 10).await.unwrap_err();
        assert!(matches!(error, ReadError::Transport(found) if found == broken));
    }
}
