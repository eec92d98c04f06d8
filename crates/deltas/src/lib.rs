//! Snapshot deltas: a client that holds a snapshot fetches what the new one differs in, a hundredth of its
//! bytes (decision 0021).
//!
//! A delta is one zstd frame (RFC 8878) with the whole old snapshot as its prefix; `zstd --patch-from`
//! writes and reads the same. The timestamp lists the deltas to its snapshot by length and SHA-256, in a member that TUF
//! leaves to applications (TUF 4.1), so that nothing reaches the decompressor that the timestamp's keys did not
//! sign. What comes out counts as any fetched snapshot does: not before it is verified. Pure.

mod frame;
mod listed;

pub use frame::{DeltaError, apply, make};
pub use listed::{Listed, MEMBER, file_name, list, listed, listed_from};
