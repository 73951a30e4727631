//! RPM's headers: an index of tags, and the data that they point into.

use std::collections::BTreeMap;

const MAGIC: [u8; 4] = [0x8e, 0xad, 0xe8, 0x01];
const ENTRY_BYTES: usize = 16;

/// Types of values. Others are not read.
const INT32: u32 = 4;
const STRING: u32 = 6;
const BINARY: u32 = 7;
const STRING_ARRAY: u32 = 8;
const TRANSLATED: u32 = 9;

/// A header.
pub(super) struct Header<'a> {
    /// All its bytes.
    pub(super) whole: &'a [u8],
    entries: BTreeMap<u32, Entry<'a>>,
}

/// A value, not read yet.
struct Entry<'a> {
    kind: u32,
    count: u32,
    /// The data from its start on.
    data: &'a [u8],
}

impl<'a> Header<'a> {
    /// Parses the header at the start of `bytes`. Also returns what follows. `None` if it is malformed, or has a tag twice.
    pub(super) fn parse(bytes: &'a [u8]) -> Option<(Self, &'a [u8])> {
        let (magic, rest) = bytes.split_first_chunk::<4>()?;
        let (_reserved, rest) = rest.split_first_chunk::<4>()?;
        let (count, rest) = number(rest)?;
        let (length, rest) = number(rest)?;
        let (index, rest) = rest.split_at_checked((count as usize).checked_mul(ENTRY_BYTES)?)?;
        let (data, rest) = rest.split_at_checked(length as usize)?;
        let mut entries = BTreeMap::new();
        for entry in index.chunks_exact(ENTRY_BYTES) {
            let (tag, entry) = number(entry)?;
            let (kind, entry) = number(entry)?;
            let (offset, entry) = number(entry)?;
            let (count, _) = number(entry)?;
            let data = data.get(offset as usize..)?;
            if entries.insert(tag, Entry { kind, count, data }).is_some() {
                return None;
            }
        }
        let whole = bytes.get(..bytes.len() - rest.len())?;
        (*magic == MAGIC).then_some((Self { whole, entries }, rest))
    }

    /// A text, the first one of several.
    pub(super) fn text(&self, tag: u32) -> Option<&'a str> {
        let entry = self.entries.get(&tag).filter(|entry| entry.count > 0)?;
        let end = entry.data.iter().position(|byte| *byte == 0)?;
        let text = str::from_utf8(entry.data.get(..end)?).ok()?;
        [STRING, STRING_ARRAY, TRANSLATED].contains(&entry.kind).then_some(text)
    }

    /// A number, the first one of several.
    pub(super) fn number(&self, tag: u32) -> Option<u32> {
        let entry = self.entries.get(&tag).filter(|entry| entry.kind == INT32 && entry.count > 0)?;
        number(entry.data).map(|(number, _)| number)
    }

    pub(super) fn bytes(&self, tag: u32) -> Option<&'a [u8]> {
        let entry = self.entries.get(&tag).filter(|entry| entry.kind == BINARY)?;
        entry.data.get(..entry.count as usize)
    }
}

/// Takes a number, big endian.
fn number(bytes: &[u8]) -> Option<(u32, &[u8])> {
    let (number, rest) = bytes.split_first_chunk()?;
    Some((u32::from_be_bytes(*number), rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A header with these entries: tag, type, offset, count.
    fn header(entries: &[[u32; 4]], data: &[u8]) -> Vec<u8> {
        let mut bytes = [&MAGIC[..], &[0; 4]].concat();
        for number in [u32::try_from(entries.len()).unwrap(), u32::try_from(data.len()).unwrap()] {
            bytes.extend(number.to_be_bytes());
        }
        bytes.extend(entries.iter().flatten().flat_map(|number| number.to_be_bytes()));
        bytes.extend(data);
        bytes
    }

    #[test]
    fn values_are_read_by_their_type() {
        let entries =
            [[1, STRING, 0, 1], [2, STRING_ARRAY, 2, 2], [3, INT32, 6, 1], [4, BINARY, 0, 3], [5, STRING, 9, 1]];
        let bytes = [header(&entries, b"a\0bc\0d\0\0\x01\x02"), b"payload".to_vec()].concat();
        let (header, rest) = Header::parse(&bytes).unwrap();
        assert_eq!((header.text(1), header.text(2), header.text(3)), (Some("a"), Some("bc"), None));
        assert_eq!((header.number(3), header.number(1)), (Some(0x0000_0102), None));
        assert_eq!((header.bytes(4), header.bytes(1), header.bytes(9)), (Some(&b"a\0b"[..]), None, None));
        assert_eq!(header.text(5), None, "it has no end");
        assert_eq!((rest, header.whole.len()), (&b"payload"[..], bytes.len() - 7));
    }

    #[test]
    fn what_is_cut_or_points_outside_is_refused() {
        let good = header(&[[1, STRING, 0, 1]], b"a\0");
        for end in 0..good.len() {
            assert!(Header::parse(&good[..end]).is_none(), "{end}");
        }
        assert!(Header::parse(&header(&[[1, STRING, 3, 1]], b"a\0")).is_none());
        assert!(Header::parse(&header(&[[1, STRING, 0, 1]; 2], b"a\0")).is_none());
        assert!(Header::parse(&[&[0; 4], &good[4..]].concat()).is_none());
        let (short, _) = Header::parse(&good).unwrap();
        assert_eq!(short.bytes(1), None);
        let mut huge = good;
        huge[8..12].copy_from_slice(&[0xff; 4]);
        assert!(Header::parse(&huge).is_none());
    }
}
