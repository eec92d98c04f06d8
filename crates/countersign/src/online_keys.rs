//! Opens the keys that sign timestamp, snapshot and bins.

use std::sync::Arc;

use ceremony::key_command::{Edge, NamesKeys, PassphraseArgs, Reach, ReachArgs, Source, one_each};
use keys::{KeyUri, Signer};
use keys_kms::KmsOpener;
use policy::SignerLimits;
use repository::OnlineSigners;

use crate::config::{Config, Given};
use crate::console::Console;
use crate::data_dir::DataDir;
use crate::failure::{Failure, UsageError};
use crate::key_service::KmsArgs;
use crate::places;
use crate::progress::Progress;

/// Which keys sign online.
#[derive(Clone, Debug, Default, clap::Args)]
pub(crate) struct OnlineKeyArgs {
    /// Key that signs online, such as `file:PATH`, `pkcs11:…` or `awskms:…`; several may sign,
    /// separated by commas
    #[arg(
        long,
        value_name = "URI",
        value_delimiter = ',',
        env = "COUNTERSIGN_ONLINE_KEY",
        value_parser = NamesKeys::<KeyUri>::parser()
    )]
    pub(crate) online_key: Vec<KeyUri>,

    #[command(flatten)]
    pub(crate) passphrases: PassphraseArgs,

    #[command(flatten)]
    pub(crate) reach: ReachArgs,

    #[command(flatten)]
    pub(crate) kms: KmsArgs,
}

impl OnlineKeyArgs {
    /// The keys given, in full, so that they mean the same later.
    pub(crate) fn keys_in_full(&self) -> Vec<KeyUri> {
        let reach = self.reach.reach();
        self.online_key
            .iter()
            .map(|key| reach.in_full(key))
            .collect()
    }
}

/// Hands out what this program brings to opening keys: the keys that need a network, and the log.
pub(crate) fn with_edge<T>(kms: &KmsOpener, then: impl FnOnce(&Edge<'_>) -> T) -> T {
    then(&Edge {
        openers: &[kms],
        child_log: Some(|key, line| tracing::info!("{key}: {line}")),
        warn: &|warning| tracing::warn!("{warning}: `{}`", warning.remedy("countersign")),
    })
}

/// The limits that the policy of an index sets for its signers.
pub(crate) fn limits(data_dir: &DataDir) -> Result<SignerLimits, Failure> {
    Ok(places::open(data_dir)?.settings().policy.signers)
}

/// Opens the keys that the command line, the environment or the settings of the index name.
pub(crate) fn open(
    data_dir: &DataDir,
    args: &OnlineKeyArgs,
    limits: &SignerLimits,
    console: &Console,
) -> Result<OnlineSigners, Failure> {
    let config = Config::load(data_dir)?.with(&Given::from(args));
    let keys = &config.online_keys.value;
    if keys.is_empty() {
        let path = data_dir.path().to_owned();
        return Err(Failure::NoOnlineKey { path });
    }
    let given = &config.passphrases.value;
    let sources = one_each(given, keys.len()).ok_or(UsageError::Passphrases {
        keys: keys.len(),
        sources: given.len(),
    })?;
    let reach = args.reach.reach().within(limits);
    let kms = args.kms.opener(limits);
    let progress = Progress::steps(console, keys.len(), "opening keys");
    let mut signers: Vec<Arc<dyn Signer>> = Vec::new();
    for (key, source) in keys.iter().zip(&sources) {
        signers.push(open_key(key, source, &reach, &kms)?);
        progress.step();
    }
    Ok(OnlineSigners::new(signers))
}

/// Opens one key and passes on what deserves attention about it.
pub(crate) fn open_key(
    key: &KeyUri,
    source: &Source,
    reach: &Reach,
    kms: &KmsOpener,
) -> Result<Arc<dyn Signer>, Failure> {
    let opened = with_edge(kms, |edge| reach.open(key, source, edge))?;
    Ok(Arc::from(opened.signer))
}
