//! Plans a genesis: the first root, targets and bins, ready to be reviewed and signed.

use std::path::Path;

use chrono::{DateTime, Utc};
use draft::{BINS_PREFIX, BinLayout, ClaimsExport, bins_role, first_root, top_targets};
use metadata::{Document, Expiry, PublicKey, Role, RoleName, Root, Sha256, Targets, Version};
use policy::Policy;

use crate::claim;
use crate::description::{self, Description, PayloadPart};
use crate::event::{self, POLICY_FILE};
use crate::folder::Folder;
use crate::slot::{Payload, Slot};
use crate::transcript::Done;
use crate::{CeremonyError, Event, FileDigest, HeldKey, KeyRole, Kind, Step, papers, sign};

/// Everything a genesis is made of.
#[derive(Clone, Debug)]
pub struct GenesisPlan<'a> {
    /// The policy, as text: it is frozen in the event.
    pub policy: &'a str,
    /// The bins; `None` for those the policy asks for.
    pub layout: Option<BinLayout>,
    /// The time of planning; lifetimes count from here.
    pub now: DateTime<Utc>,
    /// Offline: who may replace every other key.
    pub root: Vec<HeldKey>,
    /// Offline: who says what is delegated.
    pub targets: Vec<HeldKey>,
    /// Offline: who says which bins there are.
    pub bins: Vec<HeldKey>,
    /// Online: the snapshot's and the bins' keys, which are the same (TUF 4.4 HASHES).
    pub snapshot: Vec<HeldKey>,
    /// Online: often the same key again.
    pub timestamp: Vec<HeldKey>,
}

impl GenesisPlan<'_> {
    fn held(&self, role: KeyRole) -> &[HeldKey] {
        match role {
            KeyRole::Root => &self.root,
            KeyRole::Targets => &self.targets,
            KeyRole::Bins => &self.bins,
            // The first claim brings them.
            KeyRole::Claimed | KeyRole::ClaimedShard => &[],
            KeyRole::BinN | KeyRole::Snapshot => &self.snapshot,
            KeyRole::Timestamp => &self.timestamp,
        }
    }

    fn keys(&self, role: KeyRole) -> Vec<PublicKey> {
        let held = self.held(role).iter();
        held.map(|one| one.key.clone()).collect()
    }
}

impl Event {
    /// Writes a new event folder for a genesis and opens it. Every rule must already hold; the
    /// folder must not be there, or be empty.
    pub fn plan_genesis(path: &Path, plan: &GenesisPlan<'_>) -> Result<Self, CeremonyError> {
        let parsed = Policy::parse(plan.policy).map_err(|source| CeremonyError::Policy {
            path: POLICY_FILE.into(),
            source,
        })?;
        let (policy, now) = (&parsed, plan.now);
        let layout = plan.layout.unwrap_or_else(|| BinLayout::of(&policy.index));
        let [root, timestamp, snapshot, targets, bins] = [
            KeyRole::Root,
            KeyRole::Timestamp,
            KeyRole::Snapshot,
            KeyRole::Targets,
            KeyRole::Bins,
        ]
        .map(|role| plan.keys(role));
        let root = first_root(policy, now, [&root, &timestamp, &snapshot, &targets]);
        let targets = top_targets(policy, now, Version::FIRST, &bins, &snapshot)?;
        let bins = bins_role(policy, now, Version::FIRST, layout, &snapshot)?;
        let mut description = Description::new(Kind::Genesis, Expiry::at(now), plan.policy, layout);
        for role in KeyRole::ALL {
            description.add_keys(role, plan.held(role))?;
        }
        let bins_role = Role::Delegated(RoleName::parse(BINS_PREFIX)?);
        let root = Slot::planned(Role::Root, Some(root), None);
        let targets = Slot::planned(Role::Targets, Some(targets), None);
        let bins = Slot::planned(bins_role, Some(bins), None);
        Planned {
            description,
            policy_text: plan.policy,
            policy: parsed,
            layout,
            now,
            root,
            targets,
            bins,
            claimed: Vec::new(),
            claims: None,
        }
        .write(path)
    }
}

/// An event that is not on the disk yet.
pub(crate) struct Planned<'a> {
    pub(crate) description: Description,
    pub(crate) policy_text: &'a str,
    pub(crate) policy: Policy,
    pub(crate) layout: BinLayout,
    pub(crate) now: DateTime<Utc>,
    pub(crate) root: Slot<Root>,
    pub(crate) targets: Slot<Targets>,
    pub(crate) bins: Slot<Targets>,
    pub(crate) claimed: Vec<Slot<Targets>>,
    pub(crate) claims: Option<ClaimsExport>,
}

impl Planned<'_> {
    /// Holds the event to every rule, then writes it: the description last, for without it there is
    /// no event. What was written is read back as anybody would.
    pub(crate) fn write(self, path: &Path) -> Result<Event, CeremonyError> {
        let (policy_text, now) = (self.policy_text, self.now);
        let event = self.into_event(path)?;
        event.check_previous()?;
        event.check_keys()?;
        event.check_claims()?;
        event.lint(now)?;
        let folder = Folder::create(path)?;
        folder.create_folder(sign::FOLDER)?;
        folder.create_file(POLICY_FILE, policy_text.as_bytes())?;
        write_slot(&folder, &event.root)?;
        for slot in event.targets_slots() {
            write_slot(&folder, slot)?;
        }
        if let Some(claims) = &event.claims {
            folder.create_file(claim::FILE, &claims.to_canonical())?;
        }
        let text = event.description.write()?;
        let mut outputs = vec![FileDigest::of(description::FILE, text.as_bytes())];
        for paper in event.papers()? {
            let name = format!("{}/{}", papers::FOLDER, paper.name);
            folder.create_file(&name, paper.text.as_bytes())?;
            outputs.push(FileDigest::of(name, paper.text.as_bytes()));
        }
        let done = Done {
            step: Step::Planned,
            inputs: Vec::new(),
            outputs,
            note: event.description.kind.as_str().to_owned(),
        };
        event.record(event::ADMINISTRATOR, now, done, None)?;
        folder.create_file(description::FILE, text.as_bytes())?;
        Event::open(path)
    }

    fn into_event(self, path: &Path) -> Result<Event, CeremonyError> {
        let mut description = self.description;
        describe(&mut description, &self.root);
        describe(&mut description, &self.targets);
        describe(&mut description, &self.bins);
        for slot in &self.claimed {
            describe(&mut description, slot);
        }
        Ok(Event {
            holders: event::holders(&description, path)?,
            actor: event::ADMINISTRATOR.to_owned(),
            folder: Folder::new(path),
            digest: Sha256::of(description.write()?.as_bytes()),
            description,
            policy: self.policy,
            policy_text: self.policy_text.to_owned(),
            layout: self.layout,
            planned: self.now,
            root: self.root,
            targets: self.targets,
            bins: self.bins,
            claimed: self.claimed,
            claims: self.claims,
        })
    }
}

fn describe<R: Document>(description: &mut Description, slot: &Slot<R>) {
    let part = |one: &Payload<R>| {
        let (version, expires) = (one.document.version(), one.document.expires());
        PayloadPart::new(&slot.role, version, expires, &one.bytes)
    };
    description.payload.extend(slot.new.as_ref().map(part));
    description
        .previous
        .extend(slot.previous.as_ref().map(part));
}

fn write_slot<R: Document>(folder: &Folder, slot: &Slot<R>) -> Result<(), CeremonyError> {
    for (name, payload) in [("payload", &slot.new), ("previous", &slot.previous)] {
        if let Some(one) = payload {
            let file = slot.role.versioned_file_name(one.document.version());
            folder.create_file(&format!("{name}/{file}"), &one.bytes)?;
        }
    }
    Ok(())
}
