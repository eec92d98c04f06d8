//! What holds for the project as a whole: who may depend on what, who may make trust, and that the
//! documents say what is there.

mod attacks;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use countersign_tests::environment::program;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("..")
        .canonicalize()
        .unwrap()
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// All Rust files below a folder.
fn sources(folder: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() && !path.ends_with("target") {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }
    found
}

/// Names of the packages that a package ships with or is built by.
fn dependencies(package: &str) -> BTreeSet<String> {
    let output = Command::new(env!("CARGO"))
        .current_dir(root())
        .args([
            "tree",
            "--locked",
            "--offline",
            "--edges",
            "normal,build",
            "--prefix",
            "none",
        ])
        .args(["--format", "{lib} {p}", "--package", package])
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines()
        .filter_map(|line| line.split_whitespace().nth(1))
        .map(str::to_owned)
        .collect()
}

/// The same as the build of the whole workspace at once makes it, as releases are: there the features that
/// any package asks for are on for all, and may bring in more.
fn unified_dependencies(package: &str) -> BTreeSet<String> {
    let output = Command::new(env!("CARGO"))
        .current_dir(root())
        .args(["tree", "--workspace", "--locked", "--offline"])
        .args(["--edges", "normal,build", "--prefix", "depth"])
        .args(["--format", " {p}"])
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    // Each line is as deep as it says below the last one that is less deep; what a package depends on is
    // written out once.
    let mut above: Vec<&str> = Vec::new();
    let mut needs: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for line in text.lines().filter(|line| !line.is_empty()) {
        let (depth, rest) = line.split_once(' ').unwrap();
        let name = rest.split(' ').next().unwrap();
        above.truncate(depth.parse().unwrap());
        if let Some(parent) = above.last() {
            needs.entry(parent).or_default().insert(name);
        }
        above.push(name);
    }
    let mut found = BTreeSet::new();
    let mut ahead = vec![package];
    while let Some(name) = ahead.pop() {
        if found.insert(name.to_owned()) {
            ahead.extend(needs.get(name).into_iter().flatten());
        }
    }
    found
}

const NETWORK: [&str; 9] = [
    "tokio", "reqwest", "hyper", "axum", "rustls", "mio", "socket2", "async-io", "tough",
];

fn assert_without(package: &str, forbidden: &[&str]) -> usize {
    let found = dependencies(package);
    for name in forbidden {
        assert!(!found.contains(*name), "{package} depends on {name}");
    }
    found.len()
}

/// DESIGN §1: the programs' supply chains differ.
#[test]
fn ceremony_and_keys_have_no_network() {
    let packages = assert_without("countersign-ceremony", &NETWORK);
    assert_without("countersign-keys", &NETWORK);
    println!("countersign-ceremony is made of {packages} packages");
    // The goal is 80; `policy/decisions/0015-what-the-ceremony-program-is-made-of.md` says what stands in
    // its way. More than now needs a reason.
    assert!(packages <= 103, "{packages}");
    // The control: the same question finds them where they are.
    assert!(dependencies("countersign-client").contains("tokio"));
}

/// DESIGN §1: features unify where the whole workspace is built at once, as releases are.
#[test]
fn no_other_package_brings_a_network_into_the_ceremony_program() {
    let unified = unified_dependencies("countersign-ceremony");
    let network = NETWORK.into_iter().filter(|name| unified.contains(*name));
    assert_eq!(network.collect::<Vec<_>>(), [""; 0]);
    // Names are one for several versions, and the rest of the workspace adds a few.
    let alone = dependencies("countersign-ceremony");
    assert!(
        alone.is_subset(&unified),
        "{:?}",
        alone.difference(&unified)
    );
    let more: Vec<_> = unified.difference(&alone).collect();
    println!("the rest of the workspace adds {more:?}");
    // The control: the same question finds them where they are.
    assert!(unified_dependencies("countersign").contains("tokio"));
    assert!(unified_dependencies("countersign-client").contains("reqwest"));
}

/// The artifact itself is looked into: symbols of Rust carry the names of their crates, each after its
/// length. `tests/run` builds the whole workspace at once, with its tests, so at least the features of a
/// release are on in it, and nothing is taken out by optimizing across crates, as in a release.
#[test]
fn the_ceremony_program_has_no_symbol_of_a_network() {
    let symbols = |name: &str| {
        let bytes = fs::read(program(name)).unwrap();
        let has = |one: &&str| {
            let mangled = format!("{}{}", one.len(), one.replace('-', "_"));
            let mut windows = bytes.windows(mangled.len());
            windows.any(|window| window == mangled.as_bytes())
        };
        NETWORK.into_iter().filter(has).collect::<Vec<_>>()
    };
    assert_eq!(symbols("countersign-ceremony"), [""; 0]);
    // The control: the same look finds them where they are.
    let online = symbols("countersign");
    assert!(
        online.contains(&"tokio") && online.contains(&"reqwest"),
        "{online:?}"
    );
}

/// DESIGN §2: the pure crates.
#[test]
fn pure_crates_have_no_async_and_no_network() {
    for crate_name in [
        "claims", "metadata", "trust", "index", "policy", "locks", "deltas", "draft",
    ] {
        assert_without(&format!("countersign-{crate_name}"), &NETWORK);
        assert_without(
            &format!("countersign-{crate_name}"),
            &["countersign-keys", "rusqlite"],
        );
        let lints = root().join(format!("crates/{crate_name}/.clippy.toml"));
        assert!(
            lints.exists(),
            "{crate_name} is not held to the rules of pure crates"
        );
    }
}

/// One function mints trust: `Verified {` is written once to build one.
#[test]
fn one_place_makes_verified() {
    let mut makers = Vec::new();
    for path in sources("crates") {
        let text = fs::read_to_string(&path).unwrap();
        for line in text.lines().map(str::trim) {
            let builds = line.contains("Verified {") || line == "Verified {";
            let declares = line.starts_with("pub struct") || line.starts_with("impl");
            let comment = line.starts_with("//");
            if builds && !declares && !comment {
                makers.push(format!("{}: {line}", path.display()));
            }
        }
    }
    assert_eq!(makers.len(), 1, "{makers:#?}");
    assert!(makers[0].contains("trust/src/verified.rs"), "{makers:?}");
}

/// No check can be switched off in what is shipped: the switches exist only in the copy of the crates
/// that `tests/controls/run` makes.
#[test]
fn no_source_can_switch_a_check_off() {
    let runner = read("tests/controls/run");
    let switch = runner
        .lines()
        .find_map(|line| line.strip_prefix("SWITCH = "));
    let switch = switch.unwrap().trim_matches('"');
    assert!(switch.starts_with("COUNTERSIGN_"));
    let sources = [sources("crates"), sources("tests")].concat();
    assert!(sources.len() > 300, "{}", sources.len());
    for path in sources {
        let text = fs::read_to_string(&path).unwrap();
        assert!(!text.contains(switch), "{}", path.display());
    }
}

/// `crates/README.md` names real files, and the tests it names exist.
#[test]
fn the_map_names_what_is_there() {
    let map = read("crates/README.md");
    let code = |text: &str| -> Vec<String> {
        text.split('`')
            .skip(1)
            .step_by(2)
            .map(str::to_owned)
            .collect()
    };
    let mut files = 0;
    let all: String = sources("crates")
        .iter()
        .chain(&sources("tests"))
        .map(|path| fs::read_to_string(path).unwrap())
        .collect();
    for name in code(&map) {
        if matches!(
            Path::new(&name).extension().and_then(|e| e.to_str()),
            Some("rs" | "toml")
        ) {
            files += 1;
            let candidates = [root().join("crates").join(&name), root().join(&name)];
            let exists = candidates.iter().any(|path| path.exists());
            assert!(exists || name.contains('*'), "{name} does not exist");
        } else if name.contains('_') && name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_') {
            assert!(
                all.contains(&format!("fn {name}(")),
                "there is no test called {name}"
            );
        }
    }
    assert!(files > 40, "{files}");
    for entry in fs::read_dir(root().join("crates")).unwrap() {
        let entry = entry.unwrap();
        if entry.path().is_dir() {
            let name = entry.file_name().into_string().unwrap();
            assert!(
                map.contains(&format!("| `{name}` |")),
                "{name} is not on the map"
            );
        }
    }
}

/// Examples use `index.example`; upstreams are configuration, paths of one machine are nobody's.
#[test]
fn nothing_names_a_registry_or_a_machine() {
    let output = Command::new("git")
        .current_dir(root())
        .args(["ls-files", "-z"])
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    // Written apart, so that this file does not find itself.
    let hosts = [
        ["py", "pi.org"],
        ["pythonhost", "ed.org"],
        ["registry.np", "mjs.org"],
        ["static.cra", "tes.io"],
    ];
    let machine = [["/wo", "rk/"], ["/ro", "ot/"], ["/ho", "me/"]];
    for file in String::from_utf8(output.stdout)
        .unwrap()
        .split('\0')
        .filter(|name| !name.is_empty())
    {
        let Ok(text) = fs::read_to_string(root().join(file)) else {
            continue;
        };
        if Path::new(file)
            .extension()
            .is_some_and(|extension| extension == "lock")
        {
            continue;
        }
        for parts in hosts.iter().chain(&machine) {
            assert!(
                !text.contains(&parts.concat()),
                "{file} names {}",
                parts.concat()
            );
        }
    }
}
