//! A private index: its server asks for a password, which stands in the user's netrc file. It is sent to
//! that host and to no other, and nobody reads it anywhere.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use countersign_tests::environment::{Server, free_port, prepared};

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
