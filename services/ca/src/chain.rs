//! The authority's own certificates: a root that signs once and an intermediate that issues.
//!
//! Names, lifetimes and extensions follow Fulcio's certificate specification. [`chancery_daemon::authority`] makes the
//! certificates. The caller stores them. The root may also be another organisation's: then there is a request for the
//! intermediate, and the chain that comes back is checked and explained.

use chancery_daemon::authority::{self, AuthorityError};
use chancery_daemon::random::Random;
use chancery_daemon::signer::Signer;
use chancery_verify::certificate::{Certificate, verify_authority};
use chancery_verify::given::{Purpose, verify_given, verify_start};
use chancery_verify::{PublicKey, Timestamp};
use rcgen::{BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, KeyUsagePurpose};

/// Ten years of 365 days.
const ROOT_LIFETIME_SECONDS: u64 = 10 * 365 * 86_400;
/// Three years of 365 days.
const ISSUING_LIFETIME_SECONDS: u64 = 3 * 365 * 86_400;

/// The authority's certificates, checked: issuing certificate first, self-signed root last.
#[derive(Debug, Clone)]
pub struct IssuingChain {
    /// At least one: `verify_authority` refuses an empty chain.
    certificates: Vec<Certificate>,
}

impl IssuingChain {
    /// Makes a root and an intermediate for two new keys. The root's key is not needed again. From the second
    /// `generation` on the names include it: some clients look for an issuer by its name alone.
    pub async fn create(
        organization: &str,
        generation: u64,
        root: &Signer,
        issuing: &Signer,
        random: &dyn Random,
        now: Timestamp,
    ) -> Result<Self, AuthorityError> {
        let key = root.public_key();
        let name = format!("{organization}{}", authority::suffix(generation));
        let validity = (now, ROOT_LIFETIME_SECONDS);
        let above = issuer(authority::parameters(organization, &name, key, random, validity)?, 1);
        let root_certificate = authority::sign(&above, key, &above, root).await?;

        let (key, validity) = (issuing.public_key(), (now, ISSUING_LIFETIME_SECONDS));
        let below = intermediate(organization, generation, key, random, validity)?;
        let certificate = authority::sign(&below, key, &above, root).await?;
        Self::checked(vec![certificate, root_certificate], key, now)
    }

    /// Makes an intermediate for another key below the root of this chain, whose key is `root`. It does not outlive the
    /// root.
    ///
    /// # Errors
    /// [`AuthorityError::RootEnds`], [`AuthorityError::Refused`] if `root` is another key, or [`AuthorityError::Given`] if the
    /// root was made elsewhere and is not named as our certificates name it.
    pub async fn renewed(
        &self,
        generation: u64,
        root: &Signer,
        issuing: &Signer,
        random: &dyn Random,
        now: Timestamp,
    ) -> Result<Self, AuthorityError> {
        let certificate = self.root();
        let (organization, name) = certificate.subject_names();
        let lifetime = authority::lifetime_below(certificate, ISSUING_LIFETIME_SECONDS, now)?;
        // Of the issuer, only its names and its key's identifier are in what it issues.
        let above = authority::parameters(&organization, &name, root.public_key(), random, (now, lifetime))?;
        let key = issuing.public_key();
        let below = intermediate(&organization, generation, key, random, (now, lifetime))?;
        let made = authority::sign(&below, key, &above, root).await?;
        let chain = Self::checked(vec![made, certificate.clone()], key, now)?;
        Self::given(chain.to_pem().as_bytes(), key, now)
    }

    /// Asks another authority for the certificate of `issuing`: a signing request (PKCS#10) in PEM.
    pub async fn request(
        organization: &str,
        generation: u64,
        issuing: &Signer,
        random: &dyn Random,
    ) -> Result<String, AuthorityError> {
        // Who issues decides the validity.
        let validity = (Timestamp::from_seconds(0), ISSUING_LIFETIME_SECONDS);
        let parameters = intermediate(organization, generation, issuing.public_key(), random, validity)?;
        authority::request(&parameters, issuing).await
    }

    /// Takes the chain that another authority made for the key that will issue, in any order, and explains what is wrong
    /// with it.
    pub fn given(text: &[u8], key: &PublicKey, now: Timestamp) -> Result<Self, AuthorityError> {
        Self::checked(verify_given(Purpose::CodeSigning, text, key, now)?, key, now)
    }

    /// Loads an existing chain for the key that will issue: PEM, issuing certificate first, root last.
    pub fn from_pem(text: &[u8], key: &PublicKey, now: Timestamp) -> Result<Self, AuthorityError> {
        Self::checked(Certificate::chain_from_pem(text)?, key, now)
    }

    fn checked(certificates: Vec<Certificate>, key: &PublicKey, now: Timestamp) -> Result<Self, AuthorityError> {
        verify_authority(&certificates, now)?;
        if certificates.first().map(Certificate::public_key) == Some(key) {
            Ok(Self { certificates })
        } else {
            Err(AuthorityError::OtherKey)
        }
    }

    /// Loads a chain that no longer issues, or does not issue yet: as [`Self::from_pem`], but for any key and any
    /// validity.
    pub fn inactive_from_pem(text: &[u8]) -> Result<Self, AuthorityError> {
        let certificates = Certificate::chain_from_pem(text)?;
        // In the words of `Self::given`, which refuses the same.
        verify_start(&certificates)?;
        let issuing = Certificate::from_pem(text)?;
        Self::checked(certificates, issuing.public_key(), issuing.not_before())
    }

    /// Returns the certificate whose key signs leaves.
    #[must_use]
    pub fn issuing(&self) -> &Certificate {
        &self.certificates[0]
    }

    /// The self-signed certificate that clients trust.
    #[must_use]
    pub fn root(&self) -> &Certificate {
        &self.certificates[self.certificates.len() - 1]
    }

    /// When the first of these certificates expires. Issuing stops then.
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

/// The parameters of the certificate that issues.
fn intermediate(
    organization: &str,
    generation: u64,
    key: &PublicKey,
    random: &dyn Random,
    validity: (Timestamp, u64),
) -> Result<CertificateParams, AuthorityError> {
    let name = format!("{organization} intermediate{}", authority::suffix(generation));
    let mut parameters = issuer(authority::parameters(organization, &name, key, random, validity)?, 0);
    parameters.extended_key_usages = vec![ExtendedKeyUsagePurpose::CodeSigning];
    parameters.use_authority_key_identifier_extension = true;
    Ok(parameters)
}

/// The parameters common to root and intermediate.
fn issuer(mut parameters: CertificateParams, path_length: u8) -> CertificateParams {
    parameters.is_ca = IsCa::Ca(BasicConstraints::Constrained(path_length));
    parameters.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    parameters
}
