//! The outcome of verified signatures: the policy's decision, or without a policy only their signers.

use super::{
    code::Code,
    expectation::Expectation,
    outcome::{Genuine, Outcome, PassedOver, Status},
};
use chancery_verify::{Timestamp, policy::Evidence, verifier::Verifier};

/// The constants of a run.
#[derive(Debug)]
pub(super) struct Context {
    pub(super) verifier: Verifier,
    pub(super) expectation: Expectation,
    pub(super) now: Timestamp,
}

/// The signatures found for one artifact, before the decision.
#[derive(Default)]
pub(super) struct Collected {
    pub(super) found: Vec<Genuine>,
    pub(super) passed_over: Vec<PassedOver>,
}

impl Collected {
    /// Adds a genuine signature, if it is of the requested kind.
    pub(super) fn add(&mut self, context: &Context, genuine: Genuine) {
        let kind = genuine.predicate_type.as_deref();
        if context.expectation.wanted.takes(kind) {
            self.found.push(genuine);
            return;
        }
        let reason = kind.map_or_else(
            || "it is a signature, but an attestation is required".to_owned(),
            |kind| format!("it is an attestation of type {kind}, which was not requested; see --type"),
        );
        let passed = PassedOver::new(genuine.place, "statement.predicate_type", reason);
        self.passed_over.push(passed);
    }

    /// Decides.
    pub(super) fn decide(self, context: &Context, subject: impl Into<String>) -> Outcome {
        let Self { found, passed_over } = self;
        if found.is_empty() {
            let first = passed_over.first();
            let code = first.map_or(Code::ImageNone.code(), PassedOver::code);
            let reason = first.map_or_else(|| "no signature was found".to_owned(), |first| first.reason().to_owned());
            return Outcome { passed_over, ..Outcome::failed(subject, Status::Refused, code, reason) };
        }
        let mut outcome = Outcome {
            subject: subject.into(),
            status: Status::Verified,
            pinned: None,
            code: None,
            reason: None,
            signatures: Vec::new(),
            passed_over,
            decision: None,
        };
        let evidence: Vec<Evidence> = found.iter().map(|genuine| genuine.verified.evidence()).collect();
        let mut signatures = found;
        let refusal = match &context.expectation.policy {
            None => None,
            Some(policy) => {
                let decision = policy.evaluate(&evidence);
                for (position, genuine) in signatures.iter_mut().enumerate() {
                    genuine.counted = decision.counted().contains(&position);
                }
                let refusal = decision.refusal().map(|refusal| (refusal.code(), context.expectation.reason(&refusal)));
                outcome.decision = Some(decision);
                refusal
            }
        };
        if let Some((code, reason)) = refusal {
            (outcome.status, outcome.code, outcome.reason) = (Status::Refused, Some(code), Some(reason));
        }
        outcome.signatures = signatures;
        outcome
    }
}
