//! Reads rows in the binary form of `COPY`: a signature, then for each row the number of its fields, and for each field its
//! length and its bytes. One row is in memory at a time.
//!
//! Specification: the documentation of `PostgreSQL`, «COPY», «Binary Format».

use std::io::{self, ErrorKind, Read};

const SIGNATURE: [u8; 11] = *b"PGCOPY\n\xff\r\n\0";
/// `PostgreSQL` has no larger field.
const MAX_FIELD: u64 = 1 << 30;

/// A field; `None` is null.
pub(super) type Field = Option<Vec<u8>>;

/// The rows of a table.
pub(super) struct Rows<R> {
    reader: R,
}

impl<R: Read> Rows<R> {
    /// Reads what stands before the first row.
    pub(super) fn begin(mut reader: R) -> io::Result<Self> {
        if read_array(&mut reader)? != SIGNATURE {
            return Err(damaged("these are no rows of a table"));
        }
        // Flags, of which none is in use, and an extension, which none has.
        if read_array(&mut reader)? != [0; 8] {
            return Err(damaged("the rows are of a later version of PostgreSQL"));
        }
        Ok(Self { reader })
    }

    /// The next row, which must have so many fields; `None` after the last one.
    pub(super) fn read_row(&mut self, columns: usize) -> io::Result<Option<Vec<Field>>> {
        let count = i16::from_be_bytes(read_array(&mut self.reader)?);
        if count == -1 {
            let is_end = self.reader.read(&mut [0])? == 0;
            return if is_end { Ok(None) } else { Err(damaged("something follows the last row")) };
        }
        if usize::try_from(count) != Ok(columns) {
            return Err(damaged("a row has another number of fields"));
        }
        (0..columns).map(|_| self.field()).collect::<io::Result<_>>().map(Some)
    }

    fn field(&mut self) -> io::Result<Field> {
        let length = i32::from_be_bytes(read_array(&mut self.reader)?);
        if length == -1 {
            return Ok(None);
        }
        let length = u64::try_from(length).ok().filter(|length| *length <= MAX_FIELD);
        let length = length.ok_or_else(|| damaged("a field has an impossible length"))?;
        let mut bytes = Vec::new();
        // What is not there is not allocated.
        let read = self.reader.by_ref().take(length).read_to_end(&mut bytes)?;
        if u64::try_from(read) == Ok(length) { Ok(Some(bytes)) } else { Err(ErrorKind::UnexpectedEof.into()) }
    }
}

fn read_array<const N: usize>(reader: &mut impl Read) -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    reader.read_exact(&mut bytes)?;
    Ok(bytes)
}

fn damaged(reason: &'static str) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, reason)
}

/// A whole number of a field.
pub(super) fn integer(field: &[u8]) -> Option<i64> {
    match field.len() {
        2 => Some(i16::from_be_bytes(*field.first_chunk()?).into()),
        4 => Some(i32::from_be_bytes(*field.first_chunk()?).into()),
        8 => Some(i64::from_be_bytes(*field.first_chunk()?)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two rows of a number and a text, the second one null.
    fn two() -> Vec<u8> {
        let head = [&SIGNATURE[..], &[0; 8]].concat();
        let one = [&[0, 2, 0, 0, 0, 8][..], &7_i64.to_be_bytes(), &[0, 0, 0, 3], b"abc"].concat();
        let other = [&[0, 2, 0, 0, 0, 2][..], &(-7_i16).to_be_bytes(), &[255; 4]].concat();
        [head, one, other, vec![255, 255]].concat()
    }

    type Pair = (Option<i64>, Field);

    fn read(bytes: &[u8]) -> io::Result<Vec<Pair>> {
        let mut rows = Rows::begin(bytes)?;
        let mut read = Vec::new();
        while let Some(row) = rows.read_row(2)? {
            let [number, text] = <[Field; 2]>::try_from(row).unwrap();
            read.push((number.as_deref().and_then(integer), text));
        }
        Ok(read)
    }

    #[test]
    fn rows_are_read_as_they_were_written() {
        let rows = read(&two()).unwrap();
        assert_eq!(rows, [(Some(7), Some(b"abc".to_vec())), (Some(-7), None)]);
        assert_eq!((integer(&7_i32.to_be_bytes()), integer(b"123")), (Some(7), None));
    }

    #[test]
    fn what_is_cut_or_goes_on_is_refused() {
        let whole = two();
        for length in 0..whole.len() {
            assert!(read(&whole[..length]).is_err(), "{length}");
        }
        assert!(read(&[&whole[..], &[0]].concat()).is_err());
        // A length that no field has, and another number of fields.
        let at = SIGNATURE.len() + 8;
        for (place, byte) in [(at + 2, 0x7f), (at + 2, 0x80), (at + 1, 3), (0, b'p'), (12, 1)] {
            let mut changed = whole.clone();
            changed[place] = byte;
            assert!(read(&changed).is_err(), "{place}");
        }
    }
}
