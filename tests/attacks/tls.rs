//! Attacks on the connection itself: servers whose certificate is not what the machine trusts. What
//! they serve would be refused all the same; but they are not even asked.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use client::{HttpTransport, Pace, Transport};
use countersign_tests::environment::prepared;
use countersign_tests::fails;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use url::Url;

/// Where a test that runs itself a second time finds what to fetch.
const FETCH: &str = "ATTACKS_TLS_FETCH";

/// Makes a certificate of its own word for `name`, as `certificate` and `key` in `folder`.
fn certificate(folder: &Path, name: &str) {
    let made = Command::new(prepared("tools/openssl"))
        .args(["req", "-x509", "-newkey", "ec", "-nodes"])
        .args(["-pkeyopt", "ec_paramgen_curve:P-256", "-days", "2"])
        .args(["-subj", "/CN=index", "-addext"])
        .arg(format!("subjectAltName={name}"))
        .args(["-addext", "basicConstraints=critical,CA:FALSE"])
        .arg("-keyout")
        .arg(folder.join("key"))
        .arg("-out")
        .arg(folder.join("certificate"))
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&made.stderr);
    assert!(made.status.success(), "{errors}");
}

/// Answers `hello` to whoever agrees on TLS with the certificate in `folder`. Ends with the process.
fn serve(folder: &Path) -> Url {
    let chain = CertificateDer::pem_file_iter(folder.join("certificate")).unwrap();
    let chain = chain.collect::<Result<Vec<_>, _>>().unwrap();
    let key = PrivateKeyDer::from_pem_file(folder.join("key")).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    let config = Arc::new(config);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("https://{}/hello", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let connection = ServerConnection::new(Arc::clone(&config)).unwrap();
            let mut tls = BufReader::new(StreamOwned::new(connection, stream.unwrap()));
            let mut line = String::new();
            while tls.read_line(&mut line).is_ok_and(|read| read > 2) {}
            let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\nconnection: close\r\n\r\nhello";
            let _ = tls.get_mut().write_all(answer);
            let _ = tls.get_mut().flush();
        }
    });
    Url::parse(&url).unwrap()
}

/// Fetches in a process of its own, the test called `test` run a second time, on a machine that
/// trusts `certificate` and nobody else. Gives what came or why nothing did.
fn fetch_trusting(test: &str, certificate: &Path, url: &Url) -> String {
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .env("SSL_CERT_FILE", certificate)
        .env_remove("SSL_CERT_DIR")
        .env(FETCH, url.as_str())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let line = said.lines().find_map(|line| line.split_once("fetched: "));
    let (_, line) = line.unwrap_or_else(|| panic!("{said}"));
    line.to_owned()
}

/// In the second process: fetches, prints what came, and is done.
async fn is_fetching() -> bool {
    let Ok(url) = std::env::var(FETCH) else {
        return false;
    };
    let transport = HttpTransport::new(Pace::default()).unwrap();
    let said = match transport.get(&Url::parse(&url).unwrap()).await {
        Ok(body) => match client::read_limited(body, 100).await {
            Ok(bytes) => String::from_utf8(bytes).unwrap(),
            Err(error) => format!("{error:?}"),
        },
        Err(error) => error.to_string(),
    };
    println!("fetched: {said}");
    true
}

/// A certificate by nobody the machine knows.
#[tokio::test]
async fn certificate_of_its_own_word() {
    if is_fetching().await {
        return;
    }
    let test = "tls::certificate_of_its_own_word";
    let (trusted, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    certificate(trusted.path(), "IP:127.0.0.1");
    certificate(other.path(), "IP:127.0.0.1");
    let known = trusted.path().join("certificate");
    let said = fetch_trusting(test, &known, &serve(other.path()));
    fails(said != "hello", &said);
    assert!(said.contains("certificate"), "{said}");

    assert_eq!(
        fetch_trusting(test, &known, &serve(trusted.path())),
        "hello"
    );
}

/// A certificate that the machine trusts, for another name than the one asked for.
#[tokio::test]
async fn certificate_for_another_name() {
    if is_fetching().await {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    certificate(folder.path(), "DNS:other.example,IP:127.0.0.2");
    let known = folder.path().join("certificate");
    let url = serve(folder.path());
    let said = fetch_trusting("tls::certificate_for_another_name", &known, &url);
    fails(said != "hello", &said);
    assert!(said.contains("certificate"), "{said}");
}

/// Plain HTTP on the port where TLS is due: stripping it off is noticed.
#[tokio::test]
async fn plain_answer_where_tls_is_due() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("https://{}/hello", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\nconnection: close\r\n\r\nhello";
            let _ = stream.unwrap().write_all(answer);
        }
    });
    let transport = HttpTransport::new(Pace::default()).unwrap();
    let answer = transport.get(&Url::parse(&url).unwrap()).await;
    fails(answer.is_err(), "plain text was taken for TLS");
}
