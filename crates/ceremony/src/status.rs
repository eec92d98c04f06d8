//! Who has signed and who has not: k of n for every role, for the old root and the new one.

use metadata::{KeyId, Role, Version};
use trust::tally;

use crate::{CeremonyError, Event, TooFew};

/// How far an event is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// One entry per role and voucher.
    pub roles: Vec<Standing>,
}

impl Status {
    /// Whether every threshold is reached.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.roles.iter().all(Standing::is_met)
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
        self.check_no_stray_signatures()?;
        let mut roles = Vec::new();
        for (role, canonical) in self.payloads() {
            let signatures = self.signatures(role, canonical)?;
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
        Ok(Status { roles })
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
