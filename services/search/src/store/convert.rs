//! The parts that both databases share: statements that read, and how rows become the store's types. Nothing that is read is
//! believed to be in range.

use super::{Held, Order, Progress, Run, RunState, StoreError, Strays};
use crate::corrupt::Corrupt;
use crate::derive::{Problem, Times};
use crate::page::Page;
use crate::run::Span;

/// `name, version, tree_size, subtrees, checkpoint, problems`
pub(super) type ProgressRow = (String, i64, i64, Vec<u8>, Option<String>, i64);
/// `run_id, first_index, end_index, state, first_ms, last_ms`
pub(super) type RunRow = (i64, i64, i64, i16, Option<i64>, Option<i64>);
/// `run_id, first_index, end_index, page`
pub(super) type HeldRow = (i64, i64, i64, Option<Vec<u8>>);
/// `first_key, page`
pub(super) type PageRow = (Vec<u8>, Vec<u8>);
/// `leaf_index, reason`
pub(super) type ProblemRow = (i64, String);

/// What runs are for, as it is stored. [`find`] and others have the number of a live one in their text: an index is for these alone.
pub(super) const LIVE: i16 = 0;
pub(super) const BUILDING: i16 = 1;
pub(super) const DROPPED: i16 = 2;

pub(super) const PROGRESS: &str =
    "/* search progress */ SELECT name, version, tree_size, subtrees, checkpoint, problems
     FROM search_logs WHERE log_id = $1";
pub(super) const BEGIN: &str =
    "INSERT INTO search_logs (log_id, name, version, tree_size, subtrees, checkpoint, problems)
     VALUES ($1, $2, 0, 0, $3, NULL, 0) ON CONFLICT (log_id) DO UPDATE SET name = excluded.name";
pub(super) const RUNS: &str =
    "/* search runs */ SELECT run_id, first_index, end_index, state, first_ms, last_ms FROM search_runs
     WHERE log_id = $1 AND state < 2 ORDER BY first_index, state";
pub(super) const ADVANCE: &str = "/* search advance */ UPDATE search_logs
     SET version = version + 1, tree_size = $3, subtrees = $4, checkpoint = $5 WHERE log_id = $1 AND version = $2";
pub(super) const TOUCH: &str =
    "/* search touch */ UPDATE search_logs SET version = version + 1 WHERE log_id = $1 AND version = $2";
pub(super) const COUNT_PROBLEMS: &str = "UPDATE search_logs SET problems = problems + $2 WHERE log_id = $1";
pub(super) const INSERT_RUN: &str = "INSERT INTO search_runs (log_id, first_index, end_index, state, first_ms, last_ms)
     VALUES ($1, $2, $3, $4, $5, $6) RETURNING run_id";
pub(super) const DELETE_PAGES_FROM: &str = "DELETE FROM search_pages WHERE run_id IN (
         SELECT run_id FROM search_runs WHERE log_id = $1 AND state = 0 AND first_index >= $2
     )";
pub(super) const DELETE_RUNS_FROM: &str =
    "DELETE FROM search_runs WHERE log_id = $1 AND state = 0 AND first_index >= $2";
pub(super) const DELETE_PROBLEMS_FROM: &str = "DELETE FROM search_problems WHERE log_id = $1 AND leaf_index >= $2";
pub(super) const SET_STATE: &str = "UPDATE search_runs SET state = $3 WHERE run_id = $1 AND state = $2";
pub(super) const RESET: &str = "UPDATE search_logs
     SET version = version + 1, tree_size = 0, subtrees = $2, checkpoint = NULL, problems = 0 WHERE log_id = $1";
pub(super) const DROP_RUNS: &str = "UPDATE search_runs SET state = 2 WHERE log_id = $1 AND state < 2";
pub(super) const DROPPED_RUN: &str = "SELECT run_id FROM search_runs WHERE state = 2 ORDER BY run_id LIMIT 1";
/// A range and not a list of keys: the pages stand next to each other in the index.
pub(super) const DELETE_PAGES: &str =
    "/* search sweep */ DELETE FROM search_pages WHERE run_id = $1 AND first_key <= coalesce((
         SELECT first_key FROM search_pages WHERE run_id = $1 ORDER BY first_key LIMIT 1 OFFSET $2
     ), $3)";
/// Only without pages. Where two servers delete the same pages, the second one deletes none of them, though others are left.
pub(super) const DELETE_RUN: &str = "DELETE FROM search_runs
     WHERE run_id = $1 AND NOT EXISTS (SELECT 1 FROM search_pages WHERE search_pages.run_id = $1)";
pub(super) const IS_LIVE: &str =
    "/* search live */ SELECT EXISTS (SELECT 1 FROM search_runs WHERE run_id = $1 AND state = 0)";
pub(super) const PAGE_AT: &str = "/* search page */ SELECT first_key, page FROM search_pages
     WHERE run_id = $1 AND first_key <= $2 ORDER BY first_key DESC LIMIT 1";
pub(super) const PAGE_BEFORE: &str = "/* search page */ SELECT first_key, page FROM search_pages
     WHERE run_id = $1 AND first_key < $2 ORDER BY first_key DESC LIMIT 1";
pub(super) const PAGES_AFTER: &str = "/* search pages */ SELECT first_key, page FROM search_pages
     WHERE run_id = $1 AND first_key > $2 ORDER BY first_key LIMIT $3";
pub(super) const PROBLEMS: &str = "/* search problems */ SELECT leaf_index, reason FROM search_problems
     WHERE log_id = $1 AND leaf_index >= $2 AND leaf_index < $3 ORDER BY leaf_index LIMIT $4";
/// Runs that are replaced are no strays: the index of their log may be gone.
pub(super) const STRAYS: &str = "/* search strays */ SELECT (
         SELECT count(*) FROM search_pages
         WHERE NOT EXISTS (SELECT 1 FROM search_runs WHERE search_runs.run_id = search_pages.run_id)
     ), (
         SELECT count(*) FROM search_runs
         WHERE state < 2 AND NOT EXISTS (SELECT 1 FROM search_logs WHERE search_logs.log_id = search_runs.log_id)
     ) + (
         SELECT count(*) FROM search_problems
         WHERE NOT EXISTS (SELECT 1 FROM search_logs WHERE search_logs.log_id = search_problems.log_id)
     )";
/// In this order: the pages of a run that is deleted are strays.
pub(super) const DELETE_STRAYS: [&str; 3] = [
    "/* search strays */ DELETE FROM search_problems
     WHERE NOT EXISTS (SELECT 1 FROM search_logs WHERE search_logs.log_id = search_problems.log_id)",
    "/* search strays */ DELETE FROM search_runs
     WHERE state < 2 AND NOT EXISTS (SELECT 1 FROM search_logs WHERE search_logs.log_id = search_runs.log_id)",
    "/* search strays */ DELETE FROM search_pages
     WHERE NOT EXISTS (SELECT 1 FROM search_runs WHERE search_runs.run_id = search_pages.run_id)",
];

/// One seek in an index for each run. A join would be planned as a scan of all pages.
macro_rules! find {
    ($direction:literal) => {
        concat!(
            "/* search find */ SELECT run_id, first_index, end_index, (
                 SELECT page FROM search_pages
                 WHERE search_pages.run_id = search_runs.run_id AND first_key <= $4 ORDER BY first_key DESC LIMIT 1
             ) FROM search_runs
             WHERE log_id = $1 AND state = 0 AND first_index < $3 AND end_index > $2
             ORDER BY first_index ",
            $direction,
            " LIMIT $5"
        )
    };
}

pub(super) const fn find(order: Order) -> &'static str {
    match order {
        Order::Oldest => find!(""),
        Order::Newest => find!("DESC"),
    }
}

/// A page that several keys lead to is read once. `$name` is what it is named by meanwhile.
macro_rules! find_each {
    ($name:literal) => {
        concat!(
            "places AS (
                 SELECT DISTINCT run_id, first_index, end_index, (
                     SELECT ",
            $name,
            " FROM search_pages
                     WHERE search_pages.run_id = search_runs.run_id AND first_key <= wanted.key
                     ORDER BY first_key DESC LIMIT 1
                 ) AS place
                 FROM search_runs CROSS JOIN wanted
                 WHERE log_id = $1 AND state = 0 AND first_index < $3 AND end_index > $2
             )
             SELECT run_id, first_index, end_index, (
                 SELECT page FROM search_pages WHERE search_pages.run_id = places.run_id AND ",
            $name,
            " = places.place
             ) FROM places ORDER BY first_index DESC"
        )
    };
}

/// Follows `WITH wanted (key) AS (…), `.
pub(super) const FIND_EACH: &str = find_each!("first_key");
/// The same for `SQLite`: to find a row by its number is one descent of a tree instead of two, and numbers are compared faster.
pub(super) const FIND_EACH_BY_ROWID: &str = find_each!("search_pages.rowid");

pub(super) fn to_i64(value: u64) -> Result<i64, StoreError> {
    i64::try_from(value).map_err(|_| Corrupt::new("indices fit 63 bits").into())
}

pub(super) fn to_u64(value: i64) -> Result<u64, StoreError> {
    u64::try_from(value).map_err(|_| Corrupt::new("indices are not negative").into())
}

/// A range of indices. One that is open has the largest number as its end.
pub(super) fn bounds(range: &std::ops::Range<u64>) -> Result<(i64, i64), StoreError> {
    Ok((to_i64(range.start)?, i64::try_from(range.end).unwrap_or(i64::MAX)))
}

fn span(first: i64, end: i64) -> Result<Span, StoreError> {
    let span = Span { first: to_u64(first)?, end: to_u64(end)? };
    if span.first < span.end { Ok(span) } else { Err(Corrupt::new("a run covers an entry").into()) }
}

pub(super) fn progress(
    (name, version, size, subtrees, checkpoint, problems): ProgressRow,
) -> Result<Progress, StoreError> {
    Ok(Progress { name, version, size: to_u64(size)?, subtrees, checkpoint, problems: to_u64(problems)? })
}

pub(super) fn run((run_id, first, end, state, first_ms, last_ms): RunRow) -> Result<Run, StoreError> {
    let state = match state {
        LIVE => RunState::Live,
        BUILDING => RunState::Building,
        DROPPED => RunState::Dropped,
        _ => return Err(Corrupt::new("a run is live, being merged, or replaced").into()),
    };
    Ok(Run { run_id, span: span(first, end)?, state, times: Times(first_ms.zip(last_ms)) })
}

pub(super) fn held((run_id, first, end, page): HeldRow) -> Result<Held, StoreError> {
    Ok(Held { run_id, span: span(first, end)?, page })
}

pub(super) fn strays((pages, rows): (i64, i64)) -> Result<Strays, StoreError> {
    Ok(Strays { pages: to_u64(pages)?, rows: to_u64(rows)? })
}

pub(super) fn page((key, bytes): PageRow) -> Page {
    Page { key, bytes }
}

pub(super) fn problem((index, reason): ProblemRow) -> Result<Problem, StoreError> {
    Ok(Problem { index: to_u64(index)?, reason })
}

/// The values of a run's row.
pub(super) struct NewRun {
    pub(super) first: i64,
    pub(super) end: i64,
    pub(super) first_ms: Option<i64>,
    pub(super) last_ms: Option<i64>,
}

impl NewRun {
    pub(super) fn of(span: Span, times: Times) -> Result<Self, StoreError> {
        let (first_ms, last_ms) = times.0.unzip();
        Ok(Self { first: to_i64(span.first)?, end: to_i64(span.end)?, first_ms, last_ms })
    }
}

/// How the number of problems changes.
pub(super) fn difference(inserted: usize, deleted: u64) -> Result<i64, StoreError> {
    let inserted = i64::try_from(inserted).map_err(|_| Corrupt::new("a step has fewer than 2^63 entries"))?;
    Ok(inserted - to_i64(deleted)?)
}
