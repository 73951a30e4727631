//! DER, element by element, without copying.
//!
//! Lengths are minimal and definite. Integers and identifiers have one spelling. Only tags of one byte are supported,
//! and elements below 16 MiB. [`der`]'s readers are not used for speed: an authority parses each token that it makes,
//! and a token has forty elements.

/// `BOOLEAN`.
pub const BOOLEAN: u8 = 0x01;
/// `INTEGER`.
pub const INTEGER: u8 = 0x02;
/// `OCTET STRING`.
pub const OCTET_STRING: u8 = 0x04;
/// `NULL`.
pub const NULL: u8 = 0x05;
/// `OBJECT IDENTIFIER`.
pub const OBJECT_IDENTIFIER: u8 = 0x06;
/// `UTCTime`.
pub const UTC_TIME: u8 = 0x17;
/// `GeneralizedTime`.
pub const GENERALIZED_TIME: u8 = 0x18;
/// `SEQUENCE`.
pub const SEQUENCE: u8 = 0x30;
/// `SET`.
pub const SET: u8 = 0x31;

/// `[number]`, constructed: explicit, or implicit around a constructed type. Numbers below 31.
#[must_use]
pub const fn constructed(number: u8) -> u8 {
    0xa0 | number
}

/// Writes one element with this tag and `parts` as contents, into a buffer of the exact size.
#[must_use]
pub fn write(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let length: usize = parts.iter().map(|part| part.len()).sum();
    let bytes = length.to_be_bytes();
    let significant = bytes.iter().skip_while(|byte| **byte == 0).count();
    let mut out = Vec::with_capacity(2 + significant + length);
    out.push(tag);
    match u8::try_from(length) {
        Ok(short) if short < 0x80 => out.push(short),
        _ => {
            // At most eight bytes of length.
            out.push(0x80 | u8::try_from(significant).unwrap_or_default());
            out.extend(bytes.iter().skip(bytes.len() - significant));
        }
    }
    for part in parts {
        out.extend_from_slice(part);
    }
    out
}

/// Not DER, or not the expected element. The caller knows what it was parsing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Malformed;

/// One element.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Element<'a> {
    /// The whole element, with tag and length.
    pub(crate) whole: &'a [u8],
    pub(crate) contents: &'a [u8],
}

impl<'a> Element<'a> {
    /// The elements inside.
    pub(crate) const fn fields(self) -> Fields<'a> {
        Fields(self.contents)
    }

    /// The one element inside.
    pub(crate) fn only(self, tag: u8) -> Result<Element<'a>, Malformed> {
        let mut fields = self.fields();
        let element = fields.take(tag)?;
        fields.end()?;
        Ok(element)
    }
}

/// Consecutive elements.
pub(crate) struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    pub(crate) const fn of(contents: &'a [u8]) -> Self {
        Self(contents)
    }

    /// Takes the next element. It must exist and have this tag.
    pub(crate) fn take(&mut self, tag: u8) -> Result<Element<'a>, Malformed> {
        self.optional(tag)?.ok_or(Malformed)
    }

    /// Takes the next element if it has this tag.
    pub(crate) fn optional(&mut self, tag: u8) -> Result<Option<Element<'a>>, Malformed> {
        let after_tag = match self.0.split_first() {
            Some((first, rest)) if *first == tag => rest,
            _ => return Ok(None),
        };
        let (length, after_length) = length(after_tag)?;
        let (contents, rest) = after_length.split_at_checked(length).ok_or(Malformed)?;
        let whole = self.0.get(..self.0.len() - rest.len()).ok_or(Malformed)?;
        self.0 = rest;
        Ok(Some(Element { whole, contents }))
    }

    /// Takes the contents of the next element, an object identifier.
    pub(crate) fn identifier(&mut self) -> Result<&'a [u8], Malformed> {
        identifier(self.take(OBJECT_IDENTIFIER)?.contents)
    }

    /// Takes the contents of the next element, an integer.
    pub(crate) fn integer(&mut self) -> Result<&'a [u8], Malformed> {
        integer(self.take(INTEGER)?.contents)
    }

    /// Takes the next element, a non-negative number.
    pub(crate) fn number(&mut self) -> Result<u64, Malformed> {
        number(self.integer()?)
    }

    /// Takes a BOOLEAN with default FALSE. It must be TRUE if present, because DER omits defaults.
    pub(crate) fn flag(&mut self) -> Result<bool, Malformed> {
        match self.optional(BOOLEAN)? {
            None => Ok(false),
            Some(element) if element.contents == [0xff] => Ok(true),
            Some(_) => Err(Malformed),
        }
    }

    pub(crate) const fn is_finished(&self) -> bool {
        self.0.is_empty()
    }

    /// Refuses trailing elements.
    pub(crate) fn end(self) -> Result<(), Malformed> {
        if self.is_finished() { Ok(()) } else { Err(Malformed) }
    }
}

/// Parses the length at the start of `bytes`, in its one spelling (X.690 §10.1). Also returns the bytes after it.
const fn length(bytes: &[u8]) -> Result<(usize, &[u8]), Malformed> {
    match bytes {
        [short @ 0..=0x7f, rest @ ..] => Ok((*short as usize, rest)),
        [0x81, low @ 0x80..=0xff, rest @ ..] => Ok((*low as usize, rest)),
        [0x82, high @ 1..=0xff, low, rest @ ..] => Ok((u16::from_be_bytes([*high, *low]) as usize, rest)),
        [0x83, high @ 1..=0xff, middle, low, rest @ ..] => {
            Ok((u32::from_be_bytes([0, *high, *middle, *low]) as usize, rest))
        }
        _ => Err(Malformed),
    }
}

/// Checks that the contents of an INTEGER are the shortest for their number.
pub(crate) fn integer(contents: &[u8]) -> Result<&[u8], Malformed> {
    match contents {
        [] => Err(Malformed),
        [0x00, second, ..] if *second < 0x80 => Err(Malformed),
        [0xff, second, ..] if *second >= 0x80 => Err(Malformed),
        shortest => Ok(shortest),
    }
}

/// Parses a non-negative number of at most 64 bits.
pub(crate) fn number(contents: &[u8]) -> Result<u64, Malformed> {
    let negative = integer(contents)?.first().is_some_and(|first| *first >= 0x80);
    let bytes = contents.strip_prefix(&[0]).unwrap_or(contents);
    if negative || bytes.len() > size_of::<u64>() {
        return Err(Malformed);
    }
    Ok(bytes.iter().fold(0, |number, byte| number << 8 | u64::from(*byte)))
}

/// Checks that every arc of an OBJECT IDENTIFIER has its shortest encoding. Reads each byte once, for any number of
/// arcs.
pub(crate) fn identifier(contents: &[u8]) -> Result<&[u8], Malformed> {
    let mut begins_arc = true;
    for byte in contents {
        if begins_arc && *byte == 0x80 {
            return Err(Malformed);
        }
        begins_arc = *byte < 0x80;
    }
    if begins_arc && !contents.is_empty() { Ok(contents) } else { Err(Malformed) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use der::asn1::AnyRef;
    use der::{Decode as _, Reader as _, SliceReader};
    use proptest::prelude::*;

    #[test]
    fn lengths_are_written_as_der_has_them() {
        for (length, header) in [
            (0, &[4, 0][..]),
            (127, &[4, 127]),
            (128, &[4, 0x81, 128]),
            (255, &[4, 0x81, 255]),
            (256, &[4, 0x82, 1, 0]),
            (65536, &[4, 0x83, 1, 0, 0]),
        ] {
            let contents = vec![7; length];
            let written = write(OCTET_STRING, &[&contents]);
            assert!(written.starts_with(header), "{length}");
            assert_eq!(written.len(), header.len() + length);
            assert_eq!(Fields::of(&written).take(OCTET_STRING).unwrap().contents, contents);
        }
    }

    proptest! {
        /// The reader of the `der` crate is the oracle: both accept the same bytes as an element.
        #[test]
        fn elements_are_what_der_reads(
            length_bytes in prop::collection::vec(prop_oneof![0_u8..=5, 0x7e_u8..=0x86, any::<u8>()], 1..5),
            body in prop_oneof![0_usize..300, 65_530_usize..65_545],
        ) {
            let mut bytes = [&[OCTET_STRING], &length_bytes[..]].concat();
            bytes.resize(bytes.len() + body, 7);
            let mut oracle = SliceReader::new(&bytes).unwrap();
            let expected = oracle.tlv_bytes().ok().map(|whole| (whole, AnyRef::from_der(whole).unwrap().value()));
            let mut fields = Fields::of(&bytes);
            let read = fields.take(OCTET_STRING).ok();
            prop_assert_eq!(read.map(|element| (element.whole, element.contents)), expected);
            if read.is_some() {
                prop_assert_eq!(fields.is_finished(), oracle.is_finished());
            }
        }
    }

    #[test]
    fn integers_have_one_spelling() {
        for (contents, expected) in [
            (&[0][..], Ok(0)),
            (&[127], Ok(127)),
            (&[0, 128], Ok(128)),
            (&[0, 255, 255, 255, 255, 255, 255, 255, 255], Ok(u64::MAX)),
            (&[], Err(Malformed)),
            (&[0, 127], Err(Malformed)),
            (&[0, 0], Err(Malformed)),
            (&[0x80], Err(Malformed)),
            (&[0xff, 0x80], Err(Malformed)),
            (&[1, 0, 0, 0, 0, 0, 0, 0, 0], Err(Malformed)),
        ] {
            assert_eq!(number(contents), expected, "{contents:?}");
        }
    }

    #[test]
    fn identifiers_have_one_spelling() {
        for (contents, good) in [
            (&[0x2a][..], true),
            (&[0x2a, 0x83, 0x00], true),
            (&[], false),
            (&[0x2a, 0x80, 1], false),
            (&[0x2a, 0x83], false),
        ] {
            assert_eq!(identifier(contents).is_ok(), good, "{contents:?}");
        }
        assert!(identifier(&vec![1; 1 << 20]).is_ok(), "a million arcs are read once");
    }
}
