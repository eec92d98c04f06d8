//! A developer's side of a project that signs its releases (PEP 480): a folder with the claim and
//! the project's roles, from the first key to the archive that goes to the index. Every step can be
//! carried as a file, so that several maintainers sign on machines of their own.
//!
//! ```text
//! request.json         the keys of the project, signed by each of them
//! published/ROLE.json  the roles as the index has them
//! next/ROLE.json       the versions being signed
//! uploaded/ROLE.json   the versions in a transaction that the index has not yet taken
//! retired/ROLE.json    the last versions of sub-roles given up
//! ```

mod error;
mod folder;
mod request;
mod roles;
mod standing;
mod transaction;

pub use error::ProjectError;
pub use folder::ProjectFolder;
pub use roles::Draft;
pub use standing::{RoleStanding, Stage, Standing};
pub use transaction::SentRole;
