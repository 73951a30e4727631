//! Judges: the decision whether a signer and its evidence are accepted.

use super::{SignerKey, Verified};
use crate::Refusal;
use crate::policy::{AuthorityThresholds, Explanation, Policy, PolicyThresholds};
use crate::signer::Signer;

/// Accepts or refuses the established facts. A policy is a judge. A caller can write its own.
pub trait Judge {
    /// Checks the signer before log entries and signature are checked. This saves work, and a wrong signer is reported
    /// first. The signature is accepted only by [`Self::judge`].
    ///
    /// # Errors
    /// The reason why this signer is not accepted.
    fn identity(&self, signer: &Signer) -> Result<(), Refusal> {
        let _ = signer;
        Ok(())
    }

    /// Keys whose signatures it accepts without a certificate, in addition to the verifier's own keys.
    fn keys(&self) -> Vec<SignerKey> {
        Vec::new()
    }

    /// The required evidence. `None` leaves the verifier's own thresholds in force.
    fn thresholds(&self) -> Option<PolicyThresholds> {
        None
    }

    /// Authorities whose certificates need other evidence than [`Self::thresholds`]. Used only if `thresholds` is not
    /// `None`.
    fn thresholds_of_authorities(&self) -> Vec<AuthorityThresholds> {
        Vec::new()
    }

    /// Decides after all other checks have passed. It may return the rules that held.
    ///
    /// # Errors
    /// The reason why the evidence is not enough.
    fn judge(&self, verified: &Verified) -> Result<Option<Explanation>, Refusal>;
}

/// Accepts every signer. Only for a caller that reads the signer from the result and decides itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AnySigner;

impl Judge for AnySigner {
    fn judge(&self, _: &Verified) -> Result<Option<Explanation>, Refusal> {
        Ok(None)
    }
}

/// As a judge, a policy decides over one bundle, which has one signature. A rule `at_least` with more than one signer
/// is therefore never met here. For such a policy, verify every bundle with [`AnySigner`], then evaluate the policy
/// over the [`Verified::evidence`] of all.
impl Judge for Policy {
    fn identity(&self, signer: &Signer) -> Result<(), Refusal> {
        self.evaluate_signer(signer).into_result().map(drop)
    }

    fn keys(&self) -> Vec<SignerKey> {
        self.keys().into_iter().cloned().map(SignerKey::new).collect()
    }

    fn thresholds(&self) -> Option<PolicyThresholds> {
        Some(self.thresholds())
    }

    fn thresholds_of_authorities(&self) -> Vec<AuthorityThresholds> {
        self.thresholds_of_authorities().to_vec()
    }

    fn judge(&self, verified: &Verified) -> Result<Option<Explanation>, Refusal> {
        let decision = self.evaluate(&[verified.evidence()]).into_result()?;
        Ok(Some(decision.explanation().clone()))
    }
}
