//! `countersign project status`: where a project stands, as far as its folder knows.

use developer::{RoleStanding, Stage};
use serde::Serialize;

use super::FolderArgs;
use crate::cli::JsonArgs;
use crate::clock;
use crate::console::Console;
use crate::failure::Failure;

/// Show the project's keys, its roles, and what is missing
#[derive(clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    folder: FolderArgs,

    #[command(flatten)]
    json: JsonArgs,
}

#[derive(Serialize)]
struct Report {
    project: String,
    keys: Vec<String>,
    threshold: u32,
    keys_that_have_not_signed_the_request: Vec<String>,
    roles: Vec<RoleReport>,
    sub_roles: usize,
    roles_visited: usize,
}

#[derive(Serialize)]
struct RoleReport {
    role: String,
    stage: &'static str,
    version: u64,
    expires: String,
    expired: bool,
    targets: usize,
    signed_by: Vec<String>,
    threshold: u32,
}

pub(super) fn run(args: &Args, console: &Console) -> Result<(), Failure> {
    let folder = args.folder.open()?;
    let standing = folder.standing(clock::now())?;
    let short = |id: &metadata::KeyId| id.short().to_owned();
    let report = Report {
        project: folder.project().to_string(),
        keys: standing.keys.iter().map(short).collect(),
        threshold: standing.threshold,
        keys_that_have_not_signed_the_request: standing
            .unsigned_request
            .iter()
            .map(short)
            .collect(),
        roles: standing.roles.iter().map(RoleReport::of).collect(),
        sub_roles: standing.layout.sub_roles,
        roles_visited: standing.layout.roles_visited,
    };
    console.report(args.json.json, &report, || report.text())
}

impl RoleReport {
    fn of(role: &RoleStanding) -> Self {
        Self {
            role: role.role.to_string(),
            stage: match role.stage {
                Stage::Waiting => "waiting",
                Stage::Uploaded => "uploaded",
                Stage::Published => "published",
            },
            version: role.version.get(),
            expires: role.expires.to_string(),
            expired: role.expired,
            targets: role.targets,
            signed_by: role.signed.iter().map(|id| id.short().to_owned()).collect(),
            threshold: role.threshold,
        }
    }

    fn text(&self) -> String {
        let (signed, threshold) = (self.signed_by.len(), self.threshold);
        let expired = if self.expired { "EXPIRED " } else { "expires " };
        format!(
            "{} v{} {}: {} targets, {signed} of {threshold} signatures, {expired}{}",
            self.role, self.version, self.stage, self.targets, self.expires
        )
    }
}

impl Report {
    fn text(&self) -> String {
        let (keys, threshold) = (self.keys.join(", "), self.threshold);
        let mut lines = vec![format!(
            "{}: {threshold} of the keys {keys} sign its own role",
            self.project
        )];
        let missing = &self.keys_that_have_not_signed_the_request;
        if !missing.is_empty() {
            let missing = missing.join(", ");
            lines.push(format!("the request is not signed by {missing}"));
        }
        lines.extend(self.roles.iter().map(RoleReport::text));
        lines.push(format!(
            "{} sub-roles; a lookup visits {} delegated roles",
            self.sub_roles, self.roles_visited
        ));
        lines.join("\n")
    }
}
