//! The messages of `exec-protocol.md`, version 1.

use base64ct::{Base64, Encoding as _};
use metadata::{PublicKey, Sha256, Value};
use serde::{Deserialize, Serialize};

use crate::public::Numbers;

/// The version spoken here.
pub(super) const VERSION: u64 = 1;
/// Longest answer, in bytes; an RSA-8192 public key in PEM has 1,500.
pub(super) const MAX_ANSWER: usize = 64 * 1024;
/// Most requests under way at once, whatever the child offers.
const MAX_AT_ONCE: u16 = 64;

/// What a child is asked for.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Op {
    Hello,
    Public,
    Sign,
}

impl Op {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Hello => "hello",
            Self::Public => "public",
            Self::Sign => "sign",
        }
    }
}

/// One request, a line.
#[derive(Serialize)]
pub(super) struct Request {
    pub(super) id: u64,
    op: Op,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    payload: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    digest: Option<String>,
}

impl Request {
    pub(super) fn hello() -> Self {
        Self {
            version: Some(VERSION),
            ..Self::new(Op::Hello)
        }
    }

    pub(super) fn public() -> Self {
        Self::new(Op::Public)
    }

    pub(super) fn sign(message: &[u8], wants: Wants) -> Self {
        let plain = Self::new(Op::Sign);
        match wants {
            Wants::Payload => Self {
                payload: Some(Base64::encode_string(message)),
                ..plain
            },
            Wants::Digest => Self {
                digest: Some(Sha256::of(message).to_string()),
                ..plain
            },
        }
    }

    fn new(op: Op) -> Self {
        Self {
            id: 0,
            op,
            version: None,
            payload: None,
            digest: None,
        }
    }

    pub(super) fn op(&self) -> Op {
        self.op
    }
}

/// What a child needs to sign a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Wants {
    /// Its bytes.
    Payload,
    /// Their SHA-256.
    Digest,
}

/// One answer, a line. Members of other operations and unknown ones are passed over.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Answer {
    pub(super) id: u64,
    #[serde(default)]
    pub(super) error: Option<String>,
    #[serde(default)]
    version: Option<u64>,
    #[serde(default)]
    wants: Option<Wants>,
    #[serde(default)]
    at_once: Option<u16>,
    #[serde(default)]
    keytype: Option<String>,
    #[serde(default)]
    scheme: Option<String>,
    #[serde(default)]
    public: Option<String>,
    #[serde(default)]
    signature: Option<String>,
}

/// What a child says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Hello {
    pub(super) version: u64,
    pub(super) wants: Wants,
    /// How many requests it takes before it has answered the first.
    pub(super) at_once: u16,
}

impl Answer {
    pub(super) fn parse(line: &[u8]) -> Option<Self> {
        serde_json::from_slice(line).ok()
    }

    pub(super) fn hello(&self) -> Result<Hello, &'static str> {
        Ok(Hello {
            version: self.version.ok_or("`version` is missing")?,
            wants: self.wants.unwrap_or(Wants::Payload),
            at_once: self.at_once.unwrap_or(1).clamp(1, MAX_AT_ONCE),
        })
    }

    /// The key in the form metadata lists it, however the child wraps its PEM.
    pub(super) fn public(&self) -> Result<PublicKey, &'static str> {
        let (Some(keytype), Some(scheme), Some(public)) =
            (&self.keytype, &self.scheme, &self.public)
        else {
            return Err("`keytype`, `scheme` or `public` is missing");
        };
        let listed = serde_json::json!({
            "keytype": keytype, "scheme": scheme, "keyval": { "public": public },
        });
        Value::parse(listed.to_string().as_bytes())
            .ok()
            .and_then(|value| PublicKey::from_value(&value).ok())
            .and_then(|key| Numbers::from_listed(&key).ok())
            .and_then(|numbers| numbers.to_listed().ok())
            .ok_or("its public key is not of a known type, or malformed")
    }

    pub(super) fn signature(&self) -> Result<Vec<u8>, &'static str> {
        let text = self.signature.as_ref().ok_or("`signature` is missing")?;
        hex::decode(text).map_err(|_| "`signature` is not hex")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn requests_are_single_lines_of_json() {
        let line = |request: &Request| serde_json::to_string(request).unwrap();
        assert_eq!(
            line(&Request::hello()),
            r#"{"id":0,"op":"hello","version":1}"#
        );
        assert_eq!(line(&Request::public()), r#"{"id":0,"op":"public"}"#);
        let payload = Request::sign(b"a\nb", Wants::Payload);
        assert_eq!(line(&payload), r#"{"id":0,"op":"sign","payload":"YQpi"}"#);
        let digest = line(&Request::sign(b"", Wants::Digest));
        assert!(digest.contains(r#""digest":"e3b0c442"#), "{digest}");
    }

    #[test]
    fn answers_are_judged() {
        let parse = |text: &str| Answer::parse(text.as_bytes()).unwrap();
        let hello = parse(r#"{"id":1,"version":1,"more":[1]}"#).hello().unwrap();
        let plain = Hello {
            version: 1,
            wants: Wants::Payload,
            at_once: 1,
        };
        assert_eq!(hello, plain);
        let hello = parse(r#"{"id":1,"version":1,"wants":"digest","at_once":9999}"#).hello();
        let many = Hello {
            version: 1,
            wants: Wants::Digest,
            at_once: 64,
        };
        assert_eq!(hello, Ok(many));
        assert!(parse(r#"{"id":1}"#).hello().is_err());
        assert!(Answer::parse(br#"{"id":1,"wants":"both"}"#).is_none());
        assert!(Answer::parse(br#"{"id":-1}"#).is_none());
        assert!(parse(r#"{"id":1,"signature":"0g"}"#).signature().is_err());
        let hex = "07".repeat(32);
        let key = parse(&format!(
            r#"{{"id":2,"keytype":"ed25519","scheme":"ed25519","public":"{hex}"}}"#
        ));
        assert_eq!(key.public(), Ok(PublicKey::ed25519(&[7; 32])));
        for (keytype, scheme) in [("rsa", "ed25519"), ("ed25519", "rsassa-pss-sha256")] {
            let text =
                format!(r#"{{"id":2,"keytype":"{keytype}","scheme":"{scheme}","public":"{hex}"}}"#);
            assert!(parse(&text).public().is_err());
        }
    }

    proptest! {
        #[test]
        fn never_panics(text in "\\{\"id\":1,\"(public|keytype|signature)\":\\PC{0,20}\\}|\\PC{0,40}") {
            if let Some(answer) = Answer::parse(text.as_bytes()) {
                let _ = (answer.hello(), answer.public(), answer.signature());
            }
        }
    }
}
