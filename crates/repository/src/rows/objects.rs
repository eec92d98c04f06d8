//! Objects of the store as they stand in rows: those that a cycle puts, and those that a publication names.

use std::borrow::Cow;

use index::{file_path, metadata_path};
use metadata::{Sha256, TargetPath};

use crate::error::RepositoryError;
use crate::record::{FileRecord, Object, Phase, RoleRecord, Source, Staged};
use crate::rows::damaged;
use crate::store::StorePath;

/// The columns of an object to put: phase, path, kind, bytes.
#[must_use]
pub fn object(object: &Object) -> (&'static str, &str, &'static str, Cow<'_, [u8]>) {
    let phase = match object.phase {
        Phase::Immutable => "immutable",
        Phase::Root => "root",
        Phase::Timestamp => "timestamp",
        Phase::Mirror => "mirror",
    };
    let (kind, bytes) = match &object.source {
        Source::Bytes(bytes) => ("bytes", Cow::Borrowed(bytes.as_slice())),
        Source::Incoming(sha256) => ("incoming", Cow::Owned(sha256.to_string().into_bytes())),
        Source::Link(path) => ("link", Cow::Borrowed(path.as_bytes())),
    };
    (phase, &object.path, kind, bytes)
}

/// Reads [`object`] back.
pub fn read_object(
    phase: &str,
    path: String,
    kind: &str,
    bytes: Vec<u8>,
) -> Result<Object, RepositoryError> {
    let unreadable = || damaged(format!("object {path}"));
    let phase = match phase {
        "immutable" => Phase::Immutable,
        "root" => Phase::Root,
        "timestamp" => Phase::Timestamp,
        "mirror" => Phase::Mirror,
        _ => return Err(unreadable()),
    };
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).map_err(|_| unreadable());
    let source = match kind {
        "bytes" => Source::Bytes(bytes),
        "incoming" => Source::Incoming(Sha256::parse(&text(bytes)?).map_err(|_| unreadable())?),
        "link" => Source::Link(text(bytes)?),
        _ => return Err(unreadable()),
    };
    Ok(Object {
        phase,
        path,
        source,
    })
}

/// The objects that `staged` names.
pub fn named(staged: &Staged) -> impl Iterator<Item = StorePath> {
    let roles = staged.roles.iter().filter_map(role_object);
    let targets = staged.targets.iter().filter_map(|target| {
        let (_, digest) = target.file.as_ref()?;
        StorePath::target(&target.path, digest)
    });
    let files = staged.files.iter().flat_map(file_objects);
    roles.chain(targets).chain(files)
}

/// Where a role's file lies.
#[must_use]
pub fn role_object(record: &RoleRecord) -> Option<StorePath> {
    StorePath::metadata(&record.role.versioned_file_name(record.version))
}

/// Where a file and its core metadata lie.
#[must_use]
pub fn file_objects(file: &FileRecord) -> Vec<StorePath> {
    let mut paths = Vec::new();
    let mut push = |path: &TargetPath, digest: &Sha256| {
        paths.extend(StorePath::target(path, digest));
        paths.push(StorePath::plain(path));
    };
    push(&file_path(&file.filename), &file.sha256);
    if let Some((digest, _)) = &file.core_metadata {
        push(&metadata_path(&file.filename), digest);
    }
    paths
}
