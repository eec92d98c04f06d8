//! Where a project stands, as far as its folder knows.

use chrono::{DateTime, Utc};
use claims::{Layout, ProjectRole};
use metadata::{Document, Expiry, KeyId, RoleName, Version};
use trust::{Authority, tally};

use crate::folder::Place;
use crate::{ProjectError, ProjectFolder};

/// The whole project.
#[derive(Clone, Debug)]
pub struct Standing {
    /// How many of the project's keys have to sign its own role, and their ids.
    pub threshold: u32,
    /// The project's keys.
    pub keys: Vec<KeyId>,
    /// Keys that have not signed the request.
    pub unsigned_request: Vec<KeyId>,
    /// Every role, on whatever stage; the project's own first.
    pub roles: Vec<RoleStanding>,
    /// Sub-roles, and the roles that a lookup visits.
    pub layout: Layout,
}

/// One version of a role.
#[derive(Clone, Debug)]
pub struct RoleStanding {
    /// The role.
    pub role: ProjectRole,
    /// Where this version is.
    pub stage: Stage,
    /// The version.
    pub version: Version,
    /// When it expires.
    pub expires: Expiry,
    /// Whether that has passed.
    pub expired: bool,
    /// Targets it lists.
    pub targets: usize,
    /// Keys that have signed, and how many have to.
    pub signed: Vec<KeyId>,
    /// How many have to sign.
    pub threshold: u32,
}

/// How far a version has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Waits for signatures, or to be sent.
    Waiting,
    /// In a transaction that the index has not taken.
    Uploaded,
    /// On the index.
    Published,
}

impl ProjectFolder {
    /// Looks at everything in the folder.
    pub fn standing(&self, now: DateTime<Utc>) -> Result<Standing, ProjectError> {
        let request = self.request()?;
        let registration = self.registration()?;
        let has_signed = |id: &KeyId| request.signatures().iter().any(|one| one.keyid == *id);
        let mut roles = Vec::new();
        for (place, stage) in [
            (Place::Published, Stage::Published),
            (Place::Uploaded, Stage::Uploaded),
            (Place::Next, Stage::Waiting),
        ] {
            for (name, file) in self.all(place)? {
                roles.push(self.role_standing(&name, &file, stage, now)?);
            }
        }
        roles.sort_by(|one, other| one.role.cmp(&other.role));
        let sub_roles = roles.iter().filter(|one| one.role.sub_name().is_some());
        let mut names: Vec<_> = sub_roles.map(|one| &one.role).collect();
        names.dedup();
        Ok(Standing {
            threshold: registration.role_keys.threshold,
            unsigned_request: registration
                .keys
                .keys()
                .filter(|id| !has_signed(id))
                .cloned()
                .collect(),
            keys: registration.keys.into_keys().collect(),
            layout: Layout::of(names.len()),
            roles,
        })
    }

    fn role_standing(
        &self,
        name: &RoleName,
        file: &[u8],
        stage: Stage,
        now: DateTime<Utc>,
    ) -> Result<RoleStanding, ProjectError> {
        let role = ProjectRole::parse(name)?;
        let (document, signatures) = self.parse(name, file)?;
        let (keys, role_keys) = self.authority(&role)?;
        let authority = Authority::new("the project", &keys, &role_keys);
        let counted = tally(&document.to_canonical(), &signatures, &authority);
        Ok(RoleStanding {
            role,
            stage,
            version: document.version,
            expires: document.expires,
            expired: document.expires.has_passed(now),
            targets: document.targets().len(),
            signed: counted.valid,
            threshold: counted.threshold,
        })
    }
}
