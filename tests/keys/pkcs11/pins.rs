//! PINs: asked once, sent once, never shown.

use keys::{
    NoPassphrase, PassphraseError, Pkcs11Key, Pkcs11Options, Signer, TokenError, TokenKeyType,
};

use crate::hsm::{PIN, Pin, token_error, with_softhsm};

#[test]
fn a_wrong_pin_is_sent_once_and_remembered() {
    with_softhsm(|hsm| {
        hsm.add_token("Root");
        let wrong = Pin::of("4711-wrong");
        let error = hsm.open_with("object=root", &wrong).unwrap_err();
        let TokenError::WrongPin { token, state } = &error else {
            panic!("{error}");
        };
        assert_eq!((token.label.as_str(), *state), ("Root", token.pin));
        assert_eq!(wrong.asked(), 1);
        // The second key of a script with one PIN file: no second attempt is spent.
        let error = hsm.open_with("object=other", &wrong).unwrap_err();
        assert!(
            matches!(error, TokenError::PinRefusedBefore { .. }),
            "{error}"
        );
        assert!(!format!("{error} {error:?}").contains("4711"));
        // Nor does it stand in the way of the right one.
        let error = hsm.open_with("object=root", &Pin::right()).unwrap_err();
        assert!(matches!(error, TokenError::NoKey { .. }), "{error}");
        // SoftHSM wants four characters; to the holder that is a wrong PIN like any other.
        let short = hsm.open_with("object=root", &Pin::of("1")).unwrap_err();
        assert!(matches!(short, TokenError::WrongPin { .. }), "{short}");
    });
}

#[test]
fn one_login_serves_all_keys_of_a_token() {
    with_softhsm(|hsm| {
        hsm.add_token("Root");
        let root = hsm
            .generate("object=root", TokenKeyType::EcdsaP256)
            .unwrap();
        let pin = Pin::right();
        let targets = hsm.open_with("object=root", &pin).unwrap();
        assert_eq!((pin.asked(), targets.key_id()), (0, root.key_id()));
        // With its last key the token is logged out.
        drop((root, targets));
        hsm.open_with("object=root", &pin)
            .unwrap()
            .sign(b"{}")
            .unwrap();
        assert_eq!(pin.asked(), 1);
    });
}

#[test]
fn a_pin_comes_from_a_file_if_the_uri_says_so() {
    with_softhsm(|hsm| {
        hsm.add_token("Root");
        hsm.generate("object=root", TokenKeyType::EcdsaP256)
            .unwrap();
        let file = hsm.folder.join("pin");
        let mut uri = hsm.uri("object=root");
        uri.pin_source = Some(file.clone());
        let open = || {
            let opened = Pkcs11Key::open(&uri, &NoPassphrase, Pkcs11Options::default());
            opened.map_err(token_error)
        };
        let missing = open().unwrap_err();
        let TokenError::Pin { source, .. } = missing else {
            panic!("{missing}");
        };
        assert!(matches!(source, PassphraseError::File { path, .. } if path == file));
        std::fs::write(&file, format!("{PIN}\n")).unwrap();
        let key = open().unwrap();
        assert!(!key.describe().contains("pin"), "{}", key.describe());
    });
}

#[test]
fn without_a_pin_nothing_is_tried() {
    with_softhsm(|hsm| {
        hsm.add_token("Root");
        let uri = hsm.uri("object=root");
        let error = Pkcs11Key::open(&uri, &NoPassphrase, Pkcs11Options::default()).unwrap_err();
        let error = token_error(error);
        let TokenError::Pin { source, token } = &error else {
            panic!("{error}");
        };
        assert!(matches!(source, PassphraseError::NotGiven));
        assert_eq!(token.label, "Root");
    });
}
