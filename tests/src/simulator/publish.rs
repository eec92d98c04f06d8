//! How new versions come out: root, targets roles, snapshot, timestamp.

use std::collections::BTreeMap;

use bytes::Bytes;
use chrono::Duration;
use metadata::{Document, Expiry, MetaFile, Role, Snapshot, Targets, Timestamp, Version};

use super::{Current, Key, Listing, Simulator, role};

impl Simulator {
    /// Publishes what has changed since the last time, then a new snapshot and a new timestamp.
    pub fn publish(&mut self) {
        self.publish_root();
        let roles: Vec<Role> = self.drafts.keys().cloned().collect();
        for role in roles {
            self.publish_targets(&role);
        }
        self.publish_snapshot();
        self.publish_timestamp();
    }

    /// Publishes the root if it has changed or is to be tampered with, signed by the keys of its
    /// predecessor and its own. A tampered root leaves its number free: the next publication puts an
    /// honest one in its place.
    pub fn publish_root(&mut self) {
        if self.last_root.as_ref() == Some(&self.root) && !self.tampers.contains_key(&Role::Root) {
            return;
        }
        self.root.version = self.next_version(&Role::Root);
        self.root.expires = self.expiry(&Role::Root);
        let own = &self.keys[&Role::Root];
        let old = self.last_root_keys.iter().filter(|key| !own.contains(key));
        let signers: Vec<Key> = own.iter().chain(old).cloned().collect();
        let root = self.root.clone();
        if let Some(tamper) = self.tampers.remove(&Role::Root) {
            let file = tamper.issue(&root.to_canonical(), &signers);
            self.server
                .put(self.metadata_name(&Role::Root, root.version), file);
            self.last_root = None;
            return;
        }
        self.issue(&Role::Root, &root, &signers, None);
        self.last_root_keys = self.keys[&Role::Root].clone();
        self.last_root = Some(root);
    }

    /// Publishes a new snapshot of all published targets roles, with the current timestamp left as
    /// it is.
    pub fn publish_snapshot(&mut self) {
        let version = self.next_version(&Role::Snapshot);
        let mut snapshot = Snapshot::new(version, self.expiry(&Role::Snapshot));
        for (role, current) in &self.current {
            let is_targets = matches!(role, Role::Targets | Role::Delegated(_));
            if is_targets && !self.unlisted.contains(role) {
                snapshot.set(role, self.describe(role, current));
            }
        }
        let signers = self.keys[&Role::Snapshot].clone();
        self.issue(&Role::Snapshot, &snapshot, &signers, None);
    }

    /// Publishes a new timestamp for the current snapshot.
    pub fn publish_timestamp(&mut self) {
        let snapshot = &self.current[&Role::Snapshot];
        let listed = MetaFile::describing(snapshot.version, &snapshot.file);
        let version = self.next_version(&Role::Timestamp);
        let mut timestamp = Timestamp::new(version, self.expiry(&Role::Timestamp), listed);
        deltas::list(&mut timestamp, &self.serve_deltas());
        let signers = self.keys[&Role::Timestamp].clone();
        self.issue(&Role::Timestamp, &timestamp, &signers, None);
    }

    /// Makes and serves the deltas to the current snapshot.
    fn serve_deltas(&self) -> BTreeMap<Version, deltas::Listed> {
        let new = &self.current[&Role::Snapshot];
        let snapshots = self.archive.range(..(Role::Snapshot, new.version));
        let before = snapshots
            .rev()
            .take_while(|((role, _), _)| *role == Role::Snapshot);
        let mut listed = BTreeMap::new();
        for ((_, from), old) in before.take(self.deltas) {
            let delta = deltas::make(old, &new.file).unwrap();
            listed.insert(*from, deltas::Listed::describing(&delta));
            let name = deltas::file_name(new.version, *from);
            self.server.put(format!("metadata/{name}"), delta);
        }
        listed
    }

    /// Has the next publication bring a new version of a role though nothing of it has changed.
    pub fn touch(&mut self, name: &str) {
        match role(name) {
            Role::Root => self.last_root = None,
            role => {
                self.current.get_mut(&role).unwrap().draft = None;
            }
        }
    }

    /// Makes an older version of a role the current one again: `timestamp.json` is that file again,
    /// the next snapshot lists that version of a targets role, the next timestamp that snapshot.
    pub fn rewind(&mut self, name: &str, version: u64) {
        let role = role(name);
        let version = Version::new(version).unwrap();
        let file = self.archive[&(role.clone(), version)].clone();
        self.server
            .put(self.metadata_name(&role, version), file.clone());
        let draft = self.drafts.get(&role).cloned();
        self.current.insert(
            role,
            Current {
                version,
                file,
                draft,
            },
        );
    }

    /// Whether that version of a role was ever published.
    #[must_use]
    pub fn has_archived(&self, name: &str, version: u64) -> bool {
        let version = Version::new(version).unwrap();
        self.archive.contains_key(&(role(name), version))
    }

    /// The bytes of a role's version as they were published.
    ///
    /// # Panics
    ///
    /// If that version was never published.
    #[must_use]
    pub fn archived(&self, name: &str, version: u64) -> Bytes {
        self.archive[&(role(name), Version::new(version).unwrap())].clone()
    }

    /// The current version of a role.
    #[must_use]
    pub fn version(&self, name: &str) -> Version {
        self.current[&role(name)].version
    }

    /// The current file of a role.
    #[must_use]
    pub fn file(&self, name: &str) -> Bytes {
        self.current[&role(name)].file.clone()
    }

    /// The name under which the server has the current file of a role.
    #[must_use]
    pub fn name(&self, name: &str) -> String {
        let role = role(name);
        self.metadata_name(&role, self.current[&role].version)
    }

    fn metadata_name(&self, role: &Role, version: Version) -> String {
        // TUF 6.2.1: roots always carry their version, timestamps never.
        let file = match (role, self.root.consistent_snapshot) {
            (Role::Root, _) => role.versioned_file_name(version),
            (Role::Timestamp, _) | (_, false) => role.file_name(),
            (_, true) => role.versioned_file_name(version),
        };
        format!("metadata/{file}")
    }

    fn publish_targets(&mut self, role: &Role) {
        let draft = self.drafts[role].clone();
        let unchanged = self
            .current
            .get(role)
            .is_some_and(|current| current.draft.as_ref() == Some(&draft));
        if unchanged && !self.tampers.contains_key(role) {
            return;
        }
        let mut document = draft.clone();
        document.version = self.next_version(role);
        document.expires = self.expiry(role);
        let signers = self.keys.get(role).cloned().unwrap_or_default();
        self.issue(role, &document, &signers, Some(draft));
    }

    /// Signs, tampers if asked to, serves and remembers.
    fn issue<R: Document>(
        &mut self,
        role: &Role,
        document: &R,
        signers: &[Key],
        draft: Option<Targets>,
    ) {
        let tamper = self.tampers.remove(role);
        let honest = tamper.is_none();
        let file: Bytes = tamper
            .unwrap_or_default()
            .issue(&document.to_canonical(), signers)
            .into();
        let version = document.version();
        self.server
            .put(self.metadata_name(role, version), file.clone());
        self.archive.insert((role.clone(), version), file.clone());
        let draft = draft.filter(|_| honest);
        self.current.insert(
            role.clone(),
            Current {
                version,
                file,
                draft,
            },
        );
    }

    fn next_version(&mut self, role: &Role) -> Version {
        let following = || match self.current.get(role) {
            Some(current) => current.version.next().unwrap(),
            None => Version::FIRST,
        };
        self.next_versions.remove(role).unwrap_or_else(following)
    }

    fn expiry(&self, role: &Role) -> Expiry {
        let default = match role {
            Role::Timestamp => Duration::days(1),
            Role::Snapshot => Duration::days(7),
            _ => Duration::days(365),
        };
        Expiry::at(self.now + self.lifetimes.get(role).copied().unwrap_or(default))
    }

    fn describe(&self, role: &Role, current: &Current) -> MetaFile {
        let same_keys = self.keys.get(role) == self.keys.get(&Role::Snapshot);
        let default = if same_keys {
            Listing::Version
        } else {
            Listing::Hash
        };
        let mut listed = MetaFile::describing(current.version, &current.file);
        match self.listings.get(role).copied().unwrap_or(default) {
            Listing::Version => MetaFile::version_only(current.version),
            Listing::Hash => {
                listed.length = None;
                listed
            }
            Listing::Full => listed,
        }
    }
}
