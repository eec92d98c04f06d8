//! `/simple/NAME/`: a verified page in the form a client asks for.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::header::{
    ACCEPT, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, ETAG, IF_NONE_MATCH, LOCATION, USER_AGENT,
    VARY,
};
use axum::http::{HeaderMap, HeaderName, StatusCode};
use axum::response::{IntoResponse, Response};
use client::Session;
use index::{DistributionFilename, PageFile, ProjectName, SimplePage};
use metadata::Sha256;

use crate::canonical::Canonical;
use crate::negotiate::Form;
use crate::problem::Problem;
use crate::rules::{Asked, Signed};
use crate::state::{ProxyState, SharedState};
use crate::unverified::UnverifiedFile;

/// Where a page and its files are for whoever asks.
pub(crate) enum Links<'a> {
    /// At this proxy.
    Local,
    /// At the index's own URLs.
    Canonical(&'a Canonical),
}

impl Links<'_> {
    /// Where a file is; `sha256` is its digest where that is known.
    fn of_file(&self, filename: &DistributionFilename, sha256: Option<Sha256>) -> String {
        match self {
            Self::Local => file_url(filename, sha256),
            Self::Canonical(canonical) => canonical.file_url(filename),
        }
    }

    pub(crate) fn of_page(&self, project: &ProjectName) -> String {
        match self {
            Self::Local => format!("/simple/{project}/"),
            Self::Canonical(canonical) => format!("{}{project}/", canonical.index().path()),
        }
    }
}

/// `/simple/NAME`: pages end in a slash (PEP 503).
pub(crate) async fn without_slash(Path(name): Path<String>) -> Response {
    redirected(&name, &Links::Local)
}

/// The same wherever the page is.
pub(crate) fn redirected(name: &str, links: &Links<'_>) -> Response {
    match ProjectName::parse(name) {
        Ok(project) => redirect(&project, links),
        Err(error) => no_such_project(&error.to_string()).into_response(),
    }
}

/// `/simple/NAME/`: the page.
pub(crate) async fn page(
    State(state): State<SharedState>,
    Path(name): Path<String>,
    headers: HeaderMap,
) -> Response {
    answer(&state, &name, &headers, &Links::Local).await
}

/// The page of a project of that name.
pub(crate) async fn answer(
    state: &SharedState,
    name: &str,
    headers: &HeaderMap,
    links: &Links<'_>,
) -> Response {
    let project = match ProjectName::parse(name) {
        Ok(project) if project.as_str() == name => project,
        Ok(other) => return redirect(&other, links),
        Err(error) => return no_such_project(&error.to_string()).into_response(),
    };
    let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    let Some(form) = Form::choose(text(ACCEPT)) else {
        return not_acceptable().into_response();
    };
    match state.page(&project, form, links, headers).await {
        Ok(response) => response,
        Err(problem) => {
            let problem = problem.about(project.as_str());
            if problem.status == StatusCode::NOT_FOUND {
                state.common.recorder.unknown(project.as_str());
            }
            state.common.recorder.refused(&problem);
            let is_pip = text(USER_AGENT).is_some_and(|agent| agent.starts_with("pip/"));
            if is_pip && problem.status != StatusCode::NOT_FOUND {
                return problem.into_page_for_pip();
            }
            problem.into_response()
        }
    }
}

impl ProxyState {
    async fn page(
        &self,
        project: &ProjectName,
        form: Form,
        links: &Links<'_>,
        headers: &HeaderMap,
    ) -> Result<Response, Problem> {
        let rule = self.rule_of(project)?;
        let (body, max_age) = match &rule.asked {
            Asked::Signed(signed) => self.signed_page(signed, project, form, links).await?,
            Asked::Unverified(at) => {
                let index = self.unverified_at(*at)?;
                let page = index.page(project).await?;
                self.common
                    .recorder
                    .unverified_page(index.name(), project.as_str());
                let url = |it: &UnverifiedFile| links.of_file(&it.filename, it.digests.sha256());
                let body = match form {
                    Form::Json => page.render_json(url),
                    Form::Html | Form::PlainHtml => page.render_html(url),
                };
                (body, self.config().limits.refresh_interval.as_secs())
            }
        };
        respond(form, body, max_age, headers)
    }

    /// The page of a project that an index, or several, vouch for; and for how many seconds.
    async fn signed_page(
        &self,
        signed: &Signed,
        project: &ProjectName,
        form: Form,
        links: &Links<'_>,
    ) -> Result<(Vec<u8>, u64), Problem> {
        let shown = self.shown(signed, project).await?;
        let page = self.with_core_metadata(shown.page()).await;
        let body = render(&page, form, links);
        for role in &shown.roles {
            self.common.recorder.page(project.as_str(), role);
        }
        Ok((body, self.max_age(&shown.sessions)))
    }

    /// Seconds for which a client may keep a page: never beyond the expiry of what vouches for it.
    fn max_age(&self, sessions: &[Arc<Session>]) -> u64 {
        let end = sessions.iter().map(|session| session.valid_until()).min();
        let left = end.map_or(0, |end| (end - self.common.now()).num_seconds());
        self.config()
            .limits
            .refresh_interval
            .as_secs()
            .min(u64::try_from(left).unwrap_or(0))
    }
}

/// The response with a page, or that the client has it.
pub(crate) fn respond(
    form: Form,
    body: Vec<u8>,
    max_age: u64,
    headers: &HeaderMap,
) -> Result<Response, Problem> {
    let etag = format!("\"{}\"", Sha256::of(&body));
    let known = headers.get(IF_NONE_MATCH).and_then(|it| it.to_str().ok());
    let builder = Response::builder()
        .header(VARY, "Accept")
        .header(ETAG, &etag)
        .header(CACHE_CONTROL, format!("max-age={max_age}"));
    let response = if known.is_some_and(|tags| names(tags, &etag)) {
        builder.status(StatusCode::NOT_MODIFIED).body(Body::empty())
    } else {
        builder
            .header(CONTENT_TYPE, form.content_type())
            .header(CONTENT_LENGTH, body.len())
            .body(Body::from(body))
    };
    response.map_err(|error| Problem::internal(error.to_string()))
}

fn render(page: &SimplePage, form: Form, links: &Links<'_>) -> Vec<u8> {
    let url = |file: &PageFile| links.of_file(&file.filename, Some(file.sha256));
    match form {
        Form::Json => page.render_json_with(url),
        Form::Html | Form::PlainHtml => page.render_html(url).into_bytes(),
    }
}

/// Where this proxy serves a file, as seen from the page.
fn file_url(filename: &DistributionFilename, sha256: Option<Sha256>) -> String {
    let name = filename.as_str().replace('+', "%2B").replace('!', "%21");
    match sha256 {
        Some(sha256) => format!("../../files/{sha256}/{name}"),
        None => format!("../../files/unhashed/{name}"),
    }
}

/// Whether an `If-None-Match` names the entity (RFC 9110 section 13.1.2: weak comparison).
pub(crate) fn names(tags: &str, etag: &str) -> bool {
    tags.split(',')
        .map(str::trim)
        .any(|tag| tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == etag)
}

fn redirect(project: &ProjectName, links: &Links<'_>) -> Response {
    let location = links.of_page(project);
    (StatusCode::MOVED_PERMANENTLY, [(LOCATION, location)]).into_response()
}

fn no_such_project(why: &str) -> Problem {
    Problem::not_found(why, "check the spelling of the project's name")
}

pub(crate) fn not_acceptable() -> Problem {
    Problem::plain(
        StatusCode::NOT_ACCEPTABLE,
        "not-acceptable",
        "No form of the page is acceptable to the client",
        "pages are served as application/vnd.pypi.simple.v1+json, \
         application/vnd.pypi.simple.v1+html and text/html",
        "name one of these in Accept",
    )
}
