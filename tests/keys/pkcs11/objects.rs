//! Finding the one key that is meant on a token, and refusing what is none.

use cryptoki::mechanism::Mechanism;
use cryptoki::object::{Attribute, ObjectClass};
use keys::{
    KeyFlaw, NoPassphrase, Pkcs11Key, Pkcs11Options, Signer, TokenError, TokenKeyType,
    list_token_keys,
};

use crate::hsm::{Hsm, Pin, with_softhsm};

const P256: &[u8] = &[6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7];
const P384: &[u8] = &[6, 5, 0x2b, 0x81, 4, 0, 0x22];

/// Makes a key as other programs would, without our rules.
fn foreign_key(hsm: &Hsm, label: &str, id: &[u8], public: &[Attribute], private: &[Attribute]) {
    let common = [
        Attribute::Token(true),
        Attribute::Label(label.as_bytes().to_vec()),
        Attribute::Id(id.to_vec()),
    ];
    let mechanism = match public {
        [Attribute::EcParams(_)] => Mechanism::EccKeyPairGen,
        _ => Mechanism::RsaPkcsKeyPairGen,
    };
    let (public, private) = (
        [&common[..], public].concat(),
        [&common[..], private].concat(),
    );
    let session = hsm.session();
    session
        .generate_key_pair(&mechanism, &public, &private)
        .unwrap();
}

fn p256() -> [Attribute; 1] {
    [Attribute::EcParams(P256.to_vec())]
}

#[test]
fn two_objects_that_match_are_listed() {
    with_softhsm(|hsm| {
        hsm.add_token("Root");
        for id in [&[1][..], &[2]] {
            foreign_key(hsm, "root", id, &p256(), &[Attribute::Sign(true)]);
        }
        let error = hsm.open("object=root").unwrap_err();
        let TokenError::SeveralKeys { matching } = &error else {
            panic!("{error}");
        };
        let mut ids: Vec<_> = matching.iter().map(|name| name.id.clone()).collect();
        ids.sort();
        assert_eq!(ids, [[1], [2]]);
        assert!(
            error.to_string().contains("`root` with id 01 (P-256)"),
            "{error}"
        );
        let one = hsm.open("object=root;id=%01").unwrap();
        let two = hsm.open("id=%02").unwrap();
        assert_ne!(one.key_id(), two.key_id());
        assert_eq!(two.uri().id, Some(vec![2]));
        // Every signature is by the key that was named, not by its namesake.
        let check = keys::SignatureCheck::new(one.public_key()).unwrap();
        assert!(check.verifies(b"{}", &one.sign(b"{}").unwrap().bytes));
        assert!(!check.verifies(b"{}", &two.sign(b"{}").unwrap().bytes));
    });
}

#[test]
fn a_key_that_is_absent_is_named_with_those_present() {
    with_softhsm(|hsm| {
        hsm.add_token("Root");
        let error = hsm.open("object=root").unwrap_err();
        assert!(error.to_string().ends_with("it has none"), "{error}");
        hsm.generate("object=root;id=%AA", TokenKeyType::Ed25519)
            .unwrap();
        for uri in ["object=Root", "id=%AB", "object=root;id=%AB", "object="] {
            let error = hsm.open(uri).unwrap_err();
            let TokenError::NoKey { held } = &error else {
                panic!("{error}");
            };
            assert_eq!(
                (held[0].label.as_str(), held[0].key_type.as_str()),
                ("root", "Ed25519")
            );
        }
        // The only key needs no name.
        assert_eq!(hsm.open("").unwrap().uri().id, Some(vec![0xaa]));
    });
}

#[test]
fn no_key_is_made_that_could_be_confused() {
    with_softhsm(|hsm| {
        hsm.add_token("Root");
        hsm.generate("object=root;id=%01", TokenKeyType::EcdsaP256)
            .unwrap();
        for uri in ["object=root", "object=root;id=%02", "object=other;id=%01"] {
            let error = hsm.generate(uri, TokenKeyType::EcdsaP256).unwrap_err();
            assert!(
                matches!(&error, TokenError::Exists { held } if held[0].id == [1]),
                "{error}"
            );
        }
        let error = hsm.generate("id=%03", TokenKeyType::EcdsaP256).unwrap_err();
        assert!(matches!(error, TokenError::NoLabel), "{error}");
        let chosen = hsm
            .generate("object=other", TokenKeyType::EcdsaP256)
            .unwrap();
        assert_eq!(chosen.uri().id.as_ref().unwrap().len(), 8);
    });
}

#[test]
fn a_made_key_cannot_leave_its_token() {
    with_softhsm(|hsm| {
        hsm.add_token("Root");
        hsm.generate("object=root", TokenKeyType::Ed25519).unwrap();
        let session = hsm.session();
        let private = [Attribute::Class(ObjectClass::PRIVATE_KEY)];
        let found = session.find_objects(&private).unwrap();
        let wanted = [
            cryptoki::object::AttributeType::Value,
            cryptoki::object::AttributeType::Sensitive,
            cryptoki::object::AttributeType::NeverExtractable,
        ];
        let told = session.get_attributes(found[0], &wanted).unwrap();
        assert_eq!(
            told,
            [
                Attribute::Sensitive(true),
                Attribute::NeverExtractable(true)
            ]
        );
    });
}

#[test]
fn keys_that_cannot_sign_metadata_are_refused_when_opened() {
    with_softhsm(|hsm| {
        hsm.add_token("Root");
        let sign = [Attribute::Sign(true)];
        foreign_key(
            hsm,
            "p384",
            &[1],
            &[Attribute::EcParams(P384.to_vec())],
            &sign,
        );
        let bits = |bits: u64| Attribute::ModulusBits(bits.into());
        foreign_key(hsm, "small", &[2], &[bits(1024)], &sign);
        foreign_key(hsm, "mute", &[3], &p256(), &[Attribute::Sign(false)]);
        foreign_key(hsm, "half", &[4], &p256(), &sign);
        let half = [
            Attribute::Class(ObjectClass::PUBLIC_KEY),
            Attribute::Id(vec![4]),
        ];
        let session = hsm.session();
        session
            .destroy_object(session.find_objects(&half).unwrap()[0])
            .unwrap();
        let open = |name: &str| hsm.open(&format!("object={name}")).unwrap_err();
        let p384 = open("p384");
        assert!(
            matches!(p384, TokenError::Flaw(KeyFlaw::Curve { .. })),
            "{p384}"
        );
        let small = open("small");
        assert!(
            matches!(small, TokenError::Flaw(KeyFlaw::RsaSize { bits: 1024 })),
            "{small}"
        );
        let mute = open("mute");
        assert!(matches!(mute, TokenError::NotForSigning), "{mute}");
        let half = open("half");
        assert!(matches!(half, TokenError::NoPublicKey), "{half}");
    });
}

#[test]
fn lists_all_keys_of_all_tokens() {
    with_softhsm(|hsm| {
        hsm.add_token("Root A");
        hsm.add_token("Root B");
        for (token, key_type) in [
            ("Root%20A", TokenKeyType::EcdsaP256),
            ("Root%20B", TokenKeyType::Rsa3072),
        ] {
            hsm.generate(&format!("token={token};object=root"), key_type)
                .unwrap();
        }
        let options = Pkcs11Options::default();
        let any = hsm.uri("");
        for (pins, private) in [(None, false), (Some(Pin::right()), true)] {
            let pins = pins.as_ref().map(|pin| pin as &dyn keys::PassphraseSource);
            let mut tokens = list_token_keys(&any, pins, options).unwrap();
            tokens.sort_by(|a, b| a.token.label.cmp(&b.token.label));
            let mut types = Vec::new();
            for token in &tokens {
                let [key] = token.keys.as_ref().unwrap().as_slice() else {
                    panic!("{token:?}");
                };
                assert_eq!(key.private, private);
                types.push(key.key_type.as_str());
                // What is listed opens, and is the key it was listed as.
                let opened = Pkcs11Key::open(&key.uri, &Pin::right(), options);
                assert_eq!(opened.unwrap().public_key(), key.public.as_ref().unwrap());
            }
            assert_eq!(types, ["P-256", "RSA-3072"]);
        }
        let one = list_token_keys(&hsm.uri("token=Root%20B"), None, options).unwrap();
        assert_eq!(one.len(), 1);
        let refused = list_token_keys(&any, Some(&NoPassphrase), options).unwrap();
        assert!(
            refused
                .iter()
                .all(|token| matches!(token.keys, Err(TokenError::Pin { .. })))
        );
    });
}
