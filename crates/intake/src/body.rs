//! What requests and answers hold.

use std::collections::BTreeMap;

use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use chrono::SecondsFormat;
use repository::{Action, ChangeId, Entry, Outcome, SubmissionRecord};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Changes that bring no bytes: all are queued, or none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Edits {
    /// The changes, in order.
    #[schema(min_items = 1, max_items = 500)]
    pub changes: Vec<Edit>,
}

/// One of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "action", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Edit {
    /// Yanks a file (PEP 592).
    Yank {
        /// Its name.
        #[schema(example = "acme_tools-1.0-py3-none-any.whl")]
        file: String,
        /// Why; shown by installers.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    },
    /// Yanks a file no more.
    Unyank {
        /// Its name.
        file: String,
    },
    /// Removes a file; its name stays taken.
    Remove {
        /// Its name.
        file: String,
    },
    /// Removes every file of a project; its page stays, empty and signed.
    RemoveProject {
        /// Its name.
        project: String,
    },
}

/// A wheel or source distribution, as it is.
#[derive(ToSchema)]
#[schema(value_type = String, format = Binary)]
#[allow(dead_code, reason = "described, never built: it is read as a stream")]
pub(crate) struct Distribution(Vec<u8>);

/// The archive of a transaction, as `countersign project upload` writes it.
#[derive(ToSchema)]
#[schema(value_type = String, format = Binary)]
#[allow(dead_code, reason = "described, never built: it is read as a stream")]
pub(crate) struct TransactionArchive(Vec<u8>);

/// The receipt of a request: what it asks for survives a loss of power from here on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Receipt {
    /// Number of the request.
    pub id: i64,
    /// Where to ask what became of it.
    #[schema(example = "/v1/changes/17")]
    pub status_url: String,
    /// When it was accepted.
    #[schema(format = DateTime)]
    pub accepted: String,
    /// What it came to.
    pub changes: Vec<ReceiptEntry>,
}

/// One change of a receipt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ReceiptEntry {
    /// What is done: `add`, `yank`, `unyank`, `remove` or `transaction`.
    pub action: String,
    /// The project, normalized.
    pub project: String,
    /// The file, unless it is a transaction.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub file: Option<String>,
    /// Digest of an added file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub sha256: Option<String>,
}

/// What became of a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Fate {
    /// Number of the request.
    pub id: i64,
    /// All of it together.
    pub state: ChangeState,
    /// When it was accepted.
    #[schema(format = DateTime)]
    pub accepted: String,
    /// The snapshot from which on clients see all that was published of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub snapshot: Option<u64>,
    /// Each change.
    pub changes: Vec<FateEntry>,
}

/// What became of one change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FateEntry {
    /// The change.
    #[serde(flatten)]
    pub change: ReceiptEntry,
    /// Where it is.
    pub state: ChangeState,
    /// The snapshot that brought it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub snapshot: Option<u64>,
    /// Why it was refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub reason: Option<String>,
}

/// Where a change is on its way to the clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ChangeState {
    /// It waits for the signer, or for a timestamp that covers it.
    Queued,
    /// Clients see it.
    Published,
    /// The signer could not apply it after those before it; of a request: none of its changes.
    Refused,
    /// Of a request: some of its changes were refused.
    PartlyRefused,
}

impl Receipt {
    pub(crate) fn of(record: &SubmissionRecord) -> Self {
        Self {
            id: record.id.0,
            status_url: format!("/v1/changes/{}", record.id.0),
            accepted: record.accepted.to_rfc3339_opts(SecondsFormat::Secs, true),
            changes: record.entries.iter().map(ReceiptEntry::of).collect(),
        }
    }
}

impl ReceiptEntry {
    fn of(entry: &Entry) -> Self {
        let action = match entry.action {
            Action::Add => "add",
            Action::Remove => "remove",
            Action::Yank => "yank",
            Action::Unyank => "unyank",
            Action::Transaction => "transaction",
        };
        Self {
            action: action.to_owned(),
            project: entry.project.to_string(),
            file: entry.filename.as_ref().map(ToString::to_string),
            sha256: entry.sha256.map(|digest| digest.to_string()),
        }
    }
}

impl Fate {
    pub(crate) fn of(record: &SubmissionRecord, outcomes: &BTreeMap<ChangeId, Outcome>) -> Self {
        let entries = record.entries.iter();
        let changes: Vec<_> = entries
            .map(|entry| FateEntry::of(entry, outcomes))
            .collect();
        let count = |state| changes.iter().filter(|one| one.state == state).count();
        let refused = count(ChangeState::Refused);
        let state = if count(ChangeState::Queued) > 0 {
            ChangeState::Queued
        } else if refused == 0 {
            ChangeState::Published
        } else if refused == changes.len() {
            ChangeState::Refused
        } else {
            ChangeState::PartlyRefused
        };
        Self {
            id: record.id.0,
            state,
            accepted: record.accepted.to_rfc3339_opts(SecondsFormat::Secs, true),
            snapshot: changes.iter().filter_map(|one| one.snapshot).max(),
            changes,
        }
    }

    /// Whether nothing more will happen to it.
    #[must_use]
    pub fn is_decided(&self) -> bool {
        self.state != ChangeState::Queued
    }
}

impl FateEntry {
    fn of(entry: &Entry, outcomes: &BTreeMap<ChangeId, Outcome>) -> Self {
        let (state, snapshot, reason) = match entry.change.map(|change| outcomes.get(&change)) {
            // The index stood so already.
            None => (ChangeState::Published, None, None),
            Some(None) => (ChangeState::Queued, None, None),
            Some(Some(Outcome::Published(version))) => {
                (ChangeState::Published, Some(version.get()), None)
            }
            Some(Some(Outcome::Refused(why))) => (ChangeState::Refused, None, Some(why.clone())),
        };
        Self {
            change: ReceiptEntry::of(entry),
            state,
            snapshot,
            reason,
        }
    }
}

/// An answer in JSON, which no cache keeps.
pub(crate) fn json(status: StatusCode, body: &impl Serialize) -> Response {
    let headers = [
        (CONTENT_TYPE, "application/json"),
        (CACHE_CONTROL, "no-store"),
    ];
    (
        status,
        headers,
        serde_json::to_vec(body).unwrap_or_default(),
    )
        .into_response()
}
