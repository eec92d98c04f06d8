//! Which paths a project's roles may speak for, and in which order they are asked (DESIGN §4).

use index::ProjectName;
use metadata::{
    DelegatedRole, DelegatedRoles, Delegations, PathPattern, PathSet, RoleName, Targets,
};

use crate::{ProjectRole, Reason};

/// Which files of its project a sub-role may sign. Every TUF client reads these patterns alike; other
/// wildcards are read in different ways (reference A.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FilePattern {
    /// All.
    All,
    /// Wheels.
    Wheels,
    /// The core metadata of wheels.
    WheelMetadata,
    /// Source distributions.
    TarGz,
    /// Source distributions of old.
    Zip,
}

impl FilePattern {
    /// Every pattern.
    pub const ALL: [Self; 5] = [
        Self::All,
        Self::Wheels,
        Self::WheelMetadata,
        Self::TarGz,
        Self::Zip,
    ];

    /// The last segment of the pattern.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::All => "*",
            Self::Wheels => "*.whl",
            Self::WheelMetadata => "*.whl.metadata",
            Self::TarGz => "*.tar.gz",
            Self::Zip => "*.zip",
        }
    }

    /// The pattern of a project's target paths: `packages/XX/NAME/…`.
    #[must_use]
    pub fn of(self, project: &ProjectName) -> PathPattern {
        let last = self.as_str();
        built(format!("packages/{}/{project}/{last}", project.shard()))
    }
}

fn built(pattern: String) -> PathPattern {
    PathPattern::parse(pattern).expect("names of projects and these patterns are plain ASCII")
}

/// How a project divides its work: alone, or with sub-roles.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    /// Sub-roles that `project-NAME` delegates to.
    pub sub_roles: usize,
    /// Delegated roles that a lookup visits, where `targets`, `claimed` and one shard stand before
    /// the project: `claimed`, the shard, the project and each sub-role that is asked in vain.
    pub roles_visited: usize,
}

impl Layout {
    /// The layout of a project with so many sub-roles.
    #[must_use]
    pub fn of(sub_roles: usize) -> Self {
        Self {
            sub_roles,
            roles_visited: sub_roles + 3,
        }
    }
}

/// The roles that `document`, the one of `project-NAME`, delegates to, in order; refuses any
/// delegation that DESIGN §4 does not allow.
pub(crate) fn sub_roles<'a>(
    project: &ProjectName,
    document: &'a Targets,
) -> Result<Vec<(ProjectRole, &'a DelegatedRole)>, Reason> {
    let listed = listed(project, document.delegations.as_ref())?;
    let mut roles = Vec::new();
    for role in listed {
        let name = ProjectRole::parse(&role.name)?;
        if name.project() != project || name.sub_name().is_none() {
            return Err(refused(&role.name, "is no sub-role of this project"));
        }
        if role.terminating {
            let why = "is terminating, so the next maintainer's role would never be asked";
            return Err(refused(&role.name, why));
        }
        let PathSet::Patterns(patterns) = &role.paths else {
            return Err(refused(&role.name, "is delegated by hash, not by path"));
        };
        if patterns.is_empty() {
            return Err(refused(&role.name, "may speak for nothing"));
        }
        let allowed =
            |path: &PathPattern| FilePattern::ALL.iter().any(|one| one.of(project) == *path);
        if let Some(outside) = patterns.iter().find(|path| !allowed(path)) {
            return Err(Reason::Pattern {
                role: role.name.clone(),
                pattern: outside.clone(),
            });
        }
        roles.push((name, role));
    }
    Ok(roles)
}

fn listed<'a>(
    project: &ProjectName,
    delegations: Option<&'a Delegations>,
) -> Result<&'a [DelegatedRole], Reason> {
    match delegations.map(|delegations| &delegations.roles) {
        None => Ok(&[]),
        Some(DelegatedRoles::Listed(roles)) => Ok(roles),
        Some(DelegatedRoles::Succinct(_)) => {
            let project = ProjectRole::of(project.clone()).name();
            Err(refused(&project, "delegates to bins"))
        }
    }
}

fn refused(role: &RoleName, why: &'static str) -> Reason {
    let role = role.clone();
    Reason::Delegation { role, why }
}
