//! Files of this machine: small ones in one request, large ones in parts, never whole in memory.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path as FilePath;

use bytes::Bytes;
use futures_util::StreamExt;
use metadata::{Sha256, Sha256Stream};
use object_store::GetResult;
use repository::{StoreError, StorePath};

use crate::attributes;
use crate::bucket::Requests;
use crate::error::failed;
use crate::parts::{Completed, Parts};

/// Creates an object from a file of this length, or finds it there with the same bytes.
pub(crate) async fn put(
    requests: &Requests,
    path: &StorePath,
    file: &FilePath,
    length: u64,
) -> Result<(), StoreError> {
    let unreadable = |source| StoreError::Io {
        doing: "read the upload for",
        path: path.clone(),
        source,
    };
    let limits = &requests.limits;
    let mut source = File::open(file).map_err(unreadable)?;
    if length <= limits.part_bytes {
        let bytes = read(&mut source, length).map_err(unreadable)?;
        return requests.create(path, bytes).await;
    }
    let (connection, key) = (&requests.connection, requests.connection.place.key(path));
    let attributes = attributes::of(path, limits.pointer_seconds);
    let parts = Parts::begin(connection, key, attributes).await;
    let mut parts = parts.map_err(failed("write", path))?;
    let mut left = length;
    while left > 0 {
        let part = left.min(limits.part_bytes);
        left -= part;
        let sent = match read(&mut source, part) {
            Ok(bytes) => parts.put(bytes).await.map_err(failed("write", path)),
            Err(error) => Err(unreadable(error)),
        };
        if let Err(error) = sent {
            parts.abort().await;
            return Err(error);
        }
    }
    match parts.complete().await.map_err(failed("write", path))? {
        Completed::Created => Ok(()),
        Completed::Found => {
            let ours = digest_of_file(file).map_err(unreadable)?;
            is_there(requests, path, length, ours).await
        }
    }
}

/// Exactly so many bytes; fewer are an error, because then the file was cut meanwhile.
pub(crate) fn read(source: &mut impl Read, length: u64) -> io::Result<Bytes> {
    let mut bytes = vec![0; usize::try_from(length).map_err(io::Error::other)?];
    source.read_exact(&mut bytes)?;
    Ok(bytes.into())
}

fn digest_of_file(file: &FilePath) -> io::Result<Sha256> {
    let mut source = File::open(file)?;
    let mut digest = Sha256Stream::new();
    let mut buffer = vec![0; 1 << 17];
    loop {
        match source.read(&mut buffer)? {
            0 => return Ok(digest.finish()),
            read => digest.update(&buffer[..read]),
        }
    }
}

/// Whether an object that is there is the one that was to be put.
pub(crate) async fn is_there(
    requests: &Requests,
    path: &StorePath,
    length: u64,
    digest: Sha256,
) -> Result<(), StoreError> {
    let found = match requests.open(path).await? {
        Some(found) => digest_of(found, length)
            .await
            .map_err(failed("read", path))?,
        None => None,
    };
    if found == Some(digest) {
        return Ok(());
    }
    Err(StoreError::Conflict { path: path.clone() })
}

/// The digest of what is being read, unless it is longer than `limit`.
pub(crate) async fn digest_of(
    found: GetResult,
    limit: u64,
) -> object_store::Result<Option<Sha256>> {
    let mut digest = Sha256Stream::new();
    let mut length = 0;
    let mut pieces = found.into_stream();
    while let Some(piece) = pieces.next().await {
        let piece = piece?;
        length += piece.len() as u64;
        if length > limit {
            return Ok(None);
        }
        digest.update(&piece);
    }
    Ok(Some(digest.finish()))
}
