//! `exec:` with children that hang, lie, die or flood: each is an error of its own, in time.

use std::time::{Duration, Instant};

use keys::{ExecError, KeyError, KeyUri, LoadOptions, NoPassphrase};

use crate::common::{PlainKey, open};
use crate::exec::{child, options};

pub(crate) fn open_error(uri: &str, options: LoadOptions) -> ExecError {
    let uri: KeyUri = uri.parse().unwrap();
    match uri.open(&NoPassphrase, options).err() {
        Some(KeyError::Exec { source, .. }) => source,
        other => panic!("{other:?}"),
    }
}

/// Opens a child, which must succeed, and signs, which must not; then signs again.
fn sign_errors(behaviour: &str, timeout: Duration) -> (ExecError, ExecError) {
    let key = PlainKey::make("ed25519");
    let signer = open(
        &child(behaviour, &key),
        LoadOptions {
            timeout,
            ..options()
        },
    )
    .signer;
    let mut errors = (0..2).map(|_| match signer.sign(b"message") {
        Err(KeyError::Exec { source, .. }) => source,
        other => panic!("{other:?}"),
    });
    (errors.next().unwrap(), errors.next().unwrap())
}

const SECONDS: Duration = Duration::from_secs(10);

#[test]
fn a_child_that_hangs_is_ended() {
    for behaviour in ["hang", "deaf"] {
        let started = Instant::now();
        // Long enough for Python to start on a busy machine.
        let (first, second) = sign_errors(behaviour, Duration::from_secs(4));
        assert!(
            matches!(first, ExecError::Timeout { op: "sign", .. }),
            "{first:?}"
        );
        assert!(matches!(second, ExecError::Gone), "{second:?}");
        assert!(started.elapsed() < Duration::from_secs(15));
    }
    let key = PlainKey::make("ed25519");
    let timeout = Duration::from_millis(200);
    let error = open_error(
        &child("silent", &key),
        LoadOptions {
            timeout,
            ..options()
        },
    );
    assert!(
        matches!(error, ExecError::Timeout { op: "hello", .. }),
        "{error:?}"
    );
}

/// A request larger than a pipe holds, to a child that does not read it.
#[test]
fn a_child_that_does_not_read_is_ended() {
    let key = PlainKey::make("ed25519");
    let timeout = Duration::from_secs(4);
    let signer = open(
        &child("deaf", &key),
        LoadOptions {
            timeout,
            ..options()
        },
    )
    .signer;
    let error = signer.sign(&vec![0; 3_000_000]).unwrap_err();
    let KeyError::Exec { source, .. } = error else {
        panic!("{error:?}");
    };
    assert!(
        matches!(source, ExecError::Timeout { op: "sign", .. }),
        "{source:?}"
    );
}

#[test]
fn a_child_that_dies_leaves_its_last_words() {
    let (first, second) = sign_errors("die", SECONDS);
    for error in [first, second] {
        let ExecError::Ended {
            op: "sign",
            status,
            last_line,
        } = error
        else {
            panic!("{error:?}");
        };
        assert_eq!(status, "exit status: 3");
        assert_eq!(last_line.as_deref(), Some("no  more tokens"));
    }
    let (idle, _) = sign_errors("idle", SECONDS);
    assert!(
        matches!(&idle, ExecError::Ended { status, .. } if status == "exit status: 7"),
        "{idle:?}"
    );
    let (closed, _) = sign_errors("close", SECONDS);
    assert!(
        matches!(&closed, ExecError::Ended { status, .. } if status == "still running"),
        "{closed:?}"
    );
}

#[test]
fn a_child_that_floods_or_babbles_is_ended() {
    let (flood, again) = sign_errors("flood", SECONDS);
    assert!(
        matches!(flood, ExecError::Flood { limit: 65_536 }),
        "{flood:?}"
    );
    assert!(matches!(again, ExecError::Flood { .. }), "{again:?}");
    for behaviour in ["chatter", "garbage", "stray"] {
        let (error, _) = sign_errors(behaviour, SECONDS);
        assert!(
            matches!(error, ExecError::Protocol { op: "sign", .. }),
            "{error:?}"
        );
    }
    let (empty, gone) = sign_errors("empty", SECONDS);
    let why = "`signature` is missing";
    assert!(
        matches!(empty, ExecError::Protocol { op: "sign", why: w } if w == why),
        "{empty:?}"
    );
    assert!(matches!(gone, ExecError::Gone), "{gone:?}");
}

#[test]
fn a_child_that_refuses_may_go_on() {
    let (first, second) = sign_errors("refuse", SECONDS);
    for error in [first, second] {
        let ExecError::Child { message } = error else {
            panic!("{error:?}");
        };
        assert_eq!(message, "the token [2J is locked");
    }
}

#[test]
fn a_child_that_lies_is_found_out() {
    for kind in ["ed25519", "ecdsa"] {
        let key = PlainKey::make(kind);
        let signer = open(&child("lie", &key), options()).signer;
        let error = signer.sign(b"message").unwrap_err();
        let keyid = signer.key_id();
        assert!(
            matches!(&error, KeyError::BadSignature { keyid: found, .. } if found == keyid),
            "{error:?}"
        );
    }
}

#[test]
fn what_does_not_fit_is_refused_at_the_start() {
    let key = PlainKey::make("ed25519");
    let error = open_error(&child("version", &key), options());
    assert!(
        matches!(error, ExecError::Version { found: 2, known: 1 }),
        "{error:?}"
    );
    let error = open_error(&child("digest", &key), options());
    assert!(matches!(error, ExecError::WantsDigest { .. }), "{error:?}");
    let error = open_error("exec:/nonexistent/signer", options());
    assert!(matches!(error, ExecError::Start { .. }), "{error:?}");
    let error = open_error("exec:/bin/true", options());
    assert!(
        matches!(error, ExecError::Ended { op: "hello", .. }),
        "{error:?}"
    );
}
