//! `review`: what an event will sign, in words.

use std::fmt::Write;
use std::path::PathBuf;

use chrono::Utc;
use countersign_ceremony::{Event, RoleReview};
use serde_json::json;

use super::Done;
use super::output::Report;

/// Say in words what an event will sign
///
/// Compare the digest with the other holders, by voice or on paper, before anybody signs.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The event's folder
    event: PathBuf,

    /// Your name: enters in the transcript that you have looked at it
    #[arg(long, value_name = "NAME", env = "COUNTERSIGN_HOLDER")]
    holder: Option<String>,
}

impl Args {
    pub(crate) fn run(self) -> Done {
        let event = Event::open(&self.event)?;
        let report = report(&event)?;
        if let Some(holder) = &self.holder {
            event.record_review(holder, Utc::now())?;
        }
        Ok(report)
    }
}

/// The review of an open event.
pub(crate) fn report(event: &Event) -> Done {
    let review = event.review()?;
    let mut text = String::new();
    for role in &review.roles {
        describe(role, &mut text);
    }
    // Writing to a String cannot fail, here and below.
    for concern in &review.concerns {
        let _ = writeln!(text, "CAUTION: {concern}");
    }
    for (holder, count) in &review.signatures {
        let _ = writeln!(text, "{holder} may sign {count} of these");
    }
    let digest = review.digest.to_string();
    let grouped: Vec<&str> = (0..8).map(|at| &digest[at * 8..at * 8 + 8]).collect();
    let _ = writeln!(text, "digest of the event: {}", grouped.join(" "));
    let roles: Vec<_> = review.roles.iter().map(role_json).collect();
    let json = json!({
        "digest": digest,
        "roles": roles,
        "concerns": review.concerns,
        "signatures": review.signatures,
    });
    Ok(Report::new(text, json))
}

fn describe(role: &RoleReview, out: &mut String) {
    let _ = writeln!(
        out,
        "{} v{}, expires {}",
        role.role, role.version, role.expires
    );
    for change in &role.changes {
        let _ = writeln!(out, "    {change}");
    }
    for concern in &role.concerns {
        let _ = writeln!(out, "    CAUTION: {concern}");
    }
    let _ = writeln!(out, "    sha256 {}\n", role.sha256);
}

fn role_json(role: &RoleReview) -> serde_json::Value {
    json!({
        "role": role.role.name(),
        "version": role.version.get(),
        "expires": role.expires.to_string(),
        "sha256": role.sha256.to_string(),
        "changes": role.changes,
        "concerns": role.concerns,
    })
}
