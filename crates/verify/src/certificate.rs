//! X.509 certificates as Fulcio-compatible authorities issue them (RFC 5280; Fulcio's certificate specification).
//!
//! [`Certificate`] is a strictly parsed certificate. [`chain`] verifies chains. With the feature `issue`, `profile`
//! checks that a leaf has exactly the form that our authority issues, and `request` parses signing requests. Not here:
//! revocation (ten-minute certificates have none), name constraints (refused as unknown critical extensions), policies.

pub mod algorithm;
pub mod chain;
mod foreign;
mod precertificate;
#[cfg(feature = "issue")]
pub mod profile;
#[cfg(feature = "issue")]
pub mod request;
mod tbs;
mod unverified;

pub use algorithm::SignatureAlgorithm;
pub use chain::{verify_authority, verify_chain, verify_is_ca, verify_issued_by, verify_path};
pub(crate) use foreign::Foreign;
pub use precertificate::FinalIssuer;
pub(crate) use precertificate::unverified_precertificate_has_entry;
#[cfg(feature = "issue")]
pub use profile::{verify_profile, verify_profile_without_sct};
#[cfg(feature = "issue")]
pub use request::Request;
#[cfg(feature = "issue")]
pub use tbs::with_extension;
pub(crate) use unverified::{NameKind, SubjectName, Unverified};

use crate::extension::{Claim, OTHER_NAME_USERNAME, POISON, POISON_VALUE, SCT_LIST};
use crate::sct::{self, LogEntry, SignedCertificateTimestamp};
use crate::{PublicKey, Rejection, Timestamp, pem};
use const_oid::{AssociatedOid, ObjectIdentifier};
use der::asn1::Utf8StringRef;
use der::{Decode as _, Encode as _};
use std::collections::BTreeSet;
use std::fmt;
use x509_cert::ext::Extension;
use x509_cert::ext::pkix::name::{DirectoryString, GeneralName};
use x509_cert::ext::pkix::{AuthorityKeyIdentifier, SubjectAltName, SubjectKeyIdentifier};
use x509_cert::name::Name;
use x509_cert::{TbsCertificate, certificate::Version, time::Time};

/// Maximum certificates in a chain, leaf included. More than any Sigstore authority has, and few enough to check all.
pub const MAX_CHAIN: usize = 10;
/// Maximum bytes of a certificate. The largest leaf of a CI provider has about 4 KiB.
const MAX_CERTIFICATE_BYTES: usize = 64 * 1024;
/// The certificate is larger than [`MAX_CERTIFICATE_BYTES`].
const TOO_LARGE: Rejection = Rejection::CertificateForm { fault: "it is larger than 64 KiB" };
/// The signed part names another signature algorithm than the certificate.
const TWO_ALGORITHMS: Rejection = Rejection::CertificateForm { fault: "it names two signature algorithms" };
/// RFC 5280 §4.2: a certificate has one instance of an extension.
const EXTENSION_TWICE: Rejection = Rejection::CertificateForm { fault: "it has an extension twice" };
/// An extension of RFC 5280 does not have the contents that its identifier requires.
const UNREADABLE_EXTENSION: Rejection = Rejection::CertificateForm { fault: "an extension of it cannot be read" };

/// The identity of a leaf certificate: its one subject alternative name.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Identity {
    /// `rfc822Name`.
    Email(String),
    /// `uniformResourceIdentifier`.
    Uri(String),
    /// `otherName` of Fulcio's type for usernames.
    Username(String),
}

impl Identity {
    /// The name as text, without its kind.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Email(name) | Self::Uri(name) | Self::Username(name) => name,
        }
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A certificate in DER, parsed strictly: version 3, one signature algorithm, a usable public key, no extension twice.
/// Its signature is not verified yet.
#[derive(Clone)]
pub struct Certificate {
    der: Vec<u8>,
    tbs_der: Vec<u8>,
    parsed: x509_cert::Certificate,
    algorithm: SignatureAlgorithm,
    public_key: PublicKey,
}

impl Certificate {
    /// Parses exactly one certificate.
    ///
    /// # Errors
    /// [`Rejection::CertificateMalformed`], [`Rejection::CertificateForm`], [`Rejection::AlgorithmNotAllowed`] for a
    /// signature algorithm that is not in [`SignatureAlgorithm`], or an error of [`PublicKey::from_spki_der`].
    pub fn from_der(der: &[u8]) -> Result<Self, Rejection> {
        if der.len() > MAX_CERTIFICATE_BYTES {
            return Err(TOO_LARGE);
        }
        let parsed = x509_cert::Certificate::from_der(der).map_err(|_| why_not_strict(der))?;
        // Bits that are not used are part of no signature, and could differ.
        if parsed.signature().as_bytes().is_none() {
            return Err(Rejection::CertificateMalformed);
        }
        let tbs = parsed.tbs_certificate();
        if tbs.version() != Version::V3 {
            return Err(Rejection::CertificateForm { fault: "it is not of X.509 version 3" });
        }
        if tbs.signature() != parsed.signature_algorithm() {
            return Err(TWO_ALGORITHMS);
        }
        if has_an_extension_twice(extensions(tbs)) {
            return Err(EXTENSION_TWICE);
        }
        let algorithm = SignatureAlgorithm::from_identifier(tbs.signature())?;
        let spki = tbs.subject_public_key_info().to_der().map_err(|_| Rejection::KeyMalformed)?;
        let public_key = PublicKey::from_spki_der(&spki)?;
        Ok(Self { der: der.to_vec(), tbs_der: tbs::signed_part(der)?.to_vec(), parsed, algorithm, public_key })
    }

    /// Parses the first block of a PEM text, which must be a certificate.
    pub fn from_pem(text: &[u8]) -> Result<Self, Rejection> {
        let block = pem::decode(text)?;
        if block.label == pem::CERTIFICATE { Self::from_der(&block.der) } else { Err(Rejection::Pem) }
    }

    /// Parses a PEM chain of at most [`MAX_CHAIN`] certificates, in the order of the text.
    pub fn chain_from_pem(text: &[u8]) -> Result<Vec<Self>, Rejection> {
        let certificate = |block: pem::Block| {
            if block.label == pem::CERTIFICATE { Self::from_der(&block.der) } else { Err(Rejection::Pem) }
        };
        pem::decode_all(text, MAX_CHAIN)?.into_iter().map(certificate).collect()
    }

    /// The certificate in DER, as it was parsed.
    #[must_use]
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// The certificate as a PEM block, with a trailing newline.
    #[must_use]
    pub fn to_pem(&self) -> String {
        pem::encode(pem::CERTIFICATE, &self.der)
    }

    /// The `TBSCertificate` with the original bytes, which the issuer signed.
    #[must_use]
    pub fn tbs_der(&self) -> &[u8] {
        &self.tbs_der
    }

    /// The `TBSCertificate`, parsed.
    #[must_use]
    pub fn tbs(&self) -> &TbsCertificate {
        self.parsed.tbs_certificate()
    }

    /// The algorithm of the issuer's signature.
    #[must_use]
    pub const fn signature_algorithm(&self) -> SignatureAlgorithm {
        self.algorithm
    }

    /// The subject's key.
    #[must_use]
    pub const fn public_key(&self) -> &PublicKey {
        &self.public_key
    }

    /// The subject's name. Empty in leaf certificates.
    #[must_use]
    pub fn subject(&self) -> &Name {
        self.tbs().subject()
    }

    /// Organization and common name of the subject. Each is empty if the subject has none.
    #[must_use]
    pub fn subject_names(&self) -> (String, String) {
        let text = |value: der::Result<Option<DirectoryString>>| match value {
            Ok(Some(DirectoryString::Utf8String(text))) => text,
            Ok(Some(DirectoryString::PrintableString(text))) => text.to_string(),
            _ => String::new(),
        };
        (text(self.subject().organization()), text(self.subject().common_name()))
    }

    /// The issuer's name.
    #[must_use]
    pub fn issuer(&self) -> &Name {
        self.tbs().issuer()
    }

    /// First moment of validity.
    #[must_use]
    pub fn not_before(&self) -> Timestamp {
        moment(self.tbs().validity().not_before)
    }

    /// Last moment of validity, inclusive (RFC 5280 §4.1.2.5).
    #[must_use]
    pub fn not_after(&self) -> Timestamp {
        moment(self.tbs().validity().not_after)
    }

    /// Returns whether the certificate is valid at `now`, at its resolution of one second.
    #[must_use]
    pub fn is_valid_at(&self, now: Timestamp) -> bool {
        (self.not_before().seconds()..=self.not_after().seconds()).contains(&now.seconds())
    }

    /// All extensions in their order.
    #[must_use]
    pub fn extensions(&self) -> &[Extension] {
        extensions(self.tbs())
    }

    /// The extension with this identifier.
    #[must_use]
    pub fn extension(&self, oid: ObjectIdentifier) -> Option<&Extension> {
        self.extensions().iter().find(|extension| extension.extn_id == oid)
    }

    /// Decodes an extension of RFC 5280. An extension that cannot be decoded is an error, not a missing one.
    pub(crate) fn decode<'a, T>(&'a self) -> Result<Option<T>, Rejection>
    where
        T: AssociatedOid + der::Decode<'a>,
    {
        self.extension(T::OID)
            .map(|extension| T::from_der(extension.extn_value.as_bytes()).map_err(|_| UNREADABLE_EXTENSION))
            .transpose()
    }

    /// The subject key identifier.
    pub fn subject_key_identifier(&self) -> Result<Option<Vec<u8>>, Rejection> {
        Ok(self.decode::<SubjectKeyIdentifier>()?.map(|identifier| identifier.0.into_bytes().into_vec()))
    }

    /// The authority key identifier.
    pub fn authority_key_identifier(&self) -> Result<Option<Vec<u8>>, Rejection> {
        let identifier = self.decode::<AuthorityKeyIdentifier>()?.and_then(|authority| authority.key_identifier);
        Ok(identifier.map(|identifier| identifier.into_bytes().into_vec()))
    }

    /// The identity of the certificate.
    ///
    /// # Errors
    /// [`Rejection::Profile`] unless there is exactly one subject alternative name, of a kind in [`Identity`].
    pub fn identity(&self) -> Result<Identity, Rejection> {
        let refused = Rejection::Profile { field: "subjectAltName" };
        let names = self.decode::<SubjectAltName>()?.ok_or(refused)?.0;
        let [name] = names.as_slice() else { return Err(refused) };
        match name {
            GeneralName::Rfc822Name(email) => Ok(Identity::Email(email.as_str().to_owned())),
            GeneralName::UniformResourceIdentifier(uri) => Ok(Identity::Uri(uri.as_str().to_owned())),
            GeneralName::OtherName(other) if other.type_id == OTHER_NAME_USERNAME => other
                .value
                .decode_as::<Utf8StringRef<'_>>()
                .map(|name| Identity::Username(name.as_str().to_owned()))
                .map_err(|_| refused),
            _ => Err(refused),
        }
    }

    /// The value of `claim`. `None` if the certificate does not have it.
    pub fn claim(&self, claim: Claim) -> Result<Option<String>, Rejection> {
        self.extension(claim.oid()).map(|extension| claim.decode(extension.extn_value.as_bytes())).transpose()
    }

    /// The OIDC issuer of the identity: from the new extension, or from the old one if the new one is missing.
    ///
    /// # Errors
    /// [`Rejection::Profile`] if the certificate has neither.
    pub fn issuer_claim(&self) -> Result<String, Rejection> {
        let issuer = match self.claim(Claim::Issuer)? {
            Some(issuer) => Some(issuer),
            None => self.claim(Claim::IssuerV1)?,
        };
        issuer.ok_or(Rejection::Profile { field: Claim::Issuer.name() })
    }

    /// The embedded SCTs.
    ///
    /// # Errors
    /// [`Rejection::SctMissing`] if there are none.
    pub fn scts(&self) -> Result<Vec<SignedCertificateTimestamp>, Rejection> {
        let extension = self.extension(SCT_LIST).ok_or(Rejection::SctMissing)?;
        sct::list_from_extension(extension.extn_value.as_bytes())
    }

    /// Returns whether this is a precertificate.
    ///
    /// # Errors
    /// [`Rejection::SctPoison`] if the poison is not critical or not NULL.
    pub fn is_precertificate(&self) -> Result<bool, Rejection> {
        match self.extension(POISON) {
            None => Ok(false),
            Some(poison) if poison.critical && poison.extn_value.as_bytes() == POISON_VALUE => Ok(true),
            Some(_) => Err(Rejection::SctPoison),
        }
    }

    /// The `TBSCertificate` of a precertificate without its poison (RFC 6962 §3.2), cut out of the original bytes.
    ///
    /// # Errors
    /// [`Rejection::SctPoison`] if it is not a precertificate.
    pub fn precertificate_tbs(&self) -> Result<Vec<u8>, Rejection> {
        if self.is_precertificate()? {
            tbs::without_extension(&self.tbs_der, POISON)
        } else {
            Err(Rejection::SctPoison)
        }
    }

    /// The `TBSCertificate` of a certificate without its SCT list. It has the same bytes as
    /// [`Self::precertificate_tbs`] of the precertificate.
    ///
    /// # Errors
    /// [`Rejection::SctMissing`] without such a list, [`Rejection::SctPoison`] for a precertificate.
    pub fn tbs_without_sct_list(&self) -> Result<Vec<u8>, Rejection> {
        if self.is_precertificate()? {
            return Err(Rejection::SctPoison);
        }
        self.extension(SCT_LIST).ok_or(Rejection::SctMissing)?;
        tbs::without_extension(&self.tbs_der, SCT_LIST)
    }

    /// The entry that an embedded SCT signs, for a certificate issued by `issuer`. Also works on a precertificate that
    /// `issuer` itself signed. [`FinalIssuer`] has the entry of any precertificate.
    pub fn precert_entry(&self, issuer: &PublicKey) -> Result<LogEntry, Rejection> {
        let tbs = if self.is_precertificate()? { self.precertificate_tbs()? } else { self.tbs_without_sct_list()? };
        Ok(LogEntry::Precert { issuer_key_hash: issuer.fingerprint(), tbs })
    }

    /// Checks the issuer's signature, with the hash that the certificate names.
    pub fn verify_signed_by(&self, issuer: &PublicKey) -> Result<(), Rejection> {
        let signature = self.parsed.signature().as_bytes().ok_or(Rejection::ChainSignature)?;
        self.algorithm.verify(issuer, &self.tbs_der, signature).map_err(|_| Rejection::ChainSignature)
    }
}

impl PartialEq for Certificate {
    fn eq(&self, other: &Self) -> bool {
        self.der == other.der
    }
}

impl Eq for Certificate {}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Certificate({}, {:?})", self.subject(), self.public_key)
    }
}

/// The reason why these bytes are no certificate of RFC 5280.
fn why_not_strict(der: &[u8]) -> Rejection {
    let fault = "a field of it is not as RFC 5280 requires, for example a serial number of more than 20 bytes";
    Foreign::from_der(der).err().unwrap_or(Rejection::CertificateForm { fault })
}

fn extensions(tbs: &TbsCertificate) -> &[Extension] {
    tbs.extensions().map_or(&[], Vec::as_slice)
}

fn has_an_extension_twice(extensions: &[Extension]) -> bool {
    let mut seen = BTreeSet::new();
    !extensions.iter().all(|extension| seen.insert(extension.extn_id))
}

fn moment(time: Time) -> Timestamp {
    Timestamp::from_seconds(time.to_unix_duration().as_secs())
}
