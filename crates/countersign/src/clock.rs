//! The clock. Each command reads it once and hands the time on, so that everything it does happens
//! at one time; only what runs on (`serve`, `online run`) reads it again for each round.

use chrono::{DateTime, Utc};

/// The time now.
pub(crate) fn now() -> DateTime<Utc> {
    Utc::now()
}
