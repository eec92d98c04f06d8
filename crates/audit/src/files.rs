//! Reads the bytes of every target that is no project page.

use client::{ClientError, found};
use futures_util::StreamExt;
use futures_util::stream::FuturesOrdered;
use index::IndexPath;
use metadata::TargetPath;

use crate::at_once::fill;
use crate::finding::{Finding, Findings};
use crate::pages::Files;
use crate::progress::{Progress, Stage};
use crate::reading::{Entry, Reading};

/// Reads all of them. Returns how many were what a role lists.
pub(crate) async fn read_all(
    reading: &Reading,
    files: Files<'_>,
    findings: &mut Findings,
    progress: &dyn Progress,
) -> u64 {
    let entries: Vec<&Entry> = reading
        .answering()
        .filter(|entry| !is_page(&entry.path))
        .collect();
    let total = entries.len() as u64;
    let (mut next, mut running) = (entries.into_iter(), FuturesOrdered::new());
    let (mut done, mut good) = (0, 0);
    loop {
        fill(&mut running, &mut next, |entry: &Entry| async move {
            (entry, files.target(&entry.path).await)
        });
        let Some((entry, outcome)) = running.next().await else {
            return good;
        };
        done += 1;
        progress.step(Stage::Files, done, total);
        match outcome {
            Ok(()) => good += 1,
            Err(error) => findings.add(Finding::File {
                path: entry.path.clone(),
                cause: error.into(),
            }),
        }
    }
}

/// Whether the path names a project page.
pub(crate) fn is_page(path: &TargetPath) -> bool {
    matches!(IndexPath::parse(path), Ok(IndexPath::Page(_)))
}

impl Files<'_> {
    /// Finds a target as a client does, and reads it.
    pub(crate) async fn target(self, path: &TargetPath) -> Result<(), ClientError> {
        let target = found(path, self.session.find(path).await)?;
        self.download(&target.into()).await
    }
}
