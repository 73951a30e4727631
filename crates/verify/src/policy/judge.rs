//! A policy as the judge of one bundle.
//!
//! A bundle has one signature, so `at_least` with more than one signer is never met here: verify every bundle with
//! [`AnySigner`](crate::verifier::AnySigner), and evaluate the policy over [`Evidence::of`] each.

use super::{Explanation, Policy, PolicyThresholds};
use crate::Refusal;
use crate::verifier::{Judge, Signer, SignerKey, Verified};

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

    fn judge(&self, verified: &Verified) -> Result<Option<Explanation>, Refusal> {
        let decision = self.evaluate(&[verified.evidence()]).into_result()?;
        Ok(Some(decision.explanation().clone()))
    }
}
