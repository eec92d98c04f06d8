//! Repositories to start from, laid out as DESIGN lays out ours.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{TimeZone, Utc};
use metadata::{Expiry, Role, Root, Version};

use super::delegate::role_keys;
use super::{BinEncoding, Key, Server, Simulator};

/// The target files of [`Simulator::standard`].
pub mod files {
    /// Listed by top-level `targets` itself.
    pub const ANCHOR: &str = "anchors/trusted_root.json";
    /// Listed by `project-alpha`, which its developer signs.
    pub const CLAIMED: &str = "packages/8e/alpha/alpha-1.0-py3-none-any.whl";
    /// In the folder of `project-alpha`, which does not list it.
    pub const CLAIMED_ABSENT: &str = "packages/8e/alpha/alpha-2.0-py3-none-any.whl";
    /// Listed by a bin.
    pub const PLAIN: &str = "packages/f4/beta/beta-1.0-py3-none-any.whl";
    /// Of nobody.
    pub const ABSENT: &str = "packages/f4/beta/beta-2.0-py3-none-any.whl";
    /// Not covered by any delegation.
    pub const OUTSIDE: &str = "elsewhere/file";

    /// What the file at `path` contains.
    #[must_use]
    pub fn content(path: &str) -> Vec<u8> {
        format!("These are the bytes of {path}.\n").into_bytes()
    }
}

impl Simulator {
    /// A published repository: root 2 of 3; `timestamp` and `snapshot` with the one online key;
    /// `targets` → `claimed` → `project-alpha` (terminating) and, last, `bins` → four bins with
    /// the online key, listed by hash prefixes. What it has is in [`files`].
    #[must_use]
    pub fn standard() -> Self {
        Self::with_bins(BinEncoding::HashPrefixes)
    }

    /// The same with that encoding of the bins.
    #[must_use]
    pub fn with_bins(encoding: BinEncoding) -> Self {
        let mut repository = Self::bare();
        let alpha = files::CLAIMED.replace("alpha-1.0-py3-none-any.whl", "*");
        repository.delegate(
            "targets",
            "claimed",
            &[Key::ed25519("claimed")],
            &["packages/*/*/*"],
        );
        repository
            .delegate(
                "claimed",
                "project-alpha",
                &[Key::ed25519("alpha")],
                &[&alpha],
            )
            .terminating = true;
        let patterns = ["simple/*/*/*", "packages/*/*/*"];
        repository.delegate("targets", "bins", &[Key::ed25519("bins")], &patterns);
        repository.delegate_bins("bins", "bin", 2, encoding, &Key::ed25519("online"));
        repository.add_target("targets", files::ANCHOR, &files::content(files::ANCHOR));
        repository.add_target(
            "project-alpha",
            files::CLAIMED,
            &files::content(files::CLAIMED),
        );
        let bin = repository.bin_of("bins", files::PLAIN);
        repository.add_target(&bin, files::PLAIN, &files::content(files::PLAIN));
        repository.publish();
        repository
    }

    /// The top-level roles only, nothing published yet: root 2 of 3, one key for `targets`, one
    /// online key for `snapshot` and `timestamp`. The time is the first second of 2030.
    #[must_use]
    pub fn bare() -> Self {
        let now = Utc.with_ymd_and_hms(2030, 1, 1, 0, 0, 0).unwrap();
        let no_keys = || role_keys(&[], 1);
        let keys = [no_keys(), no_keys(), no_keys(), no_keys()];
        let mut repository = Self {
            now,
            root: Root::new(Version::FIRST, Expiry::at(now), BTreeMap::new(), keys),
            drafts: BTreeMap::new(),
            keys: BTreeMap::new(),
            last_root_keys: Vec::new(),
            last_root: None,
            current: BTreeMap::new(),
            archive: BTreeMap::new(),
            next_versions: BTreeMap::new(),
            lifetimes: BTreeMap::new(),
            listings: BTreeMap::new(),
            unlisted: BTreeSet::new(),
            deltas: 0,
            tampers: BTreeMap::new(),
            server: Server::default(),
        };
        let online = [Key::ed25519("online")];
        repository.rotate("root", &["root-1", "root-2", "root-3"].map(Key::ed25519), 2);
        repository.rotate("timestamp", &online, 1);
        repository.rotate("snapshot", &online, 1);
        repository.rotate("targets", &[Key::ed25519("targets")], 1);
        repository.draft(Role::Targets.name());
        repository
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_paths_are_those_of_an_index() {
        for path in [
            files::CLAIMED,
            files::CLAIMED_ABSENT,
            files::PLAIN,
            files::ABSENT,
        ] {
            let (_, name) = path.rsplit_once('/').unwrap();
            let name = index::DistributionFilename::parse(name).unwrap();
            assert_eq!(index::file_path(&name).as_str(), path);
        }
    }
}
