//! One cycle up to the last moment before anything is written: planned, built, signed, rehearsed. A change
//! that cannot be published is found out here and left out, so that it never holds up the rest.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use draft::Plan;
use metadata::{Role, Snapshot, Timestamp, Version};

use crate::batch::Builder;
use crate::change::{ChangeId, Queued};
use crate::cycle::TickOptions;
use crate::error::RepositoryError;
use crate::outlook::{Outlook, document};
use crate::pages::Applied;
use crate::record::RoleRecord;
use crate::rehearse::{Rehearsed, rehearse};
use crate::repository::Repository;
use crate::signers::OnlineSigners;

/// A cycle that can be carried out.
pub(crate) struct Prepared {
    pub(crate) plan: Plan,
    pub(crate) work: Outlook,
    /// What is to be published; nothing if the plan is idle.
    pub(crate) rehearsed: Option<Rehearsed>,
}

/// Waiting changes that a cycle does not publish.
#[derive(Clone, Debug, Default)]
pub(crate) struct Without {
    /// Those that are answered with a refusal, and why.
    pub(crate) refused: BTreeMap<ChangeId, String>,
    /// The only others that are taken up, if not all; the rest goes on waiting.
    only: Option<BTreeSet<ChangeId>>,
}

impl Without {
    /// Takes up no change at all.
    pub(crate) fn all() -> Self {
        Self {
            only: Some(BTreeSet::new()),
            ..Self::default()
        }
    }

    /// Whether a change is taken up.
    pub(crate) fn takes(&self, id: ChangeId) -> bool {
        !self.refused.contains_key(&id) && self.only.as_ref().is_none_or(|only| only.contains(&id))
    }

    fn only(&self, groups: &[Vec<ChangeId>]) -> Self {
        Self {
            refused: self.refused.clone(),
            only: Some(groups.iter().flatten().copied().collect()),
        }
    }
}

/// Most groups of changes refused in one cycle; what is left waits for the next.
const MOST_REFUSED: usize = 16;

impl Repository {
    /// Prepares a cycle. If it is refused because of a change, that one is found and left out, with all
    /// that was queued for its project in the same call.
    pub(crate) fn prepare_or_isolate(
        &mut self,
        signers: &OnlineSigners,
        now: DateTime<Utc>,
        options: TickOptions,
        without: &Without,
    ) -> Result<Prepared, RepositoryError> {
        let error = match self.prepare(signers, now, options, without) {
            Err(error) if error.is_refusal() || error.may_be_of_a_change() => error,
            prepared => return prepared,
        };
        if error.may_be_of_a_change()
            && without.only.is_none()
            && let Some(prepared) = self.isolate(signers, now, options)?
        {
            return Ok(prepared);
        }
        // A set our own client refuses, or these keys cannot serve, must not stand in the way of
        // everything else; it can be applied again.
        for set in self.state.waiting_sets()? {
            self.state.drop_set(set.id)?;
        }
        Err(error)
    }

    /// Plans, builds, signs and rehearses: reads only.
    fn prepare(
        &self,
        signers: &OnlineSigners,
        now: DateTime<Utc>,
        options: TickOptions,
        without: &Without,
    ) -> Result<Prepared, RepositoryError> {
        let mut work = self.look(now, without)?;
        let plan = work.plan(now, &self.settings.policy, options);
        if !plan.take_changes {
            work.applied = Applied::default();
        }
        if plan.is_idle() {
            let rehearsed = None;
            return Ok(Prepared {
                plan,
                work,
                rehearsed,
            });
        }
        let previous_snapshot: Option<Snapshot> = document(work.before.snapshot.as_deref())?;
        let previous_timestamp: Option<Timestamp> = document(work.before.timestamp.as_deref())?;
        let set = work.set.take();
        let allocated = self.state.allocated()?;
        let builder = Builder {
            repository: self,
            signers,
            now,
            roles: &work.roles,
            allocated: &allocated,
            in_force: &work.in_force,
            previous_snapshot: previous_snapshot.as_ref(),
            previous_timestamp: previous_timestamp.as_ref(),
        };
        let batch = builder.build(&plan, set, &work.applied)?;
        let read = |role: &Role, version| self.role_file(role, version, &work);
        let rehearsed = rehearse(batch, &work.before, &work.applied, &read, self.rules(), now)?;
        Ok(Prepared {
            plan,
            rehearsed: Some(rehearsed),
            work,
        })
    }

    /// A role that the batch does not sign, as published or as it came in: for the rehearsal, which
    /// reads what clients will.
    fn role_file(
        &self,
        role: &Role,
        version: Version,
        work: &Outlook,
    ) -> Result<Option<Vec<u8>>, RepositoryError> {
        let is_asked = |record: &&RoleRecord| record.role == *role && record.version == version;
        let mut new = work.applied.developers.roles.iter();
        if let Some(record) = new.find(is_asked) {
            return self.received_role(record).map(Some);
        }
        let published = work.roles.get(role).filter(is_asked);
        published
            .map(|record| self.published_role(record))
            .transpose()
    }

    /// Finds the changes that cannot be published after those before them. Nothing if it is not a
    /// change that fails.
    fn isolate(
        &self,
        signers: &OnlineSigners,
        now: DateTime<Utc>,
        options: TickOptions,
    ) -> Result<Option<Prepared>, RepositoryError> {
        let mut without = Without::default();
        let mut groups = groups(&self.state.pending()?);
        let Ok(mut best) = self.prepare(signers, now, options, &without.only(&[])) else {
            return Ok(None);
        };
        for _ in 0..MOST_REFUSED {
            // The first `good` groups can be published, the first `bad` cannot.
            let (mut good, mut bad) = (0, groups.len());
            let mut why = match self.prepare(signers, now, options, &without.only(&groups)) {
                Ok(prepared) => return Ok(Some(prepared)),
                Err(error) if error.may_be_of_a_change() => error,
                Err(error) => return Err(error),
            };
            while good + 1 < bad {
                let middle = usize::midpoint(good, bad);
                let some = without.only(&groups[..middle]);
                match self.prepare(signers, now, options, &some) {
                    Ok(_) => good = middle,
                    Err(error) if error.may_be_of_a_change() => (bad, why) = (middle, error),
                    Err(error) => return Err(error),
                }
            }
            let Some(culprit) = bad.checked_sub(1) else {
                return Ok(None);
            };
            let why = why.in_one_line();
            for id in groups.remove(culprit) {
                without.refused.insert(id, why.clone());
            }
            best = self.prepare(signers, now, options, &without.only(&groups[..culprit]))?;
        }
        Ok(Some(best))
    }
}

/// What was queued for one project at one time is published together or not at all. In journal order.
fn groups(queued: &[Queued]) -> Vec<Vec<ChangeId>> {
    let mut place = BTreeMap::new();
    let mut groups: Vec<Vec<ChangeId>> = Vec::new();
    for one in queued {
        let key = (one.change.project(), one.accepted);
        let at = *place.entry(key).or_insert_with(|| {
            groups.push(Vec::new());
            groups.len() - 1
        });
        groups[at].push(one.id);
    }
    groups
}
