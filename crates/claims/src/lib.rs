//! Projects whose developers sign their releases (PEP 480), for developers and index alike.
//!
//! A project is *claimed* in three documents: the index issues a [`Challenge`], the developers
//! answer with a [`Request`] that every key of theirs has signed, the operator of the index allows
//! it with a [`Grant`]. From then on every release comes as a transaction: one archive
//! ([`Transaction`]) with new versions of the project's roles and the files they list, which
//! [`verify_transaction`] accepts whole or refuses with a [`Reason`].
//!
//! Pure: readers, bytes and the time are arguments.

mod archive;
mod claim;
mod document;
mod layout;
mod limits;
mod next;
mod reason;
mod role_name;
#[cfg(test)]
mod tests;
mod verify;
mod withdrawn;

pub use archive::{Transaction, write_transaction};
pub use claim::{
    Challenge, Claim, ClaimError, Grant, NONCE_BYTES, Operator, Registration, Request,
    check_challenge, check_claim, check_grant, check_request,
};
pub use document::{Members, Signed, Statement};
pub use layout::{FilePattern, Layout};
pub use limits::ClaimLimits;
pub use next::{Distribution, NextError, next_role, with_sub_role, without_sub_role};
pub use reason::Reason;
pub use role_name::{MAX_SUB_ROLE_NAME, ProjectRole, RoleNameError};
pub use verify::{Accepted, AcceptedRole, NewFile, Published, verify_transaction};
pub use withdrawn::{WITHDRAWN, withdrawn, withdrawn_value};
