//! What keys there are: every token of a module, every key on it.

use std::sync::Arc;

use cryptoki::object::ObjectClass;
use metadata::PublicKey;

use super::key::{full_name, in_key};
use super::login::PinDesk;
use super::module::Module;
use super::object::{KeyObject, find, private_key};
use super::public::{flaw_of, numbers, public_key};
use super::token::Token;
use super::{Pkcs11Options, Pkcs11Uri, TokenError, TokenInfo};
use crate::{KeyError, PassphraseSource, SignatureCheck};

/// A token and its keys.
#[derive(Debug)]
pub struct TokenKeys {
    /// The token.
    pub token: TokenInfo,
    /// Its keys, or why they cannot be told.
    pub keys: Result<Vec<TokenKey>, TokenError>,
}

/// A key on a token.
#[derive(Debug)]
pub struct TokenKey {
    /// The name that fits this key alone.
    pub uri: Pkcs11Uri,
    /// `P-256`, `Ed25519`, `RSA-3072` or the name of a type that is not used here.
    pub key_type: String,
    /// Whether the private key was seen. Most tokens show it only after a login; before, all that
    /// can be told is that there is a public key.
    pub private: bool,
    /// Whether the token wants the PIN for every signature.
    pub always_authenticate: bool,
    /// The public key, or why it cannot be used here.
    pub public: Result<PublicKey, TokenError>,
}

/// Lists the keys on all tokens that the URI allows; `pkcs11:?module-path=…` allows all. With
/// `pins`, logs in to each and lists private keys; without, lists what tokens show to anybody.
pub fn list_token_keys(
    uri: &Pkcs11Uri,
    pins: Option<&dyn PassphraseSource>,
    options: Pkcs11Options<'_>,
) -> Result<Vec<TokenKeys>, KeyError> {
    let list = || {
        let module = Module::load(options.module(uri)?)?;
        let mut tokens = module.tokens()?;
        tokens.retain(|token| token.matches(uri));
        let keys = |token: TokenInfo| TokenKeys {
            keys: keys_on(&module, &token, uri, pins, options),
            token,
        };
        Ok(tokens.into_iter().map(keys).collect())
    };
    list().map_err(|source| in_key(uri, source))
}

/// The one key that the URI names, and its token, for showing the public half. Most tokens show that
/// to anybody, and then nobody is asked for a PIN; whether the private half is there and belongs to it,
/// only a signature tells.
pub fn show_token_key(
    uri: &Pkcs11Uri,
    pins: &dyn PassphraseSource,
    options: Pkcs11Options<'_>,
) -> Result<(TokenKey, TokenInfo), KeyError> {
    let show = || {
        let token = Module::load(options.module(uri)?)?.find_token(uri)?;
        let (label, id) = (uri.object.as_deref(), uri.id.as_deref());
        let class = ObjectClass::PUBLIC_KEY;
        let mut seen = token.with_session(|session| find(session, class, label, id))?;
        let private = seen.is_empty();
        let object = match (seen.pop(), seen.len()) {
            (Some(object), 0) => object,
            (Some(object), _) => {
                seen.push(object);
                let matching = seen.iter().map(KeyObject::name).collect();
                return Err(TokenError::SeveralKeys { matching });
            }
            (None, _) => {
                PinDesk::new(uri, pins, options.force_last_attempt).log_in(&token)?;
                token.with_session(|session| private_key(session, uri))?
            }
        };
        Ok((listed(&token, &object, private), token.info.clone()))
    };
    show().map_err(|source| in_key(uri, source))
}

fn keys_on(
    module: &Arc<Module>,
    token: &TokenInfo,
    uri: &Pkcs11Uri,
    pins: Option<&dyn PassphraseSource>,
    options: Pkcs11Options<'_>,
) -> Result<Vec<TokenKey>, TokenError> {
    let token = module.connect(token)?;
    if let Some(pins) = pins {
        let named = token.name();
        let named = Pkcs11Uri {
            pin_source: uri.pin_source.clone(),
            ..named
        };
        PinDesk::new(&named, pins, options.force_last_attempt).log_in(&token)?;
    }
    let private = token.is_logged_in() || !token.info.login_required;
    let class = if private {
        ObjectClass::PRIVATE_KEY
    } else {
        ObjectClass::PUBLIC_KEY
    };
    let (label, id) = (uri.object.as_deref(), uri.id.as_deref());
    let objects = token.with_session(|session| find(session, class, label, id))?;
    let listed = |object| listed(&token, object, private);
    Ok(objects.iter().map(listed).collect())
}

fn listed(token: &Token, object: &KeyObject, private: bool) -> TokenKey {
    TokenKey {
        uri: full_name(token, object),
        key_type: object.type_name(),
        private,
        always_authenticate: object.always_authenticate,
        public: listed_public(token, object, private),
    }
}

fn listed_public(
    token: &Token,
    object: &KeyObject,
    private: bool,
) -> Result<PublicKey, TokenError> {
    let found = if private {
        token.with_session(|session| public_key(session, object))?
    } else {
        let found = numbers(object).map_err(flaw_of(object))?;
        found.ok_or(TokenError::NoPublicKey)?
    };
    let listed = found.to_listed().map_err(TokenError::Flaw)?;
    SignatureCheck::new(&listed).map_err(TokenError::Flaw)?;
    Ok(listed)
}
