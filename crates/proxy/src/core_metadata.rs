//! Core metadata of wheels for which the index lists none (PEP 658): taken out of the verified wheel, so
//! whoever vouches for the wheel vouches for it. It is offered only where the wheel lies in the cache:
//! pip fails where metadata that is offered does not come, and what has to be fetched first, whole, may
//! come too late.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io::BufReader;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::body::Body;
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE, ETAG};
use axum::response::Response;
use index::{DistributionFilename, DistributionKind, InspectLimits, PageFile, SimplePage, inspect};
use metadata::{Hashes, Sha256};

use crate::cache::{Cached, Expected, blocking};
use crate::problem::Problem;
use crate::state::ProxyState;

/// What an entry counts at least.
const LEAST_WEIGHT: usize = 256;

/// The metadata of a wheel.
#[derive(Clone)]
pub(crate) struct CoreMetadata {
    sha256: Sha256,
    bytes: Arc<[u8]>,
}

/// What was taken out of wheels, by the digest of the wheel. With a byte more than the limit all are
/// dropped.
pub(crate) struct Extracted {
    kept: Mutex<Kept>,
    limit: usize,
}

#[derive(Default)]
struct Kept {
    by_wheel: BTreeMap<Sha256, Taken>,
    bytes: usize,
}

/// What came out of a wheel; nothing, where it has nothing usable.
#[derive(Clone)]
struct Taken(Option<CoreMetadata>);

impl Extracted {
    pub(crate) fn within(limit: u64) -> Self {
        Self {
            kept: Mutex::default(),
            limit: usize::try_from(limit).unwrap_or(usize::MAX),
        }
    }

    fn get(&self, wheel: Sha256) -> Option<Taken> {
        self.kept().by_wheel.get(&wheel).cloned()
    }

    fn keep(&self, wheel: Sha256, taken: Taken) {
        let mut kept = self.kept();
        let weight = taken.0.as_ref().map_or(0, |it| it.bytes.len()) + LEAST_WEIGHT;
        if kept.bytes + weight > self.limit {
            *kept = Kept::default();
        }
        if kept.by_wheel.insert(wheel, taken).is_none() {
            kept.bytes += weight;
        }
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ProxyState {
    /// The page with core metadata for wheels that lie in the cache and have none on it. The page is one
    /// that may be shown: its files are those that somebody vouches for.
    pub(crate) async fn with_core_metadata<'a>(&self, page: &'a SimplePage) -> Cow<'a, SimplePage> {
        let mut found = BTreeMap::new();
        // Wheels beyond are looked at when the page is asked for again.
        let mut left = self.config().limits.page_read_bytes;
        for file in page.files().iter().filter(|it| lacks(it)) {
            let known = match self.common.extracted.get(file.sha256) {
                Some(Taken(known)) => known,
                None if file.size <= left => {
                    let Some(cached) = self.held(file).await else {
                        continue;
                    };
                    left -= file.size;
                    self.extracted(&file.filename, cached).await
                }
                None => continue,
            };
            found.extend(known.map(|it| (file.sha256, it.sha256)));
        }
        if found.is_empty() {
            return Cow::Borrowed(page);
        }
        Cow::Owned(page.clone().with_core_metadata(|file| {
            let listed = file.core_metadata;
            listed.or_else(|| found.get(&file.sha256).copied().filter(|_| lacks(file)))
        }))
    }

    /// The metadata in a verified wheel.
    pub(crate) async fn extracted(
        &self,
        filename: &DistributionFilename,
        wheel: Cached,
    ) -> Option<CoreMetadata> {
        if let Some(Taken(known)) = self.common.extracted.get(wheel.sha256) {
            return known;
        }
        let (sha256, name) = (wheel.sha256, filename.clone());
        let file = wheel.file;
        let read = blocking(move || {
            Ok(inspect(
                &name,
                BufReader::new(file),
                &InspectLimits::default(),
            ))
        });
        let found = match read.await {
            Ok(Ok(inspected)) => inspected.core_metadata.map(|bytes| CoreMetadata {
                sha256: Sha256::of(&bytes),
                bytes: bytes.into(),
            }),
            Ok(Err(error)) => {
                tracing::debug!(%filename, %error, "no core metadata can be taken out of it");
                None
            }
            Err(_) => return None,
        };
        self.common.extracted.keep(sha256, Taken(found.clone()));
        found
    }

    /// The wheel, if it lies in the cache.
    async fn held(&self, file: &PageFile) -> Option<Cached> {
        let expected = Expected {
            sha256: file.sha256,
            length: Some(file.size),
            hashes: Hashes::sha256(file.sha256),
        };
        self.common.cache.opened(&expected).await.ok()?
    }
}

impl CoreMetadata {
    /// The response with it.
    pub(crate) fn respond(&self) -> Result<Response, Problem> {
        Response::builder()
            .header(CONTENT_TYPE, "application/octet-stream")
            .header(CONTENT_LENGTH, self.bytes.len())
            .header(ETAG, format!("\"{}\"", self.sha256))
            .body(Body::from(self.bytes.to_vec()))
            .map_err(|error| Problem::internal(error.to_string()))
    }
}

/// Whether a file is a wheel without core metadata.
pub(crate) fn lacks(file: &PageFile) -> bool {
    file.core_metadata.is_none() && file.filename.kind() == DistributionKind::Wheel
}
