//! Answers to queries: the index says where to look, and the entries themselves decide.
//!
//! 1. `logs`: the logs that a query is about, each with how far its index has come.
//! 2. `scan`: in each log the candidates that the index names, those of the rarest condition first.
//! 3. `entry`: every candidate is read from its log and parsed again. It is an answer only if its own terms meet every
//!    condition. So an index that lies can hide an entry, but cannot invent one.
//!    `statements`: those that a log keeps beside entries lead to further candidates, and are read with them.
//! 4. `pages`: the answers of all logs in the order of their times, page by page. `counting` counts them.
//! 5. `proof`: inclusion proofs to the checkpoint up to which the index is complete, verified before they are shown.
//! 6. The usual questions, made of the same parts: `artifact` (who signed this), `certificates` (which were issued, and was each
//!    used), `digests` (are these signed), `entry_ids` (Rekor v1's search), `consistency` (does one tree
//!    extend another).
//!
//! Nothing here is about HTTP.

pub(crate) mod artifact;
pub(crate) mod certificates;
pub(crate) mod consistency;
pub(crate) mod counting;
pub(crate) mod digests;
pub(crate) mod entry;
pub(crate) mod entry_ids;
pub(crate) mod logs;
pub(crate) mod newest;
pub(crate) mod pages;
pub(crate) mod proof;
mod scan;
mod statements;

use crate::cursor::CursorError;
use crate::error::Error;
use crate::index::Index;
use crate::query::Unusable;
use crate::source::SourceError;
use chancery_daemon::clock::Clock;
use chancery_verify::verifier::Verifier;
use chancery_verify::{Rejection, Timestamp};
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Questions that are answered at the same time. One more is refused at once.
const MAX_QUESTIONS: usize = 64;
/// Exports that run at the same time: they last as long as their readers read.
const MAX_EXPORTS: usize = 8;
/// Work on more entries than this is done on a thread that serves no connection.
const QUICK_ENTRIES: usize = 16;

/// What entries are verified with. `None` where this process has no trust root.
pub type Trust = Arc<dyn Fn() -> Option<Arc<Verifier>> + Send + Sync>;

/// Answers questions about logs. Clones are the same.
#[derive(Clone)]
pub struct Asking(Arc<Inner>);

struct Inner {
    index: Index,
    trust: Trust,
    clock: Arc<dyn Clock>,
    questions: Arc<Semaphore>,
    exports: Arc<Semaphore>,
}

/// Why a question has no answer.
#[derive(Debug, Clone, thiserror::Error)]
pub enum AskError {
    /// A parameter cannot be used.
    #[error(transparent)]
    Unusable(#[from] Unusable),
    /// The cursor is not one of this question.
    #[error(transparent)]
    Cursor(#[from] CursorError),
    /// More entries match than the protocol can answer with.
    #[error("more than {limit} entries match; ask /api/search, which answers in pages")]
    TooMany {
        /// Entries that can be answered with.
        limit: usize,
    },
    /// As many questions as are allowed are being answered.
    #[error("the server is answering as many searches as it may; try again in a second")]
    Busy,
    /// The index has no answer.
    #[error(transparent)]
    Index(#[from] Error),
    /// A log could not be read.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// An entry, a checkpoint or a proof is not what the log has published.
    #[error("the log {log} contradicts itself: {rejection}")]
    Contradiction {
        /// Name of the log.
        log: String,
        /// Why.
        rejection: Rejection,
    },
    /// The thread that computes was stopped.
    #[error("the computation was interrupted")]
    Interrupted,
}

impl AskError {
    /// Stable name for `details`, metrics and logs.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Unusable(_) => "search.parameter",
            Self::Cursor(_) => "search.cursor",
            Self::TooMany { .. } => "search.too_many",
            Self::Busy => "search.busy",
            Self::Index(Error::PrefixTooWide) => "search.prefix",
            Self::Index(Error::NotCovered { .. } | Error::Moved) => "search.not_covered",
            Self::Index(error) if error.is_final() => "search.corrupt",
            Self::Index(_) => "search.index",
            Self::Source(_) => "search.log",
            Self::Contradiction { .. } => "search.contradiction",
            Self::Interrupted => "search.interrupted",
        }
    }
}

impl Asking {
    /// Asks this index, and verifies what is found with `trust`.
    #[must_use]
    pub fn new(index: Index, trust: Trust, clock: Arc<dyn Clock>) -> Self {
        let (questions, exports) = (Semaphore::new(MAX_QUESTIONS), Semaphore::new(MAX_EXPORTS));
        Self(Arc::new(Inner { index, trust, clock, questions: Arc::new(questions), exports: Arc::new(exports) }))
    }

    pub(crate) fn index(&self) -> &Index {
        &self.0.index
    }

    fn verifier(&self) -> Option<Arc<Verifier>> {
        (self.0.trust)()
    }

    fn now(&self) -> Timestamp {
        self.0.clock.now()
    }

    /// Takes the place of one question until the permit is dropped.
    pub(crate) fn admit(&self) -> Result<OwnedSemaphorePermit, AskError> {
        Arc::clone(&self.0.questions).try_acquire_owned().map_err(|_| AskError::Busy)
    }

    /// Takes the place of one export until the permit is dropped.
    pub(crate) fn admit_export(&self) -> Result<OwnedSemaphorePermit, AskError> {
        Arc::clone(&self.0.exports).try_acquire_owned().map_err(|_| AskError::Busy)
    }
}

/// Does `work` on `entries` entries, on another thread if it is much.
async fn computed<T: Send + 'static>(entries: usize, work: impl FnOnce() -> T + Send + 'static) -> Result<T, AskError> {
    if entries <= QUICK_ENTRIES { Ok(work()) } else { aside(work).await }
}

/// Does `work` on a thread that serves no connection.
async fn aside<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, AskError> {
    tokio::task::spawn_blocking(work).await.map_err(|_| AskError::Interrupted)
}
