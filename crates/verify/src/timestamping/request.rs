//! `TimeStampReq`: a request for a timestamp.

use super::asn1::{
    BOOLEAN, Fields, INTEGER, Malformed, OBJECT_IDENTIFIER, SEQUENCE, constructed, identifier, integer, write,
};
use super::extensions::Extensions;
use super::imprint::{Imprint, Unchecked};
use crate::Rejection;

/// Maximum bytes of a request. A usual request with all fields has less than 250.
pub const MAX_REQUEST_BYTES: usize = 4096;
/// Maximum bytes of a nonce. Clients use 8. The authority signs the nonce, so it must not be large enough for other
/// data.
pub const MAX_NONCE_BYTES: usize = 64;

/// A client's request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Request<'a> {
    /// Hash of the data to timestamp.
    pub imprint: Imprint<'a>,
    /// Contents of the requested policy's identifier.
    pub policy: Option<&'a [u8]>,
    /// Contents of the nonce, an INTEGER that the answer must repeat: 1 to [`MAX_NONCE_BYTES`] bytes, two's complement,
    /// shortest form.
    pub nonce: Option<&'a [u8]>,
    /// Whether the answer must contain the authority's certificate.
    pub certificates: bool,
    /// Extensions in DER, one after the other. None is critical. An authority refuses them or copies them into the
    /// timestamp.
    pub extensions: Option<&'a [u8]>,
}

impl<'a> Request<'a> {
    /// Parses a `TimeStampReq` of version 1. No extension is supported, so a request with a critical one is refused.
    ///
    /// # Errors
    /// [`Rejection::TimestampRequest`], [`Rejection::TimestampHashWeak`], [`Rejection::TimestampHash`],
    /// [`Rejection::DigestLength`] or [`Rejection::TimestampExtension`].
    pub fn from_der(der: &'a [u8]) -> Result<Self, Rejection> {
        if der.len() > MAX_REQUEST_BYTES {
            return Err(Rejection::TimestampRequest);
        }
        let WellFormed { imprint, policy, nonce, certificates, extensions } =
            WellFormed::read(der).map_err(|Malformed| Rejection::TimestampRequest)?;
        let imprint = imprint.check()?;
        if extensions.is_some_and(|extensions| extensions.has_critical) {
            return Err(Rejection::TimestampExtension);
        }
        let extensions = extensions.map(|extensions| extensions.contents);
        Ok(Self { imprint, policy, nonce, certificates, extensions })
    }

    /// The request in DER.
    #[must_use]
    pub fn to_der(&self) -> Vec<u8> {
        let imprint = self.imprint.to_der();
        let policy = self.policy.map(|policy| write(OBJECT_IDENTIFIER, &[policy])).unwrap_or_default();
        let nonce = self.nonce.map(|nonce| write(INTEGER, &[nonce])).unwrap_or_default();
        let certificates: &[u8] = if self.certificates { &[BOOLEAN, 1, 0xff] } else { &[] };
        let extensions = self.extensions.map(|extensions| write(constructed(0), &[extensions])).unwrap_or_default();
        write(SEQUENCE, &[&[INTEGER, 1, 1], &imprint, &policy, &nonce, certificates, &extensions])
    }
}

/// A well-formed request whose contents are not checked yet.
struct WellFormed<'a> {
    imprint: Unchecked<'a>,
    policy: Option<&'a [u8]>,
    nonce: Option<&'a [u8]>,
    certificates: bool,
    extensions: Option<Extensions<'a>>,
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
        let extensions = fields.optional(constructed(0))?.map(Extensions::read).transpose()?;
        if extensions.is_some_and(|extensions| extensions.contents.is_empty()) {
            return Err(Malformed);
        }
        fields.end()?;
        Ok(Self { imprint, policy, nonce, certificates, extensions })
    }
}
