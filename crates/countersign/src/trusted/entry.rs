//! One trusted index: its folder, and what lies where in it.

use std::fs;
use std::io::{ErrorKind, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use client::{ClientError, Datastore};
use metadata::Sha256;
use proxy::Identity;

use super::{Anchor, TrustError, io_failure};
use crate::commands::client::Place;
use crate::data_dir::make_private_folder;
use crate::failure::Failure;
use crate::keyring::KeyringProvider;

/// Larger than any anchor can be: the root in it is limited, too.
const MOST_BYTES: u64 = 4_000_000;

/// A trusted index.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    name: String,
    folder: PathBuf,
    anchor: Anchor,
    keyring: KeyringProvider,
}

/// What a proxy of an index needs beside its place.
pub(crate) struct Proxied {
    /// Its fixed address.
    pub(crate) address: SocketAddr,
    /// Its folder of verified files.
    pub(crate) cache: PathBuf,
    /// What it proves to whoever asks whose it is.
    pub(crate) identity: Identity,
}

impl Entry {
    pub(super) fn read(
        folder: &Path,
        name: &str,
        keyring: KeyringProvider,
    ) -> Result<Self, Failure> {
        let path = folder.join("anchor.toml");
        let failed = |source| io_failure("read", &path, source);
        let length = fs::metadata(&path).map_err(failed)?.len();
        if length > MOST_BYTES {
            let why = format!("it has {length} bytes");
            return Err(TrustError::Anchor { path, why }.into());
        }
        let anchor = Anchor::parse(&fs::read_to_string(&path).map_err(failed)?, &path)?;
        Ok(Self {
            name: name.to_owned(),
            folder: folder.to_owned(),
            anchor,
            keyring,
        })
    }

    /// Makes the folder of a new index, with its root trusted.
    pub(super) async fn make(
        folder: &Path,
        name: &str,
        anchor: &Anchor,
        port: u16,
    ) -> Result<(), Failure> {
        let entry = Self {
            name: name.to_owned(),
            folder: folder.to_owned(),
            anchor: Anchor {
                port: Some(port),
                ..anchor.clone()
            },
            keyring: KeyringProvider::Disabled,
        };
        let datastore = Datastore::open(entry.metadata_dir())?;
        let (root, rules) = (entry.anchor.root.as_bytes(), entry.anchor.rules());
        let pinned = client::init(&datastore, root, &rules).await;
        pinned.map_err(|error| match error {
            ClientError::Rejected(_) => Failure::NotARoot {
                path: "the root given".into(),
                source: Box::new(error),
            },
            other => other.into(),
        })?;
        let path = folder.join("anchor.toml");
        let text = entry.anchor.write().map_err(|error| TrustError::Anchor {
            path: path.clone(),
            why: error.to_string(),
        })?;
        fs::write(&path, text).map_err(|source| io_failure("write", &path, source))
    }

    /// Its name.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Its folder.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// The anchor it was trusted by.
    pub(crate) fn anchor(&self) -> &Anchor {
        &self.anchor
    }

    /// Its metadata.
    fn metadata_dir(&self) -> PathBuf {
        self.folder.join("metadata")
    }

    /// Where it is.
    pub(crate) fn place(&self) -> Result<Place, Failure> {
        let minimum = self.anchor.least().map_err(|why| TrustError::Anchor {
            path: self.folder.join("anchor.toml"),
            why,
        })?;
        Ok(Place {
            minimum,
            keyring: self.keyring,
            ..self.anchor.place(&self.metadata_dir())?
        })
    }

    /// The fixed address of its proxy.
    pub(crate) fn address(&self) -> SocketAddr {
        let port = self.anchor.port.unwrap_or(super::FIRST_PORT);
        (Ipv4Addr::LOCALHOST, port).into()
    }

    /// The cache of an installer that has seen nothing but what this anchor vouches for. A wheel
    /// that another anchor, or nobody, vouched for must never be taken from it: where others have a say,
    /// hosts that are allowed or indexes that rules name, the cache is another.
    pub(crate) fn installer_cache(
        &self,
        installer: &str,
        others: &[String],
    ) -> Result<PathBuf, Failure> {
        let short = |digest: Sha256| digest.to_string()[..16].to_owned();
        let mut name = short(self.anchor.sha256());
        if !others.is_empty() {
            let mut others = others.to_vec();
            others.sort();
            others.dedup();
            name = format!("{name}-{}", short(Sha256::of(others.join("\n").as_bytes())));
        }
        let folder = self.folder.join("installers").join(name).join(installer);
        make_private_folder(&folder)?;
        Ok(folder)
    }

    /// Where programs are kept that `exec` has its commands find before others.
    pub(crate) fn programs_folder(&self) -> Result<PathBuf, Failure> {
        let folder = self.folder.join("programs");
        make_private_folder(&folder)?;
        Ok(folder)
    }

    /// What its proxy needs.
    pub(crate) fn proxied(&self) -> Result<Proxied, Failure> {
        Ok(Proxied {
            address: self.address(),
            cache: self.folder.join("cache"),
            identity: self.identity()?,
        })
    }

    /// What its proxies prove: they know the key in this folder, which only its owner can enter.
    pub(crate) fn identity(&self) -> Result<Identity, Failure> {
        let path = self.folder.join("proxy.key");
        let failed = |source| io_failure("use", &path, source);
        let key = match read_key(&path).map_err(failed)? {
            Some(key) => key,
            None => make_key(&path).map_err(failed)?,
        };
        Ok(Identity::new(&key, &self.anchor.sha256().to_string()))
    }
}

type Key = zeroize::Zeroizing<[u8; 32]>;

fn read_key(path: &Path) -> std::io::Result<Option<Key>> {
    let bytes = match fs::read(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        bytes => zeroize::Zeroizing::new(bytes?),
    };
    check_mode(path)?;
    let key: [u8; 32] = bytes.as_slice().try_into().map_err(std::io::Error::other)?;
    Ok(Some(zeroize::Zeroizing::new(key)))
}

/// Makes a key; of several processes that do so at once, one wins and all take its key.
fn make_key(path: &Path) -> std::io::Result<Key> {
    let key = proxy::new_key()?;
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(&*key)?;
    match file.persist_noclobber(path) {
        Ok(_) => Ok(key),
        Err(error) if error.error.kind() == ErrorKind::AlreadyExists => {
            read_key(path)?.ok_or_else(|| ErrorKind::NotFound.into())
        }
        Err(error) => Err(error.error),
    }
}

fn check_mode(path: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::MetadataExt;

    let about = fs::metadata(path)?;
    let user = rustix::process::geteuid().as_raw();
    if about.uid() != user || about.mode() & 0o077 != 0 {
        let why = "others can read it; remove it, and the next start makes another";
        return Err(std::io::Error::new(ErrorKind::PermissionDenied, why));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn the_key_is_made_once_and_must_stay_secret() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("proxy.key");
        assert!(read_key(&path).expect("no error").is_none());
        let first = make_key(&path).expect("a key");
        let second = make_key(&path).expect("the same key");
        assert_eq!(first, second);
        let mode = fs::metadata(&path).expect("a file").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).expect("changed");
        assert!(read_key(&path).is_err());
    }
}
