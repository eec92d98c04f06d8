//! What the program says: reports on stdout, errors on stderr.

use std::error::Error;
use std::fmt::Display;
use std::io::{self, IsTerminal, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use clap::ArgMatches;
use serde::Serialize;

use crate::cli::{LogFormat, OutputArgs};
use crate::exit_code;
use crate::failure::Failure;
use crate::hint;

/// Where a command reports.
#[derive(Clone, Debug)]
pub(crate) struct Console {
    format: LogFormat,
    colors: bool,
    quiet: u8,
    progress: bool,
    /// Whether the command was asked to report in JSON.
    json: bool,
    /// Whether it has: stdout gets one JSON object, the report or the failure.
    reported: Arc<AtomicBool>,
}

impl Console {
    /// As the options and the environment want it.
    pub(crate) fn new(options: &OutputArgs, command: &ArgMatches) -> Self {
        let terminal = io::stderr().is_terminal();
        let text = options.log_format == LogFormat::Text;
        // https://no-color.org: any value but the empty one.
        let no_color = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        Self {
            format: options.log_format,
            colors: terminal && text && !no_color,
            quiet: options.quiet,
            progress: terminal && text && options.quiet == 0 && !options.no_progress,
            json: matches!(command.try_get_one("json"), Ok(Some(true))),
            reported: Arc::default(),
        }
    }

    /// Says nothing; for tests.
    #[cfg(test)]
    pub(crate) fn silent() -> Self {
        Self {
            format: LogFormat::Text,
            colors: false,
            quiet: 2,
            progress: false,
            json: false,
            reported: Arc::default(),
        }
    }

    /// Whether stderr takes colors.
    pub(crate) fn colors(&self) -> bool {
        self.colors
    }

    /// Whether progress is shown.
    pub(crate) fn progress(&self) -> bool {
        self.progress
    }

    /// Writes a line of a report to stdout.
    pub(crate) fn say(&self, line: impl Display) -> Result<(), Failure> {
        if self.quiet > 0 {
            return Ok(());
        }
        write_out(&format!("{line}\n"))
    }

    /// Writes a report: JSON if asked for, else what `text` says.
    pub(crate) fn report<T: Serialize>(
        &self,
        json: bool,
        report: &T,
        text: impl FnOnce() -> String,
    ) -> Result<(), Failure> {
        if !json {
            let text = text();
            return match text.trim_end() {
                "" => Ok(()),
                text => self.say(text),
            };
        }
        let mut out = serde_json::to_string_pretty(report).map_err(io::Error::from)?;
        out.push('\n');
        self.reported.store(true, Ordering::Relaxed);
        write_out(&out)
    }

    /// Writes a line to stderr, where stdout is another program's; one of something `wrong` whenever
    /// errors are said.
    pub(crate) fn note(&self, line: &str, wrong: bool) {
        if self.quiet <= u8::from(wrong) {
            // Nobody is left to tell if this fails.
            let _ = writeln!(io::stderr(), "{line}");
        }
    }

    /// Says why the program ends: `error:`, `cause:` for everything behind it, `hint:`.
    pub(crate) fn fail(&self, failure: &Failure) {
        // Whoever pressed Ctrl-C knows.
        if matches!(failure, Failure::Interrupted) {
            return;
        }
        let hint = hint::of(failure);
        let told = || {
            serde_json::json!({
                "error": failure.to_string(),
                "causes": causes(failure),
                "hint": hint,
                "exit_code": exit_code::of(failure),
            })
        };
        if self.json && !self.reported.load(Ordering::Relaxed) {
            // The exit code says it, too, where stdout is gone.
            let _ = write_out(&format!("{:#}\n", told()));
        }
        if self.quiet > 1 {
            return;
        }
        match self.format {
            LogFormat::Text => {
                self.complain(&failure.to_string(), &causes(failure), hint.as_deref());
            }
            LogFormat::Json => {
                let mut line = told();
                line["level"] = "ERROR".into();
                let _ = writeln!(io::stderr(), "{line}");
            }
        }
    }

    /// Says that this program is at fault.
    pub(crate) fn defect(&self, what: &str) {
        if self.quiet > 1 {
            return;
        }
        let hint = "this is a defect: please report it, with the command line and the lines above";
        self.complain("internal error", &[what.to_owned()], Some(hint));
    }

    fn complain(&self, error: &str, causes: &[String], hint: Option<&str>) {
        let paint = |color: &str, text: &str| {
            if self.colors {
                format!("\x1b[1;{color}m{text}\x1b[0m")
            } else {
                text.to_owned()
            }
        };
        let mut lines = vec![format!("{} {error}", paint("31", "error:"))];
        let label = paint("31", "cause:");
        lines.extend(causes.iter().map(|cause| format!("  {label} {cause}")));
        lines.extend(hint.map(|hint| format!("{} {hint}", paint("36", "hint:"))));
        // Nobody is left to tell if this fails.
        let _ = writeln!(io::stderr(), "{}", lines.join("\n"));
    }
}

/// Everything behind an error, outermost first. What the line before says already is left out.
fn causes(error: &dyn Error) -> Vec<String> {
    let mut out = Vec::new();
    let mut before = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let text = cause.to_string();
        if !before.contains(&text) {
            out.push(text.clone());
        }
        before = text;
        next = cause.source();
    }
    out
}

/// Writes what was asked for, such as a man page, whatever `--quiet` says.
pub(crate) fn hand_out(bytes: &[u8]) -> Result<(), Failure> {
    ignore_closed(io::stdout().lock().write_all(bytes))
}

/// An error and its causes in one line.
pub(crate) fn in_one_line(error: &dyn Error) -> String {
    let mut out = causes(error);
    out.insert(0, error.to_string());
    out.join(": ")
}

fn write_out(text: &str) -> Result<(), Failure> {
    ignore_closed(io::stdout().lock().write_all(text.as_bytes()))
}

/// A reader that closed the pipe has seen enough.
fn ignore_closed(written: io::Result<()>) -> Result<(), Failure> {
    match written {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Failure::Output(error)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn causes_are_listed_once() {
        let inner = io::Error::other("inner");
        let error = Failure::Io {
            doing: "read",
            path: "x".into(),
            source: inner,
        };
        assert_eq!(error.to_string(), "could not read x");
        assert_eq!(causes(&error), ["inner"]);
    }
}
