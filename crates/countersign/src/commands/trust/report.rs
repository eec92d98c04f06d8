//! What is known of a trusted index, for people and for programs.

use std::collections::BTreeMap;
use std::path::PathBuf;

use chrono::{DateTime, Utc};
use client::{ClientError, Session};
use keys::fingerprint_words;
use serde::Serialize;
use trust::RootChain;

use crate::console::in_one_line;
use crate::failure::Failure;
use crate::trusted::Entry;

/// A trusted index.
#[derive(Serialize)]
pub(crate) struct Report {
    /// Its name.
    pub(crate) name: String,
    url: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    targets_url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    canonical_url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    files_url: Option<String>,
    root: RootReport,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    minimum: BTreeMap<String, u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<StateReport>,
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<String>,
    proxy: String,
    folder: PathBuf,
}

/// The root given by hand.
#[derive(Serialize)]
struct RootReport {
    version: u64,
    sha256: String,
    words: String,
    threshold: u32,
    keys: usize,
}

/// What was verified last.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct StateReport {
    root: u64,
    timestamp: u64,
    snapshot: u64,
    targets: u64,
    valid_until: String,
}

impl StateReport {
    /// In words.
    pub(crate) fn freshness(&self) -> String {
        format!(
            "timestamp v{}, snapshot v{}, valid until {}",
            self.timestamp, self.snapshot, self.valid_until
        )
    }

    /// Of a session.
    pub(crate) fn of(session: &Session) -> Self {
        let snapped = session.snapped();
        Self {
            root: snapped.root().version.get(),
            timestamp: snapped.timestamp().version.get(),
            snapshot: snapped.snapshot().version.get(),
            targets: session.targets().version.get(),
            valid_until: metadata::Expiry::at(session.valid_until()).to_string(),
        }
    }
}

impl Report {
    /// Of an index, as its folder has it; nothing is fetched.
    pub(crate) async fn of(entry: &Entry, now: DateTime<Utc>) -> Result<Self, Failure> {
        let anchor = entry.anchor();
        let chain = RootChain::pinned(anchor.root.as_bytes(), anchor.rules());
        let chain = chain.map_err(ClientError::from)?;
        let (root, digest) = (chain.root(), anchor.sha256());
        let held = entry.place()?.updater()?.resume(now).await;
        let problem = held.as_ref().err().map(|error| in_one_line(error));
        Ok(Self {
            name: entry.name().to_owned(),
            url: anchor.url.clone(),
            targets_url: anchor.targets_url.clone(),
            canonical_url: anchor.canonical()?.map(|it| it.index().to_string()),
            files_url: anchor.files_url.clone(),
            root: RootReport {
                version: root.version.get(),
                sha256: digest.to_string(),
                words: fingerprint_words(digest.as_bytes()),
                threshold: root.root.threshold,
                keys: root.root.keyids.len(),
            },
            minimum: anchor.minimum.clone(),
            state: held.ok().map(|session| StateReport::of(&session)),
            problem,
            proxy: format!("http://{}/simple/", entry.address()),
            folder: entry.folder().to_owned(),
        })
    }

    /// For people.
    pub(crate) fn text(&self) -> String {
        let root = &self.root;
        let mut lines = vec![
            format!("{} is trusted: {}", self.name, self.url),
            format!(
                "root      v{}, signed by {} of its {} keys",
                root.version, root.threshold, root.keys
            ),
            format!("sha256    {}", root.sha256),
            format!("words     {}", root.words),
        ];
        if let Some(url) = &self.targets_url {
            lines.insert(1, format!("targets   {url}"));
        }
        if !self.minimum.is_empty() {
            let least = self.minimum.iter();
            let least: Vec<_> = least.map(|(role, it)| format!("{role} v{it}")).collect();
            lines.push(format!("at least  {}", least.join(", ")));
        }
        match (&self.state, &self.problem) {
            (Some(state), _) => lines.push(format!(
                "verified  root v{}, targets v{}, {}",
                state.root,
                state.targets,
                state.freshness()
            )),
            (None, problem) => {
                let why = problem.as_deref().unwrap_or("nothing yet");
                lines.push(format!("verified  nothing that is valid now: {why}"));
            }
        }
        lines.push(match &self.canonical_url {
            Some(url) => format!("in locks  {url}"),
            // Of an index in a folder: others have no use for such a lock file.
            None => format!(
                "in locks  {}, which is this machine's: --canonical-url names one for all",
                self.proxy
            ),
        });
        if let Some(url) = &self.files_url {
            lines.push(format!("files     {url}"));
        }
        lines.push(format!("proxy     {}", self.proxy));
        lines.push(format!("folder    {}", self.folder.display()));
        lines.join("\n")
    }
}
