//! `countersign index status`: where an index stands.

mod report;

use std::path::PathBuf;

use clap::builder::FalseyValueParser;
use repository::{Alarm, Status, StoreHealth, prometheus_text, status_html};

use crate::clock;
use crate::console::{Console, hand_out};
use crate::data_dir::DataDirArgs;
use crate::failure::Failure;
use crate::hint;
use crate::replace_file::replace_file;
use report::Report;

/// Show versions, signers, seconds to expiry, what waits and how much room is left
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    data_dir: DataDirArgs,

    #[command(flatten)]
    form: FormArgs,

    /// File to write to instead of stdout; readers never see half of it
    #[arg(long, value_name = "FILE", env = "COUNTERSIGN_OUTPUT")]
    output: Option<PathBuf>,

    /// End with 12 if a role has expired, with 1 if something needs attention: an alarm of a role
    /// with offline keys, a store that was altered
    #[arg(long, env = "COUNTERSIGN_CHECK", value_parser = FalseyValueParser::new())]
    check: bool,
}

/// What the status is written as, if not as a table.
#[derive(Clone, Copy, clap::Args)]
struct FormArgs {
    /// Report as one JSON object; later versions may add members
    #[arg(long, env = "COUNTERSIGN_JSON", value_parser = FalseyValueParser::new())]
    json: bool,

    /// Write a page for people, complete in itself and without names of this machine
    #[arg(long, env = "COUNTERSIGN_HTML", value_parser = FalseyValueParser::new())]
    #[arg(conflicts_with = "json")]
    html: bool,

    /// Write metrics for Prometheus
    #[arg(long, env = "COUNTERSIGN_METRICS", value_parser = FalseyValueParser::new())]
    #[arg(conflicts_with_all = ["json", "html"])]
    metrics: bool,
}

pub(crate) fn run(args: &Args, console: &Console) -> Result<(), Failure> {
    let repository = super::open(&args.data_dir)?;
    let now = clock::now();
    let status = repository.status(now)?;
    let FormArgs {
        json,
        html,
        metrics,
    } = args.form;
    let plain_text = !(json || html || metrics);
    let text = if html {
        status_html(&status, now)
    } else if metrics {
        prometheus_text(&status, now)
    } else {
        let report = Report::new(&status);
        if json { report.json()? } else { report.text() }
    };
    match &args.output {
        Some(path) => replace_file(path, text.as_bytes())?,
        None if plain_text => console.say(text.trim_end())?,
        None => hand_out(text.as_bytes())?,
    }
    let attention = attention(&status);
    match attention {
        Some(attention) if args.check => Err(attention),
        Some(Failure::Attention { expired: true, .. }) if plain_text => {
            console.say(format!("hint: {}", hint::EXPIRED))
        }
        _ => Ok(()),
    }
}

/// What somebody has to look at, worst first.
pub(crate) fn attention(status: &Status) -> Option<Failure> {
    let mut roles = status.roles.iter().chain(&status.first_bin);
    if let Some(role) = roles.find(|role| role.seconds_left <= 0) {
        let what = format!(
            "{} v{} expired at {}",
            role.role, role.version, role.expires
        );
        let expired = true;
        return Some(Failure::Attention { what, expired });
    }
    let expired = false;
    match &status.store {
        StoreHealth::Intact => {}
        StoreHealth::Altered(path) => {
            let what = format!("`{path}` in the store is not what was published");
            return Some(Failure::Attention { what, expired });
        }
        StoreHealth::Unreadable => {
            let what = "the store cannot be read".to_owned();
            return Some(Failure::Attention { what, expired });
        }
    }
    let worst = status.alarms.iter().max_by_key(|alarm| alarm.level)?;
    let what = alarm_text(worst);
    Some(Failure::Attention { what, expired })
}

/// An alarm as it is logged and shown.
pub(crate) fn alarm_text(alarm: &Alarm) -> String {
    let time = alarm.expires.format("%Y-%m-%dT%H:%M:%SZ");
    if alarm.expired {
        return format!("{} expired at {time}: clients refuse the index", alarm.role);
    }
    format!(
        "{} expires at {time}: hold a ceremony (alarm {} of those at {} before)",
        alarm.role,
        alarm.level + 1,
        report::in_words(alarm.threshold)
    )
}
