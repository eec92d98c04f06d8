//! One update of a client, in the order of TUF 5: a wrong order does not compile.
//!
//! ```compile_fail,E0599
//! # use countersign_trust::{RootChain, Rules};
//! // No timestamp before the root chain is closed.
//! let chain = RootChain::pinned(b"", Rules::default()).unwrap();
//! chain.timestamp(b"", Default::default());
//! ```
//!
//! ```compile_fail,E0599
//! # fn wrong(timed: countersign_trust::Timed) {
//! // No targets before the snapshot.
//! timed.targets(b"");
//! # }
//! ```
//!
//! The right order, for comparison:
//!
//! ```
//! # use countersign_trust::{Held, Rejection, RootChain, Rules};
//! # fn update(root: &[u8], timestamp: &[u8], snapshot: &[u8], targets: &[u8],
//! #     now: chrono::DateTime<chrono::Utc>) -> Result<(), Rejection> {
//! let snapped = RootChain::pinned(root, Rules::default())?
//!     .close(now)?
//!     .timestamp(timestamp, Held::default())?
//!     .snapshot(snapshot)?;
//! let targets = snapped.targets(targets)?;
//! # Ok(())
//! # }
//! ```

mod chain;
mod checks;
mod rooted;
mod snapped;
mod timed;

pub use chain::RootChain;
pub(crate) use checks::check_expiry;
pub use rooted::{Held, Rooted};
pub use snapped::Snapped;
pub use timed::{Request, Timed};
