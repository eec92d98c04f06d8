//! A timestamp names the length and the SHA-256 of its snapshot, not only the version.

use super::{Case, Rule, Subject, one_hash, snapshot_hashes};

pub(super) const RULE: Rule = Rule {
    name: "timestamp-lists-snapshot",
    clause: "TUF 4.6, PEP 458 \"Producing Consistent Snapshots\"",
    check,
};

fn check(case: &Case<'_>) -> Vec<String> {
    let Subject::Timestamp { new, previous } = case.subject else {
        return Vec::new();
    };
    let listed = &new.snapshot;
    let mut broken = Vec::new();
    if !snapshot_hashes::is_bound(listed.into()) {
        broken.push("the snapshot is listed without length or SHA-256".to_owned());
    }
    if listed
        .hashes
        .as_ref()
        .is_some_and(|hashes| !one_hash::is_sha256_alone(hashes))
    {
        broken.push("the snapshot is listed with other hashes than SHA-256".to_owned());
    }
    // TUF 5.4.3.2: clients refuse a timestamp that names an older snapshot.
    if let Some(old) = previous.filter(|old| listed.version < old.snapshot.version) {
        broken.push(format!(
            "the snapshot goes back from v{} to v{}",
            old.snapshot.version, listed.version
        ));
    }
    broken
}

#[cfg(test)]
mod tests {
    use metadata::{MetaFile, Role, Timestamp, Version};

    use super::*;
    use crate::lints::samples::{found, timestamp};

    fn of(new: &Timestamp, previous: Option<&Timestamp>) -> Vec<String> {
        found(&RULE, &Role::Timestamp, new, previous)
    }

    #[test]
    fn accepts_length_and_sha256() {
        let one = timestamp(MetaFile::describing(Version::FIRST, b"x"));
        assert_eq!(of(&one, None), [""; 0]);
        assert_eq!(of(&one, Some(&one)), [""; 0]);
    }

    #[test]
    fn refuses_a_version_alone_and_an_older_snapshot() {
        let bare = timestamp(MetaFile::version_only(Version::FIRST));
        assert_eq!(of(&bare, None).len(), 1);
        let one = timestamp(MetaFile::describing(Version::FIRST, b"x"));
        let newer = timestamp(MetaFile::describing(Version::new(2).unwrap(), b"x"));
        assert_eq!(of(&one, Some(&newer)).len(), 1);
    }
}
