//! The encoder and the scan against the reference encoder, and against each other.

use super::*;
use proptest::prelude::*;

fn canonical(text: &str) -> String {
    String::from_utf8(Value::parse(text.as_bytes()).unwrap().to_canonical()).unwrap()
}

/// The reference encoder's answers (reference A.1), where olpc-cjson 0.1.4 answers otherwise.
#[test]
fn agrees_with_the_reference_encoder() {
    for (input, expected) in [
        (r#"{"a!":2,"a":1}"#, r#"{"a":1,"a!":2}"#),
        (r#"{"a b":2,"a":1}"#, r#"{"a":1,"a b":2}"#),
        (r#"{"a#b":2,"a\"b":1}"#, r#"{"a\"b":1,"a#b":2}"#),
        (r#"{"e\u0301":1}"#, "{\"e\u{301}\":1}"),
        (r#"{"k":"line\nbreak"}"#, "{\"k\":\"line\nbreak\"}"),
        (r#"{"k":"\u0000\u001f\/"}"#, "{\"k\":\"\0\u{1f}/\"}"),
        (
            "[true, false, null, -1, 0, 18446744073709551615]",
            "[true,false,null,-1,0,18446744073709551615]",
        ),
        (
            r#"{"b":{"d":[],"c":{}},"a":""}"#,
            r#"{"a":"","b":{"c":{},"d":[]}}"#,
        ),
    ] {
        assert_eq!(canonical(input), expected);
        assert!(is_canonical(expected.as_bytes()), "{expected}");
    }
}

#[test]
fn the_scan_refuses_everything_else() {
    for text in [
        "",
        " 1",
        "1 ",
        "01",
        "-0",
        "-",
        "1.0",
        "1e1",
        "18446744073709551616",
        "[1, 2]",
        "[1,]",
        r#"{"b":1,"a":2}"#,
        r#"{"a":1,"a":2}"#,
        r#"{"a":1,}"#,
        r#""\u0061""#,
        r#""\n""#,
        "\"a",
        "nul",
        "{}{}",
        r#"{"a#b":2,"a\"b":1}"#,
    ] {
        assert!(!is_canonical(text.as_bytes()), "{text}");
    }
    assert!(!is_canonical(&[b'"', 0xff, b'"']));
    assert!(!is_canonical("[".repeat(100_000).as_bytes()));
}

#[test]
fn the_scan_goes_as_deep_as_the_parser() {
    for depth in [127, 128] {
        let text = "[".repeat(depth) + &"]".repeat(depth);
        assert_eq!(is_canonical(text.as_bytes()), depth == 127);
        assert_eq!(Value::parse(text.as_bytes()).is_ok(), depth == 127);
    }
}

#[test]
fn control_characters_are_found_wherever_they_are() {
    let mut text = vec![b' '; 10_000];
    assert!(!has_control(&text) && !has_control(b""));
    for at in [0, 4095, 4096, 9_999] {
        for control in [0, 0x1f] {
            text[at] = control;
            assert!(has_control(&text), "{at}");
        }
        text[at] = 0xff;
    }
    assert!(!has_control(&text));
}

fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(|n| Value::Integer(n.into())),
        any::<u64>().prop_map(|n| Value::Integer(n.into())),
        "(?s).{0,8}|[\0-\u{1f}]{0,3}".prop_map(Value::String),
    ];
    leaf.prop_recursive(4, 32, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::Array),
            prop::collection::btree_map("[\n -~\u{301}]{0,4}", inner, 0..5).prop_map(Value::Object),
        ]
    })
}

proptest! {
    /// What is written is canonical, and as JSON reads back as the same value.
    #[test]
    fn written_is_canonical(value in any_value()) {
        let bytes = value.to_canonical();
        prop_assert!(is_canonical(&bytes));
        prop_assert_eq!(Value::parse(&to_json(&bytes)).unwrap(), value);
    }

    /// A text the scan accepts is its own canonical form.
    #[test]
    fn accepted_is_its_own_form(text in r#"[\[\]{}",:\\ab0-9 -]{0,24}"#) {
        if is_canonical(text.as_bytes()) {
            let value = Value::parse(text.as_bytes()).unwrap();
            prop_assert_eq!(value.to_canonical(), text.as_bytes());
        }
    }
}

#[test]
fn hex_is_a_string_of_lower_case_digits() {
    let mut out = Writer::new();
    out.hex(&[0x00, 0x9a, 0xff]);
    assert_eq!(out.into_bytes(), br#""009aff""#);
}
