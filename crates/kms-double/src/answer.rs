//! Answers in the JSON protocol that KMS speaks (`application/x-amz-json-1.1`).

use serde_json::{Value, json};

/// What goes back over the connection.
pub(crate) enum Answer {
    Body {
        status: u16,
        /// Header lines beside `content-length`, each with its line end.
        headers: String,
        body: Vec<u8>,
    },
    Disconnect,
}

/// An error answer.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) status: u16,
    pub(crate) code: &'static str,
    pub(crate) message: String,
}

impl Answer {
    pub(crate) fn json(status: u16, value: &Value) -> Self {
        Self::text(status, "application/x-amz-json-1.1", value.to_string())
    }

    pub(crate) fn text(status: u16, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        Self::Body {
            status,
            headers: format!("content-type: {content_type}\r\n"),
            body: body.into(),
        }
    }

    /// Adds a header line.
    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        if let Self::Body { headers, .. } = &mut self {
            *headers = format!("{headers}{name}: {value}\r\n");
        }
        self
    }
}

impl Refusal {
    pub(crate) fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self {
            status: 400,
            code,
            message: message.into(),
        }
    }

    pub(crate) fn not_found(message: String) -> Self {
        Self::new("NotFoundException", message)
    }

    pub(crate) fn validation(message: impl Into<String>) -> Self {
        Self::new("ValidationException", message)
    }
}

impl From<Refusal> for Answer {
    fn from(refusal: Refusal) -> Self {
        // The service writes `message` in some errors and `Message` in others; SDKs read both.
        let value = json!({"__type": refusal.code, "message": refusal.message});
        Self::json(refusal.status, &value)
    }
}
