//! A project as the clients of an index see it.

use std::collections::BTreeSet;

use claims::ProjectRole;
use client::{ClientError, ProjectRoles, Updater};
use developer::{ProjectFolder, Stage, Standing};
use index::{DistributionFilename, ProjectName};
use metadata::{KeyId, Role};
use serde::Serialize;

use crate::clock;
use crate::failure::Failure;
use crate::runtime;

/// What clients see.
#[derive(Serialize)]
pub(super) struct OnIndex {
    /// `unclaimed`, `recently-claimed` or `claimed`.
    stage: &'static str,
    /// The role that delegates to the project.
    delegator: Option<String>,
    /// The keys that count for the project's own role.
    keys: Vec<String>,
    threshold: Option<u32>,
    roles: Vec<Published>,
    timestamp: u64,
    snapshot: u64,
    #[serde(skip)]
    pub(super) missing: Vec<String>,
}

#[derive(Serialize)]
struct Published {
    role: String,
    version: u64,
    expires: String,
    targets: usize,
}

impl OnIndex {
    /// Refreshes, and asks for the project's files.
    pub(super) fn look(
        updater: &Updater,
        folder: &ProjectFolder,
        standing: &Standing,
    ) -> Result<Self, Failure> {
        let own = ProjectRole::of(folder.project().clone()).name();
        runtime::run(async {
            let session = updater.refresh(clock::now()).await?;
            let found = session.project_roles(folder.project(), &own).await;
            let snapped = session.snapped();
            let mut seen = Self {
                stage: stage(&found),
                delegator: None,
                keys: Vec::new(),
                threshold: None,
                roles: found
                    .roles
                    .values()
                    .map(|role| Published::of(role))
                    .collect(),
                timestamp: snapped.timestamp().version.get(),
                snapshot: snapped.snapshot().version.get(),
                missing: missing(&found, standing),
            };
            if let Some(delegation) = &found.delegation {
                seen.delegator = Some(delegation.delegator.name().to_owned());
                seen.keys = delegation.keys.keys().map(short).collect();
                seen.threshold = Some(delegation.role_keys.threshold);
            }
            Ok(seen)
        })
    }

    pub(super) fn text(&self) -> String {
        let mut lines = vec![format!(
            "on the index, by snapshot v{}: {}",
            self.snapshot, self.stage
        )];
        if let (Some(delegator), Some(threshold)) = (&self.delegator, self.threshold) {
            let keys = self.keys.join(", ");
            lines.push(format!("  {delegator} delegates to {threshold} of {keys}"));
        }
        lines.extend(self.roles.iter().map(|role| {
            format!(
                "  {} v{}: {} targets, expires {}",
                role.role, role.version, role.targets, role.expires
            )
        }));
        lines.join("\n")
    }
}

/// The files that the page of a project lists; none if the index has no such page.
pub(super) fn files(
    updater: &Updater,
    project: &ProjectName,
) -> Result<Vec<DistributionFilename>, Failure> {
    runtime::run(async {
        let session = updater.refresh(clock::now()).await?;
        match session.project_page(project).await {
            Ok(page) => {
                let files = page.page().files().iter();
                Ok(files.map(|file| file.filename.clone()).collect())
            }
            Err(ClientError::Unclaimed { .. }) => Ok(Vec::new()),
            Err(error) => Err(error.into()),
        }
    })
}

impl Published {
    fn of(role: &trust::Verified<metadata::Targets>) -> Self {
        Self {
            role: role.role().name().to_owned(),
            version: role.version.get(),
            expires: role.expires.to_string(),
            targets: role.targets().len(),
        }
    }
}

fn short(id: &KeyId) -> String {
    id.short().to_owned()
}

fn stage(found: &ProjectRoles) -> &'static str {
    match found.delegation.as_ref().map(|one| one.delegator.name()) {
        None => "unclaimed",
        Some(draft::RECENTLY_CLAIMED) => "recently-claimed",
        Some(_) => "claimed",
    }
}

/// What differs between the folder and the index.
fn missing(found: &ProjectRoles, standing: &Standing) -> Vec<String> {
    let mut missing = Vec::new();
    if let Some((role, why)) = &found.failed {
        missing.push(format!(
            "clients install nothing of the project: they stop at {role}: {why}"
        ));
    }
    if let Some(delegation) = &found.delegation {
        let ours: BTreeSet<_> = standing.keys.iter().collect();
        let theirs: BTreeSet<_> = delegation.keys.keys().collect();
        if ours != theirs || delegation.role_keys.threshold != standing.threshold {
            missing.push(
                "other keys count on the index than this folder asks for: send the request with its \
                 grant, then a release signed with these keys"
                    .to_owned(),
            );
        }
    }
    for role in standing
        .roles
        .iter()
        .filter(|one| one.stage == Stage::Published)
    {
        let there = found.roles.get(&Role::Delegated(role.role.name()));
        match there.map(|there| there.version) {
            Some(version) if version > role.version => missing.push(format!(
                "{} is v{version} on the index, v{} here: copy it from the maintainer who released",
                role.role, role.version
            )),
            Some(version) if version < role.version => missing.push(format!(
                "{} is v{version} on the index, and v{} was accepted: the index shows an old version",
                role.role, role.version
            )),
            _ => {}
        }
    }
    missing
}
