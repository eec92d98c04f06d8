//! `key convert`: the same key in a new file, encrypted anew.

use std::path::PathBuf;

use keys::{FileKey, KeyUri, LoadOptions, LoadedKey, Passphrase, Signer};

use super::new::{NewPassphraseArgs, public_file};
use super::report::{KeyReport, save_public};
use super::{Edge, KeyCommandError, KeyName, Outcome, PassphraseArgs};

/// Encrypt a key anew, into a new file: PKCS#8 in PEM
///
/// Reads PKCS#8, encrypted or not, and the key files of OpenSSH and cosign. The new file is opened
/// again and compared before this ends; the old one is left alone, for its owner to destroy.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Key file there is
    old: KeyName,

    /// Key file to make; the public half goes to the same name with `.pub` after it
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
    pub(super) fn run(&self, _edge: &Edge<'_>) -> Result<Outcome, KeyCommandError> {
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
        let LoadedKey { key, .. } = FileKey::load(&old, &self.passphrases.source(), options)?;
        let name = self.new.0.to_string();
        let passphrase = if let Some(path) = &self.new_passphrase_file {
            Passphrase::from_file(path)?
        } else {
            let none = PassphraseArgs::default();
            self.new_passphrase.passphrase(&name, &none)?
        };
        let kdf = self.new_passphrase.kdf();
        let made = key.save_and_reopen(&new, &passphrase, kdf)?;
        let public = public_file(&new);
        save_public(&public, made.public_key())?;
        KeyReport {
            key: made.public_key(),
            place: &name,
            token: None,
            public_file: Some(&public),
        }
        .outcome()
    }
}
