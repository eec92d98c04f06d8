//! The blocking signer in every surrounding it may meet.

use std::sync::Arc;
use std::time::Duration;

use countersign_keys_kms::{KmsLimits, KmsOpener, KmsOptions, KmsSigner};
use keys::{KeyUri, LoadOptions, NoPassphrase, Signer};
use kms_double::{Action, Fault, KeySpec};
use tokio::runtime::Builder;

use crate::stand::{Stand, fast};

#[test]
fn signs_inside_a_runtime_of_one_thread() {
    let stand = Stand::new();
    let id = stand.double.create_key(KeySpec::P256);
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    // Opened, used and dropped inside.
    runtime.block_on(async {
        let signer = stand.open(&id).unwrap();
        signer.sign(b"message").unwrap();
    });
}

#[test]
fn tasks_that_all_block_are_all_answered() {
    let stand = Stand::new();
    let signer = Arc::new(stand.signer(KeySpec::P256).0);
    let runtime = Builder::new_multi_thread()
        .worker_threads(2)
        .build()
        .unwrap();
    let answered = runtime.block_on(async {
        let tasks: Vec<_> = (0..20)
            .map(|n: u32| {
                let signer = Arc::clone(&signer);
                tokio::spawn(async move { signer.sign(&n.to_be_bytes()).is_ok() })
            })
            .collect();
        let mut answered = 0;
        for task in tasks {
            answered += u32::from(task.await.unwrap());
        }
        answered
    });
    assert_eq!(answered, 20);
}

#[test]
fn no_more_are_under_way_than_allowed() {
    let stand = Stand::new();
    let (_, id) = stand.signer(KeySpec::P256);
    let peak = |concurrency| {
        let limits = KmsLimits {
            concurrency,
            ..fast()
        };
        let options = KmsOptions {
            limits,
            ..stand.options.clone()
        };
        let signer = KmsSigner::open(&stand.uri(&id), &options).unwrap();
        let slow = Fault::Delay(Duration::from_millis(50));
        stand.double.inject(Action::Sign, slow, 8);
        stand.double.forget_peak();
        signer.sign_many(&[b"m".as_slice(); 8]).unwrap();
        stand.double.peak()
    };
    assert_eq!(peak(2), 2);
    assert!(peak(8) > 2);
    // Zero would wait for ever; one is always allowed.
    assert_eq!(peak(0), 1);
}

#[test]
fn key_uris_open_with_the_opener() {
    let stand = Stand::new();
    let id = stand.double.create_key(KeySpec::P256);
    let uri = KeyUri::AwsKms(stand.uri(&id));
    let opener = KmsOpener {
        options: stand.options.clone(),
    };
    let options = LoadOptions {
        openers: &[&opener],
        ..LoadOptions::default()
    };
    let signer = uri.open(&NoPassphrase, options).unwrap().signer;
    assert_eq!(signer.describe(), uri.to_string());
    signer.sign(b"message").unwrap();
    let error = KeyUri::AwsKms(stand.uri("alias/none"))
        .open(&NoPassphrase, options)
        .err();
    let error = error.unwrap();
    assert!(
        error.to_string().starts_with("awskms:alias/none?"),
        "{error}"
    );
    let file: KeyUri = "file:/nonexistent".parse().unwrap();
    let error = file.open(&NoPassphrase, options).err().unwrap();
    assert!(matches!(error, keys::KeyError::Read { .. }), "{error}");
}
