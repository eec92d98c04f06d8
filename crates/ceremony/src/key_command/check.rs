//! `key check`: whether a key signs, and which roles count its signatures.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use keys::{delegations_served, roles_served};
use metadata::{Document, PublicKey, Root, Targets, Wire};
use ring::rand::SystemRandom;
use serde_json::json;

use super::report::read;
use super::{Edge, KeyCommandError, KeyName, NamesKeys, Outcome, PassphraseArgs, ReachArgs};

/// Largest metadata file read, in bytes: far above any root or targets with delegations.
const MAX_FILE: u64 = 64 * 1024 * 1024;
/// Most signatures a file may have; those are not judged here.
const MAX_SIGNATURES: usize = 256;

/// Have a key sign something new, and say which roles count its signatures
///
/// The roles are read from the files given, whose signatures are not checked: take files that you
/// trust.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Key URI, or a key file
    #[arg(value_parser = NamesKeys::<KeyName>::parser())]
    key: KeyName,

    /// Root metadata whose roles to compare
    #[arg(long, value_name = "FILE", env = "COUNTERSIGN_ROOT")]
    root: Option<PathBuf>,

    /// Targets metadata whose delegations to compare, such as that of bins; once per file
    #[arg(long, value_name = "FILE", env = "COUNTERSIGN_TARGETS")]
    targets: Vec<PathBuf>,

    #[command(flatten)]
    passphrases: PassphraseArgs,

    #[command(flatten)]
    reach: ReachArgs,
}

impl Args {
    pub(super) fn run(&self, edge: &Edge<'_>) -> Result<Outcome, KeyCommandError> {
        let source = self.passphrases.source();
        let opened = self.reach.reach().open(&self.key.0, &source, edge)?;
        keys::check(opened.signer.as_ref(), &SystemRandom::new())?;
        let key = opened.signer.describe();
        let served = self.served(opened.signer.public_key())?;
        let asked = self.root.is_some() || !self.targets.is_empty();
        if asked && served.is_empty() {
            return Err(KeyCommandError::ServesNothing { key });
        }
        let id = opened.signer.key_id().as_str();
        let mut text = format!("{key} signs, and its signature verifies\nkey id  {id}\n");
        for role in &served {
            // Writing to a String cannot fail.
            let _ = writeln!(text, "serves  {role}");
        }
        let roles = asked.then_some(&served);
        let json = json!({ "uri": key, "keyid": id, "signs": true, "roles": roles });
        Ok(Outcome { text, json })
    }

    fn served(&self, key: &PublicKey) -> Result<Vec<String>, KeyCommandError> {
        let mut served = Vec::new();
        if let Some(path) = &self.root {
            let root: Root = document(path)?;
            let roles = roles_served(&root, key);
            served.extend(roles.iter().map(|role| role.name().to_owned()));
        }
        for path in &self.targets {
            let targets: Targets = document(path)?;
            if let Some(delegations) = &targets.delegations {
                let roles = delegations_served(delegations, key);
                served.extend(roles.iter().map(ToString::to_string));
            }
        }
        Ok(served)
    }
}

fn document<D: Document>(path: &Path) -> Result<D, KeyCommandError> {
    let file = read(path, MAX_FILE)?;
    Wire::parse(&file, MAX_SIGNATURES)
        .and_then(|wire| D::parse(wire.signed))
        .map_err(|source| KeyCommandError::Document {
            path: path.to_owned(),
            source,
        })
}
