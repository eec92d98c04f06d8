//! Who speaks for the files of a project whose developers sign: the delegation that they have, and the roles
//! that they have published.

use std::collections::BTreeMap;
use std::sync::Arc;

use index::ProjectName;
use metadata::{DelegatedRoles, KeyId, PublicKey, Role, RoleKeys, RoleName, TargetPath, Targets};
use trust::{Answer, Failure, Verified};

use crate::Session;
use crate::hidden::PROBES;

/// A project as its developers have left it.
#[derive(Debug, Default)]
pub struct ProjectRoles {
    /// Who delegates to the project's own role, if anybody does.
    pub delegation: Option<ProjectDelegation>,
    /// The roles that are asked for its files, from its own role on.
    pub roles: BTreeMap<Role, Arc<Verified<Targets>>>,
    /// The role at which clients stop, and why, if they do: none of the project's files is installed.
    pub failed: Option<(Role, Failure)>,
}

/// The delegation to a project's own role.
#[derive(Clone, Debug)]
pub struct ProjectDelegation {
    /// The role that delegates.
    pub delegator: Role,
    /// The keys of the project's own role.
    pub keys: BTreeMap<KeyId, PublicKey>,
    /// Which of them count, and how many have to sign.
    pub role_keys: RoleKeys,
}

impl Session {
    /// The delegation and the roles of a project, whose own role is called `own`.
    pub async fn project_roles(&self, project: &ProjectName, own: &RoleName) -> ProjectRoles {
        let mut found = ProjectRoles::default();
        for probe in PROBES {
            let folder = format!("packages/{}/{project}/", project.shard());
            let Ok(probe) = TargetPath::parse(format!("{folder}{probe}")) else {
                continue;
            };
            let mut is_ours = false;
            for role in self.asked_before_bins(&probe).await {
                is_ours |= role.role().name() == own.as_str();
                if is_ours {
                    found.roles.insert(role.role().clone(), role);
                } else if found.delegation.is_none() {
                    found.delegation = delegation(&role, own);
                }
            }
            if found.failed.is_none()
                && let Ok(Answer::Failed { role, why }) = self.find_before_bins(&probe).await
            {
                found.failed = Some((role, why));
            }
        }
        found
    }
}

fn delegation(delegator: &Verified<Targets>, own: &RoleName) -> Option<ProjectDelegation> {
    let delegations = delegator.delegations.as_ref()?;
    let DelegatedRoles::Listed(roles) = &delegations.roles else {
        return None;
    };
    let role = roles.iter().find(|role| role.name == *own)?;
    let keys = delegations.keys.iter();
    let keys = keys.filter(|(id, _)| role.keys.keyids.contains(id));
    Some(ProjectDelegation {
        delegator: delegator.role().clone(),
        keys: keys.map(|(id, key)| (id.clone(), key.clone())).collect(),
        role_keys: role.keys.clone(),
    })
}
