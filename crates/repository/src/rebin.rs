//! A set that changes how many bins there are: the targets in their bins of the new layout, before the
//! head moves and the state says so too; what it would come to, before anybody meets.

use std::cell::RefCell;
use std::collections::BTreeMap;

use draft::{BinLayout, FormerKeys};
use index::{BinCount, BinIndex};
use metadata::{
    DelegatedRoles, Delegations, Document, Role, RoleKeys, Root, Sha256, TargetPath, Targets, Wire,
};
use trust::RootChain;

use crate::error::RepositoryError;
use crate::repository::Repository;
use crate::state::State;
use crate::store::StorePath;

/// How `bins` delegates.
pub(crate) struct BinDelegation<'a> {
    pub(crate) layout: BinLayout,
    pub(crate) delegations: &'a Delegations,
    /// The keys of every bin: that all have the same is a rule of drafts.
    pub(crate) keys: &'a RoleKeys,
}

/// Reads how `bins` delegates.
pub(crate) fn bin_delegation(bins: &Targets) -> Result<BinDelegation<'_>, RepositoryError> {
    let delegation = || {
        let delegations = bins.delegations.as_ref()?;
        let keys = match &delegations.roles {
            DelegatedRoles::Succinct(succinct) => &succinct.keys,
            DelegatedRoles::Listed(roles) => &roles.first()?.keys,
        };
        Some(BinDelegation {
            layout: BinLayout::read(bins)?,
            delegations,
            keys,
        })
    };
    delegation().ok_or_else(|| RepositoryError::Layout {
        role: crate::offline_set::bins_role(),
        version: bins.version,
    })
}

/// A target as the state lists it.
pub(crate) type Listed = (TargetPath, u64, Sha256);

/// A bin of the state, by number, and its parts; none yet at first.
type Split = (Option<u16>, BTreeMap<u16, Vec<Listed>>);

/// The targets of the state, spread over a number of bins. Ask for the bins in ascending order: then
/// each of the state's is read once.
pub(crate) struct Spread<'a> {
    state: &'a dyn State,
    held: BinCount,
    wanted: BinCount,
    /// The last bin of the state that was split, and its parts.
    split: RefCell<Split>,
    /// Bins read ahead.
    ahead: RefCell<BTreeMap<u16, Vec<Listed>>>,
}

impl<'a> Spread<'a> {
    /// From the state's number of bins to the one `wanted`.
    pub(crate) fn new(state: &'a dyn State, held: BinCount, wanted: BinCount) -> Self {
        Self {
            state,
            held,
            wanted,
            split: RefCell::default(),
            ahead: RefCell::default(),
        }
    }

    /// Reads some bins at once that will be asked for, in place of those read before.
    pub(crate) fn read_ahead(&self, bins: &[BinIndex]) -> Result<(), RepositoryError> {
        if self.held.bit_length() == self.wanted.bit_length() {
            let bins: Vec<u16> = bins.iter().map(|bin| bin.get()).collect();
            *self.ahead.borrow_mut() = self.state.bins_targets(&bins)?;
        }
        Ok(())
    }

    /// The targets of a bin of the wanted number, in path order.
    pub(crate) fn targets(&self, bin: BinIndex) -> Result<Vec<Listed>, RepositoryError> {
        let (held, wanted) = (self.held.bit_length(), self.wanted.bit_length());
        if held == wanted {
            if let Some(read) = self.ahead.borrow_mut().remove(&bin.get()) {
                return Ok(read);
            }
            return self.state.bin_targets(bin.get());
        }
        // Bins are the first bits of a hash, so the fewer ones hold whole ones of the more.
        if held > wanted {
            let spare = held - wanted;
            let first = u32::from(bin.get()) << spare;
            let mut all = Vec::new();
            for one in first..first + (1 << spare) {
                let one = u16::try_from(one).unwrap_or(u16::MAX);
                all.extend(self.state.bin_targets(one)?);
            }
            all.sort_unstable_by(|one, other| one.0.cmp(&other.0));
            return Ok(all);
        }
        let whole = bin.get() >> (wanted - held);
        let mut split = self.split.borrow_mut();
        if split.0 != Some(whole) {
            let mut parts: BTreeMap<u16, Vec<Listed>> = BTreeMap::new();
            for target in self.state.bin_targets(whole)? {
                let part = self.wanted.bin_of(&target.0.hash()).get();
                parts.entry(part).or_default().push(target);
            }
            *split = (Some(whole), parts);
        }
        Ok(split.1.remove(&bin.get()).unwrap_or_default())
    }
}

impl Repository {
    /// The online keys of every root published so far, read from the store and verified as a chain that
    /// ends with the root of the state. Nothing if the store has lost or altered one: then no role can
    /// leave.
    pub(crate) fn former_keys(&self) -> Result<Option<FormerKeys>, RepositoryError> {
        let known = self.roles_by_name()?;
        let Some(newest) = known.get(&Role::Root) else {
            return Ok(Some(FormerKeys::default()));
        };
        let read = |version| {
            let name = Role::Root.versioned_file_name(version);
            let path = StorePath::metadata(&name)?;
            self.store.get(&path, self.rules().limits.root).ok()?
        };
        let roots = || {
            let mut roots: Vec<Root> = Vec::new();
            let mut version = metadata::Version::FIRST;
            let mut file = read(version)?;
            let mut chain = RootChain::pinned(&file, self.rules()).ok()?;
            loop {
                roots.push(Root::parse(Wire::parse(&file, usize::MAX).ok()?.signed).ok()?);
                if version == newest.version {
                    break;
                }
                version = version.next().ok()?;
                file = read(version)?;
                chain = chain.advance(&file).ok()?;
            }
            (Sha256::of(&file) == newest.sha256).then(|| FormerKeys::of(&roots))
        };
        let former = roots();
        if former.is_none() {
            tracing::warn!(
                "the roots published so far cannot be read: no role can leave the snapshot"
            );
        }
        Ok(former)
    }
}
