//! One online cycle: recover, plan, batch, rehearse, publish (DESIGN §6).

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use draft::{Head, Pending, Plan, RoleState, Signed, plan};
use metadata::{Document, Role, Root, Snapshot, Targets, Timestamp, Version, Wire};

use crate::batch::{Builder, InForce, check_layout};
use crate::change::Outcome;
use crate::error::RepositoryError;
use crate::offline_set::{CheckedSet, OfflineSet, Published, bins_role};
use crate::pages::{self, Applied};
use crate::publish::{publish, stage_objects};
use crate::record::{RoleRecord, Staged};
use crate::recover::{Recovery, recover};
use crate::rehearse::{Before, rehearse};
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
        let incoming = self.incoming();
        match recover(self.state.as_mut(), self.store.as_mut(), &incoming, now)? {
            Recovery::Nothing => {}
            Recovery::Finished => report.finished_earlier = true,
            Recovery::Burned => report.burned_earlier = true,
        }
        let mut work = self.look(now)?;
        let plan = plan(
            now,
            &work.head,
            &self.settings.policy,
            &work.pending,
            options.at_once,
        );
        report.next = plan.next;
        if plan.is_idle() {
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

    /// Reads everything a cycle is decided and built from.
    fn look(&self, now: DateTime<Utc>) -> Result<Work, RepositoryError> {
        let roles: BTreeMap<Role, RoleRecord> = self
            .state
            .roles()?
            .into_iter()
            .map(|record| (record.role.clone(), record))
            .collect();
        let head_record = self.state.head()?;
        let before = self.read_before(&roles, head_record.timestamp)?;
        let published = Published {
            root: document(before.root.as_deref())?,
            targets: document(before.targets.as_deref())?,
            bins: document(before.bins.as_deref())?,
        };
        let set = self.check_sets(&published, now)?;
        let queued = self.state.pending()?;
        let applied = pages::apply(self.state.as_ref(), &self.settings, &queued)?;
        let in_force = in_force(published, set.as_ref())?;
        let mut pending = Pending {
            changes: queued.len() as u64,
            oldest: queued.first().map(|queued| queued.accepted),
            bins: applied.bins(&self.settings),
            offline_roles: set.is_some(),
            ..Pending::default()
        };
        let mut head = Head {
            snapshot: roles.get(&Role::Snapshot).map(role_state),
            timestamp: roles.get(&Role::Timestamp).map(role_state),
            ..Head::default()
        };
        let resign_all = set.as_ref().is_some_and(|set| set.bins.is_some())
            && bin_keys_change(&before, &in_force, &self.settings)?;
        for bin in self.settings.layout.count.bins() {
            let role = Role::Delegated(self.settings.layout.role_name(bin)?);
            match roles.get(&role) {
                Some(record) if !resign_all => {
                    head.bins.insert(bin, role_state(record));
                }
                _ => {
                    pending.unsigned_bins.insert(bin);
                }
            }
        }
        let generation = head_record.generation;
        Ok(Work {
            roles,
            before,
            set,
            applied,
            in_force,
            pending,
            head,
            generation,
        })
    }

    /// Published files the batch may build on, each checked against the state's digest.
    fn read_before(
        &self,
        roles: &BTreeMap<Role, RoleRecord>,
        timestamp: Option<Vec<u8>>,
    ) -> Result<Before, RepositoryError> {
        let read = |role: &Role| -> Result<Option<Vec<u8>>, RepositoryError> {
            let Some(record) = roles.get(role) else {
                return Ok(None);
            };
            let name = role.versioned_file_name(record.version);
            let damaged = || RepositoryError::Damaged {
                what: format!("role {role}"),
            };
            let path = StorePath::metadata(&name).ok_or_else(damaged)?;
            Ok(Some(self.store.get_checked(
                &path,
                record.length,
                record.sha256,
            )?))
        };
        Ok(Before {
            root: read(&Role::Root)?,
            snapshot: read(&Role::Snapshot)?,
            targets: read(&Role::Targets)?,
            bins: read(&bins_role())?,
            timestamp,
        })
    }

    /// The oldest waiting set, checked again.
    fn check_sets(
        &self,
        published: &Published,
        now: DateTime<Utc>,
    ) -> Result<Option<CheckedSet>, RepositoryError> {
        let Some(set) = self.state.waiting_sets()?.into_iter().next() else {
            return Ok(None);
        };
        set.check(published, &self.settings.policy, &self.rules(), now)
            .map(Some)
    }

    fn execute(
        &mut self,
        plan: &Plan,
        mut work: Work,
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
        let batch = builder.build(plan, work.set.take(), &work.applied)?;
        let rehearsed = rehearse(batch, &work.before, &work.applied, self.rules(), now)?;
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

    /// Checks a ceremony's set against what is published and keeps it for the next cycle.
    pub fn apply_set(
        &mut self,
        folder: &std::path::Path,
        now: DateTime<Utc>,
    ) -> Result<Vec<(Role, Version)>, RepositoryError> {
        let files = OfflineSet::read(folder, &self.settings.policy)?;
        let roles: BTreeMap<Role, RoleRecord> = self
            .state
            .roles()?
            .into_iter()
            .map(|record| (record.role.clone(), record))
            .collect();
        let before = self.read_before(&roles, None)?;
        let published = Published {
            root: document(before.root.as_deref())?,
            targets: document(before.targets.as_deref())?,
            bins: document(before.bins.as_deref())?,
        };
        if !self.state.waiting_sets()?.is_empty() {
            let why = "another set still waits for the next cycle".to_owned();
            return Err(RepositoryError::Set { why });
        }
        let set = OfflineSet { id: 0, files };
        let checked = set.check(&published, &self.settings.policy, &self.rules(), now)?;
        let versions = offline_versions(Some(&checked));
        check_layout(&in_force(published, Some(&checked))?.bins, &self.settings)?;
        self.state.enqueue_set(&set.files, now)?;
        Ok(versions)
    }
}

/// All that a cycle works on.
struct Work {
    roles: BTreeMap<Role, RoleRecord>,
    before: Before,
    set: Option<CheckedSet>,
    applied: Applied,
    in_force: InForce,
    pending: Pending,
    head: Head,
    generation: u64,
}

/// Reads the document of a file whose digest the state vouches for.
fn document<R: Document>(file: Option<&[u8]>) -> Result<Option<R>, RepositoryError> {
    let parse = |file| Ok(R::parse(Wire::parse(file, usize::MAX)?.signed)?);
    file.map(parse).transpose()
}

/// The offline roles as they will be: of the set where it has them, else as published.
fn in_force(published: Published, set: Option<&CheckedSet>) -> Result<InForce, RepositoryError> {
    let root = set
        .and_then(|set| set.roots.last())
        .map(Signed::document)
        .cloned();
    let bins = set
        .and_then(|set| set.bins.as_ref())
        .map(Signed::document)
        .cloned();
    let missing = || RepositoryError::NoRoles;
    Ok(InForce {
        root: root.or(published.root).ok_or_else(missing)?,
        bins: bins.or(published.bins).ok_or_else(missing)?,
    })
}

/// Whether the bins get other keys than before.
fn bin_keys_change(
    before: &Before,
    in_force: &InForce,
    settings: &crate::Settings,
) -> Result<bool, RepositoryError> {
    let Some(old) = document::<Targets>(before.bins.as_deref())? else {
        return Ok(true);
    };
    let (_, old_keys) = check_layout(&old, settings)?;
    let (_, new_keys) = check_layout(&in_force.bins, settings)?;
    Ok(old_keys != new_keys)
}

fn role_state(record: &RoleRecord) -> RoleState {
    RoleState {
        expires: record.expires,
    }
}

fn offline_versions(set: Option<&CheckedSet>) -> Vec<(Role, Version)> {
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
