//! The claim: answering the challenge of an index, with keys that may lie on several machines.

use std::path::Path;

use chrono::{DateTime, Utc};
use claims::{
    Challenge, ClaimLimits, Operator, Registration, Request, Signed, Statement, check_challenge,
    check_grant, check_request,
};
use index::ProjectName;
use keys::{Signer, sign_document};
use metadata::{PublicKey, Signature};

use crate::{ProjectError, ProjectFolder};

impl ProjectFolder {
    /// Answers a challenge in a new folder: these keys, of which `threshold` have to sign. Nobody
    /// has signed the request yet.
    #[expect(
        clippy::too_many_arguments,
        reason = "each is a choice of its own, made once"
    )]
    pub fn claim(
        path: &Path,
        challenge: &[u8],
        operator: &Operator,
        index: &str,
        project: &ProjectName,
        keys: &[PublicKey],
        threshold: u32,
        now: DateTime<Utc>,
    ) -> Result<Self, ProjectError> {
        let challenge: Signed<Challenge> =
            check_challenge(challenge, operator, index, project, now)?;
        let request = Request {
            challenge: challenge.digest(),
            index: index.to_owned(),
            project: project.clone(),
            keys: keys.iter().map(|key| (key.id(), key.clone())).collect(),
            threshold,
        };
        Self::create(path, project.clone(), &request.seal(&[]))
    }

    /// Adds signatures to the request; the keys still missing are returned.
    pub fn sign_request(&self, signers: &[&dyn Signer]) -> Result<Vec<String>, ProjectError> {
        let signed = self.request()?;
        let request = signed.peek_unverified();
        for signer in signers {
            if !request.keys.contains_key(signer.key_id()) {
                let (keyid, what) = (signer.key_id().clone(), "the request".to_owned());
                return Err(ProjectError::NotItsKey { keyid, what });
            }
        }
        let fresh = sign_document(&request.to_canonical(), signers)?;
        let signatures = merged(signed.signatures(), fresh);
        self.put_request(&request.seal(&signatures))?;
        let is_missing = |id: &&metadata::KeyId| !signatures.iter().any(|one| one.keyid == **id);
        let missing = request.keys.keys().filter(is_missing);
        Ok(missing.map(|id| id.short().to_owned()).collect())
    }

    /// Whose keys sign the project's role, as requested.
    pub fn registration(&self) -> Result<Registration, ProjectError> {
        Ok(self.request()?.peek_unverified().registration())
    }

    /// Checks what the operator of the index granted, against the challenge and the request here.
    pub fn check_grant(
        &self,
        challenge: &[u8],
        grant: &[u8],
        operator: &Operator,
        now: DateTime<Utc>,
    ) -> Result<Registration, ProjectError> {
        let signed = self.request()?;
        let index = &signed.peek_unverified().index;
        let challenge = check_challenge(challenge, operator, index, self.project(), now)?;
        let file = signed.peek_unverified().seal(signed.signatures());
        let request = check_request(&file, &challenge, &ClaimLimits::default())?;
        Ok(check_grant(grant, &request, operator, now)?)
    }
}

/// Signatures there were and fresh ones, none of one key twice.
pub(crate) fn merged(there: &[Signature], fresh: Vec<Signature>) -> Vec<Signature> {
    let mut all: Vec<Signature> = there
        .iter()
        .filter(|old| !fresh.iter().any(|new| new.keyid == old.keyid))
        .cloned()
        .collect();
    all.extend(fresh);
    all
}
