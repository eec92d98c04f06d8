//! Preparing the next version of a role, and signing it on one machine or several.

use std::collections::BTreeSet;

use claims::{Distribution, FilePattern, ProjectRole, next_role, with_sub_role, without_sub_role};
use draft::{Change, difference};
use index::DistributionFilename;
use keys::{Signer, sign_document};
use metadata::{
    DelegatedRoles, Document, Expiry, KeyId, PublicKey, RoleKeys, RoleName, Targets, Version, Wire,
};
use trust::{Authority, Tally, tally};

use crate::folder::Place;
use crate::request::merged;
use crate::{ProjectError, ProjectFolder};

/// Signatures read from a role's file.
const MAX_SIGNATURES: usize = 64;

/// A next version that is not signed yet.
#[derive(Clone, Debug)]
pub struct Draft {
    /// The role.
    pub role: ProjectRole,
    /// What it will say.
    pub document: Targets,
    /// What changes against the published version.
    pub changes: Vec<Change>,
    /// The names of the files that come and go.
    pub added: Vec<DistributionFilename>,
    /// The files given up.
    pub given_up: BTreeSet<DistributionFilename>,
}

impl ProjectFolder {
    /// A role of this project: its own, or the sub-role of that name.
    pub fn role(&self, sub: Option<&str>) -> Result<ProjectRole, ProjectError> {
        let project = self.project().clone();
        match sub {
            None => Ok(ProjectRole::of(project)),
            Some(sub) => Ok(ProjectRole::sub(project, sub)?),
        }
    }

    /// The next version of a role with files added and given up. A version that waits already is
    /// changed, and has to be signed anew.
    pub fn draft(
        &self,
        role: &ProjectRole,
        expires: Expiry,
        added: &[Distribution],
        given_up: &BTreeSet<DistributionFilename>,
    ) -> Result<Draft, ProjectError> {
        self.change(role, |base, last| {
            Ok(next_role(base, last, expires, added, given_up)?)
        })
        .map(|draft| Draft {
            added: added.iter().map(|one| one.filename.clone()).collect(),
            given_up: given_up.clone(),
            ..draft
        })
    }

    /// The next version of the project's own role with a sub-role named in it.
    pub fn draft_sub_role(
        &self,
        sub: &str,
        keys: &[PublicKey],
        threshold: u32,
        patterns: &[FilePattern],
        expires: Expiry,
    ) -> Result<Draft, ProjectError> {
        let sub = self.role(Some(sub))?;
        self.change(&self.role(None)?, |base, last| {
            let next = next_role(base, last, expires, &[], &BTreeSet::new())?;
            Ok(with_sub_role(next, &sub, keys, threshold, patterns))
        })
    }

    /// The next version of the project's own role without a sub-role.
    pub fn draft_without(&self, sub: &str, expires: Expiry) -> Result<Draft, ProjectError> {
        let sub = self.role(Some(sub))?;
        self.change(&self.role(None)?, |base, last| {
            let next = next_role(base, last, expires, &[], &BTreeSet::new())?;
            Ok(without_sub_role(next, &sub)?)
        })
    }

    /// Has a draft wait for signatures.
    pub fn keep(&self, draft: &Draft) -> Result<(), ProjectError> {
        let file = Wire::write(&draft.document.to_canonical(), &[]);
        self.put(Place::Next, &draft.role.name(), &file)
    }

    /// Adds signatures to the version that waits. A signature over anything else, or by a key that
    /// the role has not, is not made.
    pub fn sign(&self, role: &ProjectRole, signers: &[&dyn Signer]) -> Result<Tally, ProjectError> {
        let name = role.name();
        let file = self.get(Place::Next, &name)?;
        let file = file.ok_or_else(|| ProjectError::NothingToSign { role: role.clone() })?;
        let (document, signatures) = self.parse(&name, &file)?;
        let (keys, role_keys) = self.authority(role)?;
        for signer in signers {
            if !role_keys.keyids.contains(signer.key_id()) {
                let (keyid, what) = (signer.key_id().clone(), role.to_string());
                return Err(ProjectError::NotItsKey { keyid, what });
            }
        }
        let canonical = document.to_canonical();
        let signatures = merged(&signatures, sign_document(&canonical, signers)?);
        self.put(Place::Next, &name, &Wire::write(&canonical, &signatures))?;
        Ok(tally(
            &canonical,
            &signatures,
            &Authority::new("the project", &keys, &role_keys),
        ))
    }

    /// Whose signatures count for a role: the claim's for the project's own, that role's for its
    /// sub-roles, as it will be with the version that waits.
    pub(crate) fn authority(
        &self,
        role: &ProjectRole,
    ) -> Result<(std::collections::BTreeMap<KeyId, PublicKey>, RoleKeys), ProjectError> {
        if role.sub_name().is_none() {
            let registration = self.registration()?;
            return Ok((registration.keys, registration.role_keys));
        }
        let refused = || ProjectError::NotDelegated { role: role.clone() };
        let own = self.role(None)?.name();
        let (document, _) = self.newest(&own)?.ok_or_else(refused)?;
        let delegations = document.delegations.ok_or_else(refused)?;
        let DelegatedRoles::Listed(roles) = delegations.roles else {
            return Err(refused());
        };
        let name = role.name();
        let found = roles.into_iter().find(|one| one.name == name);
        Ok((delegations.keys, found.ok_or_else(refused)?.keys))
    }

    /// The version that waits, else the one uploaded, else the published one.
    pub(crate) fn newest(
        &self,
        role: &RoleName,
    ) -> Result<Option<(Targets, Vec<metadata::Signature>)>, ProjectError> {
        for place in [Place::Next, Place::Uploaded, Place::Published] {
            if let Some(file) = self.get(place, role)? {
                return self.parse(role, &file).map(Some);
            }
        }
        Ok(None)
    }

    pub(crate) fn parse(
        &self,
        role: &RoleName,
        file: &[u8],
    ) -> Result<(Targets, Vec<metadata::Signature>), ProjectError> {
        let parsed = Wire::parse(file, MAX_SIGNATURES).and_then(|wire| {
            let document = Targets::parse(wire.signed)?;
            Ok((document, wire.signatures))
        });
        parsed.map_err(|source| ProjectError::Role {
            path: self.request_file().with_file_name(format!("{role}.json")),
            source,
        })
    }

    fn change(
        &self,
        role: &ProjectRole,
        make: impl FnOnce(Option<&Targets>, Option<Version>) -> Result<Targets, ProjectError>,
    ) -> Result<Draft, ProjectError> {
        let name = role.name();
        if !self.all(Place::Uploaded)?.is_empty() {
            return Err(ProjectError::OnItsWay);
        }
        let read = |place| {
            let file = self.get(place, &name)?;
            file.map(|file| self.parse(&name, &file)).transpose()
        };
        let published = read(Place::Published)?.map(|(document, _)| document);
        let waiting = read(Place::Next)?.map(|(document, _)| document);
        let retired = read(Place::Retired)?.map(|(document, _)| document.version);
        let last = published
            .as_ref()
            .map(|document| document.version)
            .or(retired);
        let base = waiting.as_ref().or(published.as_ref());
        let document = make(base, last)?;
        Ok(Draft {
            changes: difference(&document, published.as_ref()),
            role: role.clone(),
            document,
            added: Vec::new(),
            given_up: BTreeSet::new(),
        })
    }
}
