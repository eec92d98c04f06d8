//! What rules say, and what is no rule.

use proptest::prelude::*;

use super::*;

const TEXT: &str = r#"
    [[rule]]
    projects = ["Acme_*", "internal.tool"]
    upstream = "corp"

    [[rule]]
    projects = ["cryptography"]
    upstreams = ["main", "mirror"]
    agree = 2

    [[rule]]
    projects = ["Old.Tool", "older"]
    unverified = "https://old.example/simple"

    [[rule]]
    projects = ["*"]
    upstream = "main"
"#;

/// The names of those asked for a project.
fn asked(rules: &UpstreamRules, project: &str) -> Vec<String> {
    let rule = rules.of(&ProjectName::parse(project).unwrap());
    match rule.map(|rule| &rule.asked) {
        None => Vec::new(),
        Some(Asked::Signed(signed)) => {
            let places = signed.upstreams.iter();
            places.map(|&at| rules.names[at].clone()).collect()
        }
        Some(Asked::Unverified(at)) => vec![rules.unverified[*at].to_string()],
    }
}

#[test]
fn the_first_rule_that_matches_counts() {
    let rules = UpstreamRules::parse(TEXT).unwrap();
    assert_eq!(rules.names(), ["corp", "main", "mirror"]);
    assert_eq!(rules.unverified().len(), 1);
    for (project, upstreams) in [
        ("acme-secrets", &["corp"][..]),
        ("ACME.Secrets", &["corp"]),
        ("internal_tool", &["corp"]),
        ("cryptography", &["main", "mirror"]),
        ("acme", &["main"]),
        ("acmesecrets", &["main"]),
        ("internal-tools", &["main"]),
        ("old_tool", &["https://old.example/simple/"]),
        ("older", &["https://old.example/simple/"]),
        ("oldest", &["main"]),
    ] {
        assert_eq!(asked(&rules, project), upstreams, "{project}");
    }
    let some = UpstreamRules::parse("[[rule]]\nprojects = [\"a\"]\nupstream = \"x\"").unwrap();
    assert!(asked(&some, "b").is_empty());
}

#[test]
fn what_is_not_meant_is_refused() {
    for (from, to) in [
        ("upstream = \"corp\"", "upsteam = \"corp\""),
        ("upstream = \"corp\"", "upstreams = [\"corp\"]"),
        ("upstream = \"corp\"", "upstream = \"corp\"\nagree = 1"),
        ("agree = 2", "agree = 3"),
        ("agree = 2", "agree = 1"),
        ("agree = 2", ""),
        ("\"mirror\"]", "\"main\"]"),
        ("[\"cryptography\"]", "[]"),
        ("[\"cryptography\"]", "[\"acme-x\"]"),
        ("[\"cryptography\"]", "[\"Internal-Tool\"]"),
        ("[\"cryptography\"]", "[\"acme-x*\"]"),
        ("[\"cryptography\"]", "[\"*\"]"),
        ("[\"cryptography\"]", "[\"crypto*graphy\"]"),
        ("[\"cryptography\"]", "[\"-*\"]"),
        ("[\"cryptography\"]", "[\"cryptögraphy\"]"),
        ("[\"cryptography\"]", "[\"\"]"),
        ("\"older\"", "\"older*\""),
        ("\"older\"", "\"*\""),
        ("unverified = ", "upstream = \"main\"\nunverified = "),
        ("unverified = ", "agree = 1\nunverified = "),
        ("https://old.example/simple", "http://old.example/simple"),
        ("https://old.example/simple", "https://me:it@old.example/"),
        ("https://old.example/simple", "https://old.example/?a"),
        ("https://old.example/simple", "file:///simple"),
        ("https://old.example/simple", "main"),
    ] {
        assert!(TEXT.contains(from), "{from}");
        let text = TEXT.replacen(from, to, 1);
        assert!(UpstreamRules::parse(&text).is_err(), "{to}");
    }
    let alone = "[[rule]]\nprojects = [\"a\"]\nunverified = \"http://[::1]:80/\"\n";
    assert!(matches!(
        UpstreamRules::parse(alone),
        Err(RulesError::NothingSigned)
    ));
    let beside = format!("{alone}[[rule]]\nprojects = [\"*\"]\nupstream = \"main\"");
    assert!(UpstreamRules::parse(&beside).is_ok());
    assert!(UpstreamRules::parse("rule = []").is_err());
    assert!(UpstreamRules::parse("").is_err());
}

proptest! {
    /// However a name is written, it belongs to the same upstream; and to the first whose pattern,
    /// compared letter by letter, has it.
    #[test]
    fn every_spelling_belongs_to_one_upstream(
        parts in prop::collection::vec("[a-c]{1,2}", 1..4),
        separators in prop::collection::vec("[-_.]{1,2}", 3),
        upper in any::<u8>(),
        patterns in prop::collection::vec("[a-c]{1,2}(-[a-c]){0,2}-?\\*?", 1..6),
    ) {
        let plain = parts.join("-");
        let mut spelled = String::new();
        for (at, part) in parts.iter().enumerate() {
            if at > 0 {
                spelled.push_str(&separators[at - 1]);
            }
            let is_upper = upper >> at & 1 == 1;
            spelled.push_str(&if is_upper { part.to_uppercase() } else { part.clone() });
        }
        let mut text = String::new();
        let mut kept: Vec<&String> = Vec::new();
        for pattern in patterns.iter().filter(|it| !it.ends_with('-')) {
            let table = format!("[[rule]]\nprojects = [\"{pattern}\"]\nupstream = \"u{}\"\n", kept.len());
            if UpstreamRules::parse(&format!("{text}{table}")).is_ok() {
                text.push_str(&table);
                kept.push(pattern);
            }
        }
        prop_assume!(!kept.is_empty());
        let rules = UpstreamRules::parse(&text).unwrap();
        let expected = kept.iter().position(|pattern| match pattern.strip_suffix('*') {
            Some(start) => plain.starts_with(start),
            None => **pattern == plain,
        });
        let expected: Vec<String> = expected.map(|at| format!("u{at}")).into_iter().collect();
        prop_assert_eq!(asked(&rules, &spelled), expected.clone());
        prop_assert_eq!(asked(&rules, &plain), expected);
    }
}
