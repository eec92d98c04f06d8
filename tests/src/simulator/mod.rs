//! A TUF repository in memory that can be wrong in every way: what crash tests, benches and attacks
//! are built on.
//!
//! A [`Simulator`] is the repository's side: drafts of all roles, the keys that sign them, a clock,
//! and [`Simulator::publish`], which writes new versions in the order of DESIGN: targets roles,
//! snapshot, timestamp. Its [`Server`] is what clients see; it is a [`client::Transport`] and can
//! listen on HTTP.
//!
//! What an attack can do:
//!
//! | the attacker | call |
//! |---|---|
//! | has keys, or none, and writes other contents | [`Simulator::tamper`] before publishing |
//! | changes what the repository says | the drafts: [`Simulator::root`], [`Simulator::draft`] |
//! | serves an old file in place of a new one | [`Simulator::rewind`] |
//! | withholds, cuts, slows or swaps answers | [`Server::bend`] |
//! | leaves a role out of the snapshot | [`Simulator::unlist`] |
//! | lets time pass | [`Simulator::advance`] |
//!
//! ```
//! use countersign_tests::{Key, Simulator, User};
//! use metadata::{Role, Version};
//! use trust::Rejection;
//!
//! # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
//! let mut repository = Simulator::standard();
//! let mut user = User::of(&repository);
//! user.refresh(&repository).await.unwrap();
//!
//! repository.tamper("timestamp").signed_by([&Key::ed25519("thief")]);
//! repository.publish();
//! let refused = user.refused(&repository).await;
//! assert!(matches!(refused, Rejection::Signatures { role: Role::Timestamp, .. }));
//! # });
//! ```

mod bend;
mod delegate;
mod http;
mod key;
mod publish;
mod server;
mod standard;
mod tamper;

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use chrono::{DateTime, Duration, Utc};
use metadata::{Role, Root, TargetFile, TargetPath, Targets, Version};

pub use bend::Bend;
pub use delegate::{BinEncoding, role_keys};
pub use http::Listening;
pub use key::Key;
pub use server::{Request, Server};
pub use standard::files;
pub use tamper::Tamper;

/// A repository and its keys. See the [module](self).
pub struct Simulator {
    /// The time, for the repository's expiries and for its users.
    pub now: DateTime<Utc>,
    /// The root as it will be published next, when it differs from the last. Keys are changed by
    /// [`Simulator::rotate`]; version and expiry are set by [`Simulator::publish`].
    pub root: Root,
    drafts: BTreeMap<Role, Targets>,
    keys: BTreeMap<Role, Vec<Key>>,
    /// The keys of the last published root, which sign the next one too.
    last_root_keys: Vec<Key>,
    last_root: Option<Root>,
    current: BTreeMap<Role, Current>,
    archive: BTreeMap<(Role, Version), Bytes>,
    next_versions: BTreeMap<Role, Version>,
    lifetimes: BTreeMap<Role, Duration>,
    listings: BTreeMap<Role, Listing>,
    unlisted: BTreeSet<Role>,
    deltas: usize,
    tampers: BTreeMap<Role, Tamper>,
    server: Server,
}

/// The published state of a role.
struct Current {
    version: Version,
    file: Bytes,
    /// The draft it was made from; `None` if it is to be made anew in any case.
    draft: Option<Targets>,
}

/// How a snapshot describes a role.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listing {
    /// By its version.
    Version,
    /// By version and SHA-256.
    Hash,
    /// By version, length and SHA-256.
    Full,
}

impl Simulator {
    /// What clients talk to.
    #[must_use]
    pub fn server(&self) -> &Server {
        &self.server
    }

    /// Lets time pass.
    pub fn advance(&mut self, by: Duration) {
        self.now += by;
    }

    /// The keys that sign for a role.
    #[must_use]
    pub fn keys(&self, name: &str) -> &[Key] {
        &self.keys[&role(name)]
    }

    /// The draft of a targets role, made if there is none. It is published, as a new version, when
    /// it differs from the last; its version and expiry are set then.
    pub fn draft(&mut self, name: &str) -> &mut Targets {
        let (role, now) = (role(name), self.now);
        self.drafts
            .entry(role)
            .or_insert_with(|| Targets::new(Version::FIRST, metadata::Expiry::at(now)))
    }

    /// Makes `bytes` a target of a role, and serves them.
    pub fn add_target(&mut self, name: &str, path: &str, bytes: &[u8]) {
        let file = TargetFile::new(bytes.len() as u64, metadata::Sha256::of(bytes));
        self.list_target(name, path, file);
        self.serve_target(path, bytes);
    }

    /// Lists a target as described, whatever is served under its name.
    pub fn list_target(&mut self, name: &str, path: &str, file: TargetFile) {
        let path = TargetPath::parse(path).unwrap();
        let draft = self.draft(name);
        let others = draft
            .targets()
            .iter()
            .filter(|(other, _)| *other != path)
            .cloned();
        let all: Vec<_> = others.chain([(path.clone(), file)]).collect();
        *draft = draft.clone().with_targets(all);
    }

    /// Takes a target off a role's list.
    pub fn remove_target(&mut self, name: &str, path: &str) {
        let draft = self.draft(name);
        let kept: Vec<_> = draft
            .targets()
            .iter()
            .filter(|(other, _)| other.as_str() != path)
            .cloned()
            .collect();
        *draft = draft.clone().with_targets(kept);
    }

    /// Serves `bytes` as the target file `path`, listed or not.
    pub fn serve_target(&self, path: &str, bytes: &[u8]) {
        self.server
            .put(self.target_name(path, bytes), bytes.to_vec());
    }

    /// The name under which the server has `bytes` as the target file `path`.
    #[must_use]
    pub fn target_name(&self, path: &str, bytes: &[u8]) -> String {
        let path = TargetPath::parse(path).unwrap();
        let name = if self.root.consistent_snapshot {
            path.with_digest(&metadata::Sha256::of(bytes))
        } else {
            path.as_str().to_owned()
        };
        format!("targets/{name}")
    }

    /// Gives a role these keys, of which `threshold` have to sign: a top-level role in the next
    /// root, a delegated one wherever it is delegated to.
    pub fn rotate(&mut self, name: &str, keys: &[Key], threshold: u32) {
        let role = role(name);
        self.keys.insert(role.clone(), keys.to_vec());
        if let Some(current) = self.current.get_mut(&role) {
            current.draft = None;
        }
        match &role {
            Role::Delegated(name) => self.rotate_delegated(name, keys, threshold),
            _ => self.rotate_top_level(&role, keys, threshold),
        }
    }

    /// How long the files of a role live from now on. One day for timestamps, a week for snapshots,
    /// a year for all others, if not changed.
    pub fn set_lifetime(&mut self, name: &str, lifetime: Duration) {
        self.lifetimes.insert(role(name), lifetime);
    }

    /// How the snapshot describes a role: if not changed, by version alone where the snapshot's keys
    /// sign for it, otherwise by version and hash.
    pub fn set_listing(&mut self, name: &str, listing: Listing) {
        self.listings.insert(role(name), listing);
    }

    /// Leaves a role out of snapshots from now on.
    pub fn unlist(&mut self, name: &str) {
        self.unlisted.insert(role(name));
    }

    /// Has each timestamp from now on list a delta to its snapshot from each of the last `snapshots` before it.
    pub fn offer_deltas(&mut self, snapshots: usize) {
        self.deltas = snapshots;
    }

    /// Gives the next file of a role this version instead of the one that follows.
    pub fn set_next_version(&mut self, name: &str, version: u64) {
        self.next_versions
            .insert(role(name), Version::new(version).unwrap());
    }

    /// Changes the next file of a role in ways no honest repository would. The role gets a new
    /// version at the next publication, and another, honest one at the publication after that.
    pub fn tamper(&mut self, name: &str) -> &mut Tamper {
        self.tampers.entry(role(name)).or_default()
    }
}

/// The role of that name.
///
/// # Panics
///
/// If no role can have it.
#[must_use]
pub fn role(name: &str) -> Role {
    Role::parse(name).unwrap()
}
