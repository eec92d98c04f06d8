//! Everything that must not sign: each with an error of its own that says what to do.

use countersign_keys_kms::{KmsError, KmsOptions, KmsSigner};
use keys::{KeyError, Signer};
use kms_double::{Action, Fault, KeySpec, KeyState};

use crate::stand::{Stand, awskms};

/// The error of a signer that must fail.
fn sign(signer: &KmsSigner) -> KmsError {
    signer.sign_many(&[b"message"]).unwrap_err()
}

fn open(stand: &Stand, key: &str) -> KmsError {
    stand.open(key).err().unwrap()
}

#[test]
fn keys_that_are_not_enabled() {
    let stand = Stand::new();
    let (signer, id) = stand.signer(KeySpec::P256);
    stand.double.set_state(&id, KeyState::Disabled);
    assert!(matches!(sign(&signer), KmsError::Disabled));
    assert!(matches!(open(&stand, &id), KmsError::Disabled));
    stand.double.set_state(&id, KeyState::Unavailable);
    let error = sign(&signer);
    assert!(
        matches!(&error, KmsError::KeyState { state, .. } if state == "Unavailable"),
        "{error}"
    );
    stand.double.set_state(&id, KeyState::PendingDeletion);
    for error in [sign(&signer), open(&stand, &id)] {
        assert_eq!(
            error.to_string(),
            "the key is going to be deleted on 2030-03-17T17:46:40Z"
        );
        assert!(error.hint().contains("cancel the deletion"));
    }
    // Who may not describe the key learns less, and still what matters.
    stand.double.deny(Action::DescribeKey);
    assert!(matches!(
        sign(&signer),
        KmsError::PendingDeletion { date: None }
    ));
    stand.double.set_state(&id, KeyState::Unavailable);
    let error = sign(&signer);
    assert!(error.to_string().contains("is unavailable."), "{error}");
    stand.double.set_state(&id, KeyState::Enabled);
    signer.sign(b"message").unwrap();
}

#[test]
fn actions_that_are_denied() {
    let stand = Stand::new();
    let (signer, id) = stand.signer(KeySpec::P256);
    stand.double.deny(Action::Sign);
    let KmsError::Denied { action, message } = sign(&signer) else {
        panic!("denied");
    };
    assert_eq!(action, "kms:Sign");
    assert!(
        message.contains("user/index is not authorized"),
        "{message}"
    );
    stand.double.deny(Action::GetPublicKey);
    let error = open(&stand, &id);
    assert!(
        matches!(
            error,
            KmsError::Denied {
                action: "kms:GetPublicKey",
                ..
            }
        ),
        "{error}"
    );
    assert!(error.hint().contains("kms:Sign"));
}

#[test]
fn keys_that_are_not_there() {
    let stand = Stand::new();
    for key in ["alias/none", "1234abcd-12ab-34cd-56ef-1234567890ab"] {
        let error = open(&stand, key);
        let KmsError::NotFound { region, message } = &error else {
            panic!("{error}");
        };
        assert_eq!(region, "eu-central-1");
        assert!(message.contains(key), "{message}");
    }
}

#[test]
fn other_regions() {
    let stand = Stand::new();
    let id = stand.double.create_key(KeySpec::P256);
    let endpoint = stand.double.endpoint();
    // An ARN of another region, and a name in another region, at this region's endpoint.
    for uri in [
        format!("awskms:arn:aws:kms:us-east-1:111122223333:key/{id}?endpoint={endpoint}"),
        format!("awskms:{id}?region=us-east-1&endpoint={endpoint}"),
    ] {
        let error = KmsSigner::open(&awskms(&uri), &stand.options)
            .err()
            .unwrap();
        let KmsError::WrongRegion { region, .. } = &error else {
            panic!("{error}");
        };
        assert_eq!(region, "us-east-1");
    }
}

#[test]
fn keys_for_other_work() {
    let stand = Stand::new();
    let open = |spec| open(&stand, &stand.double.create_key(spec));
    let error = open(KeySpec::Rsa2048Encryption);
    assert!(
        matches!(&error, KmsError::Usage { usage } if usage == "ENCRYPT_DECRYPT"),
        "{error}"
    );
    let error = open(KeySpec::Symmetric);
    assert!(matches!(error, KmsError::Usage { .. }), "{error}");
    let error = open(KeySpec::P384);
    assert!(
        matches!(&error, KmsError::Spec { spec } if spec == "ECC_NIST_P384"),
        "{error}"
    );
    assert!(error.hint().contains("ECC_NIST_P256"));
}

#[test]
fn credentials_the_service_does_not_take() {
    let stand = Stand::new();
    let id = stand.double.create_key(KeySpec::P256);
    let right = stand.double.credentials_file();
    let wrong_secret = right.replace("planted", "another");
    let wrong_key = right.replace("AKIA", "AKIB");
    let expired = format!("{right}aws_session_token = old\n");
    for (text, code) in [
        (wrong_secret, "InvalidSignatureException"),
        (wrong_key, "UnrecognizedClientException"),
        (expired, "ExpiredTokenException"),
    ] {
        stand.write_credentials(&text);
        let error = open(&stand, &id);
        assert!(
            matches!(&error, KmsError::CredentialsRefused { code: found, .. } if found == code),
            "{error}"
        );
    }
}

#[test]
fn credentials_that_are_not_there() {
    let stand = Stand::new();
    let id = stand.double.create_key(KeySpec::P256);
    let no_profile = awskms(&format!("awskms:{}&profile=other", stand.uri(&id)));
    let error = KmsSigner::open(&no_profile, &stand.options).err().unwrap();
    assert!(matches!(error, KmsError::NoCredentials { .. }), "{error}");
    stand.write_credentials("[default]\n");
    let error = open(&stand, &id);
    assert!(matches!(error, KmsError::NoCredentials { .. }), "{error}");
    let options = KmsOptions {
        credentials_file: Some(stand.path("none")),
        ..stand.options.clone()
    };
    let error = KmsSigner::open(&stand.uri(&id), &options).err().unwrap();
    assert!(
        matches!(&error, KmsError::CredentialsFile { path, .. } if *path == stand.path("none")),
        "{error}"
    );
}

#[test]
fn aliases_that_are_pointed_elsewhere() {
    let stand = Stand::new();
    let id = stand.double.create_key(KeySpec::P256);
    let other = stand.double.create_key(KeySpec::P256);
    stand.double.point_alias("alias/online", &id);
    let signer = stand.open("alias/online").unwrap();
    stand.double.point_alias("alias/online", &other);
    let KmsError::Repointed { pinned, found } = sign(&signer) else {
        panic!("repointed");
    };
    assert!(pinned.ends_with(&id) && found.ends_with(&other));
    // A key of another kind refuses the algorithm.
    let rsa = stand.double.create_key(KeySpec::Rsa2048);
    stand.double.point_alias("alias/online", &rsa);
    let error = sign(&signer);
    assert!(
        matches!(&error, KmsError::Refused { code, .. } if code == "InvalidKeyUsageException"),
        "{error}"
    );
}

#[test]
fn signatures_that_do_not_verify() {
    let stand = Stand::new();
    for spec in [KeySpec::P256, KeySpec::Rsa2048, KeySpec::Ed25519] {
        let (signer, id) = stand.signer(spec);
        for fault in [Fault::OtherKey, Fault::EmptySignature] {
            stand.double.inject(Action::Sign, fault, 1);
            let error = signer.sign(b"message").unwrap_err();
            assert!(
                matches!(&error, KeyError::BadSignature { keyid, .. } if keyid == signer.key_id()),
                "{error}"
            );
        }
        if spec == KeySpec::Rsa2048 {
            stand.double.inject(Action::Sign, Fault::OtherPadding, 1);
            assert!(matches!(sign(&signer), KmsError::BadSignature { .. }));
        }
        signer.sign(b"message").unwrap();
        // Under the very same name and ARN.
        stand.double.replace_material(&id);
        assert!(matches!(sign(&signer), KmsError::BadSignature { .. }));
    }
}

#[test]
fn answers_that_are_none() {
    let stand = Stand::new();
    let (signer, id) = stand.signer(KeySpec::P256);
    for fault in [Fault::Missing, Fault::NotJson, Fault::Flood(8 << 20)] {
        stand.double.inject(Action::Sign, fault.clone(), 10);
        let error = sign(&signer);
        let KmsError::Answer { action, .. } = error else {
            panic!("{fault:?}: {error}");
        };
        assert_eq!(action, "kms:Sign");
        // What is left of the fault, if the SDK did not try so often.
        while signer.sign_many(&[b"message"]).is_err() {}
    }
    stand.double.inject(Action::Sign, Fault::OtherKeyId, 1);
    assert!(matches!(sign(&signer), KmsError::Repointed { .. }));
    stand.double.inject(Action::GetPublicKey, Fault::Missing, 1);
    let error = open(&stand, &id);
    assert!(matches!(error, KmsError::PublicKey { .. }), "{error}");
}

#[test]
fn endpoints_where_nobody_answers() {
    let stand = Stand::new();
    let id = stand.double.create_key(KeySpec::P256);
    let uri = stand.uri(&id);
    let endpoint = stand.double.endpoint();
    drop(stand.double);
    // A port that nothing listens on any more; the double stops when it is dropped.
    let error = loop {
        match KmsSigner::open(&uri, &stand.options) {
            Err(error) => break error,
            Ok(_) => std::thread::yield_now(),
        }
    };
    assert!(
        matches!(&error, KmsError::Unreachable { endpoint: found, .. } if *found == endpoint),
        "{error}"
    );
}

#[test]
fn errors_of_the_trait_name_the_key_and_the_cause() {
    let stand = Stand::new();
    let (signer, id) = stand.signer(KeySpec::P256);
    stand.double.set_state(&id, KeyState::Disabled);
    let error = signer.sign(b"message").unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("{} cannot be used", signer.describe())
    );
    let KeyError::Other { source, .. } = error else {
        panic!("{error}");
    };
    assert!(matches!(source.downcast_ref(), Some(KmsError::Disabled)));
}
