//! Everything a cycle is decided and built from, read once at its start.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use draft::{Head, Pending, Plan, RoleState, Signed};
use metadata::{Document, Role, Targets, Version, Wire};
use policy::Policy;

use crate::batch::{InForce, check_layout};
use crate::cycle::{TickOptions, offline_versions};
use crate::error::RepositoryError;
use crate::offline_set::{CheckedSet, Published, bins_role};
use crate::pages::{self, Applied};
use crate::prepare::Without;
use crate::record::RoleRecord;
use crate::rehearse::Before;
use crate::repository::Repository;
use crate::store::StorePath;

/// All that a cycle works on.
pub(crate) struct Outlook {
    pub(crate) roles: BTreeMap<Role, RoleRecord>,
    pub(crate) before: Before,
    pub(crate) set: Option<CheckedSet>,
    pub(crate) applied: Applied,
    pub(crate) in_force: InForce,
    pub(crate) pending: Pending,
    pub(crate) head: Head,
    pub(crate) generation: u64,
    /// The waiting set, by its number in the journal, and what it brings.
    pub(crate) sets: Vec<i64>,
    pub(crate) offline_roles: Vec<(Role, Version)>,
}

impl Outlook {
    /// What there is to do.
    pub(crate) fn plan(&self, now: DateTime<Utc>, policy: &Policy, options: TickOptions) -> Plan {
        draft::plan(now, &self.head, policy, &self.pending, options.at_once)
    }
}

impl Repository {
    /// Reads everything a cycle is decided and built from.
    pub(crate) fn look(
        &self,
        now: DateTime<Utc>,
        without: &Without,
    ) -> Result<Outlook, RepositoryError> {
        let roles = self.roles_by_name()?;
        let head_record = self.state.head()?;
        let before = self.read_before(&roles, head_record.timestamp)?;
        let published = published(&before)?;
        let set = self.check_set(&published, now)?;
        let queued = self.state.pending()?;
        let taken: Vec<_> = queued.iter().filter(|one| without.takes(one.id)).collect();
        let mut applied = pages::apply(self.state.as_ref(), &self.settings, &taken)?;
        for (id, why) in &without.refused {
            applied.outcomes.push((*id, Err(why.clone())));
        }
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
        Ok(Outlook {
            sets: set.iter().filter_map(|set| set.id).collect(),
            offline_roles: offline_versions(set.as_ref()),
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
    pub(crate) fn read_before(
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

    /// What the cycle at `time` would do, as things stand: reads only.
    pub fn plan_at(
        &self,
        time: DateTime<Utc>,
        options: TickOptions,
    ) -> Result<Plan, RepositoryError> {
        let outlook = self.look(time, &Without::default())?;
        Ok(outlook.plan(time, &self.settings.policy, options))
    }

    /// Gives up the oldest waiting set if it passes no more, so that it does not stand in the way of
    /// everything else; the error says why.
    pub(crate) fn drop_bad_set(&mut self, now: DateTime<Utc>) -> Result<(), RepositoryError> {
        let Some(set) = self.state.waiting_sets()?.into_iter().next() else {
            return Ok(());
        };
        let roles = self.roles_by_name()?;
        let published = published(&self.read_before(&roles, None)?)?;
        let checked = set.check(&published, &self.settings.policy, &self.rules(), now);
        if checked.is_err() {
            self.state.drop_set(set.id)?;
        }
        checked.map(drop)
    }

    /// The oldest waiting set, checked again.
    fn check_set(
        &self,
        published: &Published,
        now: DateTime<Utc>,
    ) -> Result<Option<CheckedSet>, RepositoryError> {
        let waiting = self.state.waiting_sets()?.into_iter().next();
        waiting
            .map(|set| set.check(published, &self.settings.policy, &self.rules(), now))
            .transpose()
    }

    /// All published roles.
    pub(crate) fn roles_by_name(&self) -> Result<BTreeMap<Role, RoleRecord>, RepositoryError> {
        let records = self.state.roles()?.into_iter();
        Ok(records
            .map(|record| (record.role.clone(), record))
            .collect())
    }
}

/// The offline roles as published.
pub(crate) fn published(before: &Before) -> Result<Published, RepositoryError> {
    Ok(Published {
        root: document(before.root.as_deref())?,
        targets: document(before.targets.as_deref())?,
        bins: document(before.bins.as_deref())?,
    })
}

/// Reads the document of a file whose digest the state vouches for.
pub(crate) fn document<R: Document>(file: Option<&[u8]>) -> Result<Option<R>, RepositoryError> {
    let parse = |file| Ok(R::parse(Wire::parse(file, usize::MAX)?.signed)?);
    file.map(parse).transpose()
}

/// The offline roles as they will be: of the set where it has them, else as published.
pub(crate) fn in_force(
    published: Published,
    set: Option<&CheckedSet>,
) -> Result<InForce, RepositoryError> {
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
