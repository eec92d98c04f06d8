//! `review`: what an event will sign, in words.

mod claims;

use std::fmt::Write;
use std::path::{Path, PathBuf};

use chrono::Utc;
use countersign_ceremony::key_command::numbered_words;
use countersign_ceremony::{Event, NewKey, RoleReview, Turn};
use keys::fingerprint_words;
use serde_json::json;

use super::output::{Report, warn};
use super::{Done, Failure};

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

    /// Write out every project of a claim, however many there are
    #[arg(long, env = "COUNTERSIGN_ALL")]
    #[arg(value_parser = clap::builder::FalseyValueParser::new())]
    all: bool,
}

impl Args {
    pub(crate) fn run(self) -> Done {
        let event = Event::open(&self.event)?;
        let mut report = report_to(&event, self.holder.as_deref(), self.all)?;
        if let Some(holder) = &self.holder {
            event.record_review(holder, Utc::now())?;
            report.text.push_str(&next(&event, &self.event, holder)?);
            let holders = event.holder_names();
            if !holders.contains(holder.as_str()) {
                let holders: Vec<&str> = holders.into_iter().collect();
                warn(&format!(
                    "{holder} holds no key in this event and is recorded as a witness; keys are held \
                     by {}",
                    holders.join(", ")
                ));
            }
        }
        Ok(report)
    }
}

/// What a holder or witness does next.
fn next(event: &Event, folder: &Path, holder: &str) -> Result<String, Failure> {
    let mut text = format!("\nrecorded in this copy: {holder} has reviewed it\n");
    if event.turns(holder)?.is_empty() {
        text.push_str("next: give the folder back, for `merge`\n");
        return Ok(text);
    }
    text.push_str("next, if nobody has other words and all is as it was agreed:\n");
    // Writing to a String cannot fail.
    let _ = writeln!(
        text,
        "    countersign-ceremony sign {} --holder {} --key URI --reviewed {}",
        quoted(&folder.to_string_lossy()),
        quoted(holder),
        event.digest()
    );
    Ok(text)
}

/// A word that a shell takes as it stands: names come from a file, and lines are copied.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

/// The review of an open event.
pub(crate) fn report(event: &Event) -> Done {
    report_to(event, None, false)
}

/// The review of an open event, as one person reads it.
fn report_to(event: &Event, reader: Option<&str>, all: bool) -> Done {
    let review = event.review()?;
    let mut text = String::new();
    for role in &review.roles {
        describe(role, &mut text);
    }
    if let Some(review) = &review.claims {
        claims::describe(review, all, &mut text);
    }
    // Writing to a String cannot fail, here and below.
    for concern in &review.concerns {
        let _ = writeln!(text, "CAUTION: {concern}");
    }
    for holder in event.holder_names() {
        sign_line(event, holder, reader, &mut text)?;
    }
    for one in &review.new_keys {
        let (holder, roles, origin) = (&one.holder, roles(one).join(", "), &one.origin);
        let _ = writeln!(
            text,
            "\nnew key of {holder} for {roles}, {origin}; in words:"
        );
        if reader == Some(holder.as_str()) {
            text.push_str("YOUR key: compare these words with your paper; if one differs, stop\n");
        }
        text.push_str(&numbered_words(one.fingerprint.as_bytes()));
    }
    let (name, of_policy) = &review.policy;
    let _ = writeln!(text, "\npolicy {name}, sha256 {of_policy}");
    let _ = writeln!(text, "the event in words, to read to each other:");
    text.push_str(&numbered_words(review.digest.as_bytes()));
    let digest = review.digest.to_string();
    let grouped: Vec<&str> = (0..8).map(|at| &digest[at * 8..at * 8 + 8]).collect();
    let _ = writeln!(text, "digest of the event: {}", grouped.join(" "));
    let roles: Vec<_> = review.roles.iter().map(role_json).collect();
    let json = json!({
        "digest": digest,
        "words": fingerprint_words(review.digest.as_bytes()),
        "policy": { "name": name, "sha256": of_policy.to_string() },
        "new_keys": review.new_keys.iter().map(new_key_json).collect::<Vec<_>>(),
        "roles": roles,
        "claims": review.claims.as_ref().map(claims::to_json),
        "concerns": review.concerns,
        "signatures": review.signatures,
    });
    Ok(Report::new(text, json))
}

/// Who may sign what.
fn sign_line(
    event: &Event,
    holder: &str,
    reader: Option<&str>,
    out: &mut String,
) -> Result<(), Failure> {
    let turns = event.turns(holder)?;
    if turns.is_empty() {
        return Ok(());
    }
    let mut documents: Vec<String> = turns.iter().map(document).collect();
    documents.dedup();
    let documents = documents.join(", ");
    let _ = if reader == Some(holder) {
        writeln!(out, "YOU ({holder}) sign {documents}")
    } else {
        writeln!(out, "{holder} may sign {documents}")
    };
    Ok(())
}

/// `root v1`.
pub(crate) fn document(turn: &Turn) -> String {
    format!("{} v{}", turn.role, turn.version)
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

fn roles(one: &NewKey) -> Vec<&'static str> {
    one.roles.iter().map(|role| role.as_str()).collect()
}

fn new_key_json(one: &NewKey) -> serde_json::Value {
    json!({
        "holder": one.holder,
        "roles": roles(one),
        "fingerprint": one.fingerprint.to_string(),
        "words": fingerprint_words(one.fingerprint.as_bytes()),
        "origin": one.origin.to_string(),
    })
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

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn a_name_cannot_change_the_command() {
        assert_eq!(quoted("Bo"), "Bo");
        assert_eq!(quoted("Zoë O'Neil; rm x"), r"'Zoë O'\''Neil; rm x'");
        assert_eq!(quoted(""), "''");
    }
}
