//! Many entries as one row.
//!
//! A row costs two switches between our thread and the connection's, more than hashing what is in it: 1,000 entries as
//! 1,000 rows took 60 % of the time of a whole check. `group_concat` appends the bytes of its values as they are; every
//! length is compared here, and whoever reads entries in bulk hashes them.

use super::super::{StoreError, StoredEntry};
use super::{to_i64, to_u64};
use crate::Corrupt;
use bytes::Bytes;
use chancery_verify::{Hash, Timestamp};
use sqlx::SqlitePool;

/// Per entry index, time and the lengths of leaf and extra, as decimal text; then the bytes of all entries, by column.
type PackedRow = (Option<String>, Option<Vec<u8>>, Option<Vec<u8>>, Option<Vec<u8>>, Option<Vec<u8>>);

const UNPACKED: Corrupt = Corrupt::new("entries read in bulk have the lengths they state");

pub(super) async fn entries(
    pool: &SqlitePool,
    log_id: i64,
    start: u64,
    count: u32,
) -> Result<Vec<StoredEntry>, StoreError> {
    let row: PackedRow = sqlx::query_as(
        "SELECT group_concat(leaf_index || ' ' || timestamp_ms || ' ' || length(leaf) || ' ' || length(extra), ' '),
                CAST(group_concat(identity_hash, '') AS BLOB), CAST(group_concat(leaf_hash, '') AS BLOB),
                CAST(group_concat(leaf, '') AS BLOB), CAST(group_concat(extra, '') AS BLOB)
         FROM (SELECT leaf_index, timestamp_ms, identity_hash, leaf_hash, leaf, extra FROM entries
               WHERE log_id = ? AND leaf_index >= ? ORDER BY leaf_index LIMIT ?)",
    )
    .bind(log_id)
    .bind(to_i64(start)?)
    .bind(count)
    .fetch_one(pool)
    .await?;
    match row {
        (Some(numbers), Some(identities), Some(leaf_hashes), Some(leaves), Some(extras)) => {
            let mut packed = Packed {
                identities: &identities,
                leaf_hashes: &leaf_hashes,
                leaves: leaves.into(),
                extras: extras.into(),
            };
            packed.unpack(&numbers)
        }
        // No entries.
        _ => Ok(Vec::new()),
    }
}

/// The columns, each from the entry on that comes next.
struct Packed<'a> {
    identities: &'a [u8],
    leaf_hashes: &'a [u8],
    leaves: Bytes,
    extras: Bytes,
}

impl Packed<'_> {
    fn unpack(&mut self, numbers: &str) -> Result<Vec<StoredEntry>, StoreError> {
        let numbers = numbers.split(' ').map(str::parse).collect::<Result<Vec<i64>, _>>().map_err(|_| UNPACKED)?;
        let (entries, rest) = numbers.as_chunks::<4>();
        let unpacked = entries.iter().map(|numbers| self.next(*numbers)).collect::<Result<Vec<_>, _>>()?;
        let left = [self.identities, self.leaf_hashes, &self.leaves, &self.extras];
        if rest.is_empty() && left.iter().all(|left| left.is_empty()) { Ok(unpacked) } else { Err(UNPACKED.into()) }
    }

    fn next(&mut self, [index, timestamp, leaf, extra]: [i64; 4]) -> Result<StoredEntry, StoreError> {
        Ok(StoredEntry {
            index: to_u64(index)?,
            timestamp: Timestamp::from_millis(to_u64(timestamp)?),
            identity_hash: take_hash(&mut self.identities)?,
            leaf_hash: take_hash(&mut self.leaf_hashes)?,
            leaf: take(&mut self.leaves, leaf)?,
            extra: take(&mut self.extras, extra)?,
        })
    }
}

fn take_hash(column: &mut &[u8]) -> Result<Hash, StoreError> {
    let (hash, rest) = column.split_first_chunk().ok_or(UNPACKED)?;
    *column = rest;
    Ok(*hash)
}

fn take(column: &mut Bytes, length: i64) -> Result<Bytes, StoreError> {
    let length = usize::try_from(length).ok().filter(|length| *length <= column.len()).ok_or(UNPACKED)?;
    Ok(column.split_to(length))
}
