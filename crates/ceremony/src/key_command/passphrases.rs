//! Where passphrases and PINs come from: a file, a descriptor, a systemd credential or the terminal.
//! Never the command line or a variable: others can read those.

use std::fmt;
use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};

use keys::{
    KeyWarning, Passphrase, PassphraseCredential, PassphraseError, PassphraseFd, PassphraseFile,
    PassphraseSource,
};

/// Where help lists these options.
const PASSPHRASES: &str = "Passphrases";

/// Where the passphrases of keys and the PINs of tokens are found.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct PassphraseArgs {
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
    /// As if this file, or nothing, had been given.
    pub(super) fn file(path: Option<&Path>) -> Self {
        Self {
            files: path.map(Path::to_owned).into_iter().collect(),
            ..Self::default()
        }
    }

    /// The sources named on the command line or in the environment, if any.
    #[must_use]
    pub fn sources(&self) -> Vec<Source> {
        let files = self.files.iter().cloned().map(Source::File);
        let descriptor = self.descriptor.map(Source::Descriptor);
        let credential = self.credential.clone().map(Source::Credential);
        files.chain(descriptor).chain(credential).collect()
    }

    /// The source for one key.
    #[must_use]
    pub fn source(&self) -> Source {
        self.sources()
            .into_iter()
            .next()
            .unwrap_or(Source::Terminal)
    }
}

/// Where one passphrase is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// First line of a file.
    File(PathBuf),
    /// An open descriptor.
    Descriptor(u16),
    /// A systemd credential.
    Credential(String),
    /// A person.
    Terminal,
}

impl Source {
    /// What deserves attention about it, if anything. Who may read a credential, its service manager
    /// sees to.
    #[must_use]
    pub fn warning(&self) -> Option<KeyWarning> {
        match self {
            Self::File(path) => KeyWarning::about_file(path),
            Self::Descriptor(_) | Self::Credential(_) | Self::Terminal => None,
        }
    }
}

impl PassphraseSource for Source {
    fn passphrase(&self, key: &str) -> Result<Passphrase, PassphraseError> {
        match self {
            Self::File(path) => PassphraseFile(path.clone()).passphrase(key),
            Self::Descriptor(number) => PassphraseFd(*number).passphrase(key),
            Self::Credential(name) => PassphraseCredential {
                directory: std::env::var_os("CREDENTIALS_DIRECTORY").map(PathBuf::from),
                name: name.clone(),
            }
            .passphrase(key),
            Self::Terminal if key.starts_with("pkcs11:") => ask(&format!("PIN of {key}: ")),
            Self::Terminal => ask(&format!("Passphrase of {key}: ")),
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "file {}", path.display()),
            Self::Descriptor(number) => write!(f, "descriptor {number}"),
            Self::Credential(name) => write!(f, "systemd credential {name}"),
            Self::Terminal => f.write_str("the terminal"),
        }
    }
}

/// A source for each key: the one there is for all, or one each; without any, the terminal. `None` if
/// there are more or fewer than keys.
#[must_use]
pub fn one_each(sources: &[Source], keys: usize) -> Option<Vec<Source>> {
    match sources {
        [] => Some(vec![Source::Terminal; keys]),
        [one] => Some(vec![one.clone(); keys]),
        each => (each.len() == keys).then(|| each.to_vec()),
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

/// Has a new passphrase typed twice; `None` if the two differ.
pub(super) fn ask_for_new(key: &str) -> Result<Option<Passphrase>, PassphraseError> {
    let first = ask(&format!("New passphrase for {key}: "))?;
    let second = ask("The same again: ")?;
    Ok((first.expose() == second.expose()).then_some(first))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_source_for_all_or_one_for_each() {
        let file = |name: &str| Source::File(name.into());
        assert_eq!(one_each(&[], 1), Some(vec![Source::Terminal]));
        assert_eq!(one_each(&[file("a")], 2), Some(vec![file("a"), file("a")]));
        let two = [file("a"), file("b")];
        assert_eq!(one_each(&two, 2), Some(two.to_vec()));
        assert_eq!(one_each(&two, 3), None);
    }
}
