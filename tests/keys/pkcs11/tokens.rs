//! Finding the one token that is meant.

use keys::{
    KeyUri, LoadOptions, NoPassphrase, PinState, Pkcs11Options, Signer, TokenError, TokenKeyType,
};

use crate::hsm::{Hsm, token_error, with_softhsm};

fn two_of_one_model(hsm: &Hsm) -> [String; 2] {
    hsm.add_token("Root");
    hsm.add_token("Root");
    let mut serials = hsm.serials();
    serials.sort();
    serials.try_into().unwrap()
}

#[test]
fn serial_numbers_tell_apart_tokens_of_one_model() {
    with_softhsm(|hsm| {
        let serials = two_of_one_model(hsm);
        let mut keys = Vec::new();
        for serial in &serials {
            let uri = format!("token=Root;serial={serial};object=root");
            let key = hsm.generate(&uri, TokenKeyType::EcdsaP256).unwrap();
            let token = key.token();
            assert_eq!((&token.serial, token.label.as_str()), (serial, "Root"));
            assert_eq!(
                (token.model.as_str(), token.pin),
                ("SoftHSM v2", PinState::Untried)
            );
            assert!(token.login_required && !token.pinpad);
            keys.push(key);
        }
        assert_ne!(keys[0].key_id(), keys[1].key_id());
        for key in &keys {
            let uri = format!("serial={};object=root", key.token().serial);
            assert_eq!(hsm.open(&uri).unwrap().key_id(), key.key_id());
        }
        let error = hsm.open("token=Root;object=root").unwrap_err();
        let TokenError::SeveralTokens { matching } = &error else {
            panic!("{error}");
        };
        assert_eq!(matching.len(), 2);
        for serial in &serials {
            assert!(error.to_string().contains(serial), "{error}");
        }
        let slot = format!("slot-id={};object=root", keys[1].token().slot_id);
        assert_eq!(hsm.open(&slot).unwrap().key_id(), keys[1].key_id());
    });
}

#[test]
fn a_token_that_is_absent_is_named_with_those_present() {
    with_softhsm(|hsm| {
        hsm.add_token("Root \u{7}A");
        let serial = hsm.serials().remove(0);
        for uri in [
            "token=Root",
            "serial=0",
            "model=x",
            "manufacturer=",
            "slot-id=77",
        ] {
            let error = hsm.open(uri).unwrap_err();
            let TokenError::NoToken { present } = &error else {
                panic!("{error}");
            };
            assert_eq!(present[0].serial, serial);
            let shown = error.to_string();
            assert!(
                shown.contains(&serial) && !shown.contains('\u{7}'),
                "{shown}"
            );
        }
    });
}

#[test]
fn a_token_that_disappears_is_an_error_and_not_a_wait() {
    with_softhsm(|hsm| {
        hsm.add_token("Root");
        hsm.add_token("Other");
        let key = hsm
            .generate("token=Root;object=root", TokenKeyType::EcdsaP256)
            .unwrap();
        key.sign(b"{}").unwrap();
        let tokens = hsm.folder.join("tokens");
        std::fs::rename(&tokens, hsm.folder.join("pulled out")).unwrap();
        let error = key.sign(b"{}").unwrap_err();
        let error = token_error(error);
        let TokenError::Removed { token } = &error else {
            panic!("{error}");
        };
        assert_eq!(token.label, "Root");
    });
}

#[test]
fn modules_that_are_missing_or_none() {
    with_softhsm(|hsm| {
        let open = |text: &str, options: LoadOptions| {
            let uri: KeyUri = text.parse().unwrap();
            uri.open(&NoPassphrase, options).err().map(token_error)
        };
        let none = open("pkcs11:object=a", LoadOptions::default());
        assert!(matches!(none, Some(TokenError::NoModule)), "{none:?}");
        for path in ["/nonexistent.so", "/dev/null"] {
            let uri = format!("pkcs11:object=a?module-path={path}");
            let error = open(&uri, LoadOptions::default());
            assert!(
                matches!(error, Some(TokenError::Module { .. })),
                "{error:?}"
            );
        }
        let options = LoadOptions {
            pkcs11: Pkcs11Options {
                module: Some(&hsm.module),
                force_last_attempt: false,
            },
            ..LoadOptions::default()
        };
        let error = open("pkcs11:object=a", options);
        assert!(matches!(error, Some(TokenError::NoToken { present }) if present.is_empty()));
    });
}
