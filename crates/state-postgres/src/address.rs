//! Where the database is, and how safe the way to it is.

use std::fmt;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use policy::StateLimits;
use postgres::Config;
use postgres::config::{Host, SslMode, TargetSessionAttrs};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use tokio_postgres_rustls::MakeRustlsConnect;
use zeroize::Zeroizing;

use crate::pgpass;

/// Where a database is, who asks, and whom it believes. Never shows the password.
#[derive(Clone)]
pub struct Address {
    config: Config,
    tls: MakeRustlsConnect,
    /// The URL as it was given: it holds no password.
    text: String,
}

/// Why an address cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum AddressError {
    /// Not a URL that PostgreSQL's own programs would take.
    #[error("`{text}` is no address of a PostgreSQL database")]
    Syntax {
        /// What was given.
        text: String,
        /// What is wrong with it.
        source: postgres::Error,
    },
    /// A password in it: command lines, settings files and variables are read by others.
    #[error("the address of the database holds a password")]
    Password,
    /// Host or user is missing.
    #[error("`{text}` names no {what}")]
    Missing {
        /// What was given.
        text: String,
        /// What it lacks.
        what: &'static str,
    },
    /// The way to another machine without TLS: whoever is on it could change the state, which is trusted.
    #[error("`{text}` asks another machine without TLS")]
    WithoutTls {
        /// What was given.
        text: String,
    },
    /// A file of authorities cannot be read or holds none.
    #[error("{path} holds no certificate of an authority", path = path.display())]
    Authorities {
        /// The file.
        path: PathBuf,
    },
    /// TLS could not be set up; a defect.
    #[error("TLS could not be set up")]
    Tls(#[source] rustls::Error),
}

impl Address {
    /// Reads `postgres://USER@HOST[:PORT][,HOST…]/DATABASE`. Several hosts are tried in turn, and the one
    /// that takes writes is used: after a fail-over the new primary.
    ///
    /// `authorities` is a file of certificates to believe instead of the system's. Without `password` the
    /// password is looked up in the password file that PostgreSQL's own programs read; without one there, too,
    /// the database has to know its user by other means.
    pub fn new(
        text: &str,
        authorities: Option<&Path>,
        password: Option<&[u8]>,
    ) -> Result<Self, AddressError> {
        let mut config: Config = text.parse().map_err(|source| AddressError::Syntax {
            text: without_userinfo(text),
            source,
        })?;
        if config.get_password().is_some() {
            return Err(AddressError::Password);
        }
        let text = text.to_owned();
        if config.get_hosts().is_empty() {
            return Err(AddressError::Missing { text, what: "host" });
        }
        let is_here = config.get_hosts().iter().all(is_this_machine)
            && config.get_hostaddrs().iter().all(IpAddr::is_loopback);
        if !is_here {
            if asks_for_less(&text) {
                return Err(AddressError::WithoutTls { text });
            }
            config.ssl_mode(SslMode::Require);
        } else if !text.contains("sslmode") {
            // What distributions install answers with a certificate that nobody vouches for.
            config.ssl_mode(SslMode::Disable);
        }
        match password {
            Some(password) => {
                config.password(password);
            }
            None => {
                if let Some(password) = pgpass::find(&config) {
                    config.password(&*password);
                }
            }
        }
        config.target_session_attrs(TargetSessionAttrs::ReadWrite);
        if config.get_application_name().is_none() {
            config.application_name("countersign");
        }
        Ok(Self {
            config,
            tls: MakeRustlsConnect::new(tls(authorities)?),
            text,
        })
    }

    pub(crate) fn connect(
        &self,
        limits: &StateLimits,
    ) -> Result<postgres::Client, postgres::Error> {
        let mut config = self.config.clone();
        config
            .connect_timeout(limits.connect_timeout)
            // A machine that went away without a word is noticed, whatever was under way.
            .tcp_user_timeout(limits.reconnect_for)
            // Less than a second is no time to the system.
            .keepalives_idle((limits.reconnect_for / 2).max(Duration::from_secs(1)))
            .keepalives_interval(Duration::from_secs(5))
            .keepalives_retries(3);
        config.connect(self.tls.clone())
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Address({})", self.text)
    }
}

/// What may be shown of an address that cannot be read: nothing before its host.
fn without_userinfo(text: &str) -> String {
    match text.rsplit_once('@') {
        Some((_, rest)) => format!("…@{rest}"),
        None if text.contains("password") => "…".to_owned(),
        None => text.to_owned(),
    }
}

fn is_this_machine(host: &Host) -> bool {
    match host {
        Host::Tcp(name) => {
            name == "localhost" || name.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
        }
        Host::Unix(_) => true,
    }
}

/// Whether TLS was given up by name; the way to another machine has it always.
fn asks_for_less(text: &str) -> bool {
    ["disable", "allow", "prefer"]
        .iter()
        .any(|mode| text.contains(&format!("sslmode={mode}")))
}

fn tls(authorities: Option<&Path>) -> Result<ClientConfig, AddressError> {
    let mut roots = RootCertStore::empty();
    match authorities {
        Some(path) => {
            let failed = || AddressError::Authorities {
                path: path.to_owned(),
            };
            let found = CertificateDer::pem_file_iter(path).map_err(|_| failed())?;
            for certificate in found {
                roots
                    .add(certificate.map_err(|_| failed())?)
                    .map_err(|_| failed())?;
            }
            if roots.is_empty() {
                return Err(failed());
            }
        }
        None => {
            // Without any, connections over TLS fail and say so; those within the machine need none.
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(AddressError::Tls)?;
    Ok(config.with_root_certificates(roots).with_no_client_auth())
}

/// A password out of a file, without its line end.
pub(crate) type Password = Zeroizing<Vec<u8>>;

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> AddressError {
        Address::new(text, None, None).unwrap_err()
    }

    #[test]
    fn a_password_in_an_address_is_refused_and_not_repeated() {
        let error = refused("postgres://index:geheim@db.example/countersign");
        assert!(matches!(error, AddressError::Password));
        for wrong in [
            "postgres://a:geheim@db:port/x",
            "host=db passwort password=geheim",
        ] {
            let error = refused(wrong);
            assert!(!error.to_string().contains("geheim"), "{error}");
        }
    }

    #[test]
    fn other_machines_are_asked_over_tls_alone() {
        for text in [
            "postgres://index@db.example/countersign?sslmode=disable",
            "postgres://index@db.example/countersign?sslmode=prefer",
            "postgres://index@localhost,192.0.2.7/countersign?sslmode=disable",
        ] {
            assert!(
                matches!(refused(text), AddressError::WithoutTls { .. }),
                "{text}"
            );
        }
        let address = Address::new("postgres://index@db.example/countersign", None, None).unwrap();
        assert_eq!(address.config.get_ssl_mode(), SslMode::Require);
        for text in [
            "postgres://index@127.0.0.1:5433/countersign?sslmode=disable",
            "postgres://index@%2Frun%2Fpostgresql/countersign",
        ] {
            Address::new(text, None, None).unwrap();
        }
        assert!(matches!(
            refused("postgres:///x"),
            AddressError::Missing { .. }
        ));
    }

    #[test]
    fn a_file_without_authorities_is_refused() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let text = "postgres://index@db.example/countersign";
        let refused = Address::new(text, Some(file.path()), None).unwrap_err();
        assert!(matches!(refused, AddressError::Authorities { .. }));
    }
}
