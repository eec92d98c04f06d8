//! Holds every listed target against the search that leads to it: by arithmetic for all, through
//! the client for a sample.

use client::Session;
use futures_util::StreamExt;
use futures_util::stream::FuturesOrdered;
use index::{IndexPath, IndexPathError};
use metadata::TargetPath;
use trust::Answer;

use crate::answers::End;
use crate::at_once::fill;
use crate::finding::{Finding, Findings};
use crate::limits::LOOKUPS;
use crate::progress::{Progress, Stage};
use crate::reading::{Entry, Reading};

/// The folders of an index; a path in them has to name something of it.
const INDEX_FOLDERS: [&str; 3] = ["simple/", "packages/", "publishers/"];

/// Paths between two words to who watches.
const REPORT_EVERY: usize = 1_000;

/// Asks for every path listed and notes which entry answers.
pub(crate) async fn check_all(
    reading: &mut Reading,
    limit: usize,
    findings: &mut Findings,
    progress: &dyn Progress,
) {
    let mut answers = vec![false; reading.entries.len()];
    let mut at = 0;
    let groups = reading.entries.chunk_by(|a, b| a.path == b.path);
    for (done, group) in groups.enumerate() {
        if let Some(answering) = check_path(reading, group, limit, findings) {
            answers[at + answering] = true;
        }
        at += group.len();
        if done % REPORT_EVERY == 0 {
            progress.step(Stage::Targets, at as u64, answers.len() as u64);
            tokio::task::yield_now().await;
        }
    }
    for (entry, answers) in reading.entries.iter_mut().zip(answers) {
        entry.answers = answers;
    }
}

/// Which of the entries for one path clients find.
fn check_path(
    reading: &Reading,
    group: &[Entry],
    limit: usize,
    findings: &mut Findings,
) -> Option<usize> {
    let path = &group.first()?.path;
    let lists = |node| group.iter().any(|entry| entry.node == node);
    let asked = reading.ask(path, lists, limit);
    let found = match asked.end {
        End::Found(node) => group.iter().position(|entry| entry.node == node),
        End::NotFound => None,
        End::Failed => return None,
    };
    for entry in group {
        let role = reading.nodes[entry.node].role.clone();
        if let Some(why) = name_flaw(path) {
            let path = path.clone();
            findings.add(Finding::Path { path, role, why });
            continue;
        }
        match found.map(|at| &group[at]) {
            Some(answering) if answering.node == entry.node => {}
            Some(answering) => findings.add(Finding::Shadowed {
                path: path.clone(),
                role,
                by: reading.nodes[answering.node].role.clone(),
                same: (answering.length, answering.sha256) == (entry.length, entry.sha256),
            }),
            None => findings.add(Finding::Misplaced {
                path: path.clone(),
                role,
                asked: asked.roles(reading),
            }),
        }
    }
    found
}

/// What is wrong with a path in the folders of an index. Other paths are nobody's business here.
fn name_flaw(path: &TargetPath) -> Option<String> {
    let error: IndexPathError = IndexPath::parse(path).err()?;
    let in_index = INDEX_FOLDERS
        .iter()
        .any(|folder| path.as_str().starts_with(folder));
    in_index.then(|| crate::finding::with_causes(&error))
}

/// Looks a sample of paths up as a client does, evenly spread over all that answer. Returns how many.
pub(crate) async fn look_up(
    reading: &Reading,
    session: &Session,
    findings: &mut Findings,
    progress: &dyn Progress,
) -> u64 {
    let all: Vec<&Entry> = reading.answering().collect();
    let sample = spread(&all, LOOKUPS);
    let total = sample.len() as u64;
    let (mut next, mut running) = (sample.into_iter(), FuturesOrdered::new());
    let mut done = 0;
    loop {
        fill(&mut running, &mut next, |entry: &Entry| async move {
            (entry, session.find(&entry.path).await)
        });
        let Some((entry, answer)) = running.next().await else {
            return done;
        };
        done += 1;
        progress.step(Stage::Lookups, done, total);
        if let Some(why) = differs(reading, entry, answer) {
            findings.add(Finding::Lookup {
                path: entry.path.clone(),
                role: reading.nodes[entry.node].role.clone(),
                why,
            });
        }
    }
}

fn differs(reading: &Reading, entry: &Entry, answer: Answer) -> Option<String> {
    let expected = &reading.nodes[entry.node].role;
    match answer {
        Answer::Found(target) => {
            let file = target.file();
            let same = (file.length, file.hashes.get_sha256()) == (entry.length, entry.sha256);
            (!same || target.role() != expected)
                .then(|| format!("{} answers, or lists other bytes", target.role()))
        }
        other => client::found(&entry.path, other)
            .err()
            .map(|error| crate::finding::with_causes(&error)),
    }
}

/// At most `count` of `all`, evenly spread, the first included.
pub(crate) fn spread<T: Copy>(all: &[T], count: usize) -> Vec<T> {
    let step = all.len().div_ceil(count.max(1)).max(1);
    all.iter().step_by(step).copied().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_is_spread_and_no_larger_than_asked() {
        let all: Vec<usize> = (0..1_000).collect();
        let sample = spread(&all, 256);
        assert!(sample.len() <= 256 && sample.len() > 200);
        assert_eq!(sample[..3], [0, 4, 8]);
        assert_eq!(spread(&all[..3], 256), [0, 1, 2]);
        assert!(spread(&all[..0], 256).is_empty());
    }

    #[test]
    fn only_paths_in_the_folders_of_an_index_have_to_name_something() {
        let flaw = |path: &str| name_flaw(&TargetPath::parse(path).unwrap());
        assert_eq!(flaw("trusted_root.json"), None);
        assert_eq!(flaw("packages/ec/requests/requests-2.32.3.tar.gz"), None);
        assert!(flaw("packages/00/requests/requests-2.32.3.tar.gz").is_some());
        assert!(flaw("simple/ec/requests/index.html").is_some());
    }
}
