//! A wheel of a hundred megabytes: it has to be verified whole before its first byte is sent, in little
//! memory, and before an installer loses patience.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use countersign_tests::environment::{clean_command, peak_memory, prepared, said};
use countersign_tests::published::Made;
use policy::Encoding;

use crate::machine::{Machine, Ran};
use crate::poetry::PoetryProject;
use crate::stage::{BOTH, Stage, installed};

/// Bytes of the file in the wheel.
const SIZE: u64 = 100_000_000;

/// Most memory that the program may take, in bytes: much less than the file, and what it takes without
/// it is about half of this.
const MOST_MEMORY: u64 = 64_000_000;

const SCRIPT: &str = "
import random, sys, zipfile
target, size = sys.argv[1], int(sys.argv[2])
info = 'matrix_large-1.0.0.dist-info'
with zipfile.ZipFile(target, 'w') as wheel:
    put = lambda path, data: wheel.writestr(zipfile.ZipInfo(path), data)
    put('matrix_large/__init__.py', '')
    put('matrix_large/data', random.Random(1).randbytes(size))
    put(f'{info}/METADATA', 'Metadata-Version: 2.1\\nName: matrix-large\\nVersion: 1.0.0\\n')
    put(f'{info}/WHEEL', 'Wheel-Version: 1.0\\nGenerator: g\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n')
    put(f'{info}/RECORD', ''.join(f'{it},,\\n' for it in wheel.namelist()))
";

fn stage() -> Stage {
    let folder = tempfile::tempdir().unwrap();
    let wheel: PathBuf = folder.path().join("matrix_large-1.0.0-py3-none-any.whl");
    let made = clean_command(prepared("venv/bin/python"), folder.path())
        .args(["-c", SCRIPT])
        .arg(&wheel)
        .arg(SIZE.to_string())
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", said(&made));
    Stage::of(Made::small(Encoding::PathHashPrefixes), &[wheel])
}

fn is_whole(site: &Path, ran: &str) {
    let data = fs::metadata(site.join("matrix_large/data"));
    assert_eq!(data.expect(ran).len(), SIZE);
}

/// Runs a command under `exec`; its end, and the most memory that `exec` took.
fn watched(mut exec: Command, into: &Path) -> (Ran, u64) {
    let mut child = exec
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut most = 0;
    while child.try_wait().unwrap().is_none() {
        most = most.max(peak_memory(child.id()).unwrap_or(0));
        std::thread::sleep(Duration::from_millis(20));
    }
    (Ran::of(&child.wait_with_output().unwrap(), into), most)
}

#[test]
fn through_a_proxy() {
    let stage = stage();
    for installer in BOTH {
        let proxy = stage.proxy();
        let (output, into) = stage.install(installer, &proxy, &["matrix-large"]);
        installed(&into, "matrix_large", &output);
        is_whole(&into, &said(&output));
        let most = proxy.peak_memory();
        println!("{installer:?}: {most} bytes of memory");
        assert!(0 < most && most < MOST_MEMORY, "{installer:?}: {most}");
    }
}

#[test]
fn under_exec() {
    let stage = stage();
    for installer in BOTH {
        let machine = Machine::of(&stage);
        let into = machine.home.path().join("site");
        let mut exec = machine.exec(&[]);
        exec.args(installer.command());
        exec.arg("--target").arg(&into).arg("matrix-large");
        let (ran, most) = watched(exec, &into);
        is_whole(&into, &ran.said);
        println!("{installer:?}: {most} bytes of memory");
        assert!(0 < most && most < MOST_MEMORY, "{installer:?}: {most}");
    }
    let machine = Machine::of(&stage);
    let project = PoetryProject::new(&machine, "project");
    let mut exec = machine.exec(&[]);
    exec.args(PoetryProject::words());
    let ran = project.install(exec, &[&machine.index_url()], "matrix-large = \"*\"");
    is_whole(&ran.into, &ran.said);
}
