//! One session: a snapshot that stays the same, and the search for who speaks for a path (TUF 5.6.7).

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, Utc};
use metadata::{Role, TargetPath, Targets};
use trust::{Answer, Failure, Lookup, Rejection, Request, Snapped, Step, Verified, Walked};

use crate::fetch::fetch_role;
use crate::updater::{Shared, rejection};

/// What may be believed for the time of one update. Every answer it gives is from one snapshot.
pub struct Session {
    pub(crate) shared: Arc<Shared>,
    pub(crate) snapped: Snapped,
    targets: Arc<Verified<Targets>>,
    /// One gate a role: whoever comes second finds what the first has fetched.
    gates: Mutex<BTreeMap<Role, Arc<tokio::sync::Mutex<()>>>>,
    fetched: Mutex<BTreeMap<Role, Fetched>>,
    vanished: AtomicBool,
}

/// What came of fetching a role in this session; it is not fetched twice.
#[derive(Clone)]
enum Fetched {
    /// Accepted, and kept in the datastore.
    Stored,
    /// Kept here: refused for the delegator that asked first, or accepted but not storable.
    Bytes(Arc<[u8]>),
    /// Not there, or too large.
    Failed(Failure),
}

/// A search that ended before the first hashed bin: what is delegated by name has been asked and
/// leaves the path to the bins.
#[derive(Debug)]
pub(crate) struct LeftToBins;

impl Session {
    pub(crate) fn new(
        shared: Arc<Shared>,
        snapped: Snapped,
        targets: Arc<Verified<Targets>>,
    ) -> Self {
        Self {
            shared,
            snapped,
            targets,
            gates: Mutex::default(),
            fetched: Mutex::default(),
            vanished: AtomicBool::new(false),
        }
    }

    /// Root, timestamp and snapshot in force.
    #[must_use]
    pub fn snapped(&self) -> &Snapped {
        &self.snapped
    }

    /// The top-level targets role in force.
    #[must_use]
    pub fn targets(&self) -> &Arc<Verified<Targets>> {
        &self.targets
    }

    /// Until when it may be used: the first expiry among the top-level roles.
    #[must_use]
    pub fn valid_until(&self) -> DateTime<Utc> {
        let expiries = [
            self.snapped.root().expires,
            self.snapped.timestamp().expires,
            self.snapped.snapshot().expires,
            self.targets.expires,
        ];
        let first = self.targets.expires.instant();
        expiries
            .iter()
            .fold(first, |first, expiry| first.min(expiry.instant()))
    }

    /// Whether a file was missing that this session's snapshot leads to. It may have been swept
    /// since: a new refresh may help (PEP 458 "Consistent Snapshots").
    #[must_use]
    pub fn has_vanished(&self) -> bool {
        self.vanished.load(Ordering::Relaxed)
    }

    /// Finds who speaks for a path (TUF 5.6.7): delegated roles in pre-order, each fetched when it
    /// is its turn and at most once a session.
    pub async fn find(&self, path: &TargetPath) -> Answer {
        let (answer, _) = self.walk(path, |_| false).await;
        answer.unwrap_or_else(|LeftToBins| Answer::Failed {
            role: Role::Targets,
            why: Failure::Unavailable("the search was not ended".to_owned()),
        })
    }

    /// Like [`Session::find`], but asks no hashed bin.
    pub(crate) async fn find_before_bins(&self, path: &TargetPath) -> Result<Answer, LeftToBins> {
        self.walk(path, Lookup::asks_for_bin).await.0
    }

    /// The roles, delegated by name, that are asked for a path; those verified before one that fails.
    pub(crate) async fn asked_before_bins(&self, path: &TargetPath) -> Vec<Arc<Verified<Targets>>> {
        let (_, lookup) = self.walk(path, Lookup::asks_for_bin).await;
        lookup.entered().to_vec()
    }

    /// Searches until the end, or until `is_end` says so; the search itself, too.
    pub(crate) async fn walk(
        &self,
        path: &TargetPath,
        is_end: impl Fn(&Lookup) -> bool,
    ) -> (Result<Answer, LeftToBins>, Lookup) {
        let targets = Arc::clone(&self.targets);
        let (mut lookup, mut step) = Lookup::start(&self.snapped, targets, path.clone());
        loop {
            let request = match step {
                Step::Done(answer) => return (Ok(answer), lookup),
                Step::Fetch(request) => request,
            };
            if is_end(&lookup) {
                return (Err(LeftToBins), lookup);
            }
            step = self.follow(&mut lookup, &request).await;
        }
    }

    /// Answers one [`Step::Fetch`]: from memory, from the datastore, or else from the repository.
    async fn follow(&self, lookup: &mut Lookup, request: &Request) -> Step {
        let gate = Arc::clone(locked(&self.gates).entry(request.role.clone()).or_default());
        let _alone = gate.lock().await;
        if let Some(step) = lookup.reuse(&self.snapped, &self.walked()) {
            return step;
        }
        let fetched = locked(&self.fetched).get(&request.role).cloned();
        match &fetched {
            Some(Fetched::Bytes(file)) => return self.supply(lookup, file),
            Some(Fetched::Failed(why)) => return failed(request, why.clone()),
            Some(Fetched::Stored) | None => {}
        }
        if let Some(file) = self.stored(request).await {
            // Verified against the delegator that asks now, whoever asked when it was stored.
            let step = self.supply(lookup, &file);
            let asked_already = fetched.is_some() && is_unsigned(&step);
            if lookup.accepted().is_some() || asked_already {
                return step;
            }
            // Another version, which a newer session or another process has stored since.
        }
        self.fetch(lookup, request).await
    }

    async fn fetch(&self, lookup: &mut Lookup, request: &Request) -> Step {
        let versioned = self.snapped.root().consistent_snapshot;
        let url = self
            .shared
            .metadata
            .role(&request.role, versioned.then_some(request.version));
        let asked = (&request.role, Some(request.version));
        let transport = &*self.shared.transport;
        let (outcome, step) = match fetch_role(transport, &url, asked, request.limit).await {
            Ok(file) => {
                let step = self.supply(lookup, &file);
                let stored = lookup
                    .accepted()
                    .map(|accepted| Arc::clone(accepted.role()));
                match stored {
                    Some(role) => (self.store(&role).await, step),
                    None => (Fetched::Bytes(file.into()), step),
                }
            }
            Err(error) => {
                if error.is_not_found() {
                    self.vanished.store(true, Ordering::Relaxed);
                }
                let why = rejection(&error).cloned().map_or_else(
                    || Failure::Unavailable(with_cause(&error)),
                    Failure::Rejected,
                );
                (Fetched::Failed(why.clone()), failed(request, why))
            }
        };
        locked(&self.fetched).insert(request.role.clone(), outcome);
        step
    }

    fn supply(&self, lookup: &mut Lookup, file: &[u8]) -> Step {
        let step = lookup.supply(&self.snapped, file);
        if let Some(accepted) = lookup.accepted() {
            self.walked().keep(accepted);
        }
        step
    }

    async fn stored(&self, request: &Request) -> Option<Vec<u8>> {
        match self
            .shared
            .datastore
            .read(&request.role, request.limit)
            .await
        {
            Ok(file) => file,
            Err(error) => {
                tracing::warn!(role = %request.role, error = %with_cause(&error), "cache not read");
                None
            }
        }
    }

    /// A role that cannot be stored is as good for this session; the next one fetches it again.
    async fn store(&self, role: &Verified<Targets>) -> Fetched {
        if let Err(error) = self.shared.datastore.store(role).await {
            tracing::warn!(role = %role.role(), error = %with_cause(&error), "cache not written");
            return Fetched::Bytes(role.file().into());
        }
        Fetched::Stored
    }

    /// Every role that a search of this session has asked for, whatever came of it.
    pub(crate) fn asked(&self) -> Vec<Role> {
        locked(&self.gates).keys().cloned().collect()
    }

    /// The file of a role that was asked for: of the version of this session's snapshot, as far as
    /// anybody knows. It counts only after it is verified again.
    pub(crate) async fn held_file(&self, request: &Request) -> Option<Vec<u8>> {
        let fetched = locked(&self.fetched).get(&request.role).cloned();
        match fetched {
            Some(Fetched::Bytes(file)) => Some(file.to_vec()),
            Some(Fetched::Failed(_)) => None,
            Some(Fetched::Stored) | None => self.stored(request).await,
        }
    }

    fn walked(&self) -> MutexGuard<'_, Walked> {
        locked(&self.shared.walked)
    }

    pub(crate) fn note_vanished(&self) {
        self.vanished.store(true, Ordering::Relaxed);
    }
}

fn failed(request: &Request, why: Failure) -> Step {
    Step::Done(Answer::Failed {
        role: request.role.clone(),
        why,
    })
}

/// Whether a file was refused for its signatures: fetching the same version again is of no use.
fn is_unsigned(step: &Step) -> bool {
    let Step::Done(Answer::Failed { why, .. }) = step else {
        return false;
    };
    matches!(why, Failure::Rejected(Rejection::Signatures { .. }))
}

/// The maps and caches behind these locks are whole between any two statements.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// An error and its causes in one line.
pub(crate) fn with_cause(error: &dyn std::error::Error) -> String {
    let mut out = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        out.push_str(": ");
        out.push_str(&cause.to_string());
        next = cause.source();
    }
    out
}
