//! Log lines on stderr: short ones for people, JSON for machines.

use std::fmt::{self, Write as _};

use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::filter::{EnvFilter, LevelFilter};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

use crate::cli::{LogFormat, OutputArgs};
use crate::progress::Beside;

/// Starts logging for the rest of the program.
pub(crate) fn start(options: &OutputArgs, colors: bool) {
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter(options))
        .with_writer(|| Beside);
    match options.log_format {
        LogFormat::Text => builder
            .with_ansi(colors)
            .event_format(Plain { colors })
            .init(),
        LogFormat::Json => builder.json().flatten_event(true).init(),
    }
}

/// Our own crates at the level asked for; what they are built on stays silent until `-vvv`.
fn filter(options: &OutputArgs) -> EnvFilter {
    let level = match (options.quiet, options.verbose) {
        (2.., _) => LevelFilter::OFF,
        (1, _) => LevelFilter::ERROR,
        (0, 0) => LevelFilter::WARN,
        (0, 1) => LevelFilter::INFO,
        (0, 2) => LevelFilter::DEBUG,
        (0, _) => LevelFilter::TRACE,
    };
    if level == LevelFilter::TRACE || level < LevelFilter::WARN {
        return EnvFilter::default().add_directive(level.into());
    }
    let mut filter = EnvFilter::default().add_directive(LevelFilter::WARN.into());
    for name in OURS {
        if let Ok(directive) = format!("{name}={level}").parse() {
            filter = filter.add_directive(directive);
        }
    }
    filter
}

/// Crates whose log lines are ours, as their targets are named.
const OURS: &[&str] = &[
    "countersign",
    "countersign_client",
    "countersign_proxy",
    "countersign_repository",
    "countersign_audit",
];

/// `warning: message, name value, …`: in the same form as errors.
struct Plain {
    colors: bool,
}

impl<S, N> FormatEvent<S, N> for Plain
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        _context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let (label, color) = match *event.metadata().level() {
            Level::ERROR => ("error:", "\x1b[1;31m"),
            Level::WARN => ("warning:", "\x1b[1;33m"),
            Level::INFO => ("info:", "\x1b[1;32m"),
            Level::DEBUG => ("debug:", "\x1b[2m"),
            Level::TRACE => ("trace:", "\x1b[2m"),
        };
        if self.colors {
            write!(writer, "{color}{label}\x1b[0m")?;
        } else {
            write!(writer, "{label}")?;
        }
        let mut line = Line::default();
        event.record(&mut line);
        writeln!(writer, " {}{}", line.message, line.fields)
    }
}

/// What an event says, and with what.
#[derive(Default)]
struct Line {
    message: String,
    fields: String,
}

impl Line {
    fn record(&mut self, field: &Field, value: fmt::Arguments<'_>) {
        // Writing to a string cannot fail.
        let _ = if field.name() == "message" {
            self.message.write_fmt(value)
        } else {
            write!(self.fields, ", {} {value}", field.name())
        };
    }
}

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.record(field, format_args!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.record(field, format_args!("{value}"));
    }
}
