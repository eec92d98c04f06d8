//! Somebody with some keys and the network: whatever a client asks for, he answers.

use bytes::Bytes;
use countersign_tests::{Key, Simulator};

/// Keys that the attacker has stolen, by the names under which the layouts make them, beside one of
/// his own.
pub(crate) struct Attacker {
    keys: Vec<Key>,
}

/// What he does with the roles he has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Publication {
    /// New versions, a new snapshot and a new timestamp.
    New,
    /// The changed roles in place of the published files of the same version; nothing else.
    InPlace,
    /// These and the snapshot in place of what is published; the old timestamp.
    SnapshotInPlace,
}

impl Publication {
    pub(crate) const ALL: [Self; 3] = [Self::New, Self::InPlace, Self::SnapshotInPlace];
}

impl Attacker {
    pub(crate) fn with(stolen: &[&str]) -> Self {
        let names = stolen.iter().copied().chain(["thief"]);
        Self {
            keys: names.map(Key::ed25519).collect(),
        }
    }

    /// A key that is his anyway.
    pub(crate) fn own() -> Key {
        Key::ed25519("thief")
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.keys.contains(&Key::ed25519(name))
    }

    /// His keys among those of a role. Where he has none, what he writes stays unsigned.
    fn signers(&self, repository: &Simulator, role: &str) -> Vec<Key> {
        let keys = repository.keys(role).iter();
        keys.filter(|key| self.keys.contains(key))
            .cloned()
            .collect()
    }

    /// Has the next file of a role signed by what he has.
    pub(crate) fn sign(&self, repository: &mut Simulator, role: &str) {
        let signers = self.signers(repository, role);
        repository.tamper(role).signed_by(&signers);
    }

    /// Shows clients the changed roles.
    pub(crate) fn publish(&self, repository: &mut Simulator, roles: &[String], how: Publication) {
        let before = Before::of(repository);
        for role in roles {
            self.sign(repository, role);
            if how != Publication::New && before.versions.iter().any(|(name, _)| name == role) {
                let version = repository.version(role).get();
                repository.set_next_version(role, version);
            }
        }
        self.sign(repository, "snapshot");
        self.sign(repository, "timestamp");
        if how == Publication::SnapshotInPlace {
            let version = repository.version("snapshot").get();
            repository.set_next_version("snapshot", version);
        }
        repository.publish();
        let server = repository.server();
        if how == Publication::InPlace {
            server.put(before.snapshot.0, before.snapshot.1);
        }
        if how != Publication::New {
            server.put("metadata/timestamp.json", before.timestamp);
        }
    }
}

/// What was published before he came.
struct Before {
    snapshot: (String, Bytes),
    timestamp: Bytes,
    versions: Vec<(String, u64)>,
}

impl Before {
    fn of(repository: &Simulator) -> Self {
        let known = [
            "targets",
            "claimed",
            "claimed-08",
            "recently-claimed",
            "bins",
        ];
        let projects = ["project-alpha", "project-gamma", "bin-0", "bin-1"];
        let published = |name: &&str| repository.server().file(&format!("metadata/1.{name}.json"));
        let versions = known.into_iter().chain(projects);
        let versions = versions.filter(|name| published(name).is_some());
        Self {
            snapshot: (repository.name("snapshot"), repository.file("snapshot")),
            timestamp: repository.file("timestamp"),
            versions: versions.map(|name| (name.to_owned(), 1)).collect(),
        }
    }
}
