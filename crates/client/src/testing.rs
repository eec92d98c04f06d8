//! A small repository in memory for this crate's tests: every role has the same key.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use futures_util::stream;
use metadata::{
    DelegatedRole, DelegatedRoles, Delegations, Document, Expiry, KeyId, MetaFile, PathPattern,
    PathSet, PublicKey, Role, RoleKeys, RoleName, Root, Sha256, Signature, Snapshot, TargetFile,
    TargetPath, Targets, Timestamp, Version, Wire,
};
use ring::signature::{Ed25519KeyPair, KeyPair};
use url::Url;

use crate::{Body, Transport, TransportError};

pub(crate) const BASE: &str = "memory://index.example/";

pub(crate) fn instant(text: &str) -> DateTime<Utc> {
    Expiry::parse(text).unwrap().instant()
}

/// The time of the tests; everything the repository signs expires a day later.
pub(crate) fn now() -> DateTime<Utc> {
    instant("2030-01-01T00:00:00Z")
}

fn expires() -> Expiry {
    Expiry::parse("2030-01-02T00:00:00Z").unwrap()
}

fn version(number: u64) -> Version {
    Version::new(number).unwrap()
}

/// Files by URL, and the requests for them in order.
#[derive(Default)]
pub(crate) struct Memory {
    files: Mutex<BTreeMap<String, Vec<u8>>>,
    requests: Mutex<Vec<String>>,
}

impl Memory {
    pub(crate) fn put(&self, path: &str, bytes: &[u8]) {
        self.files
            .lock()
            .unwrap()
            .insert(format!("{BASE}{path}"), bytes.to_vec());
    }

    pub(crate) fn remove(&self, path: &str) -> Vec<u8> {
        self.files
            .lock()
            .unwrap()
            .remove(&format!("{BASE}{path}"))
            .unwrap()
    }

    /// Writes all files into a folder, whose subfolders have to be there.
    pub(crate) fn write_to(&self, dir: &std::path::Path) {
        for (url, bytes) in &*self.files.lock().unwrap() {
            std::fs::write(dir.join(url.replace(BASE, "")), bytes).unwrap();
        }
    }

    /// The requests since the last call.
    pub(crate) fn requests(&self) -> Vec<String> {
        let taken = std::mem::take(&mut *self.requests.lock().unwrap());
        taken.into_iter().map(|url| url.replace(BASE, "")).collect()
    }
}

#[async_trait]
impl Transport for Memory {
    async fn get(&self, url: &Url) -> Result<Body, TransportError> {
        self.requests.lock().unwrap().push(url.to_string());
        // Lets another request come in between, as a network would.
        tokio::task::yield_now().await;
        let file = self.files.lock().unwrap().get(url.as_str()).cloned();
        let file = file.ok_or_else(|| TransportError::NotFound { url: url.clone() })?;
        let pieces: Vec<_> = file
            .chunks(1000)
            .map(|it| Ok(Bytes::copy_from_slice(it)))
            .collect();
        Ok(Box::pin(stream::iter(pieces)))
    }
}

/// Signs and puts what a test describes.
pub(crate) struct Repository {
    key: Ed25519KeyPair,
    pub(crate) memory: Arc<Memory>,
    listed: BTreeMap<Role, (u64, Vec<u8>)>,
}

impl Repository {
    pub(crate) fn new() -> Self {
        let key = Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap();
        Self {
            key,
            memory: Arc::default(),
            listed: BTreeMap::new(),
        }
    }

    fn public(&self) -> PublicKey {
        PublicKey::ed25519(self.key.public_key().as_ref().try_into().unwrap())
    }

    fn keys(&self) -> BTreeMap<KeyId, PublicKey> {
        [(self.public().id(), self.public())].into()
    }

    fn role_keys(&self) -> RoleKeys {
        RoleKeys {
            keyids: vec![self.public().id()],
            threshold: 1,
        }
    }

    fn sign(&self, document: &impl Document) -> Vec<u8> {
        let canonical = document.to_canonical();
        let bytes = self.key.sign(&canonical).as_ref().to_vec();
        Wire::write(
            &canonical,
            &[Signature {
                keyid: self.public().id(),
                bytes,
            }],
        )
    }

    /// Signs and puts a root.
    pub(crate) fn root(&self, number: u64) -> Vec<u8> {
        let roles = [(); 4].map(|()| self.role_keys());
        let root = Root::new(version(number), expires(), self.keys(), roles);
        let file = self.sign(&root);
        self.memory.put(&format!("{number}.root.json"), &file);
        file
    }

    /// Signs and puts a targets role; the next [`Repository::publish`] lists it.
    pub(crate) fn targets(
        &mut self,
        name: &str,
        number: u64,
        targets: &[(&str, &[u8])],
        delegations: Option<Delegations>,
    ) {
        let listed = targets.iter().map(|(path, bytes)| {
            let file = TargetFile::new(bytes.len() as u64, Sha256::of(bytes));
            (TargetPath::parse(*path).unwrap(), file)
        });
        let mut document = Targets::new(version(number), expires()).with_targets(listed);
        document.delegations = delegations;
        let (role, file) = (Role::parse(name).unwrap(), self.sign(&document));
        self.memory
            .put(&role.versioned_file_name(version(number)), &file);
        self.listed.insert(role, (number, file));
    }

    /// Delegations to roles of the repository's key: name, pattern (or hash prefix of all paths if
    /// empty), terminating.
    pub(crate) fn delegations(&self, roles: &[(&str, &str, bool)]) -> Delegations {
        let digits = "0123456789abcdef";
        let roles = roles
            .iter()
            .map(|(name, pattern, terminating)| DelegatedRole {
                name: RoleName::parse(*name).unwrap(),
                keys: self.role_keys(),
                paths: if pattern.is_empty() {
                    PathSet::HashPrefixes(digits.chars().map(String::from).collect())
                } else {
                    PathSet::Patterns(vec![PathPattern::parse(*pattern).unwrap()])
                },
                terminating: *terminating,
            });
        Delegations {
            keys: self.keys(),
            roles: DelegatedRoles::Listed(roles.collect()),
        }
    }

    /// Signs and puts a snapshot of all roles, and its timestamp.
    pub(crate) fn publish(&self, number: u64) {
        let mut snapshot = Snapshot::new(version(number), expires());
        for (role, (number, file)) in &self.listed {
            snapshot.set(role, MetaFile::describing(version(*number), file));
        }
        let snapshot = self.sign(&snapshot);
        self.memory
            .put(&format!("{number}.snapshot.json"), &snapshot);
        let described = MetaFile::describing(version(number), &snapshot);
        let timestamp = Timestamp::new(version(number), expires(), described);
        self.memory.put("timestamp.json", &self.sign(&timestamp));
    }

    /// Puts a target file under its name with digest.
    pub(crate) fn file(&self, path: &str, bytes: &[u8]) {
        let path = TargetPath::parse(path).unwrap();
        self.memory
            .put(&path.with_digest(&Sha256::of(bytes)), bytes);
    }
}
