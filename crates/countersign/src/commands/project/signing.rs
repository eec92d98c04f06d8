//! Opening developers' keys, and what goes to every command that signs.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use ceremony::key_command::{KeyName, PassphraseArgs, ReachArgs, one_each};
use chrono::{DateTime, TimeDelta, Utc};
use keys::{MAX_KEY_FILE, Signer, public_key_from_pem};
use metadata::{Expiry, PublicKey};
use policy::SignerLimits;

use crate::failure::{Failure, UsageError};
use crate::key_service::KmsArgs;
use crate::online_keys::open_key;

/// Keys that sign.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct SigningArgs {
    /// Key that signs: a key URI or a key file; once per key
    #[arg(long, value_name = "KEY", env = "COUNTERSIGN_KEY")]
    key: Vec<KeyName>,

    #[command(flatten)]
    passphrases: PassphraseArgs,

    #[command(flatten)]
    reach: ReachArgs,

    #[command(flatten)]
    kms: KmsArgs,
}

impl SigningArgs {
    /// Whether any key was named.
    pub(crate) fn is_empty(&self) -> bool {
        self.key.is_empty()
    }

    /// Opens the keys.
    pub(crate) fn open(&self) -> Result<Vec<Arc<dyn Signer>>, Failure> {
        let given = self.passphrases.sources();
        let sources = one_each(&given, self.key.len()).ok_or(UsageError::Passphrases {
            keys: self.key.len(),
            sources: given.len(),
        })?;
        let reach = self.reach.reach();
        let kms = self.kms.opener(&SignerLimits::default());
        self.key
            .iter()
            .zip(&sources)
            .map(|(key, source)| open_key(&key.0, source, &reach, &kms))
            .collect()
    }
}

/// The signers as the libraries want them.
pub(crate) fn borrowed(signers: &[Arc<dyn Signer>]) -> Vec<&dyn Signer> {
    signers.iter().map(|signer| &**signer).collect()
}

/// How long a new version lives.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct LifetimeArgs {
    /// Days until the new version expires: until then an old one can be shown to clients as if it
    /// were new, and by then the next one has to be there
    #[arg(
        long,
        value_name = "DAYS",
        default_value_t = 180,
        env = "COUNTERSIGN_DAYS"
    )]
    #[arg(value_parser = clap::value_parser!(u16).range(8..=400))]
    days: u16,
}

impl LifetimeArgs {
    pub(crate) fn expires(&self, now: DateTime<Utc>) -> Expiry {
        Expiry::at(now + TimeDelta::days(self.days.into()))
    }
}

/// Reads a public key file.
pub(crate) fn public_key(path: &Path) -> Result<PublicKey, Failure> {
    let text = read(path, MAX_KEY_FILE as u64)?;
    let text = String::from_utf8_lossy(&text);
    public_key_from_pem(&text).map_err(|source| Failure::PublicKey {
        path: path.to_owned(),
        source,
    })
}

/// Reads public key files.
pub(crate) fn public_keys(paths: &[PathBuf]) -> Result<Vec<PublicKey>, Failure> {
    paths.iter().map(|path| public_key(path)).collect()
}

/// Reads a file of at most `limit` bytes.
pub(crate) fn read(path: &Path, limit: u64) -> Result<Vec<u8>, Failure> {
    use std::io::Read;

    let failed = |source| Failure::Io {
        doing: "read",
        path: path.to_owned(),
        source,
    };
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).map_err(failed)?;
    file.take(limit + 1)
        .read_to_end(&mut bytes)
        .map_err(failed)?;
    if bytes.len() as u64 > limit {
        return Err(failed(std::io::ErrorKind::FileTooLarge.into()));
    }
    Ok(bytes)
}
