//! `plan rotate-root`, `rotate-online`, `add-holder`, `replace-holder`, `remove-holder`.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::str::FromStr;

use chrono::Utc;
use countersign_ceremony::{Event, HeldKey, KeyChange, KeyRole, RotatePlan};

use super::{Done, Failure, HolderFile, KeyDesk, held, policy_of, review};

/// What every change of keys begins from.
#[derive(Debug, clap::Args)]
pub(super) struct Base {
    /// Folder to make
    event: PathBuf,

    /// Folder with the published metadata
    #[arg(long, value_name = "FOLDER", env = "COUNTERSIGN_FROM")]
    from: PathBuf,

    /// Earlier event that names the holders of the keys
    #[arg(long, value_name = "EVENT", env = "COUNTERSIGN_AFTER")]
    pub(super) after: Option<PathBuf>,

    /// Name of a shipped policy, or a policy file; without it, the earlier event's goes on
    #[arg(long, value_name = "NAME|FILE", env = "COUNTERSIGN_POLICY")]
    pub(super) policy: Option<String>,

    /// Another threshold for a role; roles not named keep theirs
    #[arg(long, value_name = "ROLE=NUMBER", value_delimiter = ',')]
    #[arg(env = "COUNTERSIGN_THRESHOLD")]
    threshold: Vec<RoleThreshold>,
}

impl Base {
    pub(super) fn plan(&self, change: KeyChange, desk: Option<&KeyDesk>) -> Done {
        let after = self.after.as_deref().map(Event::open).transpose()?;
        let text = policy_of(self.policy.as_deref(), after.as_ref())?;
        let thresholds = self.threshold.iter().map(|one| (one.role, one.number));
        let plan = RotatePlan {
            policy: &text,
            now: Utc::now(),
            published: &self.from,
            after: after.as_ref(),
            change,
            thresholds: thresholds.collect(),
        };
        let event = Event::plan_rotate(&self.event, plan)?;
        if let Some(desk) = desk {
            desk.keep(&event)?;
        }
        review::report(&event)
    }
}

/// `ROLE=NUMBER`.
#[derive(Clone, Debug)]
struct RoleThreshold {
    role: KeyRole,
    number: u32,
}

impl FromStr for RoleThreshold {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (role, number) = text.split_once('=').ok_or("write ROLE=NUMBER")?;
        let role = KeyRole::ALL.into_iter().find(|one| one.as_str() == role);
        Ok(Self {
            role: role.ok_or("there is no such role")?,
            number: number.parse().map_err(|_| "write ROLE=NUMBER")?,
        })
    }
}

/// Keys of offline roles.
#[derive(Debug, clap::Args)]
#[group(required = true, multiple = true)]
struct OfflineKeys {
    /// A root key: the holder's name and the public key's file
    #[arg(long = "root-key", value_name = "HOLDER=FILE", value_delimiter = ',')]
    #[arg(env = "COUNTERSIGN_ROOT_KEY")]
    root: Vec<HolderFile>,

    /// A key of targets
    #[arg(
        long = "targets-key",
        value_name = "HOLDER=FILE",
        value_delimiter = ','
    )]
    #[arg(env = "COUNTERSIGN_TARGETS_KEY")]
    targets: Vec<HolderFile>,

    /// A key of bins
    #[arg(long = "bins-key", value_name = "HOLDER=FILE", value_delimiter = ',')]
    #[arg(env = "COUNTERSIGN_BINS_KEY")]
    bins: Vec<HolderFile>,

    /// A key of `claimed`, on an index whose projects are claimed
    #[arg(
        long = "claimed-key",
        value_name = "HOLDER=FILE",
        value_delimiter = ','
    )]
    #[arg(env = "COUNTERSIGN_CLAIMED_KEY")]
    claimed: Vec<HolderFile>,

    /// A key of the shards of `claimed`
    #[arg(
        long = "claimed-shard-key",
        value_name = "HOLDER=FILE",
        value_delimiter = ','
    )]
    #[arg(env = "COUNTERSIGN_CLAIMED_SHARD_KEY")]
    claimed_shard: Vec<HolderFile>,

    /// The invitation for which these keys were proved; without it, keys are taken as they are
    #[arg(long, value_name = "FILE", env = "COUNTERSIGN_INVITATION")]
    invitation: Option<PathBuf>,
}

impl OfflineKeys {
    fn held(&self, desk: &mut KeyDesk) -> Result<Vec<(KeyRole, HeldKey)>, Failure> {
        let mut out = Vec::new();
        for (role, files) in [
            (KeyRole::Root, &self.root),
            (KeyRole::Targets, &self.targets),
            (KeyRole::Bins, &self.bins),
            (KeyRole::Claimed, &self.claimed),
            (KeyRole::ClaimedShard, &self.claimed_shard),
        ] {
            out.extend(desk.held(files)?.into_iter().map(|one| (role, one)));
        }
        Ok(out)
    }
}

#[derive(Debug, clap::Args)]
pub(super) struct RotateRoot {
    #[command(flatten)]
    base: Base,

    /// A root key: the holder's name and the public key's file; once for every key there will be
    #[arg(
        long,
        value_name = "HOLDER=FILE",
        required = true,
        value_delimiter = ','
    )]
    #[arg(env = "COUNTERSIGN_ROOT_KEY")]
    root_key: Vec<HolderFile>,

    /// The invitation for which all these keys were proved; without it, keys are taken as they are
    #[arg(long, value_name = "FILE", env = "COUNTERSIGN_INVITATION")]
    invitation: Option<PathBuf>,
}

impl RotateRoot {
    pub(super) fn run(self) -> Done {
        let mut desk = KeyDesk::open(self.invitation.as_deref())?;
        let change = KeyChange::Root(desk.held(&self.root_key)?);
        self.base.plan(change, Some(&desk))
    }
}

#[derive(Debug, clap::Args)]
pub(super) struct RotateOnline {
    #[command(flatten)]
    base: Base,

    /// A new online key: signs every bin and the snapshot, and the timestamp if that has no other
    #[arg(long, value_name = "NAME=FILE", required = true, value_delimiter = ',')]
    #[arg(env = "COUNTERSIGN_ONLINE_KEY")]
    online_key: Vec<HolderFile>,

    /// A new online key of the timestamp alone
    #[arg(long, value_name = "NAME=FILE", value_delimiter = ',')]
    #[arg(env = "COUNTERSIGN_TIMESTAMP_KEY")]
    timestamp_key: Vec<HolderFile>,

    /// Keep the keys in use beside the new ones; a later rotation without this drops them
    #[arg(long, env = "COUNTERSIGN_OVERLAP")]
    #[arg(value_parser = clap::builder::FalseyValueParser::new())]
    overlap: bool,
}

impl RotateOnline {
    pub(super) fn run(self) -> Done {
        let snapshot = held(&self.online_key)?;
        let timestamp = if self.timestamp_key.is_empty() {
            snapshot.clone()
        } else {
            held(&self.timestamp_key)?
        };
        let change = KeyChange::Online {
            snapshot,
            timestamp,
            overlap: self.overlap,
        };
        self.base.plan(change, None)
    }
}

#[derive(Debug, clap::Args)]
pub(super) struct AddHolder {
    #[command(flatten)]
    base: Base,

    #[command(flatten)]
    keys: OfflineKeys,
}

impl AddHolder {
    pub(super) fn run(self) -> Done {
        let mut desk = KeyDesk::open(self.keys.invitation.as_deref())?;
        let change = KeyChange::Add(self.keys.held(&mut desk)?);
        self.base.plan(change, Some(&desk))
    }
}

#[derive(Debug, clap::Args)]
pub(super) struct ReplaceHolder {
    #[command(flatten)]
    base: Base,

    /// Whose key goes
    #[arg(long, value_name = "NAME", env = "COUNTERSIGN_LEAVING_HOLDER")]
    holder: String,

    #[command(flatten)]
    keys: OfflineKeys,
}

impl ReplaceHolder {
    pub(super) fn run(self) -> Done {
        let mut desk = KeyDesk::open(self.keys.invitation.as_deref())?;
        let with = self.keys.held(&mut desk)?;
        let holder = self.holder;
        self.base
            .plan(KeyChange::Replace { holder, with }, Some(&desk))
    }
}

#[derive(Debug, clap::Args)]
pub(super) struct RemoveHolder {
    #[command(flatten)]
    base: Base,

    /// Whose keys go
    #[arg(long, value_name = "NAME", env = "COUNTERSIGN_LEAVING_HOLDER")]
    holder: String,

    /// Roles to leave; without it, all offline ones
    #[arg(
        long,
        value_name = "ROLE",
        value_delimiter = ',',
        env = "COUNTERSIGN_ROLES"
    )]
    #[arg(value_parser = ["root", "targets", "bins", "claimed", "claimed-shard"])]
    roles: Vec<String>,
}

impl RemoveHolder {
    pub(super) fn run(self) -> Done {
        let named: BTreeMap<&str, KeyRole> = KeyRole::ALL.map(|role| (role.as_str(), role)).into();
        let roles = self.roles.iter();
        let roles = roles.filter_map(|name| named.get(name.as_str()).copied());
        let change = KeyChange::Remove {
            roles: roles.collect(),
            holder: self.holder,
        };
        self.base.plan(change, None)
    }
}
