//! Durations as people write them in a policy: one number, one unit.

use std::fmt;
use std::str::FromStr;

use chrono::TimeDelta;

/// Longest duration accepted, in seconds: 36,500 days, so that no date it is added to overflows.
const MAX_SECONDS: i64 = 36_500 * 86_400;

/// Units, the largest first, with their seconds.
const UNITS: [(char, i64); 4] = [('d', 86_400), ('h', 3_600), ('m', 60), ('s', 1)];

/// A positive duration in whole seconds, read from and printed as `365d`, `12h`, `90m` or `30s`.
///
/// Months and years have no fixed length and are not offered. Printing takes the largest unit
/// that divides the duration, so `24h` is printed as `1d`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct DurationText(TimeDelta);

/// Why a text is no duration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DurationError {
    /// Not one whole number and one unit.
    #[error("is not a whole number followed by d, h, m or s")]
    Form,
    /// A duration of zero: nothing in a policy may last no time.
    #[error("is zero")]
    Zero,
    /// More than 36,500 days.
    #[error("is longer than 36500d")]
    TooLong,
    /// Not a whole number of seconds, which the text form cannot hold.
    #[error("is not a whole number of seconds")]
    Fraction,
}

impl DurationText {
    /// Takes `duration` if the text form can hold it.
    pub fn new(duration: TimeDelta) -> Result<Self, DurationError> {
        if duration.subsec_nanos() != 0 {
            return Err(DurationError::Fraction);
        }
        match duration.num_seconds() {
            ..=0 => Err(DurationError::Zero),
            1..=MAX_SECONDS => Ok(Self(duration)),
            _ => Err(DurationError::TooLong),
        }
    }

    /// The duration itself.
    #[must_use]
    pub fn get(self) -> TimeDelta {
        self.0
    }
}

impl FromStr for DurationText {
    type Err = DurationError;

    fn from_str(text: &str) -> Result<Self, DurationError> {
        let unit = text.chars().next_back().ok_or(DurationError::Form)?;
        let (_, seconds) = UNITS
            .iter()
            .find(|(name, _)| *name == unit)
            .ok_or(DurationError::Form)?;
        let digits = text.strip_suffix(unit).ok_or(DurationError::Form)?;
        if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
            return Err(DurationError::Form);
        }
        // Only digits are left, so the parse can fail for size alone.
        let number: i64 = digits.parse().map_err(|_| DurationError::TooLong)?;
        let total = number.checked_mul(*seconds).ok_or(DurationError::TooLong)?;
        Self::new(TimeDelta::try_seconds(total).ok_or(DurationError::TooLong)?)
    }
}

impl fmt::Display for DurationText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_duration(f, self.0)
    }
}

/// Writes any duration of whole seconds in the largest unit that divides it.
pub(crate) fn write_duration(f: &mut impl fmt::Write, duration: TimeDelta) -> fmt::Result {
    let total = duration.num_seconds();
    let (unit, seconds) = UNITS
        .iter()
        .find(|(_, seconds)| total % seconds == 0)
        .unwrap_or(&('s', 1));
    write!(f, "{}{unit}", total / seconds)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn reads_one_number_and_one_unit() {
        for (text, seconds) in [
            ("365d", 31_536_000),
            ("1d", 86_400),
            ("12h", 43_200),
            ("90m", 5_400),
            ("30s", 30),
        ] {
            let duration: DurationText = text.parse().unwrap();
            assert_eq!(duration.get().num_seconds(), seconds, "{text}");
            assert_eq!(duration.to_string(), text);
        }
        assert_eq!("24h".parse::<DurationText>().unwrap().to_string(), "1d");
    }

    #[test]
    fn refuses_everything_else_by_its_reason() {
        for text in [
            "", "d", "1", "1 d", "+1d", "-1d", "1.5h", "1y", "1d12h", "1D", "1é", "１d",
        ] {
            assert_eq!(
                text.parse::<DurationText>(),
                Err(DurationError::Form),
                "{text:?}"
            );
        }
        assert_eq!("0s".parse::<DurationText>(), Err(DurationError::Zero));
        assert_eq!(
            "36501d".parse::<DurationText>(),
            Err(DurationError::TooLong)
        );
        let huge = format!("{}d", "9".repeat(40));
        assert_eq!(huge.parse::<DurationText>(), Err(DurationError::TooLong));
        let half = TimeDelta::milliseconds(1_500);
        assert_eq!(DurationText::new(half), Err(DurationError::Fraction));
    }

    proptest! {
        #[test]
        fn printing_and_reading_agree(seconds in 1..=MAX_SECONDS) {
            let duration = DurationText::new(TimeDelta::seconds(seconds)).unwrap();
            prop_assert_eq!(duration.to_string().parse::<DurationText>(), Ok(duration));
        }

        #[test]
        fn reading_never_panics(text in "\\PC{0,24}") {
            if let Ok(duration) = text.parse::<DurationText>() {
                prop_assert!((1..=MAX_SECONDS).contains(&duration.get().num_seconds()));
            }
        }
    }
}
