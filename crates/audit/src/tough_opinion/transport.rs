//! Lets tough read through our own transport, and find target files in folders: it asks for
//! `HASH.dir/file` where TUF 6.2.1 and everybody else put `dir/HASH.file`.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use client::{ReadError, read_limited};
use futures_util::stream;
use percent_encoding::percent_decode_str;
use tough::{Transport, TransportError, TransportErrorKind, TransportStream};
use url::Url;

use crate::finding::with_causes;
use crate::source::{Source, below, escape_path};

/// Hex digits of a SHA-256.
const DIGEST: usize = 64;

/// The transport given to tough.
#[derive(Clone)]
pub(super) struct Renaming {
    source: Source,
    limit: u64,
    failure: Arc<Mutex<Option<String>>>,
}

impl Renaming {
    /// Reads from `source`; of no file more than `limit` bytes.
    pub(super) fn new(source: Source, limit: u64) -> Self {
        Self {
            source,
            limit,
            failure: Arc::default(),
        }
    }

    pub(super) fn source(&self) -> &Source {
        &self.source
    }

    /// The first failure that was not the absence of a file: what tough says after one says nothing
    /// of the repository. It takes any failure for "no newer root".
    pub(super) fn failure(&self) -> Option<String> {
        let failure = self.failure.lock().unwrap_or_else(PoisonError::into_inner);
        failure.clone()
    }

    fn failed(&self, url: &Url, error: client::TransportError) -> TransportError {
        if matches!(error, client::TransportError::NotFound { .. }) {
            return TransportError::new_with_cause(TransportErrorKind::FileNotFound, url, error);
        }
        let mut failure = self.failure.lock().unwrap_or_else(PoisonError::into_inner);
        failure.get_or_insert_with(|| with_causes(&error));
        TransportError::new_with_cause(TransportErrorKind::Other, url, error)
    }
}

impl fmt::Debug for Renaming {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Renaming")
            .field("targets", &self.source.targets.as_str())
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl Transport for Renaming {
    /// The whole file is read first: tough wants a stream that threads can share, ours is not one.
    async fn fetch(&self, url: Url) -> Result<TransportStream, TransportError> {
        let renamed = rename(&self.source.targets, &url);
        let asked = renamed.as_ref().unwrap_or(&url);
        let body = self.source.transport.get(asked).await;
        let body = body.map_err(|error| self.failed(&url, error))?;
        let bytes = read_limited(body, self.limit)
            .await
            .map_err(|error| match error {
                ReadError::Transport(error) => self.failed(&url, error),
                ReadError::TooLarge => {
                    let why = format!("more than {} bytes", self.limit);
                    TransportError::new_with_cause(TransportErrorKind::Other, &url, why)
                }
            })?;
        let whole = std::future::ready(Ok(Bytes::from(bytes)));
        Ok(Box::pin(stream::once(whole)))
    }
}

/// Where the file lies that tough means. Metadata is asked for by version, never by a digest.
fn rename(targets: &Url, asked: &Url) -> Option<Url> {
    let rest = asked.as_str().strip_prefix(targets.as_str())?;
    let (digest, path) = rest.split_once('.')?;
    let is_digest = digest.len() == DIGEST && digest.bytes().all(|b| b.is_ascii_hexdigit());
    if !is_digest {
        return None;
    }
    // tough leaves `+` as it is, the client escapes it: for a store of objects these are two names.
    let path = percent_decode_str(path).decode_utf8().ok()?;
    let name = match path.rsplit_once('/') {
        Some((dir, file)) => format!("{dir}/{digest}.{file}"),
        None => format!("{digest}.{path}"),
    };
    Some(below(targets, &escape_path(&name)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn target_files_lie_in_their_folder_and_metadata_where_it_is_asked_for() {
        let base = Url::parse("https://index.example/repo/").unwrap();
        let digest = "ab".repeat(32);
        let renamed = |asked: &str| {
            let asked = base.join(asked).unwrap();
            rename(&base, &asked).map(|url| url.to_string())
        };
        assert_eq!(
            renamed(&format!("{digest}.packages/00/x/x-1+c.whl")),
            Some(format!(
                "https://index.example/repo/packages/00/x/{digest}.x-1%2Bc.whl"
            ))
        );
        assert_eq!(
            renamed(&format!("{digest}.flat.txt")),
            Some(format!("https://index.example/repo/{digest}.flat.txt"))
        );
        for metadata in ["timestamp.json", "metadata/1.root.json", "12.bins-0.json"] {
            assert_eq!(renamed(metadata), None);
        }
        let elsewhere = Url::parse("https://files.example/").unwrap();
        assert_eq!(rename(&elsewhere, &base), None);
    }
}
