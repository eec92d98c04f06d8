//! `countersign project status`: where a project stands, as far as its folder knows and, if an index is named,
//! as its clients see it; and what is missing.

use chrono::{DateTime, TimeDelta, Utc};
use developer::{ProjectFolder, RoleStanding, Stage, Standing};
use serde::Serialize;

use super::FolderArgs;
use super::arrival::LookArgs;
use super::on_index::OnIndex;
use crate::cli::JsonArgs;
use crate::clock;
use crate::console::Console;
use crate::failure::Failure;

/// Days before a role expires at which to say so (reference F32: 60, 30 and 14).
const REMINDERS: [i64; 3] = [14, 30, 60];

/// Show the project's keys, its roles, and what is missing
///
/// With --index also what clients see there: whether the project is unclaimed, recently claimed or
/// claimed, whose keys count, which versions are published and when they expire.
#[derive(clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    look: LookArgs,

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
    /// What clients see, where an index was named.
    on_index: Option<OnIndex>,
    /// What has to be done, most urgent first.
    missing: Vec<String>,
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
    let now = clock::now();
    let standing = folder.standing(now)?;
    let updater = args.look.updater()?;
    let on_index = updater.map(|updater| OnIndex::look(&updater, &folder, &standing));
    let on_index = on_index.transpose()?;
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
        missing: missing(&folder, &standing, on_index.as_ref(), now),
        on_index,
    };
    console.report(args.json.json, &report, || report.text())
}

/// What has to be done next.
fn missing(
    folder: &ProjectFolder,
    standing: &Standing,
    on_index: Option<&OnIndex>,
    now: DateTime<Utc>,
) -> Vec<String> {
    let mut missing = Vec::new();
    for role in &standing.roles {
        let (name, left) = (&role.role, role.expires.instant() - now);
        let is_last = standing.roles.iter().all(|other| {
            other.role != role.role || other.stage == role.stage || other.version < role.version
        });
        if role.stage == Stage::Published && is_last {
            missing.extend(reminder(&name.to_string(), left));
        }
    }
    if !standing.unsigned_request.is_empty() {
        let ids: Vec<_> = standing
            .unsigned_request
            .iter()
            .map(metadata::KeyId::short)
            .collect();
        missing.push(format!(
            "the request needs the signature of {}: `countersign project claim {} --add-signature`",
            ids.join(", "),
            folder.project()
        ));
    }
    if standing.roles.is_empty() {
        missing.push(format!(
            "the operator's grant for {}, then a first release: `countersign project sign`",
            folder.request_file().display()
        ));
    }
    for role in &standing.roles {
        let (name, lacking) = (&role.role, role.signed.len() < role.threshold as usize);
        match role.stage {
            Stage::Waiting if lacking => missing.push(format!(
                "{name} v{} has {} of {} signatures: `countersign project sign --add-signature`",
                role.version,
                role.signed.len(),
                role.threshold
            )),
            Stage::Waiting => missing.push(format!(
                "{name} v{} is signed and not sent: `countersign project upload`",
                role.version
            )),
            Stage::Uploaded => missing.push(format!(
                "{name} v{} was sent: `countersign project accepted` or `refused`",
                role.version
            )),
            Stage::Published => {}
        }
    }
    missing.extend(on_index.into_iter().flat_map(|seen| seen.missing.clone()));
    missing
}

/// That a published role expires soon, or has.
fn reminder(role: &str, left: TimeDelta) -> Option<String> {
    let again = "sign again: `countersign project sign --yes`";
    if left <= TimeDelta::zero() {
        return Some(format!(
            "{role} has EXPIRED, and clients refuse the project's files; {again}"
        ));
    }
    let days = left.num_days();
    let within = REMINDERS.into_iter().find(|limit| days < *limit)?;
    Some(format!(
        "{role} expires in {days} days, less than {within}; {again}"
    ))
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
        let unsigned = &self.keys_that_have_not_signed_the_request;
        if !unsigned.is_empty() {
            let unsigned = unsigned.join(", ");
            lines.push(format!("the request is not signed by {unsigned}"));
        }
        lines.extend(self.roles.iter().map(RoleReport::text));
        lines.push(format!(
            "{} sub-roles; a lookup visits {} delegated roles",
            self.sub_roles, self.roles_visited
        ));
        if let Some(on_index) = &self.on_index {
            lines.push(on_index.text());
        }
        if !self.missing.is_empty() {
            lines.push("missing:".to_owned());
            lines.extend(self.missing.iter().map(|line| format!("  {line}")));
        }
        lines.join("\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expiry_is_said_in_time() {
        let said = |days| reminder("project-alpha", TimeDelta::days(days));
        assert_eq!(said(60), None);
        for (days, words) in [
            (59, "less than 60"),
            (29, "less than 30"),
            (13, "less than 14"),
        ] {
            let said = said(days).expect("a reminder");
            assert!(said.contains(words), "{said}");
        }
        assert!(said(0).is_some_and(|said| said.contains("EXPIRED")));
    }
}
