//! {back end} × {kind of key} × {sign, verify with `ring`, verify with python-tuf}.

use std::path::Path;
use std::time::Duration;

use keys::{
    FileKey, Kdf, KeyType, KeyUri, LoadOptions, Opener, Passphrase, PassphraseError,
    PassphraseSource, Signer, TokenKeyType,
};
use keys_kms::{KmsOpener, KmsOptions};
use kms_double::{KeySpec, KmsDouble, REGION};
use metadata::VerifyingKey;
use ring::rand::SystemRandom;

use crate::common::{PlainKey, assert_verifies_in_python, in_workspace, python};
use crate::hsm::{PIN, with_softhsm};
use crate::ssh_agent::Agent;

const PASSPHRASE: &str = "the passphrase of all files";

/// Whoever is asked, for a passphrase or a PIN.
fn asked(key: &str) -> Result<Passphrase, PassphraseError> {
    let pin = key.starts_with("pkcs11:");
    Passphrase::new(if pin { PIN } else { PASSPHRASE }.to_owned())
}

/// Opens the key by its URI, as both programs do.
pub(crate) fn open(uri: &str, options: LoadOptions) -> Box<dyn Signer> {
    let parsed: KeyUri = uri.parse().unwrap();
    let passphrases: &dyn PassphraseSource = &asked;
    match parsed.open(passphrases, options) {
        Ok(opened) => opened.signer,
        Err(error) => panic!("{uri}: {error} {error:?}"),
    }
}

/// One row of the table.
fn row(uri: &str, options: LoadOptions, scheme: &str) {
    let signer = open(uri, options);
    let key = signer.public_key();
    assert_eq!(key.scheme(), scheme, "{uri}");
    for length in [0, 1, 4_000] {
        // Not even KMS signs nothing at all with Ed25519.
        let message = vec![b'm'; length.max(1)];
        let signature = signer.sign(&message).unwrap();
        assert_eq!(&signature.keyid, signer.key_id());
        let ring = VerifyingKey::new(key).unwrap();
        assert!(ring.verifies(&message, &signature.bytes), "{uri}");
        assert!(!ring.verifies(b"another", &signature.bytes), "{uri}");
    }
    assert_verifies_in_python(signer.as_ref());
}

#[test]
fn files() {
    let folder = tempfile::tempdir().unwrap();
    for (key_type, scheme) in [
        (KeyType::Ed25519, "ed25519"),
        (KeyType::EcdsaP256, "ecdsa-sha2-nistp256"),
    ] {
        for kdf in [Kdf::default(), Kdf::PORTABLE] {
            let path = folder.path().join(format!("{scheme} {kdf}.pem"));
            let key = FileKey::generate(key_type, &SystemRandom::new()).unwrap();
            let passphrase = asked("file").unwrap();
            key.save_encrypted(&path, &passphrase, kdf).unwrap();
            let uri = format!("file:{}", path.display());
            row(&uri, LoadOptions::default(), scheme);
        }
    }
}

#[test]
fn tokens() {
    with_softhsm(|hsm| {
        hsm.add_token("table");
        for (key_type, scheme) in [
            (TokenKeyType::Ed25519, "ed25519"),
            (TokenKeyType::EcdsaP256, "ecdsa-sha2-nistp256"),
            (TokenKeyType::Rsa3072, "rsassa-pss-sha256"),
        ] {
            let named = format!("token=table;object={scheme}");
            hsm.generate(&named, key_type).unwrap();
            let uri = format!("pkcs11:{}", hsm.uri(&named));
            row(&uri, LoadOptions::default(), scheme);
        }
    });
}

#[test]
fn agents() {
    let agent = Agent::start();
    let socket = agent.socket();
    let options = LoadOptions {
        agent_socket: Some(&socket),
        timeout: Duration::from_secs(20),
        ..LoadOptions::default()
    };
    for (key_type, scheme) in [("ed25519", "ed25519"), ("ecdsa", "ecdsa-sha2-nistp256")] {
        let fingerprint = agent.add(key_type, key_type, scheme);
        row(&format!("ssh-agent:{fingerprint}"), options, scheme);
        row(&format!("ssh-agent:{scheme}"), options, scheme);
    }
}

/// securesystemslib's own signers, by the example that ships.
#[test]
fn external_signers() {
    let script = in_workspace("crates/keys/examples/securesystemslib_signer.py");
    let options = LoadOptions {
        timeout: Duration::from_secs(60),
        ..LoadOptions::default()
    };
    for (kind, scheme) in [
        ("ed25519", "ed25519"),
        ("ecdsa", "ecdsa-sha2-nistp256"),
        ("rsa", "rsassa-pss-sha256"),
    ] {
        let key = PlainKey::make(kind);
        let file = key.path();
        let uri = format!(
            "exec:{}?arg={}&arg=file2:{file}&arg={file}.json",
            python().display(),
            script.display(),
            file = file.display()
        );
        row(&uri, options, scheme);
    }
}

/// A double of KMS, and an opener that has its credentials.
pub(crate) fn kms(folder: &Path) -> (KmsDouble, KmsOpener) {
    let double = KmsDouble::start().unwrap();
    let credentials_file = folder.join("credentials");
    std::fs::write(&credentials_file, double.credentials_file()).unwrap();
    let options = KmsOptions {
        credentials_file: Some(credentials_file),
        ..KmsOptions::default()
    };
    (double, KmsOpener { options })
}

pub(crate) fn kms_uri(double: &KmsDouble, spec: KeySpec) -> String {
    let (id, endpoint) = (double.create_key(spec), double.endpoint());
    format!("awskms:{id}?region={REGION}&endpoint={endpoint}")
}

#[test]
fn key_services() {
    let folder = tempfile::tempdir().unwrap();
    let (double, opener) = kms(folder.path());
    let openers: [&dyn Opener; 1] = [&opener];
    let options = LoadOptions {
        openers: &openers,
        ..LoadOptions::default()
    };
    for (spec, scheme) in [
        (KeySpec::Ed25519, "ed25519"),
        (KeySpec::P256, "ecdsa-sha2-nistp256"),
        (KeySpec::Rsa2048, "rsassa-pss-sha256"),
        (KeySpec::Rsa3072, "rsassa-pss-sha256"),
    ] {
        row(&kms_uri(&double, spec), options, scheme);
    }
}
