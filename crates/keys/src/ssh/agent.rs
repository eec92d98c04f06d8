//! Signing with a key an ssh-agent holds. An agent signs the bytes it is given, so its `ssh-ed25519`
//! signatures are TUF's `ed25519` signatures.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use metadata::{KeyId, PublicKey, Sha256, Signature};

use super::connection::{Connection, Identity};
use super::public_key;
use crate::file_key::unusable;
use crate::uri::fingerprint_text;
use crate::{AgentError, AgentKey, KeyError, KeyUri, SignatureCheck, Signer};

/// One key of an ssh-agent.
pub(crate) struct AgentSigner {
    name: String,
    socket: PathBuf,
    timeout: Duration,
    blob: Vec<u8>,
    algorithm: String,
    public: PublicKey,
    keyid: KeyId,
    check: SignatureCheck,
    /// The agent is asked for one signature at a time; what broke is opened again.
    connection: Mutex<Option<Connection>>,
}

impl AgentSigner {
    /// Looks for the key in the agent that listens at `socket`.
    pub(crate) fn open(
        key: &AgentKey,
        socket: Option<&Path>,
        timeout: Duration,
    ) -> Result<Self, KeyError> {
        let name = KeyUri::SshAgent(key.clone()).to_string();
        let failed = |source| agent_error(&name, source);
        let socket = socket.ok_or_else(|| failed(AgentError::NoSocket))?;
        let mut connection = Connection::open(socket, timeout).map_err(failed)?;
        let held = connection.identities().map_err(failed)?;
        let (blob, algorithm) = select(key, held).map_err(failed)?;
        let numbers = public_key::numbers(&blob).ok_or_else(|| failed(AgentError::Malformed))?;
        let public = numbers.to_listed().map_err(|flaw| unusable(&name, flaw))?;
        let check = SignatureCheck::new(&public).map_err(|flaw| unusable(&name, flaw))?;
        Ok(Self {
            socket: socket.to_owned(),
            timeout,
            blob,
            algorithm,
            keyid: public.id(),
            check,
            public,
            connection: Mutex::new(Some(connection)),
            name,
        })
    }

    /// Asks over the connection there is; one that broke since, because the agent was started
    /// anew, is replaced once.
    fn ask(&self, message: &[u8]) -> Result<Vec<u8>, AgentError> {
        let mut kept = self
            .connection
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(mut connection) = kept.take() {
            match connection.sign(&self.blob, message) {
                Err(AgentError::Io { .. }) => {}
                // After these the two sides still agree where a message begins.
                outcome @ (Ok(_) | Err(AgentError::Refused | AgentError::Document { .. })) => {
                    *kept = Some(connection);
                    return outcome;
                }
                outcome => return outcome,
            }
        }
        let mut connection = Connection::open(&self.socket, self.timeout)?;
        let outcome = connection.sign(&self.blob, message);
        if outcome.is_ok() {
            *kept = Some(connection);
        }
        outcome
    }
}

impl Signer for AgentSigner {
    fn public_key(&self) -> &PublicKey {
        &self.public
    }

    fn key_id(&self) -> &KeyId {
        &self.keyid
    }

    fn sign(&self, message: &[u8]) -> Result<Signature, KeyError> {
        let blob = self
            .ask(message)
            .map_err(|source| agent_error(&self.name, source))?;
        let bytes = public_key::signature(&blob, &self.algorithm)
            .ok_or_else(|| agent_error(&self.name, AgentError::Malformed))?;
        self.check.accept(self, message, bytes)
    }

    fn describe(&self) -> String {
        self.name.clone()
    }
}

impl fmt::Debug for AgentSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AgentSigner({}, {})", self.name, self.keyid)
    }
}

pub(super) fn agent_error(key: &str, source: AgentError) -> KeyError {
    KeyError::Agent {
        key: key.to_owned(),
        source,
    }
}

/// Finds the one key that is meant, and sees that its signatures are of a TUF scheme.
fn select(key: &AgentKey, held: Vec<Identity>) -> Result<(Vec<u8>, String), AgentError> {
    let count = held.len();
    let digest = |blob: &[u8]| *Sha256::of(blob).as_bytes();
    let mut found: Vec<Identity> = held
        .into_iter()
        .filter(|identity| match key {
            AgentKey::Fingerprint(wanted) => digest(&identity.blob) == *wanted,
            AgentKey::Comment(comment) => identity.comment == *comment,
        })
        .collect();
    if found.len() > 1 {
        let print = |identity: &Identity| fingerprint_text(&digest(&identity.blob));
        return Err(AgentError::Ambiguous {
            fingerprints: found.iter().map(print).collect(),
        });
    }
    let Identity { blob, .. } = found.pop().ok_or(AgentError::NotFound { held: count })?;
    let algorithm = public_key::algorithm(&blob).ok_or(AgentError::Malformed)?;
    match algorithm.as_str() {
        public_key::ED25519 | public_key::P256 => Ok((blob, algorithm)),
        // `sk-ssh-ed25519@openssh.com`, `sk-ecdsa-sha2-nistp256@openssh.com` and certificates of
        // them.
        name if name.starts_with("sk-") => Err(AgentError::SecurityKey { algorithm }),
        _ => Err(AgentError::Algorithm { algorithm }),
    }
}
