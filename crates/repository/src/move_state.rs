//! Carries the state to another database (decision 0028).
//!
//! While the rows are copied and read back nobody writes to either place, for the state keeps a transaction
//! open. The copy cannot be opened before the state is marked as moved, and after that no write to the state
//! succeeds: there is one state at any moment, or none until the same move is given again.
//!
//! 1. The copy is there, marked as one. If we die before or after, the state is what it was.
//! 2. The state is marked as moved. If we die after, giving the move again goes on from here.
//! 3. The copy is the state. If we die after, the settings still name the other; as above.
//! 4. The settings name the new place.

use chrono::{DateTime, Utc};

use crate::carry::{Arrival, Rows, Summing, Sums};
use crate::error::RepositoryError;
use crate::repository::Repository;
use crate::rows::Mark;

/// What was carried.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StateMoveReport {
    /// Rows of all tables.
    pub rows: u64,
}

impl Repository {
    /// Carries the state from the place called `from` to `to`, under a number `id` of its own, then lets
    /// `switch` name it in the settings.
    pub fn move_state_to<E: From<RepositoryError>>(
        &mut self,
        from: &str,
        to: &mut dyn Arrival,
        id: &str,
        now: DateTime<Utc>,
        switch: impl FnOnce() -> Result<(), E>,
    ) -> Result<StateMoveReport, E> {
        let _lock = self.lock()?;
        self.follow_other_processes()?;
        self.check_store()?;
        self.recover(now)?;
        let mark = |place: &str| Mark {
            place: place.to_owned(),
            id: id.to_owned(),
        };
        let mut report = StateMoveReport::default();
        let (here, there) = (mark(from), mark(&to.name()));
        self.state.leave(&there, &mut |rows| {
            report.rows = copy(&here, to, rows)?;
            Ok(())
        })?;
        to.arrive(id)?;
        switch()?;
        Ok(report)
    }
}

/// Copies all rows and reads them back; says how many there are.
fn copy(from: &Mark, to: &mut dyn Arrival, rows: &mut dyn Rows) -> Result<u64, RepositoryError> {
    let mut summing = Summing::new(rows);
    to.fill(from, &mut summing)?;
    let sums = summing.sums;
    let mut found = None;
    to.read(&mut |rows| {
        found = Some(Sums::of(rows)?);
        Ok(())
    })?;
    let found = found.unwrap_or_default();
    match found.difference(&sums) {
        Some(table) => Err(RepositoryError::CopyDiffers { table }),
        None => Ok(sums.rows()),
    }
}
