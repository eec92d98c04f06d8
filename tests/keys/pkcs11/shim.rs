//! What real tokens do and `SoftHSM` does not, through the shim.

use keys::{
    KeyError, NewTokenKey, NoPassphrase, PinState, Pkcs11Key, Pkcs11Options, SignatureCheck,
    Signer, TokenError, TokenKeyType,
};

use crate::hsm::{Hsm, PIN, Pin, token_error, with_shim};

fn sign(key: &Pkcs11Key) -> Result<(), TokenError> {
    key.sign(b"{}").map(drop).map_err(token_error)
}

fn forced(hsm: &Hsm, pin: &Pin) -> Result<Pkcs11Key, TokenError> {
    let options = Pkcs11Options {
        module: None,
        force_last_attempt: true,
    };
    Pkcs11Key::open(&hsm.uri("object=root"), pin, options).map_err(token_error)
}

#[test]
fn no_token_is_locked_without_force() {
    with_shim(|hsm| {
        hsm.add_token("Root");
        drop(
            hsm.generate("object=root", TokenKeyType::EcdsaP256)
                .unwrap(),
        );
        hsm.switch_on("locks", "");
        let open = |pin: &'static str| hsm.open_with("object=root", &Pin::of(pin)).unwrap_err();
        for (pin, expected) in [
            ("wrong-1", PinState::SomeWrong),
            ("wrong-2", PinState::LastAttempt),
        ] {
            let error = open(pin);
            assert!(matches!(error, TokenError::WrongPin { state, .. } if state == expected));
        }
        let (sent, pin) = (hsm.logins(), Pin::right());
        let error = hsm.open_with("object=root", &pin).unwrap_err();
        assert!(matches!(error, TokenError::LastAttempt { .. }), "{error}");
        assert_eq!((hsm.logins(), pin.asked()), (sent, 0));
        // Forced with the right PIN, all attempts are there again.
        forced(hsm, &pin).unwrap();
        assert_eq!(hsm.logins(), sent + 1);
        let error = open("wrong-3");
        assert!(matches!(
            error,
            TokenError::WrongPin {
                state: PinState::SomeWrong,
                ..
            }
        ));
    });
}

#[test]
fn a_locked_token_says_so_and_gets_no_pin() {
    with_shim(|hsm| {
        hsm.add_token("Root");
        hsm.switch_on("locks", "");
        let mut last = None;
        for pin in ["wrong-1", "wrong-2", "wrong-3"] {
            last = forced(hsm, &Pin::of(pin)).err();
        }
        let last = last.unwrap();
        assert!(
            matches!(
                last,
                TokenError::WrongPin {
                    state: PinState::Locked,
                    ..
                }
            ),
            "{last}"
        );
        let (sent, pin) = (hsm.logins(), Pin::right());
        let error = forced(hsm, &pin).unwrap_err();
        assert!(matches!(error, TokenError::PinLocked { .. }), "{error}");
        assert_eq!((hsm.logins(), pin.asked()), (sent, 0));
    });
}

#[test]
fn a_pin_typed_on_the_device_is_not_asked_for() {
    with_shim(|hsm| {
        hsm.add_token("Root");
        let new = NewTokenKey {
            key_type: TokenKeyType::EcdsaP256,
            always_authenticate: true,
        };
        drop(hsm.generate_as("object=root", new).unwrap());
        hsm.switch_on("pinpad", PIN);
        let uri = hsm.uri("object=root");
        let key = Pkcs11Key::open(&uri, &NoPassphrase, Pkcs11Options::default()).unwrap();
        assert!(key.token().pinpad && key.always_authenticates());
        let before = hsm.logins();
        sign(&key).unwrap();
        sign(&key).unwrap();
        assert_eq!(hsm.logins(), before + 2);
    });
}

#[test]
fn a_token_pulled_out_is_named() {
    with_shim(|hsm| {
        hsm.add_token("Root");
        for always_authenticate in [false, true] {
            let new = NewTokenKey {
                key_type: TokenKeyType::EcdsaP256,
                always_authenticate,
            };
            let uri = format!("object=root-{always_authenticate}");
            let key = hsm.generate_as(&uri, new).unwrap();
            sign(&key).unwrap();
            hsm.switch_on("removed", "");
            let error = sign(&key).unwrap_err();
            let TokenError::Removed { token } = &error else {
                panic!("{error}");
            };
            assert_eq!(token.label, "Root");
            let gone = hsm.open(&uri).unwrap_err();
            assert!(matches!(gone, TokenError::NoToken { .. }), "{gone}");
            hsm.switch_off("removed");
        }
    });
}

#[test]
fn a_signature_that_does_not_verify_never_leaves() {
    with_shim(|hsm| {
        hsm.add_token("Root");
        for (key_type, always_authenticate) in [
            (TokenKeyType::EcdsaP256, false),
            (TokenKeyType::Ed25519, false),
            (TokenKeyType::Ed25519, true),
            (TokenKeyType::Rsa3072, false),
        ] {
            let new = NewTokenKey {
                key_type,
                always_authenticate,
            };
            let uri = format!("object={key_type:?}-{always_authenticate}");
            let key = hsm.generate_as(&uri, new).unwrap();
            hsm.switch_on("faulty", "");
            let error = key.sign(b"{}").unwrap_err();
            assert!(matches!(error, KeyError::BadSignature { .. }), "{error}");
            let error = hsm.generate_as("object=new", new).unwrap_err();
            assert!(matches!(error, TokenError::FirstSignature), "{error}");
            hsm.switch_off("faulty");
            let error = hsm.open("object=new").unwrap_err();
            assert!(
                matches!(error, TokenError::NoKey { .. }),
                "destroyed: {error}"
            );
        }
    });
}

#[test]
fn a_key_that_could_be_extracted_is_destroyed() {
    with_shim(|hsm| {
        hsm.add_token("Root");
        hsm.switch_on("leaky", "");
        let error = hsm
            .generate("object=root", TokenKeyType::EcdsaP256)
            .unwrap_err();
        assert!(matches!(error, TokenError::Unprotected { .. }), "{error}");
        let error = hsm.open("object=root").unwrap_err();
        assert!(matches!(error, TokenError::NoKey { held } if held.is_empty()));
    });
}

#[test]
fn other_encodings_and_mechanisms_serve_as_well() {
    with_shim(|hsm| {
        hsm.add_token("Root");
        let plain = hsm
            .generate("object=p256", TokenKeyType::EcdsaP256)
            .unwrap();
        hsm.switch_on("other-encodings", "");
        hsm.switch_on("plain-pss", "");
        let named = hsm.generate("object=named", TokenKeyType::Ed25519).unwrap();
        let again = hsm.open("object=p256").unwrap();
        assert_eq!(again.public_key(), plain.public_key());
        drop((again, plain));
        hsm.switch_off("other-encodings");
        let by_oid = hsm.open("object=named").unwrap();
        assert_eq!(by_oid.public_key(), named.public_key());
        drop((by_oid, named));
        // No key open: the token is connected to anew, and its mechanisms are read.
        let rsa = hsm.generate("object=rsa", TokenKeyType::Rsa3072).unwrap();
        let check = SignatureCheck::new(rsa.public_key()).unwrap();
        assert!(check.verifies(b"{}", &rsa.sign(b"{}").unwrap().bytes));
    });
}
