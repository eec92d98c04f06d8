//! What a state says of moves: whether it is the state still, and which stores its index has left.

use serde::{Deserialize, Serialize};

use super::{decode, encode};
use crate::error::RepositoryError;

/// Setting of a state that was moved: where to. Every write to it is refused.
pub const MOVED: &str = "moved";
/// Setting of a copy that is no state yet: where from.
pub const ARRIVING: &str = "arriving";
/// Setting of a state that came from elsewhere: where from.
pub const ARRIVED: &str = "arrived";
/// Setting that lists the stores that are not published to any more.
pub const STORES_LEFT: &str = "stores-left";

/// The other end of a move.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// Where it is, in words.
    pub place: String,
    /// Tells one copy from another.
    pub id: String,
}

impl Mark {
    /// As it stands among the settings.
    pub fn encode(&self) -> Result<String, RepositoryError> {
        encode(self)
    }

    /// Reads [`Mark::encode`] back.
    pub fn decode(text: &str) -> Result<Self, RepositoryError> {
        decode(text, "a move")
    }

    /// What is said where somebody opens, or writes to, the state that was left.
    #[must_use]
    pub fn moved(self) -> RepositoryError {
        RepositoryError::Moved {
            to: self.place,
            id: self.id,
        }
    }
}

/// Whether a place holds nothing but what an earlier move from `from` left there: a copy that was never used,
/// or a state that went back there since.
pub fn are_leavings(
    moved: Option<&str>,
    arriving: Option<&str>,
    from: &Mark,
) -> Result<bool, RepositoryError> {
    let other = moved.or(arriving).map(Mark::decode).transpose()?;
    Ok(other.is_some_and(|other| other.place == from.place))
}

/// What a place is to whoever wants to make the copy of a number the state there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// That copy.
    Copy,
    /// The state that it was made before.
    State,
    /// Something else.
    Other,
}

/// Which of them it is.
pub fn found(
    arriving: Option<&str>,
    arrived: Option<&str>,
    id: &str,
) -> Result<Found, RepositoryError> {
    let is_it = |mark: Option<&str>| -> Result<bool, RepositoryError> {
        let mark = mark.map(Mark::decode).transpose()?;
        Ok(mark.is_some_and(|mark| mark.id == id))
    };
    if is_it(arriving)? {
        return Ok(Found::Copy);
    }
    Ok(if is_it(arrived)? {
        Found::State
    } else {
        Found::Other
    })
}

/// Refuses what was a state, or is none yet.
pub fn check_marks(moved: Option<&str>, arriving: Option<&str>) -> Result<(), RepositoryError> {
    if let Some(moved) = moved {
        return Err(Mark::decode(moved)?.moved());
    }
    match arriving {
        Some(arriving) => Err(RepositoryError::Arriving {
            from: Mark::decode(arriving)?.place,
        }),
        None => Ok(()),
    }
}

/// The stores left, as they stand among the settings.
pub fn stores_left(places: &[String]) -> Result<String, RepositoryError> {
    encode(&places)
}

/// Reads [`stores_left`] back; without the setting none was left.
pub fn read_stores_left(text: Option<&str>) -> Result<Vec<String>, RepositoryError> {
    text.map_or(Ok(Vec::new()), |text| decode(text, "the stores left"))
}
