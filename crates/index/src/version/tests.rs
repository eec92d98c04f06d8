//! PEP 440's own examples, and that the normal form is one.

use super::*;
use proptest::prelude::*;

fn version(text: &str) -> Version440 {
    Version440::parse(text).unwrap()
}

#[test]
fn normal_forms() {
    for (written, normal) in [
        ("1.0", "1.0"),
        ("v1.0", "1.0"),
        ("1.1RC1", "1.1rc1"),
        ("00", "0"),
        ("09000", "9000"),
        ("1.0+foo0100", "1.0+foo0100"),
        ("1.1.a1", "1.1a1"),
        ("1.1-a1", "1.1a1"),
        ("1.1a.1", "1.1a1"),
        ("1.1alpha1", "1.1a1"),
        ("1.1beta2", "1.1b2"),
        ("1.1c3", "1.1rc3"),
        ("1.1preview4", "1.1rc4"),
        ("1.2a", "1.2a0"),
        ("1.2-post2", "1.2.post2"),
        ("1.2.post-2", "1.2.post2"),
        ("1.0-r4", "1.0.post4"),
        ("1.0-1", "1.0.post1"),
        ("1.2.post", "1.2.post0"),
        ("1.2-dev2", "1.2.dev2"),
        ("1.2dev", "1.2.dev0"),
        ("1.0+ubuntu-1", "1.0+ubuntu.1"),
        ("1.0+UBUNTU_01", "1.0+ubuntu.1"),
        ("1!2.0", "1!2.0"),
        ("1.0a1.post2.dev3+l.4", "1.0a1.post2.dev3+l.4"),
        ("2004b", "2004b0"),
        ("20240102030405", "20240102030405"),
    ] {
        assert_eq!(version(written).as_str(), normal, "{written}");
    }
}

#[test]
fn refuses_what_is_no_version() {
    for bad in [
        "",
        "v",
        "a",
        "1.",
        ".1",
        "1..0",
        " 1",
        "1 ",
        "1.0-",
        "1.0+",
        "1.0+a..b",
        "1.0+-a",
        "1!",
        "1!!2",
        "1.0x",
        "1.0-foo",
        "1_1",
        "1.0.*",
        "é",
        "٣",
        "99999999999999999999",
        "1.0+99999999999999999999",
    ] {
        assert!(Version440::parse(bad).is_err(), "{bad:?}");
    }
    assert!(Version440::parse(&"1".repeat(MAX_VERSION + 1)).is_err());
}

/// The order of PEP 440 "Summary of permitted suffixes and relative ordering", with epochs and
/// local versions around it.
#[test]
fn order() {
    let ascending = [
        "0",
        "1.dev0",
        "1.0.dev456",
        "1.0a1.dev1",
        "1.0a1",
        "1.0a2.dev456",
        "1.0a12.dev456",
        "1.0a12",
        "1.0b1.dev456",
        "1.0b2",
        "1.0b2.post345.dev456",
        "1.0b2.post345",
        "1.0rc1.dev456",
        "1.0rc1",
        "1.0",
        "1.0+abc.5",
        "1.0+abc.7",
        "1.0+5",
        "1.0+5.1",
        "1.0.post456.dev34",
        "1.0.post456",
        "1.0.15",
        "1.1.dev1",
        "1.10",
        "1!0.1",
    ];
    for pair in ascending.windows(2) {
        assert!(version(pair[0]) < version(pair[1]), "{pair:?}");
    }
    assert_eq!(version("1"), version("1.0.0"));
    assert_eq!(version("0"), version("0.0"));
    assert_ne!(version("1.0"), version("1.0+a"));
}

proptest! {
    #[test]
    fn normal_form_is_stable(text in "v?([0-9]{1,2}!)?[0-9]{1,3}(\\.[0-9]{1,2}){0,3}([-_.]?(a|beta|RC|pre)[-_.]?[0-9]?)?(-[0-9]|[.]?post[0-9]?)?([-_.]?dev[0-9]?)?(\\+[a-z0-9]{1,3}([-_.][A-Z0-9]{1,3}){0,2})?") {
        let parsed = version(&text);
        let again = version(parsed.as_str());
        prop_assert_eq!(again.as_str(), parsed.as_str());
        prop_assert_eq!(again, parsed);
    }

    #[test]
    fn never_panics(text in "\\PC{0,30}") {
        let _ = Version440::parse(&text);
    }

    #[test]
    fn never_panics_close_to_versions(text in "[0-9abcdeprv.!+_-]{0,16}") {
        if let Ok(parsed) = Version440::parse(&text) {
            let again = version(parsed.as_str());
            prop_assert_eq!(again.as_str(), parsed.as_str());
        }
    }
}
