//! Two readings of one repository, as plain facts, held against each other.

use std::collections::{BTreeMap, BTreeSet};

use client::Session;

use crate::limits::FINDINGS;
use crate::opinion::{Difference, Listed};
use crate::reading::Reading;

/// What a reader says of each role.
pub(super) type Facts = BTreeMap<String, RoleFacts>;

/// What a reader says of a role.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct RoleFacts {
    pub(super) version: u64,
    pub(super) targets: BTreeMap<String, Listed>,
}

impl RoleFacts {
    /// A role that lists no targets.
    pub(super) fn version(version: u64) -> Self {
        Self {
            version,
            targets: BTreeMap::new(),
        }
    }
}

/// What we have read. A target without SHA-256 is listed without digest.
pub(super) fn facts_of(reading: &Reading, session: &Session) -> Facts {
    let snapped = session.snapped();
    let mut out = Facts::new();
    for (name, version) in [
        ("root", snapped.root().version),
        ("timestamp", snapped.timestamp().version),
        ("snapshot", snapped.snapshot().version),
    ] {
        out.insert(name.to_owned(), RoleFacts::version(version.get()));
    }
    let mut nodes: Vec<RoleFacts> = reading
        .nodes
        .iter()
        .map(|node| RoleFacts::version(node.version.get()))
        .collect();
    for entry in &reading.entries {
        let sha256 = entry.sha256.map(|digest| digest.to_string());
        let listed = Listed {
            length: entry.length,
            sha256: sha256.unwrap_or_default(),
        };
        let targets = &mut nodes[entry.node].targets;
        targets.insert(entry.path.as_str().to_owned(), listed);
    }
    let names = reading.nodes.iter().map(|node| node.role.name().to_owned());
    out.extend(names.zip(nodes));
    out
}

/// All differences, role by role and target by target, up to the limit of findings.
pub(super) fn compare(ours: &Facts, theirs: &Facts) -> Vec<Difference> {
    let mut out = Vec::new();
    for role in union(ours, theirs) {
        let (our, their) = (ours.get(role), theirs.get(role));
        let versions = (our.map(|it| it.version), their.map(|it| it.version));
        if versions.0 != versions.1 {
            out.push(Difference::Version {
                role: role.clone(),
                ours: versions.0,
                theirs: versions.1,
            });
        }
        if let (Some(our), Some(their)) = (our, their) {
            out.extend(compare_targets(role, our, their));
        }
        if out.len() >= FINDINGS {
            out.truncate(FINDINGS);
            break;
        }
    }
    out
}

fn compare_targets(role: &str, ours: &RoleFacts, theirs: &RoleFacts) -> Vec<Difference> {
    union(&ours.targets, &theirs.targets)
        .into_iter()
        .filter_map(|path| {
            let (our, their) = (ours.targets.get(path), theirs.targets.get(path));
            (our != their).then(|| Difference::Target {
                role: role.to_owned(),
                path: path.clone(),
                ours: our.cloned(),
                theirs: their.cloned(),
            })
        })
        .collect()
}

fn union<'a, V>(a: &'a BTreeMap<String, V>, b: &'a BTreeMap<String, V>) -> BTreeSet<&'a String> {
    a.keys().chain(b.keys()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(version: u64, targets: &[(&str, u64)]) -> RoleFacts {
        let listed = |length| Listed {
            length,
            sha256: "00".to_owned(),
        };
        RoleFacts {
            version,
            targets: targets
                .iter()
                .map(|(path, length)| ((*path).to_owned(), listed(*length)))
                .collect(),
        }
    }

    #[test]
    fn names_each_difference_once() {
        let side = |roles: &[(&str, RoleFacts)]| -> Facts {
            let owned = roles.iter().cloned();
            owned
                .map(|(name, facts)| (name.to_owned(), facts))
                .collect()
        };
        let ours = side(&[
            ("a", facts(1, &[("x", 1), ("y", 2)])),
            ("b", facts(1, &[])),
            ("c", facts(4, &[])),
        ]);
        let theirs = side(&[
            ("a", facts(1, &[("x", 1), ("y", 3), ("z", 1)])),
            ("c", facts(5, &[])),
        ]);
        let found = compare(&ours, &theirs);
        let words: Vec<String> = found.iter().map(ToString::to_string).collect();
        assert_eq!(
            words,
            [
                "a lists `y`: we read 2 bytes 00, tough 3 bytes 00",
                "a lists `z`: we read nothing, tough 1 bytes 00",
                "b: we read version 1, tough none",
                "c: we read version 4, tough 5",
            ]
        );
        assert_eq!(compare(&ours, &ours), []);
    }
}
