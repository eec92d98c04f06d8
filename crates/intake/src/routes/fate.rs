//! `GET /v1/changes/ID`: what became of a request.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::Response;
use repository::{SubmissionId, SubmissionRecord};
use tokio::time::Instant;

use super::headers::{authenticate, wait};
use crate::body::{Fate, json};
use crate::problem::Problem;
use crate::scope::Verb;
use crate::state::Intake;
use crate::token::Token;

/// Ask what became of a request
///
/// For the token that made it, and for tokens that may `read` all of its projects; for others it is not there.
/// With `Prefer: wait` answered when it is decided, at the latest after so long.
#[utoipa::path(
    get,
    path = "/v1/changes/{id}",
    operation_id = "fate",
    tag = "changes",
    security(("token" = [])),
    params(
        ("id" = i64, Path, minimum = 1, description = "Number of the request"),
        ("Prefer" = Option<String>, Header, example = "wait=60",
            description = "`wait=SECONDS`: answer when it is decided, at the latest after so long"),
    ),
    responses(
        (status = 200, description = "Where it is", body = Fate),
        (status = 401, description = "No token that counts", body = Problem,
            content_type = "application/problem+json",
            headers(("WWW-Authenticate" = String, description = "`Bearer`"))),
        (status = 404, description = "Not there, or not for this token", body = Problem,
            content_type = "application/problem+json"),
        (status = 429, description = "The token's share is used up", body = Problem,
            content_type = "application/problem+json",
            headers(("Retry-After" = u64, description = "Seconds"))),
        (status = 503, description = "Failed", body = Problem,
            content_type = "application/problem+json",
            headers(("Retry-After" = u64, description = "Seconds"))),
    )
)]
pub(crate) async fn fate(
    State(intake): State<Arc<Intake>>,
    id: Result<Path<String>, PathRejection>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let token = authenticate(&intake, &headers)?;
    let Path(id) = id.map_err(|_| Problem::no_change())?;
    let id = id.parse().map_err(|_| Problem::no_change())?;
    let found = intake
        .pool
        .run(move |index| index.submission(SubmissionId(id)));
    let record = found.await?.filter(|record| may_see(&token, record));
    let record = record.ok_or_else(Problem::no_change)?;
    let wait = wait(&intake, &headers);
    let fate = match settled(&intake, &record, wait.unwrap_or_default()).await? {
        Some(fate) => fate,
        None => look(&intake, &record).await?,
    };
    let mut response = json(StatusCode::OK, &fate);
    if let Some(wait) = wait
        && let Ok(applied) = HeaderValue::try_from(format!("wait={}", wait.as_secs()))
    {
        response.headers_mut().insert("preference-applied", applied);
    }
    Ok(response)
}

fn may_see(token: &Token, record: &SubmissionRecord) -> bool {
    let mut projects = record.entries.iter().map(|entry| &entry.project);
    let is_readable = projects.all(|project| token.allows(Verb::Read, project));
    token.name == record.sender || (is_readable && !record.entries.is_empty())
}

/// The fate once nothing more will happen to it, if that is within so long.
pub(super) async fn settled(
    intake: &Intake,
    record: &SubmissionRecord,
    wait: Duration,
) -> Result<Option<Fate>, Problem> {
    let end = Instant::now() + wait;
    let mut seen = intake.publications.seen();
    loop {
        let fate = look(intake, record).await?;
        if fate.is_decided() {
            return Ok(Some(fate));
        }
        let next = intake.publications.next(seen);
        match tokio::time::timeout_at(end, next).await {
            Ok(heard) => seen = heard,
            Err(_) => return Ok(None),
        }
    }
}

async fn look(intake: &Intake, record: &SubmissionRecord) -> Result<Fate, Problem> {
    let record = record.clone();
    let read = move |index: &mut repository::Repository| {
        let outcomes = index.outcomes(&record)?;
        Ok(Fate::of(&record, &outcomes))
    };
    intake.pool.run(read).await
}
