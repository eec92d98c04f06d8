//! `plan`: writes a new event folder.

mod claim;
mod rebin;
mod rotate;

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use chrono::Utc;
use clap::Subcommand;
use countersign_ceremony::{Event, GenesisPlan, HeldKey, Invitation, KeyRole, RenewPlan};
use draft::BinLayout;
use index::BinCount;
use keys::public_key_from_pem;
use policy::{Encoding, MAX_POLICY_BYTES, Policy};

use super::files::read;
use super::{Done, Failure, join, review};

/// Write a new event folder
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// The first root, targets and bins of an index
    Genesis(Genesis),
    /// New versions with the same keys and fresh expiries
    Renew(Renew),
    /// Other root keys, all given anew
    RotateRoot(rotate::RotateRoot),
    /// Other online keys
    RotateOnline(rotate::RotateOnline),
    /// Another number of bins, with other online keys
    Rebin(rebin::Rebin),
    /// What becomes of projects whose developers sign: claimed, other keys, or the index's again
    Claim(claim::Claim),
    /// One more holder
    AddHolder(rotate::AddHolder),
    /// Another holder's keys, or new ones of the same holder, instead of a holder's
    ReplaceHolder(rotate::ReplaceHolder),
    /// One holder less
    RemoveHolder(rotate::RemoveHolder),
}

#[derive(Debug, clap::Args)]
struct Genesis {
    /// Folder to make
    event: PathBuf,

    /// Name of a shipped policy, or a policy file
    #[arg(long, value_name = "NAME|FILE", env = "COUNTERSIGN_POLICY")]
    #[arg(default_value = "small-index")]
    policy: String,

    /// Number of bins, a power of two; without it, what the policy asks for
    #[arg(long, value_name = "NUMBER", env = "COUNTERSIGN_BINS")]
    bins: Option<BinCount>,

    /// How bins are listed: the older form every client reads, or the shorter one of TAP 15
    #[arg(long, value_name = "FORM", env = "COUNTERSIGN_ENCODING")]
    #[arg(value_parser = ["path-hash-prefixes", "succinct"])]
    encoding: Option<String>,

    /// The invitation for which the keys were proved; without it, keys are taken as they are
    #[arg(long, value_name = "FILE", env = "COUNTERSIGN_INVITATION")]
    invitation: Option<PathBuf>,

    /// A root key: the holder's name and the file of the public key, or of its proof; once per key
    #[arg(
        long,
        value_name = "HOLDER=FILE",
        required = true,
        value_delimiter = ','
    )]
    #[arg(env = "COUNTERSIGN_ROOT_KEY")]
    root_key: Vec<HolderFile>,

    /// A key of targets
    #[arg(
        long,
        value_name = "HOLDER=FILE",
        required = true,
        value_delimiter = ','
    )]
    #[arg(env = "COUNTERSIGN_TARGETS_KEY")]
    targets_key: Vec<HolderFile>,

    /// A key of bins
    #[arg(
        long,
        value_name = "HOLDER=FILE",
        required = true,
        value_delimiter = ','
    )]
    #[arg(env = "COUNTERSIGN_BINS_KEY")]
    bins_key: Vec<HolderFile>,

    /// An online key: signs every bin and the snapshot, and the timestamp if that has no other
    #[arg(long, value_name = "NAME=FILE", required = true, value_delimiter = ',')]
    #[arg(env = "COUNTERSIGN_ONLINE_KEY")]
    online_key: Vec<HolderFile>,

    /// An online key of the timestamp alone
    #[arg(long, value_name = "NAME=FILE", value_delimiter = ',')]
    #[arg(env = "COUNTERSIGN_TIMESTAMP_KEY")]
    timestamp_key: Vec<HolderFile>,
}

#[derive(Debug, clap::Args)]
struct Renew {
    /// Folder to make
    event: PathBuf,

    /// Folder with the published metadata
    #[arg(long, value_name = "FOLDER", env = "COUNTERSIGN_FROM")]
    from: PathBuf,

    /// Earlier event that names the holders of the keys
    #[arg(long, value_name = "EVENT", env = "COUNTERSIGN_AFTER")]
    after: Option<PathBuf>,

    /// Name of a shipped policy, or a policy file; without it, the earlier event's goes on
    #[arg(long, value_name = "NAME|FILE", env = "COUNTERSIGN_POLICY")]
    policy: Option<String>,

    /// Roles to renew; without it, all there are. `claimed` comes with every shard
    #[arg(
        long,
        value_name = "ROLE",
        value_delimiter = ',',
        env = "COUNTERSIGN_ROLES"
    )]
    #[arg(value_parser = ["root", "targets", "bins", "claimed"])]
    roles: Vec<String>,
}

/// `HOLDER=FILE`.
#[derive(Clone, Debug)]
struct HolderFile {
    holder: String,
    file: PathBuf,
}

impl FromStr for HolderFile {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once('=') {
            Some((holder, file)) if !holder.is_empty() && !file.is_empty() => Ok(Self {
                holder: holder.to_owned(),
                file: PathBuf::from(file),
            }),
            _ => Err("write HOLDER=FILE, such as Ada=ada.pub"),
        }
    }
}

impl Args {
    pub(crate) fn run(self) -> Done {
        match self.what {
            What::Genesis(genesis) => genesis.run(),
            What::Renew(renew) => renew.run(),
            What::RotateRoot(rotate) => rotate.run(),
            What::RotateOnline(rotate) => rotate.run(),
            What::Rebin(rebin) => rebin.run(),
            What::Claim(claim) => claim.run(),
            What::AddHolder(add) => add.run(),
            What::ReplaceHolder(replace) => replace.run(),
            What::RemoveHolder(remove) => remove.run(),
        }
    }
}

impl Genesis {
    fn run(self) -> Done {
        let text = policy_text(&self.policy)?;
        let layout = self.layout(&text);
        let mut desk = KeyDesk::open(self.invitation.as_deref())?;
        let online = held(&self.online_key)?;
        let timestamp = held(&self.timestamp_key)?;
        let plan = GenesisPlan {
            policy: &text,
            layout,
            now: Utc::now(),
            root: desk.held(&self.root_key)?,
            targets: desk.held(&self.targets_key)?,
            bins: desk.held(&self.bins_key)?,
            timestamp: if timestamp.is_empty() {
                online.clone()
            } else {
                timestamp
            },
            snapshot: online,
        };
        let event = Event::plan_genesis(&self.event, &plan)?;
        desk.keep(&event)?;
        review::report(&event)
    }

    /// What the policy asks for, as far as nothing else was said; a policy that cannot be read is
    /// reported when the event is planned.
    fn layout(&self, policy: &str) -> Option<BinLayout> {
        let asked = BinLayout::of(&Policy::parse(policy).ok()?.index);
        Some(BinLayout {
            count: self.bins.unwrap_or(asked.count),
            encoding: match self.encoding.as_deref() {
                Some("succinct") => Encoding::Succinct,
                Some(_) => Encoding::PathHashPrefixes,
                None => asked.encoding,
            },
        })
    }
}

impl Renew {
    fn run(self) -> Done {
        let after = self.after.as_deref().map(Event::open).transpose()?;
        let text = policy_of(self.policy.as_deref(), after.as_ref())?;
        let wants = |role: &KeyRole| {
            self.roles.is_empty() || self.roles.iter().any(|one| one == role.as_str())
        };
        let roles: Vec<KeyRole> = KeyRole::OFFLINE.into_iter().filter(wants).collect();
        let plan = RenewPlan {
            policy: &text,
            now: Utc::now(),
            published: &self.from,
            after: after.as_ref(),
            roles: &roles,
        };
        review::report(&Event::plan_renew(&self.event, &plan)?)
    }
}

/// The text of a shipped policy, or of a file.
fn policy_text(name: &str) -> Result<String, Failure> {
    if let Some(text) = Policy::built_in_text(name) {
        return Ok(text.to_owned());
    }
    match read(Path::new(name), MAX_POLICY_BYTES as u64) {
        Err(Failure::Read { source, .. }) if source.kind() == ErrorKind::NotFound => {
            let name = name.to_owned();
            Err(Failure::UnknownPolicy { name })
        }
        read => read,
    }
}

/// The policy named, else that of the event before: a ceremony changes it only when told to.
fn policy_of(named: Option<&str>, after: Option<&Event>) -> Result<String, Failure> {
    match (named, after) {
        (Some(name), _) => policy_text(name),
        (None, Some(event)) => Ok(event.policy_text().to_owned()),
        (None, None) => Err(Failure::NoPolicy),
    }
}

fn held(files: &[HolderFile]) -> Result<Vec<HeldKey>, Failure> {
    let read_one = |one: &HolderFile| {
        let text = read(&one.file, keys::MAX_KEY_FILE as u64)?;
        let key = public_key_from_pem(&text).map_err(|source| Failure::PublicKey {
            path: one.file.clone(),
            source,
        })?;
        let holder = one.holder.clone();
        Ok(HeldKey { holder, key })
    };
    files.iter().map(read_one).collect()
}

/// Where keys of offline roles are taken in: with proof, where there was an invitation.
struct KeyDesk {
    invitation: Option<Invitation>,
    proofs: Vec<Vec<u8>>,
}

impl KeyDesk {
    fn open(invitation: Option<&Path>) -> Result<Self, Failure> {
        let invitation = invitation.map(join::read_invitation).transpose()?;
        Ok(Self {
            invitation,
            proofs: Vec::new(),
        })
    }

    fn held(&mut self, files: &[HolderFile]) -> Result<Vec<HeldKey>, Failure> {
        let Some(invitation) = &self.invitation else {
            return held(files);
        };
        let mut keys = Vec::new();
        for one in files {
            let (key, proof) = join::proved(&one.file, &one.holder, invitation)?;
            keys.push(key);
            if !self.proofs.contains(&proof) {
                self.proofs.push(proof);
            }
        }
        Ok(keys)
    }

    /// Puts the proofs beside the event.
    fn keep(&self, event: &Event) -> Result<(), Failure> {
        match &self.invitation {
            Some(invitation) => Ok(event.keep_joins(invitation, &self.proofs, Utc::now())?),
            None => Ok(()),
        }
    }
}
