//! `/simple/`: the list of projects, made when it is asked for from what is signed
//! (`policy/decisions/0024-a-list-of-projects-is-whole-or-refused.md`). No installer asks for it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::State;
use axum::http::header::ACCEPT;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use client::Session;
use futures_util::future::try_join_all;
use index::ProjectName;
use metadata::Sha256;
use serde_json::json;

use crate::negotiate::Form;
use crate::pages::{not_acceptable, respond};
use crate::problem::Problem;
use crate::rules::Asked;
use crate::state::{ProxyState, SharedState};
use crate::upstream::Upstream;

/// The version of the simple API that the list follows (PEP 691).
const API_VERSION: &str = "1.0";

/// The projects of one snapshot.
type Listed = Option<(Sha256, Arc<BTreeSet<ProjectName>>)>;

/// The last list that was made for an index, with the snapshot it is of.
#[derive(Default)]
pub(crate) struct ProjectList {
    listed: Mutex<Listed>,
    /// Held while one is made.
    making: tokio::sync::Mutex<()>,
}

/// `/simple/`: the list.
pub(crate) async fn list(State(state): State<SharedState>, headers: HeaderMap) -> Response {
    answer(&state, &headers).await
}

/// The same wherever it is asked for.
pub(crate) async fn answer(state: &SharedState, headers: &HeaderMap) -> Response {
    let accept = headers.get(ACCEPT).and_then(|value| value.to_str().ok());
    let Some(form) = Form::choose(accept) else {
        return not_acceptable().into_response();
    };
    let answered = match state.projects().await {
        Ok(projects) => respond(form, render(&projects, form), 0, headers),
        Err(problem) => {
            state.common.recorder.refused(&problem);
            Err(problem)
        }
    };
    answered.unwrap_or_else(IntoResponse::into_response)
}

impl ProxyState {
    /// The projects that somebody may ask for: those of each index that the rules give it, those on which
    /// enough indexes agree, and those that the rules name for an unverified index.
    async fn projects(&self) -> Result<BTreeSet<ProjectName>, Problem> {
        let listed = self.upstreams().iter().map(Upstream::projects);
        let listed = try_join_all(listed).await?;
        let mut count: BTreeMap<&ProjectName, usize> = BTreeMap::new();
        for (at, projects) in listed.iter().enumerate() {
            for project in projects.iter() {
                let rule = self.rules().of(project).map(|rule| &rule.asked);
                let is_asked =
                    matches!(rule, Some(Asked::Signed(it)) if it.upstreams.contains(&at));
                if is_asked {
                    *count.entry(project).or_default() += 1;
                }
            }
        }
        let least = |project: &ProjectName| match self.rules().of(project).map(|rule| &rule.asked) {
            Some(Asked::Signed(signed)) => signed.agree,
            _ => usize::MAX,
        };
        let signed = count.into_iter().filter(|(it, count)| *count >= least(it));
        let named = self.rules().single_names();
        let unverified = named.filter(|(_, rule)| matches!(rule.asked, Asked::Unverified(_)));
        let all = signed.map(|(it, _)| it).chain(unverified.map(|(it, _)| it));
        Ok(all.cloned().collect())
    }
}

impl Upstream {
    /// Its projects, as the snapshot in force has them.
    async fn projects(self: &Arc<Self>) -> Result<Arc<BTreeSet<ProjectName>>, Problem> {
        // One at a time: whoever comes second finds what the first has made.
        let _alone = self.list.making.lock().await;
        self.with_session(async |session: Arc<Session>| {
            let snapshot = session.snapped().snapshot().sha256();
            let held = self.list.held();
            if let Some((_, projects)) = held.filter(|(of, _)| *of == snapshot) {
                return Ok(projects);
            }
            let most = self.config().limits.listed_bins;
            let Some(projects) = session.projects(most as usize).await? else {
                return Err(too_many_bins(self.name(), most));
            };
            let projects = Arc::new(projects);
            self.list.keep(snapshot, &projects);
            Ok(projects)
        })
        .await
    }
}

impl ProjectList {
    fn held(&self) -> Listed {
        self.listed
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn keep(&self, snapshot: Sha256, projects: &Arc<BTreeSet<ProjectName>>) {
        let listed = Some((snapshot, Arc::clone(projects)));
        *self.listed.lock().unwrap_or_else(PoisonError::into_inner) = listed;
    }
}

fn render(projects: &BTreeSet<ProjectName>, form: Form) -> Vec<u8> {
    if form == Form::Json {
        let named: Vec<_> = projects
            .iter()
            .map(|it| json!({ "name": it.as_str() }))
            .collect();
        let list = json!({ "meta": { "api-version": API_VERSION }, "projects": named });
        return list.to_string().into_bytes();
    }
    let mut out = format!(
        "<!DOCTYPE html>\n<html>\n  <head>\n    \
         <meta name=\"pypi:repository-version\" content=\"{API_VERSION}\">\n    \
         <title>Simple index</title>\n  </head>\n  <body>\n"
    );
    // Normalized names have nothing that HTML would have escaped.
    for project in projects {
        // Writing to a string does not fail.
        let _ = writeln!(out, "    <a href=\"{project}/\">{project}</a><br>");
    }
    out.push_str("  </body>\n</html>\n");
    out.into_bytes()
}

fn too_many_bins(index: &str, most: u32) -> Problem {
    Problem::plain(
        StatusCode::NOT_FOUND,
        "not-found",
        "There is no list of all projects",
        format!(
            "{index} has more than {most} bins, each of which a list would have to be read from"
        ),
        "ask for /simple/NAME/: installers ask for nothing else",
    )
}
