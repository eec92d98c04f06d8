//! A clock that can be paused, so that only the work in question is counted, and what the system
//! knows of this process.

use std::fs;
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};
use serde_json::json;

/// Adds up CPU time of all threads, and wall time, over the pieces of work given to it.
#[derive(Default)]
pub(crate) struct Meter {
    cpu: Duration,
    wall: Duration,
    repeats: u32,
    written: u64,
    requests: u64,
    fetched: u64,
}

impl Meter {
    /// Starts counting, the highest memory so far forgotten.
    pub(crate) fn start() -> Self {
        // Resets VmHWM (proc(5)); where the system refuses, the figure includes the preparation.
        let _ = fs::write("/proc/self/clear_refs", "5");
        Self {
            repeats: 1,
            written: written(),
            ..Self::default()
        }
    }

    /// Runs `work` with the clock on.
    pub(crate) fn time<T>(&mut self, work: impl FnOnce() -> T) -> T {
        let (cpu, wall) = (cpu_time(), Instant::now());
        let out = work();
        self.cpu += cpu_time().saturating_sub(cpu);
        self.wall += wall.elapsed();
        out
    }

    /// Says that the work was done this often; the figures become those of one.
    pub(crate) fn repeated(mut self, repeats: u32) -> Self {
        self.repeats = repeats;
        self
    }

    /// Says what was asked of a server, in requests and bytes.
    pub(crate) fn fetched(mut self, requests: u64, bytes: u64) -> Self {
        self.requests = requests;
        self.fetched = bytes;
        self
    }

    /// The figures, as one line.
    pub(crate) fn report(&self, row: &str, who: &str) -> String {
        let once = |time: Duration| time.as_secs_f64() / f64::from(self.repeats);
        json!({
            "row": row,
            "who": who,
            "cpu": once(self.cpu),
            "wall": once(self.wall),
            "rss": peak_memory(),
            "requests": self.requests / u64::from(self.repeats),
            "fetched": self.fetched / u64::from(self.repeats),
            "written": (written() - self.written) / u64::from(self.repeats),
        })
        .to_string()
    }
}

fn cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(
        time.tv_sec.try_into().unwrap_or(0),
        time.tv_nsec.try_into().unwrap_or(0),
    )
}

/// The number in a line `name: number` of a file of procfs.
fn proc_number(file: &str, name: &str) -> u64 {
    let text = fs::read_to_string(file).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    let number = line.and_then(|line| line.trim_start_matches(':').split_whitespace().next());
    number.and_then(|number| number.parse().ok()).unwrap_or(0)
}

/// Highest resident memory, in bytes.
fn peak_memory() -> u64 {
    proc_number("/proc/self/status", "VmHWM") * 1024
}

/// Bytes this process has handed to write calls.
fn written() -> u64 {
    proc_number("/proc/self/io", "wchar")
}
