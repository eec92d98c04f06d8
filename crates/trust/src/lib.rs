//! Decides what may be believed. The only maker of [`Verified`].
//!
//! Pure: bytes and the time are arguments. The order of a client update is in the types of
//! [`session`]; the one place where signatures are counted and trust is made is `verified.rs`; who
//! speaks for a path is decided in `lookup.rs`.

mod edge;
mod lookup;
mod rejection;
mod rules;
pub mod session;
mod target;
mod verified;
mod walked;

pub use edge::Edge;
pub use lookup::{Answer, Failure, Lookup, Step};
pub use rejection::{Mismatch, Rejection};
pub use rules::{Dialect, Limits, Rules};
pub use session::{Held, Request, RootChain, Rooted, Snapped, Timed};
pub use target::{TargetCheck, VerifiedTarget};
pub use verified::{Authority, Envelope, Tally, Verified, tally, tally_unverified};
pub use walked::{Accepted, Walked};
