//! From verified signatures to an outcome: what the policy says of them, or who they are where there is none.

use super::{
    expectation::Expectation,
    outcome::{Genuine, Outcome, PassedOver, Status},
};
use chancery_image::SIGN_PREDICATE;
use chancery_verify::{
    Refusal, Timestamp,
    bundle::{Bundle, Content, Material},
    certificate::Certificate,
    policy::{Evidence, Signer as PolicySigner},
    verifier::{Signer, Verified, Verifier},
};
use std::collections::BTreeSet;

/// Everything that is constant in a run.
#[derive(Debug)]
pub(super) struct Context {
    pub(super) verifier: Verifier,
    pub(super) expectation: Expectation,
    pub(super) now: Timestamp,
}

/// A genuine signature with the bundle it came from.
pub(super) struct Found {
    pub(super) bundle: Bundle,
    pub(super) genuine: Genuine,
}

/// What was found for one artifact, of which nothing has been decided.
#[derive(Default)]
pub(super) struct Collected {
    pub(super) found: Vec<Found>,
    pub(super) passed_over: Vec<PassedOver>,
}

impl Collected {
    /// Takes a genuine signature, if it is what is asked for.
    pub(super) fn add(&mut self, context: &Context, bundle: Bundle, genuine: Genuine) {
        let kind = genuine.predicate_type.as_deref();
        if context.expectation.wanted.takes(kind) {
            self.found.push(Found { bundle, genuine });
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
        let evidence: Result<Vec<Evidence>, Refusal> = found.iter().map(|found| evidence(context, found)).collect();
        let mut signatures: Vec<Genuine> = found.into_iter().map(|found| found.genuine).collect();
        let refusal = match (&context.expectation.policy, evidence) {
            (None, _) => None,
            (Some(_), Err(refusal)) => Some((refusal.code(), refusal.to_string())),
            (Some(policy), Ok(evidence)) => {
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
    // A mail address is the same person however it is written.
    let names: BTreeSet<String> = counted.map(|genuine| genuine.verified.signer.to_string().to_lowercase()).collect();
    (names.len() < at_least)
        .then(|| ("policy.quorum", format!("{} of {at_least} different signers satisfy the expectation", names.len())))
}

/// What a policy is told about a genuine signature.
fn evidence(context: &Context, found: &Found) -> Result<Evidence, Refusal> {
    let verified = &found.genuine.verified;
    let signer = match found.bundle.material() {
        Material::Certificate(certificate) => PolicySigner::of(certificate, authorities(context, verified, certificate))?,
        Material::PublicKey { .. } => PolicySigner::Key(key(context, verified)?),
    };
    let mut evidence = Evidence::new(signer, found.bundle.signature().to_vec());
    evidence.times = verified.times.iter().map(chancery_verify::verifier::VerifiedTime::time).collect();
    let statement = verified.statement.as_ref();
    evidence.predicate =
        statement.map(|statement| (statement.predicate_type().to_owned(), statement.predicate().clone()));
    evidence.annotations.clone_from(&found.genuine.annotations);
    Ok(evidence)
}

/// The chain of the authority that the verifier has found.
fn authorities<'a>(context: &'a Context, verified: &Verified, leaf: &Certificate) -> &'a [Certificate] {
    let Some(authority) = &verified.authority else { return &[] };
    let root = context.verifier.trust_root();
    let all = root.certificate_authorities().iter().map(|known| (known, known.chain()));
    let mut fitting = all.filter(|(known, chain)| {
        let issuer = chain.first().is_some_and(|issuer| issuer.subject() == leaf.issuer());
        issuer && *known.window() == authority.window && known.operator() == authority.operator
    });
    fitting.next().map_or(&[], |(_, chain)| chain)
}

fn key(context: &Context, verified: &Verified) -> Result<chancery_verify::PublicKey, Refusal> {
    let Signer::Key { sha256, .. } = &verified.signer else {
        return Err(Refusal::new(chancery_verify::Rejection::PolicyKey, chancery_verify::Step::Policy));
    };
    let keys = context.expectation.keys.iter().map(chancery_verify::verifier::SignerKey::key);
    let known = keys.clone().find(|key| key.fingerprint() == *sha256).cloned();
    known.ok_or_else(|| Refusal::new(chancery_verify::Rejection::PolicyKey, chancery_verify::Step::Policy))
}

/// What is attested by a bundle: `None` for a signature of the artifact itself.
pub(super) fn predicate_type(bundle: &Bundle, verified: &Verified) -> Option<String> {
    match (bundle.content(), &verified.statement) {
        (Content::Message { .. }, _) | (_, None) => None,
        (Content::Envelope(_), Some(statement)) if statement.predicate_type() == SIGN_PREDICATE => None,
        (Content::Envelope(_), Some(statement)) => Some(statement.predicate_type().to_owned()),
    }
}
