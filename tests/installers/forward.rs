//! Installers that keep the index's own https URLs: under `exec`, and with the proxy as their forward
//! proxy. Nothing answers at those URLs but the proxy, which vouches for itself by an authority that
//! real pip, uv and poetry have to believe, for those hosts and no other.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use countersign_tests::environment::{Server, free_port, prepared, said};
use countersign_tests::preload::{FILE, OTHER_FILE, other_file};

use crate::machine::{Machine, Ran, WORDS};
use crate::stage::{ALL, Installer, Stage, forged_wheel};

const WHEEL: &str = "countersign_sample_words-1.0.0-py3-none-any.whl";

/// Nobody's hosts: whatever comes from them comes from the proxy.
const OWN: [&str; 4] = [
    "--canonical-url",
    "https://index.example/simple/",
    "--files-url",
    "https://files.example/",
];

fn swap_wheel(stage: &Stage) {
    let evil = forged_wheel("1.0.0", &[]);
    let swapped = stage.index.tamper(WHEEL, |bytes| {
        if bytes.starts_with(b"PK") {
            evil.clone()
        } else {
            bytes
        }
    });
    assert!(swapped > 0);
}

#[test]
fn every_installer_installs_from_the_indexs_own_url() {
    let stage = Stage::new();
    for installer in ALL {
        let machine = Machine::with(&stage, &OWN);
        let exec = machine.exec(&["--mode", "forward"]);
        let ran = machine.install_by(installer, exec, &["-v", "countersign-sample-cli"]);
        ran.has_good_words();
        assert!(
            ran.said.contains("https://index.example/simple/"),
            "{}",
            ran.said
        );
        assert!(ran.verdict.contains("verified 3 pages"), "{}", ran.verdict);
        assert!(!ran.verdict.contains("REFUSED"), "{}", ran.verdict);
        let left = fs::read_dir(
            machine
                .home
                .path()
                .join(".local/share/countersign/indexes/main"),
        );
        let left: Vec<_> = left.unwrap().map(|it| it.unwrap().file_name()).collect();
        let is_file = |name: &std::ffi::OsString| name.to_string_lossy().contains("authorities");
        assert!(!left.iter().any(is_file), "{left:?}");
    }
    swap_wheel(&stage);
    for installer in ALL {
        let machine = Machine::with(&stage, &OWN);
        let exec = machine.exec(&["--mode", "forward"]);
        let ran = machine.install_by(installer, exec, &[WORDS]);
        ran.is_refused(
            "countersign_sample_words",
            &["REFUSED TUF mismatch bins-", WHEEL],
        );
    }
}

/// A project of uv, or of poetry with a source, and what runs in it.
struct Project {
    folder: PathBuf,
    command: Vec<String>,
}

impl Project {
    fn uv(machine: &Machine) -> Self {
        let text = format!(
            "[project]\nname = \"p\"\nversion = \"1\"\nrequires-python = \">=3.9\"\ndependencies = [\"{WORDS}\"]\n"
        );
        Self::of(machine, "uv", &text, &[prepared("venv/bin/uv")])
    }

    fn poetry(machine: &Machine) -> Self {
        let text = format!(
            "[tool.poetry]\nname = \"p\"\nversion = \"1\"\ndescription = \"\"\nauthors = []\n\
             package-mode = false\n[tool.poetry.dependencies]\npython = \">=3.9\"\n{WORDS} = \"*\"\n\
             [[tool.poetry.source]]\nname = \"main\"\nurl = \"https://index.example/simple/\"\n"
        );
        let words = [prepared("venv/bin/python"), "-m".into(), "poetry".into()];
        Self::of(machine, "poetry", &text, &words)
    }

    fn of(machine: &Machine, name: &str, text: &str, command: &[PathBuf]) -> Self {
        let folder = machine.home.path().join(name);
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join("pyproject.toml"), text).unwrap();
        let command = command.iter().map(|it| it.display().to_string());
        Self {
            folder,
            command: command.collect(),
        }
    }

    /// Runs it under `exec` on a machine, and forgets what was installed.
    fn run(&self, machine: &Machine, options: &[&str], words: &[&str]) -> Ran {
        let _ = fs::remove_dir_all(self.folder.join(".venv"));
        let mut exec = machine.exec(options);
        exec.args(&self.command)
            .args(words)
            .env("PYTHONPATH", prepared("installers/poetry-2.5.1"))
            .env("POETRY_VIRTUALENVS_IN_PROJECT", "true")
            .env("UV_PYTHON", prepared("venv/bin/python"))
            .current_dir(&self.folder);
        let ran = Ran::of(&exec.output().unwrap(), &self.folder);
        assert!(!ran.verdict.contains("neutralized"), "{}", ran.verdict);
        ran
    }

    fn lock(&self, name: &str) -> String {
        fs::read_to_string(self.folder.join(name)).unwrap()
    }
}

/// A lock keeps the index's own URLs, and installs from it elsewhere, frozen or not: `exec` sees the
/// lock and takes the index's own URL by itself, so that the lock stays as it is.
#[test]
fn locks_of_uv_and_poetry_keep_the_indexs_own_urls() {
    let stage = Stage::new();
    let machine = Machine::with(&stage, &OWN);
    let (uv, poetry) = (Project::uv(&machine), Project::poetry(&machine));
    let locked = uv.run(&machine, &["--mode", "forward"], &["lock"]);
    assert_eq!(locked.code, Some(0), "{}", locked.said);
    let uv_lock = uv.lock("uv.lock");
    let file = format!("https://files.example/packages/60/{WORDS}/{WHEEL}");
    for url in ["\"https://index.example/simple", &file] {
        assert!(uv_lock.contains(url), "{url}: {uv_lock}");
    }
    assert!(!uv_lock.contains("127.0.0.1"), "{uv_lock}");
    // poetry's project names its source: the URL is its own in every mode.
    let locked = poetry.run(&machine, &["--mode", "index"], &["lock", "-n"]);
    assert_eq!(locked.code, Some(0), "{}", locked.said);
    let poetry_lock = poetry.lock("poetry.lock");
    assert!(
        poetry_lock.contains("url = \"https://index.example/simple\""),
        "{poetry_lock}"
    );

    let runs: [(&Project, &[&str]); 4] = [
        (&uv, &["sync", "--frozen"]),
        (&uv, &["sync"]),
        (&uv, &["sync", "--locked"]),
        (&poetry, &["install", "-n"]),
    ];
    for (project, words) in runs {
        // Another machine, which has nothing in any cache.
        let other = Machine::with(&stage, &OWN);
        let ran = project.run(&other, &[], words);
        assert_eq!(ran.code, Some(0), "{words:?}: {}", ran.said);
        assert!(ran.verdict.contains("1 file of main"), "{}", ran.verdict);
    }
    assert_eq!(uv.lock("uv.lock"), uv_lock);
    assert_eq!(poetry.lock("poetry.lock"), poetry_lock);
    swap_wheel(&stage);
    for (project, words) in runs {
        let other = Machine::with(&stage, &OWN);
        let ran = project.run(&other, &[], words);
        assert_ne!(ran.code, Some(0), "{words:?}: {}", ran.said);
        assert!(
            ran.verdict.contains("REFUSED TUF mismatch"),
            "{}",
            ran.verdict
        );
    }
    // The control: without the index's own URL a machine gets nothing from the lock.
    let stranger = Machine::of(&stage);
    let ran = uv.run(&stranger, &[], &["sync", "--frozen"]);
    assert_ne!(ran.code, Some(0), "{}", ran.said);
    let named = "REFUSED connections to files.example:443";
    assert!(ran.verdict.contains(named), "{}", ran.verdict);
}

/// The store over TLS, by a certificate for `localhost` that the machine's installers believe.
struct TlsIndex {
    server: Server,
    certificate: PathBuf,
    _folder: tempfile::TempDir,
}

impl TlsIndex {
    fn of(store: &Path) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (certificate, key) = (folder.path().join("certificate"), folder.path().join("key"));
        let made = Command::new(prepared("tools/openssl"))
            .args(["req", "-x509", "-newkey", "ec", "-nodes", "-days", "2"])
            .args(["-pkeyopt", "ec_paramgen_curve:P-256", "-subj", "/CN=index"])
            .args(["-addext", "basicConstraints=critical,CA:FALSE"])
            .args(["-addext", "subjectAltName=DNS:localhost", "-keyout"])
            .arg(&key)
            .arg("-out")
            .arg(&certificate)
            .output()
            .unwrap();
        assert!(made.status.success(), "{}", said(&made));
        let script = "
import functools, http.server, ssl, sys
folder, port, certificate, key = sys.argv[1:]
handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=folder)
server = http.server.ThreadingHTTPServer(('127.0.0.1', int(port)), handler)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(certificate, key)
server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
server.serve_forever()
";
        let port = free_port();
        let mut command = Command::new(prepared("venv/bin/python"));
        command
            .args(["-c", script])
            .arg(store)
            .arg(port.to_string());
        command.arg(&certificate).arg(&key);
        Self {
            server: Server::start(command, port),
            certificate,
            _folder: folder,
        }
    }

    fn url(&self, path: &str) -> String {
        self.server
            .url(path)
            .replace("http://127.0.0.1", "https://localhost")
    }
}

/// Requirements that are full URLs go past any index that is named. Without `exec` the swapped wheel
/// comes; under it, in either mode, what comes is what was signed, or nothing.
#[test]
fn requirements_that_are_urls_of_the_index_are_verified() {
    let stage = Stage::new();
    let own = TlsIndex::of(&stage.index.store());
    let requirement = own.url(&format!("packages/60/{WORDS}/{WHEEL}"));
    let options = ["--canonical-url", &own.url("simple/")];
    for installer in ALL {
        for mode in ["index", "forward"] {
            let machine = Machine::with(&stage, &options);
            let exec = machine.exec(&["--mode", mode]);
            let ran = machine.install_by(installer, exec, &[&requirement]);
            ran.has_good_words();
            assert!(ran.verdict.contains("1 file of main"), "{}", ran.verdict);
        }
    }
    swap_wheel(&stage);
    for installer in ALL {
        let machine = Machine::with(&stage, &options);
        let direct = || {
            let into = machine.home.path().join("direct");
            let words = installer.command();
            let mut command = machine.clean(words[0].clone().into());
            installer.prepare(&mut command);
            command.args(&words[1..]).arg("--target").arg(&into);
            for name in ["PIP_CERT", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE"] {
                command.env(name, &own.certificate);
            }
            Ran::of(&command.arg(&requirement).output().unwrap(), &into)
        };
        direct().has_evil_words();
        for mode in ["index", "forward"] {
            let exec = machine.exec(&["--mode", mode]);
            let ran = machine.install_by(installer, exec, &[&requirement]);
            ran.is_refused(
                "countersign_sample_words",
                &["REFUSED TUF mismatch bins-", WHEEL],
            );
        }
    }
}

/// Beside the index's hosts nothing is reached, and nobody else's certificate is believed.
#[test]
fn other_hosts_are_refused_and_named() {
    let stage = Stage::new();
    for installer in [Installer::Pip, Installer::Uv] {
        let machine = Machine::with(&stage, &OWN);
        let url = format!("https://other.example/{WHEEL}");
        let exec = machine.exec(&["--mode", "forward"]);
        let ran = machine.install_by(installer, exec, &[&url]);
        let named = "REFUSED connections to other.example:443";
        ran.is_refused("countersign_sample_words", &[named]);
    }
}

/// `proxy --forward` and installers that are told what it prints.
#[test]
fn a_forward_proxy_serves_several_installers() {
    let stage = Stage::new();
    let machine = Machine::with(&stage, &OWN);
    let mut command = machine.countersign(&["proxy", "--index", "main", "--forward"]);
    command.current_dir(machine.home.path());
    let proxy = Server::start(command, machine.port);
    let file = machine
        .home
        .path()
        .join(".local/share/countersign/indexes/main/authorities.pem");
    let install = |installer: Installer, trusted: &Path, what: &str| {
        let into = machine
            .home
            .path()
            .join(format!("{installer:?}-{}", free_port()));
        let words = installer.command();
        let mut command = machine.clean(words[0].clone().into());
        installer.prepare(&mut command);
        command.args(&words[1..]).arg("--target").arg(&into);
        command
            .env("HTTPS_PROXY", proxy.url(""))
            .env("PIP_INDEX_URL", OWN[1])
            .env("UV_DEFAULT_INDEX", OWN[1]);
        for name in ["SSL_CERT_FILE", "PIP_CERT", "REQUESTS_CA_BUNDLE"] {
            command.env(name, trusted);
        }
        Ran::of(&command.arg(what).output().unwrap(), &into)
    };
    for installer in ALL {
        install(installer, &file, WORDS).has_good_words();
    }
    // The control: who is not told to believe it does not.
    let other = machine.home.path().join("other.pem");
    let elsewhere = TlsIndex::of(&stage.index.store());
    fs::copy(&elsewhere.certificate, &other).unwrap();
    for installer in [Installer::Pip, Installer::Uv] {
        let ran = install(installer, &other, WORDS);
        assert_ne!(ran.code, Some(0), "{}", ran.said);
        assert!(
            ran.said.to_lowercase().contains("certificate"),
            "{}",
            ran.said
        );
    }
    let doctor = machine.countersign(&["doctor"]).output().unwrap();
    let said = said(&doctor);
    assert!(said.contains("authorities.pem is valid until"), "{said}");
    believed_by_all_is_wrong(&machine, &file);
}

/// What installers are told to believe must not stand among the authorities of the system.
fn believed_by_all_is_wrong(machine: &Machine, authorities: &Path) {
    let systems = "/etc/ssl/certs/ca-certificates.crt";
    let scratch = tempfile::tempdir().unwrap();
    let mut doctor = machine.countersign(&["doctor"]);
    doctor.env("LD_PRELOAD", other_file(scratch.path()));
    doctor.env(FILE, systems).env(OTHER_FILE, authorities);
    let doctor = doctor.output().unwrap();
    let said = said(&doctor);
    let found = format!("{systems} holds local authorities, which every program believes: 1");
    assert!(said.contains(&found), "{said}");
    let mend = "remove them from the system's authorities, and update its file";
    assert!(said.contains(mend), "{said}");
    assert_eq!(doctor.status.code(), Some(1), "{said}");
}
