//! What the intake tells Prometheus.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};

use repository::SubmissionAnswer;

/// Counts since the start.
#[derive(Debug, Default)]
pub(crate) struct Metrics {
    /// Requests answered, by the first digit of the status.
    answers: [AtomicU64; 6],
    accepted: AtomicU64,
    changes: AtomicU64,
    batches: AtomicU64,
    received: AtomicU64,
    waiting: AtomicU64,
}

impl Metrics {
    pub(crate) fn count_answer(&self, status: u16) {
        if let Some(count) = self.answers.get(usize::from(status / 100)) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(crate) fn count_batch(&self, answers: &[SubmissionAnswer]) {
        self.batches.fetch_add(1, Ordering::Relaxed);
        for record in answers.iter().flatten() {
            self.count_accepted(record.entries.len());
        }
    }

    pub(crate) fn count_accepted(&self, changes: usize) {
        self.accepted.fetch_add(1, Ordering::Relaxed);
        self.changes.fetch_add(changes as u64, Ordering::Relaxed);
    }

    pub(crate) fn count_received(&self, bytes: u64) {
        self.received.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Remembers how many changes wait for the signer.
    pub(crate) fn waiting(&self, changes: u64) {
        self.waiting.store(changes, Ordering::Relaxed);
    }

    pub(crate) fn last_waiting(&self) -> u64 {
        self.waiting.load(Ordering::Relaxed)
    }

    /// In the text exposition format 0.0.4.
    pub(crate) fn text(&self, tokens: usize, is_ready: bool) -> String {
        let mut text = String::new();
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let mut family = |name: &str, kind: &str, help: &str, values: &[(String, u64)]| {
            // Writing to a string does not fail.
            let _ = writeln!(text, "# HELP countersign_intake_{name} {help}");
            let _ = writeln!(text, "# TYPE countersign_intake_{name} {kind}");
            for (labels, value) in values {
                let _ = writeln!(text, "countersign_intake_{name}{labels} {value}");
            }
        };
        let one = |value: u64| [(String::new(), value)];
        let answers = self.answers.iter().enumerate().skip(1);
        let answers: Vec<_> = answers
            .map(|(class, count)| (format!("{{status=\"{class}xx\"}}"), read(count)))
            .collect();
        family("answers_total", "counter", "Requests answered.", &answers);
        let help = "Requests acknowledged with changes.";
        family(
            "accepted_total",
            "counter",
            help,
            &one(read(&self.accepted)),
        );
        let help = "Changes acknowledged.";
        family("changes_total", "counter", help, &one(read(&self.changes)));
        let help = "Transactions that acknowledged them.";
        family("batches_total", "counter", help, &one(read(&self.batches)));
        let help = "Bytes of files and archives received.";
        family(
            "received_bytes_total",
            "counter",
            help,
            &one(read(&self.received)),
        );
        let help = "Changes that wait for the signer, as last counted.";
        family("waiting_changes", "gauge", help, &one(read(&self.waiting)));
        family("tokens", "gauge", "Tokens held.", &one(tokens as u64));
        family(
            "ready",
            "gauge",
            "Whether it takes changes in.",
            &one(is_ready.into()),
        );
        text
    }
}
