//! The parts that both databases share: how rows become the store's types. They have the same columns in the same order, and
//! nothing that is read is believed to be in range.

use super::{Census, CommittedHead, EarlierHead, End, LogRecord, Lookup, Recorded, StoreError};
use crate::Corrupt;
use bytes::Bytes;
use chancery_verify::merkle::TreeHead;
use chancery_verify::tile::{self, TileId, Tiles};
use chancery_verify::{Hash, Timestamp};
use std::collections::HashMap;

/// `log_id, name, origin, tree_id, key_fingerprint, created_ms`
pub(super) type LogRow = (i64, String, String, i64, Vec<u8>, i64);
/// `tree_size, root_hash, timestamp_ms`
pub(super) type HeadRow = (i64, Vec<u8>, i64);
/// `previous_size, tree_size, root_hash, timestamp_ms`
pub(super) type EarlierHeadRow = (i64, i64, Vec<u8>, i64);
/// `level, tile_index, hashes`
pub(super) type TileRow = (i64, i64, Vec<u8>);
/// `tree_size, note`
pub(super) type CheckpointRow = (i64, String);
/// `since_ms, code, reason, tree_size, note`
pub(super) type RecordedRow = (i64, String, String, i64, Option<String>);
/// `ended_ms, tree_size, root_hash, published_size`
pub(super) type EndRow = (i64, i64, Vec<u8>, i64);
/// `tree_size`, then the numbers of rows of a [`Census`]
pub(super) type CensusRow = (i64, i64, i64, i64);
/// Where the identity is logged, and whether the leaf stands in its table
pub(super) type LookupRow = (Option<i64>, bool);

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

pub(super) fn earlier_head((previous, size, root, timestamp): EarlierHeadRow) -> Result<EarlierHead, StoreError> {
    // The first one extends none.
    let previous = if previous == -1 { None } else { Some(to_u64(previous)?) };
    Ok(EarlierHead { previous, head: committed_head(Some((size, root, timestamp)))? })
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

pub(super) fn recorded((since, code, reason, size, note): RecordedRow) -> Result<Recorded, StoreError> {
    Ok(Recorded { since_ms: to_u64(since)?, code, reason, tree_size: to_u64(size)?, note })
}

pub(super) fn end((ended, size, root, published): EndRow) -> Result<End, StoreError> {
    let tree = TreeHead { size: to_u64(size)?, root: to_hash(&root)? };
    Ok(End { at: timestamp(ended)?, tree, published: to_u64(published)? })
}

pub(super) fn counted((tree_size, identities, leaf_indices, beyond): CensusRow) -> Result<Census, StoreError> {
    Ok(Census {
        tree_size: to_u64(tree_size)?,
        identities: to_u64(identities)?,
        leaf_indices: to_u64(leaf_indices)?,
        beyond: to_u64(beyond)?,
    })
}

pub(super) fn lookup((identity, leaf): LookupRow) -> Result<Lookup, StoreError> {
    Ok(Lookup { identity: identity.map(to_u64).transpose()?, leaf })
}

/// What is kept by its hash: issuers and attestations.
pub(super) fn by_hash(rows: Vec<(Vec<u8>, Vec<u8>)>) -> Result<Vec<(Hash, Bytes)>, StoreError> {
    rows.into_iter().map(|(hash, contents)| Ok((to_hash(&hash)?, contents.into()))).collect()
}

/// What is about a subject.
pub(super) fn to_hashes(rows: Vec<(Vec<u8>, Vec<u8>)>) -> Result<Vec<(Vec<u8>, Hash)>, StoreError> {
    rows.into_iter().map(|(subject, hash)| Ok((subject, to_hash(&hash)?))).collect()
}

/// Counts what a [`Census`] has, of the log `$1`, whose head is the one row of `$heads`. Tiles of level 0 end with the bundle's parts, so that one is beyond the head
/// where its leaves are; of the others each level has a 256th of the hashes below.
macro_rules! census {
    ($length:literal, $heads:literal) => {
        concat!(
            "SELECT tree_size,
                 (SELECT count(*) FROM identities WHERE log_id = head.log_id),
                 (SELECT count(*) FROM leaf_indices WHERE log_id = head.log_id),
                 (SELECT count(*) FROM bundle_parts WHERE log_id = head.log_id
                     AND first_index + ",
            $length,
            "(leaf_hashes) / 32 > head.tree_size)
                 + (SELECT count(*) FROM tiles WHERE log_id = head.log_id
                     AND tile_index * 256 + ",
            $length,
            "(hashes) / 32 > head.tree_size >> (8 * level))
             FROM (",
            $heads,
            ") AS head"
        )
    };
}
pub(super) use census;

/// Selects the logs that have rows and are not listed. Their heads are in the table or view `$heads`.
macro_rules! unlisted {
    ($heads:literal) => {
        concat!(
            "SELECT log_id FROM (
                 SELECT log_id FROM ",
            $heads,
            " UNION SELECT log_id FROM bundle_parts UNION SELECT log_id FROM identities
                 UNION SELECT log_id FROM leaf_indices UNION SELECT log_id FROM tiles UNION SELECT log_id FROM checkpoints
                 UNION SELECT log_id FROM issuers UNION SELECT log_id FROM frozen_logs
                 UNION SELECT log_id FROM frozen_checkpoints
                 UNION SELECT log_id FROM quarantined_logs UNION SELECT log_id FROM ended_logs
             ) AS used WHERE log_id NOT IN (SELECT log_id FROM logs) ORDER BY log_id"
        )
    };
}
pub(super) use unlisted;

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
