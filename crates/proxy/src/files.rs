//! `/files/SHA256/NAME`: distributions and their core metadata, from the verified cache.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::http::header::{IF_NONE_MATCH, IF_RANGE, RANGE};
use axum::response::{IntoResponse, Response};
use client::{Session, VerifiedFile};
use index::{DistributionFilename, METADATA_SUFFIX, PageFile, ProjectName};
use metadata::{Role, Sha256};

use crate::agreed::AgreedBytes;
use crate::cache::Cached;
use crate::problem::Problem;
use crate::send::{Conditions, send};
use crate::state::{ProxyState, SharedState};
use crate::upstream::Upstream;

/// Projects to which an old name of a source distribution can belong, at most this many are tried.
const MAX_CANDIDATES: usize = 8;

/// Serves a file of a page, or its core metadata.
pub(crate) async fn file(
    State(state): State<SharedState>,
    Path((digest, name)): Path<(String, String)>,
    headers: HeaderMap,
) -> Response {
    let digest = Sha256::parse(&digest).map_err(|error| no_such(error.to_string()));
    match digest {
        Ok(digest) => answer(&state, Some(digest), &name, &headers).await,
        Err(problem) => problem.into_response(),
    }
}

/// The same by the name alone: the file of that name on the page of its project.
pub(crate) async fn named(state: &SharedState, name: &str, headers: &HeaderMap) -> Response {
    answer(state, None, name, headers).await
}

async fn answer(
    state: &SharedState,
    digest: Option<Sha256>,
    name: &str,
    headers: &HeaderMap,
) -> Response {
    let text = |name| {
        headers
            .get(name)
            .and_then(|value: &axum::http::HeaderValue| value.to_str().ok())
    };
    let conditions = Conditions {
        range: text(RANGE),
        if_range: text(IF_RANGE),
        if_none_match: text(IF_NONE_MATCH),
    };
    let served = match state.cached(digest, name).await {
        Ok((cached, role)) => send(cached, &conditions, digest.is_some())
            .await
            .map(|sent| (sent, role)),
        Err(problem) => Err(problem),
    };
    match served {
        Ok((response, role)) => {
            state.common.recorder.file(name, &role);
            response
        }
        Err(problem) => {
            let problem = problem.about(name);
            state.common.recorder.refused(&problem);
            problem.into_response()
        }
    }
}

fn no_such(why: String) -> Problem {
    Problem::not_found(why, "ask for the page of its project")
}

impl ProxyState {
    /// The file of that digest and name, verified by the session in force, and the role that vouches.
    async fn cached(&self, sha256: Option<Sha256>, name: &str) -> Result<(Cached, Role), Problem> {
        let (filename, is_metadata) = match name.strip_suffix(METADATA_SUFFIX) {
            Some(filename) => (filename, true),
            None => (name, false),
        };
        let projects = projects_of(filename);
        if projects.is_empty() {
            return Err(no_such("this is not the name of a distribution".to_owned()));
        }
        let mut problem = None;
        for project in &projects {
            let wanted = Wanted {
                project,
                filename,
                sha256,
                is_metadata,
            };
            match self.found(&wanted).await {
                Ok(Some(found)) => return Ok(found),
                Ok(None) => {}
                Err(found) => problem = problem.or(Some(found)),
            }
        }
        Err(problem.unwrap_or_else(|| {
            Problem::not_found(
                "the page of its project does not list this file, or not with this digest",
                "the project has changed meanwhile; run the installation again",
            )
        }))
    }

    /// The file, from the first of those who may be asked that has it; `None` if it is not there.
    async fn found(&self, wanted: &Wanted<'_>) -> Result<Option<(Cached, Role)>, Problem> {
        let Some(fetchable) = self.fetchable(wanted.project, wanted.filename).await? else {
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
            let cached = self.cache.get(&session, &file).await?;
            Ok(Some((cached, file.role().clone())))
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

/// What a URL asks for.
#[derive(Clone, Copy)]
struct Wanted<'a> {
    project: &'a ProjectName,
    filename: &'a str,
    /// None where the name has to do.
    sha256: Option<Sha256>,
    is_metadata: bool,
}

/// The projects whose distribution `filename` can be: one for a wheel; several for an old name of
/// a source distribution with dashes, likeliest first.
fn projects_of(filename: &str) -> Vec<ProjectName> {
    let likeliest = DistributionFilename::parse(filename).ok();
    let mut projects: Vec<_> = likeliest
        .iter()
        .map(|name| name.project().clone())
        .collect();
    for (dash, _) in filename.rmatch_indices('-').take(MAX_CANDIDATES) {
        let Ok(project) = ProjectName::parse(&filename[..dash]) else {
            continue;
        };
        let fits = DistributionFilename::parse_for(filename, &project).is_ok();
        if fits && !projects.contains(&project) {
            projects.push(project);
        }
    }
    projects
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_names_of_source_distributions_are_tried_for_each_project() {
        let names = |filename| {
            let projects = projects_of(filename);
            projects.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        assert_eq!(names("Foo_bar-1.0-py3-none-any.whl"), ["foo-bar"]);
        assert_eq!(names("a-1-1.tar.gz"), ["a-1", "a"]);
        assert_eq!(names("requests-2.32.3.tar.gz"), ["requests"]);
        assert!(names("index.html").is_empty());
        assert!(names("../x-1.0.zip").is_empty());
    }
}
