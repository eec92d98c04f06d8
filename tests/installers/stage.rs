//! A published index, its server, and people who install from it: through the proxy, under `exec`, or
//! straight from the server.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use countersign_tests::environment::{
    Server, clean_command, free_port, packages, prepared, program, said, samples,
};
use countersign_tests::published::{Made, PublishedIndex};
use policy::Encoding;
use tempfile::TempDir;

/// An index with the samples and `requests`, its server and a proxy that trusts its first root.
pub(crate) struct Stage {
    pub(crate) home: TempDir,
    pub(crate) index: PublishedIndex,
    pub(crate) server: Server,
}

/// Who installs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Installer {
    /// Of today.
    Pip,
    /// Reads core metadata, is lenient otherwise.
    Pip24,
    /// Installs from a JSON page what does not match its hash.
    Pip22,
    /// Of today.
    Uv,
    /// Installs what does not match its hash, and follows core metadata that does not.
    Uv12,
}

/// Those of today.
pub(crate) const BOTH: [Installer; 2] = [Installer::Pip, Installer::Uv];

/// All that are driven through the proxy.
pub(crate) const ALL: [Installer; 5] = [
    Installer::Pip,
    Installer::Pip24,
    Installer::Pip22,
    Installer::Uv,
    Installer::Uv12,
];

impl Installer {
    /// Whether it is a pip.
    pub(crate) fn is_pip(self) -> bool {
        !matches!(self, Self::Uv | Self::Uv12)
    }

    /// What installs, up to the options.
    pub(crate) fn command(self) -> Vec<String> {
        let text = |path: PathBuf| path.display().to_string();
        let python = text(prepared("venv/bin/python"));
        let uv = match self {
            Self::Uv12 => "installers/uv-0.12.0/bin/uv",
            _ => "venv/bin/uv",
        };
        let words = |words: &[&str]| words.iter().map(|&it| it.to_owned()).collect();
        if self.is_pip() {
            return words(&[&python, "-m", "pip", "install"]);
        }
        words(&[&text(prepared(uv)), "pip", "install", "--python", &python])
    }

    /// Has Python find this pip before its own.
    pub(crate) fn prepare(self, command: &mut Command) {
        let folder = match self {
            Self::Pip22 => "installers/pip-22.3.1",
            Self::Pip24 => "installers/pip-24.0",
            _ => return,
        };
        command.env("PYTHONPATH", prepared(folder));
    }
}

impl Stage {
    pub(crate) fn new() -> Self {
        Self::made(Made::small(Encoding::PathHashPrefixes))
    }

    pub(crate) fn made(made: Made) -> Self {
        let files: Vec<PathBuf> = samples().into_iter().chain(packages()).collect();
        Self::of(made, &files)
    }

    /// An index with these files alone.
    pub(crate) fn with_files(files: &[PathBuf]) -> Self {
        Self::of(Made::small(Encoding::PathHashPrefixes), files)
    }

    /// An index of these files and no others.
    pub(crate) fn of(made: Made, files: &[PathBuf]) -> Self {
        let home = tempfile::tempdir().unwrap();
        let index = PublishedIndex::make(home.path(), made, files);
        let server = Server::of_folder(&index.store());
        Self {
            home,
            index,
            server,
        }
    }

    /// A proxy with an empty cache and datastore of its own.
    pub(crate) fn proxy(&self) -> Server {
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
    pub(crate) fn install(
        &self,
        installer: Installer,
        index: &Server,
        what: &[&str],
    ) -> (Output, PathBuf) {
        let (mut command, into) = self.installation(installer, index, what);
        (command.output().unwrap(), into)
    }

    /// What installs requirements into a folder of their own.
    pub(crate) fn installation(
        &self,
        installer: Installer,
        index: &Server,
        what: &[&str],
    ) -> (Command, PathBuf) {
        let port = free_port();
        let into = self.home.path().join(format!("{installer:?}-{port}"));
        let words = installer.command();
        let mut command = clean_command(&words[0], self.home.path());
        installer.prepare(&mut command);
        command.args(&words[1..]).arg("--no-cache-dir");
        if installer.is_pip() {
            command.args(["--retries", "0"]);
        }
        command
            .arg("--index-url")
            .arg(index.url("simple/"))
            .arg("--target")
            .arg(&into)
            .args(what);
        (command, into)
    }

    /// Every installer must fail through a plain proxy and leave nothing installed. The proxy says each
    /// of `words`, and so do the installers of today, which print what they are answered.
    pub(crate) fn refused(&self, what: &str, module: &str, words: &[&str]) {
        for installer in ALL {
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
            let log = proxy.log();
            for word in words {
                let is_said = said.contains(word) || !BOTH.contains(&installer);
                assert!(is_said, "{installer:?} does not say {word:?}: {said}");
                let is_logged = *word == "409" || log.contains(word);
                assert!(is_logged, "the proxy does not say {word:?}: {log}");
            }
        }
    }
}

pub(crate) fn installed(into: &Path, module: &str, output: &Output) {
    assert!(output.status.success(), "{}", said(output));
    assert!(
        into.join(module).exists(),
        "{module} is missing: {}",
        said(output)
    );
}

pub(crate) fn sample(name: &str) -> PathBuf {
    samples()
        .into_iter()
        .find(|path| path.ends_with(name))
        .unwrap()
}

/// A sound wheel of the sample's name and version with other content.
pub(crate) fn evil_wheel() -> Vec<u8> {
    forged_wheel("1.0.0", &[])
}

/// A sound wheel of the sample's name with evil content, in any version, with further requirements.
pub(crate) fn forged_wheel(version: &str, requires: &[&str]) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let script = "
import sys, zipfile
source, target, version, *requires = sys.argv[1:]
with zipfile.ZipFile(source) as good, zipfile.ZipFile(target, 'w') as evil:
    for name in good.namelist():
        data = good.read(name)
        if name.endswith('__init__.py'):
            data = b'evil = True\\n'
        if name.endswith('RECORD'):
            data = b''.join(line.split(b',')[0] + b',,\\n' for line in data.splitlines())
        if name.endswith(('RECORD', 'METADATA')):
            data = data.replace(b'1.0.0', version.encode())
        if name.endswith('METADATA'):
            head, _, body = data.partition(b'\\n\\n')
            head = head.rstrip() + ''.join(f'\\nRequires-Dist: {it}' for it in requires).encode()
            data = head + b'\\n\\n' + body
        evil.writestr(name.replace('-1.0.0.', f'-{version}.'), data)
";
    let target = folder.path().join("evil.whl");
    let output = clean_command(prepared("venv/bin/python"), folder.path())
        .args(["-c", script])
        .arg(sample("countersign_sample_words-1.0.0-py3-none-any.whl"))
        .arg(&target)
        .arg(version)
        .args(requires)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", said(&output));
    fs::read(target).unwrap()
}
