//! `status`: who has signed and who has not.

use std::fmt::Write;
use std::path::PathBuf;

use countersign_ceremony::{Event, Standing};
use serde_json::json;

use super::Done;
use super::output::Report;

/// The code of an event that lacks signatures.
const INCOMPLETE: u8 = 11;

/// Say who has signed and who has not
///
/// Ends with code 11 as long as signatures are missing.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The event's folder
    event: PathBuf,
}

impl Args {
    pub(crate) fn run(self) -> Done {
        let status = Event::open(&self.event)?.status()?;
        let mut text = String::new();
        for one in &status.roles {
            describe(one, &mut text);
        }
        for file in &status.unrecorded {
            // Writing to a String cannot fail.
            let _ = writeln!(
                text,
                "CAUTION: {file} is in no entry of the transcript and does not count: have its holder \
                 repeat the step"
            );
        }
        let complete = status.is_complete();
        let roles: Vec<_> = status.roles.iter().map(standing_json).collect();
        let mut report = Report::new(
            text,
            json!({
                "complete": complete,
                "roles": roles,
                "unrecorded": status.unrecorded,
            }),
        );
        if !complete {
            report.code = INCOMPLETE;
        }
        Ok(report)
    }
}

/// One line: `root v1 (the new root): 2 of 2, signed by Ada, Bo; not by Cleo`.
pub(crate) fn describe(one: &Standing, out: &mut String) {
    let part = |before: &str, names: &[String]| match names {
        [] => String::new(),
        _ => format!("{before}{}", names.join(", ")),
    };
    // Writing to a String cannot fail.
    let _ = writeln!(
        out,
        "{} v{} ({}): {} of {} needed{}{}",
        one.role,
        one.version,
        one.voucher,
        one.signed.len(),
        one.threshold,
        part(", signed by ", &one.signed),
        part("; not by ", &one.missing),
    );
}

pub(crate) fn standing_json(one: &Standing) -> serde_json::Value {
    json!({
        "role": one.role.name(),
        "version": one.version.get(),
        "voucher": one.voucher,
        "threshold": one.threshold,
        "signed": one.signed,
        "missing": one.missing,
        "met": one.is_met(),
    })
}
