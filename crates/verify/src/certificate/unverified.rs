//! The fields of a certificate, for search and display. Nothing in it is believed.
//!
//! Logs hold certificates that no verifier accepts: of version 1, with a serial number of any length, with a key on a
//! curve that is not supported. Each must be found by its key, its serial number and its names. So only the structure
//! around the fields must be DER. A field that cannot be decoded is reported and left out.
//! [`Certificate`](super::Certificate) is for certificates that are to be believed.

use super::{MAX_CERTIFICATE_BYTES, moment, tbs};
use crate::extension::{Claim, OTHER_NAME_USERNAME};
use crate::{Rejection, Timestamp};
use const_oid::{AssociatedOid as _, ObjectIdentifier};
use der::asn1::{AnyRef, Utf8StringRef};
use der::{Decode as _, Tag, Tagged as _};
use std::net::IpAddr;
use x509_cert::ext::pkix::SubjectAltName;
use x509_cert::ext::pkix::name::GeneralName;
use x509_cert::name::Name;
use x509_cert::time::Time;

/// The reason for a subject alternative name that cannot be decoded.
const UNREADABLE_NAME: Rejection = Rejection::Profile { field: "subjectAltName" };

/// The kind of a subject alternative name. Kinds that name no signer are not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NameKind {
    /// `rfc822Name`.
    Email,
    /// `uniformResourceIdentifier`.
    Uri,
    /// `otherName` of Fulcio's type for usernames.
    Username,
    /// `dNSName`.
    Dns,
    /// `iPAddress`.
    Ip,
}

impl NameKind {
    /// The kind's name in reports, as [`crate::claims::identity_kind`] has it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Email => "email",
            Self::Uri => "uri",
            Self::Username => "username",
            Self::Dns => "dns",
            Self::Ip => "ip",
        }
    }
}

/// A subject alternative name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SubjectName {
    pub(crate) kind: NameKind,
    pub(crate) value: String,
}

/// The fields of a certificate or of a `TBSCertificate`.
#[derive(Debug)]
pub(crate) struct Unverified<'a> {
    /// Contents of the serial number, an INTEGER of any length and sign.
    pub(crate) serial: &'a [u8],
    /// First and last moment of validity, if both can be decoded.
    pub(crate) validity: Option<(Timestamp, Timestamp)>,
    /// `SubjectPublicKeyInfo` in DER, not parsed.
    pub(crate) spki: &'a [u8],
    /// `Name` of the subject in DER.
    subject: &'a [u8],
    /// Identifier and contents of `extnValue` of each extension.
    extensions: Vec<(ObjectIdentifier, &'a [u8])>,
}

impl<'a> Unverified<'a> {
    /// Reads a certificate in DER.
    ///
    /// # Errors
    /// [`Rejection::CertificateMalformed`] if the structure around the fields is not DER, or is too large.
    pub(crate) fn of_certificate(der: &'a [u8]) -> Result<Self, Rejection> {
        Self::of_tbs(tbs::signed_part(der)?)
    }

    /// Reads a `TBSCertificate` in DER.
    ///
    /// # Errors
    /// As [`Self::of_certificate`].
    pub(crate) fn of_tbs(tbs: &'a [u8]) -> Result<Self, Rejection> {
        if tbs.len() > MAX_CERTIFICATE_BYTES {
            return Err(Rejection::CertificateMalformed);
        }
        read(tbs).map_err(|_| Rejection::CertificateMalformed)
    }

    /// The subject's name as text. `None` if it is empty, as in leaf certificates of Fulcio.
    pub(crate) fn subject(&self) -> Option<String> {
        Name::from_der(self.subject).ok().filter(|name| !name.is_empty()).map(|name| name.to_string())
    }

    /// Every claim, in the order of the certificate. The error is that of a claim that cannot be decoded.
    pub(crate) fn claims(&self) -> impl Iterator<Item = Result<(Claim, String), Rejection>> {
        self.extensions.iter().filter_map(|(identifier, contents)| {
            let claim = Claim::ALL.iter().copied().find(|claim| claim.oid() == *identifier)?;
            Some(claim.decode(contents).map(|value| (claim, value)))
        })
    }

    /// Every subject alternative name of a [`NameKind`]. The error is that of a name that cannot be decoded.
    pub(crate) fn names(&self) -> impl Iterator<Item = Result<SubjectName, Rejection>> {
        let lists = self.extensions.iter().filter(|(identifier, _)| *identifier == SubjectAltName::OID);
        lists.flat_map(|(_, list)| match tbs::contents(list, Tag::Sequence).and_then(tbs::parts) {
            Ok(names) => names.into_iter().filter_map(|name| subject_name(name).transpose()).collect::<Vec<_>>(),
            Err(_) => vec![Err(UNREADABLE_NAME)],
        })
    }
}

fn read(tbs: &[u8]) -> der::Result<Unverified<'_>> {
    let fields = tbs::parts(tbs::contents(tbs, Tag::Sequence)?)?;
    let fields = match fields.split_first() {
        Some((first, rest)) if AnyRef::from_der(first)?.tag() == tbs::VERSION => rest,
        _ => fields.as_slice(),
    };
    let &[serial, _algorithm, _issuer, validity, subject, spki, ref rest @ ..] = fields else {
        return Err(Tag::Sequence.value_error().into());
    };
    let mut extensions = Vec::new();
    for field in rest {
        if AnyRef::from_der(field)?.tag() == tbs::EXTENSIONS {
            let list = tbs::contents(tbs::contents(field, tbs::EXTENSIONS)?, Tag::Sequence)?;
            extensions = tbs::parts(list)?.into_iter().map(extension).collect::<der::Result<_>>()?;
        }
    }
    Ok(Unverified {
        serial: tbs::contents(serial, Tag::Integer)?,
        validity: moments(tbs::contents(validity, Tag::Sequence)?),
        spki,
        subject,
        extensions,
    })
}

/// Splits an `Extension` into its identifier and the contents of its value. Whether it is critical is not read.
fn extension(encoding: &[u8]) -> der::Result<(ObjectIdentifier, &[u8])> {
    let parts = tbs::parts(tbs::contents(encoding, Tag::Sequence)?)?;
    let &[identifier, .., value] = parts.as_slice() else { return Err(Tag::Sequence.value_error().into()) };
    Ok((ObjectIdentifier::from_der(identifier)?, tbs::contents(value, Tag::OctetString)?))
}

fn moments(validity: &[u8]) -> Option<(Timestamp, Timestamp)> {
    let parts = tbs::parts(validity).ok()?;
    let &[not_before, not_after] = parts.as_slice() else { return None };
    Some((moment(Time::from_der(not_before).ok()?), moment(Time::from_der(not_after).ok()?)))
}

/// Decodes a `GeneralName`. `None` for kinds that name no signer.
fn subject_name(der: &[u8]) -> Result<Option<SubjectName>, Rejection> {
    let name = GeneralName::from_der(der).map_err(|_| UNREADABLE_NAME)?;
    let (kind, value) = match &name {
        GeneralName::Rfc822Name(email) => (NameKind::Email, email.as_str().to_owned()),
        GeneralName::UniformResourceIdentifier(uri) => (NameKind::Uri, uri.as_str().to_owned()),
        GeneralName::DnsName(host) => (NameKind::Dns, host.as_str().to_owned()),
        GeneralName::IpAddress(octets) => (NameKind::Ip, ip_address(octets.as_bytes()).ok_or(UNREADABLE_NAME)?),
        GeneralName::OtherName(other) if other.type_id == OTHER_NAME_USERNAME => {
            let name = other.value.decode_as::<Utf8StringRef<'_>>().map_err(|_| UNREADABLE_NAME)?;
            (NameKind::Username, name.as_str().to_owned())
        }
        _ => return Ok(None),
    };
    Ok(Some(SubjectName { kind, value }))
}

/// An address as text. An IPv4 address inside IPv6 is written as IPv4, as Go writes it.
fn ip_address(octets: &[u8]) -> Option<String> {
    let v4 = <[u8; 4]>::try_from(octets).map(IpAddr::from);
    let address = v4.or_else(|_| <[u8; 16]>::try_from(octets).map(IpAddr::from)).ok()?;
    Some(address.to_canonical().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::certificate::Certificate;
    use rcgen::{CertificateParams, CustomExtension, KeyPair, SanType};

    fn certificate(names: Vec<SanType>, extensions: Vec<CustomExtension>) -> Vec<u8> {
        let mut params = CertificateParams::default();
        params.subject_alt_names = names;
        params.custom_extensions = extensions;
        params.serial_number = Some(vec![1_u8, 2, 3].into());
        params.self_signed(&KeyPair::generate().unwrap()).unwrap().der().to_vec()
    }

    fn named(kind: NameKind, value: &str) -> Result<SubjectName, Rejection> {
        Ok(SubjectName { kind, value: value.to_owned() })
    }

    #[test]
    fn the_fields_are_those_of_the_strict_parser() {
        let der = certificate(vec![SanType::Rfc822Name("a@example.test".try_into().unwrap())], Vec::new());
        let (strict, read) = (Certificate::from_der(&der).unwrap(), Unverified::of_certificate(&der).unwrap());
        assert_eq!(read.spki, strict.public_key().spki_der());
        assert_eq!(read.serial, [1, 2, 3]);
        assert_eq!(read.validity, Some((strict.not_before(), strict.not_after())));
        assert_eq!(read.subject(), Some(strict.subject().to_string()));
        assert_eq!(read.names().collect::<Vec<_>>(), [named(NameKind::Email, "a@example.test")]);
        assert!(Unverified::of_tbs(strict.tbs_der()).is_ok());
        for length in 0..der.len() {
            assert!(Unverified::of_certificate(&der[..length]).is_err(), "{length}");
        }
    }

    #[test]
    fn every_kind_of_name_is_read_and_one_that_is_not_text_is_reported() {
        let names = vec![
            SanType::URI("https://example.test/a".try_into().unwrap()),
            SanType::DnsName("*.example.test".try_into().unwrap()),
            SanType::IpAddress("192.0.2.1".parse().unwrap()),
            SanType::IpAddress("2001:db8::1".parse().unwrap()),
            SanType::OtherName((vec![1, 3, 6, 1, 4, 1, 57264, 1, 7], "alice!example.test".to_owned().into())),
            SanType::OtherName((vec![1, 2, 3], "ignored".to_owned().into())),
        ];
        let der = certificate(names, Vec::new());
        let expected = [
            named(NameKind::Uri, "https://example.test/a"),
            named(NameKind::Dns, "*.example.test"),
            named(NameKind::Ip, "192.0.2.1"),
            named(NameKind::Ip, "2001:db8::1"),
            named(NameKind::Username, "alice!example.test"),
        ];
        assert_eq!(Unverified::of_certificate(&der).unwrap().names().collect::<Vec<_>>(), expected);
        assert_eq!(ip_address(&[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 192, 0, 2, 1]).unwrap(), "192.0.2.1");

        // An address of three bytes, and an e-mail address after it.
        let list = CustomExtension::from_oid_content(&[2, 5, 29, 17], b"\x30\x0a\x87\x03abc\x81\x03a@b".to_vec());
        let der = certificate(Vec::new(), vec![list]);
        let names: Vec<_> = Unverified::of_certificate(&der).unwrap().names().collect();
        assert_eq!(names, [Err(UNREADABLE_NAME), named(NameKind::Email, "a@b")]);
    }

    #[test]
    fn claims_are_read_one_by_one() {
        let extension = |arc, contents: &[u8]| {
            CustomExtension::from_oid_content(&[1, 3, 6, 1, 4, 1, 57264, 1, arc], contents.to_vec())
        };
        let der = certificate(Vec::new(), vec![extension(8, b"no DER"), extension(1, b"https://issuer.test")]);
        let claims: Vec<_> = Unverified::of_certificate(&der).unwrap().claims().collect();
        let issuer = Ok((Claim::IssuerV1, "https://issuer.test".to_owned()));
        assert_eq!(claims, [Err(Rejection::Profile { field: "issuer" }), issuer]);
    }
}
