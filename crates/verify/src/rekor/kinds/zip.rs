//! ZIP archives in memory, as far as JAR files need them: an index, and files that are inflated piece by piece.
//!
//! A file is found by the index alone, and must have the size, the checksum and, at its own place, the name that the index
//! gives it. Refused: ZIP64, encryption, several disks, anything before the first file, a name twice.

use flate2::Crc;
use flate2::bufread::DeflateDecoder;
use std::collections::BTreeMap;
use std::io::{self, Read};

/// Maximum bytes that are inflated of one archive.
const MAX_INFLATED_BYTES: usize = 128 << 20;
/// Bytes of the record at the end, without its comment.
const END_BYTES: usize = 22;
const MAX_COMMENT_BYTES: usize = 0xffff;
const PIECE_BYTES: usize = 32 * 1024;

const END: u32 = 0x0605_4b50;
const INDEX_ENTRY: u32 = 0x0201_4b50;
const FILE: u32 = 0x0403_4b50;
const ENCRYPTED: u16 = 1;

/// An archive.
pub(super) struct Archive<'a> {
    bytes: &'a [u8],
    files: BTreeMap<&'a str, File>,
    /// Bytes that may still be inflated.
    budget: usize,
}

/// A file, as the index describes it.
#[derive(Debug, Clone, Copy)]
struct File {
    method: u16,
    checksum: u32,
    compressed: usize,
    size: usize,
    place: usize,
}

impl<'a> Archive<'a> {
    /// Reads the index. `None` if it is malformed.
    pub(super) fn parse(bytes: &'a [u8]) -> Option<Self> {
        let end = (bytes.len().saturating_sub(END_BYTES + MAX_COMMENT_BYTES)..bytes.len())
            .rev()
            .find(|place| is_end(bytes.get(*place..).unwrap_or_default()))?;
        let mut record = Numbers(bytes.get(end + 4..)?);
        let (disk, index_disk) = (record.short()?, record.short()?);
        let (count_here, count) = (record.short()?, record.short()?);
        let (length, start) = (record.size()?, record.size()?);
        if (disk, index_disk) != (0, 0) || count_here != count || start.checked_add(length)? != end {
            return None;
        }
        let mut index = Numbers(bytes.get(start..end)?);
        let mut files = BTreeMap::new();
        for _ in 0..count {
            let (name, file) = File::read(&mut index)?;
            if files.insert(name, file).is_some() {
                return None;
            }
        }
        index.0.is_empty().then_some(Self { bytes, files, budget: MAX_INFLATED_BYTES })
    }

    /// The names of the files, with their sizes.
    pub(super) fn names(&self) -> impl Iterator<Item = (&'a str, usize)> {
        self.files.iter().map(|(name, file)| (*name, file.size))
    }

    /// Passes the contents of a file on, piece by piece. `None` if there is no such file, it is not what the index says, or
    /// more was inflated than is allowed.
    pub(super) fn read(&mut self, name: &str, mut piece: impl FnMut(&[u8])) -> Option<()> {
        let file = *self.files.get(name)?;
        self.budget = self.budget.checked_sub(file.size)?;
        let contents = file.contents(self.bytes, name)?;
        let (mut checksum, mut size, mut buffer) = (Crc::new(), 0, vec![0; PIECE_BYTES]);
        let mut read: Box<dyn Read + '_> = match file.method {
            0 => Box::new(contents),
            8 => Box::new(DeflateDecoder::new(contents)),
            _ => return None,
        };
        loop {
            let count = match read.read(&mut buffer) {
                Ok(0) => break,
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(_) => return None,
            };
            size += count;
            if size > file.size {
                return None;
            }
            let inflated = buffer.get(..count)?;
            checksum.update(inflated);
            piece(inflated);
        }
        (size == file.size && checksum.sum() == file.checksum).then_some(())
    }
}

impl File {
    /// Reads an entry of the index.
    fn read<'a>(index: &mut Numbers<'a>) -> Option<(&'a str, Self)> {
        if index.number()? != INDEX_ENTRY {
            return None;
        }
        index.take(4)?;
        let (flags, method) = (index.short()?, index.short()?);
        index.take(4)?;
        let (checksum, compressed, size) = (index.number()?, index.size()?, index.size()?);
        let (name, extra, comment) = (index.short()?, index.short()?, index.short()?);
        index.take(8)?;
        let place = index.size()?;
        let name = str::from_utf8(index.take(name.into())?).ok()?;
        index.take(extra.into())?;
        index.take(comment.into())?;
        (flags & ENCRYPTED == 0).then_some((name, Self { method, checksum, compressed, size, place }))
    }

    /// Finds its contents, after a header that repeats its name.
    fn contents<'a>(&self, bytes: &'a [u8], name: &str) -> Option<&'a [u8]> {
        let mut header = Numbers(bytes.get(self.place..)?);
        if header.number()? != FILE {
            return None;
        }
        header.take(4)?;
        let is_same = header.short()? == self.method;
        header.take(16)?;
        let (name_length, extra) = (header.short()?, header.short()?);
        let is_same = is_same && header.take(name_length.into())? == name.as_bytes();
        header.take(extra.into())?;
        header.take(self.compressed).filter(|_| is_same)
    }
}

/// Whether these bytes are the record at the end, with its comment.
fn is_end(bytes: &[u8]) -> bool {
    let mut record = Numbers(bytes);
    let is_record = record.number() == Some(END) && record.take(16).is_some();
    record.short().is_some_and(|comment| is_record && bytes.len() == END_BYTES + usize::from(comment))
}

/// Numbers, little endian, read from the front.
struct Numbers<'a>(&'a [u8]);

impl<'a> Numbers<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn short(&mut self) -> Option<u16> {
        let (number, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(u16::from_le_bytes(*number))
    }

    fn number(&mut self) -> Option<u32> {
        let (number, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(u32::from_le_bytes(*number))
    }

    /// A size or place. The largest one says that the true one is elsewhere, as ZIP64 has it.
    fn size(&mut self) -> Option<usize> {
        self.number().filter(|number| *number != u32::MAX).map(|number| number as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::{Compression, write::DeflateEncoder};
    use std::io::Write as _;

    /// An archive of these files, deflated. The index says of the first one that it has `size` bytes, if that is given.
    fn archive(files: &[(&str, &[u8])], size: Option<u32>) -> Vec<u8> {
        let (mut out, mut index) = (Vec::new(), Vec::new());
        for (position, (name, contents)) in files.iter().enumerate() {
            let mut encoder = DeflateEncoder::new(Vec::new(), Compression::fast());
            encoder.write_all(contents).unwrap();
            let compressed = encoder.finish().unwrap();
            let mut checksum = Crc::new();
            checksum.update(contents);
            let length = u32::try_from(contents.len()).unwrap();
            let length = size.filter(|_| position == 0).unwrap_or(length);
            let mut sizes = checksum.sum().to_le_bytes().to_vec();
            sizes.extend(u32::try_from(compressed.len()).unwrap().to_le_bytes());
            sizes.extend(length.to_le_bytes());
            sizes.extend(u16::try_from(name.len()).unwrap().to_le_bytes());
            sizes.extend([0; 2]);
            index.extend(INDEX_ENTRY.to_le_bytes());
            index.extend([20, 0, 20, 0, 0, 0, 8, 0, 0, 0, 0, 0]);
            index.extend(&sizes);
            index.extend([0; 10]);
            index.extend(u32::try_from(out.len()).unwrap().to_le_bytes());
            index.extend(name.as_bytes());
            out.extend(FILE.to_le_bytes());
            out.extend([20, 0, 0, 0, 8, 0, 0, 0, 0, 0]);
            out.extend(&sizes);
            out.extend(name.as_bytes());
            out.extend(&compressed);
        }
        let start = u32::try_from(out.len()).unwrap();
        out.extend(&index);
        out.extend(END.to_le_bytes());
        out.extend([0; 4]);
        let count = u16::try_from(files.len()).unwrap().to_le_bytes();
        out.extend([count, count].concat());
        out.extend(u32::try_from(index.len()).unwrap().to_le_bytes());
        out.extend(start.to_le_bytes());
        out.extend([0; 2]);
        out
    }

    fn read(archive: &mut Archive<'_>, name: &str) -> Option<Vec<u8>> {
        let mut contents = Vec::new();
        archive.read(name, |piece| contents.extend_from_slice(piece)).map(|()| contents)
    }

    #[test]
    fn files_are_found_by_the_index() {
        let large = vec![7; 100_000];
        let bytes = archive(&[("a", b"first"), ("dir/b", &large), ("c", b"")], None);
        let mut archive = Archive::parse(&bytes).unwrap();
        assert_eq!(archive.names().collect::<Vec<_>>(), [("a", 5), ("c", 0), ("dir/b", 100_000)]);
        assert_eq!(read(&mut archive, "a").unwrap(), b"first");
        assert_eq!(read(&mut archive, "dir/b").unwrap(), large);
        assert_eq!(read(&mut archive, "c").unwrap(), b"");
        assert_eq!(read(&mut archive, "d"), None);
    }

    #[test]
    fn what_differs_from_the_index_is_refused() {
        let good = archive(&[("a", b"first")], None);
        for size in [0, 4, 6, 1 << 30] {
            let bytes = archive(&[("a", b"first")], Some(size));
            assert_eq!(read(&mut Archive::parse(&bytes).unwrap(), "a"), None, "{size}");
        }
        for place in 0..good.len() {
            let mut bytes = good.clone();
            bytes[place] ^= 0xff;
            // Time, versions and attributes mean nothing.
            let contents = Archive::parse(&bytes).and_then(|mut archive| read(&mut archive, "a"));
            assert!(contents.is_none_or(|contents| contents == b"first"), "{place}");
        }
        assert!(Archive::parse(&archive(&[("a", b"1"), ("a", b"2")], None)).is_none(), "a name twice");
        assert!(Archive::parse(&[b"before", &good[..]].concat()).is_none());
        for end in 0..good.len() {
            assert!(Archive::parse(&good[..end]).is_none(), "{end}");
        }
    }

    #[test]
    fn bombs_do_not_go_off() {
        let zeros = vec![0; 50 << 20];
        let bytes = archive(&[("a", &zeros), ("b", &zeros), ("c", &zeros)], None);
        assert!(bytes.len() < 1 << 20);
        let mut bomb = Archive::parse(&bytes).unwrap();
        let sizes = ["a", "b", "c"].map(|name| {
            let mut size = 0;
            bomb.read(name, |piece| size += piece.len()).map(|()| size)
        });
        assert_eq!(sizes, [Some(50 << 20), Some(50 << 20), None]);
    }
}
