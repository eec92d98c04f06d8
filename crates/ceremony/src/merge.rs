//! Puts copies of an event together: holders sign apart, and their files meet again.

use std::path::Path;

use chrono::{DateTime, Utc};

use crate::transcript::{self, Done};
use crate::{CeremonyError, Event, FileDigest, Step, combine, join, sign};

/// Folders whose files come from holders; in this order, so that what an entry names is there
/// before the entry.
const FOLDERS: [&str; 4] = [
    join::FOLDER,
    sign::FOLDER,
    combine::FOLDER,
    transcript::FOLDER,
];

impl Event {
    /// Takes over what other copies of this event have and this one has not. Everything is checked
    /// first: a copy of another event, a file that differs, a signature or entry that does not hold
    /// stops it, and then nothing has been written. Says how many files are new.
    pub fn merge(&self, copies: &[&Path], now: DateTime<Utc>) -> Result<usize, CeremonyError> {
        self.check_copy()?;
        let mut new: Vec<(String, Vec<u8>)> = Vec::new();
        for path in copies {
            let other = Self::open(path)?;
            let (expected, found) = (self.digest, other.digest);
            if found != expected {
                let path = path.to_path_buf();
                return Err(CeremonyError::OtherEvent {
                    path,
                    expected,
                    found,
                });
            }
            other.status()?;
            other.check_recorded(&[sign::FOLDER])?;
            self.collect(&other, &mut new)?;
        }
        for (name, bytes) in &new {
            self.folder.create_file(name, bytes)?;
        }
        if new.is_empty() && self.transcript()?.heads().len() == 1 {
            return Ok(0);
        }
        let taken = new.iter();
        let done = Done {
            step: Step::Merged,
            inputs: taken
                .map(|(name, bytes)| FileDigest::of(name.as_str(), bytes))
                .collect(),
            outputs: Vec::new(),
            note: String::new(),
        };
        self.record(&self.actor, now, done, None)?;
        Ok(new.len())
    }

    /// The files of a copy that are missing here.
    fn collect(&self, other: &Self, new: &mut Vec<(String, Vec<u8>)>) -> Result<(), CeremonyError> {
        for folder in FOLDERS {
            for name in other.folder.list(folder)? {
                let name = format!("{folder}/{name}");
                let theirs = other.folder.read(&name)?;
                let ours = self.folder.read_if_there(&name)?;
                let taken = new.iter().find(|(other, _)| *other == name);
                match ours.as_ref().or(taken.map(|(_, bytes)| bytes)) {
                    None => new.push((name, theirs)),
                    Some(ours) if *ours == theirs => {}
                    Some(_) => {
                        let path = other.folder.file(&name);
                        return Err(CeremonyError::Conflict { path });
                    }
                }
            }
        }
        // Entries last, whichever copy they come from.
        new.sort_by_key(|(name, _)| name.starts_with(transcript::FOLDER));
        Ok(())
    }
}
