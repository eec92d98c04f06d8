//! `/files/SHA256/NAME`: distributions and their core metadata, from the verified cache.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::http::header::{IF_NONE_MATCH, IF_RANGE, RANGE};
use axum::response::{IntoResponse, Response};
use client::{Session, VerifiedFile};
use index::{DistributionFilename, METADATA_SUFFIX, PageFile, ProjectName};
use metadata::{Role, Sha256};

use crate::cache::Cached;
use crate::problem::Problem;
use crate::send::{Conditions, send};
use crate::state::{ProxyState, SharedState};
use crate::views::View;

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
            state.recorder.file(name, &role);
            response
        }
        Err(problem) => {
            let problem = problem.about(name);
            state.recorder.refused(&problem);
            problem.into_response()
        }
    }
}

fn no_such(why: String) -> Problem {
    Problem::not_found(why, "ask for the page of its project")
}

impl ProxyState {
    /// The file of that digest and name, verified by the session in force, and the role that vouches.
    async fn cached(
        self: &Arc<Self>,
        sha256: Option<Sha256>,
        name: &str,
    ) -> Result<(Cached, Role), Problem> {
        let (filename, is_metadata) = match name.strip_suffix(METADATA_SUFFIX) {
            Some(filename) => (filename, true),
            None => (name, false),
        };
        let projects = projects_of(filename);
        if projects.is_empty() {
            return Err(no_such("this is not the name of a distribution".to_owned()));
        }
        let wanted = Wanted {
            projects: &projects,
            filename,
            sha256,
            is_metadata,
        };
        self.with_session(async |session| {
            let file = self.wanted(&session, &wanted).await?;
            let cached = self.cache.get(&session, &file).await?;
            Ok((cached, file.role().clone()))
        })
        .await
    }

    async fn wanted(
        &self,
        session: &Session,
        wanted: &Wanted<'_>,
    ) -> Result<VerifiedFile, Problem> {
        let (view, entry) = self.entry(session, wanted).await?;
        let file = if wanted.is_metadata {
            session.core_metadata(view.page(), &entry).await
        } else {
            session.file(view.page(), &entry).await
        };
        Ok(file?)
    }

    /// The page that lists the file, and its entry.
    async fn entry(
        &self,
        session: &Session,
        wanted: &Wanted<'_>,
    ) -> Result<(Arc<View>, PageFile), Problem> {
        let mut problem = None;
        for project in wanted.projects {
            match self.view(session, project).await {
                Ok(view) => {
                    let entry = view.page().page().file(wanted.filename);
                    let is_it =
                        |it: &&PageFile| wanted.sha256.is_none_or(|sha256| it.sha256 == sha256);
                    if let Some(entry) = entry.filter(is_it) {
                        let entry = entry.clone();
                        return Ok((view, entry));
                    }
                }
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
}

/// What a URL asks for.
struct Wanted<'a> {
    projects: &'a [ProjectName],
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
