//! `ssh-agent:` names a key by what `ssh-add -l` prints.

use std::fmt;

use base64ct::{Base64Unpadded, Encoding as _};

use crate::UriError;

/// A key an ssh-agent holds.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum AgentKey {
    /// `SHA256:…`: the SHA-256 of the public key blob, in base64 without padding (OpenSSH 6.8).
    Fingerprint([u8; 32]),
    /// The comment of the key, exactly; must be that of one key only.
    Comment(String),
}

const SHA256: &str = "SHA256:";

impl AgentKey {
    pub(super) fn parse(rest: &str) -> Result<Self, UriError> {
        if let Some(base64) = rest.strip_prefix(SHA256) {
            let mut digest = [0; 32];
            return match Base64Unpadded::decode(base64, &mut digest) {
                Ok(decoded) if decoded.len() == 32 => Ok(Self::Fingerprint(digest)),
                _ => Err(UriError::AgentKey),
            };
        }
        if rest.is_empty() || rest.len() > 1024 || rest.chars().any(char::is_control) {
            return Err(UriError::AgentKey);
        }
        Ok(Self::Comment(rest.to_owned()))
    }
}

impl fmt::Display for AgentKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fingerprint(digest) => f.write_str(&fingerprint_text(digest)),
            Self::Comment(comment) => f.write_str(comment),
        }
    }
}

/// The fingerprint as OpenSSH prints it.
pub(crate) fn fingerprint_text(digest: &[u8; 32]) -> String {
    format!("{SHA256}{}", Base64Unpadded::encode_string(digest))
}
