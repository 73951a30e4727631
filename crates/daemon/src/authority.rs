//! Certificates that an authority makes once, for itself: roots, and what they issue to the authority's own keys.
//!
//! rcgen encodes them. The private keys stay in their [`Signer`], which gets the bytes to sign. Each authority decides
//! what its certificates are for and where they are kept.

use crate::random::Random;
use crate::signer::{Signer, SignerError};
use chancery_verify::certificate::{Certificate, SignatureAlgorithm};
use chancery_verify::given::ChainFault;
use chancery_verify::{PublicKey, Rejection, Timestamp, pem};
use der::asn1::{AnyRef, BitStringRef};
use der::{Encode as _, Tag};
use rcgen::{
    CertificateParams, DistinguishedName, DnType, Issuer, KeyIdMethod, PublicKeyData, SerialNumber, SigningKey,
    SubjectPublicKeyInfo,
};
use std::cell::RefCell;
use time::OffsetDateTime;

/// Bytes of a serial number.
pub const SERIAL_BYTES: usize = 20;
/// X.520's upper bound for an organization's name, in characters.
const MAX_ORGANIZATION: usize = 64;

/// Why a certificate cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum AuthorityError {
    /// The name of the organization does not fit into a certificate.
    #[error("the organization must have 1 to {MAX_ORGANIZATION} characters and no control characters")]
    Organization,
    /// The certificate or chain, made or given, would be refused by clients.
    #[error("the certificate chain is refused: {0} ({code})", code = .0.code())]
    Refused(#[from] Rejection),
    /// A chain that another authority made cannot be used.
    #[error(transparent)]
    Given(#[from] ChainFault),
    /// The root ends so soon that nothing can be issued below it any more.
    #[error("the root ends at {}, before anything below it could be used; make a new root", .0.rfc3339())]
    RootEnds(Timestamp),
    /// The chain's first certificate has another public key than the given key.
    #[error("the first certificate of the chain is for another key than the one given")]
    OtherKey,
    /// rcgen failed to encode it.
    #[error("the certificate cannot be made: {0}")]
    Encoding(#[from] rcgen::Error),
    /// The key failed to sign it.
    #[error(transparent)]
    Signer(#[from] SignerError),
}

/// Draws a serial number: 158 random bits, positive, and never shorter than its 20 bytes.
#[must_use]
pub fn serial_number(random: &dyn Random) -> [u8; SERIAL_BYTES] {
    let mut serial = [0; SERIAL_BYTES];
    random.fill(&mut serial);
    // The top bit is the sign; the next one keeps the first byte from being a zero that DER would drop.
    serial[0] = serial[0] & 0x7f | 0x40;
    serial
}

/// Assembles a signed certificate, in DER, from the signed part and the signature.
///
/// # Errors
/// [`Rejection::CertificateMalformed`] if the parts are not DER.
pub fn assemble(tbs: &[u8], algorithm: SignatureAlgorithm, signature: &[u8]) -> Result<Vec<u8>, Rejection> {
    let encode = || -> der::Result<Vec<u8>> {
        let algorithm = algorithm.identifier().to_der()?;
        let signature = BitStringRef::from_bytes(signature)?.to_der()?;
        AnyRef::new(Tag::Sequence, &[tbs, &algorithm, &signature].concat())?.to_der()
    };
    encode().map_err(|_| Rejection::CertificateMalformed)
}

/// The parameters common to all certificates of an authority: name, key identifier, serial number, and a validity of
/// `lifetime_seconds` from `start`.
///
/// # Errors
/// [`AuthorityError::Organization`].
pub fn parameters(
    organization: &str,
    common_name: &str,
    key: &PublicKey,
    random: &dyn Random,
    (start, lifetime_seconds): (Timestamp, u64),
) -> Result<CertificateParams, AuthorityError> {
    check_organization(organization)?;
    let mut name = DistinguishedName::new();
    name.push(DnType::OrganizationName, organization);
    name.push(DnType::CommonName, common_name);
    let mut parameters = CertificateParams::default();
    parameters.distinguished_name = name;
    parameters.serial_number = Some(SerialNumber::from_slice(&serial_number(random)));
    parameters.key_identifier_method = KeyIdMethod::PreSpecified(key.key_identifier().to_vec());
    parameters.not_before = moment(start);
    parameters.not_after = moment(start.plus_seconds(lifetime_seconds));
    Ok(parameters)
}

/// The end of the name of an authority of a later `generation`: from the second one on, names include it, because some clients look
/// for an issuer by its name alone.
#[must_use]
pub fn suffix(generation: u64) -> String {
    if generation > 1 { format!(" G{generation}") } else { String::new() }
}

/// How long a certificate that is made `now` below `root` may be valid: `seconds`, or as long as the root is.
///
/// # Errors
/// [`AuthorityError::RootEnds`].
pub fn lifetime_below(root: &Certificate, seconds: u64, now: Timestamp) -> Result<u64, AuthorityError> {
    match root.not_after().seconds().saturating_sub(now.seconds()) {
        0 => Err(AuthorityError::RootEnds(root.not_after())),
        left => Ok(left.min(seconds)),
    }
}

/// Checks that certificates can name this organization.
///
/// # Errors
/// [`AuthorityError::Organization`].
pub fn check_organization(organization: &str) -> Result<(), AuthorityError> {
    let fits = (1..=MAX_ORGANIZATION).contains(&organization.chars().count());
    if !fits || organization.chars().any(char::is_control) || organization.trim().is_empty() {
        return Err(AuthorityError::Organization);
    }
    Ok(())
}

/// Converts a time to rcgen's type. A time past the year 9999 becomes the epoch, which no check accepts.
fn moment(time: Timestamp) -> OffsetDateTime {
    let seconds = i64::try_from(time.seconds()).unwrap_or_default();
    OffsetDateTime::from_unix_timestamp(seconds).unwrap_or(OffsetDateTime::UNIX_EPOCH)
}

/// Makes a certificate for `subject` issued by `issuer`: rcgen encodes it and `signer` signs it.
pub async fn sign(
    parameters: &CertificateParams,
    subject: &PublicKey,
    issuer: &CertificateParams,
    signer: &Signer,
) -> Result<Certificate, AuthorityError> {
    let tbs = {
        let capture = Capture::new(signer.public_key())?;
        let subject = SubjectPublicKeyInfo::from_der(subject.spki_der())?;
        parameters.signed_by(&subject, &Issuer::from_params(issuer, &capture))?;
        capture.message.into_inner()
    };
    let signature = signer.sign(&tbs).await?;
    let algorithm = SignatureAlgorithm::for_key(signer.public_key().kind());
    Ok(Certificate::from_der(&assemble(&tbs, algorithm, &signature)?)?)
}

/// Makes a certificate signing request (PKCS#10, RFC 2986), in PEM, that asks another authority for a certificate with the
/// names, usages and extensions of `parameters`.
pub async fn request(parameters: &CertificateParams, signer: &Signer) -> Result<String, AuthorityError> {
    // What a request cannot have; whoever issues decides it.
    let mut parameters = parameters.clone();
    (parameters.serial_number, parameters.use_authority_key_identifier_extension) = (None, false);
    let signed = {
        let capture = Capture::new(signer.public_key())?;
        parameters.serialize_request(&capture)?;
        capture.message.into_inner()
    };
    let signature = signer.sign(&signed).await?;
    let algorithm = SignatureAlgorithm::for_key(signer.public_key().kind());
    // The same three parts as in a certificate.
    Ok(pem::encode("CERTIFICATE REQUEST", &assemble(&signed, algorithm, &signature)?))
}

/// Stands in for the issuer's key: keeps the bytes to sign and signs nothing, because rcgen cannot wait for an async
/// signer.
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
