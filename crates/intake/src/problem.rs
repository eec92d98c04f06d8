//! Why a request was refused: an RFC 9457 body, in words that stay the same for ever.

use axum::body::Body;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use repository::{IntakeError, RepositoryError, SubmissionError};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A refusal (RFC 9457).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Problem {
    /// Which problem it is, for programs: `urn:countersign:problem:` and one word.
    #[serde(rename = "type")]
    pub kind: String,
    /// The same for people, without particulars.
    pub title: String,
    /// The HTTP status.
    #[schema(minimum = 400, maximum = 599)]
    pub status: u16,
    /// What happened.
    pub detail: String,
    /// Which rule a transaction breaks, as `countersign index receive` names it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub code: Option<String>,
    /// Seconds after which it is worth trying again.
    #[serde(skip)]
    #[schema(ignore)]
    pub retry_after: Option<u64>,
}

impl Problem {
    pub(crate) fn new(
        status: StatusCode,
        word: &str,
        title: &str,
        detail: impl Into<String>,
    ) -> Self {
        Self {
            kind: format!("urn:countersign:problem:{word}"),
            title: title.to_owned(),
            status: status.as_u16(),
            detail: detail.into(),
            code: None,
            retry_after: None,
        }
    }

    pub(crate) fn unauthorized() -> Self {
        Self::new(
            StatusCode::UNAUTHORIZED,
            "unauthorized",
            "No token that counts came with the request",
            "send `Authorization: Bearer TOKEN` with a token that is neither expired nor revoked",
        )
    }

    pub(crate) fn out_of_scope(detail: impl Into<String>) -> Self {
        let title = "The token does not allow this";
        Self::new(StatusCode::FORBIDDEN, "out-of-scope", title, detail)
    }

    pub(crate) fn malformed(detail: impl Into<String>) -> Self {
        let title = "The request cannot be read";
        Self::new(StatusCode::BAD_REQUEST, "malformed", title, detail)
    }

    pub(crate) fn too_large(what: &str, limit: u64) -> Self {
        let title = "The request is larger than allowed";
        let detail = format!("{what} may have {limit} bytes at most");
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "too-large", title, detail)
    }

    pub(crate) fn too_slow() -> Self {
        Self::new(
            StatusCode::REQUEST_TIMEOUT,
            "too-slow",
            "The request's body did not come in time",
            "it paused for too long, or came too slowly",
        )
    }

    pub(crate) fn too_often(wait: std::time::Duration) -> Self {
        let title = "This token asks too often";
        let status = StatusCode::TOO_MANY_REQUESTS;
        Self::new(status, "too-often", title, "its share is used up").after(wait.as_secs() + 1)
    }

    pub(crate) fn busy(detail: impl Into<String>) -> Self {
        let title = "The intake has too much to do";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "busy", title, detail).after(5)
    }

    /// What failed is said in the log: it may name what strangers need not know.
    pub(crate) fn failed() -> Self {
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "failed",
            "The intake could not do it",
            "nothing was acknowledged; the log of the intake says why",
        )
        .after(5)
    }

    pub(crate) fn not_found() -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "not-found",
            "There is nothing of this name",
            "/v1/openapi.json says what there is",
        )
    }

    /// No such change, or none that this token may see: which of both, it does not say.
    pub(crate) fn no_change() -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "not-found",
            "There is no such change",
            "it is not there, or this token may not see it",
        )
    }

    pub(crate) fn method() -> Self {
        let status = StatusCode::METHOD_NOT_ALLOWED;
        let detail = "/v1/openapi.json says what there is";
        Self::new(status, "method", "There is no such method here", detail)
    }

    pub(crate) fn media_type(detail: impl Into<String>) -> Self {
        let status = StatusCode::UNSUPPORTED_MEDIA_TYPE;
        Self::new(
            status,
            "media-type",
            "The content type is not known here",
            detail,
        )
    }

    pub(crate) fn invalid(detail: impl Into<String>) -> Self {
        let status = StatusCode::UNPROCESSABLE_ENTITY;
        Self::new(
            status,
            "invalid",
            "What was sent cannot be taken in",
            detail,
        )
    }

    fn conflict(word: &str, detail: impl Into<String>) -> Self {
        let title = "The index stands otherwise";
        Self::new(StatusCode::CONFLICT, word, title, detail)
    }

    fn after(mut self, seconds: u64) -> Self {
        self.retry_after = Some(seconds);
        self
    }

    /// The refusal of one file or project.
    pub(crate) fn of_intake(subject: &str, error: &IntakeError) -> Self {
        let detail = format!("`{subject}` {}", in_one_line(error));
        match error {
            IntakeError::NameTaken { .. } => Self::conflict("name-taken", detail),
            IntakeError::Unknown => Self::conflict("unknown-file", detail),
            IntakeError::DevelopersSign { .. } => Self::conflict("developers-sign", detail),
            IntakeError::TooLarge { limit, .. } => Self::too_large("a file", *limit),
            _ => Self::invalid(detail),
        }
    }
}

impl From<SubmissionError> for Problem {
    fn from(error: SubmissionError) -> Self {
        match &error {
            SubmissionError::Refused { subject, why } => Self::of_intake(subject, why),
            SubmissionError::Transaction(refused) => {
                let mut problem = Self::invalid(in_one_line(refused));
                problem.code = Some(refused.code().to_owned());
                problem
            }
            SubmissionError::KeyReused { .. } => Self::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "key-reused",
                "The idempotency key stands for another request",
                error.to_string(),
            ),
            SubmissionError::Lost(lost) => match lost {
                RepositoryError::NameTaken { .. } => Self::conflict("name-taken", lost.to_string()),
                lost => Self::conflict("lost", in_one_line(lost)),
            },
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let body = serde_json::to_vec(&self).unwrap_or_default();
        let mut response = Response::new(Body::from(body));
        let status = StatusCode::from_u16(self.status);
        *response.status_mut() = status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let headers = response.headers_mut();
        let kind = HeaderValue::from_static("application/problem+json");
        headers.insert(CONTENT_TYPE, kind);
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if self.status == 401 {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if let Some(seconds) = self.retry_after {
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

/// An error and its causes in one line.
pub(crate) fn in_one_line(error: &dyn std::error::Error) -> String {
    let mut out = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let text = cause.to_string();
        if !out.contains(&text) {
            out.push_str(": ");
            out.push_str(&text);
        }
        next = cause.source();
    }
    out
}
