//! The typed values that a section of a policy can hold: numbers in bounds, words, durations.

use std::ops::RangeInclusive;
use std::time::Duration;

use chrono::TimeDelta;
use toml::Spanned;
use toml::de::DeValue;

use crate::reader::Section;
use crate::source::excerpt;
use crate::{DurationText, PolicyError};

impl<'t> Section<'t> {
    /// An integer within `range`.
    pub(crate) fn integer(
        &self,
        key: &str,
        range: RangeInclusive<u64>,
    ) -> Result<u64, PolicyError> {
        let value = self.value(key)?;
        let DeValue::Integer(integer) = value.get_ref() else {
            return Err(self.wrong_type(key, "an integer", value));
        };
        u64::from_str_radix(integer.as_str(), integer.radix())
            .ok()
            .filter(|number| range.contains(number))
            .ok_or_else(|| PolicyError::OutOfRange {
                path: self.path_of(key),
                line: self.line_of(value),
                found: excerpt(&integer.to_string()),
                least: *range.start(),
                most: *range.end(),
            })
    }

    /// An integer within `range`, for counts.
    pub(crate) fn count(&self, key: &str, range: RangeInclusive<u32>) -> Result<u32, PolicyError> {
        let (least, most) = range.into_inner();
        let number = self.integer(key, u64::from(least)..=u64::from(most))?;
        Ok(u32::try_from(number).unwrap_or(most))
    }

    /// `true` or `false`.
    pub(crate) fn flag(&self, key: &str) -> Result<bool, PolicyError> {
        let value = self.value(key)?;
        match value.get_ref() {
            DeValue::Boolean(flag) => Ok(*flag),
            _ => Err(self.wrong_type(key, "true or false", value)),
        }
    }

    /// A duration that is added to dates.
    pub(crate) fn duration(&self, key: &str) -> Result<TimeDelta, PolicyError> {
        self.duration_in(key, self.value(key)?)
    }

    /// A duration that is waited for.
    pub(crate) fn wait(&self, key: &str) -> Result<Duration, PolicyError> {
        let seconds = self.duration(key)?.num_seconds().unsigned_abs();
        Ok(Duration::from_secs(seconds))
    }

    /// A list of at least one duration.
    pub(crate) fn durations(&self, key: &str) -> Result<Vec<TimeDelta>, PolicyError> {
        self.list(key, "a list of durations")?
            .iter()
            .map(|value| self.duration_in(key, value))
            .collect()
    }

    /// One of the words in `choices`.
    pub(crate) fn choice<T: Copy>(
        &self,
        key: &str,
        choices: &[(&'static str, T)],
    ) -> Result<T, PolicyError> {
        self.choice_in(key, self.value(key)?, choices)
    }

    /// A list of at least one of the words in `choices`, none of them twice.
    pub(crate) fn choices<T: Copy + PartialEq>(
        &self,
        key: &str,
        choices: &[(&'static str, T)],
    ) -> Result<Vec<T>, PolicyError> {
        let mut chosen = Vec::new();
        for value in self.list(key, "a list of words")? {
            let choice = self.choice_in(key, value, choices)?;
            if chosen.contains(&choice) {
                return Err(self.wrong_choice(key, value, choices));
            }
            chosen.push(choice);
        }
        Ok(chosen)
    }

    /// `auto`, which gives `None`, or an integer within `range`.
    pub(crate) fn auto_or_count(
        &self,
        key: &str,
        range: RangeInclusive<u32>,
    ) -> Result<Option<u32>, PolicyError> {
        match self.value(key)?.get_ref() {
            DeValue::String(_) => self.choice(key, &[("auto", None)]),
            _ => self.count(key, range).map(Some),
        }
    }

    /// A name of lower-case ASCII letters, digits and `-`, at most 64 bytes.
    pub(crate) fn name(&self, key: &str) -> Result<String, PolicyError> {
        let value = self.value(key)?;
        let name = self.string(key, value)?;
        let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        if name.is_empty() || name.len() > 64 || !name.bytes().all(allowed) {
            let (path, line) = (self.path_of(key), self.line_of(value));
            return Err(PolicyError::Name {
                path,
                line,
                found: excerpt(name),
            });
        }
        Ok(name.to_owned())
    }

    /// A list of at least one text.
    pub(crate) fn texts(&self, key: &str) -> Result<Vec<String>, PolicyError> {
        let items = self.list(key, "a list of strings")?.iter();
        items
            .map(|value| self.string(key, value).map(str::to_owned))
            .collect()
    }

    fn string(&self, key: &str, value: &'t Spanned<DeValue<'t>>) -> Result<&'t str, PolicyError> {
        value
            .get_ref()
            .as_str()
            .ok_or_else(|| self.wrong_type(key, "a string", value))
    }

    fn list(
        &self,
        key: &str,
        expected: &'static str,
    ) -> Result<&'t [Spanned<DeValue<'t>>], PolicyError> {
        let value = self.value(key)?;
        match value.get_ref() {
            DeValue::Array(items) if items.is_empty() => Err(PolicyError::Empty {
                path: self.path_of(key),
                line: self.line_of(value),
            }),
            DeValue::Array(items) => Ok(items),
            _ => Err(self.wrong_type(key, expected, value)),
        }
    }

    fn duration_in(
        &self,
        key: &str,
        value: &'t Spanned<DeValue<'t>>,
    ) -> Result<TimeDelta, PolicyError> {
        let text = self.string(key, value)?;
        text.parse()
            .map(DurationText::get)
            .map_err(|source| PolicyError::Duration {
                path: self.path_of(key),
                line: self.line_of(value),
                found: excerpt(text),
                source,
            })
    }

    fn choice_in<T: Copy>(
        &self,
        key: &str,
        value: &'t Spanned<DeValue<'t>>,
        choices: &[(&'static str, T)],
    ) -> Result<T, PolicyError> {
        let word = self.string(key, value)?;
        choices
            .iter()
            .find(|(name, _)| *name == word)
            .map(|(_, choice)| *choice)
            .ok_or_else(|| self.wrong_choice(key, value, choices))
    }

    fn wrong_choice<T>(
        &self,
        key: &str,
        value: &Spanned<DeValue<'_>>,
        choices: &[(&'static str, T)],
    ) -> PolicyError {
        PolicyError::Choice {
            path: self.path_of(key),
            line: self.line_of(value),
            found: excerpt(value.get_ref().as_str().unwrap_or_default()),
            allowed: choices.iter().map(|(name, _)| *name).collect(),
        }
    }
}
