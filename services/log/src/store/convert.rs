//! What both databases share: how rows become the store's types. They have the same columns in the same order, and
//! nothing that is read is believed to be in range.

use super::{CommittedHead, LogRecord, StoreError};
use crate::Corrupt;
use chancery_verify::merkle::TreeHead;
use chancery_verify::tile::{self, TileId, Tiles};
use chancery_verify::{Hash, Timestamp};
use std::collections::HashMap;

/// `log_id, name, origin, tree_id, key_fingerprint, created_ms`
pub(super) type LogRow = (i64, String, String, i64, Vec<u8>, i64);
/// `tree_size, root_hash, timestamp_ms`
pub(super) type HeadRow = (i64, Vec<u8>, i64);
/// `level, tile_index, hashes`
pub(super) type TileRow = (i64, i64, Vec<u8>);
/// `tree_size, note`
pub(super) type CheckpointRow = (i64, String);

pub(super) fn to_i64(value: u64) -> Result<i64, StoreError> {
    i64::try_from(value).map_err(|_| Corrupt::new("sizes and times fit 63 bits").into())
}

pub(super) fn to_u64(value: i64) -> Result<u64, StoreError> {
    u64::try_from(value).map_err(|_| Corrupt::new("sizes and times are not negative").into())
}

pub(super) fn timestamp(millis: i64) -> Result<Timestamp, StoreError> {
    to_u64(millis).map(Timestamp::from_millis)
}

pub(super) fn to_hash(value: &[u8]) -> Result<Hash, StoreError> {
    Hash::try_from(value).map_err(|_| Corrupt::new("hashes are 32 bytes").into())
}

pub(super) fn log_record(
    (log_id, name, origin, tree_id, fingerprint, created): LogRow,
) -> Result<LogRecord, StoreError> {
    let created = Timestamp::from_millis(to_u64(created)?);
    Ok(LogRecord { log_id, name, origin, tree_id, key_fingerprint: to_hash(&fingerprint)?, created })
}

pub(super) fn committed_head(row: Option<HeadRow>) -> Result<CommittedHead, StoreError> {
    let (size, root, timestamp) = row.ok_or(Corrupt::new("every log has a head"))?;
    let tree = TreeHead { size: to_u64(size)?, root: to_hash(&root)? };
    Ok(CommittedHead { tree, timestamp: Timestamp::from_millis(to_u64(timestamp)?) })
}

pub(super) fn tiles(rows: impl IntoIterator<Item = TileRow>) -> Result<Tiles, StoreError> {
    let mut tiles = Tiles::default();
    for (level, index, hashes) in rows {
        let level = u8::try_from(level).map_err(|_| Corrupt::new("tile levels are below 8"))?;
        let hashes = tile::hashes_from_bytes(&hashes)
            .map_err(|rejection| Corrupt::refused("stored tiles are whole hashes", rejection))?;
        tiles.0.insert(TileId { level, index: to_u64(index)? }, hashes);
    }
    Ok(tiles)
}

pub(super) fn checkpoint((size, note): CheckpointRow) -> Result<(u64, String), StoreError> {
    Ok((to_u64(size)?, note))
}

/// For each of `identities` the index at which it was found.
pub(super) fn duplicates(
    identities: &[Hash],
    found: impl IntoIterator<Item = (Vec<u8>, i64)>,
) -> Result<Vec<Option<u64>>, StoreError> {
    let known: HashMap<Hash, u64> = found
        .into_iter()
        .map(|(identity, index)| Ok((to_hash(&identity)?, to_u64(index)?)))
        .collect::<Result<_, StoreError>>()?;
    Ok(identities.iter().map(|identity| known.get(identity).copied()).collect())
}
