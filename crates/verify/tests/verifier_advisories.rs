//! Published advisories about Sigstore verifiers, one test each: the input that was accepted there is refused here. Those that
//! share their cause with one of these are in `advisories_apart.rs`; those about registries, in the crates that read them.

mod made;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use chancery_verify::bundle::Bundle;
use chancery_verify::cosignature::{self, Witness};
use chancery_verify::policy::Policy;
use chancery_verify::rekor::dsse::pre_authentication_encoding;
use chancery_verify::trust_root::TrustRoot;
use chancery_verify::verifier::{AnySigner, Artifact, Options, Thresholds, Unknown, Verified, Verifier};
use chancery_verify::{HashAlgorithm, Refusal, Timestamp};
use made::document::{bytes, envelope, with};
use made::{ARTIFACT, IDENTITY, ISSUER, NOW, Scts, Spec, Stamp, T, World};
use serde_json::{Value, json};

fn verdict(root: &Value, bundle: &Value, options: Options) -> Result<Verified, Refusal> {
    let verifier = Verifier::new(TrustRoot::parse(root.to_string().as_bytes())?, options);
    let bundle = Bundle::parse(bundle.to_string().as_bytes())?;
    verifier.verify(&bundle, &Artifact::Bytes(ARTIFACT), &AnySigner, NOW)
}

fn code(root: &Value, bundle: &Value, options: Options) -> &'static str {
    verdict(root, bundle, options).map_or_else(|refusal| refusal.code(), |_| "accepted")
}

fn options(change: impl FnOnce(&mut Thresholds)) -> Options {
    let mut options = Options::default();
    change(&mut options.thresholds);
    options
}

const ENTRIES: &str = "/verificationMaterial/tlogEntries";

/// GHSA-xm5m-wgh2-rrg3: the first certificate in the token was taken as the signer's.
#[test]
fn a_forged_certificate_first_in_the_bag_changes_nothing() {
    let strangers = World::new(Spec::default());
    for tsa_leaf_is_known in [true, false] {
        let world = World::new(Spec { tsa_leaf_is_known, ..Spec::default() });
        let own = world.tsa[0].der().to_vec();
        let forged = strangers.tsa[0].der().to_vec();
        let with = |certificates: Vec<Vec<u8>>, key| {
            let stamp = Stamp { certificates, ..Stamp::of(&world.signature, T) };
            let chain = if std::ptr::eq(key, &raw const world.tsa_key) { &world.tsa } else { &strangers.tsa };
            let key = if std::ptr::eq(key, &raw const world.tsa_key) { &world.tsa_key } else { &strangers.tsa_key };
            let bundle = world.bundle(&[world.entry_v2(&world.body_v2())], &[stamp.response(chain, key)]);
            code(&world.root(), &bundle, Options::default())
        };
        let (ours, theirs) = (&raw const world.tsa_key, &raw const strangers.tsa_key);
        assert_eq!(with(vec![forged.clone(), own.clone()], ours), "accepted");
        // Signed by an unknown authority, which also includes our certificate, before or after its own.
        assert_eq!(with(vec![own.clone(), forged.clone()], theirs), "timestamp.signer");
        assert_eq!(with(vec![forged, own], theirs), "timestamp.signer");
    }
}

/// GHSA-whqx-f9j3-ch6m: cosign accepted an entry about another signature.
#[test]
fn an_unrelated_entry_vouches_for_nothing_and_lends_no_time() {
    let (world, other) = (World::new(Spec::default()), World::new(Spec::default()));
    for unrelated in [world.entry_v1(&other.body_v1()), world.entry_v2(&other.body_v2())] {
        for log_entries in [0, 1] {
            let bundle = world.bundle(std::slice::from_ref(&unrelated), &[world.timestamp()]);
            let options = options(|thresholds| thresholds.log_entries = log_entries);
            assert_eq!(code(&world.root(), &bundle, options), "entry.mismatch");
        }
    }
    // Together with one that is about this signature.
    let entries = [world.entry_v1(&world.body_v1()), world.entry_v2(&other.body_v2())];
    assert_eq!(code(&world.root(), &world.bundle(&entries, &[]), Options::default()), "entry.mismatch");
}

/// GHSA-wfqv-66vq-46rm: an expired intermediate was accepted if no log entry was required.
#[test]
fn an_expired_intermediate_is_refused_without_a_log_too() {
    let world = World::new(Spec { intermediate: (T - 1000, T - 1), ..Spec::default() });
    let bundle = world.bundle(&[], &[world.timestamp()]);
    assert_eq!(code(&world.root(), &bundle, options(|thresholds| thresholds.log_entries = 0)), "chain.expired");
}

/// GHSA-w6c6-c85g-mmv6: an attestation that does not parse was accepted.
#[test]
fn a_payload_that_does_not_parse_is_no_success() {
    let subject = json!([{ "digest": { "sha256": hex::encode(HashAlgorithm::Sha256.digest(ARTIFACT)) } }]);
    for (payload, expected) in [
        (b"not JSON".to_vec(), "statement.malformed"),
        (b"{}".to_vec(), "statement.type"),
        (
            json!({
                "_type": "https://in-toto.io/Statement/v1", "subject": subject, "predicateType": "x", "predicate": "text",
            })
            .to_string()
            .into_bytes(),
            "predicate.malformed",
        ),
    ] {
        let envelope = Some(("application/vnd.in-toto+json", payload));
        let world = World::new(Spec { envelope, ..Spec::default() });
        assert_eq!(code(&world.root(), &world.bundle_v2(), Options::default()), expected);
    }
}

/// GHSA-vjxv-45g9-9296: a valid attestation was enough, although none had the required type.
#[test]
fn an_attestation_of_another_type_does_not_count() {
    let world = World::new(Spec { envelope: envelope(|_| ()), ..Spec::default() });
    let verifier = Verifier::new(TrustRoot::parse(world.root().to_string().as_bytes()).unwrap(), Options::default());
    let bundle = Bundle::parse(world.bundle_v2().to_string().as_bytes()).unwrap();
    let judged = |predicate_type: &str| {
        let rule = format!("issuer = '{ISSUER}'\nidentity = '{IDENTITY}'\npredicate = {{ type = '{predicate_type}' }}");
        let policy = Policy::parse(&format!("version = 1\n[require]\n{rule}")).unwrap();
        let verdict = verifier.verify(&bundle, &Artifact::Bytes(ARTIFACT), &policy, NOW);
        verdict.map_or_else(|refusal| refusal.code(), |_| "accepted")
    };
    assert_eq!(judged("https://example.test/predicate"), "accepted");
    for other in ["https://spdx.dev/Document", "https://example.test/predicate/v2", "https://example.test/predicat"] {
        assert_eq!(judged(other), "statement.predicate_type", "{other}");
    }
}

/// GHSA-7rmh-48mx-2vwc: gitsign accepted the signature of a normalised text for the text itself.
#[test]
fn bytes_are_verified_as_they_are() {
    let world = World::new(Spec::default());
    let verifier = Verifier::new(TrustRoot::parse(world.root().to_string().as_bytes()).unwrap(), Options::default());
    let bundle = Bundle::parse(world.bundle_v2().to_string().as_bytes()).unwrap();
    let changes: [fn(&str) -> String; 6] = [
        |text| format!("{text}\n"),
        |text| format!("{text}\r\n"),
        |text| format!(" {text}"),
        |text| format!("{text}\0"),
        |text| format!("\u{feff}{text}"),
        str::to_uppercase,
    ];
    for change in changes {
        let changed = change(str::from_utf8(ARTIFACT).unwrap());
        let verdict = verifier.verify(&bundle, &Artifact::Bytes(changed.as_bytes()), &AnySigner, NOW);
        assert_eq!(verdict.unwrap_err().code(), "artifact.digest", "{changed:?}");
    }
    // The same statement in another spelling is another payload.
    let world = World::new(Spec { envelope: envelope(|_| ()), ..Spec::default() });
    let payload = "/dsseEnvelope/payload";
    for bundle in [world.bundle_v1(), world.bundle_v2()] {
        let statement: Value = serde_json::from_slice(&bytes(&bundle, payload)).unwrap();
        let spaced = with(&bundle, payload, STANDARD.encode(format!("{statement:#}")));
        assert_eq!(code(&world.root(), &spaced, Options::default()), "entry.mismatch");
    }
}

/// GHSA-cq38-jh5f-37mq: unlimited numbers of entries, timestamps and SCTs.
#[test]
fn counts_are_limited() {
    let world = World::new(Spec::default());
    let body = world.body_v1();
    let entries: Vec<Value> = (0..33).map(|index| world.entry_v1_at(&body, 1000 + index)).collect();
    assert_eq!(code(&world.root(), &world.bundle(&entries, &[]), Options::default()), "bundle.too_many");
    assert_eq!(code(&world.root(), &world.bundle(&entries[..32], &[]), Options::default()), "accepted");
    let stamps: Vec<_> = (0..33).map(|_| world.timestamp()).collect();
    assert_eq!(code(&world.root(), &world.bundle(&entries[..1], &stamps), Options::default()), "bundle.too_many");
    for (count, expected) in [(32, "accepted"), (33, "bundle.too_many")] {
        let world = World::new(Spec { scts: Scts::Many(count), ..Spec::default() });
        assert_eq!(code(&world.root(), &world.bundle_v2(), Options::default()), expected, "{count} SCTs");
    }
}

/// GHSA-9vcr-p3rj-q5q6: several entries of one log satisfied a threshold of several logs.
#[test]
fn thresholds_count_operators() {
    let world = World::new(Spec::default());
    let root = world.root();
    let one_operator = {
        let mut root = root.clone();
        for log in ["/tlogs/0", "/tlogs/1"] {
            root.pointer_mut(log).unwrap()["operator"] = "acme".into();
        }
        root["timestampAuthorities"][0]["operator"] = "acme".into();
        root["mediaType"] = "application/vnd.dev.sigstore.trustedroot.v0.2+json".into();
        root
    };
    let body = world.body_v1();
    let twice = world.bundle(&[world.entry_v1_at(&body, 1), world.entry_v1_at(&body, 2)], &[]);
    let both = world.bundle(&[world.entry_v1(&body), world.entry_v2(&world.body_v2())], &[world.timestamp()]);
    let logs = || options(|thresholds| thresholds.log_entries = 2);
    let times = || options(|thresholds| thresholds.times = 2);
    let stamps = || options(|thresholds| thresholds.timestamps = 1);
    let scts = || options(|thresholds| thresholds.scts = 2);
    for (root, bundle, options, expected) in [
        (&root, &twice, logs(), "log.too_few"),
        (&root, &both, logs(), "accepted"),
        (&one_operator, &both, logs(), "log.too_few"),
        (&root, &twice, times(), "time.too_few"),
        (&root, &both, times(), "accepted"),
        (&one_operator, &both, times(), "time.too_few"),
        (&root, &twice, stamps(), "time.too_few"),
        (&root, &both, stamps(), "accepted"),
        (&root, &both, scts(), "sct.too_few"),
    ] {
        assert_eq!(code(root, bundle, options), expected);
    }
}

/// The same for witnesses: one that signs twice counts once, and an unknown one does not count.
#[test]
fn a_quorum_counts_witnesses() {
    let world = World::new(Spec::default());
    let place = format!("{ENTRIES}/0/inclusionProof/checkpoint/envelope");
    let bundle = world.bundle_v2();
    let note = bundle.pointer(&place).unwrap().as_str().unwrap().to_owned();
    let text = chancery_verify::note::Note::parse(&note).unwrap().text;
    let keys: Vec<_> = (0..3).map(|_| rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap()).collect();
    let witness = |index: usize| {
        let key = chancery_verify::PublicKey::from_pem(keys[index].public_key_pem().as_bytes()).unwrap();
        Witness::new(chancery_verify::note::KeyName::new(&format!("witness{index}")).unwrap(), key).unwrap()
    };
    let line = |index: usize, seconds: u64| {
        let pair = aws_lc_rs::signature::Ed25519KeyPair::from_pkcs8(&keys[index].serialize_der()).unwrap();
        let signature = pair.sign(&cosignature::signed_bytes(&text, seconds));
        format!("{}\n", witness(index).line(seconds, signature.as_ref()))
    };
    let quorum = |lines: &[String], quorum: usize| {
        let policy = cosignature::Policy::new(vec![witness(0), witness(1)], quorum).unwrap();
        let mut bundle = bundle.clone();
        *bundle.pointer_mut(&place).unwrap() = (note.clone() + &lines.concat()).into();
        verdict(&world.root(), &bundle, options(|thresholds| thresholds.witnesses = Some(policy)))
    };
    let (zero, one, again, stranger) = (line(0, T), line(1, T + 1), line(0, T + 2), line(2, T));
    let verified = quorum(&[zero.clone(), one], 2).unwrap();
    let cosigners = &verified.entries[0].inclusion.as_ref().unwrap().cosigners;
    let found: Vec<_> = cosigners.iter().map(|cosigner| (cosigner.name.as_str(), cosigner.time)).collect();
    assert_eq!(found, [("witness0", Timestamp::from_seconds(T)), ("witness1", Timestamp::from_seconds(T + 1))]);
    for lines in [&[zero.clone(), again][..], &[zero.clone(), stranger], &[zero], &[]] {
        assert_eq!(quorum(lines, 2).unwrap_err().code(), "cosignature.too_few");
    }
}

/// GHSA-wqqc-jjcq-vfxm: a log's key was trusted outside its window. Without a promise, every established time must be
/// in the window.
#[test]
fn a_retired_log_vouches_for_nothing_new() {
    let world = World::new(Spec::default());
    let mut root = world.root();
    for log in ["/tlogs/0/publicKey/validFor", "/tlogs/1/publicKey/validFor"] {
        root.pointer_mut(log).unwrap()["end"] = Timestamp::from_seconds(T - 1).rfc3339().into();
    }
    let mut unpromised = world.bundle(&[world.entry_v1(&world.body_v1())], &[world.timestamp()]);
    unpromised.pointer_mut(&format!("{ENTRIES}/0")).unwrap().as_object_mut().unwrap().remove("inclusionPromise");
    for bundle in [&world.bundle_v1(), &world.bundle_v2(), &unpromised] {
        assert_eq!(code(&root, bundle, Options::default()), "log.window");
        assert_eq!(code(&world.root(), bundle, Options::default()), "accepted");
    }
}

/// GHSA-xgjw-pm74-86q4: a log's time was trusted with an inclusion proof alone, without a promise.
#[test]
fn a_time_without_a_promise_is_none() {
    let world = World::new(Spec::default());
    let mut bundle = world.bundle_v1();
    let entry = bundle.pointer_mut(&format!("{ENTRIES}/0")).unwrap().as_object_mut().unwrap();
    let promise = entry.remove("inclusionPromise").unwrap();
    assert_eq!(code(&world.root(), &bundle, Options::default()), "time.none");
    // With another source of time it does not count either, but it must not be false.
    let mut with_stamp = world.bundle(&[world.entry_v1(&world.body_v1())], &[world.timestamp()]);
    let place = format!("{ENTRIES}/0");
    with_stamp.pointer_mut(&place).unwrap().as_object_mut().unwrap().remove("inclusionPromise");
    let verified = verdict(&world.root(), &with_stamp, Options::default()).unwrap();
    assert_eq!((verified.times.len(), verified.entries[0].log_index), (1, None));
    for (seconds, expected) in [
        (T - 301, "time.certificate"),
        (T - 300, "accepted"),
        (T + 300, "accepted"),
        (T + 301, "time.certificate"),
        (T + 1001, "time.future"),
    ] {
        with_stamp.pointer_mut(&place).unwrap()["integratedTime"] = seconds.to_string().into();
        assert_eq!(code(&world.root(), &with_stamp, Options::default()), expected, "{seconds}");
    }
    // A promise by another log than the named one.
    let entry = bundle.pointer_mut(&place).unwrap();
    entry["inclusionPromise"] = promise;
    let (v1, v2) = (World::scheme_v1(made::HOST_V1), world.root()["tlogs"][1]["logId"].clone());
    entry["logId"] = v2;
    assert_eq!(code(&world.root(), &bundle, Options::default()), "promise.signature", "{v1:?}");
}

/// GHSA-jfc7-64v2-mr8c: the signed encoding counted characters, or was not UTF-8.
#[test]
fn the_length_of_a_payload_type_is_in_bytes() {
    let payload_type = "application/vnd.exämple+json";
    let world = World::new(Spec { envelope: Some((payload_type, b"{}".to_vec())), ..Spec::default() });
    let root = TrustRoot::parse(world.root().to_string().as_bytes()).unwrap();
    let verifier = Verifier::new(root, options(|thresholds| thresholds.log_entries = 0));
    let judge = |signed: &[u8]| {
        let signature = world.signer.sign(signed);
        let stamp = Stamp::of(&signature, T).response(&world.tsa, &world.tsa_key);
        let mut document = world.bundle(&[], &[stamp]);
        document["dsseEnvelope"]["signatures"][0]["sig"] = STANDARD.encode(&signature).into();
        let bundle = Bundle::parse(document.to_string().as_bytes()).unwrap();
        let verdict = verifier.verify_envelope_of_unknown_artifact(&bundle, &AnySigner, NOW);
        verdict.map_or_else(|refusal| refusal.code(), |_| "accepted")
    };
    assert_eq!(judge(&pre_authentication_encoding(payload_type, b"{}")), "accepted");
    let characters = format!("DSSEv1 {} {payload_type} 2 {{}}", payload_type.chars().count());
    assert_eq!(judge(characters.as_bytes()), "signature.invalid");
    let latin1: Vec<u8> = format!("DSSEv1 {} {payload_type} 2 {{}}", payload_type.chars().count())
        .chars()
        .map(|character| u8::try_from(u32::from(character)).unwrap())
        .collect();
    assert_eq!(judge(&latin1), "signature.invalid");
}

/// GHSA-frqx-jfcm-6jjr and similar ones: a body that did not match its kind crashed the process.
#[test]
fn malformed_bodies_are_refused() {
    let world = World::new(Spec::default());
    for (kind, version) in [("hashedrekord", "0.0.1"), ("dsse", "0.0.1"), ("intoto", "0.0.2"), ("intoto", "0.0.1")] {
        for spec in
            [json!({}), json!(null), json!([]), json!({ "content": { "envelope": {} } }), json!({ "signatures": [] })]
        {
            let body = json!({ "kind": kind, "apiVersion": version, "spec": spec }).to_string();
            let verdict =
                code(&world.root(), &world.bundle(&[world.entry_v1(body.as_bytes())], &[]), Options::default());
            let expected = if version == "0.0.1" && kind == "intoto" { "entry.kind" } else { "entry.malformed" };
            assert_eq!(verdict, expected, "{body}");
        }
    }
}

/// Unknown logs and authorities are refused by default. With the option to report them, they do not count.
#[test]
fn what_is_unknown_never_counts() {
    let (world, other) = (World::new(Spec::default()), World::new(Spec::default()));
    let entries = [world.entry_v2(&world.body_v2()), other.entry_v1(&world.body_v1())];
    let bundle = world.bundle(&entries, &[world.timestamp()]);
    assert_eq!(code(&world.root(), &bundle, Options::default()), "log.unknown");
    let report = || Options { unknown: Unknown::Report, ..Options::default() };
    let verified = verdict(&world.root(), &bundle, report()).unwrap();
    assert_eq!((verified.entries.len(), verified.times.len(), verified.warnings.len()), (1, 1, 1));
    let stamp = Stamp::of(&world.signature, T).response(&other.tsa, &other.tsa_key);
    let bundle = world.bundle(&entries[..1], &[stamp]);
    assert_eq!(code(&world.root(), &bundle, Options::default()), "timestamp.signer");
    assert_eq!(code(&world.root(), &bundle, report()), "time.none");
}
