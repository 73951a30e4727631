//! Certificates of which only the key counts: those that people log signatures with.
//!
//! Rekor takes the key out of a certificate and believes nothing else in it, so it takes any certificate that Go's
//! `crypto/x509` reads: of version 1, with a serial number of any length but not a negative one, with names in old types of
//! string, signed with an algorithm that nobody trusts any more. An entry is read again by Go's clients, so what Go refuses is
//! refused here. `tests/golden/go-certificates` has Go's verdicts. Some contents of extensions that Go parses are not parsed
//! here: URIs, policies and name constraints. [`Certificate`](super::Certificate) is for certificates that are to be believed.

mod chain;
mod extensions;
mod names;
mod signature;
mod validity;

use super::{MAX_CERTIFICATE_BYTES, TOO_LARGE, TWO_ALGORITHMS, tbs};
use crate::{PublicKey, Rejection};
use der::asn1::BitStringRef;
use der::{Decode as _, Tag, TagNumber};
use extensions::Extensions;
use std::iter::Peekable;
use std::vec;
use validity::Validity;

/// A certificate about which nothing is verified.
pub(crate) struct Foreign {
    /// The `TBSCertificate`, which the issuer signed.
    signed: Vec<u8>,
    /// `AlgorithmIdentifier` of the signature, in DER.
    algorithm: Vec<u8>,
    signature: Vec<u8>,
    version: u8,
    /// Names in DER. Go compares them byte by byte, too.
    issuer: Vec<u8>,
    subject: Vec<u8>,
    validity: Validity,
    /// `SubjectPublicKeyInfo` in DER.
    spki: Vec<u8>,
    /// The key, or why an entry may not be signed with it. The key of an issuer need only verify certificates.
    public_key: Result<PublicKey, Rejection>,
    extensions: Extensions,
}

impl Foreign {
    /// Parses exactly one certificate.
    ///
    /// # Errors
    /// [`Rejection::CertificateMalformed`], [`Rejection::CertificateForm`] for a certificate that is DER and that Go refuses,
    /// or [`Rejection::KeyMalformed`].
    pub(crate) fn from_der(der: &[u8]) -> Result<Self, Rejection> {
        if der.len() > MAX_CERTIFICATE_BYTES {
            return Err(TOO_LARGE);
        }
        let [signed, algorithm, signature, ..] = parts(der, Tag::Sequence)?[..] else {
            return Err(Rejection::CertificateMalformed);
        };
        let signature = BitStringRef::from_der(signature).ok().and_then(|bits| bits.as_bytes());
        let signature = signature.ok_or(Rejection::CertificateMalformed)?.to_vec();
        let mut fields = Fields::of(signed)?;
        let version = fields.version()?;
        verify_serial_number(fields.take(Tag::Integer)?)?;
        if fields.take(Tag::Sequence)? != algorithm {
            return Err(TWO_ALGORITHMS);
        }
        let issuer = fields.take(Tag::Sequence)?;
        names::verify(issuer)?;
        let validity = Validity::parse(fields.take(Tag::Sequence)?)?;
        let subject = fields.take(Tag::Sequence)?;
        names::verify(subject)?;
        let spki = fields.take(Tag::Sequence)?;
        let public_key = match PublicKey::from_spki_der(spki) {
            Err(Rejection::KeyMalformed) => return Err(Rejection::KeyMalformed),
            key => key,
        };
        // Go does not look at what is behind the key in a certificate of an older version.
        let extensions = if version == 3 { Extensions::parse(fields.extensions())? } else { Extensions::default() };
        Ok(Self {
            signed: signed.to_vec(),
            algorithm: algorithm.to_vec(),
            signature,
            version,
            issuer: issuer.to_vec(),
            subject: subject.to_vec(),
            validity,
            spki: spki.to_vec(),
            public_key,
            extensions,
        })
    }

    /// The subject's key.
    ///
    /// # Errors
    /// Those of [`PublicKey::from_spki_der`].
    pub(crate) fn into_public_key(self) -> Result<PublicKey, Rejection> {
        self.public_key
    }
}

/// Divides one constructed encoding with this tag.
fn parts(encoding: &[u8], tag: Tag) -> Result<Vec<&[u8]>, Rejection> {
    tbs::contents(encoding, tag).and_then(tbs::parts).map_err(|_| Rejection::CertificateMalformed)
}

/// Tag of an optional field of a `TBSCertificate`.
const fn optional(number: u32, constructed: bool) -> Tag {
    Tag::ContextSpecific { constructed, number: TagNumber(number) }
}

/// The fields of a `TBSCertificate`, to be taken in order. What is behind the last known one is not looked at.
struct Fields<'a>(Peekable<vec::IntoIter<&'a [u8]>>);

impl<'a> Fields<'a> {
    fn of(tbs: &'a [u8]) -> Result<Self, Rejection> {
        Ok(Self(parts(tbs, Tag::Sequence)?.into_iter().peekable()))
    }

    fn take(&mut self, tag: Tag) -> Result<&'a [u8], Rejection> {
        self.take_optional(tag).ok_or(Rejection::CertificateMalformed)
    }

    fn take_optional(&mut self, tag: Tag) -> Option<&'a [u8]> {
        self.0.next_if(|field| tbs::contents(field, tag).is_ok())
    }

    /// From 1 to 3.
    fn version(&mut self) -> Result<u8, Rejection> {
        let tag = optional(0, true);
        let Some(field) = self.take_optional(tag) else { return Ok(1) };
        let number = tbs::contents(field, tag).and_then(|field| tbs::contents(field, Tag::Integer));
        match number.map_err(|_| Rejection::CertificateMalformed)? {
            [number @ 0..=2] => Ok(number + 1),
            _ => Err(Rejection::CertificateForm { fault: "its version is not known" }),
        }
    }

    /// The list of extensions, behind two unique identifiers that nobody uses.
    fn extensions(&mut self) -> Option<&'a [u8]> {
        self.take_optional(optional(1, false));
        self.take_optional(optional(2, false));
        self.take_optional(tbs::EXTENSIONS)
    }
}

/// Serial numbers may be of any length, and zero. Go refuses negative ones since version 1.23.
fn verify_serial_number(field: &[u8]) -> Result<(), Rejection> {
    match tbs::contents(field, Tag::Integer).map_err(|_| Rejection::CertificateMalformed)? {
        [] | [0, 0..=0x7f, ..] | [0xff, 0x80..=0xff, ..] => Err(Rejection::CertificateMalformed),
        [0x80..=0xff, ..] => Err(Rejection::CertificateForm { fault: "its serial number is negative" }),
        _ => Ok(()),
    }
}
