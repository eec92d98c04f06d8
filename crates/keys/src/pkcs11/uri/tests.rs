//! Tests of `pkcs11:` URIs: what RFC 7512 allows, what it does not, and the way back.

use proptest::prelude::*;

use super::*;

fn parse(rest: &str) -> Result<Pkcs11Uri, UriError> {
    Pkcs11Uri::parse(rest)
}

#[test]
fn reads_every_attribute() {
    let text = "token=Root%20A;manufacturer=M%C3%BCller&Co;serial=5f:01;model=%25;slot-id=7;\
                object=key=1;id=%00%FFa;type=private?module-path=/usr/lib/m%20x.so&\
                pin-source=file:/run/pin";
    let uri = parse(text).unwrap();
    let expected = Pkcs11Uri {
        token: Some("Root A".to_owned()),
        manufacturer: Some("Müller&Co".to_owned()),
        serial: Some("5f:01".to_owned()),
        model: Some("%".to_owned()),
        slot_id: Some(7),
        object: Some("key=1".to_owned()),
        id: Some(vec![0, 0xff, b'a']),
        module_path: Some("/usr/lib/m x.so".into()),
        pin_source: Some("/run/pin".into()),
    };
    assert_eq!(uri, expected);
    let written = "token=Root%20A;manufacturer=M%C3%BCller&Co;serial=5f:01;model=%25;\
                   slot-id=7;object=key=1;id=%00%FF%61?module-path=/usr/lib/m%20x.so&\
                   pin-source=file:///run/pin";
    assert_eq!(uri.to_string(), written);
    assert_eq!(parse(written).unwrap(), uri);
    assert!(!uri.without_pin_source().to_string().contains("pin"));
}

#[test]
fn absent_and_empty_differ() {
    assert_eq!(parse("").unwrap(), Pkcs11Uri::default());
    assert_eq!(parse("?").unwrap(), Pkcs11Uri::default());
    let empty = parse("object=;id=").unwrap();
    assert_eq!(empty.object.as_deref(), Some(""));
    assert_eq!(empty.id.as_deref(), Some(&[][..]));
    assert_eq!(empty.to_string(), "object=;id=");
}

#[test]
fn refuses_secrets_without_repeating_them() {
    for text in [
        "token=a?pin-value=4711",
        "pin-value=4711",
        "?pin-value=%34711",
    ] {
        let error = parse(text).unwrap_err();
        assert_eq!(error, UriError::PinValue, "{text}");
        assert!(!format!("{error} {error:?}").contains("711"));
    }
}

#[test]
fn says_what_is_wrong() {
    for (text, parameter) in [
        ("token=a b", "token"),
        ("token=%ff", "token"),
        ("token=%2", "token"),
        ("token=a/b", "token"),
        ("token=a#b", "token"),
        ("token", "token"),
        ("id=\u{fc}", "id"),
        ("type=cert", "type"),
        ("slot-id=+1", "slot-id"),
        ("slot-id=", "slot-id"),
        ("slot-id=18446744073709551616", "slot-id"),
        ("?module-path=/a b", "module-path"),
    ] {
        assert_eq!(parse(text), Err(malformed(parameter)), "{text}");
    }
    for (text, parameter) in [
        ("?module-path=m.so", "module-path"),
        ("?module-path=", "module-path"),
        ("?module-path=/m%00.so", "module-path"),
        ("?pin-source=/run/pin", "pin-source"),
        ("?pin-source=%7Ccat", "pin-source"),
        ("?pin-source=|cat", "pin-source"),
        ("?pin-source=file:pin", "pin-source"),
        ("?pin-source=file://host/pin", "pin-source"),
    ] {
        let scheme = SCHEME;
        let error = UriError::NotAbsolute { scheme, parameter };
        assert_eq!(parse(text), Err(error), "{text}");
    }
    for text in [
        "token=a;",
        "x-y=1",
        "token=a;module-path=/m",
        "?token=a",
        "TOKEN=a",
    ] {
        let error = parse(text).unwrap_err();
        assert!(matches!(error, UriError::UnknownParameter { .. }), "{text}");
    }
    let twice = parse("id=a;id=a").unwrap_err();
    assert!(matches!(
        twice,
        UriError::RepeatedParameter {
            parameter: "id",
            ..
        }
    ));
}

fn any_uri() -> impl Strategy<Value = Pkcs11Uri> {
    let text = || proptest::option::of(any::<String>());
    let path = || proptest::option::of("(/[^\0]{0,20})".prop_map(PathBuf::from));
    let token = (text(), text(), text(), text(), any::<Option<u64>>());
    let key = (text(), any::<Option<Vec<u8>>>(), path(), path());
    (token, key).prop_map(|(token, key)| Pkcs11Uri {
        token: token.0,
        manufacturer: token.1,
        serial: token.2,
        model: token.3,
        slot_id: token.4,
        object: key.0,
        id: key.1,
        module_path: key.2,
        pin_source: key.3,
    })
}

proptest! {
    #[test]
    fn display_parses_back(uri in any_uri()) {
        let text = uri.to_string();
        prop_assert!(text.is_ascii());
        prop_assert_eq!(parse(&text).unwrap(), uri);
    }

    #[test]
    fn never_panics_and_reads_its_own(text in "((token|object|id|slot-id|type)=[a-z0-9%;?&]{0,9};?){0,3}\\PC{0,9}") {
        if let Ok(uri) = parse(&text) {
            prop_assert_eq!(parse(&uri.to_string()).unwrap(), uri);
        }
    }
}
