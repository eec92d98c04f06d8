//! How a refusal reaches the person who installs: status, reason phrase and an RFC 9457 body, in the
//! places where installers show them.

use axum::body::Body;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use client::{ClientError, Kind, TransportError};
use hyper::ext::ReasonPhrase;
use serde::Serialize;
use trust::VerifiedTarget;

/// Longest reason phrase, in bytes: it stands in one line of an installer's message.
const MAX_REASON: usize = 400;

/// Why something is not served.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// Which problem it is, for programs: one word; as `type` it has `urn:countersign:problem:`
    /// before it.
    #[serde(rename = "type", serialize_with = "urn")]
    pub word: &'static str,
    /// The same for people, without particulars.
    pub title: &'static str,
    /// The HTTP status.
    #[serde(serialize_with = "status_number")]
    pub status: StatusCode,
    /// What happened, with role, version and file.
    pub detail: String,
    /// The role that failed, if it is one role.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<Box<str>>,
    /// What was asked for: a project or a file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<Box<str>>,
    /// What to do next.
    pub hint: &'static str,
}

#[allow(
    clippy::trivially_copy_pass_by_ref,
    reason = "the signature serde asks for"
)]
fn urn<S: serde::Serializer>(word: &&'static str, out: S) -> Result<S::Ok, S::Error> {
    out.collect_str(&format_args!("urn:countersign:problem:{word}"))
}

#[allow(
    clippy::trivially_copy_pass_by_ref,
    reason = "the signature serde asks for"
)]
fn status_number<S: serde::Serializer>(status: &StatusCode, out: S) -> Result<S::Ok, S::Error> {
    out.serialize_u16(status.as_u16())
}

impl Problem {
    /// A problem that is no verdict on anything signed.
    pub(crate) fn plain(
        status: StatusCode,
        word: &'static str,
        title: &'static str,
        detail: impl Into<String>,
        hint: &'static str,
    ) -> Self {
        Self {
            word,
            title,
            status,
            detail: detail.into(),
            role: None,
            file: None,
            hint,
        }
    }

    /// There is no such thing here.
    pub(crate) fn not_found(detail: impl Into<String>, hint: &'static str) -> Self {
        Self::plain(
            StatusCode::NOT_FOUND,
            "not-found",
            "There is no such page or file",
            detail,
            hint,
        )
    }

    /// The page of a project does not show this file, which its role vouches for.
    pub(crate) fn hidden(target: &VerifiedTarget) -> Self {
        let (role, file) = (target.role().name(), target.path().file_name());
        let mut problem = Self::plain(
            StatusCode::CONFLICT,
            "hidden",
            "The index hides a file that the project's developers signed",
            format!("{role} lists {file}, and the page of the project does not"),
            "ask the operator of the index why it is not shown; without --strict the rest of the \
             page is served",
        );
        problem.role = Some(role.into());
        problem.about(file)
    }

    /// The proxy itself failed.
    pub(crate) fn internal(detail: impl Into<String>) -> Self {
        let status = StatusCode::INTERNAL_SERVER_ERROR;
        let hint = "look at the log of the proxy";
        Self::plain(status, "local", "The proxy failed", detail, hint)
    }

    /// The same, about this file.
    #[must_use]
    pub(crate) fn about(mut self, file: &str) -> Self {
        self.file.get_or_insert_with(|| file.into());
        self
    }

    /// One line of printable ASCII that begins with what failed: `TUF expired timestamp: …`.
    #[must_use]
    pub fn reason(&self) -> String {
        let subject = self
            .role
            .as_deref()
            .or(self.file.as_deref())
            .unwrap_or("request");
        let line = format!("TUF {} {subject}: {}", self.word, self.detail);
        // A quote would end the parameter in which pip shows the line.
        let printable = |c: char| {
            if matches!(c, ' '..='~') && c != '"' {
                c
            } else {
                '\''
            }
        };
        line.chars().map(printable).take(MAX_REASON).collect()
    }

    /// The refusal of a page to pip, which hides the status of pages and says only that it found no
    /// distribution. What it does show is a content type it cannot read: so that names the reason.
    /// No byte of the page is in it, and no installer takes it for a page.
    pub(crate) fn into_page_for_pip(self) -> Response {
        let shown = format!("application/problem+json; refused=\"{}\"", self.reason());
        let shown = HeaderValue::try_from(shown)
            .unwrap_or(HeaderValue::from_static("application/problem+json"));
        let mut response = self.into_response();
        response.extensions_mut().remove::<ReasonPhrase>();
        *response.status_mut() = StatusCode::OK;
        response.headers_mut().insert(CONTENT_TYPE, shown);
        response
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let body = serde_json::to_vec(&self).unwrap_or_default();
        let mut response = Response::new(Body::from(body));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(
            CONTENT_TYPE,
            HeaderValue::from_static("application/problem+json"),
        );
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Ok(reason) = ReasonPhrase::try_from(self.reason().into_bytes()) {
            response.extensions_mut().insert(reason);
        }
        response
    }
}

impl From<&ClientError> for Problem {
    fn from(error: &ClientError) -> Self {
        let kind = error.kind();
        let (title, hint) = words(kind);
        let mut problem = Self::plain(status(error), kind.word(), title, with_causes(error), hint);
        problem.role = error.role().map(|role| role.name().into());
        problem
    }
}

impl From<ClientError> for Problem {
    fn from(error: ClientError) -> Self {
        Self::from(&error)
    }
}

/// 409 for every verdict on what is signed: installers retry 5xx and read 403 and 404 as something
/// else.
fn status(error: &ClientError) -> StatusCode {
    match error {
        ClientError::Transport { source, .. } => match **source {
            TransportError::TooSlow { .. } => StatusCode::GATEWAY_TIMEOUT,
            _ => StatusCode::BAD_GATEWAY,
        },
        ClientError::Unclaimed { .. } | ClientError::NotOnPage { .. } => StatusCode::NOT_FOUND,
        other => match other.kind() {
            Kind::Network => StatusCode::BAD_GATEWAY,
            Kind::Local => StatusCode::INTERNAL_SERVER_ERROR,
            _ => StatusCode::CONFLICT,
        },
    }
}

fn words(kind: Kind) -> (&'static str, &'static str) {
    match kind {
        Kind::Digest => (
            "The bytes served are not those that were signed",
            "a mirror or cache on the way is damaged or dishonest; use another, and tell the \
             operator of the index",
        ),
        Kind::Signatures => (
            "Too few of the keys that have to sign did sign",
            "somebody may be forging the index; install nothing from it until its operator has \
             explained this",
        ),
        Kind::Expired => (
            "The metadata has expired",
            "check the clock of this machine; if it is right, the index has stopped publishing or \
             somebody keeps you from newer metadata",
        ),
        Kind::Rollback => (
            "An older state than one already seen was served",
            "a mirror is behind or somebody replays old metadata; use another mirror, and tell the \
             operator of the index",
        ),
        Kind::NotSigned => (
            "Nobody who may sign it has signed it",
            "the file may be withdrawn, or somebody other than its developers has put it there",
        ),
        Kind::Network => (
            "The index could not be reached",
            "try again; if it stays so, look at the network and at the status of the index",
        ),
        Kind::Refused => (
            "What was served is beyond the limits of this client",
            "tell the operator of the index",
        ),
        Kind::Local => ("The proxy failed", "look at the log of the proxy"),
    }
}

/// An error and its causes in one line.
fn with_causes(error: &dyn std::error::Error) -> String {
    let mut out = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        out.push_str(": ");
        out.push_str(&cause.to_string());
        next = cause.source();
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use metadata::Role;
    use trust::Rejection;

    fn too_large() -> Problem {
        Problem::from(ClientError::from(Rejection::TooLarge {
            role: Role::Timestamp,
            limit: 9,
        }))
    }

    #[test]
    fn names_what_failed_where_installers_look() {
        let response = too_large().into_response();
        assert_eq!(response.status(), StatusCode::CONFLICT);
        let reason = response.extensions().get::<ReasonPhrase>().unwrap();
        assert!(
            reason
                .as_bytes()
                .starts_with(b"TUF mismatch timestamp: timestamp is larger")
        );
        let body = serde_json::to_value(too_large()).unwrap();
        assert_eq!(body["status"], 409);
        assert_eq!(body["role"], "timestamp");
        assert_eq!(body["type"], "urn:countersign:problem:mismatch");
    }

    #[test]
    fn the_page_for_pip_is_no_page() {
        let response = too_large().into_page_for_pip();
        assert_eq!(response.status(), StatusCode::OK);
        let shown = response.headers()[CONTENT_TYPE].to_str().unwrap();
        let start = "application/problem+json; refused=\"TUF mismatch timestamp: ";
        assert!(shown.starts_with(start), "{shown}");
    }

    #[test]
    fn a_reason_is_one_line_of_printable_ascii() {
        let detail = format!("a\r\nX: \"é\u{7f}{}", "z".repeat(500));
        let reason = Problem::internal(detail).reason();
        assert!(reason.len() <= MAX_REASON && reason.bytes().all(|b| (b' '..=b'~').contains(&b)));
        assert!(!reason.contains('"'), "{reason}");
    }
}
