//! Real packages from a real index server that signs nothing: uploaded to it, taken from its folder, signed
//! here, and installed by real installers with everything a package can ask of them.

use std::fs;
use std::path::{Path, PathBuf};

use countersign_tests::environment::{clean_command, free_port, packages, prepared, said};

use crate::machine::{Machine, Ran};
use crate::operator::Operator;
use crate::poetry::PoetryProject;
use crate::pypiserver::Pypiserver;
use crate::stage::{BOTH, Installer};

/// `idna` in an older version, and `pysocks`.
fn later() -> Vec<PathBuf> {
    let folder = fs::read_dir(prepared("upstreams/packages")).unwrap();
    folder.map(|it| it.unwrap().path()).collect()
}

fn version(site: &Path, project: &str) -> Option<String> {
    let found = fs::read_dir(site).ok()?;
    let mut names = found.map(|it| it.unwrap().file_name().to_string_lossy().to_lowercase());
    names.find_map(|name| {
        let rest = name.strip_prefix(&format!("{project}-"))?;
        Some(rest.strip_suffix(".dist-info")?.to_owned())
    })
}

fn install(machine: &Machine, installer: Option<Installer>, what: &str) -> Ran {
    if let Some(installer) = installer {
        return machine.install(installer, &[what]);
    }
    let folder = format!("project-{}", free_port());
    let project = PoetryProject::new(machine, &folder);
    let mut exec = machine.exec(&[]);
    exec.args(PoetryProject::words());
    let (name, version) = what.split_once("==").unwrap_or((what, "*"));
    let (name, extras) = name.split_once('[').unwrap_or((name, ""));
    let extras = extras.trim_end_matches(']');
    let depends = if extras.is_empty() {
        format!("{name} = \"{version}\"")
    } else {
        format!("{name} = {{ version = \"{version}\", extras = [\"{extras}\"] }}")
    };
    project.install(exec, &[&machine.index_url()], &depends)
}

fn everybody() -> [Option<Installer>; 3] {
    [Some(BOTH[0]), Some(BOTH[1]), None]
}

#[test]
fn what_is_uploaded_to_an_unsigned_index_is_signed_and_installed() {
    let upstream = Pypiserver::start();
    upstream.upload(&packages());
    let operator = Operator::of(upstream.folder.path());
    let server = operator.serve();
    // What is uploaded later comes with the next synchronisation.
    upstream.upload(&later());
    let synced = operator.run(&["index", "sync", upstream.folder.path().to_str().unwrap()]);
    assert!(
        synced.contains("2 to add, 0 to remove, 7 the same"),
        "{synced}"
    );
    operator.publish();

    for installer in everybody() {
        let machine = operator.machine(&server);
        let ran = install(&machine, installer, "requests[socks]");
        assert_eq!(ran.code, Some(0), "{installer:?}: {}", ran.said);
        for module in [
            "requests",
            "urllib3",
            "idna",
            "certifi",
            "charset_normalizer",
            "socks.py",
        ] {
            assert!(
                ran.into.join(module).exists(),
                "{installer:?} {module}: {}",
                ran.said
            );
        }
        assert!(
            ran.verdict.contains("verified 6 pages and 6 files"),
            "{}",
            ran.verdict
        );
        assert_eq!(
            version(&ran.into, "idna").as_deref(),
            Some("3.20"),
            "{}",
            ran.said
        );
    }
    // From source, built by a back end that is verified as well.
    for installer in BOTH {
        let machine = operator.machine(&server);
        let ran = machine.install(installer, &["idna", "--no-binary=idna"]);
        assert_eq!(ran.code, Some(0), "{installer:?}: {}", ran.said);
        assert!(
            ran.verdict.contains("verified 2 pages and 2 files"),
            "{}",
            ran.verdict
        );
    }

    let newest = ["idna-3.20-py3-none-any.whl", "idna-3.20.tar.gz"];
    operator.run(&[&["index", "yank", "--reason", "a bad day"][..], &newest].concat());
    operator.publish();
    for installer in everybody() {
        let machine = operator.machine(&server);
        let ran = install(&machine, installer, "idna");
        assert_eq!(
            version(&ran.into, "idna").as_deref(),
            Some("3.19"),
            "{installer:?}: {}",
            ran.said
        );
        // Who asks for exactly that version gets it, and is told.
        let ran = install(&machine, installer, "idna==3.20");
        assert_eq!(
            version(&ran.into, "idna").as_deref(),
            Some("3.20"),
            "{installer:?}: {}",
            ran.said
        );
        assert!(
            ran.said.to_lowercase().contains("yanked"),
            "{installer:?}: {}",
            ran.said
        );
        assert!(
            ran.said.contains("a bad day"),
            "{installer:?}: {}",
            ran.said
        );
    }
}

/// The server that signs nothing is broken into: other bytes under a name that is signed already.
#[test]
fn what_is_swapped_on_an_unsigned_index_is_not_signed() {
    let upstream = Pypiserver::start();
    let name = "idna-3.19-py3-none-any.whl";
    upstream.upload(&later());
    let operator = Operator::of(upstream.folder.path());
    let server = operator.serve();
    let path = upstream.folder.path().join(name);
    let mut wheel = fs::read(&path).unwrap();
    let genuine = wheel.clone();
    *wheel.last_mut().unwrap() ^= 1;
    fs::write(&path, &wheel).unwrap();
    // The control: asked directly, it serves them.
    let home = tempfile::tempdir().unwrap();
    let answer = clean_command(prepared("venv/bin/python"), home.path())
        .args(["-c", "import sys, urllib.request as r; sys.stdout.buffer.write(r.urlopen(sys.argv[1]).read())"])
        .arg(upstream.server.url(&format!("packages/{name}")))
        .output()
        .unwrap();
    assert_eq!(answer.stdout, wheel, "{}", said(&answer));

    let sync = ["index", "sync", upstream.folder.path().to_str().unwrap()];
    let refused = operator.command(&sync).output().unwrap();
    assert_eq!(refused.status.code(), Some(1), "{}", said(&refused));
    assert!(
        said(&refused).contains("1 with other bytes"),
        "{}",
        said(&refused)
    );
    operator.publish();
    for installer in BOTH {
        let machine = operator.machine(&server);
        let ran = machine.install(installer, &["idna"]);
        assert_eq!(ran.code, Some(0), "{}", ran.said);
        let cached = files_below(machine.home.path());
        assert!(
            !cached.contains(&wheel) && cached.contains(&genuine),
            "{}",
            ran.said
        );
    }
}

/// The contents of all files below a folder that are as large as a wheel.
fn files_below(folder: &Path) -> Vec<Vec<u8>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let kind = entry.file_type().unwrap();
        if kind.is_dir() {
            found.extend(files_below(&entry.path()));
        } else if kind.is_file() && entry.metadata().unwrap().len() > 10_000 {
            found.push(fs::read(entry.path()).unwrap());
        }
    }
    found
}
