//! Published advisories that share their cause with one in `verifier_advisories.rs`: each with the document that its client
//! accepted.

#![expect(clippy::unwrap_used, reason = "a test that cannot make its documents has failed")]

mod made;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use chancery_verify::HashAlgorithm;
use chancery_verify::bundle::Bundle;
use chancery_verify::policy::Policy;
use chancery_verify::rekor::v2::{self, CreateEntry, HashedRekordRequest};
use chancery_verify::trust_root::TrustRoot;
use chancery_verify::verifier::{AnySigner, Artifact, Judge, Options, Verifier};
use made::document::{envelope, with};
use made::{ARTIFACT, IDENTITY, ISSUER, NOW, Spec, World};
use serde_json::{Value, json};

const ENTRY: &str = "/verificationMaterial/tlogEntries/0";

fn judged(world: &World, bundle: &Bundle, judge: &impl Judge) -> &'static str {
    let root = TrustRoot::parse(world.root().to_string().as_bytes()).unwrap();
    let verdict = Verifier::new(root, Options::default()).verify(bundle, &Artifact::Bytes(ARTIFACT), judge, NOW);
    verdict.map_or_else(|refusal| refusal.code(), |_| "accepted")
}

fn code(world: &World, bundle: &Value) -> &'static str {
    judged(world, &Bundle::parse(bundle.to_string().as_bytes()).unwrap(), &AnySigner)
}

/// As [`code`], for cosign's bundle before version 3.
fn code_of_legacy(world: &World, bundle: &Value) -> &'static str {
    judged(world, &Bundle::parse_legacy(bundle.to_string().as_bytes()).unwrap(), &AnySigner)
}

/// Two signers with certificates by the first one's authority.
fn two_signers() -> (World, World) {
    let world = World::new(Spec::default());
    let mut other = World::new(Spec::default());
    other.leaf = world.another_leaf(&other.signer);
    (world, other)
}

/// The world's signature in cosign's bundle before version 3, with this entry of Rekor v1.
fn legacy(world: &World, entry: &Value) -> Value {
    let id = STANDARD.decode(entry["logId"]["keyId"].as_str().unwrap()).unwrap();
    let number = |name: &str| entry[name].as_str().unwrap().parse::<u64>().unwrap();
    json!({
        "base64Signature": STANDARD.encode(&world.signature),
        "cert": STANDARD.encode(world.leaf.to_pem()),
        "rekorBundle": {
            "SignedEntryTimestamp": entry["inclusionPromise"]["signedEntryTimestamp"],
            "Payload": {
                "body": entry["canonicalizedBody"], "integratedTime": number("integratedTime"),
                "logIndex": number("logIndex"), "logID": hex::encode(id),
            },
        },
    })
}

/// GHSA-ccxc-vr6p-4858: cosign accepted a bundle with any entry of the log.
#[test]
fn the_entry_of_an_older_bundle_is_of_its_signature() {
    let (world, other) = two_signers();
    assert_eq!(code_of_legacy(&world, &legacy(&world, &world.entry_v1(&world.body_v1()))), "accepted");
    assert_eq!(code_of_legacy(&world, &legacy(&world, &world.entry_v1(&other.body_v1()))), "entry.mismatch");
}

/// GHSA-8gw7-4j42-w388: cosign's `verify-blob` did not compare certificate and signature with those of the entry.
#[test]
fn certificate_and_signature_of_an_older_bundle_are_those_of_its_entry() {
    let (world, other) = two_signers();
    let good = legacy(&world, &world.entry_v1(&world.body_v1()));
    let foreign = legacy(&other, &world.entry_v1(&other.body_v1()));
    assert_eq!(code_of_legacy(&world, &foreign), "accepted", "the other signer with the entry of that signature");
    for name in ["base64Signature", "cert"] {
        let crossed = with(&good, &format!("/{name}"), foreign[name].clone());
        assert_eq!(code_of_legacy(&world, &crossed), "entry.mismatch", "{name}");
    }
}

/// GHSA-q4xm-6fjc-5f6w: sigstore-java did not compare the digest in the entry with that of the artifact.
#[test]
fn the_entry_is_of_the_artifact() {
    let world = World::new(Spec::default());
    let other = HashAlgorithm::Sha256.digest(b"another artifact");
    let changed = |body: &[u8], place: &str, value: String| {
        let body: Value = serde_json::from_slice(body).unwrap();
        assert!(body.pointer(place).is_some(), "{body}");
        with(&body, place, value).to_string().into_bytes()
    };
    let v1 = changed(&world.body_v1(), "/spec/data/hash/value", hex::encode(&other));
    let v2 = changed(&world.body_v2(), "/spec/hashedRekordV002/data/digest", STANDARD.encode(&other));
    for entry in [world.entry_v1(&v1), world.entry_v2(&v2)] {
        assert_eq!(code(&world, &world.bundle(&[entry], &[world.timestamp()])), "entry.mismatch");
    }
}

/// GHSA-8pmp-678w-c8xx: gitsign took an entry of the same signer about another commit.
#[test]
fn another_entry_of_the_same_signer_is_not_of_this_signature() {
    let world = World::new(Spec::default());
    let other = b"another artifact";
    let key = v2::VerifierKey::Certificate(world.leaf.der().to_vec());
    let verifier = v2::Verifier { key: Some(key), key_details: 5 };
    let signature = v2::Signature { content: world.signer.sign(other), verifier: Some(verifier) };
    let request = HashedRekordRequest { digest: HashAlgorithm::Sha256.digest(other), signature: Some(signature) };
    let body = CreateEntry::HashedRekord(request).admit().unwrap().into_bytes();
    let bundle = world.bundle(&[world.entry_v2(&body)], &[world.timestamp()]);
    assert_eq!(code(&world, &bundle), "entry.mismatch");
}

/// GHSA-xvrc-2wvh-49vc: gitsign took the key of the log from the log itself.
#[test]
fn a_log_that_the_trust_root_does_not_have_vouches_for_nothing() {
    let (world, stranger) = two_signers();
    // Logs with the same names as the known ones, and other keys.
    let strange = [stranger.entry_v1(&world.body_v1()), stranger.entry_v2(&world.body_v2())];
    let known = [world.entry_v1(&world.body_v1()), world.entry_v2(&world.body_v2())];
    for ((strange, known), renamed) in strange.iter().zip(&known).zip(["promise.signature", "note.unsigned"]) {
        let bundle = world.bundle(std::slice::from_ref(strange), &[world.timestamp()]);
        assert_eq!(code(&world, &bundle), "log.unknown");
        let bundle = with(&bundle, &format!("{ENTRY}/logId"), known["logId"].clone());
        assert_eq!(code(&world, &bundle), renamed, "under the id of the known log");
    }
}

/// GHSA-hhfg-fwrw-87w7: sigstore-python trusted the time of an entry whose promise it had not verified.
#[test]
fn a_promise_about_another_entry_is_refused_and_not_passed_over() {
    let world = World::new(Spec::default());
    let body = world.body_v1();
    let entry = world.entry_v1(&body);
    let other = world.entry_v1_at(&body, 7)["inclusionPromise"].clone();
    for stamps in [vec![], vec![world.timestamp()]] {
        let bundle = world.bundle(std::slice::from_ref(&entry), &stamps);
        assert_eq!(code(&world, &bundle), "accepted");
        let changed = with(&bundle, &format!("{ENTRY}/inclusionPromise"), other.clone());
        assert_eq!(code(&world, &changed), "promise.signature", "{} timestamps", stamps.len());
    }
}

/// GHSA-739f-hw6h-7wq8: where a policy required an attestation, policy-controller accepted a signature without one.
#[test]
fn a_signature_is_not_the_attestation_that_a_policy_requires() {
    let rule = "predicate = { type = 'https://example.test/predicate' }";
    let text = format!("version = 1\n[require]\nissuer = '{ISSUER}'\nidentity = '{IDENTITY}'\n{rule}");
    let policy = Policy::parse(&text).unwrap();
    for (envelope, expected) in [(envelope(|_| ()), "accepted"), (None, "statement.predicate_type")] {
        let world = World::new(Spec { envelope, ..Spec::default() });
        for bundle in [world.bundle_v1(), world.bundle_v2()] {
            let bundle = Bundle::parse(bundle.to_string().as_bytes()).unwrap();
            assert_eq!(judged(&world, &bundle, &policy), expected);
        }
    }
}
