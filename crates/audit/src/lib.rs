//! Reads a whole published repository through our client, then through tough, and says what does
//! not fit: for operators after a publication, and for strangers who trust neither.
//!
//! [`audit`] walks everything that a client could ever be led to — the chain of roots, timestamp,
//! snapshot, targets, every delegated role — and holds each target against the search of TUF 5.6.7:
//! what no client asks for, nobody vouches for. Project pages are read to the last byte, and every
//! file they bind is followed to the role that speaks for it. What it learns is then compared with
//! what tough learns of the same repository: a reader that shares no code, no cryptographic library
//! and no date library with ours.
//!
//! ```no_run
//! # async fn check() -> Result<(), Box<dyn std::error::Error>> {
//! use countersign_audit as audit;
//!
//! let metadata_url: url::Url = "https://index.example/metadata/".parse()?;
//! let transport = client::transport_for(&metadata_url, client::Pace::default())?;
//! let options = audit::AuditOptions {
//!     metadata_url,
//!     targets_url: "https://index.example/".parse()?,
//!     trusted_root: std::fs::read("root.json")?,
//!     rules: trust::Rules::default(),
//!     now: chrono::Utc::now(),
//!     read_targets: false,
//! };
//! let report = audit::audit(options, transport, &audit::Silent).await?;
//! for finding in &report.findings {
//!     println!("{finding}");
//! }
//! # Ok(())
//! # }
//! ```

mod answers;
mod at_once;
mod audit;
mod error;
mod files;
mod finding;
mod limits;
mod opinion;
mod pages;
mod placement;
mod progress;
mod reading;
mod report;
mod roots;
mod source;
mod tombstones;
mod tough_opinion;
mod walk;

pub use audit::{AuditOptions, audit};
pub use error::AuditError;
pub use finding::{Cause, Finding};
pub use limits::{
    FINDINGS, ROLES, SECOND_OPINION_BINS, SECOND_OPINION_CLOCK_MINUTES,
    SECOND_OPINION_PREFIX_TESTS, SECOND_OPINION_READS, SECOND_OPINION_TARGETS,
};
pub use opinion::{Difference, Listed, SecondOpinion, Why};
pub use progress::{Progress, Silent, Stage};
pub use report::{Report, RoleReport, TombstoneReport};
