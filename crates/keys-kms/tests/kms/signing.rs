//! What is signed verifies elsewhere: every kind of key, with ring and with python-tuf.

use countersign_keys_kms::{KmsError, KmsKey, MAX_RAW_MESSAGE};
use keys::{SignatureCheck, Signer, sign_document};
use kms_double::{Action, Fault, KeySpec};
use metadata::Wire;

use crate::python;
use crate::stand::Stand;

const KINDS: [(KeySpec, &str, &str); 4] = [
    (KeySpec::P256, "ecdsa-sha2-nistp256", "DIGEST"),
    (KeySpec::Rsa2048, "rsassa-pss-sha256", "DIGEST"),
    (KeySpec::Rsa3072, "rsassa-pss-sha256", "DIGEST"),
    (KeySpec::Ed25519, "ed25519", "RAW"),
];

#[test]
fn every_kind_of_key_signs_what_others_verify() {
    let stand = Stand::new();
    for (spec, scheme, message_type) in KINDS {
        let (signer, id) = stand.signer(spec);
        assert_eq!(signer.public_key().scheme(), scheme);
        let message = format!("{{\"signed with\":\"{scheme}\"}}")
            .repeat(40)
            .into_bytes();
        let signature = signer.sign(&message).unwrap();
        assert_eq!(&signature.keyid, signer.key_id());
        let check = SignatureCheck::new(signer.public_key()).unwrap();
        assert!(check.verifies(&message, &signature.bytes));
        assert!(python::verifies(signer.public_key(), &message, &signature));
        assert!(!python::verifies(signer.public_key(), b"other", &signature));
        let call = stand.double.calls().pop().unwrap();
        let length = if message_type == "RAW" {
            message.len()
        } else {
            32
        };
        assert_eq!(
            (
                call.action,
                call.key,
                call.message_type,
                call.message_length
            ),
            (Action::Sign, id, message_type.to_owned(), length)
        );
    }
}

#[test]
fn the_public_key_is_read_once() {
    let stand = Stand::new();
    let (signer, _) = stand.signer(KeySpec::P256);
    for text in ["a", "b", "c"] {
        signer.sign(text.as_bytes()).unwrap();
    }
    assert_eq!(stand.double.count(Action::GetPublicKey), 1);
    assert_eq!(stand.double.count(Action::Sign), 3);
}

#[test]
fn all_names_of_a_key_lead_to_it() {
    let stand = Stand::new();
    let (by_id, id) = stand.signer(KeySpec::P256);
    stand.double.point_alias("alias/index/online", &id);
    let arn = |resource: &str| format!("arn:aws:kms:eu-central-1:111122223333:{resource}");
    let names = [
        "alias/index/online".to_owned(),
        arn(&format!("key/{id}")),
        arn("alias/index/online"),
    ];
    for name in names {
        let signer = stand.open(&name).unwrap();
        assert_eq!(signer.key_id(), by_id.key_id(), "{name}");
        signer.sign(b"message").unwrap();
        assert_eq!(stand.double.calls().pop().unwrap().key, name);
        assert!(signer.describe().starts_with(&format!("awskms:{name}?")));
    }
}

#[test]
fn ed25519_ends_at_4096_bytes_and_others_do_not() {
    let stand = Stand::new();
    let (signer, _) = stand.signer(KeySpec::Ed25519);
    signer.sign(&[b'x'; MAX_RAW_MESSAGE]).unwrap();
    let asked = stand.double.calls().len();
    let error = signer
        .sign_many(&[b"small", &[b'x'; MAX_RAW_MESSAGE + 1]])
        .unwrap_err();
    assert!(
        matches!(
            error,
            KmsError::TooLong {
                size: 4097,
                limit: 4096
            }
        ),
        "{error}"
    );
    assert!(error.hint().contains("ECC_NIST_P256"));
    assert_eq!(stand.double.calls().len(), asked, "nothing was sent");
    let (signer, _) = stand.signer(KeySpec::P256);
    signer.sign(&vec![b'x'; 3_000_000]).unwrap();
}

#[test]
fn rsa_signatures_are_as_long_as_the_modulus() {
    let stand = Stand::new();
    let (signer, _) = stand.signer(KeySpec::Rsa2048);
    stand.double.inject(Action::Sign, Fault::UnpaddedRsa, 1);
    let signature = signer.sign(b"message").unwrap();
    assert_eq!((signature.bytes.len(), signature.bytes[0]), (256, 0));
    assert!(python::verifies(
        signer.public_key(),
        b"message",
        &signature
    ));
}

#[test]
fn many_are_signed_in_the_order_given() {
    let stand = Stand::new();
    let (signer, _) = stand.signer(KeySpec::P256);
    // The first answer comes last.
    stand.double.inject(
        Action::Sign,
        Fault::Delay(std::time::Duration::from_millis(200)),
        1,
    );
    let documents: Vec<Vec<u8>> = (0..50)
        .map(|n| format!("{{\"n\":{n}}}").into_bytes())
        .collect();
    let documents: Vec<&[u8]> = documents.iter().map(Vec::as_slice).collect();
    let signatures = signer.sign_many(&documents).unwrap();
    let check = SignatureCheck::new(signer.public_key()).unwrap();
    for (document, signature) in documents.iter().zip(&signatures) {
        assert!(check.verifies(document, &signature.bytes));
    }
    assert_eq!(signatures.len(), 50);
    assert!(signer.sign_many(&[]).unwrap().is_empty());
}

#[test]
fn signs_documents_among_other_signers() {
    let stand = Stand::new();
    let (one, _) = stand.signer(KeySpec::P256);
    let (two, _) = stand.signer(KeySpec::Ed25519);
    let signatures = sign_document(br#"{"a":1}"#, &[&one, &two]).unwrap();
    let file = Wire::write(br#"{"a":1}"#, &signatures);
    assert_eq!(Wire::parse(&file, 2).unwrap().signatures, signatures);
}

#[test]
fn callers_in_a_runtime_need_no_thread() {
    let stand = Stand::new();
    let (_, id) = stand.signer(KeySpec::P256);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let outcome = runtime.block_on(async {
        let key = KmsKey::open(&stand.uri(&id), &stand.options).await?;
        let signature = key.sign(b"message").await?;
        Ok::<_, KmsError>((key.public_key().clone(), signature))
    });
    let (key, signature) = outcome.unwrap();
    assert!(
        SignatureCheck::new(&key)
            .unwrap()
            .verifies(b"message", &signature.bytes)
    );
}
