//! Holds the folder `policy/` to its word: every value cites a source that exists, the shipped
//! files parse, and the program's own numbers are those in the files.

// The crate is pure; this test of it looks at the folder its files come from.
#![allow(clippy::disallowed_methods)]

use std::collections::BTreeSet;
use std::path::PathBuf;

use chrono::TimeDelta;
use countersign_policy::{
    Bins, ClientLimits, Encoding, IntakeLimits, KeyKind, Policy, ProxyLimits, RolePolicy,
    SignerLimits, StateLimits, TargetProfile,
};

/// Headings of PEP 458 that the files cite.
const PEP_458: &[&str] = &[
    "Definitions",
    "Minimum Security Model",
    "Metadata Expiry Times",
    "Metadata Scalability",
    "Number and Type Of Keys Recommended",
    "Managing offline keys",
    "Appendix A",
];

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../policy")
}

/// Stem and text of each `policy/*.toml`.
fn files() -> Vec<(String, String)> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder()).unwrap() {
        let path = entry.unwrap().path();
        if path
            .extension()
            .is_some_and(|extension| extension == "toml")
        {
            let stem = path.file_stem().unwrap().to_str().unwrap().to_owned();
            files.push((stem, std::fs::read_to_string(&path).unwrap()));
        }
    }
    files
}

fn readme() -> String {
    std::fs::read_to_string(folder().join("README.md")).unwrap()
}

/// `N.M` of every heading `### N.M …` in the README.
fn sections() -> BTreeSet<String> {
    let readme = readme();
    let headings = readme.lines().filter_map(|line| line.strip_prefix("### "));
    headings
        .map(|heading| heading.split(' ').next().unwrap().to_owned())
        .collect()
}

/// The citations in the comment that ends a `key = value` line.
fn citations(line: &str) -> Vec<&str> {
    line.split_once("  # ")
        .map(|(_, comment)| comment.split("; ").collect())
        .unwrap_or_default()
}

fn is_numbered(section: &str) -> bool {
    section.split('.').count() >= 2
        && section
            .split('.')
            .all(|part| part.parse::<u32>().is_ok_and(|number| number > 0))
}

/// Whether `citation` is a section of TUF, of PEP 458 or of the README.
fn exists(citation: &str, sections: &BTreeSet<String>) -> bool {
    if let Some(rest) = citation.strip_prefix("TUF ") {
        let (section, letter) = rest.split_once(' ').unwrap_or((rest, "W"));
        is_numbered(section) && ["W", "X", "Y", "Z"].contains(&letter)
    } else if let Some(rest) = citation.strip_prefix("PEP 458 \"") {
        rest.split_once('"')
            .is_some_and(|(heading, _)| PEP_458.contains(&heading))
    } else {
        citation
            .strip_prefix("policy ")
            .is_some_and(|section| sections.contains(section))
    }
}

#[test]
fn every_value_cites_a_source_that_exists() {
    let sections = sections();
    for (name, text) in files() {
        let mut values = 0;
        for line in text
            .lines()
            .filter(|line| line.contains('=') && !line.starts_with('#'))
        {
            values += 1;
            let citations = citations(line);
            assert!(!citations.is_empty(), "{name}: no source: {line}");
            for citation in citations {
                assert!(
                    exists(citation, &sections),
                    "{name}: no such source: {citation}"
                );
            }
        }
        assert!(values > 50, "{name}: only {values} values were looked at");
    }
}

#[test]
fn a_made_up_source_is_noticed() {
    let sections = sections();
    for wrong in [
        "",
        "TUF",
        "TUF 5",
        "TUF 5.3.3 Q",
        "PEP 458 \"Vibes\"",
        "policy 99.9",
        "policy 3",
        "habit",
    ] {
        assert!(!exists(wrong, &sections), "{wrong}");
    }
    assert!(citations("keys = 1").is_empty());
}

#[test]
fn every_reason_is_cited() {
    let cited: BTreeSet<String> = files()
        .iter()
        .flat_map(|(_, text)| text.lines())
        .flat_map(citations)
        .filter_map(|citation| citation.strip_prefix("policy ").map(str::to_owned))
        .collect();
    // 1.1 and 9.x tell how to write a file; no shipped file has claims or attestation.
    let how_to = ["1.1", "9.1", "9.2", "9.3", "9.4"].map(str::to_owned);
    let uncited: Vec<_> = sections()
        .into_iter()
        .filter(|s| !cited.contains(s) && !how_to.contains(s))
        .collect();
    assert!(uncited.is_empty(), "{uncited:?}");
}

#[test]
fn the_folder_holds_exactly_the_built_in_files() {
    let files = files();
    let built_in: BTreeSet<_> = Policy::built_in_names().collect();
    assert_eq!(
        files
            .iter()
            .map(|(name, _)| name.as_str())
            .collect::<BTreeSet<_>>(),
        built_in
    );
    for (name, text) in &files {
        let policy = Policy::parse(text).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(policy.name, *name);
        assert_eq!(Policy::built_in(name).as_ref(), Some(&policy));
        assert_eq!(Policy::built_in_text(name), Some(text.as_str()));
    }
    assert_eq!(Policy::built_in("small"), None);
}

#[test]
fn client_defaults_are_those_of_small_index() {
    assert_eq!(
        Policy::built_in("small-index").unwrap().client,
        ClientLimits::default()
    );
}

#[test]
fn signer_and_state_defaults_are_those_of_small_index_and_of_older_policies() {
    let text = Policy::built_in_text("small-index").unwrap();
    let small = Policy::parse(text).unwrap();
    assert_eq!(small.signers, SignerLimits::default());
    assert_eq!(small.state, StateLimits::default());
    assert_eq!(small.intake, IntakeLimits::default());
    assert_eq!(small.proxy, ProxyLimits::default());
    let (older, _) = text.split_once("[signers]").unwrap();
    assert_eq!(Policy::parse(older).unwrap(), small);
}

#[test]
fn small_index_is_what_its_reasons_say() {
    let policy = Policy::built_in("small-index").unwrap();
    assert_eq!(
        (policy.roles.root.threshold, policy.roles.root.keys),
        (2, 3)
    );
    assert_eq!(policy.index.bins, Bins::Auto);
    assert_eq!(policy.index.bin_count(), 512);
    assert_eq!(policy.index.encoding(), Encoding::PathHashPrefixes);
    assert_eq!(policy.roles.bin_n.lifetime, TimeDelta::days(7));
    assert_eq!(
        policy.online.renew_below(TimeDelta::days(7)),
        TimeDelta::hours(84)
    );
    assert_eq!(policy.retention.snapshots, TimeDelta::hours(48));
    assert_eq!(policy.claims, None);
}

#[test]
fn pep458_has_the_numbers_of_the_pep() {
    let policy = Policy::built_in("pep458").unwrap();
    let offline = |keys, threshold| RolePolicy {
        kind: KeyKind::Offline,
        keys,
        threshold,
        lifetime: TimeDelta::days(365),
    };
    let online = RolePolicy {
        kind: KeyKind::Online,
        keys: 1,
        threshold: 1,
        lifetime: TimeDelta::days(1),
    };
    assert_eq!(
        policy.roles.all(),
        [
            ("root", offline(5, 3)),
            ("targets", offline(2, 2)),
            ("bins", offline(2, 2)),
            ("bin-n", online),
            ("snapshot", online),
            ("timestamp", online),
        ]
    );
    assert_eq!(policy.index.bin_count(), 16_384);
    assert_eq!(policy.index.profile, TargetProfile::PagesAndFiles);
    assert_eq!(policy.index.expected_targets, 2_273_539);
}

#[test]
fn the_claims_in_the_readme_can_be_added_to_a_policy() {
    let readme = readme();
    let (_, rest) = readme.split_once("```toml\n").unwrap();
    let (claims, _) = rest.split_once("```").unwrap();
    let small = Policy::built_in_text("small-index").unwrap();
    let text = format!("{}\n{claims}", small.replace("\"365d\"", "\"90d\""));
    let claims = Policy::parse(&text).unwrap().claims.unwrap();
    assert_eq!(
        (claims.shards, claims.recently_claimed_projects),
        (16, 1_000)
    );
    assert_eq!(claims.longest_walk(), 12);
    assert_eq!(claims.lost_keys_wait, countersign_policy::LOST_KEYS_WAIT);
}

#[test]
fn the_attestation_in_the_readme_can_be_added_to_a_policy() {
    let readme = readme();
    let (_, rest) = readme.split_once("```toml\n[attestation]").unwrap();
    let (table, _) = rest.split_once("```").unwrap();
    let small = Policy::built_in_text("small-index").unwrap();
    let policy = Policy::parse(&format!("{small}\n[attestation]{table}")).unwrap();
    let attestation = policy.attestation.unwrap();
    assert!(attestation.required);
    assert!(attestation.roots[0].contains("BEGIN CERTIFICATE"));
    let without = format!("{small}\n[attestation]\nrequired = true\nroots = []\n");
    assert!(Policy::parse(&without).is_err());
}
