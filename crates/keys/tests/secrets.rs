//! No secret appears in anything that prints: planted ones are looked for in every form.

use std::error::Error;
use std::fmt::Write as _;

use countersign_keys::{
    FileKey, Kdf, KeyError, KeyUri, LoadOptions, Passphrase, PassphraseError, PassphraseFile,
    PassphraseSource, Signer,
};

const SEED: [u8; 32] = *b"planted-seed-of-thirty-two-bytes";
const PASSPHRASE: &str = "planted-passphrase";
const FAST: Kdf = Kdf::Scrypt {
    log_n: 4,
    r: 8,
    p: 1,
};

fn planted_passphrase() -> Passphrase {
    Passphrase::new(PASSPHRASE.to_owned()).unwrap()
}

/// PKCS#8 of the planted seed, by the layout of RFC 8410 and not by the code under test.
fn planted_pem(edit: impl Fn(&mut Vec<u8>)) -> String {
    let head = [
        0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04,
        0x20,
    ];
    let mut der = [&head[..], &SEED].concat();
    edit(&mut der);
    pkcs8::der::pem::encode_string("PRIVATE KEY", pkcs8::LineEnding::LF, &der).unwrap()
}

/// The forms in which a secret might slip into a message.
fn forms(secret: &[u8]) -> Vec<String> {
    let pem = pkcs8::der::pem::encode_string("X", pkcs8::LineEnding::LF, secret).unwrap();
    let base64 = pem.lines().nth(1).unwrap();
    let decimal = format!("{secret:?}");
    vec![
        String::from_utf8(secret.to_vec()).unwrap(),
        base64.trim_end_matches('=')[..12].to_owned(),
        decimal[1..decimal.len() / 2].to_owned(),
        hex(&secret[..8]),
    ]
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}

fn assert_clean(printed: &str) {
    let mut secrets = forms(&SEED);
    secrets.extend(forms(PASSPHRASE.as_bytes()));
    secrets.push("planted".to_owned());
    for secret in secrets {
        assert!(!printed.contains(&secret), "`{secret}` in {printed}");
    }
}

fn assert_error_clean(error: &impl Error) {
    assert_clean(&format!("{error} {error:?} {error:#?}"));
    let mut cause = error.source();
    while let Some(error) = cause {
        assert_clean(&format!("{error} {error:?}"));
        cause = error.source();
    }
}

#[test]
fn the_search_would_find_them() {
    for secret in [&SEED[..], PASSPHRASE.as_bytes()] {
        for leak in [
            format!("{secret:?}"),
            hex(secret),
            String::from_utf8_lossy(secret).into_owned(),
        ] {
            let found = forms(secret)
                .iter()
                .any(|form| leak.contains(form.as_str()));
            assert!(found, "{leak}");
        }
    }
}

#[test]
fn keys_and_passphrases_do_not_print() {
    let key = FileKey::from_pkcs8_pem(&planted_pem(|_| ())).unwrap();
    assert_clean(&format!("{key:?} {key:#?} {}", key.describe()));
    let passphrase = planted_passphrase();
    assert_clean(&format!("{passphrase:?} {passphrase:#?}"));
    let sealed = key.to_encrypted_pem(&passphrase, FAST).unwrap();
    assert_clean(&sealed);
    let (key, kdf) = FileKey::from_encrypted_pem(&sealed, &passphrase).unwrap();
    assert_clean(&format!("{key:?} {kdf} {:?}", key.sign(b"m").unwrap()));
}

#[test]
fn damaged_plain_keys_do_not_print() {
    let options = LoadOptions {
        allow_unencrypted: true,
        ..LoadOptions::default()
    };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("key.pem");
    let mut refused = 0;
    for at in 0..16 {
        for text in [
            planted_pem(|der| der[at] ^= 1),
            planted_pem(|der| der.truncate(40 + at % 8)),
            planted_pem(|_| ()).replace("-----END", &"-".repeat(at % 5)),
            planted_pem(|_| ()).replace("PRIVATE KEY", PASSPHRASE),
        ] {
            if let Err(flaw) = FileKey::from_pkcs8_pem(&text) {
                assert_error_clean(&flaw);
                refused += 1;
            }
            std::fs::write(&path, &text).unwrap();
            let uri = KeyUri::File(path.clone());
            if let Err(error) = uri.open(&countersign_keys::NoPassphrase, options) {
                assert_error_clean(&error);
                refused += 1;
            }
        }
    }
    assert!(refused >= 100, "{refused}");
}

/// An unencrypted OpenSSH key of the planted seed, by `PROTOCOL.key` and not by the code under test.
fn planted_openssh(edit: impl Fn(&mut Vec<u8>)) -> String {
    let string = |bytes: &[u8]| [&(bytes.len() as u32).to_be_bytes()[..], bytes].concat();
    let public = [7; 32];
    let private = [
        &[1, 2, 3, 4, 1, 2, 3, 4][..],
        &string(b"ssh-ed25519"),
        &string(&public),
        &string(&[SEED, public].concat()),
        &string(PASSPHRASE.as_bytes()),
    ];
    let mut content = [
        &b"openssh-key-v1\0"[..],
        &string(b"none"),
        &string(b"none"),
        &string(b""),
        &[0, 0, 0, 1],
        &string(&[string(b"ssh-ed25519"), string(&public)].concat()),
        &string(&private.concat()),
    ]
    .concat();
    edit(&mut content);
    pkcs8::der::pem::encode_string("OPENSSH PRIVATE KEY", pkcs8::LineEnding::LF, &content).unwrap()
}

#[test]
fn damaged_openssh_keys_do_not_print() {
    let options = LoadOptions {
        allow_unencrypted: true,
        ..LoadOptions::default()
    };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("key");
    let length = pkcs8::der::pem::decode_vec(planted_openssh(|_| ()).as_bytes())
        .unwrap()
        .1
        .len();
    let mut refused = 0;
    for at in 0..length {
        for text in [
            planted_openssh(|content| content[at] ^= 1),
            planted_openssh(|content| content.truncate(at)),
        ] {
            std::fs::write(&path, &text).unwrap();
            let source = countersign_keys::NoPassphrase;
            match FileKey::load(&path, &source, options) {
                Err(error) => {
                    assert_error_clean(&error);
                    refused += 1;
                }
                Ok(loaded) => assert_clean(&format!("{:?} {:?}", loaded.key, loaded.warnings)),
            }
        }
    }
    assert!(refused > length, "{refused} of {length}");
}

#[test]
fn failing_passphrases_do_not_print() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("key.pem");
    let key = FileKey::from_pkcs8_pem(&planted_pem(|_| ())).unwrap();
    let other = Passphrase::new("other".to_owned()).unwrap();
    key.save_encrypted(&path, &other, FAST).unwrap();
    let wrong = |_: &str| -> Result<Passphrase, PassphraseError> { Ok(planted_passphrase()) };
    let load = |source: &dyn PassphraseSource| -> KeyError {
        FileKey::load(&path, source, LoadOptions::default()).unwrap_err()
    };
    assert_error_clean(&load(&wrong));

    let file = folder.path().join("line");
    std::fs::write(&file, PASSPHRASE.repeat(1024)).unwrap();
    assert_error_clean(&load(&PassphraseFile(file.clone())));
    std::fs::write(&file, format!("\0{PASSPHRASE}")).unwrap();
    assert_error_clean(&load(&PassphraseFile(file)));
    assert_error_clean(&Passphrase::new(PASSPHRASE.repeat(1024)).unwrap_err());
    assert_error_clean(&planted_passphrase().save_new(&path).unwrap_err());
    let dear = Kdf::Scrypt {
        log_n: 40,
        r: 8,
        p: 1,
    };
    assert_error_clean(
        &key.to_encrypted_pem(&planted_passphrase(), dear)
            .unwrap_err(),
    );
}
