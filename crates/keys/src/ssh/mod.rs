//! What OpenSSH has of keys: an agent that signs, and private key files.

mod agent;
mod connection;
pub(crate) mod key_file;
mod list;
mod public_key;
mod wire;

pub(crate) use agent::AgentSigner;
pub use list::{HeldByAgent, list_agent_keys};
