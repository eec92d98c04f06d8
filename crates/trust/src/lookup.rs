//! Who speaks for a target path: the search of TUF 5.6.7, one role at a time, so that the caller
//! fetches and this crate decides.

use std::collections::BTreeSet;
use std::sync::Arc;

use metadata::{
    DelegatedRole, DelegatedRoles, Delegations, HashCheck, PathSet, Role, RoleKeys, RoleName,
    Sha256, TargetFile, TargetPath, Targets,
};

use crate::verified::{Authority, Verified};
use crate::walked::Accepted;
use crate::{Mismatch, Rejection, Request, Snapped};

/// A delegation of a verified role: the only way to have one is [`Verified::edges`] and its like.
pub struct Edge<'a> {
    delegator: &'a Verified<Targets>,
    delegations: &'a Delegations,
    name: RoleName,
    keys: &'a RoleKeys,
    terminating: bool,
    bin: bool,
}

impl Edge<'_> {
    /// The delegated role.
    #[must_use]
    pub fn name(&self) -> &RoleName {
        &self.name
    }

    /// Whether the search ends after it and its own delegations.
    #[must_use]
    pub fn is_terminating(&self) -> bool {
        self.terminating
    }

    /// Whether the role is a bin: delegated by the hash of the path, not by the path (TAP 15).
    #[must_use]
    pub fn is_bin(&self) -> bool {
        self.bin
    }

    /// The role that delegates.
    #[must_use]
    pub fn delegator(&self) -> &Role {
        self.delegator.role()
    }

    pub(crate) fn authority(&self) -> Authority<'_> {
        Authority::new(
            self.delegator.role().name(),
            &self.delegations.keys,
            self.keys,
        )
    }
}

impl Verified<Targets> {
    /// The delegations that cover a path, in order of priority.
    #[must_use]
    pub fn edges(&self, path: &TargetPath, hash: &Sha256) -> Vec<Edge<'_>> {
        let Some(delegations) = &self.delegations else {
            return Vec::new();
        };
        match &delegations.roles {
            DelegatedRoles::Listed(roles) => roles
                .iter()
                .filter(|role| role.paths.covers(path, hash))
                .map(|role| self.listed_edge(delegations, role))
                .collect(),
            DelegatedRoles::Succinct(bins) => bins
                .name(bins.bin_of(hash))
                .map(|name| self.bin_edge(delegations, name, &bins.keys))
                .into_iter()
                .collect(),
        }
    }

    /// Every delegation, in order: for an audit or a rehearsal that walks a whole repository.
    #[must_use]
    pub fn all_edges(&self) -> Box<dyn Iterator<Item = Edge<'_>> + '_> {
        let Some(delegations) = &self.delegations else {
            return Box::new(std::iter::empty());
        };
        match &delegations.roles {
            DelegatedRoles::Listed(roles) => Box::new(
                roles
                    .iter()
                    .map(move |role| self.listed_edge(delegations, role)),
            ),
            DelegatedRoles::Succinct(bins) => {
                // TAP 15 allows 2^32; no repository of ours has more than 2^14.
                let count = u32::try_from(bins.count()).unwrap_or(u32::MAX);
                Box::new((0..count).filter_map(move |bin| {
                    let name = bins.name(bin).ok()?;
                    Some(self.bin_edge(delegations, name, &bins.keys))
                }))
            }
        }
    }

    /// The delegation to one role.
    #[must_use]
    pub fn edge_to(&self, name: &RoleName) -> Option<Edge<'_>> {
        self.all_edges().find(|edge| edge.name() == name)
    }

    fn listed_edge<'a>(
        &'a self,
        delegations: &'a Delegations,
        role: &'a DelegatedRole,
    ) -> Edge<'a> {
        Edge {
            delegator: self,
            delegations,
            name: role.name.clone(),
            keys: &role.keys,
            terminating: role.terminating,
            bin: matches!(role.paths, PathSet::HashPrefixes(_)),
        }
    }

    fn bin_edge<'a>(
        &'a self,
        delegations: &'a Delegations,
        name: RoleName,
        keys: &'a RoleKeys,
    ) -> Edge<'a> {
        Edge {
            delegator: self,
            delegations,
            name,
            keys,
            terminating: false,
            bin: true,
        }
    }
}

/// A target file as a verified role lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedTarget {
    path: TargetPath,
    role: Role,
    file: TargetFile,
}

impl VerifiedTarget {
    /// The path.
    #[must_use]
    pub fn path(&self) -> &TargetPath {
        &self.path
    }

    /// The role that answered for it.
    #[must_use]
    pub fn role(&self) -> &Role {
        &self.role
    }

    /// Length, hashes, custom data.
    #[must_use]
    pub fn file(&self) -> &TargetFile {
        &self.file
    }

    /// Starts checking the file's bytes as they come in (TUF 5.7.3).
    #[must_use]
    pub fn check(&self) -> TargetCheck<'_> {
        TargetCheck {
            target: self,
            hashes: self.file.hashes.check(),
            length: 0,
        }
    }

    /// Whether `bytes` is the file.
    pub fn check_bytes(&self, bytes: &[u8]) -> Result<(), Rejection> {
        let mut check = self.check();
        check.update(bytes)?;
        check.finish()
    }

    fn mismatch(&self, why: Mismatch) -> Rejection {
        Rejection::TargetMismatch {
            path: self.path.clone(),
            role: self.role.clone(),
            why,
        }
    }
}

/// A target file being checked.
pub struct TargetCheck<'a> {
    target: &'a VerifiedTarget,
    hashes: HashCheck,
    length: u64,
}

impl TargetCheck<'_> {
    /// Adds the next piece; more bytes than listed are refused at once (endless data).
    pub fn update(&mut self, piece: &[u8]) -> Result<(), Rejection> {
        self.length += piece.len() as u64;
        let listed = self.target.file.length;
        if self.length > listed {
            return Err(self.target.mismatch(Mismatch::Longer { listed }));
        }
        self.hashes.update(piece);
        Ok(())
    }

    /// Whether all bytes were there and fit.
    pub fn finish(self) -> Result<(), Rejection> {
        let (listed, found) = (self.target.file.length, self.length);
        if found != listed {
            return Err(self.target.mismatch(Mismatch::Length { listed, found }));
        }
        if !self.hashes.finish() {
            return Err(self.target.mismatch(Mismatch::Hash));
        }
        Ok(())
    }
}

/// The end of a search.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// This role lists the path.
    Found(VerifiedTarget),
    /// A terminating role covers the path and does not list it: nobody after it may (TUF 4.5).
    Terminated(Role),
    /// Every role that covers the path was verified and walked; none lists it.
    Unclaimed,
    /// A role on the way could not be verified or had; that ends the search (TUF 5.6.7) and is never
    /// the same as "not there".
    Failed {
        /// The role.
        role: Role,
        /// Why.
        why: Failure,
    },
}

/// Why a search failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// The role was refused.
    #[error(transparent)]
    Rejected(#[from] Rejection),
    /// The role could not be fetched.
    #[error("could not be fetched: {0}")]
    Unavailable(String),
}

/// What the search needs next, or its end.
#[derive(Debug)]
pub enum Step {
    /// Fetch this role's file and hand it to [`Lookup::supply`].
    Fetch(Request),
    /// The answer.
    Done(Answer),
}

/// One search, in pre-order from the top-level targets role.
pub struct Lookup {
    pub(crate) path: TargetPath,
    pub(crate) hash: Sha256,
    stack: Vec<Frame>,
    visited: BTreeSet<RoleName>,
    pub(crate) accepted: Option<Accepted>,
}

/// A role being walked: its covering delegations not yet visited, the next one last.
pub(crate) struct Frame {
    pub(crate) role: Arc<Verified<Targets>>,
    pending: Vec<RoleName>,
    terminating: bool,
}

impl Lookup {
    /// Starts at the top-level targets role.
    #[must_use]
    pub fn start(
        snapped: &Snapped,
        targets: Arc<Verified<Targets>>,
        path: TargetPath,
    ) -> (Self, Step) {
        let hash = path.hash();
        let mut lookup = Self {
            path,
            hash,
            stack: Vec::new(),
            visited: BTreeSet::new(),
            accepted: None,
        };
        let step = lookup.enter(snapped, targets, false);
        (lookup, step)
    }

    /// Goes on with the file of the role asked for by the last [`Step::Fetch`].
    pub fn supply(&mut self, snapped: &Snapped, file: &[u8]) -> Step {
        self.accepted = None;
        // Without an open question the answer must not be mistaken for "nobody lists it".
        let Some((frame, name)) = self.next_edge() else {
            return nothing_asked();
        };
        let role = Role::Delegated(name.clone());
        let delegator = Arc::clone(&frame.role);
        let edges = delegator.edges(&self.path, &self.hash);
        let Some(edge) = edges.into_iter().find(|edge| *edge.name() == name) else {
            return nothing_asked();
        };
        let verified = match snapped.delegate(&edge, file) {
            Ok(verified) => Arc::new(verified),
            Err(why) => return failed(role, why.into()),
        };
        self.accepted = snapped
            .snapshot()
            .get(&role)
            .map(|listed| Accepted::new(delegator.sha256(), listed.clone(), Arc::clone(&verified)));
        self.take_edge(snapped, name, verified, edge.is_terminating())
    }

    /// Enters a role verified by the edge just asked for.
    pub(crate) fn take_edge(
        &mut self,
        snapped: &Snapped,
        name: RoleName,
        role: Arc<Verified<Targets>>,
        terminating: bool,
    ) -> Step {
        if let Some(frame) = self.stack.last_mut() {
            frame.pending.pop();
        }
        self.visited.insert(name);
        self.enter(snapped, role, terminating)
    }

    /// Ends the search because the role asked for could not be fetched.
    #[must_use]
    pub fn unavailable(&self, why: String) -> Answer {
        let role = self
            .stack
            .last()
            .and_then(|frame| frame.pending.last())
            .map_or(Role::Targets, |name| Role::Delegated(name.clone()));
        Answer::Failed {
            role,
            why: Failure::Unavailable(why),
        }
    }

    fn enter(
        &mut self,
        snapped: &Snapped,
        role: Arc<Verified<Targets>>,
        terminating: bool,
    ) -> Step {
        if let Some(file) = role.get(&self.path) {
            return Step::Done(Answer::Found(VerifiedTarget {
                path: self.path.clone(),
                role: role.role().clone(),
                file: file.clone(),
            }));
        }
        let mut pending: Vec<RoleName> = role
            .edges(&self.path, &self.hash)
            .into_iter()
            .map(|edge| edge.name)
            .collect();
        pending.reverse();
        self.stack.push(Frame {
            role,
            pending,
            terminating,
        });
        self.advance(snapped)
    }

    /// Moves to the next role to fetch, leaving roles whose delegations are exhausted.
    fn advance(&mut self, snapped: &Snapped) -> Step {
        while let Some(frame) = self.stack.last_mut() {
            let Some(name) = frame.pending.last().cloned() else {
                if frame.terminating {
                    return Step::Done(Answer::Terminated(frame.role.role().clone()));
                }
                self.stack.pop();
                continue;
            };
            // TUF 5.6.7.1: a role visited before is skipped, which also ends cycles.
            if self.visited.contains(&name) {
                frame.pending.pop();
                continue;
            }
            let role = Role::Delegated(name);
            let limit = snapped.rules().limits.delegations;
            if self.visited.len() >= limit {
                let why = Rejection::TooManyRoles {
                    path: self.path.clone(),
                    limit,
                };
                return failed(role, why.into());
            }
            return match snapped.request(&role) {
                Ok(request) => Step::Fetch(request),
                Err(why) => failed(role, why.into()),
            };
        }
        Step::Done(Answer::Unclaimed)
    }

    pub(crate) fn next_edge(&self) -> Option<(&Frame, RoleName)> {
        let frame = self.stack.last()?;
        Some((frame, frame.pending.last()?.clone()))
    }
}

fn nothing_asked() -> Step {
    failed(
        Role::Targets,
        Failure::Unavailable("no role was asked for".to_owned()),
    )
}

fn failed(role: Role, why: Failure) -> Step {
    Step::Done(Answer::Failed { role, why })
}
