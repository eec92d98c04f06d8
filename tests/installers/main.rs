//! pip and uv, as released, install through the proxy: the real thing arrives, the tampered does not,
//! and what the installer prints names the reason.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;

use chrono::{TimeDelta, Utc};
use countersign_tests::environment::{
    Server, clean_command, free_port, packages, prepared, program, said, samples,
};
use countersign_tests::published::{Made, PublishedIndex};
use policy::Encoding;
use tempfile::TempDir;

/// An index with the samples and `requests`, its server and a proxy that trusts its first root.
struct Stage {
    home: TempDir,
    index: PublishedIndex,
    server: Server,
}

#[derive(Clone, Copy, Debug)]
enum Installer {
    Pip,
    Uv,
}

const BOTH: [Installer; 2] = [Installer::Pip, Installer::Uv];

impl Stage {
    fn new() -> Self {
        Self::made(Made::small(Encoding::PathHashPrefixes))
    }

    fn made(made: Made) -> Self {
        let home = tempfile::tempdir().unwrap();
        let files: Vec<PathBuf> = samples().into_iter().chain(packages()).collect();
        let index = PublishedIndex::make(home.path(), made, &files);
        let server = Server::of_folder(&index.store());
        Self {
            home,
            index,
            server,
        }
    }

    /// A proxy with an empty cache and datastore of its own.
    fn proxy(&self) -> Server {
        let port = free_port();
        let folder = self.home.path().join(format!("proxy-{port}"));
        fs::create_dir(&folder).unwrap();
        let mut command = clean_command(program("countersign"), &folder);
        command
            .args(["proxy", "--metadata-url", &self.server.url("metadata/")])
            .args(["--targets-url", &self.server.url("targets/")])
            .args(["--root".as_ref(), self.index.root().as_os_str()])
            .args([
                "--metadata-dir".as_ref(),
                folder.join("trusted").as_os_str(),
            ])
            .args(["--cache-dir".as_ref(), folder.join("cache").as_os_str()])
            .args(["--listen", &format!("127.0.0.1:{port}")]);
        Server::start(command, port)
    }

    /// Installs requirements into a folder of their own through `index`.
    fn install(&self, installer: Installer, index: &Server, what: &[&str]) -> (Output, PathBuf) {
        let port = free_port();
        let into = self.home.path().join(format!("{installer:?}-{port}"));
        let python = prepared("venv/bin/python");
        let mut command = match installer {
            Installer::Pip => {
                let mut pip = clean_command(&python, self.home.path());
                pip.args(["-m", "pip", "install", "--no-cache-dir", "--retries", "0"]);
                pip
            }
            Installer::Uv => {
                let mut uv = clean_command(prepared("venv/bin/uv"), self.home.path());
                uv.args(["pip", "install", "--no-cache", "--python"])
                    .arg(&python);
                uv
            }
        };
        command
            .arg("--index-url")
            .arg(index.url("simple/"))
            .arg("--target")
            .arg(&into)
            .args(what);
        (command.output().unwrap(), into)
    }

    /// Both installers must fail, leave nothing installed, and say each of `words`.
    fn refused(&self, what: &str, module: &str, words: &[&str]) {
        for installer in BOTH {
            let proxy = self.proxy();
            let (output, into) = self.install(installer, &proxy, &[what]);
            let said = said(&output);
            assert!(
                !output.status.success(),
                "{installer:?} installed it: {said}"
            );
            assert!(
                !into.join(module).exists(),
                "{installer:?} left files: {said}"
            );
            for word in words {
                assert!(
                    said.contains(word),
                    "{installer:?} does not say {word:?}: {said}"
                );
            }
        }
    }
}

fn installed(into: &Path, module: &str, output: &Output) {
    assert!(output.status.success(), "{}", said(output));
    assert!(
        into.join(module).exists(),
        "{module} is missing: {}",
        said(output)
    );
}

#[test]
fn samples_and_requests_install() {
    let stage = Stage::new();
    let proxy = stage.proxy();
    for installer in BOTH {
        let (output, into) = stage.install(installer, &proxy, &["countersign-sample-cli"]);
        installed(&into, "countersign_sample_words", &output);
        let (output, into) = stage.install(installer, &proxy, &["requests"]);
        for module in [
            "requests",
            "urllib3",
            "idna",
            "certifi",
            "charset_normalizer",
        ] {
            installed(&into, module, &output);
        }
    }
}

#[test]
fn succinct_bins_and_source_distributions_install() {
    let stage = Stage::made(Made::small(Encoding::Succinct));
    let proxy = stage.proxy();
    for (installer, no_binary) in [
        (Installer::Pip, "--no-binary=idna"),
        (Installer::Uv, "--no-binary=idna"),
    ] {
        let (output, into) = stage.install(installer, &proxy, &["idna", no_binary]);
        installed(&into, "idna", &output);
    }
}

/// Without the proxy the same tampering succeeds: an index that lies about page and wheel alike is
/// believed by an installer that asks it directly.
#[test]
fn control_a_lying_index_is_believed_without_the_proxy() {
    let stage = Stage::new();
    let wheel = "countersign_sample_words-1.0.0-py3-none-any.whl";
    let evil = evil_wheel();
    let digest = metadata::Sha256::of(&evil).to_string();
    assert!(
        stage
            .index
            .tamper(wheel, |bytes| if bytes.starts_with(b"PK") {
                evil.clone()
            } else {
                bytes
            })
            >= 1
    );
    let genuine = metadata::Sha256::of(&fs::read(sample(wheel)).unwrap()).to_string();
    let lie = |bytes: Vec<u8>| {
        String::from_utf8(bytes)
            .unwrap()
            .replace(&genuine, &digest)
            .into_bytes()
    };
    assert!(
        stage
            .index
            .tamper("simple/countersign-sample-words/index.html", lie)
            == 1
    );
    let (output, into) =
        stage.install(Installer::Pip, &stage.server, &["countersign-sample-words"]);
    assert!(output.status.success(), "{}", said(&output));
    let module = fs::read_to_string(into.join("countersign_sample_words/__init__.py")).unwrap();
    assert!(module.contains("evil"), "{module}");
    stage.refused(
        "countersign-sample-words",
        "countersign_sample_words",
        &[wheel],
    );
}

#[test]
fn a_tampered_wheel_is_refused() {
    let stage = Stage::new();
    let wheel = "countersign_sample_words-1.0.0-py3-none-any.whl";
    let evil = evil_wheel();
    stage.index.tamper(&format!(".{wheel}"), |bytes| {
        if bytes.starts_with(b"PK") {
            evil.clone()
        } else {
            bytes
        }
    });
    stage.refused(
        "countersign-sample-words",
        "countersign_sample_words",
        &[wheel, "409"],
    );
}

#[test]
fn a_tampered_page_is_refused() {
    let stage = Stage::new();
    stage.index.tamper(
        "/countersign-sample-words/",
        |bytes| match String::from_utf8(bytes) {
            Ok(text) if text.contains("\"files\"") => text.replace("1.0.0", "9.0.0").into_bytes(),
            Ok(text) => text.into_bytes(),
            Err(error) => error.into_bytes(),
        },
    );
    stage.refused(
        "countersign-sample-words",
        "countersign_sample_words",
        &["TUF", "vnd.pypi.simple.v1.json", "bins-"],
    );
}

#[test]
fn tampered_metadata_is_refused() {
    for (file, from, to) in [
        (
            "metadata/timestamp.json",
            "\"version\":1}",
            "\"version\":2}",
        ),
        (
            "metadata/1.snapshot.json",
            "\"version\":1}",
            "\"version\":2}",
        ),
        (
            "metadata/1.targets.json",
            "\"terminating\":false",
            "\"terminating\":true",
        ),
        ("metadata/1.bins-", "\"length\":", "\"length\":1"),
    ] {
        let stage = Stage::new();
        let count = stage.index.tamper(file, |bytes| {
            String::from_utf8(bytes)
                .unwrap()
                .replace(from, to)
                .into_bytes()
        });
        assert!(count > 0, "{file}");
        let role = file
            .trim_start_matches("metadata/")
            .trim_start_matches("1.");
        let role = role.trim_end_matches(".json");
        stage.refused(
            "countersign-sample-words",
            "countersign_sample_words",
            &["TUF", role],
        );
    }
}

#[test]
fn a_stale_timestamp_is_refused() {
    let made = Made {
        now: Utc::now() - TimeDelta::days(3),
        ..Made::small(Encoding::PathHashPrefixes)
    };
    let stage = Stage::made(made);
    let words = ["TUF", "expired", "timestamp"];
    stage.refused(
        "countersign-sample-words",
        "countersign_sample_words",
        &words,
    );
}

fn sample(name: &str) -> PathBuf {
    samples()
        .into_iter()
        .find(|path| path.ends_with(name))
        .unwrap()
}

/// A sound wheel of the sample's name and version with other content.
fn evil_wheel() -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let script = "
import sys, zipfile
source, target = sys.argv[1:]
with zipfile.ZipFile(source) as good, zipfile.ZipFile(target, 'w') as evil:
    for name in good.namelist():
        data = good.read(name)
        if name.endswith('__init__.py'):
            data = b'evil = True\\n'
        if name.endswith('RECORD'):
            data = b''.join(line.split(b',')[0] + b',,\\n' for line in data.splitlines())
        evil.writestr(name, data)
";
    let target = folder.path().join("evil.whl");
    let output = clean_command(prepared("venv/bin/python"), folder.path())
        .args(["-c", script])
        .arg(sample("countersign_sample_words-1.0.0-py3-none-any.whl"))
        .arg(&target)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", said(&output));
    fs::read(target).unwrap()
}
