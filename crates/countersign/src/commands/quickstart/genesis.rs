//! Quickstart's keys and the ceremony that makes root, targets and bins with them. In real life several
//! people do this offline, with `countersign-ceremony`; here one process plays all of them.

use std::path::{Path, PathBuf};

use ceremony::key_command::{NewFile, make_file};
use ceremony::{Event, GenesisPlan, HeldKey};
use chrono::{DateTime, Utc};
use draft::SignedFile;
use keys::{FileKey, Kdf, KeyType, Passphrase, Signer};
use metadata::Role;
use policy::Policy;
use ring::rand::SystemRandom;

use crate::console::Console;
use crate::data_dir::{DataDir, make_private_folder};
use crate::failure::Failure;
use crate::progress::Progress;

/// Keys that belong offline, by holder; the last one stays online.
const HOLDERS: [&str; 6] = ["root-1", "root-2", "root-3", "targets", "bins", ONLINE];
const ONLINE: &str = "online";

/// A ceremony that was held.
pub(super) struct Genesis {
    /// The set for `index apply`.
    pub(super) set: PathBuf,
    /// The root to hand to users.
    pub(super) root: PathBuf,
    /// The key that stays online.
    pub(super) online_key: PathBuf,
    /// The file with its passphrase.
    pub(super) online_passphrase: PathBuf,
    /// Root keys, and how many of them signed.
    pub(super) root_keys: (usize, u32),
    /// Keys made.
    pub(super) keys: usize,
}

/// A key with its holder.
struct Held {
    holder: &'static str,
    key: FileKey,
}

impl Held {
    fn public(&self) -> HeldKey {
        HeldKey {
            holder: self.holder.to_owned(),
            key: self.key.public_key().clone(),
        }
    }
}

impl Genesis {
    /// Makes the keys, plans the ceremony, signs with as many keys as the thresholds ask for, and
    /// checks the result as a stranger would.
    pub(super) fn hold(
        data_dir: &DataDir,
        policy: &str,
        now: DateTime<Utc>,
        console: &Console,
    ) -> Result<Self, Failure> {
        let parsed = Policy::parse(policy).map_err(|source| Failure::Policy {
            name: "of the ceremony".to_owned(),
            source,
        })?;
        let held = make_keys(data_dir, kdf(&parsed), console)?;
        let of = |prefix: &str| -> Vec<HeldKey> {
            let matching = held.iter().filter(|one| one.holder.starts_with(prefix));
            matching.map(Held::public).collect()
        };
        let plan = GenesisPlan {
            policy,
            layout: None,
            now,
            root: of("root-"),
            targets: of("targets"),
            bins: of("bins"),
            snapshot: of(ONLINE),
            timestamp: of(ONLINE),
        };
        let event = Event::plan_genesis(&data_dir.ceremony(), &plan)?;
        let threshold = parsed.roles.root.threshold;
        for one in held.iter().filter(|one| signs(one.holder, threshold)) {
            event.sign(&one.key, now)?;
        }
        let published = event.combine(now)?;
        event.verify()?;
        let root = published
            .files
            .iter()
            .find(|file| *file.role() == Role::Root);
        let root = root.map_or_else(|| "1.root.json".to_owned(), SignedFile::file_name);
        let (online_key, online_passphrase) = key_files(data_dir, ONLINE);
        Ok(Self {
            root: published.folder.join(root),
            set: published.folder,
            online_key,
            online_passphrase,
            root_keys: (plan.root.len(), threshold),
            keys: held.len(),
        })
    }
}

/// As many root keys as have to, and each key of the other offline roles.
fn signs(holder: &str, threshold: u32) -> bool {
    match holder.strip_prefix("root-") {
        Some(number) => number.parse().is_ok_and(|number: u32| number <= threshold),
        None => holder != ONLINE,
    }
}

fn make_keys(data_dir: &DataDir, kdf: Kdf, console: &Console) -> Result<Vec<Held>, Failure> {
    let progress = Progress::steps(console, HOLDERS.len(), "making keys");
    let rng = SystemRandom::new();
    let mut held = Vec::new();
    for holder in HOLDERS {
        let (file, passphrase_file) = key_files(data_dir, holder);
        make_private_folder(file.parent().unwrap_or(Path::new(".")))?;
        let passphrase = Passphrase::random(&rng)?;
        passphrase.save_new(&passphrase_file)?;
        let key = make_file(&NewFile {
            file: &file,
            key_type: KeyType::Ed25519,
            kdf,
            passphrase: &passphrase,
        })?;
        held.push(Held { holder, key });
        progress.step();
    }
    Ok(held)
}

/// The files of a key and of its passphrase.
fn key_files(data_dir: &DataDir, holder: &str) -> (PathBuf, PathBuf) {
    let folder = match holder {
        ONLINE => data_dir.online_keys(),
        _ => data_dir.offline_keys(),
    };
    let key = folder.join(format!("{holder}.pem"));
    let passphrase = folder.join(format!("{holder}.passphrase"));
    (key, passphrase)
}

/// The key derivation the policy asks for.
fn kdf(policy: &Policy) -> Kdf {
    match policy.keys.kdf {
        policy::Kdf::Scrypt { log_n } => Kdf::Scrypt { log_n, r: 8, p: 1 },
        policy::Kdf::Pbkdf2HmacSha256 { iterations } => Kdf::Pbkdf2 { iterations },
    }
}
