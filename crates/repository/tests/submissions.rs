//! Requests of web heads: many in one transaction, each whole or not at all, and the same answer for ever.

mod support;

use std::fs::File;
use std::path::Path;

use countersign_repository::{
    Action, Change, DecidedSubmission, Entry, IntakeError, Outcome, Queueing, Repository,
    RepositoryError, RequestKey, Sender, SqliteState, State, Submission, SubmissionError,
    SubmissionRecord, TickOptions, Wish,
};
use index::{DistributionFilename, Yanked};
use metadata::Sha256;
use support::{Ceremony, Reader, samples, start};

const AT_ONCE: TickOptions = TickOptions { at_once: true };

fn sender(name: &str, key: &str, request: &str) -> Sender {
    Sender {
        name: name.to_owned(),
        key: Some(RequestKey {
            key: key.to_owned(),
            digest: Sha256::of(request.as_bytes()),
        }),
    }
}

fn keyless() -> Sender {
    Sender {
        name: "head".to_owned(),
        key: None,
    }
}

fn asking(sender: Sender, wishes: Vec<Wish>) -> Submission {
    Submission { sender, wishes }
}

fn names() -> Vec<DistributionFilename> {
    let name = |path: &Path| path.file_name().unwrap().to_str().unwrap().to_owned();
    let parse = |path: std::path::PathBuf| DistributionFilename::parse(&name(&path)).unwrap();
    samples().into_iter().map(parse).collect()
}

fn addition(index: &Repository, at: usize) -> Wish {
    let path = samples().remove(at);
    let sha256 = Sha256::of(&std::fs::read(&path).unwrap());
    let file = File::open(&path).unwrap();
    let examined = index.examine(names().remove(at), file, sha256, start());
    Wish::Add(Box::new(examined.unwrap().unwrap()))
}

fn taken(answer: Result<SubmissionRecord, SubmissionError>) -> SubmissionRecord {
    answer.expect("it is taken")
}

#[test]
fn what_is_submitted_is_published_and_its_fate_is_known() {
    let folder = tempfile::tempdir().unwrap();
    let ceremony = Ceremony::new();
    let mut index = support::published(folder.path(), &ceremony);
    let wishes = (0..3).map(|at| addition(&index, at));
    let submissions = wishes.map(|wish| asking(keyless(), vec![wish])).collect();
    let answers = index.submit(submissions, start()).unwrap();
    let records: Vec<_> = answers.into_iter().map(taken).collect();
    assert_eq!(index.waiting().unwrap(), 3);
    assert!(index.outcomes(&records[0]).unwrap().is_empty());

    index.tick(&ceremony.online(), start(), AT_ONCE).unwrap();
    assert_eq!(index.waiting().unwrap(), 0);
    for record in &records {
        let read = index.submission(record.id).unwrap();
        assert_eq!(read.as_ref(), Some(record));
        let outcomes = index.outcomes(record).unwrap();
        let outcome = &outcomes[&record.entries[0].change.unwrap()];
        assert!(matches!(outcome, Outcome::Published(_)), "{outcome:?}");
    }
    let reader = Reader::of(&index, &ceremony, start());
    assert!(
        names()
            .iter()
            .all(|name| reader.file(name.as_str()).is_some())
    );
}

#[test]
fn a_key_gets_the_same_answer_for_ever() {
    let folder = tempfile::tempdir().unwrap();
    let ceremony = Ceremony::new();
    let mut index = support::published(folder.path(), &ceremony);
    let wish = addition(&index, 0);
    let ask = |sender: &Sender| asking(sender.clone(), vec![wish.clone()]);
    let first = sender("head", "k", "one");
    // Twice in one batch, and later.
    let twice = index
        .submit(vec![ask(&first), ask(&first)], start())
        .unwrap();
    let records: Vec<_> = twice.into_iter().map(taken).collect();
    assert_eq!(records[0], records[1]);
    index.tick(&ceremony.online(), start(), AT_ONCE).unwrap();
    let mut reopened = Repository::open(folder.path()).unwrap();
    let again = reopened.submit(vec![ask(&first)], start()).unwrap();
    assert_eq!(taken(again.into_iter().next().unwrap()), records[0]);
    assert_eq!(index.waiting().unwrap(), 0);

    // Another request under the same key is refused, in one batch and later; another sender's key is
    // another key.
    let other = sender("head", "k", "another");
    let theirs = sender("other", "k", "another");
    let answers = index.submit(vec![ask(&theirs), ask(&other)], start());
    let mut answers = answers.unwrap().into_iter();
    assert_ne!(taken(answers.next().unwrap()).id, records[0].id);
    let reused = answers.next().unwrap().unwrap_err();
    assert!(matches!(reused, SubmissionError::KeyReused { key } if key == "k"));
    let fresh = [sender("head", "l", "1"), sender("head", "l", "2")];
    let answers = index
        .submit(fresh.iter().map(ask).collect(), start())
        .unwrap();
    assert!(answers[0].is_ok() && answers[1].is_err(), "{answers:?}");
}

#[test]
fn a_submission_is_taken_whole_or_not_at_all() {
    let folder = tempfile::tempdir().unwrap();
    let ceremony = Ceremony::new();
    let mut index = support::published(folder.path(), &ceremony);
    let names = names();
    let add = addition(&index, 0);
    let yank = Wish::Yank(names[0].clone(), Yanked::Yes);
    let unknown = Wish::Remove(names[1].clone());
    let both = asking(sender("head", "k", "x"), vec![add.clone(), yank, unknown]);
    // The next of the same batch finds nothing of the refused one.
    let remove = asking(keyless(), vec![Wish::Remove(names[0].clone())]);
    let answers = index.submit(vec![both, remove], start()).unwrap();
    for (answer, name) in answers.iter().zip([&names[1], &names[0]]) {
        let Err(SubmissionError::Refused { subject, why }) = answer else {
            panic!("{answer:?}")
        };
        assert_eq!(subject, name.as_str());
        assert!(matches!(why, IntakeError::Unknown));
    }
    assert_eq!(index.waiting().unwrap(), 0);
    // Nothing is remembered under its key either.
    let again = index.submit(vec![asking(sender("head", "k", "y"), vec![add])], start());
    assert!(again.unwrap()[0].is_ok());
}

#[test]
fn a_batch_gives_what_one_after_the_other_would() {
    let folder = tempfile::tempdir().unwrap();
    let ceremony = Ceremony::new();
    let mut index = support::published(folder.path(), &ceremony);
    let names = names();
    let (first, second) = (addition(&index, 0), addition(&index, 1));
    let because = Yanked::Because("broken".to_owned());
    let project = names[1].project().clone();
    let submissions = vec![
        asking(keyless(), vec![first.clone()]),
        asking(keyless(), vec![Wish::Yank(names[0].clone(), because)]),
        asking(keyless(), vec![first, second]),
        asking(keyless(), vec![Wish::RemoveProject(project)]),
    ];
    let answers = index.submit(submissions, start()).unwrap();
    let records: Vec<_> = answers.into_iter().map(taken).collect();
    let actions: Vec<_> = records
        .iter()
        .map(|record| {
            record
                .entries
                .iter()
                .map(|one| one.action)
                .collect::<Vec<_>>()
        })
        .collect();
    let (add, yank, remove) = (Action::Add, Action::Yank, Action::Remove);
    assert_eq!(
        actions,
        [vec![add], vec![yank], vec![add, add], vec![remove]]
    );
    index.tick(&ceremony.online(), start(), AT_ONCE).unwrap();
    for record in &records {
        let outcomes = index.outcomes(record).unwrap();
        let published = |outcome: &Outcome| matches!(outcome, Outcome::Published(_));
        assert!(outcomes.values().all(published), "{outcomes:?}");
    }
    let page = format!("simple/{}/index.json", names[0].project());
    let page = std::fs::read_to_string(index.store_folder().unwrap().join(page)).unwrap();
    assert!(page.contains("\"yanked\":\"broken\""), "{page}");
    let reader = Reader::of(&index, &ceremony, start());
    assert!(reader.file(names[1].as_str()).is_none());

    // What stands so already needs no change, and is no error.
    let again = asking(keyless(), vec![addition(&index, 0)]);
    let record = taken(index.submit(vec![again], start()).unwrap().remove(0));
    assert_eq!(record.entries[0].change, None);
    assert!(index.outcomes(&record).unwrap().is_empty());
}

#[test]
fn a_file_that_would_be_refused_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let ceremony = Ceremony::new();
    let mut index = support::published(folder.path(), &ceremony);
    let add = addition(&index, 0);
    index
        .submit(vec![asking(keyless(), vec![add])], start())
        .unwrap();
    let kept = || {
        std::fs::read_dir(folder.path().join("incoming"))
            .unwrap()
            .count()
    };
    let before = kept();
    // Other bytes under a name that is taken.
    let path = samples().remove(1);
    let digest = Sha256::of(&std::fs::read(&path).unwrap());
    let file = File::open(&path).unwrap();
    let examined = index.examine(names().remove(0), file, digest, start());
    assert!(matches!(
        examined.unwrap(),
        Err(IntakeError::NameTaken { .. })
    ));
    // No distribution at all.
    let path = folder.path().join("state.sqlite");
    let file = File::open(&path).unwrap();
    let examined = index.examine(names().remove(1), file, Sha256::of(b"x"), start());
    assert!(matches!(examined.unwrap(), Err(IntakeError::Content(_))));
    assert_eq!(kept(), before);
}

/// Another process takes a name between the decision and the transaction.
#[test]
fn a_lost_race_is_answered_and_leaves_the_rest_of_the_batch() {
    let folder = tempfile::tempdir().unwrap();
    let mut index = support::published(folder.path(), &Ceremony::new());
    let wishes: Vec<_> = (0..3).map(|at| addition(&index, at)).collect();
    let decided = |sender: Sender, wishes: &[&Wish]| DecidedSubmission {
        sender,
        entries: wishes.iter().map(|wish| decided(wish)).collect(),
    };
    let theirs = asking(keyless(), vec![wishes[0].clone()]);
    index.submit(vec![theirs], start()).unwrap();
    let Wish::Add(mut other) = wishes[0].clone() else {
        unreachable!("an addition")
    };
    other.sha256 = Sha256::of(b"other bytes");
    let other = Wish::Add(other);
    let mut state = SqliteState::open(&folder.path().join("state.sqlite")).unwrap();
    let batch = [
        decided(sender("head", "k", "x"), &[&wishes[1], &other]),
        decided(keyless(), &[&wishes[2]]),
    ];
    let queued = state.submit(&batch, start()).unwrap();
    let lost = &queued[0];
    assert!(
        matches!(lost, Queueing::Lost(RepositoryError::NameTaken { .. })),
        "{lost:?}"
    );
    assert!(matches!(queued[1], Queueing::New(_)));
    // Of the lost one nothing is left: no change, no name, no key.
    let waiting = state.pending().unwrap();
    assert_eq!(waiting.len(), 2);
    assert_eq!(state.digest_of_name(names()[1].as_str()).unwrap(), None);
    assert_eq!(state.submission_under("head", "k").unwrap(), None);
}

fn decided(wish: &Wish) -> (Entry, Option<Change>) {
    let Wish::Add(file) = wish else {
        unreachable!("an addition")
    };
    let entry = Entry {
        action: Action::Add,
        project: file.project().clone(),
        filename: Some(file.filename.clone()),
        sha256: Some(file.sha256),
        change: None,
    };
    (entry, Some(Change::Add((**file).clone())))
}
