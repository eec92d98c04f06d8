//! Key files both ways: what OpenSSL, OpenSSH, Python and cosign write loads here, what is written
//! here loads there, and every signature verifies in securesystemslib.

use std::path::{Path, PathBuf};

use keys::{
    FileKey, Kdf, KeyError, KeyFlaw, KeyType, KeyWarning, LoadOptions, Passphrase, PassphraseError,
    SignatureCheck, Signer, public_key_from_pem, public_key_to_pem,
};
use ring::rand::SystemRandom;

use crate::common::{assert_verifies_in_python, in_workspace, python, run, tool};

const PASSPHRASE: &str = "grün & blau";

fn passphrase(_key: &str) -> Result<Passphrase, PassphraseError> {
    Passphrase::new(PASSPHRASE.to_owned())
}

fn formats(args: &[&str]) -> String {
    let script = in_workspace("tests/keys/formats.py");
    run(&python(), &[&[script.to_str().unwrap()], args].concat())
}

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn text(&self, name: &str) -> String {
        self.path(name).to_str().unwrap().to_owned()
    }
}

/// Loads the file, sees that it is the key expected, and has its signature verified.
fn assert_loads(path: &Path, public_pem: &str, kdf: Option<Kdf>) {
    let options = LoadOptions {
        allow_unencrypted: kdf.is_none(),
        ..LoadOptions::default()
    };
    let loaded = FileKey::load(path, &passphrase, options).unwrap();
    let expected = public_key_from_pem(public_pem).unwrap();
    assert_eq!(loaded.key.public_key(), &expected, "{}", path.display());
    let key = format!("file:{}", path.display());
    let weak = kdf.filter(Kdf::is_weak).map(|kdf| KeyWarning::WeakKdf {
        key: key.clone(),
        kdf,
    });
    let plain = kdf.is_none().then_some(KeyWarning::Unencrypted { key });
    let of_protection = |warning: &KeyWarning| !matches!(warning, KeyWarning::OpenToOthers { .. });
    let found: Vec<_> = loaded.warnings.into_iter().filter(of_protection).collect();
    assert_eq!(found, weak.into_iter().chain(plain).collect::<Vec<_>>());
    assert_verifies_in_python(&loaded.key);
}

#[test]
fn keys_of_openssl_load() {
    let folder = Folder::new();
    let (plain, sealed) = (folder.text("plain"), folder.text("sealed"));
    let openssl = |args: &[&str]| run(&tool("openssl"), args);
    let pass = format!("pass:{PASSPHRASE}");
    let p256 = ["EC", "-pkeyopt", "ec_paramgen_curve:P-256"];
    for kind in [&["ed25519"][..], &p256] {
        openssl(&[&["genpkey", "-out", &plain, "-algorithm"], kind].concat());
        let public = openssl(&["pkey", "-in", &plain, "-pubout"]);
        assert_loads(&folder.path("plain"), &public, None);
        let scrypt = Kdf::Scrypt {
            log_n: 14,
            r: 8,
            p: 1,
        };
        for (protection, kdf) in [
            (
                &["-v2", "aes-256-cbc"][..],
                Kdf::Pbkdf2 { iterations: 2048 },
            ),
            (
                &["-iter", "600000", "-v2prf", "hmacWithSHA512"],
                Kdf::Pbkdf2 {
                    iterations: 600_000,
                },
            ),
            (&["-scrypt"], scrypt),
        ] {
            let convert = [
                "pkcs8", "-topk8", "-in", &plain, "-out", &sealed, "-passout", &pass,
            ];
            openssl(&[&convert, protection].concat());
            assert_loads(&folder.path("sealed"), &public, Some(kdf));
        }
    }
}

#[test]
fn keys_of_python_load() {
    let folder = Folder::new();
    for kind in ["ed25519", "ecdsa"] {
        let public = formats(&["make", kind, &folder.text("plain")]);
        assert_loads(&folder.path("plain"), &public, None);
        let public = formats(&["make", kind, &folder.text("sealed"), PASSPHRASE]);
        let kdf = Kdf::Pbkdf2 { iterations: 2048 };
        assert_loads(&folder.path("sealed"), &public, Some(kdf));
    }
}

#[test]
fn keys_of_securesystemslib_load() {
    let folder = Folder::new();
    for kind in ["ed25519", "ecdsa"] {
        let public = formats(&["generate", kind, &folder.text("plain")]);
        assert_loads(&folder.path("plain"), &public, None);
    }
}

#[test]
fn keys_of_openssh_load() {
    for (kind, bits) in [("ed25519", "256"), ("ecdsa", "256")] {
        for (passphrase, rounds) in [
            ("", 16),
            (PASSPHRASE, 16),
            (PASSPHRASE, 3),
            (PASSPHRASE, 40),
        ] {
            let folder = Folder::new();
            let path = folder.text("key");
            let rounds_text = rounds.to_string();
            let args = [
                "-q",
                "-t",
                kind,
                "-b",
                bits,
                "-N",
                passphrase,
                "-C",
                "a comment",
            ];
            run(
                &tool("ssh-keygen"),
                &[&args[..], &["-a", &rounds_text, "-f", &path]].concat(),
            );
            let public = spki_of(&format!("{path}.pub"));
            let kdf = (!passphrase.is_empty()).then_some(Kdf::Bcrypt { rounds });
            assert_loads(&folder.path("key"), &public, kdf);
        }
    }
}

/// The public key of an OpenSSH file as SPKI. `ssh-keygen -m PKCS8` writes P-256 only.
fn spki_of(path: &str) -> String {
    let script = "import sys
from cryptography.hazmat.primitives import serialization as s
key = s.load_ssh_public_key(open(sys.argv[1], 'rb').read())
form = (s.Encoding.PEM, s.PublicFormat.SubjectPublicKeyInfo)
print(key.public_bytes(*form).decode(), end='')";
    crate::common::run_python(script, &[path])
}

#[test]
fn foreign_openssh_keys_are_named_for_what_they_are() {
    let flaw = |args: &[&str]| {
        let folder = Folder::new();
        let path = folder.text("key");
        let common = ["-q", "-C", "", "-f", &path];
        run(&tool("ssh-keygen"), &[&common[..], args].concat());
        match FileKey::load(Path::new(&path), &passphrase, LoadOptions::default()) {
            Err(KeyError::Unusable { flaw, .. }) => flaw,
            other => panic!("{other:?}"),
        }
    };
    let rsa = flaw(&["-t", "rsa", "-N", PASSPHRASE]);
    assert_eq!(rsa, KeyFlaw::OpenSshAlgorithm);
    for cipher in ["aes256-gcm@openssh.com", "chacha20-poly1305@openssh.com"] {
        let found = flaw(&["-t", "ed25519", "-N", PASSPHRASE, "-Z", cipher]);
        assert_eq!(found, KeyFlaw::OpenSshCipher { cipher });
    }
    assert_eq!(
        flaw(&["-t", "ed25519", "-N", "other"]),
        KeyFlaw::WrongPassphrase
    );
    assert_eq!(flaw(&["-t", "ed25519", "-N", ""]), KeyFlaw::Unencrypted);
    let path = in_workspace("crates/keys/testdata/cosign-p256.pem");
    let wrong = FileKey::load(&path, &passphrase, LoadOptions::default()).unwrap_err();
    assert!(matches!(
        wrong,
        KeyError::Unusable {
            flaw: KeyFlaw::WrongPassphrase,
            ..
        }
    ));
}

#[test]
fn keys_of_cosign_load() {
    let testdata = in_workspace("crates/keys/testdata");
    let public = std::fs::read_to_string(testdata.join("cosign-p256.pub.pem")).unwrap();
    let text = std::fs::read_to_string(testdata.join("cosign-p256.pem")).unwrap();
    let right = Passphrase::new("test".to_owned()).unwrap();
    for text in [text.replace("SIGSTORE", "COSIGN"), text] {
        let (key, kdf) = FileKey::from_encrypted_pem(&text, &right).unwrap();
        assert_eq!(
            kdf,
            Kdf::Scrypt {
                log_n: 16,
                r: 8,
                p: 1
            }
        );
        assert_eq!(public_key_to_pem(key.public_key()).unwrap(), public);
        assert_verifies_in_python(&key);
    }
}

/// Written here: Python opens every one, and securesystemslib signs with it; OpenSSL those it has the memory for.
#[test]
fn keys_made_here_load_elsewhere() {
    let right = passphrase("").unwrap();
    for key_type in [KeyType::Ed25519, KeyType::EcdsaP256] {
        let key = FileKey::generate(key_type, &SystemRandom::new()).unwrap();
        let public = public_key_to_pem(key.public_key()).unwrap();
        let kdfs = [
            (Kdf::default(), false),
            (Kdf::PORTABLE, true),
            (
                Kdf::Scrypt {
                    log_n: 14,
                    r: 8,
                    p: 1,
                },
                true,
            ),
        ];
        for (kdf, in_openssl) in kdfs {
            let folder = Folder::new();
            key.save_encrypted(&folder.path("key"), &right, kdf)
                .unwrap();
            assert_eq!(formats(&["load", &folder.text("key"), PASSPHRASE]), public);
            let signed = formats(&["sign", &folder.text("key"), PASSPHRASE, "by another"]);
            let check = SignatureCheck::new(key.public_key()).unwrap();
            assert!(check.verifies(b"by another", &hex::decode(signed).unwrap()));
            if in_openssl {
                let pass = format!("pass:{PASSPHRASE}");
                let path = folder.text("key");
                let args = ["pkey", "-in", &path, "-passin", &pass, "-pubout"];
                assert_eq!(run(&tool("openssl"), &args), public);
            }
        }
        assert_verifies_in_python(&key);
    }
}

/// Whatever it was, it becomes PKCS#8 under a new passphrase, and is the same key.
#[test]
fn keys_are_converted() {
    let folder = Folder::new();
    let path = folder.text("ssh");
    let args = [
        "-q", "-t", "ed25519", "-N", PASSPHRASE, "-C", "", "-a", "3", "-f", &path,
    ];
    run(&tool("ssh-keygen"), &args);
    let loaded = FileKey::load(Path::new(&path), &passphrase, LoadOptions::default()).unwrap();
    assert_eq!(loaded.warnings.len(), 1);
    let new = Passphrase::new("another".to_owned()).unwrap();
    let to = folder.path("new.pem");
    let converted = loaded
        .key
        .save_and_reopen(&to, &new, Kdf::PORTABLE)
        .unwrap();
    assert_eq!(converted.public_key(), loaded.key.public_key());
    assert_eq!(converted.describe(), format!("file:{}", to.display()));
    let public = public_key_to_pem(converted.public_key()).unwrap();
    assert_eq!(
        formats(&["load", &folder.text("new.pem"), "another"]),
        public
    );
    let again = loaded.key.save_and_reopen(&to, &new, Kdf::PORTABLE);
    assert!(matches!(again, Err(KeyError::Exists { .. })));
}
