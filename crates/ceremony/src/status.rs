//! Who has signed and who has not: k of n for every role, for the old root and the new one.

use metadata::{KeyId, Role, Version};
use trust::tally;

use crate::{CeremonyError, Event, EventFlaw, FileDigest, TooFew, sign};

/// How far an event is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// One entry per role and voucher.
    pub roles: Vec<Standing>,
    /// Signatures that no step in the transcript made: one was interrupted, or somebody put them
    /// there. They do not count until the step is repeated.
    pub unrecorded: Vec<String>,
}

impl Status {
    /// Whether every threshold is reached.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.unrecorded.is_empty() && self.roles.iter().all(Standing::is_met)
    }
}

/// The signatures of one role, as one voucher counts them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// The role.
    pub role: Role,
    /// The version to be signed.
    pub version: Version,
    /// Who lists the keys: the published root, the new root, root, targets.
    pub voucher: &'static str,
    /// How many must sign.
    pub threshold: u32,
    /// The holders who have.
    pub signed: Vec<String>,
    /// The holders who have not.
    pub missing: Vec<String>,
}

impl Standing {
    /// Whether the threshold is reached.
    #[must_use]
    pub fn is_met(&self) -> bool {
        self.signed.len() >= self.threshold as usize
    }
}

impl Event {
    /// Counts the signatures in the event.
    pub fn status(&self) -> Result<Status, CeremonyError> {
        // Says what is wrong with a signature before it says that no step made it.
        let roles = self.standings()?;
        self.check_copy()?;
        let unrecorded = self.unrecorded_signatures()?;
        Ok(Status { roles, unrecorded })
    }

    pub(crate) fn standings(&self) -> Result<Vec<Standing>, CeremonyError> {
        self.check_no_stray_signatures()?;
        let mut roles = Vec::new();
        for (role, canonical) in self.payloads() {
            let signatures = self.signatures(role, canonical);
            let signatures = signatures.map_err(|error| self.damage_or(error))?;
            let version = self.version(role)?;
            for voucher in self.vouchers(role)? {
                let tally = tally(canonical, &signatures, &voucher.authority());
                roles.push(Standing {
                    role: role.clone(),
                    version,
                    voucher: voucher.name,
                    threshold: tally.threshold,
                    signed: self.names(&tally.valid),
                    missing: self.names(&tally.missing),
                });
            }
        }
        Ok(roles)
    }

    /// A signature that held when its step was recorded was damaged since: another by the same holder
    /// would not bring it back.
    fn damage_or(&self, error: CeremonyError) -> CeremonyError {
        match error {
            CeremonyError::Event {
                flaw: EventFlaw::Signature { .. } | EventFlaw::Json(_),
                ..
            } => self.check_unchanged().err().unwrap_or(error),
            other => other,
        }
    }

    fn unrecorded_signatures(&self) -> Result<Vec<String>, CeremonyError> {
        let (transcript, mut found) = (self.transcript()?, Vec::new());
        for name in self.folder.list(sign::FOLDER)? {
            let name = format!("{}/{name}", sign::FOLDER);
            if !transcript.records(&FileDigest::of(&name, &self.folder.read(&name)?)) {
                found.push(name);
            }
        }
        Ok(found)
    }

    /// Too few signatures, with the names of those who have not signed.
    pub(crate) fn too_few(&self, unsigned: draft::Unsigned) -> CeremonyError {
        let draft::Unsigned {
            role,
            version,
            tally,
        } = unsigned;
        CeremonyError::TooFew(Box::new(TooFew {
            role,
            version,
            threshold: tally.threshold,
            signed: self.names(&tally.valid),
            missing: self.names(&tally.missing),
        }))
    }

    /// The holders of keys, in the order of their names.
    fn names(&self, ids: &[KeyId]) -> Vec<String> {
        let mut names: Vec<String> = ids.iter().map(|id| self.holder(id)).collect();
        names.sort_unstable();
        names
    }
}
