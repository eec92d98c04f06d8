//! Where passphrases come from: a file, a descriptor, or the terminal. Never the command line or a
//! variable: others can read those.

use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};

use keys::{Passphrase, PassphraseError, PassphraseSource};

use super::Failure;

/// Where the passphrase of the keys is found.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct PassphraseArgs {
    /// File whose first line is the passphrase
    #[arg(long, value_name = "FILE", env = "COUNTERSIGN_PASSPHRASE_FILE")]
    passphrase_file: Option<PathBuf>,

    /// Open descriptor to read the passphrase from
    #[arg(long, value_name = "NUMBER", env = "COUNTERSIGN_PASSPHRASE_FD")]
    #[arg(conflicts_with = "passphrase_file")]
    passphrase_fd: Option<u16>,
}

impl PassphraseArgs {
    fn file(&self) -> Option<PathBuf> {
        let descriptor = self.passphrase_fd;
        let descriptor = descriptor.map(|number| Path::new("/dev/fd").join(number.to_string()));
        self.passphrase_file.clone().or(descriptor)
    }

    /// A passphrase for a key that is being made: typed twice, where it is typed.
    pub(crate) fn new_passphrase(&self, key: &str) -> Result<Passphrase, Failure> {
        if let Some(path) = self.file() {
            return Ok(Passphrase::from_file(&path)?);
        }
        let first = ask(&format!("New passphrase for {key}: "))?;
        let second = ask("The same again: ")?;
        if first.expose() != second.expose() {
            return Err(Failure::PassphrasesDiffer);
        }
        Ok(first)
    }
}

impl PassphraseSource for PassphraseArgs {
    fn passphrase(&self, key: &str) -> Result<Passphrase, PassphraseError> {
        match self.file() {
            Some(path) => Passphrase::from_file(&path),
            None => ask(&format!("Passphrase of {key}: ")),
        }
    }
}

/// Asks on the terminal, without showing what is typed. Where there is nobody to ask, nothing waits.
fn ask(prompt: &str) -> Result<Passphrase, PassphraseError> {
    if !io::stdin().is_terminal() {
        return Err(PassphraseError::NotGiven);
    }
    let typed = rpassword::prompt_password(prompt).map_err(|source| match source.kind() {
        io::ErrorKind::Interrupted | io::ErrorKind::UnexpectedEof => PassphraseError::Cancelled,
        _ => PassphraseError::Terminal { source },
    })?;
    Passphrase::new(typed)
}
