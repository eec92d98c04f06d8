//! What is tried again, what is not, and that nothing waits longer than it may.

use std::time::{Duration, Instant};

use countersign_keys_kms::{KmsError, KmsLimits, KmsOptions, KmsSigner};
use keys::Signer;
use kms_double::{Action, Fault, KeySpec};

use crate::stand::{Stand, fast};

const PASSING: [Fault; 4] = [
    Fault::THROTTLE,
    Fault::INTERNAL,
    Fault::DEPENDENCY_TIMEOUT,
    Fault::Disconnect,
];

fn with_limits(stand: &Stand, id: &str, limits: KmsLimits) -> KmsSigner {
    let options = KmsOptions {
        limits,
        ..stand.options.clone()
    };
    KmsSigner::open(&stand.uri(id), &options).unwrap()
}

#[test]
fn what_passes_is_waited_for() {
    for fault in PASSING {
        let stand = Stand::new();
        let (signer, _) = stand.signer(KeySpec::P256);
        stand.double.inject(Action::Sign, fault.clone(), 3);
        signer
            .sign_many(&[b"message"])
            .unwrap_or_else(|error| panic!("{fault:?}: {error:?}"));
        assert_eq!(stand.double.count(Action::Sign), 4, "{fault:?}");
    }
}

#[test]
fn earlier_faults_do_not_use_up_later_tries() {
    let stand = Stand::new();
    let (signer, _) = stand.signer(KeySpec::P256);
    for round in 1..=40 {
        stand.double.inject(Action::Sign, Fault::INTERNAL, 5);
        signer
            .sign(b"message")
            .unwrap_or_else(|error| panic!("round {round}: {error}"));
    }
}

#[test]
fn what_does_not_pass_is_an_error_after_all_tries() {
    for fault in PASSING {
        let stand = Stand::new();
        let (signer, _) = stand.signer(KeySpec::P256);
        stand.double.inject(Action::Sign, fault.clone(), 100);
        let error = signer.sign_many(&[b"message"]).unwrap_err();
        let expected = match (&fault, &error) {
            (Fault::Disconnect, KmsError::Unreachable { .. })
            | (Fault::Refuse { status: 400, .. }, KmsError::Throttled { .. }) => true,
            (Fault::Refuse { code, .. }, KmsError::ServiceFault { code: found, .. }) => {
                code == found
            }
            _ => false,
        };
        assert!(expected, "{fault:?}: {error}");
        assert_eq!(stand.double.count(Action::Sign), 6, "{fault:?}");
    }
}

#[test]
fn errors_of_something_in_between_are_named_by_their_status() {
    let stand = Stand::new();
    let (signer, _) = stand.signer(KeySpec::P256);
    let gateway = Fault::Refuse {
        status: 502,
        code: "",
        message: "",
    };
    stand.double.inject(Action::Sign, gateway, 100);
    let error = signer.sign_many(&[b"message"]).unwrap_err();
    assert!(
        matches!(&error, KmsError::ServiceFault { code, .. } if code == "HTTP status 502"),
        "{error}"
    );
}

#[test]
fn what_never_passes_is_asked_once() {
    let stand = Stand::new();
    let (signer, _) = stand.signer(KeySpec::P256);
    stand.double.deny(Action::Sign);
    signer.sign(b"message").unwrap_err();
    assert_eq!(stand.double.count(Action::Sign), 1);
}

#[test]
fn many_signatures_survive_a_quota() {
    let stand = Stand::new();
    let (_, id) = stand.signer(KeySpec::P256);
    // The pauses of production, against a quota of which eight callers could use tenfold.
    let signer = with_limits(&stand, &id, KmsLimits::default());
    stand.double.limit_rate(200);
    let signatures = signer.sign_many(&[b"message".as_slice(); 300]).unwrap();
    assert_eq!(signatures.len(), 300);
    assert!(
        stand.double.count(Action::Sign) > 300,
        "nothing was throttled"
    );
}

#[test]
fn tries_and_calls_end_in_time() {
    let stand = Stand::new();
    let (_, id) = stand.signer(KeySpec::P256);
    let limits = KmsLimits {
        attempt: Duration::from_millis(300),
        call: Duration::from_millis(800),
        ..fast()
    };
    let signer = with_limits(&stand, &id, limits);
    let hang = Fault::Delay(Duration::from_secs(20));
    // One try that hangs is given up and tried again.
    stand.double.inject(Action::Sign, hang.clone(), 1);
    signer.sign(b"message").unwrap();
    stand.double.inject(Action::Sign, hang, 100);
    let started = Instant::now();
    let error = signer.sign_many(&[b"message"]).unwrap_err();
    let KmsError::TimedOut {
        action,
        milliseconds,
    } = error
    else {
        panic!("{error}");
    };
    assert_eq!((action, milliseconds), ("kms:Sign", 800));
    assert!(started.elapsed() < Duration::from_secs(5));
}

#[test]
fn one_failure_ends_the_whole_batch() {
    let stand = Stand::new();
    let (signer, _) = stand.signer(KeySpec::P256);
    stand.double.inject(Action::Sign, Fault::NotJson, 1);
    let error = signer.sign_many(&[b"message".as_slice(); 500]).unwrap_err();
    assert!(matches!(error, KmsError::Answer { .. }), "{error}");
    assert!(stand.double.count(Action::Sign) < 500);
}
