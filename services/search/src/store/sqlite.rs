//! The index in `SQLite`.
//!
//! It is written through the one connection that also writes the logs, between their batches. So a step is kept short: its pages
//! are ready before it begins.

use super::convert::{self, HeldRow, NewRun, PageRow, ProblemRow, ProgressRow, RunRow, bounds, to_i64};
use super::{Answer, Append, Held, Merge, Order, Progress, Run, Store, StoreError, Strays};
use crate::corrupt::Corrupt;
use crate::derive::{Problem, Times};
use crate::page::{AFTER_ALL, Page};
use crate::run::Span;
use chancery_daemon::database::Sqlite;
use sqlx::{AssertSqlSafe, QueryBuilder, SqliteConnection};
use std::ops::Range;

/// Rows in one statement; three columns each stay far below `SQLite`'s 32,766 parameters.
const ROWS_PER_STATEMENT: usize = 512;

/// Indexes in an open `SQLite` database.
#[derive(Debug, Clone)]
pub struct SqliteStore {
    pub(super) database: Sqlite,
}

impl SqliteStore {
    /// A store over an open database.
    #[must_use]
    pub const fn new(database: Sqlite) -> Self {
        Self { database }
    }
}

async fn insert_run(
    connection: &mut SqliteConnection,
    log_id: i64,
    state: i16,
    span: Span,
    times: Times,
) -> Result<i64, StoreError> {
    let run = NewRun::of(span, times)?;
    let query = sqlx::query_scalar(convert::INSERT_RUN).bind(log_id).bind(run.first).bind(run.end).bind(state);
    Ok(query.bind(run.first_ms).bind(run.last_ms).fetch_one(connection).await?)
}

async fn insert_pages(connection: &mut SqliteConnection, run_id: i64, pages: &[Page]) -> Result<(), StoreError> {
    for chunk in pages.chunks(ROWS_PER_STATEMENT) {
        let mut query = QueryBuilder::new("INSERT INTO search_pages (run_id, first_key, page) ");
        query.push_values(chunk, |mut row, page| {
            row.push_bind(run_id).push_bind(page.key.as_slice()).push_bind(page.bytes.as_slice());
        });
        // Any other number of rows makes another statement, which is not worth keeping.
        query.build().persistent(chunk.len() == ROWS_PER_STATEMENT).execute(&mut *connection).await?;
    }
    Ok(())
}

/// Replaces the problems of the entries from `step.from` on.
async fn replace_problems(connection: &mut SqliteConnection, step: &Append<'_>) -> Result<(), StoreError> {
    let delete = sqlx::query(convert::DELETE_PROBLEMS_FROM).bind(step.log_id).bind(to_i64(step.from)?);
    let deleted = delete.execute(&mut *connection).await?.rows_affected();
    for problem in step.problems {
        sqlx::query("INSERT INTO search_problems (log_id, leaf_index, reason) VALUES (?, ?, ?)")
            .bind(step.log_id)
            .bind(to_i64(problem.index)?)
            .bind(&problem.reason)
            .execute(&mut *connection)
            .await?;
    }
    let difference = convert::difference(step.problems.len(), deleted)?;
    if difference != 0 {
        let count = sqlx::query(convert::COUNT_PROBLEMS).bind(step.log_id).bind(difference);
        count.execute(connection).await?;
    }
    Ok(())
}

async fn set_state(connection: &mut SqliteConnection, run_id: i64, from: i16, to: i16) -> Result<(), StoreError> {
    let update = sqlx::query(convert::SET_STATE).bind(run_id).bind(from).bind(to);
    if update.execute(connection).await?.rows_affected() == 1 {
        Ok(())
    } else {
        Err(Corrupt::new("the runs that were merged are still there").into())
    }
}

/// Deletes so many pages of runs that are replaced, and the runs that have none left. Returns whether there may be more.
async fn sweep(connection: &mut SqliteConnection, count: u32) -> Result<bool, StoreError> {
    let mut left = u64::from(count);
    while left > 0 {
        let dropped = sqlx::query_scalar(convert::DROPPED_RUN).fetch_optional(&mut *connection);
        let Some(run_id): Option<i64> = dropped.await? else { return Ok(false) };
        let delete = sqlx::query(convert::DELETE_PAGES).bind(run_id).bind(to_i64(left - 1)?).bind(&AFTER_ALL[..]);
        let deleted = delete.execute(&mut *connection).await?.rows_affected();
        if deleted < left {
            sqlx::query(convert::DELETE_RUN).bind(run_id).execute(&mut *connection).await?;
        }
        left = left.saturating_sub(deleted);
    }
    Ok(true)
}

impl Store for SqliteStore {
    fn progress(&self, log_id: i64) -> Answer<'_, Option<Progress>> {
        Box::pin(async move {
            let query = sqlx::query_as(convert::PROGRESS).bind(log_id);
            let row: Option<ProgressRow> = query.fetch_optional(&self.database.readers).await?;
            row.map(convert::progress).transpose()
        })
    }

    fn begin<'a>(&'a self, log_id: i64, name: &'a str) -> Answer<'a, ()> {
        Box::pin(async move {
            let insert = sqlx::query(convert::BEGIN).bind(log_id).bind(name).bind(Vec::<u8>::new());
            insert.execute(&self.database.writer).await?;
            Ok(())
        })
    }

    fn runs(&self, log_id: i64) -> Answer<'_, Vec<Run>> {
        Box::pin(async move {
            let rows: Vec<RunRow> =
                sqlx::query_as(convert::RUNS).bind(log_id).fetch_all(&self.database.readers).await?;
            rows.into_iter().map(convert::run).collect()
        })
    }

    fn append<'a>(&'a self, step: &'a Append<'a>) -> Answer<'a, bool> {
        Box::pin(async move {
            let (log_id, from) = (step.log_id, to_i64(step.from)?);
            let mut transaction = self.database.writer.begin_with("BEGIN IMMEDIATE").await?;
            let advance = sqlx::query(convert::ADVANCE).bind(log_id).bind(step.version).bind(to_i64(step.size)?);
            let advance = advance.bind(step.subtrees).bind(step.checkpoint).execute(&mut *transaction).await?;
            if advance.rows_affected() == 0 {
                return Ok(false);
            }
            for delete in [convert::DELETE_PAGES_FROM, convert::DELETE_RUNS_FROM] {
                sqlx::query(delete).bind(log_id).bind(from).execute(&mut *transaction).await?;
            }
            for run in step.runs {
                let run_id = insert_run(&mut transaction, log_id, convert::LIVE, run.span, run.times).await?;
                insert_pages(&mut transaction, run_id, &run.pages).await?;
            }
            replace_problems(&mut transaction, step).await?;
            transaction.commit().await?;
            Ok(true)
        })
    }

    fn merge<'a>(&'a self, step: &'a Merge<'a>) -> Answer<'a, bool> {
        Box::pin(async move {
            let mut transaction = self.database.writer.begin_with("BEGIN IMMEDIATE").await?;
            let touch = sqlx::query(convert::TOUCH).bind(step.log_id).bind(step.version);
            if touch.execute(&mut *transaction).await?.rows_affected() == 0 {
                return Ok(false);
            }
            let run_id = match step.run_id {
                Some(run_id) => run_id,
                None => insert_run(&mut transaction, step.log_id, convert::BUILDING, step.span, step.times).await?,
            };
            insert_pages(&mut transaction, run_id, step.pages).await?;
            if let Some(replaced) = step.replaced {
                for replaced in replaced {
                    set_state(&mut transaction, *replaced, convert::LIVE, convert::DROPPED).await?;
                }
                set_state(&mut transaction, run_id, convert::BUILDING, convert::LIVE).await?;
            }
            transaction.commit().await?;
            Ok(true)
        })
    }

    fn sweep(&self, count: u32) -> Answer<'_, bool> {
        Box::pin(async move {
            // Looked for where it disturbs no batch.
            let dropped: Option<i64> =
                sqlx::query_scalar(convert::DROPPED_RUN).fetch_optional(&self.database.readers).await?;
            if dropped.is_none() {
                return Ok(false);
            }
            let mut transaction = self.database.writer.begin_with("BEGIN IMMEDIATE").await?;
            let has_more = sweep(&mut transaction, count).await?;
            transaction.commit().await?;
            Ok(has_more)
        })
    }

    fn reset(&self, log_id: i64) -> Answer<'_, ()> {
        Box::pin(async move {
            let mut transaction = self.database.writer.begin_with("BEGIN IMMEDIATE").await?;
            sqlx::query(convert::RESET).bind(log_id).bind(Vec::<u8>::new()).execute(&mut *transaction).await?;
            sqlx::query(convert::DROP_RUNS).bind(log_id).execute(&mut *transaction).await?;
            sqlx::query(convert::DELETE_PROBLEMS_FROM).bind(log_id).bind(0_i64).execute(&mut *transaction).await?;
            transaction.commit().await?;
            Ok(())
        })
    }

    fn find<'a>(
        &'a self,
        log_id: i64,
        key: &'a [u8],
        range: &'a Range<u64>,
        order: Order,
        count: u32,
    ) -> Answer<'a, Vec<Held>> {
        Box::pin(async move {
            let (start, end) = bounds(range)?;
            let query = sqlx::query_as(convert::find(order)).bind(log_id).bind(start).bind(end).bind(key);
            let rows: Vec<HeldRow> = query.bind(i64::from(count)).fetch_all(&self.database.readers).await?;
            rows.into_iter().map(convert::held).collect()
        })
    }

    fn find_each<'a>(&'a self, log_id: i64, keys: &'a [Vec<u8>], range: &'a Range<u64>) -> Answer<'a, Vec<Held>> {
        Box::pin(async move {
            let (start, end) = bounds(range)?;
            // $1 to $3 are bound first; the keys follow.
            let marks: Vec<String> = (0..keys.len()).map(|number| format!("(${})", number + 4)).collect();
            let text = format!("WITH wanted (key) AS (VALUES {}), {}", marks.join(", "), convert::FIND_EACH_BY_ROWID);
            // The only thing in the text that varies is how many keys there are.
            let query = sqlx::query_as::<sqlx::Sqlite, HeldRow>(AssertSqlSafe(text)).persistent(false);
            let mut query = query.bind(log_id).bind(start).bind(end);
            for key in keys {
                query = query.bind(key.as_slice());
            }
            let rows = query.fetch_all(&self.database.readers).await?;
            rows.into_iter().map(convert::held).collect()
        })
    }

    fn is_live(&self, run_id: i64) -> Answer<'_, bool> {
        Box::pin(async move {
            Ok(sqlx::query_scalar(convert::IS_LIVE).bind(run_id).fetch_one(&self.database.readers).await?)
        })
    }

    fn page_at<'a>(&'a self, run_id: i64, key: &'a [u8]) -> Answer<'a, Option<Page>> {
        Box::pin(async move {
            let query = sqlx::query_as(convert::PAGE_AT).bind(run_id).bind(key);
            let row: Option<PageRow> = query.fetch_optional(&self.database.readers).await?;
            Ok(row.map(convert::page))
        })
    }

    fn page_before<'a>(&'a self, run_id: i64, key: &'a [u8]) -> Answer<'a, Option<Page>> {
        Box::pin(async move {
            let query = sqlx::query_as(convert::PAGE_BEFORE).bind(run_id).bind(key);
            let row: Option<PageRow> = query.fetch_optional(&self.database.readers).await?;
            Ok(row.map(convert::page))
        })
    }

    fn pages_after<'a>(&'a self, run_id: i64, key: &'a [u8], count: u32) -> Answer<'a, Vec<Page>> {
        Box::pin(async move {
            let query = sqlx::query_as(convert::PAGES_AFTER).bind(run_id).bind(key).bind(i64::from(count));
            let rows: Vec<PageRow> = query.fetch_all(&self.database.readers).await?;
            Ok(rows.into_iter().map(convert::page).collect())
        })
    }

    fn problems<'a>(&'a self, log_id: i64, range: &'a Range<u64>, count: u32) -> Answer<'a, Vec<Problem>> {
        Box::pin(async move {
            let (start, end) = bounds(range)?;
            let query = sqlx::query_as(convert::PROBLEMS).bind(log_id).bind(start).bind(end).bind(i64::from(count));
            let rows: Vec<ProblemRow> = query.fetch_all(&self.database.readers).await?;
            rows.into_iter().map(convert::problem).collect()
        })
    }

    fn strays(&self) -> Answer<'_, Strays> {
        Box::pin(
            async move { convert::strays(sqlx::query_as(convert::STRAYS).fetch_one(&self.database.readers).await?) },
        )
    }

    fn delete_strays(&self) -> Answer<'_, ()> {
        Box::pin(async move {
            for delete in convert::DELETE_STRAYS {
                sqlx::query(delete).execute(&self.database.writer).await?;
            }
            Ok(())
        })
    }
}
