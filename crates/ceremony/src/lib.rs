//! Key ceremonies: offline people sign root, targets, bins and claims, from a folder that tells a stranger
//! everything needed to check it later. No network, no async runtime; `now` is an argument.
//!
//! An event is a folder; copies of it travel between holders:
//!
//! ```text
//! ceremony.toml           what is to be signed, by whom: the one file to review
//! claims.json             who has registered which keys, where projects are claimed
//! policy.toml             the policy in force, frozen by its digest
//! previous/1.root.json …  what is published now, where a ceremony follows another
//! payload/2.root.json …   exactly the bytes to sign (canonical JSON)
//! papers/                 scripts to follow and forms to fill in
//! joins/                  proofs that holders have the keys they gave
//! signatures/             one file per role and key: ROLE.KEYID.json
//! joins/                  proofs that holders have the keys they gave, where they were asked for
//! transcript/             one file per step that somebody took
//! publish-set/            the files for the index, nothing secret in them
//! transcript/             one file per step: who, when, with what, following which steps
//! ```
//!
//! Nothing in it is ever overwritten. A signature is given only after every rule has passed again on
//! the very bytes that are signed.

mod attestation;
mod claim;
mod combine;
mod description;
mod destroy;
mod error;
mod event;
mod exchange;
mod folder;
mod genesis;
mod join;
pub mod key_command;
mod kind;
mod merge;
mod papers;
mod people;
mod published;
mod renew;
mod review;
mod rotate;
mod sign;
mod slot;
mod status;
mod transcript;
mod verify;
mod voucher;

pub use attestation::{AttestationFlaw, Attested, read_chain};
pub use claim::{ClaimPlan, ClaimPlanFlaw, ClaimsReview, ProjectReview, SnapshotRoom};
pub use combine::PublishSet;
pub use description::HeldKey;
pub use error::{CeremonyError, EventFlaw, TooFew};
pub use event::Event;
pub use genesis::GenesisPlan;
pub use join::{Device, Hardware, Invitation, Join, Origin};
pub use kind::{KeyRole, Kind};
pub use papers::{Paper, blank_papers};
pub use people::Turn;
pub use renew::RenewPlan;
pub use review::{NewKey, Review, RoleReview};
pub use rotate::{KeyChange, RotatePlan};
pub use sign::Given;
pub use status::{Standing, Status};
pub use transcript::{Entry, FileDigest, Step, Transcript};
pub use verify::Verdict;
