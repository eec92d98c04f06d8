//! The claims of a restored state, from what is published and what the backup knows (decision 0023).

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use claims::Registration;
use index::ProjectName;

use super::PublishedDevelopers;
use crate::change::{Change, ChangeId, Outcome};
use crate::claim_record::{ClaimRecord, ClaimStage, Granted};
use crate::error::RepositoryError;
use crate::record::Staged;
use crate::repository::Repository;

impl Repository {
    /// Writes down the claims as they are published. A claim that only the state knew of is as the backup
    /// has it. Nobody can tell which keys were registered since and not yet published, perhaps because
    /// those of before were stolen: so what such keys could change is held.
    pub(super) fn take_over_claims(
        &self,
        published: &PublishedDevelopers,
        now: DateTime<Utc>,
        staged: &mut Staged,
    ) -> Result<(), RepositoryError> {
        let mut known = self.state.claims()?;
        for (project, (stage, registration)) in &published.projects {
            let before = known.remove(project);
            let claim = taken_over(*stage, registration, before, now);
            staged.claims.push((project.clone(), Some(claim)));
        }
        for (project, claim) in known {
            // Released since, or never published.
            let left = (!claim.is_signed()).then_some(ClaimRecord {
                held: true,
                ..claim
            });
            staged.claims.push((project, left));
        }
        staged.recovered = Some(staged.signed);
        staged.outcomes = self.refused_since()?;
        Ok(())
    }

    /// What developers had sent before the backup was made was decided since, on a state that is lost.
    fn refused_since(&self) -> Result<Vec<(ChangeId, Outcome)>, RepositoryError> {
        let of_developers = |change: &Change| {
            matches!(
                change,
                Change::Claim(_) | Change::Transaction(_) | Change::Release(_)
            )
        };
        let pending = self.state.pending()?.into_iter();
        let pending = pending.filter(|one| of_developers(&one.change));
        Ok(pending
            .map(|one| {
                let why = format!(
                    "the index recovered its state after this was sent for {}: send it again",
                    one.change.project()
                );
                (one.id, Outcome::Refused(why))
            })
            .collect())
    }

    /// Lets the named projects be released again with the keys that they have: the operator knows that none
    /// were registered since the backup, or that these are right all the same. Gives those that were held.
    pub fn confirm_claims(
        &mut self,
        projects: &[ProjectName],
    ) -> Result<Vec<ProjectName>, RepositoryError> {
        let _lock = self.lock()?;
        let mut claims = self.state.claims()?;
        let held: BTreeMap<_, _> = projects
            .iter()
            .filter_map(|project| claims.remove_entry(project))
            .filter(|(_, claim)| claim.held)
            .collect();
        let confirmed: Vec<_> = held
            .into_iter()
            .map(|(project, claim)| {
                (
                    project,
                    Some(ClaimRecord {
                        held: false,
                        ..claim
                    }),
                )
            })
            .collect();
        self.state.settle(&[], &confirmed)?;
        Ok(confirmed.into_iter().map(|(project, _)| project).collect())
    }
}

/// A published claim, with what the backup knows of it.
fn taken_over(
    stage: ClaimStage,
    published: &Registration,
    before: Option<ClaimRecord>,
    now: DateTime<Utc>,
) -> ClaimRecord {
    let since = before.as_ref().filter(|before| before.stage == stage);
    let since = since.map_or(now, |before| before.since);
    let (mut in_force, mut next) = before.map_or((None, None), |one| (one.in_force, one.next));
    let is_published = |granted: &Granted| granted.registration == *published;
    if !in_force.as_ref().is_some_and(is_published) {
        // Other keys came into force since. Those that waited for it are these, or were replaced.
        in_force = next.take().filter(is_published);
    }
    let found = || Granted {
        registration: published.clone(),
        evidence: None,
        received: now,
    };
    ClaimRecord {
        stage,
        since,
        in_force: Some(in_force.unwrap_or_else(found)),
        next,
        held: true,
    }
}
