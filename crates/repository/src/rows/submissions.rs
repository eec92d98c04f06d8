//! Submissions in rows: what each came to, as one JSON text.

use index::ProjectName;
use metadata::Sha256;
use serde::{Deserialize, Serialize};

use super::body::read_filename;
use super::{damaged, decode, encode, to_time};
use crate::change::ChangeId;
use crate::error::RepositoryError;
use crate::submission::{Action, Entry, SubmissionId, SubmissionRecord};

/// What a submission came to.
pub fn entries(entries: &[Entry]) -> Result<String, RepositoryError> {
    encode(&entries.iter().map(EntryBody::of).collect::<Vec<_>>())
}

/// Reads a submission from its columns: number, time, sender, and what [`entries`] wrote.
pub fn read_submission(
    id: SubmissionId,
    accepted: i64,
    sender: String,
    body: &str,
) -> Result<SubmissionRecord, RepositoryError> {
    let entries = decode::<Vec<EntryBody>>(body, "a submission")?.into_iter();
    Ok(SubmissionRecord {
        id,
        sender,
        accepted: to_time(accepted, "a submission")?,
        entries: entries.map(EntryBody::read).collect::<Result<_, _>>()?,
    })
}

/// One change that a submission came to.
#[derive(Serialize, Deserialize)]
struct EntryBody {
    action: ActionBody,
    project: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    filename: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sha256: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    change: Option<i64>,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum ActionBody {
    Add,
    Remove,
    Yank,
    Unyank,
    Transaction,
}

impl EntryBody {
    fn of(entry: &Entry) -> Self {
        Self {
            action: match entry.action {
                Action::Add => ActionBody::Add,
                Action::Remove => ActionBody::Remove,
                Action::Yank => ActionBody::Yank,
                Action::Unyank => ActionBody::Unyank,
                Action::Transaction => ActionBody::Transaction,
            },
            project: entry.project.to_string(),
            filename: entry.filename.as_ref().map(ToString::to_string),
            sha256: entry.sha256.map(|digest| digest.to_string()),
            change: entry.change.map(|change| change.0),
        }
    }

    fn read(self) -> Result<Entry, RepositoryError> {
        let what = || damaged("a submission");
        let filename = |name: String| read_filename(&self.project, &name);
        let digest = |text: String| Sha256::parse(&text).map_err(|_| what());
        Ok(Entry {
            action: match self.action {
                ActionBody::Add => Action::Add,
                ActionBody::Remove => Action::Remove,
                ActionBody::Yank => Action::Yank,
                ActionBody::Unyank => Action::Unyank,
                ActionBody::Transaction => Action::Transaction,
            },
            filename: self.filename.map(filename).transpose()?,
            sha256: self.sha256.map(digest).transpose()?,
            change: self.change.map(ChangeId),
            project: ProjectName::parse_normalized(&self.project).map_err(|_| what())?,
        })
    }
}
