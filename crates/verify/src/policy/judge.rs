//! A policy as the judge of one bundle.
//!
//! A bundle has one signature, so `at_least` with more than one signer is never met here: verify every bundle with
//! [`AnySigner`](crate::verifier::AnySigner), and evaluate the policy over [`Evidence::of`] each.

use super::{Evidence, Policy};
use crate::Refusal;
use crate::verifier::{Judge, Signer, Verified};

impl Judge for Policy {
    fn identity(&self, signer: &Signer) -> Result<(), Refusal> {
        self.evaluate_signer(signer).into_result().map(drop)
    }

    fn judge(&self, verified: &Verified) -> Result<Option<String>, Refusal> {
        let decision = self.evaluate(&[Evidence::of(verified)]).into_result()?;
        Ok(Some(decision.explanation().to_string().trim_end().to_owned()))
    }
}
