//! The text of a policy file: parsed as TOML, pointed into by line, quoted in errors.

use toml::Spanned;
use toml::de::DeTable;

use crate::PolicyError;

/// Longest piece of a wrong value that an error repeats, in characters.
const EXCERPT: usize = 40;

/// Parses `text` as TOML.
pub(crate) fn parse(text: &str) -> Result<Spanned<DeTable<'_>>, PolicyError> {
    DeTable::parse(text).map_err(|error| PolicyError::Syntax {
        line: line_at(text, error.span().map_or(0, |span| span.start)),
        message: error.message().to_owned(),
    })
}

/// The line, from 1, on which the byte `offset` of `text` stands.
pub(crate) fn line_at(text: &str, offset: usize) -> usize {
    1 + text.bytes().take(offset).filter(|b| *b == b'\n').count()
}

/// The start of `text`, short enough for an error message.
pub(crate) fn excerpt(text: &str) -> String {
    match text.char_indices().nth(EXCERPT) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}…", &text[..end]),
    }
}
