//! Step 4: checks that certificate transparency logs have seen the signer's certificate.

use super::Case;
use super::VerifiedAuthority;
use super::chain::Chained;
use crate::certificate::Certificate;
use crate::sct::SignedCertificateTimestamp;
use crate::{Refusal, Rejection, Step, Timestamp, counted};
use serde::Serialize;
use std::collections::BTreeSet;

/// Maximum SCTs of one certificate. Each costs a signature check.
const MAX_SCTS: usize = 32;

/// An SCT that verifies, by a log that was trusted at its time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct VerifiedSct {
    /// The log's URL in the trust root; may be empty.
    pub url: String,
    /// The log's operator.
    pub operator: String,
    /// When the log saw the certificate.
    #[serde(serialize_with = "super::verified::rfc3339")]
    pub time: Timestamp,
}

/// The signer's certificate after steps 3 and 4. Only this module can make one.
#[derive(Debug)]
pub struct VerifiedLeaf<'a> {
    leaf: &'a Certificate,
    path: &'a [Certificate],
    authority: VerifiedAuthority,
    scts: Vec<VerifiedSct>,
}

impl<'a> VerifiedLeaf<'a> {
    /// The certificate.
    #[must_use]
    pub const fn certificate(&self) -> &'a Certificate {
        self.leaf
    }

    /// The verified path above it: its issuer first, the anchor last.
    #[must_use]
    pub const fn path(&self) -> &'a [Certificate] {
        self.path
    }

    /// The authority that issued it.
    #[must_use]
    pub const fn authority(&self) -> &VerifiedAuthority {
        &self.authority
    }

    /// The SCTs that count.
    #[must_use]
    pub fn scts(&self) -> &[VerifiedSct] {
        &self.scts
    }

    pub(super) fn into_scts(self) -> Vec<VerifiedSct> {
        self.scts
    }
}

fn refuse(rejection: Rejection, index: Option<usize>) -> Refusal {
    let place = "verificationMaterial.certificate";
    let place = index.map_or_else(|| place.to_owned(), |index| format!("{place}.scts[{index}]"));
    Refusal::new(rejection, Step::Scts).at(place)
}

/// Verifies every SCT of a known log, and counts their operators.
pub(super) fn verify<'a>(case: &mut Case<'_>, chained: Chained<'a>) -> Result<VerifiedLeaf<'a>, Refusal> {
    let required = case.required.scts;
    let list = match chained.leaf.scts() {
        Err(Rejection::SctMissing) if required == 0 => Vec::new(),
        list => list.map_err(|rejection| refuse(rejection, None))?,
    };
    if list.len() > MAX_SCTS {
        let too_many = refuse(Rejection::BundleTooMany { what: "SCTs", limit: MAX_SCTS }, None);
        return Err(too_many.expected(format!("at most {MAX_SCTS} SCTs"), list.len().to_string()));
    }
    let scts = if list.is_empty() { Vec::new() } else { verify_list(case, &chained, &list)? };
    let found = scts.iter().map(|sct| sct.operator.as_str()).collect::<BTreeSet<_>>().len();
    if found < required {
        // If no log is known, saying so is more useful than a count of zero.
        let rejection = if found == 0 { Rejection::SctUnknownLog } else { Rejection::SctTooFew { found, required } };
        let wanted = counted(required, "log of the trust root", "logs of the trust root");
        return Err(refuse(rejection, None).expected(wanted, found.to_string()));
    }
    Ok(VerifiedLeaf { leaf: chained.leaf, path: chained.path, authority: chained.authority, scts })
}

fn verify_list(
    case: &mut Case<'_>,
    chained: &Chained<'_>,
    list: &[SignedCertificateTimestamp],
) -> Result<Vec<VerifiedSct>, Refusal> {
    // Use the issuer whose key verified the certificate. Another issuer can have the same name.
    let entry = chained.leaf.precert_entry(chained.issuer.public_key()).map_err(|rejection| refuse(rejection, None))?;
    let mut verified = Vec::new();
    for (index, sct) in list.iter().enumerate() {
        if list.iter().take(index).any(|before| before == sct) {
            return Err(refuse(Rejection::SctDuplicate, Some(index)));
        }
        let Some(log) = case.verifier.trusted.root.ct_log(&sct.log_id) else {
            let id = hex::encode(sct.log_id);
            case.warnings.push(format!("an SCT is by {id}, a log that is not trusted, and was not counted"));
            continue;
        };
        sct.verify(&entry, log.key()).map_err(|rejection| {
            refuse(rejection, Some(index)).expected(format!("a signature by {}", log.url()), "another one")
        })?;
        let time = sct.timestamp.rfc3339_millis();
        if !log.window().contains(sct.timestamp) {
            let window = format!("a time in the log's window, {}", log.window());
            return Err(refuse(Rejection::SctWindow, Some(index)).expected(window, time));
        }
        if sct.timestamp > case.now {
            let now = format!("a time not after {}", case.now.rfc3339_millis());
            return Err(refuse(Rejection::TimeFuture, Some(index)).expected(now, time));
        }
        let (url, operator) = (log.url().to_owned(), log.operator().to_owned());
        verified.push(VerifiedSct { url, operator, time: sct.timestamp });
    }
    Ok(verified)
}
