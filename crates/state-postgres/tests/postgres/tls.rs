//! A server that speaks TLS, with a certificate that is believed or is not.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use base64ct::{Base64, Encoding};
use countersign_repository::{Settings, State};
use countersign_state_postgres::{Address, PostgresState};
use policy::StateLimits;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};

use crate::server::{PASSWORD, PostgresServer};
use crate::support::POLICY;

/// An authority of the test's own, with its certificate in a file.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    folder: tempfile::TempDir,
}

impl Authority {
    fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let folder = tempfile::tempdir().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        std::fs::write(
            folder.path().join("authority.pem"),
            pem("CERTIFICATE", certificate.der()),
        )
        .unwrap();
        let issuer = Issuer::new(params, key);
        Self { issuer, folder }
    }

    fn file(&self) -> std::path::PathBuf {
        self.folder.path().join("authority.pem")
    }

    /// A server with a certificate of this authority, for a name.
    fn server(&self, name: &str) -> PostgresServer {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new([name.to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        PostgresServer::start_with(&["ssl=on"], |data: &Path| {
            std::fs::write(
                data.join("server.crt"),
                pem("CERTIFICATE", certificate.der()),
            )
            .unwrap();
            let path = data.join("server.key");
            std::fs::write(&path, pem("PRIVATE KEY", &key.serialize_der())).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        })
    }
}

/// RFC 7468.
fn pem(label: &str, der: &[u8]) -> String {
    let text = Base64::encode_string(der);
    let lines: Vec<_> = text
        .as_bytes()
        .chunks(64)
        .map(String::from_utf8_lossy)
        .collect();
    let lines = lines.join("\n");
    format!("-----BEGIN {label}-----\n{lines}\n-----END {label}-----\n")
}

/// Makes the state of an index in a database, over TLS.
fn create(url: &str, authority: &Authority) -> Result<PostgresState, String> {
    let url = format!("{url}?sslmode=require");
    let address = Address::new(&url, Some(&authority.file()), Some(PASSWORD.as_bytes())).unwrap();
    let limits = StateLimits {
        reconnect_for: Duration::from_millis(10),
        ..StateLimits::default()
    };
    let settings = Settings::from_policy(&POLICY).unwrap();
    PostgresState::create(address, limits, &settings).map_err(|error| {
        let mut said = error.to_string();
        let mut next = std::error::Error::source(&error);
        while let Some(cause) = next {
            said = format!("{said}: {cause}");
            next = cause.source();
        }
        said
    })
}

#[test]
fn the_state_is_kept_over_tls() {
    let authority = Authority::new();
    let server = authority.server("127.0.0.1");
    let state = create(&server.database("index"), &authority).unwrap();
    let sql = "SELECT count(*) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid)
               WHERE ssl AND application_name = 'countersign'";
    let over_tls: i64 = server.connect("index").query_one(sql, &[]).unwrap().get(0);
    assert_eq!(over_tls, 1);
    assert_eq!(state.head().unwrap().generation, 0);
}

#[test]
fn a_server_that_nobody_vouches_for_is_told_nothing() {
    let (authority, other) = (Authority::new(), Authority::new());
    let server = authority.server("127.0.0.1");
    let said = create(&server.database("index"), &other).err().unwrap();
    assert!(said.contains("invalid peer certificate"), "{said}");
    let elsewhere = authority.server("db.example");
    let said = create(&elsewhere.database("index"), &authority)
        .err()
        .unwrap();
    assert!(said.contains("invalid peer certificate"), "{said}");
    let plain = PostgresServer::start();
    let said = create(&plain.database("index"), &authority).err().unwrap();
    assert!(said.contains("TLS"), "{said}");
    // Nothing was made there, whatever was said.
    for server in [&server, &elsewhere, &plain] {
        let sql = "SELECT count(*) FROM pg_tables WHERE tablename = 'head'";
        let made: i64 = server.connect("index").query_one(sql, &[]).unwrap().get(0);
        assert_eq!(made, 0);
    }
}
