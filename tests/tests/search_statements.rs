//! Entries are found by what their statements are about, as long as the log keeps these.

use chancery_tests::{
    Stack,
    key::{Key, sha256, unique},
    rekor::{ENTRIES, dsse, envelope, intoto_v002},
    search::{RETRIEVE, all_pages, ask, entries, wait},
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

    // One that is deleted leads nowhere, and the entries are what they were.
    stack.terminate();
    let hash = &about_both["sha256:".len()..];
    stack.tamper(&stack.data(), &format!("DELETE FROM attestations WHERE digest = x'{hash}'"));
    stack.resume();
    assert_eq!((count(&stack, "digest", &one), count(&stack, "digest", &two)), (0, 2));
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
