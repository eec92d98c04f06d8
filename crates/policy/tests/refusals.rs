//! What is refused, and that the refusal names the key and the line.

use countersign_policy::{DurationError, MAX_POLICY_BYTES, Policy, PolicyError};
use proptest::prelude::*;

fn small() -> &'static str {
    Policy::built_in_text("small-index").unwrap()
}

/// The default policy with line `number` replaced by what `change` makes of it.
fn with_line(number: usize, change: impl Fn(&str) -> String) -> String {
    let lines = (1..).zip(small().lines());
    let changed = lines.map(|(n, line)| {
        if n == number {
            change(line)
        } else {
            line.to_owned()
        }
    });
    changed.collect::<Vec<_>>().join("\n")
}

/// The default policy with `key` in `[section]` set to `value`; also the line of that key.
fn with(section: &str, key: &str, value: &str) -> (String, usize) {
    let wanted = if section.is_empty() {
        key.to_owned()
    } else {
        format!("{section}.{key}")
    };
    let found = values().into_iter().find(|(_, path, _)| *path == wanted);
    let (number, ..) = found.unwrap_or_else(|| panic!("no {wanted}"));
    (with_line(number, |_| format!("{key} = {value}")), number)
}

fn refusal(section: &str, key: &str, value: &str) -> (PolicyError, usize) {
    let (text, line) = with(section, key, value);
    (Policy::parse(&text).unwrap_err(), line)
}

/// Line, dotted path and text of every value of the default policy.
fn values() -> Vec<(usize, String, &'static str)> {
    let (mut section, mut values) = (String::new(), Vec::new());
    for (number, line) in (1..).zip(small().lines()) {
        if let Some(name) = line
            .strip_prefix('[')
            .and_then(|rest| rest.strip_suffix(']'))
        {
            section = format!("{name}.");
        } else if let Some((key, _)) = line.split_once(" = ") {
            values.push((number, format!("{section}{key}"), line));
        }
    }
    assert!(values.len() > 50);
    values
}

#[test]
fn every_value_is_needed_and_none_may_be_misspelt() {
    for (number, path, _) in values() {
        match Policy::parse(&with_line(number, |_| String::new())).unwrap_err() {
            PolicyError::MissingKey { path: missing, .. } => assert_eq!(missing, path),
            other => panic!("{path}: {other}"),
        }
        let at = path.rfind('.').map_or(0, |dot| dot + 1);
        let wrong = format!("{}x-{}", &path[..at], &path[at..]);
        match Policy::parse(&with_line(number, |line| format!("x-{line}"))).unwrap_err() {
            PolicyError::UnknownKey { path, line, .. } => assert_eq!((path, line), (wrong, number)),
            other => panic!("{path}: {other}"),
        }
    }
}

#[test]
fn every_value_has_one_type() {
    for (number, path, line) in values() {
        let key = line.split_once(" = ").unwrap().0;
        for wrong in ["1979-05-27", "{}", "1.5"] {
            let text = with_line(number, |_| format!("{key} = {wrong}"));
            match Policy::parse(&text).unwrap_err() {
                PolicyError::WrongType {
                    path: found, line, ..
                } => {
                    assert_eq!((found, line), (path.clone(), number));
                }
                other => panic!("{path} = {wrong}: {other}"),
            }
        }
    }
}

#[test]
fn messages_name_path_line_and_bounds() {
    let (error, line) = refusal("roles.root", "threshold", "0");
    assert_eq!(
        error.to_string(),
        format!("policy line {line}: `roles.root.threshold` must be 1 to 1024, found 0")
    );
    let (error, line) = refusal("roles.root", "lifetime", "\"0d\"");
    assert_eq!(
        error.to_string(),
        format!("policy line {line}: `roles.root.lifetime` = \"0d\" is zero")
    );
    let (error, line) = refusal("index", "encoding", "\"json\"");
    assert_eq!(
        error.to_string(),
        format!(
            "policy line {line}: `index.encoding` takes auto, path-hash-prefixes, succinct, \
             each once; found \"json\""
        )
    );
}

#[test]
fn numbers_outside_their_bounds_are_refused() {
    for (section, key, value) in [
        ("online", "renew_below_percent", "0"),
        ("online", "renew_below_percent", "100"),
        ("online", "batch_changes", "-1"),
        ("index", "bins", "0"),
        ("index", "bins", "32768"),
        ("client", "root_bytes", "99999999999999999999999999"),
        ("client", "delegations", "0"),
        ("keys", "scrypt_log_n", "21"),
    ] {
        let (error, at) = refusal(section, key, value);
        match error {
            PolicyError::OutOfRange {
                path, line, found, ..
            } => {
                assert_eq!((path, line), (format!("{section}.{key}"), at));
                assert_eq!(found, value);
            }
            other => panic!("{section}.{key} = {value}: {other}"),
        }
    }
}

#[test]
fn words_lists_durations_and_names_are_checked() {
    let duration = refusal("retention", "snapshots", "\"2 days\"").0;
    assert!(matches!(
        duration,
        PolicyError::Duration {
            source: DurationError::Form,
            ..
        }
    ));
    let twice = refusal("keys", "schemes", "[\"ed25519\", \"ed25519\"]").0;
    assert!(matches!(twice, PolicyError::Choice { found, .. } if found == "ed25519"));
    for (section, key) in [("keys", "schemes"), ("online", "offline_alarms")] {
        assert!(matches!(
            refusal(section, key, "[]").0,
            PolicyError::Empty { .. }
        ));
    }
    for name in ["", "Small", "a b", "../x", &"a".repeat(65)] {
        let error = refusal("", "name", &format!("{name:?}")).0;
        assert!(matches!(error, PolicyError::Name { .. }), "{name}: {error}");
    }
}

#[test]
fn a_cost_of_the_other_key_derivation_is_unknown() {
    let (text, line) = with(
        "keys",
        "kdf",
        "\"pbkdf2-hmac-sha256\"\npbkdf2_iterations = 600_000",
    );
    match Policy::parse(&text).unwrap_err() {
        PolicyError::UnknownKey {
            path,
            line: at,
            known,
        } => {
            assert_eq!((path.as_str(), at), ("keys.scrypt_log_n", line + 2));
            assert_eq!(known, ["kdf", "pbkdf2_iterations"]);
        }
        other => panic!("{other}"),
    }
    let (start, _) = text.split_once("scrypt_log_n").unwrap();
    assert!(Policy::parse(start).is_ok());
}

#[test]
fn a_key_given_twice_and_an_endless_file_are_refused() {
    let twice = format!("name = \"a\"\n{}", small());
    assert!(matches!(
        Policy::parse(&twice),
        Err(PolicyError::Syntax { line: 5, .. })
    ));
    let endless = "#".repeat(MAX_POLICY_BYTES + 1);
    assert!(matches!(
        Policy::parse(&endless),
        Err(PolicyError::TooLong { .. })
    ));
}

proptest! {
    #[test]
    fn any_text_is_an_error_and_never_a_panic(text in "\\PC{0,200}") {
        prop_assert!(Policy::parse(&text).is_err());
    }

    #[test]
    fn a_spoilt_policy_never_panics(
        at in 0..small().len(), cut in 0_usize..60, put in "[\\[\\]{}=\",.#0-9a-z\n\\\\é-]{0,12}",
    ) {
        let end = (at + cut).min(small().len());
        let spoilt = format!("{}{put}{}", &small()[..at], &small()[end..]);
        match Policy::parse(&spoilt) {
            Ok(policy) => prop_assert!(policy.roles.root.threshold <= policy.roles.root.keys),
            Err(error) => prop_assert!(!error.to_string().is_empty()),
        }
    }
}
