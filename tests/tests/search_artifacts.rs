//! Who signed this, and which certificates were issued: from an honest server, and from one that lies.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use chancery_tests::{
    ALICE, Client, MALLORY, Person, Stack,
    key::{Key, sha256, unique},
    program::Outcome,
    rekor::{ENTRIES, dsse, envelope, hashedrekord},
    search::{Liar, path, places, verify, wait},
    stack::chancery_binary,
};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

fn digest(artifact: &str) -> String {
    format!("sha256:{}", hex::encode(sha256(artifact.as_bytes())))
}

/// What is found about a signature with a certificate: only Rekor v1 signs when it was made.
fn verdict(log: &Value) -> &'static str {
    if log == "rekor" { "verified" } else { "undated" }
}

/// Alice signs an artifact into Rekor v1 and v2.
fn signed(stack: &Stack) -> (Person, String) {
    let alice = stack.person(ALICE);
    let artifact = unique("hello");
    alice.write("artifact", &artifact);
    Client::Cosign2.sign(&alice, "artifact", "v1.json").run().succeeds();
    Client::Cosign3.sign(&alice, "artifact", "v2.json").run().succeeds();
    wait(stack);
    (alice, artifact)
}

fn signatures(stack: &Stack, digest: &str) -> Vec<Value> {
    let answer = stack.get(&format!("/api/artifacts/{digest}")).expect(200).json();
    assert_eq!((&answer["digest"], &answer["cursor"]), (&digest.into(), &Value::Null), "{answer}");
    let signatures = answer["signatures"].as_array().unwrap().clone();
    let entries: Vec<Value> = signatures.iter().map(|signature| signature["entry"].clone()).collect();
    verify(stack, &json!({ "entries": entries, "complete_to": answer["complete_to"] }));
    signatures
}

#[test]
fn an_artifact_is_answered_with_its_signers_verified_and_nobody_is_an_answer() {
    let stack = Stack::start();
    let (_alice, artifact) = signed(&stack);
    let found = signatures(&stack, &digest(&artifact));
    assert_eq!(found.len(), 2, "{found:?}");
    for signature in &found {
        let expected = json!([verdict(&signature["entry"]["log"]), "signed"]);
        assert_eq!(json!([signature["verdict"], signature["role"]]), expected, "{signature}");
        assert_eq!(signature["signature_verified"], true, "{signature}");
        let is_undated = signature["certificate_validity"]["not_after"].is_string();
        assert_eq!(is_undated, signature["verdict"] == "undated", "{signature}");
        let signer = &signature["signer"]["certificate"];
        assert_eq!((&signer["identity"], &signer["issuer"]), (&ALICE.into(), &stack.issuer().into()), "{signature}");
        assert_eq!(signature["sct_times"].as_array().unwrap().len(), 1, "{signature}");
        assert!(signature["certificate"].as_str().unwrap().starts_with("-----BEGIN CERTIFICATE-----\n"), "{signature}");
    }
    assert_eq!(signatures(&stack, &digest("nothing")), Vec::<Value>::new());

    // A bare key signs, too. What is only a payload is told apart: its signature is not over its digest.
    let key = Key::generate();
    stack.post(ENTRIES, &hashedrekord(&key, b"by a key")).expect(201);
    let statement = r#"{"_type":"https://in-toto.io/Statement/v1","subject":[]}"#;
    let envelope = envelope(&key, "application/vnd.in-toto+json", statement.as_bytes());
    stack.post(ENTRIES, &dsse(&key, &envelope.to_string())).expect(201);
    wait(&stack);
    let [signature] = &signatures(&stack, &digest("by a key"))[..] else { panic!("one signature") };
    assert_eq!(signature["signer"]["key_sha256"], hex::encode(sha256(&key.public_der())), "{signature}");
    assert_eq!(signature["key"], key.public_pem(), "{signature}");
    let [attestation] = &signatures(&stack, &digest(statement))[..] else { panic!("one attestation") };
    let expected = json!(["verified", "payload", false]);
    let told = json!([attestation["verdict"], attestation["role"], attestation["signature_verified"]]);
    assert_eq!(told, expected, "{attestation}");

    for (wrong, text) in
        [("sha256:ab", "digest: write a digest"), ("sha256", "digest: write"), ("%ff", "digest: write")]
    {
        let refused = stack.get(&format!("/api/artifacts/{wrong}")).expect(400).json();
        assert!(refused["message"].as_str().unwrap().starts_with(text), "{refused}");
    }
}

#[test]
fn a_certificate_of_another_authority_is_no_verified_signer() {
    let (stack, elsewhere) = (Stack::start(), Stack::start());
    // Mallory has a certificate in Alice's name, from an authority of her own, and logs with it here.
    let mallory = elsewhere.person(ALICE);
    mallory.write("artifact", "forged");
    Client::Cosign2.sign(&mallory, "artifact", "bundle.json").run().succeeds();
    let bundle: Value = serde_json::from_slice(&mallory.read("bundle.json")).unwrap();
    let body = bundle["verificationMaterial"]["tlogEntries"][0]["canonicalizedBody"].as_str().unwrap();
    let proposal: Value = serde_json::from_slice(&STANDARD.decode(body).unwrap()).unwrap();
    stack.post(ENTRIES, &proposal).expect(201);
    wait(&stack);
    let [signature] = &signatures(&stack, &digest("forged"))[..] else { panic!("one signature") };
    assert_eq!(signature["verdict"], "refused", "{signature}");
    assert!(signature["refusal"]["code"].as_str().unwrap().starts_with("chain."), "{signature}");
    assert!(signature.get("signer").is_none(), "{signature}");
    // It is found all the same: by what it says.
    let answer = stack.get(&path("/api/search", &[("identity", ALICE)])).expect(200).json();
    assert_eq!(answer["entries"].as_array().unwrap().len(), 1, "{answer}");
}

#[test]
fn certificates_are_told_with_their_uses_and_unused_ones_are_marked() {
    let stack = Stack::start();
    let (alice, _) = signed(&stack);
    // Mallory asks for a certificate and signs nothing with it.
    let request = chancery_tests::fulcio::key_request_with_token(&Key::generate(), MALLORY, &stack.token(MALLORY));
    stack.post(chancery_tests::fulcio::SIGNING_CERT_V2, &request).expect(200);
    wait(&stack);
    let ask = |parameters: &[(&str, &str)]| {
        let answer = stack.get(&path("/api/certificates", parameters)).expect(200).json();
        assert_eq!(answer["complete_to"].as_array().unwrap().len(), 3, "all logs that it is about: {answer}");
        answer["certificates"].as_array().unwrap().clone()
    };
    let all = ask(&[]);
    assert_eq!(all.len(), 3, "{all:?}");
    let used = ask(&[("identity", ALICE)]);
    assert_eq!(used.len(), 2, "{used:?}");
    let mut found = Vec::new();
    for certificate in &used {
        assert_eq!((&certificate["unused"], &certificate["more"]), (&false.into(), &false.into()), "{certificate}");
        assert_eq!(certificate["key_used_in"], json!([]), "each key has one certificate: {certificate}");
        found.extend(places(certificate["used_in"].as_array().unwrap()));
    }
    found.sort();
    let signatures = stack.get(&path("/api/search", &[("identity", ALICE), ("log", "rekor"), ("log", "rekor2")]));
    let mut signatures = places(signatures.expect(200).json()["entries"].as_array().unwrap());
    signatures.sort();
    assert_eq!(found, signatures);
    let unused = ask(&[("unused", "1")]);
    assert_eq!(unused.len(), 1, "{unused:?}");
    let signer = &unused[0]["entry"]["summary"]["signers"][0];
    assert_eq!(signer["identities"][0]["value"], MALLORY, "{unused:?}");
    assert_eq!(unused[0]["unused"], true);
    let serial = signer["serial"].as_str().unwrap();
    assert_eq!(ask(&[("serial", serial)]), unused);
    assert_eq!(ask(&[("domain", "example.test"), ("issuer", &stack.issuer())]).len(), 3);
    assert_eq!(ask(&[("identity", "nobody@example.test")]), Vec::<Value>::new());
    // A certificate whose signature is acknowledged is not called unused, unless the index is later than an answer waits.
    Client::Cosign2.sign(&alice, "artifact", "again.json").run().succeeds();
    let asked = Instant::now();
    let unused = ask(&[("identity", ALICE), ("unused", "1")]);
    assert!(unused.is_empty() || asked.elapsed() >= Duration::from_secs(1), "{unused:?}");
}

/// `chancery artifact`, asking this URL.
fn artifact(alice: &Person, url: &str, arguments: &str) -> Outcome {
    let program = alice.program(chancery_binary()).arg("artifact").args(arguments).arg("--url").arg(url);
    program.arg("--trusted-root").arg(alice.trust("trusted_root.json")).run()
}

fn report(outcome: &Outcome) -> Value {
    serde_json::from_str(&outcome.stdout).unwrap_or_else(|error| panic!("{error}: {}", outcome.report()))
}

#[test]
fn chancery_artifact_verifies_what_a_server_says() {
    let stack = Stack::start();
    let (alice, text) = signed(&stack);
    for name in ["artifact", &digest(&text)] {
        let outcome = artifact(&alice, &stack.url(), name);
        assert_eq!(outcome.code(), 0, "{}", outcome.report());
        let said = &outcome.stdout;
        assert!(said.contains(&format!("signed by {ALICE} (issuer {})", stack.issuer())), "{said}");
        assert!(said.contains("promised by the log") && said.contains("by the log's record, not proven"), "{said}");
    }
    let outcome = artifact(&alice, &stack.url(), "artifact --json");
    let found = report(&outcome);
    assert_eq!((outcome.code(), &found["status"]), (0, &"signed".into()), "{found}");
    let signatures = found["signatures"].as_array().unwrap();
    assert_eq!(signatures.len(), 2, "{found}");
    for signature in signatures {
        assert_eq!(signature["verdict"], verdict(&signature["log"]), "{signature}");
        assert_eq!(signature["signer"]["certificate"]["identity"], ALICE, "{signature}");
        assert_eq!(signature["time_is_proven"], signature["log"] == "rekor", "{signature}");
    }
    alice.write("unsigned", unique("unsigned"));
    let nobody = artifact(&alice, &stack.url(), "unsigned");
    assert_eq!(nobody.code(), 1, "{}", nobody.report());
    for part in ["NOBODY", "chancery verify image or verify attestation", "chancery search --digest"] {
        assert!(nobody.stdout.contains(part), "{part}: {}", nobody.report());
    }
    assert_eq!(artifact(&alice, &stack.url(), "missing").code(), 3);
    let short = artifact(&alice, &stack.url(), "sha256:00");
    assert_eq!(short.code(), 3, "{}", short.report());
    assert!(short.stdout.contains("it is not a digest"), "{}", short.report());
    assert_eq!(artifact(&alice, "http://127.0.0.1:1", "artifact").code(), 3);
    let outcome = alice.program(chancery_binary()).args("artifact artifact --url").arg(stack.url()).run();
    assert_eq!(outcome.code(), 2, "no trust root: {}", outcome.report());
    // Another instance's trust root does not know this log.
    let elsewhere = Stack::start();
    let stranger = elsewhere.person(ALICE);
    stranger.write("artifact", &text);
    let refused = artifact(&stranger, &stack.url(), "artifact --json");
    let found = report(&refused);
    assert_eq!((refused.code(), &found["signatures"][0]["refusal"]["code"]), (1, &"log.unknown".into()), "{found}");
}

/// Whether a request is for the entries about a digest.
fn is_for_entries(target: &str) -> bool {
    target.starts_with("/api/artifacts/sha256:")
}

/// Demands that every signature that this server shows is refused with this code.
#[track_caller]
fn all_refused(alice: &Person, liar: &Liar, code: &str) {
    let outcome = artifact(alice, liar.url(), "artifact --json");
    let found = report(&outcome);
    assert_eq!((outcome.code(), &found["status"]), (1, &"refused".into()), "{code}: {found}");
    for signature in found["signatures"].as_array().unwrap() {
        assert_eq!(signature["refusal"]["code"], code, "{signature}");
    }
}

#[test]
fn a_server_that_shows_other_entries_is_found() {
    let stack = Stack::start();
    let (alice, text) = signed(&stack);
    // Another artifact, signed by another key.
    stack.post(ENTRIES, &hashedrekord(&Key::generate(), b"other")).expect(201);
    wait(&stack);
    let other = stack.get(&format!("/api/artifacts/{}", digest("other"))).expect(200).json();
    let other = other["signatures"][0]["entry"].clone();
    let showing = |entry: Value| {
        Liar::before(&stack, move |target, mut answer| {
            if is_for_entries(target) {
                answer["signatures"] = json!([{ "entry": entry }]);
            }
            answer
        })
    };
    // An entry about something else.
    all_refused(&alice, &showing(other.clone()), "entry.mismatch");
    // An entry that is in no log, in the place of one that is.
    let mut forged = other.clone();
    forged["proof"]["leaf"] = STANDARD.encode(forged_body(&Key::generate(), &text)).into();
    all_refused(&alice, &showing(forged.clone()), "promise.signature");
    // The same without a promise.
    forged["id"] = "00".repeat(32).into();
    all_refused(&alice, &showing(forged), "proof.root");
    // Entries in other places than they are.
    let moved = Liar::before(&stack, |target, mut answer| {
        if is_for_entries(target) {
            for one in answer["signatures"].as_array_mut().unwrap() {
                one["entry"]["index"] = (one["entry"]["index"].as_u64().unwrap() ^ 1).into();
            }
        }
        answer
    });
    let outcome = artifact(&alice, moved.url(), "artifact --json");
    assert_eq!((outcome.code(), &report(&outcome)["status"]), (1, &"refused".into()), "{}", outcome.report());
}

#[test]
fn a_server_that_changes_checkpoints_and_promises_is_found() {
    let stack = Stack::start();
    let (alice, _) = signed(&stack);
    // A checkpoint that the log has not signed.
    let unsigned = Liar::about_checkpoints(&stack, is_for_entries);
    all_refused(&alice, &unsigned, "log.unknown");
    // A promise that was not made. The entry of Rekor v2 has none, so nobody has signed when it was made.
    let unpromised = Liar::before(&stack, |target, mut answer| {
        if target.starts_with("/api/v1/log/entries/") {
            let entry = answer.as_object_mut().unwrap().values_mut().next().unwrap();
            entry["integratedTime"] = (entry["integratedTime"].as_u64().unwrap() - 1).into();
        }
        answer
    });
    let outcome = artifact(&alice, unpromised.url(), "artifact --json");
    let found = report(&outcome);
    assert_eq!((outcome.code(), &found["status"]), (3, &"undecided".into()), "{found}");
    let signatures = found["signatures"].as_array().unwrap().iter();
    let codes: Vec<&str> = signatures.filter_map(|one| one["refusal"]["code"].as_str()).collect();
    assert_eq!(codes, ["promise.signature"], "{found}");
}

#[test]
fn a_time_that_nobody_has_signed_makes_no_signature_verified() {
    let stack = Stack::start();
    let (alice, _) = signed(&stack);
    // A server that keeps the promise back: the time of the record is its word.
    let silent = Liar::before(&stack, |target, mut answer| {
        if target.starts_with("/api/v1/log/entries/") {
            for entry in answer.as_object_mut().unwrap().values_mut() {
                entry["verification"].as_object_mut().unwrap().remove("signedEntryTimestamp");
            }
        }
        answer
    });
    let outcome = artifact(&alice, silent.url(), "artifact --json");
    let found = report(&outcome);
    assert_eq!((outcome.code(), &found["status"]), (3, &"undecided".into()), "{found}");
    for signature in found["signatures"].as_array().unwrap() {
        let told = (&signature["verdict"], &signature["time_is_proven"]);
        assert_eq!(told, (&"undated".into(), &false.into()), "{signature}");
        assert!(signature["time"].is_string(), "the log's record is shown: {signature}");
    }
    let said = artifact(&alice, silent.url(), "artifact").stdout;
    assert!(said.contains("signed at some time by") && said.contains("by the log's record, not proven"), "{said}");
}

#[test]
fn what_a_server_hides_is_its_word_and_what_cannot_be_read_is_no_answer() {
    let stack = Stack::start();
    let (alice, _) = signed(&stack);
    let hiding = Liar::before(&stack, |target, mut answer| {
        if is_for_entries(target) {
            answer["signatures"] = json!([]);
        }
        answer
    });
    let hidden = artifact(&alice, hiding.url(), "artifact");
    assert_eq!(hidden.code(), 1, "{}", hidden.report());
    assert!(hidden.stdout.contains("by the server's word"), "{}", hidden.report());
    let nonsense = Liar::before(&stack, |_, _| json!({ "signatures": 7 }));
    assert_eq!(artifact(&alice, nonsense.url(), "artifact").code(), 3);
}

/// Proposals of the kinds for packages and the formats of other tools, by Rekor's own code.
const KINDS: &str = include_str!("../../crates/verify/tests/golden/rekor1-kinds.json");

#[test]
fn entries_of_other_kinds_prove_what_they_have() {
    let stack = Stack::start();
    let alice = stack.person(ALICE);
    let vectors: Vec<Value> = serde_json::from_str(KINDS).unwrap();
    let log = |name: &str| {
        let vector = vectors.iter().find(|vector| vector["name"] == name).unwrap();
        stack.post(ENTRIES, &vector["proposal"]).expect(201);
        wait(&stack);
        serde_json::from_str::<Value>(vector["body"].as_str().unwrap()).unwrap()
    };
    let asked = |digest: &str| {
        let outcome = artifact(&alice, &stack.url(), &format!("{digest} --json"));
        (outcome.code(), report(&outcome))
    };
    // OpenPGP hashes more than the artifact, so its hash does not tell.
    let body = log("rekord pgp rsa");
    let digest = format!("sha256:{}", body["spec"]["data"]["hash"]["value"].as_str().unwrap());
    let (code, found) = asked(&digest);
    assert_eq!((code, &found["status"]), (3, &"undecided".into()), "{found}");
    let signature = &found["signatures"][0];
    assert_eq!((&signature["verdict"], &signature["time_is_proven"]), (&"unread".into(), &true.into()), "{signature}");
    assert_eq!(signature["refusal"]["code"], "entry.unverifiable", "{signature}");
    let said = artifact(&alice, &stack.url(), &digest);
    assert!(said.stdout.contains("in the log, not verified: rekor 1: entry.unverifiable"), "{}", said.report());
    let told = &signatures(&stack, &digest)[0];
    assert_eq!((&told["verdict"], &told["signature_verified"]), (&"unread".into(), &false.into()), "{told}");
    // A plain signature over the same artifact is verified.
    log("rekord x509 ec");
    let (code, found) = asked(&digest);
    assert_eq!((code, &found["status"]), (0, &"signed".into()), "{found}");
    let verdicts: Vec<&str> =
        found["signatures"].as_array().unwrap().iter().map(|one| one["verdict"].as_str().unwrap()).collect();
    assert_eq!(verdicts, ["verified", "unread"], "{found}");
    // A timestamp is no signature of somebody.
    log("rfc3161 rsa-sha256-certificates");
    let entry = stack.get(&path("/api/search", &[("kind", "rfc3161")])).expect(200).json()["entries"][0].clone();
    let (code, found) = asked(entry["summary"]["digests"][0].as_str().unwrap());
    assert_eq!((code, &found["status"]), (1, &"nobody".into()), "{found}");
    assert_eq!(found["signatures"][0]["verdict"], "timestamped", "{found}");
}

/// A body as the log would have it, for an artifact that this key signs.
fn forged_body(key: &Key, artifact: &str) -> String {
    let proposal = hashedrekord(key, artifact.as_bytes());
    // serde_json writes names in lexical order, and nothing here needs more of RFC 8785.
    json!({ "apiVersion": "0.0.1", "kind": "hashedrekord", "spec": proposal["spec"] }).to_string()
}

#[test]
fn chancery_search_asks_and_shows() {
    let stack = Stack::start();
    let (alice, text) = signed(&stack);
    let search = |arguments: &str| {
        let program = alice.program(chancery_binary()).arg("search").args(arguments);
        program.arg("--url").arg(stack.url()).run()
    };
    let outcome = search(&format!("--identity {ALICE}"));
    assert_eq!(outcome.code(), 0, "{}", outcome.report());
    let lines: Vec<&str> = outcome.stdout.lines().collect();
    assert_eq!(lines.len(), 4, "two signatures and two certificates: {}", outcome.report());
    assert!(lines.iter().all(|line| line.contains(&format!("{ALICE} (issuer {})", stack.issuer()))), "{lines:?}");
    assert!(outcome.stderr.contains("complete up to these sizes"), "{}", outcome.report());
    let outcome = search(&format!("--digest {} --json --proof", digest(&text)));
    let page = report(&outcome);
    assert_eq!(page["entries"].as_array().unwrap().len(), 2, "{page}");
    verify(&stack, &page);
    let all = search("--all --json").succeeds();
    let last: Value = serde_json::from_str(all.lines().last().unwrap()).unwrap();
    assert_eq!(last["end"]["entries"], all.lines().count() - 1, "{all}");
    assert_eq!(search("--all").succeeds().lines().count(), all.lines().count() - 1);
    let table = search(&format!("--identity {ALICE} --csv")).succeeds();
    assert_eq!(table.lines().count(), 5, "{table}");
    let first = search("--limit 1");
    let (_, cursor) = first.stderr.split_once("--cursor ").unwrap_or_else(|| panic!("{}", first.report()));
    let second = search(&format!("--limit 1 --cursor {}", cursor.trim()));
    assert_ne!(first.stdout, second.stdout);
    let count = search(&format!("--identity {ALICE} --log ct --count")).succeeds();
    assert!(count.lines().last().unwrap().ends_with(" 2"), "{count}");
    let certificates = search("--certificates --all").succeeds();
    assert_eq!(certificates.lines().filter(|line| line.contains("used in rekor")).count(), 2, "{certificates}");
    assert_eq!(search("--certificates --unused").code(), 1, "every one was used");
    assert_eq!(search(&format!("--where identity={MALLORY}")).code(), 1);
    for (wrong, text) in [
        ("--where colour=blue", "colour: there is no such parameter"),
        ("--digest abc", "digest: write a digest"),
        ("--where trigger", "--where trigger is not FILTER=VALUE"),
        ("--limit 0", "--limit"),
    ] {
        let refused = search(wrong);
        assert_eq!(refused.code(), 2, "{}", refused.report());
        assert!(refused.stderr.contains(text), "{}", refused.report());
    }
    let nowhere = alice.program(chancery_binary()).args("search --url http://127.0.0.1:1").run();
    assert_eq!(nowhere.code(), 3, "{}", nowhere.report());
}
