//! One token: what it says about itself, its sessions, and logging in to it without locking it.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use cryptoki::error::{Error, RvError};
use cryptoki::mechanism::MechanismType;
use cryptoki::session::{Session, SessionState};
use cryptoki::slot::Slot;

use super::module::Module;
use super::{Pkcs11Uri, TokenError};

/// Most idle sessions kept per token; a YubiKey allows 16 in all.
const MAX_IDLE: usize = 8;

/// What a token says about itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenInfo {
    /// The slot it is in, as the module numbers it.
    pub slot_id: u64,
    /// The label that its owner gave it.
    pub label: String,
    /// Who made it.
    pub manufacturer: String,
    /// Its model.
    pub model: String,
    /// Its serial number.
    pub serial: String,
    /// Version of the hardware: major, minor.
    pub hardware: (u8, u8),
    /// Version of the firmware: major, minor.
    pub firmware: (u8, u8),
    /// Whether its private keys are reached only after a login.
    pub login_required: bool,
    /// Whether the PIN is typed on the device itself (`CKF_PROTECTED_AUTHENTICATION_PATH`).
    pub pinpad: bool,
    /// What it tells about its PIN.
    pub pin: PinState,
}

/// What a token tells about its user PIN. Not every token tells; `SoftHSM` never locks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PinState {
    /// No PIN has been set.
    Unset,
    /// No wrong PIN since the last right one, or the token does not tell.
    Untried,
    /// At least one wrong PIN since the last right one.
    SomeWrong,
    /// One more wrong PIN locks it.
    LastAttempt,
    /// Locked.
    Locked,
}

impl TokenInfo {
    pub(super) fn read(module: &Module, slot: Slot) -> Result<Self, Error> {
        let info = module.api.get_token_info(slot)?;
        Ok(Self::new(slot, &info))
    }

    pub(super) fn new(slot: Slot, info: &cryptoki::slot::TokenInfo) -> Self {
        let pin = if info.user_pin_locked() {
            PinState::Locked
        } else if info.user_pin_final_try() {
            PinState::LastAttempt
        } else if info.user_pin_count_low() {
            PinState::SomeWrong
        } else if info.user_pin_initialized() {
            PinState::Untried
        } else {
            PinState::Unset
        };
        // Blanks fill these fields; some modules end them with NUL instead.
        let text = |field: &str| field.trim_end_matches(['\0', ' ']).to_owned();
        let version = |version: cryptoki::types::Version| (version.major(), version.minor());
        Self {
            slot_id: slot.id(),
            label: text(info.label()),
            manufacturer: text(info.manufacturer_id()),
            model: text(info.model()),
            serial: text(info.serial_number()),
            hardware: version(info.hardware_version()),
            firmware: version(info.firmware_version()),
            login_required: info.login_required(),
            pinpad: info.protected_authentication_path(),
            pin,
        }
    }

    /// Whether the URI's token attributes allow this token (RFC 7512 2.3).
    pub(super) fn matches(&self, uri: &Pkcs11Uri) -> bool {
        let is = |wanted: &Option<String>, found: &String| {
            wanted.as_ref().is_none_or(|wanted| wanted == found)
        };
        is(&uri.token, &self.label)
            && is(&uri.manufacturer, &self.manufacturer)
            && is(&uri.serial, &self.serial)
            && is(&uri.model, &self.model)
            && uri.slot_id.is_none_or(|id| id == self.slot_id)
    }

    /// Whether it is the same device, whatever happened to its PIN meanwhile.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        (&self.serial, &self.label, &self.model, &self.manufacturer)
            == (
                &other.serial,
                &other.label,
                &other.model,
                &other.manufacturer,
            )
    }
}

impl fmt::Display for TokenInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "token `{}` ({}, serial {}, slot {})",
            self.label.escape_debug(),
            self.model.escape_debug(),
            self.serial.escape_debug(),
            self.slot_id
        )
    }
}

/// A token with open sessions. One session stays open and idle for ever: a token forgets the login
/// with its last session (PKCS#11 3.1, 5.6.7).
pub(super) struct Token {
    pub(super) module: Arc<Module>,
    pub(super) slot: Slot,
    pub(super) info: TokenInfo,
    pub(super) mechanisms: Vec<MechanismType>,
    anchor: Mutex<Session>,
    idle: Mutex<Vec<Session>>,
}

impl Token {
    pub(super) fn connect(module: &Arc<Module>, info: &TokenInfo) -> Result<Self, TokenError> {
        let failed = TokenError::failed("open a session");
        let slot = Slot::try_from(info.slot_id).map_err(&failed)?;
        let anchor = module.api.open_ro_session(slot).map_err(&failed)?;
        let mechanisms = module.api.get_mechanism_list(slot);
        Ok(Self {
            module: Arc::clone(module),
            slot,
            info: info.clone(),
            mechanisms: mechanisms.map_err(TokenError::failed("list its mechanisms"))?,
            anchor: Mutex::new(anchor),
            idle: Mutex::new(Vec::new()),
        })
    }

    /// The URI of this token. The slot names it only where it has no serial number.
    pub(super) fn name(&self) -> Pkcs11Uri {
        let info = &self.info;
        Pkcs11Uri {
            token: Some(info.label.clone()),
            serial: Some(info.serial.clone()),
            slot_id: info.serial.is_empty().then_some(info.slot_id),
            module_path: Some(self.module.path.clone()),
            ..Pkcs11Uri::default()
        }
    }

    /// Whether it is still there and its sessions are open.
    pub(super) fn is_alive(&self) -> bool {
        let there = TokenInfo::read(&self.module, self.slot);
        there.is_ok_and(|info| info.is_same(&self.info))
            && lock(&self.anchor).get_session_info().is_ok()
    }

    pub(super) fn is_logged_in(&self) -> bool {
        let info = lock(&self.anchor).get_session_info();
        info.is_ok_and(|info| {
            let state = info.session_state();
            matches!(state, SessionState::RoUser | SessionState::RwUser)
        })
    }

    /// Runs `task` with a session of its own. A session in which something failed is closed: an
    /// operation may still be active in it.
    pub(super) fn with_session<T>(
        &self,
        task: impl FnOnce(&Session) -> Result<T, TokenError>,
    ) -> Result<T, TokenError> {
        let idle = lock(&self.idle).pop();
        let session = match idle {
            Some(session) => session,
            None => (self.module.api.open_ro_session(self.slot))
                .map_err(TokenError::failed("open a session"))
                .map_err(|error| self.explain(error))?,
        };
        let outcome = task(&session).map_err(|error| self.explain(error))?;
        let mut idle = lock(&self.idle);
        if idle.len() < MAX_IDLE {
            idle.push(session);
        }
        Ok(outcome)
    }

    /// Runs `task` with the session that never closes.
    pub(super) fn with_anchor<T>(&self, task: impl FnOnce(&Session) -> T) -> T {
        task(&lock(&self.anchor))
    }

    /// Tells a token that is gone from one that failed. Modules answer with many codes to a device
    /// that has been pulled out, so it is asked whether it is still there.
    pub(super) fn explain(&self, error: TokenError) -> TokenError {
        let TokenError::Failed { source, .. } = &error else {
            return error;
        };
        match source {
            Error::Pkcs11(
                RvError::DeviceRemoved | RvError::TokenNotPresent | RvError::TokenNotRecognized,
                _,
            ) => self.removed(),
            Error::Pkcs11(RvError::FunctionCanceled | RvError::FunctionRejected, _) => {
                TokenError::Cancelled {
                    token: self.boxed_info(),
                }
            }
            _ if !self.is_alive() => self.removed(),
            _ => error,
        }
    }

    fn removed(&self) -> TokenError {
        TokenError::Removed {
            token: self.boxed_info(),
        }
    }

    pub(super) fn boxed_info(&self) -> Box<TokenInfo> {
        Box::new(self.info.clone())
    }
}

/// A thread that panicked leaves sessions as good as any that failed.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
