//! What to do about a key that cannot be used: for both programs, whatever holds the key. Errors whose
//! message says it already have none.

use keys::{AgentError, ExecError, KeyError, KeyFlaw, PassphraseError, TokenError};

const GIVE_PASSPHRASE: &str = "give --passphrase-file, --passphrase-fd or --passphrase-credential, \
                               or run it on a terminal";

/// What to do next. Back ends that other crates bring know it themselves.
#[must_use]
pub fn hint(error: &KeyError) -> Option<&'static str> {
    Some(match error {
        KeyError::Passphrase { source, .. } => return of_passphrase(source),
        KeyError::Unusable { flaw, .. } => return of_flaw(flaw),
        KeyError::Token { source, .. } => return of_token(source),
        KeyError::Agent { source, .. } => return of_agent(source),
        KeyError::Exec { source, .. } => return of_exec(source),
        KeyError::Exists { .. } => "choose another name",
        KeyError::TooLarge { .. } => "name the key file itself",
        KeyError::DifferentKey { .. } => {
            "name the key that the role lists, or hold a ceremony that lists this one; \
             `key check --root FILE` tells which roles count a key's signatures"
        }
        KeyError::BadSignature { .. } => {
            "do not use this key: what holds it is faulty, or holds another key now; \
             nothing was signed"
        }
        KeyError::SameKey { .. } => "name each key once",
        _ => return None,
    })
}

fn of_passphrase(error: &PassphraseError) -> Option<&'static str> {
    Some(match error {
        PassphraseError::NotGiven => GIVE_PASSPHRASE,
        PassphraseError::NoCredentials => {
            "the service manager passes credentials: `LoadCredential=NAME:FILE` in the unit"
        }
        PassphraseError::FirstLine { .. } | PassphraseError::DescriptorLine { .. } => {
            "the passphrase is the first line, of at most 1,024 bytes"
        }
        _ => return None,
    })
}

fn of_flaw(flaw: &KeyFlaw) -> Option<&'static str> {
    Some(match flaw {
        KeyFlaw::Unencrypted => "encrypt it into a new file: `key convert OLD NEW`",
        KeyFlaw::Label { .. } => {
            "name the private key: the file beside it that ends in .pub is its public half"
        }
        KeyFlaw::WrongPassphrase => "check the passphrase, and that it is the one of this file",
        KeyFlaw::Pem | KeyFlaw::Der | KeyFlaw::OpenSsh | KeyFlaw::Envelope => {
            "the file is damaged, cut short or no key: take another copy of it"
        }
        KeyFlaw::PrivateKey | KeyFlaw::PublicKey | KeyFlaw::PublicKeyMismatch => {
            "the file is damaged or was altered: take another copy of it"
        }
        KeyFlaw::Algorithm { .. } | KeyFlaw::Curve { .. } | KeyFlaw::OpenSshAlgorithm => {
            "make an Ed25519 or P-256 key with `key new`"
        }
        _ => return None,
    })
}

fn of_token(error: &TokenError) -> Option<&'static str> {
    Some(match error {
        TokenError::NoModule => "or name it with --pkcs11-module",
        TokenError::Module { .. } => {
            "check that the file is a PKCS#11 module for this machine, and its own settings"
        }
        TokenError::NoToken { .. } => "insert the token; `key list` lists those there are",
        TokenError::NoKey { .. } => "`key list --login` lists the keys with the URI of each",
        TokenError::Pin {
            source: PassphraseError::NotGiven,
            ..
        } => GIVE_PASSPHRASE,
        TokenError::WrongPin { .. } | TokenError::PinRefusedBefore { .. } => {
            "check the PIN before trying again: a few wrong ones lock a token"
        }
        TokenError::LastAttempt { .. } => {
            "--last-pin-attempt sends it all the same; a right PIN given to the maker's own tool \
             clears the count"
        }
        TokenError::PinLocked { .. } => "the maker's own tool unlocks it",
        TokenError::PinNotSet { .. } | TokenError::PinExpired { .. } => {
            "the maker's own tool sets the PIN"
        }
        TokenError::Cancelled { .. } => "try again, and touch the device when it asks for that",
        TokenError::KeyType { .. } | TokenError::Flaw(_) | TokenError::NotForSigning => {
            "make a key for signing with `key new`"
        }
        TokenError::Mechanism { .. } => "make a P-256 key: nearly every token signs with those",
        TokenError::Exists { .. } => "choose another `object` and `id`",
        _ => return None,
    })
}

fn of_agent(error: &AgentError) -> Option<&'static str> {
    Some(match error {
        AgentError::NoSocket | AgentError::Connect { .. } => {
            "start one with ssh-agent, and add keys with ssh-add"
        }
        AgentError::Timeout { .. } => {
            "somebody may have to confirm or touch a device; --key-timeout waits longer"
        }
        AgentError::NotFound { .. } => "a locked agent shows none: `ssh-add -X` unlocks it",
        AgentError::SecurityKey { .. } | AgentError::Algorithm { .. } => {
            "make a key with `ssh-keygen -t ed25519`"
        }
        AgentError::Document { .. } => {
            "sign a role of this size with a key in a file, on a token or in a key service"
        }
        AgentError::Io { .. } | AgentError::Malformed | AgentError::TooLong { .. } => {
            "check what listens at SSH_AUTH_SOCK"
        }
        _ => return None,
    })
}

fn of_exec(error: &ExecError) -> Option<&'static str> {
    Some(match error {
        ExecError::NoCommand { .. } => "name it with --signer NAME=exec:/PROGRAM",
        ExecError::Start { .. } => "check that the file is there and may be run",
        ExecError::Timeout { .. } => {
            "somebody may have to confirm or touch a device; --key-timeout waits longer"
        }
        ExecError::WantsDigest { .. } => "let it want the payload, or use a P-256 or RSA key",
        ExecError::Ended { .. }
        | ExecError::Flood { .. }
        | ExecError::Protocol { .. }
        | ExecError::Version { .. } => {
            "`crates/keys/exec-protocol.md` says what an external signer answers"
        }
        _ => return None,
    })
}
