//! Derives a log's tree from its entries, and says how far the stored tree follows from them.
//!
//! This is less than [`crate::check`]: it verifies leaves, leaf hashes, tiles and the head, which is what proofs are made
//! from. It is made where a log was quarantined because a read found a hole.

use crate::store::{Store, StoreError, StoredEntry};
use chancery_verify::merkle::{self, TreeHead};
use chancery_verify::tile::{Edge, FULL_WIDTH, TileId, Tiles};
use std::mem;

/// Entries that are read at once.
const STEP: u32 = 1024;
/// Leaves below one hash of a tile are this power of those below one hash of the tile level below.
const TILE_BITS: u32 = 8;

/// How much of a stored tree follows from its entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Derived {
    /// So many entries from the first on are whole, and so are the full tiles that they make.
    pub(crate) size: u64,
    /// Whether these are all, and lead to the root hash of the head.
    pub(crate) is_whole: bool,
}

/// Derives the tree of `head` from its entries. Where they end or one is damaged, that is the result and no error.
pub(crate) async fn derive(store: &dyn Store, log_id: i64, head: &TreeHead) -> Result<Derived, StoreError> {
    let (mut edge, mut touched) = (Edge::default(), Tiles::default());
    while edge.size() < head.size {
        let wanted = u32::try_from(head.size - edge.size()).unwrap_or(STEP).min(STEP);
        let entries = whole_entries(store, log_id, edge.size(), wanted).await?;
        let count = entries.len();
        for entry in entries {
            edge.append(entry.leaf_hash, &mut touched);
        }
        if let Some(size) = first_wrong_tile(store, log_id, full_tiles(&mut touched)).await? {
            return Ok(Derived { size, is_whole: false });
        }
        if count < wanted as usize {
            return Ok(Derived { size: edge.size(), is_whole: false });
        }
    }
    Ok(Derived { size: edge.size(), is_whole: edge.root() == head.root })
}

/// Up to `count` entries from `start` on, up to the first that is missing or is not what its leaf hash says.
async fn whole_entries(store: &dyn Store, log_id: i64, start: u64, count: u32) -> Result<Vec<StoredEntry>, StoreError> {
    let mut entries = match store.entries(log_id, start, count).await {
        Err(StoreError::Corrupt(_)) => one_by_one(store, log_id, start, count).await?,
        entries => entries?,
    };
    let is_whole = |entry: &StoredEntry| merkle::leaf_hash(&entry.leaf) == entry.leaf_hash;
    let whole = (start..).zip(&entries).take_while(|(index, entry)| entry.index == *index && is_whole(entry)).count();
    entries.truncate(whole);
    Ok(entries)
}

/// The same entries where some of them cannot be read: those before the first of these.
async fn one_by_one(store: &dyn Store, log_id: i64, start: u64, count: u32) -> Result<Vec<StoredEntry>, StoreError> {
    let mut entries = Vec::new();
    for index in start..start + u64::from(count) {
        match store.entries(log_id, index, 1).await {
            Ok(mut found) if found.len() == 1 => entries.append(&mut found),
            Ok(_) | Err(StoreError::Corrupt(_)) => break,
            Err(error) => return Err(error),
        }
    }
    Ok(entries)
}

/// Takes the full tiles out of those that were touched. The others have grown further in the edge by the time they are full.
fn full_tiles(touched: &mut Tiles) -> Tiles {
    let mut full = mem::take(touched);
    full.0.retain(|_, hashes| hashes.len() == FULL_WIDTH as usize);
    full
}

/// The number of leaves before the first of these tiles that is stored with other hashes; `None` where all are right.
async fn first_wrong_tile(store: &dyn Store, log_id: i64, derived: Tiles) -> Result<Option<u64>, StoreError> {
    let ids: Vec<TileId> = derived.0.keys().copied().collect();
    let stored = match store.tiles(log_id, ids).await {
        Err(StoreError::Corrupt(_)) => Tiles::default(),
        stored => stored?,
    };
    let wrong = derived.0.iter().filter(|(id, hashes)| stored.0.get(id) != Some(hashes));
    Ok(wrong.map(|(id, _)| leaves_before(*id)).min())
}

/// Leaves of the tree before the first one below this tile.
fn leaves_before(id: TileId) -> u64 {
    id.index.checked_shl(TILE_BITS * (u32::from(id.level) + 1)).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tile_is_above_so_many_leaves() {
        for (level, index, leaves) in [(0, 0, 0), (0, 3, 768), (1, 0, 0), (1, 2, 131_072)] {
            assert_eq!(leaves_before(TileId { level, index }), leaves);
        }
    }
}
