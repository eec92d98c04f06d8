//! `countersign index claims list`, `export` and `release`: which projects are claimed.

use std::io::Write;
use std::path::PathBuf;

use chrono::{DateTime, SecondsFormat, Utc};
use index::ProjectName;
use metadata::Sha256;
use repository::{ClaimRecord, ClaimStage, Granted, Received, Status};
use serde::Serialize;

use super::super::wait::{WaitArgs, Waited};
use crate::cli::JsonArgs;
use crate::clock;
use crate::console::{Console, in_one_line};
use crate::data_dir::DataDirArgs;
use crate::failure::Failure;

/// Days before a project's role expires at which its developers should know (reference F32: 60, 30, 14).
const REMIND: i64 = 60;

/// List the projects whose developers sign, with their age, keys and evidence
#[derive(clap::Args)]
pub(super) struct ListArgs {
    #[command(flatten)]
    data_dir: DataDirArgs,

    #[command(flatten)]
    json: JsonArgs,
}

/// Write down every claim whose developers sign, for `countersign-ceremony plan claim`
///
/// The digest says whether two people have the same claims before them. Whoever registers keys afterwards
/// voids the ceremony that was planned from them.
#[derive(clap::Args)]
pub(super) struct ExportArgs {
    /// File to write
    #[arg(long, value_name = "FILE", env = "COUNTERSIGN_TO")]
    to: PathBuf,

    #[command(flatten)]
    data_dir: DataDirArgs,

    #[command(flatten)]
    json: JsonArgs,
}

/// Have the index speak for recently claimed projects again
///
/// For projects that have lost their keys, and for all of them after a theft of the online key. From
/// the next snapshot on their files are signed by the index alone: tell their users before you do it.
#[derive(clap::Args)]
pub(super) struct ReleaseArgs {
    /// Projects
    #[arg(required = true, value_name = "PROJECT")]
    projects: Vec<ProjectName>,

    #[command(flatten)]
    data_dir: DataDirArgs,

    #[command(flatten)]
    wait: WaitArgs,

    #[command(flatten)]
    json: JsonArgs,
}

#[derive(Serialize)]
struct Listed {
    claims: Vec<ClaimReport>,
    room: Room,
}

/// How much more clients are sure to read.
#[derive(Serialize)]
struct Room {
    snapshot_bytes: u64,
    snapshot_bytes_limit: u64,
    largest_role_bytes: u64,
    largest_role_bytes_limit: u64,
    roles_visited: u64,
    roles_visited_limit: u64,
    /// Projects that the snapshot has room for beside these.
    projects_left: u64,
}

#[derive(Serialize)]
struct ClaimReport {
    project: String,
    stage: &'static str,
    since: String,
    age_days: i64,
    in_force: Option<KeysReport>,
    /// Keys that the next transaction has to be signed with.
    next: Option<KeysReport>,
    /// Whether nothing is taken of it since a recovery.
    held: bool,
    /// When its own role expires, if it has one: then clients refuse its files.
    expires: Option<String>,
    expires_in_days: Option<i64>,
}

#[derive(Serialize)]
struct KeysReport {
    keyids: Vec<String>,
    threshold: u32,
    received: String,
    challenge: Option<String>,
    request: Option<String>,
    grant: Option<String>,
}

#[derive(Serialize)]
struct Exported {
    written: PathBuf,
    sha256: String,
    projects: usize,
}

#[derive(Serialize)]
struct Released {
    projects: Vec<String>,
    refused: Vec<Refused>,
    snapshot: Option<u64>,
}

#[derive(Serialize)]
struct Refused {
    project: String,
    code: &'static str,
    error: String,
}

pub(super) fn list(args: &ListArgs, console: &Console) -> Result<(), Failure> {
    let repository = super::super::open(&args.data_dir)?;
    let (claims, now) = (repository.claims()?, clock::now());
    let expiries = repository.project_expiries()?;
    let report = Listed {
        claims: claims
            .iter()
            .map(|(project, claim)| ClaimReport::of(project, claim, expiries.get(project), now))
            .collect(),
        room: Room::of(&repository.status(now)?),
    };
    console.report(args.json.json, &report, || report.text())
}

pub(super) fn export(args: &ExportArgs, console: &Console) -> Result<(), Failure> {
    let repository = super::super::open(&args.data_dir)?;
    let export = repository.export_claims()?;
    let bytes = export.to_canonical();
    let write = |mut out: std::fs::File| {
        out.write_all(&bytes)?;
        out.sync_all()
    };
    std::fs::File::create_new(&args.to)
        .and_then(write)
        .map_err(|source| Failure::Io {
            doing: "write",
            path: args.to.clone(),
            source,
        })?;
    let report = Exported {
        written: args.to.clone(),
        sha256: Sha256::of(&bytes).to_string(),
        projects: export.projects.len(),
    };
    console.report(args.json.json, &report, || {
        let (file, count) = (report.written.display(), report.projects);
        format!("{file}: {count} projects, SHA-256 {}\n", report.sha256)
    })
}

pub(super) fn release(args: &ReleaseArgs, console: &Console) -> Result<(), Failure> {
    let mut repository = super::super::open(&args.data_dir)?;
    let (mut released, mut refused, mut changes) = (Vec::new(), Vec::new(), Vec::new());
    for project in &args.projects {
        match repository.release_claim(project, clock::now())? {
            Ok(receipt) => {
                debug_assert!(matches!(receipt.received, Received::Claim { .. }));
                released.push(receipt.project.to_string());
                changes.push(receipt.change);
            }
            Err(error) => {
                tracing::error!("refused {project}: {}", in_one_line(&error));
                refused.push(Refused {
                    project: project.to_string(),
                    code: error.code(),
                    error: in_one_line(&error),
                });
            }
        }
    }
    let waited = args.wait.wait(&repository, &changes, console)?;
    let Waited { snapshot, .. } = waited.unwrap_or_default();
    let report = Released {
        projects: released,
        refused,
        snapshot,
    };
    console.report(args.json.json, &report, || report.text())?;
    match report.refused.len() {
        0 => Ok(()),
        refused => Err(Failure::PartlyRefused {
            refused,
            total: args.projects.len(),
            what: "projects were",
        }),
    }
}

impl ClaimReport {
    fn of(
        project: &ProjectName,
        claim: &ClaimRecord,
        expires: Option<&DateTime<Utc>>,
        now: DateTime<Utc>,
    ) -> Self {
        let expires = expires.filter(|_| claim.is_signed());
        Self {
            expires: expires.map(|at| stamp(*at)),
            expires_in_days: expires.map(|at| (*at - now).num_days()),
            project: project.to_string(),
            stage: claim.stage.as_str(),
            since: stamp(claim.since),
            age_days: (now - claim.since).num_days(),
            in_force: claim.in_force.as_ref().map(KeysReport::of),
            next: claim.next.as_ref().map(KeysReport::of),
            held: claim.held,
        }
    }

    fn text(&self) -> String {
        let mut out = format!(
            "{} {} since {} ({} days)\n",
            self.project, self.stage, self.since, self.age_days
        );
        if let (Some(expires), Some(days)) = (&self.expires, self.expires_in_days) {
            let soon = if days < REMIND {
                "; remind its developers"
            } else {
                ""
            };
            out = format!("{out}  its role expires at {expires}, in {days} days{soon}\n");
        }
        if let Some(keys) = &self.in_force {
            out += &keys.text("keys");
        }
        if let Some(keys) = &self.next {
            let what = if self.stage == ClaimStage::Claimed.as_str() {
                "keys that wait for a ceremony"
            } else {
                "keys of the next transaction"
            };
            out += &keys.text(what);
        }
        if self.held {
            out += "  held since the state was recovered: confirm these keys, or grant others\n";
        }
        out
    }
}

impl KeysReport {
    fn of(granted: &Granted) -> Self {
        let registration = &granted.registration;
        let evidence = granted.evidence;
        Self {
            keyids: registration.keys.keys().map(ToString::to_string).collect(),
            threshold: registration.role_keys.threshold,
            received: stamp(granted.received),
            challenge: evidence.map(|one| one.challenge.to_string()),
            request: evidence.map(|one| one.request.to_string()),
            grant: evidence.map(|one| one.grant.to_string()),
        }
    }

    fn text(&self, what: &str) -> String {
        let short = |id: &String| id.chars().take(8).collect::<String>();
        let keys: Vec<String> = self.keyids.iter().map(short).collect();
        let (threshold, keys) = (self.threshold, keys.join(" "));
        let grant = match &self.grant {
            Some(grant) => format!("grant {}", short(grant)),
            None => "found published".to_owned(),
        };
        format!(
            "  {what}: {threshold} of {keys}, {grant}, received {}\n",
            self.received
        )
    }
}

impl Listed {
    fn text(&self) -> String {
        if self.claims.is_empty() {
            return "no project is claimed\n".to_owned();
        }
        let claims: String = self.claims.iter().map(ClaimReport::text).collect();
        let recent = ClaimStage::RecentlyClaimed.as_str();
        let waits = |one: &&ClaimReport| {
            one.stage == recent
                || (one.stage != ClaimStage::Registered.as_str() && one.next.is_some())
        };
        let waiting = self.claims.iter().filter(waits);
        format!(
            "{claims}{} wait for a ceremony\n{}",
            waiting.count(),
            self.room.text()
        )
    }
}

impl Room {
    fn of(status: &Status) -> Self {
        let (snapshot, role, claims) = (status.snapshot_room, status.role_room, &status.claims);
        Self {
            snapshot_bytes: snapshot.used,
            snapshot_bytes_limit: snapshot.limit,
            largest_role_bytes: role.used,
            largest_role_bytes_limit: role.limit,
            roles_visited: claims.roles_visited.used,
            roles_visited_limit: claims.roles_visited.limit,
            projects_left: claims.projects_left,
        }
    }

    fn text(&self) -> String {
        format!(
            "room: snapshot {} of {} bytes, about {} projects more; largest role {} of {} bytes; a lookup \
             visits {} of {} roles at most\n",
            self.snapshot_bytes,
            self.snapshot_bytes_limit,
            self.projects_left,
            self.largest_role_bytes,
            self.largest_role_bytes_limit,
            self.roles_visited,
            self.roles_visited_limit
        )
    }
}

impl Released {
    fn text(&self) -> String {
        let line = |project: &String| format!("queued: {project} is the index's again\n");
        let queued: String = self.projects.iter().map(line).collect();
        let published = self.snapshot.map_or_else(String::new, published);
        format!("{queued}{published}")
    }
}

/// That clients see what was queued.
pub(crate) fn published(snapshot: u64) -> String {
    format!("published: clients see it with snapshot v{snapshot}\n")
}

fn stamp(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Secs, true)
}
