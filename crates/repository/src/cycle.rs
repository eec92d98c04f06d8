//! One online cycle: recover, plan, batch, rehearse, publish (DESIGN §6).

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use draft::{Plan, Signed};
use metadata::{Role, Root, Snapshot, Targets, Timestamp, Version};

use crate::batch::Builder;
use crate::change::Outcome;
use crate::error::RepositoryError;
use crate::offline_set::{CheckedSet, bins_role};
use crate::outlook::{Outlook, document};
use crate::pages::Applied;
use crate::publish::{publish, stage_objects};
use crate::record::{RoleRecord, Staged};
use crate::recover::{Recovery, recover};
use crate::rehearse::rehearse;
use crate::repository::Repository;
use crate::signers::OnlineSigners;

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
    /// What became of each change taken up.
    pub outcomes: Vec<(crate::ChangeId, Outcome)>,
    /// When the next cycle has something to do.
    pub next: Option<DateTime<Utc>>,
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
        let mut report = TickReport::default();
        self.check_clock(now)?;
        self.check_store()?;
        let incoming = self.incoming();
        match recover(self.state.as_mut(), self.store.as_mut(), &incoming, now)? {
            Recovery::Nothing => {}
            Recovery::Finished => report.finished_earlier = true,
            Recovery::Burned => report.burned_earlier = true,
        }
        self.drop_bad_set(now)?;
        let mut work = self.look(now)?;
        let plan = work.plan(now, &self.settings.policy, options);
        report.next = plan.next;
        if plan.is_idle() {
            if plan.take_changes {
                // They came to nothing new, so no signature is needed to answer them.
                report.outcomes = outcomes(&work.applied, None, &work.roles);
                self.state.settle(&report.outcomes)?;
            }
            return Ok(report);
        }
        if !plan.take_changes {
            work.applied = Applied::default();
        }
        self.execute(&plan, work, signers, now, report)
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
        plan: &Plan,
        mut work: Outlook,
        signers: &OnlineSigners,
        now: DateTime<Utc>,
        mut report: TickReport,
    ) -> Result<TickReport, RepositoryError> {
        let previous_snapshot: Option<Snapshot> = document(work.before.snapshot.as_deref())?;
        let previous_timestamp: Option<Timestamp> = document(work.before.timestamp.as_deref())?;
        let allocated = self.state.allocated()?;
        let builder = Builder {
            state: self.state.as_ref(),
            settings: &self.settings,
            signers,
            now,
            roles: &work.roles,
            allocated: &allocated,
            in_force: &work.in_force,
            previous_snapshot: previous_snapshot.as_ref(),
            previous_timestamp: previous_timestamp.as_ref(),
        };
        let sets: Vec<i64> = work.set.iter().filter_map(|set| set.id).collect();
        report.offline_roles = offline_versions(work.set.as_ref());
        let rehearsed = builder
            .build(plan, work.set.take(), &work.applied)
            .and_then(|batch| rehearse(batch, &work.before, &work.applied, self.rules(), now));
        let rehearsed = match rehearsed {
            // A set our own client refuses, or these keys cannot serve, must not stand in the way of
            // everything else; it can be applied again.
            Err(error) if error.is_refusal() => {
                for id in &sets {
                    self.state.drop_set(*id)?;
                }
                return Err(error);
            }
            rehearsed => rehearsed?,
        };
        let batch = rehearsed.batch();
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
            sets,
            objects: stage_objects(&rehearsed, &mut work.applied),
        };
        let incoming = self.incoming();
        publish(self.state.as_mut(), self.store.as_mut(), &incoming, &staged)?;
        Ok(report)
    }
}

pub(crate) fn offline_versions(set: Option<&CheckedSet>) -> Vec<(Role, Version)> {
    let Some(set) = set else { return Vec::new() };
    let root = |root: &Signed<Root>| (Role::Root, root.document().version);
    let targets = |targets: &Signed<Targets>| (Role::Targets, targets.document().version);
    let bins = |bins: &Signed<Targets>| (bins_role(), bins.document().version);
    set.roots
        .iter()
        .map(root)
        .chain(set.targets.iter().map(targets))
        .chain(set.bins.iter().map(bins))
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
