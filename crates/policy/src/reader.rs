//! A cursor over TOML tables that knows the path and line of everything it hands out.
//!
//! `serde` would name the line but not the key path, and would leave ranges and units to a second
//! pass without lines; reading by hand gives both in one.

use std::borrow::Cow;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::PolicyError;
use crate::source::{excerpt, line_at};

/// One table of the policy, whose keys are known to be known.
pub(crate) struct Section<'t> {
    text: &'t str,
    table: &'t DeTable<'t>,
    path: String,
    line: usize,
}

impl<'t> Section<'t> {
    /// The whole document; refuses keys that are not in `known`.
    pub(crate) fn document(
        text: &'t str,
        table: &'t DeTable<'t>,
        known: &'static [&'static str],
    ) -> Result<Self, PolicyError> {
        Self::open(text, table, String::new(), 1, known)
    }

    /// The table under `key`; refuses keys in it that are not in `known`.
    pub(crate) fn section(
        &self,
        key: &str,
        known: &'static [&'static str],
    ) -> Result<Section<'t>, PolicyError> {
        let value = self.value(key)?;
        let DeValue::Table(table) = value.get_ref() else {
            return Err(self.wrong_type(key, "a table", value));
        };
        Self::open(
            self.text,
            table,
            self.path_of(key),
            self.line_of(value),
            known,
        )
    }

    /// The table under `key`, if there is one.
    pub(crate) fn optional_section(
        &self,
        key: &str,
        known: &'static [&'static str],
    ) -> Result<Option<Section<'t>>, PolicyError> {
        if self.has(key) {
            self.section(key, known).map(Some)
        } else {
            Ok(None)
        }
    }

    /// Whether `key` is given.
    pub(crate) fn has(&self, key: &str) -> bool {
        self.table.contains_key(key)
    }

    /// Refuses `key`, which has no meaning beside the others; `known` is what has.
    pub(crate) fn refuse(
        &self,
        key: &str,
        known: &'static [&'static str],
    ) -> Result<(), PolicyError> {
        match self.table.get_key_value(key) {
            None => Ok(()),
            Some((found, _)) => Err(self.unknown(found, known)),
        }
    }

    fn open(
        text: &'t str,
        table: &'t DeTable<'t>,
        path: String,
        line: usize,
        known: &'static [&'static str],
    ) -> Result<Self, PolicyError> {
        let section = Self {
            text,
            table,
            path,
            line,
        };
        match table
            .keys()
            .find(|key| !known.contains(&key.get_ref().as_ref()))
        {
            None => Ok(section),
            Some(key) => Err(section.unknown(key, known)),
        }
    }

    fn unknown(&self, key: &Spanned<Cow<'_, str>>, known: &'static [&'static str]) -> PolicyError {
        PolicyError::UnknownKey {
            path: self.path_of(&excerpt(key.get_ref())),
            line: line_at(self.text, key.span().start),
            known,
        }
    }

    pub(crate) fn value(&self, key: &str) -> Result<&'t Spanned<DeValue<'t>>, PolicyError> {
        self.table.get(key).ok_or_else(|| PolicyError::MissingKey {
            path: self.path_of(key),
            line: self.line,
        })
    }

    pub(crate) fn wrong_type(
        &self,
        key: &str,
        expected: &'static str,
        value: &Spanned<DeValue<'_>>,
    ) -> PolicyError {
        PolicyError::WrongType {
            path: self.path_of(key),
            line: self.line_of(value),
            expected,
            found: value.get_ref().type_str(),
        }
    }

    pub(crate) fn path_of(&self, key: &str) -> String {
        if self.path.is_empty() {
            key.to_owned()
        } else {
            format!("{}.{key}", self.path)
        }
    }

    pub(crate) fn line_of(&self, value: &Spanned<DeValue<'_>>) -> usize {
        line_at(self.text, value.span().start)
    }
}
