//! What was published stays as it was, or is given up by name (check C-28, PEP 694).

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Seek};

use index::{DistributionFilename, IndexPath};
use metadata::{Role, TargetFile, TargetPath, Targets};
use trust::Envelope;

use super::Published;
use super::files::{Listed, is_same};
use super::roles::After;
use crate::{Reason, Transaction, withdrawn};

/// Compares what is listed with what was; gives the files given up.
pub(super) fn check<R: Read + Seek>(
    published: &Published,
    transaction: &Transaction<R>,
    after: &After,
    listed: &Listed,
) -> Result<BTreeSet<DistributionFilename>, Reason> {
    let before = before(published, transaction)?;
    let mut dropped = BTreeSet::new();
    for (path, file) in &before {
        match listed.get(path) {
            Some((_, now)) if is_same(now, file) => {}
            Some(_) => return Err(Reason::FileChanged { path: path.clone() }),
            None => dropped.extend(filename(path)),
        }
    }
    let given_up = given_up(published, transaction, after)?;
    for (role, files) in &given_up {
        for file in files {
            let still = listed.contains_key(&index::file_path(file));
            let why = if still {
                format!("names {file}, which is still listed")
            } else if !dropped.contains(file) {
                format!("names {file}, which was not there")
            } else {
                continue;
            };
            let role = role.clone();
            return Err(Reason::Withdrawal { role, why });
        }
    }
    let given_up: BTreeSet<_> = given_up.into_values().flatten().collect();
    let files: Vec<_> = dropped.difference(&given_up).cloned().collect();
    if !files.is_empty() {
        return Err(Reason::FilesDropped { files });
    }
    let again = listed.keys().filter_map(filename);
    if let Some(file) = again
        .into_iter()
        .find(|file| published.withdrawn.contains(file))
    {
        return Err(Reason::FileReused { file });
    }
    Ok(given_up)
}

/// What clients could install until now: before the first transaction whatever the index has,
/// afterwards what the project's roles list.
fn before<R: Read + Seek>(
    published: &Published,
    transaction: &Transaction<R>,
) -> Result<BTreeMap<TargetPath, TargetFile>, Reason> {
    if published.roles.is_empty() {
        return Ok(published.files.clone());
    }
    let limits = transaction.limits();
    let mut before = BTreeMap::new();
    for (name, file) in &published.roles {
        let role = Role::Delegated(name.clone());
        let envelope: Envelope<Targets> =
            Envelope::parse(role, file, limits.role_bytes, &limits.rules())?;
        before.extend(envelope.peek_unverified().targets().iter().cloned());
    }
    Ok(before)
}

type GivenUp = BTreeMap<metadata::RoleName, BTreeSet<DistributionFilename>>;

/// What the new versions of roles name as given up.
fn given_up<R: Read + Seek>(
    published: &Published,
    transaction: &Transaction<R>,
    after: &After,
) -> Result<GivenUp, Reason> {
    let project = &published.registration.project;
    let names = transaction.roles().keys();
    names
        .map(|name| {
            Ok((
                name.clone(),
                withdrawn(project, name, after.document(name)?)?,
            ))
        })
        .collect()
}

fn filename(path: &TargetPath) -> Option<DistributionFilename> {
    match IndexPath::parse(path) {
        Ok(IndexPath::File(file) | IndexPath::Metadata(file)) => Some(file),
        _ => None,
    }
}
