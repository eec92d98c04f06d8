//! A large file behind a slow server: it is verified before its first byte is sent, and who waits for it
//! is told so. Under `exec` installers wait longer by themselves; here they do not.

use std::process::{Command, Stdio};

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
    // All at once: they do nothing but wait.
    let mut running = Vec::new();
    for installer in [Installer::Pip, Installer::Pip24, Installer::Pip22] {
        for is_through_proxy in [true, false] {
            let index = if is_through_proxy {
                &proxy
            } else {
                &stage.server
            };
            let (mut command, into) = stage.installation(installer, index, &what);
            command.stdout(Stdio::piped()).stderr(Stdio::piped());
            running.push((is_through_proxy, command.spawn().unwrap(), into));
        }
    }
    for (is_through_proxy, child, into) in running {
        let output = child.wait_with_output().unwrap();
        if is_through_proxy {
            installed(&into, "countersign_sample_words", &output);
        } else {
            // The control: it gives up.
            assert!(!output.status.success(), "{}", said(&output));
        }
    }
}
