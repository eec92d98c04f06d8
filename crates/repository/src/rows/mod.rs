//! Records as they stand in the rows of a database: JSON in text columns, digests and times in their plain
//! forms, so that a person with the database's shell can read them. Shared by every [`crate::State`] in
//! SQL, so that rows can be carried from one to another as they are.

mod body;
mod claims;
mod marks;
mod objects;
mod submissions;

use chrono::{DateTime, TimeZone, Utc};
use draft::BinLayout;
use index::ProjectName;
use metadata::{Role, Version};
use serde::{Deserialize, Serialize};

use crate::change::{Change, Outcome};
use crate::claim_record::ClaimRecord;
use crate::developers::own_role;
use crate::error::RepositoryError;
use crate::record::{FileRecord, Listing, Publication, RoleRecord, Settings, Staged};
use crate::status::is_bin;
use body::{ChangeBody, FileBody, OutcomeBody, RoleBody, StagedBody};
use claims::ClaimBody;

pub use marks::{
    ARRIVED, ARRIVING, Found, MOVED, Mark, STORES_LEFT, are_leavings, check_marks, found,
    read_stores_left, stores_left,
};
pub use objects::{file_objects, named, object, read_object, role_object};
pub use submissions::{entries, read_submission};

/// A record that cannot be read.
pub fn damaged(what: impl Into<String>) -> RepositoryError {
    RepositoryError::Damaged { what: what.into() }
}

/// A time from a column: seconds since 1970.
pub fn to_time(seconds: i64, what: &str) -> Result<DateTime<Utc>, RepositoryError> {
    Utc.timestamp_opt(seconds, 0)
        .single()
        .ok_or_else(|| damaged(what))
}

/// A length, version or number as a column holds it; all are far below 2^63.
#[must_use]
pub fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// A length or number from a column.
pub fn unsigned(number: i64, what: &str) -> Result<u64, RepositoryError> {
    u64::try_from(number).map_err(|_| damaged(what))
}

/// A version from a column.
pub fn version(number: i64, what: &str) -> Result<Version, RepositoryError> {
    body::read_version(unsigned(number, what)?)
}

/// A role from a column.
pub fn role(name: &str) -> Result<Role, RepositoryError> {
    Role::parse(name).map_err(|_| damaged(format!("role {name}")))
}

/// A project from a column.
pub fn project(name: &str) -> Result<ProjectName, RepositoryError> {
    ProjectName::parse_normalized(name).map_err(|_| damaged("a project"))
}

/// A file of the index.
pub fn file(file: &FileRecord) -> Result<String, RepositoryError> {
    encode(&FileBody::of(file))
}

/// Reads [`file`] back.
pub fn read_file(text: &str) -> Result<FileRecord, RepositoryError> {
    decode::<FileBody>(text, "a file")?.read()
}

/// A queued change.
pub fn change(change: &Change) -> Result<String, RepositoryError> {
    encode(&ChangeBody::of(change))
}

/// Reads [`change`] back.
pub fn read_change(text: &str) -> Result<Change, RepositoryError> {
    decode::<ChangeBody>(text, "a change")?.read()
}

/// What became of a change.
pub fn outcome(outcome: &Outcome) -> Result<String, RepositoryError> {
    encode(&OutcomeBody::of(outcome))
}

/// Reads [`outcome`] back.
pub fn read_outcome(text: &str) -> Result<Outcome, RepositoryError> {
    decode::<OutcomeBody>(text, "an outcome")?.read()
}

/// The claim of a project.
pub fn claim(claim: &ClaimRecord) -> Result<String, RepositoryError> {
    encode(&ClaimBody::of(claim))
}

/// Reads [`claim`] back.
pub fn read_claim(text: &str) -> Result<ClaimRecord, RepositoryError> {
    decode::<ClaimBody>(text, "a claim")?.read()
}

/// Everything of a cycle's work but its objects, base and time, which have columns of their own.
pub fn staged(staged: &Staged) -> Result<String, RepositoryError> {
    encode(&StagedBody::of(staged))
}

/// Reads [`staged`] back; the objects are still to be filled in.
pub fn read_staged(base: i64, signed: i64, text: &str) -> Result<Staged, RepositoryError> {
    let what = "journalled work";
    let mut staged = Staged {
        base: unsigned(base, what)?,
        signed: to_time(signed, what)?,
        ..Staged::default()
    };
    decode::<StagedBody>(text, what)?.read_into(&mut staged)?;
    Ok(staged)
}

/// How the snapshot lists a role.
pub fn listing(listing: Listing) -> Result<String, RepositoryError> {
    encode(&listing)
}

/// The columns of a published role: name, version, SHA-256, length, expiry, listing.
pub type RoleColumns = (String, i64, String, i64, i64, String);

/// Reads a published role.
pub fn read_role(columns: RoleColumns) -> Result<RoleRecord, RepositoryError> {
    let (role, version, sha256, length, expires, listing) = columns;
    RoleBody {
        role,
        version: unsigned(version, "a role")?,
        sha256,
        length: unsigned(length, "a role")?,
        expires,
        listing: decode(&listing, "a role")?,
    }
    .read()
}

/// The role of a project itself, and the first and the last name between which its sub-roles stand.
#[must_use]
pub fn project_role_names(project: &ProjectName) -> [String; 3] {
    let own = own_role(project);
    let own = own.name();
    // Sub-roles are called `project-NAME--SUB`; in normal form no name has two dashes in a row.
    [own.to_owned(), format!("{own}--"), format!("{own}-.")]
}

/// The record of a publication.
#[must_use]
pub fn publication(staged: &Staged) -> Publication {
    let version = |role: &Role| {
        let record = staged.roles.iter().find(|record| record.role == *role);
        record.map(|record| record.version)
    };
    let bins = staged.roles.iter().filter(|record| is_bin(&record.role));
    Publication {
        generation: staged.base + 1,
        signed: staged.signed,
        timestamp: version(&Role::Timestamp),
        snapshot: version(&Role::Snapshot),
        bins: bins.count() as u64,
        changes: staged.outcomes.len() as u64,
    }
}

/// Names and values of the settings.
#[must_use]
pub fn settings(settings: &Settings) -> Vec<(&'static str, String)> {
    let mut all: Vec<_> = settings.encode().into();
    all.extend(settings.recovered.map(recovered_setting));
    all
}

/// Names and values of the settings that a rebin changes.
#[must_use]
pub fn layout_settings(layout: BinLayout) -> [(&'static str, String); 2] {
    crate::record::layout_settings(layout)
}

/// Name and value of the setting that says when the state was recovered.
#[must_use]
pub fn recovered_setting(at: DateTime<Utc>) -> (&'static str, String) {
    (crate::record::RECOVERED, at.timestamp().to_string())
}

/// Reads the settings by their names.
pub fn read_settings(get: impl Fn(&str) -> Option<String>) -> Result<Settings, RepositoryError> {
    Settings::decode(get)
}

fn encode<T: Serialize>(body: &T) -> Result<String, RepositoryError> {
    serde_json::to_string(body).map_err(|_| damaged("a record about to be written"))
}

fn decode<'a, T: Deserialize<'a>>(text: &'a str, what: &str) -> Result<T, RepositoryError> {
    serde_json::from_str(text).map_err(|_| damaged(what))
}
