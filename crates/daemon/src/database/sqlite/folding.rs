//! Folding the write-ahead log into the database file, beside the writer.
//!
//! A commit is durable once it is in the write-ahead log. Later its pages are copied into the file (in `SQLite`'s words, a
//! checkpoint), each of them once, however often it was written. Left to itself, `SQLite` does this within the commit that makes
//! the log longer than 1000 pages, so that the entries of that commit wait for two more syncs. Here a task does it:
//!
//! 1. It looks how much is to be copied.
//! 2. From [`FOLDED_FROM`] on it copies them on a connection of its own, while commits go on.
//! 3. It copies what these have written meanwhile, until little is left.
//! 4. It borrows the writer, so that nothing is committed, and copies the rest, which takes about as long as one commit. Now the
//!    file has everything, and the next commit begins at the start of the log. Without this step it would be appended,
//!    and under steady load the log would grow for ever.
//!
//! The log can only begin anew when no reader needs it. A statement that reads for long therefore makes it longer. From
//! [`LONG`] on, step 4 also waits for readers, but no longer than [`PATIENCE`]. Nothing can bound the log under a reader
//! that never ends, and commits are not to wait for one.
//!
//! A crash loses nothing at any step: the log begins anew only when the file with its pages is synced, and the next to open the
//! file reads the log. If this task fails or falls behind, the writer copies by itself from [`LONG`] on. Where the file has larger
//! pages than a new one, that is later.
//!
//! Copying beside a writer needs `SQLite` 3.51.3, the version that is built in: older ones could, rarely, lose a page by it
//! (<https://sqlite.org/wal.html#walresetbug>).

use sqlx::{SqliteConnection, SqlitePool};
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio::time::sleep;

/// Bytes that are to be copied before they are. The more there are, the more often has one page been written meanwhile, which is
/// copied once. Of so many batches of 64 clients, fewer than one in a hundred waits for step 4.
const FOLDED_FROM: i64 = 32 << 20;
/// So many bytes can be copied while the writer waits.
const REST: i64 = 1 << 20;
/// How often the task copies what was written meanwhile. If more than [`REST`] is left even then, it goes on at its next look.
const ROUNDS: u32 = 4;
/// Bytes of a log that is too long.
pub(super) const LONG: i64 = 128 << 20;
/// How long commits wait for readers where the log is too long.
pub(super) const PATIENCE: Duration = Duration::from_millis(100);
/// Between two looks at a log that grows.
const GROWING: Duration = Duration::from_millis(100);
/// Between two looks at a log that stands still, and after a failure.
const STANDING: Duration = Duration::from_secs(1);

/// Counts the pages, and does nothing.
const LOOK: &str = "PRAGMA wal_checkpoint(NOOP)";
/// Copies what no reader keeps from being copied, and waits for none.
const COPY: &str = "PRAGMA wal_checkpoint(PASSIVE)";
/// Copies everything, and waits until no reader needs the log.
const COPY_ALL: &str = "PRAGMA wal_checkpoint(RESTART)";

/// The write-ahead log, in bytes of pages.
#[derive(Debug, Clone, Copy)]
struct Extent {
    /// Its length.
    length: i64,
    /// Of it, how much is in the file.
    copied: i64,
}

impl Extent {
    const fn to_copy(self) -> i64 {
        self.length.saturating_sub(self.copied)
    }
}

/// The task. It ends with its database.
#[derive(Debug)]
pub(super) struct Folding {
    own: SqlitePool,
    task: JoinHandle<()>,
}

impl Folding {
    /// Starts the task. `own` is a pool of one connection, which waits for others at most [`PATIENCE`].
    pub(super) fn start(own: SqlitePool, writer: SqlitePool) -> Self {
        let task = tokio::spawn(run(own.clone(), writer));
        Self { own, task }
    }

    /// Ends the task and closes its connection. If it is copying, this waits until the copy is complete.
    pub(super) async fn stop(&self) {
        self.task.abort();
        self.own.close().await;
    }
}

impl Drop for Folding {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn run(own: SqlitePool, writer: SqlitePool) {
    let (mut length, mut is_failing) = (0, false);
    let mut pause = STANDING;
    loop {
        sleep(pause).await;
        pause = match fold(&own, &writer).await {
            Ok(extent) => {
                is_failing = false;
                let stands = extent.length == length;
                length = extent.length;
                if stands { STANDING } else { GROWING }
            }
            Err(sqlx::Error::PoolClosed) => return,
            Err(error) => {
                // Once, not every second.
                if !is_failing {
                    tracing::warn!(
                        %error,
                        "the database's write-ahead log cannot be copied into its file; it grows until it can"
                    );
                }
                is_failing = true;
                STANDING
            }
        };
    }
}

/// Folds the log where it is long enough. Returns its extent afterwards. The numbers are those in the head of the module.
async fn fold(own: &SqlitePool, writer: &SqlitePool) -> Result<Extent, sqlx::Error> {
    let mut connection = own.acquire().await?;
    let page_bytes = sqlx::query_scalar("PRAGMA page_size").fetch_one(&mut *connection).await?;
    // 1.
    let mut extent = checkpoint(&mut connection, LOOK, page_bytes).await?;
    if extent.to_copy() < FOLDED_FROM {
        return Ok(extent);
    }
    // 2, 3.
    for _ in 0..ROUNDS {
        extent = checkpoint(&mut connection, COPY, page_bytes).await?;
        if extent.to_copy() < REST {
            break;
        }
    }
    let is_long = extent.length > LONG;
    if extent.to_copy() < REST || is_long {
        // 4. The writer is held, not used.
        let held = writer.acquire().await?;
        extent = checkpoint(&mut connection, if is_long { COPY_ALL } else { COPY }, page_bytes).await?;
        drop(held);
    }
    Ok(extent)
}

/// A reader or another process in the way is no error: less is copied then.
async fn checkpoint(
    connection: &mut SqliteConnection,
    statement: &'static str,
    page_bytes: i64,
) -> Result<Extent, sqlx::Error> {
    let (_busy, pages, copied): (i64, i64, i64) = sqlx::query_as(statement).fetch_one(connection).await?;
    Ok(Extent { length: pages.saturating_mul(page_bytes), copied: copied.saturating_mul(page_bytes) })
}

#[cfg(test)]
mod tests {
    use super::super::{PAGE_BYTES, open_sqlite};
    use super::*;

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_long_log_is_copied_and_begins_anew() {
        let directory = tempfile::tempdir().unwrap();
        let database = open_sqlite(&directory.path().join("long.db")).await.unwrap();
        let folding = database.folding.clone().unwrap();
        // Here the test does what the task does.
        folding.task.abort();
        let write = async |bytes: i64| {
            let insert = sqlx::query("INSERT INTO filler (bytes) VALUES (zeroblob(?))").bind(bytes);
            insert.execute(&database.writer).await.unwrap();
        };
        let look = async || {
            let mut connection = folding.own.acquire().await.unwrap();
            checkpoint(&mut connection, LOOK, PAGE_BYTES.into()).await.unwrap()
        };
        sqlx::query("CREATE TABLE filler (bytes BLOB)").execute(&database.writer).await.unwrap();
        write(1).await;
        let short = fold(&folding.own, &database.writer).await.unwrap();
        assert!(short.to_copy() > 0, "a short log is left alone: {short:?}");
        while look().await.to_copy() < FOLDED_FROM {
            write(1 << 20).await;
        }
        let folded = fold(&folding.own, &database.writer).await.unwrap();
        assert!(folded.length > FOLDED_FROM && folded.to_copy() == 0, "{folded:?}");
        write(1).await;
        let anew = look().await;
        assert!(anew.length < REST, "{anew:?}");
        // A reader in the middle keeps the log, and delays nothing.
        let mut reading = database.readers.begin().await.unwrap();
        let read: i64 = sqlx::query_scalar("SELECT count(*) FROM filler").fetch_one(&mut *reading).await.unwrap();
        while look().await.to_copy() < FOLDED_FROM {
            write(1 << 20).await;
        }
        fold(&folding.own, &database.writer).await.unwrap();
        write(1).await;
        let kept = look().await;
        assert!(kept.length > FOLDED_FROM, "{kept:?}");
        let again: i64 = sqlx::query_scalar("SELECT count(*) FROM filler").fetch_one(&mut *reading).await.unwrap();
        assert_eq!(again, read);
        drop(reading);
        database.close().await;
        assert!(!directory.path().join("long.db-wal").exists(), "the last connection to close folds it");
    }

    #[tokio::test]
    async fn the_sqlite_that_is_built_in_may_copy_beside_a_writer() {
        let directory = tempfile::tempdir().unwrap();
        let database = open_sqlite(&directory.path().join("version.db")).await.unwrap();
        let version = sqlx::query_scalar("SELECT sqlite_version()");
        let version: String = version.fetch_one(&database.readers).await.unwrap();
        let numbers: Vec<u32> = version.split('.').map(|number| number.parse().unwrap()).collect();
        assert!(numbers >= vec![3, 51, 3], "{version}");
        database.close().await;
    }
}
