//! The authority's own certificates: a root that signs once, and a leaf that makes timestamps.
//!
//! Profile and lifetimes are those of Sigstore's public authority. There is no intermediate: an answer carries only the
//! leaf, and a client that knows the root must be able to verify it. They last ten years, because a timestamp is worth
//! something only while the certificates of its authority are trusted. A chain made elsewhere may have intermediates.

use chancery_daemon::authority::{self, AuthorityError};
use chancery_daemon::random::Random;
use chancery_daemon::signer::Signer;
use chancery_verify::certificate::Certificate;
use chancery_verify::timestamping::asn1::{OCTET_STRING, write};
use chancery_verify::timestamping::{Authority, EXTENDED_KEY_USAGE_VALUE};
use chancery_verify::{PublicKey, Timestamp};
use const_oid::ObjectIdentifier;
use const_oid::db::rfc5280::{ID_CE_EXT_KEY_USAGE, ID_CE_SUBJECT_KEY_IDENTIFIER};
use rcgen::{BasicConstraints, CustomExtension, IsCa, KeyUsagePurpose};

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
    let suffix = if generation > 1 { format!(" G{generation}") } else { String::new() };
    let (key, validity) = (root.public_key(), (now, LIFETIME_SECONDS));
    let name = format!("{organization} timestamp root{suffix}");
    let mut above = authority::parameters(organization, &name, key, random, validity)?;
    above.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    above.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let root_certificate = authority::sign(&above, key, &above, root).await?;

    let key = leaf.public_key();
    let name = format!("{organization} timestamps{suffix}");
    let mut below = authority::parameters(organization, &name, key, random, validity)?;
    below.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    below.use_authority_key_identifier_extension = true;
    // rcgen writes neither a critical extended key usage nor the key identifier of a leaf.
    let mut usage = extension(ID_CE_EXT_KEY_USAGE, EXTENDED_KEY_USAGE_VALUE.to_vec());
    usage.set_criticality(true);
    let identifier = write(OCTET_STRING, &[&key.key_identifier()]);
    below.custom_extensions = vec![extension(ID_CE_SUBJECT_KEY_IDENTIFIER, identifier), usage];
    let certificate = authority::sign(&below, key, &above, root).await?;
    checked(vec![certificate, root_certificate], key)
}

/// Loads an existing chain for the key that will sign: PEM, leaf first, root last.
pub fn from_pem(text: &[u8], key: &PublicKey) -> Result<Authority, AuthorityError> {
    checked(Certificate::chain_from_pem(text)?, key)
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
