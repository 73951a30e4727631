//! Timestamps (RFC 3161), made by hand.

use super::Key;
use chancery_verify::HashAlgorithm;
use chancery_verify::certificate::Certificate;
use chancery_verify::timestamping::asn1::{
    INTEGER, OBJECT_IDENTIFIER, OCTET_STRING, SEQUENCE, SET, constructed, write,
};
use chancery_verify::timestamping::{
    Authority, CONTENT_TYPE, EXTENDED_KEY_USAGE_VALUE, Imprint, MESSAGE_DIGEST, SIGNED_DATA, SIGNING_CERTIFICATE,
    SIGNING_CERTIFICATE_V2, SIGNING_TIME, TST_INFO,
};
use const_oid::ObjectIdentifier;
use rcgen::{CertificateParams, CustomExtension, IsCa, KeyUsagePurpose};
use time::OffsetDateTime;

/// The contents of a timestamp and its token.
pub(crate) struct Stamp {
    pub(crate) imprint: Vec<u8>,
    pub(crate) time: u64,
    pub(crate) status: u8,
    /// Certificates to embed, in this order.
    pub(crate) certificates: Vec<Vec<u8>>,
    /// By which hashes the signer's certificate is named.
    pub(crate) named: Named,
    /// Attributes that are signed along and that nobody knows.
    pub(crate) attributes: Vec<Vec<u8>>,
    /// The order of the attributes.
    pub(crate) order: Order,
    /// Whether the imprint says that it is by SHA-1.
    pub(crate) is_weak: bool,
}

/// The order in which a token has its attributes, and in which they are signed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    /// DER's, as RFC 5652 requires.
    Der,
    /// Sent in another order and signed in DER's: what Go's verifiers accept.
    SentOtherwise,
    /// Sent and signed in another order: what OpenSSL accepts.
    SentAndSignedOtherwise,
}

/// Bytes that name the certificate, in `ESSCertID` and in `ESSCertIDv2`; `None`: not there.
#[derive(Clone)]
pub(crate) struct Named {
    pub(crate) sha1: Option<Vec<u8>>,
    pub(crate) sha256: bool,
}

impl Named {
    /// As authorities do today.
    pub(crate) const NEWER: Self = Self { sha1: None, sha256: true };
}

/// A leaf that may make timestamps. rcgen cannot make its extended key usage critical, so this function does.
pub(super) fn leaf(mut parameters: CertificateParams) -> CertificateParams {
    parameters.is_ca = IsCa::NoCa;
    parameters.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    let mut usage = CustomExtension::from_oid_content(&[2, 5, 29, 37], EXTENDED_KEY_USAGE_VALUE.to_vec());
    usage.set_criticality(true);
    parameters.custom_extensions = vec![usage];
    parameters
}

fn oid(identifier: ObjectIdentifier) -> Vec<u8> {
    write(OBJECT_IDENTIFIER, &[identifier.as_bytes()])
}

/// What no reader has to know: a signing time, and an attribute of nobody's with two values.
pub(crate) fn foreign_attributes() -> Vec<Vec<u8>> {
    let nobody = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.99999.1");
    let two = write(SET, &[&write(INTEGER, &[&[1]]), &write(INTEGER, &[&[2]])]);
    vec![attribute(SIGNING_TIME, &write(0x17, &[b"261129104950Z"])), write(SEQUENCE, &[&oid(nobody), &two])]
}

fn attribute(identifier: ObjectIdentifier, value: &[u8]) -> Vec<u8> {
    write(SEQUENCE, &[&oid(identifier), &write(SET, &[value])])
}

impl Stamp {
    pub(crate) fn of(signature: &[u8], time: u64) -> Self {
        let imprint = HashAlgorithm::Sha256.digest(signature);
        let (certificates, attributes) = (Vec::new(), Vec::new());
        Self {
            imprint,
            time,
            status: 0,
            certificates,
            named: Named::NEWER,
            attributes,
            order: Order::Der,
            is_weak: false,
        }
    }

    fn info(&self) -> Vec<u8> {
        let imprint = if self.is_weak {
            let sha1 = write(SEQUENCE, &[&oid(ObjectIdentifier::new_unwrap("1.3.14.3.2.26"))]);
            write(SEQUENCE, &[&sha1, &write(OCTET_STRING, &[&self.imprint[..20]])])
        } else {
            Imprint { hash: HashAlgorithm::Sha256, digest: &self.imprint, null_parameters: false }.to_der()
        };
        let time = OffsetDateTime::from_unix_timestamp(i64::try_from(self.time).unwrap()).unwrap();
        let (date, clock) = (time.date(), time.time());
        let text = format!(
            "{:04}{:02}{:02}{:02}{:02}{:02}Z",
            date.year(),
            u8::from(date.month()),
            date.day(),
            clock.hour(),
            clock.minute(),
            clock.second()
        );
        let policy = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.57264.2");
        write(
            SEQUENCE,
            &[
                &write(INTEGER, &[&[1]]),
                &oid(policy),
                &imprint,
                &write(INTEGER, &[&[42]]),
                &write(0x18, &[text.as_bytes()]),
            ],
        )
    }

    /// A `TimeStampResp` by the first certificate of `chain`, whose key is `key`.
    pub(crate) fn response(&self, chain: &[Certificate], key: &Key) -> Vec<u8> {
        let authority = Authority::new(chain.to_vec()).unwrap();
        let info = self.info();
        let hash = Imprint::hash_algorithm_der(HashAlgorithm::Sha256);
        let certificate = |hash: &[u8]| {
            let hash = write(OCTET_STRING, &[hash]);
            write(SEQUENCE, &[&write(SEQUENCE, &[&write(SEQUENCE, &[&hash])])])
        };
        let mut attributes = vec![
            attribute(CONTENT_TYPE, &oid(TST_INFO)),
            attribute(MESSAGE_DIGEST, &write(OCTET_STRING, &[&HashAlgorithm::Sha256.digest(&info)])),
        ];
        attributes.extend(self.named.sha1.as_ref().map(|hash| attribute(SIGNING_CERTIFICATE, &certificate(hash))));
        if self.named.sha256 {
            let hash = HashAlgorithm::Sha256.digest(authority.leaf().der());
            attributes.push(attribute(SIGNING_CERTIFICATE_V2, &certificate(&hash)));
        }
        attributes.extend(self.attributes.iter().cloned());
        attributes.sort();
        let sorted = attributes.concat();
        if self.order != Order::Der {
            attributes.reverse();
        }
        let attributes = attributes.concat();
        let signed = if self.order == Order::SentAndSignedOtherwise { &attributes } else { &sorted };
        let signature = key.sign(&write(SET, &[signed]));
        let algorithm = [0x30, 0x0a, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02];
        let signer = write(
            SEQUENCE,
            &[
                &write(INTEGER, &[&[1]]),
                authority.identifier_der(),
                &hash,
                &write(constructed(0), &[&attributes]),
                &algorithm,
                &write(OCTET_STRING, &[&signature]),
            ],
        );
        let content = write(SEQUENCE, &[&oid(TST_INFO), &write(constructed(0), &[&write(OCTET_STRING, &[&info])])]);
        let certificates = match self.certificates.concat() {
            none if none.is_empty() => none,
            some => write(constructed(0), &[&some]),
        };
        let signed = write(
            SEQUENCE,
            &[&write(INTEGER, &[&[3]]), &write(SET, &[&hash]), &content, &certificates, &write(SET, &[&signer])],
        );
        let token = write(SEQUENCE, &[&oid(SIGNED_DATA), &write(constructed(0), &[&signed])]);
        write(SEQUENCE, &[&write(SEQUENCE, &[&write(INTEGER, &[&[self.status]])]), &token])
    }
}
