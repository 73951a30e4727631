//! Log entries by themselves: what is established without bundle and artifact, and what is refused.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that fails here has found something")]

mod made;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use chancery_verify::bundle::{Bundle, TransparencyLogEntry};
use chancery_verify::merkle::{TreeHead, leaf_hash};
use chancery_verify::rekor::logged::DigestOf;
use chancery_verify::trust_root::TrustRoot;
use chancery_verify::verifier::{FoundEntry, FoundPromise, Options, Signer, Undated, VerifiedLogged, Verifier};
use chancery_verify::{HashAlgorithm, Refusal, Timestamp};
use made::{ARTIFACT, HOST_V1, HOST_V2, IDENTITY, Key, NOW, Spec, T, World, document};
use serde_json::Value;

type Change<'a> = &'a dyn Fn(&mut TransparencyLogEntry);

fn verifier(world: &World) -> Verifier {
    let root = TrustRoot::parse(world.root().to_string().as_bytes()).unwrap();
    Verifier::new(root, Options::default())
}

/// The entry of a bundle of this world, as it was parsed.
fn entry_v1(world: &World) -> TransparencyLogEntry {
    Bundle::parse(world.bundle_v1().to_string().as_bytes()).unwrap().entries()[0].clone()
}

fn entry_v2(world: &World) -> TransparencyLogEntry {
    let bundle = world.bundle(&[world.entry_v2(&world.body_v2())], &[]);
    Bundle::parse(bundle.to_string().as_bytes()).unwrap().entries()[0].clone()
}

fn identity(verified: &VerifiedLogged) -> String {
    let Signer::Certificate { claims, .. } = &verified.signatures[0].as_ref().unwrap().signer else { panic!() };
    claims.identity().to_string()
}

/// That of the certificate of this world.
fn validity() -> Undated {
    let [not_before, not_after] = [T - 300, T + 300].map(Timestamp::from_seconds);
    Undated { not_before, not_after }
}

fn code(verdict: &Result<VerifiedLogged, Refusal>) -> &'static str {
    match verdict {
        Err(refusal) => refusal.code(),
        Ok(verified) => verified.signatures[0].as_ref().map_or_else(Refusal::code, |_| "accepted"),
    }
}

#[test]
fn an_entry_proves_its_signer_its_digest_and_with_a_promise_its_time() {
    let world = World::new(Spec::default());
    let verifier = verifier(&world);
    let digest = (HashAlgorithm::Sha256, HashAlgorithm::Sha256.digest(ARTIFACT));
    let verified = verifier.verify_logged(&entry_v1(&world), NOW).unwrap();
    assert_eq!(identity(&verified), IDENTITY);
    assert_eq!((verified.digest.as_ref(), verified.digest_of), (Some(&digest), Some(DigestOf::Signed)));
    assert_eq!(verified.signatures[0].as_ref().unwrap().over_digest.as_ref(), Some(&digest));
    assert_eq!(verified.time.map(|time| time.time()), Some(Timestamp::from_seconds(T)));
    let inclusion = verified.entry.inclusion.unwrap();
    assert_eq!((inclusion.index, inclusion.tree_size, verified.entry.promised), (2, 4, true));
    assert_eq!(verified.signatures[0].as_ref().unwrap().undated, None);

    // An entry of Rekor v2 has no time. The one that the log states is signed by nobody: it dates nothing.
    let stated = TransparencyLogEntry { integrated_time: Some(Timestamp::from_seconds(T)), ..entry_v2(&world) };
    let verified = verifier.verify_logged(&stated, NOW).unwrap();
    assert_eq!((identity(&verified).as_str(), verified.time), (IDENTITY, None));
    assert_eq!(verified.entry.log_index, Some(2));
    assert_eq!(verified.signatures[0].as_ref().unwrap().undated, Some(validity()));
    // Nor does the time of Rekor v1 without its promise.
    let unpromised = TransparencyLogEntry { promise: None, ..entry_v1(&world) };
    let verified = verifier.verify_logged(&unpromised, NOW).unwrap();
    assert_eq!(verified.signatures[0].as_ref().unwrap().undated, Some(validity()));
}

#[test]
fn without_any_time_a_certificate_is_checked_when_it_was_issued() {
    let world = World::new(Spec::default());
    let verified = verifier(&world).verify_logged(&entry_v2(&world), NOW).unwrap();
    let attribution = verified.signatures[0].as_ref().unwrap();
    assert_eq!(attribution.undated, Some(validity()));
    let json = serde_json::to_value(attribution.undated).unwrap();
    assert_eq!(json["not_before"], validity().not_before.rfc3339_millis());
    assert!(attribution.is_verified());
    assert_eq!((identity(&verified).as_str(), &verified.time), (IDENTITY, &None));
    // Long after the certificate has expired it is the same: nothing says that it was used in time.
    let later = Timestamp::from_seconds(T + 50_000);
    assert_eq!(code(&verifier(&world).verify_logged(&entry_v2(&world), later)), "accepted");
    // A certificate that is not valid yet, or whose authority was not yet valid when it was issued.
    let early = Timestamp::from_seconds(T - 301);
    assert_eq!(code(&verifier(&world).verify_logged(&entry_v2(&world), early)), "time.future");
    let young = World::new(Spec { intermediate: (T - 200, T + 100_000), ..Spec::default() });
    assert_eq!(code(&verifier(&young).verify_logged(&entry_v2(&young), NOW)), "chain.expired");
}

#[test]
fn an_envelope_is_attributed_though_its_signature_is_not_in_the_entry() {
    let world = World::new(Spec { envelope: document::envelope(|_| ()), ..Spec::default() });
    let verified = verifier(&world).verify_logged(&entry_v1(&world), NOW).unwrap();
    let (_, payload) = world.spec.envelope.as_ref().unwrap();
    assert_eq!(verified.digest_of, Some(DigestOf::Payload));
    assert_eq!(verified.digest.as_ref().unwrap().1, HashAlgorithm::Sha256.digest(payload));
    assert_eq!(identity(&verified), IDENTITY);
    assert_eq!(verified.signatures[0].as_ref().unwrap().over_digest, None);
}

#[test]
fn a_signature_over_an_envelope_is_verified_with_the_payload_that_is_kept() {
    let world = World::new(Spec { envelope: document::envelope(|_| ()), ..Spec::default() });
    let (verifier, entry) = (verifier(&world), entry_v1(&world));
    let (payload_type, payload) = world.spec.envelope.as_ref().unwrap();
    let (proof, leaf) = (entry.proof.as_ref().unwrap(), entry.body.as_ref().unwrap());
    let judge = |attestation| {
        let promise = FoundPromise {
            log_index: entry.log_index,
            integrated_time: entry.integrated_time.unwrap(),
            signature: entry.promise.as_ref().unwrap(),
        };
        let found = FoundEntry {
            leaf,
            index: proof.log_index,
            hashes: &proof.hashes,
            tree_size: proof.tree_size,
            root_hash: proof.root_hash,
            checkpoint: proof.checkpoint.as_ref().unwrap(),
            recorded: None,
            promise: Some(promise),
            attestation,
        };
        verifier.verify_found(&found, NOW)
    };
    let over = |attestation| {
        let verified = judge(attestation).unwrap();
        let attribution = verified.signatures[0].as_ref().unwrap();
        (attribution.over_payload.clone(), attribution.is_verified())
    };
    assert_eq!(over(None), (None, false));
    assert_eq!(over(Some(payload)), (Some((*payload_type).to_owned()), true));
    let mut other = payload.clone();
    other[0] ^= 1;
    assert_eq!(code(&judge(Some(&other))), "entry.mismatch");
}

#[test]
fn what_is_changed_in_an_entry_is_refused() {
    let world = World::new(Spec::default());
    let (verifier, good) = (verifier(&world), entry_v1(&world));
    let judge = |change: Change<'_>| {
        let mut entry = good.clone();
        change(&mut entry);
        code(&verifier.verify_logged(&entry, NOW))
    };
    assert_eq!(judge(&|_| ()), "accepted");
    let flip = |bytes: &mut [u8]| *bytes.last_mut().unwrap() ^= 1;
    let cases: &[(Change<'_>, &str)] = &[
        (&|entry| entry.body = None, "entry.missing"),
        (&|entry| entry.kind = "dsse".to_owned(), "entry.mismatch"),
        (&|entry| entry.version = "0.0.2".to_owned(), "entry.mismatch"),
        (&|entry| entry.log_id[0] ^= 1, "log.unknown"),
        (&|entry| flip(entry.promise.as_mut().unwrap()), "promise.signature"),
        (&|entry| entry.log_index += 1, "promise.signature"),
        (&|entry| entry.integrated_time = Some(Timestamp::from_seconds(T + 1)), "promise.signature"),
        (&|entry| entry.integrated_time = Some(NOW.plus_seconds(1)), "time.future"),
        (&|entry| entry.proof = None, "accepted"),
        (&|entry| entry.proof.as_mut().unwrap().log_index = 3, "proof.root"),
        (&|entry| flip(&mut entry.proof.as_mut().unwrap().hashes[0]), "proof.root"),
        (&|entry| flip(&mut entry.proof.as_mut().unwrap().root_hash), "checkpoint.mismatch"),
        (&|entry| entry.proof.as_mut().unwrap().checkpoint = None, "checkpoint.missing"),
        // Without a promise the time that the log states must at least be one of the certificate.
        (&|entry| entry.promise = None, "accepted"),
        (
            &|entry| {
                entry.promise = None;
                entry.integrated_time = Some(Timestamp::from_seconds(T + 301));
            },
            "time.certificate",
        ),
        (
            &|entry| {
                (entry.promise, entry.integrated_time) = (None, None);
            },
            "accepted",
        ),
        (
            &|entry| {
                (entry.promise, entry.proof) = (None, None);
            },
            "proof.missing",
        ),
    ];
    for (change, refused) in cases {
        assert_eq!(judge(change), *refused);
    }
}

#[test]
fn a_certificate_of_another_authority_is_refused() {
    let (ours, theirs) = (World::new(Spec::default()), World::new(Spec::default()));
    // The logs and the entry are ours, the authority of the trust root is theirs.
    let mut root = ours.root();
    root["certificateAuthorities"] = theirs.root()["certificateAuthorities"].clone();
    let verifier = Verifier::new(TrustRoot::parse(root.to_string().as_bytes()).unwrap(), Options::default());
    let verified = verifier.verify_logged(&entry_v1(&ours), NOW).unwrap();
    assert!(["chain.signature", "chain.untrusted"].contains(&verified.signatures[0].as_ref().unwrap_err().code()));
}

#[test]
fn a_checkpoint_names_the_log_that_signed_it() {
    let world = World::new(Spec::default());
    let verifier = verifier(&world);
    let head = TreeHead { size: 1, root: leaf_hash(b"0") };
    let found = |key: &Key, scheme| {
        let note = World::checkpoint(&head, key, &scheme);
        verifier.log_of_checkpoint(&note).map(|log| log.host().to_owned())
    };
    assert_eq!(found(&world.log_v1, World::scheme_v1(HOST_V1)).as_deref(), Some(HOST_V1));
    assert_eq!(found(&world.log_v2, World::scheme_v2(HOST_V2)).as_deref(), Some(HOST_V2));
    assert_eq!(found(&world.log_v1, World::scheme_v1(HOST_V2)), None);
    assert_eq!(found(&Key::new(), World::scheme_v1(HOST_V1)), None);
    assert_eq!(verifier.log_of_checkpoint("no checkpoint"), None);
}

#[test]
fn a_checkpoint_that_was_opened_before_serves_its_own_entries_and_its_own_verifier_alone() {
    let (world, other) = (World::new(Spec::default()), World::new(Spec::default()));
    let (ours, theirs) = (verifier(&world), verifier(&other));
    let entry = entry_v1(&world);
    let (proof, leaf) = (entry.proof.as_ref().unwrap(), entry.body.as_ref().unwrap());
    let head = ours.open_head(proof.checkpoint.as_ref().unwrap()).unwrap();
    assert_eq!(head.log().host(), HOST_V1);
    let judge = |verifier: &Verifier, checkpoint: &str, root_hash| {
        let found = FoundEntry {
            leaf,
            index: proof.log_index,
            hashes: &proof.hashes,
            tree_size: proof.tree_size,
            root_hash,
            checkpoint,
            recorded: Some(Timestamp::from_seconds(T)),
            promise: None,
            attestation: None,
        };
        code(&verifier.verify_found_in(Some(&head), &found, NOW))
    };
    let checkpoint = proof.checkpoint.as_ref().unwrap();
    assert_eq!(judge(&ours, checkpoint, proof.root_hash), "accepted");
    assert_eq!(judge(&ours, checkpoint, leaf_hash(b"another tree")), "checkpoint.mismatch");
    // Another checkpoint of the log: what is not signed is not believed for the sake of the one that is.
    let unsigned = checkpoint.replacen('\n', "\n1", 1);
    assert_eq!(judge(&ours, &unsigned, proof.root_hash), "log.unknown");
    // A verifier that does not know the log is not told of it by the head of one that does.
    assert_eq!(judge(&theirs, checkpoint, proof.root_hash), "log.unknown");
    assert!(theirs.open_head(checkpoint).is_none());
}

/// Proposals and bodies by Rekor's own code, of the kinds for packages and the formats of other tools.
const KINDS: &str = include_str!("golden/rekor1-kinds.json");

/// The entry with this body, in the log of this world.
fn logged(world: &World, body: &[u8]) -> TransparencyLogEntry {
    let bundle = world.bundle(&[world.entry_v1(body)], &[]);
    Bundle::parse(bundle.to_string().as_bytes()).unwrap().entries()[0].clone()
}

/// As a search shows the entry, with what is beside it.
fn found(verifier: &Verifier, entry: &TransparencyLogEntry, attestation: Option<&[u8]>) -> Vec<&'static str> {
    let proof = entry.proof.as_ref().unwrap();
    let found = FoundEntry {
        leaf: entry.body.as_ref().unwrap(),
        index: proof.log_index,
        hashes: &proof.hashes,
        tree_size: proof.tree_size,
        root_hash: proof.root_hash,
        checkpoint: proof.checkpoint.as_ref().unwrap(),
        recorded: entry.integrated_time,
        promise: None,
        attestation,
    };
    let verified = verifier.verify_found(&found, NOW).unwrap();
    let code = |signature: &Result<_, Refusal>| signature.as_ref().map_or_else(Refusal::code, |_| "accepted");
    verified.signatures.iter().map(code).collect()
}

#[test]
fn entries_of_every_kind_are_in_the_log_and_say_what_they_prove() {
    let world = World::new(Spec::default());
    let verifier = verifier(&world);
    let vectors: Vec<Value> = serde_json::from_str(KINDS).unwrap();
    for vector in &vectors {
        let (name, body) = (vector["name"].as_str().unwrap(), vector["body"].as_str().unwrap());
        let entry = logged(&world, body.as_bytes());
        let verified = verifier.verify_logged(&entry, NOW).unwrap_or_else(|refusal| panic!("{name}: {refusal}"));
        assert!(verified.time.is_some() && verified.entry.inclusion.is_some(), "{name}");
        let told = found(&verifier, &entry, None);
        assert!(!told.is_empty(), "{name}");
        let expected = match (entry.kind.as_str(), name) {
            ("tuf" | "rfc3161", _) | (_, "rekord x509 ec" | "rekord x509 rsa") => "accepted",
            // They are of no authority of this world.
            (_, "rekord x509, a certificate" | "rekord x509, a chain") => {
                assert!(
                    !["accepted", "signature.invalid", "entry.unverifiable"].contains(&told[0]),
                    "{name}: {told:?}"
                );
                continue;
            }
            _ => "entry.unverifiable",
        };
        assert!(told.iter().all(|code| *code == expected), "{name}: {told:?}");
    }
}

#[test]
fn a_message_that_is_kept_proves_the_signature_unless_it_is_over_more() {
    let world = World::new(Spec::default());
    let verifier = verifier(&world);
    let vectors: Vec<Value> = serde_json::from_str(KINDS).unwrap();
    for (name, expected) in [
        ("cose ES256", "accepted"),
        ("cose PS256", "accepted"),
        ("cose ES256 with external data", "entry.unverifiable"),
    ] {
        let vector = vectors.iter().find(|vector| vector["name"] == name).unwrap();
        let entry = logged(&world, vector["body"].as_str().unwrap().as_bytes());
        let message = vector["proposal"]["spec"]["message"].as_str().unwrap();
        let message = STANDARD.decode(message).unwrap();
        assert_eq!(found(&verifier, &entry, Some(&message)), [expected], "{name}");
    }
}

#[test]
fn what_is_changed_in_an_entry_of_another_kind_proves_nothing() {
    let world = World::new(Spec::default());
    let verifier = verifier(&world);
    let vectors: Vec<Value> = serde_json::from_str(KINDS).unwrap();
    let body = |name: &str| -> Value {
        let vector = vectors.iter().find(|vector| vector["name"] == name).unwrap();
        serde_json::from_str(vector["body"].as_str().unwrap()).unwrap()
    };
    let told = |body: &Value| found(&verifier, &logged(&world, body.to_string().as_bytes()), None);
    // Metadata that its root has not signed.
    let mut tampered = body("tuf timestamp");
    let metadata = tampered["spec"]["metadata"]["content"].as_str().unwrap();
    let metadata = STANDARD.decode(metadata).unwrap();
    let metadata = String::from_utf8(metadata).unwrap().replacen("\"version\":", "\"version\":1", 1);
    tampered["spec"]["metadata"]["content"] = STANDARD.encode(metadata).into();
    assert_eq!(told(&tampered), ["entry.package"]);
    // Another artifact under a signature.
    let mut other = body("rekord x509 ec");
    other["spec"]["data"]["hash"]["value"] = "ab".repeat(32).into();
    assert_eq!(told(&other), ["signature.invalid"]);
    let mut timestamp = body("rfc3161 ec-sha512-certificates");
    timestamp["spec"]["tsr"]["content"] = "AAAA".into();
    assert_eq!(told(&timestamp), ["timestamp.malformed"]);
}

#[test]
fn an_entry_without_a_signature_is_refused_and_not_passed_over() {
    let world = World::new(Spec::default());
    let hash = serde_json::json!({ "algorithm": "sha256", "value": "ab".repeat(32) });
    let spec = serde_json::json!({ "payloadHash": hash, "signatures": [] });
    let body = serde_json::json!({ "apiVersion": "0.0.1", "kind": "dsse", "spec": spec }).to_string();
    assert_eq!(found(&verifier(&world), &logged(&world, body.as_bytes()), None), ["entry.missing"]);
}
