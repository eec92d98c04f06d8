//! `key convert`: the same key in a new file, encrypted anew.

use std::fs;
use std::path::PathBuf;

use keys::{FileKey, KeyUri, LoadOptions, LoadedKey, Signer};

use super::new::{NewPassphraseArgs, public_file};
use super::report::{KeyReport, save_public};
use super::{Edge, KeyCommandError, KeyName, NamesKeys, Outcome, PassphraseArgs};

/// Encrypt a key anew, into a new file: PKCS#8 in PEM
///
/// Reads PKCS#8, encrypted or not, and the key files of OpenSSH and cosign. The new file is opened
/// again and compared before this ends; the old one is left alone, for its owner to destroy.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Key file there is
    #[arg(value_parser = NamesKeys::<KeyName>::parser())]
    old: KeyName,

    /// Key file to make; the public half goes to the same name with `.pub` after it
    #[arg(value_parser = NamesKeys::<KeyName>::parser())]
    new: KeyName,

    /// File whose first line is the new passphrase
    #[arg(long, value_name = "FILE", env = "COUNTERSIGN_NEW_PASSPHRASE_FILE")]
    #[arg(conflicts_with = "random_passphrase")]
    new_passphrase_file: Option<PathBuf>,

    #[command(flatten)]
    new_passphrase: NewPassphraseArgs,

    #[command(flatten)]
    passphrases: PassphraseArgs,
}

impl Args {
    pub(super) fn run(&self, edge: &Edge<'_>) -> Result<Outcome, KeyCommandError> {
        let file = |key: &KeyUri| match key {
            KeyUri::File(path) => Ok(path.clone()),
            other => Err(KeyCommandError::NotAFile {
                key: Box::new(other.clone()),
            }),
        };
        let (old, new) = (file(&self.old.0)?, file(&self.new.0)?);
        // What is weak about the old file is about to be put right.
        let options = LoadOptions {
            allow_unencrypted: true,
            ..LoadOptions::default()
        };
        let source = self.passphrases.source();
        let LoadedKey { key, .. } = FileKey::load(&old, &source, options)?;
        source.warning().iter().for_each(edge.warn);
        let name = self.new.0.to_string();
        let sources = PassphraseArgs::file(self.new_passphrase_file.as_deref());
        let passphrase = self.new_passphrase.passphrase(&name, &sources, edge)?;
        let kdf = self.new_passphrase.kdf();
        let made = key.save_and_reopen(&new, passphrase.get(), kdf)?;
        let public = public_file(&new);
        save_public(&public, made.public_key()).inspect_err(|_| {
            // The old file has the key still; half a pair would only be in the way.
            let _ = fs::remove_file(&new);
        })?;
        passphrase.keep();
        KeyReport {
            key: made.public_key(),
            place: &name,
            token: None,
            public_file: Some(&public),
        }
        .outcome()
    }
}
