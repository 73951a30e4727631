//! The leaf profile: the contents of a principal's certificate before it is signed. Pure.
//!
//! [`Leaf`] is written once; precertificate and certificate are the same bytes with another last extension, which is what
//! makes the log's timestamp hold for both (RFC 6962 §3.2). The profile is Fulcio's
//! (`verify::certificate::profile` is the same from the verifying side).

use crate::identity::Principal;
use chancery_daemon::authority::SERIAL_BYTES;
use chancery_verify::certificate::profile::{EXTENDED_KEY_USAGE_VALUE, KEY_USAGE_VALUE, MAX_LIFETIME_SECONDS};
use chancery_verify::certificate::{Certificate, Identity, SignatureAlgorithm, with_extension};
use chancery_verify::extension::{self, Claim};
use chancery_verify::sct::{self, SignedCertificateTimestamp};
use chancery_verify::{PublicKey, Rejection, Timestamp};
use der::asn1::{Any, Ia5String, ObjectIdentifier, OctetString, Utf8StringRef};
use der::oid::db::rfc5280::{
    ID_CE_AUTHORITY_KEY_IDENTIFIER, ID_CE_EXT_KEY_USAGE, ID_CE_KEY_USAGE, ID_CE_SUBJECT_ALT_NAME,
    ID_CE_SUBJECT_KEY_IDENTIFIER,
};
use der::{Decode as _, Encode as _, asn1::GeneralizedTime};
use signature::Keypair;
use spki::{DynSignatureAlgorithmIdentifier, EncodePublicKey, SubjectPublicKeyInfoOwned, SubjectPublicKeyInfoRef};
use std::time::Duration;
use x509_cert::builder::{self, Builder as _, CertificateBuilder, profile::BuilderProfile};
use x509_cert::ext::Extension;
use x509_cert::ext::pkix::name::{GeneralName, OtherName};
use x509_cert::ext::pkix::{AuthorityKeyIdentifier, SubjectAltName, SubjectKeyIdentifier};
use x509_cert::name::Name;
use x509_cert::serial_number::SerialNumber;
use x509_cert::time::{Time, Validity};
use x509_cert::{TbsCertificate, certificate::Rfc5280};

/// The contents of a leaf certificate, except its timestamps.
#[derive(Debug, Clone)]
pub struct Leaf {
    /// The `TBSCertificate` that carries no timestamp, in DER.
    tbs: Vec<u8>,
}

impl Leaf {
    /// Decides the leaf for `principal` and `key`, issued by the first of `chain` at `now`. It is valid for ten
    /// minutes, or less if a certificate of the chain expires sooner.
    ///
    /// # Errors
    /// [`Rejection::ChainExpired`] if the chain is not valid at `now`; [`Rejection::Profile`] if the principal has a
    /// value that a certificate cannot hold.
    pub fn new(
        principal: &Principal,
        key: &PublicKey,
        chain: &[Certificate],
        now: Timestamp,
        serial: [u8; SERIAL_BYTES],
    ) -> Result<Self, Rejection> {
        let issuer = chain.first().ok_or(Rejection::ChainIncomplete)?;
        let ends = chain.iter().map(|certificate| certificate.not_after().seconds());
        let end = ends.fold(now.seconds().saturating_add(MAX_LIFETIME_SECONDS), u64::min);
        if end <= now.seconds() || !chain.iter().all(|certificate| certificate.is_valid_at(now)) {
            return Err(Rejection::ChainExpired);
        }
        let unfit = |field| move |_| Rejection::Profile { field };
        let serial = SerialNumber::<Rfc5280>::new(&serial).map_err(unfit("serialNumber"))?;
        let validity = Validity::new(time(now.seconds())?, time(end)?);
        let subject_key = SubjectPublicKeyInfoOwned::from_der(key.spki_der()).map_err(unfit("subjectPublicKeyInfo"))?;
        let rendering = Rendering { issuer: issuer.subject(), extensions: extensions(principal, key, issuer)? };
        let builder = CertificateBuilder::new(rendering, serial, validity, subject_key);
        let tbs = builder.and_then(|mut builder| builder.finalize(&IssuerKey(issuer.public_key())));
        Ok(Self { tbs: tbs.map_err(|_| Rejection::CertificateMalformed)? })
    }

    /// Returns the bytes to sign for the precertificate.
    pub fn precertificate_tbs(&self) -> Result<Vec<u8>, Rejection> {
        self.with(&extension(extension::POISON, true, extension::POISON_VALUE.to_vec())?)
    }

    /// Returns the bytes to sign for the certificate with `sct`.
    pub fn certificate_tbs(&self, sct: &SignedCertificateTimestamp) -> Result<Vec<u8>, Rejection> {
        let list = sct::list_to_extension(std::slice::from_ref(sct))?;
        self.with(&extension(extension::SCT_LIST, false, list)?)
    }

    /// Returns the bytes to sign for a certificate without a timestamp. For the other certificates, timestamps are over
    /// these bytes.
    #[must_use]
    pub fn plain_tbs(&self) -> &[u8] {
        &self.tbs
    }

    fn with(&self, last: &Extension) -> Result<Vec<u8>, Rejection> {
        let last = last.to_der().map_err(|_| Rejection::CertificateMalformed)?;
        with_extension(&self.tbs, &last)
    }
}

fn time(seconds: u64) -> Result<Time, Rejection> {
    // The builder writes UTCTime up to 2049, as RFC 5280 §4.1.2.5 requires.
    let time = GeneralizedTime::from_unix_duration(Duration::from_secs(seconds));
    time.map(Time::GeneralTime).map_err(|_| Rejection::Profile { field: "validity" })
}

fn extension(extn_id: ObjectIdentifier, critical: bool, value: Vec<u8>) -> Result<Extension, Rejection> {
    let extn_value = OctetString::new(value).map_err(|_| Rejection::Profile { field: "extensions" })?;
    Ok(Extension { extn_id, critical, extn_value })
}

/// All extensions except the last, in Fulcio's order.
fn extensions(principal: &Principal, key: &PublicKey, issuer: &Certificate) -> Result<Vec<Extension>, Rejection> {
    let encoded = |value: der::Result<Vec<u8>>, field| value.map_err(|_| Rejection::Profile { field });
    let key_identifier = |bytes: &[u8]| OctetString::new(bytes.to_vec());
    let own = key_identifier(&key.key_identifier()).and_then(|id| SubjectKeyIdentifier(id).to_der());
    let authority = issuer.subject_key_identifier()?.ok_or(Rejection::Profile { field: "authorityKeyIdentifier" })?;
    let authority = key_identifier(&authority).and_then(|id| {
        AuthorityKeyIdentifier { key_identifier: Some(id), ..AuthorityKeyIdentifier::default() }.to_der()
    });
    let names = name(&principal.identity).and_then(|name| SubjectAltName(vec![name]).to_der());
    let mut extensions = vec![
        extension(ID_CE_KEY_USAGE, true, KEY_USAGE_VALUE.to_vec())?,
        extension(ID_CE_EXT_KEY_USAGE, false, EXTENDED_KEY_USAGE_VALUE.to_vec())?,
        extension(ID_CE_SUBJECT_KEY_IDENTIFIER, false, encoded(own, "subjectKeyIdentifier")?)?,
        extension(ID_CE_AUTHORITY_KEY_IDENTIFIER, false, encoded(authority, "authorityKeyIdentifier")?)?,
        extension(ID_CE_SUBJECT_ALT_NAME, true, encoded(names, "subjectAltName")?)?,
    ];
    for claim in Claim::ALL {
        let value = match claim {
            Claim::IssuerV1 | Claim::Issuer => Some(&principal.issuer),
            Claim::TokenSubject => Some(&principal.subject),
            other => principal.claims.get(other),
        };
        if let Some(value) = value {
            extensions.push(extension(claim.oid(), false, claim.encode(value)?)?);
        }
    }
    Ok(extensions)
}

fn name(identity: &Identity) -> der::Result<GeneralName> {
    Ok(match identity {
        Identity::Email(email) => GeneralName::Rfc822Name(Ia5String::new(email)?),
        Identity::Uri(uri) => GeneralName::UniformResourceIdentifier(Ia5String::new(uri)?),
        Identity::Username(name) => GeneralName::OtherName(OtherName {
            type_id: extension::OTHER_NAME_USERNAME,
            value: Any::from(Utf8StringRef::new(name)?),
        }),
    })
}

/// Names and extensions in the form that x509-cert's builder takes.
struct Rendering<'a> {
    issuer: &'a Name,
    extensions: Vec<Extension>,
}

impl BuilderProfile for Rendering<'_> {
    fn get_issuer(&self, _subject: &Name) -> Name {
        self.issuer.clone()
    }

    fn get_subject(&self) -> Name {
        Name::default()
    }

    fn build_extensions(
        &self,
        _subject_key: SubjectPublicKeyInfoRef<'_>,
        _issuer_key: SubjectPublicKeyInfoRef<'_>,
        _tbs: &TbsCertificate,
    ) -> builder::Result<Vec<Extension>> {
        Ok(self.extensions.clone())
    }
}

/// The issuer in the form that x509-cert's builder takes: a public key and its signature algorithm.
#[derive(Clone)]
struct IssuerKey<'a>(&'a PublicKey);

impl Keypair for IssuerKey<'_> {
    type VerifyingKey = Self;

    fn verifying_key(&self) -> Self {
        self.clone()
    }
}

impl EncodePublicKey for IssuerKey<'_> {
    fn to_public_key_der(&self) -> spki::Result<der::Document> {
        Ok(der::Document::try_from(self.0.spki_der())?)
    }
}

impl DynSignatureAlgorithmIdentifier for IssuerKey<'_> {
    fn signature_algorithm_identifier(&self) -> spki::Result<spki::AlgorithmIdentifierOwned> {
        Ok(SignatureAlgorithm::for_key(self.0.kind()).identifier())
    }
}
