//! The authority's own certificates: a root that signs once, and a leaf that makes timestamps.
//!
//! Profile and lifetimes are those of Sigstore's public authority. There is no intermediate: an answer carries only the
//! leaf, and a client that knows the root must be able to verify it. They last ten years, because a timestamp is worth
//! something only while the certificates of its authority are trusted. A chain made elsewhere, for a request of ours, may
//! have intermediates.

use chancery_daemon::authority::{self, AuthorityError};
use chancery_daemon::random::Random;
use chancery_daemon::signer::Signer;
use chancery_verify::certificate::Certificate;
use chancery_verify::given::{Purpose, verify_given};
use chancery_verify::timestamping::asn1::{OCTET_STRING, write};
use chancery_verify::timestamping::{Authority, EXTENDED_KEY_USAGE_VALUE};
use chancery_verify::{PublicKey, Timestamp};
use const_oid::ObjectIdentifier;
use const_oid::db::rfc5280::{ID_CE_EXT_KEY_USAGE, ID_CE_SUBJECT_KEY_IDENTIFIER};
use rcgen::{BasicConstraints, CertificateParams, CustomExtension, IsCa, KeyUsagePurpose};

/// Ten years of 365 days.
const LIFETIME_SECONDS: u64 = 10 * 365 * 86_400;

/// Makes a root and a leaf for two new keys, both valid from `now`. The root's key is not needed again. From the second
/// `generation` on the names include it: some clients look for an issuer by its name alone.
pub async fn create(
    organization: &str,
    generation: u64,
    root: &Signer,
    leaf: &Signer,
    random: &dyn Random,
    now: Timestamp,
) -> Result<Authority, AuthorityError> {
    let (key, validity) = (root.public_key(), (now, LIFETIME_SECONDS));
    let name = format!("{organization} timestamp root{}", authority::suffix(generation));
    let mut above = authority::parameters(organization, &name, key, random, validity)?;
    above.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    above.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let root_certificate = authority::sign(&above, key, &above, root).await?;

    let key = leaf.public_key();
    let below = parameters(organization, generation, key, random, validity)?;
    let certificate = authority::sign(&below, key, &above, root).await?;
    checked(vec![certificate, root_certificate], key)
}

/// Makes a leaf for another key below the root of `known`, whose key is `root`. It does not outlive the root.
///
/// # Errors
/// [`AuthorityError::RootEnds`], [`AuthorityError::Refused`] if `root` is another key, or [`AuthorityError::Given`] if the root
/// was made elsewhere and is not named as our certificates name it.
pub async fn renewed(
    known: &Authority,
    generation: u64,
    root: &Signer,
    leaf: &Signer,
    random: &dyn Random,
    now: Timestamp,
) -> Result<Authority, AuthorityError> {
    // There are at least two certificates.
    let certificate = known.chain().last().unwrap_or(known.leaf());
    let (organization, name) = certificate.subject_names();
    let lifetime = authority::lifetime_below(certificate, LIFETIME_SECONDS, now)?;
    // Of the issuer, only its names and its key's identifier are in what it issues.
    let above = authority::parameters(&organization, &name, root.public_key(), random, (now, lifetime))?;
    let key = leaf.public_key();
    let below = parameters(&organization, generation, key, random, (now, lifetime))?;
    let made = authority::sign(&below, key, &above, root).await?;
    let authority = checked(vec![made, certificate.clone()], key)?;
    given(to_pem(&authority).as_bytes(), key, now)
}

/// Asks another authority for the certificate of `leaf`: a signing request (PKCS#10) in PEM.
pub async fn request(
    organization: &str,
    generation: u64,
    leaf: &Signer,
    random: &dyn Random,
) -> Result<String, AuthorityError> {
    // Who issues decides the validity.
    let validity = (Timestamp::from_seconds(0), LIFETIME_SECONDS);
    let parameters = parameters(organization, generation, leaf.public_key(), random, validity)?;
    authority::request(&parameters, leaf).await
}

/// Takes the chain that another authority made for the key that will sign, in any order, and explains what is wrong with it.
pub fn given(text: &[u8], key: &PublicKey, now: Timestamp) -> Result<Authority, AuthorityError> {
    checked(verify_given(Purpose::Timestamping, text, key, now)?, key)
}

/// The parameters of the leaf.
fn parameters(
    organization: &str,
    generation: u64,
    key: &PublicKey,
    random: &dyn Random,
    validity: (Timestamp, u64),
) -> Result<CertificateParams, AuthorityError> {
    let name = format!("{organization} timestamps{}", authority::suffix(generation));
    let mut parameters = authority::parameters(organization, &name, key, random, validity)?;
    parameters.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    parameters.use_authority_key_identifier_extension = true;
    // rcgen writes neither a critical extended key usage nor the key identifier of a leaf.
    let mut usage = extension(ID_CE_EXT_KEY_USAGE, EXTENDED_KEY_USAGE_VALUE.to_vec());
    usage.set_criticality(true);
    let identifier = write(OCTET_STRING, &[&key.key_identifier()]);
    parameters.custom_extensions = vec![extension(ID_CE_SUBJECT_KEY_IDENTIFIER, identifier), usage];
    Ok(parameters)
}

/// A chain as PEM, leaf first.
#[must_use]
pub fn to_pem(authority: &Authority) -> String {
    authority.chain().iter().map(Certificate::to_pem).collect()
}

fn checked(chain: Vec<Certificate>, key: &PublicKey) -> Result<Authority, AuthorityError> {
    let authority = Authority::new(chain)?;
    if authority.leaf().public_key() == key { Ok(authority) } else { Err(AuthorityError::OtherKey) }
}

fn extension(identifier: ObjectIdentifier, value: Vec<u8>) -> CustomExtension {
    let arcs: Vec<u64> = identifier.arcs().map(u64::from).collect();
    CustomExtension::from_oid_content(&arcs, value)
}
