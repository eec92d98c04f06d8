//! Verifies every delegated role, each by the keys of the role that delegates to it.

use std::collections::VecDeque;

use client::{ClientError, Datastore, Session};
use futures_util::StreamExt;
use futures_util::stream::FuturesOrdered;
use metadata::{DelegatedRoles, Delegations, Role, RoleKeys, Targets};
use trust::{Edge, Rejection, Verified};

use crate::at_once::fill;
use crate::error::AuditError;
use crate::finding::{Finding, Findings};
use crate::limits::ROLES;
use crate::progress::{Progress, Stage};
use crate::reading::Reading;
use crate::report::{RoleReport, TombstoneReport};
use crate::source::Source;
use crate::tombstones;

/// What a walk needs.
pub(crate) struct Walk<'a> {
    pub(crate) source: &'a Source,
    pub(crate) session: &'a Session,
    /// Where the session looks first, so that what was verified here is not fetched again.
    pub(crate) datastore: &'a Datastore,
    pub(crate) progress: &'a dyn Progress,
}

/// What a walk has found.
#[derive(Default)]
pub(crate) struct Walked {
    pub(crate) reading: Reading,
    pub(crate) reports: Vec<RoleReport>,
    pub(crate) tombstones: Vec<TombstoneReport>,
    edges: u64,
}

/// A delegation, its keys, and the role it leads to.
type Outcome<'e> = (
    Edge<'e>,
    &'e RoleKeys,
    Result<Verified<Targets>, ClientError>,
);

impl Walk<'_> {
    /// Walks all delegations, level by level. The entries come back sorted.
    pub(crate) async fn run(&self, findings: &mut Findings) -> Result<Walked, AuditError> {
        let mut walked = Walked::default();
        let targets = self.session.targets();
        let first = walked.reading.add(Verified::clone(targets), Role::Root);
        let mut queue: VecDeque<usize> = first.into_iter().collect();
        while let Some(at) = queue.pop_front() {
            let level = self.level(at, &mut walked, findings).await?;
            queue.extend(level);
        }
        walked.reading.sort();
        walked.tombstones = tombstones::check_all(self, &walked.reading, findings).await;
        Ok(walked)
    }

    /// Follows the delegations of one node. Returns the nodes that delegate further.
    async fn level(
        &self,
        at: usize,
        walked: &mut Walked,
        findings: &mut Findings,
    ) -> Result<Vec<usize>, AuditError> {
        let mut further = Vec::new();
        let Some(delegator) = walked.reading.nodes[at].document.clone() else {
            return Ok(further);
        };
        let Some(delegations) = &delegator.delegations else {
            return Ok(further);
        };
        walked.edges = within_limit(delegator.role(), walked.edges, delegations)?;
        let edges: Vec<_> = delegator.all_edges().collect();
        let mut edges = edges.into_iter().zip(keys_in_order(delegations));
        let mut running = FuturesOrdered::new();
        loop {
            fill(&mut running, &mut edges, |(edge, keys)| {
                self.verify(edge, keys)
            });
            let Some(outcome) = running.next().await else {
                return Ok(further);
            };
            further.extend(walked.take(at, outcome?, findings));
            let done = walked.reports.len() as u64;
            self.progress.step(Stage::Roles, done, walked.edges);
        }
    }

    /// Fetches and verifies one role. What fails in the datastore is no fault of the repository.
    async fn verify<'e>(
        &self,
        edge: Edge<'e>,
        keys: &'e RoleKeys,
    ) -> Result<Outcome<'e>, AuditError> {
        let role = self.fetch(&edge).await;
        if let Ok(role) = &role {
            self.datastore.store(role).await?;
        }
        Ok((edge, keys, role))
    }

    async fn fetch(&self, edge: &Edge<'_>) -> Result<Verified<Targets>, ClientError> {
        let snapped = self.session.snapped();
        let request = snapped.request(&Role::Delegated(edge.name().clone()))?;
        let versioned = snapped.root().consistent_snapshot;
        let file = self.source.role(&request, versioned).await?;
        Ok(snapped.delegate(edge, &file)?)
    }
}

impl Walked {
    /// Notes what came of following a delegation of node `at`. Returns the new node, if it delegates
    /// further.
    fn take(
        &mut self,
        at: usize,
        (edge, keys, role): Outcome<'_>,
        findings: &mut Findings,
    ) -> Option<usize> {
        let (reading, name) = (&mut self.reading, edge.name());
        let role = match role {
            Ok(role) if reading.node(name).is_none() => role,
            Ok(_) => {
                findings.add(twice(&edge, reading));
                return None;
            }
            Err(error) => {
                reading.add_broken(at, name, rejection(&error));
                findings.add(broken(&edge, error));
                return None;
            }
        };
        let listed = role.targets().len();
        self.reports
            .push(RoleReport::new(&role, edge.delegator(), keys, listed));
        reading.add(role, edge.delegator().clone())
    }
}

/// Counts delegations before they are followed: a few bytes can ask for 2^32 of them (TAP 15).
fn within_limit(role: &Role, before: u64, delegations: &Delegations) -> Result<u64, AuditError> {
    let more = match &delegations.roles {
        DelegatedRoles::Listed(roles) => roles.len() as u64,
        DelegatedRoles::Succinct(bins) => bins.count(),
    };
    let found = before + more;
    if found > ROLES {
        return Err(AuditError::TooManyRoles {
            role: role.clone(),
            found,
            limit: ROLES,
        });
    }
    Ok(found)
}

/// The keys of each delegation, in the order of [`Verified::all_edges`].
fn keys_in_order(delegations: &Delegations) -> Box<dyn Iterator<Item = &RoleKeys> + Send + '_> {
    match &delegations.roles {
        DelegatedRoles::Listed(roles) => Box::new(roles.iter().map(|role| &role.keys)),
        DelegatedRoles::Succinct(bins) => Box::new(std::iter::repeat(&bins.keys)),
    }
}

fn broken(edge: &Edge<'_>, error: ClientError) -> Finding {
    Finding::Role {
        role: Role::Delegated(edge.name().clone()),
        delegator: edge.delegator().clone(),
        cause: error.into(),
    }
}

fn twice(edge: &Edge<'_>, reading: &Reading) -> Finding {
    let first = reading.node(edge.name()).map(|node| &reading.nodes[node]);
    Finding::TwoDelegators {
        role: Role::Delegated(edge.name().clone()),
        first: first.map_or(Role::Targets, |node| node.delegator.clone()),
        second: edge.delegator().clone(),
    }
}

fn rejection(error: &ClientError) -> Option<&Rejection> {
    match error {
        ClientError::Rejected(rejection) => Some(rejection),
        _ => None,
    }
}
