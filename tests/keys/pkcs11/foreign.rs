//! Foreign readers and users: python-tuf's library checks what tokens sign for us, and signs with
//! the same keys.

use std::process::Command;

use countersign_tests::environment::prepared;
use keys::{Pkcs11Key, SignatureCheck, Signer, TokenKeyType};

use crate::hsm::{PIN, softhsm, with_softhsm};

/// Verifies each line's signature as python-tuf does.
const VERIFY: &str = r#"
import json, sys
from securesystemslib.signer import Key, Signature
for line in sys.stdin:
    entry = json.loads(line)
    key = Key.from_dict(entry["keyid"], entry["key"])
    message = bytes.fromhex(entry["message"])
    key.verify_signature(Signature(entry["keyid"], entry["sig"]), message)
    try:
        key.verify_signature(Signature(entry["keyid"], entry["sig"]), message + b"x")
    except Exception as error:
        print(key.scheme, type(error).__name__)
"#;

/// Signs with the key of the id given, through securesystemslib's own PKCS#11 signer.
const SIGN: &str = r#"
import sys
from securesystemslib.signer import HSMSigner
uri, key = HSMSigner.import_(int(sys.argv[1], 16))
signer = HSMSigner.from_priv_key_uri(uri, key, lambda _: sys.argv[2])
signature = signer.sign(b"by another program")
print(key.keyval["public"], end="")
print(signature.signature)
"#;

fn python(script: &str, args: &[&str], input: &str) -> String {
    let mut child = Command::new(prepared("venv/bin/python"))
        .arg("-c")
        .arg(script)
        .args(args)
        .env("PYKCS11LIB", softhsm())
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    std::io::Write::write_all(&mut stdin, input.as_bytes()).unwrap();
    drop(stdin);
    let output = child.wait_with_output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    assert!(output.status.success(), "{}", text(output.stderr));
    text(output.stdout)
}

/// The line that [`VERIFY`] reads.
fn entry(key: &Pkcs11Key, message: &[u8]) -> String {
    let public = key.public_key();
    serde_json::json!({
        "keyid": key.key_id().as_str(),
        "key": {
            "keytype": public.keytype(),
            "scheme": public.scheme(),
            "keyval": {"public": public.public()},
        },
        "message": hex::encode(message),
        "sig": hex::encode(key.sign(message).unwrap().bytes),
    })
    .to_string()
}

#[test]
fn python_tuf_verifies_every_type() {
    with_softhsm(|hsm| {
        hsm.add_token("Root");
        let mut lines = String::new();
        for (label, key_type) in [
            ("p256", TokenKeyType::EcdsaP256),
            ("ed25519", TokenKeyType::Ed25519),
            ("rsa", TokenKeyType::Rsa3072),
        ] {
            let key = hsm.generate(&format!("object={label}"), key_type).unwrap();
            lines += &entry(&key, br#"{"_type":"root"}"#);
            lines.push('\n');
        }
        let verified = python(VERIFY, &[], &lines);
        let expected = "ecdsa-sha2-nistp256 UnverifiedSignatureError\n\
                        ed25519 UnverifiedSignatureError\n\
                        rsassa-pss-sha256 UnverifiedSignatureError\n";
        assert_eq!(verified, expected);
    });
}

#[test]
fn securesystemslib_signs_with_the_same_key() {
    with_softhsm(|hsm| {
        hsm.add_token("Root");
        let key = hsm
            .generate("object=root;id=%02", TokenKeyType::EcdsaP256)
            .unwrap();
        let answer = python(SIGN, &["2", PIN], "");
        let (pem, signature) =
            answer.split_at(answer.find("-----END PUBLIC KEY-----\n").unwrap() + 25);
        assert_eq!(pem, key.public_key().public());
        let check = SignatureCheck::new(key.public_key()).unwrap();
        let signature = hex::decode(signature.trim()).unwrap();
        assert!(check.verifies(b"by another program", &signature));
    });
}
