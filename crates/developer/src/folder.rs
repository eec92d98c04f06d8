//! The folder: what lies where, read within limits, written whole or not at all.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use claims::{ClaimLimits, ProjectRole, Request, Signed};
use index::ProjectName;
use metadata::RoleName;

use crate::ProjectError;

const REQUEST: &str = "request.json";
const JSON: &str = ".json";
/// Bytes of a request; what is more is refused by its reader in any case.
const MAX_REQUEST: u64 = 1 << 20;

/// Where a role's file lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Published,
    Next,
    Uploaded,
    Retired,
}

impl Place {
    fn name(self) -> &'static str {
        match self {
            Self::Published => "published",
            Self::Next => "next",
            Self::Uploaded => "uploaded",
            Self::Retired => "retired",
        }
    }
}

/// The folder of one project.
#[derive(Clone, Debug)]
pub struct ProjectFolder {
    path: PathBuf,
    project: ProjectName,
}

impl ProjectFolder {
    /// Opens a folder in which a claim was begun.
    pub fn open(path: &Path) -> Result<Self, ProjectError> {
        let request = read(&path.join(REQUEST), MAX_REQUEST)?;
        let request = request.ok_or_else(|| ProjectError::NoProject {
            path: path.to_owned(),
        })?;
        let request = Signed::<Request>::parse(&request)?;
        Ok(Self {
            path: path.to_owned(),
            project: request.peek_unverified().project.clone(),
        })
    }

    /// Begins a claim in a folder that has none.
    pub(crate) fn create(
        path: &Path,
        project: ProjectName,
        request: &[u8],
    ) -> Result<Self, ProjectError> {
        if let Ok(there) = Self::open(path) {
            let path = path.to_owned();
            let project = there.project;
            return Err(ProjectError::Taken { path, project });
        }
        let folder = Self {
            path: path.to_owned(),
            project,
        };
        folder.put_request(request)?;
        Ok(folder)
    }

    /// The project.
    #[must_use]
    pub fn project(&self) -> &ProjectName {
        &self.project
    }

    /// The file of the request, for the operator of the index.
    #[must_use]
    pub fn request_file(&self) -> PathBuf {
        self.path.join(REQUEST)
    }

    /// The file of a role that waits for signatures.
    #[must_use]
    pub fn next_file(&self, role: &ProjectRole) -> PathBuf {
        self.file(Place::Next, &role.name())
    }

    pub(crate) fn request(&self) -> Result<Signed<Request>, ProjectError> {
        let path = self.request_file();
        let file = read(&path, MAX_REQUEST)?.ok_or_else(|| ProjectError::NoProject {
            path: self.path.clone(),
        })?;
        Ok(Signed::parse(&file)?)
    }

    pub(crate) fn put_request(&self, file: &[u8]) -> Result<(), ProjectError> {
        put(&self.request_file(), file)
    }

    pub(crate) fn get(
        &self,
        place: Place,
        role: &RoleName,
    ) -> Result<Option<Vec<u8>>, ProjectError> {
        read(&self.file(place, role), ClaimLimits::default().role_bytes)
    }

    /// Every role on a place.
    pub(crate) fn all(&self, place: Place) -> Result<BTreeMap<RoleName, Vec<u8>>, ProjectError> {
        let path = self.path.join(place.name());
        let entries = match fs::read_dir(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(BTreeMap::new()),
            entries => entries.map_err(ProjectError::io("list", &path))?,
        };
        let mut roles = BTreeMap::new();
        for entry in entries {
            let entry = entry.map_err(ProjectError::io("list", &path))?;
            let name = entry.file_name();
            let Some(role) = name.to_str().and_then(|name| name.strip_suffix(JSON)) else {
                continue;
            };
            // What is no role of this project was put here by somebody else, for whatever reason.
            let Ok(role) = RoleName::parse(role) else {
                continue;
            };
            if ProjectRole::parse(&role).is_ok_and(|role| *role.project() == self.project)
                && let Some(file) = self.get(place, &role)?
            {
                roles.insert(role, file);
            }
        }
        Ok(roles)
    }

    pub(crate) fn put(
        &self,
        place: Place,
        role: &RoleName,
        file: &[u8],
    ) -> Result<(), ProjectError> {
        put(&self.file(place, role), file)
    }

    pub(crate) fn remove(&self, place: Place, role: &RoleName) -> Result<(), ProjectError> {
        let path = self.file(place, role);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(ProjectError::io("remove", &path)(error))
            }
            _ => Ok(()),
        }
    }

    /// Moves a role from one place to another, in place of what is there.
    pub(crate) fn shift(
        &self,
        from: Place,
        to: Place,
        role: &RoleName,
    ) -> Result<(), ProjectError> {
        if let Some(file) = self.get(from, role)? {
            self.put(to, role, &file)?;
            self.remove(from, role)?;
        }
        Ok(())
    }

    fn file(&self, place: Place, role: &RoleName) -> PathBuf {
        // Role names of projects are letters, digits and dashes.
        self.path.join(place.name()).join(format!("{role}{JSON}"))
    }
}

/// Reads a file of at most `limit` bytes; `None` if there is none.
pub(crate) fn read(path: &Path, limit: u64) -> Result<Option<Vec<u8>>, ProjectError> {
    let file = match fs::File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        file => file.map_err(ProjectError::io("read", path))?,
    };
    let mut bytes = Vec::new();
    file.take(limit.saturating_add(1))
        .read_to_end(&mut bytes)
        .map_err(ProjectError::io("read", path))?;
    if bytes.len() as u64 > limit {
        return Err(ProjectError::io("read", path)(
            io::ErrorKind::FileTooLarge.into(),
        ));
    }
    Ok(Some(bytes))
}

/// Writes a file whole or not at all, folders included.
pub(crate) fn put(path: &Path, bytes: &[u8]) -> Result<(), ProjectError> {
    let write = || {
        let folder = path.parent().unwrap_or(Path::new("."));
        fs::create_dir_all(folder)?;
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        file.write_all(bytes)?;
        file.as_file().sync_all()?;
        file.persist(path)?;
        Ok(())
    };
    write().map_err(ProjectError::io("write", path))
}
