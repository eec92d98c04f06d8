//! One audit, from the trusted root to the second opinion.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use client::{Datastore, Session, Transport, Updater, UpdaterConfig, init};
use metadata::Role;
use trust::Rules;
use url::Url;

use crate::error::AuditError;
use crate::finding::Findings;
use crate::pages::{Counts, Files};
use crate::progress::{Progress, Stage};
use crate::reading::Reading;
use crate::report::{Report, RoleReport};
use crate::source::Source;
use crate::walk::{Walk, Walked};
use crate::{files, pages, placement, roots, tough_opinion};

/// What to audit.
#[derive(Clone, Debug)]
pub struct AuditOptions {
    /// Folder of the metadata, with or without a final slash.
    pub metadata_url: Url,
    /// Folder of the target files.
    pub targets_url: Url,
    /// The root to start from. Nothing else is believed beforehand.
    pub trusted_root: Vec<u8>,
    /// Limits and dialect.
    pub rules: Rules,
    /// The time of the audit.
    pub now: DateTime<Utc>,
    /// Whether to read the bytes of every file, not only of every page.
    pub read_targets: bool,
}

/// Reads a whole repository and says what is wrong with it. Nothing is kept.
pub async fn audit(
    options: AuditOptions,
    transport: Arc<dyn Transport>,
    progress: &dyn Progress,
) -> Result<Report, AuditError> {
    let scratch = tempfile::tempdir().map_err(AuditError::Scratch)?;
    let datastore = Datastore::open(scratch.path())?;
    let session = open(&options, &datastore, Arc::clone(&transport)).await?;
    let source = Source::new(&options.metadata_url, &options.targets_url, transport);
    let files = Files {
        source: &source,
        session: &session,
        read: options.read_targets,
    };
    let mut findings = Findings::default();
    roots::check(&source, &session, &mut findings).await;
    let walked = walk(files, &datastore, &mut findings, progress).await?;
    let mut roles = top_level(files.session);
    roles.extend(walked.reports);
    let mut reading = walked.reading;
    let limit = options.rules.limits.delegations;
    placement::check_all(&mut reading, limit, &mut findings, progress).await;
    let lookups = placement::look_up(&reading, &session, &mut findings, progress).await;
    let counts = read(&reading, files, &mut findings, progress).await;
    progress.step(Stage::SecondOpinion, 0, 1);
    let second_opinion = tough_opinion::ask(&options, &reading, files, &mut findings).await;
    progress.step(Stage::SecondOpinion, 1, 1);
    Ok(Report {
        roles,
        tombstones: walked.tombstones,
        targets: reading.entries.len() as u64,
        lookups,
        pages: counts.pages,
        files: counts.files,
        files_seen: counts.files_seen,
        findings: findings.kept,
        findings_left_out: findings.left_out,
        second_opinion,
    })
}

/// Root, timestamp, snapshot and targets, as a client that holds nothing but the trusted root.
async fn open(
    options: &AuditOptions,
    datastore: &Datastore,
    transport: Arc<dyn Transport>,
) -> Result<Session, AuditError> {
    init(datastore, &options.trusted_root, &options.rules).await?;
    let mut config = UpdaterConfig::new(options.metadata_url.clone(), options.targets_url.clone());
    config.rules = options.rules;
    let updater = Updater::new(config, datastore.clone(), transport)?;
    Ok(updater.refresh(options.now).await?)
}

/// Everything below the top-level roles.
async fn walk(
    files: Files<'_>,
    datastore: &Datastore,
    findings: &mut Findings,
    progress: &dyn Progress,
) -> Result<Walked, AuditError> {
    let walk = Walk {
        source: files.source,
        session: files.session,
        datastore,
        progress,
    };
    walk.run(findings).await
}

fn top_level(session: &Session) -> Vec<RoleReport> {
    let (snapped, targets) = (session.snapped(), session.targets());
    let (root, by) = (snapped.root(), Role::Root);
    vec![
        RoleReport::new(root, &by, &root.root, 0),
        RoleReport::new(snapped.timestamp(), &by, &root.timestamp, 0),
        RoleReport::new(snapped.snapshot(), &by, &root.snapshot, 0),
        RoleReport::new(targets, &by, &root.targets, targets.targets().len()),
    ]
}

async fn read(
    reading: &Reading,
    files: Files<'_>,
    findings: &mut Findings,
    progress: &dyn Progress,
) -> Counts {
    let mut counts = pages::check_all(reading, files, findings, progress).await;
    if files.read {
        counts.files += files::read_all(reading, files, findings, progress).await;
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::progress::Silent;

    /// A program may hold audits on threads of its own.
    #[tokio::test]
    async fn an_audit_can_be_spawned_and_stops_at_a_root_that_is_none() {
        let url = Url::parse("file:///nowhere/").unwrap();
        let options = AuditOptions {
            metadata_url: url.clone(),
            targets_url: url,
            trusted_root: b"{}".to_vec(),
            rules: Rules::default(),
            now: Utc::now(),
            read_targets: false,
        };
        let held =
            tokio::spawn(
                async move { audit(options, Arc::new(client::FileTransport), &Silent).await },
            );
        let error = held.await.unwrap().unwrap_err();
        assert_eq!(error.exit_code(), 10);
    }
}
