//! A batch in `SQLite`: what there is of it, and what is written, each in one transaction on the one connection that writes.
//!
//! A batch is written with one command, `BEGIN` to `COMMIT`, on the assumption that the head is the one that it extends and
//! that none of its entries is logged. The database itself checks both: the head is compared by the first statement, which
//! also states the next one, and identities are unique. Where it refuses, nothing is written. Then the transaction is run once more in steps,
//! which finds out what the log holds instead, or what else was refused.

use super::super::convert;
use super::super::{Batch, Extension, Found, Integration, StoreError};
use super::script::Script;
use super::{ROWS_PER_STATEMENT, read_head, read_tiles};
use chancery_verify::Hash;
use chancery_verify::tile::Edge;
use sqlx::pool::PoolConnection;
use sqlx::{Connection as _, QueryBuilder, Sqlite, SqliteConnection, SqlitePool};
use std::ops::{Deref, DerefMut};

/// The primary result code of a violated constraint and of a trigger that refuses; the extended ones have it in their low byte.
const SQLITE_CONSTRAINT: u32 = 19;

/// The connection that writes, during one transaction. It is closed where that has failed, or was dropped in the middle: sqlx
/// does not know of every transaction here, and `SQLite` has ended some by itself (a full disk) that sqlx counts as open. The
/// next one would find the connection in the middle of another.
struct Lent {
    connection: PoolConnection<Sqlite>,
    is_settled: bool,
}

impl Lent {
    async fn from(writer: &SqlitePool) -> Result<Self, StoreError> {
        Ok(Self { connection: writer.acquire().await?, is_settled: false })
    }

    /// Gives the connection back if its transaction has succeeded.
    fn settle<T>(mut self, result: Result<T, StoreError>) -> Result<T, StoreError> {
        self.is_settled = result.is_ok();
        result
    }
}

impl Deref for Lent {
    type Target = SqliteConnection;

    fn deref(&self) -> &SqliteConnection {
        &self.connection
    }
}

impl DerefMut for Lent {
    fn deref_mut(&mut self) -> &mut SqliteConnection {
        &mut self.connection
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        if !self.is_settled {
            self.connection.close_on_drop();
        }
    }
}

pub(super) async fn find(writer: &SqlitePool, batch: &Batch<'_>) -> Result<Found, StoreError> {
    let mut connection = Lent::from(writer).await?;
    let found = find_with(&mut connection, batch).await;
    connection.settle(found)
}

pub(super) async fn integrate(
    writer: &SqlitePool,
    batch: &Batch<'_>,
    extension: &Extension,
) -> Result<Integration, StoreError> {
    let mut connection = Lent::from(writer).await?;
    let integrated = integrate_with(&mut connection, batch, extension).await;
    connection.settle(integrated)
}

pub(super) async fn rehearse(writer: &SqlitePool, log_id: i64, extension: &Extension) -> Result<(), StoreError> {
    let mut connection = Lent::from(writer).await?;
    let rehearsed = rehearse_with(&mut connection, log_id, extension).await;
    connection.settle(rehearsed)
}

/// Stores a checkpoint without a batch.
pub(super) async fn publish(writer: &SqlitePool, log_id: i64, size: u64, note: &str) -> Result<(), StoreError> {
    let mut script = Script::default();
    script.checkpoint(log_id, size, note)?;
    let mut connection = Lent::from(writer).await?;
    let published = script.run(&mut connection).await;
    connection.settle(published)
}

/// What there is of a batch, without the right edge.
async fn look(connection: &mut SqliteConnection, batch: &Batch<'_>) -> Result<Found, StoreError> {
    let head = read_head(connection, batch.log_id).await?;
    let duplicates = find_duplicates(connection, batch.log_id, batch.identities).await?;
    Ok(Found { head, edge: None, duplicates })
}

/// The same with the right edge, where the caller does not know it.
async fn with_edge(
    connection: &mut SqliteConnection,
    batch: &Batch<'_>,
    mut found: Found,
) -> Result<Found, StoreError> {
    let size = found.head.tree.size;
    if batch.known.is_none_or(|known| known.tree.size != size) {
        found.edge = Some(read_tiles(connection, batch.log_id, &Edge::tile_ids(size)).await?);
    }
    Ok(found)
}

/// The whole transaction of a batch.
async fn integrate_with(
    connection: &mut SqliteConnection,
    batch: &Batch<'_>,
    extension: &Extension,
) -> Result<Integration, StoreError> {
    if write_at_once(connection, batch, extension).await? {
        return Ok(Integration::Committed);
    }
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
    let found = look(&mut transaction, batch).await?;
    if !found.allows(batch, extension) {
        let found = with_edge(&mut transaction, batch, found).await?;
        transaction.rollback().await?;
        return Ok(Integration::Overtaken(found));
    }
    let mut script = Script::default();
    push_batch(&mut script, batch, extension)?;
    script.run(&mut transaction).await?;
    // The durability point.
    transaction.commit().await?;
    Ok(Integration::Committed)
}

/// Writes a batch with one command. Returns whether it is committed; where it is not, nothing of it was written.
async fn write_at_once(
    connection: &mut SqliteConnection,
    batch: &Batch<'_>,
    extension: &Extension,
) -> Result<bool, StoreError> {
    let mut script = Script::default();
    script.statement("BEGIN IMMEDIATE");
    push_batch(&mut script, batch, extension)?;
    // The durability point.
    script.statement("COMMIT");
    match script.run(connection).await {
        Ok(()) => Ok(true),
        Err(error) if is_refused(&error) => {
            // A refused statement leaves the transaction open.
            sqlx::query("ROLLBACK").execute(connection).await?;
            Ok(false)
        }
        Err(error) => Err(error),
    }
}

/// Everything that a batch writes.
fn push_batch(script: &mut Script, batch: &Batch<'_>, extension: &Extension) -> Result<(), StoreError> {
    script.extension(batch.log_id, extension)?;
    let Some((size, note)) = &batch.published else { return Ok(()) };
    script.checkpoint(batch.log_id, *size, note)
}

/// Whether a constraint or a trigger has refused a statement, so that it has changed nothing and the transaction is still
/// open. No constraint here is deferred to the commit.
fn is_refused(error: &StoreError) -> bool {
    let StoreError::Database(error) = error else { return false };
    let code = error.as_database_error().and_then(|error| error.code()?.parse::<u32>().ok());
    code.is_some_and(|code| code & 0xff == SQLITE_CONSTRAINT)
}

/// Writes an extension and undoes it. It reaches the pages of every table, but not the disk: only a commit does that.
async fn rehearse_with(
    connection: &mut SqliteConnection,
    log_id: i64,
    extension: &Extension,
) -> Result<(), StoreError> {
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
    let mut script = Script::default();
    script.extension(log_id, extension)?;
    script.run(&mut transaction).await?;
    Ok(transaction.rollback().await?)
}

/// Reads in one snapshot.
async fn find_with(connection: &mut SqliteConnection, batch: &Batch<'_>) -> Result<Found, StoreError> {
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
    let found = look(&mut transaction, batch).await?;
    let found = with_edge(&mut transaction, batch, found).await?;
    transaction.rollback().await?;
    Ok(found)
}

async fn find_duplicates(
    connection: &mut SqliteConnection,
    log_id: i64,
    identities: &[Hash],
) -> Result<Vec<Option<u64>>, StoreError> {
    let mut found = Vec::new();
    for chunk in identities.chunks(ROWS_PER_STATEMENT) {
        let mut query = QueryBuilder::new("SELECT identity_hash, leaf_index FROM identities WHERE log_id = ");
        query.push_bind(log_id).push(" AND identity_hash IN (");
        let mut list = query.separated(", ");
        for identity in chunk {
            list.push_bind(identity.as_slice());
        }
        query.push(")");
        found.append(&mut query.build_query_as().fetch_all(&mut *connection).await?);
    }
    convert::duplicates(identities, found)
}

#[cfg(test)]
mod tests {
    use super::super::SqliteStore;
    use crate::store::{Batch, CommittedHead, Extension, Integration, LogRecord, NewLog, Store as _};
    use crate::tree::rehearsal;
    use chancery_daemon::database::open_sqlite;
    use chancery_verify::Timestamp;
    use chancery_verify::tile::Edge;
    use std::time::Duration;
    use tempfile::TempDir;
    use tokio::time::timeout;

    async fn log() -> (TempDir, SqliteStore, LogRecord) {
        let directory = tempfile::tempdir().unwrap();
        let store = SqliteStore::new(open_sqlite(&directory.path().join("batch.db")).await.unwrap());
        let (name, origin) = ("rekor".to_owned(), "log.example.org".to_owned());
        let created = Timestamp::from_millis(1);
        let log = NewLog { name, origin, tree_id: 7, key_fingerprint: [0; 32], created };
        let log = store.create(log).await.unwrap();
        (directory, store, log)
    }

    /// One more entry on this head.
    async fn extend(store: &SqliteStore, log_id: i64, head: &CommittedHead) -> Extension {
        let tiles = store.tiles(log_id, Edge::tile_ids(head.tree.size)).await.unwrap();
        rehearsal(head, &tiles).unwrap()
    }

    async fn integrate(store: &SqliteStore, log_id: i64, extension: &Extension) -> Integration {
        let identities = extension.identities();
        let published = Some((extension.from.tree.size, "a checkpoint".to_owned()));
        let batch = Batch { log_id, known: Some(extension.from), identities: &identities, published };
        store.integrate(&batch, extension, None).await.unwrap()
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn what_the_log_does_not_allow_is_not_written_and_is_told() {
        let (_directory, store, LogRecord { log_id, .. }) = log().await;
        let empty = store.head(log_id).await.unwrap();
        let first = extend(&store, log_id, &empty).await;
        assert!(matches!(integrate(&store, log_id, &first).await, Integration::Committed));
        assert_eq!(store.head(log_id).await.unwrap(), first.head);
        // On a head that is gone, with other entries.
        let mut late = extend(&store, log_id, &empty).await;
        late.entries[0].identity_hash = [1; 32];
        let Integration::Overtaken(found) = integrate(&store, log_id, &late).await else { panic!() };
        assert_eq!((found.head, found.duplicates), (first.head, vec![None]));
        // On this head, with an entry that is logged.
        let second = extend(&store, log_id, &first.head).await;
        let mut again = extend(&store, log_id, &first.head).await;
        again.entries[0].identity_hash = first.entries[0].identity_hash;
        let Integration::Overtaken(found) = integrate(&store, log_id, &again).await else { panic!() };
        assert_eq!((found.head, found.duplicates), (first.head, vec![Some(0)]));
        let census = store.census(log_id).await.unwrap();
        assert_eq!((census.tree_size, census.identities, census.leaf_indices, census.beyond), (1, 1, 1, 0));
        assert_eq!(store.checkpoints(log_id, None, 9).await.unwrap().len(), 1, "only the one of the first batch");
        // The connection is none the worse for it.
        store.rehearse(log_id, &second).await.unwrap();
        assert!(matches!(integrate(&store, log_id, &second).await, Integration::Committed));
        assert_eq!(store.entries(log_id, 0, 9).await.unwrap(), [&first.entries[..], &second.entries[..]].concat());
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_batch_that_is_dropped_is_written_or_not_and_the_next_one_is_not_held_up() {
        let (_directory, store, LogRecord { log_id, .. }) = log().await;
        let mut head = store.head(log_id).await.unwrap();
        for micros in 0..100 {
            let extension = extend(&store, log_id, &head).await;
            let dropped = timeout(Duration::from_micros(10 * micros), integrate(&store, log_id, &extension)).await;
            assert!(matches!(dropped, Err(_) | Ok(Integration::Committed)), "{dropped:?}");
            // If it was written meanwhile, this is told so.
            let after = integrate(&store, log_id, &extension).await;
            assert!(dropped.is_err() || matches!(after, Integration::Overtaken(_)), "{after:?}");
            assert_eq!(store.head(log_id).await.unwrap(), extension.head);
            head = extension.head;
        }
    }

    #[tokio::test]
    async fn a_frozen_log_says_so() {
        let (_directory, store, LogRecord { log_id, .. }) = log().await;
        let head = store.freeze(log_id, Timestamp::from_millis(2)).await.unwrap();
        let extension = extend(&store, log_id, &head).await;
        let identities = extension.identities();
        let batch = Batch { log_id, known: Some(head), identities: &identities, published: None };
        let refused = store.integrate(&batch, &extension, None).await.unwrap_err();
        assert!(refused.is_frozen(), "{refused}");
        assert_eq!(store.census(log_id).await.unwrap().beyond, 0);
        assert_eq!(store.head(log_id).await.unwrap(), head);
    }
}
