//! Progress on a terminal, for work that takes long enough to wonder.

use std::io::{self, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use repository::{Repository, Stage};

use crate::console::Console;

/// The line on the screen; what else is written to stderr has to go around it.
static SHOWN: Mutex<Option<ProgressBar>> = Mutex::new(None);

/// A line that says what is being done; gone when dropped. One at a time.
pub(crate) struct Progress(ProgressBar);

impl Progress {
    /// Work of unknown length.
    pub(crate) fn spinner(console: &Console, what: &'static str) -> Self {
        Self::start(console, ProgressBar::new_spinner(), "{spinner} {msg}", what)
    }

    /// Work in `steps` steps.
    pub(crate) fn steps(console: &Console, steps: usize, what: &'static str) -> Self {
        let bar = ProgressBar::new(steps as u64);
        Self::start(console, bar, "{spinner} {msg} {pos}/{len} {wide_bar}", what)
    }

    fn start(console: &Console, bar: ProgressBar, template: &str, what: &'static str) -> Self {
        if !console.progress() {
            return Self(ProgressBar::hidden());
        }
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        bar.set_message(what);
        bar.enable_steady_tick(Duration::from_millis(100));
        *shown() = Some(bar.clone());
        Self(bar)
    }

    /// So much of so much is done, of what has a new name each time.
    pub(crate) fn at(&self, what: &'static str, done: u64, total: u64) {
        self.0.set_message(format!("{what} {done}/{total}"));
    }

    /// One step is done.
    pub(crate) fn step(&self) {
        self.0.inc(1);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.0.finish_and_clear();
        *shown() = None;
    }
}

/// Shows how far a repository is with long work; gone when dropped.
pub(crate) fn watching(
    repository: &mut Repository,
    console: &Console,
    what: &'static str,
) -> Progress {
    let progress = Progress::spinner(console, what);
    let bar = progress.0.clone();
    repository.watch(Arc::new(move |stage, done, total| {
        let what = match stage {
            Stage::Reading => "reading distributions",
            Stage::Signing => "signing bins",
            Stage::Putting => "writing",
            Stage::Flushing => return bar.set_message("syncing to disk"),
        };
        bar.set_message(format!("{what} {done}/{total}"));
    }));
    progress
}

/// Stderr, beside whatever progress is shown.
pub(crate) struct Beside;

impl Write for Beside {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let write = || io::stderr().lock().write(bytes);
        match shown().as_ref() {
            Some(bar) => bar.suspend(write),
            None => write(),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().lock().flush()
    }
}

/// There is nothing between two statements that another thread could find half done.
fn shown() -> MutexGuard<'static, Option<ProgressBar>> {
    SHOWN.lock().unwrap_or_else(PoisonError::into_inner)
}
