//! A batch in `SQLite`: what there is of it, and what is written, each in one transaction on the one connection that writes.

use super::super::convert::{self, to_i64};
use super::super::{Batch, Extension, Found, Integration, StoreError, StoredEntry, Tiles, parts};
use super::{ROWS_PER_STATEMENT, insert_checkpoint, read_head, read_tiles};
use crate::Corrupt;
use chancery_verify::Hash;
use chancery_verify::tile::{self, Edge};
use sqlx::pool::PoolConnection;
use sqlx::{Connection as _, QueryBuilder, Sqlite, SqliteConnection, SqlitePool};

pub(super) async fn find(writer: &SqlitePool, batch: &Batch<'_>) -> Result<Found, StoreError> {
    let mut connection = writer.acquire().await?;
    let found = find_with(&mut connection, batch).await;
    settle(connection, found).await
}

pub(super) async fn integrate(
    writer: &SqlitePool,
    batch: &Batch<'_>,
    extension: &Extension,
) -> Result<Integration, StoreError> {
    let mut connection = writer.acquire().await?;
    let integrated = integrate_with(&mut connection, batch, extension).await;
    settle(connection, integrated).await
}

pub(super) async fn rehearse(writer: &SqlitePool, log_id: i64, extension: &Extension) -> Result<(), StoreError> {
    let mut connection = writer.acquire().await?;
    let rehearsed = rehearse_with(&mut connection, log_id, extension).await;
    settle(connection, rehearsed).await
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
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
    let found = look(&mut transaction, batch).await?;
    if !found.allows(batch, extension) {
        let found = with_edge(&mut transaction, batch, found).await?;
        transaction.rollback().await?;
        return Ok(Integration::Overtaken(found));
    }
    write_extension(&mut transaction, batch.log_id, extension).await?;
    if let Some((size, note)) = &batch.published {
        insert_checkpoint(&mut transaction, batch.log_id, *size, note).await?;
    }
    // The durability point.
    transaction.commit().await?;
    Ok(Integration::Committed)
}

/// Writes an extension and undoes it. It reaches the pages of every table, but not the disk: only a commit does that.
async fn rehearse_with(
    connection: &mut SqliteConnection,
    log_id: i64,
    extension: &Extension,
) -> Result<(), StoreError> {
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
    write_extension(&mut transaction, log_id, extension).await?;
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

/// Gives back the writer, or closes it where its transaction has failed: `SQLite` has ended some of these by itself (a full
/// disk), of which the connection's count of open ones knows nothing. It would refuse to begin another one for ever.
async fn settle<T>(writer: PoolConnection<Sqlite>, result: Result<T, StoreError>) -> Result<T, StoreError> {
    if result.is_err() {
        let _ = writer.close().await;
    }
    result
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

async fn insert_entries(
    connection: &mut SqliteConnection,
    log_id: i64,
    entries: &[StoredEntry],
) -> Result<(), StoreError> {
    let parts = parts::pack(entries)?;
    for chunk in parts.chunks(ROWS_PER_STATEMENT) {
        let mut query = QueryBuilder::new(
            "INSERT INTO bundle_parts (log_id, first_index, timestamp_ms, leaf_hashes, identity_hashes, ends, contents) ",
        );
        query.push_values(chunk, |mut row, part| {
            row.push_bind(log_id).push_bind(part.first_index).push_bind(part.timestamp_ms);
            row.push_bind(part.leaf_hashes.as_slice()).push_bind(part.identity_hashes.as_deref());
            row.push_bind(part.ends.as_slice()).push_bind(part.contents.as_slice());
        });
        query.build().execute(&mut *connection).await?;
    }
    let identities = entries.iter().map(|entry| Ok((entry.identity_hash, to_i64(entry.index)?)));
    let identities = identities.collect::<Result<Vec<_>, StoreError>>()?;
    insert_indices(connection, "INSERT INTO identities (log_id, identity_hash, leaf_index) ", log_id, &identities)
        .await?;
    let leaf_indices = parts::leaf_indices(&parts)?;
    insert_indices(connection, "INSERT INTO leaf_indices (log_id, leaf_hash, leaf_index) ", log_id, &leaf_indices).await
}

async fn insert_indices(
    connection: &mut SqliteConnection,
    insert: &'static str,
    log_id: i64,
    indices: &[(Hash, i64)],
) -> Result<(), StoreError> {
    for chunk in indices.chunks(ROWS_PER_STATEMENT) {
        let mut query = QueryBuilder::new(insert);
        query.push_values(chunk, |mut row, (hash, index)| {
            row.push_bind(log_id).push_bind(hash.as_slice()).push_bind(*index);
        });
        query.build().execute(&mut *connection).await?;
    }
    Ok(())
}

async fn write_tiles(connection: &mut SqliteConnection, log_id: i64, tiles: &Tiles) -> Result<(), StoreError> {
    let rows: Vec<_> = tiles.0.iter().map(|(id, hashes)| (id, tile::hashes_to_bytes(hashes))).collect();
    for chunk in rows.chunks(ROWS_PER_STATEMENT) {
        let mut query = QueryBuilder::new("INSERT INTO tiles (log_id, level, tile_index, hashes) VALUES ");
        let mut values = query.separated(", ");
        for (id, hashes) in chunk {
            values.push("(").push_bind_unseparated(log_id).push_unseparated(", ");
            values.push_bind_unseparated(i64::from(id.level)).push_unseparated(", ");
            values.push_bind_unseparated(to_i64(id.index)?).push_unseparated(", ");
            values.push_bind_unseparated(hashes.as_slice()).push_unseparated(")");
        }
        query.push(" ON CONFLICT (log_id, level, tile_index) DO UPDATE SET hashes = excluded.hashes");
        query.build().execute(&mut *connection).await?;
    }
    Ok(())
}

/// Writes an extension. The head is advanced by compare-and-swap on size and root: whatever else goes wrong, this cannot
/// fork the tree.
async fn write_extension(
    connection: &mut SqliteConnection,
    log_id: i64,
    extension: &Extension,
) -> Result<(), StoreError> {
    let Extension { from, entries, tiles, head: to } = extension;
    insert_entries(connection, log_id, entries).await?;
    write_tiles(connection, log_id, tiles).await?;
    let advanced = sqlx::query(
        "UPDATE tree_heads SET tree_size = ?, root_hash = ?, timestamp_ms = ? WHERE log_id = ? AND tree_size = ? AND root_hash = ?",
    )
    .bind(to_i64(to.tree.size)?)
    .bind(to.tree.root.as_slice())
    .bind(to_i64(to.timestamp.millis())?)
    .bind(log_id)
    .bind(to_i64(from.tree.size)?)
    .bind(from.tree.root.as_slice())
    .execute(connection)
    .await?;
    if advanced.rows_affected() == 1 { Ok(()) } else { Err(Corrupt::new("the head is the one that was read").into()) }
}
