//! What supervisors and monitors ask.

use std::sync::Arc;

use axum::Extension;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

use crate::body::json;
use crate::problem::Problem;
use crate::server::Document;
use crate::state::Intake;

/// That it runs.
#[derive(Serialize, ToSchema)]
pub(crate) struct Health {
    /// Always `ok`.
    status: &'static str,
    /// Version of the program.
    version: &'static str,
}

fn fine() -> Response {
    let (status, version) = ("ok", env!("CARGO_PKG_VERSION"));
    json(StatusCode::OK, &Health { status, version })
}

/// Whether it runs
#[utoipa::path(
    get,
    path = "/v1/health",
    operation_id = "health",
    tag = "service",
    responses((status = 200, description = "It runs", body = Health))
)]
pub(crate) async fn health() -> Response {
    fine()
}

/// Whether it takes changes in
///
/// Not where its tokens or its state cannot be read, or too many changes wait for the signer.
#[utoipa::path(
    get,
    path = "/v1/ready",
    operation_id = "ready",
    tag = "service",
    responses(
        (status = 200, description = "It does", body = Health),
        (status = 503, description = "It does not", body = Problem,
            content_type = "application/problem+json",
            headers(("Retry-After" = u64, description = "Seconds"))),
    )
)]
pub(crate) async fn ready(State(intake): State<Arc<Intake>>) -> Result<Response, Problem> {
    check(&intake).await?;
    Ok(fine())
}

async fn check(intake: &Intake) -> Result<(), Problem> {
    if intake.tokens.problem().is_some() {
        return Err(Problem::busy(
            "the file of tokens cannot be read; the log says why",
        ));
    }
    let waiting = intake.pool.run(|index| index.waiting()).await?;
    intake.metrics.waiting(waiting);
    if waiting >= u64::from(intake.policy.intake.waiting_changes) {
        return Err(Problem::busy("too many changes wait for the signer"));
    }
    Ok(())
}

/// Counts for Prometheus
#[utoipa::path(
    get,
    path = "/metrics",
    operation_id = "metrics",
    tag = "service",
    responses((status = 200, description = "In the text exposition format 0.0.4", body = String,
        content_type = "text/plain"))
)]
pub(crate) async fn metrics(State(intake): State<Arc<Intake>>) -> Response {
    let is_ready = check(&intake).await.is_ok();
    let text = intake.metrics.text(intake.tokens.count(), is_ready);
    let kind = (CONTENT_TYPE, "text/plain; version=0.0.4");
    (StatusCode::OK, [kind], text).into_response()
}

/// This description
#[utoipa::path(
    get,
    path = "/v1/openapi.json",
    operation_id = "openapi",
    tag = "service",
    responses((status = 200, description = "OpenAPI 3.1", content_type = "application/json",
        body = serde_json::Value))
)]
pub(crate) async fn openapi(Extension(document): Extension<Document>) -> Document {
    document
}
