//! Runs the user's command: signals go through to it, and how it ends is how we end.

use std::ffi::OsString;
use std::io::IsTerminal;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, ExitStatus};

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process, waitid};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

use super::{ExecError, apply};
use crate::failure::Failure;
use crate::installers::Change;

/// Runs it to its end; the exit code, 128 + N after signal N.
pub(super) async fn run(command: &[OsString], changes: &[Change]) -> Result<u8, Failure> {
    // Listening begins before the command does: no signal falls between.
    let mut signals = Signals::listen()?;
    let (program, arguments) = command
        .split_first()
        .map_or((None, &[][..]), |it| (Some(it.0), it.1));
    let program = program.cloned().unwrap_or_default();
    let mut start = Command::new(&program);
    start.args(arguments);
    apply(&mut start, changes);
    let child = start.spawn().map_err(|source| ExecError::Start {
        program: program.to_string_lossy().into_owned(),
        source,
    })?;
    let status = wait(child, &mut signals).await.map_err(Failure::Output)?;
    Ok(code_of(status))
}

/// Waits for the end, handing signals on. The process is only reaped when no signal can be sent any
/// more: its number cannot be another's by then.
async fn wait(mut child: Child, signals: &mut Signals) -> std::io::Result<ExitStatus> {
    let id = Pid::from_child(&child);
    let mut ended = tokio::task::spawn_blocking(move || {
        waitid(
            WaitId::Pid(id),
            WaitIdOptions::EXITED | WaitIdOptions::NOWAIT,
        )
    });
    loop {
        tokio::select! {
            end = &mut ended => {
                end.map_err(std::io::Error::other)??;
                return child.wait();
            }
            Some(signal) = signals.next() => {
                // It may end just now.
                let _ = kill_process(id, signal);
            }
        }
    }
}

fn code_of(status: ExitStatus) -> u8 {
    let code = status.code().or_else(|| Some(128 + status.signal()?));
    code.and_then(|code| u8::try_from(code).ok())
        .unwrap_or(u8::MAX)
}

/// Signals that ask a program for something.
struct Signals(mpsc::UnboundedReceiver<Signal>);

impl Signals {
    fn listen() -> Result<Self, Failure> {
        let (sender, receiver) = mpsc::unbounded_channel();
        let mut kinds = vec![
            (SignalKind::terminate(), Signal::TERM),
            (SignalKind::hangup(), Signal::HUP),
            (SignalKind::user_defined1(), Signal::USR1),
            (SignalKind::user_defined2(), Signal::USR2),
            (SignalKind::interrupt(), Signal::INT),
            (SignalKind::quit(), Signal::QUIT),
        ];
        // From a terminal these two reach the command by themselves; twice would be once too often.
        let from_terminal = std::io::stdin().is_terminal();
        for (kind, number) in kinds.drain(..) {
            let mut incoming = signal(kind).map_err(Failure::Runtime)?;
            let sender = sender.clone();
            let is_shared = from_terminal && matches!(number, Signal::INT | Signal::QUIT);
            tokio::spawn(async move {
                while incoming.recv().await.is_some() {
                    if !is_shared && sender.send(number).is_err() {
                        return;
                    }
                }
            });
        }
        Ok(Self(receiver))
    }

    async fn next(&mut self) -> Option<Signal> {
        self.0.recv().await
    }
}
