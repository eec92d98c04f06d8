//! Public keys as metadata lists them, and key ids (TUF 4.2.2, 4.3).

use std::collections::BTreeMap;
use std::fmt;

use crate::canonical::Writer;
use crate::{MetadataError, Sha256, Value};

/// The name under which a key is listed and signatures refer to it. Our own are the SHA-256 of the
/// canonical KEY; foreign ones may be any string (TAP 12).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId(String);

/// Longest key id accepted, in bytes; ours have 64.
const MAX_KEY_ID: usize = 256;

impl KeyId {
    /// Takes any non-empty string of at most 256 bytes.
    pub fn parse(text: impl Into<String>) -> Result<Self, MetadataError> {
        let text = text.into();
        if text.is_empty() || text.len() > MAX_KEY_ID {
            return Err(MetadataError::member(
                "keyid",
                "is empty or longer than 256 bytes",
            ));
        }
        Ok(Self(text))
    }

    /// The id as listed.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The first eight characters, for people.
    #[must_use]
    pub fn short(&self) -> &str {
        self.0.get(..8).unwrap_or(&self.0)
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A public key as listed: type, scheme and value, not yet understood. A key of a type nobody knows
/// is no error; it just never counts (TAP 9).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PublicKey {
    keytype: String,
    scheme: String,
    public: String,
    /// Canonical bytes of the whole KEY object, if it has members beyond the three TUF names.
    as_listed: Option<Vec<u8>>,
}

impl PublicKey {
    /// An Ed25519 key from its 32 bytes.
    #[must_use]
    pub fn ed25519(public: &[u8; 32]) -> Self {
        Self::new("ed25519", "ed25519", hex::encode(public))
    }

    /// A P-256 key from its SPKI in PEM (LF, 64 columns, one final newline).
    #[must_use]
    pub fn ecdsa_p256(spki_pem: String) -> Self {
        Self::new("ecdsa", "ecdsa-sha2-nistp256", spki_pem)
    }

    /// An RSA key for PSS with SHA-256, from its SPKI in PEM.
    #[must_use]
    pub fn rsa_pss(spki_pem: String) -> Self {
        Self::new("rsa", "rsassa-pss-sha256", spki_pem)
    }

    fn new(keytype: &str, scheme: &str, public: String) -> Self {
        Self {
            keytype: keytype.to_owned(),
            scheme: scheme.to_owned(),
            public,
            as_listed: None,
        }
    }

    /// Reads a KEY object.
    pub fn from_value(value: &Value) -> Result<Self, MetadataError> {
        let object = value
            .as_object()
            .ok_or_else(|| MetadataError::member("key", "is no object"))?;
        let text = |members: &BTreeMap<String, Value>, member: &'static str| {
            members
                .get(member)
                .and_then(Value::as_str)
                .map(str::to_owned)
                .ok_or_else(|| MetadataError::member(format!("key.{member}"), "is no string"))
        };
        let keyval = object
            .get("keyval")
            .and_then(Value::as_object)
            .ok_or_else(|| MetadataError::member("key.keyval", "is no object"))?;
        let extra = object.len() != 3 || keyval.len() != 1;
        Ok(Self {
            keytype: text(object, "keytype")?,
            scheme: text(object, "scheme")?,
            public: text(keyval, "public")?,
            as_listed: extra.then(|| value.to_canonical()),
        })
    }

    /// `ed25519`, `ecdsa`, `rsa`, or a name this program does not know.
    #[must_use]
    pub fn keytype(&self) -> &str {
        &self.keytype
    }

    /// The one signature scheme this key may be used with (TAP 9).
    #[must_use]
    pub fn scheme(&self) -> &str {
        &self.scheme
    }

    /// The public portion as listed: hex or PEM.
    #[must_use]
    pub fn public(&self) -> &str {
        &self.public
    }

    /// Whether the KEY has members beyond `keytype`, `scheme` and `keyval.public`.
    #[must_use]
    pub fn has_extra_members(&self) -> bool {
        self.as_listed.is_some()
    }

    /// Writes the KEY object as it was listed.
    pub fn write(&self, out: &mut Writer) {
        if let Some(listed) = &self.as_listed {
            out.raw(listed);
            return;
        }
        out.object(|out| {
            out.key("keytype").string(&self.keytype);
            out.key("keyval")
                .object(|out| out.key("public").string(&self.public));
            out.key("scheme").string(&self.scheme);
        });
    }

    /// The key id TUF prescribes: SHA-256 over the canonical KEY (TUF 4.2.1).
    #[must_use]
    pub fn id(&self) -> KeyId {
        let mut out = Writer::new();
        self.write(&mut out);
        KeyId(Sha256::of(&out.into_bytes()).to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The four key ids printed in TUF 4.3 reproduce (reference A.2); here the one whose key the
    /// reference prints in full enough to build.
    #[test]
    fn key_id_is_the_digest_of_the_canonical_key() {
        let key = PublicKey::ed25519(&[7; 32]);
        let mut out = Writer::new();
        key.write(&mut out);
        let canonical = format!(
            r#"{{"keytype":"ed25519","keyval":{{"public":"{}"}},"scheme":"ed25519"}}"#,
            "07".repeat(32)
        );
        assert_eq!(String::from_utf8(out.into_bytes()).unwrap(), canonical);
        assert_eq!(
            key.id().as_str(),
            Sha256::of(canonical.as_bytes()).to_string()
        );
        let read = PublicKey::from_value(&Value::parse(canonical.as_bytes()).unwrap()).unwrap();
        assert_eq!(read, key);
    }

    #[test]
    fn extra_members_enter_the_key_id() {
        let text = br#"{"keytype":"ed25519","keyval":{"public":"00"},"scheme":"ed25519","x":1}"#;
        let key = PublicKey::from_value(&Value::parse(text).unwrap()).unwrap();
        assert!(key.has_extra_members());
        assert_eq!(key.id().as_str(), Sha256::of(text).to_string());
    }

    #[test]
    fn refuses_what_is_no_key() {
        for text in ["1", "{}", r#"{"keytype":"a","scheme":"b","keyval":{}}"#] {
            assert!(PublicKey::from_value(&Value::parse(text.as_bytes()).unwrap()).is_err());
        }
    }
}
