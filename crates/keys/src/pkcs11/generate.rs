//! Making a key on a token, where it stays.

use cryptoki::error::{Error, RvError};
use cryptoki::mechanism::Mechanism;
use cryptoki::object::{Attribute, ObjectClass, ObjectHandle};
use cryptoki::session::Session;
use ring::rand::{SecureRandom, SystemRandom};

use super::key::in_key;
use super::login::PinDesk;
use super::module::Module;
use super::object::{KeyObject, find, private_key};
use super::token::Token;
use super::{Pkcs11Key, Pkcs11Options, Pkcs11Uri, TokenError};
use crate::{KeyError, PassphraseSource, Signer};

/// The kinds of key that are made on tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenKeyType {
    /// What nearly every token has.
    EcdsaP256,
    /// Where the token has it: `YubiKeys` from firmware 5.7, `YubiHSM` 2, Nitrokeys.
    Ed25519,
    /// RSA of 3,072 bits. Takes seconds to minutes to make.
    Rsa3072,
}

/// A key to be made on a token.
#[derive(Clone, Copy, Debug)]
pub struct NewTokenKey {
    /// What kind.
    pub key_type: TokenKeyType,
    /// Whether it shall want the PIN for every signature. Not every token can.
    pub always_authenticate: bool,
}

/// Bytes of an id that nobody chose.
const ID_LENGTH: usize = 8;
/// `CKA_EC_PARAMS` of P-256: its OID.
const P256_PARAMS: &[u8] = &[6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7];
/// `CKA_EC_PARAMS` of Ed25519: its OID (RFC 8410), or its name in a `PrintableString` (PKCS#11 3.0,
/// 2.3.10). Modules take the one or the other.
const ED25519_PARAMS: [&[u8]; 2] = [&[6, 3, 0x2b, 0x65, 0x70], b"\x13\x0cedwards25519"];

impl Pkcs11Key {
    /// Makes a key pair on the token that the URI names, with the URI's `object` as label and its
    /// `id`, or a random one. The private key is sensitive and cannot be extracted; both are read
    /// back. Refuses a label or id that another key has. The new key's first signature is verified
    /// before it is handed out; a key that fails is destroyed.
    pub fn generate(
        uri: &Pkcs11Uri,
        new: NewTokenKey,
        pins: &dyn PassphraseSource,
        options: Pkcs11Options<'_>,
    ) -> Result<Self, KeyError> {
        let generate = || {
            let label = uri.object.as_deref().filter(|label| !label.is_empty());
            let label = label.ok_or(TokenError::NoLabel)?;
            let token = Module::load(options.module(uri)?)?.find_token(uri)?;
            let desk = PinDesk::new(uri, pins, options.force_last_attempt);
            let pin = desk.log_in(&token)?;
            let id = free_id(&token, label, uri.id.as_deref())?;
            let (session, pair) = make(&token, new, label, &id)?;
            let named = Pkcs11Uri {
                object: Some(label.to_owned()),
                id: Some(id),
                ..Pkcs11Uri::default()
            };
            let checked = private_key(&session, &named)
                .and_then(protected)
                .and_then(|key| Self::with_object(token, &key, pin, &desk))
                .and_then(|key| match key.sign(b"countersign: first signature") {
                    Ok(_) => Ok(key),
                    Err(_) => Err(TokenError::FirstSignature),
                });
            if checked.is_err() {
                destroy(&session, pair);
            }
            checked
        };
        generate().map_err(|source| in_key(uri, source))
    }
}

/// Checks that label and id are free; chooses an id if none is given.
fn free_id(token: &Token, label: &str, id: Option<&[u8]>) -> Result<Vec<u8>, TokenError> {
    let id = match id {
        Some(id) => id.to_vec(),
        None => random_id()?,
    };
    token.with_session(|session| {
        let mut held = Vec::new();
        for class in [ObjectClass::PRIVATE_KEY, ObjectClass::PUBLIC_KEY] {
            held.extend(find(session, class, Some(label), None)?);
            held.extend(find(session, class, None, Some(&id))?);
        }
        match held.as_slice() {
            [] => Ok(()),
            held => Err(TokenError::Exists {
                held: held.iter().map(KeyObject::name).collect(),
            }),
        }
    })?;
    Ok(id)
}

fn random_id() -> Result<Vec<u8>, TokenError> {
    let mut id = [0; ID_LENGTH];
    let filled = SystemRandom::new().fill(&mut id);
    filled.map_err(|_| TokenError::Randomness)?;
    Ok(id.to_vec())
}

type Pair = (ObjectHandle, ObjectHandle);

fn make(
    token: &Token,
    new: NewTokenKey,
    label: &str,
    id: &[u8],
) -> Result<(Session, Pair), TokenError> {
    let failed = TokenError::failed("make a key");
    let opened = token.module.api.open_rw_session(token.slot);
    let session = opened.map_err(&failed)?;
    let (mechanism, kinds) = kinds(new.key_type);
    if !token.mechanisms.contains(&mechanism.mechanism_type()) {
        return Err(TokenError::Mechanism {
            needed: needed(new.key_type),
        });
    }
    let private = private_template(new, label, id);
    let mut last = Error::NotSupported;
    for kind in kinds {
        let public = [common(label, id), kind].concat();
        match session.generate_key_pair(&mechanism, &public, &private) {
            Ok(pair) => return Ok((session, pair)),
            Err(error) if is_about_parameters(&error) => last = error,
            Err(error) => return Err(token.explain(failed(error))),
        }
    }
    Err(token.explain(failed(last)))
}

/// The mechanism, and what says which kind of key: for Ed25519 there are two ways.
fn kinds(key_type: TokenKeyType) -> (Mechanism<'static>, Vec<Vec<Attribute>>) {
    let curve = |params: &[u8]| vec![Attribute::EcParams(params.to_vec())];
    match key_type {
        TokenKeyType::EcdsaP256 => (Mechanism::EccKeyPairGen, vec![curve(P256_PARAMS)]),
        TokenKeyType::Ed25519 => (
            Mechanism::EccEdwardsKeyPairGen,
            ED25519_PARAMS.map(curve).to_vec(),
        ),
        TokenKeyType::Rsa3072 => {
            let bits = Attribute::ModulusBits(3072.into());
            let exponent = Attribute::PublicExponent(vec![1, 0, 1]);
            (Mechanism::RsaPkcsKeyPairGen, vec![vec![bits, exponent]])
        }
    }
}

fn needed(key_type: TokenKeyType) -> &'static str {
    match key_type {
        TokenKeyType::EcdsaP256 => "CKM_EC_KEY_PAIR_GEN",
        TokenKeyType::Ed25519 => "CKM_EC_EDWARDS_KEY_PAIR_GEN",
        TokenKeyType::Rsa3072 => "CKM_RSA_PKCS_KEY_PAIR_GEN",
    }
}

fn common(label: &str, id: &[u8]) -> Vec<Attribute> {
    vec![
        Attribute::Token(true),
        Attribute::Private(false),
        Attribute::Verify(true),
        Attribute::Label(label.as_bytes().to_vec()),
        Attribute::Id(id.to_vec()),
    ]
}

fn private_template(new: NewTokenKey, label: &str, id: &[u8]) -> Vec<Attribute> {
    let mut template = vec![
        Attribute::Token(true),
        Attribute::Private(true),
        Attribute::Sensitive(true),
        Attribute::Extractable(false),
        Attribute::Sign(true),
        Attribute::Label(label.as_bytes().to_vec()),
        Attribute::Id(id.to_vec()),
    ];
    if new.always_authenticate {
        template.push(Attribute::AlwaysAuthenticate(true));
    }
    template
}

/// What modules answer to parameters in an encoding they do not know.
fn is_about_parameters(error: &Error) -> bool {
    matches!(
        error,
        Error::Pkcs11(
            RvError::AttributeValueInvalid
                | RvError::DomainParamsInvalid
                | RvError::CurveNotSupported
                | RvError::TemplateInconsistent
                | RvError::MechanismParamInvalid
                | RvError::ArgumentsBad
                | RvError::FunctionFailed
                | RvError::GeneralError,
            _
        )
    )
}

/// Tokens have been seen to ignore what they do not implement, so the answer is read back.
fn protected(key: KeyObject) -> Result<KeyObject, TokenError> {
    match (key.sensitive, key.extractable) {
        (Some(true), Some(false)) => Ok(key),
        (_, Some(false)) => Err(TokenError::Unprotected {
            flaw: "not sensitive",
        }),
        _ => Err(TokenError::Unprotected {
            flaw: "extractable",
        }),
    }
}

/// Best effort: the error that led here is the one to report.
fn destroy(session: &Session, (public, private): Pair) {
    for object in [private, public] {
        let _ = session.destroy_object(object);
    }
}
