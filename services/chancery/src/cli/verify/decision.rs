//! The outcome of verified signatures: the policy's decision, or without a policy only their signers.

use super::{
    expectation::Expectation,
    outcome::{Genuine, Outcome, PassedOver, Status},
};
use chancery_image::SIGN_PREDICATE;
use chancery_verify::{
    Timestamp,
    bundle::{Bundle, Content},
    certificate::Identity,
    policy::Evidence,
    verifier::{Signer, Verified, Verifier},
};
use std::collections::BTreeSet;

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
        let evidence: Vec<Evidence> = found.iter().map(evidence).collect();
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

/// Refuses if fewer different signers count than required.
fn too_few(signatures: &[Genuine], at_least: usize) -> Option<(&'static str, String)> {
    let counted = signatures.iter().filter(|genuine| genuine.counted);
    let names: BTreeSet<(String, String)> = counted.map(|genuine| distinct_name(&genuine.verified.signer)).collect();
    (names.len() < at_least)
        .then(|| ("policy.quorum", format!("{} of {at_least} different signers satisfy the expectation", names.len())))
}

/// The name that distinguishes signers. An email address is the same person in any case and for every issuer. Other
/// names have a meaning only together with their issuer.
fn distinct_name(signer: &Signer) -> (String, String) {
    match signer.claims().map(|claims| (claims.identity(), claims.issuer())) {
        Some((Identity::Email(email), _)) => (email.to_ascii_lowercase(), String::new()),
        Some((Identity::Uri(name) | Identity::Username(name), issuer)) => (name.clone(), issuer.to_owned()),
        // A key's text is its fingerprint.
        None => (signer.to_string(), String::new()),
    }
}

/// The evidence of a genuine signature for a policy.
fn evidence(genuine: &Genuine) -> Evidence {
    Evidence { annotations: genuine.annotations.clone(), ..genuine.verified.evidence() }
}

/// The predicate type of a bundle. `None` for a signature of the artifact itself.
pub(super) fn predicate_type(bundle: &Bundle, verified: &Verified) -> Option<String> {
    match (bundle.content(), &verified.statement) {
        (Content::Message { .. }, _) | (_, None) => None,
        (Content::Envelope(_), Some(statement)) if statement.predicate_type() == SIGN_PREDICATE => None,
        (Content::Envelope(_), Some(statement)) => Some(statement.predicate_type().to_owned()),
    }
}
