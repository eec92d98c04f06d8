//! Names of the roles that developers sign: `project-NAME` and its sub-roles, so that no two
//! projects and no two meanings share a name (TUF 3.1.2.1, DESIGN §4).

use std::fmt;

use index::ProjectName;
use metadata::RoleName;

/// Longest name of a sub-role after the `--`, in bytes.
pub const MAX_SUB_ROLE_NAME: usize = 40;

const PREFIX: &str = "project-";
/// Project names in normal form have no two dashes in a row (PEP 503), so this divides for sure.
const DIVIDER: &str = "--";

/// A role of one project: its own, `project-NAME`, or a sub-role, `project-NAME--SUB`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProjectRole {
    project: ProjectName,
    sub: Option<String>,
}

/// Why a name is none of a project's role.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RoleNameError {
    /// Not of the form `project-NAME` or `project-NAME--SUB`.
    #[error("role {name} is neither project-NAME nor project-NAME--SUB")]
    Form {
        /// The name.
        name: RoleName,
    },
    /// A sub-role's name that is none.
    #[error(
        "sub-role {sub:?} is not 1 to {MAX_SUB_ROLE_NAME} lower-case letters, digits and dashes \
         between letters or digits"
    )]
    Sub {
        /// The name, shortened.
        sub: String,
    },
}

impl ProjectRole {
    /// `project-NAME`.
    #[must_use]
    pub fn of(project: ProjectName) -> Self {
        Self { project, sub: None }
    }

    /// `project-NAME--SUB`.
    pub fn sub(project: ProjectName, sub: &str) -> Result<Self, RoleNameError> {
        let bytes = sub.as_bytes();
        let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
        let ends = [bytes.first(), bytes.last()];
        if bytes.len() > MAX_SUB_ROLE_NAME
            || !ends.iter().all(|end| end.is_some_and(|b| plain(*b)))
            || !bytes.iter().all(|b| plain(*b) || *b == b'-')
        {
            let sub = sub.chars().take(MAX_SUB_ROLE_NAME).collect();
            return Err(RoleNameError::Sub { sub });
        }
        let sub = Some(sub.to_owned());
        Ok(Self { project, sub })
    }

    /// Takes a role's name apart.
    pub fn parse(name: &RoleName) -> Result<Self, RoleNameError> {
        let form = || RoleNameError::Form { name: name.clone() };
        let rest = name.as_str().strip_prefix(PREFIX).ok_or_else(form)?;
        let (project, sub) = match rest.split_once(DIVIDER) {
            Some((project, sub)) => (project, Some(sub)),
            None => (rest, None),
        };
        let project = ProjectName::parse_normalized(project).map_err(|_| form())?;
        match sub {
            Some(sub) => Self::sub(project, sub),
            None => Ok(Self::of(project)),
        }
    }

    /// The project.
    #[must_use]
    pub fn project(&self) -> &ProjectName {
        &self.project
    }

    /// What stands after the `--`, if this is a sub-role.
    #[must_use]
    pub fn sub_name(&self) -> Option<&str> {
        self.sub.as_deref()
    }

    /// The name as metadata lists it.
    #[must_use]
    pub fn name(&self) -> RoleName {
        built(self.to_string())
    }
}

fn built(name: String) -> RoleName {
    RoleName::parse(name)
        .expect("project names have 128 bytes at most and sub-roles 40, all printable ASCII")
}

impl fmt::Display for ProjectRole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PREFIX}{}", self.project)?;
        match &self.sub {
            Some(sub) => write!(f, "{DIVIDER}{sub}"),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for ProjectRole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
