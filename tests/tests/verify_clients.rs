//! The verification crate judges what every client makes: right ones before and after the rotation of every key, and wrong ones,
//! each with its exact code. The clients' own verdicts are in `matrix.rs`.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use chancery_tests::{
    ALICE, MALLORY, Person, Stack,
    client::{Signer, rekor_version, with_signing_config, with_urls},
    commit::Commit,
    implementation::{Content, Implementation, Rekor, attest_with_sigstore_js},
    key::sha256,
    mutation::{Mutation, mutations, with, without},
    person::gitsign_path,
    refused::{PARTS, is_by, is_expected},
    rotation::{Rotated, trusted},
    sample::{By, Format, Sample, verifier},
    stack::chancery_binary,
    waiting::eventually,
};
use chancery_verify::verifier::{Signer as Found, Verified, Verifier};
use serde_json::{Value, json};
use std::{
    thread,
    time::{Duration, Instant},
};

/// Longest that one verdict may take, in a build without optimisation on a machine that does other things.
const LONGEST: Duration = Duration::from_secs(5);

/// What the person's `bundle` is.
fn sample(person: &Person, name: String, format: Format, bundle: &str, is_statement: bool, by: By) -> Sample {
    let (json, artifact) = (person.read(bundle), person.read("artifact"));
    let is_v2 = format == Format::Bundle && rekor_version(person, bundle) == Some(2);
    Sample { name, format, json, artifact, is_statement, is_v2, by }
}

/// Whether this client can sign this there; `matrix.rs` says why not.
fn can_sign(signer: Implementation, content: Content, rekor: Rekor) -> bool {
    use Implementation::{Cosign25, Cosign26, Js};
    match content {
        Content::Blob => rekor == Rekor::V1 || signer != Cosign25,
        Content::Attestation => rekor == Rekor::V1 || ![Cosign25, Cosign26, Js].contains(&signer),
    }
}

fn keyless(person: &Person, when: &str, contents: &[Content], logs: &[Rekor]) -> Vec<Sample> {
    let mut samples = Vec::new();
    for &content in contents {
        for signer in Implementation::ALL {
            for &rekor in logs.iter().filter(|rekor| can_sign(signer, content, **rekor)) {
                let name = format!("{when} {content:?} {rekor:?} {}", signer.name());
                signer.sign(person, content, rekor, "artifact", "bundle.json").run().succeeds();
                let (by, is_statement) = (By::Signer(Signer::of(person)), content == Content::Attestation);
                samples.push(sample(person, name, Format::Bundle, "bundle.json", is_statement, by));
                assert_eq!(samples.last().unwrap().is_v2, rekor == Rekor::V2);
            }
        }
    }
    samples
}

/// Signed with a key, by cosign: into a bundle in either log, and into cosign's older bundle, as without a key.
fn keyed_and_legacy(person: &Person) -> Vec<Sample> {
    person.cosign3().args("generate-key-pair").run().succeeds();
    let key = || By::Key(person.read("cosign.pub"));
    let sign = "sign-blob --yes --key cosign.key --bundle bundle.json";
    let mut samples = Vec::new();
    let mut add = |name: &str, format, by| {
        samples.push(sample(person, name.to_owned(), format, "bundle.json", false, by));
    };
    for rekor in ["signing_config_rekor_v1.json", "signing_config_rekor_v2.json"] {
        let program = person.cosign3().args(sign).arg("--signing-config").arg(person.trust(rekor));
        program.arg("--trusted-root").arg(person.trust("trusted_root.json")).arg("artifact").run().succeeds();
        add(&format!("key {rekor} cosign 3"), Format::Bundle, key());
    }
    person.cosign2().args(sign).arg("--rekor-url").arg(person.url()).arg("artifact").run().succeeds();
    add("key cosign 2, legacy", Format::Legacy, key());
    with_signing_config(person, person.cosign2().args(sign).arg("--new-bundle-format"))
        .arg("artifact")
        .run()
        .succeeds();
    add("key cosign 2", Format::Bundle, key());
    for (name, cosign) in [("2.5", person.cosign25()), ("2.6", person.cosign2())] {
        let program = with_urls(person, cosign.args("sign-blob --yes --bundle bundle.json"));
        program.arg("--identity-token").arg(person.token()).arg("artifact").run().succeeds();
        add(&format!("cosign {name}, legacy"), Format::Legacy, By::Signer(Signer::of(person)));
    }
    attest_with_sigstore_js(person, "artifact", "bundle.json").run().succeeds();
    let by = By::Signer(Signer::of(person));
    samples.push(sample(person, "sigstore-js attest".into(), Format::Bundle, "bundle.json", true, by));
    samples
}

/// What this program's own signer makes, into either log.
fn own(person: &Person) -> Vec<Sample> {
    let digest = hex::encode(sha256(&person.read("artifact")));
    let statement = json!({
        "_type": "https://in-toto.io/Statement/v1", "subject": [{ "name": "artifact", "digest": { "sha256": digest } }],
        "predicateType": "https://slsa.dev/provenance/v1", "predicate": {},
    });
    person.write("statement", statement.to_string());
    let mut samples = Vec::new();
    for rekor in ["signing_config_rekor_v1.json", "signing_config_rekor_v2.json"] {
        for (line, file) in [("", "artifact"), ("--in-toto", "statement")] {
            let program = person.program(chancery_binary()).args("conformance sign-bundle").args(line);
            let program = program.arg("--identity-token").arg(person.token()).args("--bundle bundle.json");
            let program = program.arg("--signing-config").arg(person.trust(rekor));
            program.arg("--trusted-root").arg(person.trust("trusted_root.json")).arg(file).run().succeeds();
            let (name, by) = (format!("own {file} {rekor}"), By::Signer(Signer::of(person)));
            samples.push(sample(person, name, Format::Bundle, "bundle.json", file == "statement", by));
        }
    }
    samples
}

/// A commit signed by gitsign.
fn commit(person: &Person) -> Sample {
    let git = |line: &str| person.git().env("GITSIGN_REKOR_MODE", "offline").args(line).run().succeeds();
    git("init --quiet");
    for setting in ["user.name alice", "user.email alice@example.test", "gpg.format x509", "commit.gpgsign true"] {
        git(&format!("config {setting}"));
    }
    person.git().args("config gpg.x509.program").arg(gitsign_path()).run().succeeds();
    git("commit --quiet --allow-empty -m signed");
    let commit = Commit::parse(&git("cat-file commit HEAD"));
    assert!(commit.attributes_are_about(&commit.contents));
    assert!(!commit.attributes_are_about(b"another commit"));
    Sample {
        name: "gitsign".into(),
        format: Format::Bundle,
        json: commit.bundle.to_string().into_bytes(),
        artifact: commit.attributes,
        is_statement: false,
        is_v2: false,
        by: By::Signer(Signer::of(person)),
    }
}

/// What is established about a good one, and that it proves nothing else.
fn check(verifier: &Verifier, sample: &Sample) {
    let Verified { signer, entries, times, statement, subject, warnings, .. } = sample.verified(verifier);
    match (&signer, &sample.by) {
        (Found::Certificate { claims, .. }, By::Signer(signer)) => {
            assert_eq!(claims.identity().to_string(), signer.identity);
            assert_eq!(claims.issuer(), signer.issuer);
        }
        (Found::Key { .. }, By::Key(_)) => {}
        other => panic!("{}: {other:?}", sample.name),
    }
    // The older form cannot hold a proof, and that is said.
    let says = if sample.format == Format::Legacy { &["no inclusion proof"][..] } else { &[] };
    assert_eq!((entries.len(), warnings.len()), (1, says.len()), "{}: {warnings:?}", sample.name);
    assert!(warnings.iter().zip(says).all(|(warning, part)| warning.contains(part)), "{warnings:?}");
    assert!(!times.is_empty() || matches!(sample.by, By::Key(_)), "{}", sample.name);
    assert_eq!((statement.is_some(), subject.is_some()), (sample.is_statement, sample.is_statement));

    let document: Value = serde_json::from_slice(&sample.json).unwrap();
    let wrong = match document.pointer("/messageSignature/messageDigest") {
        _ if sample.is_statement => "subject.mismatch",
        Some(_) => "artifact.digest",
        None => "entry.mismatch",
    };
    for artifact in [&b"hullo"[..], b"", b"hello "] {
        assert_eq!(sample.refusal(verifier, artifact, &sample.by), wrong, "{}", sample.name);
    }
    let (others, keyed) = match &sample.by {
        By::Signer(signer) => {
            let mallory = Signer { identity: MALLORY.into(), ..signer.clone() };
            let prefix = Signer { identity: signer.identity[1..].into(), ..signer.clone() };
            let elsewhere = Signer { issuer: "https://issuer.example.test".into(), ..signer.clone() };
            let all = [(mallory, "policy.identity"), (prefix, "policy.identity"), (elsewhere, "policy.issuer")];
            (all.map(|(signer, code)| (By::Signer(signer), code)).to_vec(), false)
        }
        By::Key(_) => {
            let signer = Signer { identity: ALICE.into(), issuer: "https://issuer.example.test".into() };
            (vec![(By::Signer(signer), "policy.key")], true)
        }
    };
    for (by, code) in others {
        assert_eq!(sample.refusal(verifier, &sample.artifact, &by), code, "{} {by:?} {keyed}", sample.name);
    }
}

fn rotate(stack: &Stack, alice: &Person) {
    for role in ["ca", "ct", "tsa", "rekor", "rekor2"] {
        let rotated = Rotated::of(stack, role);
        let stage = if role == "rekor2" {
            rotated.rotate("stage --url").arg(stack.url().replace("127.0.0.1", "localhost"))
        } else {
            rotated.rotate("stage")
        };
        stage.run().succeeds();
        rotated.step("activate --overlap 0s").succeeds();
        rotated.step("retire").succeeds();
        assert_eq!(rotated.states(), ["retired", "active"], "{role}");
    }
    eventually("every end is published", || {
        let ends = |list: &str| {
            let window =
                |item: &Value| item.get("validFor").unwrap_or(&item["publicKey"]["validFor"])["end"].is_string();
            trusted(stack, list).iter().filter(|item| window(item)).count()
        };
        ["certificateAuthorities", "ctlogs", "timestampAuthorities", "tlogs"].map(ends) == [1, 1, 1, 2]
    });
    assert_eq!(alice.url(), stack.url());
}

/// Judges a document in the place of a sample, and demands that this does not take long.
fn judge(verifier: &Verifier, sample: &Sample, json: &[u8]) -> Result<Verified, &'static str> {
    let started = Instant::now();
    let verdict = sample.judge(verifier, json).map_err(|refusal| refusal.code());
    assert!(started.elapsed() < LONGEST, "{}: {:?}", sample.name, started.elapsed());
    verdict
}

/// What may be taken away from a good bundle: the end of the pointer, which changes, and why what remains still proves the
/// signature.
const DISPENSABLE: [(&str, &[&str], &str); 8] = [
    ("/messageDigest", &ABSENT, "a help to find the artifact, and never what is verified"),
    ("/canonicalizedBody", &ABSENT, "of Rekor v2, whose entries follow from the bundle"),
    ("/timestampVerificationData", &ABSENT, "where a promise says when"),
    ("/rfc3161Timestamps", &ABSENT, "where a promise says when"),
    ("/rfc3161Timestamps/0", &["dropped"], "where a promise says when"),
    ("/inclusionPromise", &["dropped", "null"], "where a timestamp says when; the proof says that it is in the log"),
    ("/publicKey", &["{} instead"], "a hint; the verifier has the key"),
    ("/publicKey/hint", &["dropped", "null", "\"!\" instead", "cut", "lengthened"], "opaque, unless it is a digest"),
];

const ABSENT: [&str; 4] = ["dropped", "null", "{} instead", "[] instead"];

/// Whether what is left of the evidence is enough.
fn is_dispensable(document: &Value, mutation: &Mutation) -> bool {
    let entry = &document["verificationMaterial"]["tlogEntries"][0];
    let (pointer, change) = (mutation.pointer.as_str(), mutation.change.as_str());
    let has_promise = entry["inclusionPromise"].is_object();
    let listed = DISPENSABLE.iter().any(|(end, changes, _)| pointer.ends_with(end) && changes.contains(&change));
    listed
        && match pointer.rsplit('/').next().unwrap() {
            "canonicalizedBody" => entry["kindVersion"]["version"] == "0.0.2" && !has_promise,
            "timestampVerificationData" | "rfc3161Timestamps" | "0" => has_promise,
            "inclusionPromise" => document.pointer(STAMP).is_some(),
            _ => true,
        }
}

/// Every change of every member of a sample: what is accepted says the same, or is explained, and everything else is refused by
/// the check of that member.
fn changed(verifier: &Verifier, sample: &Sample) -> Vec<String> {
    let mut failures = Vec::new();
    let document: Value = serde_json::from_slice(&sample.json).unwrap();
    let original = sample.parse(&sample.json).unwrap();
    for mutation in mutations(&document) {
        let fault = match judge(verifier, sample, &mutation.json) {
            Ok(_) if sample.parse(&mutation.json).unwrap() == original || is_dispensable(&document, &mutation) => {
                continue;
            }
            Ok(_) => "accepted",
            Err(code) if is_expected(&mutation, code) => continue,
            Err(code) => code,
        };
        failures.push(format!("{}: {} {}: {fault}", sample.name, mutation.pointer, mutation.change));
    }
    failures
}

/// Every part of every other bundle in each bundle; returns how many there were.
fn crossed(verifier: &Verifier, samples: &[&Sample]) -> (usize, Vec<String>) {
    let mut failures = Vec::new();
    let bundles = samples.iter().filter(|sample| sample.format == Format::Bundle);
    let bundles: Vec<(&Sample, Value)> =
        bundles.map(|sample| (*sample, serde_json::from_slice(&sample.json).unwrap())).collect();
    let mut count = 0;
    for (sample, document) in &bundles {
        for (other, source) in &bundles {
            for (part, checks) in PARTS {
                let foreign = source.pointer(part).filter(|foreign| !foreign.is_null());
                let parent = document.pointer(part.rsplit_once('/').unwrap().0).filter(|parent| parent.is_object());
                let (Some(foreign), Some(_)) = (foreign, parent) else { continue };
                // What sigstore-js's command writes without a timestamp: nothing is put there, so this only takes away.
                let is_empty = part.ends_with("Data") && foreign.pointer("/rfc3161Timestamps/0").is_none();
                if is_empty || document.pointer(part) == Some(foreign) {
                    continue;
                }
                count += 1;
                let fault = match judge(verifier, sample, with(document, part, foreign.clone()).to_string().as_bytes())
                {
                    Err(code) if is_by(code, checks) => continue,
                    Err(code) => code,
                    Ok(_) => "accepted",
                };
                failures.push(format!("{} with {part} of {}: {fault}", sample.name, other.name));
            }
        }
    }
    (count, failures)
}

const ENTRY: &str = "/verificationMaterial/tlogEntries/0";
const STAMP: &str = "/verificationMaterial/timestampVerificationData/rfc3161Timestamps/0";

/// The document with one bit of a base64 text changed.
fn flipped(document: &Value, pointer: &str, byte: impl Fn(usize) -> usize) -> Value {
    let mut bytes = STANDARD.decode(document.pointer(pointer).unwrap().as_str().unwrap()).unwrap();
    let at = byte(bytes.len());
    bytes[at] ^= 1;
    with(document, pointer, STANDARD.encode(bytes).into())
}

/// The number at this place, changed by so much.
fn moved(document: &Value, pointer: &str, by: i64) -> Value {
    let number: i64 = document.pointer(pointer).unwrap().as_str().unwrap().parse().unwrap();
    with(document, pointer, (number + by).to_string().into())
}

/// The exact codes of the main rows of the catalogue of mutations, for a bundle into Rekor v1 with a promise alone, and for one
/// into Rekor v2.
fn rows(verifier: &Verifier, v1: &Sample, v2: &Sample) {
    let (old, new): (Value, Value) =
        (serde_json::from_slice(&v1.json).unwrap(), serde_json::from_slice(&v2.json).unwrap());
    assert!(old.pointer(STAMP).is_none() && new.pointer(STAMP).is_some());
    let code = |sample: &Sample, document: &Value| {
        judge(verifier, sample, document.to_string().as_bytes()).map_or_else(|code| code, |_| "accepted")
    };
    let both = |change: &dyn Fn(&Value) -> Value| [code(v1, &change(&old)), code(v2, &change(&new))];
    let at = |name: &str| format!("{ENTRY}/{name}");
    let last = |length: usize| length - 1;
    let set = |name: &'static str, value: Value| both(&move |bundle| with(bundle, name, value.clone()));
    assert_eq!(set("/mediaType", "application/vnd.dev.sigstore.bundle.v0.4+json".into()), ["bundle.media_type"; 2]);
    assert_eq!(set("/more", 1.into()), ["bundle.malformed"; 2]);
    assert_eq!(set("/messageSignature", Value::Null), ["bundle.missing"; 2]);
    assert_eq!(set("/verificationMaterial/tlogEntries", json!([])), ["time.none", "log.too_few"]);
    for (name, change, expected) in [
        ("logId/keyId", 0, ["log.unknown"; 2]),
        ("logIndex", 1, ["promise.signature", "entry.mismatch"]),
        ("inclusionProof/treeSize", 1, ["checkpoint.mismatch"; 2]),
        ("inclusionProof/rootHash", 0, ["checkpoint.mismatch"; 2]),
        ("inclusionProof/hashes/0", 0, ["proof.root"; 2]),
    ] {
        let name = at(name);
        let changed = |bundle: &Value| match change {
            0 => flipped(bundle, &name, last),
            by => moved(bundle, &name, by),
        };
        assert_eq!(both(&changed), expected, "{name}");
    }
    let (index, size) = (at("inclusionProof/logIndex"), at("inclusionProof/treeSize"));
    assert_eq!(both(&|bundle| with(bundle, &index, bundle.pointer(&size).unwrap().clone())), ["proof.index"; 2]);
    assert_eq!(code(v2, &moved(&new, &index, -1)), "entry.mismatch");
    let (id_old, id_new) = (old.pointer(&at("logId")).unwrap(), new.pointer(&at("logId")).unwrap());
    assert_eq!(code(v1, &with(&old, &at("logId"), id_new.clone())), "promise.signature");
    assert_eq!(code(v2, &with(&new, &at("logId"), id_old.clone())), "note.unsigned");
    assert_eq!(both(&|bundle| with(bundle, &at("kindVersion/kind"), "rekord".into())), ["entry.kind"; 2]);
    assert_eq!(code(v1, &moved(&old, &at("integratedTime"), 1)), "promise.signature");
    assert_eq!(code(v2, &with(&new, &at("integratedTime"), "1".into())), "bundle.version");
    assert_eq!(code(v1, &flipped(&old, &at("inclusionPromise/signedEntryTimestamp"), last)), "promise.signature");
    assert_eq!(code(v1, &without(&old, &at("inclusionPromise"))), "time.none");
    assert_eq!(both(&|bundle| without(bundle, &at("inclusionProof"))), ["proof.missing"; 2]);
    assert_eq!(both(&|bundle| without(bundle, &at("inclusionProof/checkpoint"))), ["checkpoint.missing"; 2]);
    assert_eq!(both(&|bundle| without(bundle, &at("inclusionProof/hashes/0"))), ["proof.length"; 2]);
    assert_eq!(both(&|bundle| without(bundle, &at("canonicalizedBody"))), ["entry.missing", "accepted"]);
    let changed = |bundle: &Value, from: &str, to: &str| {
        let note = at("inclusionProof/checkpoint/envelope");
        let text = bundle.pointer(&note).unwrap().as_str().unwrap().replacen(from, to, 1);
        with(bundle, &note, text.into())
    };
    assert_eq!(both(&|bundle| changed(bundle, "127.0.0.1", "127.0.0.2")), ["note.signature"; 2]);
    assert_eq!(both(&|bundle| changed(bundle, "\n\n", "\r\n\n")), ["note.malformed"; 2]);
    assert_eq!(both(&|bundle| flipped(bundle, "/messageSignature/messageDigest/digest", last)), ["artifact.digest"; 2]);
    let signature = "/messageSignature/signature";
    assert_eq!(both(&|bundle| flipped(bundle, signature, last)), ["entry.mismatch", "timestamp.imprint"]);
    assert_eq!(code(v2, &without(&new, STAMP)), "time.none");
    let stamp = format!("{STAMP}/signedTimestamp");
    assert_eq!(code(v2, &flipped(&new, &stamp, last)), "timestamp.signature");
    let twice = json!([new.pointer(STAMP), new.pointer(STAMP)]);
    assert_eq!(code(v2, &with(&new, STAMP.strip_suffix("/0").unwrap(), twice)), "bundle.duplicate");
    let certificate = "/verificationMaterial/certificate/rawBytes";
    assert_eq!(code(v2, &flipped(&new, certificate, last)), "chain.signature");
}

/// The rows about envelopes.
fn rows_of_envelopes(verifier: &Verifier, sample: &Sample) {
    let bundle: Value = serde_json::from_slice(&sample.json).unwrap();
    let code = |document: &Value| {
        judge(verifier, sample, document.to_string().as_bytes()).map_or_else(|code| code, |_| "accepted")
    };
    let payload = "/dsseEnvelope/payload";
    assert_eq!(code(&flipped(&bundle, payload, |length| length / 2)), "entry.mismatch");
    assert_eq!(code(&with(&bundle, "/dsseEnvelope/payloadType", "text/plain".into())), "entry.mismatch");
    let signature = bundle.pointer("/dsseEnvelope/signatures/0").unwrap();
    assert_eq!(code(&with(&bundle, "/dsseEnvelope/signatures", json!([signature, signature]))), "dsse.signatures");
    assert_eq!(code(&with(&bundle, "/dsseEnvelope/signatures", json!([]))), "dsse.signatures");
}

/// One of each client's, and of each kind; all of them would take minutes.
fn is_chosen(sample: &Sample) -> bool {
    let name = sample.name.strip_prefix("before ").unwrap_or(&sample.name);
    let [v1, v2] = ["Blob V1", "Blob V2"].map(|kind| name.strip_prefix(kind).map(str::trim));
    let of_blobs = v1.is_some_and(|client| ["cosign 2.5", "python", "rust"].contains(&client))
        || v2.is_some_and(|client| ["cosign 2.6", "cosign 3", "js", "go"].contains(&client));
    let several = ["Blob", "Attestation", "own"].iter().any(|kind| name.starts_with(kind));
    let one_of_several = [
        "Attestation V1 go",
        "Attestation V2 python",
        "own statement signing_config_rekor_v1.json",
        "own artifact signing_config_rekor_v2.json",
    ];
    of_blobs || !several || one_of_several.contains(&name)
}

#[test]
fn what_every_client_makes() {
    let stack = Stack::start();
    let alice = stack.person(ALICE);
    alice.write("artifact", "hello");
    let mut samples = keyless(&alice, "before", &[Content::Blob, Content::Attestation], &[Rekor::V1, Rekor::V2]);
    samples.extend(keyed_and_legacy(&alice));
    samples.extend(own(&alice));
    samples.push(commit(&alice));
    let trusted = verifier(&alice);
    for sample in &samples {
        check(&trusted, sample);
    }
    let named = |name: &str| samples.iter().find(|sample| sample.name == name).unwrap();
    rows(&trusted, named("before Blob V1 cosign 2.6"), named("before Blob V2 cosign 3"));
    rows_of_envelopes(&trusted, named("before Attestation V2 python"));
    let chosen: Vec<&Sample> = samples.iter().filter(|sample| is_chosen(sample)).collect();
    let failures = thread::scope(|scope| {
        let judges = chosen.iter().map(|sample| scope.spawn(|| changed(&trusted, sample))).collect::<Vec<_>>();
        judges.into_iter().flat_map(|judge| judge.join().unwrap()).collect::<Vec<_>>()
    });
    assert!(failures.is_empty(), "{failures:#?}");
    rotate(&stack, &alice);
    let mut after = keyless(&alice, "after", &[Content::Blob], &[Rekor::V2]);
    after.extend(keyless(&alice, "after", &[Content::Attestation], &[Rekor::V1]));
    let rotated = verifier(&alice);
    for sample in samples.iter().chain(&after) {
        check(&rotated, sample);
    }
    let several: Vec<&Sample> = chosen.into_iter().chain(after.iter().step_by(4)).collect();
    let (count, failures) = crossed(&rotated, &several);
    assert!(count > 1000, "{count}");
    assert!(failures.is_empty(), "{failures:#?}");
}
