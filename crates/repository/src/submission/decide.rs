//! Decides submissions against what the index will list, and has the state queue what comes of them.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;

use chrono::{DateTime, Utc};
use index::{DistributionFilename, ProjectName, SimplePage, Yanked};
use metadata::Sha256;

use super::{
    Action, DecidedSubmission, Entry, Queueing, RequestKey, Sender, Submission, SubmissionAnswer,
    SubmissionError, SubmissionId, SubmissionRecord, Wish,
};
use crate::change::{Change, ChangeId, Outcome};
use crate::error::{IntakeError, RepositoryError};
use crate::intake::check_addition;
use crate::pages::{Project, page_file};
use crate::receive::SignedBy;
use crate::repository::Repository;
use crate::standing::Standing;

impl Repository {
    /// Decides submissions in order and queues what comes of them, in one transaction. When this
    /// returns, everything accepted survives a loss of power.
    pub fn submit(
        &mut self,
        submissions: Vec<Submission>,
        now: DateTime<Utc>,
    ) -> Result<Vec<SubmissionAnswer>, RepositoryError> {
        self.follow_other_processes()?;
        let mut answers = BTreeMap::new();
        let mut round = Round::default();
        for (place, submission) in submissions.into_iter().enumerate() {
            if let Some(key) = &submission.sender.key {
                let name = (submission.sender.name.clone(), key.key.clone());
                if !round.keys.insert(name.clone()) {
                    // The answer to the first one under this key has to be known.
                    self.end_round(std::mem::take(&mut round), &mut answers, now)?;
                    round.keys.insert(name);
                }
            }
            if let Some(answer) = self.answered_before(&submission.sender)? {
                answers.insert(place, answer);
                continue;
            }
            match self.decide_all(submission, &mut round, now)? {
                Ok(decided) => {
                    round.places.push(place);
                    round.decided.push(decided);
                }
                Err(error) => drop(answers.insert(place, Err(error))),
            }
        }
        self.end_round(round, &mut answers, now)?;
        Ok(answers.into_values().collect())
    }

    /// Takes a transaction in: one archive, under its sender's key.
    pub fn submit_transaction(
        &mut self,
        sender: Sender,
        archive: File,
        now: DateTime<Utc>,
    ) -> Result<SubmissionAnswer, RepositoryError> {
        self.follow_other_processes()?;
        if let Some(answer) = self.answered_before(&sender)? {
            return Ok(answer);
        }
        let (change, _) = match self.keep_transaction(archive, SignedBy::KeysInForce, now)? {
            Ok(kept) => kept,
            Err(error) => return Ok(Err(error.into())),
        };
        let entry = Entry {
            action: Action::Transaction,
            project: change.project().clone(),
            filename: None,
            sha256: None,
            change: None,
        };
        let entries = vec![(entry, Some(change))];
        let decided = DecidedSubmission { sender, entries };
        let mut queued = self.queue_all(&[decided], now)?;
        queued.pop().ok_or_else(|| RepositoryError::Damaged {
            what: "the journal".to_owned(),
        })
    }

    /// A submission that was accepted.
    pub fn submission(
        &self,
        id: SubmissionId,
    ) -> Result<Option<SubmissionRecord>, RepositoryError> {
        self.state.submission(id)
    }

    /// What became of the changes of a submission, as far as they are decided; whether that can be
    /// seen by clients, [`Repository::answers`] says.
    pub fn outcomes(
        &self,
        record: &SubmissionRecord,
    ) -> Result<BTreeMap<ChangeId, Outcome>, RepositoryError> {
        let ids: Vec<ChangeId> = record.entries.iter().filter_map(|one| one.change).collect();
        let (decided, unfinished) = self.state.answers(&ids)?;
        let is_public = |(_, outcome): &(ChangeId, Outcome)| match outcome {
            Outcome::Published(_) => !unfinished,
            Outcome::Refused(_) => true,
        };
        Ok(decided.into_iter().filter(is_public).collect())
    }

    /// How many changes wait to be published.
    pub fn waiting(&self) -> Result<u64, RepositoryError> {
        self.state.pending_count()
    }

    /// Grows with every publication.
    pub fn generation(&self) -> Result<u64, RepositoryError> {
        Ok(self.state.head()?.generation)
    }

    /// What was answered under the sender's key, if anything was.
    pub fn answered_before(
        &self,
        sender: &Sender,
    ) -> Result<Option<SubmissionAnswer>, RepositoryError> {
        let Some(key) = &sender.key else {
            return Ok(None);
        };
        let known = self.state.submission_under(&sender.name, &key.key)?;
        Ok(known.map(|(digest, record)| key.answer(digest, record)))
    }

    fn end_round(
        &mut self,
        round: Round,
        answers: &mut BTreeMap<usize, SubmissionAnswer>,
        now: DateTime<Utc>,
    ) -> Result<(), RepositoryError> {
        let queued = self.queue_all(&round.decided, now)?;
        answers.extend(round.places.into_iter().zip(queued));
        Ok(())
    }

    fn queue_all(
        &mut self,
        decided: &[DecidedSubmission],
        now: DateTime<Utc>,
    ) -> Result<Vec<SubmissionAnswer>, RepositoryError> {
        if decided.is_empty() {
            return Ok(Vec::new());
        }
        let queued = self.state.submit(decided, now)?;
        let answers = queued.into_iter().zip(decided);
        let answer = |(queueing, decided): (Queueing, &DecidedSubmission)| match queueing {
            Queueing::New(record) => Ok(record),
            Queueing::Known(digest, record) => match &decided.sender.key {
                Some(key) => key.answer(digest, record),
                None => Ok(record),
            },
            Queueing::Lost(error) => Err(SubmissionError::Lost(error)),
        };
        Ok(answers.map(answer).collect())
    }

    /// Where nothing is to do because of a change that waits, names that one.
    fn with_covering(&self, mut decided: Decided) -> Result<Decided, RepositoryError> {
        for (entry, change) in &mut decided {
            if change.is_none() {
                let waiting = self.state.pending_of(&entry.project)?.into_iter().rev();
                let mut same =
                    waiting.filter(|one| one.change.filename() == entry.filename.as_ref());
                entry.change = same.next().map(|one| one.id);
            }
        }
        Ok(decided)
    }

    /// Decides everything that a submission asks for; what stands then counts it as done, or is as
    /// before.
    fn decide_all(
        &self,
        submission: Submission,
        round: &mut Round,
        now: DateTime<Utc>,
    ) -> Result<Result<DecidedSubmission, SubmissionError>, RepositoryError> {
        let standing = &mut round.standing;
        let mut before = BTreeMap::new();
        // A single wish is refused before it changes anything.
        if submission.wishes.len() > 1 {
            for name in submission.wishes.iter().map(Wish::project) {
                if !before.contains_key(&name) {
                    before.insert(name.clone(), standing.project(self, &name)?.clone());
                }
            }
        }
        let mut entries = Vec::new();
        for wish in submission.wishes {
            let name = wish.project();
            let is_changed = round.changed.contains(&name);
            let project = standing.project(self, &name)?;
            let subject = wish.subject();
            let taken = wish.taken(self)?;
            let decided = match wish.decide(project, taken, is_changed) {
                Ok(decided) => self.with_covering(decided)?,
                Err(why) => {
                    standing.put_back(before);
                    return Ok(Err(SubmissionError::Refused { subject, why }));
                }
            };
            for change in decided.iter().filter_map(|(_, change)| change.as_ref()) {
                // It was decided for what stands there, so it can be applied.
                let _ = project.apply(change, now);
                round.changed.insert(name.clone());
            }
            entries.extend(decided);
        }
        let sender = submission.sender;
        Ok(Ok(DecidedSubmission { sender, entries }))
    }
}

/// Submissions that go into one transaction.
#[derive(Default)]
struct Round {
    standing: Standing,
    /// Projects that it changes. Whether what it queues for them really is queued is not known before
    /// its end, so nothing about them is taken for done already.
    changed: BTreeSet<ProjectName>,
    keys: BTreeSet<(String, String)>,
    decided: Vec<DecidedSubmission>,
    /// Where their answers go.
    places: Vec<usize>,
}

impl RequestKey {
    fn answer(&self, digest: Sha256, record: SubmissionRecord) -> SubmissionAnswer {
        if digest == self.digest {
            return Ok(record);
        }
        let key = self.key.clone();
        Err(SubmissionError::KeyReused { key })
    }
}

/// Entries, each with its change, unless there is nothing to do.
type Decided = Vec<(Entry, Option<Change>)>;

impl Wish {
    /// The project it is about.
    #[must_use]
    pub fn project(&self) -> ProjectName {
        match self {
            Self::Add(file) => file.project().clone(),
            Self::Yank(filename, _) | Self::Remove(filename) => filename.project().clone(),
            Self::RemoveProject(project) => project.clone(),
        }
    }

    fn subject(&self) -> String {
        match self {
            Self::Add(file) => file.filename.to_string(),
            Self::Yank(filename, _) | Self::Remove(filename) => filename.to_string(),
            Self::RemoveProject(project) => project.to_string(),
        }
    }

    /// The digest that the name of an added file stands for.
    fn taken(&self, index: &Repository) -> Result<Option<Sha256>, RepositoryError> {
        match self {
            Self::Add(file) => index.state.digest_of_name(file.filename.as_str()),
            _ => Ok(None),
        }
    }

    fn decide(
        self,
        project: &Project,
        taken: Option<Sha256>,
        is_changed: bool,
    ) -> Result<Decided, IntakeError> {
        match self {
            Self::Add(file) => {
                check_addition(&file.filename, file.sha256, project, taken)?;
                let is_there = project.now.contains_key(file.filename.as_str());
                let entry = Entry::of_file(Action::Add, &file.filename, Some(file.sha256));
                let change = (is_changed || !is_there).then_some(Change::Add(*file));
                Ok(vec![(entry, change)])
            }
            Self::Yank(filename, yanked) => {
                let file = project.now.get(filename.as_str());
                let file = file.ok_or(IntakeError::Unknown)?;
                let action = match yanked {
                    Yanked::No => Action::Unyank,
                    Yanked::Yes | Yanked::Because(_) => Action::Yank,
                };
                let entry = Entry::of_file(action, &filename, None);
                if file.yanked == yanked && !is_changed {
                    return Ok(vec![(entry, None)]);
                }
                let mut after = file.clone();
                after.yanked = yanked.clone();
                // A page that cannot be published would stand in the way of every cycle.
                let name = file.project().clone();
                SimplePage::new(name, vec![page_file(&after)], index::Status::default())?;
                Ok(vec![(entry, Some(Change::Yank(filename, yanked)))])
            }
            Self::Remove(filename) => {
                if !project.now.contains_key(filename.as_str()) {
                    return Err(IntakeError::Unknown);
                }
                Ok(vec![removal(filename)])
            }
            Self::RemoveProject(_) => {
                let files = project.now.values();
                let all: Decided = files.map(|file| removal(file.filename.clone())).collect();
                if all.is_empty() {
                    return Err(IntakeError::Unknown);
                }
                Ok(all)
            }
        }
    }
}

fn removal(filename: DistributionFilename) -> (Entry, Option<Change>) {
    let entry = Entry::of_file(Action::Remove, &filename, None);
    (entry, Some(Change::Remove(filename)))
}

impl Entry {
    fn of_file(action: Action, filename: &DistributionFilename, sha256: Option<Sha256>) -> Self {
        Self {
            action,
            project: filename.project().clone(),
            filename: Some(filename.clone()),
            sha256,
            change: None,
        }
    }
}
