//! Plans what becomes of projects whose developers sign: moved from `recently-claimed` to a shard of
//! `claimed`, given the keys that they registered, or given back to the index. One event for one shard, made
//! from what the index wrote down of its claims and frozen with it (PEP 480 "Producing Consistent
//! Snapshots"; decision 0022).

mod choice;
mod flaw;
mod review;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use chrono::{DateTime, Utc};
use draft::{
    ClaimedShard, ClaimsExport, DelegatedProject, bind_registrations, claimed_role,
    delegate_claimed, delegated_projects, projects_role, shard_changes,
};
use index::ProjectName;
use metadata::{Expiry, PublicKey, Role, RoleName, Sha256, Targets, Version};
use policy::{Claims, Policy};

pub use flaw::ClaimPlanFlaw;
pub use review::{ClaimsReview, ProjectReview, SnapshotRoom};

use crate::description::{ClaimsPart, Description};
use crate::event::POLICY_FILE;
use crate::folder::Folder;
use crate::genesis::Planned;
use crate::published::{Published, claimed_role_name};
use crate::renew::renewed;
use crate::slot::{Payload, Slot};
use crate::{CeremonyError, Event, EventFlaw, HeldKey, KeyRole, Kind};
use choice::Choice;

/// Name of the frozen claims.
pub(crate) const FILE: &str = "claims.json";

/// What becomes of which projects.
#[derive(Clone, Debug)]
pub struct ClaimPlan<'a> {
    /// The policy, as text: it is frozen in the event.
    pub policy: &'a str,
    /// The time of planning; lifetimes and waiting times count from here.
    pub now: DateTime<Utc>,
    /// A folder with the published `VERSION.ROLE.json` of root, targets, bins, `claimed` and its shards.
    pub published: &'a Path,
    /// An earlier event that names the holders of the keys.
    pub after: Option<&'a Event>,
    /// What `countersign index claims export` wrote.
    pub claims: &'a [u8],
    /// The shard; without it, the one that has something to do.
    pub shard: Option<&'a str>,
    /// Projects to move; all of the shard that can be, if nothing at all is named.
    pub projects: &'a [ProjectName],
    /// Claimed projects whose registered keys come into force.
    pub keys: &'a [ProjectName],
    /// Claimed projects that the index speaks for again.
    pub released: &'a [ProjectName],
    /// Who will sign `claimed`: for the first claim of an index, and for no other.
    pub claimed: Vec<HeldKey>,
    /// Who will sign its shards; the same.
    pub claimed_shard: Vec<HeldKey>,
}

impl Event {
    /// Writes a new event folder for a claim and opens it.
    pub fn plan_claim(path: &Path, plan: &ClaimPlan<'_>) -> Result<Self, CeremonyError> {
        let policy = Policy::parse(plan.policy).map_err(|source| CeremonyError::Policy {
            path: POLICY_FILE.into(),
            source,
        })?;
        let claims = policy.claims.as_ref().ok_or(ClaimPlanFlaw::NobodySigns)?;
        let export = ClaimsExport::parse(plan.claims).map_err(ClaimPlanFlaw::Export)?;
        let published = Published::read(plan.published)?;
        let choice = Choice::of(plan, &export, claims)?;
        let drawing = Drawing {
            plan,
            policy: &policy,
            claims,
            published: &published,
            export: &export,
        };
        let keys = drawing.keys()?;
        let (slot, frozen) = drawing.shard(&choice)?;
        let mut claimed = drawing.claimed(&choice, &keys)?;
        let targets = drawing.targets(&keys)?;
        claimed.push(slot);
        claimed.sort_by(|one, other| one.role.cmp(&other.role));
        let layout = published.layout;
        let mut description =
            Description::new(Kind::Claim, Expiry::at(plan.now), plan.policy, layout);
        description.claims = Some(ClaimsPart {
            shard: choice.shard.role_name()?.to_string(),
            export: Sha256::of(plan.claims).to_string(),
            sha256: Sha256::of(&frozen.to_canonical()).to_string(),
        });
        let mut held = published.held(plan.after);
        if published.claimed.is_none() {
            held.insert(KeyRole::Claimed, plan.claimed.clone());
            held.insert(KeyRole::ClaimedShard, plan.claimed_shard.clone());
        }
        for (role, held) in held {
            description.add_keys(role, &held)?;
        }
        let now = plan.now;
        Planned {
            root: Slot::planned(Role::Root, None, Some(published.root)),
            targets: Slot::planned(Role::Targets, targets, Some(published.targets)),
            bins: Slot::planned(published.bins_role, None, Some(published.bins)),
            claimed,
            claims: Some(frozen),
            description,
            policy_text: plan.policy,
            policy,
            layout,
            now,
        }
        .write(path)
    }

    /// Every shard follows from the claims that are frozen here, or changes nothing; and clients have room
    /// for the roles that are new.
    pub(crate) fn check_claims(&self) -> Result<(), CeremonyError> {
        let room = self.snapshot_room();
        if let Some(room) = room.filter(|room| room.grows && room.used > room.limit) {
            let (needed, limit) = (room.used, room.limit);
            return Err(ClaimPlanFlaw::NoRoom { needed, limit }.into());
        }
        for slot in self.claimed.iter().filter(|slot| slot.is_shard()) {
            self.project_changes(slot)?;
        }
        Ok(())
    }

    /// What a shard changes, held against the claims.
    fn project_changes(
        &self,
        slot: &Slot<Targets>,
    ) -> Result<BTreeMap<ProjectName, draft::ProjectChange>, CeremonyError> {
        let (Some(new), Some(policy)) = (&slot.new, &self.policy.claims) else {
            return Ok(BTreeMap::new());
        };
        let previous = slot.previous.as_ref().map(|old| &old.document);
        let part = self.description.claims.as_ref();
        let is_own = part.is_some_and(|part| part.shard == slot.role.name());
        let none = ClaimsExport::default();
        let claims = self.claims.as_ref().filter(|_| is_own).unwrap_or(&none);
        shard_changes(&new.document, previous, claims, policy, self.planned).map_err(|flaw| {
            CeremonyError::Shard {
                role: slot.role.clone(),
                version: new.document.version,
                flaw: Box::new(flaw),
            }
        })
    }
}

/// Reads the frozen claims, where the description names some.
pub(crate) fn read_claims(
    folder: &Folder,
    description: &Description,
) -> Result<Option<ClaimsExport>, CeremonyError> {
    let Some(part) = &description.claims else {
        return Ok(None);
    };
    let (path, bytes) = (folder.file(FILE), folder.read(FILE)?);
    let found = Sha256::of(&bytes);
    let expected = Sha256::parse(&part.sha256).map_err(|error| EventFlaw::from(error).at(&path))?;
    if found != expected {
        return Err(EventFlaw::Digest { expected, found }.at(path));
    }
    let claims = ClaimsExport::parse(&bytes);
    claims
        .map(Some)
        .map_err(|error| EventFlaw::from(error).at(path))
}

/// Everything the new documents are made of.
struct Drawing<'a> {
    plan: &'a ClaimPlan<'a>,
    policy: &'a Policy,
    claims: &'a Claims,
    published: &'a Published,
    export: &'a ClaimsExport,
}

/// The keys of `claimed` and of its shards, where they are new.
struct NewKeys {
    claimed: Vec<PublicKey>,
    shards: Vec<PublicKey>,
}

impl Drawing<'_> {
    fn keys(&self) -> Result<NewKeys, ClaimPlanFlaw> {
        let public = |held: &[HeldKey]| held.iter().map(|one| one.key.clone()).collect();
        let (claimed, shards) = (&self.plan.claimed, &self.plan.claimed_shard);
        match (
            &self.published.claimed,
            claimed.is_empty(),
            shards.is_empty(),
        ) {
            (None, false, false) | (Some(_), true, true) => Ok(NewKeys {
                claimed: public(claimed),
                shards: public(shards),
            }),
            (None, ..) => Err(ClaimPlanFlaw::KeysMissing),
            (Some(_), ..) => Err(ClaimPlanFlaw::KeysGiven),
        }
    }

    /// The next targets, if it does not delegate to `claimed` yet.
    fn targets(&self, keys: &NewKeys) -> Result<Option<Targets>, CeremonyError> {
        let is_new = self.published.claimed.is_none();
        let expires = Expiry::at(self.plan.now + self.policy.roles.targets.lifetime);
        let mut new = renewed(&self.published.targets, is_new, expires)?;
        if let Some(new) = &mut new {
            delegate_claimed(new, self.policy, &keys.claimed)?;
        }
        Ok(new)
    }

    /// `claimed`, anew if it lacks the shard; and then, so that events for other shards can be held side by
    /// side with the next, every other shard that projects wait for, with nothing in it.
    fn claimed(
        &self,
        choice: &Choice,
        keys: &NewKeys,
    ) -> Result<Vec<Slot<Targets>>, CeremonyError> {
        let role = claimed_role_name()?;
        let shard = |name: &RoleName| ClaimedShard::parse(name.as_str(), self.claims);
        let known = self.published.shards();
        let known: Option<BTreeSet<ClaimedShard>> = known.iter().map(shard).collect();
        let known = known.ok_or(ClaimPlanFlaw::OtherShards)?;
        if known.contains(&choice.shard) {
            return self.published.kept_claimed();
        }
        let opened: BTreeSet<ClaimedShard> = choice.waiting.difference(&known).copied().collect();
        let all = known.union(&opened).copied().collect();
        let old = self.published.claimed.clone();
        let expires = Expiry::at(self.plan.now + self.claims.claimed.lifetime);
        let new = match &old {
            None => {
                let threshold = self.claims.claimed_shard.threshold;
                claimed_role(expires, Version::FIRST, &all, &keys.shards, threshold)?
            }
            Some(old) => Self::with_shards(old, expires, &all)?,
        };
        let mut slots = vec![Slot::planned(role, Some(new), old)];
        for shard in opened.into_iter().filter(|one| *one != choice.shard) {
            let empty = Self::next_shard(self.shard_expiry(), None, &BTreeMap::new())?;
            let role = Role::Delegated(shard.role_name()?);
            slots.push(Slot::planned(role, Some(empty), None));
        }
        Ok(slots)
    }

    /// The next `claimed`, with more shards and the keys that it lists for them.
    fn with_shards(
        old: &Payload<Targets>,
        expires: Expiry,
        shards: &BTreeSet<ClaimedShard>,
    ) -> Result<Targets, CeremonyError> {
        let mut new = old.document.clone();
        new.version = old.document.version.next()?;
        new.expires = expires;
        let listed = crate::voucher::first_delegation(&old.document);
        if let (Some(listed), Some(list)) = (listed, &old.document.delegations) {
            let keys: Vec<PublicKey> = list.keys.values().cloned().collect();
            let drawn = claimed_role(expires, new.version, shards, &keys, listed.threshold)?;
            new.delegations = drawn.delegations;
        }
        Ok(new)
    }

    fn shard_expiry(&self) -> Expiry {
        Expiry::at(self.plan.now + self.claims.claimed_shard.lifetime)
    }

    /// The shard as it will be, and the claims it is made from.
    fn shard(&self, choice: &Choice) -> Result<(Slot<Targets>, ClaimsExport), CeremonyError> {
        let name = choice.shard.role_name()?;
        let is_published = self.published.shards().contains(&name);
        let old = is_published
            .then(|| self.published.shard(&name))
            .transpose()?;
        let before = old.as_ref().map(|old| &old.document);
        let mut projects = before
            .map(delegated_projects)
            .unwrap_or_default()
            .unwrap_or_default();
        let names: BTreeSet<ProjectName> = projects.keys().cloned().chain(choice.names()).collect();
        let frozen = self.export.of(&names);
        choice.apply(self.export, &mut projects)?;
        let mut new = Self::next_shard(self.shard_expiry(), old.as_ref(), &projects)?;
        bind_registrations(&mut new, before, &frozen);
        Ok((Slot::planned(Role::Delegated(name), Some(new), old), frozen))
    }

    fn next_shard(
        expires: Expiry,
        old: Option<&Payload<Targets>>,
        projects: &BTreeMap<ProjectName, DelegatedProject>,
    ) -> Result<Targets, CeremonyError> {
        let version = match old {
            None => Version::FIRST,
            Some(old) => old.document.version.next()?,
        };
        let projects: Vec<DelegatedProject> = projects.values().cloned().collect();
        Ok(projects_role(expires, version, &projects)?)
    }
}
