//! Reads policy files into typed roles, thresholds, lifetimes and limits. Pure.
//!
//! Every number the programs go by stands in one reviewable TOML file, with the clause it comes
//! from beside it; nothing else in the workspace decides a threshold, a lifetime or a limit. The
//! reader is strict: a key it does not know, a key left out, a wrong type or two values that
//! cannot both hold are errors that name the key, so a policy never means less than it says.
//!
//! The files and the reasons for their values are in the folder `policy/`.

mod attestation;
mod built_in;
mod check;
mod claims;
mod client;
mod contradiction;
mod duration;
mod error;
mod index;
mod intake;
mod keys;
mod online;
mod proxy;
mod reader;
mod repository;
mod roles;
mod signers;
mod source;
mod state;
mod store;
mod values;

pub use attestation::Attestation;
pub use claims::{Claims, LOST_KEYS_WAIT, MAX_CLAIM_LIFETIME};
pub use client::ClientLimits;
pub use contradiction::Contradiction;
pub use duration::{DurationError, DurationText};
pub use error::PolicyError;
pub use index::{Bins, Encoding, EncodingChoice, IndexPolicy, MAX_BINS, TargetProfile};
pub use intake::IntakeLimits;
pub use keys::{Kdf, KeyPolicy, Scheme};
pub use online::{DeltaPolicy, OnlinePolicy, Retention};
pub use proxy::ProxyLimits;
pub use repository::RepositoryLimits;
pub use roles::{KeyKind, RolePolicy, Roles};
pub use signers::SignerLimits;
pub use state::StateLimits;
pub use store::StoreLimits;

use reader::Section;

/// Longest policy text that is read, in bytes. The shipped files have about 7,000.
pub const MAX_POLICY_BYTES: usize = 65_536;

/// One policy, read and checked: no two of its values contradict each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// What the policy is called: lower-case ASCII letters, digits and `-`, at most 64 bytes.
    pub name: String,
    /// What becomes a target, and how targets are spread over bins.
    pub index: IndexPolicy,
    /// Keys, thresholds and lifetimes of the roles of PEP 458.
    pub roles: Roles,
    /// The roles of PEP 480, where developers sign; `None` where only the index does.
    pub claims: Option<Claims>,
    /// When the online cycle signs again, and when it warns.
    pub online: OnlinePolicy,
    /// How long what nobody should need any more is kept.
    pub retention: Retention,
    /// Deltas between snapshots; `None` where the plain snapshots are small enough.
    pub deltas: Option<DeltaPolicy>,
    /// What a client refuses to read, follow or wait for.
    pub client: ClientLimits,
    /// What the repository refuses to publish.
    pub repository: RepositoryLimits,
    /// Which keys may sign, and how key files are encrypted.
    pub keys: KeyPolicy,
    /// How long keys outside files are waited for, and how hard they are asked.
    pub signers: SignerLimits,
    /// How a store in a bucket is written, and how long its answers are waited for.
    pub store: StoreLimits,
    /// How long a state on a database server is waited for, and how long a signer stays the one writer.
    pub state: StateLimits,
    /// What the intake over HTTP takes, from whom how much.
    pub intake: IntakeLimits,
    /// What a verifying proxy bears with, waits for and keeps.
    pub proxy: ProxyLimits,
    /// Whose word counts that an offline key was made in hardware; `None` for nobody's.
    pub attestation: Option<Attestation>,
}

impl Policy {
    /// Reads a policy file.
    ///
    /// A key that is unknown, missing or of the wrong type is refused with its path and line;
    /// values that contradict each other are refused as [`PolicyError::Contradiction`].
    pub fn parse(text: &str) -> Result<Self, PolicyError> {
        if text.len() > MAX_POLICY_BYTES {
            return Err(PolicyError::TooLong {
                bytes: text.len(),
                limit: MAX_POLICY_BYTES,
            });
        }
        let table = source::parse(text)?;
        let policy = Self::read(&Section::document(text, table.get_ref(), KEYS)?)?;
        check::check(&policy)?;
        Ok(policy)
    }

    /// The policy shipped under `name`: `small-index` (the default), `pep458` or `rehearsal`.
    #[must_use]
    pub fn built_in(name: &str) -> Option<Self> {
        // That each shipped file parses is held by `tests/files.rs`.
        Self::parse(built_in::text(name)?).ok()
    }

    /// The text of the policy shipped under `name`, comments included, to start one's own from.
    #[must_use]
    pub fn built_in_text(name: &str) -> Option<&'static str> {
        built_in::text(name)
    }

    /// The names that [`Policy::built_in`] knows, the default first.
    pub fn built_in_names() -> impl Iterator<Item = &'static str> {
        built_in::FILES.iter().map(|(name, _)| *name)
    }

    fn read(document: &Section<'_>) -> Result<Self, PolicyError> {
        Ok(Self {
            name: document.name("name")?,
            index: IndexPolicy::read(&document.section("index", index::KEYS)?)?,
            roles: Roles::read(&document.section("roles", roles::KEYS)?)?,
            claims: document
                .optional_section("claims", claims::KEYS)?
                .map(|section| Claims::read(&section))
                .transpose()?,
            online: OnlinePolicy::read(&document.section("online", online::KEYS)?)?,
            retention: Retention::read(&document.section("retention", online::RETENTION_KEYS)?)?,
            deltas: document
                .optional_section("deltas", online::DELTA_KEYS)?
                .map(|section| DeltaPolicy::read(&section))
                .transpose()?,
            client: ClientLimits::read(&document.section("client", client::KEYS)?)?,
            repository: RepositoryLimits::read(&document.section("repository", repository::KEYS)?)?,
            keys: KeyPolicy::read(&document.section("keys", keys::KEYS)?)?,
            signers: document
                .optional_section("signers", signers::KEYS)?
                .map(|section| SignerLimits::read(&section))
                .transpose()?
                .unwrap_or_default(),
            store: document
                .optional_section("store", store::KEYS)?
                .map(|section| StoreLimits::read(&section))
                .transpose()?
                .unwrap_or_default(),
            state: document
                .optional_section("state", state::KEYS)?
                .map(|section| StateLimits::read(&section))
                .transpose()?
                .unwrap_or_default(),
            intake: document
                .optional_section("intake", intake::KEYS)?
                .map(|section| IntakeLimits::read(&section))
                .transpose()?
                .unwrap_or_default(),
            proxy: document
                .optional_section("proxy", proxy::KEYS)?
                .map(|section| ProxyLimits::read(&section))
                .transpose()?
                .unwrap_or_default(),
            attestation: document
                .optional_section("attestation", attestation::KEYS)?
                .map(|section| Attestation::read(&section))
                .transpose()?,
        })
    }
}

/// The keys of the whole document.
const KEYS: &[&str] = &[
    "name",
    "index",
    "roles",
    "claims",
    "online",
    "retention",
    "deltas",
    "client",
    "repository",
    "keys",
    "signers",
    "store",
    "state",
    "intake",
    "proxy",
    "attestation",
];
