//! The projects of an event in words: what becomes of each, by whose keys, on whose word.

use std::fmt::Write;

use countersign_ceremony::{ClaimsReview, ProjectReview};
use draft::{Evidence, ProjectChange, RegisteredKeys};
use keys::{fingerprint_words, key_fingerprint};
use serde_json::{Value, json};

/// Projects that are written out unless all are asked for: a screen or two each.
const SHOWN: usize = 20;

/// Writes the projects of an event, all or the first of them.
pub(super) fn describe(review: &ClaimsReview, all: bool, out: &mut String) {
    let shown = if all { usize::MAX } else { SHOWN };
    // Writing to a String cannot fail, here and below.
    let _ = writeln!(
        out,
        "{}: {} projects change, {} stay as they are; {} of {} bytes",
        review.shard,
        review.projects.len(),
        review.kept,
        review.bytes,
        review.limit
    );
    let _ = writeln!(
        out,
        "what clients read: a snapshot of at most {} of {} bytes, at most {} of {} roles a lookup",
        review.snapshot.used,
        review.snapshot.limit,
        review.roles_visited,
        review.roles_visited_limit
    );
    for one in review.projects.iter().take(shown) {
        project(one, &review.shard, out);
    }
    if let Some(more @ 1..) = review.projects.len().checked_sub(shown) {
        let _ = writeln!(
            out,
            "NOT SHOWN: {more} more projects; `review --all` writes out every one"
        );
    }
    let _ = writeln!(
        out,
        "claims as the index exported them, sha256 {}\nclaims.json of this event, sha256 {}\n",
        review.export, review.frozen
    );
}

fn project(one: &ProjectReview, shard: &str, out: &mut String) {
    let name = &one.project;
    let _ = writeln!(out, "project {name} {}", words(one.change, shard));
    let (since, age) = (one.since.format("%Y-%m-%d"), one.age_days);
    let _ = writeln!(
        out,
        "    as it is since {since}, {age} days before this plan"
    );
    if let Some(before) = &one.before {
        keys("keys that go or stay with others", before, out);
    }
    if let Some(after) = &one.keys {
        keys("keys from now on", after, out);
    }
}

fn words(change: ProjectChange, shard: &str) -> String {
    match change {
        ProjectChange::Claimed => {
            format!("moves to {shard}: only a ceremony changes its keys from then on")
        }
        ProjectChange::KeysReplaced { vouched: true } => {
            "gets other keys, and enough of those before vouch for them".to_owned()
        }
        ProjectChange::KeysReplaced { vouched: false } => {
            "gets other keys, and too few of those before vouch for them: lost, or another owner's"
                .to_owned()
        }
        ProjectChange::Released => "is given back to the index".to_owned(),
    }
}

fn keys(what: &str, registered: &RegisteredKeys, out: &mut String) {
    let _ = writeln!(
        out,
        "    {what}: {} of {} must sign; registered {}",
        registered.threshold,
        registered.keys.len(),
        registered.received.format("%Y-%m-%d %H:%M UTC")
    );
    for (id, key) in &registered.keys {
        let words = fingerprint_words(key_fingerprint(key).as_bytes());
        let _ = writeln!(out, "        {} {}: {words}", key.scheme(), id.short());
    }
    let _ = match registered.evidence {
        Some(evidence) => writeln!(
            out,
            "        on the word of request {} and grant {}",
            evidence.request, evidence.grant
        ),
        None => writeln!(
            out,
            "        found published by a recovery: no request, no grant"
        ),
    };
}

/// The same for programs, always every project.
pub(super) fn to_json(review: &ClaimsReview) -> Value {
    let projects = review.projects.iter().map(project_json);
    json!({
        "shard": review.shard,
        "export": review.export.to_string(),
        "frozen": review.frozen.to_string(),
        "kept": review.kept,
        "bytes": review.bytes,
        "limit": review.limit,
        "snapshot": { "used": review.snapshot.used, "limit": review.snapshot.limit },
        "roles_visited": { "used": review.roles_visited, "limit": review.roles_visited_limit },
        "projects": projects.collect::<Vec<_>>(),
    })
}

fn project_json(one: &ProjectReview) -> Value {
    let (change, vouched) = match one.change {
        ProjectChange::Claimed => ("claimed", None),
        ProjectChange::KeysReplaced { vouched } => ("keys-replaced", Some(vouched)),
        ProjectChange::Released => ("released", None),
    };
    json!({
        "project": one.project.as_str(),
        "change": change,
        "vouched": vouched,
        "since": one.since.to_rfc3339(),
        "age_days": one.age_days,
        "before": one.before.as_ref().map(keys_json),
        "keys": one.keys.as_ref().map(keys_json),
    })
}

fn keys_json(registered: &RegisteredKeys) -> Value {
    let key = |(id, key): (&metadata::KeyId, &metadata::PublicKey)| {
        json!({
            "keyid": id.as_str(),
            "scheme": key.scheme(),
            "words": fingerprint_words(key_fingerprint(key).as_bytes()),
        })
    };
    let evidence = |one: Evidence| {
        json!({
            "challenge": one.challenge.to_string(),
            "request": one.request.to_string(),
            "grant": one.grant.to_string(),
        })
    };
    json!({
        "threshold": registered.threshold,
        "received": registered.received.to_rfc3339(),
        "keys": registered.keys.iter().map(key).collect::<Vec<_>>(),
        "evidence": registered.evidence.map(evidence),
    })
}
