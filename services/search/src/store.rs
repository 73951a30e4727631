//! Where the index is kept: the one place with SQL, behind domain verbs.
//!
//! Everything is derived from logs. An attacker who can change it can hide entries from questions, but not make any up: the
//! terms that were found are derived again from the entry. `chancery search check` finds every change.
//!
//! A step of the index is one transaction, which begins with a compare-and-swap on the version of the log's index: so two servers
//! may build one index, and a process may be killed at any moment.

mod convert;
mod cursors;
mod postgres;
mod sqlite;

pub use cursors::{Cursor, Cursors};
pub use postgres::PostgresStore;
pub use sqlite::SqliteStore;

use crate::corrupt::Corrupt;
use crate::derive::{DerivedRun, Problem, Times};
use crate::page::Page;
use crate::run::Span;
use chancery_daemon::database;
use std::ops::Range;
use std::pin::Pin;
use std::sync::Arc;

/// A store's answer, later.
pub type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'a>>;

/// The database failed.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// The database's own words.
    #[error("database: {0}")]
    Database(#[source] Arc<sqlx::Error>),
    /// What was read cannot be right.
    #[error(transparent)]
    Corrupt(#[from] Corrupt),
}

impl StoreError {
    /// Whether the database gave no answer, so that nothing is known about what is in it.
    #[must_use]
    pub fn is_silent(&self) -> bool {
        matches!(self, Self::Database(error) if database::is_silent(error))
    }

    /// Whether the role with which the server connects may not write the index.
    #[must_use]
    pub fn is_forbidden(&self) -> bool {
        let Self::Database(error) = self else { return false };
        error.as_database_error().is_some_and(|error| error.code().as_deref() == Some("42501"))
    }

    /// Whether the database has no tables of an index: its schema is older.
    #[must_use]
    pub fn is_absent(&self) -> bool {
        let Self::Database(error) = self else { return false };
        let is_absent = |error: &dyn sqlx::error::DatabaseError| {
            error.code().as_deref() == Some("42P01") || error.message().starts_with("no such table: search_")
        };
        error.as_database_error().is_some_and(is_absent)
    }
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        Self::Database(Arc::new(error))
    }
}

/// Which end of a range comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Order {
    /// Lowest index first.
    Oldest,
    /// Highest index first.
    Newest,
}

/// How far the index of a log has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress {
    /// Name of the log.
    pub name: String,
    /// Changes with every step.
    pub version: i64,
    /// Entries that are indexed.
    pub size: u64,
    /// Hashes of the complete subtrees over them, one after the other.
    pub subtrees: Vec<u8>,
    /// The signed note of a tree that begins with them.
    pub checkpoint: Option<String>,
    /// Of these, how many may have terms by which they are not found.
    pub problems: u64,
}

/// What a run is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunState {
    /// It answers questions.
    Live,
    /// It is being merged of others.
    Building,
    /// It is replaced, and its pages are being deleted.
    Dropped,
}

/// A run that is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// Its number.
    pub run_id: i64,
    /// The entries that it covers.
    pub span: Span,
    /// What it is for.
    pub state: RunState,
    /// Times of the oldest and the newest of its entries.
    pub times: Times,
}

/// A live run, with the page in which something was looked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// Its number.
    pub run_id: i64,
    /// The entries that it covers.
    pub span: Span,
    /// The page, if there is one.
    pub page: Option<Vec<u8>>,
}

/// A step that indexes more entries.
#[derive(Debug)]
pub struct Append<'a> {
    /// Which log.
    pub log_id: i64,
    /// The version that this follows.
    pub version: i64,
    /// Entries that are indexed afterwards.
    pub size: u64,
    /// Their complete subtrees.
    pub subtrees: &'a [u8],
    /// The signed note of a tree that was proven to begin with them.
    pub checkpoint: &'a str,
    /// Runs that begin here or after are replaced.
    pub from: u64,
    /// By these.
    pub runs: &'a [DerivedRun],
    /// The entries from `from` on that may have more terms.
    pub problems: &'a [Problem],
}

/// A step of a merge.
#[derive(Debug)]
pub struct Merge<'a> {
    /// Which log.
    pub log_id: i64,
    /// The version that this follows.
    pub version: i64,
    /// The run that is being made, if an earlier step has begun it.
    pub run_id: Option<i64>,
    /// What it will cover.
    pub span: Span,
    /// Times of the oldest and the newest of its entries.
    pub times: Times,
    /// Pages to add to it.
    pub pages: &'a [Page],
    /// The runs that it replaces, if these are the last pages.
    pub replaced: Option<&'a [i64]>,
}

/// What belongs to nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Strays {
    /// Pages of no run.
    pub pages: u64,
    /// Runs and problems of logs of which there is no index.
    pub rows: u64,
}

/// A database that keeps indexes.
pub trait Store: Send + Sync {
    /// How far the index of a log has come; `None` where it was never begun.
    fn progress(&self, log_id: i64) -> Answer<'_, Option<Progress>>;

    /// Begins the index of a log, empty. Nothing but the name changes where it exists.
    fn begin<'a>(&'a self, log_id: i64, name: &'a str) -> Answer<'a, ()>;

    /// The runs that are live or being merged, by the first entry. Of one that is being merged there is at most one for a span.
    fn runs(&self, log_id: i64) -> Answer<'_, Vec<Run>>;

    /// Indexes more entries: all of the step is durable, or nothing of it is. `false` where the version is another by now, and
    /// nothing was written.
    fn append<'a>(&'a self, step: &'a Append<'a>) -> Answer<'a, bool>;

    /// Adds pages to a run that is being merged. With the last pages the run replaces those that it was made of. `false` as for
    /// [`Self::append`].
    fn merge<'a>(&'a self, step: &'a Merge<'a>) -> Answer<'a, bool>;

    /// Deletes up to `count` pages of runs that are replaced. Returns whether there may be more.
    fn sweep(&self, count: u32) -> Answer<'_, bool>;

    /// Drops the index of a log: it is empty afterwards.
    fn reset(&self, log_id: i64) -> Answer<'_, ()>;

    /// Up to `count` live runs over any entries of `range`, in order, each with the page that has the largest key not above `key`.
    /// All of it is of one moment.
    fn find<'a>(
        &'a self,
        log_id: i64,
        key: &'a [u8],
        range: &'a Range<u64>,
        order: Order,
        count: u32,
    ) -> Answer<'a, Vec<Held>>;

    /// As [`Self::find`] for several keys, the newest run first: each of the pages once, a run as often as it has pages.
    fn find_each<'a>(&'a self, log_id: i64, keys: &'a [Vec<u8>], range: &'a Range<u64>) -> Answer<'a, Vec<Held>>;

    /// Whether a run still answers: its pages were all there a moment ago.
    fn is_live(&self, run_id: i64) -> Answer<'_, bool>;

    /// The page of a run with the largest key that is not above `key`.
    fn page_at<'a>(&'a self, run_id: i64, key: &'a [u8]) -> Answer<'a, Option<Page>>;

    /// The page of a run with the largest key below `key`.
    fn page_before<'a>(&'a self, run_id: i64, key: &'a [u8]) -> Answer<'a, Option<Page>>;

    /// Up to `count` pages of a run with keys above `key`, in order.
    fn pages_after<'a>(&'a self, run_id: i64, key: &'a [u8], count: u32) -> Answer<'a, Vec<Page>>;

    /// Up to `count` problems of entries of `range`, in order.
    fn problems<'a>(&'a self, log_id: i64, range: &'a Range<u64>, count: u32) -> Answer<'a, Vec<Problem>>;

    /// What belongs to nothing. Reads whole tables; for checks.
    fn strays(&self) -> Answer<'_, Strays>;

    /// Deletes it.
    fn delete_strays(&self) -> Answer<'_, ()>;
}
