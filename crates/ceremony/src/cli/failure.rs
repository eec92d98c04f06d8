//! Why a command ends early, what that means to the caller, and what to do next.

use std::io;
use std::path::PathBuf;

use countersign_ceremony::key_command::{KeyCommandError, hint};
use countersign_ceremony::{CeremonyError, EventFlaw};
use keys::{KeyError, PassphraseError};
use metadata::Sha256;

/// Refused, or failed on this machine.
const REFUSED: u8 = 1;
/// Wrong usage, as clap has it.
const USAGE: u8 = 2;
/// A digest differs.
const DIGEST: u8 = 10;
/// Too few valid signatures.
const SIGNATURES: u8 = 11;

/// A command's failure.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// The library refused or failed.
    #[error(transparent)]
    Ceremony(#[from] CeremonyError),
    /// A key could not be used.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// A `key` command was refused or failed.
    #[error(transparent)]
    KeyCommand(#[from] KeyCommandError),
    /// As many sources of passphrases as keys, or one for all.
    #[error("{keys} keys, but {sources} sources of passphrases: give one for all, or one for each")]
    Passphrases { keys: usize, sources: usize },
    /// A policy that is neither shipped nor a file.
    #[error("there is no policy `{name}`")]
    UnknownPolicy { name: String },
    /// A file of the caller's.
    #[error("cannot read `{}`", path.display())]
    Read { path: PathBuf, source: io::Error },
    /// A public key that is none.
    #[error("`{}` holds no public key", path.display())]
    PublicKey {
        path: PathBuf,
        source: keys::KeyFlaw,
    },
    /// A key file where the policy asks for hardware.
    #[error("{key} is a file, and the policy does not allow offline keys in files")]
    KeyInFile { key: Box<keys::KeyUri> },
    /// Signing without saying what was reviewed.
    #[error("nothing was signed: the digest that was reviewed has to be given")]
    NotReviewed { digest: Sha256 },
    /// What was reviewed is not what would be signed.
    #[error("nothing was signed: this event has the digest {found}, not {reviewed}…")]
    OtherReview { reviewed: String, found: Sha256 },
}

impl Failure {
    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            Self::Ceremony(CeremonyError::Unsigned(_)) => SIGNATURES,
            Self::Ceremony(CeremonyError::Rejected(rejection)) => {
                if matches!(rejection, trust::Rejection::Signatures { .. }) {
                    SIGNATURES
                } else {
                    REFUSED
                }
            }
            Self::Ceremony(CeremonyError::Event { flaw, .. }) => match flaw {
                EventFlaw::Digest { .. } => DIGEST,
                EventFlaw::Signature { .. }
                | EventFlaw::ForeignKey { .. }
                | EventFlaw::OtherPayload { .. } => SIGNATURES,
                _ => REFUSED,
            },
            Self::OtherReview { .. } => DIGEST,
            Self::KeyCommand(error) if error.is_usage() => USAGE,
            Self::NotReviewed { .. } | Self::UnknownPolicy { .. } | Self::Passphrases { .. } => {
                USAGE
            }
            _ => REFUSED,
        }
    }

    /// What to do next, where that is not in the message already.
    pub(crate) fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Ceremony(error) => return ceremony_hint(error).map(str::to_owned),
            Self::UnknownPolicy { .. } => {
                let names: Vec<&str> = policy::Policy::built_in_names().collect();
                format!("give a policy file or one of {}", names.join(", "))
            }
            Self::NotReviewed { digest } => {
                let first = &digest.to_string()[..8];
                format!("run `review`, compare, then add `--reviewed {first}…`")
            }
            Self::OtherReview { .. } => {
                "you have another copy of the event than the one you reviewed; compare the two"
                    .to_owned()
            }
            Self::KeyCommand(error) => return error.hint().map(str::to_owned),
            Self::Key(KeyError::Passphrase {
                source: PassphraseError::NotGiven,
                ..
            }) => "run it on a terminal, or add `--passphrase-file FILE`".to_owned(),
            Self::Key(error) => return hint(error).map(str::to_owned),
            _ => return None,
        })
    }
}

fn ceremony_hint(error: &CeremonyError) -> Option<&'static str> {
    Some(match error {
        CeremonyError::Key(error) => return hint(error),
        CeremonyError::Exists { .. } => "choose a new folder or name; an event is never changed",
        CeremonyError::Unsigned(_) => "let the missing holders sign, then try again",
        CeremonyError::NoRole { .. } => "`review` names the keys that sign in this event",
        CeremonyError::Event { flaw, .. } => match flaw {
            EventFlaw::Digest { .. } | EventFlaw::NotCanonical => {
                "this copy of the event was changed or damaged; get it again from whoever planned it"
            }
            EventFlaw::OtherPayload { .. } => {
                "this signature belongs to another copy of the event; find out why there are two"
            }
            EventFlaw::Signature { .. } | EventFlaw::Json(_) | EventFlaw::ForeignKey { .. } => {
                "move the file out of the folder and have that holder sign again"
            }
            EventFlaw::Stray => "move the file out of the folder",
            _ => return None,
        },
        CeremonyError::Refused(_) => "plan the event anew; what breaks rules cannot be signed",
        _ => return None,
    })
}
