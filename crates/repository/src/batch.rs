//! Builds one cycle's documents: applied offline roles, changed bins, snapshot, timestamp; each
//! drafted, linted and signed.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use draft::{BinLayout, Draft, FormerKeys, Plan, Setting, Signed, SignedFile};
use index::BinIndex;
use metadata::{
    DelegatedRoles, Delegations, Expiry, KeyId, MetaFile, PublicKey, Role, RoleKeys, Root,
    Snapshot, TargetFile, Targets, Timestamp, Version,
};
use policy::Policy;
use trust::Authority;

use crate::claim_record::{ClaimRecord, ClaimStage};
use crate::cores::on_all_cores;
use crate::error::RepositoryError;
use crate::offline_set::CheckedSet;
use crate::pages::Applied;
use crate::rebin::{Spread, bin_delegation};
use crate::record::{Listing, RoleRecord};
use crate::repository::{Repository, Stage};
use crate::signers::OnlineSigners;
use crate::snapshot_deltas::{SnapshotDelta, list_deltas};
use crate::status::is_bin;

/// Bins held in memory and signed together: enough to keep the requests to a key service under way, and
/// some megabytes.
const BINS_AT_ONCE: usize = 256;

/// The offline-signed documents a batch is published under.
pub(crate) struct InForce {
    pub(crate) root: Root,
    pub(crate) targets: Targets,
    pub(crate) bins: Targets,
    /// The bins that `bins` delegates to.
    pub(crate) layout: BinLayout,
    /// The online keys of all roots before a new one, if there is a new one and they are known.
    pub(crate) former: Option<FormerKeys>,
}

impl InForce {
    /// Whether none of the online keys of before is left, so that roles may leave the snapshot.
    fn roles_may_leave(&self) -> bool {
        let former = self.former.as_ref();
        former.is_some_and(|former| former.are_all_gone_from(&self.root))
    }
}

/// Everything one cycle signs, in publish order (DESIGN §5), with the roles as they will be.
pub(crate) struct Batch {
    /// Bins first, then offline roles, snapshot, timestamp.
    pub(crate) files: Vec<SignedFile>,
    /// Deltas to the snapshot, which the timestamp lists.
    pub(crate) deltas: Vec<SnapshotDelta>,
    pub(crate) records: Vec<RoleRecord>,
    pub(crate) snapshot: Option<Version>,
    pub(crate) bins: usize,
    /// Roles the snapshot lists no more.
    pub(crate) dropped: Vec<Role>,
}

/// What a batch is built from.
pub(crate) struct Builder<'a> {
    pub(crate) repository: &'a Repository,
    pub(crate) signers: &'a OnlineSigners,
    pub(crate) now: DateTime<Utc>,
    pub(crate) roles: &'a BTreeMap<Role, RoleRecord>,
    pub(crate) allocated: &'a BTreeMap<Role, Version>,
    pub(crate) in_force: &'a InForce,
    pub(crate) previous_snapshot: Option<&'a Snapshot>,
    pub(crate) previous_timestamp: Option<&'a Timestamp>,
}

impl Builder<'_> {
    /// Builds the batch of `plan`; `set` and `applied` are what the plan takes up.
    pub(crate) fn build(
        &self,
        plan: &Plan,
        set: Option<CheckedSet>,
        applied: &Applied,
    ) -> Result<Batch, RepositoryError> {
        let bin_keys = bin_delegation(&self.in_force.bins)?;
        let shares_key = same_keys(bin_keys.keys, &self.in_force.root.snapshot);
        let held = self.repository.settings.layout.count;
        let spread = Spread::new(
            self.repository.state.as_ref(),
            held,
            self.in_force.layout.count,
        );
        let bin_keys = (bin_keys.delegations, bin_keys.keys);
        let bin_listing = if shares_key {
            Listing::Version
        } else {
            Listing::Full
        };
        let mut files = Vec::new();
        let mut records = Vec::new();
        let mut push = |file: SignedFile, listing| {
            records.push(record(&file, listing));
            files.push(file);
        };
        let bins: Vec<BinIndex> = plan.bins.keys().copied().collect();
        for (done, some) in bins.chunks(BINS_AT_ONCE).enumerate() {
            let done = (done * BINS_AT_ONCE) as u64;
            self.repository.at(Stage::Signing, done, bins.len() as u64);
            for file in self.sign_bins(some, bin_keys, &spread, applied)? {
                push(file, bin_listing);
            }
        }
        let bins = bins.len();
        if plan.recently_claimed.is_some() {
            push(self.recently_claimed(applied)?.into_file(), Listing::Full);
        }
        for file in set.map(CheckedSet::into_files).unwrap_or_default() {
            let listing = if *file.role() == Role::Root {
                Listing::None
            } else {
                Listing::Full
            };
            push(file, listing);
        }
        // Signed by developers: their files are put with the uploads, before what names them.
        if plan.take_changes {
            records.extend(applied.developers.roles.iter().cloned());
        }
        let mut snapshot_version = None;
        let mut dropped = Vec::new();
        let mut deltas = Vec::new();
        if plan.snapshot.is_some() {
            if self.in_force.roles_may_leave() {
                let bins = Some(&self.in_force.bins);
                dropped = self.repository.tombstones(self.roles, &files, bins)?;
            }
            let snapshot = self.snapshot(&records, bin_listing, &dropped)?;
            snapshot_version = Some(snapshot.document().version);
            let file = snapshot.into_file();
            let last = self.roles.get(&Role::Snapshot).map(|last| last.version);
            let new = (file.version(), file.bytes());
            deltas = self
                .repository
                .snapshot_deltas(new, last, &self.in_force.root)?;
            records.push(record(&file, Listing::None));
            files.push(file);
        }
        if plan.timestamp.is_some() {
            let described = self.describe_snapshot(&files)?;
            let file = self.timestamp(described, &deltas)?.into_file();
            records.push(record(&file, Listing::None));
            files.push(file);
        }
        Ok(Batch {
            files,
            deltas,
            records,
            snapshot: snapshot_version,
            bins,
            dropped,
        })
    }

    fn setting(&self) -> Setting<'_> {
        Setting {
            now: self.now,
            policy: self.policy(),
            root: Some(&self.in_force.root),
        }
    }

    fn policy(&self) -> &Policy {
        &self.repository.settings.policy
    }

    /// One above every version ever given out.
    fn next_version(&self, role: &Role) -> Result<Version, RepositoryError> {
        let published = self.roles.get(role).map(|record| record.version);
        let highest = published.max(self.allocated.get(role).copied());
        Ok(highest.map_or(Ok(Version::FIRST), Version::next)?)
    }

    /// Some bins, written on all cores and signed together: signers behind a network work on several at
    /// once.
    fn sign_bins(
        &self,
        bins: &[BinIndex],
        (keys, role_keys): (&Delegations, &RoleKeys),
        spread: &Spread<'_>,
        applied: &Applied,
    ) -> Result<Vec<SignedFile>, RepositoryError> {
        let drafts = bins.iter().map(|bin| self.bin(*bin, spread, applied));
        let drafts = drafts.collect::<Result<Vec<_>, _>>()?;
        let setting = self.setting();
        let linted = on_all_cores(drafts, &|draft: Draft<Targets>| {
            Ok(draft.lint(&setting, None)?)
        })?;
        let authority = Authority::new("bins", &keys.keys, role_keys);
        self.signers.sign_many(linted, role_keys, &authority)
    }

    /// A bin as it will be.
    fn bin(
        &self,
        bin: BinIndex,
        spread: &Spread<'_>,
        applied: &Applied,
    ) -> Result<Draft<Targets>, RepositoryError> {
        let role = Role::Delegated(self.in_force.layout.role_name(bin)?);
        let version = self.next_version(&role)?;
        // First signatures are spread, so that renewals do not all fall on one day.
        let expires = if self.roles.contains_key(&role) {
            self.now + self.policy().roles.bin_n.lifetime
        } else {
            draft::first_bin_expiry(self.now, self.policy(), bin)
        };
        let mut targets: BTreeMap<_, _> = spread
            .targets(bin)?
            .into_iter()
            .map(|(path, length, digest)| (path, TargetFile::new(length, digest)))
            .collect();
        for (path, file) in applied.targets.get(&bin.get()).into_iter().flatten() {
            match file {
                Some((length, digest)) => {
                    targets.insert(path.clone(), TargetFile::new(*length, *digest));
                }
                None => {
                    targets.remove(path);
                }
            }
        }
        let document = Targets::new(version, Expiry::at(expires)).with_targets(targets);
        Ok(Draft::new(role, document).in_layout(self.in_force.layout))
    }

    /// The role that delegates to projects whose developers sign.
    fn recently_claimed(&self, applied: &Applied) -> Result<Signed<Targets>, RepositoryError> {
        let role = recently_claimed_role();
        let (keys, role_keys) =
            recently_claimed_keys(&self.in_force.targets).ok_or(RepositoryError::NoDelegation)?;
        let claims = self.policy().claims.as_ref();
        let claims = claims.ok_or(RepositoryError::NoDelegation)?;
        let mut projects = self.repository.state.claims()?;
        for (project, claim) in &applied.developers.claims {
            match claim {
                Some(claim) => projects.insert(project.clone(), claim.clone()),
                None => projects.remove(project),
            };
        }
        let projects: Vec<_> = projects
            .values()
            .filter(|claim| claim.stage == ClaimStage::RecentlyClaimed)
            .filter_map(ClaimRecord::delegated)
            .collect();
        let expires = Expiry::at(self.now + claims.recently_claimed.lifetime);
        let document = draft::projects_role(expires, self.next_version(&role)?, &projects)?;
        let linted = Draft::new(role, document).lint(&self.setting(), None)?;
        let authority = Authority::new("targets", keys, role_keys);
        self.signers.sign(linted, role_keys, &authority)
    }

    /// The snapshot of all roles as they will be: the published ones overlaid with the new.
    /// Bins are listed by the keys of now: those signed earlier, too, when the snapshot's key changes.
    fn snapshot(
        &self,
        new: &[RoleRecord],
        bin_listing: Listing,
        dropped: &[Role],
    ) -> Result<Signed<Snapshot>, RepositoryError> {
        let version = self.next_version(&Role::Snapshot)?;
        let expires = Expiry::at(self.now + self.policy().roles.snapshot.lifetime);
        let mut document = Snapshot::new(version, expires);
        let kept = |record: &&RoleRecord| !dropped.contains(&record.role);
        for record in self.roles.values().filter(kept).chain(new) {
            let listing = if is_bin(&record.role) {
                bin_listing
            } else {
                record.listing
            };
            if let Some(file) = record.meta_file(listing) {
                document.set(&record.role, file);
            }
        }
        let linted = Draft::new(Role::Snapshot, document)
            .after(self.in_force.former.as_ref())
            .lint(&self.setting(), self.previous_snapshot)?;
        let root = &self.in_force.root;
        let authority = Authority::new("root", &root.keys, &root.snapshot);
        self.signers.sign(linted, &root.snapshot, &authority)
    }

    /// The snapshot the timestamp names: the new one, or the published one.
    fn describe_snapshot(&self, files: &[SignedFile]) -> Result<MetaFile, RepositoryError> {
        if let Some(file) = files.iter().find(|file| *file.role() == Role::Snapshot) {
            return Ok(MetaFile::describing(file.version(), file.bytes()));
        }
        let record = self
            .roles
            .get(&Role::Snapshot)
            .ok_or(RepositoryError::NoRoles)?;
        Ok(MetaFile {
            version: record.version,
            length: Some(record.length),
            hashes: Some(metadata::Hashes::sha256(record.sha256)),
        })
    }

    fn timestamp(
        &self,
        snapshot: MetaFile,
        deltas: &[SnapshotDelta],
    ) -> Result<Signed<Timestamp>, RepositoryError> {
        let version = self.next_version(&Role::Timestamp)?;
        let expires = Expiry::at(self.now + self.policy().roles.timestamp.lifetime);
        let mut document = Timestamp::new(version, expires, snapshot);
        list_deltas(&mut document, deltas, self.previous_timestamp);
        let linted =
            Draft::new(Role::Timestamp, document).lint(&self.setting(), self.previous_timestamp)?;
        let root = &self.in_force.root;
        let authority = Authority::new("root", &root.keys, &root.timestamp);
        self.signers.sign(linted, &root.timestamp, &authority)
    }
}

fn record(file: &SignedFile, listing: Listing) -> RoleRecord {
    RoleRecord {
        role: file.role().clone(),
        version: file.version(),
        sha256: file.sha256(),
        length: file.bytes().len() as u64,
        expires: file.expires().instant(),
        listing,
    }
}

/// The role `recently-claimed`.
pub(crate) fn recently_claimed_role() -> Role {
    // The name is a constant of printable ASCII; the fallback cannot be reached.
    Role::parse(draft::RECENTLY_CLAIMED).unwrap_or(Role::Targets)
}

/// The keys of `recently-claimed`, where targets delegates to it.
pub(crate) fn recently_claimed_keys(
    targets: &Targets,
) -> Option<(&BTreeMap<KeyId, PublicKey>, &RoleKeys)> {
    let delegations = targets.delegations.as_ref()?;
    let DelegatedRoles::Listed(roles) = &delegations.roles else {
        return None;
    };
    let mut roles = roles.iter();
    let role = roles.find(|role| role.name.as_str() == draft::RECENTLY_CLAIMED)?;
    Some((&delegations.keys, &role.keys))
}

/// Whether two roles are served by the very same keys.
pub(crate) fn same_keys(one: &RoleKeys, other: &RoleKeys) -> bool {
    let set = |keys: &RoleKeys| keys.keyids.iter().cloned().collect::<BTreeSet<_>>();
    set(one) == set(other)
}

/// Every role that these documents delegate to.
pub(crate) fn delegated_roles<'a>(
    delegators: impl IntoIterator<Item = &'a Targets>,
) -> BTreeSet<Role> {
    let mut roles = BTreeSet::new();
    for document in delegators {
        match document.delegations.as_ref().map(|list| &list.roles) {
            Some(DelegatedRoles::Listed(listed)) => {
                roles.extend(listed.iter().map(|role| Role::Delegated(role.name.clone())));
            }
            Some(DelegatedRoles::Succinct(_)) => {
                let bins = BinLayout::read(document).into_iter().flat_map(|layout| {
                    let bins = layout.count.bins();
                    bins.filter_map(move |bin| layout.role_name(bin).ok())
                });
                roles.extend(bins.map(Role::Delegated));
            }
            None => {}
        }
    }
    roles
}
