//! `countersign online plan`: what a cycle would do, now or at any other time.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::str::FromStr;

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use clap::builder::FalseyValueParser;
use draft::{Plan, Reason};
use keys::KeyUri;
use policy::{Policy, RolePolicy};
use repository::TickOptions;
use serde::Serialize;

use crate::cli::JsonArgs;
use crate::clock;
use crate::config::Config;
use crate::console::Console;
use crate::data_dir::DataDirArgs;
use crate::failure::Failure;
use crate::places;

/// Show what the cycle at some time would do, as things stand
///
/// Reads only, needs no key, and signs nothing. With keys in a key service it says how often that would be
/// asked, which is what such services charge for.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    data_dir: DataDirArgs,

    /// When: a time such as 2030-01-31T12:00:00Z, or so long from now, such as +36h [default: now]
    #[arg(long, value_name = "TIME", env = "COUNTERSIGN_AT")]
    at: Option<Moment>,

    /// As `online tick --at-once` would do it
    #[arg(long, env = "COUNTERSIGN_AT_ONCE", value_parser = FalseyValueParser::new())]
    at_once: bool,

    #[command(flatten)]
    json: JsonArgs,
}

/// A time, absolute or from now on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Moment {
    At(DateTime<Utc>),
    In(TimeDelta),
}

/// Not a time.
#[derive(Debug, thiserror::Error)]
#[error("neither a time such as 2030-01-31T12:00:00Z nor a span such as +90s, +30m, +36h or +10d")]
struct NoMoment;

impl FromStr for Moment {
    type Err = NoMoment;

    fn from_str(text: &str) -> Result<Self, NoMoment> {
        let Some(span) = text.strip_prefix('+') else {
            let time = DateTime::parse_from_rfc3339(text).map_err(|_| NoMoment)?;
            return Ok(Self::At(time.to_utc()));
        };
        let unit = span.chars().last().ok_or(NoMoment)?;
        let number = span.strip_suffix(unit).ok_or(NoMoment)?;
        let number: u32 = number.parse().map_err(|_| NoMoment)?;
        let seconds = match unit {
            's' => 1,
            'm' => 60,
            'h' => 3_600,
            'd' => 86_400,
            _ => return Err(NoMoment),
        };
        Ok(Self::In(TimeDelta::seconds(i64::from(number) * seconds)))
    }
}

impl Moment {
    fn from(self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        match self {
            Self::At(time) => Some(time),
            Self::In(span) => now.checked_add_signed(span),
        }
    }
}

#[derive(Serialize)]
struct Report {
    at: String,
    idle: bool,
    takes_changes: bool,
    takes_offline_roles: bool,
    /// By role, `changed` or `due`.
    bins: BTreeMap<String, &'static str>,
    snapshot: Option<&'static str>,
    timestamp: Option<&'static str>,
    next: Option<String>,
    cost: Cost,
}

/// What the cycle, and a day without changes, ask of the keys.
#[derive(Serialize)]
struct Cost {
    /// Signatures of this cycle.
    signatures: u64,
    /// Requests to a key service at most, with those that read its public keys; none if the settings
    /// name no key of one.
    key_service_requests: Option<u64>,
    /// Signatures a day that renewals alone need.
    renewals_per_day: u64,
}

impl Cost {
    fn of(plan: &Plan, policy: &Policy, bins: u64, keys: &[KeyUri]) -> Self {
        let roles = &policy.roles;
        let signatures = plan.bins.len() as u64 * u64::from(roles.bin_n.keys)
            + u64::from(plan.recently_claimed.is_some()) * u64::from(roles.snapshot.keys)
            + u64::from(plan.snapshot.is_some()) * u64::from(roles.snapshot.keys)
            + u64::from(plan.timestamp.is_some()) * u64::from(roles.timestamp.keys);
        let in_service = keys.iter().filter(|key| matches!(key, KeyUri::AwsKms(_)));
        let in_service = in_service.count() as u64;
        // A role is signed again once so much of its life has passed.
        let per_day = |role: &RolePolicy, count: u64| {
            let after = role.lifetime - policy.online.renew_below(role.lifetime);
            let after = u64::try_from(after.num_seconds()).unwrap_or(0).max(1);
            (count * u64::from(role.keys) * 86_400).div_ceil(after)
        };
        Self {
            signatures,
            key_service_requests: (in_service > 0).then_some(signatures + in_service),
            renewals_per_day: per_day(&roles.bin_n, bins)
                + per_day(&roles.snapshot, 1)
                + per_day(&roles.timestamp, 1),
        }
    }

    fn text(&self) -> String {
        let mut text = format!("  {} signatures", self.signatures);
        if let Some(requests) = self.key_service_requests {
            // Writing to a string cannot fail.
            let _ = write!(text, ", at most {requests} requests to the key service");
        }
        let _ = write!(
            text,
            "; renewals alone come to {} a day",
            self.renewals_per_day
        );
        text
    }
}

pub(crate) fn run(args: &Args, console: &Console) -> Result<(), Failure> {
    let data_dir = args.data_dir.open();
    let repository = places::open(&data_dir)?;
    let now = clock::now();
    let at = args.at.map_or(Some(now), |at| at.from(now)).unwrap_or(now);
    let options = TickOptions {
        at_once: args.at_once,
    };
    let plan = repository.plan_at(at, options)?;
    let layout = repository.settings().layout;
    let name = |bin| Ok(layout.role_name(bin)?.to_string());
    let bins = plan.bins.iter();
    let bins = bins.map(|(bin, reason)| Ok((name(*bin)?, word(*reason))));
    let keys = Config::load(&data_dir)?.online_keys.value;
    let policy = &repository.settings().policy;
    let count = layout.count.get().into();
    let report = Report {
        bins: bins
            .collect::<Result<_, metadata::MetadataError>>()
            .map_err(repository::RepositoryError::from)?,
        ..Report::new(at, &plan, Cost::of(&plan, policy, count, &keys))
    };
    console.report(args.json.json, &report, || report.text())
}

impl Report {
    fn new(at: DateTime<Utc>, plan: &Plan, cost: Cost) -> Self {
        Self {
            at: stamp(at),
            idle: plan.is_idle() && !plan.take_changes,
            takes_changes: plan.take_changes,
            takes_offline_roles: plan.take_offline_roles,
            bins: BTreeMap::new(),
            snapshot: plan.snapshot.map(word),
            timestamp: plan.timestamp.map(word),
            next: plan.next.map(stamp),
            cost,
        }
    }

    fn text(&self) -> String {
        let mut out = Vec::new();
        if self.idle {
            out.push(format!("at {}: nothing to do", self.at));
        } else {
            out.push(format!("at {}:", self.at));
            if self.takes_offline_roles {
                out.push("  publish the offline roles that wait".to_owned());
            }
            if self.takes_changes {
                out.push("  take up the changes that wait".to_owned());
            }
            for word in ["changed", "due"] {
                let count = self.bins.values().filter(|reason| **reason == word).count();
                if count > 0 {
                    out.push(format!("  sign {count} bins: {word}"));
                }
            }
            for (role, reason) in [("snapshot", self.snapshot), ("timestamp", self.timestamp)] {
                out.extend(reason.map(|reason| format!("  sign {role}: {reason}")));
            }
            out.push(self.cost.text());
        }
        out.extend(self.next.as_ref().map(|next| format!("next due {next}")));
        out.join("\n")
    }
}

fn word(reason: Reason) -> &'static str {
    match reason {
        Reason::Changed => "changed",
        Reason::Due => "due",
    }
}

fn stamp(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Secs, true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_spans_are_read() {
        let now = DateTime::UNIX_EPOCH;
        let read = |text: &str| text.parse::<Moment>().ok().and_then(|at| at.from(now));
        let at = |seconds| Some(now + TimeDelta::seconds(seconds));
        assert_eq!(read("1970-01-02T00:00:00Z"), at(86_400));
        assert_eq!(read("1970-01-02T00:00:00+01:00"), at(82_800));
        for (span, seconds) in [("+90s", 90), ("+2m", 120), ("+1h", 3_600), ("+1d", 86_400)] {
            assert_eq!(read(span), at(seconds), "{span}");
        }
        for wrong in ["", "+", "+h", "+1", "1h", "+1w", "+-1h", "+1é", "tomorrow"] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }
}
