//! Reads and writes TLS presentation language (RFC 5246 §4): big-endian numbers, opaque vectors with their length.

use crate::Rejection;

/// The largest `opaque<0..2^24-1>`.
const MAX_U24: usize = 0xff_ffff;

/// Reads from the front of a slice. Missing bytes are [`Rejection::SctMalformed`].
pub(super) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(super) const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// Refuses trailing bytes.
    pub(super) const fn end(&self) -> Result<(), Rejection> {
        if self.rest.is_empty() { Ok(()) } else { Err(Rejection::SctMalformed) }
    }

    pub(super) fn bytes(&mut self, length: usize) -> Result<&'a [u8], Rejection> {
        let (taken, rest) = self.rest.split_at_checked(length).ok_or(Rejection::SctMalformed)?;
        self.rest = rest;
        Ok(taken)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], Rejection> {
        let (taken, rest) = self.rest.split_first_chunk().ok_or(Rejection::SctMalformed)?;
        self.rest = rest;
        Ok(*taken)
    }

    pub(super) fn u8(&mut self) -> Result<u8, Rejection> {
        self.array().map(u8::from_be_bytes)
    }

    pub(super) fn u16(&mut self) -> Result<u16, Rejection> {
        self.array().map(u16::from_be_bytes)
    }

    pub(super) fn u64(&mut self) -> Result<u64, Rejection> {
        self.array().map(u64::from_be_bytes)
    }

    /// `opaque<0..2^16-1>`.
    pub(super) fn opaque16(&mut self) -> Result<&'a [u8], Rejection> {
        let length = self.u16()?;
        self.bytes(usize::from(length))
    }

    /// `opaque<0..2^24-1>`.
    pub(super) fn opaque24(&mut self) -> Result<&'a [u8], Rejection> {
        let [a, b, c] = self.array()?;
        let length = u32::from_be_bytes([0, a, b, c]);
        self.bytes(usize::try_from(length).map_err(|_| Rejection::SctMalformed)?)
    }
}

/// Appends to a buffer. A vector that is too long for its length field is [`Rejection::SctMalformed`].
#[derive(Default)]
pub(super) struct Writer {
    out: Vec<u8>,
}

impl Writer {
    pub(super) fn finish(self) -> Vec<u8> {
        self.out
    }

    pub(super) fn bytes(&mut self, bytes: &[u8]) {
        self.out.extend_from_slice(bytes);
    }

    pub(super) fn u8(&mut self, value: u8) {
        self.out.push(value);
    }

    pub(super) fn u16(&mut self, value: u16) {
        self.bytes(&value.to_be_bytes());
    }

    pub(super) fn u64(&mut self, value: u64) {
        self.bytes(&value.to_be_bytes());
    }

    pub(super) fn opaque16(&mut self, bytes: &[u8]) -> Result<(), Rejection> {
        self.u16(u16::try_from(bytes.len()).map_err(|_| Rejection::SctMalformed)?);
        self.bytes(bytes);
        Ok(())
    }

    pub(super) fn opaque24(&mut self, bytes: &[u8]) -> Result<(), Rejection> {
        let length = u32::try_from(bytes.len()).map_err(|_| Rejection::SctMalformed)?;
        if bytes.len() > MAX_U24 {
            return Err(Rejection::SctMalformed);
        }
        let [_, a, b, c] = length.to_be_bytes();
        self.bytes(&[a, b, c]);
        self.bytes(bytes);
        Ok(())
    }
}
