//! Judges what a client keeps and returns, without the crate that decided it: signatures are counted here
//! again, with `ring` alone. A finding is a panic.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use chrono::{DateTime, Utc};
use metadata::{
    DelegatedRoles, Document, KeyId, PublicKey, Role, RoleKeys, Root, Sha256, Snapshot, TargetPath,
    Targets, Timestamp, Value, Wire,
};
use ring::signature::{ED25519, UnparsedPublicKey};

/// More signatures than the client lets any file have.
const MAX_SIGNATURES: usize = 64;

/// The files of a datastore.
#[derive(Default)]
pub(super) struct Kept(BTreeMap<String, Vec<u8>>);

impl Kept {
    /// Reads every file of a role.
    pub(super) fn read(folder: &Path) -> Self {
        let entries = std::fs::read_dir(folder).expect("the datastore");
        let names = entries.map(|entry| entry.expect("an entry").file_name());
        let names = names.filter_map(|name| name.into_string().ok());
        let roles = names.filter(|name| Path::new(name).extension().is_some_and(|it| it == "json"));
        let read = |name: String| {
            let bytes = std::fs::read(folder.join(&name)).expect("a file of a role");
            (name, bytes)
        };
        Self(roles.map(read).collect())
    }

    fn file(&self, role: &Role) -> Option<&[u8]> {
        self.0.get(&role.file_name()).map(Vec::as_slice)
    }

    fn document<R: Document>(&self, role: &Role) -> Option<R> {
        self.file(role).map(document)
    }

    fn root(&self) -> Root {
        self.document(&Role::Root).expect("a root is always kept")
    }

    /// Whether a role's file is another than `before`.
    fn is_new(&self, before: &Self, role: &Role) -> bool {
        self.file(role).is_some() && self.file(role) != before.file(role)
    }
}

fn document<R: Document>(file: &[u8]) -> R {
    let wire = Wire::parse(file, MAX_SIGNATURES).expect("what is kept is metadata");
    R::parse(wire.signed).expect("what is kept is a document of its role")
}

/// Judges what an update has made of a datastore: every file that is new was signed by those entitled to it, fits
/// what names it, had not expired, and no floor was lowered.
pub(super) fn judge_update(before: &Kept, after: &Kept, now: DateTime<Utc>, is_ok: bool) {
    judge_root(before, after);
    let root = after.root();
    let held = Floors::of(before, &root);
    if after.is_new(before, &Role::Timestamp) {
        let file = after.file(&Role::Timestamp).expect("it is new");
        assert!(is_signed(file, &root.keys, &root.timestamp), "timestamp");
        let timestamp: Timestamp = document(file);
        assert!(timestamp.expires.instant() > now, "an expired timestamp");
        if let Some(floor) = &held.timestamp {
            assert!(timestamp.version > floor.version, "timestamp's floor");
            assert!(
                timestamp.snapshot.version >= floor.snapshot.version,
                "snapshot's floor"
            );
        }
    }
    if after.is_new(before, &Role::Snapshot) {
        let file = after.file(&Role::Snapshot).expect("it is new");
        assert!(is_signed(file, &root.keys, &root.snapshot), "snapshot");
        let snapshot: Snapshot = document(file);
        assert!(snapshot.expires.instant() > now, "an expired snapshot");
        let timestamp: Timestamp = after.document(&Role::Timestamp).expect("stored before");
        let listed = &timestamp.snapshot;
        assert_eq!(snapshot.version, listed.version);
        assert!(
            fits(file, listed.length, listed.hashes.as_ref()),
            "snapshot's hash"
        );
        if let Some(floor) = &held.snapshot {
            judge_list(floor, &snapshot);
        }
    }
    if after.is_new(before, &Role::Targets) {
        let file = after.file(&Role::Targets).expect("it is new");
        assert!(is_signed(file, &root.keys, &root.targets), "targets");
        judge_listed(after, &Role::Targets, file, now);
    }
    if is_ok {
        let top = [
            root.expires,
            after
                .document::<Timestamp>(&Role::Timestamp)
                .expect("a timestamp")
                .expires,
            after
                .document::<Snapshot>(&Role::Snapshot)
                .expect("a snapshot")
                .expires,
            after
                .document::<Targets>(&Role::Targets)
                .expect("targets")
                .expires,
        ];
        assert!(top.iter().all(|expires| expires.instant() > now), "expired");
    }
    for name in before.0.keys() {
        let may_go = name == "timestamp.json" || name == "snapshot.json";
        assert!(may_go || after.0.contains_key(name), "{name} was lost");
    }
}

/// TUF 5.3: upwards, and each by word of the one before.
fn judge_root(before: &Kept, after: &Kept) {
    if !after.is_new(before, &Role::Root) {
        return;
    }
    let (old, new) = (before.root(), after.root());
    let file = after.file(&Role::Root).expect("it is new");
    assert!(new.version > old.version, "root went back");
    assert!(
        is_signed(file, &new.keys, &new.root),
        "root by its own keys"
    );
    if new.version.get() == old.version.get() + 1 {
        assert!(
            is_signed(file, &old.keys, &old.root),
            "root by the keys before"
        );
    }
}

/// What was held that still counts under a root: a signature that no longer holds voids both (TUF 5.3.11).
struct Floors {
    timestamp: Option<Timestamp>,
    snapshot: Option<Snapshot>,
}

impl Floors {
    fn of(before: &Kept, root: &Root) -> Self {
        let (timestamp, snapshot) = (before.file(&Role::Timestamp), before.file(&Role::Snapshot));
        let holds = timestamp.is_none_or(|file| is_signed(file, &root.keys, &root.timestamp))
            && snapshot.is_none_or(|file| is_signed(file, &root.keys, &root.snapshot));
        Self {
            timestamp: timestamp.filter(|_| holds).map(document),
            snapshot: snapshot.filter(|_| holds).map(document),
        }
    }
}

/// TUF 5.5.5.
fn judge_list(floor: &Snapshot, snapshot: &Snapshot) {
    let listed: BTreeMap<_, _> = snapshot.entries().collect();
    for (metapath, trusted) in floor.entries() {
        let found = listed.get(metapath).expect("a role was dropped");
        assert!(found.version >= trusted.version, "{metapath} went back");
    }
}

/// A targets role is the one that the snapshot kept beside it lists, and had not expired.
fn judge_listed(kept: &Kept, role: &Role, file: &[u8], now: DateTime<Utc>) {
    let snapshot: Snapshot = kept.document(&Role::Snapshot).expect("stored before");
    let listed = snapshot.get(role).expect("a role that no snapshot lists");
    let targets: Targets = document(file);
    assert_eq!(targets.version, listed.version, "{role}");
    assert!(targets.expires.instant() > now, "{role} had expired");
    assert!(fits(file, listed.length, listed.hashes), "{role}'s hash");
}

/// Judges what a search has added: roles that another kept role delegates to, signed by the keys it names.
pub(super) fn judge_search(before: &Kept, after: &Kept, now: DateTime<Utc>) {
    for (name, file) in &after.0 {
        if before.0.get(name) == Some(file) {
            continue;
        }
        let name = name.strip_suffix(".json").expect("all are JSON");
        let name = percent_encoding::percent_decode_str(name).decode_utf8_lossy();
        let role = Role::parse(&name).expect("a role's name");
        assert!(
            matches!(role, Role::Delegated(_)),
            "a search changed {role}"
        );
        judge_listed(after, &role, file, now);
        let vouched = after.0.iter().any(|(by, delegator)| {
            let is_top = ["root.json", "timestamp.json", "snapshot.json"].contains(&by.as_str());
            !is_top && delegates(&document(delegator), &role, file)
        });
        assert!(vouched, "{role} is signed by nobody it is delegated to");
    }
}

fn delegates(delegator: &Targets, role: &Role, file: &[u8]) -> bool {
    let Some(delegations) = &delegator.delegations else {
        return false;
    };
    let by = |keys: &RoleKeys| is_signed(file, &delegations.keys, keys);
    match &delegations.roles {
        DelegatedRoles::Listed(roles) => roles
            .iter()
            .any(|listed| listed.name.as_str() == role.name() && by(&listed.keys)),
        DelegatedRoles::Succinct(bins) => {
            role.name().starts_with(&bins.name_prefix) && by(&bins.keys)
        }
    }
}

/// Judges a file that was returned: the role that answers lists these very bytes.
pub(super) fn judge_file(kept: &Kept, role: &Role, path: &TargetPath, bytes: &[u8]) {
    let targets: Targets = kept.document(role).expect("the role that answers is kept");
    let mut listed = targets.targets().iter().filter(|(other, _)| other == path);
    let (_, listed) = listed.next().expect("a file that its role does not list");
    assert!(
        fits(bytes, Some(listed.length), Some(&listed.hashes)),
        "{path}"
    );
}

fn fits(bytes: &[u8], length: Option<u64>, hashes: Option<&metadata::Hashes>) -> bool {
    let is_length = length.is_none_or(|length| bytes.len() as u64 == length);
    let listed = hashes.and_then(metadata::Hashes::get_sha256);
    is_length && listed.is_none_or(|sha256| sha256 == Sha256::of(bytes))
}

/// Whether a threshold of distinct keys has signed, as a clean-room reading of TUF 4.2.1 counts them.
fn is_signed(file: &[u8], keys: &BTreeMap<KeyId, PublicKey>, role: &RoleKeys) -> bool {
    let Ok(wire) = Wire::parse(file, MAX_SIGNATURES) else {
        return false;
    };
    let Ok(signed) = Value::parse(wire.signed) else {
        return false;
    };
    let message = signed.to_canonical();
    let signers: BTreeSet<Vec<u8>> = wire
        .signatures
        .iter()
        .filter(|signature| role.keyids.contains(&signature.keyid))
        .filter_map(|signature| {
            let public = hex::decode(keys.get(&signature.keyid)?.public()).ok()?;
            let key = UnparsedPublicKey::new(&ED25519, &public);
            key.verify(&message, &signature.bytes).ok()?;
            Some(public)
        })
        .collect();
    role.threshold >= 1 && signers.len() >= role.threshold as usize
}

#[cfg(test)]
mod tests {
    use chrono::Duration;

    use super::*;
    use crate::{Key, Simulator, files, role};

    const TOP: [&str; 4] = ["root", "timestamp", "snapshot", "targets"];

    /// A datastore with the current files of these roles.
    fn kept(repository: &Simulator, roles: &[&str]) -> Kept {
        let file = |name: &&str| (role(name).file_name(), repository.file(name).to_vec());
        Kept(roles.iter().map(file).collect())
    }

    #[track_caller]
    fn is_finding(judge: impl FnOnce()) {
        let judged = std::panic::catch_unwind(std::panic::AssertUnwindSafe(judge));
        assert!(judged.is_err(), "the oracle saw nothing");
    }

    #[test]
    fn an_honest_update_is_no_finding_and_each_forgery_is_one() {
        let mut repository = Simulator::standard();
        let (now, first) = (repository.now, kept(&repository, &["root"]));
        let before = kept(&repository, &TOP);
        judge_update(&first, &before, now, true);
        for name in &TOP[1..] {
            let mut repository = Simulator::standard();
            repository.tamper(name).signed_by([&Key::ed25519("thief")]);
            repository.publish();
            is_finding(|| judge_update(&before, &kept(&repository, &TOP), now, true));
        }
        repository.touch("root");
        repository.publish();
        let after = kept(&repository, &TOP);
        judge_update(&before, &after, now, true);
        is_finding(|| judge_update(&after, &before, now, true));
        let late = now + Duration::days(2);
        is_finding(|| judge_update(&first, &before, late, true));
        is_finding(|| judge_update(&before, &before, late, true));
        is_finding(|| judge_update(&before, &first, now, false));
    }

    #[test]
    fn a_lowered_floor_is_a_finding() {
        let mut repository = Simulator::standard();
        let now = repository.now;
        repository.publish();
        let before = kept(&repository, &TOP);
        repository.rewind("timestamp", 1);
        repository.rewind("snapshot", 1);
        is_finding(|| judge_update(&before, &kept(&repository, &TOP), now, false));
        repository.publish_timestamp();
        is_finding(|| judge_update(&before, &kept(&repository, &TOP), now, false));
        let mut repository = Simulator::standard();
        let before = kept(&repository, &TOP);
        repository.unlist("claimed");
        repository.publish();
        is_finding(|| judge_update(&before, &kept(&repository, &TOP), now, false));
    }

    #[test]
    fn roles_and_files_of_nobody_are_findings() {
        let mut repository = Simulator::standard();
        let now = repository.now;
        let before = kept(&repository, &TOP);
        let all = [&TOP[..], &["claimed", "project-alpha"]].concat();
        let after = kept(&repository, &all);
        judge_search(&before, &after, now);
        let path = TargetPath::parse(files::CLAIMED).unwrap();
        let project = role("project-alpha");
        judge_file(&after, &project, &path, &files::content(files::CLAIMED));
        is_finding(|| judge_file(&after, &project, &path, b"other bytes"));
        is_finding(|| judge_file(&after, &role("claimed"), &path, b"other bytes"));
        // Of the version and the bytes that the snapshot lists, but by a stranger.
        repository
            .tamper("project-alpha")
            .signed_by([&Key::ed25519("thief")]);
        repository.publish();
        let (before, after) = (kept(&repository, &TOP), kept(&repository, &all));
        is_finding(|| judge_search(&before, &after, now));
    }
}
