//! What a rebin would come to: the whole cycle that will publish it, signed for trial and thrown away,
//! before anybody meets for the ceremony.

use chrono::{DateTime, Utc};
use draft::{BINS_PREFIX, BinLayout, Draft, FormerKeys, Plan, Reason, Setting, bins_role};
use metadata::{Document, KeyId, PublicKey, Role, RoleKeys, Root, Snapshot, Targets, Timestamp};

use crate::batch::{Builder, InForce};
use crate::error::RepositoryError;
use crate::offline_set::Published;
use crate::outlook::{document, published};
use crate::pages::{self, Applied};
use crate::repository::Repository;
use crate::signers::OnlineSigners;
use crate::status::HeadRoom;

/// Sizes that another number of bins would bring.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RebinTrial {
    /// The bins there are.
    pub from: BinLayout,
    /// The bins there would be.
    pub to: BinLayout,
    /// How many targets they would list, waiting changes included.
    pub targets: u64,
    /// The largest bin.
    pub largest_bin: HeadRoom,
    /// The role that delegates to them, without its signatures.
    pub bins_role: HeadRoom,
    /// The snapshot.
    pub snapshot: HeadRoom,
}

impl Repository {
    /// Signs every bin, the snapshot and the timestamp for trial as the rebin would, with these keys in
    /// every online role. Writes nothing, and nothing of it is kept: a version has one sequence of bytes,
    /// and what is queued until then belongs into the bins too.
    pub fn try_rebin(
        &self,
        to: BinLayout,
        signers: &OnlineSigners,
        now: DateTime<Utc>,
    ) -> Result<RebinTrial, RepositoryError> {
        let from = self.settings.layout;
        if from == to {
            let count = to.count.get();
            return Err(RepositoryError::SameBins { count });
        }
        let roles = self.roles_by_name()?;
        let before = self.read_before(&roles, self.state.head()?.timestamp)?;
        let (former, snapshot) = (self.former_keys()?, before.snapshot.as_deref());
        let previous_snapshot: Option<Snapshot> = document(snapshot)?;
        let previous_timestamp: Option<Timestamp> = document(before.timestamp.as_deref())?;
        let in_force = self.drafted(published(&before)?, former, to, signers, now)?;
        let bins_role = in_force.bins.to_canonical().len() as u64;
        let settings = crate::Settings {
            layout: to,
            ..self.settings.clone()
        };
        let queued = self.state.pending()?;
        let queued: Vec<_> = queued.iter().collect();
        let applied = pages::apply(self.state.as_ref(), &settings, &[].into(), &queued, now)?;
        let allocated = self.state.allocated()?;
        let builder = Builder {
            repository: self,
            signers,
            now,
            roles: &roles,
            allocated: &allocated,
            in_force: &in_force,
            previous_snapshot: previous_snapshot.as_ref(),
            previous_timestamp: previous_timestamp.as_ref(),
        };
        let all = Some(Reason::Changed);
        let plan = Plan {
            bins: to.count.bins().map(|bin| (bin, Reason::Changed)).collect(),
            snapshot: all,
            timestamp: all,
            ..Plan::default()
        };
        let batch = builder.build(&plan, None, &applied)?;
        let limits = self.settings.policy.repository;
        let largest = |is: &dyn Fn(&Role) -> bool| {
            let records = batch.records.iter().filter(|record| is(&record.role));
            records.map(|record| record.length).max().unwrap_or(0)
        };
        let room = |used, limit| HeadRoom { used, limit };
        Ok(RebinTrial {
            from,
            to,
            targets: self.count_with(&applied)?,
            largest_bin: room(
                largest(&|role| matches!(role, Role::Delegated(_))),
                limits.role_bytes,
            ),
            bins_role: room(bins_role, limits.role_bytes),
            snapshot: room(
                largest(&|role| *role == Role::Snapshot),
                limits.snapshot_bytes,
            ),
        })
    }

    /// How many targets there are once these changes are published.
    fn count_with(&self, applied: &Applied) -> Result<u64, RepositoryError> {
        let mut count = self.state.target_count()?;
        for (path, file) in applied.targets.values().flatten() {
            let bin = self.settings.layout.count.bin_of(&path.hash()).get();
            let is_listed = self.state.target(bin, path)?.is_some();
            match (is_listed, file.is_some()) {
                (false, true) => count += 1,
                (true, false) => count = count.saturating_sub(1),
                _ => {}
            }
        }
        Ok(count)
    }

    /// Root and bins as the ceremony would draw them; linted, but for the root.
    fn drafted(
        &self,
        published: Published,
        former: Option<FormerKeys>,
        to: BinLayout,
        signers: &OnlineSigners,
        now: DateTime<Utc>,
    ) -> Result<InForce, RepositoryError> {
        let missing = || RepositoryError::NoRoles;
        let mut root: Root = published.root.ok_or_else(missing)?;
        let old: Targets = published.bins.ok_or_else(missing)?;
        let targets: Targets = published.targets.ok_or_else(missing)?;
        let keys: Vec<PublicKey> = signers.public_keys().cloned().collect();
        let keyids: Vec<KeyId> = keys.iter().map(PublicKey::id).collect();
        root.keys
            .extend(keys.iter().map(|key| (key.id(), key.clone())));
        for role in [&mut root.snapshot, &mut root.timestamp] {
            let (keyids, threshold) = (keyids.clone(), 1);
            *role = RoleKeys { keyids, threshold };
        }
        let policy = &self.settings.policy;
        let setting = Setting {
            now,
            policy,
            root: Some(&root),
        };
        let bins = bins_role(policy, now, old.version.next()?, to, &keys)?;
        let role = Role::parse(BINS_PREFIX)?;
        let draft = Draft::new(role, bins).in_layout(to).after(former.as_ref());
        let bins = draft.lint(&setting, Some(&old))?.document().clone();
        Ok(InForce {
            root,
            targets,
            bins,
            layout: to,
            former,
        })
    }
}
