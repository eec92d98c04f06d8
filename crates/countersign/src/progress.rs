//! Progress on a terminal, for work that takes long enough to wonder.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use crate::console::Console;

/// A line that says what is being done; gone when dropped.
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
    }
}
