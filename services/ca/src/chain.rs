//! The authority's own certificates: a root that signs once and an intermediate that issues.
//!
//! Names, lifetimes and extensions follow Fulcio's certificate specification. rcgen writes the certificates; the private
//! keys stay in their [`Signer`], which is handed what rcgen would have signed. Where the text of a chain is kept is the
//! caller's business.

use crate::profile;
use chancery_daemon::random::Random;
use chancery_daemon::signer::{Signer, SignerError};
use chancery_verify::certificate::{Certificate, SignatureAlgorithm, verify_authority};
use chancery_verify::{PublicKey, Rejection, Timestamp};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyIdMethod,
    KeyUsagePurpose, PublicKeyData, SerialNumber, SigningKey, SubjectPublicKeyInfo,
};
use std::cell::RefCell;
use time::OffsetDateTime;

/// Ten years of 365 days.
const ROOT_LIFETIME_SECONDS: u64 = 10 * 365 * 86_400;
/// Three years of 365 days.
const ISSUING_LIFETIME_SECONDS: u64 = 3 * 365 * 86_400;
/// X.520's upper bound for an organization's name, in characters.
const MAX_ORGANIZATION: usize = 64;

/// Why there is no usable chain.
#[derive(Debug, thiserror::Error)]
pub enum ChainError {
    /// The name of the organization does not fit into a certificate.
    #[error("the organization must have 1 to {MAX_ORGANIZATION} characters and no control characters")]
    Organization,
    /// The chain cannot issue leaves that clients accept.
    #[error("the certificate chain is refused: {0} ({code})", code = .0.code())]
    Refused(#[from] Rejection),
    /// The chain belongs to another key.
    #[error("the first certificate of the chain is for another key than the one given")]
    OtherKey,
    /// Not written.
    #[error("the certificate cannot be made: {0}")]
    Encoding(#[from] rcgen::Error),
    /// Not signed.
    #[error(transparent)]
    Signer(#[from] SignerError),
}

/// The certificates of the authority, checked: the one that issues leaves first, the self-signed root last.
#[derive(Debug, Clone)]
pub struct IssuingChain {
    /// At least one: `verify_authority` refuses an empty chain.
    certificates: Vec<Certificate>,
}

impl IssuingChain {
    /// Makes a root and an intermediate for two new keys. The root's key is not needed again. From the second `generation` on
    /// the names say which it is: some clients look for an issuer by its name alone.
    pub async fn create(
        organization: &str,
        generation: u64,
        root: &Signer,
        issuing: &Signer,
        random: &dyn Random,
        now: Timestamp,
    ) -> Result<Self, ChainError> {
        let fits = (1..=MAX_ORGANIZATION).contains(&organization.chars().count());
        if !fits || organization.chars().any(char::is_control) || organization.trim().is_empty() {
            return Err(ChainError::Organization);
        }
        let suffix = if generation > 1 { format!(" G{generation}") } else { String::new() };
        let key = root.public_key();
        let mut parameters = authority(organization, &format!("{organization}{suffix}"), key, random, 1);
        set_validity(&mut parameters, now, ROOT_LIFETIME_SECONDS);
        let root_certificate = sign(&parameters, key, &parameters, root).await?;

        let name = format!("{organization} intermediate{suffix}");
        let mut below = authority(organization, &name, issuing.public_key(), random, 0);
        below.extended_key_usages = vec![ExtendedKeyUsagePurpose::CodeSigning];
        below.use_authority_key_identifier_extension = true;
        set_validity(&mut below, now, ISSUING_LIFETIME_SECONDS);
        let certificate = sign(&below, issuing.public_key(), &parameters, root).await?;
        Self::checked(vec![certificate, root_certificate], issuing.public_key(), now)
    }

    /// Loads a chain that exists: PEM, issuing certificate first, root last, for the key that will issue.
    pub fn from_pem(text: &[u8], key: &PublicKey, now: Timestamp) -> Result<Self, ChainError> {
        Self::checked(Certificate::chain_from_pem(text)?, key, now)
    }

    fn checked(certificates: Vec<Certificate>, key: &PublicKey, now: Timestamp) -> Result<Self, ChainError> {
        verify_authority(&certificates, now)?;
        if certificates.first().map(Certificate::public_key) == Some(key) {
            Ok(Self { certificates })
        } else {
            Err(ChainError::OtherKey)
        }
    }

    /// Loads a chain that issues no more, or not yet: as [`Self::from_pem`], but for whatever key it names and at whatever
    /// time it began to count.
    pub fn inactive_from_pem(text: &[u8]) -> Result<Self, ChainError> {
        let issuing = Certificate::from_pem(text)?;
        Self::from_pem(text, issuing.public_key(), issuing.not_before())
    }

    /// Signs with `signer` and verifies with the issuing certificate: whether what it signs would verify.
    pub async fn verify_signer(&self, signer: &Signer) -> Result<(), ChainError> {
        let message = b"chancery: this signature shows that the issuing key and its certificate belong together";
        let signature = signer.sign(message).await?;
        self.issuing().public_key().verify(message, &signature).map_err(|_| ChainError::OtherKey)
    }

    /// Organization and common name in the subject of the issuing certificate; empty where it has none.
    #[must_use]
    pub fn subject(&self) -> (String, String) {
        self.issuing().subject_names()
    }

    /// The certificate whose key signs leaves.
    #[must_use]
    pub fn issuing(&self) -> &Certificate {
        &self.certificates[0]
    }

    /// The self-signed certificate that clients trust.
    #[must_use]
    pub fn root(&self) -> &Certificate {
        &self.certificates[self.certificates.len() - 1]
    }

    /// When the first of these certificates ends, and issuing with it.
    #[must_use]
    pub fn expires(&self) -> Timestamp {
        self.certificates.iter().map(Certificate::not_after).fold(self.issuing().not_after(), Timestamp::min)
    }

    /// All certificates, issuing certificate first.
    #[must_use]
    pub fn certificates(&self) -> &[Certificate] {
        &self.certificates
    }

    /// All certificates as PEM, issuing certificate first.
    #[must_use]
    pub fn to_pem(&self) -> String {
        self.certificates.iter().map(Certificate::to_pem).collect()
    }
}

/// What root and intermediate have in common.
fn authority(
    organization: &str,
    common_name: &str,
    key: &PublicKey,
    random: &dyn Random,
    path_length: u8,
) -> CertificateParams {
    let mut name = DistinguishedName::new();
    name.push(DnType::OrganizationName, organization);
    name.push(DnType::CommonName, common_name);
    let mut parameters = CertificateParams::default();
    parameters.distinguished_name = name;
    parameters.serial_number = Some(SerialNumber::from_slice(&profile::serial_number(random)));
    parameters.is_ca = IsCa::Ca(BasicConstraints::Constrained(path_length));
    parameters.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    parameters.key_identifier_method = KeyIdMethod::PreSpecified(key.key_identifier().to_vec());
    parameters
}

fn set_validity(parameters: &mut CertificateParams, now: Timestamp, lifetime_seconds: u64) {
    parameters.not_before = moment(now);
    parameters.not_after = moment(now.plus_seconds(lifetime_seconds));
}

/// A time as rcgen takes it; one past the year 9999 becomes the epoch, which no check accepts.
fn moment(time: Timestamp) -> OffsetDateTime {
    let seconds = i64::try_from(time.seconds()).unwrap_or_default();
    OffsetDateTime::from_unix_timestamp(seconds).unwrap_or(OffsetDateTime::UNIX_EPOCH)
}

/// Has rcgen write a certificate for `subject` in the name of `issuer`, and `signer` sign it.
async fn sign(
    parameters: &CertificateParams,
    subject: &PublicKey,
    issuer: &CertificateParams,
    signer: &Signer,
) -> Result<Certificate, ChainError> {
    let tbs = {
        let capture = Capture::new(signer.public_key())?;
        let subject = SubjectPublicKeyInfo::from_der(subject.spki_der())?;
        parameters.signed_by(&subject, &Issuer::from_params(issuer, &capture))?;
        capture.message.into_inner()
    };
    let signature = signer.sign(&tbs).await?;
    let algorithm = SignatureAlgorithm::for_key(signer.public_key().kind());
    Ok(Certificate::from_der(&profile::assemble(&tbs, algorithm, &signature)?)?)
}

/// Stands in for the issuer's key: keeps what it should sign and signs nothing, because rcgen cannot wait for a signer.
struct Capture {
    key: SubjectPublicKeyInfo,
    message: RefCell<Vec<u8>>,
}

impl Capture {
    fn new(key: &PublicKey) -> Result<Self, rcgen::Error> {
        Ok(Self { key: SubjectPublicKeyInfo::from_der(key.spki_der())?, message: RefCell::default() })
    }
}

impl PublicKeyData for Capture {
    fn der_bytes(&self) -> &[u8] {
        self.key.der_bytes()
    }

    fn algorithm(&self) -> &'static rcgen::SignatureAlgorithm {
        self.key.algorithm()
    }
}

impl SigningKey for Capture {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rcgen::Error> {
        self.message.replace(message.to_vec());
        Ok(Vec::new())
    }
}
