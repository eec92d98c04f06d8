//! Takes changes in over HTTP, from the web heads of an index: who may is said by tokens with scopes, and
//! what is acknowledged survives a loss of power.
//!
//! A request is authenticated, held to its token's rate and scope, read within limits, and decided by
//! `repository`; the writer queues what many requests bring in one transaction. Nothing here signs.

mod body;
mod metrics;
mod pool;
mod problem;
mod publications;
mod rate;
mod routes;
mod scope;
mod server;
mod spool;
mod state;
mod token;
mod token_file;
mod tokens;
mod writer;

pub use body::{ChangeState, Edit, Edits, Fate, FateEntry, Receipt, ReceiptEntry};
pub use problem::Problem;
pub use routes::{DISTRIBUTION, EDITS, TRANSACTION};
pub use scope::{Pattern, PatternError, Verb, VerbError};
pub use server::{open_api, router};
pub use state::{Intake, IntakeConfig, OpenError, OpenRepository, StartError};
pub use token::{NewToken, Token, TokenSecret};
pub use token_file::{TokenFile, TokenFileError};
