//! What a crash left is finished, or its numbers are burned, before anything else happens.

use std::path::Path;

use chrono::{DateTime, Utc};
use metadata::Role;

use crate::error::RepositoryError;
use crate::publish::{HeadIs, finish};
use crate::state::State;
use crate::store::Store;

/// What recovery did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Recovery {
    /// There was nothing to recover.
    Nothing,
    /// The journalled bytes were published.
    Finished,
    /// The head had not moved and the journalled timestamp has expired: clients would refuse it, so
    /// its versions are given up for good and the changes wait for the next cycle.
    Burned,
}

/// Brings state and store to one line again.
pub(crate) fn recover(
    state: &mut dyn State,
    store: &mut dyn Store,
    incoming: &Path,
    now: DateTime<Utc>,
) -> Result<Recovery, RepositoryError> {
    let Some((staged, head_moved)) = state.staged()? else {
        return Ok(Recovery::Nothing);
    };
    let timestamp = staged
        .roles
        .iter()
        .find(|record| record.role == Role::Timestamp);
    let expired = timestamp.is_some_and(|record| record.expires <= now);
    if expired && !head_moved {
        state.clear_staged()?;
        return Ok(Recovery::Burned);
    }
    let head = if head_moved {
        HeadIs::Moved
    } else {
        HeadIs::BeforeAgain
    };
    finish(state, store, incoming, &staged, head)?;
    Ok(Recovery::Finished)
}
