//! Signs what an index serves and publishes it so that a crash at any line loses nothing.
//!
//! One cycle ([`Repository::tick`]): recover what a crash left, plan, batch, lint, sign, rehearse with
//! the client's own trust code, journal the exact bytes, publish. The order of writes stands in
//! `publish.rs` as numbered facts; `recover.rs` calls the same step.
//!
//! Trusted: [`State`] (what was published, what waits), the keys, the policy. Not trusted: the
//! [`Store`]; whatever is read back from it is checked against digests in the state.

mod alarm;
mod apply_set;
mod batch;
mod carry;
mod change;
mod claim_record;
mod claim_set;
mod cores;
mod cycle;
mod developers;
mod edit;
mod error;
mod history;
mod intake;
mod local_store;
mod metrics;
mod move_state;
mod move_store;
mod offline_set;
mod outlook;
mod pages;
mod pointers;
mod prepare;
mod publish;
mod rebin;
mod rebin_trial;
mod receive;
mod record;
mod recover;
mod rehearse;
mod repository;
mod restore;
pub mod rows;
mod signers;
mod snapshot_deltas;
mod sqlite;
mod standing;
mod state;
mod status;
mod status_page;
mod store;
mod submission;
mod sweep;
mod sync;
mod take_over;
mod timestamp_only;
mod tombstones;
mod uploads;
mod writer_lock;

pub use alarm::Alarm;
pub use carry::{
    Arrival, Kind, NUMBERED, ROWS_AT_ONCE, Rows, TABLES, Table, TakeRows, Value, WithRows,
};
pub use change::{Answer, Change, ChangeId, Outcome, Queued};
pub use claim_record::{ClaimRecord, ClaimStage, Evidence, Granted, TransactionRecord};
pub use cycle::{TickOptions, TickReport};
pub use draft::{ClaimsExport, ProjectChange};
pub use error::{IntakeError, RepositoryError, StoreError};
pub use history::{History, Superseded};
pub use intake::{Accepted, Intake};
pub use local_store::LocalStore;
pub use metrics::prometheus_text;
pub use move_state::StateMoveReport;
pub use move_store::MoveReport;
pub use offline_set::{OfflineFile, OfflineSet};
pub use rebin_trial::RebinTrial;
pub use receive::{Receipt, ReceiveError, Received};
pub use record::{
    FileRecord, Listing, Object, Phase, Publication, RoleRecord, Settings, Source, Staged,
    TargetRecord,
};
pub use repository::{Parts, Repository, Stage, Watch};
pub use restore::RestoreReport;
pub use signers::OnlineSigners;
pub use sqlite::{SqliteArrival, SqliteState};
pub use state::{BinTargets, HeadRecord, State};
pub use status::{ClaimCounts, HeadRoom, RoleSigners, RoleStatus, Status, StoreHealth};
pub use status_page::html as status_html;
pub use store::{Store, StorePath};
pub use submission::{
    Action, DecidedSubmission, Entry, Queueing, RequestKey, Sender, Submission, SubmissionAnswer,
    SubmissionError, SubmissionId, SubmissionRecord, Wish,
};
pub use sweep::SweepReport;
pub use sync::{SyncOptions, SyncPlan, SyncReport};
pub use timestamp_only::{TimestampOnly, TimestampReport};
pub use uploads::{KeptUpload, Upload, UploadFolder, UploadPlace, Uploads};
pub use writer_lock::{HeldLock, LockFile, WriterLock};
