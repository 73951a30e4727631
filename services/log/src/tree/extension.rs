//! Extending: the tree that a batch makes of another one.

use super::Pending;
use crate::Corrupt;
use crate::store::{CommittedHead, Extension, Found, StoredEntry};
use bytes::Bytes;
use chancery_verify::tile::{Edge, FULL_WIDTH, TileTree, Tiles, Trees};
use chancery_verify::{Timestamp, merkle};
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

/// Maximum leaves of a tree: sizes and indices are stored as 63 bits.
const MAX_SIZE: u64 = u64::MAX >> 1;

/// What became of an entry in a batch.
#[derive(Debug, Clone)]
pub(crate) enum Integrated {
    Now(StoredEntry),
    Before(u64),
}

/// A tree with the entries of a batch.
pub(crate) struct Extended {
    pub(crate) edge: Edge,
    pub(crate) head: CommittedHead,
    pub(crate) outcomes: Vec<Integrated>,
    /// The tiles that are full now and were not before.
    pub(crate) completed: Trees,
    pub(crate) extension: Option<Extension>,
}

/// Where among the distinct entries of its batch an entry stands, and whether it came first.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Place {
    First(usize),
    Again(usize),
}

impl Place {
    pub(crate) const fn position(self) -> usize {
        match self {
            Self::First(position) | Self::Again(position) => position,
        }
    }
}

/// The entries of a batch with distinct identities, and the place of each entry among them.
pub(crate) fn deduplicate<'a>(batch: impl IntoIterator<Item = &'a Pending>) -> (Vec<&'a Pending>, Vec<Place>) {
    let mut known = HashMap::new();
    let mut unique = Vec::new();
    let places = batch
        .into_iter()
        .map(|pending| match known.entry(pending.identity_hash) {
            Entry::Occupied(first) => Place::Again(*first.get()),
            Entry::Vacant(free) => {
                unique.push(pending);
                Place::First(*free.insert(unique.len() - 1))
            }
        })
        .collect();
    (unique, places)
}

/// Extends the tree that was found by the entries that are not duplicates. `known` is the right edge where the store has
/// found none other.
///
/// # Errors
/// Where the edge is not that of the head, the batch would not begin at the head's size or would grow the tree beyond
/// [`MAX_SIZE`], or an entry cannot be sealed.
pub(crate) fn extend_tree(
    found: Found,
    known: &Edge,
    unique: &[&Pending],
    now: Timestamp,
) -> Result<Extended, Corrupt> {
    let mut edge = match &found.edge {
        Some(tiles) => checked_edge(&found.head, tiles)?,
        None if known.root() == found.head.tree.root => known.clone(),
        None => return Err(Corrupt::new("the head's root hash is that of its right edge")),
    };
    verify_room(&found, &edge, unique.len())?;
    // Another replica's clock may be a little ahead of ours; times in one tree never go back.
    let timestamp = now.max(found.head.timestamp);
    let mut touched = Tiles::default();
    let mut entries = Vec::new();
    let mut outcomes = Vec::with_capacity(unique.len());
    for (pending, duplicate) in unique.iter().zip(found.duplicates) {
        let index = edge.size();
        let overtaken = (pending.only_first && index > 0).then_some(0);
        if let Some(before) = duplicate.or(overtaken) {
            outcomes.push(Integrated::Before(before));
            continue;
        }
        let sealed = (pending.seal)(index, timestamp)?;
        let leaf_hash = merkle::leaf_hash(&sealed.leaf);
        edge.append(leaf_hash, &mut touched);
        let identity_hash = pending.identity_hash;
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
    let extension = Extension::new(found.head, entries, touched, head);
    Ok(Extended { edge, head, outcomes, completed, extension: Some(extension) })
}

/// Verifies that the new ones of `count` entries begin where the head ends, and that the tree may have so many more.
fn verify_room(found: &Found, edge: &Edge, count: usize) -> Result<(), Corrupt> {
    if edge.size() != found.head.tree.size {
        return Err(Corrupt::new("a batch begins at the size of the head"));
    }
    if found.duplicates.len() != count {
        return Err(Corrupt::new("every entry of a batch is looked for"));
    }
    let new = found.duplicates.iter().filter(|duplicate| duplicate.is_none()).count();
    let size = u64::try_from(new).ok().and_then(|new| edge.size().checked_add(new));
    match size {
        Some(size) if size <= MAX_SIZE => Ok(()),
        _ => Err(Corrupt::new("sizes and times fit 63 bits")),
    }
}

/// What a batch of one entry would make of the committed tree, to be written and undone. Pure.
pub(crate) fn rehearsal(head: &CommittedHead, tiles: &Tiles) -> Result<Extension, Corrupt> {
    let mut edge = checked_edge(head, tiles)?;
    let mut touched = Tiles::default();
    let (index, timestamp) = (edge.size(), head.timestamp);
    let leaf = Bytes::from_static(b"a rehearsal, which is never committed");
    let leaf_hash = merkle::leaf_hash(&leaf);
    edge.append(leaf_hash, &mut touched);
    // Not the leaf hash, so that the table of leaves is written as well.
    let identity_hash = merkle::leaf_hash(&head.tree.root);
    let entry = StoredEntry { index, timestamp, identity_hash, leaf_hash, leaf, extra: Bytes::new() };
    let after = CommittedHead { tree: merkle::TreeHead { size: edge.size(), root: edge.root() }, timestamp };
    Ok(Extension::new(*head, vec![entry], touched, after))
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
    use chancery_verify::merkle::TreeHead;
    use chancery_verify::tile::TileId;
    use std::slice;

    const NOW: Timestamp = Timestamp::from_millis(1000);

    fn pending(text: &'static str) -> Pending {
        Pending::of_leaf(text, merkle::leaf_hash(text.as_bytes()))
    }

    fn head(edge: &Edge) -> CommittedHead {
        CommittedHead { tree: TreeHead { size: edge.size(), root: edge.root() }, timestamp: NOW }
    }

    /// A tree of these leaves.
    fn grown(texts: &[&str]) -> Edge {
        let mut edge = Edge::default();
        for text in texts {
            edge.append(merkle::leaf_hash(text.as_bytes()), &mut Tiles::default());
        }
        edge
    }

    /// A tree of `size` leaves, all of whose hashes are zero. It has the tiles of its right edge, which are all that is needed.
    fn claimed(size: u64) -> Found {
        let row = |id: TileId| (id, vec![[0; 32]; id.width(size) as usize]);
        let tiles = Tiles(Edge::tile_ids(size).into_iter().map(row).collect());
        let head = head(&Edge::from_tiles(size, &tiles).unwrap());
        Found { head, edge: Some(tiles), duplicates: vec![None] }
    }

    fn broken(found: Found, known: &Edge, unique: &[&Pending]) -> Option<&'static str> {
        extend_tree(found, known, unique, NOW).err().map(|corrupt| corrupt.invariant)
    }

    #[test]
    fn a_batch_extends_the_head_by_what_is_not_there_yet() {
        let (known, one, two) = (grown(&["zero"]), pending("one"), pending("zero"));
        let found = Found { duplicates: vec![None, Some(0)], ..Found::expected(head(&known), 2) };
        let extended = extend_tree(found, &known, &[&one, &two], NOW).unwrap();
        assert_eq!(extended.head, head(&grown(&["zero", "one"])));
        let [Integrated::Now(entry), Integrated::Before(0)] = extended.outcomes.as_slice() else {
            panic!("{:?}", extended.outcomes)
        };
        assert_eq!(extended.extension.unwrap().entries, slice::from_ref(entry));
    }

    #[test]
    fn a_batch_that_does_not_begin_at_the_size_of_the_head_is_refused() {
        let (known, one) = (grown(&["zero"]), pending("one"));
        for size in [0, 2, MAX_SIZE, u64::MAX] {
            let mut found = Found::expected(head(&known), 1);
            found.head.tree.size = size;
            assert_eq!(broken(found, &known, &[&one]), Some("a batch begins at the size of the head"), "{size}");
        }
        let other = Found::expected(head(&grown(&["another"])), 1);
        assert_eq!(broken(other, &known, &[&one]), Some("the head's root hash is that of its right edge"));
        let short = Found::expected(head(&known), 0);
        assert_eq!(broken(short, &known, &[&one]), Some("every entry of a batch is looked for"));
    }

    #[test]
    fn a_tree_does_not_grow_beyond_what_can_be_stored() {
        let one = pending("one");
        let refused = Some("sizes and times fit 63 bits");
        assert_eq!(broken(claimed(MAX_SIZE - 1), &Edge::default(), &[&one]), None);
        assert_eq!(broken(claimed(MAX_SIZE), &Edge::default(), &[&one]), refused);
        assert_eq!(broken(claimed(u64::MAX), &Edge::default(), &[&one]), refused);
        // Nothing grows where everything is logged.
        let found = Found { duplicates: vec![Some(7)], ..claimed(MAX_SIZE) };
        assert_eq!(broken(found, &Edge::default(), &[&one]), None);
    }

    #[test]
    fn what_is_to_be_first_is_logged_in_an_empty_tree_only() {
        let (first, other) = (pending("first").only_first(), pending("other"));
        let outcomes = |known: &Edge, unique: &[&Pending]| {
            let found = Found::expected(head(known), unique.len());
            extend_tree(found, known, unique, NOW).unwrap()
        };
        let alone = outcomes(&Edge::default(), &[&first, &other]);
        assert!(matches!(alone.outcomes.as_slice(), [Integrated::Now(_), Integrated::Now(_)]), "{:?}", alone.outcomes);
        let late = outcomes(&Edge::default(), &[&other, &first]);
        assert!(matches!(late.outcomes.as_slice(), [Integrated::Now(_), Integrated::Before(0)]), "{:?}", late.outcomes);
        let overtaken = outcomes(&grown(&["another's first"]), &[&first]);
        assert!(matches!(overtaken.outcomes.as_slice(), [Integrated::Before(0)]), "{:?}", overtaken.outcomes);
        assert!(overtaken.extension.is_none() && overtaken.head.tree.size == 1);
    }

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
