//! An index without TUF metadata, for the projects that the rules name one by one. Its pages are
//! rewritten so that files come through this proxy, its files are held to the hashes that its own pages
//! give; that is all that can be held. What comes from it is named in the log, in the status and in
//! every verdict, and lies in a cache of its own.

mod digests;
mod page;
mod read;
mod transfer;

use std::ops::Deref;
use std::sync::{Arc, Mutex, PoisonError};

use axum::http::StatusCode;
use client::{ReadError, TransportError, UnverifiedIndex, read_limited};
use index::ProjectName;
use tokio::time::Instant;
use url::Url;

use crate::cache::Cache;
use crate::problem::Problem;
use crate::state::Common;
use crate::views::Kept;
pub(crate) use page::{UnverifiedFile, UnverifiedPage};
pub(crate) use transfer::Sent;

/// Folder of its files, in that of the verified ones.
pub(crate) const FOLDER: &str = "unverified";

/// An index that signs nothing.
pub(crate) struct Unverified {
    common: Arc<Common>,
    /// As the rules have it: without credentials.
    url: Url,
    index: UnverifiedIndex,
    cache: Arc<Cache>,
    pages: Mutex<Kept<(Instant, Arc<UnverifiedPage>)>>,
}

impl Deref for Unverified {
    type Target = Common;

    fn deref(&self) -> &Common {
        &self.common
    }
}

impl Unverified {
    pub(crate) fn new(
        common: Arc<Common>,
        url: Url,
        index: UnverifiedIndex,
        cache: Arc<Cache>,
    ) -> Self {
        let pages = Mutex::new(Kept::within(common.config().limits.page_memory_bytes));
        Self {
            common,
            url,
            index,
            cache,
            pages,
        }
    }

    /// What it is called.
    pub(crate) fn name(&self) -> &str {
        self.url.as_str()
    }

    /// Its page of a project; one that was fetched within the refresh interval is as good.
    pub(crate) async fn page(&self, project: &ProjectName) -> Result<Arc<UnverifiedPage>, Problem> {
        let interval = self.config().limits.refresh_interval;
        let held = self.pages().get(project).cloned();
        if let Some((_, page)) = held.filter(|(at, _)| at.elapsed() < interval) {
            return Ok(page);
        }
        let failed = |error: &TransportError| Self::unreachable(error).about(project.as_str());
        let answer = self.index.page(project).await.map_err(|it| failed(&it))?;
        let limit = self.index.limits().page;
        let bytes = match read_limited(answer.body, limit).await {
            Ok(bytes) => bytes,
            Err(ReadError::Transport(error)) => return Err(failed(&error)),
            Err(ReadError::TooLarge) => {
                let why = format!("its page has more than {limit} bytes");
                return Err(self.refused(&why).about(project.as_str()));
            }
        };
        let may_link_to = |to: &Url| self.index.may_link_to(to);
        let page = read::read(&bytes, project, &answer.url, may_link_to)
            .map_err(|error| self.refused(&error.to_string()).about(project.as_str()))?;
        let page = Arc::new(page);
        let kept = (Instant::now(), Arc::clone(&page));
        self.pages().keep(project, bytes.len() as u64, kept);
        Ok(page)
    }

    fn pages(&self) -> std::sync::MutexGuard<'_, Kept<(Instant, Arc<UnverifiedPage>)>> {
        self.pages.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What came is nothing that can be passed on.
    fn refused(&self, why: &str) -> Problem {
        Problem::plain(
            StatusCode::CONFLICT,
            "refused",
            "What an unverified index served is beyond what this proxy takes",
            format!("{}: {why}", self.url),
            "tell the operator of that index",
        )
    }

    /// It could not be had.
    fn unreachable(error: &TransportError) -> Problem {
        let (status, word, hint) = match error {
            TransportError::NotFound { .. } | TransportError::Status { status: 404, .. } => (
                StatusCode::NOT_FOUND,
                "not-found",
                "check the spelling; the rules say that this project is there and nowhere else",
            ),
            TransportError::Status {
                status: 401 | 403, ..
            } => (
                StatusCode::BAD_GATEWAY,
                "unreachable",
                "put the password for it into the netrc file, or into the keyring",
            ),
            TransportError::TooSlow { .. } => (
                StatusCode::GATEWAY_TIMEOUT,
                "unreachable",
                "try again; if it stays so, look at the network and at the status of that index",
            ),
            _ => (
                StatusCode::BAD_GATEWAY,
                "unreachable",
                "try again; if it stays so, look at the network and at the status of that index",
            ),
        };
        let title = "An unverified index did not give what was asked for";
        Problem::plain(status, word, title, error.to_string(), hint)
    }
}
