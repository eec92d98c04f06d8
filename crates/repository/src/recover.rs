//! What a crash left is finished, or its numbers are burned, before anything else happens.

use std::io::ErrorKind;

use chrono::{DateTime, Utc};
use metadata::Role;

use crate::error::{RepositoryError, StoreError};
use crate::publish::HeadIs;
use crate::repository::Repository;
use crate::store::StorePath;

/// What recovery did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Recovery {
    /// There was nothing to recover.
    Nothing,
    /// The journalled bytes were published.
    Finished,
    /// The head had not moved, and the journalled timestamp has expired, so that clients would refuse
    /// it, or an object stands where one of ours belongs and cannot be replaced. The versions are given
    /// up for good and the changes wait for the next cycle.
    Burned {
        /// The object in the way, if one is.
        blocked: Option<StorePath>,
    },
}

impl Repository {
    /// Brings state and store to one line again.
    pub(crate) fn recover(&mut self, now: DateTime<Utc>) -> Result<Recovery, RepositoryError> {
        let Some((staged, head_moved)) = self.state.staged()? else {
            return Ok(Recovery::Nothing);
        };
        if head_moved {
            self.finish(&staged, HeadIs::Moved)?;
            return Ok(Recovery::Finished);
        }
        let timestamp = staged
            .roles
            .iter()
            .find(|record| record.role == Role::Timestamp);
        if timestamp.is_some_and(|record| record.expires <= now) {
            self.state.clear_staged()?;
            return Ok(Recovery::Burned { blocked: None });
        }
        match self.finish(&staged, HeadIs::BeforeAgain) {
            Ok(()) => Ok(Recovery::Finished),
            // Waiting would change nothing, and until the journalled timestamp expires nothing else
            // could be published.
            Err(error) => match lasting(&error) {
                Some(path) if self.state.staged()?.is_some_and(|(_, moved)| !moved) => {
                    let path = path.clone();
                    tracing::error!(%path, why = %error.in_one_line(), "cannot be replaced");
                    self.state.clear_staged()?;
                    let blocked = Some(path);
                    Ok(Recovery::Burned { blocked })
                }
                _ => Err(error),
            },
        }
    }
}

/// The object at which something stands that does not go away by itself.
fn lasting(error: &RepositoryError) -> Option<&StorePath> {
    let RepositoryError::Store(error) = error else {
        return None;
    };
    match error {
        StoreError::Conflict { path } => Some(path),
        StoreError::Io { path, source, .. } => matches!(
            source.kind(),
            ErrorKind::IsADirectory
                | ErrorKind::NotADirectory
                | ErrorKind::AlreadyExists
                | ErrorKind::PermissionDenied
        )
        .then_some(path),
        StoreError::List { .. }
        | StoreError::Flush { .. }
        | StoreError::Lock { .. }
        | StoreError::Locked { .. }
        | StoreError::Remote { .. }
        | StoreError::Denied { .. }
        | StoreError::Overtaken { .. }
        | StoreError::Altered { .. } => None,
    }
}
