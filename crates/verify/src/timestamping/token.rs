//! `TimeStampResp`, and the CMS `SignedData` that makes a `TSTInfo` a token.

use super::asn1::{Element, Fields, Malformed, OBJECT_IDENTIFIER, OCTET_STRING, SEQUENCE, SET, constructed};
use super::identifier::CertificateIdentifier;
use super::imprint::{algorithm, hash};
use super::{
    CONTENT_TYPE, Info, MESSAGE_DIGEST, Request, SIGNED_DATA, SIGNING_CERTIFICATE, SIGNING_CERTIFICATE_V2, TST_INFO,
};
use crate::certificate::{MAX_CHAIN, SignatureAlgorithm};
use crate::{HashAlgorithm, Rejection};
use const_oid::ObjectIdentifier;
use der::Decode as _;
use spki::AlgorithmIdentifierOwned;

/// Maximum bytes of a response. One with a chain of ten certificates and its revocation lists is smaller.
pub const MAX_RESPONSE_BYTES: usize = 256 * 1024;
/// `rsaEncryption`. CMS allows it as a signature algorithm, without a hash (RFC 3370 §3.2).
const RSA_ENCRYPTION: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01];

/// A parsed timestamp. Its signature is not verified yet: [`super::Authority::verify`] does that.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token<'a> {
    info: Info<'a>,
    pub(super) info_der: &'a [u8],
    /// Certificates in DER, in the order of the token.
    pub(super) certificates: Vec<&'a [u8]>,
    pub(super) signer: Signer<'a>,
}

/// The one `SignerInfo`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Signer<'a> {
    /// `IssuerAndSerialNumber` in DER.
    pub(super) identifier: &'a [u8],
    pub(super) hash: HashAlgorithm,
    /// Contents of the set of signed attributes.
    pub(super) attributes: &'a [u8],
    pub(super) attested: Attested<'a>,
    pub(super) algorithm: SignatureAlgorithm,
    pub(super) signature: &'a [u8],
}

/// The values of the signed attributes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Attested<'a> {
    /// Hash of the `TSTInfo`.
    pub(super) message_digest: &'a [u8],
    /// The signer's certificate.
    pub(super) certificate: CertificateIdentifier<'a>,
    /// The same certificate, as an `ESSCertID` beside the `ESSCertIDv2` names it.
    pub(super) also: Option<CertificateIdentifier<'a>>,
}

impl<'a> Token<'a> {
    /// Parses a `TimeStampResp` with a token.
    ///
    /// # Errors
    /// [`Rejection::TimestampRefused`] if the authority refused the request. Otherwise as [`Self::from_der`].
    pub fn from_response(der: &'a [u8]) -> Result<Self, Rejection> {
        Self::from_der(Self::granted(der)?)
    }

    /// The token in a `TimeStampResp`, not parsed.
    pub(crate) fn granted(der: &'a [u8]) -> Result<&'a [u8], Rejection> {
        if der.len() > MAX_RESPONSE_BYTES {
            return Err(Rejection::TimestampMalformed);
        }
        let (status, token) = response(der).map_err(|Malformed| Rejection::TimestampMalformed)?;
        match (status, token) {
            (0 | 1, Some(token)) => Ok(token),
            (0 | 1, None) => Err(Rejection::TimestampMalformed),
            _ => Err(Rejection::TimestampRefused { status }),
        }
    }

    /// Parses a `TimeStampToken`: a `ContentInfo` with a `SignedData` with exactly one signer.
    ///
    /// # Errors
    /// [`Rejection::TimestampMalformed`], an error of the imprint, or [`Rejection::AlgorithmNotAllowed`].
    pub fn from_der(der: &'a [u8]) -> Result<Self, Rejection> {
        if der.len() > MAX_RESPONSE_BYTES {
            return Err(Rejection::TimestampMalformed);
        }
        let (info_der, certificates, signer) = token(der).map_err(|Malformed| Rejection::TimestampMalformed)??;
        Ok(Self { info: Info::from_der(info_der)?, info_der, certificates, signer })
    }

    /// The contents.
    #[must_use]
    pub const fn info(&self) -> &Info<'a> {
        &self.info
    }

    /// The certificates in the token, in DER.
    #[must_use]
    pub fn certificates(&self) -> &[&'a [u8]] {
        &self.certificates
    }

    /// Checks that the token answers the request.
    ///
    /// 1. The imprint is the request's.
    /// 2. The nonce is the request's. If the request has none, the token has none.
    /// 3. The policy is the requested one, if the request names one.
    /// 4. It contains certificates if and only if the request asks for them.
    pub fn verify_answers(&self, request: &Request<'_>) -> Result<(), Rejection> {
        if !self.info.imprint.same_as(&request.imprint) {
            return Err(Rejection::TimestampImprint);
        }
        if self.info.nonce != request.nonce {
            return Err(Rejection::TimestampNonce);
        }
        if request.policy.is_some_and(|policy| policy != self.info.policy) {
            return Err(Rejection::TimestampPolicy);
        }
        if request.certificates == self.certificates.is_empty() {
            return Err(Rejection::TimestampCertificates);
        }
        Ok(())
    }
}

/// Parses status and token of a `TimeStampResp`.
fn response(der: &[u8]) -> Result<(u64, Option<&[u8]>), Malformed> {
    let mut outer = Fields::of(der);
    let mut fields = outer.take(SEQUENCE)?.fields();
    outer.end()?;
    // Text and failure bits may follow the status. They are not used.
    let status = fields.take(SEQUENCE)?.fields().number()?;
    let token = fields.optional(SEQUENCE)?.map(|token| token.whole);
    fields.end()?;
    Ok((status, token))
}

/// `TSTInfo`, certificates and signer.
type Parts<'a> = (&'a [u8], Vec<&'a [u8]>, Signer<'a>);

fn token(der: &[u8]) -> Result<Result<Parts<'_>, Rejection>, Malformed> {
    let mut outer = Fields::of(der);
    let mut content_info = outer.take(SEQUENCE)?.fields();
    outer.end()?;
    is(content_info.identifier()?, SIGNED_DATA)?;
    let mut fields = content_info.take(constructed(0))?.only(SEQUENCE)?.fields();
    content_info.end()?;
    if fields.number()? != 3 {
        return Err(Malformed);
    }
    let digests = fields.take(SET)?;
    let mut content = fields.take(SEQUENCE)?.fields();
    is(content.identifier()?, TST_INFO)?;
    let info_der = content.take(constructed(0))?.only(OCTET_STRING)?.contents;
    content.end()?;
    let certificates = fields.optional(constructed(0))?.map_or(Ok(Vec::new()), certificates)?;
    // Revocation lists are not used.
    fields.optional(constructed(1))?;
    let signer = fields.take(SET)?.only(SEQUENCE)?;
    fields.end()?;
    Ok(signer_info(signer, digests)?.map(|signer| (info_der, certificates, signer)))
}

fn is(identifier: &[u8], expected: ObjectIdentifier) -> Result<(), Malformed> {
    if identifier == expected.as_bytes() { Ok(()) } else { Err(Malformed) }
}

fn certificates(set: Element<'_>) -> Result<Vec<&[u8]>, Malformed> {
    let mut fields = set.fields();
    let mut certificates = Vec::new();
    while !fields.is_finished() {
        let certificate = fields.take(SEQUENCE)?.whole;
        if certificates.len() == MAX_CHAIN || certificates.contains(&certificate) {
            return Err(Malformed);
        }
        certificates.push(certificate);
    }
    Ok(certificates)
}

fn signer_info<'a>(element: Element<'a>, digests: Element<'a>) -> Result<Result<Signer<'a>, Rejection>, Malformed> {
    let mut fields = element.fields();
    if fields.number()? != 1 {
        return Err(Malformed);
    }
    let signer = fields.take(SEQUENCE)?;
    let digest = fields.take(SEQUENCE)?;
    let mut listed = digests.fields();
    let mut is_listed = false;
    while !listed.is_finished() {
        is_listed |= algorithm(listed.take(SEQUENCE)?)?.0 == algorithm(digest)?.0;
    }
    if !is_listed {
        return Err(Malformed);
    }
    let attributes = fields.take(constructed(0))?;
    let attested = attested(attributes)?;
    let signature_algorithm = fields.take(SEQUENCE)?;
    let signature = fields.take(OCTET_STRING)?.contents;
    // Unsigned attributes, such as an archive's countersignature, are not used.
    fields.optional(constructed(1))?;
    fields.end()?;
    let hash = hash(algorithm(digest)?.0);
    Ok(hash.and_then(|hash| {
        let algorithm = signed_with(signature_algorithm, hash)?;
        let (attributes, identifier) = (attributes.contents, signer.whole);
        Ok(Signer { identifier, hash, attributes, attested: attested?, algorithm, signature })
    }))
}

fn signed_with(element: Element<'_>, hash: HashAlgorithm) -> Result<SignatureAlgorithm, Rejection> {
    if algorithm(element) == Ok((RSA_ENCRYPTION, true)) {
        return Ok(SignatureAlgorithm::RsaPkcs1(hash));
    }
    let identifier = AlgorithmIdentifierOwned::from_der(element.whole).map_err(|_| Rejection::TimestampMalformed)?;
    SignatureAlgorithm::from_identifier(&identifier)
}

/// Parses the attributes. They are in DER order, each known one has one value, and none is repeated. The three that RFC
/// 3161 requires must be present.
///
/// The signature is over their DER encoding (RFC 5652 §5.4), and they must be sent in DER (§5.3), so the received bytes
/// are the signed bytes. A token in another order is refused, whichever order was signed: verifiers that sort first and
/// verifiers that do not would disagree on it, and a token would have many encodings.
fn attested(attributes: Element<'_>) -> Result<Result<Attested<'_>, Rejection>, Malformed> {
    let mut fields = attributes.fields();
    let mut before: &[u8] = &[];
    let (mut content_type, mut message_digest, mut older, mut newer) = (None, None, None, None);
    while !fields.is_finished() {
        let attribute = fields.take(SEQUENCE)?;
        if attribute.whole <= before {
            return Err(Malformed);
        }
        before = attribute.whole;
        let mut attribute = attribute.fields();
        let kind = attribute.identifier()?;
        let values = attribute.take(SET)?;
        attribute.end()?;
        let place = match kind {
            kind if kind == CONTENT_TYPE.as_bytes() => &mut content_type,
            kind if kind == MESSAGE_DIGEST.as_bytes() => &mut message_digest,
            kind if kind == SIGNING_CERTIFICATE.as_bytes() => &mut older,
            kind if kind == SIGNING_CERTIFICATE_V2.as_bytes() => &mut newer,
            _ => continue,
        };
        if place.replace(values).is_some() {
            return Err(Malformed);
        }
    }
    let (Some(content_type), Some(message_digest)) = (content_type, message_digest) else { return Err(Malformed) };
    is(content_type.fields().identifier()?, TST_INFO)?;
    content_type.only(OBJECT_IDENTIFIER)?;
    let message_digest = message_digest.only(OCTET_STRING)?.contents;
    let older = older.map(|values| CertificateIdentifier::read_v1(values.only(SEQUENCE)?)).transpose()?;
    let newer = newer.map(|values| CertificateIdentifier::read_v2(values.only(SEQUENCE)?)).transpose()?;
    Ok(match (newer, older) {
        (Some(newer), also) => newer.map(|certificate| Attested { message_digest, certificate, also }),
        (None, Some(certificate)) => Ok(Attested { message_digest, certificate, also: None }),
        (None, None) => return Err(Malformed),
    })
}
