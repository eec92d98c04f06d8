//! The certificate of a server of ours: read from PEM files, and again when they change.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use crate::failure::Failure;

/// How long a renewed certificate may go unnoticed.
const LOOK_EVERY: Duration = Duration::from_mins(1);

/// Why a certificate cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CertificateError {
    /// A file cannot be read as PEM.
    #[error("could not read {what} in {path}", path = path.display())]
    Pem {
        /// What should be there.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        source: rustls::pki_types::pem::Error,
    },
    /// The chain is empty.
    #[error("{path} holds no certificate", path = path.display())]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// They do not go together.
    #[error("the certificate in {path} cannot be used", path = path.display())]
    Tls {
        /// The file.
        path: PathBuf,
        /// Why.
        source: rustls::Error,
    },
}

/// TLS with a certificate chain and its key.
pub(crate) fn server_config(
    chain: PathBuf,
    key: PathBuf,
) -> Result<Arc<rustls::ServerConfig>, Failure> {
    let resolver = Resolver::open(chain.clone(), key)?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|source| CertificateError::Tls {
            path: chain,
            source,
        })?;
    let mut config = builder
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(resolver));
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

/// Gives out the certificate, and looks now and then whether there is a new one.
#[derive(Debug)]
struct Resolver {
    chain: PathBuf,
    key: PathBuf,
    held: Mutex<Held>,
}

#[derive(Debug)]
struct Held {
    certified: Arc<CertifiedKey>,
    changed: Option<(SystemTime, SystemTime)>,
    looked: Instant,
}

impl Resolver {
    fn open(chain: PathBuf, key: PathBuf) -> Result<Self, CertificateError> {
        let changed = changed(&chain, &key);
        let certified = Arc::new(load(&chain, &key)?);
        let looked = Instant::now();
        Ok(Self {
            chain,
            key,
            held: Mutex::new(Held {
                certified,
                changed,
                looked,
            }),
        })
    }
}

impl ResolvesServerCert for Resolver {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if held.looked.elapsed() >= LOOK_EVERY {
            held.looked = Instant::now();
            let found = changed(&self.chain, &self.key);
            if found != held.changed {
                match load(&self.chain, &self.key) {
                    Ok(certified) => {
                        held.certified = Arc::new(certified);
                        held.changed = found;
                    }
                    // Between two files being replaced they may not fit: the next look finds them whole.
                    Err(error) => {
                        tracing::error!("going on with the certificate of before: {error}");
                    }
                }
            }
        }
        Some(Arc::clone(&held.certified))
    }
}

fn changed(chain: &Path, key: &Path) -> Option<(SystemTime, SystemTime)> {
    let of = |path: &Path| std::fs::metadata(path).and_then(|about| about.modified());
    Some((of(chain).ok()?, of(key).ok()?))
}

fn load(chain: &Path, key: &Path) -> Result<CertifiedKey, CertificateError> {
    let pem = |what, path: &Path, source| CertificateError::Pem {
        what,
        path: path.to_owned(),
        source,
    };
    let certificates = CertificateDer::pem_file_iter(chain)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|source| pem("a certificate chain", chain, source))?;
    if certificates.is_empty() {
        let path = chain.to_owned();
        return Err(CertificateError::Empty { path });
    }
    let private = PrivateKeyDer::from_pem_file(key)
        .map_err(|source| pem("the private key of a certificate", key, source))?;
    let provider = rustls::crypto::ring::default_provider();
    let certified = CertifiedKey::from_der(certificates, private, &provider);
    certified.map_err(|source| CertificateError::Tls {
        path: chain.to_owned(),
        source,
    })
}
