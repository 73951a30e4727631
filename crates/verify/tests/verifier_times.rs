//! Every window of time that the verifier checks, one second before, at and after each bound.

#![expect(clippy::unwrap_used, reason = "a test that fails here has found something")]

mod made;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use chancery_verify::bundle::Bundle;
use chancery_verify::rekor::v2::{self, CreateEntry, HashedRekordRequest};
use chancery_verify::trust_root::{TrustRoot, Window};
use chancery_verify::verifier::{AnySigner, Artifact, Options, SignerKey, Thresholds, Verifier};
use chancery_verify::{HashAlgorithm, Refusal, Timestamp};
use made::{ARTIFACT, NOW, Spec, T, World};
use serde_json::{Value, json};

fn verify(root: &Value, bundle: &Value, now: Timestamp) -> Result<(), Refusal> {
    let verifier = Verifier::new(TrustRoot::parse(root.to_string().as_bytes())?, Options::default());
    let bundle = Bundle::parse(bundle.to_string().as_bytes())?;
    verifier.verify(&bundle, &Artifact::Bytes(ARTIFACT), &AnySigner, now).map(|_| ())
}

fn code(verdict: &Result<(), Refusal>) -> &'static str {
    verdict.as_ref().map_or_else(Refusal::code, |()| "accepted")
}

#[test]
fn what_is_made_is_accepted() {
    let world = World::new(Spec::default());
    for bundle in [world.bundle_v1(), world.bundle_v2()] {
        assert_eq!(verify(&world.root(), &bundle, NOW), Ok(()));
    }
    let unknown_leaf = World::new(Spec { tsa_leaf_is_known: false, ..Spec::default() });
    let mut stamp = made::Stamp::of(&unknown_leaf.signature, T);
    let entries = [unknown_leaf.entry_v2(&unknown_leaf.body_v2())];
    let bundle = |stamp: &made::Stamp| {
        unknown_leaf.bundle(&entries, &[stamp.response(&unknown_leaf.tsa, &unknown_leaf.tsa_key)])
    };
    assert_eq!(
        code(&verify(&unknown_leaf.root(), &bundle(&stamp), NOW)),
        "timestamp.signer",
        "no certificate anywhere"
    );
    stamp.certificates = vec![unknown_leaf.tsa[0].der().to_vec()];
    assert_eq!(code(&verify(&unknown_leaf.root(), &bundle(&stamp), NOW)), "accepted");
}

/// Bounds of windows in the trust root, around the time that is compared with each.
#[test]
fn windows_of_the_trust_root_include_both_bounds() {
    let world = World::new(Spec { sct_millis: T * 1000, ..Spec::default() });
    let (v1, v2) = (world.bundle_v1(), world.bundle_v2());
    for (pointer, bundle, refused) in [
        ("/certificateAuthorities/0/validFor", &v1, "chain.window"),
        ("/certificateAuthorities/0/validFor", &v2, "chain.window"),
        ("/timestampAuthorities/0/validFor", &v2, "timestamp.window"),
        ("/tlogs/0/publicKey/validFor", &v1, "log.window"),
        ("/tlogs/1/publicKey/validFor", &v2, "log.window"),
        ("/ctlogs/0/publicKey/validFor", &v1, "sct.window"),
        ("/ctlogs/0/publicKey/validFor", &v2, "sct.window"),
    ] {
        let with = |start: u64, end: u64| {
            let mut root = world.root();
            let rfc3339 = |millis| Timestamp::from_millis(millis).rfc3339_millis();
            root.pointer_mut(pointer)
                .unwrap()
                .clone_from(&serde_json::json!({ "start": rfc3339(start), "end": rfc3339(end) }));
            code(&verify(&root, bundle, NOW))
        };
        let at = T * 1000;
        for unit in [1000, 1] {
            assert_eq!(with(at - 10_000, at), "accepted", "{pointer}: ends at the time");
            assert_eq!(with(at - 10_000, at + unit), "accepted", "{pointer}: ends after it");
            assert_eq!(with(at - 10_000, at - unit), refused, "{pointer}: ends before it");
            assert_eq!(with(at, at + 10_000), "accepted", "{pointer}: starts at the time");
            assert_eq!(with(at - unit, at + 10_000), "accepted", "{pointer}: starts before it");
            assert_eq!(with(at + unit, at + 10_000), refused, "{pointer}: starts after it");
        }
    }
}

/// Validities of certificates, around the time of the signature.
#[test]
fn validities_of_certificates_include_both_bounds() {
    type Set = fn(&mut Spec, (u64, u64));
    let leaf: Set = |spec, validity| spec.leaf = validity;
    let intermediate: Set = |spec, validity| spec.intermediate = validity;
    let anchor: Set = |spec, validity| spec.anchor = validity;
    let tsa: Set = |spec, validity| spec.tsa_leaf = validity;
    for (set, on_v1, on_v2) in [
        (leaf, "time.certificate", "time.certificate"),
        (intermediate, "chain.expired", "chain.expired"),
        (anchor, "chain.expired", "timestamp.time"),
        (tsa, "accepted", "timestamp.time"),
    ] {
        let verdicts = |validity: (u64, u64)| {
            let mut spec = Spec::default();
            set(&mut spec, validity);
            let world = World::new(spec);
            [world.bundle_v1(), world.bundle_v2()].map(|bundle| code(&verify(&world.root(), &bundle, NOW)))
        };
        let refused = [on_v1, on_v2];
        for (validity, expected) in [
            ((T, T + 500), ["accepted"; 2]),
            ((T - 1, T + 500), ["accepted"; 2]),
            ((T + 1, T + 500), refused),
            ((T - 500, T), ["accepted"; 2]),
            ((T - 500, T + 1), ["accepted"; 2]),
            ((T - 500, T - 1), refused),
        ] {
            assert_eq!(verdicts(validity), expected, "{validity:?}");
        }
    }
}

/// A bundle signed by the bare key of this world, with these entries and timestamps.
fn keyed(world: &World, entries: &[Value], timestamps: &[Vec<u8>]) -> Value {
    let mut bundle = world.bundle(entries, timestamps);
    let material = bundle["verificationMaterial"].as_object_mut().unwrap();
    material.remove("certificate");
    material.insert("publicKey".to_owned(), json!({ "hint": STANDARD.encode(world.signer.public.fingerprint()) }));
    bundle
}

fn verify_keyed(root: &Value, bundle: &Value, key: SignerKey, thresholds: Thresholds, now: Timestamp) -> &'static str {
    let root = TrustRoot::parse(root.to_string().as_bytes()).unwrap();
    let verifier = Verifier::new(root, Options { thresholds, ..Options::default() }).with_key(key);
    let verdict = Bundle::parse(bundle.to_string().as_bytes())
        .and_then(|bundle| verifier.verify(&bundle, &Artifact::Bytes(ARTIFACT), &AnySigner, now));
    code(&verdict.map(|_| ()))
}

#[test]
fn the_window_of_a_key_includes_both_bounds() {
    let world = World::new(Spec::default());
    let bundle = keyed(&world, &[], &[world.timestamp()]);
    let thresholds = || Thresholds { times: 1, ..Thresholds::KEY_WITHOUT_LOG };
    let with = |start: u64, end: Option<u64>| {
        let window = Window { start: Timestamp::from_seconds(start), end: end.map(Timestamp::from_seconds) };
        let key = SignerKey::new(world.signer.public.clone()).during(window);
        verify_keyed(&world.root(), &bundle, key, thresholds(), NOW)
    };
    for (start, end, expected) in [
        (T - 10, Some(T - 1), "time.certificate"),
        (T - 10, Some(T), "accepted"),
        (T - 10, Some(T + 1), "accepted"),
        (T - 1, Some(T + 10), "accepted"),
        (T, Some(T + 10), "accepted"),
        (T + 1, Some(T + 10), "time.certificate"),
        (T, None, "accepted"),
        (T + 1, None, "time.certificate"),
    ] {
        assert_eq!(with(start, end), expected, "{start} to {end:?}");
    }
}

/// A bare key does not expire, so its entry needs no time. The log must then be trusted now.
#[test]
fn without_a_time_a_log_must_be_trusted_now() {
    let world = World::new(Spec::default());
    let key = v2::VerifierKey::PublicKey(world.signer.public.spki_der().to_vec());
    let verifier = v2::Verifier { key: Some(key), key_details: 5 };
    let signature = v2::Signature { content: world.signature.clone(), verifier: Some(verifier) };
    let request = HashedRekordRequest { digest: HashAlgorithm::Sha256.digest(ARTIFACT), signature: Some(signature) };
    let body = CreateEntry::HashedRekord(request).admit().unwrap().into_bytes();
    let bundle = keyed(&world, &[world.entry_v2(&body)], &[]);
    let mut root = world.root();
    let [start, end] = [T, T + 10].map(|seconds| Timestamp::from_seconds(seconds).rfc3339());
    *root.pointer_mut("/tlogs/1/publicKey/validFor").unwrap() = json!({ "start": start, "end": end });
    for (now, expected) in [
        (T - 1, "log.window"),
        (T, "accepted"),
        (T + 1, "accepted"),
        (T + 9, "accepted"),
        (T + 10, "accepted"),
        (T + 11, "log.window"),
    ] {
        let thresholds = Thresholds { log_entries: 1, ..Thresholds::KEY_WITHOUT_LOG };
        let key = SignerKey::new(world.signer.public.clone());
        let verdict = verify_keyed(&root, &bundle, key, thresholds, Timestamp::from_seconds(now));
        assert_eq!(verdict, expected, "{now}");
    }
}

#[test]
fn nothing_lies_in_the_future() {
    let world = World::new(Spec::default());
    for bundle in [world.bundle_v1(), world.bundle_v2()] {
        let at = |seconds| code(&verify(&world.root(), &bundle, Timestamp::from_seconds(seconds)));
        assert_eq!((at(T - 1), at(T), at(T + 1)), ("time.future", "accepted", "accepted"));
        // A certificate that expired long ago is accepted: it was valid when it signed.
        assert_eq!(at(T + 1_000_000_000), "accepted");
    }
    let late = World::new(Spec { sct_millis: T * 1000 + 500, ..Spec::default() });
    let at = |millis| code(&verify(&late.root(), &late.bundle_v2(), Timestamp::from_millis(millis)));
    assert_eq!((at(T * 1000 + 499), at(T * 1000 + 500)), ("time.future", "accepted"), "the SCT's time");
}

#[test]
fn every_time_is_compared_with_every_window() {
    // Two sources of time. The second time is outside the certificate's validity.
    let world = World::new(Spec::default());
    let stamp = |time| made::Stamp::of(&world.signature, time).response(&world.tsa, &world.tsa_key);
    let entry = world.entry_v1(&world.body_v1());
    for (time, expected) in [
        (T - 301, "time.certificate"),
        (T - 300, "accepted"),
        (T - 299, "accepted"),
        (T + 299, "accepted"),
        (T + 300, "accepted"),
        (T + 301, "time.certificate"),
    ] {
        let bundle = world.bundle(std::slice::from_ref(&entry), &[stamp(time)]);
        assert_eq!(code(&verify(&world.root(), &bundle, NOW)), expected, "{time}");
    }
}
