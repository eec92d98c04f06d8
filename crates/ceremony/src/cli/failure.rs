//! Why a command ends early, what that means to the caller, and what to do next.

use std::io;
use std::path::{Path, PathBuf};

use countersign_ceremony::key_command::{KeyCommandError, hint};
use countersign_ceremony::{AttestationFlaw, CeremonyError, ClaimPlanFlaw, EventFlaw};
use keys::{KeyError, PassphraseError, TokenError};

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
    /// A proof that somebody else made.
    #[error("`{}` is a proof by {holder}", path.display())]
    OtherHolder { path: PathBuf, holder: String },
    /// A `key` command was refused or failed.
    #[error(transparent)]
    KeyCommand(#[from] KeyCommandError),
    /// As many sources of passphrases as keys, or one for all.
    #[error("{keys} keys, but {sources} sources of passphrases: give one for all, or one for each")]
    Passphrases { keys: usize, sources: usize },
    /// Certificates that are none.
    #[error("`{}` holds no attestation", path.display())]
    Attestation {
        path: PathBuf,
        source: AttestationFlaw,
    },
    /// A command that this program does not have.
    #[error("there is no command `{name}`")]
    UnknownCommand { name: String },
    /// What was asked for could not be put together.
    #[error("cannot write the page")]
    Output { source: io::Error },
    /// A policy that is neither shipped nor a file.
    #[error("there is no policy `{name}`")]
    UnknownPolicy { name: String },
    /// A file of the caller's.
    #[error("cannot read `{}`", path.display())]
    Read { path: PathBuf, source: io::Error },
    /// A new file of the caller's.
    #[error("cannot write `{}`", path.display())]
    Write { path: PathBuf, source: io::Error },
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
    NotReviewed,
    /// A digest of which too little was given to mean one event.
    #[error("nothing was signed: {found} digits of the digest were given, and {needed} are needed")]
    FewDigits { found: usize, needed: usize },
    /// What was reviewed is not what would be signed.
    #[error("nothing was signed: this event does not have the digest that was given")]
    OtherReview,
    /// No policy, and no earlier event whose policy would go on.
    #[error("no policy was named, and no earlier event whose policy would hold on")]
    NoPolicy,
}

impl Failure {
    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            Self::Ceremony(CeremonyError::TooFew(_)) => SIGNATURES,
            Self::Ceremony(CeremonyError::Rejected(rejection)) => {
                if matches!(rejection, trust::Rejection::Signatures { .. }) {
                    SIGNATURES
                } else {
                    REFUSED
                }
            }
            Self::Ceremony(CeremonyError::Event { flaw, .. }) => match flaw {
                EventFlaw::Digest { .. } | EventFlaw::Transcript { .. } => DIGEST,
                flaw if is_damage(flaw) => DIGEST,
                EventFlaw::Signature { .. }
                | EventFlaw::Join { .. }
                | EventFlaw::ForeignKey { .. }
                | EventFlaw::OtherPayload { .. } => SIGNATURES,
                _ => REFUSED,
            },
            Self::Ceremony(CeremonyError::Conflict { .. } | CeremonyError::OtherEvent { .. })
            | Self::OtherReview => DIGEST,
            Self::KeyCommand(error) if error.is_usage() => USAGE,
            Self::NotReviewed
            | Self::FewDigits { .. }
            | Self::NoPolicy
            | Self::UnknownCommand { .. }
            | Self::UnknownPolicy { .. }
            | Self::Passphrases { .. }
            | Self::Ceremony(CeremonyError::Claim(
                ClaimPlanFlaw::Several(_)
                | ClaimPlanFlaw::NoSuchShard(_)
                | ClaimPlanFlaw::KeysMissing
                | ClaimPlanFlaw::KeysGiven,
            )) => USAGE,
            _ => REFUSED,
        }
    }

    /// What to do next, where that is not in the message already.
    pub(crate) fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Ceremony(CeremonyError::NoSuchHolder { meant, holders, .. }) => match meant {
                Some(name) => format!(
                    "did you mean `{name}`? names are compared exactly, with upper and lower case"
                ),
                None => format!(
                    "give your name exactly as the event has it; keys are held by {}",
                    holders.join(", ")
                ),
            },
            Self::Ceremony(error) => return ceremony_hint(error).map(str::to_owned),
            Self::UnknownPolicy { .. } => {
                let names: Vec<&str> = policy::Policy::built_in_names().collect();
                format!("give a policy file or one of {}", names.join(", "))
            }
            Self::NotReviewed | Self::FewDigits { .. } => {
                "run `review`, compare what it ends with, then add that as `--reviewed DIGEST`"
                    .to_owned()
            }
            Self::OtherReview => {
                "run `review` on this folder and compare with the others again; if it differs, \
                 there are two events: stop"
                    .to_owned()
            }
            Self::NoPolicy => "add `--after EVENT` or `--policy NAME|FILE`".to_owned(),
            Self::KeyCommand(error) => return error.hint().map(str::to_owned),
            Self::Key(error) => return key_hint(error).map(str::to_owned),
            _ => return None,
        })
    }
}

/// A file that no program wrote like this.
fn is_damage(flaw: &EventFlaw) -> bool {
    matches!(
        flaw,
        EventFlaw::Toml(_)
            | EventFlaw::Json(_)
            | EventFlaw::Value { .. }
            | EventFlaw::Document(_)
            | EventFlaw::NotCanonical
            | EventFlaw::Differs { .. }
            | EventFlaw::Keys { .. }
    )
}

/// What to do about a file that could not be read.
fn read_hint(path: &Path, source: &io::Error) -> Option<&'static str> {
    if source.kind() != io::ErrorKind::NotFound {
        return None;
    }
    Some(if path.ends_with("ceremony.toml") {
        "name the folder of the event: the one with `ceremony.toml` in it"
    } else {
        "is the name right? a copy of an event that lacks a file is not whole: get it again"
    })
}

fn key_hint(error: &KeyError) -> Option<&'static str> {
    Some(match error {
        KeyError::Passphrase {
            source: PassphraseError::NotGiven,
            ..
        } => "run it on a terminal, or add `--passphrase-file FILE`",
        KeyError::Token { source, .. } if matches!(**source, TokenError::Removed { .. }) => {
            "insert the token and repeat the command: signatures that were given are kept, and \
             nothing half-written counts"
        }
        error => return hint(error),
    })
}

fn ceremony_hint(error: &CeremonyError) -> Option<&'static str> {
    Some(match error {
        CeremonyError::Key(error) => return key_hint(error),
        CeremonyError::Read { path, source } => return read_hint(path, source),
        CeremonyError::Exists { path }
            if path.parent().is_some_and(|one| one.ends_with("transcript")) =>
        {
            "another step was written meanwhile; repeat this one, on a fresh copy if it fails again"
        }
        CeremonyError::Exists { .. } => "choose a new folder or name; an event is never changed",
        CeremonyError::Clock { .. } => {
            "set the clock of this machine; if it is right, the other one was wrong: plan anew"
        }
        CeremonyError::Conflict { .. } => {
            "two machines worked under one name or one copy was changed; find out which before going on"
        }
        CeremonyError::OtherEvent { .. } => "take copies of one event only; compare the digests",
        CeremonyError::TooFew(_) => "let the missing holders sign, then try again",
        CeremonyError::Combined { .. } => {
            "what was made stands for ever; for other signatures plan a new event"
        }
        CeremonyError::NotCombined { .. } => "run `status`; once nobody is missing, `combine`",
        CeremonyError::Write { .. } => {
            "make room, or let the folder be written to, then repeat the step; nothing half-written \
             counts"
        }
        CeremonyError::OtherHolder { .. } => {
            "sign with a key of your own; if this one is yours, the event is wrong: stop, and ask"
        }

        CeremonyError::NoRole { .. } => {
            "if this is the key you handed in, another took its place: stop, and ask; `review` has \
             the words of every new key, `key show` those of yours"
        }
        CeremonyError::Event { flaw, .. } => match flaw {
            EventFlaw::Digest { .. } => {
                "this copy of the event was changed or damaged; get it again from whoever planned it"
            }
            flaw if is_damage(flaw) => {
                "this copy was changed or damaged; get it again from whoever gave it to you"
            }
            EventFlaw::Format { .. } => {
                "get the program that the event was made with, or a newer one"
            }
            EventFlaw::OtherPayload { .. } => {
                "this signature belongs to another copy of the event; find out why there are two"
            }
            EventFlaw::Signature { .. } | EventFlaw::ForeignKey { .. } => {
                "move the file out of the folder and have that holder sign again"
            }
            EventFlaw::Transcript { .. } => {
                "this copy of the event was changed or is not whole; get it again from whoever gave it \
                 to you"
            }
            EventFlaw::Unrecorded => {
                "repeat the step that made the file; if nobody made it, move it out of the folder"
            }
            EventFlaw::Join { .. } | EventFlaw::Attestation(_) => {
                "have that holder join again, and plan into a new folder"
            }
            EventFlaw::Stray => "move the file out of the folder",
            _ => return None,
        },
        CeremonyError::OnlineKeyKnown { .. } => {
            "make keys that this index has never used; `rebin.md` has the steps"
        }
        CeremonyError::SameBins { .. } => {
            "for other online keys without other bins use `plan rotate-online`"
        }
        CeremonyError::Claim(flaw) => match flaw {
            ClaimPlanFlaw::Several(_) => "add `--shard`, and hold one event for each",
            ClaimPlanFlaw::KeysMissing => {
                "add `--claimed-key HOLDER=FILE` and `--claimed-shard-key HOLDER=FILE`"
            }
            ClaimPlanFlaw::KeysGiven => {
                "leave them out; `plan add-holder`, `replace-holder` and `remove-holder` change them"
            }
            ClaimPlanFlaw::NothingWaits => {
                "`countersign index claims list` says which projects there are; those whose keys are \
                 changing wait for their next release"
            }
            ClaimPlanFlaw::OtherShard { .. } => "hold an event of its own for it",
            ClaimPlanFlaw::NoRoom { .. } => {
                "fewer and larger bins make room; `rebin.md` has the steps"
            }
            _ => return None,
        },
        CeremonyError::Shard { .. } => {
            "have the index export its claims again, and plan a new event from them"
        }
        CeremonyError::Refused(_) => "plan the event anew; what breaks rules cannot be signed",
        _ => return None,
    })
}
