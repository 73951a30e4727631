//! Step 3: finds the certificate authority that issued the signer's certificate, and checks it at every established
//! time.

use super::times::{Moment, entry_place};
use super::{Case, Verifier};
use crate::certificate::{Certificate, chain};
use crate::trust_root::{CertificateAuthority, Window};
use crate::{Hash, Refusal, Rejection, Step, Timestamp, hash};
use serde::Serialize;

const PLACE: &str = "verificationMaterial.certificate";

/// The certificate authority that issued the signer's certificate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct VerifiedAuthority {
    /// Its URL in the trust root; may be empty.
    pub url: String,
    /// Its operator.
    pub operator: String,
    /// Subject of the certificate that issued the signer's.
    pub issuer: String,
    /// Subject of the anchor.
    pub anchor: String,
    /// Its window of trust.
    #[serde(serialize_with = "super::verified::text")]
    pub window: Window,
    /// SHA-256 of each certificate of its chain, the issuing one first.
    #[serde(serialize_with = "super::verified::hexadecimals")]
    pub certificates_sha256: Vec<Hash>,
}

/// A certificate that one authority issued, and that was valid at every established time. Its SCTs are not checked yet.
#[derive(Debug)]
pub(super) struct Chained<'a> {
    pub(super) leaf: &'a Certificate,
    /// The authority's whole chain: the issuer first, the anchor last. Not empty.
    pub(super) path: &'a [Certificate],
    pub(super) issuer: &'a Certificate,
    pub(super) authority: VerifiedAuthority,
}

/// A refusal and its rank. Among several authorities, the refusal with the highest rank is reported: that authority
/// came closest to being the issuer.
type Verdict = (u8, Refusal);

/// Checks that an authority issued `leaf`, that `leaf` may sign code, and that the whole path was valid at every time.
pub(super) fn verify<'a>(case: &Case<'a>, leaf: &'a Certificate, times: &[Moment]) -> Result<Chained<'a>, Refusal> {
    let chained = issued_by_any(case.verifier, leaf, times)?;
    unpromised_times(case, leaf)?;
    chain::verify_code_signing_leaf(leaf).map_err(|rejection| Refusal::new(rejection, Step::Chain).at(PLACE))?;
    Ok(chained)
}

/// Checks that an authority issued `leaf`, and that the whole path was valid at every time. The purpose of `leaf` is not
/// checked: it may be a precertificate.
pub(super) fn issued_by_any<'a>(
    verifier: &'a Verifier,
    leaf: &'a Certificate,
    times: &[Moment],
) -> Result<Chained<'a>, Refusal> {
    let refuse = |rejection| Refusal::new(rejection, Step::Chain).at(PLACE);
    let untrusted = refuse(Rejection::ChainUntrusted)
        .expected("a certificate by an authority of the trust root", leaf.issuer().to_string());
    let mut verdict: Verdict = (0, untrusted);
    for authority in verifier.trusted.certificate_authorities() {
        match issued(leaf, times, authority) {
            Ok(chained) => return Ok(chained),
            Err(closer) if closer.0 > verdict.0 => verdict = closer,
            Err(_) => {}
        }
    }
    Err(verdict.1)
}

fn issued<'a>(
    leaf: &'a Certificate,
    times: &[Moment],
    authority: &'a CertificateAuthority,
) -> Result<Chained<'a>, Verdict> {
    let refuse = |rejection| Refusal::new(rejection, Step::Chain).at(PLACE);
    let (Some(issuer), Some(anchor)) = (authority.chain().first(), authority.chain().last()) else {
        return Err((0, refuse(Rejection::ChainIncomplete)));
    };
    if let Err(rejection) = chain::verify_issued_by(leaf, issuer) {
        return Err((u8::from(rejection == Rejection::ChainSignature), refuse(rejection)));
    }
    for Moment { time, place } in times {
        valid_at(authority, leaf, *time, place).map_err(|refusal| (2, refusal))?;
    }
    let described = VerifiedAuthority {
        url: authority.url().to_owned(),
        operator: authority.operator().to_owned(),
        issuer: issuer.subject().to_string(),
        anchor: anchor.subject().to_string(),
        window: authority.window(),
        certificates_sha256: authority.chain().iter().map(|certificate| hash::sha256(certificate.der())).collect(),
    };
    Ok(Chained { leaf, path: authority.chain(), issuer, authority: described })
}

/// Checks that certificate, chain and window are valid at `time`. Signatures do not depend on it.
fn valid_at(authority: &CertificateAuthority, leaf: &Certificate, time: Timestamp, place: &str) -> Result<(), Refusal> {
    let refuse = |rejection, expected: String| {
        Err(Refusal::new(rejection, Step::Chain).at(place).expected(expected, time.rfc3339_millis()))
    };
    let validity = |of: &str, certificate: &Certificate| {
        let (start, end) = (certificate.not_before().rfc3339(), certificate.not_after().rfc3339());
        format!("a time in the validity of {of}, {start} to {end}")
    };
    if !leaf.is_valid_at(time) {
        return refuse(Rejection::TimeCertificate, validity("the signer's certificate", leaf));
    }
    if let Some(expired) = authority.chain().iter().find(|certificate| !certificate.is_valid_at(time)) {
        return refuse(Rejection::ChainExpired, validity(&expired.subject().to_string(), expired));
    }
    if !authority.window().contains(time) {
        return refuse(Rejection::ChainWindow, format!("a time in the authority's window, {}", authority.window()));
    }
    Ok(())
}

/// A log's time without a promise proves nothing. If it is outside the certificate's validity, though, it is false, and
/// the bundle is refused.
fn unpromised_times(case: &Case<'_>, leaf: &Certificate) -> Result<(), Refusal> {
    for (index, entry) in case.bundle.entries().iter().enumerate() {
        if let (Some(time), None) = (entry.integrated_time, &entry.promise)
            && time.millis() != 0
            && !leaf.is_valid_at(time)
        {
            return Err(Refusal::new(Rejection::TimeCertificate, Step::Chain)
                .at(format!("{}.integratedTime", entry_place(index)))
                .expected("a time in the validity of the signer's certificate", time.rfc3339()));
        }
    }
    Ok(())
}
