//! Plans a renewal: new versions with the same keys and fresh expiries.

use std::path::Path;

use chrono::{DateTime, TimeDelta, Utc};
use draft::{DraftDocument, delegate_recently_claimed};
use metadata::{Expiry, Role, Root, Targets, Version};
use policy::Policy;

use crate::description::Description;
use crate::event::POLICY_FILE;
use crate::genesis::Planned;
use crate::published::{Published, claimed_role_name};
use crate::slot::{Payload, Slot};
use crate::voucher::keys_of_bins;
use crate::{CeremonyError, Event, KeyRole, Kind};

/// What is renewed, and from what.
#[derive(Clone, Copy, Debug)]
pub struct RenewPlan<'a> {
    /// The policy, as text: it is frozen in the event.
    pub policy: &'a str,
    /// The time of planning; lifetimes count from here.
    pub now: DateTime<Utc>,
    /// A folder with the published `VERSION.ROLE.json` of root, targets and bins; other files in it
    /// are left alone, and the highest version of each role counts.
    pub published: &'a Path,
    /// An earlier event that names the holders of the keys.
    pub after: Option<&'a Event>,
    /// What is renewed: root, targets, bins; `claimed` with all its shards, where there is one.
    pub roles: &'a [KeyRole],
}

impl Event {
    /// Writes a new event folder for a renewal and opens it.
    pub fn plan_renew(path: &Path, plan: &RenewPlan<'_>) -> Result<Self, CeremonyError> {
        let policy = Policy::parse(plan.policy).map_err(|source| CeremonyError::Policy {
            path: POLICY_FILE.into(),
            source,
        })?;
        let published = Published::read(plan.published)?;
        let layout = published.layout;
        let wants = |role: KeyRole| plan.roles.contains(&role);
        let [root_wanted, targets_wanted, bins_wanted] =
            [KeyRole::Root, KeyRole::Targets, KeyRole::Bins].map(wants);
        let claimed = wants(KeyRole::Claimed) && published.claimed.is_some();
        if !(root_wanted || targets_wanted || bins_wanted || claimed) {
            return Err(CeremonyError::NothingToRenew);
        }
        let mut description =
            Description::new(Kind::Renew, Expiry::at(plan.now), plan.policy, layout);
        for (role, held) in published.held(plan.after) {
            description.add_keys(role, &held)?;
        }
        let claimed = renewed_claimed(&published, &policy, claimed, plan.now)?;
        let Published {
            root,
            targets,
            bins,
            bins_role,
            ..
        } = published;
        let lifetimes = &policy.roles;
        let next = |lifetime: TimeDelta| Expiry::at(plan.now + lifetime);
        let new_root = renewed(&root, root_wanted, next(lifetimes.root.lifetime))?;
        let mut new_targets = renewed(&targets, targets_wanted, next(lifetimes.targets.lifetime))?;
        if let Some(new) = &mut new_targets {
            // A policy that has developers sign from now on.
            delegate_recently_claimed(new, &policy, &keys_of_bins(&bins.document))?;
        }
        let new_bins = renewed(&bins, bins_wanted, next(lifetimes.bins.lifetime))?;
        Planned {
            root: Slot::planned(Role::Root, new_root, Some(root)),
            targets: Slot::planned(Role::Targets, new_targets, Some(targets)),
            bins: Slot::planned(bins_role, new_bins, Some(bins)),
            claimed,
            claims: None,
            description,
            policy_text: plan.policy,
            policy,
            layout,
            now: plan.now,
        }
        .write(path)
    }
}

/// `claimed` and its shards with fresh expiries, or `claimed` as it is.
fn renewed_claimed(
    published: &Published,
    policy: &Policy,
    wanted: bool,
    now: DateTime<Utc>,
) -> Result<Vec<Slot<Targets>>, CeremonyError> {
    let (Some(old), Some(claims), true) = (&published.claimed, &policy.claims, wanted) else {
        return published.kept_claimed();
    };
    let new = renewed(old, true, Expiry::at(now + claims.claimed.lifetime))?;
    let mut slots = vec![Slot::planned(claimed_role_name()?, new, Some(old.clone()))];
    let expires = Expiry::at(now + claims.claimed_shard.lifetime);
    slots.extend(published.renewed_shards(expires)?);
    Ok(slots)
}

/// A document whose version and expiry can be moved on, everything else kept: members this program
/// does not know too (TUF 4).
pub(crate) trait Renew: DraftDocument + Clone {
    fn renew(&mut self, version: Version, expires: Expiry);
}

impl Renew for Root {
    fn renew(&mut self, version: Version, expires: Expiry) {
        self.version = version;
        self.expires = expires;
    }
}

impl Renew for Targets {
    fn renew(&mut self, version: Version, expires: Expiry) {
        self.version = version;
        self.expires = expires;
    }
}

pub(crate) fn renewed<R: Renew>(
    published: &Payload<R>,
    wanted: bool,
    expires: Expiry,
) -> Result<Option<R>, CeremonyError> {
    if !wanted {
        return Ok(None);
    }
    let mut new = published.document.clone();
    new.renew(published.document.version().next()?, expires);
    Ok(Some(new))
}
