//! Whether a chain of certificates is to be believed (RFC 5280 §6, as far as code signing needs it).
//!
//! Two levels: [`verify_path`] says who issued whom, which is all a certificate transparency log asks; [`verify_chain`]
//! adds time, purpose and the refusal of what nobody here understands, which is what a signature's verifier asks.

use super::{Certificate, MAX_CHAIN};
use crate::{Rejection, Timestamp};
use const_oid::ObjectIdentifier;
use const_oid::db::rfc5280::{
    ANY_EXTENDED_KEY_USAGE, ID_CE_BASIC_CONSTRAINTS, ID_CE_EXT_KEY_USAGE, ID_CE_KEY_USAGE, ID_CE_SUBJECT_ALT_NAME,
    ID_KP_CODE_SIGNING,
};
use x509_cert::ext::pkix::{BasicConstraints, ExtendedKeyUsage, KeyUsage};

/// Extensions whose meaning is checked here or in `certificate::profile`; any other one must not be critical.
const UNDERSTOOD: [ObjectIdentifier; 4] =
    [ID_CE_BASIC_CONSTRAINTS, ID_CE_EXT_KEY_USAGE, ID_CE_KEY_USAGE, ID_CE_SUBJECT_ALT_NAME];

/// Follows `leaf` through `issuers` (in order, the root may be left out) to one of `roots` and returns the whole path,
/// leaf first, root last.
///
/// 1. The path has at most [`MAX_CHAIN`] certificates and ends in a root, compared byte by byte.
/// 2. Every certificate names its neighbour as issuer and is signed by it.
/// 3. Every issuer is a CA whose path length and key usage allow what it issued.
///
/// Neither time nor extended key usage nor critical extensions are looked at.
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

/// The root that issued `last`. Of several with one name, as after a rotation that kept it, the one whose key signed.
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

/// Checks that `child` names `issuer` and is signed by it. Whether `issuer` may issue is [`verify_path`]'s question.
///
/// # Errors
/// [`Rejection::ChainName`] or [`Rejection::ChainSignature`].
pub fn verify_issued_by(child: &Certificate, issuer: &Certificate) -> Result<(), Rejection> {
    if child.issuer() != issuer.subject() || issuer.subject().is_empty() {
        return Err(Rejection::ChainName);
    }
    child.verify_signed_by(issuer.public_key())
}

/// Whether `issuer` may issue with `below` CA certificates between it and the leaf.
fn verify_may_issue(issuer: &Certificate, below: usize) -> Result<(), Rejection> {
    let constraints =
        issuer.decode::<BasicConstraints>()?.filter(|constraints| constraints.ca).ok_or(Rejection::ChainNotCa)?;
    if constraints.path_len_constraint.is_some_and(|limit| below > usize::from(limit)) {
        return Err(Rejection::ChainNotCa);
    }
    // RFC 5280 §6.1.4 (n): a CA without the extension may do everything.
    match issuer.decode::<KeyUsage>()? {
        Some(usage) if !usage.key_cert_sign() => Err(Rejection::ChainNotCa),
        _ => Ok(()),
    }
}

/// Checks that `leaf` is a code-signing certificate issued, through `issuers` (in order, the root may be left out), by
/// one of `roots`, and that every certificate on the path is valid at `now`. Returns the path, leaf first, root last.
///
/// 1. [`verify_path`].
/// 2. `now` is within every validity.
/// 3. No certificate has a critical extension that is not understood; a precertificate's poison is one.
/// 4. The leaf has the extended key usage codeSigning and may make digital signatures; every issuer that restricts its
///    extended key usage allows codeSigning.
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

/// Checks that `chain` (issuing certificate first, self-signed root last; a lone root issues itself) can issue
/// code-signing leaves that [`verify_chain`] accepts at `now`.
///
/// 1. Every certificate is issued by the next, the last one by itself.
/// 2. Every certificate is a CA whose path length and key usage allow what stands below it, a leaf included.
/// 3. Validity, critical extensions and extended key usage as in [`verify_chain`]; an intermediate that issues leaves says
///    codeSigning itself, and has the key identifier that leaves will point to.
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

/// Checks that `issuers` (the one that issues leaves first, the anchor last) can issue below one another for `purpose`. Time is
/// not looked at, so that this is done once for all leaves.
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

/// Checks that `leaf` may sign code: the extended key usage codeSigning is there, digital signatures are allowed, it is no CA,
/// and no critical extension is unknown.
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

/// Checks that a certificate has no critical extension that is not understood and, if it restricts its extended key usage,
/// allows `purpose`.
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
