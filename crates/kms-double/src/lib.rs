//! A strict stand-in for AWS KMS on loopback: `GetPublicKey`, `Sign` and `DescribeKey` as the service
//! answers them, with the rules that emulators leave out and faults on demand. For tests only.
//!
//! It was written from AWS's documentation and the SDK's model; no real KMS was asked. What it
//! enforces: AWS request signatures with their region, service and session token; messages of 1 to 4,096
//! bytes; DIGEST of exactly the hash's length; Ed25519 only RAW; key usage, key state, key policy.
// A double that is asked for what cannot be has to stop the test that asked.
#![allow(clippy::missing_panics_doc)]

mod ambient;
mod answer;
mod fault;
mod http;
mod keys;
mod operations;
mod server;
mod service;
mod sigv4;
mod state;
mod tls;

pub use ambient::{CONTAINER_PATH, CONTAINER_TOKEN, WEB_IDENTITY_TOKEN};
pub use fault::Fault;
pub use keys::{KeySpec, KeyState};
pub use server::KmsDouble;
pub use state::{ACCOUNT, Action, Call, Credentials, REGION};
