//! Objects on a token: finding keys by label and id, and telling what they are.

use cryptoki::error::{Error, RvError};
use cryptoki::object::{Attribute, AttributeType, KeyType, ObjectClass, ObjectHandle};
use cryptoki::session::Session;

use super::{ObjectName, Pkcs11Uri, TokenError};

/// Most keys looked at on one token; far more than any holds that people keep keys on.
const MAX_OBJECTS: usize = 4096;

/// What is read of every key object, beside its name.
const ATTRIBUTES: &[AttributeType] = &[
    AttributeType::Label,
    AttributeType::Id,
    AttributeType::KeyType,
    AttributeType::EcParams,
    AttributeType::EcPoint,
    AttributeType::Modulus,
    AttributeType::PublicExponent,
    AttributeType::Sign,
    AttributeType::AlwaysAuthenticate,
    AttributeType::Sensitive,
    AttributeType::Extractable,
];

/// A key object and those of its attributes that the token tells.
pub(super) struct KeyObject {
    pub(super) handle: ObjectHandle,
    pub(super) label: String,
    pub(super) id: Vec<u8>,
    pub(super) key_type: Option<KeyType>,
    pub(super) ec_params: Option<Vec<u8>>,
    pub(super) ec_point: Option<Vec<u8>>,
    pub(super) modulus: Option<Vec<u8>>,
    pub(super) exponent: Option<Vec<u8>>,
    pub(super) may_sign: Option<bool>,
    pub(super) always_authenticate: bool,
    pub(super) sensitive: Option<bool>,
    pub(super) extractable: Option<bool>,
}

impl KeyObject {
    fn read(session: &Session, handle: ObjectHandle) -> Result<Self, Error> {
        let mut key = Self {
            handle,
            label: String::new(),
            id: Vec::new(),
            key_type: None,
            ec_params: None,
            ec_point: None,
            modulus: None,
            exponent: None,
            may_sign: None,
            always_authenticate: false,
            sensitive: None,
            extractable: None,
        };
        for attribute in attributes(session, handle)? {
            match attribute {
                Attribute::Label(label) => key.label = text(&label),
                Attribute::Id(id) => key.id = id,
                Attribute::KeyType(key_type) => key.key_type = Some(key_type),
                Attribute::EcParams(der) => key.ec_params = filled(der),
                Attribute::EcPoint(der) => key.ec_point = filled(der),
                Attribute::Modulus(modulus) => key.modulus = filled(modulus),
                Attribute::PublicExponent(exponent) => key.exponent = filled(exponent),
                Attribute::Sign(yes) => key.may_sign = Some(yes),
                Attribute::AlwaysAuthenticate(yes) => key.always_authenticate = yes,
                Attribute::Sensitive(yes) => key.sensitive = Some(yes),
                Attribute::Extractable(yes) => key.extractable = Some(yes),
                _ => {}
            }
        }
        Ok(key)
    }

    pub(super) fn name(&self) -> ObjectName {
        ObjectName {
            label: self.label.clone(),
            id: self.id.clone(),
            key_type: self.type_name(),
        }
    }

    /// The type in words, for lists and errors.
    pub(super) fn type_name(&self) -> String {
        match self.key_type {
            Some(KeyType::EC) => match super::public::curve(self.ec_params.as_deref()) {
                Some(super::public::Curve::P256) => "P-256".to_owned(),
                _ => "EC".to_owned(),
            },
            Some(KeyType::EC_EDWARDS) => "Ed25519".to_owned(),
            Some(KeyType::RSA) => match &self.modulus {
                Some(modulus) => format!("RSA-{}", 8 * modulus.len()),
                None => "RSA".to_owned(),
            },
            Some(other) => other.to_string(),
            None => "unknown type".to_owned(),
        }
    }
}

/// Some tokens refuse the whole question for one attribute they do not know; then one by one.
fn attributes(session: &Session, handle: ObjectHandle) -> Result<Vec<Attribute>, Error> {
    match session.get_attributes(handle, ATTRIBUTES) {
        Err(Error::Pkcs11(
            RvError::ArgumentsBad | RvError::FunctionFailed | RvError::GeneralError,
            _,
        )) => {}
        outcome => return outcome,
    }
    let mut found = Vec::new();
    for attribute in ATTRIBUTES {
        found.extend(
            session
                .get_attributes(handle, &[*attribute])
                .unwrap_or_default(),
        );
    }
    Ok(found)
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Tokens answer with nothing where they have nothing.
fn filled(value: Vec<u8>) -> Option<Vec<u8>> {
    (!value.is_empty()).then_some(value)
}

/// The key objects of one class that the URI names.
pub(super) fn find(
    session: &Session,
    class: ObjectClass,
    label: Option<&str>,
    id: Option<&[u8]>,
) -> Result<Vec<KeyObject>, TokenError> {
    let mut template = vec![Attribute::Class(class)];
    template.extend(label.map(|label| Attribute::Label(label.as_bytes().to_vec())));
    template.extend(id.map(|id| Attribute::Id(id.to_vec())));
    let failed = TokenError::failed("look for keys");
    let handles = session.find_objects(&template).map_err(&failed)?;
    let read = |handle: &ObjectHandle| KeyObject::read(session, *handle);
    let first = handles.iter().take(MAX_OBJECTS);
    first.map(read).collect::<Result<_, _>>().map_err(&failed)
}

/// The one private key that the URI names.
pub(super) fn private_key(session: &Session, uri: &Pkcs11Uri) -> Result<KeyObject, TokenError> {
    let private = ObjectClass::PRIVATE_KEY;
    let names = |keys: &[KeyObject]| keys.iter().map(KeyObject::name).collect();
    let mut matching = find(session, private, uri.object.as_deref(), uri.id.as_deref())?;
    match (matching.pop(), matching.len()) {
        (Some(key), 0) => Ok(key),
        (Some(key), _) => {
            matching.push(key);
            let matching = names(&matching);
            Err(TokenError::SeveralKeys { matching })
        }
        (None, _) => Err(TokenError::NoKey {
            held: names(&find(session, private, None, None)?),
        }),
    }
}
