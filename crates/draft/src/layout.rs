//! The roles of an index and how they delegate: one place that draws DESIGN §4's table.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use index::{BinCount, BinIndex, ProjectName};
use metadata::{
    DelegatedRole, DelegatedRoles, Delegations, Expiry, KeyId, MetadataError, PathPattern, PathSet,
    PublicKey, RoleKeys, RoleName, Root, SuccinctRoles, Targets, Version,
};
use policy::{Encoding, IndexPolicy, Policy};

/// Bins are called `bins-HEX`; the role that delegates to them is called `bins`.
pub const BINS_PREFIX: &str = "bins";

/// The role that delegates to projects whose developers sign, until a ceremony has moved them.
pub const RECENTLY_CLAIMED: &str = "recently-claimed";

/// What `claimed` and `recently-claimed` may speak about: files of projects, never their pages (DESIGN §4).
pub(crate) const CLAIMED_PATHS: [&str; 1] = ["packages/*/*/*"];

/// What the bins answer for: everything nobody else was given (DESIGN §4).
pub(crate) const BINS_PATHS: [&str; 3] =
    ["simple/*/*/*", "packages/*/*/*", "publishers/recent/*/*"];

/// How many bins there are and how they are named; fixed when an index is made, until a rebin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BinLayout {
    /// A power of two.
    pub count: BinCount,
    /// How `bins` lists them.
    pub encoding: Encoding,
}

impl BinLayout {
    /// The bins a policy asks for. One bin is no choice here: the least is two.
    #[must_use]
    #[expect(
        clippy::missing_panics_doc,
        reason = "a policy is refused if the count is another"
    )]
    pub fn of(policy: &IndexPolicy) -> Self {
        let count = BinCount::new(u64::from(policy.bin_count().max(2)));
        Self {
            count: count.expect("a policy has a power of two up to 16,384"),
            encoding: policy.encoding(),
        }
    }

    /// The bins that a document of the role `bins` delegates to, as far as their number and form go;
    /// that they are complete is a rule of drafts.
    #[must_use]
    pub fn read(bins: &Targets) -> Option<Self> {
        let (count, encoding) = match &bins.delegations.as_ref()?.roles {
            DelegatedRoles::Succinct(roles) => (roles.count(), Encoding::Succinct),
            DelegatedRoles::Listed(roles) => (roles.len() as u64, Encoding::PathHashPrefixes),
        };
        let count = BinCount::new(count).ok()?;
        Some(Self { count, encoding })
    }

    /// The name of a bin's role.
    pub fn role_name(&self, bin: BinIndex) -> Result<RoleName, MetadataError> {
        bin.name(BINS_PREFIX)
    }
}

/// Key ids of some keys with a threshold; adds the keys to `all`.
pub(crate) fn role_keys(
    keys: &[PublicKey],
    threshold: u32,
    all: &mut BTreeMap<KeyId, PublicKey>,
) -> RoleKeys {
    let mut keyids: Vec<KeyId> = keys.iter().map(PublicKey::id).collect();
    keyids.sort_unstable();
    keyids.dedup();
    all.extend(keys.iter().map(|key| (key.id(), key.clone())));
    RoleKeys { keyids, threshold }
}

/// The first root: thresholds and lifetime from the policy.
#[must_use]
pub fn first_root(
    policy: &Policy,
    now: DateTime<Utc>,
    [root, timestamp, snapshot, targets]: [&[PublicKey]; 4],
) -> Root {
    let roles = &policy.roles;
    let mut all = BTreeMap::new();
    let listed = [
        role_keys(root, roles.root.threshold, &mut all),
        role_keys(timestamp, roles.timestamp.threshold, &mut all),
        role_keys(snapshot, roles.snapshot.threshold, &mut all),
        role_keys(targets, roles.targets.threshold, &mut all),
    ];
    Root::new(
        Version::FIRST,
        Expiry::at(now + roles.root.lifetime),
        all,
        listed,
    )
}

/// The top-level targets role: delegates to `bins`, which comes last and is not terminating; where
/// the policy has developers sign, to `recently-claimed` before it, with the online keys.
pub fn top_targets(
    policy: &Policy,
    now: DateTime<Utc>,
    version: Version,
    bins_keys: &[PublicKey],
    online_keys: &[PublicKey],
) -> Result<Targets, MetadataError> {
    let mut keys = BTreeMap::new();
    let bins = DelegatedRole {
        name: RoleName::parse(BINS_PREFIX)?,
        keys: role_keys(bins_keys, policy.roles.bins.threshold, &mut keys),
        paths: patterns(&BINS_PATHS)?,
        terminating: false,
    };
    let delegations = Delegations {
        keys,
        roles: DelegatedRoles::Listed(vec![bins]),
    };
    let expires = Expiry::at(now + policy.roles.targets.lifetime);
    let mut targets = Targets::new(version, expires).with_delegations(delegations);
    delegate_recently_claimed(&mut targets, policy, online_keys)?;
    Ok(targets)
}

pub(crate) fn patterns(paths: &[&str]) -> Result<PathSet, MetadataError> {
    let parsed = paths.iter().map(|path| PathPattern::parse(*path));
    Ok(PathSet::Patterns(parsed.collect::<Result<_, _>>()?))
}

/// Has targets delegate to `recently-claimed`, before `bins`, if the policy has developers sign and
/// targets does not yet; says whether it was changed.
pub fn delegate_recently_claimed(
    targets: &mut Targets,
    policy: &Policy,
    online_keys: &[PublicKey],
) -> Result<bool, MetadataError> {
    let (Some(claims), Some(delegations)) = (&policy.claims, &mut targets.delegations) else {
        return Ok(false);
    };
    let DelegatedRoles::Listed(roles) = &mut delegations.roles else {
        return Ok(false);
    };
    if roles
        .iter()
        .any(|role| role.name.as_str() == RECENTLY_CLAIMED)
    {
        return Ok(false);
    }
    let threshold = claims.recently_claimed.threshold;
    let recently_claimed = DelegatedRole {
        name: RoleName::parse(RECENTLY_CLAIMED)?,
        keys: role_keys(online_keys, threshold, &mut delegations.keys),
        paths: patterns(&CLAIMED_PATHS)?,
        // Whoever is not listed there goes on to the bins.
        terminating: false,
    };
    let bins = roles
        .iter()
        .position(|role| role.name.as_str() == BINS_PREFIX);
    roles.insert(bins.unwrap_or(roles.len()), recently_claimed);
    Ok(true)
}

/// A project whose developers sign, as the role that delegates to it lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DelegatedProject {
    /// The project.
    pub project: ProjectName,
    /// The developers' keys.
    pub keys: BTreeMap<KeyId, PublicKey>,
    /// Which of them count, and how many have to sign.
    pub role_keys: RoleKeys,
}

impl DelegatedProject {
    /// The name of the project's own role.
    pub fn role_name(project: &ProjectName) -> Result<RoleName, MetadataError> {
        RoleName::parse(format!("project-{project}"))
    }

    /// The one pattern of its paths.
    pub fn paths(project: &ProjectName) -> Result<PathSet, MetadataError> {
        patterns(&[&format!("packages/{}/{project}/*", project.shard())])
    }

    /// The delegation. It terminates: nobody after it may speak for the project (PEP 480; reference
    /// C.3).
    fn delegation(&self) -> Result<DelegatedRole, MetadataError> {
        Ok(DelegatedRole {
            name: Self::role_name(&self.project)?,
            keys: self.role_keys.clone(),
            paths: Self::paths(&self.project)?,
            terminating: true,
        })
    }
}

/// A role that delegates to projects, in the order of their names, and lists nothing itself.
pub fn projects_role(
    expires: Expiry,
    version: Version,
    projects: &[DelegatedProject],
) -> Result<Targets, MetadataError> {
    let mut projects: Vec<&DelegatedProject> = projects.iter().collect();
    projects.sort_by(|one, other| one.project.cmp(&other.project));
    let mut keys = BTreeMap::new();
    let mut roles = Vec::with_capacity(projects.len());
    for project in projects {
        keys.extend(
            project
                .keys
                .iter()
                .map(|(id, key)| (id.clone(), key.clone())),
        );
        roles.push(project.delegation()?);
    }
    let roles = DelegatedRoles::Listed(roles);
    Ok(Targets::new(version, expires).with_delegations(Delegations { keys, roles }))
}

/// The role `bins`: delegates to every bin, all with the same online keys (PEP 458 "Minimum Security
/// Model").
pub fn bins_role(
    policy: &Policy,
    now: DateTime<Utc>,
    version: Version,
    layout: BinLayout,
    online_keys: &[PublicKey],
) -> Result<Targets, MetadataError> {
    let mut keys = BTreeMap::new();
    let bin_keys = role_keys(online_keys, policy.roles.bin_n.threshold, &mut keys);
    let roles = match layout.encoding {
        Encoding::Succinct => DelegatedRoles::Succinct(SuccinctRoles {
            keys: bin_keys,
            bit_length: u32::from(layout.count.bit_length()),
            name_prefix: BINS_PREFIX.to_owned(),
        }),
        Encoding::PathHashPrefixes => DelegatedRoles::Listed(
            layout
                .count
                .bins()
                .map(|bin| {
                    Ok(DelegatedRole {
                        name: layout.role_name(bin)?,
                        keys: bin_keys.clone(),
                        paths: PathSet::HashPrefixes(bin.hash_prefixes()),
                        terminating: false,
                    })
                })
                .collect::<Result<_, MetadataError>>()?,
        ),
    };
    let expires = Expiry::at(now + policy.roles.bins.lifetime);
    Ok(Targets::new(version, expires).with_delegations(Delegations { keys, roles }))
}

#[cfg(test)]
mod tests {
    use metadata::Role;

    use super::*;
    use crate::lints::samples::{BINS, ONLINE, ROOT, key, layout, now, policy, role, root, top};
    use crate::{Draft, DraftDocument, Refused, Setting};

    fn lint<R: DraftDocument>(role: Role, document: R, layout: BinLayout) -> Result<(), Refused> {
        let (policy, root) = (policy(), root());
        let setting = Setting {
            now: now(),
            policy: &policy,
            root: Some(&root),
        };
        let draft = Draft::new(role, document).in_layout(layout);
        draft.lint(&setting, None).map(drop)
    }

    #[test]
    fn what_is_drawn_keeps_every_rule() {
        lint(Role::Root, root(), layout()).unwrap();
        lint(Role::Targets, top(), layout()).unwrap();
        for encoding in [Encoding::PathHashPrefixes, Encoding::Succinct] {
            for count in [2, 16, 1_024, 16_384] {
                let count = BinCount::new(count).unwrap();
                let layout = BinLayout { count, encoding };
                let bins =
                    bins_role(&policy(), now(), Version::FIRST, layout, &[key(ONLINE)]).unwrap();
                assert_eq!(BinLayout::read(&bins), Some(layout));
                lint(role("bins"), bins, layout).unwrap();
            }
        }
    }

    #[test]
    fn thresholds_and_lifetimes_are_the_policys() {
        let (root, top, policy) = (root(), top(), policy());
        assert_eq!((root.root.threshold, root.root.keyids.len()), (2, 3));
        assert_eq!(root.expires.instant(), now() + policy.roles.root.lifetime);
        assert_eq!(top.expires.instant(), now() + policy.roles.targets.lifetime);
        assert_eq!(root.keys.len(), 5);
    }

    #[test]
    fn one_key_given_twice_is_listed_once() {
        let keys = [key(BINS), key(BINS)];
        let one = top_targets(&policy(), now(), Version::FIRST, &keys, &keys).unwrap();
        let delegations = one.delegations.unwrap();
        assert_eq!(delegations.keys.len(), 1);
        let DelegatedRoles::Listed(roles) = delegations.roles else {
            panic!("the layout lists its delegations");
        };
        assert_eq!(roles[0].keys.keyids, [key(BINS).id()]);
        let shared = first_root(&policy(), now(), [&ROOT.map(key), &keys, &keys, &keys]);
        assert_eq!(shared.keys.len(), 4);
    }

    #[test]
    fn bins_are_those_the_policy_asks_for() {
        for name in Policy::built_in_names() {
            let index = Policy::built_in(name).unwrap().index;
            let layout = BinLayout::of(&index);
            assert_eq!(layout.count.get(), index.bin_count(), "{name}");
            assert_eq!(layout.encoding, index.encoding(), "{name}");
        }
    }
}
