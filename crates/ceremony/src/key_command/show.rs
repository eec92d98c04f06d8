//! `key show`: the public half of a key, its fingerprint, and where the private half lives.

use std::path::{Path, PathBuf};

use keys::{KeyUri, MAX_KEY_FILE, public_key_from_pem};
use metadata::PublicKey;

use super::report::{KeyReport, read, save_public};
use super::{Edge, KeyCommandError, KeyName, Outcome, PassphraseArgs, ReachArgs};

/// Show a key's id, its fingerprint in hex and in words, and where it lives
///
/// A public key file needs no passphrase. The words are for reading aloud: sixteen of them say the
/// first half of the fingerprint.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Key URI, or a key file, private or public
    key: KeyName,

    /// Write the public half to this new file too
    #[arg(long, value_name = "FILE", env = "COUNTERSIGN_PUBLIC_KEY")]
    public_key: Option<PathBuf>,

    #[command(flatten)]
    passphrases: PassphraseArgs,

    #[command(flatten)]
    reach: ReachArgs,
}

impl Args {
    pub(super) fn run(&self, edge: &Edge<'_>) -> Result<Outcome, KeyCommandError> {
        let name = &self.key.0;
        if let KeyUri::File(path) = name
            && let Some(key) = public_key(path)?
        {
            return self.report(&KeyReport {
                key: &key,
                place: &name.to_string(),
                token: None,
                public_file: self.public_key.as_deref(),
            });
        }
        let source = self.passphrases.source();
        let opened = self.reach.reach().open(name, &source, edge)?;
        self.report(&KeyReport {
            key: opened.signer.public_key(),
            place: &opened.signer.describe(),
            token: opened.token.as_ref(),
            public_file: self.public_key.as_deref(),
        })
    }

    fn report(&self, report: &KeyReport<'_>) -> Result<Outcome, KeyCommandError> {
        if let Some(path) = &self.public_key {
            save_public(path, report.key)?;
        }
        report.outcome()
    }
}

/// The key in a public key file; `None` if the file holds a private key.
fn public_key(path: &Path) -> Result<Option<PublicKey>, KeyCommandError> {
    let bytes = zeroize::Zeroizing::new(read(path, MAX_KEY_FILE as u64)?);
    let text = String::from_utf8_lossy(&bytes);
    if text.contains("PRIVATE KEY") {
        return Ok(None);
    }
    let key = public_key_from_pem(&text).map_err(|source| KeyCommandError::PublicKey {
        path: path.to_owned(),
        source,
    })?;
    Ok(Some(key))
}
