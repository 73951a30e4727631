//! Entries are found by what their statements are about, as long as the log keeps these.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use chancery_tests::{
    ALICE, Person, Stack,
    key::{Key, sha256, unique},
    rekor::{ENTRIES, dsse, envelope, intoto_v002},
    search::{Liar, RETRIEVE, all_pages, ask, entries, wait},
    stack::chancery_binary,
    waiting::eventually,
};
use serde_json::{Value, json};

const PAYLOAD_TYPE: &str = "application/vnd.in-toto+json";
const PREDICATE_TYPE: &str = "https://slsa.dev/provenance/v1";
const COMMIT: &str = "0bf8ca0f2d3dbcc9fb14e9ea3b27b0d0b6d0f8a7";

fn digest(artifact: &str) -> String {
    format!("sha256:{}", hex::encode(sha256(artifact.as_bytes())))
}

/// A statement about these artifacts.
fn statement(artifacts: &[&str]) -> String {
    let subject =
        |artifact: &&str| json!({"name": artifact, "digest": {"sha256": &digest(artifact)["sha256:".len()..]}});
    json!({
        "_type": "https://in-toto.io/Statement/v1",
        "subject": artifacts.iter().map(subject).collect::<Vec<_>>(),
        "predicateType": PREDICATE_TYPE,
        "predicate": {"buildDefinition": {"resolvedDependencies": [{"digest": {"gitCommit": COMMIT}}]}},
    })
    .to_string()
}

/// Logs a statement twice, as entries of two kinds; returns the digest of the statement.
fn log(stack: &Stack, key: &Key, artifacts: &[&str]) -> String {
    let statement = statement(artifacts);
    let envelope = envelope(key, PAYLOAD_TYPE, statement.as_bytes());
    stack.post(ENTRIES, &dsse(key, &envelope.to_string())).expect(201);
    stack.post(ENTRIES, &intoto_v002(key, &envelope)).expect(201);
    digest(&statement)
}

fn count(stack: &Stack, name: &str, value: &str) -> usize {
    entries(stack, &[(name, value)]).len()
}

#[test]
fn an_entry_is_found_by_the_subjects_of_its_statement_while_that_is_kept() {
    let mut stack = Stack::start_with(&["--rekor-v1-attestations"]);
    let key = Key::generate();
    let [one, two] = ["one", "two"].map(unique);
    let about_both = log(&stack, &key, &[&one, &two]);
    log(&stack, &key, &[&two]);
    wait(&stack);
    let [one, two] = [one, two].map(|artifact| digest(&artifact));
    for (name, value, expected) in [
        ("digest", one.as_str(), 2),
        ("digest", two.as_str(), 4),
        ("artifact", one.as_str(), 2),
        ("attestation", about_both.as_str(), 2),
        ("attestation", one.as_str(), 0),
        ("material", &format!("gitcommit:{COMMIT}"), 4),
        ("digest", &digest("nothing"), 0),
        ("predicate-type", PREDICATE_TYPE, 4),
        ("predicate-type-prefix", "https://slsa.dev/", 4),
        ("predicate-type", "https://slsa.dev/provenance/v0.2", 0),
    ] {
        assert_eq!(count(&stack, name, value), expected, "{name}={value}");
    }
    for entry in entries(&stack, &[("digest", &one)]) {
        let summary = &entry["summary"];
        assert_eq!(summary["predicate_type"], PREDICATE_TYPE, "{entry}");
        assert_eq!(summary["digests"], json!([one, two]), "{entry}");
    }
    // With other conditions, in pages, and by upstream's search, which has the same keys.
    assert_eq!(entries(&stack, &[("digest", &one), ("kind", "dsse")]).len(), 1);
    let typed = |name: &str, value: &str| entries(&stack, &[("predicate-type", PREDICATE_TYPE), (name, value)]).len();
    assert_eq!((typed("digest", &one), typed("kind", "intoto"), typed("kind", "hashedrekord")), (2, 2, 0));
    let key_hash = hex::encode(sha256(&key.public_der()));
    assert_eq!((typed("key", &key_hash), typed("attestation", &about_both)), (4, 2));
    assert_eq!(all_pages(&stack, &[("predicate-type", PREDICATE_TYPE)], "1").len(), 4);
    let counted = ask(&stack, &[("predicate-type", PREDICATE_TYPE), ("count", "1")]).expect(200).json();
    assert_eq!(counted["count"], 4, "{counted}");
    assert_eq!(all_pages(&stack, &[("digest", &two)], "1").len(), 4);
    let counted = ask(&stack, &[("digest", &two), ("count", "1")]).expect(200).json();
    assert_eq!(counted["count"], 4, "{counted}");
    let ids = |hash: &str| -> Vec<String> {
        serde_json::from_value(stack.post(RETRIEVE, &json!({"hash": hash})).expect(200).json()).unwrap()
    };
    assert_eq!((ids(&one).len(), ids(&about_both).len(), ids(&digest("nothing")).len()), (2, 2, 0));
    let batch = stack.post("/api/search/digests", &json!({"digests": [one, two], "entries": 10})).expect(200).json();
    let found = batch["digests"].as_array().unwrap().iter().map(|known| known["entries"].as_array().unwrap().len());
    assert_eq!(found.collect::<Vec<_>>(), [2, 4], "{batch}");
    let answer = stack.get(&format!("/api/artifacts/{one}")).expect(200).json();
    let roles: Vec<&Value> = answer["signatures"].as_array().unwrap().iter().map(|signed| &signed["role"]).collect();
    assert_eq!(roles, ["named", "named"], "{answer}");
    let verified = answer["signatures"].as_array().unwrap().iter().all(|signed| signed["signature_verified"] == true);
    assert!(verified, "the statement is at hand, and so its envelope: {answer}");

    // One that is deleted leads nowhere, and the entries are what they were.
    stack.terminate();
    let hash = &about_both["sha256:".len()..];
    stack.tamper(&stack.data(), &format!("DELETE FROM attestations WHERE digest = x'{hash}'"));
    stack.resume();
    assert_eq!((count(&stack, "digest", &one), count(&stack, "digest", &two)), (0, 2));
    assert_eq!(count(&stack, "predicate-type", PREDICATE_TYPE), 2);
    let kept = entries(&stack, &[("attestation", &about_both)]);
    assert_eq!(kept.len(), 2);
    assert!(kept.iter().all(|entry| entry["summary"].get("predicate_type").is_none()), "{kept:?}");
}

/// Where nothing is kept, an entry has no subjects.
#[test]
fn nothing_is_found_by_a_statement_that_was_not_kept() {
    let stack = Stack::start();
    let artifact = unique("artifact");
    let statement = log(&stack, &Key::generate(), &[&artifact]);
    wait(&stack);
    assert_eq!((count(&stack, "digest", &digest(&artifact)), count(&stack, "digest", &statement)), (0, 2));
    assert_eq!(count(&stack, "predicate-type", PREDICATE_TYPE), 0);
}

#[test]
fn rows_that_hide_a_statement_or_make_one_up_are_found() {
    let mut stack = Stack::start_with(&["--rekor-v1-attestations"]);
    let artifact = unique("artifact");
    log(&stack, &Key::generate(), &[&artifact]);
    wait(&stack);
    stack.terminate();
    // One bit of the digest is another one: the statement is not about that.
    let mut other = sha256(artifact.as_bytes()).to_vec();
    *other.last_mut().unwrap() ^= 1;
    let (known, other) = (digest(&artifact), format!("sha256:{}", hex::encode(other)));
    stack.tamper(&stack.data(), "UPDATE attestation_subjects SET subject = flip(subject, -1, 0)");
    stack.resume();
    assert_eq!((count(&stack, "digest", &known), count(&stack, "digest", &other)), (0, 0));
    stack.check_in_doubt(&["attestation_subjects"]);
}

/// An earlier version kept statements without what they are about. A server reads them after its start.
#[test]
fn statements_of_an_earlier_version_are_found_after_a_start() {
    let mut stack = Stack::start_with(&["--rekor-v1-attestations"]);
    let artifact = unique("artifact");
    log(&stack, &Key::generate(), &[&artifact]);
    wait(&stack);
    stack.terminate();
    stack.tamper(&stack.data(), "INSERT INTO unread_attestations SELECT digest FROM attestations");
    stack.tamper(&stack.data(), "DELETE FROM attestation_subjects");
    stack.resume();
    eventually("it is found by its subject", || count(&stack, "digest", &digest(&artifact)) == 2);
    stack.check();
}

/// `chancery artifact`, asking this URL: the exit code and what is told.
fn artifact(alice: &Person, url: &str, digest: &str) -> (i32, Value) {
    let program = alice.program(chancery_binary()).arg("artifact").arg(digest).args("--json --url").arg(url);
    let outcome = program.arg("--trusted-root").arg(alice.trust("trusted_root.json")).run();
    let told = serde_json::from_str(&outcome.stdout).unwrap_or_else(|error| panic!("{error}: {}", outcome.report()));
    (outcome.code(), told)
}

/// Shows another payload beside entries; none if it is empty.
fn showing(stack: &Stack, payload: &str) -> Liar {
    let payload = STANDARD.encode(payload);
    Liar::before(stack, move |target, mut answer| {
        if target.starts_with("/api/v1/log/entries/") {
            for entry in answer.as_object_mut().unwrap().values_mut() {
                entry["attestation"] = json!({ "data": payload });
            }
        }
        answer
    })
}

#[test]
fn chancery_artifact_verifies_the_statement_that_names_a_digest() {
    let stack = Stack::start_with(&["--rekor-v1-attestations"]);
    let (alice, key) = (stack.person(ALICE), Key::generate());
    let [one, two] = ["one", "two"].map(unique);
    let about_both = log(&stack, &key, &[&one, &two]);
    wait(&stack);
    let [one, two] = [one, two].map(|artifact| digest(&artifact));
    for (asked, role) in [(&one, "subject"), (&two, "subject"), (&about_both, "payload")] {
        let (code, found) = artifact(&alice, &stack.url(), asked);
        assert_eq!((code, &found["status"]), (0, &"signed".into()), "{found}");
        let signatures = found["signatures"].as_array().unwrap();
        assert_eq!(signatures.len(), 2, "{found}");
        for signature in signatures {
            let told = [&signature["verdict"], &signature["role"], &signature["predicate_type"]];
            assert_eq!(told, ["verified", role, PREDICATE_TYPE], "{signature}");
            assert_eq!(signature["signer"]["key_sha256"], hex::encode(sha256(&key.public_der())), "{signature}");
        }
    }
    // A server that shows another statement, or none, has shown nothing about the digest.
    for payload in [statement(&["other"]), statement(&["one", "two"]), String::new()] {
        let (code, found) = artifact(&alice, showing(&stack, &payload).url(), &one);
        assert_eq!((code, &found["status"]), (1, &"refused".into()), "{found}");
        for signature in found["signatures"].as_array().unwrap() {
            assert_eq!(signature["refusal"]["code"], "entry.mismatch", "{signature}");
        }
    }
    // An entry that names the payload is about it without the statement; then its signature is not verified.
    let (code, found) = artifact(&alice, showing(&stack, "").url(), &about_both);
    assert_eq!((code, &found["status"]), (3, &"undecided".into()), "{found}");
    assert_eq!(found["signatures"][0]["verdict"], "logged", "{found}");
}

#[test]
fn a_log_that_gives_no_answer_about_a_promise_is_asked_again_and_then_nothing_is_told() {
    let stack = Stack::start();
    let (alice, artifact_name) = (stack.person(ALICE), unique("artifact"));
    stack.post(ENTRIES, &chancery_tests::rekor::hashedrekord(&Key::generate(), artifact_name.as_bytes())).expect(201);
    wait(&stack);
    let asked = digest(&artifact_name);
    let (code, found) = artifact(&alice, &stack.url(), &asked);
    assert_eq!((code, &found["signatures"][0]["time_is_proven"]), (0, &true.into()), "{found}");
    let nonsense = Liar::before(
        &stack,
        |target, answer| {
            if target.starts_with("/api/v1/log/entries/") { json!([]) } else { answer }
        },
    );
    let (code, found) = artifact(&alice, nonsense.url(), &asked);
    assert_eq!((code, &found["status"]), (3, &"undecided".into()), "{found}");
    // A log that says that it promises nothing is told apart.
    let silent = Liar::before(&stack, |target, mut answer| {
        if target.starts_with("/api/v1/log/entries/") {
            for entry in answer.as_object_mut().unwrap().values_mut() {
                entry["verification"].as_object_mut().unwrap().remove("signedEntryTimestamp");
            }
        }
        answer
    });
    let (code, found) = artifact(&alice, silent.url(), &asked);
    assert_eq!((code, &found["signatures"][0]["time_is_proven"]), (0, &false.into()), "{found}");
}
