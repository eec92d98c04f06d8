//! The parameters of a key URI: `?NAME=VALUE&NAME=VALUE`.

use super::percent;
use crate::UriError;

/// Parameters of one URI, in the order written.
pub(super) struct Query {
    scheme: &'static str,
    pairs: Vec<(&'static str, String)>,
}

impl Query {
    /// Splits `rest` at the first `?` and reads what follows; only `known` parameters may stand
    /// there.
    pub(super) fn split<'a>(
        scheme: &'static str,
        rest: &'a str,
        known: &'static [&'static str],
    ) -> Result<(&'a str, Self), UriError> {
        let (path, query) = match rest.split_once('?') {
            None => (rest, None),
            Some((path, query)) => (path, Some(query)),
        };
        let pairs = query
            .into_iter()
            .flat_map(|query| query.split('&'))
            .map(|pair| {
                let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
                let Some(parameter) = known.iter().copied().find(|known| *known == name) else {
                    return Err(UriError::UnknownParameter {
                        scheme,
                        parameter: name.chars().take(32).collect(),
                        known,
                    });
                };
                let value = percent::decode_text(value)
                    .ok_or(UriError::ParameterValue { scheme, parameter })?;
                Ok((parameter, value))
            })
            .collect::<Result<_, _>>()?;
        Ok((path, Self { scheme, pairs }))
    }

    /// All values of a parameter, in order.
    pub(super) fn all(&self, parameter: &'static str) -> Vec<String> {
        self.pairs
            .iter()
            .filter(|(name, _)| *name == parameter)
            .map(|(_, value)| value.clone())
            .collect()
    }

    /// The value of a parameter that stands once at most and satisfies `valid`.
    pub(super) fn one(
        &self,
        parameter: &'static str,
        valid: impl Fn(&str) -> bool,
    ) -> Result<Option<String>, UriError> {
        let scheme = self.scheme;
        let mut values = self.all(parameter);
        if values.len() > 1 {
            return Err(UriError::RepeatedParameter { scheme, parameter });
        }
        match values.pop() {
            Some(value) if !valid(&value) => Err(UriError::ParameterValue { scheme, parameter }),
            value => Ok(value),
        }
    }
}

/// Writes `?NAME=VALUE&…`, nothing without parameters.
pub(super) fn write<'a>(pairs: impl IntoIterator<Item = (&'static str, &'a str)>) -> String {
    let mut out = String::new();
    for (name, value) in pairs {
        out.push(if out.is_empty() { '?' } else { '&' });
        out.push_str(name);
        out.push('=');
        out.push_str(&percent::encode(value.as_bytes(), b"/:@"));
    }
    out
}
