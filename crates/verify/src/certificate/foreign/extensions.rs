//! Extensions, as far as Go's `crypto/x509` refuses certificates for them.

use super::{optional, parts};
use crate::Rejection;
use crate::certificate::{EXTENSION_TWICE, UNREADABLE_EXTENSION as UNREADABLE, tbs};
use der::asn1::{AnyRef, BitStringRef};
use der::{Decode as _, Tag, TagNumber, Tagged as _};
use std::collections::BTreeSet;

/// Contents of object identifiers.
const SUBJECT_KEY_IDENTIFIER: &[u8] = &[0x55, 0x1d, 14];
const KEY_USAGE: &[u8] = &[0x55, 0x1d, 15];
const SUBJECT_ALTERNATIVE_NAME: &[u8] = &[0x55, 0x1d, 17];
const BASIC_CONSTRAINTS: &[u8] = &[0x55, 0x1d, 19];
const AUTHORITY_KEY_IDENTIFIER: &[u8] = &[0x55, 0x1d, 35];
const INHIBIT_ANY_POLICY: &[u8] = &[0x55, 0x1d, 54];
const AUTHORITY_INFORMATION: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 1, 1];
/// Last numbers of the identifiers below `id-ce` of extensions that are lists: name constraints, distribution points of
/// revocation lists, policies, their mappings and constraints, extended key usage.
const LISTS: [u8; 6] = [30, 31, 32, 33, 36, 37];
/// Position of `keyCertSign` among the bits of a key usage, and the number of known bits.
const KEY_CERT_SIGN: usize = 5;
const KEY_USAGES: usize = 9;

/// Basic constraints.
#[derive(Debug, Clone, Copy)]
pub(super) struct Constraints {
    pub(super) is_ca: bool,
    pub(super) path_length: Option<u64>,
}

/// What the extensions of a certificate say about its use.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Extensions {
    pub(super) constraints: Option<Constraints>,
    /// Whether there is a key usage without `keyCertSign`.
    pub(super) may_not_certify: bool,
    /// Whether there is a critical extension that Go does not know.
    pub(super) has_unknown_critical: bool,
}

/// One extension.
struct Extension<'a> {
    /// Contents of its object identifier.
    id: &'a [u8],
    critical: bool,
    value: &'a [u8],
}

impl Extensions {
    /// Parses the last field of a `TBSCertificate`, if it is there.
    pub(super) fn parse(field: Option<&[u8]>) -> Result<Self, Rejection> {
        let mut read = Self::default();
        let Some(field) = field else { return Ok(read) };
        let [list, ..] = parts(field, tbs::EXTENSIONS)?[..] else { return Err(Rejection::CertificateMalformed) };
        let mut seen = BTreeSet::new();
        for extension in parts(list, Tag::Sequence)? {
            let extension = Extension::parse(extension)?;
            if !seen.insert(extension.id) {
                return Err(EXTENSION_TWICE);
            }
            let is_known = read.read(&extension)?;
            read.has_unknown_critical |= extension.critical && !is_known;
        }
        Ok(read)
    }

    /// Reads an extension. Returns whether Go knows it.
    fn read(&mut self, extension: &Extension<'_>) -> Result<bool, Rejection> {
        match extension.id {
            SUBJECT_KEY_IDENTIFIER | AUTHORITY_KEY_IDENTIFIER | AUTHORITY_INFORMATION if extension.critical => {
                return Err(Rejection::CertificateForm {
                    fault: "it has a critical extension that may not be critical",
                });
            }
            SUBJECT_KEY_IDENTIFIER => extension.begins_with(Tag::OctetString)?,
            INHIBIT_ANY_POLICY => extension.begins_with(Tag::Integer)?,
            AUTHORITY_KEY_IDENTIFIER | AUTHORITY_INFORMATION => extension.begins_with(Tag::Sequence)?,
            [0x55, 0x1d, list] if LISTS.contains(list) => extension.begins_with(Tag::Sequence)?,
            KEY_USAGE => {
                let usage = BitStringRef::from_der(extension.value).map_err(|_| UNREADABLE)?;
                let has = |position| usage.get(position) == Some(true);
                // A usage without any is as good as none.
                self.may_not_certify = !has(KEY_CERT_SIGN) && (0..KEY_USAGES).any(has);
            }
            BASIC_CONSTRAINTS => self.constraints = Some(Constraints::parse(extension.value).ok_or(UNREADABLE)?),
            SUBJECT_ALTERNATIVE_NAME => return verify_names(extension.value),
            _ => return Ok(false),
        }
        Ok(true)
    }
}

impl<'a> Extension<'a> {
    fn parse(extension: &'a [u8]) -> Result<Self, Rejection> {
        let malformed = |_| Rejection::CertificateMalformed;
        let (id, critical, value) = match parts(extension, Tag::Sequence)?[..] {
            [id, critical, value, ..] if tbs::contents(critical, Tag::Boolean).is_ok() => (id, Some(critical), value),
            [id, value, ..] => (id, None, value),
            _ => return Err(Rejection::CertificateMalformed),
        };
        let critical = match critical.map(|critical| tbs::contents(critical, Tag::Boolean)).transpose() {
            // That it is not critical need not be said, and some say it.
            Ok(None | Some([0])) => false,
            Ok(Some([0xff])) => true,
            _ => return Err(Rejection::CertificateMalformed),
        };
        let id = tbs::contents(id, Tag::ObjectIdentifier).map_err(malformed)?;
        Ok(Self { id, critical, value: tbs::contents(value, Tag::OctetString).map_err(malformed)? })
    }

    fn begins_with(&self, tag: Tag) -> Result<(), Rejection> {
        let parts = tbs::parts(self.value).map_err(|_| UNREADABLE)?;
        let begins = parts.first().is_some_and(|first| tbs::contents(first, tag).is_ok());
        if begins { Ok(()) } else { Err(UNREADABLE) }
    }
}

impl Constraints {
    fn parse(value: &[u8]) -> Option<Self> {
        let fields = parts(value, Tag::Sequence).ok()?;
        let (is_ca, rest) = match fields.split_first() {
            Some((first, rest)) if tbs::contents(first, Tag::Boolean).is_ok() => (bool::from_der(first).ok()?, rest),
            _ => (false, fields.as_slice()),
        };
        let path_length = match rest.first() {
            Some(length) if tbs::contents(length, Tag::Integer).is_ok() => Some(u64::from_der(length).ok()?),
            _ => None,
        };
        Some(Self { is_ca, path_length })
    }
}

/// Checks subject alternative names. Returns whether there is one of the kinds that Go reads: `rfc822Name`, `dNSName`,
/// `uniformResourceIdentifier` and `iPAddress`.
fn verify_names(value: &[u8]) -> Result<bool, Rejection> {
    let mut has_known = false;
    for name in parts(value, Tag::Sequence).map_err(|_| UNREADABLE)? {
        let name = AnyRef::from_der(name).map_err(|_| UNREADABLE)?;
        let Tag::ContextSpecific { number: TagNumber(number), .. } = name.tag() else { continue };
        if name.tag() != optional(number, false) {
            continue;
        }
        let is_sound = match number {
            1 | 2 | 6 => name.value().is_ascii(),
            7 => matches!(name.value().len(), 4 | 16),
            _ => continue,
        };
        if !is_sound {
            return Err(UNREADABLE);
        }
        has_known = true;
    }
    Ok(has_known)
}
