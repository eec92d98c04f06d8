//! A document on its way to being signed, one type per state.

use chrono::{DateTime, Utc};
use metadata::{
    Document, Role, Root, Sha256, Signature, Snapshot, Targets, Timestamp, UnverifiedSignature,
    Version, Wire,
};
use policy::Policy;
use trust::{Authority, Tally, tally, tally_unverified};

use crate::lints::{self, Case, Finding, Subject};
use crate::{BinLayout, FormerKeys, Signed};

/// A document that may become a draft: one of the four kinds TUF knows.
pub trait DraftDocument: Document {
    /// How the lints see it, beside the version it follows.
    fn subject<'a>(&'a self, previous: Option<&'a Self>) -> Subject<'a>;
}

impl DraftDocument for Root {
    fn subject<'a>(&'a self, previous: Option<&'a Self>) -> Subject<'a> {
        Subject::Root {
            new: self,
            previous,
        }
    }
}

impl DraftDocument for Targets {
    fn subject<'a>(&'a self, previous: Option<&'a Self>) -> Subject<'a> {
        Subject::Targets {
            new: self,
            previous,
        }
    }
}

impl DraftDocument for Snapshot {
    fn subject<'a>(&'a self, previous: Option<&'a Self>) -> Subject<'a> {
        Subject::Snapshot {
            new: self,
            previous,
        }
    }
}

impl DraftDocument for Timestamp {
    fn subject<'a>(&'a self, previous: Option<&'a Self>) -> Subject<'a> {
        Subject::Timestamp {
            new: self,
            previous,
        }
    }
}

/// What a draft is linted against.
#[derive(Clone, Copy)]
pub struct Setting<'a> {
    /// The time of signing.
    pub now: DateTime<Utc>,
    /// The policy in force.
    pub policy: &'a Policy,
    /// The root it will be published under, unless it is a root itself.
    pub root: Option<&'a Root>,
}

/// A document nobody has checked.
#[derive(Debug)]
pub struct Draft<R> {
    role: Role,
    document: R,
    layout: Option<BinLayout>,
    former: Option<FormerKeys>,
}

impl<R: DraftDocument> Draft<R> {
    /// A draft of `role`.
    pub fn new(role: Role, document: R) -> Self {
        Self {
            role,
            document,
            layout: None,
            former: None,
        }
    }

    /// The same for an index with these bins; without it the bins are those the policy asks for.
    #[must_use]
    pub fn in_layout(mut self, layout: BinLayout) -> Self {
        self.layout = Some(layout);
        self
    }

    /// The same, with the online keys of the roots published so far; without them no role may leave.
    #[must_use]
    pub fn after(mut self, former: Option<&FormerKeys>) -> Self {
        self.former = former.cloned();
        self
    }

    /// The document.
    pub fn document(&self) -> &R {
        &self.document
    }

    /// Runs every rule over the draft. One finding is enough to refuse it.
    pub fn lint(self, setting: &Setting<'_>, previous: Option<&R>) -> Result<Linted<R>, Refused> {
        let canonical = self.document.to_canonical();
        let findings = lints::run(&Case {
            role: &self.role,
            canonical: &canonical,
            subject: self.document.subject(previous),
            now: setting.now,
            policy: setting.policy,
            root: setting.root,
            layout: self
                .layout
                .unwrap_or_else(|| BinLayout::of(&setting.policy.index)),
            former: self.former.as_ref(),
        });
        if findings.is_empty() {
            let Self { role, document, .. } = self;
            return Ok(Linted {
                role,
                document,
                canonical,
            });
        }
        Err(Refused {
            role: self.role,
            version: self.document.version(),
            findings,
        })
    }
}

/// A draft that broke rules.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{role} v{version} breaks {} of the rules: {}", findings.len(), lints::join(findings))]
pub struct Refused {
    /// The role.
    pub role: Role,
    /// The version drafted.
    pub version: Version,
    /// Every rule broken.
    pub findings: Vec<Finding>,
}

/// A document that passed every rule; its canonical bytes may be signed.
#[derive(Debug)]
pub struct Linted<R> {
    role: Role,
    document: R,
    canonical: Vec<u8>,
}

impl<R: Document> Linted<R> {
    /// The role.
    pub fn role(&self) -> &Role {
        &self.role
    }

    /// The document.
    pub fn document(&self) -> &R {
        &self.document
    }

    /// The bytes to sign.
    pub fn canonical(&self) -> &[u8] {
        &self.canonical
    }

    /// The digest that people compare: SHA-256 of the canonical bytes.
    pub fn digest(&self) -> Sha256 {
        Sha256::of(&self.canonical)
    }

    /// Puts signatures to it. Every authority given must be met: a root that follows another needs
    /// the old keys and the new (TUF 6.1). Signatures by keys of none of them are left out.
    pub fn seal(
        self,
        signatures: &[Signature],
        authorities: &[Authority<'_>],
    ) -> Result<Signed<R>, Unsigned> {
        let mut counted = Vec::new();
        for authority in authorities {
            let tally = tally(&self.canonical, signatures, authority);
            if !tally.is_met() {
                let version = self.document.version();
                return Err(Unsigned {
                    role: self.role,
                    version,
                    tally,
                });
            }
            counted.extend(tally.valid);
        }
        let kept: Vec<Signature> = signatures
            .iter()
            .filter(|one| counted.contains(&one.keyid))
            .cloned()
            .collect();
        Ok(self.with_signatures(&kept))
    }

    /// The same for signatures fresh from their keys, which are checked here and nowhere before;
    /// for roles that follow nobody, with one authority.
    pub fn seal_unverified(
        self,
        signatures: &[UnverifiedSignature],
        authority: &Authority<'_>,
    ) -> Result<Signed<R>, Unsigned> {
        let (tally, valid) = tally_unverified(&self.canonical, signatures, authority);
        if !tally.is_met() {
            let version = self.document.version();
            return Err(Unsigned {
                role: self.role,
                version,
                tally,
            });
        }
        Ok(self.with_signatures(&valid))
    }

    fn with_signatures(self, signatures: &[Signature]) -> Signed<R> {
        let bytes = Wire::write(&self.canonical, signatures);
        Signed::new(self.role, self.document, bytes)
    }
}

/// Too few valid signatures to seal a document.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{role} v{version} has {} of {} signatures; missing: {}",
    tally.valid.len(), tally.threshold,
    tally.missing.iter().map(metadata::KeyId::short).collect::<Vec<_>>().join(", ")
)]
pub struct Unsigned {
    /// The role.
    pub role: Role,
    /// The version.
    pub version: Version,
    /// Who has signed and who has not.
    pub tally: Tally,
}
