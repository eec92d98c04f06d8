//! `pkcs11:` URIs (RFC 7512): which token, which key on it, through which module.

use std::fmt;
use std::path::PathBuf;

use crate::UriError;
use crate::uri::percent;

const SCHEME: &str = "pkcs11";

/// Attributes read before the `?` (RFC 7512 2.3). Those that name the slot or the library instead
/// of the token change from machine to machine and are left out, except for `slot-id`, which tells
/// apart tokens of equal serial numbers.
const ATTRIBUTES: &[&str] = &[
    "token",
    "manufacturer",
    "serial",
    "model",
    "slot-id",
    "object",
    "id",
    "type",
];
/// Attributes read after the `?` (RFC 7512 2.4).
const PARAMETERS: &[&str] = &["module-path", "pin-source"];
/// Characters beside the unreserved ones that stand for themselves (RFC 7512 2.3, `pk11-pchar`) …
const PATH_CHARACTERS: &[u8] = b":[]@!$'()*+,=&";
/// … and after the `?` (`pk11-qchar`).
const QUERY_CHARACTERS: &[u8] = b":[]@!$'()*+,=/?|";

/// A private key on a PKCS#11 token. An attribute that is absent matches everything.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Pkcs11Uri {
    /// The token's label.
    pub token: Option<String>,
    /// Who made the token.
    pub manufacturer: Option<String>,
    /// The token's serial number: what tells apart two tokens of one model.
    pub serial: Option<String>,
    /// The token's model.
    pub model: Option<String>,
    /// The slot the token is in. Modules number slots as they like, so it serves only where two
    /// tokens are alike in everything else.
    pub slot_id: Option<u64>,
    /// The key's label (`CKA_LABEL`).
    pub object: Option<String>,
    /// The key's `CKA_ID`.
    pub id: Option<Vec<u8>>,
    /// The module, an absolute path: it is loaded and run.
    pub module_path: Option<PathBuf>,
    /// The file whose first line is the PIN; without it the passphrase source is asked.
    pub pin_source: Option<PathBuf>,
}

impl Pkcs11Uri {
    /// Reads what stands after `pkcs11:`.
    pub(crate) fn parse(rest: &str) -> Result<Self, UriError> {
        let (path, query) = match rest.split_once('?') {
            None => (rest, ""),
            Some((path, query)) => (path, query),
        };
        let path = Pairs::read(path, ';', ATTRIBUTES, PATH_CHARACTERS)?;
        let query = Pairs::read(query, '&', PARAMETERS, QUERY_CHARACTERS)?;
        // A private key is what all of this is about; nothing else can be named.
        if path.text("type")?.is_some_and(|kind| kind != "private") {
            return Err(malformed("type"));
        }
        Ok(Self {
            token: path.text("token")?,
            manufacturer: path.text("manufacturer")?,
            serial: path.text("serial")?,
            model: path.text("model")?,
            slot_id: path.text("slot-id")?.map(|id| number(&id)).transpose()?,
            object: path.text("object")?,
            id: path.bytes("id").map(<[u8]>::to_vec),
            module_path: query.path("module-path", |text| Some(text))?,
            pin_source: query.path("pin-source", file_uri)?,
        })
    }

    /// The same key without where its PIN comes from.
    pub(crate) fn without_pin_source(&self) -> Self {
        Self {
            pin_source: None,
            ..self.clone()
        }
    }
}

fn malformed(parameter: &'static str) -> UriError {
    UriError::ParameterValue {
        scheme: SCHEME,
        parameter,
    }
}

/// RFC 7512 2.3: `slot-id` is `1*DIGIT`.
fn number(text: &str) -> Result<u64, UriError> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    let value = text.parse().ok().filter(|_| digits);
    value.ok_or_else(|| malformed("slot-id"))
}

/// The path in `file:PATH` or `file:///PATH`. A command (`|…`, RFC 7512 2.4) is never run.
fn file_uri(text: &str) -> Option<&str> {
    let path = text.strip_prefix("file:")?;
    Some(path.strip_prefix("//").unwrap_or(path))
}

/// Decoded attributes of one half of the URI.
struct Pairs(Vec<(&'static str, Vec<u8>)>);

impl Pairs {
    fn read(
        text: &str,
        separator: char,
        known: &'static [&'static str],
        characters: &[u8],
    ) -> Result<Self, UriError> {
        let mut pairs: Vec<(&'static str, Vec<u8>)> = Vec::new();
        for pair in text.split(separator).filter(|_| !text.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            if name == "pin-value" {
                return Err(UriError::PinValue);
            }
            let Some(name) = known.iter().copied().find(|known| *known == name) else {
                return Err(UriError::UnknownParameter {
                    scheme: SCHEME,
                    parameter: name.chars().take(32).collect(),
                    known,
                });
            };
            if pairs.iter().any(|(other, _)| *other == name) {
                return Err(UriError::RepeatedParameter {
                    scheme: SCHEME,
                    parameter: name,
                });
            }
            let allowed = |byte: u8| {
                byte.is_ascii_alphanumeric()
                    || b"-._~%".contains(&byte)
                    || characters.contains(&byte)
            };
            let value = Some(value)
                .filter(|value| value.bytes().all(allowed) && pair.contains('='))
                .and_then(percent::decode)
                .ok_or_else(|| malformed(name))?;
            pairs.push((name, value));
        }
        Ok(Self(pairs))
    }

    fn bytes(&self, name: &str) -> Option<&[u8]> {
        let found = self.0.iter().find(|(other, _)| *other == name);
        found.map(|(_, value)| value.as_slice())
    }

    fn text(&self, name: &'static str) -> Result<Option<String>, UriError> {
        self.bytes(name)
            .map(|value| String::from_utf8(value.to_vec()).map_err(|_| malformed(name)))
            .transpose()
    }

    /// An absolute path. Relative ones would name another file wherever a program is started.
    fn path(
        &self,
        name: &'static str,
        strip: fn(&str) -> Option<&str>,
    ) -> Result<Option<PathBuf>, UriError> {
        let Some(text) = self.text(name)? else {
            return Ok(None);
        };
        let path = strip(&text).filter(|path| path.starts_with('/') && !path.contains('\0'));
        let path = path.ok_or(UriError::NotAbsolute {
            scheme: SCHEME,
            parameter: name,
        })?;
        Ok(Some(PathBuf::from(path)))
    }
}

impl fmt::Display for Pkcs11Uri {
    /// Writes what stands after `pkcs11:`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let slot = self.slot_id.map(|id| id.to_string());
        let texts = [
            ("token", self.token.as_deref()),
            ("manufacturer", self.manufacturer.as_deref()),
            ("serial", self.serial.as_deref()),
            ("model", self.model.as_deref()),
            ("slot-id", slot.as_deref()),
            ("object", self.object.as_deref()),
        ];
        let mut separator = "";
        for (name, value) in texts {
            if let Some(value) = value {
                let value = percent::encode(value.as_bytes(), PATH_CHARACTERS);
                write!(f, "{separator}{name}={value}")?;
                separator = ";";
            }
        }
        if let Some(id) = &self.id {
            // RFC 7512 2.3: the whole id should be percent-encoded.
            write!(f, "{separator}id=")?;
            id.iter().try_for_each(|byte| write!(f, "%{byte:02X}"))?;
        }
        separator = "?";
        for (name, prefix, path) in [
            ("module-path", "", &self.module_path),
            ("pin-source", "file://", &self.pin_source),
        ] {
            if let Some(path) = path {
                let value = percent::encode(path.as_os_str().as_encoded_bytes(), b"/:@+");
                write!(f, "{separator}{name}={prefix}{value}")?;
                separator = "&";
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
