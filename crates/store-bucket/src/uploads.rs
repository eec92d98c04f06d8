//! Uploads in a bucket, so that files can be taken in on any machine: below a prefix that no reader may
//! see, one object for each digest. Written whole or not at all; deleted once they are published.

use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::PathBuf;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::StreamExt;
use metadata::Sha256;
use object_store::path::Path;
use object_store::{
    Attribute, Attributes, Error as Answer, ObjectStore, ObjectStoreExt, PutMode, PutOptions,
    PutPayload,
};
use policy::StoreLimits;
use repository::{KeptUpload, Upload, UploadPlace, Uploads};
use tempfile::SpooledTempFile;

use crate::connection::Connection;
use crate::error::{Fault, as_io};
use crate::parts::Parts;
use crate::pieces::Pieces;
use crate::worker::Worker;
use crate::{BucketError, BucketPlace, Endpoint, file};

/// The clock of the bucket says when an upload was written, the signer's when a cycle was signed. An upload
/// this much older than a cycle still counts as later, and is left to the sweep: clocks may differ.
const CLOCK_MARGIN: TimeDelta = TimeDelta::seconds(60);

/// A prefix of a bucket with one object for each upload.
pub struct BucketUploads(Arc<Shared>);

struct Shared {
    connection: Connection,
    limits: StoreLimits,
    worker: Worker,
}

impl BucketUploads {
    /// Opens the prefix; asks for nothing.
    pub fn open(
        place: BucketPlace,
        endpoint: &Endpoint,
        limits: StoreLimits,
    ) -> Result<Self, BucketError> {
        let worker = Worker::start()?;
        let endpoint = endpoint.clone();
        let opened = async move { Connection::open(place, &endpoint, &limits, true).await };
        Ok(Self(Arc::new(Shared {
            connection: worker.run(opened).ok_or(BucketError::Ended)??,
            limits,
            worker,
        })))
    }
}

impl Shared {
    fn key(&self, name: &str) -> Path {
        self.connection.place.below(name)
    }

    fn wait<T: Send + 'static>(
        &self,
        request: impl Future<Output = object_store::Result<T>> + Send + 'static,
    ) -> io::Result<Option<T>> {
        match self.worker.run(request) {
            None => Err(io::Error::other(Fault::panicked())),
            Some(Ok(answer)) => Ok(Some(answer)),
            Some(Err(Answer::NotFound { .. })) => Ok(None),
            Some(Err(error)) => Err(as_io(&error)),
        }
    }
}

impl Uploads for BucketUploads {
    fn name(&self) -> PathBuf {
        PathBuf::from(self.0.connection.place.to_string())
    }

    fn begin(&self) -> io::Result<Box<dyn Upload>> {
        let in_memory = usize::try_from(self.0.limits.part_bytes).map_err(io::Error::other)?;
        Ok(Box::new(Incoming {
            shared: Arc::clone(&self.0),
            spooled: SpooledTempFile::new(in_memory),
            length: 0,
        }))
    }

    /// Nothing to do: what the bucket has acknowledged is durable.
    fn flush(&self) -> io::Result<()> {
        Ok(())
    }

    fn open(&self, digest: &Sha256) -> io::Result<Option<Box<dyn Read + Send>>> {
        let (client, key) = (
            self.0.connection.client.clone(),
            self.0.key(&digest.to_string()),
        );
        let Some(found) = self.0.wait(async move { client.get(&key).await })? else {
            return Ok(None);
        };
        Ok(Some(Box::new(Pieces::begin(&self.0.worker, found))))
    }

    fn place(&self, digest: &Sha256) -> UploadPlace {
        UploadPlace::Object {
            bucket: self.0.connection.place.bucket().to_owned(),
            key: self.0.key(&digest.to_string()).to_string(),
        }
    }

    fn written(&self, digest: &Sha256) -> io::Result<Option<DateTime<Utc>>> {
        let (client, key) = (
            self.0.connection.client.clone(),
            self.0.key(&digest.to_string()),
        );
        let found = self.0.wait(async move { client.head(&key).await })?;
        Ok(found.map(|object| object.last_modified + CLOCK_MARGIN))
    }

    fn list(&self) -> io::Result<Vec<KeptUpload>> {
        let (client, prefix) = (self.0.connection.client.clone(), self.0.key(""));
        let listed = self.0.wait(async move {
            let mut found = Vec::new();
            let mut objects = client.list(Some(&prefix));
            while let Some(object) = objects.next().await {
                let object = object?;
                if let Some(name) = object.location.filename() {
                    found.push(KeptUpload {
                        name: name.to_owned(),
                        written: object.last_modified,
                    });
                }
            }
            Ok(found)
        });
        Ok(listed?.unwrap_or_default())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        // A name out of the own list or a digest; anything else would leave the prefix.
        if name.contains('/') {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        let (client, key) = (self.0.connection.client.clone(), self.0.key(name));
        let removed = self.0.wait(async move { client.delete(&key).await });
        removed.map(drop)
    }
}

/// An upload on its way in: in memory, a large one in a file without a name.
struct Incoming {
    shared: Arc<Shared>,
    spooled: SpooledTempFile,
    length: u64,
}

impl Write for Incoming {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.spooled.write(bytes)?;
        self.length += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.spooled.flush()
    }
}

impl Upload for Incoming {
    fn keep(mut self: Box<Self>, digest: &Sha256) -> io::Result<()> {
        self.spooled.seek(SeekFrom::Start(0))?;
        let key = self.shared.key(&digest.to_string());
        let Self {
            shared,
            mut spooled,
            length,
        } = *self;
        let inner = Arc::clone(&shared);
        let kept = shared.worker.run(async move {
            let part_bytes = inner.limits.part_bytes;
            if length <= part_bytes {
                let payload = PutPayload::from(file::read(&mut spooled, length)?);
                let options = PutOptions {
                    mode: PutMode::Overwrite,
                    attributes: attributes(),
                    ..PutOptions::default()
                };
                let put = inner.connection.client.put_opts(&key, payload, options);
                return put.await.map(drop).map_err(|error| as_io(&error));
            }
            let parts = Parts::begin(&inner.connection, key, attributes()).await;
            let mut parts = parts.map_err(|error| as_io(&error))?;
            let mut left = length;
            while left > 0 {
                let part = left.min(part_bytes);
                left -= part;
                let sent = match file::read(&mut spooled, part) {
                    Ok(bytes) => parts.put(bytes).await.map_err(|error| as_io(&error)),
                    Err(error) => Err(error),
                };
                if let Err(error) = sent {
                    parts.abort().await;
                    return Err(error);
                }
            }
            parts
                .complete()
                .await
                .map(drop)
                .map_err(|error| as_io(&error))
        });
        kept.unwrap_or_else(|| Err(io::Error::other(Fault::panicked())))
    }
}

/// As the published object says it: a copy by the service keeps this.
fn attributes() -> Attributes {
    let year = "public, max-age=31536000, immutable";
    Attributes::from_iter([
        (Attribute::ContentType, "application/octet-stream"),
        (Attribute::CacheControl, year),
    ])
}
