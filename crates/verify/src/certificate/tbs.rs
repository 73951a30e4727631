//! Takes certificates apart and puts them together without encoding their parts again.
//!
//! RFC 6962 compares the `TBSCertificate` of precertificate and certificate byte by byte. An issuer may have encoded a
//! value differently, so decoding and encoding again could change bytes. These functions only move whole encodings.

use crate::Rejection;
use crate::extension::POISON;
use const_oid::ObjectIdentifier;
use der::asn1::AnyRef;
use der::{Decode as _, Encode as _, Reader as _, SliceReader, Tag, TagNumber, Tagged as _};

/// `[3] EXPLICIT Extensions` of a `TBSCertificate`.
pub(super) const EXTENSIONS: Tag = Tag::ContextSpecific { constructed: true, number: TagNumber(3) };

/// Splits `contents` into its consecutive encodings.
pub(super) fn parts(contents: &[u8]) -> der::Result<Vec<&[u8]>> {
    let mut reader = SliceReader::new(contents)?;
    let mut parts = Vec::new();
    while !reader.is_finished() {
        parts.push(reader.tlv_bytes()?);
    }
    Ok(parts)
}

/// Returns the contents of one encoding with this tag.
pub(super) fn contents(encoding: &[u8], tag: Tag) -> der::Result<&[u8]> {
    let any = AnyRef::from_der(encoding)?;
    if any.tag() == tag { Ok(any.value()) } else { Err(tag.value_error().into()) }
}

/// Returns the first part of a signed structure (certificate or request), which its signature covers.
pub(super) fn signed_part(der: &[u8]) -> Result<&[u8], Rejection> {
    contents(der, Tag::Sequence)
        .and_then(parts)
        .ok()
        .and_then(|parts| parts.first().copied())
        .ok_or(Rejection::CertificateMalformed)
}

/// Returns `tbs` without the extension `oid`. All other parts keep their bytes and order.
pub(super) fn without_extension(tbs: &[u8], oid: ObjectIdentifier) -> Result<Vec<u8>, Rejection> {
    let without = Divided::new(tbs).and_then(|mut tbs| {
        let mut kept = Vec::with_capacity(tbs.extensions.len());
        for extension in tbs.extensions {
            if extension_id(extension)? != oid {
                kept.push(extension);
            }
        }
        tbs.extensions = kept;
        tbs.whole()
    });
    without.map_err(|_| Rejection::CertificateMalformed)
}

/// Returns the `TBSCertificate` of a precertificate in DER without its poison. Nothing else is checked. For callers
/// that verify the final certificate in full.
///
/// # Errors
/// [`Rejection::SctPoison`] if there is no poison, [`Rejection::CertificateMalformed`] if the certificate cannot be
/// split.
pub fn unverified_precertificate_tbs(precertificate: &[u8]) -> Result<Vec<u8>, Rejection> {
    let tbs = signed_part(precertificate)?;
    let without = without_extension(tbs, POISON)?;
    if without.len() < tbs.len() { Ok(without) } else { Err(Rejection::SctPoison) }
}

/// Returns `tbs` with `extension` (DER) appended to its extensions.
///
/// # Errors
/// [`Rejection::CertificateMalformed`] if `tbs` cannot be split.
#[cfg(feature = "issue")]
pub fn with_extension(tbs: &[u8], extension: &[u8]) -> Result<Vec<u8>, Rejection> {
    let with = Divided::new(tbs).and_then(|mut tbs| {
        tbs.extensions.push(extension);
        tbs.whole()
    });
    with.map_err(|_| Rejection::CertificateMalformed)
}

fn extension_id(extension: &[u8]) -> der::Result<ObjectIdentifier> {
    let mut reader = SliceReader::new(contents(extension, Tag::Sequence)?)?;
    ObjectIdentifier::decode(&mut reader)
}

/// The parts of a `TBSCertificate`.
struct Divided<'a> {
    /// All fields before the extensions. The extensions are the last field.
    fields: Vec<&'a [u8]>,
    extensions: Vec<&'a [u8]>,
}

impl<'a> Divided<'a> {
    fn new(tbs: &'a [u8]) -> der::Result<Self> {
        let (mut fields, mut extensions) = (Vec::new(), Vec::new());
        for field in parts(contents(tbs, Tag::Sequence)?)? {
            if !extensions.is_empty() {
                return Err(EXTENSIONS.value_error().into());
            }
            if AnyRef::from_der(field)?.tag() == EXTENSIONS {
                extensions = parts(contents(contents(field, EXTENSIONS)?, Tag::Sequence)?)?;
            } else {
                fields.push(field);
            }
        }
        Ok(Self { fields, extensions })
    }

    fn whole(self) -> der::Result<Vec<u8>> {
        let (mut fields, extensions) = (self.fields.concat(), self.extensions.concat());
        // RFC 5280: the list is never empty. Without its last extension, the whole field is left out.
        if !extensions.is_empty() {
            let list = AnyRef::new(Tag::Sequence, &extensions)?.to_der()?;
            fields.extend_from_slice(&AnyRef::new(EXTENSIONS, &list)?.to_der()?);
        }
        AnyRef::new(Tag::Sequence, &fields)?.to_der()
    }
}
