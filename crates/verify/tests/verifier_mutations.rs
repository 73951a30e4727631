//! One change each to bundles that verify, with the exact code of the refusal.

mod made;

use base64::{Engine as _, engine::general_purpose::STANDARD, engine::general_purpose::URL_SAFE_NO_PAD};
use chancery_verify::bundle::Bundle;
use chancery_verify::merkle::TreeHead;
use chancery_verify::note::{Note, NoteSignature};
use chancery_verify::policy::Policy;
use chancery_verify::trust_root::TrustRoot;
use chancery_verify::verifier::{AnySigner, Artifact, Judge, Options, Verifier};
use chancery_verify::{HashAlgorithm, Refusal};
use made::document::{bytes, envelope, with, without};
use made::{ARTIFACT, HOST_V1, HOST_V2, IDENTITY, ISSUER, Key, NOW, Scts, Spec, Stamp, T, World, certificate_der};
use rcgen::{BasicConstraints, CustomExtension, IsCa, SanType};
use serde_json::{Value, json};

fn judged(root: &Value, bundle: &[u8], artifact: &Artifact<'_>, judge: &impl Judge) -> &'static str {
    let verdict = || -> Result<(), Refusal> {
        let verifier = Verifier::new(TrustRoot::parse(root.to_string().as_bytes())?, Options::default());
        verifier.verify(&Bundle::parse(bundle)?, artifact, judge, NOW).map(|_| ())
    };
    verdict().map_or_else(|refusal| refusal.code(), |()| "accepted")
}

fn code(world: &World, bundle: &Value) -> &'static str {
    judged(&world.root(), bundle.to_string().as_bytes(), &Artifact::Bytes(ARTIFACT), &AnySigner)
}

const ENTRY: &str = "/verificationMaterial/tlogEntries/0";
const STAMP: &str = "/verificationMaterial/timestampVerificationData/rfc3161Timestamps/0/signedTimestamp";
const CERTIFICATE: &str = "/verificationMaterial/certificate/rawBytes";

fn flipped(bundle: &Value, pointer: &str, byte: usize) -> Value {
    let mut contents = bytes(bundle, pointer);
    contents[byte] ^= 1;
    with(bundle, pointer, STANDARD.encode(contents))
}

fn at(place: &str) -> String {
    format!("{ENTRY}/{place}")
}

#[test]
fn the_document_itself() {
    let world = World::new(Spec::default());
    let bundle = world.bundle_v2();
    assert_eq!(code(&world, &bundle), "accepted");
    for media_type in [
        "application/vnd.dev.sigstore.bundle.v0.4+json",
        " application/vnd.dev.sigstore.bundle.v0.3+json",
        "application/vnd.dev.sigstore.bundle.V0.3+json",
    ] {
        assert_eq!(code(&world, &with(&bundle, "/mediaType", media_type)), "bundle.media_type", "{media_type}");
    }
    assert_eq!(code(&world, &without(&bundle, "/mediaType")), "bundle.media_type");
    let old = with(&bundle, "/mediaType", "application/vnd.dev.sigstore.bundle+json;version=0.1");
    assert_eq!(code(&world, &old), "bundle.version");
    assert_eq!(code(&world, &with(&bundle, "/more", 1)), "bundle.malformed");
    let content = bundle["messageSignature"].clone();
    assert_eq!(code(&world, &with(&bundle, "/message_signature", content.clone())), "bundle.malformed");
    let snake = with(&without(&bundle, "/messageSignature"), "/message_signature", content);
    assert_eq!(code(&world, &snake), "bundle.missing");
    let envelope = json!({ "payload": "", "payloadType": "x", "signatures": [{ "sig": "AA==" }] });
    assert_eq!(code(&world, &with(&bundle, "/dsseEnvelope", envelope)), "bundle.ambiguous");
    assert_eq!(code(&world, &without(&bundle, "/messageSignature")), "bundle.missing");
    let text = bundle.to_string();
    for changed in [text[..text.len() - 1].to_owned(), text.replacen('{', r#"{"mediaType":"x","#, 1), text + "x"] {
        let verdict = judged(&world.root(), changed.as_bytes(), &Artifact::Bytes(ARTIFACT), &AnySigner);
        assert_eq!(verdict, "bundle.malformed");
    }
}

#[test]
fn the_certificate() {
    let world = World::new(Spec::default());
    let (v1, v2) = (world.bundle_v1(), world.bundle_v2());
    let both = |change: &dyn Fn(&Value) -> Value| [code(&world, &change(&v1)), code(&world, &change(&v2))];
    let der = world.leaf.der();
    let replaced = |der: &[u8]| with(&v2, CERTIFICATE, STANDARD.encode(der));
    // A bit of the serial number, in the first bytes of the signed part.
    let serial = der.windows(2).position(|pair| pair == [0x02, 0x14] || pair == [0x02, 0x13]).unwrap() + 6;
    assert_eq!(both(&|bundle| flipped(bundle, CERTIFICATE, serial)), ["chain.signature"; 2]);
    assert_eq!(code(&world, &replaced(&[der, &[0]].concat())), "certificate.malformed");
    assert_eq!(code(&world, &replaced(world.leaf.to_pem().as_bytes())), "certificate.malformed");
    // Signed by another key with the same name.
    let forged = certificate_der(world.leaf.tbs_der(), &Key::new().sign(world.leaf.tbs_der()));
    assert_eq!(code(&world, &replaced(&forged)), "chain.signature");
    let strangers = World::new(Spec::default());
    assert_eq!(code(&world, &replaced(strangers.leaf.der())), "chain.signature");
    assert_eq!(code(&world, &replaced(world.anchor.der())), "chain.untrusted");
    // Other certificates for the same identity: with another key, and with the same one.
    for key in [&Key::new(), &world.signer] {
        let other = STANDARD.encode(world.another_leaf(key).der());
        assert_eq!(both(&|bundle| with(bundle, CERTIFICATE, other.clone())), ["entry.mismatch"; 2]);
    }
}

#[test]
fn certificates_that_are_issued_wrong() {
    type Edit = fn(&mut rcgen::CertificateParams);
    let second_name: Edit = |leaf| leaf.subject_alt_names.push(SanType::URI("https://b.test".try_into().unwrap()));
    let conflict: Edit = |leaf| {
        let contents = b"https://other.example.test".to_vec();
        leaf.custom_extensions.push(CustomExtension::from_oid_content(&[1, 3, 6, 1, 4, 1, 57_264, 1, 1], contents));
    };
    let critical: Edit = |leaf| {
        let mut extension = CustomExtension::from_oid_content(&[1, 2, 3, 4], vec![5, 0]);
        extension.set_criticality(true);
        leaf.custom_extensions.push(extension);
    };
    let authority: Edit = |leaf| leaf.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let purpose: Edit = |leaf| leaf.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ServerAuth];
    let usage: Edit = |leaf| leaf.key_usages = vec![];
    for (edit, expected) in [
        (second_name, "certificate.profile"),
        (conflict, "certificate.issuer_conflict"),
        (critical, "chain.critical"),
        (authority, "chain.usage"),
        (purpose, "chain.usage"),
        (usage, "chain.usage"),
        ((|leaf| leaf.custom_extensions.clear()) as Edit, "certificate.profile"),
    ] {
        let world = World::new(Spec { edit_leaf: edit, ..Spec::default() });
        assert_eq!([code(&world, &world.bundle_v1()), code(&world, &world.bundle_v2())], [expected; 2]);
    }
    for (scts, expected) in [
        (Scts::Missing, "sct.missing"),
        (Scts::Flipped, "sct.signature"),
        (Scts::OtherLog, "sct.unknown_log"),
        (Scts::OtherTime, "sct.signature"),
        (Scts::Cut, "sct.malformed"),
        (Scts::Twice, "sct.duplicate"),
    ] {
        let world = World::new(Spec { scts, ..Spec::default() });
        assert_eq!(code(&world, &world.bundle_v2()), expected);
    }
}

#[test]
fn the_log_entry() {
    let world = World::new(Spec::default());
    let (v1, v2) = (world.bundle_v1(), world.bundle_v2());
    let both = |pointer: &str, value: &Value| {
        [&v1, &v2].map(|bundle| code(&world, &with(bundle, &at(pointer), value.clone())))
    };
    let entries = |bundle: &Value, count: usize| {
        with(bundle, "/verificationMaterial/tlogEntries", vec![bundle.pointer(ENTRY).unwrap().clone(); count])
    };
    assert_eq!([code(&world, &entries(&v1, 0)), code(&world, &entries(&v2, 0))], ["time.none", "log.too_few"]);
    assert_eq!([code(&world, &entries(&v1, 2)), code(&world, &entries(&v2, 2))], ["log.duplicate"; 2]);
    assert_eq!(code(&world, &entries(&v2, 33)), "bundle.too_many");
    let (id_v1, id_v2) = (v1.pointer(&at("logId")).unwrap(), v2.pointer(&at("logId")).unwrap());
    assert_eq!([both("logId", id_v2)[0], both("logId", id_v1)[1]], ["promise.signature", "note.unsigned"]);
    assert_eq!(both("logId/keyId", &STANDARD.encode([7; 32]).into()), ["log.unknown"; 2]);
    assert_eq!(both("logId/keyId", &STANDARD.encode([7; 31]).into()), ["bundle.malformed"; 2]);
    assert_eq!(both("logIndex", &"1003".into()), ["promise.signature", "entry.mismatch"]);
    assert_eq!(both("kindVersion/kind", &"rekord".into()), ["entry.kind"; 2]);
    assert_eq!(both("kindVersion/kind", &"dsse".into()), ["entry.mismatch"; 2]);
    for time in [T - 1, T + 1, 0] {
        let verdict = both("integratedTime", &time.to_string().into());
        assert_eq!(verdict[0], "promise.signature");
        assert_eq!(verdict[1], if time == 0 { "accepted" } else { "bundle.version" }, "absent and zero are the same");
    }
    let promise = at("inclusionPromise/signedEntryTimestamp");
    assert_eq!(code(&world, &flipped(&v1, &promise, 20)), "promise.signature");
    assert_eq!(code(&world, &without(&v1, &at("inclusionPromise"))), "time.none");
    let promised = with(&v2, &at("inclusionPromise"), v1.pointer(&at("inclusionPromise")).unwrap().clone());
    assert_eq!(code(&world, &promised), "bundle.version");
    let body = at("canonicalizedBody");
    let spaced = STANDARD.encode([&bytes(&v1, &body)[..], b" "].concat());
    assert_eq!(both("canonicalizedBody", &spaced.into()), ["promise.signature", "entry.mismatch"]);
    assert_eq!([&v1, &v2].map(|bundle| code(&world, &without(bundle, &body))), ["entry.missing", "accepted"]);
}

#[test]
fn the_inclusion_proof() {
    let world = World::new(Spec::default());
    let (v1, v2) = (world.bundle_v1(), world.bundle_v2());
    let both = |pointer: &str, value: Value| {
        let pointer = at(&format!("inclusionProof/{pointer}"));
        [&v1, &v2].map(|bundle| code(&world, &with(bundle, &pointer, value.clone())))
    };
    assert_eq!(both("logIndex", "3".into()), ["proof.root", "entry.mismatch"]);
    assert_eq!(both("logIndex", "4".into()), ["proof.index"; 2]);
    assert_eq!(both("treeSize", "5".into()), ["checkpoint.mismatch"; 2]);
    assert_eq!(both("treeSize", "3".into()), ["checkpoint.mismatch"; 2]);
    assert_eq!(both("treeSize", "0".into()), ["proof.index"; 2]);
    assert_eq!(both("treeSize", "9223372036854775808".into()), ["bundle.malformed"; 2]);
    assert_eq!(both("rootHash", STANDARD.encode([1; 32]).into()), ["checkpoint.mismatch"; 2]);
    let hashes = v2.pointer(&at("inclusionProof/hashes")).unwrap().as_array().unwrap();
    let hash: Value = STANDARD.encode([1; 32]).into();
    assert_eq!(both("hashes/0", hash.clone()), ["proof.root"; 2]);
    assert_eq!(both("hashes", hashes[..1].into()), ["proof.length"; 2]);
    assert_eq!(both("hashes", [&hashes[..], std::slice::from_ref(&hash)].concat().into()), ["proof.length"; 2]);
    assert_eq!(both("hashes", vec![hash; 64].into()), ["bundle.too_many"; 2]);
    let proof = at("inclusionProof");
    assert_eq!([&v1, &v2].map(|bundle| code(&world, &without(bundle, &proof))), ["proof.missing"; 2]);
    let checkpoint = at("inclusionProof/checkpoint");
    assert_eq!([&v1, &v2].map(|bundle| code(&world, &without(bundle, &checkpoint))), ["checkpoint.missing"; 2]);
}

#[test]
fn the_checkpoint() {
    let world = World::new(Spec::default());
    let (v1, v2) = (world.bundle_v1(), world.bundle_v2());
    let place = at("inclusionProof/checkpoint/envelope");
    let given = v2.pointer(&place).unwrap().as_str().unwrap().to_owned();
    let changed = |note: String| code(&world, &with(&v2, &place, note));
    assert_eq!(changed(given.replacen(HOST_V2, "evil.example.test", 1)), "note.signature");
    assert_eq!(changed(given.replacen("\n4\n", "\n5\n", 1)), "note.signature");
    assert_eq!(changed(v1.pointer(&place).unwrap().as_str().unwrap().to_owned()), "note.unsigned");
    assert_eq!(changed(given.replace('\n', "\r\n")), "note.malformed");
    assert_eq!(changed(given.trim_end().to_owned()), "note.malformed");
    assert_eq!(changed(given.clone() + "\n"), "note.malformed");
    let foreign = NoteSignature {
        name: chancery_verify::note::KeyName::new("witness.example.test").unwrap(),
        key_id: [1, 2, 3, 4],
        bytes: vec![0; 76],
    };
    assert_eq!(changed(format!("{given}{foreign}\n")), "accepted", "lines of others are ignored");
    // Signed by the log itself: for another tree, under another log's name, and with another origin under its own name.
    let scheme = World::scheme_v2(HOST_V2);
    let later = TreeHead { size: 5, root: [1; 32] };
    assert_eq!(changed(World::checkpoint(&later, &world.log_v2, &scheme)), "checkpoint.mismatch");
    let head = scheme.open(&given, &world.log_v2.public).unwrap();
    let other = World::checkpoint(&head, &world.log_v2, &World::scheme_v2("other.example.test"));
    assert_eq!(changed(other.clone()), "note.unsigned");
    let line = &Note::parse(&given).unwrap().signatures[0];
    let text = Note::parse(&other).unwrap().text;
    let signature = NoteSignature { bytes: world.log_v2.sign(text.as_bytes()), ..line.clone() };
    assert_eq!(changed(Note { text, signatures: vec![signature] }.to_string()), "checkpoint.origin");
    // Origins of Rekor v1 need a tree number, those of Rekor v2 must not have one.
    for (bundle, key, from, to) in [
        (&v2, &world.log_v2, HOST_V2.to_owned(), format!("{HOST_V2} - 7")),
        (&v1, &world.log_v1, format!("{HOST_V1} - 7"), HOST_V1.to_owned()),
        (&v1, &world.log_v1, format!("{HOST_V1} - 7"), format!("{HOST_V1} - 07")),
        (&v1, &world.log_v1, format!("{HOST_V1} - 7"), format!("{HOST_V1} - x")),
    ] {
        let note = Note::parse(bundle.pointer(&place).unwrap().as_str().unwrap()).unwrap();
        let text = note.text.replacen(&from, &to, 1);
        let signature = NoteSignature { bytes: key.sign(text.as_bytes()), ..note.signatures[0].clone() };
        let note = Note { text, signatures: vec![signature] }.to_string();
        assert_eq!(code(&world, &with(bundle, &place, note)), "checkpoint.origin", "{to}");
    }
}

#[test]
fn bodies_of_something_else_logged_by_the_log_itself() {
    let world = World::new(Spec::default());
    let other = World::new(Spec::default());
    let (body, others) = (world.body_v1(), other.body_v1());
    let (own, foreign): (Value, Value) =
        (serde_json::from_slice(&body).unwrap(), serde_json::from_slice(&others).unwrap());
    let logged = |pointer: &str, value: Value| {
        let body = with(&own, pointer, value).to_string();
        code(&world, &world.bundle(&[world.entry_v1(body.as_bytes())], &[]))
    };
    assert_eq!(logged("/kind", "hashedrekord".into()), "accepted");
    for pointer in ["/spec/signature/content", "/spec/signature/publicKey/content"] {
        assert_eq!(logged(pointer, foreign.pointer(pointer).unwrap().clone()), "entry.mismatch", "{pointer}");
    }
    assert_eq!(logged("/spec/data/hash/value", hex::encode([7; 32]).into()), "entry.mismatch");
    assert_eq!(logged("/spec/data/hash/value", "00".into()), "entry.hash");
    let key = STANDARD.encode(world.signer.public.to_pem());
    assert_eq!(
        logged("/spec/signature/publicKey/content", key.into()),
        "entry.mismatch",
        "the key without certificate"
    );
    assert_eq!(logged("/kind", "dsse".into()), "entry.malformed");
    for foreign in [world.entry_v1(&others), world.entry_v2(&other.body_v2())] {
        assert_eq!(code(&world, &world.bundle(&[foreign], &[world.timestamp()])), "entry.mismatch");
    }
}

#[test]
fn the_timestamp() {
    let world = World::new(Spec::default());
    let v2 = world.bundle_v2();
    let stamped = |stamp: &Stamp| with(&v2, STAMP, STANDARD.encode(stamp.response(&world.tsa, &world.tsa_key)));
    let good = || Stamp::of(&world.signature, T);
    assert_eq!(code(&world, &stamped(&good())), "accepted");
    assert_eq!(code(&world, &without(&v2, "/verificationMaterial/timestampVerificationData")), "time.none");
    assert_eq!(code(&world, &stamped(&Stamp::of(b"another signature", T))), "timestamp.imprint");
    assert_eq!(code(&world, &stamped(&Stamp { status: 2, ..good() })), "timestamp.refused");
    assert_eq!(code(&world, &stamped(&Stamp { is_weak: true, ..good() })), "timestamp.hash_weak");
    let strangers = World::new(Spec::default());
    let by_strangers = good().response(&strangers.tsa, &strangers.tsa_key);
    assert_eq!(code(&world, &with(&v2, STAMP, STANDARD.encode(by_strangers))), "timestamp.signer");
    let by_another_key = good().response(&world.tsa, &strangers.tsa_key);
    assert_eq!(code(&world, &with(&v2, STAMP, STANDARD.encode(by_another_key))), "timestamp.signature");
    let stamps = |stamps: &[&Stamp]| {
        let responses: Vec<_> = stamps.iter().map(|stamp| stamp.response(&world.tsa, &world.tsa_key)).collect();
        world.bundle(&[world.entry_v2(&world.body_v2())], &responses)
    };
    assert_eq!(code(&world, &stamps(&[&good(), &Stamp::of(b"another signature", T)])), "timestamp.imprint");
    let twice = with(&v2, "/verificationMaterial/timestampVerificationData/rfc3161Timestamps", {
        let stamp = v2.pointer(STAMP).unwrap();
        json!([{ "signedTimestamp": stamp }, { "signedTimestamp": stamp }])
    });
    assert_eq!(code(&world, &twice), "bundle.duplicate");
    for (time, expected) in [(T - 301, "time.certificate"), (T + 2000, "time.future")] {
        assert_eq!(code(&world, &stamped(&Stamp::of(&world.signature, time))), expected);
    }
}

#[test]
fn signature_digest_and_artifact() {
    let world = World::new(Spec::default());
    let (v1, v2) = (world.bundle_v1(), world.bundle_v2());
    let signature = "/messageSignature/signature";
    let last = world.signature.len() - 1;
    assert_eq!(code(&world, &flipped(&v1, signature, last)), "entry.mismatch");
    assert_eq!(code(&world, &flipped(&v2, signature, last)), "timestamp.imprint");
    let digest = "/messageSignature/messageDigest";
    for bundle in [&v1, &v2] {
        assert_eq!(code(&world, &flipped(bundle, &format!("{digest}/digest"), 3)), "artifact.digest");
        assert_eq!(code(&world, &without(bundle, digest)), "accepted");
        assert_eq!(code(&world, &with(bundle, &format!("{digest}/digest"), "")), "bundle.malformed");
        let sha512 =
            json!({ "algorithm": "SHA2_512", "digest": STANDARD.encode(HashAlgorithm::Sha512.digest(ARTIFACT)) });
        assert_eq!(code(&world, &with(bundle, digest, sha512)), "algorithm.not_allowed");
        let text = bundle.pointer(signature).unwrap().as_str().unwrap();
        let url = URL_SAFE_NO_PAD.encode(STANDARD.decode(text).unwrap());
        assert_eq!(code(&world, &with(bundle, signature, url)), "accepted", "another spelling of the same bytes");
        assert_eq!(
            code(&world, &with(bundle, signature, text[..8].to_owned() + "\n" + &text[8..])),
            "bundle.malformed"
        );
        let judge =
            |artifact: &Artifact<'_>| judged(&world.root(), bundle.to_string().as_bytes(), artifact, &AnySigner);
        // A bundle that states no digest still proves nothing about another artifact.
        let silent = without(bundle, digest).to_string();
        for other in [b"what is signeD".as_slice(), b"what is signe", b""] {
            let digests = HashAlgorithm::Sha256.digest(other);
            let digests = Artifact::from_digest(HashAlgorithm::Sha256, &digests).unwrap();
            for artifact in [&Artifact::Bytes(other), &digests] {
                assert_eq!(judge(artifact), "artifact.digest");
                let verdict = judged(&world.root(), silent.as_bytes(), artifact, &AnySigner);
                assert_eq!(verdict, "entry.mismatch");
            }
        }
        let by = |hash: HashAlgorithm| Artifact::from_digest(hash, &hash.digest(ARTIFACT)).unwrap();
        assert_eq!(judge(&by(HashAlgorithm::Sha256)), "accepted");
        assert_eq!(judge(&by(HashAlgorithm::Sha512)), "artifact.bytes_needed");
    }
    // A changed artifact is named before anything else that is wrong, by everyone who uses the verifier.
    let strangers = World::new(Spec::default());
    let changed = judged(&strangers.root(), v2.to_string().as_bytes(), &Artifact::Bytes(b"other"), &AnySigner);
    assert_eq!(changed, "artifact.digest");
}

#[test]
fn envelopes_and_statements() {
    let world = World::new(Spec { envelope: envelope(|_| ()), ..Spec::default() });
    let (v1, v2) = (world.bundle_v1(), world.bundle_v2());
    let both = |change: &dyn Fn(&Value) -> Value| [&v1, &v2].map(|bundle| code(&world, &change(bundle)));
    assert_eq!(both(&Value::clone), ["accepted"; 2]);
    assert_eq!(both(&|bundle| flipped(bundle, "/dsseEnvelope/payload", 9)), ["entry.mismatch"; 2]);
    // Rekor v1 does not log the payload type.
    let renamed = both(&|bundle| with(bundle, "/dsseEnvelope/payloadType", "text/plain"));
    assert_eq!(renamed, ["signature.invalid", "entry.mismatch"]);
    assert_eq!(both(&|bundle| with(bundle, "/dsseEnvelope/signatures", json!([]))), ["dsse.signatures"; 2]);
    let signature = v1["dsseEnvelope"]["signatures"][0].clone();
    let two = json!([signature, signature]);
    assert_eq!(both(&|bundle| with(bundle, "/dsseEnvelope/signatures", two.clone())), ["dsse.signatures"; 2]);
    let other = judged(&world.root(), v2.to_string().as_bytes(), &Artifact::Bytes(b"other"), &AnySigner);
    assert_eq!(other, "subject.mismatch");
    let set = |pointer: &'static str, value: Value| {
        let envelope = envelope(|statement| *statement.pointer_mut(pointer).unwrap() = value);
        let world = World::new(Spec { envelope, ..Spec::default() });
        [code(&world, &world.bundle_v1()), code(&world, &world.bundle_v2())]
    };
    let digest = HashAlgorithm::Sha256.digest(ARTIFACT);
    assert_eq!(set("/subject", json!([])), ["subject.missing"; 2]);
    assert_eq!(set("/subject/0/digest/sha256", hex::encode([7; 32]).into()), ["subject.mismatch"; 2]);
    assert_eq!(set("/subject/0/digest/sha256", hex::encode_upper(digest).into()), ["subject.malformed"; 2]);
    assert_eq!(set("/subject/0/digest", json!({ "md5": hex::encode([7; 16]) })), ["subject.weak"; 2]);
    assert_eq!(set("/_type", "https://in-toto.io/Statement/v2".into()), ["statement.type"; 2]);
    assert_eq!(set("/predicateType", "".into()), ["statement.predicate_type"; 2]);
    let many = vec![json!({ "name": "a", "digest": { "sha256": hex::encode([7; 32]) } }); 1025];
    assert_eq!(set("/subject", many.into()), ["bundle.too_many"; 2]);
    let (_, payload) = envelope(|_| ()).unwrap();
    let world = World::new(Spec { envelope: Some(("text/plain", payload)), ..Spec::default() });
    assert_eq!([code(&world, &world.bundle_v1()), code(&world, &world.bundle_v2())], ["dsse.payload_type"; 2]);
}

#[test]
fn the_trust_root() {
    let world = World::new(Spec::default());
    let (v1, v2, root) = (world.bundle_v1(), world.bundle_v2(), world.root());
    let judge = |root: &Value| {
        [&v1, &v2].map(|bundle| judged(root, bundle.to_string().as_bytes(), &Artifact::Bytes(ARTIFACT), &AnySigner))
    };
    for (section, expected) in [
        ("/tlogs", ["log.unknown"; 2]),
        ("/ctlogs", ["sct.unknown_log"; 2]),
        ("/certificateAuthorities", ["chain.untrusted"; 2]),
        ("/timestampAuthorities", ["accepted", "timestamp.signer"]),
    ] {
        assert_eq!(judge(&with(&root, section, json!([]))), expected, "{section}");
    }
    let key = root.pointer("/tlogs/1/publicKey/rawBytes").unwrap().clone();
    assert_eq!(judge(&with(&root, "/tlogs/0/publicKey/rawBytes", key)), ["root.log_id"; 2]);
    assert_eq!(judge(&without(&root, "/tlogs/0/publicKey/validFor/start")), ["root.window"; 2]);
    let twice = vec![root.pointer("/tlogs/0").unwrap().clone(); 2];
    assert_eq!(judge(&with(&root, "/tlogs", twice)), ["root.duplicate"; 2]);
}

#[test]
fn the_policy() {
    let world = World::new(Spec::default());
    let bundle = world.bundle_v2().to_string();
    let judge = |judge: &Policy| judged(&world.root(), bundle.as_bytes(), &Artifact::Bytes(ARTIFACT), judge);
    assert_eq!(judge(&Policy::identity(IDENTITY, ISSUER)), "accepted");
    assert_eq!(judge(&Policy::identity(format!("{IDENTITY}x"), ISSUER)), "policy.identity");
    assert_eq!(judge(&Policy::identity(&IDENTITY[..IDENTITY.len() - 1], ISSUER)), "policy.identity");
    assert_eq!(judge(&Policy::identity(IDENTITY.replace("ci.", "ci,"), ISSUER)), "policy.identity");
    assert_eq!(judge(&Policy::identity(IDENTITY, format!("{ISSUER}/"))), "policy.issuer");
    assert_eq!(judge(&Policy::key(world.signer.public.clone())), "policy.key");
}

#[test]
fn parts_of_two_good_bundles_do_not_mix() {
    // Two signers with the same authority and logs.
    let world = World::new(Spec::default());
    let other = {
        let mut other = World::new(Spec::default());
        other.leaf = world.another_leaf(&other.signer);
        other
    };
    let stamp = Stamp::of(&other.signature, T).response(&world.tsa, &world.tsa_key);
    let v1 = [world.bundle_v1(), other.bundle(&[world.entry_v1(&other.body_v1())], &[])];
    let v2 = [world.bundle_v2(), other.bundle(&[world.entry_v2(&other.body_v2())], &[stamp])];
    let cross = |[ours, foreign]: &[Value; 2], table: &[(&str, &str)]| {
        assert_eq!([code(&world, ours), code(&world, foreign)], ["accepted"; 2]);
        for (pointer, expected) in table {
            for (into, from) in [(ours, foreign), (foreign, ours)] {
                let crossed = with(into, pointer, from.pointer(pointer).unwrap().clone());
                assert_eq!(code(&world, &crossed), *expected, "{pointer}");
            }
        }
    };
    cross(
        &v1,
        &[
            (CERTIFICATE, "entry.mismatch"),
            (ENTRY, "entry.mismatch"),
            ("/messageSignature/signature", "entry.mismatch"),
            (&at("inclusionPromise"), "promise.signature"),
            (&at("canonicalizedBody"), "promise.signature"),
            (&at("inclusionProof"), "proof.root"),
            (&at("inclusionProof/checkpoint"), "checkpoint.mismatch"),
            (&at("inclusionProof/rootHash"), "checkpoint.mismatch"),
        ],
    );
    cross(
        &v2,
        &[
            (CERTIFICATE, "entry.mismatch"),
            (STAMP, "timestamp.imprint"),
            (ENTRY, "entry.mismatch"),
            ("/messageSignature/signature", "timestamp.imprint"),
            (&at("canonicalizedBody"), "entry.mismatch"),
            (&at("inclusionProof"), "proof.root"),
            (&at("inclusionProof/checkpoint"), "checkpoint.mismatch"),
            (&at("inclusionProof/rootHash"), "checkpoint.mismatch"),
        ],
    );
    // Evidence of one log in a bundle of the other.
    let promise = v1[0].pointer(&at("inclusionPromise")).unwrap();
    assert_eq!(code(&world, &with(&v2[0], &at("inclusionPromise"), promise.clone())), "bundle.version");
    for (into, from) in [(&v1[0], &v2[0]), (&v2[0], &v1[0])] {
        let crossed = with(into, &at("inclusionProof"), from.pointer(&at("inclusionProof")).unwrap().clone());
        assert_eq!(code(&world, &crossed), "note.unsigned");
    }
    assert_eq!(code(&world, &with(&v1[0], ENTRY, v2[0].pointer(ENTRY).unwrap().clone())), "time.none");
    assert_eq!(code(&world, &with(&v2[0], ENTRY, v1[0].pointer(ENTRY).unwrap().clone())), "accepted", "its own, too");
    assert_eq!(code(&world, &with(&v2[0], ENTRY, v1[1].pointer(ENTRY).unwrap().clone())), "entry.mismatch");
}
