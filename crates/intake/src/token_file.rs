//! The file of tokens: digests, never secrets. Written by `countersign online token`, read by every intake.

use std::collections::BTreeSet;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use metadata::Sha256;
use serde::{Deserialize, Serialize};

use crate::token::Token;

/// Longest file read. A token takes some 300 bytes.
const MAX_BYTES: u64 = 4_000_000;

/// Longest name of a token.
const MAX_NAME: usize = 64;

/// All tokens of an index, the revoked ones too: a name never comes back.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenFile {
    /// The tokens.
    #[serde(default, rename = "token")]
    pub tokens: Vec<Token>,
}

/// Why a file of tokens cannot be used, or not be changed so.
#[derive(Debug, thiserror::Error)]
pub enum TokenFileError {
    /// It cannot be read.
    #[error("could not read the tokens in {path}", path = path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// It is too long.
    #[error("the file of tokens {path} has more than {MAX_BYTES} bytes", path = path.display())]
    TooLong {
        /// The file.
        path: PathBuf,
    },
    /// It is no file of tokens.
    #[error("the file of tokens {path} cannot be read", path = path.display())]
    Toml {
        /// The file.
        path: PathBuf,
        /// What is wrong, with its line.
        source: Box<toml::de::Error>,
    },
    /// A token that is none.
    #[error("token `{name}`: {why}")]
    Token {
        /// Its name.
        name: String,
        /// What is wrong.
        why: &'static str,
    },
    /// There is one of this name, or was.
    #[error("there is or was a token `{name}`; a name never comes back")]
    Taken {
        /// The name.
        name: String,
    },
    /// There is none of this name.
    #[error("there is no token `{name}`")]
    Unknown {
        /// The name.
        name: String,
    },
}

impl TokenFile {
    /// Reads a file; a missing one is empty.
    pub fn read(path: &Path) -> Result<Self, TokenFileError> {
        let failed = |source| TokenFileError::Read {
            path: path.to_owned(),
            source,
        };
        let mut text = String::new();
        match std::fs::File::open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::default()),
            opened => opened
                .and_then(|file| file.take(MAX_BYTES + 1).read_to_string(&mut text))
                .map_err(failed)?,
        };
        if text.len() as u64 > MAX_BYTES {
            return Err(TokenFileError::TooLong {
                path: path.to_owned(),
            });
        }
        let file: Self = toml::from_str(&text).map_err(|source| TokenFileError::Toml {
            path: path.to_owned(),
            source: Box::new(source),
        })?;
        file.check()?;
        Ok(file)
    }

    /// The file's text.
    #[must_use]
    pub fn text(&self) -> String {
        let tokens = toml::to_string(self).unwrap_or_default();
        format!(
            "# Who may hand changes in over HTTP. Secrets are not in here, only their digests.\n\
             # Made and revoked with `countersign online token`; an intake notices within a second.\n\n\
             {tokens}"
        )
    }

    /// Adds a token.
    pub fn add(&mut self, token: Token) -> Result<(), TokenFileError> {
        if self.tokens.iter().any(|one| one.name == token.name) {
            return Err(TokenFileError::Taken { name: token.name });
        }
        check_token(&token)?;
        self.tokens.push(token);
        Ok(())
    }

    /// Revokes a token; its name stays. Says whether it was live.
    pub fn revoke(&mut self, name: &str, now: DateTime<Utc>) -> Result<bool, TokenFileError> {
        let mut tokens = self.tokens.iter_mut();
        let Some(token) = tokens.find(|token| token.name == name) else {
            let name = name.to_owned();
            return Err(TokenFileError::Unknown { name });
        };
        let was_live = token.is_live(now);
        token.sha256 = None;
        token.revoked.get_or_insert(now);
        Ok(was_live)
    }

    fn check(&self) -> Result<(), TokenFileError> {
        let (mut names, mut digests) = (BTreeSet::new(), BTreeSet::new());
        for token in &self.tokens {
            check_token(token)?;
            let is_new = names.insert(&token.name);
            let secret = token.sha256.as_ref();
            if !is_new || !secret.is_none_or(|digest| digests.insert(digest)) {
                let name = token.name.clone();
                let why = "its name or its secret stands twice in the file";
                return Err(TokenFileError::Token { name, why });
            }
        }
        Ok(())
    }
}

fn check_token(token: &Token) -> Result<(), TokenFileError> {
    let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let secret = token.sha256.as_deref();
    let why = if token.name.is_empty()
        || token.name.len() > MAX_NAME
        || !token.name.bytes().all(is_plain)
    {
        "a name is of lower-case letters, digits and `-`, 64 at most"
    } else if secret.is_some_and(|digest| Sha256::parse(digest).is_err()) {
        "`sha256` is no digest"
    } else if secret.is_none() && token.revoked.is_none() {
        "it has no digest and is not revoked"
    } else if token.may.is_empty() || token.projects.is_empty() {
        "it allows nothing"
    } else {
        return Ok(());
    };
    let name = token.name.clone();
    Err(TokenFileError::Token { name, why })
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;
    use crate::Verb;

    fn token(name: &str) -> Token {
        let now = DateTime::UNIX_EPOCH;
        Token {
            name: name.to_owned(),
            sha256: Some(Sha256::of(name.as_bytes()).to_string()),
            may: vec![Verb::Add, Verb::Read],
            projects: vec!["acme-*".parse().unwrap()],
            created: now,
            expires: now + TimeDelta::days(1),
            revoked: None,
        }
    }

    #[test]
    fn what_is_written_is_read_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tokens.toml");
        assert_eq!(TokenFile::read(&path).unwrap(), TokenFile::default());
        let mut file = TokenFile::default();
        file.add(token("hooks")).unwrap();
        file.add(token("ci")).unwrap();
        assert!(file.revoke("ci", DateTime::UNIX_EPOCH).unwrap());
        std::fs::write(&path, file.text()).unwrap();
        assert_eq!(TokenFile::read(&path).unwrap(), file);
        // A revoked token's name is taken for good, and it allows nothing.
        let taken = file.add(token("ci")).unwrap_err();
        assert!(matches!(taken, TokenFileError::Taken { .. }));
        assert!(!file.tokens[1].is_live(DateTime::UNIX_EPOCH));
        assert!(!file.revoke("ci", DateTime::UNIX_EPOCH).unwrap());
    }

    #[test]
    fn a_file_that_could_be_misread_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tokens.toml");
        let good = TokenFile {
            tokens: vec![token("one")],
        };
        let text = good.text();
        let twice = format!("{text}\n{}", text.replace("\"one\"", "\"two\""));
        for wrong in [
            text.replace("name = ", "nam = "),
            text.replace("\"add\"", "\"all\""),
            text.replace("acme-*", "*-acme"),
            text.replace("\"one\"", "\"One\""),
            text.replace("sha256 = ", "secret = "),
            text.replace("[\"add\", \"read\"]", "[]"),
            twice,
        ] {
            assert_ne!(wrong, text);
            std::fs::write(&path, &wrong).unwrap();
            assert!(TokenFile::read(&path).is_err(), "{wrong}");
        }
    }
}
