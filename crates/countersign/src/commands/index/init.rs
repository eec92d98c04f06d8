//! `countersign index init`: an empty index with its policy and settings.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use ceremony::key_command::{Source, one_each};
use keys::{KeyError, KeyUri, PassphraseError};
use policy::{Encoding, Policy, SignerLimits, TargetProfile};
use repository::{Repository, RepositoryError, Settings};
use serde::Serialize;

use crate::cli::JsonArgs;
use crate::config::{portable, write_new};
use crate::console::Console;
use crate::data_dir::{DataDir, DataDirArgs, make_folder};
use crate::failure::{Failure, UsageError};
use crate::online_keys::{OnlineKeyArgs, open_key};
use crate::places::{self, StorageArgs, StorePlace};

/// Make an empty index
///
/// Fixes how targets are spread over bins until a ceremony rebins, and keeps the policy. Nothing can be
/// published before a key ceremony's root, targets and bins were applied.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    data_dir: DataDirArgs,

    /// Policy: small-index, pep458, rehearsal, or a file
    #[arg(long, value_name = "NAME|FILE", default_value = "small-index")]
    #[arg(env = "COUNTERSIGN_POLICY")]
    policy: String,

    #[command(flatten)]
    online_keys: OnlineKeyArgs,

    #[command(flatten)]
    json: JsonArgs,
}

/// Everything an index is made from.
pub(crate) struct NewIndex<'a> {
    /// The policy's text.
    pub(crate) policy: &'a str,
    /// What the policy is called in messages.
    pub(crate) policy_name: &'a str,
    /// Keys that sign online.
    pub(crate) online_keys: &'a [KeyUri],
    /// Where their passphrases are.
    pub(crate) passphrases: &'a [Source],
    /// Where the repository is served, if not at the usual place.
    pub(crate) listen: Option<SocketAddr>,
}

#[derive(Serialize)]
struct Report {
    data_dir: PathBuf,
    policy: String,
    bins: u32,
    encoding: &'static str,
    profile: &'static str,
    online_keys: usize,
}

pub(crate) fn run(args: &Args, console: &Console) -> Result<(), Failure> {
    let data_dir = args.data_dir.open();
    let policy = policy_text(&args.policy)?;
    let limits = settings(&policy, &args.policy)?.policy.signers;
    check_keys(&args.online_keys, &limits)?;
    let repository = init(
        &data_dir,
        &NewIndex {
            policy: &policy,
            policy_name: &args.policy,
            online_keys: &args.online_keys.keys_in_full(),
            passphrases: &args.online_keys.passphrases.sources(),
            listen: None,
        },
    )?;
    let keys = args.online_keys.online_key.len();
    let report = Report::new(&data_dir, repository.settings(), keys);
    console.report(args.json.json, &report, || report.text())
}

/// Makes the index: state, repository and settings.
pub(crate) fn init(data_dir: &DataDir, new: &NewIndex<'_>) -> Result<Repository, Failure> {
    let settings = settings(new.policy, new.policy_name)?;
    if data_dir.config().exists() {
        return Err(Failure::Taken {
            path: data_dir.path().to_owned(),
        });
    }
    let keys = new.online_keys.iter().map(|key| keep_key(key, data_dir));
    let keys = keys.collect::<Result<Vec<_>, _>>()?;
    let sources = new.passphrases.iter().map(|one| keep_source(one, data_dir));
    let sources = sources.collect::<Result<Vec<_>, _>>()?;
    make_folder(data_dir.path())?;
    let storage = keep_storage(data_dir)?;
    let repository = places::init(data_dir, &settings).map_err(|failure| match failure {
        // The state's own file says less to people than the folder they named.
        Failure::Repository(RepositoryError::Exists { .. }) => Failure::Taken {
            path: data_dir.path().to_owned(),
        },
        other => other,
    })?;
    write_new(&data_dir.config(), &keys, &sources, new.listen, &storage)?;
    Ok(repository)
}

/// What an index under this policy is.
fn settings(policy: &str, name: &str) -> Result<Settings, Failure> {
    Settings::from_policy(policy).map_err(|source| Failure::Policy {
        name: name.to_owned(),
        source,
    })
}

/// Opens the keys as cycles will: what does not sign now would be found out when a role is due. Without
/// a passphrase at hand it is at least no public key and no other file.
fn check_keys(args: &OnlineKeyArgs, limits: &SignerLimits) -> Result<(), Failure> {
    let keys = args.keys_in_full();
    let reach = args.reach.reach().within(limits);
    let kms = args.kms.opener(limits);
    let given = args.passphrases.sources();
    let sources = one_each(&given, keys.len()).ok_or(UsageError::Passphrases {
        keys: keys.len(),
        sources: given.len(),
    })?;
    for (key, source) in keys.iter().zip(&sources) {
        match open_key(key, source, &reach, &kms) {
            Ok(_) => {}
            Err(Failure::Key(KeyError::Passphrase {
                source: PassphraseError::NotGiven,
                ..
            })) if given.is_empty() => {}
            Err(failure) => return Err(failure),
        }
    }
    Ok(())
}

/// The text of a shipped policy, or else of a file.
pub(crate) fn policy_text(name: &str) -> Result<String, Failure> {
    if let Some(text) = Policy::built_in_text(name) {
        return Ok(text.to_owned());
    }
    let path = Path::new(name);
    if !path.exists() {
        let name = name.to_owned();
        return Err(Failure::UnknownPolicy { name });
    }
    fs::read_to_string(path).map_err(|source| Failure::Io {
        doing: "read",
        path: path.to_owned(),
        source,
    })
}

/// A key as the settings name it. One that is not there would fail at the first signature only.
fn keep_key(key: &KeyUri, data_dir: &DataDir) -> Result<KeyUri, Failure> {
    match key {
        KeyUri::File(path) => Ok(KeyUri::File(keep_path(path, data_dir)?)),
        elsewhere => Ok(elsewhere.clone()),
    }
}

/// Where the parts of the index lie, as the settings name it.
fn keep_storage(data_dir: &DataDir) -> Result<StorageArgs, Failure> {
    let mut storage = data_dir.storage().clone();
    let store = storage.store.as_mut().and_then(|store| match store {
        StorePlace::Folder(path) => Some(path),
        StorePlace::Bucket(_) => None,
    });
    let files = [
        &mut storage.state_password_file,
        &mut storage.state_authorities,
    ];
    for path in store.into_iter().chain(files.into_iter().flatten()) {
        *path = portable(path, data_dir.path()).map_err(|source| Failure::Io {
            doing: "find",
            path: path.clone(),
            source,
        })?;
    }
    if let Some(path) = &mut storage.bucket.credentials_file {
        *path = keep_path(path, data_dir)?;
    }
    Ok(storage)
}

fn keep_source(source: &Source, data_dir: &DataDir) -> Result<Source, Failure> {
    Ok(match source {
        Source::File(path) => Source::File(keep_path(path, data_dir)?),
        other => other.clone(),
    })
}

fn keep_path(path: &Path, data_dir: &DataDir) -> Result<PathBuf, Failure> {
    let failed = |source| Failure::Io {
        doing: "find",
        path: path.to_owned(),
        source,
    };
    fs::metadata(path).map_err(failed)?;
    portable(path, data_dir.path()).map_err(failed)
}

impl Report {
    fn new(data_dir: &DataDir, settings: &Settings, online_keys: usize) -> Self {
        Self {
            online_keys,
            data_dir: data_dir.path().to_owned(),
            policy: settings.policy.name.clone(),
            bins: settings.layout.count.get(),
            encoding: match settings.layout.encoding {
                Encoding::PathHashPrefixes => "path-hash-prefixes",
                Encoding::Succinct => "succinct",
            },
            profile: match settings.profile {
                TargetProfile::Pages => "pages",
                TargetProfile::PagesAndFiles => "pages+files",
            },
        }
    }

    fn text(&self) -> String {
        let dir = self.data_dir.display();
        let mut out = format!(
            "made the index {dir} by the policy {}: {} bins ({}), targets are {}\n",
            self.policy, self.bins, self.encoding, self.profile,
        );
        if self.online_keys == 0 {
            out.push_str("no online key is set: name it under [online] in its countersign.toml\n");
        }
        out.push_str(
            "next: `countersign index apply SET` with the publish-set of a key ceremony\n",
        );
        out
    }
}
