//! Logs in `SQLite`: the embedded default.
//!
//! One writer connection per process; the data directory's lock keeps other processes away. Statements are multi-row, and a
//! batch is written with one command, because each crosses to the connection's thread and back.
//!
//! A commit writes every page that it changes, whole: to the write-ahead log at once, to the file later. So a batch changes few
//! pages. Most batches add parts of bundles and rows of `identities`, and nothing else: the last part states the root hash, and
//! the head (the view `tree_heads`) is where the newest part ends.

mod attestations;
mod batch;
mod doubts;
mod script;
#[cfg(test)]
mod tests;

use super::convert::{self, CensusRow, CheckpointRow, HeadRow, LogRow, LookupRow, TileRow, to_i64, to_u64};
use super::parts::{self, PartRow};
use super::{
    Answer, Batch, Census, CommittedHead, EarlierHead, Extension, Found, Indexed, Integration, Lock, LogRecord, Lookup,
    NewLog, Store, StoreError, StoredEntry, TileId, Tiles,
};
use crate::Corrupt;
use bytes::Bytes;
use chancery_daemon::database::Sqlite;
use chancery_verify::tile::FULL_WIDTH;
use chancery_verify::{Hash, Timestamp};
use sqlx::{QueryBuilder, SqliteConnection};

/// Rows in one statement; eight columns each stay well below `SQLite`'s 32,766 parameters.
const ROWS_PER_STATEMENT: usize = 1000;

/// Logs in an open `SQLite` database.
#[derive(Debug, Clone)]
pub struct SqliteStore {
    database: Sqlite,
}

impl SqliteStore {
    /// A store over an open database.
    #[must_use]
    pub const fn new(database: Sqlite) -> Self {
        Self { database }
    }
}

/// The newest head.
async fn read_head(connection: &mut SqliteConnection, log_id: i64) -> Result<CommittedHead, StoreError> {
    let head = sqlx::query_as("SELECT tree_size, root_hash, timestamp_ms FROM tree_heads WHERE log_id = ?");
    convert::committed_head(head.bind(log_id).fetch_optional(connection).await?)
}

async fn read_tiles(connection: &mut SqliteConnection, log_id: i64, ids: &[TileId]) -> Result<Tiles, StoreError> {
    if ids.is_empty() {
        return Ok(Tiles::default());
    }
    let mut query = QueryBuilder::new("SELECT level, tile_index, hashes FROM tiles WHERE log_id = ");
    query.push_bind(log_id).push(" AND (level, tile_index) IN (VALUES ");
    let mut rows = query.separated(", ");
    for id in ids {
        rows.push("(").push_bind_unseparated(i64::from(id.level)).push_unseparated(", ");
        rows.push_bind_unseparated(to_i64(id.index)?).push_unseparated(")");
    }
    query.push(")");
    let mut tiles = convert::tiles(query.build_query_as::<TileRow>().fetch_all(&mut *connection).await?)?;
    // Partial ones were stored before version 2 of the schema, and have grown in the bundle's parts since.
    let full = |id: &TileId| tiles.0.get(id).is_some_and(|hashes| hashes.len() == FULL_WIDTH as usize);
    let partial: Vec<TileId> = ids.iter().filter(|id| id.level == 0 && !full(id)).copied().collect();
    for id in partial {
        tiles.0.remove(&id);
        if let Some(hashes) = read_partial_tile(connection, log_id, id.index).await? {
            tiles.0.extend(convert::tiles(vec![(0, to_i64(id.index)?, hashes)])?.0);
        }
    }
    Ok(tiles)
}

/// The leaf hashes of a bundle, from its parts; `None` where it has no entries.
async fn read_partial_tile(
    connection: &mut SqliteConnection,
    log_id: i64,
    tile_index: u64,
) -> Result<Option<Vec<u8>>, StoreError> {
    let first = to_i64(tile_index.saturating_mul(FULL_WIDTH.into()))?;
    let hashes: Vec<Vec<u8>> = sqlx::query_scalar(
        "SELECT leaf_hashes FROM bundle_parts WHERE log_id = ? AND first_index >= ? AND first_index < ?
         ORDER BY first_index",
    )
    .bind(log_id)
    .bind(first)
    .bind(first.saturating_add(FULL_WIDTH.into()))
    .fetch_all(connection)
    .await?;
    Ok((!hashes.is_empty()).then(|| hashes.concat()))
}

/// Freezes the log, unless it is.
async fn insert_freeze(connection: &mut SqliteConnection, log_id: i64, now: Timestamp) -> Result<(), StoreError> {
    let insert = sqlx::query("INSERT INTO frozen_logs (log_id, frozen_ms) VALUES (?, ?) ON CONFLICT DO NOTHING");
    insert.bind(log_id).bind(to_i64(now.millis())?).execute(connection).await?;
    Ok(())
}

impl Store for SqliteStore {
    // The data directory's lock keeps other servers away; `chancery log freeze` moves no head.
    fn shared(&self) -> bool {
        false
    }

    fn open<'a>(&'a self, name: &'a str) -> Answer<'a, Option<LogRecord>> {
        Box::pin(async move {
            let row: Option<LogRow> = sqlx::query_as(
                "SELECT log_id, name, origin, tree_id, key_fingerprint, created_ms FROM logs WHERE name = ?",
            )
            .bind(name)
            .fetch_optional(&self.database.readers)
            .await?;
            row.map(convert::log_record).transpose()
        })
    }

    fn create(&self, log: NewLog) -> Answer<'_, LogRecord> {
        Box::pin(async move {
            // Its head is that of the empty tree until it has a part.
            let row: LogRow = sqlx::query_as(
                "INSERT INTO logs (name, origin, tree_id, key_fingerprint, created_ms) VALUES (?, ?, ?, ?, ?)
                 RETURNING log_id, name, origin, tree_id, key_fingerprint, created_ms",
            )
            .bind(&log.name)
            .bind(&log.origin)
            .bind(log.tree_id)
            .bind(log.key_fingerprint.as_slice())
            .bind(to_i64(log.created.millis())?)
            .fetch_one(&self.database.writer)
            .await?;
            convert::log_record(row)
        })
    }

    fn logs(&self) -> Answer<'_, Vec<LogRecord>> {
        Box::pin(async move {
            let rows: Vec<LogRow> = sqlx::query_as(
                "SELECT log_id, name, origin, tree_id, key_fingerprint, created_ms FROM logs ORDER BY log_id",
            )
            .fetch_all(&self.database.readers)
            .await?;
            rows.into_iter().map(convert::log_record).collect()
        })
    }

    fn freeze(&self, log_id: i64, now: Timestamp) -> Answer<'_, CommittedHead> {
        Box::pin(async move {
            let mut transaction = self.database.writer.begin_with("BEGIN IMMEDIATE").await?;
            insert_freeze(&mut transaction, log_id, now).await?;
            let head = read_head(&mut transaction, log_id).await?;
            transaction.commit().await?;
            Ok(head)
        })
    }

    fn frozen(&self, log_id: i64) -> Answer<'_, Option<Timestamp>> {
        Box::pin(async move {
            let frozen = sqlx::query_scalar("SELECT frozen_ms FROM frozen_logs WHERE log_id = ?");
            let frozen: Option<i64> = frozen.bind(log_id).fetch_optional(&self.database.readers).await?;
            frozen.map(convert::timestamp).transpose()
        })
    }

    fn publish_frozen(&self, log_id: i64, note: String) -> Answer<'_, ()> {
        Box::pin(async move {
            let insert =
                sqlx::query("INSERT INTO frozen_checkpoints (log_id, note) VALUES (?, ?) ON CONFLICT DO NOTHING");
            insert.bind(log_id).bind(note).execute(&self.database.writer).await?;
            Ok(())
        })
    }

    fn frozen_checkpoint(&self, log_id: i64) -> Answer<'_, Option<String>> {
        Box::pin(async move {
            let note = sqlx::query_scalar("SELECT note FROM frozen_checkpoints WHERE log_id = ?");
            Ok(note.bind(log_id).fetch_optional(&self.database.readers).await?)
        })
    }

    fn head(&self, log_id: i64) -> Answer<'_, CommittedHead> {
        Box::pin(async move { read_head(&mut *self.database.readers.acquire().await?, log_id).await })
    }

    fn find<'a>(&'a self, batch: &'a Batch<'a>) -> Answer<'a, Found> {
        Box::pin(batch::find(&self.database.writer, batch))
    }

    // No other process moves a head.
    fn lock<'a>(&'a self, batch: &'a Batch<'a>) -> Answer<'a, (Found, Lock)> {
        Box::pin(async move { Ok((self.find(batch).await?, Lock::nobody_out())) })
    }

    fn integrate<'a>(
        &'a self,
        batch: &'a Batch<'a>,
        extension: &'a Extension,
        _lock: Option<Lock>,
    ) -> Answer<'a, Integration> {
        Box::pin(batch::integrate(&self.database.writer, batch, extension))
    }

    fn rehearse<'a>(&'a self, log_id: i64, extension: &'a Extension) -> Answer<'a, ()> {
        Box::pin(batch::rehearse(&self.database.writer, log_id, extension))
    }

    fn publish(&self, log_id: i64, size: u64, note: String) -> Answer<'_, ()> {
        Box::pin(async move { batch::publish(&self.database.writer, log_id, size, &note).await })
    }

    fn entries(&self, log_id: i64, start: u64, count: u32) -> Answer<'_, Vec<StoredEntry>> {
        Box::pin(async move {
            let rows: Vec<PartRow> = sqlx::query_as(
                "SELECT first_index, timestamp_ms, leaf_hashes, identity_hashes, ends, contents FROM bundle_parts
                 WHERE log_id = ?1 AND first_index < ?3 AND first_index >= coalesce((
                     SELECT first_index FROM bundle_parts WHERE log_id = ?1 AND first_index <= ?2
                     ORDER BY first_index DESC LIMIT 1
                 ), ?2)
                 ORDER BY first_index",
            )
            .bind(log_id)
            .bind(to_i64(start)?)
            .bind(to_i64(start.saturating_add(count.into()))?)
            .fetch_all(&self.database.readers)
            .await?;
            parts::unpack(rows, start, count)
        })
    }

    fn entries_at(&self, log_id: i64, indices: Vec<u64>) -> Answer<'_, Vec<StoredEntry>> {
        Box::pin(async move {
            let mut found = Vec::new();
            for chunk in indices.chunks(ROWS_PER_STATEMENT) {
                let mut query = QueryBuilder::new("WITH wanted (leaf_index) AS (");
                query.push_values(chunk, |mut row, index| {
                    row.push_bind(i64::try_from(*index).unwrap_or(i64::MAX));
                });
                query.push(
                    ") SELECT first_index, timestamp_ms, leaf_hashes, identity_hashes, ends, contents FROM bundle_parts
                     WHERE log_id = ",
                );
                query.push_bind(log_id);
                query.push(" AND first_index IN (SELECT (SELECT first_index FROM bundle_parts WHERE log_id = ");
                query.push_bind(log_id);
                query.push(
                    " AND first_index <= wanted.leaf_index ORDER BY first_index DESC LIMIT 1) FROM wanted)
                     ORDER BY first_index",
                );
                let query = query.build_query_as::<PartRow>().persistent(false);
                found.extend(parts::unpack_at(query.fetch_all(&self.database.readers).await?, chunk)?);
            }
            Ok(found)
        })
    }

    fn index_of(&self, log_id: i64, leaf_hash: Hash) -> Answer<'_, Option<u64>> {
        Box::pin(async move {
            // An identity is a leaf hash where its part says so.
            let index: Option<i64> = sqlx::query_scalar(
                "SELECT coalesce((
                     SELECT min(leaf_index) FROM leaf_indices WHERE log_id = ?1 AND leaf_hash = ?2
                 ), (
                     SELECT leaf_index FROM identities WHERE log_id = ?1 AND identity_hash = ?2 AND (
                         SELECT identity_hashes IS NULL FROM bundle_parts
                         WHERE log_id = ?1 AND first_index <= identities.leaf_index ORDER BY first_index DESC LIMIT 1
                     )
                 ))",
            )
            .bind(log_id)
            .bind(leaf_hash.as_slice())
            .fetch_one(&self.database.readers)
            .await?;
            index.map(to_u64).transpose()
        })
    }

    fn tiles(&self, log_id: i64, ids: Vec<TileId>) -> Answer<'_, Tiles> {
        Box::pin(async move { read_tiles(&mut *self.database.readers.acquire().await?, log_id, &ids).await })
    }

    fn put_issuers(&self, log_id: i64, issuers: Vec<(Hash, Bytes)>) -> Answer<'_, ()> {
        Box::pin(async move {
            for (fingerprint, certificate) in issuers {
                sqlx::query(
                    "INSERT INTO issuers (log_id, fingerprint, certificate) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
                )
                .bind(log_id)
                .bind(fingerprint.as_slice())
                .bind(certificate.as_ref())
                .execute(&self.database.writer)
                .await?;
            }
            Ok(())
        })
    }

    fn issuer(&self, log_id: i64, fingerprint: Hash) -> Answer<'_, Option<Bytes>> {
        Box::pin(async move {
            let query = sqlx::query_scalar("SELECT certificate FROM issuers WHERE log_id = ? AND fingerprint = ?");
            let certificate: Option<Vec<u8>> =
                query.bind(log_id).bind(fingerprint.as_slice()).fetch_optional(&self.database.readers).await?;
            Ok(certificate.map(Bytes::from))
        })
    }

    fn lookups(&self, log_id: i64, entries: Vec<Indexed>) -> Answer<'_, Vec<Lookup>> {
        Box::pin(async move {
            let entries = (0_i64..).zip(&entries).map(|(position, entry)| Ok((position, to_i64(entry.index)?, entry)));
            let entries = entries.collect::<Result<Vec<_>, StoreError>>()?;
            let mut found = Vec::with_capacity(entries.len());
            for chunk in entries.chunks(ROWS_PER_STATEMENT) {
                let mut query =
                    QueryBuilder::new("WITH wanted (position, log_id, leaf_index, identity_hash, leaf_hash) AS (");
                query.push_values(chunk, |mut row, (position, index, entry)| {
                    row.push_bind(*position).push_bind(log_id).push_bind(*index);
                    row.push_bind(entry.identity_hash.as_slice()).push_bind(entry.leaf_hash.as_slice());
                });
                query.push(
                    ") SELECT (
                         SELECT leaf_index FROM identities
                         WHERE log_id = wanted.log_id AND identity_hash = wanted.identity_hash
                     ), EXISTS (
                         SELECT 1 FROM leaf_indices WHERE log_id = wanted.log_id
                             AND leaf_hash = wanted.leaf_hash AND leaf_index = wanted.leaf_index
                     ) FROM wanted ORDER BY position",
                );
                let rows: Vec<LookupRow> = query.build_query_as().fetch_all(&self.database.readers).await?;
                for row in rows {
                    found.push(convert::lookup(row)?);
                }
            }
            Ok(found)
        })
    }

    fn census(&self, log_id: i64) -> Answer<'_, Census> {
        Box::pin(async move {
            let query = sqlx::query_as(convert::census!(
                "length",
                "SELECT log_id, tree_size FROM tree_heads WHERE log_id = $1"
            ));
            let row: Option<CensusRow> = query.bind(log_id).fetch_optional(&self.database.readers).await?;
            convert::counted(row.ok_or(Corrupt::new("every log has a head"))?)
        })
    }

    fn earlier_heads(&self, log_id: i64, after: Option<u64>, count: u32) -> Answer<'_, Vec<EarlierHead>> {
        Box::pin(async move {
            // The first head of more than `after` leaves is the one that the first of those that are asked for extends.
            let (extended, after) = (after.is_some(), after.unwrap_or_default());
            // A part has at most a bundle's entries, so it begins at most that far before its end.
            let rows: Vec<HeadRow> = sqlx::query_as(
                "SELECT first_index + length(leaf_hashes) / 32, root_hash, timestamp_ms FROM bundle_parts
                 WHERE log_id = ? AND first_index >= ? AND first_index + length(leaf_hashes) / 32 > ?
                     AND root_hash IS NOT NULL
                 ORDER BY first_index LIMIT ?",
            )
            .bind(log_id)
            .bind(to_i64(after.saturating_sub(FULL_WIDTH.into()))?)
            .bind(to_i64(after)?)
            .bind(i64::from(count) + i64::from(extended))
            .fetch_all(&self.database.readers)
            .await?;
            let mut heads = Vec::with_capacity(rows.len());
            let mut previous = None;
            for row in rows {
                let head = convert::committed_head(Some(row))?;
                heads.push(EarlierHead { previous, head });
                previous = Some(head.tree.size);
            }
            Ok(heads.into_iter().skip(usize::from(extended)).collect())
        })
    }

    fn issuers(&self, log_id: i64) -> Answer<'_, Vec<(Hash, Bytes)>> {
        Box::pin(async move {
            let query = sqlx::query_as("SELECT fingerprint, certificate FROM issuers WHERE log_id = ?");
            convert::by_hash(query.bind(log_id).fetch_all(&self.database.readers).await?)
        })
    }

    fn unlisted(&self) -> Answer<'_, Vec<i64>> {
        Box::pin(async move {
            Ok(sqlx::query_scalar(convert::unlisted!("tree_heads")).fetch_all(&self.database.readers).await?)
        })
    }

    fn newest_checkpoint(&self, log_id: i64) -> Answer<'_, Option<(u64, String)>> {
        Box::pin(async move {
            let row: Option<CheckpointRow> = sqlx::query_as(
                "SELECT tree_size, note FROM checkpoints WHERE log_id = ? ORDER BY tree_size DESC LIMIT 1",
            )
            .bind(log_id)
            .fetch_optional(&self.database.readers)
            .await?;
            row.map(convert::checkpoint).transpose()
        })
    }

    fn checkpoint_below(&self, log_id: i64, size: u64) -> Answer<'_, Option<(u64, String)>> {
        Box::pin(async move {
            let row: Option<CheckpointRow> = sqlx::query_as(
                "SELECT tree_size, note FROM checkpoints WHERE log_id = ? AND tree_size < ?
                 ORDER BY tree_size DESC LIMIT 1",
            )
            .bind(log_id)
            .bind(to_i64(size)?)
            .fetch_optional(&self.database.readers)
            .await?;
            row.map(convert::checkpoint).transpose()
        })
    }

    fn checkpoints(&self, log_id: i64, after: Option<u64>, count: u32) -> Answer<'_, Vec<(u64, String)>> {
        Box::pin(async move {
            let after = after.map(to_i64).transpose()?.unwrap_or(-1);
            let rows: Vec<CheckpointRow> = sqlx::query_as(
                "SELECT tree_size, note FROM checkpoints WHERE log_id = ? AND tree_size > ? ORDER BY tree_size LIMIT ?",
            )
            .bind(log_id)
            .bind(after)
            .bind(count)
            .fetch_all(&self.database.readers)
            .await?;
            rows.into_iter().map(convert::checkpoint).collect()
        })
    }
}
