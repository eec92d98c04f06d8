//! Expiry times (TUF 4.2.3 date-time).

use std::fmt;

use chrono::{DateTime, NaiveDate, SecondsFormat, TimeZone, Timelike, Utc};

use crate::MetadataError;

/// When a document stops being valid: an instant, and whether it was written in the one form TUF
/// 4.2.3 allows (`YYYY-MM-DDTHH:MM:SSZ`). Documents in the strict dialect must be.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Expiry {
    at: DateTime<Utc>,
    exact_form: bool,
}

impl Expiry {
    /// An expiry at `at`, its fraction of a second cut off (reference F25).
    #[must_use]
    pub fn at(at: DateTime<Utc>) -> Self {
        Self {
            at: at.with_nanosecond(0).unwrap_or(at),
            exact_form: true,
        }
    }

    /// Reads the TUF form, or else any RFC 3339 date-time, remembering which it was.
    pub fn parse(text: &str) -> Result<Self, MetadataError> {
        if let Some(at) = parse_exact(text.as_bytes()) {
            return Ok(Self {
                at,
                exact_form: true,
            });
        }
        DateTime::parse_from_rfc3339(text)
            .map(|at| Self {
                at: at.to_utc(),
                exact_form: false,
            })
            .map_err(|_| MetadataError::Expiry {
                found: crate::error::excerpt(text),
            })
    }

    /// The instant.
    #[must_use]
    pub fn instant(&self) -> DateTime<Utc> {
        self.at
    }

    /// Whether it was written as `YYYY-MM-DDTHH:MM:SSZ`.
    #[must_use]
    pub fn is_exact_form(&self) -> bool {
        self.exact_form
    }

    /// Whether it has passed: expired means `now >= expires` (reference F25).
    #[must_use]
    pub fn has_passed(&self, now: DateTime<Utc>) -> bool {
        now >= self.at
    }
}

/// Digits at fixed places; the calendar decides the rest.
fn parse_exact(text: &[u8]) -> Option<DateTime<Utc>> {
    let [
        y0,
        y1,
        y2,
        y3,
        b'-',
        m0,
        m1,
        b'-',
        d0,
        d1,
        b'T',
        h0,
        h1,
        b':',
        n0,
        n1,
        b':',
        s0,
        s1,
        b'Z',
    ] = *text
    else {
        return None;
    };
    let number = |digits: &[u8]| {
        digits.iter().try_fold(0u32, |sum, digit| {
            digit
                .is_ascii_digit()
                .then(|| sum * 10 + u32::from(digit - b'0'))
        })
    };
    let year = i32::try_from(number(&[y0, y1, y2, y3])?).ok()?;
    let naive = NaiveDate::from_ymd_opt(year, number(&[m0, m1])?, number(&[d0, d1])?)?
        .and_hms_opt(number(&[h0, h1])?, number(&[n0, n1])?, number(&[s0, s1])?)?;
    Some(Utc.from_utc_datetime(&naive))
}

impl fmt::Display for Expiry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.at.to_rfc3339_opts(SecondsFormat::Secs, true))
    }
}

impl fmt::Debug for Expiry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_the_exact_form_from_other_rfc_3339() {
        let exact = Expiry::parse("2030-01-02T03:04:05Z").unwrap();
        assert!(exact.is_exact_form());
        assert_eq!(exact.to_string(), "2030-01-02T03:04:05Z");
        for loose in [
            "2030-01-02T03:04:05.5Z",
            "2030-01-02T03:04:05+00:00",
            "2030-01-02t03:04:05z",
        ] {
            assert!(!Expiry::parse(loose).unwrap().is_exact_form(), "{loose}");
        }
        for bad in [
            "",
            "2030-13-01T00:00:00Z",
            "2030-02-30T00:00:00Z",
            "2030-01-01",
            "tomorrow",
        ] {
            assert!(Expiry::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn expired_from_the_very_second() {
        let expiry = Expiry::parse("2030-01-01T00:00:00Z").unwrap();
        assert!(expiry.has_passed(expiry.instant()));
        assert!(!expiry.has_passed(expiry.instant() - chrono::Duration::seconds(1)));
    }
}
