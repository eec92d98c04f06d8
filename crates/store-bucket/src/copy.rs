//! Second names, and uploads that lie in a bucket: copied by the service itself where that saves sending
//! them again. The bucket is not trusted: an upload is held against its digest first, and the service is
//! told to copy just what was read.

use futures_util::StreamExt;
use metadata::{Sha256, Sha256Stream};
use object_store::aws::AmazonS3;
use object_store::path::Path;
use object_store::{
    CopyMode, CopyOptions, Error as Answer, GetOptions, ObjectStore, ObjectStoreExt,
};
use repository::{StoreError, StorePath};

use crate::bucket::Requests;
use crate::connection::Connection;
use crate::error::failed;
use crate::parts::{Completed, Parts};
use crate::{attributes, file};

/// Copies only what has this entity tag.
const SOURCE_IS: &str = "x-amz-copy-source-if-match";

/// Gives an object of the store a second name, which must be free or have the same bytes.
pub(crate) async fn link(
    requests: &Requests,
    existing: &StorePath,
    path: &StorePath,
) -> Result<(), StoreError> {
    let failed = failed("copy", path);
    let place = &requests.connection.place;
    let (from, to) = (place.key(existing), place.key(path));
    if create(&requests.connection.client, &from, &to)
        .await
        .map_err(&failed)?
    {
        return Ok(());
    }
    let conflict = || StoreError::Conflict { path: path.clone() };
    let ours = requests.open(existing).await?.ok_or_else(conflict)?;
    let length = ours.meta.size;
    let digest = file::digest_of(ours, length).await.map_err(&failed)?;
    file::is_there(requests, path, length, digest.ok_or_else(conflict)?).await
}

/// Copies to a name that is free; says whether it was. Not every service heeds the condition on a copy,
/// so the name is looked at first: whoever else gives it copies the same bytes.
async fn create(client: &AmazonS3, from: &Path, to: &Path) -> object_store::Result<bool> {
    match client.head(to).await {
        Ok(_) => return Ok(false),
        Err(Answer::NotFound { .. }) => {}
        Err(error) => return Err(error),
    }
    let options = CopyOptions::new().with_mode(CopyMode::Create);
    match client.copy_opts(from, to, options).await {
        Ok(()) => Ok(true),
        Err(Answer::AlreadyExists { .. }) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Takes up an upload: its key ends in its digest. What is not the upload is [`StoreError::Altered`].
pub(crate) async fn upload(
    requests: &Requests,
    bucket: &str,
    key: &str,
    path: &StorePath,
) -> Result<(), StoreError> {
    let failed = failed("take the upload for", path);
    let name = key.rsplit('/').next().unwrap_or_default();
    let conflict = || StoreError::Conflict { path: path.clone() };
    let expected = Sha256::parse(name).map_err(|_| conflict())?;
    let altered = || StoreError::Altered {
        path: path.clone(),
        expected,
    };
    let from = Path::parse(key).map_err(|_| conflict())?;
    let connection = requests.connection.for_bucket(bucket).map_err(&failed)?;
    let found = match connection.client.get(&from).await {
        Ok(found) => found,
        Err(Answer::NotFound { .. }) => return Err(altered()),
        Err(error) => return Err(failed(error)),
    };
    let (length, tag) = (found.meta.size, found.meta.e_tag.clone());
    if length <= requests.limits.part_bytes {
        // The very bytes that were held against the digest are put.
        let mut bytes = Vec::new();
        let mut pieces = found.into_stream();
        while let Some(piece) = pieces.next().await {
            bytes.extend_from_slice(&piece.map_err(&failed)?);
            if bytes.len() as u64 > length {
                return Err(altered());
            }
        }
        if Sha256::of(&bytes) != expected {
            return Err(altered());
        }
        return requests.create(path, bytes.into()).await;
    }
    if file::digest_of(found, length).await.map_err(&failed)? != Some(expected) {
        return Err(altered());
    }
    let tag = tag.ok_or_else(altered)?;
    if connection.place.bucket() != requests.connection.place.bucket() {
        return relay(requests, &connection, &from, &tag, (path, length, expected)).await;
    }
    let to = requests.connection.place.key(path);
    let just_this = requests.connection.with_header(SOURCE_IS, &tag);
    if create(&just_this.map_err(&failed)?, &from, &to)
        .await
        .map_err(&failed)?
    {
        return Ok(());
    }
    file::is_there(requests, path, length, expected).await
}

/// Sends an upload of another bucket on in parts, as long as it is what was read before.
async fn relay(
    requests: &Requests,
    source: &Connection,
    from: &Path,
    tag: &str,
    (path, length, expected): (&StorePath, u64, Sha256),
) -> Result<(), StoreError> {
    let failed = failed("take the upload for", path);
    let just_this = GetOptions::new().with_if_match(Some(tag));
    let found = source
        .client
        .get_opts(from, just_this)
        .await
        .map_err(&failed)?;
    let connection = &requests.connection;
    let attributes = attributes::of(path, requests.limits.pointer_seconds);
    let key = connection.place.key(path);
    let mut parts = Parts::begin(connection, key, attributes)
        .await
        .map_err(&failed)?;
    let mut pieces = found.into_stream();
    let (mut part, mut digest) = (Vec::new(), Sha256Stream::new());
    let part_bytes = usize::try_from(requests.limits.part_bytes).unwrap_or(usize::MAX);
    loop {
        let piece = pieces.next().await.transpose();
        let is_last = matches!(piece, Ok(None));
        let sent = match piece {
            Ok(piece) => {
                let piece = piece.unwrap_or_default();
                digest.update(&piece);
                part.extend_from_slice(&piece);
                if part.len() >= part_bytes || (is_last && !part.is_empty()) {
                    // All parts but the last are of one size, which some services insist on.
                    let rest = part.split_off(part.len().min(part_bytes));
                    parts.put(std::mem::replace(&mut part, rest).into()).await
                } else {
                    Ok(())
                }
            }
            Err(error) => Err(error),
        };
        if let Err(error) = sent {
            parts.abort().await;
            return Err(failed(error));
        }
        if is_last && part.is_empty() {
            break;
        }
    }
    if digest.finish() != expected {
        parts.abort().await;
        let path = path.clone();
        return Err(StoreError::Altered { path, expected });
    }
    match parts.complete().await.map_err(&failed)? {
        Completed::Created => Ok(()),
        Completed::Found => file::is_there(requests, path, length, expected).await,
    }
}
