//! Everything a cycle is decided and built from, read once at its start.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use draft::{FormerKeys, Head, NeedOfSignature, Pending, Plan, RoleState, Signed};
use metadata::{Document, Role, Targets, Version, Wire};
use policy::Policy;

use crate::batch::{InForce, recently_claimed_keys, recently_claimed_role};
use crate::claim_set::ProjectChanges;
use crate::cycle::{TickOptions, offline_versions};
use crate::error::RepositoryError;
use crate::offline_set::{CheckedSet, OfflineSet, Published, bins_role};
use crate::pages::{self, Applied};
use crate::prepare::Without;
use crate::rebin::bin_delegation;
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

/// A set that passes, with what it does to projects.
type SetAndChanges = (CheckedSet, ProjectChanges);

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
        let mut published = published(&before)?;
        if let Some(bins) = &published.bins
            && bin_delegation(bins)?.layout != self.settings.layout
        {
            // Another process has changed the bins meanwhile.
            let (role, version) = (bins_role(), bins.version);
            return Err(RepositoryError::Layout { role, version });
        }
        let former = if self.state.waiting_sets()?.is_empty() {
            None
        } else {
            published.claimed = self.published_claimed(&roles, true)?;
            self.former_keys()?
        };
        let set = self.check_set(&published, former.as_ref(), now)?;
        let (set, changes) = set.map_or_else(
            || (None, ProjectChanges::new()),
            |(set, changes)| (Some(set), changes),
        );
        let queued = self.state.pending()?;
        let taken: Vec<_> = queued.iter().filter(|one| without.takes(one.id)).collect();
        let in_force = in_force(published, set.as_ref(), former)?;
        let settings = crate::Settings {
            layout: in_force.layout,
            ..self.settings.clone()
        };
        let mut applied = pages::apply(self.state.as_ref(), &settings, &changes, &taken, now)?;
        for (id, why) in &without.refused {
            applied.outcomes.push((*id, Err(why.clone())));
        }
        let is_unsigned = unsigned_recently_claimed(&before, &roles, &in_force, set.as_ref())?;
        let mut pending = Pending {
            changes: queued.len() as u64,
            oldest: queued.first().map(|queued| queued.accepted),
            bins: applied.bins(&settings),
            offline_roles: set.is_some(),
            projects_move: !changes.is_empty(),
            project_roles: !applied.developers.roles.is_empty(),
            recently_claimed: if is_unsigned {
                NeedOfSignature::Now
            } else if applied.developers.delegations_change {
                NeedOfSignature::WithChanges
            } else {
                NeedOfSignature::None
            },
            ..Pending::default()
        };
        let mut head = Head {
            snapshot: roles.get(&Role::Snapshot).map(role_state),
            timestamp: roles.get(&Role::Timestamp).map(role_state),
            recently_claimed: recently_claimed_keys(&in_force.targets)
                .and_then(|_| roles.get(&recently_claimed_role()))
                .map(role_state),
            ..Head::default()
        };
        let resign_all =
            set.as_ref().is_some_and(|set| set.bins.is_some()) && bins_change(&before, &in_force)?;
        for bin in in_force.layout.count.bins() {
            let role = Role::Delegated(in_force.layout.role_name(bin)?);
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
        let mut published = published(&self.read_before(&roles, None)?)?;
        published.claimed = self.published_claimed(&roles, true)?;
        let former = self.former_keys()?;
        let checked = self.check_waiting(&set, &published, former.as_ref(), now);
        if checked.is_err() {
            self.state.drop_set(set.id)?;
        }
        checked.map(drop)
    }

    /// The oldest waiting set, checked again.
    fn check_set(
        &self,
        published: &Published,
        former: Option<&FormerKeys>,
        now: DateTime<Utc>,
    ) -> Result<Option<SetAndChanges>, RepositoryError> {
        let waiting = self.state.waiting_sets()?.into_iter().next();
        waiting
            .map(|set| self.check_waiting(&set, published, former, now))
            .transpose()
    }

    fn check_waiting(
        &self,
        set: &OfflineSet,
        published: &Published,
        former: Option<&FormerKeys>,
        now: DateTime<Utc>,
    ) -> Result<SetAndChanges, RepositoryError> {
        let policy = &self.settings.policy;
        let checked = set.check(published, former, policy, &self.rules(), now)?;
        let changes = self.project_changes(&checked, published, now)?;
        Ok((checked, changes))
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
        claimed: BTreeMap::new(),
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
    former: Option<FormerKeys>,
) -> Result<InForce, RepositoryError> {
    let of_set = |one: &Option<Signed<Targets>>| one.as_ref().map(Signed::document).cloned();
    let root = set.and_then(|set| set.roots.last());
    let root = root.map(Signed::document).cloned();
    let bins = set.and_then(|set| of_set(&set.bins));
    let targets = set.and_then(|set| of_set(&set.targets));
    let missing = || RepositoryError::NoRoles;
    let bins = bins.or(published.bins).ok_or_else(missing)?;
    Ok(InForce {
        root: root.or(published.root).ok_or_else(missing)?,
        targets: targets.or(published.targets).ok_or_else(missing)?,
        layout: bin_delegation(&bins)?.layout,
        bins,
        former,
    })
}

/// Whether the bins get other keys than before, or become others.
fn bins_change(before: &Before, in_force: &InForce) -> Result<bool, RepositoryError> {
    let Some(old) = document::<Targets>(before.bins.as_deref())? else {
        return Ok(true);
    };
    let (old, new) = (bin_delegation(&old)?, bin_delegation(&in_force.bins)?);
    Ok(old.layout != new.layout || old.keys != new.keys)
}

/// Whether `recently-claimed` is delegated to and nobody has signed it yet with the keys of now.
fn unsigned_recently_claimed(
    before: &Before,
    roles: &BTreeMap<Role, RoleRecord>,
    in_force: &InForce,
    set: Option<&CheckedSet>,
) -> Result<bool, RepositoryError> {
    let Some((_, keys)) = recently_claimed_keys(&in_force.targets) else {
        return Ok(false);
    };
    if !roles.contains_key(&recently_claimed_role()) {
        return Ok(true);
    }
    if set.is_none_or(|set| set.targets.is_none()) {
        return Ok(false);
    }
    let old = document::<Targets>(before.targets.as_deref())?;
    let old = old.as_ref().and_then(recently_claimed_keys);
    Ok(old.is_none_or(|(_, old)| old != keys))
}

fn role_state(record: &RoleRecord) -> RoleState {
    RoleState {
        expires: record.expires,
    }
}
