//! Whole-system tests: the repository simulator and what the tests share.
// A simulator that is asked for what cannot be has to stop the test that asked.
#![allow(clippy::missing_panics_doc)]

pub mod checker;
pub mod environment;
pub mod faults;
pub mod fuzz_bodies;
pub mod poller;
pub mod postgres;
pub mod preload;
pub mod published;
pub mod s3;
pub mod simulator;
pub mod user;

pub use simulator::{Bend, BinEncoding, Key, Listening, Listing, Server, Simulator, files, role};
pub use user::{SUCCEEDED, User, fails, rejection};
