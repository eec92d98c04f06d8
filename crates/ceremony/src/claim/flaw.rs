//! Why a claim cannot be planned as asked.

use index::ProjectName;
use metadata::MetadataError;

/// What is in the way of a plan.
#[derive(Debug, thiserror::Error)]
pub enum ClaimPlanFlaw {
    /// The policy has no place for developers.
    #[error("the policy has no table `claims`: developers cannot sign on this index")]
    NobodySigns,
    /// Not what an index writes.
    #[error("the claims are not what `countersign index claims export` writes")]
    Export(#[source] MetadataError),
    /// The policy has fewer shards.
    #[error("the policy has no shard `{0}`")]
    NoSuchShard(String),
    /// The policy has another number of shards than the index.
    #[error("the published `claimed` has shards that the policy does not have")]
    OtherShards,
    /// Nothing could be moved.
    #[error("no project waits to be moved")]
    NothingWaits,
    /// One event is for one shard.
    #[error(
        "one event is for one shard, and projects wait for several: {}",
        .0.iter().map(|(name, count)| format!("{name} ({count})")).collect::<Vec<_>>().join(", ")
    )]
    Several(Vec<(String, usize)>),
    /// Of another shard than the event.
    #[error("{project} belongs to another shard than this event")]
    OtherShard {
        /// The project.
        project: ProjectName,
    },
    /// Of a project, something is not so.
    #[error("{project}: {why}")]
    Project {
        /// The project.
        project: ProjectName,
        /// What is not so.
        why: &'static str,
    },
    /// The snapshot would be larger than the policy reserves for it, and clients could refuse it.
    #[error(
        "with the roles that this event adds the snapshot would have up to {needed} bytes, more than the \
         {limit} of `repository.snapshot_bytes`"
    )]
    NoRoom {
        /// Bytes of the snapshot at most.
        needed: u64,
        /// The limit.
        limit: u64,
    },
    /// The first claim brings the roles, and so their keys.
    #[error("nothing is claimed yet: say who will sign `claimed` and who its shards")]
    KeysMissing,
    /// Later claims keep the keys.
    #[error("`claimed` has its keys already")]
    KeysGiven,
}
