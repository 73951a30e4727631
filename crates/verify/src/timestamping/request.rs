//! `TimeStampReq`.

use super::asn1::{
    BOOLEAN, Fields, INTEGER, Malformed, OBJECT_IDENTIFIER, SEQUENCE, constructed, identifier, integer, write,
};
use super::imprint::{Imprint, Unchecked};
use crate::Rejection;

/// Bytes of a request. One with every field has less than 250, unless its policy or nonce is there to be large.
pub const MAX_REQUEST_BYTES: usize = 4096;
/// Bytes of a nonce. Clients draw 8; it is sent back and signed, so somebody else's data must not fit into it.
pub const MAX_NONCE_BYTES: usize = 64;

/// What a client asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Request<'a> {
    /// What is to be timestamped.
    pub imprint: Imprint<'a>,
    /// Contents of the identifier of the policy that is asked for.
    pub policy: Option<&'a [u8]>,
    /// Contents of the INTEGER that the answer must repeat; 1 to [`MAX_NONCE_BYTES`] bytes, two's complement, shortest form.
    pub nonce: Option<&'a [u8]>,
    /// Whether the answer is to carry the authority's certificate.
    pub certificates: bool,
}

impl<'a> Request<'a> {
    /// Reads a `TimeStampReq` of version 1. No extension is known here, so none is accepted, critical or not.
    ///
    /// # Errors
    /// [`Rejection::TimestampRequest`], [`Rejection::TimestampHashWeak`], [`Rejection::TimestampHash`],
    /// [`Rejection::DigestLength`] or [`Rejection::TimestampExtension`].
    pub fn from_der(der: &'a [u8]) -> Result<Self, Rejection> {
        if der.len() > MAX_REQUEST_BYTES {
            return Err(Rejection::TimestampRequest);
        }
        let WellFormed { imprint, policy, nonce, certificates, extended } =
            WellFormed::read(der).map_err(|Malformed| Rejection::TimestampRequest)?;
        let imprint = imprint.check()?;
        if extended { Err(Rejection::TimestampExtension) } else { Ok(Self { imprint, policy, nonce, certificates }) }
    }

    /// The request in DER.
    #[must_use]
    pub fn to_der(&self) -> Vec<u8> {
        let imprint = self.imprint.to_der();
        let policy = self.policy.map(|policy| write(OBJECT_IDENTIFIER, &[policy])).unwrap_or_default();
        let nonce = self.nonce.map(|nonce| write(INTEGER, &[nonce])).unwrap_or_default();
        let certificates: &[u8] = if self.certificates { &[BOOLEAN, 1, 0xff] } else { &[] };
        write(SEQUENCE, &[&[INTEGER, 1, 1], &imprint, &policy, &nonce, certificates])
    }
}

/// A request that is well-formed, and not yet one that is accepted.
struct WellFormed<'a> {
    imprint: Unchecked<'a>,
    policy: Option<&'a [u8]>,
    nonce: Option<&'a [u8]>,
    certificates: bool,
    extended: bool,
}

impl<'a> WellFormed<'a> {
    fn read(der: &'a [u8]) -> Result<Self, Malformed> {
        let mut outer = Fields::of(der);
        let mut fields = outer.take(SEQUENCE)?.fields();
        outer.end()?;
        if fields.number()? != 1 {
            return Err(Malformed);
        }
        let imprint = Unchecked::read(fields.take(SEQUENCE)?)?;
        let policy = fields.optional(OBJECT_IDENTIFIER)?.map(|policy| identifier(policy.contents)).transpose()?;
        let nonce = fields.optional(INTEGER)?.map(|nonce| integer(nonce.contents)).transpose()?;
        if nonce.is_some_and(|nonce| nonce.len() > MAX_NONCE_BYTES) {
            return Err(Malformed);
        }
        let certificates = fields.flag()?;
        let extended = fields.optional(constructed(0))?.is_some();
        fields.end()?;
        Ok(Self { imprint, policy, nonce, certificates, extended })
    }
}
