//! What can be wrong with a document before anybody asks who signed it.

/// A document, or a part of one, that does not say what its type requires.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MetadataError {
    /// Not JSON, or not the JSON subset TUF 4.1 allows.
    #[error("is not JSON that TUF allows, at byte {at}: {why}")]
    Json {
        /// Byte offset into the text that was parsed.
        at: usize,
        /// What was found there.
        why: JsonFlaw,
    },
    /// A member is missing, has the wrong type or a value outside its range.
    #[error("{member}: {why}")]
    Member {
        /// Where, as a dotted path.
        member: String,
        /// What is wrong.
        why: String,
    },
    /// Another document than the one expected (TUF 4.3–4.6 `_type`).
    #[error("is a `{found}` document where `{expected}` was expected")]
    DocumentType {
        /// The `_type` required here.
        expected: &'static str,
        /// The `_type` found.
        found: String,
    },
    /// A spec version of another major number (TUF 4.3 `SPEC_VERSION`).
    #[error("has spec_version `{found}`, this program reads 1.x")]
    SpecVersion {
        /// The value found.
        found: String,
    },
    /// A version of 0 or above 2^53−1.
    #[error("version {found} is outside 1 to 2^53-1")]
    Version {
        /// The number found.
        found: u64,
    },
    /// A date-time that is none.
    #[error("`{found}` is not a date-time of the form YYYY-MM-DDTHH:MM:SSZ")]
    Expiry {
        /// The text found.
        found: String,
    },
    /// A digest that is not 64 lower-case hex digits.
    #[error("`{found}` is not a SHA-256 digest of 64 lower-case hex digits")]
    Digest {
        /// The text found.
        found: String,
    },
    /// A target path that is refused everywhere.
    #[error("target path `{path}` {reason}")]
    TargetPath {
        /// The path, cut short.
        path: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// A role name that is refused everywhere.
    #[error("role name `{name}` {reason}")]
    RoleName {
        /// The name, cut short.
        name: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// A path pattern that is refused everywhere.
    #[error("path pattern `{pattern}` {reason}")]
    PathPattern {
        /// The pattern, cut short.
        pattern: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// A public key that cannot be read as its type demands.
    #[error("{keytype} key with scheme {scheme}: {why}")]
    Key {
        /// The `keytype` found.
        keytype: String,
        /// The `scheme` found.
        scheme: String,
        /// What is wrong.
        why: &'static str,
    },
}

impl MetadataError {
    /// A [`MetadataError::Member`].
    #[must_use]
    pub fn member(member: impl Into<String>, why: impl Into<String>) -> Self {
        Self::Member {
            member: member.into(),
            why: why.into(),
        }
    }
}

/// Why a text is not JSON of the kind TUF uses.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JsonFlaw {
    /// The grammar is broken here.
    #[error("{0}")]
    Syntax(String),
    /// An object names one key twice; readers differ in which they keep (reference A-7).
    #[error("key `{0}` stands twice in one object")]
    DuplicateKey(String),
    /// A number with a fraction or exponent, or outside 64 bits (TUF 4.1).
    #[error("a number that is no 64-bit integer")]
    Number,
    /// The text goes on after its value.
    #[error("text after the end of the value")]
    Trailing,
}

/// At most 80 characters of untrusted text, control characters replaced, for messages.
pub(crate) fn excerpt(text: &str) -> String {
    let clean = |c: char| if c.is_control() { '\u{fffd}' } else { c };
    let mut out: String = text.chars().take(80).map(clean).collect();
    if text.chars().nth(80).is_some() {
        out.push('…');
    }
    out
}
