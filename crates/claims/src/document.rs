//! The documents of a claim, signed like TUF metadata: `{"signatures":[…],"signed":…}`. Their `_type`
//! is none of TUF's, so that no signature made for one passes for the other.

use std::collections::BTreeMap;

use metadata::canonical::{Writer, to_json};
use metadata::{Expiry, KeyId, PublicKey, Sha256, Signature, Value, Wire};
use trust::{Authority, Tally, tally};

use crate::ClaimError;

/// Bytes of a claim's document: 32 keys of RSA and their signatures fit several times.
const MAX_DOCUMENT: usize = 256 * 1024;
/// Signatures of a claim's document.
const MAX_SIGNATURES: usize = 64;

/// What a document of a claim says.
pub trait Statement: Sized {
    /// Its `_type`.
    const TYPE: &'static str;

    /// Its members besides `_type`.
    fn members(&self) -> BTreeMap<String, Value>;

    /// Takes what it knows; what is left over is refused.
    fn read(members: &mut Members) -> Result<Self, ClaimError>;

    /// What is signed.
    fn to_canonical(&self) -> Vec<u8> {
        let mut members = self.members();
        members.insert("_type".to_owned(), Value::String(Self::TYPE.to_owned()));
        Value::Object(members).to_canonical()
    }

    /// The file, with these signatures.
    fn seal(&self, signatures: &[Signature]) -> Vec<u8> {
        Wire::write(&self.to_canonical(), signatures)
    }
}

/// A document with its signatures, which nobody has judged yet.
#[derive(Clone, Debug)]
pub struct Signed<D> {
    document: D,
    canonical: Vec<u8>,
    signatures: Vec<Signature>,
}

impl<D: Statement> Signed<D> {
    /// Takes a file apart.
    pub fn parse(file: &[u8]) -> Result<Self, ClaimError> {
        if file.len() > MAX_DOCUMENT {
            let limit = MAX_DOCUMENT;
            return Err(ClaimError::TooLarge { limit });
        }
        let wire = Wire::parse(file, MAX_SIGNATURES)?;
        let Value::Object(members) = Value::parse(wire.signed)? else {
            return Err(ClaimError::member("signed", "is no object"));
        };
        let mut members = Members(members);
        let found = members.text("_type")?;
        if found != D::TYPE {
            let expected = D::TYPE;
            return Err(ClaimError::Type { expected, found });
        }
        let document = D::read(&mut members)?;
        if let Some((unknown, _)) = members.0.into_iter().next() {
            return Err(ClaimError::member(&unknown, "is not known"));
        }
        Ok(Self {
            document,
            canonical: wire.canonical.into_owned(),
            signatures: wire.signatures,
        })
    }

    /// What it says, though nobody vouches for it.
    #[must_use]
    pub fn peek_unverified(&self) -> &D {
        &self.document
    }

    /// The digest of what was signed, by which the next document names this one.
    #[must_use]
    pub fn digest(&self) -> Sha256 {
        Sha256::of(&self.canonical)
    }

    /// The signatures, not judged.
    #[must_use]
    pub fn signatures(&self) -> &[Signature] {
        &self.signatures
    }

    pub(crate) fn tally(&self, authority: &Authority<'_>) -> Tally {
        tally(&self.canonical, &self.signatures, authority)
    }
}

/// The members of a document not yet read.
pub struct Members(BTreeMap<String, Value>);

impl Members {
    fn take(&mut self, member: &str) -> Result<Value, ClaimError> {
        let found = self.0.remove(member);
        found.ok_or_else(|| ClaimError::member(member, "is missing"))
    }

    pub(crate) fn text(&mut self, member: &str) -> Result<String, ClaimError> {
        match self.take(member)? {
            Value::String(text) => Ok(text),
            _ => Err(ClaimError::member(member, "is no text")),
        }
    }

    pub(crate) fn count(&mut self, member: &str) -> Result<u32, ClaimError> {
        match self.take(member)? {
            Value::Integer(number) => u32::try_from(number).ok(),
            _ => None,
        }
        .ok_or_else(|| ClaimError::member(member, "is no number from 0 to 2^32-1"))
    }

    pub(crate) fn digest(&mut self, member: &str) -> Result<Sha256, ClaimError> {
        Ok(Sha256::parse(&self.text(member)?)?)
    }

    pub(crate) fn expiry(&mut self, member: &str) -> Result<Expiry, ClaimError> {
        let expires = Expiry::parse(&self.text(member)?)?;
        if expires.is_exact_form() {
            return Ok(expires);
        }
        Err(ClaimError::member(member, "is not YYYY-MM-DDTHH:MM:SSZ"))
    }

    pub(crate) fn keys(&mut self, member: &str) -> Result<BTreeMap<KeyId, PublicKey>, ClaimError> {
        let Value::Object(listed) = self.take(member)? else {
            return Err(ClaimError::member(member, "is no object"));
        };
        let key =
            |(id, key): (&String, &Value)| Ok((KeyId::parse(id)?, PublicKey::from_value(key)?));
        listed.iter().map(key).collect()
    }
}

/// The KEY object as a value.
pub(crate) fn key_value(key: &PublicKey) -> Value {
    let mut out = Writer::new();
    key.write(&mut out);
    Value::parse(&to_json(&out.into_bytes())).expect("what was written of a key is JSON")
}
