//! Members of gzip files (RFC 1952), inflated up to a limit.

use flate2::bufread::GzDecoder;
use std::io::Read as _;

/// The first member of a file.
pub(super) struct Member<'a> {
    pub(super) contents: Vec<u8>,
    /// The member as it is in the file.
    pub(super) compressed: &'a [u8],
    /// What follows it.
    pub(super) rest: &'a [u8],
}

/// Inflates the first member. `None` if it is malformed, or has more than `limit` bytes of contents.
pub(super) fn first_member(bytes: &[u8], limit: usize) -> Option<Member<'_>> {
    let mut decoder = GzDecoder::new(bytes);
    let mut contents = Vec::new();
    decoder.by_ref().take(u64::try_from(limit).ok()? + 1).read_to_end(&mut contents).ok()?;
    let rest = decoder.into_inner();
    let compressed = bytes.get(..bytes.len() - rest.len())?;
    (contents.len() <= limit).then_some(Member { contents, compressed, rest })
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::{Compression, write::GzEncoder};
    use std::io::Write as _;

    fn member(contents: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(contents).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn members_end_where_the_next_begins() {
        let (first, second) = (member(b"first"), member(b"second"));
        let bytes = [&first[..], &second, b"end"].concat();
        let one = first_member(&bytes, 5).unwrap();
        assert_eq!((&one.contents[..], one.compressed), (&b"first"[..], &first[..]));
        let two = first_member(one.rest, 100).unwrap();
        assert_eq!((&two.contents[..], two.compressed, two.rest), (&b"second"[..], &second[..], &b"end"[..]));
    }

    #[test]
    fn what_is_damaged_or_too_large_is_none() {
        let good = member(b"contents");
        assert!(first_member(&good, 7).is_none());
        assert!(first_member(&member(&vec![0; 64 << 20]), 1 << 20).is_none(), "a bomb");
        for end in 0..good.len() {
            assert!(first_member(&good[..end], 100).is_none(), "{end}");
        }
        let mut damaged = good;
        let checksum = damaged.len() - 8;
        damaged[checksum] ^= 1;
        assert!(first_member(&damaged, 100).is_none());
    }
}
