//! `/files/SHA256/NAME`: distributions and their core metadata, from the verified cache.

use axum::Extension;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::http::header::{IF_NONE_MATCH, IF_RANGE, RANGE};
use axum::response::{IntoResponse, Response};
use index::{DistributionFilename, METADATA_SUFFIX, ProjectName};
use metadata::Sha256;

use crate::interim::{Interim, awaited};
use crate::problem::Problem;
use crate::search::{Found, Wanted};
use crate::send::{Conditions, send};
use crate::state::{ProxyState, SharedState};
use crate::unverified::Sent;

/// Projects to which an old name of a source distribution can belong, at most this many are tried.
const MAX_CANDIDATES: usize = 8;

/// Serves a file of a page, or its core metadata.
pub(crate) async fn file(
    State(state): State<SharedState>,
    Path((digest, name)): Path<(String, String)>,
    interim: Option<Extension<Interim>>,
    headers: HeaderMap,
) -> Response {
    let interim = interim.as_deref();
    let digest = Sha256::parse(&digest).map_err(|error| no_such(error.to_string()));
    match digest {
        Ok(digest) => answer(&state, Some(digest), &name, &headers, interim).await,
        Err(problem) => problem.into_response(),
    }
}

/// Serves a file of which the page gives no SHA-256: one of an index that signs nothing.
pub(crate) async fn unhashed(
    State(state): State<SharedState>,
    Path(name): Path<String>,
    interim: Option<Extension<Interim>>,
    headers: HeaderMap,
) -> Response {
    named(&state, &name, &headers, interim.as_deref()).await
}

/// The same by the name alone: the file of that name on the page of its project.
pub(crate) async fn named(
    state: &SharedState,
    name: &str,
    headers: &HeaderMap,
    interim: Option<&Interim>,
) -> Response {
    answer(state, None, name, headers, interim).await
}

async fn answer(
    state: &SharedState,
    digest: Option<Sha256>,
    name: &str,
    headers: &HeaderMap,
    interim: Option<&Interim>,
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
    match awaited(interim, state.served(digest, name, &conditions)).await {
        Ok(response) => response,
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
    /// The file of that digest and name: verified by the session in force, or of an index that signs
    /// nothing where the rules say so.
    async fn served(
        &self,
        sha256: Option<Sha256>,
        name: &str,
        conditions: &Conditions<'_>,
    ) -> Result<Response, Problem> {
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
                Ok(Some(found)) => return self.sent(found, name, conditions, sha256).await,
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

    async fn sent(
        &self,
        found: Found,
        name: &str,
        conditions: &Conditions<'_>,
        sha256: Option<Sha256>,
    ) -> Result<Response, Problem> {
        match found {
            Found::Verified(cached, role) => {
                let response = send(cached, conditions, sha256.is_some()).await?;
                self.common.recorder.file(name, &role);
                Ok(response)
            }
            Found::TakenOut(metadata, role) => {
                let response = metadata.respond()?;
                self.common.recorder.file(name, &role);
                Ok(response)
            }
            Found::Unverified(sent, index) => {
                let response = match sent {
                    Sent::Held(cached) => send(cached, conditions, false).await?,
                    Sent::Passed(response) => response,
                };
                self.common.recorder.unverified_file(index.name(), name);
                Ok(response)
            }
        }
    }
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
