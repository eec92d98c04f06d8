//! Who gives a file: the index that the rules name, several that agree, or one that signs nothing; and who
//! vouches for it.

use std::sync::Arc;

use client::{Session, VerifiedFile};
use index::{DistributionFilename, PageFile, ProjectName};
use metadata::{Role, Sha256};

use crate::agreed::AgreedBytes;
use crate::cache::{self, Cached};
use crate::core_metadata::{CoreMetadata, lacks};
use crate::problem::Problem;
use crate::rules::{Asked, Signed};
use crate::state::ProxyState;
use crate::unverified::{Sent, Unverified, UnverifiedFile};
use crate::upstream::Upstream;

/// A file, and who gave it.
pub(crate) enum Found {
    /// The role that vouches.
    Verified(Cached, Role),
    /// Core metadata out of a wheel for which this role vouches.
    TakenOut(CoreMetadata, Role),
    /// The index; nobody vouches.
    Unverified(Sent, Arc<Unverified>),
}

/// What a URL asks for.
#[derive(Clone, Copy)]
pub(crate) struct Wanted<'a> {
    pub(crate) project: &'a ProjectName,
    pub(crate) filename: &'a str,
    /// None where the name has to do.
    pub(crate) sha256: Option<Sha256>,
    pub(crate) is_metadata: bool,
}

impl ProxyState {
    /// The file, from whoever the rules say the project belongs to.
    pub(crate) async fn found(&self, wanted: &Wanted<'_>) -> Result<Option<Found>, Problem> {
        match &self.rule_of(wanted.project)?.asked {
            Asked::Signed(signed) => {
                if wanted.is_metadata && self.lists_no_metadata(signed, wanted).await? {
                    return self.taken_out(signed, wanted).await;
                }
                let found = self.verified(signed, wanted).await?;
                Ok(found.map(|(cached, role)| Found::Verified(cached, role)))
            }
            Asked::Unverified(at) => {
                let index = self.unverified_at(*at)?;
                let page = index.page(wanted.project).await?;
                let is_it = |it: &&UnverifiedFile| {
                    wanted.sha256.is_none() || it.digests.sha256() == wanted.sha256
                };
                let Some(file) = page.files.get(wanted.filename).filter(is_it) else {
                    return Ok(None);
                };
                let sent = index.file(file, wanted.is_metadata).await?;
                Ok(sent.map(|sent| Found::Unverified(sent, Arc::clone(index))))
            }
        }
    }

    /// Whether the page that is shown has the wheel, and no core metadata for it.
    async fn lists_no_metadata(
        &self,
        signed: &Signed,
        wanted: &Wanted<'_>,
    ) -> Result<bool, Problem> {
        let shown = self.shown(signed, wanted.project).await?;
        Ok(shown.page().file(wanted.filename).is_some_and(lacks))
    }

    /// The core metadata in a wheel, which is verified like one that is asked for itself.
    async fn taken_out(
        &self,
        signed: &Signed,
        wanted: &Wanted<'_>,
    ) -> Result<Option<Found>, Problem> {
        let wheel = Wanted {
            is_metadata: false,
            ..*wanted
        };
        let Some((cached, role)) = self.verified(signed, &wheel).await? else {
            return Ok(None);
        };
        let Ok(filename) = DistributionFilename::parse_for(wanted.filename, wanted.project) else {
            return Ok(None);
        };
        let found = self.extracted(&filename, cached).await;
        Ok(found.map(|metadata| Found::TakenOut(metadata, role)))
    }

    /// The file, from the first of those who may be asked that has it; `None` if it is not there.
    async fn verified(
        &self,
        signed: &Signed,
        wanted: &Wanted<'_>,
    ) -> Result<Option<(Cached, Role)>, Problem> {
        let fetchable = self.fetchable(signed, wanted.project, wanted.filename);
        let Some(fetchable) = fetchable.await? else {
            return Ok(None);
        };
        let Some(agreed) = fetchable.agreed else {
            return fetched(&fetchable.upstreams, wanted, None).await;
        };
        if wanted.sha256.is_some_and(|sha256| sha256 != agreed.sha256) {
            return Ok(None);
        }
        let wanted = Wanted {
            sha256: Some(agreed.sha256),
            ..*wanted
        };
        // That a page lists it is not enough: whoever speaks for the file itself has to.
        let (mut vouching, mut problem) = (Vec::new(), None);
        for upstream in fetchable.upstreams {
            match upstream.vouches(&wanted, &agreed).await {
                Ok(true) => vouching.push(upstream),
                Ok(false) => {}
                Err(found) => problem = problem.or(Some(found)),
            }
        }
        if vouching.len() < agreed.least {
            return problem.map_or(Ok(None), Err);
        }
        fetched(&vouching, &wanted, Some(&agreed)).await
    }
}

/// The file, from the first that has it.
async fn fetched(
    upstreams: &[Arc<Upstream>],
    wanted: &Wanted<'_>,
    agreed: Option<&AgreedBytes>,
) -> Result<Option<(Cached, Role)>, Problem> {
    let mut last = Ok(None);
    for upstream in upstreams {
        last = upstream.fetched(wanted, agreed).await;
        if let Ok(Some(_)) = last {
            break;
        }
    }
    last
}

impl Upstream {
    /// The file, if the page lists it.
    async fn fetched(
        self: &Arc<Self>,
        wanted: &Wanted<'_>,
        agreed: Option<&AgreedBytes>,
    ) -> Result<Option<(Cached, Role)>, Problem> {
        self.with_session(async |session| {
            let Some(file) = self.verified(&session, wanted, agreed).await? else {
                return Ok(None);
            };
            let role = file.role().clone();
            let source = cache::Signed { session, file };
            Ok(Some((self.cache.get(&source).await?, role)))
        })
        .await
    }

    /// Whether the file is listed here, by whoever speaks for it.
    async fn vouches(
        self: &Arc<Self>,
        wanted: &Wanted<'_>,
        agreed: &AgreedBytes,
    ) -> Result<bool, Problem> {
        self.with_session(async |session| {
            let file = self.verified(&session, wanted, Some(agreed)).await?;
            Ok(file.is_some())
        })
        .await
    }

    /// What to download; `None` if the page does not list it, or not as several have agreed.
    async fn verified(
        &self,
        session: &Session,
        wanted: &Wanted<'_>,
        agreed: Option<&AgreedBytes>,
    ) -> Result<Option<VerifiedFile>, Problem> {
        let view = self.view(session, wanted.project).await?;
        let is_it = |it: &&PageFile| {
            let is_agreed = agreed.is_none_or(|agreed| {
                !wanted.is_metadata || it.core_metadata == agreed.core_metadata
            });
            is_agreed && wanted.sha256.is_none_or(|sha256| it.sha256 == sha256)
        };
        let entry = view.page().page().file(wanted.filename).filter(is_it);
        let Some(entry) = entry else {
            return Ok(None);
        };
        let file = if wanted.is_metadata {
            session.core_metadata(view.page(), entry).await
        } else {
            session.file(view.page(), entry).await
        };
        Ok(Some(file?))
    }
}
