//! Verification of certificate chains (RFC 5280 §6, as far as code signing needs it).
//!
//! Two levels. [`verify_path`] checks which certificate issued which: a certificate transparency log needs no more.
//! [`verify_chain`] also checks time, purpose and critical extensions, for the verification of signatures.

use super::{Certificate, MAX_CHAIN};
use crate::{Rejection, Timestamp};
use const_oid::ObjectIdentifier;
use const_oid::db::rfc5280::{
    ANY_EXTENDED_KEY_USAGE, ID_CE_BASIC_CONSTRAINTS, ID_CE_EXT_KEY_USAGE, ID_CE_KEY_USAGE, ID_CE_SUBJECT_ALT_NAME,
    ID_KP_CODE_SIGNING,
};
use x509_cert::ext::pkix::{BasicConstraints, ExtendedKeyUsage, KeyUsage};

/// Extensions that are checked here or in `certificate::profile`. No other extension may be critical.
pub(crate) const UNDERSTOOD: [ObjectIdentifier; 4] =
    [ID_CE_BASIC_CONSTRAINTS, ID_CE_EXT_KEY_USAGE, ID_CE_KEY_USAGE, ID_CE_SUBJECT_ALT_NAME];

/// Follows `leaf` through `issuers` to one of `roots`. `issuers` are in order, with or without the root. Returns the
/// whole path, leaf first, root last.
///
/// 1. The path has at most [`MAX_CHAIN`] certificates and ends in a root, compared byte by byte.
/// 2. Every certificate names its neighbour as issuer and is signed by it.
/// 3. Every issuer is a CA whose path length and key usage allow what it issued.
///
/// Time, extended key usage and critical extensions are not checked.
pub fn verify_path<'a>(
    leaf: &'a Certificate,
    issuers: &'a [Certificate],
    roots: &'a [Certificate],
) -> Result<Vec<&'a Certificate>, Rejection> {
    if issuers.len() >= MAX_CHAIN {
        return Err(Rejection::ChainIncomplete);
    }
    let mut path: Vec<&Certificate> = std::iter::once(leaf).chain(issuers).collect();
    verify_links(&path)?;
    let last = issuers.last().unwrap_or(leaf);
    if issuers.is_empty() || !roots.contains(last) {
        let root = issuing_root(last, roots)?;
        path.push(root);
        verify_links(&path)?;
    }
    Ok(path)
}

/// Finds the root that issued `last`. Several roots can have the same name after a rotation. The signature decides.
fn issuing_root<'a>(last: &Certificate, roots: &'a [Certificate]) -> Result<&'a Certificate, Rejection> {
    let mut verdict = Rejection::ChainUntrusted;
    for root in roots.iter().filter(|root| root.subject() == last.issuer()) {
        match last.verify_signed_by(root.public_key()) {
            Ok(()) => return Ok(root),
            Err(rejection) => verdict = rejection,
        }
    }
    Err(verdict)
}

fn verify_links(path: &[&Certificate]) -> Result<(), Rejection> {
    for (below, pair) in path.windows(2).enumerate() {
        let [child, issuer] = pair else { continue };
        verify_issued_by(child, issuer)?;
        verify_may_issue(issuer, below)?;
    }
    Ok(())
}

/// Checks that `child` names `issuer` and is signed by it. [`verify_path`] also checks that an issuer may issue.
///
/// # Errors
/// [`Rejection::ChainName`] or [`Rejection::ChainSignature`].
pub fn verify_issued_by(child: &Certificate, issuer: &Certificate) -> Result<(), Rejection> {
    if child.issuer() != issuer.subject() || issuer.subject().is_empty() {
        return Err(Rejection::ChainName);
    }
    child.verify_signed_by(issuer.public_key())
}

/// Checks that `issuer` is a CA that may sign certificates. Its path length is not checked: for a certificate
/// transparency log a precertificate signing certificate makes a path longer than its CA may allow.
///
/// # Errors
/// [`Rejection::ChainNotCa`].
pub fn verify_is_ca(issuer: &Certificate) -> Result<(), Rejection> {
    verify_may_issue(issuer, 0)
}

/// Checks that `issuer` may issue with `below` CA certificates between it and the leaf.
fn verify_may_issue(issuer: &Certificate, below: usize) -> Result<(), Rejection> {
    let constraints =
        issuer.decode::<BasicConstraints>()?.filter(|constraints| constraints.ca).ok_or(Rejection::ChainNotCa)?;
    if constraints.path_len_constraint.is_some_and(|limit| below > usize::from(limit)) {
        return Err(Rejection::ChainNotCa);
    }
    // RFC 5280 §6.1.4 (n): a CA without this extension is not restricted.
    match issuer.decode::<KeyUsage>()? {
        Some(usage) if !usage.key_cert_sign() => Err(Rejection::ChainNotCa),
        _ => Ok(()),
    }
}

/// Checks that `leaf` is a code-signing certificate, issued through `issuers` by one of `roots`, and that every
/// certificate on the path is valid at `now`. `issuers` are in order, with or without the root. Returns the path, leaf
/// first, root last.
///
/// 1. [`verify_path`].
/// 2. `now` is within every validity.
/// 3. No certificate has an unknown critical extension. A precertificate's poison counts as unknown.
/// 4. The leaf has the extended key usage codeSigning and may make digital signatures. Every issuer with an extended
///    key usage allows codeSigning.
pub fn verify_chain<'a>(
    leaf: &'a Certificate,
    issuers: &'a [Certificate],
    roots: &'a [Certificate],
    now: Timestamp,
) -> Result<Vec<&'a Certificate>, Rejection> {
    let path = verify_path(leaf, issuers, roots)?;
    let leaf_usage = leaf.decode::<ExtendedKeyUsage>()?.ok_or(Rejection::ChainUsage)?;
    if !leaf_usage.0.contains(&ID_KP_CODE_SIGNING)
        || leaf.decode::<KeyUsage>()?.is_some_and(|usage| !usage.digital_signature())
    {
        return Err(Rejection::ChainUsage);
    }
    for certificate in &path {
        verify_time_and_purpose(certificate, now)?;
    }
    Ok(path)
}

/// Checks that `chain` can issue code-signing leaves that [`verify_chain`] accepts at `now`. The issuing certificate is
/// first, the self-signed root last. A chain can be a root alone.
///
/// 1. Every certificate is issued by the next, and the last by itself.
/// 2. Every certificate is a CA whose path length and key usage allow the certificates below it, leaf included.
/// 3. Validity, critical extensions and extended key usage are as in [`verify_chain`]. An intermediate that issues
///    leaves has the extended key usage codeSigning itself. The issuing certificate has the key identifier that leaves
///    refer to.
pub fn verify_authority(chain: &[Certificate], now: Timestamp) -> Result<(), Rejection> {
    let (Some(issuing), Some(root)) = (chain.first(), chain.last()) else { return Err(Rejection::ChainIncomplete) };
    if chain.len() >= MAX_CHAIN {
        return Err(Rejection::ChainIncomplete);
    }
    for (child, issuer) in chain.iter().zip(chain.iter().skip(1).chain(std::iter::once(root))) {
        verify_issued_by(child, issuer)?;
    }
    for (below, certificate) in chain.iter().enumerate() {
        verify_may_issue(certificate, below)?;
        verify_time_and_purpose(certificate, now)?;
    }
    if chain.len() > 1 && issuing.decode::<ExtendedKeyUsage>()?.is_none() {
        return Err(Rejection::ChainUsage);
    }
    issuing.subject_key_identifier()?.map(|_| ()).ok_or(Rejection::Profile { field: "subjectKeyIdentifier" })
}

/// Checks that `issuers` form a chain that can issue leaves for `purpose`. The issuing certificate is first, the anchor
/// last. Time is not checked, so that one check serves all leaves.
pub(crate) fn verify_issuers(issuers: &[Certificate], purpose: ObjectIdentifier) -> Result<(), Rejection> {
    if issuers.is_empty() || issuers.len() >= MAX_CHAIN {
        return Err(Rejection::ChainIncomplete);
    }
    for pair in issuers.windows(2) {
        let [child, issuer] = pair else { continue };
        verify_issued_by(child, issuer)?;
    }
    for (below, issuer) in issuers.iter().enumerate() {
        verify_may_issue(issuer, below)?;
        verify_purpose(issuer, purpose)?;
    }
    Ok(())
}

/// Checks that `leaf` may sign code: it has the extended key usage codeSigning, may make digital signatures, is not a
/// CA, and has no unknown critical extension.
pub(crate) fn verify_code_signing_leaf(leaf: &Certificate) -> Result<(), Rejection> {
    let usage = leaf.decode::<ExtendedKeyUsage>()?.ok_or(Rejection::ChainUsage)?;
    let signs = leaf.decode::<KeyUsage>()?.is_some_and(|usage| usage.digital_signature());
    let is_ca = leaf.decode::<BasicConstraints>()?.is_some_and(|constraints| constraints.ca);
    if !usage.0.contains(&ID_KP_CODE_SIGNING) || !signs || is_ca {
        return Err(Rejection::ChainUsage);
    }
    verify_purpose(leaf, ID_KP_CODE_SIGNING)
}

fn verify_time_and_purpose(certificate: &Certificate, now: Timestamp) -> Result<(), Rejection> {
    if !certificate.is_valid_at(now) {
        return Err(Rejection::ChainExpired);
    }
    verify_purpose(certificate, ID_KP_CODE_SIGNING)
}

/// Checks that a certificate has no unknown critical extension, and that its extended key usage, if present, allows
/// `purpose`.
pub(crate) fn verify_purpose(certificate: &Certificate, purpose: ObjectIdentifier) -> Result<(), Rejection> {
    if certificate.extensions().iter().any(|extension| extension.critical && !UNDERSTOOD.contains(&extension.extn_id)) {
        return Err(Rejection::ChainCritical);
    }
    match certificate.decode::<ExtendedKeyUsage>()? {
        Some(usage) if !usage.0.contains(&purpose) && !usage.0.contains(&ANY_EXTENDED_KEY_USAGE) => {
            Err(Rejection::ChainUsage)
        }
        _ => Ok(()),
    }
}
