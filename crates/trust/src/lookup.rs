//! Who speaks for a target path: the search of TUF 5.6.7, one role at a time, so that the caller
//! fetches and this crate decides.

use std::collections::BTreeSet;
use std::sync::Arc;

use metadata::{Role, RoleName, Sha256, TargetPath, Targets};

use crate::target::VerifiedTarget;
use crate::verified::Verified;
use crate::walked::Accepted;
use crate::{Rejection, Request, Snapped};

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
    entered: Vec<Arc<Verified<Targets>>>,
    pub(crate) accepted: Option<Accepted>,
}

/// A role being walked: its covering delegations not yet visited, the next one last.
pub(crate) struct Frame {
    pub(crate) role: Arc<Verified<Targets>>,
    pending: Vec<Pending>,
    terminating: bool,
}

/// What is known of a delegation that covers the path: looked up once, as a role may have thousands of bins.
#[derive(Clone)]
pub(crate) struct Pending {
    pub(crate) name: RoleName,
    pub(crate) terminating: bool,
    pub(crate) bin: bool,
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
            entered: Vec::new(),
            accepted: None,
        };
        let step = lookup.enter(snapped, targets, false);
        (lookup, step)
    }

    /// Goes on with the file of the role asked for by the last [`Step::Fetch`].
    pub fn supply(&mut self, snapped: &Snapped, file: &[u8]) -> Step {
        self.accepted = None;
        // Without an open question the answer must not be mistaken for "nobody lists it".
        let Some((frame, next)) = self.next_edge() else {
            return nothing_asked();
        };
        let Pending { name, .. } = next.clone();
        let role = Role::Delegated(name.clone());
        let delegator = Arc::clone(&frame.role);
        let Some(edge) = delegator.edge(&name, &self.path, &self.hash) else {
            return nothing_asked();
        };
        let verified = match snapped.delegate(&edge, file) {
            Ok(verified) => Arc::new(verified),
            Err(why) => return failed(role, why.into()),
        };
        self.accepted = snapped.snapshot().get(&role).map(|listed| {
            Accepted::new(delegator.sha256(), listed.to_owned(), Arc::clone(&verified))
        });
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
            .map_or(Role::Targets, |next| Role::Delegated(next.name.clone()));
        Answer::Failed {
            role,
            why: Failure::Unavailable(why),
        }
    }

    /// The roles that were asked so far, in order, those that list other paths alone included.
    #[must_use]
    pub fn entered(&self) -> &[Arc<Verified<Targets>>] {
        &self.entered
    }

    fn enter(
        &mut self,
        snapped: &Snapped,
        role: Arc<Verified<Targets>>,
        terminating: bool,
    ) -> Step {
        self.entered.push(Arc::clone(&role));
        if let Some(file) = role.get(&self.path) {
            return Step::Done(Answer::Found(VerifiedTarget {
                path: self.path.clone(),
                role: role.role().clone(),
                file: file.clone(),
            }));
        }
        let mut pending: Vec<Pending> = role
            .edges(&self.path, &self.hash)
            .into_iter()
            .map(|edge| Pending {
                terminating: edge.is_terminating(),
                bin: edge.is_bin(),
                name: edge.name,
            })
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
            let Some(next) = frame.pending.last() else {
                if frame.terminating {
                    return Step::Done(Answer::Terminated(frame.role.role().clone()));
                }
                self.stack.pop();
                continue;
            };
            // TUF 5.6.7.1: a role visited before is skipped, which also ends cycles.
            if self.visited.contains(&next.name) {
                frame.pending.pop();
                continue;
            }
            let role = Role::Delegated(next.name.clone());
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

    pub(crate) fn next_edge(&self) -> Option<(&Frame, &Pending)> {
        let frame = self.stack.last()?;
        Some((frame, frame.pending.last()?))
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
