//! CBOR (RFC 8949), as far as COSE needs it: items are read one by one, and what is not needed is skipped.
//!
//! Lengths are definite. Numbers may have a longer form than they need; what is written has the shortest.

/// Maximum depth of arrays, maps and tags.
const MAX_DEPTH: usize = 32;

/// The start of an item. What an array, a map or a tag contains follows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Item<'a> {
    Unsigned(u64),
    /// This number is -1 - n.
    Negative(u64),
    Bytes(&'a [u8]),
    Text(&'a str),
    /// So many items follow.
    Array(u64),
    /// So many pairs of items follow.
    Map(u64),
    Tag,
    /// Null, a truth value, a floating-point number.
    Simple,
}

/// Reads items from the front.
pub(super) struct Reader<'a> {
    rest: &'a [u8],
    allows_tags: bool,
}

impl<'a> Reader<'a> {
    pub(super) const fn with_tags(bytes: &'a [u8]) -> Self {
        Self { rest: bytes, allows_tags: true }
    }

    /// A reader to which a tag is no item.
    pub(super) const fn without_tags(bytes: &'a [u8]) -> Self {
        Self { rest: bytes, allows_tags: false }
    }

    pub(super) const fn is_finished(&self) -> bool {
        self.rest.is_empty()
    }

    /// Takes the start of an item. `None` if it is not well-formed.
    pub(super) fn item(&mut self) -> Option<Item<'a>> {
        let [first] = self.take(1)? else { return None };
        let (major, short) = (first >> 5, first & 0x1f);
        let number = match short {
            0..=23 => short.into(),
            24..=27 => self.take(1 << (short - 24))?.iter().fold(0, |number, byte| number << 8 | u64::from(*byte)),
            _ => return None,
        };
        Some(match major {
            0 => Item::Unsigned(number),
            1 => Item::Negative(number),
            2 => Item::Bytes(self.take(usize::try_from(number).ok()?)?),
            3 => Item::Text(str::from_utf8(self.take(usize::try_from(number).ok()?)?).ok()?),
            4 => Item::Array(number),
            5 => Item::Map(number),
            6 if self.allows_tags => Item::Tag,
            // Values below 32 have one form.
            7 if short != 24 || number >= 32 => Item::Simple,
            _ => return None,
        })
    }

    /// Takes an item, which must be bytes.
    pub(super) fn bytes(&mut self) -> Option<&'a [u8]> {
        match self.item()? {
            Item::Bytes(bytes) => Some(bytes),
            _ => None,
        }
    }

    /// Takes an item with all that it contains.
    pub(super) fn skip(&mut self) -> Option<()> {
        self.skip_to(MAX_DEPTH)
    }

    fn skip_to(&mut self, depth: usize) -> Option<()> {
        let contents = match self.item()? {
            Item::Array(length) => length,
            Item::Map(length) => length.checked_mul(2)?,
            Item::Tag => 1,
            _ => return Some(()),
        };
        let depth = depth.checked_sub(1)?;
        // Each takes at least one byte, whatever length was stated.
        (0..contents).try_for_each(|_| self.skip_to(depth))
    }

    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(count)?;
        self.rest = rest;
        Some(taken)
    }
}

pub(super) fn write_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    write_length(out, 2, bytes.len());
    out.extend_from_slice(bytes);
}

pub(super) fn write_text(out: &mut Vec<u8>, text: &str) {
    write_length(out, 3, text.len());
    out.extend_from_slice(text.as_bytes());
}

fn write_length(out: &mut Vec<u8>, major: u8, length: usize) {
    let bytes = length.to_be_bytes();
    let major = major << 5;
    match bytes {
        [.., low @ 0..24] if length < 24 => out.push(major | low),
        [.., low] if length < 1 << 8 => out.extend([major | 0x18, low]),
        [.., high, low] if length < 1 << 16 => out.extend([major | 0x19, high, low]),
        [.., a, b, c, d] => out.extend([major | 0x1a, a, b, c, d]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_are_read_as_the_specification_shows_them() {
        // RFC 8949, appendix A.
        for (text, expected) in [
            ("00", Item::Unsigned(0)),
            ("17", Item::Unsigned(23)),
            ("1818", Item::Unsigned(24)),
            ("1bffffffffffffffff", Item::Unsigned(u64::MAX)),
            ("3903e7", Item::Negative(999)),
            ("4401020304", Item::Bytes(&[1, 2, 3, 4])),
            ("62c3bc", Item::Text("ü")),
            ("80", Item::Array(0)),
            ("a2", Item::Map(2)),
            ("c1", Item::Tag),
            ("f6", Item::Simple),
            ("f8ff", Item::Simple),
            ("fb3ff199999999999a", Item::Simple),
        ] {
            let bytes = hex::decode(text).unwrap();
            let mut reader = Reader::with_tags(&bytes);
            assert_eq!(reader.item(), Some(expected), "{text}");
            assert!(reader.is_finished(), "{text}");
        }
        for bad in ["", "18", "1c", "5f", "9f", "ff", "f81f", "62c328", "4401", "5bffffffffffffffff"] {
            assert_eq!(Reader::with_tags(&hex::decode(bad).unwrap()).item(), None, "{bad}");
        }
        assert_eq!(Reader::without_tags(&[0xc1, 0]).item(), None);
    }

    #[test]
    fn what_is_skipped_has_a_depth_and_an_end() {
        for (text, good) in [
            ("8301820203820405", true),
            ("a201020304", true),
            ("d9ffff8100", true),
            ("9bffffffffffffffff", false),
            ("bbffffffffffffffff00", false),
        ] {
            let bytes = hex::decode(text).unwrap();
            let mut reader = Reader::with_tags(&bytes);
            assert_eq!(reader.skip().is_some() && reader.is_finished(), good, "{text}");
        }
        let nested = |depth| [vec![0x81; depth], vec![0]].concat();
        assert!(Reader::with_tags(&nested(MAX_DEPTH)).skip().is_some());
        assert!(Reader::with_tags(&nested(MAX_DEPTH + 1)).skip().is_none());
    }

    #[test]
    fn what_is_written_has_the_shortest_length() {
        for (length, header) in [
            (0, &[0x40][..]),
            (23, &[0x57]),
            (24, &[0x58, 24]),
            (255, &[0x58, 255]),
            (256, &[0x59, 1, 0]),
            (65_536, &[0x5a, 0, 1, 0, 0]),
        ] {
            let bytes = vec![7; length];
            let mut written = Vec::new();
            write_bytes(&mut written, &bytes);
            assert_eq!((written.starts_with(header), written.len()), (true, header.len() + length), "{length}");
            assert_eq!(Reader::without_tags(&written).bytes(), Some(&bytes[..]));
        }
    }
}
