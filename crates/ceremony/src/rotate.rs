//! Plans other keys: of root holders, of other offline holders, of the online signer. A role whose
//! keys change is signed anew, and so is the one that lists them; the rest stays as published.

mod documents;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use chrono::{DateTime, Utc};
use draft::{BinLayout, FormerKeys};
use metadata::{Expiry, KeyId, Role};
use policy::Policy;

use crate::description::{Description, FormerPart};
use crate::event::POLICY_FILE;
use crate::genesis::Planned;
use crate::published::Published;
use crate::slot::Slot;
use crate::{CeremonyError, Event, HeldKey, KeyRole, Kind};

/// Which keys change, and from what.
#[derive(Clone, Debug)]
pub struct RotatePlan<'a> {
    /// The policy, as text: it is frozen in the event.
    pub policy: &'a str,
    /// The time of planning; lifetimes count from here.
    pub now: DateTime<Utc>,
    /// A folder with the published `VERSION.ROLE.json` of root, targets and bins.
    pub published: &'a Path,
    /// An earlier event that names the holders of the keys.
    pub after: Option<&'a Event>,
    /// The change.
    pub change: KeyChange,
    /// New thresholds; a role not named keeps the one it has.
    pub thresholds: BTreeMap<KeyRole, u32>,
}

/// A change of keys.
#[derive(Clone, Debug)]
pub enum KeyChange {
    /// These are all the root keys there will be.
    Root(Vec<HeldKey>),
    /// New online keys.
    Online {
        /// For the snapshot and the bins.
        snapshot: Vec<HeldKey>,
        /// For the timestamp.
        timestamp: Vec<HeldKey>,
        /// Whether the keys in use stay listed beside the new ones. Without it clients start their
        /// version floors anew (TUF 5.3.11).
        overlap: bool,
    },
    /// Other bins. New online keys come with them, and none of those that were ever published stays:
    /// only so may the bins of before leave the snapshot (TUF 5.3.11, 5.5.5).
    Rebin {
        /// The bins.
        layout: BinLayout,
        /// For the snapshot and the bins.
        snapshot: Vec<HeldKey>,
        /// For the timestamp.
        timestamp: Vec<HeldKey>,
    },
    /// One more holder in these offline roles.
    Add(Vec<(KeyRole, HeldKey)>),
    /// In each role given, this key takes the place of the holder's.
    Replace {
        /// Who holds the key that goes.
        holder: String,
        /// What comes instead, by role.
        with: Vec<(KeyRole, HeldKey)>,
    },
    /// The holder leaves.
    Remove {
        /// Who.
        holder: String,
        /// From these roles; from all offline ones if empty.
        roles: Vec<KeyRole>,
    },
}

/// The keys of every role.
type Table = BTreeMap<KeyRole, Vec<HeldKey>>;

impl KeyChange {
    /// What the ceremony is called.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self {
            Self::Root(_) => Kind::RotateRoot,
            Self::Online { .. } => Kind::RotateOnline,
            Self::Rebin { .. } => Kind::Rebin,
            Self::Add(_) => Kind::AddHolder,
            Self::Replace { .. } => Kind::ReplaceHolder,
            Self::Remove { .. } => Kind::RemoveHolder,
        }
    }

    /// The bins there will be.
    fn layout(&self, published: BinLayout) -> Result<BinLayout, CeremonyError> {
        match self {
            Self::Rebin { layout, .. } if *layout == published => Err(CeremonyError::SameBins {
                count: layout.count.get(),
            }),
            Self::Rebin { layout, .. } => Ok(*layout),
            _ => Ok(published),
        }
    }

    /// Refuses a rebin under an online key that clients know already.
    fn check_new_keys(&self, former: &FormerKeys) -> Result<(), CeremonyError> {
        let Self::Rebin {
            snapshot,
            timestamp,
            ..
        } = self
        else {
            return Ok(());
        };
        let mut online = snapshot.iter().chain(timestamp);
        match online.find(|held| former.contains(&held.key)) {
            None => Ok(()),
            Some(held) => Err(CeremonyError::OnlineKeyKnown {
                holder: held.holder.clone(),
                keyid: held.key.id(),
            }),
        }
    }

    fn apply(self, table: &mut Table) -> Result<(), CeremonyError> {
        match self {
            Self::Root(held) => {
                table.insert(KeyRole::Root, held);
            }
            Self::Online {
                snapshot,
                timestamp,
                overlap,
            } => {
                put_online(table, KeyRole::BinN, &snapshot, overlap);
                put_online(table, KeyRole::Snapshot, &snapshot, overlap);
                put_online(table, KeyRole::Timestamp, &timestamp, overlap);
            }
            Self::Rebin {
                snapshot,
                timestamp,
                ..
            } => {
                put_online(table, KeyRole::BinN, &snapshot, false);
                put_online(table, KeyRole::Snapshot, &snapshot, false);
                put_online(table, KeyRole::Timestamp, &timestamp, false);
            }
            Self::Add(added) => {
                for (role, held) in added {
                    table.entry(role).or_default().push(held);
                }
            }
            Self::Replace { holder, with } => replace(table, &holder, with)?,
            Self::Remove { holder, roles } => remove(table, &holder, &roles)?,
        }
        Ok(())
    }
}

fn put_online(table: &mut Table, role: KeyRole, new: &[HeldKey], overlap: bool) {
    let keys = table.entry(role).or_default();
    if !overlap {
        keys.clear();
    }
    for held in new {
        if !keys.iter().any(|one| one.key == held.key) {
            keys.push(held.clone());
        }
    }
}

fn no_key(holder: &str, why: &'static str) -> CeremonyError {
    let holder = holder.to_owned();
    CeremonyError::Holder { holder, why }
}

fn replace(
    table: &mut Table,
    holder: &str,
    with: Vec<(KeyRole, HeldKey)>,
) -> Result<(), CeremonyError> {
    let leaves = with.iter().any(|(_, held)| held.holder != holder);
    for (role, held) in with {
        let keys = table.entry(role).or_default();
        let old = keys.iter_mut().find(|one| one.holder == holder);
        let why = "has no key in a role in which one is to be replaced";
        *old.ok_or_else(|| no_key(holder, why))? = held;
    }
    let still = table.values().flatten().any(|one| one.holder == holder);
    if leaves && still {
        return Err(no_key(
            holder,
            "still has a key in a role for which no other was given",
        ));
    }
    Ok(())
}

fn remove(table: &mut Table, holder: &str, roles: &[KeyRole]) -> Result<(), CeremonyError> {
    let from = if roles.is_empty() {
        &KeyRole::OFFLINE[..]
    } else {
        roles
    };
    let mut found = false;
    for role in from {
        let keys = table.entry(*role).or_default();
        let before = keys.len();
        keys.retain(|one| one.holder != holder);
        found |= keys.len() < before;
    }
    if found {
        return Ok(());
    }
    Err(no_key(holder, "has no key to be removed"))
}

impl Event {
    /// Writes a new event folder for a change of keys and opens it.
    pub fn plan_rotate(path: &Path, plan: RotatePlan<'_>) -> Result<Self, CeremonyError> {
        let policy = Policy::parse(plan.policy).map_err(|source| CeremonyError::Policy {
            path: POLICY_FILE.into(),
            source,
        })?;
        let published = Published::read(plan.published)?;
        let old = published.held(plan.after);
        let kind = plan.change.kind();
        let mut table = old.clone();
        let layout = plan.change.layout(published.layout)?;
        plan.change.check_new_keys(&published.former)?;
        plan.change.apply(&mut table)?;
        let mut description = Description::new(kind, Expiry::at(plan.now), plan.policy, layout);
        for (role, held) in &table {
            description.add_keys(*role, held)?;
        }
        description.former = former(&old, &table);
        let new = documents::New {
            published: &published,
            policy: &policy,
            now: plan.now,
            table: &table,
            layout,
            thresholds: &plan.thresholds,
        };
        let (root, targets, bins) = (new.root()?, new.targets()?, new.bins()?);
        let claimed = new.claimed()?;
        if root.is_none()
            && targets.is_none()
            && bins.is_none()
            && !claimed.iter().any(|slot| slot.new.is_some())
        {
            return Err(CeremonyError::NothingToChange);
        }
        let planned = Planned {
            root: Slot::planned(Role::Root, root, Some(published.root)),
            targets: Slot::planned(Role::Targets, targets, Some(published.targets)),
            bins: Slot::planned(published.bins_role, bins, Some(published.bins)),
            claimed,
            claims: None,
            description,
            policy_text: plan.policy,
            policy,
            layout,
            now: plan.now,
        };
        planned.write(path)
    }
}

/// Names for the keys that go.
fn former(old: &Table, new: &Table) -> Vec<FormerPart> {
    let ids = |table: &Table| -> BTreeSet<KeyId> {
        let all = table.values().flatten();
        all.map(|held| held.key.id()).collect()
    };
    let kept = ids(new);
    let mut named = BTreeMap::new();
    for held in old.values().flatten() {
        let keyid = held.key.id();
        if !kept.contains(&keyid) {
            named.insert(keyid, held.holder.clone());
        }
    }
    let part = |(keyid, holder): (KeyId, String)| FormerPart {
        holder,
        keyid: keyid.to_string(),
    };
    named.into_iter().map(part).collect()
}
