//! Decides what may be believed. The only maker of [`Verified`].
//!
//! Pure: bytes and the time are arguments. The order of a client update is in the types of
//! [`session`]; the one place where signatures are counted and trust is made is `verified.rs`; who
//! speaks for a path is decided in `lookup.rs`.

mod lookup;
mod rejection;
mod rules;
pub mod session;
mod verified;
mod walked;

pub use lookup::{Answer, Edge, Failure, Lookup, Step, TargetCheck, VerifiedTarget};
pub use rejection::{Mismatch, Rejection};
pub use rules::{Dialect, Limits, Rules};
pub use session::{Held, Request, RootChain, Rooted, Snapped, Timed};
pub use verified::{Authority, Envelope, Tally, Verified, tally};
pub use walked::{Accepted, Walked};
