//! The same transactions by the other door: handed in over HTTP, by the developers' own program.

use countersign_tests::environment::{Server, free_port, said};

use crate::stage::{Flaw, Stage};

/// An intake of the index, and a token for transactions of every project.
pub(crate) struct Intake {
    server: Server,
}

impl Intake {
    pub(crate) fn of(stage: &Stage) -> Self {
        let words = ["--may", "transaction", "--project", "*"];
        let token = ["online", "token", "new", "sender", "--to", "sender.token"];
        let output = stage.countersign(&[&token[..], &words].concat()).output();
        let output = output.unwrap();
        assert!(output.status.success(), "{}", said(&output));
        let port = free_port();
        let listen = format!("127.0.0.1:{port}");
        let serve = ["online", "serve", "--intake-listen", &listen];
        Self {
            server: Server::start(stage.countersign(&serve), port),
        }
    }

    /// `countersign project send`: its exit code and what it says.
    pub(crate) fn send(&self, stage: &Stage, file: &str) -> (Option<i32>, String) {
        let url = self.server.url("");
        let words = ["project", "send", file, "--intake-url", &url];
        let mut command = stage.countersign(&words);
        let output = command.args(["--token-file", "sender.token"]).output();
        let output = output.unwrap();
        (output.status.code(), said(&output))
    }

    pub(crate) fn log(&self) -> String {
        self.server.log()
    }
}

/// Each is refused by its own code, with what to do.
pub(crate) fn judge(stage: &Stage, intake: &Intake, flaw: &Flaw) {
    let (code, said) = intake.send(stage, &flaw.file_name());
    assert_eq!(code, Some(1), "{}: {said}", flaw.what);
    for words in [&format!(", {}): ", flaw.code), "hint: "] {
        assert!(said.contains(words), "{}: {said}", flaw.what);
    }
}
