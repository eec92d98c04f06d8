//! What the roles list, against the files that were sent and those on the index (check C-27).

use std::collections::BTreeMap;
use std::io::{Read, Seek};

use index::{
    DistributionFilename, DistributionKind, IndexPath, ProjectName, file_path, metadata_path,
};
use metadata::{DelegatedRoles, PathSet, RoleName, Sha256, TargetFile, TargetPath, Targets};

use super::roles::After;
use super::{NewFile, Published};
use crate::{FilePattern, Reason, Transaction};

/// Who lists a path, and as what.
pub(super) type Listed = BTreeMap<TargetPath, (RoleName, TargetFile)>;

/// Everything that the project's roles list; each only what was delegated to it, none what another
/// lists.
pub(super) fn listed(project: &ProjectName, after: &After) -> Result<Listed, Reason> {
    let delegations = after.delegations()?.map(|delegations| &delegations.roles);
    let all = PathSet::Patterns(vec![FilePattern::All.of(project)]);
    let mut listed = Listed::new();
    for (role, document) in after.in_order() {
        let paths = match delegations {
            Some(DelegatedRoles::Listed(roles)) => roles.iter().find(|sub| sub.name == *role),
            _ => None,
        };
        let paths = paths.map_or(&all, |sub| &sub.paths);
        add(project, role, document, paths, &mut listed)?;
    }
    let wheels = listed
        .keys()
        .filter_map(|path| match IndexPath::parse(path) {
            Ok(IndexPath::File(file)) if file.kind() == DistributionKind::Wheel => Some(file),
            _ => None,
        });
    for file in wheels {
        if !listed.contains_key(&metadata_path(&file)) {
            return Err(Reason::MetadataMissing { file });
        }
    }
    Ok(listed)
}

fn add(
    project: &ProjectName,
    role: &RoleName,
    document: &Targets,
    paths: &PathSet,
    listed: &mut Listed,
) -> Result<(), Reason> {
    for (path, file) in document.targets() {
        let role_and_path = || (role.clone(), path.clone());
        match IndexPath::parse(path) {
            Ok(IndexPath::File(file) | IndexPath::Metadata(file)) if file.project() == project => {}
            _ => {
                let (role, path) = role_and_path();
                return Err(Reason::Path { role, path });
            }
        }
        if !paths.covers(path, &path.hash()) {
            let (role, path) = role_and_path();
            return Err(Reason::PathNotDelegated { role, path });
        }
        if file.hashes.get_sha256().is_none() {
            let (role, path) = role_and_path();
            return Err(Reason::NoSha256 { role, path });
        }
        let (second, path) = role_and_path();
        if let Some((first, _)) = listed.insert(path.clone(), (second.clone(), file.clone())) {
            return Err(Reason::FileInTwoRoles {
                path,
                first,
                second,
            });
        }
    }
    Ok(())
}

/// Looks into every distribution sent, and holds every entry of the roles against what was sent or
/// is on the index. Gives the distributions that are new.
pub(super) fn check<R: Read + Seek>(
    published: &Published,
    transaction: &mut Transaction<R>,
    listed: &Listed,
) -> Result<Vec<NewFile>, Reason> {
    let sent: Vec<DistributionFilename> = transaction.files().cloned().collect();
    let mut there = published.files.clone();
    let mut new_files = Vec::new();
    for filename in sent {
        let path = file_path(&filename);
        let Some((role, as_listed)) = listed.get(&path) else {
            let entry = format!("targets/{filename}");
            return Err(Reason::FileUnlisted { entry });
        };
        let (file, inspected) = transaction.inspect(&filename)?;
        if !is_same(as_listed, &file) {
            let role = role.clone();
            return Err(Reason::FileDiffers { role, path });
        }
        if let Some(core_metadata) = &inspected.core_metadata {
            let length = core_metadata.len() as u64;
            let inside = TargetFile::new(length, Sha256::of(core_metadata));
            let path = metadata_path(&filename);
            if listed
                .get(&path)
                .is_some_and(|(_, file)| !is_same(file, &inside))
            {
                return Err(Reason::MetadataDiffers { file: filename });
            }
            there.insert(path, inside);
        }
        if there.insert(path, file.clone()).is_none() {
            new_files.push(NewFile {
                filename,
                file,
                inspected,
            });
        }
    }
    for filename in transaction.core_metadata_files() {
        let path = metadata_path(&filename);
        let Some(inside) = there.get(&path).filter(|_| listed.contains_key(&path)) else {
            let entry = format!("targets/{filename}.metadata");
            return Err(Reason::FileUnlisted { entry });
        };
        if transaction.sent_metadata(&filename)? != inside.hashes.get_sha256() {
            return Err(Reason::MetadataDiffers { file: filename });
        }
    }
    everything_is_there(listed, &there)?;
    Ok(new_files)
}

fn everything_is_there(
    listed: &Listed,
    there: &BTreeMap<TargetPath, TargetFile>,
) -> Result<(), Reason> {
    for (path, (role, file)) in listed {
        let (role, path) = (role.clone(), path.clone());
        match there.get(&path) {
            None => return Err(Reason::FileMissing { role, path }),
            Some(found) if !is_same(file, found) => {
                return Err(Reason::FileDiffers { role, path });
            }
            Some(_) => {}
        }
    }
    Ok(())
}

/// The same length and SHA-256; both have one.
pub(super) fn is_same(one: &TargetFile, other: &TargetFile) -> bool {
    one.length == other.length
        && one.hashes.get_sha256().is_some()
        && one.hashes.get_sha256() == other.hashes.get_sha256()
}
