//! One file for each thing that can be asked.

pub(crate) mod changes;
pub(crate) mod fate;
mod headers;
pub(crate) mod service;

pub use changes::{DISTRIBUTION, EDITS, TRANSACTION};
