//! Values that are each allowed, but not together.

use chrono::TimeDelta;

use crate::duration::write_duration;

/// Two values of a policy that cannot both hold.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Contradiction {
    /// More signatures asked for than there are keys (TUF 4.3 THRESHOLD).
    #[error("role {role} needs {threshold} signatures but has {keys} keys")]
    ThresholdAboveKeys {
        /// The role.
        role: &'static str,
        /// Signatures asked for.
        threshold: u32,
        /// Keys there are.
        keys: u32,
    },
    /// More signatures than clients read, so that a fully signed file would be refused.
    #[error("role {role} can carry {needed} signatures but client.signatures = {signatures}")]
    TooManySignatures {
        /// The role.
        role: &'static str,
        /// Signatures of a file signed by all keys; for root, by those of two versions (TUF 6.1).
        needed: u32,
        /// Signatures that `client.signatures` allows.
        signatures: u32,
    },
    /// Keys kept where the role's keys must not be (PEP 458 "Managing offline keys").
    #[error("keys of role {role} must be {required}")]
    KeyKind {
        /// The role.
        role: &'static str,
        /// Where they belong: `offline` or `online`.
        required: &'static str,
    },
    /// A number of bins that no hash prefix divides evenly.
    #[error("index.bins = {bins} is not a power of two")]
    BinsNotPowerOfTwo {
        /// The number.
        bins: u32,
    },
    /// A role that will be larger than the repository publishes, given `index`.
    #[error("{role} will have about {bytes} bytes with {bins} bins, more than {limit} of {key}")]
    RoleTooLarge {
        /// The role.
        role: &'static str,
        /// Its expected size.
        bytes: u64,
        /// The number of bins it follows from.
        bins: u32,
        /// The limit.
        limit: u64,
        /// The key that sets the limit.
        key: &'static str,
    },
    /// The repository would publish what the clients in use refuse.
    #[error("{key} = {bytes}, but clients in use read at most {clients} bytes")]
    AboveClientsInUse {
        /// The key.
        key: &'static str,
        /// Its value.
        bytes: u64,
        /// What clients read.
        clients: u64,
    },
    /// The repository would publish what a client of this same policy refuses.
    #[error("{key} = {bytes}, but {client_key} = {client}")]
    AboveOwnClient {
        /// The key of the repository.
        key: &'static str,
        /// Its value.
        bytes: u64,
        /// The key of the client.
        client_key: &'static str,
        /// Its value.
        client: u64,
    },
    /// A lookup visits more roles than the client allows (TUF 5.6.7.1).
    #[error("a lookup visits up to {roles} roles, but client.delegations = {delegations}")]
    WalkTooLong {
        /// Roles visited.
        roles: u32,
        /// Roles allowed.
        delegations: u32,
    },
    /// Alarms that do not grow more urgent from first to last.
    #[error("online.offline_alarms must fall, but {} follows {}", text(*after), text(*before))]
    AlarmsNotFalling {
        /// The earlier entry.
        before: TimeDelta,
        /// The one after it, which is not shorter.
        after: TimeDelta,
    },
    /// An alarm that would ring from the day the role is signed.
    #[error("alarm at {} is not within the {} that role {role} lives", text(*alarm), text(*lifetime))]
    AlarmOutlivesRole {
        /// The alarm.
        alarm: TimeDelta,
        /// The role.
        role: &'static str,
        /// Its lifetime.
        lifetime: TimeDelta,
    },
    /// A batch that may wait past the time at which the timestamp is due again.
    #[error("online.batch_wait = {}, but timestamp is due {} before it expires", text(*wait), text(*renewal))]
    BatchOutlivesTimestamp {
        /// How long a batch waits.
        wait: TimeDelta,
        /// Time left to timestamp when it is renewed.
        renewal: TimeDelta,
    },
    /// A role that could hide claims for too long where developers sign.
    #[error("role {role} lives {}, but at most {} where developers sign", text(*lifetime), text(*limit))]
    ClaimsHidden {
        /// The role.
        role: &'static str,
        /// Its lifetime.
        lifetime: TimeDelta,
        /// The longest lifetime allowed.
        limit: TimeDelta,
    },
}

/// `duration` as a policy file has it.
fn text(duration: TimeDelta) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = write_duration(&mut text, duration);
    text
}
