//! What a new version of a shard of `claimed` does to projects, held against what is registered. One rule
//! for the ceremony, which has the claims of the day it was planned, and for the index, which has those of
//! now: so that no ceremony revives keys that were replaced since (PEP 480 "Producing Consistent
//! Snapshots"; reference C.7, F4).

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use index::ProjectName;
use metadata::{Sha256, Targets, Value};
use policy::Claims;

use crate::{ClaimsExport, DelegatedProject, RegisteredKeys, delegated_projects};

/// The member of a shard with the digest of the registrations it was made from.
pub const REGISTRATIONS: &str = "x-registrations";

/// What becomes of a project.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ProjectChange {
    /// The offline role speaks of it instead of `recently-claimed`.
    Claimed,
    /// Its registered keys come into force.
    KeysReplaced {
        /// Whether enough of the keys of before have signed for them.
        vouched: bool,
    },
    /// The index speaks for it again.
    Released,
}

/// Why a shard is not what follows from the claims.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ShardFlaw {
    /// It delegates to something that is no project.
    #[error("it delegates to what is no project")]
    Layout,
    /// It does not say what it was made from.
    #[error("it does not say which registrations it was made from")]
    Unbound,
    /// Keys were registered, or a project released, since it was planned.
    #[error(
        "the registrations are not those it was planned with ({found}, and it was {expected}): somebody \
         has registered keys since, or a project was released"
    )]
    Registrations {
        /// The digest it was planned with.
        expected: Sha256,
        /// The digest of those of now.
        found: Sha256,
    },
    /// Nobody has signed for the project.
    #[error("no developers of {project} sign")]
    Unclaimed {
        /// The project.
        project: ProjectName,
    },
    /// Moved while other keys are registered.
    #[error(
        "{project} cannot be moved: other keys are registered for it, and its next release brings them"
    )]
    KeysPending {
        /// The project.
        project: ProjectName,
    },
    /// Other keys than those registered.
    #[error("{project} has other keys, or another threshold, than registered")]
    Keys {
        /// The project.
        project: ProjectName,
    },
    /// Keys that nobody vouches for, too early.
    #[error(
        "none, or too few, of the keys of {project} vouch for the registered ones: these can come into \
         force from {from} on",
        from = from.format("%Y-%m-%d %H:%M UTC")
    )]
    TooEarly {
        /// The project.
        project: ProjectName,
        /// When the waiting time is over.
        from: DateTime<Utc>,
    },
}

/// Says what `new` changes after `previous`, if it follows from `claims`. A version that delegates as the
/// one before changes nothing, whatever was registered since.
pub fn shard_changes(
    new: &Targets,
    previous: Option<&Targets>,
    claims: &ClaimsExport,
    policy: &Claims,
    now: DateTime<Utc>,
) -> Result<BTreeMap<ProjectName, ProjectChange>, ShardFlaw> {
    let after = delegated_projects(new).ok_or(ShardFlaw::Layout)?;
    let before = previous.map(delegated_projects);
    let before = before.unwrap_or_default().unwrap_or_default();
    if after == before {
        return Ok(BTreeMap::new());
    }
    let names: BTreeSet<&ProjectName> = before.keys().chain(after.keys()).collect();
    let expected = registrations_of(new).ok_or(ShardFlaw::Unbound)?;
    let found = claims.registrations(names.iter().copied());
    if found != expected {
        return Err(ShardFlaw::Registrations { expected, found });
    }
    let mut changes = BTreeMap::new();
    for name in names {
        let change = match (before.get(name), after.get(name)) {
            (_, None) => Some(ProjectChange::Released),
            (old, Some(listed)) => change_of(old, listed, claims, policy, now)?,
        };
        changes.extend(change.map(|change| (name.clone(), change)));
    }
    Ok(changes)
}

fn change_of(
    old: Option<&DelegatedProject>,
    listed: &DelegatedProject,
    claims: &ClaimsExport,
    policy: &Claims,
    now: DateTime<Utc>,
) -> Result<Option<ProjectChange>, ShardFlaw> {
    if old == Some(listed) {
        return Ok(None);
    }
    let project = listed.project.clone();
    let claim = claims.projects.get(&project);
    let Some(claim) = claim.filter(|claim| claim.is_claimed == old.is_some()) else {
        return Err(ShardFlaw::Unclaimed { project });
    };
    let lists =
        |keys: &RegisteredKeys| listed.keys == keys.keys && listed.role_keys == keys.role_keys();
    if old.is_none() {
        return match &claim.next {
            Some(_) => Err(ShardFlaw::KeysPending { project }),
            None if lists(&claim.in_force) => Ok(Some(ProjectChange::Claimed)),
            None => Err(ShardFlaw::Keys { project }),
        };
    }
    let Some(next) = claim.next.as_ref().filter(|next| lists(next)) else {
        return Err(ShardFlaw::Keys { project });
    };
    let vouched = next.are_vouched_for_by(&claim.in_force);
    let from = next.received + policy.lost_keys_wait;
    if !vouched && now < from {
        return Err(ShardFlaw::TooEarly { project, from });
    }
    Ok(Some(ProjectChange::KeysReplaced { vouched }))
}

/// The digest that a shard says it was made from.
#[must_use]
pub fn registrations_of(shard: &Targets) -> Option<Sha256> {
    let text = shard.extra.get(REGISTRATIONS)?.as_str()?;
    Sha256::parse(text).ok()
}

/// Has a shard say what it was made from: the registrations of the projects it has or had.
pub fn bind_registrations(new: &mut Targets, previous: Option<&Targets>, claims: &ClaimsExport) {
    let listed = |one: &Targets| delegated_projects(one).unwrap_or_default().into_keys();
    let mut names: BTreeSet<ProjectName> = listed(new).collect();
    names.extend(previous.into_iter().flat_map(listed));
    let digest = claims.registrations(&names).to_string();
    new.extra
        .insert(REGISTRATIONS.to_owned(), Value::String(digest));
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;
    use metadata::{Expiry, Version};

    use super::*;
    use crate::claims_export::tests::{claim, export, registered};
    use crate::lints::samples::{developers_sign, now};
    use crate::projects_role;

    fn shard(claims: &ClaimsExport, listed: &[(&str, &[u8])], old: Option<&Targets>) -> Targets {
        let project = |(name, keys): &(&str, &[u8])| {
            let keys = registered(keys);
            DelegatedProject {
                project: ProjectName::parse(name).unwrap(),
                role_keys: keys.role_keys(),
                keys: keys.keys,
            }
        };
        let projects: Vec<_> = listed.iter().map(project).collect();
        let mut new = projects_role(Expiry::at(now()), Version::FIRST, &projects).unwrap();
        bind_registrations(&mut new, old, claims);
        new
    }

    fn changes(
        new: &Targets,
        old: Option<&Targets>,
        claims: &ClaimsExport,
        now: DateTime<Utc>,
    ) -> Result<Vec<(String, ProjectChange)>, ShardFlaw> {
        let policy = developers_sign().claims.unwrap();
        let changes = shard_changes(new, old, claims, &policy, now)?;
        Ok(changes
            .into_iter()
            .map(|(name, change)| (name.to_string(), change))
            .collect())
    }

    #[test]
    fn projects_are_moved_with_the_keys_that_are_registered() {
        let claims = export(&[
            ("a", claim(false, &[1], None)),
            ("b", claim(true, &[2], None)),
        ]);
        let old = shard(&claims, &[("b", &[2])], None);
        let new = shard(&claims, &[("a", &[1]), ("b", &[2])], Some(&old));
        let found = changes(&new, Some(&old), &claims, now()).unwrap();
        assert_eq!(found, [("a".to_owned(), ProjectChange::Claimed)]);
        let other = shard(&claims, &[("a", &[3]), ("b", &[2])], Some(&old));
        let flaw = changes(&other, Some(&old), &claims, now()).unwrap_err();
        assert!(matches!(flaw, ShardFlaw::Keys { .. }), "{flaw}");
        let nobodys = shard(&claims, &[("b", &[2]), ("c", &[1])], Some(&old));
        let flaw = changes(&nobodys, Some(&old), &claims, now()).unwrap_err();
        assert!(matches!(flaw, ShardFlaw::Unclaimed { .. }), "{flaw}");
    }

    /// What a ceremony has frozen is void once anything registered differs, even if the keys it lists
    /// would be the same.
    #[test]
    fn a_change_meanwhile_voids_it() {
        let claims = export(&[
            ("a", claim(false, &[1], None)),
            ("b", claim(false, &[2], None)),
        ]);
        let new = shard(&claims, &[("a", &[1]), ("b", &[2])], None);
        assert_eq!(changes(&new, None, &claims, now()).unwrap().len(), 2);
        let mut again = claim(false, &[1], None);
        again.in_force.evidence = registered(&[7]).evidence;
        for other in [
            claim(false, &[3], None),
            claim(false, &[1], Some(&[3])),
            again,
        ] {
            let of_now = export(&[("a", other), ("b", claim(false, &[2], None))]);
            let flaw = changes(&new, None, &of_now, now()).unwrap_err();
            assert!(matches!(flaw, ShardFlaw::Registrations { .. }), "{flaw}");
        }
        let released = export(&[("b", claim(false, &[2], None))]);
        assert!(changes(&new, None, &released, now()).is_err());
        let mut unbound = new;
        unbound.extra.clear();
        let flaw = changes(&unbound, None, &claims, now()).unwrap_err();
        assert_eq!(flaw, ShardFlaw::Unbound);
    }

    #[test]
    fn a_project_whose_keys_are_changing_is_not_moved() {
        let claims = export(&[("a", claim(false, &[1], Some(&[2])))]);
        for keys in [&[1][..], &[2]] {
            let new = shard(&claims, &[("a", keys)], None);
            let flaw = changes(&new, None, &claims, now()).unwrap_err();
            assert!(matches!(flaw, ShardFlaw::KeysPending { .. }), "{flaw}");
        }
    }

    #[test]
    fn keys_that_nobody_vouches_for_wait() {
        let claims = export(&[("a", claim(true, &[1, 2], Some(&[3])))]);
        let old = shard(&claims, &[("a", &[1, 2])], None);
        let new = shard(&claims, &[("a", &[3])], Some(&old));
        let wait = developers_sign().claims.unwrap().lost_keys_wait;
        let early = now() + wait - TimeDelta::seconds(1);
        let flaw = changes(&new, Some(&old), &claims, early).unwrap_err();
        assert!(matches!(flaw, ShardFlaw::TooEarly { .. }), "{flaw}");
        let late = changes(&new, Some(&old), &claims, now() + wait).unwrap();
        assert_eq!(late[0].1, ProjectChange::KeysReplaced { vouched: false });
        // One of them signed for the new ones: no wait.
        let claims = export(&[("a", claim(true, &[1, 2], Some(&[2, 3])))]);
        let new = shard(&claims, &[("a", &[2, 3])], Some(&old));
        let at_once = changes(&new, Some(&old), &claims, now()).unwrap();
        assert_eq!(at_once[0].1, ProjectChange::KeysReplaced { vouched: true });
    }

    #[test]
    fn a_renewal_changes_nothing_and_a_release_is_said() {
        let claims = export(&[
            ("a", claim(true, &[1], Some(&[9]))),
            ("b", claim(true, &[2], None)),
        ]);
        let old = shard(&claims, &[("a", &[1]), ("b", &[2])], None);
        assert_eq!(
            changes(&old, Some(&old), &export(&[]), now()),
            Ok(Vec::new())
        );
        let new = shard(&claims, &[("a", &[1])], Some(&old));
        let found = changes(&new, Some(&old), &claims, now()).unwrap();
        assert_eq!(found, [("b".to_owned(), ProjectChange::Released)]);
    }
}
