//! How a project is claimed: challenge, request, grant. Each names the one before by its digest, so
//! that none can be used for another index, project or set of keys.

mod error;
mod statements;

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use index::ProjectName;
use metadata::{Expiry, KeyId, PublicKey, RoleKeys, Sha256};
use trust::Authority;

pub use error::ClaimError;

use crate::document::{Signed, Statement};
use crate::verify::check_keys;
use crate::{ClaimLimits, ProjectRole};

/// Random bytes in a challenge.
pub const NONCE_BYTES: usize = 32;

/// What the index asks developers to sign, so that a request is fresh and for this index alone.
/// Signed by the operator, so the index has nothing to remember.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Challenge {
    /// The index by its address, as its users know it.
    pub index: String,
    /// The project.
    pub project: ProjectName,
    /// Random.
    pub nonce: [u8; NONCE_BYTES],
    /// Until when it may be answered.
    pub expires: Expiry,
}

/// The developers' answer: the keys of `project-NAME` and how many of them must sign. Signed by
/// every one of these keys, which proves that somebody has them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The digest of the challenge.
    pub challenge: Sha256,
    /// As in the challenge.
    pub index: String,
    /// As in the challenge.
    pub project: ProjectName,
    /// The keys by id.
    pub keys: BTreeMap<KeyId, PublicKey>,
    /// How many of them must sign the project's role.
    pub threshold: u32,
}

/// The operator's word that whoever made a request owns the project.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// The digest of the request.
    pub request: Sha256,
    /// As in the request.
    pub index: String,
    /// As in the request.
    pub project: ProjectName,
    /// When the operator signed it. An index that has recovered takes none of before that.
    pub issued: DateTime<Utc>,
    /// Until when the index may take it.
    pub expires: Expiry,
}

/// Whose word counts for claims on an index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operator {
    /// The keys by id.
    pub keys: BTreeMap<KeyId, PublicKey>,
    /// Which of them count, and how many have to sign.
    pub role_keys: RoleKeys,
}

/// Who may sign a project's role: what its delegator lists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registration {
    /// The project.
    pub project: ProjectName,
    /// The keys by id.
    pub keys: BTreeMap<KeyId, PublicKey>,
    /// Which of them count, and how many have to sign.
    pub role_keys: RoleKeys,
}

/// What an index may register, and the digests of the documents that say so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// Whose keys sign the project.
    pub registration: Registration,
    /// The challenge.
    pub challenge: Sha256,
    /// The request. An index takes each but once.
    pub request: Sha256,
    /// The grant.
    pub grant: Sha256,
    /// When the operator signed the grant.
    pub issued: DateTime<Utc>,
}

/// Checks a challenge: by the operator, for this index and project, not expired.
pub fn check_challenge(
    file: &[u8],
    operator: &Operator,
    index: &str,
    project: &ProjectName,
    now: DateTime<Utc>,
) -> Result<Signed<Challenge>, ClaimError> {
    let what = Challenge::TYPE;
    let signed = Signed::<Challenge>::parse(file)?;
    operator.signed(&signed, what)?;
    let challenge = signed.peek_unverified();
    about(
        what,
        (index, project),
        (&challenge.index, &challenge.project),
    )?;
    current(what, challenge.expires, now)?;
    Ok(signed)
}

/// Checks a request against the challenge it answers: same index and project, sound keys, and each
/// of them has signed.
pub fn check_request(
    file: &[u8],
    challenge: &Signed<Challenge>,
    limits: &ClaimLimits,
) -> Result<Signed<Request>, ClaimError> {
    let what = Request::TYPE;
    let signed = Signed::<Request>::parse(file)?;
    let request = signed.peek_unverified();
    let asked = challenge.peek_unverified();
    about(
        what,
        (&asked.index, &asked.project),
        (&request.index, &request.project),
    )?;
    if request.challenge != challenge.digest() {
        let to = "challenge";
        return Err(ClaimError::OtherOrigin { what, to });
    }
    check_possession(&signed, limits)?;
    Ok(signed)
}

/// Sound keys, and each of them has signed.
fn check_possession(signed: &Signed<Request>, limits: &ClaimLimits) -> Result<(), ClaimError> {
    let request = signed.peek_unverified();
    let registration = request.registration();
    let role = ProjectRole::of(request.project.clone()).name();
    check_keys(&role, &registration.keys, &registration.role_keys, limits)
        .map_err(|reason| ClaimError::Keys(Box::new(reason)))?;
    let all = Authority::new("itself", &registration.keys, &registration.role_keys);
    match signed.tally(&all).missing.into_iter().next() {
        Some(keyid) => Err(ClaimError::NotPossessed { keyid }),
        None => Ok(()),
    }
}

/// Checks a claim as the index takes it: a request that every key of it has signed, and the operator's
/// grant for it. That the request answers a fresh challenge the operator has checked, whose grant names
/// the request by its digest.
pub fn check_claim(
    request: &[u8],
    grant: &[u8],
    operator: &Operator,
    index: &str,
    limits: &ClaimLimits,
    now: DateTime<Utc>,
) -> Result<Claim, ClaimError> {
    let signed = Signed::<Request>::parse(request)?;
    let asked = signed.peek_unverified();
    let (found, project) = (&asked.index, &asked.project);
    about(Request::TYPE, (index, project), (found, project))?;
    check_possession(&signed, limits)?;
    let registration = check_grant(grant, &signed, operator, now)?;
    let grant = Signed::<Grant>::parse(grant)?;
    Ok(Claim {
        registration,
        challenge: asked.challenge,
        request: signed.digest(),
        grant: grant.digest(),
        issued: grant.peek_unverified().issued,
    })
}

/// Checks a grant for a checked request, and gives what may be registered.
pub fn check_grant(
    file: &[u8],
    request: &Signed<Request>,
    operator: &Operator,
    now: DateTime<Utc>,
) -> Result<Registration, ClaimError> {
    let what = Grant::TYPE;
    let signed = Signed::<Grant>::parse(file)?;
    operator.signed(&signed, what)?;
    let (grant, asked) = (signed.peek_unverified(), request.peek_unverified());
    about(
        what,
        (&asked.index, &asked.project),
        (&grant.index, &grant.project),
    )?;
    current(what, grant.expires, now)?;
    if grant.issued > now {
        let issued = grant.issued;
        return Err(ClaimError::NotYet { what, issued });
    }
    if grant.request != request.digest() {
        let to = "request";
        return Err(ClaimError::OtherOrigin { what, to });
    }
    Ok(asked.registration())
}

impl Operator {
    /// One key, which alone has to sign.
    #[must_use]
    pub fn one(key: PublicKey) -> Self {
        let role_keys = RoleKeys {
            keyids: vec![key.id()],
            threshold: 1,
        };
        Self {
            keys: BTreeMap::from([(key.id(), key)]),
            role_keys,
        }
    }

    fn signed<D: Statement>(
        &self,
        signed: &Signed<D>,
        what: &'static str,
    ) -> Result<(), ClaimError> {
        let tally = signed.tally(&Authority::new("operator", &self.keys, &self.role_keys));
        if tally.is_met() {
            return Ok(());
        }
        let (valid, threshold) = (tally.valid.len(), tally.threshold);
        Err(ClaimError::NotOperator {
            what,
            valid,
            threshold,
        })
    }
}

impl Request {
    /// What it asks to register.
    #[must_use]
    pub fn registration(&self) -> Registration {
        Registration {
            project: self.project.clone(),
            role_keys: RoleKeys {
                keyids: self.keys.keys().cloned().collect(),
                threshold: self.threshold,
            },
            keys: self.keys.clone(),
        }
    }
}

fn about(
    what: &'static str,
    expected: (&str, &ProjectName),
    found: (&str, &ProjectName),
) -> Result<(), ClaimError> {
    if expected.0 != found.0 {
        let (expected, found) = (expected.0.to_owned(), found.0.to_owned());
        return Err(ClaimError::OtherIndex {
            what,
            expected,
            found,
        });
    }
    if expected.1 != found.1 {
        let (expected, found) = (expected.1.clone(), found.1.clone());
        return Err(ClaimError::OtherProject {
            what,
            expected,
            found,
        });
    }
    Ok(())
}

fn current(what: &'static str, expires: Expiry, now: DateTime<Utc>) -> Result<(), ClaimError> {
    if expires.has_passed(now) {
        return Err(ClaimError::Expired { what, expires });
    }
    Ok(())
}
