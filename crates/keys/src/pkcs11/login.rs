//! Logging in to a token: where the PIN comes from, and never spending an attempt in vain.

use std::sync::Arc;

use cryptoki::error::{Error, RvError};
use cryptoki::session::{Session, UserType};
use cryptoki::types::RawAuthPin;

use super::token::{PinState, Token, TokenInfo, lock};
use super::{Pkcs11Uri, TokenError};
use crate::{Passphrase, PassphraseError, PassphraseFile, PassphraseSource};

/// A PIN. Wiped from memory when dropped; cannot be printed.
#[derive(Clone)]
pub(super) struct Pin(Arc<Passphrase>);

impl Pin {
    /// As `cryptoki` takes it; wiped when dropped, too.
    fn raw(&self) -> RawAuthPin {
        RawAuthPin::new(Box::new(self.0.expose().to_vec()))
    }
}

/// PINs that tokens of this process have refused: a script that opens three keys with one PIN file
/// would otherwise spend all three attempts on the same mistake.
#[derive(Default)]
pub(super) struct RefusedPins(Vec<(TokenInfo, Pin)>);

/// Where PINs come from and how far to go with them.
pub(super) struct PinDesk<'a> {
    uri: &'a Pkcs11Uri,
    source: &'a dyn PassphraseSource,
    pub(super) force_last_attempt: bool,
}

impl<'a> PinDesk<'a> {
    pub(super) fn new(
        uri: &'a Pkcs11Uri,
        source: &'a dyn PassphraseSource,
        force_last_attempt: bool,
    ) -> Self {
        Self {
            uri,
            source,
            force_last_attempt,
        }
    }

    /// Logs in, unless somebody has already. Returns the PIN if one was asked for.
    pub(super) fn log_in(&self, token: &Token) -> Result<Option<Pin>, TokenError> {
        // Held to the end, so that two threads neither ask twice nor spend two attempts.
        let mut refused = lock(&token.module.refused);
        if !token.info.login_required || token.is_logged_in() {
            return Ok(None);
        }
        self.may_try(token)?;
        let pin = self.ask(token)?;
        refused.check(token, pin.as_ref())?;
        token
            .with_anchor(|anchor| send(anchor, UserType::User, pin.as_ref()))
            .map_err(|error| refused.explain(token, pin.as_ref(), error))?;
        Ok(pin)
    }

    /// Asks for the PIN; `None` where it is typed on the device.
    pub(super) fn ask(&self, token: &Token) -> Result<Option<Pin>, TokenError> {
        if token.info.pinpad {
            return Ok(None);
        }
        let key = format!("pkcs11:{}", self.uri.without_pin_source());
        let answer = match &self.uri.pin_source {
            Some(path) => PassphraseFile(path.clone()).passphrase(&key),
            None => self.source.passphrase(&key),
        };
        let no_pin = |source: PassphraseError| TokenError::Pin {
            token: token.boxed_info(),
            source,
        };
        answer
            .map(|answer| Some(Pin(Arc::new(answer))))
            .map_err(no_pin)
    }

    fn may_try(&self, token: &Token) -> Result<(), TokenError> {
        may_try(token, self.force_last_attempt)
    }
}

/// Refuses before a wrong PIN could lock the token.
pub(super) fn may_try(token: &Token, force_last_attempt: bool) -> Result<(), TokenError> {
    let now = TokenInfo::read(&token.module, token.slot)
        .map_err(TokenError::failed("tell the state of its PIN"))
        .map_err(|error| token.explain(error))?;
    let token = Box::new(now);
    match token.pin {
        PinState::Locked => Err(TokenError::PinLocked { token }),
        PinState::Unset => Err(TokenError::PinNotSet { token }),
        PinState::LastAttempt if !force_last_attempt => Err(TokenError::LastAttempt { token }),
        PinState::LastAttempt | PinState::SomeWrong | PinState::Untried => Ok(()),
    }
}

/// Sends a PIN, once. Being logged in already is as good as logging in.
pub(super) fn send(session: &Session, user: UserType, pin: Option<&Pin>) -> Result<(), Error> {
    let outcome = match pin {
        Some(pin) => session.login_with_raw(user, &pin.raw()),
        None => session.login(user, None),
    };
    match outcome {
        Err(Error::Pkcs11(RvError::UserAlreadyLoggedIn, _)) => Ok(()),
        outcome => outcome,
    }
}

impl RefusedPins {
    /// Whether the token has refused this PIN before.
    pub(super) fn check(&self, token: &Token, pin: Option<&Pin>) -> Result<(), TokenError> {
        let refused = |pin: &Pin| {
            let mut entries = self.0.iter();
            entries.any(|(refuser, refused)| {
                refuser.is_same(&token.info) && refused.0.expose() == pin.0.expose()
            })
        };
        if pin.is_some_and(refused) {
            let token = token.boxed_info();
            return Err(TokenError::PinRefusedBefore { token });
        }
        Ok(())
    }

    /// Says why a login failed, and remembers a wrong PIN.
    pub(super) fn explain(&mut self, token: &Token, pin: Option<&Pin>, error: Error) -> TokenError {
        let Error::Pkcs11(code, _) = &error else {
            return failed_login(token, error);
        };
        let now = TokenInfo::read(&token.module, token.slot);
        let info = Box::new(now.unwrap_or_else(|_| token.info.clone()));
        match code {
            RvError::PinIncorrect | RvError::PinInvalid | RvError::PinLenRange => {
                if let Some(pin) = pin {
                    self.0.push((token.info.clone(), pin.clone()));
                }
                let state = info.pin;
                TokenError::WrongPin { token: info, state }
            }
            RvError::PinLocked => TokenError::PinLocked { token: info },
            RvError::PinExpired => TokenError::PinExpired { token: info },
            RvError::UserPinNotInitialized => TokenError::PinNotSet { token: info },
            _ => failed_login(token, error),
        }
    }
}

fn failed_login(token: &Token, source: Error) -> TokenError {
    token.explain(TokenError::Failed {
        task: "log in",
        source,
    })
}
