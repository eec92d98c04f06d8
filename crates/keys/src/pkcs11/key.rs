//! A private key on a token, behind the trait of all signers.

use std::fmt;
use std::sync::{Arc, Mutex};

use cryptoki::error::{Error, RvError};
use cryptoki::object::ObjectHandle;
use cryptoki::session::{Session, UserType};
use metadata::{KeyId, PublicKey, Signature};
use pkcs11_context_login::ContextLoginError;

use super::login::{Pin, PinDesk, may_try, send};
use super::module::Module;
use super::object::{KeyObject, private_key};
use super::public::public_key;
use super::signing::Signing;
use super::token::{Token, lock};
use super::{Pkcs11Options, Pkcs11Uri, TokenError, TokenInfo};
use crate::{KeyError, PassphraseSource, SignatureCheck, Signer};

/// A private key on a PKCS#11 token: a smart card, a `YubiKey`, an HSM.
pub struct Pkcs11Key {
    token: Arc<Token>,
    handle: ObjectHandle,
    signing: Signing,
    /// Held between signatures only if the token wants it for each (`CKA_ALWAYS_AUTHENTICATE`).
    each_time: Option<EachTime>,
    public: PublicKey,
    keyid: KeyId,
    check: SignatureCheck,
    /// The full name: token and serial, label and id, module.
    uri: Pkcs11Uri,
}

/// The login that goes with every signature.
struct EachTime {
    force_last_attempt: bool,
    pin: Mutex<Kept>,
}

/// The PIN of a key that wants it for every signature.
enum Kept {
    Pin(Pin),
    /// Typed on the device.
    Pinpad,
    /// Refused; never sent again.
    Refused,
}

impl Pkcs11Key {
    /// Finds the one key that the URI names, logging in with the PIN that its `pin-source` or
    /// `pins` gives. The PIN is sent once; see [`TokenError`] for what is refused beforehand.
    pub fn open(
        uri: &Pkcs11Uri,
        pins: &dyn PassphraseSource,
        options: Pkcs11Options<'_>,
    ) -> Result<Self, KeyError> {
        let open = || {
            let token = Module::load(options.module(uri)?)?.find_token(uri)?;
            let desk = PinDesk::new(uri, pins, options.force_last_attempt);
            let pin = desk.log_in(&token)?;
            let key = token.with_session(|session| private_key(session, uri))?;
            Self::with_object(token, &key, pin, &desk)
        };
        open().map_err(|source| in_key(uri, source))
    }

    pub(super) fn with_object(
        token: Arc<Token>,
        key: &KeyObject,
        pin: Option<Pin>,
        desk: &PinDesk<'_>,
    ) -> Result<Self, TokenError> {
        if key.may_sign == Some(false) {
            return Err(TokenError::NotForSigning);
        }
        let numbers = token.with_session(|session| public_key(session, key))?;
        let signing = Signing::choose(&numbers, &token.mechanisms)?;
        let public = numbers.to_listed().map_err(TokenError::Flaw)?;
        let each_time = match (key.always_authenticate, pin) {
            (false, _) => None,
            (true, pin) => {
                let pin = pin.map_or_else(|| desk.ask(&token), |pin| Ok(Some(pin)))?;
                Some(EachTime {
                    force_last_attempt: desk.force_last_attempt,
                    pin: Mutex::new(pin.map_or(Kept::Pinpad, Kept::Pin)),
                })
            }
        };
        Ok(Self {
            uri: full_name(&token, key),
            keyid: public.id(),
            check: SignatureCheck::new(&public).map_err(TokenError::Flaw)?,
            handle: key.handle,
            token,
            signing,
            each_time,
            public,
        })
    }

    /// The token that holds it, as it was when the key was opened.
    #[must_use]
    pub fn token(&self) -> &TokenInfo {
        &self.token.info
    }

    /// The name that fits this key alone: token, serial, label, id and module.
    #[must_use]
    pub fn uri(&self) -> &Pkcs11Uri {
        &self.uri
    }

    /// Whether the token wants the PIN for every signature. It is then kept in memory until the
    /// key is dropped, unless it is typed on the device.
    #[must_use]
    pub fn always_authenticates(&self) -> bool {
        self.each_time.is_some()
    }

    fn raw_signature(&self, session: &Session, input: &[u8]) -> Result<Vec<u8>, TokenError> {
        let mechanism = &self.signing.mechanism();
        match &self.each_time {
            None => session
                .sign(mechanism, self.handle, input)
                .map_err(|error| signing_failed(error, input)),
            Some(each_time) => each_time.sign(self, session, input),
        }
    }
}

impl EachTime {
    /// Logs in between `C_SignInit` and `C_Sign`. A refused PIN is forgotten, not sent again.
    fn sign(
        &self,
        key: &Pkcs11Key,
        session: &Session,
        input: &[u8],
    ) -> Result<Vec<u8>, TokenError> {
        let token = &key.token;
        let mut kept = lock(&self.pin);
        let pin = match &*kept {
            Kept::Pin(pin) => Some(pin),
            Kept::Pinpad => None,
            Kept::Refused => {
                let token = token.boxed_info();
                return Err(TokenError::PinRefusedBefore { token });
            }
        };
        let mut refused = lock(&token.module.refused);
        refused.check(token, pin)?;
        may_try(token, self.force_last_attempt)?;
        let login = |session: &Session| send(session, UserType::ContextSpecific, pin);
        let mechanism = &key.signing.mechanism();
        let context = &token.module.context_login;
        match context.sign(session, mechanism, key.handle, login, input) {
            Ok(signature) => Ok(signature),
            Err(ContextLoginError::Init(error) | ContextLoginError::Sign(error)) => {
                Err(signing_failed(error, input))
            }
            Err(ContextLoginError::Login(error)) => {
                let error = refused.explain(token, pin, error);
                if matches!(error, TokenError::WrongPin { .. }) {
                    *kept = Kept::Refused;
                }
                Err(error)
            }
        }
    }
}

fn signing_failed(source: Error, input: &[u8]) -> TokenError {
    match source {
        Error::Pkcs11(RvError::DataLenRange, _) => TokenError::TooLong {
            length: input.len(),
        },
        source => TokenError::failed("sign")(source),
    }
}

pub(super) fn full_name(token: &Token, key: &KeyObject) -> Pkcs11Uri {
    Pkcs11Uri {
        object: Some(key.label.clone()),
        id: Some(key.id.clone()),
        ..token.name()
    }
}

/// Names the key in an error as the user did, but not where its PIN is.
pub(super) fn in_key(uri: &Pkcs11Uri, source: TokenError) -> KeyError {
    KeyError::Token {
        key: format!("pkcs11:{}", uri.without_pin_source()),
        source: Box::new(source),
    }
}

impl Signer for Pkcs11Key {
    fn public_key(&self) -> &PublicKey {
        &self.public
    }

    fn key_id(&self) -> &KeyId {
        &self.keyid
    }

    fn sign(&self, message: &[u8]) -> Result<Signature, KeyError> {
        let input = self.signing.input(message);
        let raw = self
            .token
            .with_session(|session| self.raw_signature(session, &input))
            .map_err(|source| in_key(&self.uri, source))?;
        let bytes = self.signing.output(raw);
        match bytes.filter(|bytes| self.check.verifies(message, bytes)) {
            Some(bytes) => Ok(Signature {
                keyid: self.keyid.clone(),
                bytes,
            }),
            None => Err(KeyError::BadSignature {
                key: self.describe(),
                keyid: self.keyid.clone(),
            }),
        }
    }

    fn describe(&self) -> String {
        format!("pkcs11:{}", self.uri)
    }
}

impl fmt::Debug for Pkcs11Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pkcs11Key({}, {})", self.describe(), self.keyid)
    }
}
