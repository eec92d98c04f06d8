//! One online cycle: recover, plan, batch, rehearse, publish (DESIGN §6).

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use draft::Signed;
use metadata::{Role, Root, Targets, Version};

use crate::change::Outcome;
use crate::error::RepositoryError;
use crate::offline_set::{CheckedSet, bins_role};
use crate::outlook::Outlook;
use crate::pages::Applied;
use crate::prepare::Without;
use crate::publish::stage_objects;
use crate::record::{RoleRecord, Staged};
use crate::recover::Recovery;
use crate::rehearse::Rehearsed;
use crate::repository::Repository;
use crate::signers::OnlineSigners;
use crate::store::StorePath;

/// How a cycle is run.
#[derive(Clone, Copy, Debug, Default)]
pub struct TickOptions {
    /// Take up waiting changes without waiting for others to share a snapshot with.
    pub at_once: bool,
}

/// What a cycle did.
#[derive(Clone, Debug, Default)]
pub struct TickReport {
    /// Work of an earlier cycle that was published now.
    pub finished_earlier: bool,
    /// Work of an earlier cycle whose versions were given up.
    pub burned_earlier: bool,
    /// The timestamp published, if any was.
    pub timestamp: Option<Version>,
    /// The snapshot published, if any was.
    pub snapshot: Option<Version>,
    /// How many bins were signed.
    pub bins: usize,
    /// Offline-signed roles published.
    pub offline_roles: Vec<(Role, Version)>,
    /// Roles of developers published.
    pub project_roles: Vec<(Role, Version)>,
    /// What became of each change taken up.
    pub outcomes: Vec<(crate::ChangeId, Outcome)>,
    /// When the next cycle has something to do.
    pub next: Option<DateTime<Utc>>,
    /// How many changes wait to share a snapshot with others.
    pub waiting: u64,
    /// When they are published at the latest.
    pub waiting_until: Option<DateTime<Utc>>,
    /// Pointers that were missing or damaged in the store and were put again.
    pub mended: Vec<StorePath>,
    /// An object that stood in the way of an earlier cycle's publication and could not be replaced.
    /// If it belongs to waiting changes, they were not taken up in this cycle.
    pub blocked: Option<StorePath>,
}

impl Repository {
    /// Runs one cycle. With nothing to do nothing is written.
    pub fn tick(
        &mut self,
        signers: &OnlineSigners,
        now: DateTime<Utc>,
        options: TickOptions,
    ) -> Result<TickReport, RepositoryError> {
        let _lock = self.lock()?;
        self.follow_other_processes()?;
        let mut report = TickReport::default();
        self.check_clock(now)?;
        self.check_store()?;
        let mut without = Without::default();
        match self.recover(now)? {
            Recovery::Nothing => {}
            Recovery::Finished => report.finished_earlier = true,
            Recovery::Burned { blocked } => {
                report.burned_earlier = true;
                if blocked.as_ref().is_some_and(|path| !path.is_metadata()) {
                    without = Without::all();
                }
                report.blocked = blocked;
            }
        }
        self.drop_bad_set(now)?;
        report.mended = self.mend_pointers(now)?;
        let prepared = self.prepare_or_isolate(signers, now, options, &without)?;
        let plan = &prepared.plan;
        report.next = plan.next;
        if !plan.take_changes {
            let pending = &prepared.work.pending;
            report.waiting = pending.changes;
            let wait = self.settings.policy.online.batch_wait;
            report.waiting_until = pending.oldest.map(|oldest| oldest + wait);
        }
        match prepared.rehearsed {
            Some(rehearsed) => self.execute(&rehearsed, prepared.work, now, report),
            None if plan.take_changes => {
                // They came to nothing new, so no signature is needed to answer them.
                let work = prepared.work;
                report.outcomes = outcomes(&work.applied, None, &work.roles);
                let claims = &work.applied.developers.claims;
                self.state.settle(&report.outcomes, claims)?;
                Ok(report)
            }
            None => Ok(report),
        }
    }

    /// Refuses a clock behind the last signature (reference F11).
    fn check_clock(&self, now: DateTime<Utc>) -> Result<(), RepositoryError> {
        match self.state.head()?.signed {
            Some(last) if now < last => Err(RepositoryError::ClockBehind { now, last }),
            _ => Ok(()),
        }
    }

    fn execute(
        &mut self,
        rehearsed: &Rehearsed,
        mut work: Outlook,
        now: DateTime<Utc>,
        mut report: TickReport,
    ) -> Result<TickReport, RepositoryError> {
        report.offline_roles.clone_from(&work.offline_roles);
        let batch = rehearsed.batch();
        let developers = work.applied.developers.roles.iter();
        report.project_roles = developers
            .map(|record| (record.role.clone(), record.version))
            .collect();
        report.snapshot = batch.snapshot;
        report.bins = batch.bins;
        report.timestamp = batch
            .files
            .iter()
            .find(|file| *file.role() == Role::Timestamp)
            .map(draft::SignedFile::version);
        report.outcomes = outcomes(&work.applied, batch.snapshot, &work.roles);
        let staged = Staged {
            base: work.generation,
            signed: now,
            roles: batch.records.clone(),
            files: work.applied.files.clone(),
            gone: work.applied.gone.clone(),
            targets: work.applied.target_records(),
            outcomes: report.outcomes.clone(),
            sets: work.sets.clone(),
            dropped: batch.dropped.clone(),
            layout: (work.in_force.layout != self.settings.layout).then_some(work.in_force.layout),
            claims: work.applied.developers.claims.clone(),
            withdrawn: work.applied.developers.withdrawn.clone(),
            recovered: None,
            objects: stage_objects(rehearsed, &mut work.applied),
        };
        self.publish(&staged)?;
        Ok(report)
    }
}

pub(crate) fn offline_versions(set: Option<&CheckedSet>) -> Vec<(Role, Version)> {
    let Some(set) = set else { return Vec::new() };
    let root = |root: &Signed<Root>| (Role::Root, root.document().version);
    let targets = |targets: &Signed<Targets>| (Role::Targets, targets.document().version);
    let bins = |bins: &Signed<Targets>| (bins_role(), bins.document().version);
    let claimed = |role: &Signed<Targets>| (role.role().clone(), role.document().version);
    set.roots
        .iter()
        .map(root)
        .chain(set.targets.iter().map(targets))
        .chain(set.bins.iter().map(bins))
        .chain(set.claimed.iter().map(claimed))
        .collect()
}

/// Published ones stand in the snapshot of this cycle; a change that changed nothing is covered by
/// the one before.
fn outcomes(
    applied: &Applied,
    snapshot: Option<Version>,
    roles: &BTreeMap<Role, RoleRecord>,
) -> Vec<(crate::ChangeId, Outcome)> {
    let covering = snapshot
        .or_else(|| roles.get(&Role::Snapshot).map(|record| record.version))
        .unwrap_or(Version::FIRST);
    applied
        .outcomes
        .iter()
        .map(|(id, result)| {
            let outcome = match result {
                Ok(()) => Outcome::Published(covering),
                Err(why) => Outcome::Refused(why.clone()),
            };
            (*id, outcome)
        })
        .collect()
}
