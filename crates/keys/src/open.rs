//! Opening a key, whatever its URI: the one way from a name to a signer.

use std::ffi::OsString;
use std::path::Path;
use std::time::Duration;

use crate::exec::ExecSigner;
use crate::ssh::AgentSigner;
use crate::{
    ExecCommand, FileKey, KeyError, KeyUri, KeyWarning, LoadedKey, PassphraseSource, Pkcs11Key,
    Pkcs11Options, Signer,
};

/// Takes a line that an external signer wrote to stderr: the key and the line, printable.
pub type ChildLog = fn(key: &str, line: &str);

/// What opening a key takes beside its URI. The library reads no environment and no configuration;
/// programs hand in what they have.
#[derive(Clone, Copy)]
pub struct LoadOptions<'a> {
    /// Accept a key file without a passphrase, with a warning.
    pub allow_unencrypted: bool,
    /// The socket of the ssh-agent: `$SSH_AUTH_SOCK`.
    pub agent_socket: Option<&'a Path>,
    /// Commands that `exec:NAME` may name.
    pub exec_commands: &'a [(String, ExecCommand)],
    /// The variables a command may ask for; it gets those it names.
    pub environment: &'a [(OsString, OsString)],
    /// Where stderr of external signers goes; nowhere by default, but errors quote its last line.
    pub child_log: Option<ChildLog>,
    /// Longest wait for one answer of an agent or external signer. They may wait for somebody to
    /// touch a device, hence 60 seconds by default.
    pub timeout: Duration,
    /// For keys on tokens.
    pub pkcs11: Pkcs11Options<'a>,
    /// Openers of keys that this crate cannot reach.
    pub openers: &'a [&'a dyn Opener],
}

impl Default for LoadOptions<'_> {
    fn default() -> Self {
        Self {
            allow_unencrypted: false,
            agent_socket: None,
            exec_commands: &[],
            environment: &[],
            child_log: None,
            timeout: Duration::from_secs(60),
            pkcs11: Pkcs11Options::default(),
            openers: &[],
        }
    }
}

/// Opens keys of a scheme that this crate names but cannot reach, such as `awskms:`.
pub trait Opener {
    /// Opens the key; `None` if it is not of this opener's scheme. Failures of its own go into
    /// [`KeyError::Other`].
    fn open(
        &self,
        uri: &KeyUri,
        passphrases: &dyn PassphraseSource,
    ) -> Option<Result<OpenedSigner, KeyError>>;
}

/// A key that is ready to sign, and what deserves attention about it.
pub struct OpenedSigner {
    /// The key.
    pub signer: Box<dyn Signer>,
    /// For the caller to show.
    pub warnings: Vec<KeyWarning>,
}

impl KeyUri {
    /// Opens the key. `passphrases` is asked only if it needs one. The openers come first, so that
    /// a program can put its own in the place of any.
    pub fn open(
        &self,
        passphrases: &dyn PassphraseSource,
        options: LoadOptions,
    ) -> Result<OpenedSigner, KeyError> {
        let mut openers = options.openers.iter();
        if let Some(outcome) = openers.find_map(|opener| opener.open(self, passphrases)) {
            return outcome;
        }
        match self {
            Self::File(path) => {
                let LoadedKey { key, warnings } = FileKey::load(path, passphrases, options)?;
                let signer = Box::new(key);
                Ok(OpenedSigner { signer, warnings })
            }
            Self::SshAgent(key) => {
                AgentSigner::open(key, options.agent_socket, options.timeout).map(opened)
            }
            Self::Exec(exec) => ExecSigner::open(exec, options).map(opened),
            Self::Pkcs11(key) => Pkcs11Key::open(key, passphrases, options.pkcs11).map(opened),
            Self::AwsKms(_) => Err(KeyError::NotHere {
                key: self.to_string(),
                program: "countersign",
            }),
        }
    }
}

fn opened(signer: impl Signer + 'static) -> OpenedSigner {
    OpenedSigner {
        signer: Box::new(signer),
        warnings: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{KeyType, NoPassphrase};

    /// Stands for the KMS crate: makes a key wherever `awskms:` is named.
    struct Kms;

    impl Opener for Kms {
        fn open(
            &self,
            uri: &KeyUri,
            _: &dyn PassphraseSource,
        ) -> Option<Result<OpenedSigner, KeyError>> {
            let KeyUri::AwsKms(_) = uri else {
                return None;
            };
            let rng = ring::rand::SystemRandom::new();
            Some(FileKey::generate(KeyType::EcdsaP256, &rng).map(opened))
        }
    }

    #[test]
    fn keys_with_network_need_an_opener() {
        let uri: KeyUri = "awskms:alias/online?region=us-east-1".parse().unwrap();
        let refused = uri.open(&NoPassphrase, LoadOptions::default()).err();
        assert_eq!(
            refused.unwrap().to_string(),
            "awskms:alias/online?region=us-east-1 cannot be used by this program; `countersign` can"
        );
        let options = LoadOptions {
            openers: &[&Kms],
            ..LoadOptions::default()
        };
        let opened = uri.open(&NoPassphrase, options).unwrap();
        assert_eq!(opened.signer.public_key().keytype(), "ecdsa");
        let file: KeyUri = "file:/nonexistent".parse().unwrap();
        let error = file.open(&NoPassphrase, options).err().unwrap();
        assert!(matches!(error, KeyError::Read { .. }));
    }
}
