//! Units, crontab, manifest and alert rules that the program prints, as those who take them in judge.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use countersign_tests::environment::{clean_command, prepared, program, said};

fn generate(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = clean_command(program("countersign"), folder);
    command.arg("generate").args(arguments).current_dir(folder);
    command.output().unwrap()
}

fn printed(arguments: &[&str]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let output = generate(folder.path(), arguments);
    assert!(output.status.success(), "{}", said(&output));
    String::from_utf8(output.stdout).unwrap()
}

/// `systemd-analyze`, where this machine has systemd.
fn systemd_analyze() -> Option<PathBuf> {
    let folders = std::env::var_os("PATH")?;
    let mut found = std::env::split_paths(&folders).map(|folder| folder.join("systemd-analyze"));
    found.find(|path| path.exists())
}

/// Writes the units for the program under test, which has to be there to be started.
fn units(folder: &Path) -> Vec<PathBuf> {
    let ours = program("countersign");
    let output = generate(
        folder,
        &[
            "systemd",
            "--dir",
            "units",
            "--program",
            ours.to_str().unwrap(),
        ],
    );
    assert!(output.status.success(), "{}", said(&output));
    let mut units: Vec<_> = fs::read_dir(folder.join("units"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    units.sort();
    units
}

#[test]
fn systemd_accepts_the_units() {
    let folder = tempfile::tempdir().unwrap();
    let units = units(folder.path());
    assert_eq!(units.len(), 9);
    let texts: Vec<_> = units
        .iter()
        .map(|unit| fs::read_to_string(unit).unwrap())
        .collect();
    assert!(
        texts
            .iter()
            .all(|text| !text.contains('@') || text.contains("=@system"))
    );
    if let Some(analyze) = systemd_analyze() {
        let output = Command::new(analyze)
            .args(["verify", "--man=no"])
            .args(&units)
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", said(&output));
        assert_eq!(said(&output), "", "not one warning");
    }
    // A second time nothing is overwritten.
    let again = generate(folder.path(), &["systemd", "--dir", "units"]);
    assert_eq!(again.status.code(), Some(1), "{}", said(&again));
}

/// `systemd-analyze security` adds up what a service could still do, in tenths of ten.
#[test]
fn services_may_do_little() {
    let folder = tempfile::tempdir().unwrap();
    for unit in units(folder.path()) {
        if unit.extension().is_none_or(|kind| kind != "service") {
            continue;
        }
        let text = fs::read_to_string(&unit).unwrap();
        for line in [
            "NoNewPrivileges=yes",
            "ProtectSystem=strict",
            "CapabilityBoundingSet=\n",
        ] {
            assert!(text.contains(line), "{line} is not in {}", unit.display());
        }
        if let Some(analyze) = systemd_analyze() {
            let output = Command::new(analyze)
                .args(["security", "--offline=true", "--threshold=20"])
                .arg(&unit)
                .output()
                .unwrap();
            assert!(output.status.success(), "{}", said(&output));
        }
    }
}

/// A manifest for several machines.
const MACHINES: [&str; 9] = [
    "kubernetes",
    "--state",
    "postgres://countersign@db.example/index",
    "--store",
    "s3://index-store/public",
    "--uploads",
    "s3://index-intake/new",
    "--store-region",
    "eu-central-1",
];

/// Every option that a unit, crontab or manifest gives is one the program knows.
#[test]
fn what_they_start_can_be_started() {
    let folder = tempfile::tempdir().unwrap();
    let mut lines = BTreeSet::new();
    for text in [printed(&["systemd"]), printed(&["cron"])] {
        for line in text.lines() {
            let Some((_, arguments)) = line.split_once("/countersign ") else {
                continue;
            };
            lines.insert(arguments.to_owned());
        }
    }
    let manifest = printed(&["kubernetes"]) + &printed(&MACHINES);
    for line in manifest.lines() {
        if let Some(arguments) = line.trim().strip_prefix("args: [") {
            lines.insert(arguments.trim_end_matches(']').replace(", ", " "));
        }
    }
    assert!(lines.len() >= 8, "{lines:?}");
    for line in lines {
        let line = line.replace("/var/lib/countersign", "nowhere");
        let mut command = clean_command(program("countersign"), folder.path());
        command.args(line.split(' ')).current_dir(folder.path());
        let output = command.output().unwrap();
        // 2 would be wrong usage; that there is no index is what is to be said.
        assert_eq!(output.status.code(), Some(1), "{line}: {}", said(&output));
        assert!(
            said(&output).contains("holds no repository"),
            "{line}: {}",
            said(&output)
        );
    }
}

/// Several machines share state, store and uploads, or there is no manifest for them; what it says of them is
/// said in variables that the program reads.
#[test]
fn pods_of_several_machines_are_told_where_the_parts_are() {
    let manifest = printed(&MACHINES);
    let folder = tempfile::tempdir().unwrap();
    let help = |words: &[&str]| {
        let mut command = clean_command(program("countersign"), folder.path());
        said(&command.args(words).arg("--help").output().unwrap())
    };
    let read = help(&["online", "run"]) + &help(&["online", "serve"]);
    let read: Vec<&str> = read.split_whitespace().collect();
    let read = read.join(" ");
    let mut names = BTreeSet::new();
    for line in manifest.lines() {
        if let Some(variable) = line.trim().strip_prefix("- {name: COUNTERSIGN_") {
            let (name, value) = variable.split_once(", value: ").unwrap();
            assert!(
                read.contains(&format!("[env: COUNTERSIGN_{name}]")),
                "{name}"
            );
            names.insert((name.to_owned(), value.trim_end_matches('}').to_owned()));
        }
    }
    for (name, value) in [
        ("STATE", "postgres://countersign@db.example/index"),
        ("STORE", "s3://index-store/public"),
        ("UPLOADS", "s3://index-intake/new"),
        ("STORE_REGION", "eu-central-1"),
    ] {
        let said = (name.to_owned(), format!("\"{value}\""));
        assert!(names.contains(&said), "{names:?}");
    }
    let half = [
        "generate",
        "kubernetes",
        "--store",
        "s3://index-store/public",
    ];
    let mut command = clean_command(program("countersign"), folder.path());
    let output = command.args(half).output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{}", said(&output));
    assert!(
        said(&output).contains("name all three"),
        "{}",
        said(&output)
    );
}

#[test]
fn manifest_and_rules_are_as_kubernetes_and_prometheus_want_them() {
    let folder = tempfile::tempdir().unwrap();
    let files: [(&[&str], &str); 3] = [
        (&["kubernetes"], "manifest.yaml"),
        (&MACHINES, "machines.yaml"),
        (&["alerts"], "rules.yaml"),
    ];
    for (words, name) in files {
        fs::write(folder.path().join(name), printed(words)).unwrap();
    }
    let checker = Path::new(env!("CARGO_MANIFEST_DIR")).join("generated/check_yaml.py");
    let output = clean_command(prepared("venv/bin/python"), folder.path())
        .arg(checker)
        .arg(folder.path())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", said(&output));
}

/// A folder with what quickstart leaves.
fn quickstarted() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let mut quickstart = clean_command(program("countersign"), folder.path());
    quickstart
        .args(["quickstart", "--once", "--port", "0"])
        .current_dir(folder.path());
    let output = quickstart.output().unwrap();
    assert!(output.status.success(), "{}", said(&output));
    folder
}

/// Everybody may read all that a store has, and is told what is missing; nobody but the signer writes.
#[test]
fn a_bucket_is_read_by_everybody_and_written_by_the_signer() {
    let allowed = |whom: &str| -> Vec<(String, String)> {
        let text = printed(&["bucket-policy", "s3://index-store/public", "--for", whom]);
        let policy: serde_json::Value = serde_json::from_str(&text).unwrap();
        let mut all = Vec::new();
        for one in policy["Statement"].as_array().unwrap() {
            assert_eq!(one["Effect"], "Allow");
            for action in one["Action"].as_array().unwrap() {
                for resource in one["Resource"].as_array().unwrap() {
                    let word = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
                    all.push((word(action), word(resource)));
                }
            }
        }
        all
    };
    let has = |all: &[(String, String)], action: &str, resource: &str| {
        all.iter().any(|one| one.0 == action && one.1 == resource)
    };
    let (readers, signer) = (allowed("readers"), allowed("signer"));
    let folder = quickstarted();
    let store = fs::read_dir(folder.path().join("countersign-data/repository")).unwrap();
    for entry in store {
        let name = entry.unwrap().file_name();
        let below = format!("arn:aws:s3:::index-store/public/{}/*", name.display());
        assert!(has(&readers, "s3:GetObject", &below), "{below}");
    }
    for (action, _) in &readers {
        assert!(["s3:GetObject", "s3:ListBucket"].contains(&action.as_str()));
    }
    for all in [&readers, &signer] {
        assert!(has(all, "s3:ListBucket", "arn:aws:s3:::index-store"));
    }
    for action in ["s3:GetObject", "s3:PutObject", "s3:DeleteObject"] {
        assert!(has(&signer, action, "arn:aws:s3:::index-store/public/*"));
    }
}

/// Alerts are about metrics that there are.
#[test]
fn rules_name_metrics_that_the_program_has() {
    let folder = quickstarted();
    let mut tick = clean_command(program("countersign"), folder.path());
    tick.args(["online", "tick", "--metrics-file", "x.prom"])
        .current_dir(folder.path());
    let output = tick.output().unwrap();
    assert!(output.status.success(), "{}", said(&output));
    let metrics = fs::read_to_string(folder.path().join("x.prom")).unwrap();
    let rules = printed(&["alerts"]);
    let names: BTreeSet<&str> = rules
        .split(|character: char| !character.is_ascii_alphanumeric() && character != '_')
        .filter(|word| word.starts_with("countersign_"))
        .collect();
    assert!(names.len() >= 8, "{names:?}");
    for name in names {
        assert!(metrics.contains(&format!("# TYPE {name} ")), "{name}");
    }
}
