//! Who decides whether a signer is the right one.

use super::{SignerKey, Verified};
use crate::Refusal;
use crate::policy::{AuthorityThresholds, Explanation, Policy, PolicyThresholds};
use crate::signer::Signer;

/// Accepts or refuses what has been established. Policies are judges; so is whatever a caller writes.
pub trait Judge {
    /// Looks at the signer, before log entries and signature are checked. It saves work, and tells a person first that somebody
    /// else has signed. What is accepted here is not accepted yet.
    ///
    /// # Errors
    /// Why it is the wrong one.
    fn identity(&self, signer: &Signer) -> Result<(), Refusal> {
        let _ = signer;
        Ok(())
    }

    /// Keys by which it accepts signatures without a certificate; the verifier's own are accepted, too.
    fn keys(&self) -> Vec<SignerKey> {
        Vec::new()
    }

    /// How much evidence there must be. Where it says nothing, the verifier's own thresholds hold.
    fn thresholds(&self) -> Option<PolicyThresholds> {
        None
    }

    /// Authorities whose certificates need other evidence than [`Self::thresholds`] says. Asked only where that says something.
    fn thresholds_of_authorities(&self) -> Vec<AuthorityThresholds> {
        Vec::new()
    }

    /// Decides, when all has been established. May say which of its rules held.
    ///
    /// # Errors
    /// Why it is not enough.
    fn judge(&self, verified: &Verified) -> Result<Option<Explanation>, Refusal>;
}

/// Accepts every signer. For a caller that asks who has signed, and then decides; it decides nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AnySigner;

impl Judge for AnySigner {
    fn judge(&self, _: &Verified) -> Result<Option<Explanation>, Refusal> {
        Ok(None)
    }
}

/// A policy decides over one bundle, which has one signature. `at_least` with more than one signer is therefore never met here:
/// verify every bundle with [`AnySigner`], and evaluate the policy over [`Verified::evidence`] of all.
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
