//! Plays a batch through the client's own trust code, from the last published state. Nothing goes out
//! that our own client would refuse (DESIGN §3).

mod claimed;

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use index::ProjectName;
use metadata::{Role, Sha256, TargetPath, Targets, Version};
use trust::{Answer, Held, Lookup, RootChain, Rules, Snapped, Step, Verified};

use crate::batch::{Batch, recently_claimed_role};
use crate::claim_set::may_move_projects;
use crate::developers::own_role;
use crate::error::RepositoryError;
use crate::pages::Applied;

/// A batch our own client accepts. Only [`rehearse`] makes one, and only one can be published.
pub(crate) struct Rehearsed {
    batch: Batch,
}

impl Rehearsed {
    pub(crate) fn batch(&self) -> &Batch {
        &self.batch
    }
}

/// What clients hold before the batch, and published files it does not replace; each checked
/// against the state when it was read.
pub(crate) struct Before {
    pub(crate) root: Option<Vec<u8>>,
    pub(crate) timestamp: Option<Vec<u8>>,
    pub(crate) snapshot: Option<Vec<u8>>,
    pub(crate) targets: Option<Vec<u8>>,
    pub(crate) bins: Option<Vec<u8>>,
}

/// Reads the file of a role that the batch does not hold.
pub(crate) type ReadRole<'a> =
    dyn Fn(&Role, Version) -> Result<Option<Vec<u8>>, RepositoryError> + 'a;

/// How many changed pages are looked up from the top; every changed bin is verified besides.
const LOOKUPS: usize = 16;

/// Accepts or refuses a batch as a client would that was up to date before it.
pub(crate) fn rehearse(
    batch: Batch,
    before: &Before,
    applied: &Applied,
    read: &ReadRole<'_>,
    rules: Rules,
    now: DateTime<Utc>,
) -> Result<Rehearsed, RepositoryError> {
    let refused = |source| RepositoryError::Rehearsal { source };
    let files: BTreeMap<(&Role, Version), &[u8]> = batch
        .files
        .iter()
        .map(|file| ((file.role(), file.version()), file.bytes()))
        .collect();
    let newest = |role: &Role, published: &Option<Vec<u8>>| -> Result<Vec<u8>, RepositoryError> {
        let new = batch.files.iter().rev().find(|file| file.role() == role);
        let bytes = new
            .map(|file| file.bytes().to_vec())
            .or_else(|| published.clone());
        bytes.ok_or(RepositoryError::NoRoles)
    };

    let snapped = {
        let mut chain = root_chain(&batch, before, rules)?;
        while let Some(next) = files.get(&(&Role::Root, chain.next_version().map_err(refused)?)) {
            chain = chain.advance(next).map_err(refused)?;
        }
        let held = Held {
            timestamp: before.timestamp.as_deref(),
            snapshot: before.snapshot.as_deref(),
        };
        let timed = chain
            .close(now)
            .and_then(|rooted| {
                let timestamp = newest(&Role::Timestamp, &before.timestamp).unwrap_or_default();
                rooted.timestamp(&timestamp, held)
            })
            .map_err(refused)?;
        timed
            .snapshot(&newest(&Role::Snapshot, &before.snapshot)?)
            .map_err(refused)?
    };
    let bins_role = crate::offline_set::bins_role();
    let targets = snapped
        .targets(&newest(&Role::Targets, &before.targets)?)
        .map_err(refused)?;
    let bins = targets
        .all_edges()
        .find(|edge| edge.name().as_str() == bins_role.name())
        .ok_or(RepositoryError::NoRoles)
        .and_then(|edge| {
            snapped
                .delegate(&edge, &newest(&bins_role, &before.bins)?)
                .map_err(refused)
        })?;
    check_bins(&snapped, &bins, &files)?;
    let file_of = |role: &Role, version| -> Result<Option<Vec<u8>>, RepositoryError> {
        match files.get(&(role, version)) {
            Some(bytes) => Ok(Some(bytes.to_vec())),
            None if *role == bins_role => Ok(before.bins.clone()),
            None => read(role, version),
        }
    };
    let client = Client {
        snapped: &snapped,
        top: std::sync::Arc::new(targets),
        file_of: &file_of,
    };
    client.check_recently_claimed()?;
    if may_move_projects(files.keys().map(|(role, _)| *role)) {
        client.check_claimed(&files)?;
    }
    client.look_up(&applied.pages)?;
    client.look_up(&applied.developers.files)?;
    for (project, is_signed) in &applied.developers.visit {
        client.visit(project, *is_signed)?;
    }
    Ok(Rehearsed { batch })
}

/// Starts at the published root; at the first one of the batch where none is.
fn root_chain(batch: &Batch, before: &Before, rules: Rules) -> Result<RootChain, RepositoryError> {
    let first = batch.files.iter().find(|file| *file.role() == Role::Root);
    let pinned = before
        .root
        .as_deref()
        .or(first.map(draft::SignedFile::bytes));
    let pinned = pinned.ok_or(RepositoryError::NoRoles)?;
    RootChain::pinned(pinned, rules).map_err(|source| RepositoryError::Rehearsal { source })
}

/// Every bin is listed in the snapshot (reference F28), under one delegator each (F31); those of this
/// batch verify.
fn check_bins(
    snapped: &Snapped,
    bins: &Verified<Targets>,
    files: &BTreeMap<(&Role, Version), &[u8]>,
) -> Result<(), RepositoryError> {
    let refused = |source| RepositoryError::Rehearsal { source };
    let mut seen = BTreeSet::new();
    for edge in bins.all_edges() {
        let role = Role::Delegated(edge.name().clone());
        let request = snapped.request(&role).map_err(refused)?;
        if let Some(bytes) = files.get(&(&role, request.version)) {
            snapped.delegate(&edge, bytes).map_err(refused)?;
        }
        if !seen.insert(role) {
            return Err(RepositoryError::Layout {
                role: bins.role().clone(),
                version: bins.version,
            });
        }
    }
    Ok(())
}

/// A client that has refreshed and looks files up.
struct Client<'a> {
    snapped: &'a Snapped,
    top: std::sync::Arc<Verified<Targets>>,
    file_of: &'a ReadRole<'a>,
}

/// File names that every pattern of a sub-role covers some of, and that no project has.
const NO_FILES: [&str; 4] = ["-.whl", "-.whl.metadata", "-.tar.gz", "-.zip"];

impl Client<'_> {
    /// Finds changed pages, or files of developers, from the top.
    fn look_up(&self, expected: &[(TargetPath, Sha256)]) -> Result<(), RepositoryError> {
        for (path, digest) in expected.iter().take(LOOKUPS) {
            let answer = self.ask(path)?;
            let found = matches!(&answer, Answer::Found(target)
                if target.file().hashes.get_sha256() == Some(*digest));
            if !found {
                return Err(not_found(path, &answer));
            }
        }
        Ok(())
    }

    /// `recently-claimed` leads to roles that the snapshot lists, and verifies.
    fn check_recently_claimed(&self) -> Result<(), RepositoryError> {
        let refused = |source| RepositoryError::Rehearsal { source };
        let role = recently_claimed_role();
        let edges = self.top.all_edges();
        let Some(edge) = edges
            .into_iter()
            .find(|edge| edge.name().as_str() == role.name())
        else {
            return Ok(());
        };
        let request = self.snapped.request(&role).map_err(refused)?;
        let file = (self.file_of)(&role, request.version)?.ok_or(RepositoryError::NoRoles)?;
        let verified = self.snapped.delegate(&edge, &file).map_err(refused)?;
        for edge in verified.all_edges() {
            let role = Role::Delegated(edge.name().clone());
            self.snapped.request(&role).map_err(refused)?;
        }
        Ok(())
    }

    /// Asks for files that a project has not: every role of it is verified on the way, and the search
    /// ends at its own if that speaks for it, in the bins if not.
    fn visit(&self, project: &ProjectName, is_signed: bool) -> Result<(), RepositoryError> {
        let own = own_role(project);
        for name in NO_FILES {
            let path = TargetPath::parse(format!("packages/{}/{project}/{name}", project.shard()))?;
            let answer = self.ask(&path)?;
            let expected = match &answer {
                Answer::Terminated(role) => is_signed && *role == own,
                Answer::Unclaimed => !is_signed,
                _ => false,
            };
            if !expected {
                return Err(not_found(&path, &answer));
            }
        }
        Ok(())
    }

    fn ask(&self, path: &TargetPath) -> Result<Answer, RepositoryError> {
        let top = std::sync::Arc::clone(&self.top);
        let (mut lookup, mut step) = Lookup::start(self.snapped, top, path.clone());
        loop {
            step = match step {
                Step::Done(answer) => return Ok(answer),
                Step::Fetch(request) => match (self.file_of)(&request.role, request.version)? {
                    Some(bytes) => lookup.supply(self.snapped, &bytes),
                    None => Step::Done(lookup.unavailable("not in the batch".to_owned())),
                },
            };
        }
    }
}

fn not_found(path: &TargetPath, answer: &Answer) -> RepositoryError {
    RepositoryError::RehearsalLookup {
        path: path.to_string(),
        role: describe(answer),
    }
}

fn describe(answer: &Answer) -> String {
    match answer {
        Answer::Found(target) => format!("{} with other bytes", target.role()),
        Answer::Terminated(role) => format!("{role}, which ends the search"),
        Answer::Unclaimed => "no role".to_owned(),
        Answer::Failed { role, why } => format!("{role}: {why}"),
    }
}
