//! Everything again from the folder alone, as a stranger would check a ceremony years later.

use std::path::Path;

use draft::SignedFile;
use metadata::{Role, Sha256, Targets};
use trust::{Envelope, RootChain, Rules};

use crate::combine::FOLDER;
use crate::folder;
use crate::voucher::{Voucher, bins_entry, entry};
use crate::{CeremonyError, Event, EventFlaw, Standing, Transcript, join, sign};

/// The folders in which every file was made by a recorded step.
const MADE: [&str; 5] = [
    "papers/scripts",
    "papers/forms",
    join::FOLDER,
    sign::FOLDER,
    FOLDER,
];

/// Those that the plan fills: what people follow, and what they go by, while they sign.
const PLANNED: [&str; 3] = ["papers/scripts", "papers/forms", join::FOLDER];

/// What a stranger can say of an event.
#[derive(Clone, Debug)]
pub struct Verdict {
    /// Who signed what.
    pub roles: Vec<Standing>,
    /// The files for the index, as the signatures make them.
    pub files: Vec<SignedFile>,
    /// How it came about.
    pub transcript: Transcript,
}

impl Event {
    /// Checks the event from its folder alone: every rule as of the time of planning, every
    /// signature, old and new thresholds, and that `publish-set/` holds exactly what follows from
    /// them. A client's own code then has to accept the result.
    pub fn verify(&self) -> Result<Verdict, CeremonyError> {
        let linted = self.lint(self.planned)?;
        let roles = self.standings()?;
        let Some(used) = self.transcript()?.combined_from() else {
            self.check_recorded(&MADE)?;
            self.check_joins()?;
            let path = self.path().to_owned();
            return Err(CeremonyError::NotCombined { path });
        };
        let files = self.sealed(linted, &used)?;
        self.check_publish_set(&files)?;
        self.check_as_client(&files)?;
        let transcript = self.check_recorded(&MADE)?;
        self.check_joins()?;
        Ok(Verdict {
            roles,
            files,
            transcript,
        })
    }

    /// This copy is as the steps in its transcript left it: before anybody goes by what it says.
    pub(crate) fn check_copy(&self) -> Result<(), CeremonyError> {
        self.check_recorded(&PLANNED)?;
        self.check_joins().map(drop)
    }

    /// Checks that a folder of published metadata holds every file of the event as it is here.
    pub fn verify_against(&self, verdict: &Verdict, published: &Path) -> Result<(), CeremonyError> {
        for file in &verdict.files {
            let path = published.join(file.file_name());
            let found = Sha256::of(&folder::read(&path)?);
            let expected = file.sha256();
            if found != expected {
                return Err(EventFlaw::Digest { expected, found }.at(path));
            }
        }
        Ok(())
    }

    fn check_publish_set(&self, files: &[SignedFile]) -> Result<(), CeremonyError> {
        for name in self.folder.list(FOLDER)? {
            if !files.iter().any(|file| file.file_name() == name) {
                return Err(EventFlaw::Stray.at(self.folder.file(FOLDER).join(name)));
            }
        }
        for file in files {
            let name = format!("{FOLDER}/{}", file.file_name());
            if self.folder.read(&name)? != file.bytes() {
                let (expected, found) = (file.sha256(), self.folder.read(&name)?);
                let found = Sha256::of(&found);
                return Err(EventFlaw::Digest { expected, found }.at(self.folder.file(&name)));
            }
        }
        Ok(())
    }

    /// The root chain as a client follows it, then targets by the root's keys and bins by those of
    /// targets. Without a timestamp and a snapshot a client's session goes no further.
    fn check_as_client(&self, files: &[SignedFile]) -> Result<(), CeremonyError> {
        let rules = Rules::default();
        let root = file_of(files, &Role::Root);
        match (&self.root.previous, root) {
            (Some(old), Some(file)) => RootChain::pinned(&old.bytes, rules)?.advance(file)?,
            (Some(old), None) => RootChain::pinned(&old.bytes, rules)?,
            (None, Some(file)) => RootChain::pinned(file, rules)?,
            (None, None) => return Err(missing(&Role::Root)),
        };
        for slot in self.targets_slots() {
            let old = slot.previous.as_ref().map(|old| old.bytes.as_slice());
            let file = file_of(files, &slot.role).or(old);
            let file = file.ok_or_else(|| missing(&slot.role))?;
            for voucher in self.vouchers(&slot.role)? {
                self.check_file(&slot.role, file, &voucher)?;
            }
        }
        Ok(())
    }

    /// What an event follows must itself be signed as clients demand: nobody should be led to renew
    /// a forgery.
    pub(crate) fn check_previous(&self) -> Result<(), CeremonyError> {
        let (root, targets, bins) = match (
            &self.root.previous,
            &self.targets.previous,
            &self.bins.previous,
        ) {
            (None, None, None) => return Ok(()),
            (Some(root), Some(targets), Some(bins)) => (root, targets, bins),
            (None, ..) => return Err(missing(&self.root.role)),
            (_, None, _) => return Err(missing(&self.targets.role)),
            (_, _, None) => return Err(missing(&self.bins.role)),
        };
        RootChain::pinned(&root.bytes, Rules::default())?;
        let by_root = Voucher {
            name: "the published root",
            keys: &root.document.keys,
            role_keys: &root.document.targets,
        };
        self.check_file(&self.targets.role, &targets.bytes, &by_root)?;
        let (keys, entry) =
            bins_entry(&targets.document).ok_or_else(|| missing(&self.bins.role))?;
        let by_targets = Voucher {
            name: "the published targets",
            keys,
            role_keys: &entry.keys,
        };
        self.check_file(&self.bins.role, &bins.bytes, &by_targets)?;
        self.check_previous_claimed(&targets.document)
    }

    /// `claimed` by the published targets, each shard by the published `claimed`.
    fn check_previous_claimed(&self, targets: &Targets) -> Result<(), CeremonyError> {
        let mut claimed = None;
        for slot in &self.claimed {
            let Some(old) = &slot.previous else { continue };
            let (name, delegator) = if slot.is_shard() {
                ("the published claimed", claimed)
            } else {
                claimed = Some(&old.document);
                ("the published targets", Some(targets))
            };
            let found = delegator.and_then(|delegator| entry(delegator, slot.role.name()));
            let (keys, entry) = found.ok_or_else(|| missing(&slot.role))?;
            let voucher = Voucher {
                name,
                keys,
                role_keys: &entry.keys,
            };
            self.check_file(&slot.role, &old.bytes, &voucher)?;
        }
        Ok(())
    }

    /// Counts the signatures of a whole file of a targets role.
    fn check_file(
        &self,
        role: &Role,
        file: &[u8],
        voucher: &Voucher<'_>,
    ) -> Result<(), CeremonyError> {
        let rules = Rules::default();
        let limit = rules.limits.targets;
        let envelope = Envelope::<Targets>::parse(role.clone(), file, limit, &rules)?;
        let tally = envelope.tally(&voucher.authority());
        if tally.is_met() {
            return Ok(());
        }
        Err(self.too_few(draft::Unsigned {
            role: role.clone(),
            version: envelope.peek_unverified().version,
            tally,
        }))
    }
}

fn file_of<'a>(files: &'a [SignedFile], role: &Role) -> Option<&'a [u8]> {
    let file = files.iter().find(|file| file.role() == role);
    file.map(SignedFile::bytes)
}

fn missing(role: &Role) -> CeremonyError {
    let role = role.clone();
    EventFlaw::Missing { role }.at(FOLDER)
}
