//! `plan claim`.

use std::path::PathBuf;

use chrono::Utc;
use countersign_ceremony::{ClaimPlan, Event};
use index::ProjectName;

use super::{Done, HolderFile, KeyDesk, policy_of, review};
use crate::cli::files::read_bytes;

/// Largest export that is read: some 100,000 projects.
const MAX_EXPORT: u64 = 100_000_000;

#[derive(Debug, clap::Args)]
pub(super) struct Claim {
    /// Folder to make
    event: PathBuf,

    /// Folder with the published metadata
    #[arg(long, value_name = "FOLDER", env = "COUNTERSIGN_FROM")]
    from: PathBuf,

    /// Earlier event that names the holders of the keys
    #[arg(long, value_name = "EVENT", env = "COUNTERSIGN_AFTER")]
    after: Option<PathBuf>,

    /// Name of a shipped policy, or a policy file; without it, the earlier event's goes on
    #[arg(long, value_name = "NAME|FILE", env = "COUNTERSIGN_POLICY")]
    policy: Option<String>,

    /// What `countersign index claims export` wrote
    #[arg(long, value_name = "FILE", env = "COUNTERSIGN_CLAIMS")]
    claims: PathBuf,

    /// Shard, such as `claimed-03`; without it, the only one that has something to do
    #[arg(long, value_name = "SHARD", env = "COUNTERSIGN_SHARD")]
    shard: Option<String>,

    /// A project to move; without any, all of the shard that can be
    #[arg(long, value_name = "PROJECT", value_delimiter = ',')]
    #[arg(env = "COUNTERSIGN_CLAIM_PROJECT")]
    project: Vec<ProjectName>,

    /// A claimed project that gets the keys registered for it: replaced, removed, lost, or another owner's
    #[arg(long, value_name = "PROJECT", value_delimiter = ',')]
    #[arg(env = "COUNTERSIGN_CLAIM_KEYS_OF")]
    keys_of: Vec<ProjectName>,

    /// A claimed project that the index speaks for again: its files are as safe as the online key then
    #[arg(long, value_name = "PROJECT", value_delimiter = ',')]
    #[arg(env = "COUNTERSIGN_CLAIM_RELEASE")]
    release: Vec<ProjectName>,

    /// The first time: a key of `claimed`, with its holder's name
    #[arg(long, value_name = "HOLDER=FILE", value_delimiter = ',')]
    #[arg(env = "COUNTERSIGN_CLAIMED_KEY")]
    claimed_key: Vec<HolderFile>,

    /// The first time: a key of the shards
    #[arg(long, value_name = "HOLDER=FILE", value_delimiter = ',')]
    #[arg(env = "COUNTERSIGN_CLAIMED_SHARD_KEY")]
    claimed_shard_key: Vec<HolderFile>,

    /// The invitation for which these keys were proved; without it, keys are taken as they are
    #[arg(long, value_name = "FILE", env = "COUNTERSIGN_INVITATION")]
    invitation: Option<PathBuf>,
}

impl Claim {
    pub(super) fn run(self) -> Done {
        let after = self.after.as_deref().map(Event::open).transpose()?;
        let policy = policy_of(self.policy.as_deref(), after.as_ref())?;
        let claims = read_bytes(&self.claims, MAX_EXPORT)?;
        let mut desk = KeyDesk::open(self.invitation.as_deref())?;
        let plan = ClaimPlan {
            policy: &policy,
            now: Utc::now(),
            published: &self.from,
            after: after.as_ref(),
            claims: &claims,
            shard: self.shard.as_deref(),
            projects: &self.project,
            keys: &self.keys_of,
            released: &self.release,
            claimed: desk.held(&self.claimed_key)?,
            claimed_shard: desk.held(&self.claimed_shard_key)?,
        };
        let event = Event::plan_claim(&self.event, &plan)?;
        desk.keep(&event)?;
        review::report(&event)
    }
}
