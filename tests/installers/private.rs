//! A private index: its server asks for a password, which stands in the user's netrc file or in the
//! keyring. It is sent to that host and to no other, and nobody reads it anywhere.

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};

use countersign_tests::environment::{Server, free_port, prepared, said};

use crate::machine::{Machine, Ran, WORDS};
use crate::stage::{Installer, Stage};

/// A server that asks for a password where it is given one, and sends files to another server. It writes
/// down who sent which.
const SCRIPT: &str = "
import base64, functools, http.server, sys
folder, port, wanted, files = sys.argv[1:]
class Handler(http.server.SimpleHTTPRequestHandler):
    def do_GET(self):
        sent = self.headers.get('Authorization', 'nothing')
        shown = base64.b64decode(sent[6:]).decode() if sent.startswith('Basic ') else sent
        print(f'sent {shown}', file=sys.stderr, flush=True)
        if wanted and shown != wanted:
            self.send_error(401)
        elif files and self.path.startswith('/targets/'):
            self.send_response(302)
            self.send_header('Location', files + self.path[1:])
            self.send_header('Content-Length', '0')
            self.end_headers()
        else:
            super().do_GET()
handler = functools.partial(Handler, directory=folder)
http.server.ThreadingHTTPServer(('127.0.0.1', int(port)), handler).serve_forever()
";

fn server(stage: &Stage, wanted: &str, files: &str) -> Server {
    let port = free_port();
    let mut command = Command::new(prepared("venv/bin/python"));
    command.args(["-c", SCRIPT]).arg(stage.index.store());
    command.args([&port.to_string(), wanted, files]);
    Server::start(command, port)
}

#[test]
fn a_password_goes_to_the_host_it_is_for() {
    let mut stage = Stage::new();
    // By another name of this machine it is another host.
    let elsewhere = server(&stage, "", "");
    let files = elsewhere.url("").replace("127.0.0.1", "localhost");
    stage.server = server(&stage, "me:se cret", &files);
    let machine = Machine::of(&stage);
    let netrc = machine.home.path().join(".netrc");
    let install = || -> Ran { machine.install(Installer::Pip, &["-v", WORDS]) };
    let ran = install();
    ran.is_refused("countersign_sample_words", &["401"]);
    let text = "machine 127.0.0.1 login me password \"se cret\"\n";
    fs::write(&netrc, text).unwrap();
    let mode = |mode: u32| fs::set_permissions(&netrc, fs::Permissions::from_mode(mode)).unwrap();
    mode(0o644);
    let ran = install();
    ran.is_refused("countersign_sample_words", &["401"]);
    assert!(ran.said.contains("open to others"), "{}", ran.said);
    mode(0o600);
    let ran = install();
    ran.has_good_words();
    assert!(!ran.said.contains("cret"), "{}", ran.said);
    assert!(stage.server.log().contains("sent me:se cret"));
    let log = elsewhere.log();
    assert!(
        log.contains("sent nothing") && !log.contains("cret"),
        "{log}"
    );
}

/// The real program `keyring`, with a back end that keeps passwords in a file.
fn keyring(command: &mut Command) {
    let program = prepared("keyring/bin/keyring");
    let path = std::env::join_paths(std::iter::once(program.parent().unwrap().to_owned()).chain(
        std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()),
    ));
    command.env("PATH", path.unwrap()).env(
        "PYTHON_KEYRING_BACKEND",
        "keyrings.alt.file.PlaintextKeyring",
    );
}

/// Puts a password into the keyring of a machine, as its user would.
fn remember(machine: &Machine, service: &str, password: &str) {
    let mut command = machine.clean(prepared("keyring/bin/keyring"));
    keyring(&mut command);
    command.args(["set", service, "me"]).stdin(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(password.as_bytes()).unwrap();
    drop(stdin);
    assert!(child.wait().unwrap().success());
}

#[test]
fn a_password_comes_from_the_keyring_where_the_user_says_so() {
    let mut stage = Stage::new();
    stage.server = server(&stage, "me:se cret", "");
    let url = stage.server.url("");
    let host = url.trim_start_matches("http://").trim_end_matches('/');
    let named = url.replace("http://", "http://me@");
    let subprocess = ["--keyring-provider", "subprocess"];
    let add = |machine: &Machine, name: &str, url: &str| {
        let port = free_port().to_string();
        let mut add = machine.countersign(&["trust", "add", name, url, "--proxy-port", &port]);
        add.arg("--root").arg(stage.index.root()).args(subprocess);
        keyring(&mut add);
        said(&add.output().unwrap())
    };
    let install = |machine: &Machine, index: &str, options: &[&str]| {
        let mut exec = machine.exec(&[&["--index", index][..], options].concat());
        keyring(&mut exec);
        machine.install_by(Installer::Pip, exec, &["-v", WORDS])
    };
    for service in [host, &format!("{url}metadata/")] {
        let machine = Machine::of(&stage);
        // A password in the URL would be handed on with the anchor.
        let refused = add(&machine, "open", &url.replace("http://", "http://me:it@"));
        assert!(
            refused.contains("the URL has a password in it"),
            "{refused}"
        );
        // Of another host, or not the right one: neither helps.
        remember(&machine, "other.example", "se cret");
        remember(&machine, host, "wrong");
        let added = add(&machine, "private", &named);
        assert!(added.contains("answered 401"), "{added}");
        let ran = install(&machine, "private", &subprocess);
        ran.is_refused("countersign_sample_words", &["401"]);
        remember(&machine, service, "se cret");
        // Nobody is asked who was not named, and for no user whom the URL does not name.
        install(&machine, "private", &[]).is_refused("countersign_sample_words", &["401"]);
        install(&machine, "main", &subprocess).is_refused("countersign_sample_words", &["401"]);
        let ran = install(&machine, "private", &subprocess);
        ran.has_good_words();
        assert!(!ran.said.contains("cret"), "{}", ran.said);
    }
    assert!(stage.server.log().contains("sent me:se cret"));
}

/// An unverified index can be private as well.
#[test]
fn an_unverified_index_gets_its_own_password() {
    let stage = Stage::new();
    let private = Stage::new();
    let private = server(&private, "me:se cret", "");
    let machine = Machine::of(&stage);
    let rules = machine.home.path().join("rules.toml");
    let text = format!(
        "[[rule]]\nprojects = [\"{WORDS}\"]\nunverified = \"{}\"\n\
         [[rule]]\nprojects = [\"*\"]\nupstream = \"main\"\n",
        private.url("simple/")
    );
    fs::write(&rules, text).unwrap();
    let install = || {
        let exec = machine.exec(&["--rules", rules.to_str().unwrap()]);
        machine.install_by(Installer::Uv, exec, &[WORDS])
    };
    install().is_refused("countersign_sample_words", &["answered 401"]);
    let netrc = machine.home.path().join(".netrc");
    fs::write(&netrc, "machine 127.0.0.1 login me password \"se cret\"\n").unwrap();
    fs::set_permissions(&netrc, fs::Permissions::from_mode(0o600)).unwrap();
    let ran = install();
    ran.has_good_words();
    assert!(!ran.said.contains("cret"), "{}", ran.said);
    assert!(
        ran.verdict.contains("UNVERIFIED 1 page and 1 file"),
        "{}",
        ran.verdict
    );
}
