//! Files of an index that signs nothing. Where its page gives a hash that this program computes, a file
//! comes into the cache first and is sent when it fits; where it gives none, it is passed on as it comes,
//! up to a limit.

use std::io;
use std::path::Path;
use std::sync::Arc;

use axum::body::Body;
use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE};
use axum::response::Response;
use client::UnverifiedAnswer;
use futures_util::{StreamExt, stream};
use index::METADATA_SUFFIX;
use metadata::{Hashes, Sha256};
use ring::digest::{Context, SHA256};
use tempfile::NamedTempFile;
use tokio::fs::File;
use tokio::io::AsyncWriteExt;
use url::Url;

use super::digests::Digests;
use super::{Unverified, UnverifiedFile};
use crate::cache::{Cached, Expected, Source};
use crate::problem::Problem;

/// A file on its way.
pub(crate) enum Sent {
    /// Whole, and as its page says.
    Held(Cached),
    /// As it comes: nothing says what it should be.
    Passed(Response),
}

impl Unverified {
    /// A file of a page, or its core metadata; `None` if the page has no such.
    pub(crate) async fn file(
        self: &Arc<Self>,
        file: &UnverifiedFile,
        is_metadata: bool,
    ) -> Result<Option<Sent>, Problem> {
        let limits = self.index.limits();
        let mut wanted = Wanted {
            index: Arc::clone(self),
            name: file.filename.to_string(),
            url: file.url.clone(),
            digests: file.digests.clone(),
            limit: file.size.unwrap_or(limits.file).min(limits.file),
        };
        let sha256 = if is_metadata {
            let Some(sha256) = file.core_metadata else {
                return Ok(None);
            };
            wanted
                .url
                .set_path(&format!("{}{METADATA_SUFFIX}", file.url.path()));
            wanted.name.push_str(METADATA_SUFFIX);
            wanted.limit = limits.core_metadata;
            let only = ("sha256", &*sha256.to_string());
            wanted.digests = Digests::read([only]).unwrap_or_default();
            Some(sha256)
        } else {
            file.digests.sha256()
        };
        let sent = match sha256 {
            Some(sha256) => Sent::Held(self.cache.get(&Hashed { wanted, sha256 }).await?),
            None if wanted.digests.can_check() => Sent::Held(wanted.held(self.cache.dir()).await?),
            None => Sent::Passed(wanted.passed_on().await?),
        };
        Ok(Some(sent))
    }
}

/// A file of such an index.
#[derive(Clone)]
struct Wanted {
    index: Arc<Unverified>,
    name: String,
    url: Url,
    digests: Digests,
    /// Most bytes it may have.
    limit: u64,
}

/// One of which the page gives the SHA-256.
#[derive(Clone)]
struct Hashed {
    wanted: Wanted,
    sha256: Sha256,
}

impl Source for Hashed {
    fn expected(&self) -> Result<Expected, Problem> {
        Ok(Expected {
            sha256: self.sha256,
            length: None,
            hashes: Hashes::sha256(self.sha256),
        })
    }

    async fn fetch(&self, to: &Path) -> Result<(), Problem> {
        self.wanted.fetched(to).await
    }
}

impl Wanted {
    async fn asked(&self) -> Result<UnverifiedAnswer, Problem> {
        let answer = self.index.index.file(&self.url).await;
        let answer = answer.map_err(|error| Unverified::unreachable(&error).about(&self.name))?;
        match answer.length {
            Some(length) if length > self.limit => Err(self.too_large()),
            _ => Ok(answer),
        }
    }

    /// The file at `to`, whole and as its page says, or not at all.
    async fn fetched(&self, to: &Path) -> Result<(), Problem> {
        let (file, path) = unfinished(to.parent().unwrap_or(Path::new(".")))?.into_parts();
        let mut file = File::from_std(file);
        // The cache checks what it finds after a failure of power: nobody waits for the disk.
        self.written(&mut file).await?;
        path.persist(to).map_err(|error| failed(&error.error))
    }

    /// The file, whole and as its page says, under no name.
    async fn held(&self, dir: &Path) -> Result<Cached, Problem> {
        let (file, path) = unfinished(dir)?.into_parts();
        let mut file = File::from_std(file);
        let (length, sha256) = self.written(&mut file).await?;
        // Open, it is there to its end.
        path.close().map_err(|error| failed(&error))?;
        Ok(Cached {
            file: file.into_std().await,
            length,
            sha256,
            start: None,
        })
    }

    /// Writes the file and holds it to what its page says; its length and digest.
    async fn written(&self, file: &mut File) -> Result<(u64, Sha256), Problem> {
        let mut body = self.asked().await?.body;
        let (mut check, mut sha256) = (self.digests.check(), Context::new(&SHA256));
        let mut length = 0;
        while let Some(piece) = body.next().await {
            let piece = piece.map_err(|it| Unverified::unreachable(&it).about(&self.name))?;
            length += piece.len() as u64;
            if length > self.limit {
                return Err(self.too_large());
            }
            check.update(&piece);
            sha256.update(&piece);
            file.write_all(&piece)
                .await
                .map_err(|error| failed(&error))?;
        }
        file.flush().await.map_err(|error| failed(&error))?;
        if !check.fits() {
            return Err(self.differs());
        }
        let sha256 = Sha256::parse(&hex::encode(sha256.finish()));
        let sha256 = sha256.map_err(|error| Problem::internal(error.to_string()))?;
        Ok((length, sha256))
    }

    /// The file as it comes. One that breaks off, or is longer than it may be, ends the connection, so
    /// that nobody takes it for whole.
    async fn passed_on(&self) -> Result<Response, Problem> {
        let answer = self.asked().await?;
        let mut builder = Response::builder()
            .status(StatusCode::OK)
            .header(CONTENT_TYPE, "application/octet-stream")
            .header(CACHE_CONTROL, "no-store");
        if let Some(length) = answer.length {
            builder = builder.header(CONTENT_LENGTH, length);
        }
        let wanted = self.clone();
        let start = (answer.body, 0_u64);
        let pieces = stream::try_unfold(start, move |(mut body, length)| {
            let wanted = wanted.clone();
            async move {
                let Some(piece) = body.next().await else {
                    return Ok(None);
                };
                let piece = piece.map_err(io::Error::other)?;
                let length = length + piece.len() as u64;
                if length > wanted.limit {
                    return Err(io::Error::other(wanted.too_large().detail));
                }
                Ok(Some((piece, (body, length))))
            }
        });
        builder
            .body(Body::from_stream(pieces))
            .map_err(|error| Problem::internal(error.to_string()))
    }

    fn too_large(&self) -> Problem {
        let why = format!("{} has more than {} bytes", self.name, self.limit);
        self.index.refused(&why).about(&self.name)
    }

    fn differs(&self) -> Problem {
        Problem::plain(
            StatusCode::CONFLICT,
            "mismatch",
            "The bytes served are not those that the page names",
            format!(
                "{}: {} has another hash than its page says",
                self.url, self.name
            ),
            "a mirror or cache on the way is damaged or dishonest; tell the operator of that index",
        )
        .about(&self.name)
    }
}

/// A file that nobody takes for finished, as the cache names them.
fn unfinished(dir: &Path) -> Result<NamedTempFile, Problem> {
    let mut builder = tempfile::Builder::new();
    let made = builder.prefix(".").suffix(".part").tempfile_in(dir);
    made.map_err(|error| failed(&error))
}

fn failed(error: &io::Error) -> Problem {
    Problem::internal(format!("cache: {error}"))
}
