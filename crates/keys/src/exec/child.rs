//! The child process of an external signer: started clean, asked within limits, ended with us.
//!
//! Three threads serve it, because pipes know no time-outs: one writes requests, one hands answers
//! to whoever waits for them, one passes on what it writes to stderr. They end when its pipes close.

use std::collections::HashMap;
use std::ffi::OsString;
use std::io::{BufReader, Write};
use std::process::{ChildStderr, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::lines::{Line, printable, read_line, skip_line};
use super::protocol::{Answer, MAX_ANSWER, Request};
use crate::{ChildLog, ExecCommand, ExecError};

/// Longest line of stderr that is passed on, in bytes; and how many lines are.
const MAX_LOG_LINE: usize = 1024;
const MAX_LOG_LINES: usize = 1000;
/// How long a child may take to end once its input is closed, and to leave its last words.
const GRACE: Duration = Duration::from_millis(500);

/// A running child.
pub(super) struct Child {
    shared: Arc<Shared>,
    /// Dropped first, so that the child sees the end of its input.
    requests: Option<Sender<Vec<u8>>>,
    /// Reads what the child writes to stderr.
    words: Option<JoinHandle<()>>,
    timeout: Duration,
}

struct Shared {
    process: Mutex<std::process::Child>,
    waiting: Mutex<Waiting>,
    last_line: Mutex<Option<String>>,
}

/// Who waits for which answer.
#[derive(Default)]
struct Waiting {
    last_id: u64,
    answers: HashMap<u64, Sender<Result<Answer, Broken>>>,
    /// Why no answer will come any more.
    broken: Option<Broken>,
}

#[derive(Clone, Copy)]
enum Broken {
    /// The child closed its output.
    Ended,
    /// It wrote too long a line.
    Flood,
    /// It wrote what answers nothing.
    Stray,
    /// It was killed because of another request.
    Killed,
}

impl Child {
    /// Starts the program, without a shell and with those variables of `environment` only that the
    /// command names.
    pub(super) fn start(
        command: &ExecCommand,
        environment: &[(OsString, OsString)],
        timeout: Duration,
        log: Option<(String, ChildLog)>,
    ) -> Result<Self, ExecError> {
        let mut process = spawn(command, environment)?;
        let pipes = (
            process.stdin.take(),
            process.stdout.take(),
            process.stderr.take(),
        );
        let shared = Arc::new(Shared {
            process: Mutex::new(process),
            waiting: Mutex::default(),
            last_line: Mutex::default(),
        });
        let (requests, queue) = mpsc::channel();
        let mut words = None;
        if let (Some(stdin), Some(stdout), Some(stderr)) = pipes {
            let (answers, last) = (Arc::clone(&shared), Arc::clone(&shared));
            thread::spawn(move || write_requests(stdin, &queue));
            thread::spawn(move || read_answers(stdout, &answers));
            words = Some(thread::spawn(move || {
                read_words(stderr, &last, log.as_ref());
            }));
        }
        Ok(Self {
            shared,
            requests: Some(requests),
            words,
            timeout,
        })
    }

    /// Asks and waits for the answer. Every failure but the child's own refusal ends the child.
    pub(super) fn ask(&self, mut request: Request) -> Result<Answer, ExecError> {
        let op = request.op().name();
        let (sender, answer) = mpsc::channel();
        {
            let mut waiting = lock(&self.shared.waiting);
            if let Some(broken) = waiting.broken {
                drop(waiting);
                return Err(self.explain(broken, op));
            }
            waiting.last_id += 1;
            request.id = waiting.last_id;
            waiting.answers.insert(request.id, sender);
        }
        let line = serde_json::to_vec(&request).map_err(|_| ExecError::Gone)?;
        // A child that is gone shows in the answer.
        let _ = self.requests.as_ref().map(|requests| requests.send(line));
        match answer.recv_timeout(self.timeout) {
            Ok(Ok(answer)) => match answer.error {
                Some(words) => Err(ExecError::Child {
                    message: printable(words.as_bytes(), 500),
                }),
                None => Ok(answer),
            },
            Ok(Err(broken)) => Err(self.explain(broken, op)),
            Err(RecvTimeoutError::Timeout) => {
                self.shared.give_up(Broken::Killed);
                Err(ExecError::Timeout {
                    op,
                    seconds: self.timeout.as_secs(),
                    last_line: self.last_line(),
                })
            }
            Err(RecvTimeoutError::Disconnected) => Err(ExecError::Gone),
        }
    }

    /// Ends a child that answered wrongly, and says so.
    pub(super) fn refuse(&self, op: &'static str, why: &'static str) -> ExecError {
        self.shared.give_up(Broken::Killed);
        ExecError::Protocol { op, why }
    }

    fn explain(&self, broken: Broken, op: &'static str) -> ExecError {
        match broken {
            Broken::Flood => ExecError::Flood { limit: MAX_ANSWER },
            Broken::Stray => ExecError::Protocol {
                op,
                why: "a line is no JSON object with the `id` of a request under way",
            },
            Broken::Killed => ExecError::Gone,
            Broken::Ended => {
                let status = self.shared.exit_status(GRACE);
                self.shared.kill();
                ExecError::Ended {
                    op,
                    status: status.unwrap_or_else(|| "still running".to_owned()),
                    last_line: self.last_line(),
                }
            }
        }
    }

    /// What the child wrote to stderr last, once all of it has been read; a grandchild may keep
    /// stderr open, hence the limit.
    fn last_line(&self) -> Option<String> {
        let deadline = Instant::now() + GRACE;
        while self
            .words
            .as_ref()
            .is_some_and(|words| !words.is_finished())
            && Instant::now() < deadline
        {
            thread::sleep(Duration::from_millis(2));
        }
        lock(&self.shared.last_line).clone()
    }
}

fn spawn(
    command: &ExecCommand,
    environment: &[(OsString, OsString)],
) -> Result<std::process::Child, ExecError> {
    let named = |name: &OsString| command.env.iter().any(|wanted| name == wanted.as_str());
    let env = environment.iter().filter(|(name, _)| named(name));
    Command::new(&command.program)
        .args(&command.args)
        .env_clear()
        .envs(env.map(|(name, value)| (name, value)))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|source| ExecError::Start {
            program: command.program.clone(),
            source,
        })
}

impl Drop for Child {
    /// Lets the child end by itself for a moment, then kills it by its own pid; never leaves a
    /// zombie.
    fn drop(&mut self) {
        self.requests = None;
        if self.shared.exit_status(GRACE).is_none() {
            self.shared.kill();
        }
    }
}

impl Shared {
    /// Hands out the failure to all who wait and ends the child.
    fn give_up(&self, broken: Broken) {
        let mut waiting = lock(&self.waiting);
        waiting.broken.get_or_insert(broken);
        for (_, sender) in waiting.answers.drain() {
            let _ = sender.send(Err(broken));
        }
        drop(waiting);
        if !matches!(broken, Broken::Ended) {
            self.kill();
        }
    }

    /// Kills and reaps. The pid cannot have been given to another process: it was not reaped yet.
    fn kill(&self) {
        let mut process = lock(&self.process);
        let _ = process.kill();
        let _ = process.wait();
    }

    /// The exit status, once there is one within `patience`.
    fn exit_status(&self, patience: Duration) -> Option<String> {
        let deadline = Instant::now() + patience;
        loop {
            if let Ok(Some(status)) = lock(&self.process).try_wait() {
                return Some(status.to_string());
            }
            if Instant::now() >= deadline {
                return None;
            }
            thread::sleep(Duration::from_millis(2));
        }
    }
}

fn write_requests(mut stdin: ChildStdin, queue: &Receiver<Vec<u8>>) {
    for mut line in queue {
        line.push(b'\n');
        if stdin.write_all(&line).and_then(|()| stdin.flush()).is_err() {
            return;
        }
    }
}

fn read_answers(stdout: ChildStdout, shared: &Shared) {
    let mut stdout = BufReader::new(stdout);
    let broken = loop {
        let line = match read_line(&mut stdout, MAX_ANSWER) {
            Ok(Line::Whole(line)) => line,
            Ok(Line::TooLong) => break Broken::Flood,
            Ok(Line::End) | Err(_) => break Broken::Ended,
        };
        let Some(answer) = Answer::parse(&line) else {
            break Broken::Stray;
        };
        let Some(sender) = lock(&shared.waiting).answers.remove(&answer.id) else {
            break Broken::Stray;
        };
        let _ = sender.send(Ok(answer));
    };
    shared.give_up(broken);
}

fn read_words(stderr: ChildStderr, shared: &Shared, log: Option<&(String, ChildLog)>) {
    let mut stderr = BufReader::new(stderr);
    let mut left = MAX_LOG_LINES;
    loop {
        let text = match read_line(&mut stderr, MAX_LOG_LINE) {
            Ok(Line::Whole(line)) => printable(&line, MAX_LOG_LINE),
            Ok(Line::TooLong) => match skip_line(&mut stderr) {
                Ok(()) => "(a line too long to be shown)".to_owned(),
                Err(_) => return,
            },
            Ok(Line::End) | Err(_) => return,
        };
        if text.is_empty() {
            continue;
        }
        if let (Some((key, log)), true) = (log, left > 0) {
            left -= 1;
            log(key, &text);
        }
        *lock(&shared.last_line) = Some(text);
    }
}

/// Nothing here panics while it holds a lock, so a poisoned one is as good as any.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
