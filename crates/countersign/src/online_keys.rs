//! Opens the keys that sign timestamp, snapshot and bins.

use std::sync::Arc;

use keys::{KeyUri, LoadOptions, OpenedSigner, Signer};
use repository::OnlineSigners;

use crate::config::{Config, Given};
use crate::console::Console;
use crate::data_dir::DataDir;
use crate::failure::{Failure, UsageError};
use crate::passphrases::{PassphraseArgs, Source};
use crate::progress::Progress;

/// Which keys sign online.
#[derive(Clone, Debug, Default, clap::Args)]
pub(crate) struct OnlineKeyArgs {
    /// Key that signs online, as `file:PATH`; several may sign, separated by commas
    #[arg(
        long,
        value_name = "URI",
        value_delimiter = ',',
        env = "COUNTERSIGN_ONLINE_KEY"
    )]
    pub(crate) online_key: Vec<KeyUri>,

    #[command(flatten)]
    pub(crate) passphrases: PassphraseArgs,
}

/// Opens the keys that the command line, the environment or the settings of the index name.
pub(crate) fn open(
    data_dir: &DataDir,
    args: &OnlineKeyArgs,
    console: &Console,
) -> Result<OnlineSigners, Failure> {
    let config = Config::load(data_dir)?.with(&Given::from(args));
    let keys = &config.online_keys.value;
    if keys.is_empty() {
        let path = data_dir.path().to_owned();
        return Err(Failure::NoOnlineKey { path });
    }
    let sources = one_each(&config.passphrases.value, keys.len())?;
    let progress = Progress::steps(console, keys.len(), "opening keys");
    let mut signers: Vec<Arc<dyn Signer>> = Vec::new();
    for (key, source) in keys.iter().zip(&sources) {
        signers.push(open_key(key, source)?);
        progress.step();
    }
    Ok(OnlineSigners::new(signers))
}

/// Opens one key and passes on what deserves attention about it.
pub(crate) fn open_key(key: &KeyUri, source: &Source) -> Result<Arc<dyn Signer>, Failure> {
    let OpenedSigner { signer, warnings } = key.open(source, LoadOptions::default())?;
    for warning in warnings {
        tracing::warn!("{warning}");
    }
    Ok(Arc::from(signer))
}

/// A source for each key: the one there is for all, or one each; without any, the terminal.
fn one_each(sources: &[Source], keys: usize) -> Result<Vec<Source>, UsageError> {
    match sources {
        [] => Ok(vec![Source::Terminal; keys]),
        [one] => Ok(vec![one.clone(); keys]),
        each if each.len() == keys => Ok(each.to_vec()),
        others => Err(UsageError::Passphrases {
            keys,
            sources: others.len(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_source_for_all_or_one_for_each() {
        let file = |name: &str| Source::File(name.into());
        assert_eq!(one_each(&[], 1), Ok(vec![Source::Terminal]));
        assert_eq!(one_each(&[file("a")], 2), Ok(vec![file("a"), file("a")]));
        let two = [file("a"), file("b")];
        assert_eq!(one_each(&two, 2), Ok(two.to_vec()));
        let refused = UsageError::Passphrases {
            keys: 3,
            sources: 2,
        };
        assert_eq!(one_each(&two, 3), Err(refused));
    }
}
