//! What the service knows: keys, aliases, policies, faults to come, and what it was asked.

use std::collections::BTreeMap;
use std::time::Instant;

use crate::answer::Refusal;
use crate::fault::Fault;
use crate::keys::{KeySpec, KeyState, Material};

/// The one region the double stands in.
pub const REGION: &str = "eu-central-1";
/// The one account it knows.
pub const ACCOUNT: &str = "111122223333";

/// Operations that are implemented.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Reads the public key and its kind.
    GetPublicKey,
    /// Signs a digest or a short message.
    Sign,
    /// Reads state and kind.
    DescribeKey,
}

/// One request that passed authentication.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// What was asked for.
    pub action: Action,
    /// The key as the caller named it.
    pub key: String,
    /// `RAW` or `DIGEST`; empty unless signing.
    pub message_type: String,
    /// Bytes to be signed; zero unless signing.
    pub message_length: usize,
    /// Whose credentials signed the request.
    pub access_key: String,
}

/// An access key the service accepts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credentials {
    /// Sent with each request.
    pub access_key: String,
    /// Never sent; signs each request.
    pub secret_key: String,
    /// Sent with each request, for temporary credentials.
    pub session_token: Option<String>,
}

#[derive(Default)]
pub(crate) struct State {
    pub(crate) keys: BTreeMap<String, Key>,
    pub(crate) aliases: BTreeMap<String, String>,
    pub(crate) denied: Vec<Action>,
    pub(crate) faults: Vec<Injected>,
    pub(crate) calls: Vec<Call>,
    pub(crate) credentials: Vec<Credentials>,
    pub(crate) rate: Option<Rate>,
    /// Requests being answered, and the most there were.
    pub(crate) under_way: usize,
    pub(crate) peak: usize,
}

pub(crate) struct Key {
    pub(crate) arn: String,
    pub(crate) spec: KeySpec,
    pub(crate) state: KeyState,
    pub(crate) material: std::sync::Arc<Material>,
}

pub(crate) struct Injected {
    pub(crate) action: Action,
    pub(crate) fault: Fault,
    pub(crate) left: u32,
}

/// A token bucket: refills steadily, bursts of a tenth of a second.
pub(crate) struct Rate {
    per_second: f64,
    tokens: f64,
    filled: Instant,
}

impl Action {
    pub(crate) fn from_target(target: &str) -> Option<Self> {
        match target {
            "TrentService.GetPublicKey" => Some(Self::GetPublicKey),
            "TrentService.Sign" => Some(Self::Sign),
            "TrentService.DescribeKey" => Some(Self::DescribeKey),
            _ => None,
        }
    }

    pub(crate) fn permission(self) -> &'static str {
        match self {
            Self::GetPublicKey => "kms:GetPublicKey",
            Self::Sign => "kms:Sign",
            Self::DescribeKey => "kms:DescribeKey",
        }
    }
}

impl State {
    /// The next fault that was asked for, if any.
    pub(crate) fn take_fault(&mut self, action: Action) -> Option<Fault> {
        if self.rate.as_mut().is_some_and(|rate| !rate.admits()) {
            return Some(Fault::THROTTLE);
        }
        let injected = self
            .faults
            .iter_mut()
            .find(|injected| injected.action == action && injected.left > 0)?;
        injected.left -= 1;
        Some(injected.fault.clone())
    }

    /// Finds a key by id, ARN, alias or alias ARN. Key ARNs of other regions exist nowhere.
    pub(crate) fn key(&self, named: &str) -> Result<&Key, Refusal> {
        let local = match named.strip_prefix("arn:") {
            None => named,
            Some(rest) => {
                let here = format!("aws:kms:{REGION}:{ACCOUNT}:");
                let local = rest.strip_prefix(&here).ok_or_else(|| {
                    let region = rest.split(':').nth(2).unwrap_or_default();
                    Refusal::not_found(format!("Invalid arn {region}"))
                })?;
                local.strip_prefix("key/").unwrap_or(local)
            }
        };
        let id = self.aliases.get(local).map_or(local, String::as_str);
        self.keys.get(id).ok_or_else(|| {
            let kind = if local.starts_with("alias/") {
                "Alias"
            } else {
                "Key"
            };
            Refusal::not_found(format!("{kind} '{}' does not exist", arn(local)))
        })
    }
}

pub(crate) fn arn(local: &str) -> String {
    let kind = if local.starts_with("alias/") {
        ""
    } else {
        "key/"
    };
    format!("arn:aws:kms:{REGION}:{ACCOUNT}:{kind}{local}")
}

impl Rate {
    pub(crate) fn new(per_second: u32) -> Self {
        Self {
            per_second: f64::from(per_second),
            tokens: 1.0,
            filled: Instant::now(),
        }
    }

    fn admits(&mut self) -> bool {
        let burst = (self.per_second / 10.0).max(1.0);
        let refill = self.filled.elapsed().as_secs_f64() * self.per_second;
        self.filled = Instant::now();
        self.tokens = (self.tokens + refill).min(burst);
        let admitted = self.tokens >= 1.0;
        if admitted {
            self.tokens -= 1.0;
        }
        admitted
    }
}
