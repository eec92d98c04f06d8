//! Every type of key signs what metadata can carry.

use keys::{
    KeyUri, LoadOptions, NewTokenKey, NoPassphrase, Pkcs11Key, SignatureCheck, Signer, TokenError,
    TokenKeyType,
};

use cryptoki::error::{Error, RvError};
use cryptoki::mechanism::Mechanism;
use cryptoki::object::{Attribute, ObjectClass};

use crate::hsm::{Pin, with_softhsm};

const TYPES: [(TokenKeyType, &str); 3] = [
    (TokenKeyType::EcdsaP256, "ecdsa-sha2-nistp256"),
    (TokenKeyType::Ed25519, "ed25519"),
    (TokenKeyType::Rsa3072, "rsassa-pss-sha256"),
];

fn assert_signs(key: &dyn Signer) {
    let check = SignatureCheck::new(key.public_key()).unwrap();
    let long = vec![b'x'; 200_000];
    for message in [&b""[..], b"{}", &long] {
        let signature = key.sign(message).unwrap();
        assert_eq!(&signature.keyid, key.key_id());
        assert!(check.verifies(message, &signature.bytes));
        assert!(!check.verifies(b"other", &signature.bytes));
    }
}

/// The name of a key finds it again, without a PIN where the token is logged in.
fn assert_found_again(key: &Pkcs11Key) {
    let uri: KeyUri = key.describe().parse().unwrap();
    assert_eq!(uri, KeyUri::Pkcs11(key.uri().clone()));
    let again = uri.open(&NoPassphrase, LoadOptions::default()).unwrap();
    assert_eq!(again.signer.key_id(), key.key_id());
    assert_signs(again.signer.as_ref());
}

#[test]
fn every_type_is_made_signs_and_is_found_again() {
    with_softhsm(|hsm| {
        hsm.add_token("Root A");
        for (key_type, scheme) in TYPES {
            let key = hsm.generate(&format!("object={scheme}"), key_type).unwrap();
            assert_eq!(key.public_key().scheme(), scheme);
            assert!(!key.always_authenticates());
            assert_signs(&key);
            assert_found_again(&key);
        }
    });
}

#[test]
fn keys_that_want_the_pin_for_every_signature_get_it() {
    with_softhsm(|hsm| {
        hsm.add_token("Root A");
        for (key_type, scheme) in TYPES {
            let new = NewTokenKey {
                key_type,
                always_authenticate: true,
            };
            let key = hsm.generate_as(&format!("object={scheme}"), new).unwrap();
            assert!(key.always_authenticates());
            assert_signs(&key);
        }
        // The token insists: signing as with any other key fails though the session is logged in.
        let session = hsm.session();
        let private = [
            Attribute::Class(ObjectClass::PRIVATE_KEY),
            Attribute::Label(b"ecdsa-sha2-nistp256".to_vec()),
        ];
        let handle = session.find_objects(&private).unwrap()[0];
        let refused = session.sign(&Mechanism::Ecdsa, handle, &[1; 32]);
        assert!(
            matches!(refused, Err(Error::Pkcs11(RvError::UserNotLoggedIn, _))),
            "{refused:?}"
        );
        // Logged in, but the key needs the PIN itself: asked once, used for every signature.
        let pin = Pin::right();
        let key = hsm.open_with("object=ed25519", &pin).unwrap();
        assert_signs(&key);
        assert_eq!(pin.asked(), 1);
    });
}

#[test]
fn a_wrong_pin_for_one_signature_is_never_sent_again() {
    with_softhsm(|hsm| {
        hsm.add_token("Root A");
        let new = NewTokenKey {
            key_type: TokenKeyType::EcdsaP256,
            always_authenticate: true,
        };
        let good = hsm.generate_as("object=slot-9c", new).unwrap();
        let key = hsm.open_with("object=slot-9c", &Pin::of("9999")).unwrap();
        let sign = |key: &Pkcs11Key| key.sign(b"{}").map_err(crate::hsm::token_error);
        let first = sign(&key).unwrap_err();
        assert!(matches!(first, TokenError::WrongPin { .. }), "{first}");
        for _ in 0..2 {
            let later = sign(&key).unwrap_err();
            assert!(
                matches!(later, TokenError::PinRefusedBefore { .. }),
                "{later}"
            );
        }
        // The failed operation does not stand in the way of a right one.
        sign(&good).unwrap();
    });
}

#[test]
fn threads_share_a_token() {
    with_softhsm(|hsm| {
        hsm.add_token("Root A");
        let key = hsm
            .generate("object=online", TokenKeyType::EcdsaP256)
            .unwrap();
        let check = SignatureCheck::new(key.public_key()).unwrap();
        std::thread::scope(|scope| {
            for thread in 0..4 {
                let (key, check) = (&key, &check);
                scope.spawn(move || {
                    for at in 0..50 {
                        let message = format!("{thread} {at}");
                        let signature = key.sign(message.as_bytes()).unwrap();
                        assert!(check.verifies(message.as_bytes(), &signature.bytes));
                    }
                });
            }
        });
    });
}
