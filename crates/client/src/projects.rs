//! All projects of an index. Nobody signs a list of them: it is made of what is signed, the project pages
//! that the hashed bins list. So it is complete or there is none.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures_util::{StreamExt, stream};
use index::{IndexPath, ProjectName, page_path};
use metadata::{Role, TargetPath, Targets};
use trust::{Answer, Lookup, Verified};

use crate::error::found;
use crate::session::LeftToBins;
use crate::{ClientError, Session};

/// Bins asked for at a time.
const AT_A_TIME: usize = 8;

/// Names tried for each bin, so that every bin is asked for some name. With 64 a bin of 1,024 is left
/// out with probability e^-64, about 10^-28.
const NAMES_PER_BIN: usize = 64;

impl Session {
    /// The projects of the index: those whose page is found where everybody looks for it. `None` if it
    /// has more than `most_bins` bins, each of which would have to be fetched and verified.
    ///
    /// A bin that cannot be had or verified is an error: a list without it would say that its projects
    /// are not there.
    pub async fn projects(
        &self,
        most_bins: usize,
    ) -> Result<Option<BTreeSet<ProjectName>>, ClientError> {
        let Some(probe) = probe(0) else {
            return Ok(Some(BTreeSet::new()));
        };
        let (answer, lookup) = self.walk(&probe, Lookup::asks_for_bin).await;
        if let Ok(Answer::Failed { role, why }) = answer {
            found(&probe, Answer::Failed { role, why })?;
        }
        let before = lookup.entered().to_vec();
        let mut roles = before.clone();
        if let Some(delegator) = before.iter().find(|role| bins_of(role).next().is_some()) {
            let bins: BTreeSet<Role> = bins_of(delegator).take(most_bins + 1).collect();
            if bins.len() > most_bins {
                return Ok(None);
            }
            roles.extend(self.all_bins(delegator, &bins).await?);
        }
        let mut projects = BTreeSet::new();
        for role in &roles {
            for (path, _) in role.targets() {
                let Ok(IndexPath::Page(project)) = IndexPath::parse(path) else {
                    continue;
                };
                if self.is_heard(role, path).await? {
                    projects.insert(project);
                }
            }
        }
        Ok(Some(projects))
    }

    /// The bins, each by a name whose page would be in it.
    async fn all_bins(
        &self,
        delegator: &Verified<Targets>,
        bins: &BTreeSet<Role>,
    ) -> Result<Vec<Arc<Verified<Targets>>>, ClientError> {
        let mut probes: BTreeMap<Role, TargetPath> = BTreeMap::new();
        let tries = bins.len().saturating_mul(NAMES_PER_BIN);
        for probe in (0..tries).filter_map(probe) {
            if probes.len() == bins.len() {
                break;
            }
            if let Some(bin) = bin_of(delegator, &probe) {
                probes.entry(bin).or_insert(probe);
            }
        }
        let asked = probes.into_iter().map(async |(bin, probe)| {
            let (answer, lookup) = self.walk(&probe, |_| false).await;
            if let Ok(Answer::Failed { role, why }) = answer {
                found(&probe, Answer::Failed { role, why })?;
            }
            let mut entered = lookup.entered().iter();
            Ok::<_, ClientError>(entered.find(|role| *role.role() == bin).cloned())
        });
        let mut asked = stream::iter(asked).buffer_unordered(AT_A_TIME);
        let mut roles = Vec::new();
        while let Some(role) = asked.next().await {
            roles.extend(role?);
        }
        Ok(roles)
    }

    /// Whether whoever looks for a path that this role lists finds it there, or with a role that is
    /// asked before.
    async fn is_heard(
        &self,
        lister: &Verified<Targets>,
        path: &TargetPath,
    ) -> Result<bool, ClientError> {
        let (answer, lookup) = self.walk(path, Lookup::asks_for_bin).await;
        Ok(match answer {
            Ok(Answer::Found(_)) => true,
            Ok(Answer::Terminated(_) | Answer::Unclaimed) => false,
            Ok(failed @ Answer::Failed { .. }) => found(path, failed).is_ok(),
            // The search goes on in the bin of this path, and in no other.
            Err(LeftToBins) => {
                let mut entered = lookup.entered().iter();
                entered.any(|role| bin_of(role, path).is_some_and(|bin| bin == *lister.role()))
            }
        })
    }
}

/// The page of a project that need not exist.
fn probe(number: usize) -> Option<TargetPath> {
    let project = ProjectName::parse(&format!("p{number}")).ok()?;
    Some(page_path(&project))
}

fn bins_of(delegator: &Verified<Targets>) -> impl Iterator<Item = Role> + '_ {
    let edges = delegator.all_edges().filter(trust::Edge::is_bin);
    edges.map(|edge| Role::Delegated(edge.name().clone()))
}

/// The bin that is asked for a path.
fn bin_of(delegator: &Verified<Targets>, path: &TargetPath) -> Option<Role> {
    let edges = delegator.edges(path, &path.hash());
    let bin = edges.into_iter().find(trust::Edge::is_bin)?;
    Some(Role::Delegated(bin.name().clone()))
}
