//! What the headers of a request say: whose it is, under which key, how long it may wait.

use std::sync::Arc;
use std::time::Duration;

use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;

use crate::problem::Problem;
use crate::state::Intake;
use crate::token::Token;

/// Longest idempotency key.
const MAX_KEY: usize = 255;

/// The token that a request came with, if it counts and has not asked too often.
pub(super) fn authenticate(intake: &Intake, headers: &HeaderMap) -> Result<Arc<Token>, Problem> {
    let mut sent = headers.get_all(AUTHORIZATION).iter();
    let (Some(value), None) = (sent.next(), sent.next()) else {
        return Err(Problem::unauthorized());
    };
    let value = value.to_str().map_err(|_| Problem::unauthorized())?;
    let (scheme, secret) = value.split_once(' ').ok_or_else(Problem::unauthorized)?;
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Err(Problem::unauthorized());
    }
    let found = intake.tokens.find(secret.trim(), (intake.clock)());
    let token = found.ok_or_else(Problem::unauthorized)?;
    let share = intake.rates.take(&token.name, std::time::Instant::now());
    share.map_err(Problem::too_often)?;
    Ok(token)
}

/// The idempotency key: as a structured string or bare, as both are sent.
pub(super) fn idempotency_key(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let mut sent = headers.get_all("idempotency-key").iter();
    let Some(value) = sent.next() else {
        return Ok(None);
    };
    let malformed = || {
        Problem::malformed(format!(
            "`Idempotency-Key` is one value of 1 to {MAX_KEY} visible ASCII characters"
        ))
    };
    if sent.next().is_some() {
        return Err(malformed());
    }
    let text = value.to_str().map_err(|_| malformed())?.trim();
    let inner = text
        .strip_prefix('"')
        .and_then(|rest| rest.strip_suffix('"'));
    let key = inner.unwrap_or(text);
    let is_plain = |byte: u8| byte.is_ascii_graphic() && byte != b'"';
    if key.is_empty() || key.len() > MAX_KEY || !key.bytes().all(is_plain) {
        return Err(malformed());
    }
    Ok(Some(key.to_owned()))
}

/// `Prefer: wait=SECONDS` (RFC 7240 4.3), at most as long as the policy allows. A preference that
/// cannot be read is none.
pub(super) fn wait(intake: &Intake, headers: &HeaderMap) -> Option<Duration> {
    let seconds = preferred_wait(headers)?;
    Some(Duration::from_secs(seconds).min(intake.policy.intake.longest_wait))
}

fn preferred_wait(headers: &HeaderMap) -> Option<u64> {
    let values = headers.get_all("prefer").iter();
    let texts = values.filter_map(|value| value.to_str().ok());
    let mut preferences = texts.flat_map(|text| text.split(','));
    preferences.find_map(|preference| {
        let first = preference.split(';').next()?;
        let (name, value) = first.split_once('=')?;
        let is_wait = name.trim().eq_ignore_ascii_case("wait");
        is_wait.then(|| value.trim().parse().ok())?
    })
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn with(name: &'static str, values: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(name, HeaderValue::from_str(value).unwrap());
        }
        headers
    }

    #[test]
    fn keys_are_read_quoted_and_bare() {
        let key = |values: &[&str]| idempotency_key(&with("idempotency-key", values));
        assert_eq!(key(&[]).unwrap(), None);
        assert_eq!(key(&["a-1"]).unwrap().as_deref(), Some("a-1"));
        assert_eq!(key(&["\"a-1\""]).unwrap().as_deref(), Some("a-1"));
        let long = "x".repeat(256);
        for wrong in [
            &[""][..],
            &["\"\""],
            &["a b"],
            &["a\"b"],
            &["a", "a"],
            &[&long],
        ] {
            assert!(key(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn a_wait_is_found_among_preferences() {
        let wait = |values: &[&str]| preferred_wait(&with("prefer", values));
        assert_eq!(wait(&["wait=10"]), Some(10));
        assert_eq!(wait(&["respond-async, Wait = 7; x=1"]), Some(7));
        assert_eq!(wait(&["return=minimal", "wait=3"]), Some(3));
        for none in ["wait", "wait=", "wait=-1", "wait=soon", "waiting=1"] {
            assert_eq!(wait(&[none]), None, "{none}");
        }
    }
}
