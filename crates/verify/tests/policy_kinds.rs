//! A rule asks for signatures of the artifact itself unless it says otherwise: an attestation by the same identity is none.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that fails here has found something")]

mod made;

use chancery_verify::bundle::Bundle;
use chancery_verify::certificate::Identity;
use chancery_verify::claims::Claims;
use chancery_verify::extension::Claim;
use chancery_verify::policy::{Evidence, Kind, Pattern, Policy, Requirement};
use chancery_verify::statement::COSIGN_SIGNATURE;
use chancery_verify::trust_root::TrustRoot;
use chancery_verify::verifier::{AnySigner, Artifact, Options, Signer, Verifier};
use chancery_verify::{Refusal, Timestamp};
use made::{ARTIFACT, IDENTITY, ISSUER, NOW, Spec, World, document};
use serde_json::json;

const SBOM: &str = "https://spdx.dev/Document";
const SIGNER: &str = "issuer = 'https://issuer.example'\nidentity = 'alice@acme.example'";

fn by(address: &str) -> Evidence {
    let issuer = [(Claim::Issuer, "https://issuer.example".to_owned())];
    let claims = Claims::new(Identity::Email(address.to_owned()), issuer).unwrap();
    let unique = chancery_verify::hash::sha256(address.as_bytes());
    let signer = Signer::Certificate { claims, sha256: unique, key_sha256: unique, serial: vec![1] };
    Evidence { times: vec![Timestamp::from_seconds(1_800_000_000)], ..Evidence::new(signer) }
}

/// What Alice may have signed, in the order of the verdicts below.
fn signed() -> [Evidence; 4] {
    let statement = |predicate_type: &str| Evidence {
        payload_type: Some("application/vnd.in-toto+json".to_owned()),
        predicate: Some((predicate_type.to_owned(), json!({ "a": 1 }))),
        ..by("alice@acme.example")
    };
    let other = Evidence { payload_type: Some("text/plain".to_owned()), ..by("alice@acme.example") };
    [by("alice@acme.example"), statement(COSIGN_SIGNATURE), statement(SBOM), other]
}

fn policy(text: &str) -> Policy {
    Policy::parse(&format!("version = 1\n{text}")).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

fn verdict(policy: &Policy, evidence: &Evidence) -> &'static str {
    let decision = policy.evaluate(std::slice::from_ref(evidence));
    decision.refusal().map_or("accepted", |refusal| refusal.code())
}

const GOOD: &str = "accepted";
const OTHER: &str = "statement.predicate_type";

#[test]
fn a_rule_that_names_no_predicate_asks_for_a_signature() {
    let attested = format!("predicate = {{ type = '{SBOM}' }}");
    for (rule, verdicts) in [
        ("", [GOOD, GOOD, OTHER, OTHER]),
        ("kind = 'signature'", [GOOD, GOOD, OTHER, OTHER]),
        ("kind = 'attestation'", [OTHER, OTHER, GOOD, OTHER]),
        ("kind = 'any'", [GOOD; 4]),
        (&attested, [OTHER, OTHER, GOOD, OTHER]),
        (&format!("kind = 'attestation'\n{attested}"), [OTHER, OTHER, GOOD, OTHER]),
    ] {
        let policy = policy(&format!("[require]\n{SIGNER}\n{rule}"));
        assert_eq!(signed().map(|evidence| verdict(&policy, &evidence)), verdicts, "{rule}");
    }
}

#[test]
fn so_does_a_policy_of_one_line() {
    let alice = || Requirement::identity("alice@acme.example", "https://issuer.example");
    for (requirement, verdicts) in [
        (alice(), [GOOD, GOOD, OTHER, OTHER]),
        (alice().of_kind(Kind::Attestation), [OTHER, OTHER, GOOD, OTHER]),
        (alice().of_kind(Kind::Any), [GOOD; 4]),
        (Requirement::any_of(vec![alice()]).of_kind(Kind::Attestation), [OTHER, OTHER, GOOD, OTHER]),
        (alice().with_predicate_type(Pattern::exact(SBOM)), [OTHER, OTHER, GOOD, OTHER]),
    ] {
        let policy = Policy::require(requirement.clone());
        assert_eq!(signed().map(|evidence| verdict(&policy, &evidence)), verdicts, "{requirement:?}");
    }
}

#[test]
fn a_quorum_of_signatures_is_not_met_by_an_attestation() {
    let both = "[require.at_least]\ncount = 2\nof = [\n\
        { issuer = 'https://issuer.example', identity = 'alice@acme.example' },\n\
        { issuer = 'https://issuer.example', identity = 'bob@acme.example' },\n]";
    let two = policy(both);
    let [signature, _, attestation, _] = signed();
    let bob = by("bob@acme.example");
    assert!(two.evaluate(&[signature, bob.clone()]).accepted());
    let refused = two.evaluate(&[attestation, bob]);
    assert_eq!(refused.refusal().unwrap().code(), "policy.quorum");
}

#[test]
fn an_explanation_says_which_kind_is_asked_for() {
    let rule = policy(&format!("[require]\n{SIGNER}"));
    let [signature, _, attestation, other] = signed();
    let explained = |evidence: &Evidence| rule.evaluate(std::slice::from_ref(evidence)).to_string();
    assert!(explained(&signature).contains("✓ kind: a signature of the artifact itself\n"));
    for (evidence, found) in [
        (attestation, "an attestation of type https://spdx.dev/Document"),
        (other, "an envelope that holds no statement"),
    ] {
        let text = explained(&evidence);
        let line = format!("✗ kind: expected a signature of the artifact itself, found {found}\n");
        assert!(text.contains(&line), "{text}");
    }
}

#[test]
fn what_contradicts_itself_is_refused_with_what_to_write() {
    let refused = |text: &str| Policy::parse(&format!("version = 1\n{text}")).unwrap_err().to_string();
    for kind in ["signature", "any"] {
        for about in ["predicate = { type = 'x' }", "slsa = { builder = 'x' }", "vsa = { verifier = 'x' }"] {
            let message = refused(&format!("[require]\n{SIGNER}\nkind = '{kind}'\n{about}"));
            assert!(message.contains("write `kind = \"attestation\"`"), "{message}");
        }
    }
    let unknown = refused(&format!("[require]\n{SIGNER}\nkind = 'signatures'"));
    assert!(unknown.contains("expected one of `signature`, `attestation`, `any`"), "{unknown}");
    let combined = refused(&format!("[require]\nkind = 'any'\n[[require.any_of]]\n{SIGNER}"));
    assert!(combined.contains("put the conditions into an entry of `all_of`"), "{combined}");
    assert!(refused("[require]\nkind = 'any'").contains("names no signer"));
}

/// The verdict of a policy on a bundle with this statement, or with the signature of the artifact.
fn judged(predicate_type: Option<&str>, policy: &Policy) -> &'static str {
    let envelope = predicate_type.and_then(|kind| {
        document::envelope(|statement| {
            statement["predicateType"] = kind.into();
            statement["subject"][0]["annotations"] = json!({ "env": "prod", "number": 7 });
        })
    });
    let world = World::new(Spec { envelope, ..Spec::default() });
    let verifier = Verifier::new(TrustRoot::parse(world.root().to_string().as_bytes()).unwrap(), Options::default());
    let bundle = Bundle::parse(world.bundle_v2().to_string().as_bytes()).unwrap();
    let artifact = Artifact::Bytes(ARTIFACT);
    let verdict = verifier.verify(&bundle, &artifact, policy, NOW).map(drop);
    // Over what any signer's verdict says, it is the same.
    let verified = verifier.verify(&bundle, &artifact, &AnySigner, NOW).unwrap();
    let decided = policy.evaluate(&[verified.evidence()]).into_result().map(drop);
    assert_eq!(verdict.as_ref().map_err(Refusal::code), decided.as_ref().map_err(Refusal::code));
    verdict.map_or_else(|refusal| refusal.code(), |()| GOOD)
}

#[test]
fn bundles_are_judged_by_their_kind() {
    let signer = || Requirement::identity(IDENTITY, ISSUER);
    for (kind, verdicts) in
        [(Kind::Signature, [GOOD, GOOD, OTHER]), (Kind::Attestation, [OTHER, OTHER, GOOD]), (Kind::Any, [GOOD; 3])]
    {
        let policy = Policy::require(signer().of_kind(kind));
        let found = [None, Some(COSIGN_SIGNATURE), Some(SBOM)].map(|predicate_type| judged(predicate_type, &policy));
        assert_eq!(found, verdicts, "{kind:?}");
    }
    assert_eq!(judged(Some(SBOM), &Policy::identity(IDENTITY, ISSUER)), OTHER);
}

#[test]
fn annotations_that_are_signed_along_are_evidence() {
    let asking = |annotations: &str| {
        policy(&format!("[require]\nissuer = '{ISSUER}'\nidentity = '{IDENTITY}'\nannotations = {{ {annotations} }}"))
    };
    for (annotations, expected) in [
        ("env = 'prod'", GOOD),
        ("env = 'test'", "policy.annotation"),
        ("team = 'blue'", "policy.annotation"),
        // Only texts are annotations.
        ("number = '7'", "policy.annotation"),
    ] {
        assert_eq!(judged(Some(COSIGN_SIGNATURE), &asking(annotations)), expected, "{annotations}");
    }
    assert_eq!(judged(None, &asking("env = 'prod'")), "policy.annotation");
}
