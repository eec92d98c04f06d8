//! What all requests share.

use std::path::PathBuf;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use policy::Policy;
use repository::Repository;
use tokio::sync::Semaphore;

use crate::metrics::Metrics;
use crate::pool::Pool;
use crate::publications::Publications;
use crate::rate::Rates;
use crate::spool::Spool;
use crate::token_file::TokenFileError;
use crate::tokens::Tokens;
use crate::writer::Writer;

/// Opens the repository; called once for each thread that works on it.
pub type OpenRepository = Arc<dyn Fn() -> Result<Repository, OpenError> + Send + Sync>;

/// Why it cannot be opened: who starts the intake knows where its parts lie.
pub type OpenError = Box<dyn std::error::Error + Send + Sync>;

/// How an intake works.
pub struct IntakeConfig {
    /// Opens the repository.
    pub open: OpenRepository,
    /// The file of tokens.
    pub tokens: PathBuf,
    /// Folder for what comes in, until it has been looked into: as large as the largest uploads.
    pub spool: PathBuf,
    /// The policy of the index.
    pub policy: Policy,
    /// The clock.
    pub clock: fn() -> DateTime<Utc>,
}

/// An intake at work.
pub struct Intake {
    pub(crate) pool: Arc<Pool>,
    pub(crate) writer: Writer,
    pub(crate) tokens: Tokens,
    pub(crate) rates: Rates,
    pub(crate) spool: Spool,
    pub(crate) uploads: Semaphore,
    /// Transactions are verified one after the other: each against what the one before left.
    pub(crate) transactions: tokio::sync::Mutex<()>,
    pub(crate) publications: Publications,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) policy: Policy,
    pub(crate) clock: fn() -> DateTime<Utc>,
}

impl Intake {
    /// Starts an intake; has to be called in a runtime.
    pub fn start(config: IntakeConfig) -> Result<Self, StartError> {
        let limits = config.policy.intake;
        let metrics = Arc::new(Metrics::default());
        let pool = Arc::new(Pool::new(Arc::clone(&config.open)));
        let writer = Writer::start(config.open, config.clock, Arc::clone(&metrics));
        Ok(Self {
            writer: writer.map_err(StartError::Thread)?,
            publications: Publications::watch(Arc::clone(&pool)),
            pool,
            tokens: Tokens::open(&config.tokens)?,
            rates: Rates::new(limits.requests_per_second, limits.request_burst),
            spool: Spool::new(config.spool, limits),
            uploads: Semaphore::new(limits.uploads_at_once as usize),
            transactions: tokio::sync::Mutex::new(()),
            metrics,
            policy: config.policy,
            clock: config.clock,
        })
    }
}

/// Why an intake does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The tokens cannot be read.
    #[error(transparent)]
    Tokens(#[from] TokenFileError),
    /// No thread could be started.
    #[error("the writer could not be started")]
    Thread(#[source] std::io::Error),
}
