//! The index in `PostgreSQL`: several servers may build and ask it.
//!
//! A step is one transaction: compare-and-swap on the version of the log's index, then the rows. The first statement locks the
//! log's row in `search_logs`, so that two servers take turns; the one that comes too late finds another version and writes
//! nothing. No row of a log is locked, and no batch of entries waits.

use super::convert::{self, HeldRow, NewRun, PageRow, ProblemRow, ProgressRow, RunRow, bounds, to_i64};
use super::{Answer, Append, Held, Merge, Order, Progress, Run, Store, StoreError, Strays};
use crate::corrupt::Corrupt;
use crate::derive::{Problem, Times};
use crate::page::{AFTER_ALL, Page};
use crate::run::Span;
use chancery_daemon::database::Postgres;
use sqlx::{Connection as _, PgConnection};
use std::ops::Range;
use std::sync::LazyLock;

/// Rows in one statement: two megabytes.
const ROWS_PER_STATEMENT: usize = 1024;
/// How often a read is tried before it fails: more often than there are connections, so that a server that was restarted,
/// and thereby made all of them useless, goes unnoticed.
const ATTEMPTS: u32 = 16;

/// Indexes in an open `PostgreSQL` database.
#[derive(Debug, Clone)]
pub struct PostgresStore {
    pub(super) database: Postgres,
}

impl PostgresStore {
    /// A store over an open database.
    #[must_use]
    pub const fn new(database: Postgres) -> Self {
        Self { database }
    }
}

impl StoreError {
    /// Whether the connection broke, or the server ended it. Another one may be fine.
    fn is_disconnected(&self) -> bool {
        let Self::Database(error) = self else { return false };
        match error.as_ref() {
            sqlx::Error::Io(_) => true,
            sqlx::Error::Database(error) => matches!(error.code().as_deref(), Some("57P01" | "57P02" | "25P03")),
            _ => false,
        }
    }
}

/// Runs a read, and again where its connection turned out to be dead.
pub(super) async fn read<T, F: Future<Output = Result<T, sqlx::Error>>>(
    statement: impl Fn() -> F,
) -> Result<T, StoreError> {
    let mut attempt = 1;
    loop {
        match statement().await.map_err(StoreError::from) {
            Err(error) if attempt < ATTEMPTS && error.is_disconnected() => attempt += 1,
            result => return result,
        }
    }
}

async fn insert_run(
    connection: &mut PgConnection,
    log_id: i64,
    state: i16,
    span: Span,
    times: Times,
) -> Result<i64, StoreError> {
    let run = NewRun::of(span, times)?;
    let query = sqlx::query_scalar(convert::INSERT_RUN).bind(log_id).bind(run.first).bind(run.end).bind(state);
    Ok(query.bind(run.first_ms).bind(run.last_ms).fetch_one(connection).await?)
}

async fn insert_pages(connection: &mut PgConnection, run_id: i64, pages: &[Page]) -> Result<(), StoreError> {
    for chunk in pages.chunks(ROWS_PER_STATEMENT) {
        sqlx::query(
            "/* search pages */ INSERT INTO search_pages (run_id, first_key, page)
             SELECT $1, new.* FROM unnest($2::bytea[], $3::bytea[]) AS new",
        )
        .bind(run_id)
        .bind(chunk.iter().map(|page| page.key.as_slice()).collect::<Vec<_>>())
        .bind(chunk.iter().map(|page| page.bytes.as_slice()).collect::<Vec<_>>())
        .execute(&mut *connection)
        .await?;
    }
    Ok(())
}

/// Replaces the problems of the entries from `step.from` on.
async fn replace_problems(connection: &mut PgConnection, step: &Append<'_>) -> Result<(), StoreError> {
    let delete = sqlx::query(convert::DELETE_PROBLEMS_FROM).bind(step.log_id).bind(to_i64(step.from)?);
    let deleted = delete.execute(&mut *connection).await?.rows_affected();
    if !step.problems.is_empty() {
        sqlx::query(
            "INSERT INTO search_problems (log_id, leaf_index, reason)
             SELECT $1, new.* FROM unnest($2::bigint[], $3::text[]) AS new",
        )
        .bind(step.log_id)
        .bind(step.problems.iter().map(|problem| to_i64(problem.index)).collect::<Result<Vec<_>, _>>()?)
        .bind(step.problems.iter().map(|problem| problem.reason.as_str()).collect::<Vec<_>>())
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

async fn set_state(connection: &mut PgConnection, run_id: i64, from: i16, to: i16) -> Result<(), StoreError> {
    let update = sqlx::query(convert::SET_STATE).bind(run_id).bind(from).bind(to);
    if update.execute(connection).await?.rows_affected() == 1 {
        Ok(())
    } else {
        Err(Corrupt::new("the runs that were merged are still there").into())
    }
}

/// Writes the step into a transaction; `false` where the version is another.
async fn append(connection: &mut PgConnection, step: &Append<'_>) -> Result<bool, StoreError> {
    let (log_id, from) = (step.log_id, to_i64(step.from)?);
    let advance = sqlx::query(convert::ADVANCE).bind(log_id).bind(step.version).bind(to_i64(step.size)?);
    let advance = advance.bind(step.subtrees).bind(step.checkpoint).execute(&mut *connection).await?;
    if advance.rows_affected() == 0 {
        return Ok(false);
    }
    for delete in [convert::DELETE_PAGES_FROM, convert::DELETE_RUNS_FROM] {
        sqlx::query(delete).bind(log_id).bind(from).execute(&mut *connection).await?;
    }
    for run in step.runs {
        let run_id = insert_run(connection, log_id, convert::LIVE, run.span, run.times).await?;
        insert_pages(connection, run_id, &run.pages).await?;
    }
    replace_problems(connection, step).await?;
    Ok(true)
}

/// As [`append`], for a step of a merge.
async fn merge(connection: &mut PgConnection, step: &Merge<'_>) -> Result<bool, StoreError> {
    let touch = sqlx::query(convert::TOUCH).bind(step.log_id).bind(step.version);
    if touch.execute(&mut *connection).await?.rows_affected() == 0 {
        return Ok(false);
    }
    let run_id = match step.run_id {
        Some(run_id) => run_id,
        None => insert_run(connection, step.log_id, convert::BUILDING, step.span, step.times).await?,
    };
    insert_pages(connection, run_id, step.pages).await?;
    if let Some(replaced) = step.replaced {
        for replaced in replaced {
            set_state(connection, *replaced, convert::LIVE, convert::DROPPED).await?;
        }
        set_state(connection, run_id, convert::BUILDING, convert::LIVE).await?;
    }
    Ok(true)
}

/// Deletes so many pages of runs that are replaced, and the runs that have none left. Returns whether there may be more.
async fn sweep(connection: &mut PgConnection, count: u32) -> Result<bool, StoreError> {
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

impl Store for PostgresStore {
    fn progress(&self, log_id: i64) -> Answer<'_, Option<Progress>> {
        Box::pin(async move {
            let row: Option<ProgressRow> =
                read(|| sqlx::query_as(convert::PROGRESS).bind(log_id).fetch_optional(&self.database.readers)).await?;
            row.map(convert::progress).transpose()
        })
    }

    fn begin<'a>(&'a self, log_id: i64, name: &'a str) -> Answer<'a, ()> {
        Box::pin(async move {
            let insert = sqlx::query(convert::BEGIN).bind(log_id).bind(name).bind(Vec::<u8>::new());
            insert.execute(&self.database.writers).await?;
            Ok(())
        })
    }

    fn runs(&self, log_id: i64) -> Answer<'_, Vec<Run>> {
        Box::pin(async move {
            let rows: Vec<RunRow> =
                read(|| sqlx::query_as(convert::RUNS).bind(log_id).fetch_all(&self.database.readers)).await?;
            rows.into_iter().map(convert::run).collect()
        })
    }

    fn append<'a>(&'a self, step: &'a Append<'a>) -> Answer<'a, bool> {
        Box::pin(async move {
            let mut connection = self.database.writers.acquire().await?;
            let mut transaction = connection.begin().await?;
            let written = append(&mut transaction, step).await?;
            transaction.commit().await?;
            connection.give_back();
            Ok(written)
        })
    }

    fn merge<'a>(&'a self, step: &'a Merge<'a>) -> Answer<'a, bool> {
        Box::pin(async move {
            let mut connection = self.database.writers.acquire().await?;
            let mut transaction = connection.begin().await?;
            let written = merge(&mut transaction, step).await?;
            transaction.commit().await?;
            connection.give_back();
            Ok(written)
        })
    }

    fn sweep(&self, count: u32) -> Answer<'_, bool> {
        Box::pin(async move {
            let dropped: Option<i64> =
                read(|| sqlx::query_scalar(convert::DROPPED_RUN).fetch_optional(&self.database.readers)).await?;
            if dropped.is_none() {
                return Ok(false);
            }
            let mut connection = self.database.writers.acquire().await?;
            let mut transaction = connection.begin().await?;
            let has_more = sweep(&mut transaction, count).await?;
            transaction.commit().await?;
            connection.give_back();
            Ok(has_more)
        })
    }

    fn reset(&self, log_id: i64) -> Answer<'_, ()> {
        Box::pin(async move {
            let mut connection = self.database.writers.acquire().await?;
            let mut transaction = connection.begin().await?;
            // First the row that every step locks.
            let reset = sqlx::query(convert::RESET).bind(log_id).bind(Vec::<u8>::new());
            reset.execute(&mut *transaction).await?;
            sqlx::query(convert::DROP_RUNS).bind(log_id).execute(&mut *transaction).await?;
            sqlx::query(convert::DELETE_PROBLEMS_FROM).bind(log_id).bind(0_i64).execute(&mut *transaction).await?;
            transaction.commit().await?;
            connection.give_back();
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
            let rows: Vec<HeldRow> = read(|| {
                let query = sqlx::query_as(convert::find(order)).bind(log_id).bind(start).bind(end).bind(key);
                query.bind(i64::from(count)).fetch_all(&self.database.readers)
            })
            .await?;
            rows.into_iter().map(convert::held).collect()
        })
    }

    fn find_each<'a>(&'a self, log_id: i64, keys: &'a [Vec<u8>], range: &'a Range<u64>) -> Answer<'a, Vec<Held>> {
        static STATEMENT: LazyLock<String> = LazyLock::new(|| {
            format!(
                "/* search find each */ WITH wanted (key) AS (SELECT * FROM unnest($4::bytea[])), {}",
                convert::FIND_EACH
            )
        });
        Box::pin(async move {
            let (start, end) = bounds(range)?;
            let rows: Vec<HeldRow> = read(|| {
                let query = sqlx::query_as(STATEMENT.as_str()).bind(log_id).bind(start).bind(end);
                query.bind(keys).fetch_all(&self.database.readers)
            })
            .await?;
            rows.into_iter().map(convert::held).collect()
        })
    }

    fn is_live(&self, run_id: i64) -> Answer<'_, bool> {
        Box::pin(read(move || sqlx::query_scalar(convert::IS_LIVE).bind(run_id).fetch_one(&self.database.readers)))
    }

    fn page_at<'a>(&'a self, run_id: i64, key: &'a [u8]) -> Answer<'a, Option<Page>> {
        Box::pin(async move {
            let row: Option<PageRow> =
                read(|| sqlx::query_as(convert::PAGE_AT).bind(run_id).bind(key).fetch_optional(&self.database.readers))
                    .await?;
            Ok(row.map(convert::page))
        })
    }

    fn page_before<'a>(&'a self, run_id: i64, key: &'a [u8]) -> Answer<'a, Option<Page>> {
        Box::pin(async move {
            let row: Option<PageRow> = read(|| {
                sqlx::query_as(convert::PAGE_BEFORE).bind(run_id).bind(key).fetch_optional(&self.database.readers)
            })
            .await?;
            Ok(row.map(convert::page))
        })
    }

    fn pages_after<'a>(&'a self, run_id: i64, key: &'a [u8], count: u32) -> Answer<'a, Vec<Page>> {
        Box::pin(async move {
            let rows: Vec<PageRow> = read(|| {
                let query = sqlx::query_as(convert::PAGES_AFTER).bind(run_id).bind(key).bind(i64::from(count));
                query.fetch_all(&self.database.readers)
            })
            .await?;
            Ok(rows.into_iter().map(convert::page).collect())
        })
    }

    fn problems<'a>(&'a self, log_id: i64, range: &'a Range<u64>, count: u32) -> Answer<'a, Vec<Problem>> {
        Box::pin(async move {
            let (start, end) = bounds(range)?;
            let rows: Vec<ProblemRow> = read(|| {
                let query = sqlx::query_as(convert::PROBLEMS).bind(log_id).bind(start).bind(end);
                query.bind(i64::from(count)).fetch_all(&self.database.readers)
            })
            .await?;
            rows.into_iter().map(convert::problem).collect()
        })
    }

    fn strays(&self) -> Answer<'_, Strays> {
        Box::pin(async move {
            convert::strays(read(|| sqlx::query_as(convert::STRAYS).fetch_one(&self.database.readers)).await?)
        })
    }

    fn delete_strays(&self) -> Answer<'_, ()> {
        Box::pin(async move {
            for delete in convert::DELETE_STRAYS {
                sqlx::query(delete).execute(&self.database.writers).await?;
            }
            Ok(())
        })
    }
}
