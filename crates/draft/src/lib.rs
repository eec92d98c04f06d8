//! What is about to be signed: drafts, the rules they must pass, differences in words, and the plan of
//! an online cycle. Shared by the ceremony and the online signer. Pure.
//!
//! `Draft → Linted → Signed`: nothing can be signed that was not linted, and nothing is called signed
//! before its own signatures have been counted by `trust`.

mod claimed;
mod claims_export;
mod difference;
mod draft;
mod former;
mod head_room;
mod layout;
pub mod lints;
mod plan;
mod shard_change;
mod signed;
mod stagger;

pub use claimed::{
    CLAIMED, ClaimedShard, claimed_role, delegate_claimed, delegated_projects, is_claimed_shard,
};
pub use claims_export::{ClaimsExport, Evidence, ExportedClaim, RegisteredKeys};
pub use difference::{Change, difference};
pub use draft::{Draft, DraftDocument, Linted, Refused, Setting, Unsigned};
pub use former::FormerKeys;
pub use head_room::{ENTRY_BYTES, snapshot_bytes_with, snapshot_growth};
pub use layout::{
    BINS_PREFIX, BinLayout, DelegatedProject, RECENTLY_CLAIMED, bins_role,
    delegate_recently_claimed, first_root, projects_role, top_targets,
};
pub use lints::{Finding, Rule, is_bin};
pub use plan::{Head, NeedOfSignature, Pending, Plan, Reason, RoleState, plan};
pub use shard_change::{
    ProjectChange, REGISTRATIONS, ShardFlaw, bind_registrations, registrations_of, shard_changes,
};
pub use signed::{Signed, SignedFile};
pub use stagger::first_bin_expiry;
