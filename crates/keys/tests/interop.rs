//! Key files other programs made load here; `testdata/README.md` says how each was made.

use std::path::{Path, PathBuf};

use countersign_keys::{
    FileKey, Kdf, KeyError, KeyFlaw, KeyType, KeyUri, KeyWarning, LoadOptions, NoPassphrase,
    Passphrase, PassphraseError, SignatureCheck, Signer, public_key_from_pem, public_key_to_pem,
};

const OPENSSL_PBKDF2: Kdf = Kdf::Pbkdf2 { iterations: 2048 };
const OPENSSL_SCRYPT: Kdf = Kdf::Scrypt {
    log_n: 14,
    r: 8,
    p: 1,
};

fn testdata(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("testdata")
        .join(name)
}

fn read(name: &str) -> String {
    std::fs::read_to_string(testdata(name)).unwrap()
}

fn passphrase(_key: &str) -> Result<Passphrase, PassphraseError> {
    Passphrase::new("test".to_owned())
}

fn assert_signs_for(key: &FileKey, public: &str) {
    let expected = public_key_from_pem(&read(public)).unwrap();
    assert_eq!(key.public_key(), &expected);
    assert_eq!(public_key_to_pem(&expected).unwrap(), read(public));
    let signature = key.sign(b"message").unwrap();
    let check = SignatureCheck::new(&expected).unwrap();
    assert!(check.verifies(b"message", &signature.bytes));
}

#[test]
fn encrypted_keys_of_openssl_and_pyca() {
    for (name, public, key_type, kdf) in [
        (
            "openssl-ed25519-pbkdf2.pem",
            "openssl-ed25519.pub.pem",
            KeyType::Ed25519,
            OPENSSL_PBKDF2,
        ),
        (
            "openssl-p256-scrypt.pem",
            "openssl-p256.pub.pem",
            KeyType::EcdsaP256,
            OPENSSL_SCRYPT,
        ),
        (
            "pyca-p256-best.pem",
            "pyca-p256.pub.pem",
            KeyType::EcdsaP256,
            OPENSSL_PBKDF2,
        ),
    ] {
        let loaded = FileKey::load(&testdata(name), &passphrase, LoadOptions::default()).unwrap();
        assert_eq!(loaded.key.key_type(), key_type);
        assert_signs_for(&loaded.key, public);
        let weak = |warning: &KeyWarning| matches!(warning, KeyWarning::WeakKdf { .. });
        assert_eq!(loaded.warnings.iter().any(weak), kdf.is_weak(), "{name}");

        let secret = passphrase("").unwrap();
        let (key, found) = FileKey::from_encrypted_pem(&read(name), &secret).unwrap();
        assert_eq!((key.key_id(), found), (loaded.key.key_id(), kdf));
    }
}

#[test]
fn a_plain_key_loads_only_where_allowed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("plain.pem");
    std::fs::copy(testdata("pyca-ed25519-plain.pem"), &path).unwrap();
    let uri = KeyUri::File(path);
    let refused = uri.open(&NoPassphrase, LoadOptions::default()).err();
    assert!(matches!(
        refused,
        Some(KeyError::Unusable {
            flaw: KeyFlaw::Unencrypted,
            ..
        })
    ));
    let options = LoadOptions {
        allow_unencrypted: true,
        ..LoadOptions::default()
    };
    let opened = uri.open(&NoPassphrase, options).unwrap();
    let expected = public_key_from_pem(&read("pyca-ed25519.pub.pem")).unwrap();
    assert_eq!(opened.signer.public_key(), &expected);
    assert_eq!(opened.signer.describe(), uri.to_string());
    let key = uri.to_string();
    assert!(opened.warnings.contains(&KeyWarning::Unencrypted { key }));
}

#[test]
fn files_open_to_others_are_pointed_out() {
    use std::os::unix::fs::PermissionsExt;

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("key.pem");
    std::fs::copy(testdata("openssl-p256-scrypt.pem"), &path).unwrap();
    for (mode, expected) in [(0o600, false), (0o640, true), (0o604, true), (0o400, false)] {
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        let loaded = FileKey::load(&path, &passphrase, LoadOptions::default()).unwrap();
        let warning = KeyWarning::OpenToOthers {
            path: path.clone(),
            mode,
        };
        assert_eq!(loaded.warnings.contains(&warning), expected, "{mode:o}");
    }
}

#[test]
fn other_files_are_named_for_what_they_are() {
    let folder = tempfile::tempdir().unwrap();
    let flaw_of = |content: &str| {
        let path = folder.path().join("key.pem");
        std::fs::write(&path, content).unwrap();
        match FileKey::load(&path, &passphrase, LoadOptions::default()) {
            Err(KeyError::Unusable { flaw, .. }) => flaw,
            other => panic!("{other:?}"),
        }
    };
    let labelled = |found| KeyFlaw::Label {
        found,
        expected: "ENCRYPTED PRIVATE KEY",
    };
    let public = read("openssl-p256.pub.pem");
    assert_eq!(flaw_of(&public), labelled(Some("PUBLIC KEY")));
    let legacy = public.replace("PUBLIC KEY", "EC PRIVATE KEY");
    assert_eq!(flaw_of(&legacy), labelled(Some("EC PRIVATE KEY")));
    assert_eq!(flaw_of(&public.replace("PUBLIC", "MY")), labelled(None));
    assert_eq!(flaw_of("-----BEGIN"), KeyFlaw::Pem);
    let sealed = public.replace("PUBLIC KEY", "ENCRYPTED PRIVATE KEY");
    let oid = countersign_keys::ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
    assert_eq!(flaw_of(&sealed), KeyFlaw::Protection { oid });
    let private = public.replace("PUBLIC KEY", "PRIVATE KEY");
    assert_eq!(flaw_of(&private), KeyFlaw::Unencrypted);
}

#[test]
fn oversized_and_unreadable_files_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("key.pem");
    std::fs::write(&path, vec![b'-'; countersign_keys::MAX_KEY_FILE + 1]).unwrap();
    let load = |path: &Path| FileKey::load(path, &passphrase, LoadOptions::default());
    assert!(matches!(load(&path), Err(KeyError::TooLarge { .. })));
    assert!(matches!(load(folder.path()), Err(KeyError::Read { .. })));
    std::fs::write(&path, [0xff; 10]).unwrap();
    assert!(matches!(
        load(&path),
        Err(KeyError::Unusable {
            flaw: KeyFlaw::Pem,
            ..
        })
    ));
}
