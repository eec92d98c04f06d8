//! One entry of a transcript: a file of its own, in the form all metadata has.

use std::path::Path;

use metadata::canonical::to_json;
use metadata::{Expiry, Sha256, Signature, Value, Wire};
use serde::{Deserialize, Serialize};

use crate::description::check_holder;
use crate::event::ADMINISTRATOR;
use crate::{CeremonyError, EventFlaw};

/// Marks what was signed as an entry, so that no signature can be carried over to metadata.
const TYPE: &str = "ceremony-entry";

/// Most signatures of an entry: one key takes one step.
const MAX_SIGNATURES: usize = 8;

/// What was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Step {
    /// The event was written.
    Planned,
    /// The proofs of the keys were put beside it.
    Joined,
    /// A holder looked at it.
    Reviewed,
    /// A key signed.
    Signed,
    /// A signature made by another program was taken in.
    Imported,
    /// Another copy of the event was put together with this one.
    Merged,
    /// The files for the index were made.
    Combined,
    /// A key of one ceremony was destroyed.
    Destroyed,
}

/// A file of the event and its digest.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileDigest {
    /// Its name within the event.
    pub name: String,
    /// SHA-256 of its bytes, hex.
    pub sha256: String,
}

/// One entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    #[serde(rename = "_type")]
    pub(super) kind: String,
    /// SHA-256 of `ceremony.toml`.
    pub(super) event: String,
    /// Who did it.
    pub holder: String,
    /// The holder's steps, counted from 1.
    pub sequence: u32,
    /// What was done.
    pub step: Step,
    /// When, by the clock of that machine: `YYYY-MM-DDTHH:MM:SSZ`.
    pub time: String,
    /// The name of the machine; empty if it has none.
    pub machine: String,
    /// Name and version of the program.
    pub program: String,
    /// SHA-256 of the program's file; empty if it could not be read.
    pub binary: String,
    /// SHA-256 of the entries that nothing followed yet, as far as this copy had them.
    pub heads: Vec<String>,
    /// Files the step used.
    pub inputs: Vec<FileDigest>,
    /// Files the step made.
    pub outputs: Vec<FileDigest>,
    /// A remark; often empty.
    pub note: String,
    /// The name of its file.
    #[serde(skip)]
    pub(super) file: String,
}

/// What an entry is made of, apart from its place in the graph.
pub(crate) struct Done {
    pub(crate) step: Step,
    pub(crate) inputs: Vec<FileDigest>,
    pub(crate) outputs: Vec<FileDigest>,
    pub(crate) note: String,
}

impl Entry {
    pub(super) fn new(event: Sha256, holder: &str, time: Expiry, done: Done) -> Self {
        Self {
            kind: TYPE.to_owned(),
            event: event.to_string(),
            holder: holder.to_owned(),
            sequence: 1,
            step: done.step,
            time: time.to_string(),
            machine: super::program::machine(),
            program: concat!("countersign-ceremony ", env!("CARGO_PKG_VERSION")).to_owned(),
            binary: super::program::digest().map_or_else(String::new, |one| one.to_string()),
            heads: Vec::new(),
            inputs: done.inputs,
            outputs: done.outputs,
            note: done.note,
            file: String::new(),
        }
    }

    /// The bytes that are signed.
    pub(super) fn canonical(&self) -> Result<Vec<u8>, EventFlaw> {
        let json = serde_json::to_vec(self).map_err(|error| EventFlaw::Json(error.to_string()))?;
        Ok(Value::parse(&json)?.to_canonical())
    }

    /// `HOLDER.SEQUENCE.json`, with nothing of the name that a path could trip over. Names that
    /// differ may have the same.
    pub(super) fn plain_file_name(&self) -> String {
        format!("{}.{:04}.json", self.plain_holder(), self.sequence)
    }

    /// The same with part of a digest of the name, which no other holder has.
    pub(super) fn own_file_name(&self) -> String {
        let digest = Sha256::of(self.holder.as_bytes()).to_string();
        let (holder, digits) = (self.plain_holder(), &digest[..8]);
        format!("{holder}-{digits}.{:04}.json", self.sequence)
    }

    fn plain_holder(&self) -> String {
        let safe = |c: char| match c {
            c if c.is_ascii_alphanumeric() => c.to_ascii_lowercase(),
            _ => '-',
        };
        self.holder.chars().map(safe).collect()
    }

    /// Whether the plain name of the file can only be this holder's: `Ada`, but neither `ada` nor
    /// `A-da`.
    pub(super) fn is_plainly_named(&self) -> bool {
        if self.holder.eq_ignore_ascii_case(ADMINISTRATOR) {
            return self.holder == ADMINISTRATOR;
        }
        let lower = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
        let rest = self.holder.strip_prefix(|c: char| c.is_ascii_uppercase());
        rest.is_some_and(|rest| rest.bytes().all(lower))
    }

    pub(super) fn parse(
        path: &Path,
        bytes: &[u8],
    ) -> Result<(Self, Vec<u8>, Vec<Signature>), CeremonyError> {
        Self::read(bytes)
            .map_err(|flaw| flaw.at(path))
            .and_then(|read| {
                check_holder(&read.0.holder)?;
                Ok(read)
            })
    }

    fn read(bytes: &[u8]) -> Result<(Self, Vec<u8>, Vec<Signature>), EventFlaw> {
        let wire = Wire::parse(bytes, MAX_SIGNATURES)?;
        let canonical = wire.canonical.into_owned();
        if Wire::write(&canonical, &wire.signatures) != bytes {
            return Err(EventFlaw::NotCanonical);
        }
        let entry: Self = serde_json::from_slice(&to_json(&canonical))
            .map_err(|error| EventFlaw::Json(error.to_string()))?;
        let time = Expiry::parse(&entry.time).is_ok_and(|time| time.is_exact_form());
        if entry.kind != TYPE || !time {
            let (what, found) = ("entry", format!("{} of {}", entry.kind, entry.time));
            return Err(EventFlaw::Value { what, found });
        }
        Ok((entry, canonical, wire.signatures))
    }
}

impl FileDigest {
    pub(crate) fn of(name: impl Into<String>, bytes: &[u8]) -> Self {
        Self {
            name: name.into(),
            sha256: Sha256::of(bytes).to_string(),
        }
    }
}
