//! The file of authorities that installers are told to believe: the one of this machine's proxy and, only
//! where hosts are allowed past it, those of the system.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use proxy::{Canonical, LocalAuthority};
use tempfile::{NamedTempFile, TempPath};

use crate::clock;
use crate::failure::Failure;

/// How often is looked whether the next certificate is due.
const LOOK: Duration = Duration::from_hours(1);

/// Largest file of authorities that is taken over, in bytes; the systems' have a few hundred kB.
const MOST_BYTES: u64 = 16_000_000;

/// Variables by which users name their own authorities.
const VARIABLES: [&str; 3] = ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "PIP_CERT"];

/// Where systems keep theirs.
pub(crate) const OF_THE_SYSTEM: [&str; 4] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// An authority and its file.
pub(crate) struct Authorities {
    authority: Arc<LocalAuthority>,
    path: PathBuf,
    /// Authorities that count beside it, in PEM.
    beside: Vec<u8>,
    /// Removes the file of one run with it.
    _run: Option<TempPath>,
}

impl Authorities {
    /// For one run, in a file of its own in `folder`. None where no URL of the index is asked over TLS.
    pub(crate) fn of_run(
        folder: &Path,
        canonical: &Canonical,
        beside: Vec<u8>,
    ) -> Result<Option<Self>, Failure> {
        let failed = |source| io("write in", folder, source);
        let file = NamedTempFile::with_prefix_in(".authorities-", folder).map_err(failed)?;
        let run = file.into_temp_path();
        let path = run.to_path_buf();
        Self::made(canonical, path, beside, Some(run))
    }

    /// In the file at `path`, for as long as a proxy runs.
    pub(crate) fn at(path: PathBuf, canonical: &Canonical) -> Result<Option<Self>, Failure> {
        Self::made(canonical, path, Vec::new(), None)
    }

    fn made(
        canonical: &Canonical,
        path: PathBuf,
        beside: Vec<u8>,
        run: Option<TempPath>,
    ) -> Result<Option<Self>, Failure> {
        let hosts = canonical.tls_hosts();
        if hosts.is_empty() {
            return Ok(None);
        }
        let authority = LocalAuthority::new(hosts, clock::now());
        let authority = authority.map_err(|error| Failure::Authority(Box::new(error)))?;
        let authorities = Self {
            authority: Arc::new(authority),
            path,
            beside,
            _run: run,
        };
        authorities.write()?;
        Ok(Some(authorities))
    }

    /// What signs.
    pub(crate) fn authority(&self) -> Arc<LocalAuthority> {
        Arc::clone(&self.authority)
    }

    /// The file.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    fn write(&self) -> Result<(), Failure> {
        let folder = self.path.parent().unwrap_or(Path::new("."));
        let write = || {
            let mut file = NamedTempFile::with_prefix_in(".authorities-", folder)?;
            file.write_all(self.authority.bundle().as_bytes())?;
            file.write_all(&self.beside)?;
            file.persist(&self.path).map_err(|error| error.error)
        };
        write()
            .map(drop)
            .map_err(|source| io("write", &self.path, source))
    }

    /// Makes the next one whenever it is due; never ends.
    pub(crate) async fn keep(&self) {
        loop {
            tokio::time::sleep(LOOK).await;
            let renewed = self.authority.renew(clock::now());
            let written = match renewed {
                Ok(true) => self.write(),
                Ok(false) => Ok(()),
                Err(error) => Err(Failure::Authority(Box::new(error))),
            };
            if let Err(error) = written {
                tracing::error!(%error, "the local authority was not renewed");
            }
        }
    }
}

/// The authorities by which hosts past the proxy are believed: the user's, or the system's.
pub(crate) fn of_others() -> Vec<u8> {
    let named = VARIABLES.iter().filter_map(std::env::var_os);
    let known = OF_THE_SYSTEM.iter().map(Into::into);
    let mut files = named.chain(known).map(PathBuf::from);
    files.find_map(|file| read(&file)).unwrap_or_default()
}

/// A file of authorities, if there is one.
pub(crate) fn read(file: &Path) -> Option<Vec<u8>> {
    let about = fs::metadata(file).ok()?;
    (about.is_file() && about.len() <= MOST_BYTES)
        .then(|| fs::read(file).ok())
        .flatten()
}

fn io(doing: &'static str, path: &Path, source: std::io::Error) -> Failure {
    Failure::Io {
        doing,
        path: path.to_owned(),
        source,
    }
}
