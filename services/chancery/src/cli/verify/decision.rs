//! From verified signatures to an outcome: what the policy says of them, or who they are where there is none.

use super::{
    expectation::Expectation,
    outcome::{Genuine, Outcome, PassedOver, Status},
};
use chancery_verify::{
    Timestamp,
    certificate::Identity,
    policy::Evidence,
    verifier::{Signer, Verifier},
};
use std::collections::BTreeSet;

/// Everything that is constant in a run.
#[derive(Debug)]
pub(super) struct Context {
    pub(super) verifier: Verifier,
    pub(super) expectation: Expectation,
    pub(super) now: Timestamp,
}

/// What was found for one artifact, of which nothing has been decided.
#[derive(Default)]
pub(super) struct Collected {
    pub(super) found: Vec<Genuine>,
    pub(super) passed_over: Vec<PassedOver>,
}

impl Collected {
    /// Takes a genuine signature, if it is what is asked for.
    pub(super) fn add(&mut self, context: &Context, genuine: Genuine) {
        let kind = genuine.predicate_type.as_deref();
        if context.expectation.wanted.takes(kind) {
            self.found.push(genuine);
            return;
        }
        let reason = kind.map_or_else(
            || "it is a signature, and attestations are asked for".to_owned(),
            |kind| format!("it is an attestation of type {kind}, which is not asked for; see --type"),
        );
        let passed = PassedOver::new(genuine.place, "statement.predicate_type", reason);
        self.passed_over.push(passed);
    }

    /// Decides.
    pub(super) fn decide(self, context: &Context, subject: impl Into<String>) -> Outcome {
        let Self { found, passed_over } = self;
        if found.is_empty() {
            let first = passed_over.first();
            let code = first.map_or("image.none", PassedOver::code);
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
                let refusal = decision.refusal().map(|refusal| (refusal.code(), refusal.to_string()));
                outcome.decision = Some(decision);
                refusal.or_else(|| too_few(&signatures, context.expectation.at_least))
            }
        };
        if let Some((code, reason)) = refusal {
            (outcome.status, outcome.code, outcome.reason) = (Status::Refused, Some(code), Some(reason));
        }
        outcome.signatures = signatures;
        outcome
    }
}

/// Where fewer different signers count than are asked for.
fn too_few(signatures: &[Genuine], at_least: usize) -> Option<(&'static str, String)> {
    let counted = signatures.iter().filter(|genuine| genuine.counted);
    let names: BTreeSet<(String, String)> = counted.map(|genuine| distinct_name(&genuine.verified.signer)).collect();
    (names.len() < at_least)
        .then(|| ("policy.quorum", format!("{} of {at_least} different signers satisfy the expectation", names.len())))
}

/// By what two signers differ. A person has one mail address, however it is written and whoever vouches for it; other names
/// mean something only with their issuer.
fn distinct_name(signer: &Signer) -> (String, String) {
    match signer.claims().map(|claims| (claims.identity(), claims.issuer())) {
        Some((Identity::Email(email), _)) => (email.to_ascii_lowercase(), String::new()),
        Some((Identity::Uri(name) | Identity::Username(name), issuer)) => (name.clone(), issuer.to_owned()),
        // A key's text is its fingerprint.
        None => (signer.to_string(), String::new()),
    }
}
