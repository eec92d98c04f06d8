//! Where passphrases come from: a file, a descriptor, a systemd credential or the terminal. Never
//! the command line or a variable: others can read those.

use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};

use keys::{Passphrase, PassphraseError, PassphraseSource};

/// Where help lists these options.
const PASSPHRASES: &str = "Passphrases";

/// Where the passphrases of keys are found.
#[derive(Clone, Debug, Default, clap::Args)]
pub(crate) struct PassphraseArgs {
    /// File whose first line is the passphrase; one for all keys, or one for each in order
    #[arg(long = "passphrase-file", id = "passphrase_file", value_name = "FILE")]
    #[arg(value_delimiter = ',')]
    #[arg(help_heading = PASSPHRASES, env = "COUNTERSIGN_PASSPHRASE_FILE")]
    files: Vec<PathBuf>,

    /// Open descriptor to read the passphrase from
    #[arg(id = "passphrase_fd", long = "passphrase-fd", value_name = "NUMBER")]
    #[arg(help_heading = PASSPHRASES, env = "COUNTERSIGN_PASSPHRASE_FD")]
    #[arg(conflicts_with = "passphrase_file")]
    descriptor: Option<u16>,

    /// Name of the systemd credential that holds the passphrase (`LoadCredential=`)
    #[arg(
        long = "passphrase-credential",
        id = "passphrase_credential",
        value_name = "NAME"
    )]
    #[arg(help_heading = PASSPHRASES, env = "COUNTERSIGN_PASSPHRASE_CREDENTIAL")]
    #[arg(conflicts_with_all = ["passphrase_file", "passphrase_fd"])]
    credential: Option<String>,
}

impl PassphraseArgs {
    /// The sources named on the command line or in the environment, if any.
    pub(crate) fn sources(&self) -> Vec<Source> {
        let files = self.files.iter().cloned().map(Source::File);
        let descriptor = self.descriptor.map(Source::Descriptor);
        let credential = self.credential.clone().map(Source::Credential);
        files.chain(descriptor).chain(credential).collect()
    }
}

/// Where one passphrase is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// First line of a file.
    File(PathBuf),
    /// An open descriptor.
    Descriptor(u16),
    /// A systemd credential.
    Credential(String),
    /// A person.
    Terminal,
}

impl PassphraseSource for Source {
    fn passphrase(&self, key: &str) -> Result<Passphrase, PassphraseError> {
        match self {
            Self::File(path) => Passphrase::from_file(path),
            Self::Descriptor(number) => {
                Passphrase::from_file(&Path::new("/dev/fd").join(number.to_string()))
            }
            Self::Credential(name) => Passphrase::from_file(&credential(name)?),
            Self::Terminal => ask(&format!("Passphrase of {key}: ")),
        }
    }
}

/// `$CREDENTIALS_DIRECTORY/NAME`, where systemd puts credentials. The name comes from the operator,
/// but a path it is not.
fn credential(name: &str) -> Result<PathBuf, PassphraseError> {
    let folder = std::env::var_os("CREDENTIALS_DIRECTORY").ok_or(PassphraseError::NotGiven)?;
    if name.is_empty() || name.starts_with('.') || name.contains('/') {
        return Err(PassphraseError::NotGiven);
    }
    Ok(Path::new(&folder).join(name))
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

/// Has a new passphrase typed twice; `None` if the two differ.
pub(crate) fn ask_for_new(key: &str) -> Result<Option<Passphrase>, PassphraseError> {
    let first = ask(&format!("New passphrase for {key}: "))?;
    let second = ask("The same again: ")?;
    Ok((first.expose() == second.expose()).then_some(first))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_read_and_paths_are_no_credentials() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("secret");
        std::fs::write(&path, "open sesame\n").expect("the file is written");
        let read = Source::File(path).passphrase("key").expect("a passphrase");
        assert_eq!(read.expose(), b"open sesame");
        for name in ["", "../secret", ".", "a/b"] {
            assert!(credential(name).is_err(), "{name}");
        }
    }
}
