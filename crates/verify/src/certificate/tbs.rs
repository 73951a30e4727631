//! Takes certificates apart and puts them together without encoding their parts again.
//!
//! RFC 6962 compares the `TBSCertificate` of precertificate and certificate byte by byte. An issuer may have encoded a
//! value differently, so decoding and encoding again could change bytes. These functions only move whole encodings.

use crate::Rejection;
use crate::extension::POISON;
use const_oid::ObjectIdentifier;
use const_oid::db::rfc5280::ID_CE_AUTHORITY_KEY_IDENTIFIER;
use der::asn1::AnyRef;
use der::{Decode as _, Encode as _, Reader as _, SliceReader, Tag, TagNumber, Tagged as _};

/// `[0] EXPLICIT Version` of a `TBSCertificate`.
pub(super) const VERSION: Tag = Tag::ContextSpecific { constructed: true, number: TagNumber(0) };
/// `[3] EXPLICIT Extensions` of a `TBSCertificate`.
pub(super) const EXTENSIONS: Tag = Tag::ContextSpecific { constructed: true, number: TagNumber(3) };
/// Position of the issuer's name among the fields: after version, serial number and signature algorithm.
const ISSUER: usize = 3;

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

/// Returns `tbs` of a precertificate without its poison.
///
/// # Errors
/// [`Rejection::SctPoison`] if there is no poison, [`Rejection::CertificateMalformed`] if the certificate cannot be
/// split.
pub(super) fn without_poison(tbs: &[u8]) -> Result<Vec<u8>, Rejection> {
    let without = without_extension(tbs, POISON)?;
    if without.len() < tbs.len() { Ok(without) } else { Err(Rejection::SctPoison) }
}

/// The parts of a certificate that say who issued it, in DER.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct IssuerParts {
    name: Vec<u8>,
    /// The contents of the extension, in their OCTET STRING.
    authority_key_identifier: Option<Vec<u8>>,
}

impl IssuerParts {
    /// Those of the certificate with this `TBSCertificate`.
    pub(super) fn of(tbs: &[u8]) -> Result<Self, Rejection> {
        let parts = Divided::new(tbs).and_then(|mut tbs| {
            let at = tbs.position(ID_CE_AUTHORITY_KEY_IDENTIFIER)?;
            let divided = at.map(|at| divide_extension(tbs.extensions[at])).transpose()?;
            let authority_key_identifier = divided.map(|(_, value)| value.to_vec());
            Ok(Self { name: tbs.issuer_mut()?.to_vec(), authority_key_identifier })
        });
        parts.map_err(|_| Rejection::CertificateMalformed)
    }

    /// Returns `tbs` with these parts in place of its own. Its authority key identifier is replaced where it is, or
    /// removed if there is none here. If it has none, the one here becomes the last extension.
    pub(super) fn put_into(&self, tbs: &[u8]) -> Result<Vec<u8>, Rejection> {
        self.put_into_der(tbs).map_err(|_| Rejection::CertificateMalformed)
    }

    fn put_into_der(&self, tbs: &[u8]) -> der::Result<Vec<u8>> {
        let replacement;
        let mut tbs = Divided::new(tbs)?;
        *tbs.issuer_mut()? = &self.name;
        match (tbs.position(ID_CE_AUTHORITY_KEY_IDENTIFIER)?, &self.authority_key_identifier) {
            (Some(at), Some(value)) => {
                let (before, _) = divide_extension(tbs.extensions[at])?;
                replacement = extension(&before, value)?;
                tbs.extensions[at] = &replacement;
            }
            (Some(at), None) => {
                tbs.extensions.remove(at);
            }
            (None, Some(value)) => {
                replacement = extension(&ID_CE_AUTHORITY_KEY_IDENTIFIER.to_der()?, value)?;
                tbs.extensions.push(&replacement);
            }
            (None, None) => {}
        }
        tbs.whole()
    }
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

/// Divides an extension into what is before its value (identifier, and criticality if it is there) and its value.
fn divide_extension(extension: &[u8]) -> der::Result<(Vec<u8>, &[u8])> {
    let contents = contents(extension, Tag::Sequence)?;
    let parts = parts(contents)?;
    let (value, before) = parts.split_last().ok_or_else(|| Tag::OctetString.value_error())?;
    Ok((before.concat(), *value))
}

/// Inverse of [`divide_extension`].
fn extension(before: &[u8], value: &[u8]) -> der::Result<Vec<u8>> {
    AnyRef::new(Tag::Sequence, &[before, value].concat())?.to_der()
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

    /// The issuer's name. Only a certificate that states its version has it at its place, and every one with extensions does.
    fn issuer_mut(&mut self) -> der::Result<&mut &'a [u8]> {
        let states_version = match self.fields.first() {
            Some(field) => AnyRef::from_der(field)?.tag() == VERSION,
            None => false,
        };
        self.fields.get_mut(ISSUER).filter(|_| states_version).ok_or_else(|| VERSION.value_error().into())
    }

    /// The position of the extension `oid`.
    fn position(&self, oid: ObjectIdentifier) -> der::Result<Option<usize>> {
        for (at, extension) in self.extensions.iter().enumerate() {
            if extension_id(extension)? == oid {
                return Ok(Some(at));
            }
        }
        Ok(None)
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
