//! The profile of the leaf certificates that our authority issues (Fulcio's certificate specification, as its released
//! versions implement it).
//!
//! The authority checks its own certificates with it. It is stricter than any client: an extra extension, a wrong order
//! or a validity past the issuer's is refused before the certificate is returned.

use super::{Certificate, SignatureAlgorithm};
use crate::Rejection;
use crate::extension::{Claim, SCT_LIST};
use const_oid::ObjectIdentifier;
use const_oid::db::rfc5280::{
    ID_CE_AUTHORITY_KEY_IDENTIFIER, ID_CE_EXT_KEY_USAGE, ID_CE_KEY_USAGE, ID_CE_SUBJECT_ALT_NAME,
    ID_CE_SUBJECT_KEY_IDENTIFIER,
};

/// Maximum validity of a leaf, in seconds. Fulcio's constant: clients and policies rely on short-lived certificates.
pub const MAX_LIFETIME_SECONDS: u64 = 600;
/// `BIT STRING` with digitalSignature only.
pub const KEY_USAGE_VALUE: [u8; 4] = [0x03, 0x02, 0x07, 0x80];
/// `SEQUENCE` with codeSigning only.
pub const EXTENDED_KEY_USAGE_VALUE: [u8; 12] = [0x30, 0x0a, 0x06, 0x08, 0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x03];
/// Length of the serial number: at least 64 unpredictable bits, at most the maximum of RFC 5280.
const SERIAL_BYTES: std::ops::RangeInclusive<usize> = 8..=20;

/// The extensions before the claims, in order, and whether each is critical.
const LEADING: [(ObjectIdentifier, bool, &str); 5] = [
    (ID_CE_KEY_USAGE, true, "keyUsage"),
    (ID_CE_EXT_KEY_USAGE, false, "extKeyUsage"),
    (ID_CE_SUBJECT_KEY_IDENTIFIER, false, "subjectKeyIdentifier"),
    (ID_CE_AUTHORITY_KEY_IDENTIFIER, false, "authorityKeyIdentifier"),
    (ID_CE_SUBJECT_ALT_NAME, true, "subjectAltName"),
];

/// Checks that `leaf`, issued by `issuer`, matches the profile exactly. [`super::verify_chain`] checks signature and
/// chain.
///
/// # Errors
/// [`Rejection::Profile`] with the first field that differs.
pub fn verify_profile(leaf: &Certificate, issuer: &Certificate) -> Result<(), Rejection> {
    verify_fields(leaf, issuer)?;
    verify_extension_order(leaf, Some(SCT_LIST))?;
    ensure(leaf.scts()?.len() == 1, "signedCertificateTimestampList")
}

/// As [`verify_profile`], for a leaf without an embedded SCT.
///
/// # Errors
/// [`Rejection::Profile`] with the first field that differs.
pub fn verify_profile_without_sct(leaf: &Certificate, issuer: &Certificate) -> Result<(), Rejection> {
    verify_fields(leaf, issuer)?;
    verify_extension_order(leaf, None)
}

fn ensure(holds: bool, field: &'static str) -> Result<(), Rejection> {
    if holds { Ok(()) } else { Err(Rejection::Profile { field }) }
}

/// Checks everything except the order of the extensions and the SCT.
fn verify_fields(leaf: &Certificate, issuer: &Certificate) -> Result<(), Rejection> {
    let serial = leaf.tbs().serial_number().as_bytes();
    // The encoding has a sign bit: 20 bytes with the top bit set are encoded as 21, over the limit.
    let positive = SERIAL_BYTES.contains(&serial.len())
        && (serial.len() < 20 || serial[0] < 0x80)
        && serial.iter().any(|b| *b != 0);
    ensure(positive, "serialNumber")?;
    ensure(leaf.signature_algorithm() == SignatureAlgorithm::for_key(issuer.public_key().kind()), "signature")?;
    ensure(leaf.issuer() == issuer.subject(), "issuer")?;
    let (start, end) = (leaf.not_before().seconds(), leaf.not_after().seconds());
    let within = start >= issuer.not_before().seconds() && end <= issuer.not_after().seconds();
    ensure(within && start < end && end - start <= MAX_LIFETIME_SECONDS, "validity")?;
    ensure(leaf.subject().is_empty(), "subject")?;
    ensure(leaf.tbs().issuer_unique_id().is_none() && leaf.tbs().subject_unique_id().is_none(), "uniqueID")?;

    let value = |oid| leaf.extension(oid).map(|extension| extension.extn_value.as_bytes());
    ensure(value(ID_CE_KEY_USAGE) == Some(&KEY_USAGE_VALUE), "keyUsage")?;
    ensure(value(ID_CE_EXT_KEY_USAGE) == Some(&EXTENDED_KEY_USAGE_VALUE), "extKeyUsage")?;
    let own = leaf.subject_key_identifier()?;
    ensure(own.as_deref() == Some(&leaf.public_key().key_identifier()), "subjectKeyIdentifier")?;
    let authority = leaf.authority_key_identifier()?;
    ensure(authority.is_some() && authority == issuer.subject_key_identifier()?, "authorityKeyIdentifier")?;
    leaf.identity()?;
    let issuer_claim = leaf.claim(Claim::Issuer)?;
    ensure(issuer_claim.is_some() && issuer_claim == leaf.claim(Claim::IssuerV1)?, Claim::Issuer.name())?;
    ensure(leaf.claim(Claim::TokenSubject)?.is_some(), Claim::TokenSubject.name())?;
    for claim in Claim::ALL {
        leaf.claim(*claim)?;
    }
    Ok(())
}

/// Checks the order: key usage, extended key usage, key identifiers, name, claims as in the table, then `end`. No other
/// extension is allowed.
fn verify_extension_order(leaf: &Certificate, end: Option<ObjectIdentifier>) -> Result<(), Rejection> {
    let mut extensions = leaf.extensions().iter();
    for (oid, critical, field) in LEADING {
        let found =
            extensions.next().is_some_and(|extension| extension.extn_id == oid && extension.critical == critical);
        if !found {
            return Err(Rejection::Profile { field });
        }
    }
    let mut claims = Claim::ALL.iter();
    let mut rest = extensions.peekable();
    while let Some(extension) = rest.next() {
        let last = end.filter(|_| rest.peek().is_none());
        // The iterator over the table never goes back, so each claim must come after the previous one.
        let known =
            last.map_or_else(|| claims.any(|claim| claim.oid() == extension.extn_id), |end| extension.extn_id == end);
        if !known || extension.critical {
            return Err(Rejection::Profile { field: "extensions" });
        }
    }
    Ok(())
}
