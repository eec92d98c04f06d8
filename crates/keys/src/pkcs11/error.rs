//! What can go wrong between this program and a token.

use std::fmt;
use std::path::PathBuf;

use cryptoki::error::Error;

use super::token::{PinState, TokenInfo};
use crate::{KeyFlaw, PassphraseError};

/// A key on a token could not be found, reached, used or made. Texts that come from a token are
/// escaped; no variant holds a PIN.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// Neither the URI nor the configuration says which module drives the token.
    #[error("no PKCS#11 module is named; add `?module-path=/…/module.so` or configure one")]
    NoModule,
    /// The module cannot be loaded or started.
    #[error("the PKCS#11 module `{}` cannot be used", path.display())]
    Module {
        /// The module.
        path: PathBuf,
        /// Why.
        source: Error,
    },
    /// No token matches; those that are there may help to see why.
    #[error("no such token; there is {}", Listed(present))]
    NoToken {
        /// The tokens there are.
        present: Vec<TokenInfo>,
    },
    /// Several tokens match: two of one model, as a rule. Their serial numbers tell them apart.
    #[error("several tokens match, name one by `serial`: {}", Listed(matching))]
    SeveralTokens {
        /// The tokens that match.
        matching: Vec<TokenInfo>,
    },
    /// No private key matches.
    #[error("the token has no such private key; it has {}", Listed(held))]
    NoKey {
        /// The private keys there are.
        held: Vec<ObjectName>,
    },
    /// Several objects match.
    #[error(
        "several keys match, name one by `object` and `id`: {}",
        Listed(matching)
    )]
    SeveralKeys {
        /// The objects that match.
        matching: Vec<ObjectName>,
    },
    /// The token shows the private key's public half nowhere.
    #[error("the token shows no public key for it; import it beside the private key, with its id")]
    NoPublicKey,
    /// A key of a kind that signs nothing TUF knows.
    #[error("it is a key of the unsupported type {found}")]
    KeyType {
        /// The type, as PKCS#11 names it.
        found: String,
    },
    /// The key may not sign (`CKA_SIGN`).
    #[error("the token does not let this key sign")]
    NotForSigning,
    /// The key itself is unusable.
    #[error("it {0}")]
    Flaw(KeyFlaw),
    /// The token does not offer what this type of key needs.
    #[error("the token does not offer {needed}")]
    Mechanism {
        /// The mechanism, as PKCS#11 names it.
        needed: &'static str,
    },
    /// The PIN could not be had.
    #[error("no PIN for the {token}")]
    Pin {
        /// The token.
        token: Box<TokenInfo>,
        /// Why.
        source: PassphraseError,
    },
    /// The token refused the PIN. It is not tried again.
    #[error("the {token} refused the PIN{}", attempts(*state))]
    WrongPin {
        /// The token.
        token: Box<TokenInfo>,
        /// What the token tells about its attempts after this one.
        state: PinState,
    },
    /// This PIN has been refused before, by the same token in the same run.
    #[error("the {token} has refused this PIN before; it is not sent again")]
    PinRefusedBefore {
        /// The token.
        token: Box<TokenInfo>,
    },
    /// One more wrong PIN would lock the token.
    #[error("one attempt is left before the {token} locks; force it only if the PIN is certain")]
    LastAttempt {
        /// The token.
        token: Box<TokenInfo>,
    },
    /// The token is locked. Its security officer can unlock it.
    #[error("the PIN of the {token} is locked; its PUK or security officer unlocks it")]
    PinLocked {
        /// The token.
        token: Box<TokenInfo>,
    },
    /// The token has no PIN yet.
    #[error("the {token} has no user PIN yet")]
    PinNotSet {
        /// The token.
        token: Box<TokenInfo>,
    },
    /// The PIN is too old, or has to be changed before its first use.
    #[error("the PIN of the {token} has to be changed first")]
    PinExpired {
        /// The token.
        token: Box<TokenInfo>,
    },
    /// Somebody pressed cancel, or did not touch the device in time.
    #[error("it was cancelled at the {token}")]
    Cancelled {
        /// The token.
        token: Box<TokenInfo>,
    },
    /// The token was pulled out, or its reader failed.
    #[error("the {token} is gone; insert it and open the key again")]
    Removed {
        /// The token.
        token: Box<TokenInfo>,
    },
    /// The token takes no documents of this size.
    #[error("the document of {length} bytes is too long for the token; P-256 keys sign any length")]
    TooLong {
        /// Bytes of the document.
        length: usize,
    },
    /// A new key would make an existing one ambiguous.
    #[error("there is a key of this label or id already: {}", Listed(held))]
    Exists {
        /// The objects of that label or id.
        held: Vec<ObjectName>,
    },
    /// A new key needs a label, so that people can tell it from others.
    #[error("a new key needs a label: `object=…`")]
    NoLabel,
    /// The token made a key that could leave it. It has been destroyed.
    #[error("the token made a key that is {flaw}; it has been destroyed")]
    Unprotected {
        /// What is wrong with it.
        flaw: &'static str,
    },
    /// The new key's first signature does not verify. It has been destroyed.
    #[error("the first signature of the new key does not verify; it has been destroyed")]
    FirstSignature,
    /// The operating system gave no randomness.
    #[error("the operating system gave no randomness")]
    Randomness,
    /// The token or its module failed otherwise.
    #[error("the token failed to {task}")]
    Failed {
        /// What it was asked to do.
        task: &'static str,
        /// Why.
        source: Error,
    },
}

impl TokenError {
    /// For `map_err`: the token failed to do something.
    pub(super) fn failed(task: &'static str) -> impl Fn(Error) -> Self {
        move |source| Self::Failed { task, source }
    }
}

fn attempts(state: PinState) -> &'static str {
    match state {
        PinState::LastAttempt => "; one attempt is left before it locks",
        PinState::SomeWrong => "; few attempts are left before it locks",
        PinState::Locked => " and is locked now; its PUK or security officer unlocks it",
        PinState::Untried | PinState::Unset => "; it does not tell how many attempts are left",
    }
}

/// How a token names an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectName {
    /// `CKA_LABEL`.
    pub label: String,
    /// `CKA_ID`.
    pub id: Vec<u8>,
    /// `P-256`, `Ed25519`, `RSA` or the name of another type.
    pub key_type: String,
}

impl fmt::Display for ObjectName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            label,
            id,
            key_type,
        } = self;
        let (label, id) = (label.escape_debug(), hex::encode(id));
        write!(f, "`{label}` with id {id} ({key_type})")
    }
}

/// Most entries named in one message.
const MAX_LISTED: usize = 8;

/// Writes `A, B and 3 more`, or `none`.
struct Listed<'a, T>(&'a [T]);

impl<T: fmt::Display> fmt::Display for Listed<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        for entry in self.0.iter().take(MAX_LISTED) {
            write!(f, "{separator}{entry}")?;
            separator = ", ";
        }
        match self.0.len().checked_sub(MAX_LISTED) {
            None if self.0.is_empty() => f.write_str("none"),
            None | Some(0) => Ok(()),
            Some(more) => write!(f, " and {more} more"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_stay_short_and_printable() {
        let name = |at: u8| ObjectName {
            label: "a\u{1b}[2J".to_owned(),
            id: vec![at],
            key_type: "RSA".to_owned(),
        };
        let listed = |count| {
            let held = (0..count).map(name).collect();
            TokenError::NoKey { held }.to_string()
        };
        assert!(listed(0).ends_with("; it has none"));
        assert!(listed(1).ends_with("; it has `a\\u{1b}[2J` with id 00 (RSA)"));
        assert!(listed(8).ends_with("id 07 (RSA)"));
        assert!(listed(10).ends_with("id 07 (RSA) and 2 more"));
    }
}
