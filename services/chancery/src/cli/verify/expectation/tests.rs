//! Unit tests of expectations: what the flags ask of evidence.

use super::*;
use chancery_verify::{
    certificate::Identity, claims::Claims, extension::Claim, policy::Evidence, statement::COSIGN_SIGNATURE,
    verifier::Signer,
};
use clap::Parser;

#[derive(Debug, Parser)]
struct Line {
    #[command(flatten)]
    signer: SignerArguments,
}

const ISSUER: &str = "https://issuer.example";
const EVERYBODY: &str =
    "x --certificate-identity-regexp .*@acme\\.example --certificate-oidc-issuer https://issuer.example";

fn parsed(line: &str) -> Result<SignerArguments, clap::Error> {
    Line::try_parse_from(line.split_whitespace()).map(|line| line.signer)
}

fn policy(line: &str, wanted: Wanted) -> Policy {
    parsed(line).unwrap().read(wanted).unwrap().policy.unwrap()
}

fn by(address: &str, key: u8) -> Evidence {
    let claims = Claims::new(Identity::Email(address.to_owned()), [(Claim::Issuer, ISSUER.to_owned())]).unwrap();
    Evidence::new(Signer::Certificate { claims, sha256: [key; 32], key_sha256: [key; 32], serial: vec![key] })
}

fn code(policy: &Policy, evidence: &[Evidence]) -> &'static str {
    policy.evaluate(evidence).refusal().map_or("accepted", |refusal| refusal.code())
}

#[test]
fn at_least_counts_signers_as_a_policy_does() {
    let two = policy(&format!("{EVERYBODY} --at-least 2"), Wanted::Signatures);
    let (alice, bob) = (by("alice@acme.example", 1), by("bob@acme.example", 2));
    assert_eq!(code(&two, &[alice.clone(), bob.clone()]), "accepted");
    assert_eq!(code(&two, std::slice::from_ref(&alice)), "policy.quorum");
    // Another certificate, another key, another way to write the address.
    assert_eq!(code(&two, &[alice.clone(), by("Alice@acme.example", 3)]), "policy.quorum");
    // Two names and one key, or one signature: one signer.
    assert_eq!(code(&two, &[alice.clone(), by("bob@acme.example", 1)]), "policy.quorum");
    let signed = |evidence: &Evidence| Evidence { signature: Some(vec![7]), ..evidence.clone() };
    assert_eq!(code(&two, &[signed(&alice), signed(&bob)]), "policy.quorum");
    assert_eq!(code(&two, &[alice, bob, by("mallory@evil.example", 4)]), "accepted");
}

#[test]
fn a_person_and_the_holder_of_a_key_are_two_signers() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("key.pub");
    let pem = "-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEaxfR8uEsQkf4vOblY6RA8ncDfYEt\n\
               6zOg9KE5RdiYwpZP40Li/hp/m47n60p8D54WK84zV2sxXs7LtkBoN79R9Q==\n-----END PUBLIC KEY-----\n";
    fs::write(&path, pem).unwrap();
    let sha256 = PublicKey::from_pem(pem.as_bytes()).unwrap().fingerprint();
    let keyed = Evidence::new(Signer::Key { sha256, hint: None });
    let both = format!("{EVERYBODY} --key {} --at-least 2", path.display());
    let alice = by("alice@acme.example", 1);
    let both = policy(&both, Wanted::Signatures);
    assert_eq!(code(&both, &[alice.clone(), keyed.clone()]), "accepted");
    assert_eq!(code(&both, &[keyed.clone(), keyed]), "policy.quorum");
    assert_eq!(code(&both, &[alice.clone(), by("bob@acme.example", 2)]), "accepted");
}

#[test]
fn what_is_looked_at_is_what_is_asked_for() {
    let statement = |kind: &str| Evidence {
        predicate: Some((kind.to_owned(), serde_json::json!({}))),
        ..by("alice@acme.example", 1)
    };
    let all = [by("alice@acme.example", 1), statement(COSIGN_SIGNATURE), statement("https://spdx.dev/Document")];
    let types = |names: &[&str]| Wanted::of_types(&names.iter().map(ToString::to_string).collect::<Vec<_>>()).unwrap();
    let other = "statement.predicate_type";
    for (wanted, expected) in [
        (Wanted::Signatures, ["accepted", "accepted", other]),
        (types(&["spdx"]), [other, other, "accepted"]),
        (types(&["sign", "spdx"]), ["accepted"; 3]),
        (Wanted::Anything, ["accepted"; 3]),
    ] {
        let policy = policy(EVERYBODY, wanted.clone());
        assert_eq!(all.each_ref().map(|one| code(&policy, std::slice::from_ref(one))), expected, "{wanted:?}");
    }
}

#[test]
fn a_policy_file_says_itself_how_many() {
    assert!(parsed("x --policy policy.toml --at-least 2").is_err());
    assert!(parsed("x --policy policy.toml").is_ok());
    assert!(parsed("x --at-least 0").is_err());
    let many = parsed(&format!("{EVERYBODY} --at-least 65")).unwrap().read(Wanted::Signatures).unwrap_err();
    assert!(many.to_string().contains("at most 64"), "{many}");
}
