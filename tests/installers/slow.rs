//! A large file behind a slow server: it is verified before its first byte is sent, and who waits for it
//! is told so. Under `exec` installers wait longer by themselves; here they do not.

use std::process::Command;

use countersign_tests::environment::{Server, free_port, prepared, said};

use crate::stage::{Installer, Stage, installed};

/// Serves a folder, wheels only after a while.
const SCRIPT: &str = "
import functools, http.server, sys, time
folder, port, wait = sys.argv[1:]
class Handler(http.server.SimpleHTTPRequestHandler):
    def do_GET(self):
        if self.path.endswith('.whl'):
            time.sleep(float(wait))
        super().do_GET()
handler = functools.partial(Handler, directory=folder)
http.server.ThreadingHTTPServer(('127.0.0.1', int(port)), handler).serve_forever()
";

/// A little more than twice as long as pip is told to wait; interim responses come each 5 s.
const WAIT: &str = "13";

#[test]
fn pip_waits_for_a_file_as_long_as_it_takes() {
    let mut stage = Stage::new();
    let port = free_port();
    let mut command = Command::new(prepared("venv/bin/python"));
    command.args(["-c", SCRIPT]).arg(stage.index.store());
    command.args([&port.to_string(), WAIT]);
    stage.server = Server::start(command, port);
    let proxy = stage.proxy();
    let what = ["--timeout", "6", "countersign-sample-words"];
    std::thread::scope(|scope| {
        for installer in [Installer::Pip, Installer::Pip24, Installer::Pip22] {
            let (stage, proxy) = (&stage, &proxy);
            scope.spawn(move || {
                // The control: without the proxy it gives up.
                let (output, _) = stage.install(installer, &stage.server, &what);
                assert!(!output.status.success(), "{}", said(&output));
            });
            scope.spawn(move || {
                let (output, into) = stage.install(installer, proxy, &what);
                installed(&into, "countersign_sample_words", &output);
            });
        }
    });
}
