//! Keeps the state of a repository in PostgreSQL, so that intake and signer run on several machines.
//!
//! One signer by lease: [`Lease`] gives each a number one above the last, and every transaction of a cycle
//! asks whether that number is still the last one. A signer that slept while another took its place fails
//! there and publishes nothing. Time is the database's clock throughout.
//!
//! A connection that breaks is made again within the policy's time; a transaction whose commit was not
//! answered is looked up by a mark it left, never repeated blindly (`session.rs`).

mod address;
mod carry;
mod claims;
mod head;
mod history;
mod journal;
mod lease;
mod pgpass;
mod read;
mod schema;
mod session;
mod state;
mod submissions;

pub use address::{Address, AddressError};
pub use carry::PostgresArrival;
pub use lease::Lease;
pub use state::PostgresState;
