//! Judges what the snapshot lists and nobody delegates to. Clients refuse a snapshot that drops a role (TUF
//! 5.5.5), so the role of a project that was released, or a bin of before a rebin, stays listed until both
//! online keys are new. Its last file is still there; what has none was never a role of this repository.

use client::ClientError;
use futures_util::StreamExt;
use futures_util::stream::FuturesOrdered;
use metadata::{Role, Targets};
use trust::{Envelope, Mismatch, Rejection};

use crate::at_once::fill;
use crate::finding::{Finding, Findings};
use crate::reading::Reading;
use crate::report::TombstoneReport;
use crate::walk::Walk;

/// Reads the file of every role without a delegator: a tombstone, or a finding.
pub(crate) async fn check_all(
    walk: &Walk<'_>,
    reading: &Reading,
    findings: &mut Findings,
) -> Vec<TombstoneReport> {
    let roles = walk.session.snapped().snapshot().entries();
    let roles = roles.filter_map(|(metapath, _)| {
        Role::parse(metapath.strip_suffix(".json").unwrap_or(metapath)).ok()
    });
    let mut left =
        roles.filter(|role| matches!(role, Role::Delegated(name) if !reading.is_delegated(name)));
    let (mut found, mut running) = (Vec::new(), FuturesOrdered::new());
    loop {
        fill(&mut running, &mut left, |role| async move {
            (read(walk, &role).await, role)
        });
        match running.next().await {
            Some((Ok(tombstone), _)) => found.push(tombstone),
            Some((Err(error), role)) => {
                let cause = error.into();
                findings.add(Finding::NotDelegated { role, cause });
            }
            None => return found,
        }
    }
}

/// The last file of a role: of the version and digest that the snapshot lists, and a targets role. Whose
/// signatures it has to have, nobody says any more; no client asks for it.
async fn read(walk: &Walk<'_>, role: &Role) -> Result<TombstoneReport, ClientError> {
    let snapped = walk.session.snapped();
    let request = snapped.request(role)?;
    let versioned = snapped.root().consistent_snapshot;
    let file = walk.source.role(&request, versioned).await?;
    let hashes = snapped
        .snapshot()
        .get(role)
        .and_then(|listed| listed.hashes);
    if hashes.is_some_and(|hashes| !hashes.fit(&file)) {
        return Err(Rejection::ContentMismatch {
            role: role.clone(),
            version: request.version,
            voucher: Role::Snapshot,
            why: Mismatch::Hash,
        }
        .into());
    }
    let envelope = Envelope::<Targets>::parse(role.clone(), &file, request.limit, snapped.rules())?;
    let found = envelope.peek_unverified().version;
    if found != request.version {
        return Err(Rejection::VersionMismatch {
            role: role.clone(),
            listed: request.version,
            found,
        }
        .into());
    }
    Ok(TombstoneReport {
        role: role.clone(),
        version: request.version,
        bytes: file.len(),
    })
}
