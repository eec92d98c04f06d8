//! `review`: what an event will sign, in words.

use std::fmt::Write;
use std::path::PathBuf;

use chrono::Utc;
use countersign_ceremony::{Event, NewKey, RoleReview};
use keys::fingerprint_words;
use metadata::Sha256;
use serde_json::json;

use super::Done;
use super::output::{Report, warn};

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
    for one in &review.new_keys {
        let (holder, roles, origin) = (&one.holder, roles(one).join(", "), &one.origin);
        let _ = writeln!(
            text,
            "\nnew key of {holder} for {roles}, {origin}; in words:"
        );
        numbered_words(&one.fingerprint, &mut text);
    }
    let (name, of_policy) = &review.policy;
    let _ = writeln!(text, "\npolicy {name}, sha256 {of_policy}");
    let _ = writeln!(text, "the event in words, to read to each other:");
    numbered_words(&review.digest, &mut text);
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

/// Four words a line, each with its number: two that change places are another digest.
pub(crate) fn numbered_words(digest: &Sha256, out: &mut String) {
    let words = fingerprint_words(digest.as_bytes());
    for (at, word) in words.split(' ').enumerate() {
        let number = at + 1;
        let end = if number % 4 == 0 { "\n" } else { "" };
        let _ = write!(out, "{:4} {}{end}", number, pad(word, end));
    }
}

/// A column of words; the last of a line ends it.
fn pad(word: &str, end: &str) -> String {
    if end.is_empty() {
        format!("{word:<9}")
    } else {
        word.to_owned()
    }
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
