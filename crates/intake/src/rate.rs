//! How often each token may ask: a bucket that fills at a steady rate.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// One bucket a token. There are no more than there are tokens.
pub(crate) struct Rates {
    per_second: f64,
    burst: f64,
    buckets: Mutex<HashMap<String, Bucket>>,
}

struct Bucket {
    left: f64,
    at: Instant,
}

impl Rates {
    pub(crate) fn new(per_second: u32, burst: u32) -> Self {
        Self {
            per_second: f64::from(per_second),
            burst: f64::from(burst),
            buckets: Mutex::new(HashMap::new()),
        }
    }

    /// Takes one request of a token's share, or says after how long there is one.
    pub(crate) fn take(&self, token: &str, now: Instant) -> Result<(), Duration> {
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        if !buckets.contains_key(token) {
            let full = Bucket {
                left: self.burst,
                at: now,
            };
            buckets.insert(token.to_owned(), full);
        }
        let Some(bucket) = buckets.get_mut(token) else {
            return Ok(());
        };
        let passed = now.saturating_duration_since(bucket.at).as_secs_f64();
        bucket.left = (bucket.left + passed * self.per_second).min(self.burst);
        bucket.at = now;
        if bucket.left < 1.0 {
            return Err(Duration::from_secs_f64(
                (1.0 - bucket.left) / self.per_second,
            ));
        }
        bucket.left -= 1.0;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_let_through_and_then_the_rate() {
        let rates = Rates::new(10, 3);
        let start = Instant::now();
        let after = |millis| start + Duration::from_millis(millis);
        for _ in 0..3 {
            assert!(rates.take("one", start).is_ok());
        }
        let wait = rates.take("one", start).unwrap_err();
        assert!(wait <= Duration::from_millis(100), "{wait:?}");
        assert!(
            rates.take("other", start).is_ok(),
            "others have their own share"
        );
        assert!(rates.take("one", after(50)).is_err());
        assert!(rates.take("one", after(110)).is_ok());
        assert!(rates.take("one", after(120)).is_err());
        // A long pause gives no more than a burst.
        let late = after(60_000);
        assert_eq!(
            (0..9).filter(|_| rates.take("one", late).is_ok()).count(),
            3
        );
    }
}
