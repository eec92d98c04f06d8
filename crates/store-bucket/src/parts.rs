//! An upload in parts: several under way at once, nothing visible before the last request.

use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use object_store::multipart::{MultipartStore, PartId};
use object_store::path::Path;
use object_store::{Attributes, Error as Answer, MultipartId, PutMultipartOptions, PutPayload};

use crate::connection::Connection;

/// Parts of one upload under way at once.
pub(crate) const AT_ONCE: usize = 4;

type Part = object_store::Result<(usize, PartId)>;

/// An upload under way. Until it is completed no reader sees anything; what is never completed or
/// aborted stays in the bucket unseen, until its lifecycle rule removes it.
pub(crate) struct Parts<'a> {
    connection: &'a Connection,
    key: Path,
    id: MultipartId,
    begun: usize,
    under_way: FuturesUnordered<BoxFuture<'static, Part>>,
    done: Vec<(usize, PartId)>,
}

/// What completing an upload came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Completed {
    /// The object is there.
    Created,
    /// An object was there before, or an attempt whose answer was lost made it.
    Found,
}

impl<'a> Parts<'a> {
    pub(crate) async fn begin(
        connection: &'a Connection,
        key: Path,
        attributes: Attributes,
    ) -> object_store::Result<Self> {
        let options = PutMultipartOptions {
            attributes,
            ..PutMultipartOptions::default()
        };
        let id = connection.client.create_multipart_opts(&key, options);
        Ok(Self {
            id: id.await?,
            connection,
            key,
            begun: 0,
            under_way: FuturesUnordered::new(),
            done: Vec::new(),
        })
    }

    /// Sends one part, all but the last of the same size; waits while too many are under way.
    pub(crate) async fn put(&mut self, bytes: Bytes) -> object_store::Result<()> {
        while self.under_way.len() >= AT_ONCE {
            self.await_one().await?;
        }
        let (client, key, id) = (
            self.connection.client.clone(),
            self.key.clone(),
            self.id.clone(),
        );
        let number = self.begun;
        self.begun += 1;
        self.under_way.push(Box::pin(async move {
            let payload = PutPayload::from(bytes);
            let part = client.put_part(&key, &id, number, payload).await?;
            Ok((number, part))
        }));
        Ok(())
    }

    async fn await_one(&mut self) -> object_store::Result<()> {
        if let Some(part) = self.under_way.next().await {
            self.done.push(part?);
        }
        Ok(())
    }

    /// Makes the object of the parts.
    pub(crate) async fn complete(mut self) -> object_store::Result<Completed> {
        while !self.under_way.is_empty() {
            if let Err(error) = self.await_one().await {
                self.abort().await;
                return Err(error);
            }
        }
        self.done.sort_by_key(|(number, _)| *number);
        let parts = std::mem::take(&mut self.done);
        let parts = parts.into_iter().map(|(_, part)| part).collect();
        let client = &self.connection.client;
        match client.complete_multipart(&self.key, &self.id, parts).await {
            Ok(_) => Ok(Completed::Created),
            Err(Answer::AlreadyExists { .. } | Answer::Precondition { .. }) => {
                self.abort().await;
                Ok(Completed::Found)
            }
            // The upload is no more: a request whose answer was lost has completed it.
            Err(Answer::NotFound { .. }) => Ok(Completed::Found),
            Err(error) => {
                self.abort().await;
                Err(error)
            }
        }
    }

    /// Gives the upload up. Where that fails the bucket's lifecycle rule does it later.
    pub(crate) async fn abort(self) {
        drop(self.under_way);
        let aborted = self.connection.client.abort_multipart(&self.key, &self.id);
        if let Err(error) = aborted.await {
            tracing::warn!(key = %self.key, %error, "an upload in parts stays behind");
        }
    }
}
