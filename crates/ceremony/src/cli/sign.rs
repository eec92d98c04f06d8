//! `sign`: gives the signatures of one or more keys.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::PathBuf;

use chrono::Utc;
use countersign_ceremony::key_command::{NamesKeys, PassphraseArgs, ReachArgs, one_each};
use countersign_ceremony::{Event, Given};
use keys::KeyUri;
use serde_json::json;

use super::output::Report;
use super::review::document;
use super::{Done, Failure, edge};

/// Fewest digits of the digest that say which event was reviewed.
const FEWEST_DIGITS: usize = 8;

/// Give the signatures of one or more keys
///
/// Every rule is checked again before anything is signed. Each signature is a file of its own, so
/// that holders can sign copies of the event in any order and bring the files together later.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The event's folder
    event: PathBuf,

    /// The key, such as `file:root.pem` or `pkcs11:token=ada;object=root`; once per key
    #[arg(long, value_name = "URI", required = true, env = "COUNTERSIGN_KEY")]
    #[arg(value_parser = NamesKeys::<KeyUri>::parser())]
    key: Vec<KeyUri>,

    /// Your name; keys of somebody else are refused
    #[arg(long, value_name = "NAME", env = "COUNTERSIGN_HOLDER")]
    holder: Option<String>,

    /// The digest that `review` showed, or at least its first eight digits
    #[arg(long, value_name = "DIGEST", env = "COUNTERSIGN_REVIEWED")]
    reviewed: Option<String>,

    #[command(flatten)]
    passphrases: PassphraseArgs,

    #[command(flatten)]
    reach: ReachArgs,
}

impl Args {
    pub(crate) fn run(self) -> Done {
        let event = Event::open(&self.event)?;
        check_reviewed(&event, self.reviewed.as_deref())?;
        if let Some(holder) = &self.holder {
            event.check_is_holder(holder)?;
        }
        let sources = self.passphrases.sources();
        let keys = self.key.len();
        let each = one_each(&sources, keys).ok_or(Failure::Passphrases {
            keys,
            sources: sources.len(),
        })?;
        let (reach, mut given) = (self.reach.reach(), Vec::new());
        let mut people = BTreeSet::new();
        people.extend(self.holder.clone());
        for (uri, source) in self.key.iter().zip(&each) {
            check_place(&event, uri)?;
            let opened = reach.open(uri, source, &edge())?;
            if let Some(holder) = &self.holder {
                event.check_holder_of(opened.signer.as_ref(), holder)?;
            }
            given.extend(event.sign(opened.signer.as_ref(), Utc::now())?);
            if self.holder.is_none() {
                people.extend(event.holders_of(opened.signer.key_id()));
            }
        }
        let mut report = report(&given);
        for holder in &people {
            report.text.push_str(&next(&event, holder)?);
        }
        Ok(report)
    }
}

/// What is left for a holder to do.
fn next(event: &Event, holder: &str) -> Result<String, Failure> {
    let turns = event.turns(holder)?;
    let open: Vec<String> = turns
        .iter()
        .filter(|turn| !turn.signed)
        .map(|turn| format!("{} by key {}", document(turn), turn.keyid.short()))
        .collect();
    Ok(if open.is_empty() {
        format!("{holder} has signed everything; next: give the folder back, for `merge`\n")
    } else {
        format!("{holder} has not signed yet: {}\n", open.join(", "))
    })
}

/// Nobody signs what they have not looked at: the digest stands at the end of the review, and is
/// said nowhere here, so that it can only come from there.
fn check_reviewed(event: &Event, reviewed: Option<&str>) -> Result<(), Failure> {
    let text = reviewed.ok_or(Failure::NotReviewed)?;
    let plain: String = text.chars().filter(|c| !c.is_whitespace()).collect();
    let plain = plain.to_ascii_lowercase();
    if plain.len() < FEWEST_DIGITS {
        let (found, needed) = (plain.len(), FEWEST_DIGITS);
        return Err(Failure::FewDigits { found, needed });
    }
    if event.digest().to_string().starts_with(&plain) {
        return Ok(());
    }
    Err(Failure::OtherReview)
}

/// Whether keys of offline roles may be files is the policy's to say (policy 8.2).
fn check_place(event: &Event, uri: &KeyUri) -> Result<(), Failure> {
    if matches!(uri, KeyUri::File(_)) && !event.policy().keys.offline_keys_in_files {
        return Err(Failure::KeyInFile {
            key: Box::new(uri.clone()),
        });
    }
    Ok(())
}

pub(crate) fn report(given: &[Given]) -> Report {
    let mut text = String::new();
    for one in given {
        let how = if one.was_there {
            "was signed before"
        } else {
            "signed"
        };
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "{} v{} {how}: sha256 {}",
            one.role, one.version, one.sha256
        );
    }
    let list: Vec<_> = given
        .iter()
        .map(|one| {
            json!({
                "role": one.role.name(),
                "version": one.version.get(),
                "sha256": one.sha256.to_string(),
                "was_there": one.was_there,
            })
        })
        .collect();
    Report::new(text, json!({ "signed": list }))
}
