//! Entries as they are stored: packed, by entry bundle.
//!
//! A batch adds one row to each bundle of 256 that it reaches, a *part*: leaf hashes, identity hashes and contents of its
//! entries, each one after the other. A busy log writes and reads a few large rows instead of many small ones (a third of the
//! cost per entry, and no page that is half empty). A part never reaches over the border of a bundle, so that a bundle is the
//! parts that begin in it, and it is of bounded size, so that one entry can be read without the others of a large batch.

use super::convert::{to_i64, to_u64};
use super::{StoreError, StoredEntry};
use crate::Corrupt;
use bytes::Bytes;
use chancery_verify::tile::FULL_WIDTH;
use chancery_verify::{Hash, Timestamp};

/// A part that has so many bytes of contents takes no further entry: a single entry is read with its whole part.
const PART_BYTES: usize = 16 * 1024;
/// Bytes of one length in `ends`.
const END_BYTES: usize = 4;
const UNPACKED: Corrupt = Corrupt::new("a stored part of a bundle has the lengths it states");

/// `first_index, timestamp_ms, leaf_hashes, identity_hashes, ends, contents`
pub(super) type PartRow = (i64, i64, Vec<u8>, Option<Vec<u8>>, Vec<u8>, Vec<u8>);

/// Entries that follow each other, were integrated together and lie in one bundle.
pub(super) struct Part {
    /// Index of the first.
    pub(super) first_index: i64,
    pub(super) timestamp_ms: i64,
    /// 32 bytes each.
    pub(super) leaf_hashes: Vec<u8>,
    /// 32 bytes each; `None` where every entry's identity is its leaf hash (Rekor).
    pub(super) identity_hashes: Option<Vec<u8>>,
    /// For each entry where its leaf ends in `contents`, and where its extra ends: twice four bytes, big-endian.
    pub(super) ends: Vec<u8>,
    /// Leaf and extra of each entry, without anything in between.
    pub(super) contents: Vec<u8>,
}

/// The index of the first entry of the bundle in which `index` lies.
const fn bundle_start(index: u64) -> u64 {
    index - index % FULL_WIDTH as u64
}

/// Packs entries with consecutive indices.
pub(super) fn pack(entries: &[StoredEntry]) -> Result<Vec<Part>, StoreError> {
    let mut bytes = 0;
    let together = |one: &StoredEntry, next: &StoredEntry| {
        bytes += one.leaf.len() + one.extra.len();
        let fits = bytes < PART_BYTES
            && one.timestamp == next.timestamp
            && bundle_start(one.index) == bundle_start(next.index);
        if !fits {
            bytes = 0;
        }
        fits
    };
    entries.chunk_by(together).map(pack_part).collect()
}

fn pack_part(entries: &[StoredEntry]) -> Result<Part, StoreError> {
    let [first, ..] = entries else { return Err(Corrupt::new("a part of a bundle has entries").into()) };
    let bytes = entries.iter().map(|entry| entry.leaf.len() + entry.extra.len()).sum();
    let (mut ends, mut contents) = (Vec::with_capacity(2 * END_BYTES * entries.len()), Vec::with_capacity(bytes));
    for entry in entries {
        for part in [&entry.leaf, &entry.extra] {
            contents.extend_from_slice(part);
            let end = u32::try_from(contents.len()).map_err(|_| Corrupt::new("a part of a bundle is below 4 GiB"))?;
            ends.extend(end.to_be_bytes());
        }
    }
    let own_identity = entries.iter().any(|entry| entry.identity_hash != entry.leaf_hash);
    Ok(Part {
        first_index: to_i64(first.index)?,
        timestamp_ms: to_i64(first.timestamp.millis())?,
        leaf_hashes: entries.iter().flat_map(|entry| entry.leaf_hash).collect(),
        identity_hashes: own_identity.then(|| entries.iter().flat_map(|entry| entry.identity_hash).collect()),
        ends,
        contents,
    })
}

/// Leaf hash and index of every entry that cannot be found by its identity.
pub(super) fn leaf_indices(parts: &[Part]) -> Result<Vec<(Hash, i64)>, StoreError> {
    let apart = parts.iter().filter(|part| part.identity_hashes.is_some());
    let mut found = Vec::new();
    for part in apart {
        found.extend(hashes(&part.leaf_hashes)?.into_iter().zip(part.first_index..));
    }
    Ok(found)
}

/// One entry of a part, whose `contents` are cut down to what is this entry's.
pub(super) fn unpack_entry(
    (first_index, timestamp, leaf_hashes, identity_hashes, ends, contents): PartRow,
    index: u64,
) -> Result<StoredEntry, StoreError> {
    let position = index.checked_sub(to_u64(first_index)?).and_then(|position| usize::try_from(position).ok());
    let position = position.ok_or(UNPACKED)?;
    let (ends, _) = ends.as_chunks::<{ 2 * END_BYTES }>();
    let start = position.checked_sub(1).and_then(|before| ends.get(before)).map_or(0, |before| split(*before).1);
    let (leaf_end, extra_end) = split(*ends.get(position).ok_or(UNPACKED)?);
    let leaf_bytes = leaf_end.checked_sub(start).filter(|bytes| *bytes <= contents.len()).ok_or(UNPACKED)?;
    if extra_end.checked_sub(start) != Some(contents.len()) {
        return Err(UNPACKED.into());
    }
    let hash = |stored: &[u8]| Ok::<_, StoreError>(*hashes(stored)?.get(position).ok_or(UNPACKED)?);
    let leaf_hash = hash(&leaf_hashes)?;
    let identity_hash = identity_hashes.map_or(Ok(leaf_hash), |stored| hash(&stored))?;
    let mut leaf = Bytes::from(contents);
    let extra = leaf.split_off(leaf_bytes);
    let timestamp = Timestamp::from_millis(to_u64(timestamp)?);
    Ok(StoredEntry { index, timestamp, identity_hash, leaf_hash, leaf, extra })
}

/// The entries of parts in order, from `start` on and at most `count`.
pub(super) fn unpack(parts: Vec<PartRow>, start: u64, count: u32) -> Result<Vec<StoredEntry>, StoreError> {
    let end = start.saturating_add(u64::from(count));
    let mut entries = Vec::new();
    for part in parts {
        unpack_part(part, |index| (start..end).contains(&index), &mut entries)?;
    }
    Ok(entries)
}

/// Of the entries of parts, in order, those with these indices, which go up.
pub(super) fn unpack_at(parts: Vec<PartRow>, indices: &[u64]) -> Result<Vec<StoredEntry>, StoreError> {
    let mut entries = Vec::new();
    for part in parts {
        unpack_part(part, |index| indices.binary_search(&index).is_ok(), &mut entries)?;
    }
    Ok(entries)
}

fn unpack_part(
    (first_index, timestamp, leaf_hashes, identity_hashes, ends, contents): PartRow,
    is_wanted: impl Fn(u64) -> bool,
    entries: &mut Vec<StoredEntry>,
) -> Result<(), StoreError> {
    let first_index = to_u64(first_index)?;
    let timestamp = Timestamp::from_millis(to_u64(timestamp)?);
    let contents = Bytes::from(contents);
    let leaf_hashes = hashes(&leaf_hashes)?;
    let identity_hashes = identity_hashes.map_or_else(|| Ok(leaf_hashes.clone()), |stored| hashes(&stored))?;
    let (ends, rest) = ends.as_chunks::<{ 2 * END_BYTES }>();
    let last = ends.last().map(|ends| split(*ends).1);
    let complete = ends.len() == leaf_hashes.len() && ends.len() == identity_hashes.len() && rest.is_empty();
    if !complete || last != Some(contents.len()) {
        return Err(UNPACKED.into());
    }
    let mut from = 0;
    for (index, ((ends, leaf_hash), identity_hash)) in
        (first_index..).zip(ends.iter().zip(leaf_hashes).zip(identity_hashes))
    {
        let (leaf_end, extra_end) = split(*ends);
        if from > leaf_end || leaf_end > extra_end || extra_end > contents.len() {
            return Err(UNPACKED.into());
        }
        if is_wanted(index) {
            let (leaf, extra) = (contents.slice(from..leaf_end), contents.slice(leaf_end..extra_end));
            entries.push(StoredEntry { index, timestamp, identity_hash, leaf_hash, leaf, extra });
        }
        from = extra_end;
    }
    Ok(())
}

fn split(ends: [u8; 2 * END_BYTES]) -> (usize, usize) {
    let [a, b, c, d, e, f, g, h] = ends;
    (u32::from_be_bytes([a, b, c, d]) as usize, u32::from_be_bytes([e, f, g, h]) as usize)
}

fn hashes(bytes: &[u8]) -> Result<Vec<Hash>, StoreError> {
    let (hashes, rest) = bytes.as_chunks();
    if rest.is_empty() { Ok(hashes.to_vec()) } else { Err(UNPACKED.into()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(index: u64, leaf: usize, extra: usize, own_identity: bool) -> StoredEntry {
        let byte = index.to_le_bytes()[0];
        let leaf_hash = [byte; 32];
        StoredEntry {
            index,
            timestamp: Timestamp::from_millis(1000 + index / 300),
            identity_hash: if own_identity { [!byte; 32] } else { leaf_hash },
            leaf_hash,
            leaf: vec![byte; leaf].into(),
            extra: vec![!byte; extra].into(),
        }
    }

    fn row(part: Part) -> PartRow {
        let Part { first_index, timestamp_ms, leaf_hashes, identity_hashes, ends, contents } = part;
        (first_index, timestamp_ms, leaf_hashes, identity_hashes, ends, contents)
    }

    fn rows(entries: &[StoredEntry]) -> Vec<PartRow> {
        pack(entries).unwrap().into_iter().map(row).collect()
    }

    #[test]
    fn what_is_packed_unpacks_to_the_same_entries() {
        for own_identity in [false, true] {
            let entries: Vec<_> =
                (250..800).map(|index| entry(index, usize::from(index % 7 == 0), 3, own_identity)).collect();
            assert_eq!(unpack(rows(&entries), 250, 1000).unwrap(), entries);
            assert_eq!(unpack(rows(&entries), 255, 3).unwrap(), entries[5..8]);
            let some = [entries[0].clone(), entries[5].clone(), entries[549].clone()];
            assert_eq!(unpack_at(rows(&entries), &[249, 250, 255, 799, 800]).unwrap(), some);
            assert!(rows(&entries).iter().all(|(.., identities, _, _)| identities.is_some() == own_identity));
        }
        assert_eq!(unpack(Vec::new(), 0, 10).unwrap(), []);
    }

    #[test]
    fn a_part_stays_in_its_bundle_and_its_batch_and_below_its_size() {
        let starts = |entries: &[StoredEntry]| rows(entries).iter().map(|part| part.0).collect::<Vec<_>>();
        let small: Vec<_> = (200..700).map(|index| entry(index, 10, 0, false)).collect();
        // 300 and 600 begin another batch.
        assert_eq!(starts(&small), [200, 256, 300, 512, 600]);
        let large: Vec<_> = (0..10).map(|index| entry(index, 6000, 0, false)).collect();
        assert_eq!(starts(&large), [0, 3, 6, 9]);
        assert_eq!(unpack(rows(&large), 0, 10).unwrap(), large);
    }

    #[test]
    fn an_entry_that_was_cut_out_is_the_one_that_was_packed() {
        let entries: Vec<_> = (500..512).map(|index| entry(index, 7, usize::from(index % 3 == 0), true)).collect();
        let part = rows(&entries).remove(0);
        let mut start = 0;
        for entry in &entries {
            let end = start + entry.leaf.len() + entry.extra.len();
            let cut =
                |contents: &[u8]| (part.0, part.1, part.2.clone(), part.3.clone(), part.4.clone(), contents.to_vec());
            assert_eq!(&unpack_entry(cut(&part.5[start..end]), entry.index).unwrap(), entry);
            assert!(unpack_entry(cut(&part.5[start..end - 1]), entry.index).is_err());
            assert!(unpack_entry(cut(&part.5[start..end]), 512).is_err());
            assert!(unpack_entry(cut(&part.5[start..end]), 499).is_err());
            start = end;
        }
    }

    #[test]
    fn a_damaged_part_is_refused() {
        let part = rows(&[entry(0, 5, 2, false), entry(1, 6, 1, false)]).remove(0);
        assert!(unpack(vec![part.clone()], 0, 2).is_ok());
        let damage: [fn(&mut PartRow); 6] = [
            |part| part.0 = -1,
            |part| part.2.truncate(63),
            |part| part.3 = Some(vec![0; 32]),
            |part| part.4.truncate(15),
            |part| part.4[3] = 200,
            |part| part.5.push(0),
        ];
        for (number, damage) in damage.into_iter().enumerate() {
            let mut damaged = part.clone();
            damage(&mut damaged);
            assert!(unpack(vec![damaged], 0, 2).is_err(), "{number}");
        }
    }
}
