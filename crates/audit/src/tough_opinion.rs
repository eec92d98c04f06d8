//! The second opinion: tough, a reader that shares no code, no cryptographic library and no date
//! library with ours. No other module names it.
//!
//! tough fetches every role before it answers and searches every prefix for every target, so it is
//! asked only about small repositories; and it reads no succinct bins, knows no time but the
//! clock's, and asks for target files in folders under names of its own (`transport.rs`).

mod compare;
mod transport;

use chrono::{TimeDelta, Utc};
use futures_util::StreamExt;
use metadata::TargetPath;
use tough::schema::Delegations;
use tough::{Limits, Repository, RepositoryLoader, TargetName};

use crate::audit::AuditOptions;
use crate::files::is_page;
use crate::finding::{Finding, Findings, with_causes};
use crate::limits::{
    SECOND_OPINION_BINS, SECOND_OPINION_CLOCK_MINUTES, SECOND_OPINION_PREFIX_TESTS,
    SECOND_OPINION_READS, SECOND_OPINION_TARGETS,
};
use crate::opinion::{Difference, Listed, SecondOpinion, Why};
use crate::pages::Files;
use crate::placement::spread;
use crate::reading::Reading;

use compare::{Facts, RoleFacts, compare, facts_of};
use transport::Renaming;

/// Asks tough, where its limits allow.
pub(crate) async fn ask(
    options: &AuditOptions,
    reading: &Reading,
    files: Files<'_>,
    findings: &mut Findings,
) -> SecondOpinion {
    if let Some(why) = clock_differs(options).or_else(|| obstacle(reading)) {
        return SecondOpinion::NotAvailable(why);
    }
    let transport = Renaming::new(files.source.clone(), options.rules.limits.listed);
    let loaded = load(options, &transport).await;
    if let Some(why) = transport.failure() {
        return SecondOpinion::NotAvailable(Why::Unreachable { why });
    }
    let repository = match loaded {
        Ok(repository) => repository,
        Err(error) => {
            let why = with_causes(&error);
            return SecondOpinion::Disagrees(vec![Difference::Refused { why }]);
        }
    };
    let ours = facts_of(reading, files.session);
    let mut differences = compare(&ours, &facts(&repository));
    let sample = sample(reading, options.rules.limits.listed);
    for path in &sample {
        differences.extend(read_twice(&repository, path, files, findings).await);
    }
    if let Some(why) = transport.failure() {
        return SecondOpinion::NotAvailable(Why::Unreachable { why });
    }
    if differences.is_empty() {
        return SecondOpinion::Agrees {
            roles: ours.len(),
            targets: reading.entries.len(),
            files: sample.len(),
        };
    }
    SecondOpinion::Disagrees(differences)
}

fn clock_differs(options: &AuditOptions) -> Option<Why> {
    let (now, clock) = (options.now, Utc::now());
    let allowed = TimeDelta::minutes(SECOND_OPINION_CLOCK_MINUTES);
    ((now - clock).abs() > allowed).then_some(Why::OtherTime { now, clock })
}

fn obstacle(reading: &Reading) -> Option<Why> {
    let (bins, targets) = (reading.bins, reading.entries.len());
    let tests = reading.prefixes.saturating_mul(targets as u64);
    if let Some(role) = reading.succinct.clone() {
        return Some(Why::SuccinctRoles { role });
    }
    if bins > SECOND_OPINION_BINS {
        let limit = SECOND_OPINION_BINS;
        return Some(Why::TooManyBins { bins, limit });
    }
    if targets > SECOND_OPINION_TARGETS {
        let limit = SECOND_OPINION_TARGETS;
        return Some(Why::TooManyTargets { targets, limit });
    }
    if tests > SECOND_OPINION_PREFIX_TESTS {
        let limit = SECOND_OPINION_PREFIX_TESTS;
        return Some(Why::TooSlow { tests, limit });
    }
    if let Some(role) = reading.expired.clone() {
        return Some(Why::Expired { role });
    }
    let no_sha256 = |entry: &&crate::reading::Entry| entry.sha256.is_none();
    let path = reading.entries.iter().find(no_sha256)?.path.clone();
    Some(Why::NoSha256 { path })
}

/// Loads the repository from the same root. tough makes a temporary datastore of its own.
async fn load(options: &AuditOptions, transport: &Renaming) -> tough::error::Result<Repository> {
    let limits = &options.rules.limits;
    let source = transport.source();
    let (metadata, targets) = (source.metadata.clone(), source.targets.clone());
    RepositoryLoader::new(&options.trusted_root, metadata, targets)
        .transport(transport.clone())
        .limits(Limits {
            max_root_size: limits.root,
            max_targets_size: limits.targets,
            max_timestamp_size: limits.timestamp,
            max_snapshot_size: limits.snapshot,
            // It counts the root it starts from.
            max_root_updates: u64::from(limits.root_rotations) + 1,
        })
        .load()
        .await
}

/// What tough has read.
fn facts(repository: &Repository) -> Facts {
    let mut out = Facts::new();
    for (name, version) in [
        ("root", repository.root().signed.version),
        ("timestamp", repository.timestamp().signed.version),
        ("snapshot", repository.snapshot().signed.version),
    ] {
        out.insert(name.to_owned(), RoleFacts::version(version.get()));
    }
    let targets = &repository.targets().signed;
    out.insert("targets".to_owned(), role_facts(targets));
    let mut pending: Vec<&Delegations> = targets.delegations.iter().collect();
    while let Some(delegations) = pending.pop() {
        for role in &delegations.roles {
            let Some(document) = &role.targets else {
                continue;
            };
            out.insert(role.name.clone(), role_facts(&document.signed));
            pending.extend(&document.signed.delegations);
        }
    }
    out
}

fn role_facts(document: &tough::schema::Targets) -> RoleFacts {
    let targets = document.targets.iter().map(|(name, target)| {
        let listed = Listed {
            length: target.length,
            sha256: hex::encode(&target.hashes.sha256),
        };
        (name.raw().to_owned(), listed)
    });
    RoleFacts {
        version: document.version.get(),
        targets: targets.collect(),
    }
}

/// Targets to read through tough too: spread over all, none so large that its bytes had to be held
/// beyond the limit of a listed file.
fn sample(reading: &Reading, limit: u64) -> Vec<TargetPath> {
    let readable = reading.answering().filter(|entry| entry.length <= limit);
    let all: Vec<_> = readable.collect();
    let sample = spread(&all, SECOND_OPINION_READS);
    sample.iter().map(|entry| entry.path.clone()).collect()
}

/// Reads a target both ways. That both fail is no difference, but something is wrong with it.
async fn read_twice(
    repository: &Repository,
    path: &TargetPath,
    files: Files<'_>,
    findings: &mut Findings,
) -> Option<Difference> {
    let ours = files.target(path).await.err();
    let theirs = read(repository, path).await.err();
    if ours.is_some() == theirs.is_some() {
        let known = files.read || is_page(path);
        if let Some(error) = ours.filter(|_| !known) {
            let (path, cause) = (path.clone(), error.into());
            findings.add(Finding::File { path, cause });
        }
        return None;
    }
    Some(Difference::File {
        path: path.clone(),
        ours: ours.map(|error| with_causes(&error)),
        theirs,
    })
}

/// Reads a target through tough to its end; the error in words.
async fn read(repository: &Repository, path: &TargetPath) -> Result<(), String> {
    let words = |error: tough::error::Error| with_causes(&error);
    let name = TargetName::new(path.as_str()).map_err(words)?;
    let found = repository.read_target(&name).await.map_err(words)?;
    let mut body = found.ok_or_else(|| "not listed".to_owned())?;
    while let Some(piece) = body.next().await {
        piece.map_err(words)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use metadata::Role;

    use super::*;
    use crate::reading::Entry;

    fn with_targets(count: usize) -> Reading {
        let entry = |number| Entry {
            path: TargetPath::parse(format!("a/{number}")).unwrap(),
            node: 0,
            length: 1,
            sha256: Some(metadata::Sha256::of(b"x")),
            answers: true,
        };
        let mut reading = Reading::default();
        reading.entries = (0..count).map(entry).collect();
        reading
    }

    #[test]
    fn tough_is_asked_up_to_the_limits_and_no_further() {
        let mut reading = with_targets(1_000);
        reading.bins = SECOND_OPINION_BINS;
        reading.prefixes = SECOND_OPINION_PREFIX_TESTS / 1_000;
        assert_eq!(obstacle(&reading), None);
        reading.prefixes += 1;
        assert!(
            matches!(obstacle(&reading), Some(Why::TooSlow { tests, .. })
            if tests == SECOND_OPINION_PREFIX_TESTS + 1_000)
        );
        reading.bins += 1;
        assert!(
            matches!(obstacle(&reading), Some(Why::TooManyBins { bins, .. })
            if bins == SECOND_OPINION_BINS + 1)
        );
        assert_eq!(obstacle(&with_targets(SECOND_OPINION_TARGETS)), None);
        assert!(matches!(
            obstacle(&with_targets(SECOND_OPINION_TARGETS + 1)),
            Some(Why::TooManyTargets { .. })
        ));
    }

    #[test]
    fn what_tough_cannot_read_is_said_by_name() {
        let mut reading = with_targets(2);
        reading.entries[1].sha256 = None;
        let path = reading.entries[1].path.clone();
        assert_eq!(obstacle(&reading), Some(Why::NoSha256 { path }));
        reading.expired = Some(Role::Targets);
        assert!(matches!(obstacle(&reading), Some(Why::Expired { .. })));
        reading.succinct = Some(Role::Targets);
        assert!(matches!(
            obstacle(&reading),
            Some(Why::SuccinctRoles { .. })
        ));
    }
}
