//! Cutting a certificate apart without encoding it again.
//!
//! RFC 6962 compares the `TBSCertificate` of precertificate and certificate byte by byte. Decoding and encoding could
//! change bytes an issuer wrote differently, so these functions only ever move whole encodings.

use crate::Rejection;
use const_oid::ObjectIdentifier;
use der::asn1::AnyRef;
use der::{Decode as _, Encode as _, Reader as _, SliceReader, Tag, TagNumber, Tagged as _};

/// `[3] EXPLICIT Extensions` of a `TBSCertificate`.
const EXTENSIONS: Tag = Tag::ContextSpecific { constructed: true, number: TagNumber(3) };

/// The encodings that stand one after the other in `contents`.
fn parts(contents: &[u8]) -> der::Result<Vec<&[u8]>> {
    let mut reader = SliceReader::new(contents)?;
    let mut parts = Vec::new();
    while !reader.is_finished() {
        parts.push(reader.tlv_bytes()?);
    }
    Ok(parts)
}

/// The contents of one constructed encoding with this tag.
fn contents(encoding: &[u8], tag: Tag) -> der::Result<&[u8]> {
    let any = AnyRef::from_der(encoding)?;
    if any.tag() == tag { Ok(any.value()) } else { Err(tag.value_error().into()) }
}

/// The first part of a signed structure (certificate or request): what its signature covers.
pub(super) fn signed_part(der: &[u8]) -> Result<&[u8], Rejection> {
    contents(der, Tag::Sequence)
        .and_then(parts)
        .ok()
        .and_then(|parts| parts.first().copied())
        .ok_or(Rejection::CertificateMalformed)
}

/// `tbs` without the extension `oid`; everything else keeps its bytes and order.
pub(super) fn without_extension(tbs: &[u8], oid: ObjectIdentifier) -> Result<Vec<u8>, Rejection> {
    cut(tbs, oid).map_err(|_| Rejection::CertificateMalformed)
}

fn cut(tbs: &[u8], oid: ObjectIdentifier) -> der::Result<Vec<u8>> {
    let mut fields = Vec::new();
    for field in parts(contents(tbs, Tag::Sequence)?)? {
        if AnyRef::from_der(field)?.tag() != EXTENSIONS {
            fields.extend_from_slice(field);
            continue;
        }
        let mut kept = Vec::new();
        for extension in parts(contents(contents(field, EXTENSIONS)?, Tag::Sequence)?)? {
            let id = parts(contents(extension, Tag::Sequence)?)?
                .first()
                .map(|id| ObjectIdentifier::from_der(id))
                .transpose()?;
            if id != Some(oid) {
                kept.extend_from_slice(extension);
            }
        }
        // RFC 5280: the list is never empty, so that with its last extension the field goes too.
        if !kept.is_empty() {
            let list = AnyRef::new(Tag::Sequence, &kept)?.to_der()?;
            fields.extend_from_slice(&AnyRef::new(EXTENSIONS, &list)?.to_der()?);
        }
    }
    AnyRef::new(Tag::Sequence, &fields)?.to_der()
}
