//! `countersign.toml`: the settings of an index as they are kept beside it.

mod edit;

use std::fmt::Write as _;
use std::fs;
use std::io::{self, Read, Write as _};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use ceremony::key_command::Source;
use keys::KeyUri;
use serde::Deserialize;
use store_bucket::{BucketError, BucketPlace};

use crate::bucket_options::BucketOptions;
use crate::config::ConfigError;
use crate::places::{StatePlace, StorageArgs, StorePlace};

pub(crate) use edit::{keep_state, keep_store};

/// Longest file read; ours have some hundred bytes.
const MAX_BYTES: u64 = 65_536;

/// The file as it stands.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Document {
    #[serde(default)]
    online: Online,
    #[serde(default)]
    serve: Serve,
    #[serde(default)]
    storage: Storage,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Online {
    #[serde(default)]
    keys: Vec<String>,
    #[serde(default)]
    passphrase_files: Vec<PathBuf>,
    passphrase_credential: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Serve {
    listen: Option<SocketAddr>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Storage {
    state: Option<String>,
    state_password_file: Option<PathBuf>,
    state_password_credential: Option<String>,
    state_authorities: Option<PathBuf>,
    store: Option<String>,
    uploads: Option<String>,
    bucket: Option<BucketOptions>,
}

/// What the file says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ConfigFile {
    online: Online,
    /// Where the repository is served.
    pub(crate) listen: Option<SocketAddr>,
    storage: Storage,
}

impl ConfigFile {
    /// Reads the file; a missing one says nothing.
    pub(crate) fn read(path: &Path) -> Result<Self, ConfigError> {
        let failed = |source| ConfigError::Read {
            path: path.to_owned(),
            source,
        };
        let mut text = String::new();
        match fs::File::open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::default()),
            opened => opened
                .and_then(|file| file.take(MAX_BYTES).read_to_string(&mut text))
                .map_err(failed)?,
        };
        Self::parse(path, &text)
    }

    fn parse(path: &Path, text: &str) -> Result<Self, ConfigError> {
        let document: Document = toml::from_str(text).map_err(|source| ConfigError::Toml {
            path: path.to_owned(),
            source: Box::new(source),
        })?;
        Ok(Self {
            online: document.online,
            listen: document.serve.listen,
            storage: document.storage,
        })
    }

    /// The keys, with paths relative to the index made usable.
    pub(crate) fn keys_in(&self, data_dir: &Path, file: &Path) -> Result<Vec<KeyUri>, ConfigError> {
        let parse = |(at, text): (usize, &String)| match text.parse() {
            Ok(KeyUri::File(path)) => Ok(KeyUri::File(data_dir.join(path))),
            Ok(elsewhere) => Ok(elsewhere),
            Err(source) => Err(ConfigError::Key {
                path: file.to_owned(),
                entry: at + 1,
                source,
            }),
        };
        self.online.keys.iter().enumerate().map(parse).collect()
    }

    /// Where the state is.
    pub(crate) fn state_in(
        &self,
        data_dir: &Path,
        file: &Path,
    ) -> Result<Option<StatePlace>, ConfigError> {
        let Some(text) = &self.storage.state else {
            return Ok(None);
        };
        let place = text.parse::<StatePlace>();
        let place = place.map_err(|source| ConfigError::State {
            path: file.to_owned(),
            source: Box::new(source),
        })?;
        Ok(Some(place.below(data_dir)))
    }

    /// Where the password of its database is, with a path relative to the index made usable.
    pub(crate) fn state_password_in(&self, data_dir: &Path) -> Option<Source> {
        let storage = &self.storage;
        let file = storage.state_password_file.as_ref();
        let file = file.map(|path| Source::File(data_dir.join(path)));
        file.or_else(|| {
            storage
                .state_password_credential
                .clone()
                .map(Source::Credential)
        })
    }

    /// Whom its database is believed by, likewise.
    pub(crate) fn state_authorities_in(&self, data_dir: &Path) -> Option<PathBuf> {
        let path = self.storage.state_authorities.as_ref()?;
        Some(data_dir.join(path))
    }

    /// Where the store is, with a path relative to the index made usable.
    pub(crate) fn store_in(
        &self,
        data_dir: &Path,
        file: &Path,
    ) -> Result<Option<StorePlace>, ConfigError> {
        let Some(text) = &self.storage.store else {
            return Ok(None);
        };
        let place = text.parse::<StorePlace>();
        let place = place.map_err(bucket_error("storage.store", file))?;
        Ok(Some(place.below(data_dir)))
    }

    /// Where the uploads are, if in a bucket.
    pub(crate) fn uploads(&self, file: &Path) -> Result<Option<BucketPlace>, ConfigError> {
        let text = self.storage.uploads.as_ref();
        let place = text.map(|text| text.parse()).transpose();
        place.map_err(bucket_error("storage.uploads", file))
    }

    /// What is said of buckets.
    pub(crate) fn bucket(&self) -> BucketOptions {
        self.storage.bucket.clone().unwrap_or_default()
    }

    /// Where the passphrases are, with paths relative to the index made usable.
    pub(crate) fn passphrases_in(&self, data_dir: &Path) -> Vec<Source> {
        let files = self.online.passphrase_files.iter();
        let files = files.map(|path| Source::File(data_dir.join(path)));
        let credential = self.online.passphrase_credential.clone();
        files.chain(credential.map(Source::Credential)).collect()
    }
}

/// Writes a new settings file; never overwrites one. Paths have to be [`super::portable`].
pub(crate) fn write_new(
    path: &Path,
    keys: &[KeyUri],
    passphrases: &[Source],
    listen: Option<SocketAddr>,
    storage: &StorageArgs,
) -> Result<(), ConfigError> {
    let failed = |source| ConfigError::Write {
        path: path.to_owned(),
        source,
    };
    let text = render(keys, passphrases, listen, storage);
    fs::File::create_new(path)
        .and_then(|mut file| {
            file.write_all(text.as_bytes())?;
            file.sync_all()
        })
        .map_err(failed)
}

fn render(
    keys: &[KeyUri],
    passphrases: &[Source],
    listen: Option<SocketAddr>,
    storage: &StorageArgs,
) -> String {
    let mut out = String::from(
        "# Settings of this index. Paths are relative to this folder. Options and COUNTERSIGN_*\n\
         # variables win over this file; `countersign config show` says where each value came from.\n\
         \n\
         [online]\n\
         # Keys that sign timestamp, snapshot and bins. They stay on this machine; all others do not.\n",
    );
    let keys: Vec<_> = keys.iter().map(|key| quoted(&key.to_string())).collect();
    // Writing to a string cannot fail.
    let _ = writeln!(out, "keys = [{}]", keys.join(", "));
    let mut files = Vec::new();
    for source in passphrases {
        match source {
            Source::File(path) => files.push(quoted(&path.to_string_lossy())),
            Source::Credential(name) => {
                let _ = writeln!(out, "passphrase-credential = {}", quoted(name));
            }
            // A descriptor means something only to the process that has it open.
            Source::Descriptor(_) | Source::Terminal => {}
        }
    }
    if !files.is_empty() {
        out.push_str("# One for all keys, or one for each in order.\n");
        let _ = writeln!(out, "passphrase-files = [{}]", files.join(", "));
    }
    if let Some(listen) = listen {
        let _ = write!(out, "\n[serve]\nlisten = {}\n", quoted(&listen.to_string()));
    }
    out.push_str(&storage_section(storage));
    out
}

/// Where the parts lie, if not in the folder.
fn storage_section(storage: &StorageArgs) -> String {
    let parts = [
        ("store", storage.store.as_ref().map(ToString::to_string)),
        ("uploads", storage.uploads.as_ref().map(ToString::to_string)),
    ];
    let mut out = String::new();
    for (name, value) in state_values(storage).into_iter().chain(parts) {
        if let Some(value) = value {
            if out.is_empty() {
                out.push_str("\n[storage]\n");
            }
            let _ = writeln!(out, "{name} = {}", quoted(&value));
        }
    }
    out + &render_bucket(&storage.bucket)
}

/// What is said of the state.
fn state_values(storage: &StorageArgs) -> [(&'static str, Option<String>); 4] {
    let path = |path: &Option<PathBuf>| path.as_ref().map(|path| path.display().to_string());
    [
        ("state", storage.state.as_ref().map(ToString::to_string)),
        ("state-password-file", path(&storage.state_password_file)),
        (
            "state-password-credential",
            storage.state_password_credential.clone(),
        ),
        ("state-authorities", path(&storage.state_authorities)),
    ]
}

fn render_bucket(bucket: &BucketOptions) -> String {
    let mut out = String::new();
    for (name, value) in bucket.lines() {
        let Some(value) = value else { continue };
        if out.is_empty() {
            out.push_str("\n[storage.bucket]\n");
        }
        let is_flag = matches!(value.as_str(), "true" | "false");
        let value = if is_flag { value } else { quoted(&value) };
        let _ = writeln!(out, "{name} = {value}");
    }
    out
}

fn bucket_error(key: &'static str, file: &Path) -> impl FnOnce(BucketError) -> ConfigError {
    let path = file.to_owned();
    move |source| ConfigError::Bucket { path, key, source }
}

/// A string as TOML writes it.
fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("countersign.toml");
        let keys = [KeyUri::File("keys/a \"b\".pem".into())];
        let sources = [Source::File("keys/p".into())];
        let listen = "127.0.0.1:8431".parse().ok();
        let storage = StorageArgs {
            state: "postgres://index@db.example/index".parse().ok(),
            state_password_file: Some("keys/database".into()),
            store: "served".parse().ok(),
            uploads: "s3://intake/new".parse().ok(),
            bucket: BucketOptions {
                endpoint: Some("https://store.index.example".to_owned()),
                path_style: Some(true),
                credentials_file: Some("keys/bucket".into()),
                ..BucketOptions::default()
            },
            ..StorageArgs::default()
        };
        write_new(&path, &keys, &sources, listen, &storage).expect("a new file");
        assert!(write_new(&path, &keys, &sources, listen, &storage).is_err());
        let read = ConfigFile::read(&path).expect("what was written");
        let base = Path::new("/data");
        let expected = [KeyUri::File("/data/keys/a \"b\".pem".into())];
        assert_eq!(read.keys_in(base, &path).expect("keys"), expected);
        assert_eq!(
            read.passphrases_in(base),
            [Source::File("/data/keys/p".into())]
        );
        assert_eq!(read.listen, listen);
        let store = StorePlace::Folder("/data/served".into());
        assert_eq!(read.store_in(base, &path).unwrap(), Some(store));
        assert_eq!(read.uploads(&path).unwrap(), storage.uploads);
        assert_eq!(read.bucket(), storage.bucket);
        let merged = BucketOptions::default().or(&read.bucket(), base);
        let credentials = Path::new("/data/keys/bucket");
        assert_eq!(merged.credentials_file.as_deref(), Some(credentials));
        let state = read.state_in(base, &path).expect("an address");
        assert_eq!(state, storage.state);
        let password = Source::File("/data/keys/database".into());
        assert_eq!(read.state_password_in(base), Some(password));
    }

    #[test]
    fn what_nobody_knows_is_refused() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("countersign.toml");
        fs::write(&path, "[online]\nkey = []\n").expect("the file is written");
        assert!(matches!(
            ConfigFile::read(&path),
            Err(ConfigError::Toml { .. })
        ));
        fs::write(&path, "[online]\nkeys = [\"gpg:x\"]\n").expect("the file is written");
        let read = ConfigFile::read(&path).expect("TOML");
        assert!(matches!(
            read.keys_in(folder.path(), &path),
            Err(ConfigError::Key { .. })
        ));
    }
}
