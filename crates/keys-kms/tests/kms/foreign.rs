//! The same against an emulator that others wrote: what our double gets wrong in the same way as our
//! signer would show here. `ministack` does what the signer needs; it checks no credentials, and takes
//! messages of any size.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use countersign_keys_kms::{KmsError, KmsOptions, KmsSigner, MAX_RAW_MESSAGE};
use keys::{SignatureCheck, Signer};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::python;
use crate::stand::{awskms, fast};

/// How long it may take to start on a machine that has much else to do.
const START: Duration = Duration::from_mins(1);

/// A running emulator, ended with the test.
struct Ministack {
    child: Child,
    port: u16,
    home: TempDir,
}

impl Ministack {
    fn start() -> Self {
        let port = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let home = tempfile::tempdir().unwrap();
        let program = python::environment().join("venv/bin/ministack");
        let child = Command::new(&program)
            .env_clear()
            .env("HOME", home.path())
            .env("TMPDIR", home.path())
            .env("GATEWAY_PORT", port.to_string())
            // It would listen on all interfaces, and for other protocols on other ports.
            .env("BIND_HOST", "127.0.0.1")
            .env("IOT_MTLS_ENABLED", "0")
            .env("SFTP_ENABLED", "0")
            .env("LOG_LEVEL", "ERROR")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| {
                panic!(
                    "{}: {error}; run `python3 tests/run --setup-only`",
                    program.display()
                )
            });
        let mut running = Self { child, port, home };
        running.wait();
        running
    }

    fn wait(&mut self) {
        let started = Instant::now();
        while TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            assert_eq!(self.child.try_wait().unwrap(), None, "it ended");
            assert!(started.elapsed() < START, "it does not listen");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Asks for an operation that the signer has no use for.
    fn ask(&self, operation: &str, input: &Value) -> Value {
        let body = input.to_string();
        let request = format!(
            "POST / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-length: {}\r\n\
             content-type: application/x-amz-json-1.1\r\nx-amz-target: TrentService.{operation}\r\n\
             authorization: AWS4-HMAC-SHA256 Credential=test/20260101/eu-central-1/kms/aws4_request,\
             SignedHeaders=host,Signature=00\r\n\r\n{body}",
            body.len()
        );
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 200"), "{answer}");
        serde_json::from_str(body).unwrap_or_default()
    }

    fn create_key(&self, spec: &str) -> String {
        let input = json!({"KeySpec": spec, "KeyUsage": "SIGN_VERIFY"});
        let answer = self.ask("CreateKey", &input);
        answer["KeyMetadata"]["KeyId"].as_str().unwrap().to_owned()
    }

    fn open(&self, key: &str) -> Result<KmsSigner, KmsError> {
        let credentials = self.home.path().join("credentials");
        let text = "[default]\naws_access_key_id = test\naws_secret_access_key = test\n";
        std::fs::write(&credentials, text).unwrap();
        let options = KmsOptions {
            credentials_file: Some(credentials),
            limits: fast(),
        };
        let endpoint = format!("http://127.0.0.1:{}", self.port);
        let uri = format!("awskms:{key}?region=eu-central-1&endpoint={endpoint}");
        KmsSigner::open(&awskms(&uri), &options)
    }
}

impl Drop for Ministack {
    fn drop(&mut self) {
        // By its own id; it may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn an_emulator_by_others_agrees() {
    let ministack = Ministack::start();
    for (spec, scheme) in [
        ("ECC_NIST_P256", "ecdsa-sha2-nistp256"),
        ("RSA_2048", "rsassa-pss-sha256"),
        ("RSA_4096", "rsassa-pss-sha256"),
        ("ECC_NIST_EDWARDS25519", "ed25519"),
    ] {
        let id = ministack.create_key(spec);
        let signer = ministack.open(&id).unwrap();
        assert_eq!(signer.public_key().scheme(), scheme);
        let largest = if scheme == "ed25519" {
            MAX_RAW_MESSAGE
        } else {
            100_000
        };
        for message in [b"{}".as_slice(), &vec![b'x'; largest]] {
            let signature = signer.sign(message).unwrap();
            let check = SignatureCheck::new(signer.public_key()).unwrap();
            assert!(check.verifies(message, &signature.bytes), "{spec}");
            assert!(
                python::verifies(signer.public_key(), message, &signature),
                "{spec}"
            );
        }
    }
    keys_in_bad_states(&ministack);
}

/// Part of the test above: starting the emulator takes longer than everything else.
fn keys_in_bad_states(ministack: &Ministack) {
    let id = ministack.create_key("ECC_NIST_P256");
    let signer = ministack.open(&id).unwrap();
    let failure = || signer.sign_many(&[b"message"]).unwrap_err();
    ministack.ask("DisableKey", &json!({"KeyId": id}));
    assert!(matches!(failure(), KmsError::Disabled));
    ministack.ask("EnableKey", &json!({"KeyId": id}));
    signer.sign(b"message").unwrap();
    ministack.ask(
        "ScheduleKeyDeletion",
        &json!({"KeyId": id, "PendingWindowInDays": 7}),
    );
    let error = failure();
    assert!(
        matches!(error, KmsError::PendingDeletion { date: Some(_) }),
        "{error}"
    );
    let error = ministack.open("alias/none").err().unwrap();
    assert!(matches!(error, KmsError::NotFound { .. }), "{error}");
    let other = ministack.create_key("ECC_NIST_P384");
    let error = ministack.open(&other).err().unwrap();
    assert!(matches!(error, KmsError::Spec { .. }), "{error}");
}
