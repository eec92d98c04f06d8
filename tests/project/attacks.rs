//! The attacks: that there are as many as there should be, each with its control, and those that have a
//! name in TUF or in the reports on other clients among them.

use std::collections::BTreeSet;

use super::{read, root};

/// As many named attacks with a control as the client is held to, at least.
const LEAST: usize = 120;

/// What is to be tried on a client, and the tests that do.
const NAMED: [(&str, &[&str]); 33] = [
    (
        "arbitrary installation",
        &[
            "downloads::file_with_other_bytes",
            "timestamp::timestamp_signed_by_a_stranger",
            "snapshot::snapshot_signed_by_a_stranger",
            "targets::targets_signed_by_a_stranger",
            "root::root_signed_by_a_stranger",
        ],
    ),
    (
        "endless data",
        &[
            "downloads::file_without_end",
            "root::root_without_end",
            "timestamp::timestamp_without_end",
            "snapshot::snapshot_without_end",
            "targets::role_without_end",
            "pages::core_metadata_without_end",
            "deltas::delta_without_end",
        ],
    ),
    (
        "extraneous dependencies",
        &[
            "dependencies::core_metadata_with_another_dependency",
            "dependencies::page_that_binds_other_core_metadata",
        ],
    ),
    (
        "fast-forward",
        &["timestamp::fast_forward_is_undone_by_rotating_keys"],
    ),
    (
        "indefinite freeze",
        &[
            "root::root_frozen_past_its_expiry",
            "timestamp::timestamp_frozen_past_its_expiry",
            "snapshot::snapshot_frozen_past_its_expiry",
            "targets::role_frozen_past_its_expiry",
        ],
    ),
    (
        "malicious mirror",
        &["network::mirror_that_would_keep_users_from_others"],
    ),
    (
        "mix-and-match",
        &["snapshot::snapshot_of_the_right_version_with_other_bytes"],
    ),
    (
        "mix-and-match with a stolen project key",
        &["targets::published_version_signed_again_with_other_contents"],
    ),
    (
        "mix-and-match under version-only snapshots",
        &["targets::published_version_swapped_where_versions_alone_are_listed"],
    ),
    (
        "rollback",
        &[
            "timestamp::timestamp_rolled_back",
            "timestamp::timestamp_that_names_an_older_snapshot",
            "snapshot::targets_role_rolled_back_in_the_snapshot",
        ],
    ),
    (
        "slow retrieval",
        &[
            "downloads::server_that_takes_for_ever",
            "network::server_that_answers_late",
        ],
    ),
    ("wrong target", &["downloads::file_of_another_path"]),
    (
        "cyclic delegations",
        &["delegations::delegations_in_a_circle"],
    ),
    (
        "33 delegations deep",
        &["delegations::delegations_deeper_than_the_limit"],
    ),
    ("10,000 roots", &["limits::ten_thousand_roots"]),
    (
        "decompression bombs",
        &[
            "deltas::bomb_listed_by_a_thief",
            "encoding::compressed_metadata_stays_compressed",
            "network::answer_compressed_unasked",
        ],
    ),
    (
        "duplicate JSON keys",
        &["form::key_twice", "encoding::envelope_with_a_member_twice"],
    ),
    (
        "duplicate signatures",
        &["snapshot::threshold_met_by_one_signature_listed_twice"],
    ),
    (
        "one key under two keyids",
        &["snapshot::threshold_met_by_one_key_under_two_ids"],
    ),
    (
        "keyid tricks",
        &[
            "keys::key_id_of_the_index_given_to_another_key",
            "keys::role_that_lists_one_key_id_twice",
        ],
    ),
    (
        "case tricks in names",
        &[
            "names::role_named_like_the_timestamp_in_other_letters",
            "graph::pattern_in_other_letters",
        ],
    ),
    (
        "Unicode tricks in names",
        &[
            "names::letters_that_look_like_others",
            "pages::page_with_a_file_name_that_looks_like_another",
        ],
    ),
    (
        "role-file-name collisions",
        &["names::roles_whose_file_names_would_be_one"],
    ),
    (
        "a role reached by two edges",
        &["graph::role_reached_by_two_edges_of_one_search"],
    ),
    (
        "cache poisoning across delegators",
        &["graph::role_stored_by_one_delegator_is_verified_for_another"],
    ),
    (
        "redirects",
        &[
            "network::redirect_to_another_scheme",
            "network::redirects_without_end",
            "network::redirect_to_somebody_elses_repository",
        ],
    ),
    (
        "TLS errors",
        &[
            "tls::certificate_of_its_own_word",
            "tls::certificate_for_another_name",
        ],
    ),
    (
        "truncated connections",
        &[
            "network::answer_shorter_than_it_says",
            "network::answer_without_its_last_chunk",
        ],
    ),
    ("reset connections", &["network::connection_reset"]),
    // The conditions on which TUF 5 ends an update, where none of the above is one.
    (
        "5.3: a root by one generation, or of another version",
        &[
            "root::root_signed_by_one_generation_only",
            "root::root_of_another_version_than_the_next",
        ],
    ),
    (
        "5.5.2, 5.5.4: a snapshot of another hash or version",
        &["snapshot::snapshot_of_another_version_under_its_name"],
    ),
    (
        "5.5.5: a role is dropped",
        &["snapshot::role_dropped_from_the_snapshot"],
    ),
    (
        "5.6.2, 5.6.4: a role of another hash or version",
        &["targets::role_of_another_version_under_its_name"],
    ),
];

/// Every test of `tests/attacks`, with its module.
fn attacks() -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for entry in std::fs::read_dir(root().join("tests/attacks")).unwrap() {
        let path = entry.unwrap().path();
        let module = path.file_stem().unwrap().to_string_lossy().into_owned();
        let text = std::fs::read_to_string(&path).unwrap();
        let is_test =
            |line: &&str| line.starts_with("#[tokio::test") || line.starts_with("#[test]");
        let mut lines = text.lines();
        while lines.by_ref().any(|line| is_test(&line)) {
            let name = lines.by_ref().find_map(|line| {
                let line = line.strip_prefix("async ").unwrap_or(line);
                line.strip_prefix("fn ")?.split('(').next()
            });
            found.insert(format!("{module}::{}", name.unwrap()));
        }
    }
    found
}

/// The words with a `::` that a part of `tests/controls/controls.py` says first on its lines.
fn listed(part: &str) -> BTreeSet<String> {
    let text = read("tests/controls/controls.py");
    let (_, rest) = text.split_once(&format!("\n{part} = ")).unwrap();
    let (list, _) = rest.split_once("\n\n").unwrap_or((rest, ""));
    let lines = list.lines().flat_map(|line| match part {
        "HONEST" => line.split('"').collect::<Vec<_>>(),
        _ => line.split('"').take(2).collect(),
    });
    let names = lines.filter(|word| word.contains("::"));
    names.map(str::to_owned).collect()
}

/// `tests/controls/run` shows that each control does what it says; here they are counted, in every test run.
#[test]
fn every_attack_has_a_control() {
    let (attacks, controlled) = (attacks(), listed("CONTROLS"));
    let (honest, by_absence) = (listed("HONEST"), listed("BY_ABSENCE"));
    let gone: Vec<_> = controlled.difference(&attacks).collect();
    assert!(gone.is_empty(), "there are no such attacks: {gone:?}");
    assert!(controlled.len() >= LEAST, "only {}", controlled.len());
    let without = attacks.iter().filter(|attack| {
        let known = [&controlled, &honest, &by_absence];
        !attack.starts_with("honest::") && !known.iter().any(|names| names.contains(*attack))
    });
    let without: Vec<_> = without.collect();
    assert!(without.is_empty(), "without a control: {without:?}");
    assert!(by_absence.len() <= 12, "{by_absence:?}");
}

#[test]
fn every_attack_with_a_name_is_tried() {
    let (attacks, controlled) = (attacks(), listed("CONTROLS"));
    let by_absence = listed("BY_ABSENCE");
    for (name, tests) in NAMED {
        for test in tests {
            assert!(attacks.contains(*test), "{name}: there is no {test}");
            let shown = controlled.contains(*test) || by_absence.contains(*test);
            assert!(shown, "{name}: {test} has no control");
        }
        let shown = tests.iter().any(|test| controlled.contains(*test));
        // Nothing in our code stops a reset: it is the library's to notice, and the test that it does.
        assert!(shown || name == "reset connections", "{name}");
    }
}
