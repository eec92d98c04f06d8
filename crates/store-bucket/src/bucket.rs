//! The store itself. Writes run until the next flush; copies within the bucket run last, because what
//! they copy may be under way.

use std::io::{self, Read, Write};
use std::path::Path as FilePath;

use bytes::Bytes;
use futures_util::StreamExt;
use object_store::{
    Error as Answer, GetResult, ObjectStore, ObjectStoreExt, PutMode, PutOptions, PutPayload,
    UpdateVersion,
};
use policy::StoreLimits;
use repository::{Store, StoreError, StorePath, UploadPlace};

use crate::connection::Connection;
use crate::error::{Fault, failed};
use crate::pieces::Pieces;
use crate::worker::Worker;
use crate::writes::Writes;
use crate::{BucketError, BucketPlace, Endpoint, attributes, copy, file, parts, probe};

/// A bucket below a prefix.
pub struct Bucket {
    place: BucketPlace,
    pub(crate) requests: Requests,
    pub(crate) worker: Worker,
    writes: Writes,
    /// Second names to give once their objects are there.
    links: Vec<(StorePath, StorePath)>,
    /// What `timestamp.json` was when the pointers were begun.
    timestamp: Option<Tag>,
}

/// What is needed for a request, in each of the tasks under way.
#[derive(Clone)]
pub(crate) struct Requests {
    pub(crate) connection: Connection,
    pub(crate) limits: StoreLimits,
}

/// An entity tag, or that there is no object.
type Tag = Option<String>;

impl Bucket {
    /// Opens a bucket. Asks for nothing: [`Bucket::check`] does.
    pub fn open(
        place: BucketPlace,
        endpoint: &Endpoint,
        limits: StoreLimits,
    ) -> Result<Self, BucketError> {
        let worker = Worker::start()?;
        let endpoint = endpoint.clone();
        let at = place.clone();
        let opened = async move { Connection::open(at, &endpoint, &limits, false).await };
        let connection = worker.run(opened).ok_or(BucketError::Ended)??;
        Ok(Self {
            place,
            writes: Writes::new(limits.puts_at_once as usize, limits.bytes_in_flight),
            requests: Requests { connection, limits },
            worker,
            links: Vec::new(),
            timestamp: None,
        })
    }

    /// Refuses a bucket in which two signers could overwrite each other, or in which clients could not tell
    /// the newest root. Writes one small object, the first time.
    pub fn check(&self) -> Result<(), BucketError> {
        let check = probe::check(self.requests.connection.clone());
        self.worker.run(check).unwrap_or(Err(BucketError::Ended))
    }

    /// Waits for a request on this thread.
    fn wait<T: Send + 'static>(
        &self,
        doing: &'static str,
        path: &StorePath,
        request: impl Future<Output = Result<T, StoreError>> + Send + 'static,
    ) -> Result<T, StoreError> {
        let given_up = || StoreError::Remote {
            doing,
            path: path.clone(),
            source: Box::new(Fault::panicked()),
        };
        self.worker.run(request).unwrap_or_else(|| Err(given_up()))
    }

    /// Begins a write that holds so many bytes while it is under way.
    fn write(
        &mut self,
        bytes: u64,
        write: impl Future<Output = Result<(), StoreError>> + Send + 'static,
    ) -> Result<(), StoreError> {
        let room = self.writes.room(&self.worker, bytes);
        let begun = room.and_then(|room| self.writes.begin(&self.worker, room, write));
        if begun.is_err() {
            // Of a publication that failed; what it copies may never be there.
            self.links.clear();
        }
        begun
    }

    fn put_file(&mut self, path: &StorePath, file: &FilePath) -> Result<(), StoreError> {
        let length = std::fs::metadata(file)
            .map_err(|source| StoreError::Io {
                doing: "read the upload for",
                path: path.clone(),
                source,
            })?
            .len();
        let (requests, path, file) = (self.requests.clone(), path.clone(), file.to_owned());
        let held = length.min(requests.limits.part_bytes * parts::AT_ONCE as u64);
        self.write(held, async move {
            file::put(&requests, &path, &file, length).await
        })
    }

    fn copy_upload(&mut self, path: &StorePath, upload: &UploadPlace) -> Result<(), StoreError> {
        match upload {
            UploadPlace::File(file) => self.put_file(path, file),
            UploadPlace::Object { bucket, key } => {
                let (requests, path) = (self.requests.clone(), path.clone());
                let (bucket, key) = (bucket.clone(), key.clone());
                let held = requests.limits.part_bytes;
                self.write(held, async move {
                    copy::upload(&requests, &bucket, &key, &path).await
                })
            }
        }
    }
}

impl Store for Bucket {
    fn place(&self) -> Option<String> {
        Some(self.place.to_string())
    }

    fn put_new(&mut self, path: &StorePath, bytes: &[u8]) -> Result<(), StoreError> {
        let (requests, path) = (self.requests.clone(), path.clone());
        let bytes = Bytes::copy_from_slice(bytes);
        self.write(bytes.len() as u64, async move {
            requests.create(&path, bytes).await
        })
    }

    fn put_new_upload(&mut self, path: &StorePath, upload: &UploadPlace) -> Result<(), StoreError> {
        self.copy_upload(path, upload)
    }

    fn replace_by_upload(
        &mut self,
        path: &StorePath,
        upload: &UploadPlace,
    ) -> Result<(), StoreError> {
        self.remove(path)?;
        self.flush()?;
        self.copy_upload(path, upload)
    }

    fn link(&mut self, existing: &StorePath, path: &StorePath) -> Result<(), StoreError> {
        self.links.push((existing.clone(), path.clone()));
        Ok(())
    }

    fn relink(&mut self, existing: &StorePath, path: &StorePath) -> Result<(), StoreError> {
        self.remove(path)?;
        self.flush()?;
        self.link(existing, path)
    }

    /// Notes what `timestamp.json` is: [`Store::put_pointer`] replaces that and nothing else.
    fn begin_pointers(&mut self) -> Result<(), StoreError> {
        self.timestamp = None;
        let Some(path) = StorePath::metadata("timestamp.json") else {
            return Ok(());
        };
        let requests = self.requests.clone();
        let asked = path.clone();
        let tag = self.wait("read", &path, async move { requests.tag(&asked).await })?;
        self.timestamp = Some(tag);
        Ok(())
    }

    fn end_pointers(&mut self) {
        self.timestamp = None;
    }

    fn put_pointer(&mut self, path: &StorePath, bytes: &[u8]) -> Result<(), StoreError> {
        let bytes = Bytes::copy_from_slice(bytes);
        let (requests, path) = (self.requests.clone(), path.clone());
        if path.as_str() == "metadata/timestamp.json" {
            // Last of all: what it leads to is there.
            self.flush()?;
            let overtaken = || StoreError::Overtaken { path: path.clone() };
            let seen = self.timestamp.take().ok_or_else(overtaken)?;
            let asked = path.clone();
            let replace = async move { requests.replace(&asked, seen, bytes).await };
            self.timestamp = Some(self.wait("replace", &path, replace)?);
            return Ok(());
        }
        if self.writes.note_pointer(&path) {
            self.flush()?;
            self.writes.note_pointer(&path);
        }
        self.write(bytes.len() as u64, async move {
            requests.overwrite(&path, bytes).await
        })
    }

    fn flush(&mut self) -> Result<(), StoreError> {
        let links = std::mem::take(&mut self.links);
        self.writes.finish(&self.worker)?;
        for (existing, path) in links {
            let requests = self.requests.clone();
            self.write(
                0,
                async move { copy::link(&requests, &existing, &path).await },
            )?;
        }
        self.writes.finish(&self.worker)
    }

    fn get(&self, path: &StorePath, limit: u64) -> Result<Option<Vec<u8>>, StoreError> {
        let (requests, asked) = (self.requests.clone(), path.clone());
        self.wait(
            "read",
            path,
            async move { requests.read(&asked, limit).await },
        )
    }

    fn read_into(
        &self,
        path: &StorePath,
        limit: u64,
        into: &mut dyn Write,
    ) -> Result<bool, StoreError> {
        let (requests, asked) = (self.requests.clone(), path.clone());
        let Some(found) = self.wait("read", path, async move { requests.open(&asked).await })?
        else {
            return Ok(false);
        };
        let mut pieces = Pieces::begin(&self.worker, found);
        let read = io::copy(&mut (&mut pieces).take(limit.saturating_add(1)), into);
        let failed = |source| StoreError::Io {
            doing: "read",
            path: path.clone(),
            source,
        };
        if read.map_err(failed)? > limit {
            let long = "longer than it was published";
            return Err(failed(io::Error::new(io::ErrorKind::FileTooLarge, long)));
        }
        Ok(true)
    }

    /// Fewer than in a folder: each read is a request that waits and is paid for.
    fn pages_per_cycle(&self) -> u64 {
        8
    }

    fn list(&self) -> Result<Vec<StorePath>, StoreError> {
        let requests = self.requests.clone();
        let listed = self.worker.run(async move {
            let place = &requests.connection.place;
            let prefix = (!place.prefix().is_empty()).then(|| place.below(""));
            let mut found = Vec::new();
            let mut objects = requests.connection.client.list(prefix.as_ref());
            while let Some(object) = objects.next().await {
                let object = object.map_err(|error| StoreError::List {
                    source: io::Error::other(Fault::new(&error)),
                })?;
                found.extend(place.object(&object.location));
            }
            Ok(found)
        });
        listed.unwrap_or_else(|| {
            let source = io::Error::other(Fault::panicked());
            Err(StoreError::List { source })
        })
    }

    fn remove(&mut self, path: &StorePath) -> Result<(), StoreError> {
        let (requests, path) = (self.requests.clone(), path.clone());
        self.write(0, async move {
            let key = requests.connection.place.key(&path);
            match requests.connection.client.delete(&key).await {
                Ok(()) | Err(Answer::NotFound { .. }) => Ok(()),
                Err(error) => Err(failed("remove", &path)(error)),
            }
        })
    }
}

impl Requests {
    /// Creates an object, or finds it there with the same bytes.
    pub(crate) async fn create(&self, path: &StorePath, bytes: Bytes) -> Result<(), StoreError> {
        match self.put(path, bytes.clone(), PutMode::Create).await {
            Ok(_) => Ok(()),
            // Put before, or by the attempt whose answer was lost.
            Err(Answer::AlreadyExists { .. }) => {
                let found = self.read(path, bytes.len() as u64).await;
                match found {
                    Ok(Some(found)) if found == bytes => Ok(()),
                    // Longer than ours is other than ours.
                    Ok(_) | Err(StoreError::Io { .. }) => {
                        Err(StoreError::Conflict { path: path.clone() })
                    }
                    Err(error) => Err(error),
                }
            }
            Err(error) => Err(failed("write", path)(error)),
        }
    }

    /// Replaces an object that nobody else replaces, or that may be any of several.
    async fn overwrite(&self, path: &StorePath, bytes: Bytes) -> Result<(), StoreError> {
        let put = self.put(path, bytes, PutMode::Overwrite).await;
        put.map(drop).map_err(failed("replace", path))
    }

    /// Replaces an object that has this tag still; says which it has now.
    async fn replace(&self, path: &StorePath, seen: Tag, bytes: Bytes) -> Result<Tag, StoreError> {
        let mode = match seen {
            None => PutMode::Create,
            e_tag => PutMode::Update(UpdateVersion {
                e_tag,
                version: None,
            }),
        };
        match self.put(path, bytes.clone(), mode).await {
            Ok(tag) => Ok(tag),
            Err(Answer::AlreadyExists { .. } | Answer::Precondition { .. }) => {
                // Not if it was an attempt of ours whose answer was lost.
                let tag = self.tag(path).await?;
                match self.read(path, bytes.len() as u64).await {
                    Ok(Some(found)) if found == bytes => Ok(tag),
                    Err(error @ (StoreError::Remote { .. } | StoreError::Denied { .. })) => {
                        Err(error)
                    }
                    _ => Err(StoreError::Overtaken { path: path.clone() }),
                }
            }
            Err(error) => Err(failed("replace", path)(error)),
        }
    }

    async fn put(
        &self,
        path: &StorePath,
        bytes: Bytes,
        mode: PutMode,
    ) -> object_store::Result<Tag> {
        let options = PutOptions {
            mode,
            attributes: attributes::of(path, self.limits.pointer_seconds),
            ..PutOptions::default()
        };
        let key = self.connection.place.key(path);
        let payload = PutPayload::from(bytes);
        let put = self.connection.client.put_opts(&key, payload, options);
        Ok(put.await?.e_tag)
    }

    /// The entity tag of an object, if it is there.
    async fn tag(&self, path: &StorePath) -> Result<Tag, StoreError> {
        let key = self.connection.place.key(path);
        match self.connection.client.head(&key).await {
            Ok(object) if object.e_tag.is_some() => Ok(object.e_tag),
            Ok(_) => Err(StoreError::Remote {
                doing: "find an entity tag of",
                path: path.clone(),
                source: Box::new(Fault::no_tag()),
            }),
            Err(Answer::NotFound { .. }) => Ok(None),
            Err(error) => Err(failed("read", path)(error)),
        }
    }

    /// Begins to read an object, if it is there.
    pub(crate) async fn open(&self, path: &StorePath) -> Result<Option<GetResult>, StoreError> {
        let key = self.connection.place.key(path);
        match self.connection.client.get(&key).await {
            Ok(found) => Ok(Some(found)),
            Err(Answer::NotFound { .. }) => Ok(None),
            Err(error) => Err(failed("read", path)(error)),
        }
    }

    /// Reads an object of at most `limit` bytes, whatever length the bucket claims.
    async fn read(&self, path: &StorePath, limit: u64) -> Result<Option<Vec<u8>>, StoreError> {
        let Some(found) = self.open(path).await? else {
            return Ok(None);
        };
        let too_long = || StoreError::Io {
            doing: "read",
            path: path.clone(),
            source: io::Error::new(io::ErrorKind::FileTooLarge, "longer than it was published"),
        };
        let mut bytes = Vec::new();
        let mut pieces = found.into_stream();
        while let Some(piece) = pieces.next().await {
            let piece = piece.map_err(failed("read", path))?;
            if (bytes.len() + piece.len()) as u64 > limit {
                return Err(too_long());
            }
            bytes.extend_from_slice(&piece);
        }
        Ok(Some(bytes))
    }
}
