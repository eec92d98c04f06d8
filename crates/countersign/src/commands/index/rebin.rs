//! `countersign index rebin`: what another number of bins would come to, before a ceremony decides it.

use std::sync::Arc;

use ceremony::key_command::one_each;
use draft::BinLayout;
use index::BinCount;
use keys::{FileKey, KeyType, Signer};
use policy::Encoding;
use repository::{HeadRoom, OnlineSigners, RebinTrial, Repository};
use ring::rand::SystemRandom;
use serde::Serialize;

use crate::cli::JsonArgs;
use crate::clock;
use crate::console::Console;
use crate::data_dir::DataDirArgs;
use crate::failure::{Failure, UsageError};
use crate::online_keys::{OnlineKeyArgs, open_key};
use crate::places;
use crate::progress::Progress;

/// Try another number of bins, for a ceremony that decides it
///
/// Signs every new bin, the snapshot and the timestamp as the cycle after `countersign-ceremony plan
/// rebin` will, shows their sizes and throws them away; nothing is written. It takes online keys that
/// this index has never used: without them the bins of before could not leave the snapshot. Without a
/// key given one is made for the trial. Changes that are queued before the switch stand in the new bins.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Number of bins there would be, a power of two
    #[arg(long, value_name = "NUMBER", env = "COUNTERSIGN_BINS")]
    bins: BinCount,

    /// How bins are listed; without it, as the policy has it for so many
    #[arg(long, value_name = "FORM", env = "COUNTERSIGN_ENCODING")]
    #[arg(value_parser = ["path-hash-prefixes", "succinct"])]
    encoding: Option<String>,

    #[command(flatten)]
    data_dir: DataDirArgs,

    #[command(flatten)]
    new_keys: OnlineKeyArgs,

    #[command(flatten)]
    json: JsonArgs,
}

#[derive(Serialize)]
struct Report {
    from: LayoutReport,
    to: LayoutReport,
    targets: u64,
    largest_bin_bytes: RoomReport,
    bins_role_bytes: RoomReport,
    snapshot_bytes: RoomReport,
    new_keys_tried: usize,
}

#[derive(Serialize)]
struct LayoutReport {
    bins: u32,
    encoding: &'static str,
}

#[derive(Serialize)]
struct RoomReport {
    used: u64,
    limit: u64,
}

pub(crate) fn run(args: &Args, console: &Console) -> Result<(), Failure> {
    let repository = places::open(&args.data_dir.open())?;
    let layout = BinLayout {
        count: args.bins,
        encoding: args.encoding(&repository),
    };
    let signers = args.signers(&repository)?;
    let progress = Progress::spinner(console, "signing every bin for trial");
    let trial = repository.try_rebin(layout, &signers, clock::now())?;
    drop(progress);
    let report = Report::new(&trial, args.new_keys.online_key.len());
    console.report(args.json.json, &report, || report.text())
}

impl Args {
    fn encoding(&self, repository: &Repository) -> Encoding {
        match self.encoding.as_deref() {
            Some("succinct") => Encoding::Succinct,
            Some(_) => Encoding::PathHashPrefixes,
            None => {
                let policy = repository.settings().policy.index;
                policy.with_bins(self.bins.get()).encoding()
            }
        }
    }

    /// The new keys, or one made for the trial. Those of the settings are in use already.
    fn signers(&self, repository: &Repository) -> Result<OnlineSigners, Failure> {
        let keys = self.new_keys.keys_in_full();
        if keys.is_empty() {
            let key = FileKey::generate(KeyType::Ed25519, &SystemRandom::new())?;
            return Ok(OnlineSigners::new(vec![Arc::new(key)]));
        }
        let limits = &repository.settings().policy.signers;
        let given = self.new_keys.passphrases.sources();
        let sources = one_each(&given, keys.len()).ok_or(UsageError::Passphrases {
            keys: keys.len(),
            sources: given.len(),
        })?;
        let reach = self.new_keys.reach.reach().within(limits);
        let kms = self.new_keys.kms.opener(limits);
        let pairs = keys.iter().zip(&sources);
        let signers = pairs.map(|(key, source)| open_key(key, source, &reach, &kms));
        let signers = signers.collect::<Result<Vec<Arc<dyn Signer>>, _>>()?;
        Ok(OnlineSigners::new(signers))
    }
}

impl Report {
    fn new(trial: &RebinTrial, new_keys_tried: usize) -> Self {
        Self {
            from: trial.from.into(),
            to: trial.to.into(),
            targets: trial.targets,
            largest_bin_bytes: trial.largest_bin.into(),
            bins_role_bytes: trial.bins_role.into(),
            snapshot_bytes: trial.snapshot.into(),
            new_keys_tried,
        }
    }

    fn text(&self) -> String {
        let tried = match self.new_keys_tried {
            0 => "a key made for this trial".to_owned(),
            1 => "the new key".to_owned(),
            many => format!("the {many} new keys"),
        };
        format!(
            "{} instead of {}, {} targets; signed for trial with {tried}, nothing was kept\n\
             largest bin {}\nrole bins   {}\nsnapshot    {}\n\
             next: `countersign-ceremony plan rebin EVENT --from PUBLISHED --after LAST-EVENT \
             --bins {} --encoding {} --online-key NAME=FILE`, with keys this index has never used\n",
            self.to.text(),
            self.from.text(),
            self.targets,
            self.largest_bin_bytes.text(),
            self.bins_role_bytes.text(),
            self.snapshot_bytes.text(),
            self.to.bins,
            self.to.encoding,
        )
    }
}

impl From<BinLayout> for LayoutReport {
    fn from(layout: BinLayout) -> Self {
        Self {
            bins: layout.count.get(),
            encoding: match layout.encoding {
                Encoding::PathHashPrefixes => "path-hash-prefixes",
                Encoding::Succinct => "succinct",
            },
        }
    }
}

impl LayoutReport {
    fn text(&self) -> String {
        format!("{} bins ({})", self.bins, self.encoding)
    }
}

impl From<HeadRoom> for RoomReport {
    fn from(room: HeadRoom) -> Self {
        let HeadRoom { used, limit } = room;
        Self { used, limit }
    }
}

impl RoomReport {
    fn text(&self) -> String {
        format!("{} of {} bytes", self.used, self.limit)
    }
}
