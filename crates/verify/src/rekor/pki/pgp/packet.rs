//! `OpenPGP`'s packets (RFC 4880 §4) and the numbers in them (§3.2).

use super::Fault;

/// Tag of a signature.
pub(super) const SIGNATURE: u8 = 2;
/// Tag of a primary key.
pub(super) const PUBLIC_KEY: u8 = 6;
/// Tag of a user ID.
pub(super) const USER_ID: u8 = 13;
/// Tag of a subkey.
pub(super) const PUBLIC_SUBKEY: u8 = 14;
/// Tags of packets that a key ring or a list of signatures may have and that say nothing of its contents: marker, trust, user
/// attribute, padding, and those that RFC 9580 §4.3 calls not critical.
const IGNORED: [std::ops::RangeInclusive<u8>; 5] = [10..=10, 12..=12, 17..=17, 21..=21, 40..=63];

/// One packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Packet {
    pub(super) tag: u8,
    pub(super) body: Vec<u8>,
}

/// Takes the next packet that counts. `None` at the end.
pub(super) fn next(input: &mut Bytes<'_>) -> Result<Option<Packet>, Fault> {
    while !input.is_empty() {
        let packet = any(input)?;
        if !IGNORED.iter().any(|tags| tags.contains(&packet.tag)) {
            return Ok(Some(packet));
        }
    }
    Ok(None)
}

fn any(input: &mut Bytes<'_>) -> Result<Packet, Fault> {
    let first = input.byte()?;
    match first >> 6 {
        // The older form: the length of the length is in the tag. A length that is not given is refused.
        0b10 if first & 3 != 3 => {
            let length = input.take(1 << (first & 3))?.iter().fold(0, |length, byte| length << 8 | usize::from(*byte));
            Ok(Packet { tag: first >> 2 & 0x0f, body: input.take(length)?.to_vec() })
        }
        0b11 => {
            let mut body = Vec::new();
            loop {
                let (length, is_partial) = length(input)?;
                body.extend_from_slice(input.take(length)?);
                if !is_partial {
                    return Ok(Packet { tag: first & 0x3f, body });
                }
            }
        }
        _ => Err(Fault::Malformed),
    }
}

/// Reads a length of the newer form, and whether more parts of the body follow.
fn length(input: &mut Bytes<'_>) -> Result<(usize, bool), Fault> {
    Ok(match input.byte()? {
        short @ 0..192 => (short.into(), false),
        high @ 192..224 => (((usize::from(high) - 192) << 8) + usize::from(input.byte()?) + 192, false),
        power @ 224..255 => (1 << (power & 0x1f), true),
        255 => (input.number()?, false),
    })
}

/// Writes a packet in the newer form.
pub(super) fn write(out: &mut Vec<u8>, tag: u8, body: &[u8]) {
    out.push(0xc0 | tag);
    out.extend(written_length(body.len(), 8384));
    out.extend_from_slice(body);
}

/// A length of the newer form. The two-byte form is below `limit`, which is lower for packets than for subpackets.
pub(super) fn written_length(length: usize, limit: usize) -> Vec<u8> {
    let [.., a, b, c, d] = length.to_be_bytes();
    if length < 192 {
        vec![d]
    } else if length < limit {
        let [.., high, low] = (length - 192).to_be_bytes();
        vec![192 + high, low]
    } else {
        vec![255, a, b, c, d]
    }
}

/// Bytes that are read from the front.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bytes<'a>(pub(super) &'a [u8]);

impl<'a> Bytes<'a> {
    pub(super) const fn is_empty(self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn take(&mut self, count: usize) -> Result<&'a [u8], Fault> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or(Fault::Malformed)?;
        self.0 = rest;
        Ok(taken)
    }

    pub(super) fn byte(&mut self) -> Result<u8, Fault> {
        Ok(self.take(1)?.first().copied().unwrap_or_default())
    }

    /// Two bytes, big endian.
    pub(super) fn short(&mut self) -> Result<usize, Fault> {
        Ok(usize::from(self.byte()?) << 8 | usize::from(self.byte()?))
    }

    /// Four bytes, big endian.
    pub(super) fn number(&mut self) -> Result<usize, Fault> {
        Ok(self.short()? << 16 | self.short()?)
    }

    /// Four bytes: seconds.
    pub(super) fn seconds(&mut self) -> Result<u64, Fault> {
        Ok(self.take(4)?.iter().fold(0, |seconds, byte| seconds << 8 | u64::from(*byte)))
    }

    /// A number of any size, big endian. Its length in bits is before it.
    pub(super) fn integer(&mut self) -> Result<&'a [u8], Fault> {
        let bits = self.short()?;
        self.take(bits.div_ceil(8))
    }

    /// Bytes after one that says how many they are.
    pub(super) fn counted(&mut self) -> Result<&'a [u8], Fault> {
        let count = self.byte()?;
        self.take(count.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        for length in [0, 1, 191, 192, 8383, 8384, 70_000] {
            let packet = Packet { tag: USER_ID, body: vec![7; length] };
            let mut written = Vec::new();
            write(&mut written, packet.tag, &packet.body);
            write(&mut written, 12, b"trust");
            let mut input = Bytes(&written);
            assert_eq!(next(&mut input), Ok(Some(packet)));
            assert_eq!(next(&mut input), Ok(None));
        }
    }

    #[test]
    fn every_form_of_a_length_is_read_but_the_endless_one() {
        let read = |bytes: &[u8]| next(&mut Bytes(bytes));
        let packet = |length| Ok(Some(Packet { tag: SIGNATURE, body: vec![1; length] }));
        assert_eq!(read(&[0x88, 2, 1, 1]), packet(2));
        assert_eq!(read(&[0x89, 0, 2, 1, 1]), packet(2));
        assert_eq!(read(&[0x8a, 0, 0, 0, 2, 1, 1]), packet(2));
        assert_eq!(read(&[0xc2, 0xe1, 1, 1, 1, 1]), packet(3), "a part of two bytes, then one of one");
        for bad in [&[0x8b, 1, 1][..], &[0x88], &[0x88, 3, 1, 1], &[0xc2, 0xfe, 1], &[0x02, 1, 1], &[0xc2, 0xff, 0, 0]]
        {
            assert_eq!(read(bad), Err(Fault::Malformed), "{bad:?}");
        }
    }
}
