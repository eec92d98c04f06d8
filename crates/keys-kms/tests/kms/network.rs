//! TLS, proxies and regions: what depends on the machine's environment.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::process::Command;
use std::sync::mpsc;

use kms_double::{KeySpec, KmsDouble};
use tempfile::TempDir;

use crate::{child, python};

const CREDENTIALS: [(&str, &str); 2] = [
    ("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE"),
    ("AWS_SECRET_ACCESS_KEY", "planted+secret/of+the+double"),
];

/// A double behind TLS, and the folder with its certificate.
fn double_with_tls() -> (KmsDouble, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let (certificate, key) = (folder.path().join("certificate"), folder.path().join("key"));
    let made = Command::new(python::environment().join("tools/openssl"))
        .args([
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
        ])
        .args([
            "-days",
            "2",
            "-subj",
            "/CN=localhost",
            "-addext",
            "subjectAltName=IP:127.0.0.1",
        ])
        .args(["-addext", "basicConstraints=critical,CA:FALSE"])
        .arg("-keyout")
        .arg(&key)
        .arg("-out")
        .arg(&certificate)
        .output()
        .unwrap();
    assert!(
        made.status.success(),
        "{}",
        String::from_utf8_lossy(&made.stderr)
    );
    (
        KmsDouble::start_with_tls(&certificate, &key).unwrap(),
        folder,
    )
}

#[test]
fn tls_trusts_what_the_machine_trusts() {
    let (double, folder) = double_with_tls();
    let id = double.create_key(KeySpec::P256);
    let uri = format!(
        "awskms:{id}?region=eu-central-1&endpoint={}",
        double.endpoint()
    );
    let certificate = folder.path().join("certificate");
    let trusting = [("SSL_CERT_FILE", certificate.to_str().unwrap())];
    let environment = [CREDENTIALS.as_slice(), &trusting].concat();
    let outcome = child::sign(&uri, folder.path(), &environment);
    assert_eq!(outcome.code, Some(0), "{}", outcome.errors);
    assert!(double.calls().len() == 2, "the public key and a signature");
    // Another machine's certificate.
    let (other, _folder) = double_with_tls();
    let id = other.create_key(KeySpec::P256);
    let uri = format!(
        "awskms:{id}?region=eu-central-1&endpoint={}",
        other.endpoint()
    );
    let outcome = child::sign(&uri, folder.path(), &environment);
    assert_eq!(outcome.code, Some(1));
    let errors = outcome.errors;
    assert!(
        errors.contains(&format!("cannot reach `{}`", other.endpoint())),
        "{errors}"
    );
    assert!(errors.contains("certificate"), "{errors}");
    assert!(other.calls().is_empty());
}

#[test]
fn a_region_is_reached_by_its_name_through_the_proxy() {
    let proxy = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", proxy.local_addr().unwrap());
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        for stream in proxy.incoming() {
            let mut line = String::new();
            // Each connection is closed after its first line, which ends this too.
            let _ = BufReader::new(stream.unwrap()).read_line(&mut line);
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    let folder = tempfile::tempdir().unwrap();
    let environment = [CREDENTIALS.as_slice(), &[("HTTPS_PROXY", url.as_str())]].concat();
    let outcome = child::sign(
        "awskms:alias/x?region=eu-central-1",
        folder.path(),
        &environment,
    );
    assert_eq!(outcome.code, Some(1));
    let errors = outcome.errors;
    assert!(
        errors.contains("cannot reach `AWS KMS in eu-central-1`"),
        "{errors}"
    );
    assert!(errors.contains("hint: check network, proxy"), "{errors}");
    let asked: Vec<String> = receiver.try_iter().collect();
    let expected = "CONNECT kms.eu-central-1.amazonaws.com:443 HTTP/1.1\r\n";
    assert!(
        !asked.is_empty() && asked.iter().all(|line| line == expected),
        "{asked:?}"
    );
}

#[test]
fn the_region_comes_from_the_uri_the_environment_or_nowhere() {
    let double = KmsDouble::start().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let id = double.create_key(KeySpec::P256);
    let uri = format!("awskms:{id}?endpoint={}", double.endpoint());
    let outcome = child::sign(&uri, folder.path(), &CREDENTIALS);
    assert_eq!(outcome.code, Some(1));
    assert!(
        outcome.errors.contains("cause: no region is named"),
        "{}",
        outcome.errors
    );
    let environment = [CREDENTIALS.as_slice(), &[("AWS_REGION", "eu-central-1")]].concat();
    let outcome = child::sign(&uri, folder.path(), &environment);
    assert_eq!(outcome.code, Some(0), "{}", outcome.errors);
    let uri = format!("{uri}&region=us-east-1");
    let outcome = child::sign(&uri, folder.path(), &environment);
    let expected = "does not serve the region `us-east-1`";
    assert!(outcome.errors.contains(expected), "{}", outcome.errors);
}
