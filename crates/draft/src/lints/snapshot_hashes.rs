//! A snapshot lists targets roles only; length and SHA-256 of every one but the bins.

use metadata::MetaFileRef;

use super::{Case, Rule, Subject, listed, one_hash};

pub(super) const RULE: Rule = Rule {
    name: "snapshot-hashes",
    clause: "TUF 4.4, PEP 480 \"Snapshot Process\"",
    check,
};

/// With versions alone, a thief of a role's key and a man in the middle could swap the bytes of a
/// published version. Bins may be listed by version where they share the
/// key of the snapshot; the repository lists them in full where they do not.
fn check(case: &Case<'_>) -> Vec<String> {
    let Subject::Snapshot { new, .. } = case.subject else {
        return Vec::new();
    };
    let mut broken = Vec::new();
    if new.by_metapath("targets.json").is_none() {
        broken.push("targets.json is not listed".to_owned());
    }
    for (metapath, file) in new.entries() {
        let name = metapath.strip_suffix(".json").unwrap_or(metapath);
        if matches!(name, "root" | "timestamp" | "snapshot") {
            broken.push(format!("{metapath} is no targets role"));
        }
        if !listed::is_bin(name) && !is_bound(file) {
            broken.push(format!("{metapath} is listed without length or SHA-256"));
        }
        if file
            .hashes
            .is_some_and(|hashes| !one_hash::is_sha256_alone(hashes))
        {
            broken.push(format!(
                "{metapath} is listed with other hashes than SHA-256"
            ));
        }
    }
    broken
}

/// Whether the entry names exactly one byte string.
pub(super) fn is_bound(file: MetaFileRef<'_>) -> bool {
    let sha256 = file.hashes.and_then(metadata::Hashes::get_sha256);
    file.length.is_some() && sha256.is_some()
}

#[cfg(test)]
mod tests {
    use metadata::{MetaFile, Role, Snapshot, Version};

    use super::*;
    use crate::lints::samples::{of_snapshot, role, snapshot};

    #[test]
    fn accepts_bins_by_version_and_the_rest_by_hash() {
        assert_eq!(of_snapshot(&RULE, &snapshot(1, 16), None), [""; 0]);
    }

    #[test]
    fn refuses_other_roles_by_version_alone_and_roles_of_no_snapshot() {
        for name in ["targets", "bins", "claimed", "project-x", "timestamp"] {
            let mut one = snapshot(1, 16);
            let role = Role::parse(name).unwrap();
            one.set(&role, MetaFile::version_only(Version::FIRST));
            let expected = 1 + usize::from(name == "timestamp");
            assert_eq!(of_snapshot(&RULE, &one, None).len(), expected, "{name}");
        }
        let mut one = Snapshot::new(Version::FIRST, snapshot(1, 0).expires);
        one.set(&role("bins-0"), MetaFile::version_only(Version::FIRST));
        assert_eq!(
            of_snapshot(&RULE, &one, None),
            ["targets.json is not listed"]
        );
    }
}
