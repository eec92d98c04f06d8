//! The online keys that clients have ever trusted: as long as one of them stays, so do the roles that
//! a snapshot has listed.

use std::collections::BTreeSet;
use std::fmt;

use metadata::{KeyIdentity, PublicKey, RoleKeys, Root, VerifyingKey};

/// Every snapshot and timestamp key of the roots published so far. Compared as keys, not as ids
/// (reference F33).
#[derive(Clone, Default, PartialEq, Eq)]
pub struct FormerKeys(BTreeSet<KeyIdentity>);

impl fmt::Debug for FormerKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FormerKeys({})", self.0.len())
    }
}

impl FormerKeys {
    /// Those of these roots: of all that were ever published, for a client may have held still since
    /// any of them, and a key that came back would bring its old snapshots back with it.
    pub fn of<'a>(roots: impl IntoIterator<Item = &'a Root>) -> Self {
        let identities = roots.into_iter().flat_map(|root| {
            let keys = identities(root, &root.snapshot).chain(identities(root, &root.timestamp));
            keys.flatten()
        });
        Self(identities.collect())
    }

    /// Whether this is one of them, or cannot be told.
    #[must_use]
    pub fn contains(&self, key: &PublicKey) -> bool {
        VerifyingKey::new(key).map_or(true, |key| self.0.contains(key.identity()))
    }

    /// Whether none of them signs the snapshot or the timestamp under `root`: then no client compares
    /// a new snapshot with one it holds (TUF 5.3.11, 5.5.5), and roles may leave.
    #[must_use]
    pub fn are_all_gone_from(&self, root: &Root) -> bool {
        identities(root, &root.snapshot)
            .chain(identities(root, &root.timestamp))
            .all(|key| key.is_some_and(|key| !self.0.contains(&key)))
    }
}

/// The keys of a role; `None` for one that cannot be read, which could be any.
fn identities<'a>(
    root: &'a Root,
    role: &'a RoleKeys,
) -> impl Iterator<Item = Option<KeyIdentity>> + 'a {
    role.keyids.iter().map(|id| {
        let key = root
            .keys
            .get(id)
            .and_then(|key| VerifyingKey::new(key).ok());
        key.map(|key| key.identity().clone())
    })
}

#[cfg(test)]
mod tests {
    use metadata::KeyId;

    use super::*;
    use crate::lints::samples::{key, root};

    /// The sample root with these keys of snapshot and timestamp.
    fn with(snapshot: &[u8], timestamp: &[u8]) -> Root {
        let mut root = root();
        for (role, keys) in [
            (&mut root.snapshot, snapshot),
            (&mut root.timestamp, timestamp),
        ] {
            role.keyids = keys.iter().map(|number| key(*number).id()).collect();
            let listed = keys.iter().map(|number| (key(*number).id(), key(*number)));
            root.keys.extend(listed);
        }
        root
    }

    #[test]
    fn roles_may_leave_only_when_both_keys_are_new() {
        let former = FormerKeys::of(&[with(&[20], &[21])]);
        for (snapshot, timestamp, gone) in [
            (&[30][..], &[31][..], true),
            (&[30], &[30], true),
            (&[20], &[31], false),
            (&[30], &[21], false),
            (&[30, 20], &[31], false),
            // The snapshot's key of before signs the timestamp now.
            (&[30], &[20], false),
        ] {
            let root = with(snapshot, timestamp);
            assert_eq!(
                former.are_all_gone_from(&root),
                gone,
                "{snapshot:?} {timestamp:?}"
            );
        }
    }

    #[test]
    fn a_key_that_comes_back_and_one_under_another_id_count() {
        let former = FormerKeys::of(&[with(&[20], &[20]), with(&[21], &[21])]);
        assert!(!former.are_all_gone_from(&with(&[20], &[22])));
        let mut alias = with(&[22], &[22]);
        let id = KeyId::parse("alias").unwrap();
        alias.keys.insert(id.clone(), key(20));
        alias.snapshot.keyids = vec![id];
        assert!(!former.are_all_gone_from(&alias));
        // One that is not listed could be any.
        alias.snapshot.keyids = vec![KeyId::parse("unknown").unwrap()];
        assert!(!former.are_all_gone_from(&alias));
    }
}
