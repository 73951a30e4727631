//! Writes a `TimeStampResp`: `TSTInfo` (RFC 3161 §2.4.2), signed attributes (RFC 5652 §11, RFC 5816) and the CMS around them.
//!
//! The parts common to all answers are encoded once, when the authority starts. Attributes, certificates and names are
//! those of Sigstore's own authority, except that the certificate's hash is always SHA-256.

use crate::Profile;
use chancery_daemon::authority::SERIAL_BYTES;
use chancery_verify::certificate::{Certificate, SignatureAlgorithm};
use chancery_verify::timestamping::asn1::{
    GENERALIZED_TIME, INTEGER, OBJECT_IDENTIFIER, OCTET_STRING, SEQUENCE, SET, UTC_TIME, constructed, write,
};
use chancery_verify::timestamping::{
    Authority, CONTENT_TYPE, Imprint, MESSAGE_DIGEST, Request, SIGNED_DATA, SIGNING_CERTIFICATE_V2, SIGNING_TIME,
    TST_INFO,
};
use chancery_verify::{HashAlgorithm, Rejection, Timestamp, hash};
use const_oid::ObjectIdentifier;
use der::Encode as _;
use std::slice;
use time::OffsetDateTime;

/// `accuracy`: one second, because times are whole seconds.
const ACCURACY: [u8; 5] = [SEQUENCE, 3, INTEGER, 1, 1];
/// `PKIStatusInfo`: granted.
const GRANTED: [u8; 5] = [SEQUENCE, 3, INTEGER, 1, 0];
/// Years that `UTCTime` can express (RFC 5652 §11.3).
const UTC_TIME_UNTIL: i32 = 2049;

/// The parts common to all answers of one authority.
#[derive(Debug)]
pub(crate) struct Encoder {
    /// The hash that the key signs with.
    hash: HashAlgorithm,
    /// The `tsa` field of `TSTInfo`.
    name: Vec<u8>,
    /// Two of the four signed attributes.
    content_type: Vec<u8>,
    signing_certificate: Vec<u8>,
    /// Version and digest algorithms of `SignedData`.
    signed_data: Vec<u8>,
    /// The certificates of `SignedData`, for requests that ask for them.
    certificates: Vec<u8>,
    /// Version, signer and digest algorithm of `SignerInfo`.
    signer_info: Vec<u8>,
    signature_algorithm: Vec<u8>,
}

/// The parts that differ from answer to answer, beside the request.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moment<'a> {
    /// Contents of the policy's object identifier.
    pub(crate) policy: &'a [u8],
    pub(crate) serial: [u8; SERIAL_BYTES],
    pub(crate) time: Timestamp,
}

/// An answer before it is signed.
#[derive(Debug)]
pub(crate) struct Unsigned {
    info: Vec<u8>,
    /// The signed attributes as a SET: these bytes are signed.
    attributes: Vec<u8>,
}

impl Unsigned {
    pub(crate) fn message(&self) -> &[u8] {
        &self.attributes
    }
}

impl Encoder {
    pub(crate) fn new(authority: &Authority, profile: &Profile) -> Result<Self, Rejection> {
        let leaf = authority.leaf();
        let algorithm = SignatureAlgorithm::for_key(leaf.public_key().kind());
        let hash = leaf.public_key().kind().hash();
        let digest_algorithm = Imprint::hash_algorithm_der(hash);
        // SHA-256 is the default, which DER omits.
        let certificate_hash = write(OCTET_STRING, &[&hash::sha256(leaf.der())]);
        let identified = write(SEQUENCE, &[&certificate_hash, authority.issuer_serial_der()]);
        let signing_certificate = write(SEQUENCE, &[&write(SEQUENCE, &[&identified])]);
        let signature_algorithm = algorithm.identifier().to_der().map_err(|_| Rejection::AlgorithmNotAllowed)?;
        let included = if profile.includes_chain { authority.chain() } else { slice::from_ref(leaf) };
        let mut included: Vec<&[u8]> = included.iter().map(Certificate::der).collect();
        // DER orders a SET by the encodings of its members. Strict clients refuse another order.
        included.sort_unstable();
        Ok(Self {
            hash,
            name: write(constructed(0), &[authority.name_der()]),
            content_type: attribute(CONTENT_TYPE, &identifier(TST_INFO)),
            signing_certificate: attribute(SIGNING_CERTIFICATE_V2, &signing_certificate),
            signed_data: [&[INTEGER, 1, 3], &write(SET, &[&digest_algorithm])[..]].concat(),
            certificates: write(constructed(0), &included),
            signer_info: [&[INTEGER, 1, 1], authority.identifier_der(), &digest_algorithm].concat(),
            signature_algorithm,
        })
    }

    /// Returns the bytes to sign.
    pub(crate) fn unsigned(&self, request: &Request<'_>, moment: Moment<'_>) -> Unsigned {
        let time = generalized_time(moment.time);
        let info = self.info(request, moment, time.as_bytes());
        let digest = write(OCTET_STRING, &[&self.hash.digest(&info)]);
        let message_digest = attribute(MESSAGE_DIGEST, &digest);
        let signing_time = attribute(SIGNING_TIME, &cms_time(&time));
        // DER orders a SET by the encodings of its members.
        let mut attributes =
            [&self.content_type[..], &self.signing_certificate[..], &message_digest[..], &signing_time[..]];
        attributes.sort_unstable();
        Unsigned { info, attributes: write(SET, &attributes) }
    }

    fn info(&self, request: &Request<'_>, Moment { policy, serial, .. }: Moment<'_>, time: &[u8]) -> Vec<u8> {
        let policy = write(OBJECT_IDENTIFIER, &[policy]);
        let imprint = request.imprint.to_der();
        let serial = write(INTEGER, &[&serial]);
        let time = write(GENERALIZED_TIME, &[time]);
        let nonce = request.nonce.map(|nonce| write(INTEGER, &[nonce])).unwrap_or_default();
        let extensions = request.extensions.map(|extensions| write(constructed(1), &[extensions])).unwrap_or_default();
        // `ordering` is FALSE, which DER omits: times in whole seconds do not define an order.
        let fields =
            [&[INTEGER, 1, 1][..], &policy, &imprint, &serial, &time, &ACCURACY, &nonce, &self.name, &extensions];
        write(SEQUENCE, &fields)
    }

    /// Returns the whole answer.
    pub(crate) fn response(&self, unsigned: &Unsigned, signature: &[u8], certificates: bool) -> Vec<u8> {
        let mut attributes = unsigned.attributes.clone();
        // In place, the SET is `[0] IMPLICIT` (RFC 5652 §5.4).
        if let Some(tag) = attributes.first_mut() {
            *tag = constructed(0);
        }
        let signature = write(OCTET_STRING, &[signature]);
        let signer = write(SEQUENCE, &[&self.signer_info, &attributes, &self.signature_algorithm, &signature]);
        let content = write(constructed(0), &[&write(OCTET_STRING, &[&unsigned.info])]);
        let content = write(SEQUENCE, &[&identifier(TST_INFO), &content]);
        let certificates: &[u8] = if certificates { &self.certificates } else { &[] };
        let signed_data = write(SEQUENCE, &[&self.signed_data, &content, certificates, &write(SET, &[&signer])]);
        let token = write(SEQUENCE, &[&identifier(SIGNED_DATA), &write(constructed(0), &[&signed_data])]);
        write(SEQUENCE, &[&GRANTED, &token])
    }
}

fn identifier(oid: ObjectIdentifier) -> Vec<u8> {
    write(OBJECT_IDENTIFIER, &[oid.as_bytes()])
}

fn attribute(oid: ObjectIdentifier, value: &[u8]) -> Vec<u8> {
    write(SEQUENCE, &[&identifier(oid), &write(SET, &[value])])
}

/// `YYYYMMDDhhmmssZ`. No certificate is valid after the year 9999, so such a time never gets here.
fn generalized_time(time: Timestamp) -> String {
    let seconds = i64::try_from(time.seconds()).unwrap_or_default();
    let time = OffsetDateTime::from_unix_timestamp(seconds).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    let (date, (hour, minute, second)) = (time.date(), time.to_hms());
    format!("{:04}{:02}{:02}{hour:02}{minute:02}{second:02}Z", date.year(), u8::from(date.month()), date.day())
}

/// The same time in CMS' form: `UTCTime` as long as it can express the year.
fn cms_time(generalized: &str) -> Vec<u8> {
    let short = generalized
        .get(2..)
        .filter(|_| generalized.get(..4).and_then(|year| year.parse().ok()) <= Some(UTC_TIME_UNTIL));
    match short {
        Some(short) => write(UTC_TIME, &[short.as_bytes()]),
        None => write(GENERALIZED_TIME, &[generalized.as_bytes()]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_whole_seconds_in_the_form_of_their_century() {
        for (seconds, generalized, tag, length) in [
            (0, "19700101000000Z", UTC_TIME, 13),
            (1_795_244_400, "20261121070000Z", UTC_TIME, 13),
            (2_524_607_999, "20491231235959Z", UTC_TIME, 13),
            (2_524_608_000, "20500101000000Z", GENERALIZED_TIME, 15),
        ] {
            let text = generalized_time(Timestamp::from_millis(seconds * 1000 + 999));
            assert_eq!(text, generalized);
            let cms = cms_time(&text);
            assert_eq!((cms[0], cms[1]), (tag, length), "{text}");
            assert!(text.ends_with(str::from_utf8(&cms[2..]).unwrap()));
        }
    }
}
