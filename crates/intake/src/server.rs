//! The routes, and their description.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::header::CONTENT_TYPE;
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use utoipa::openapi::OpenApi;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::{Modify, OpenApi as _};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::problem::Problem;
use crate::routes::{changes, fate, service};
use crate::state::Intake;

/// What everybody needs to know beside the routes.
#[derive(utoipa::OpenApi)]
#[openapi(
    info(
        title = "countersign intake",
        description = "Takes changes to a signed Python package index in. Whatever is acknowledged survives \
                       a loss of power and is published by the signer in one of its next snapshots, or \
                       answered with why not."
    ),
    modifiers(&Tokens)
)]
struct Described;

struct Tokens;

impl Modify for Tokens {
    fn modify(&self, api: &mut OpenApi) {
        let bearer = HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .description(Some("A token of `countersign online token new`"))
            .build();
        if let Some(components) = api.components.as_mut() {
            components.add_security_scheme("token", SecurityScheme::Http(bearer));
        }
    }
}

fn described() -> OpenApiRouter<Arc<Intake>> {
    let mut api = Described::openapi();
    Tokens.modify(&mut api);
    OpenApiRouter::with_openapi(api)
        .routes(routes!(changes::submit))
        .routes(routes!(fate::fate))
        .routes(routes!(service::health))
        .routes(routes!(service::ready))
        .routes(routes!(service::metrics))
        .routes(routes!(service::openapi))
}

/// The `OpenAPI` 3.1 document of the intake: made from the handlers themselves.
#[must_use]
pub fn open_api() -> OpenApi {
    described().split_for_parts().1
}

/// The routes of an intake.
pub fn router(intake: Arc<Intake>) -> Router {
    let (router, api) = described().split_for_parts();
    let document: Arc<str> = serde_json::to_string(&api).unwrap_or_default().into();
    router
        .fallback(|| async { Problem::not_found() })
        .method_not_allowed_fallback(|| async { Problem::method() })
        .layer(axum::Extension(Document(document)))
        .layer(from_fn_with_state(Arc::clone(&intake), counted))
        .with_state(intake)
}

/// The description as it is served.
#[derive(Clone)]
pub(crate) struct Document(Arc<str>);

impl IntoResponse for Document {
    fn into_response(self) -> Response {
        ([(CONTENT_TYPE, "application/json")], self.0.to_string()).into_response()
    }
}

/// Counts and logs every answer; of a request only what is no secret.
async fn counted(State(intake): State<Arc<Intake>>, request: Request, next: Next) -> Response {
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let response = next.run(request).await;
    let status = response.status().as_u16();
    intake.metrics.count_answer(status);
    tracing::info!(status, "{method} {path}");
    response
}
