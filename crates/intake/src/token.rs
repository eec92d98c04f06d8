//! One token: who holds it, what it allows, until when. Its secret is shown once and kept nowhere.

use base64ct::{Base64UrlUnpadded, Encoding};
use chrono::{DateTime, Utc};
use index::ProjectName;
use metadata::Sha256;
use ring::rand::SecureRandom;
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, Zeroizing};

use crate::scope::{Pattern, Verb};

/// Random bytes of a secret. Nobody guesses 256 bits, so a plain digest of it can be kept.
const SECRET_BYTES: usize = 32;

/// What a secret begins with, so that scanners for leaked secrets find it.
const PREFIX: &str = "countersign_";

/// A token as the file keeps it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Token {
    /// Its name, which no other token ever has: idempotency keys belong to it.
    pub name: String,
    /// Digest of its secret, in hex; a revoked token has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// What it may do.
    pub may: Vec<Verb>,
    /// With which projects.
    pub projects: Vec<Pattern>,
    /// When it was made.
    pub created: DateTime<Utc>,
    /// From when on it counts no more.
    pub expires: DateTime<Utc>,
    /// When it was revoked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked: Option<DateTime<Utc>>,
}

/// What a new token is to be.
#[derive(Clone, Debug)]
pub struct NewToken {
    /// Its name.
    pub name: String,
    /// What it may do.
    pub may: Vec<Verb>,
    /// With which projects.
    pub projects: Vec<Pattern>,
    /// From when on it counts no more.
    pub expires: DateTime<Utc>,
}

/// The secret of a token, wiped when dropped.
pub struct TokenSecret(Zeroizing<String>);

impl TokenSecret {
    /// A new one.
    pub fn generate(random: &dyn SecureRandom) -> Result<Self, ring::error::Unspecified> {
        let mut bytes = [0; SECRET_BYTES];
        random.fill(&mut bytes)?;
        let mut text = Zeroizing::new(Base64UrlUnpadded::encode_string(&bytes));
        bytes.zeroize();
        text.insert_str(0, PREFIX);
        Ok(Self(text))
    }

    /// The secret, to be shown once or sent.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// The digest that is kept of it.
    #[must_use]
    pub fn digest(&self) -> Sha256 {
        Sha256::of(self.0.as_bytes())
    }
}

impl NewToken {
    /// The token whose secret this is.
    #[must_use]
    pub fn with_secret(self, secret: &TokenSecret, now: DateTime<Utc>) -> Token {
        Token {
            name: self.name,
            sha256: Some(secret.digest().to_string()),
            may: self.may,
            projects: self.projects,
            created: now,
            expires: self.expires,
            revoked: None,
        }
    }
}

impl Token {
    /// Whether it may do this with the project.
    #[must_use]
    pub fn allows(&self, verb: Verb, project: &ProjectName) -> bool {
        self.may.contains(&verb) && self.projects.iter().any(|one| one.matches(project))
    }

    /// Whether it counts.
    #[must_use]
    pub fn is_live(&self, now: DateTime<Utc>) -> bool {
        self.revoked.is_none() && now < self.expires
    }
}

#[cfg(test)]
mod tests {
    use ring::rand::SystemRandom;

    use super::*;

    #[test]
    fn a_secret_is_long_new_and_known_by_its_digest() {
        let make = || TokenSecret::generate(&SystemRandom::new()).unwrap();
        let (one, other) = (make(), make());
        assert_ne!(one.expose(), other.expose());
        assert_eq!(one.expose().len(), PREFIX.len() + 43);
        assert_eq!(one.digest(), Sha256::of(one.expose().as_bytes()));
    }
}
