//! Extending: what a batch makes of a tree. Pure: nothing here reads a clock, a key or a database.

use crate::Corrupt;
use crate::pool::Waiting;
use crate::store::{CommittedHead, Extension, Found, StoredEntry};
use bytes::Bytes;
use chancery_verify::tile::{Edge, FULL_WIDTH, TileTree, Tiles, Trees};
use chancery_verify::{Timestamp, merkle};
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

/// What became of an entry in a batch.
#[derive(Debug, Clone)]
pub(super) enum Integrated {
    Now(StoredEntry),
    Before(u64),
}

/// A tree with the entries of a batch.
pub(super) struct Extended {
    pub(super) edge: Edge,
    pub(super) head: CommittedHead,
    pub(super) outcomes: Vec<Integrated>,
    /// The tiles that are full now and were not before.
    pub(super) completed: Trees,
    pub(super) extension: Option<Extension>,
}

/// Where among the distinct entries of its batch an entry stands, and whether it came first.
#[derive(Debug, Clone, Copy)]
pub(super) enum Place {
    First(usize),
    Again(usize),
}

impl Place {
    pub(super) const fn position(self) -> usize {
        match self {
            Self::First(position) | Self::Again(position) => position,
        }
    }
}

/// The entries of a batch with distinct identities, and the place of each entry among them.
pub(super) fn deduplicate(batch: &[Waiting]) -> (Vec<&Waiting>, Vec<Place>) {
    let mut known = HashMap::new();
    let mut unique = Vec::new();
    let places = batch
        .iter()
        .map(|waiting| match known.entry(waiting.pending.identity_hash) {
            Entry::Occupied(first) => Place::Again(*first.get()),
            Entry::Vacant(free) => {
                unique.push(waiting);
                Place::First(*free.insert(unique.len() - 1))
            }
        })
        .collect();
    (unique, places)
}

/// Extends the tree that was found by the entries that are not duplicates. Pure.
pub(super) fn extend_tree(
    found: Found,
    known: &Edge,
    unique: &[&Waiting],
    now: Timestamp,
) -> Result<Extended, Corrupt> {
    let mut edge = match &found.edge {
        Some(tiles) => checked_edge(&found.head, tiles)?,
        None if known.root() == found.head.tree.root => known.clone(),
        None => return Err(Corrupt::new("the head's root hash is that of its right edge")),
    };
    // Another replica's clock may be a little ahead of ours; times in one tree never go back.
    let timestamp = now.max(found.head.timestamp);
    let mut touched = Tiles::default();
    let mut entries = Vec::new();
    let mut outcomes = Vec::with_capacity(unique.len());
    for (waiting, duplicate) in unique.iter().zip(found.duplicates) {
        if let Some(index) = duplicate {
            outcomes.push(Integrated::Before(index));
            continue;
        }
        let index = edge.size();
        let sealed = (waiting.pending.seal)(index, timestamp)?;
        let leaf_hash = merkle::leaf_hash(&sealed.leaf);
        edge.append(leaf_hash, &mut touched);
        let identity_hash = waiting.pending.identity_hash;
        let entry = StoredEntry { index, timestamp, identity_hash, leaf_hash, leaf: sealed.leaf, extra: sealed.extra };
        entries.push(entry.clone());
        outcomes.push(Integrated::Now(entry));
    }
    if entries.is_empty() {
        return Ok(Extended { edge, head: found.head, outcomes, completed: Trees::default(), extension: None });
    }
    let head = CommittedHead { tree: merkle::TreeHead { size: edge.size(), root: edge.root() }, timestamp };
    let completed = touched.0.iter().filter(|(_, hashes)| hashes.len() == FULL_WIDTH as usize);
    let completed = Trees(completed.map(|(id, hashes)| (*id, Arc::new(TileTree::new(hashes)))).collect());
    Ok(Extended { edge, head, outcomes, completed, extension: Some(Extension::new(entries, touched, head)) })
}

/// What a batch of one entry would make of the committed tree, to be written and undone. Pure.
pub(super) fn rehearsal(head: &CommittedHead, tiles: &Tiles) -> Result<Extension, Corrupt> {
    let mut edge = checked_edge(head, tiles)?;
    let mut touched = Tiles::default();
    let (index, timestamp) = (edge.size(), head.timestamp);
    let leaf = Bytes::from_static(b"a rehearsal, which is never committed");
    let leaf_hash = merkle::leaf_hash(&leaf);
    edge.append(leaf_hash, &mut touched);
    // Not the leaf hash, so that the table of leaves is written as well.
    let identity_hash = merkle::leaf_hash(&head.tree.root);
    let entry = StoredEntry { index, timestamp, identity_hash, leaf_hash, leaf, extra: Bytes::new() };
    let head = CommittedHead { tree: merkle::TreeHead { size: edge.size(), root: edge.root() }, timestamp };
    Ok(Extension::new(vec![entry], touched, head))
}

/// The edge of the committed tree, if its tiles are there and lead to its root hash.
pub(crate) fn checked_edge(head: &CommittedHead, tiles: &Tiles) -> Result<Edge, Corrupt> {
    let edge =
        Edge::from_tiles(head.tree.size, tiles).map_err(|_| Corrupt::new("the tiles of the right edge are stored"))?;
    if edge.root() == head.tree.root {
        Ok(edge)
    } else {
        Err(Corrupt::new("the head's root hash is that of its right edge"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rehearsal_extends_the_committed_tree_by_one_entry() {
        let tree = merkle::TreeHead { size: 0, root: merkle::empty_root() };
        let head = CommittedHead { tree, timestamp: Timestamp::from_millis(7) };
        let extension = rehearsal(&head, &Tiles::default()).unwrap();
        let [entry] = extension.entries.as_slice() else { panic!("{extension:?}") };
        assert_eq!((entry.index, extension.head.tree.size, extension.head.timestamp), (0, 1, head.timestamp));
        assert_eq!(extension.head.tree.root, entry.leaf_hash);
        assert_ne!(entry.identity_hash, entry.leaf_hash, "so that every table is written");
        let other = CommittedHead { tree: merkle::TreeHead { size: 0, root: [1; 32] }, ..head };
        assert!(rehearsal(&other, &Tiles::default()).is_err());
    }
}
