//! `countersign doctor`: what stands in the way of installing verified, and how to mend it.

mod authority;
mod poetry;

use std::env;
use std::fmt::Write;
use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use chrono::{DateTime, TimeDelta, Utc};
use client::{Kind, Session};
use serde::Serialize;

use crate::cli::JsonArgs;
use crate::clock;
use crate::commands::exec::{Holder, holder};
use crate::console::{Console, in_one_line};
use crate::failure::Failure;
use crate::installers;
use crate::runtime;
use crate::trusted::{Entry, HomeArgs, TrustError};

/// Day on which this program was not written yet: a clock before it is wrong.
const BEFORE_US: &str = "2026-01-01T00:00:00Z";

/// Say what stands in the way of installing verified, and how to mend it
///
/// Looks at the clock, at what pip, uv and poetry are told, and for each trusted index at its expiry, whether
/// it can be reached, its caches, the authority of its proxy and its port. Ends with code 1 if something is wrong.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Index to look at; all of them, if left out
    #[arg(long, value_name = "NAME", env = "COUNTERSIGN_INDEX")]
    index: Option<String>,

    #[command(flatten)]
    home: HomeArgs,

    #[command(flatten)]
    json: JsonArgs,
}

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Level {
    /// As it should be.
    Ok,
    /// Harmless under `exec`, or soon to be mended.
    Warning,
    /// In the way.
    Wrong,
}

/// One thing looked at.
#[derive(Serialize)]
struct Finding {
    check: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    index: Option<String>,
    level: Level,
    found: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    mend: Option<String>,
}

#[derive(Default, Serialize)]
struct Findings {
    findings: Vec<Finding>,
}

pub(crate) fn run(args: &Args, console: &Console) -> Result<(), Failure> {
    let home = args.home.open()?;
    let entries = match &args.index {
        Some(name) => vec![home.entry(name)?],
        None => home.entries()?,
    };
    let now = clock::now();
    let mut findings = Findings::default();
    findings.clock(now, &entries);
    findings.leaks();
    findings.poetry(&entries);
    findings.system_authorities();
    if entries.is_empty() {
        let found = format!("no index is trusted in {}", home.path().display());
        findings.wrong("trust", None, found, TrustError::None.hint());
    }
    runtime::run(async {
        for entry in &entries {
            findings.look_at(entry, now).await?;
        }
        Ok(())
    })?;
    console.report(args.json.json, &findings, || findings.text())?;
    if findings.findings.iter().any(|it| it.level == Level::Wrong) {
        return Err(Failure::Ended(1));
    }
    Ok(())
}

impl Findings {
    fn add(
        &mut self,
        (check, index): (&'static str, Option<&Entry>),
        level: Level,
        found: impl Into<String>,
        mend: Option<String>,
    ) {
        self.findings.push(Finding {
            check,
            index: index.map(|entry| entry.name().to_owned()),
            level,
            found: found.into(),
            mend,
        });
    }

    fn ok(&mut self, check: &'static str, index: Option<&Entry>, found: impl Into<String>) {
        self.add((check, index), Level::Ok, found, None);
    }

    fn wrong(
        &mut self,
        check: &'static str,
        index: Option<&Entry>,
        found: impl Into<String>,
        mend: impl Into<String>,
    ) {
        self.add((check, index), Level::Wrong, found, Some(mend.into()));
    }

    /// A clock that is behind lets old states pass for new ones; one that is ahead expires good ones.
    fn clock(&mut self, now: DateTime<Utc>, entries: &[Entry]) {
        let shown = now.format("%FT%TZ");
        let newest = entries
            .iter()
            .filter_map(|entry| newest_file(entry.folder()))
            .max();
        let is_early = DateTime::parse_from_rfc3339(BEFORE_US).is_ok_and(|it| now < it);
        let went_back = newest.filter(|it| *it > now + TimeDelta::minutes(5));
        let mend = "set the clock of this machine right, by network time if it has a network";
        if is_early {
            self.wrong(
                "clock",
                None,
                format!("it says {shown}, which is past"),
                mend,
            );
        } else if let Some(newest) = went_back {
            let newest = newest.format("%FT%TZ");
            let found = format!("it says {shown}, but something was verified at {newest}");
            self.wrong("clock", None, found, mend);
        } else {
            self.ok("clock", None, format!("it says {shown}"));
        }
    }

    /// What pip and uv are told beside what `exec` tells them.
    fn leaks(&mut self) {
        let folder = env::current_dir().unwrap_or_else(|_| PathBuf::from("/"));
        let mut leaks = installers::in_variables(env::vars_os());
        leaks.extend(installers::in_files(&folder, |name| env::var_os(name)));
        if leaks.is_empty() {
            self.ok("leaks", None, "pip and uv are told of no other source");
        }
        for leak in leaks {
            let mend = match &leak.file {
                Some(file) => format!("remove {} from {}", leak.name, file.display()),
                None => format!("unset {}", leak.name),
            };
            let found =
                format!("{leak} leads installers elsewhere; under `exec` it does not count");
            self.add(("leaks", None), Level::Warning, found, Some(mend));
        }
    }

    async fn look_at(&mut self, entry: &Entry, now: DateTime<Utc>) -> Result<(), Failure> {
        let updater = entry.place()?.updater()?;
        let held = updater.resume(now).await;
        match updater.refresh(now).await {
            Ok(session) => {
                self.ok(
                    "reach",
                    Some(entry),
                    format!("{} answers", entry.anchor().url),
                );
                self.expiry(entry, &session, now);
            }
            Err(error) => {
                let mend = match error.kind() {
                    Kind::Expired => {
                        "check the clock; if it is right, ask the operator of the index"
                    }
                    Kind::Network => "check the network and the URL; `trust show` prints it",
                    Kind::Local => "see to the folder, or wait until the other process is done",
                    _ => "do not install from it; tell the operator of the index",
                };
                self.wrong("reach", Some(entry), in_one_line(&error), mend);
                if let Ok(session) = held {
                    self.expiry(entry, &session, now);
                }
            }
        }
        self.cache(entry);
        self.authority(entry, now);
        self.port(entry).await
    }

    fn expiry(&mut self, entry: &Entry, session: &Session, now: DateTime<Utc>) {
        let left = session.valid_until() - now;
        let until = metadata::Expiry::at(session.valid_until());
        let found = format!(
            "timestamp v{} and all above it are valid until {until}, {} h {} min from now",
            session.snapped().timestamp().version,
            left.num_hours(),
            left.num_minutes() % 60
        );
        if left < TimeDelta::hours(1) {
            let mend = "ask the operator of the index why nothing newer is published".to_owned();
            self.add(("expiry", Some(entry)), Level::Warning, found, Some(mend));
        } else {
            self.ok("expiry", Some(entry), found);
        }
    }

    /// Folders that others may enter could hold files of theirs.
    fn cache(&mut self, entry: &Entry) {
        let user = rustix::process::geteuid().as_raw();
        let mut is_well = true;
        for name in ["", "cache", "installers"] {
            let folder = entry.folder().join(name);
            let Ok(about) = fs::metadata(&folder) else {
                continue;
            };
            let shown = folder.display();
            if about.uid() != user {
                let found = format!("{shown} belongs to user {}", about.uid());
                let mend = if name.is_empty() {
                    // Nothing that lies beside what was verified counts any more, floors included.
                    let name = entry.name();
                    format!("`countersign trust remove {name}`, and add it again")
                } else {
                    format!("rm -r {shown}; it is made anew")
                };
                self.wrong("cache", Some(entry), found, mend);
                is_well = false;
            } else if about.mode() & 0o077 != 0 {
                let found = format!("{shown} is open to others");
                self.wrong("cache", Some(entry), found, format!("chmod 700 {shown}"));
                is_well = false;
            }
        }
        if is_well {
            let found = format!("{} is closed to others", entry.folder().display());
            self.ok("cache", Some(entry), found);
        }
    }

    async fn port(&mut self, entry: &Entry) -> Result<(), Failure> {
        let address = entry.address();
        if TcpListener::bind(address).is_ok() {
            self.ok("port", Some(entry), format!("{address} is free"));
            return Ok(());
        }
        match holder(address, &entry.identity()?).await {
            Holder::Ours => {
                self.ok(
                    "port",
                    Some(entry),
                    format!("{address} is held by {}", Holder::Ours),
                );
            }
            other => {
                let found = format!(
                    "{address} is taken by {other}: whoever uses it as an index gets what that program serves"
                );
                let mend =
                    "end that program; until then use `countersign exec`, which asks it nothing";
                self.wrong("port", Some(entry), found, mend);
            }
        }
        Ok(())
    }

    fn text(&self) -> String {
        let mut out = String::new();
        for it in &self.findings {
            let level = match it.level {
                Level::Ok => "ok",
                Level::Warning => "warning",
                Level::Wrong => "WRONG",
            };
            let index = it.index.as_deref().unwrap_or_default();
            let what = format!("{} {index}", it.check);
            // Writing to a string does not fail.
            let _ = writeln!(out, "{level:<8} {:<14} {}", what.trim_end(), it.found);
            if let Some(mend) = &it.mend {
                let _ = writeln!(out, "{:<24}mend: {mend}", "");
            }
        }
        out
    }
}

/// When the newest metadata was stored.
fn newest_file(folder: &Path) -> Option<DateTime<Utc>> {
    let entries = fs::read_dir(folder.join("metadata")).ok()?;
    let times = entries.filter_map(|it| it.ok()?.metadata().ok()?.modified().ok());
    times.max().map(|it: SystemTime| it.into())
}
