//! What keys an ssh-agent holds.

use std::path::Path;
use std::time::Duration;

use metadata::{PublicKey, Sha256};

use super::agent::agent_error;
use super::connection::{Connection, Identity};
use super::public_key;
use crate::{AgentError, AgentKey, KeyError};

/// How errors name an agent as a whole.
const AGENT: &str = "ssh-agent:";

/// A key an agent holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldByAgent {
    /// The name that fits this key alone: its fingerprint.
    pub name: AgentKey,
    /// Its comment, as the agent has it; may hold anything.
    pub comment: String,
    /// What SSH calls its type, such as `ssh-ed25519`.
    pub algorithm: String,
    /// The public key, if metadata knows such keys and the agent's signatures by it.
    pub public: Option<PublicKey>,
}

/// Lists the keys of the agent that listens at `socket`.
pub fn list_agent_keys(
    socket: Option<&Path>,
    timeout: Duration,
) -> Result<Vec<HeldByAgent>, KeyError> {
    let list = || -> Result<Vec<_>, AgentError> {
        let socket = socket.ok_or(AgentError::NoSocket)?;
        let held = Connection::open(socket, timeout)?.identities()?;
        held.into_iter().map(listed).collect()
    };
    list().map_err(|source| agent_error(AGENT, source))
}

fn listed(identity: Identity) -> Result<HeldByAgent, AgentError> {
    let Identity { blob, comment } = identity;
    let numbers = public_key::numbers(&blob);
    Ok(HeldByAgent {
        name: AgentKey::Fingerprint(*Sha256::of(&blob).as_bytes()),
        comment,
        algorithm: public_key::algorithm(&blob).ok_or(AgentError::Malformed)?,
        public: numbers.and_then(|numbers| numbers.to_listed().ok()),
    })
}
