//! `plan rebin`.

use countersign_ceremony::{Event, KeyChange};
use draft::BinLayout;
use index::BinCount;
use policy::{Encoding, Policy};

use super::rotate::Base;
use super::{Done, HolderFile, held, policy_of};

#[derive(Debug, clap::Args)]
pub(super) struct Rebin {
    #[command(flatten)]
    base: Base,

    /// Number of bins there will be, a power of two
    #[arg(long, value_name = "NUMBER", env = "COUNTERSIGN_BINS")]
    bins: BinCount,

    /// How bins are listed; without it, as the policy has it for so many
    #[arg(long, value_name = "FORM", env = "COUNTERSIGN_ENCODING")]
    #[arg(value_parser = ["path-hash-prefixes", "succinct"])]
    encoding: Option<String>,

    /// A new online key, never used before: signs every bin and the snapshot, and the timestamp if
    /// that has no other
    #[arg(long, value_name = "NAME=FILE", required = true, value_delimiter = ',')]
    #[arg(env = "COUNTERSIGN_ONLINE_KEY")]
    online_key: Vec<HolderFile>,

    /// A new online key of the timestamp alone
    #[arg(long, value_name = "NAME=FILE", value_delimiter = ',')]
    #[arg(env = "COUNTERSIGN_TIMESTAMP_KEY")]
    timestamp_key: Vec<HolderFile>,
}

impl Rebin {
    pub(super) fn run(self) -> Done {
        let snapshot = held(&self.online_key)?;
        let timestamp = if self.timestamp_key.is_empty() {
            snapshot.clone()
        } else {
            held(&self.timestamp_key)?
        };
        let after = self.base.after.as_deref().map(Event::open).transpose()?;
        let policy = policy_of(self.base.policy.as_deref(), after.as_ref())?;
        let layout = BinLayout {
            count: self.bins,
            encoding: self.encoding(&policy),
        };
        let change = KeyChange::Rebin {
            layout,
            snapshot,
            timestamp,
        };
        self.base.plan(change, None)
    }

    /// A policy that cannot be read is reported when the event is planned.
    fn encoding(&self, policy: &str) -> Encoding {
        match self.encoding.as_deref() {
            Some("succinct") => Encoding::Succinct,
            Some(_) => Encoding::PathHashPrefixes,
            None => Policy::parse(policy).map_or(Encoding::PathHashPrefixes, |policy| {
                policy.index.with_bins(self.bins.get()).encoding()
            }),
        }
    }
}
