//! A log is frozen while clients use it: what was acknowledged stays, nothing is added, and it is read as before.

use chancery_tests::{
    ALICE, Client, Stack,
    client::Signer,
    fulcio::{self, SIGNING_CERT_V2},
    key::Key,
    program::Outcome,
    rotation::trusted,
    search,
};
use serde_json::{Value, json};

fn freeze(stack: &Stack, log: &str) -> Outcome {
    stack.chancery().args("log freeze --json --data").arg(stack.data()).arg("--log").arg(log).run()
}

/// Freezes a log and returns what is said of it.
fn frozen(stack: &Stack, log: &str) -> Value {
    serde_json::from_str(&freeze(stack, log).succeeds()).unwrap()
}

#[test]
fn a_frozen_log_is_read_by_everybody_and_written_by_nobody() {
    let mut stack = Stack::start_with(&["--default-rekor", "v1"]);
    let alice = stack.person(ALICE);
    alice.write("artifact", "hello");
    let signer = Signer::of(&alice);
    Client::Cosign3.sign(&alice, "artifact", "v1.json").run().succeeds();
    freeze(&stack, "nothing").fails_with(&["there is no log nothing", "rekor2"]);
    assert_eq!(trusted(&stack, "tlogs").len(), 2);

    let before = stack.get("/api/v2/checkpoint").expect(200).text();
    let told = frozen(&stack, "rekor2");
    let checkpoint = stack.get("/api/v2/checkpoint").expect(200).text();
    assert_eq!(told["checkpoint"], checkpoint.as_str(), "its last checkpoint is what is served");
    let last = text(&checkpoint);
    let since = last.strip_prefix(&text(&before)).unwrap().strip_prefix("Log frozen — ").unwrap();
    assert!(since.contains(" UTC 20") && since.ends_with('\n') && since.lines().count() == 1, "{since}");
    accepted(&stack);
    let answer = stack.post("/api/v2/log/entries", &json!({}));
    assert_eq!((answer.status, answer.text().as_str()), (405, FROZEN));
    // The others go on.
    Client::Cosign3.sign(&alice, "artifact", "v1-after.json").run().succeeds();

    let told = frozen(&stack, "rekor");
    let entries = told["tree_size"].as_u64().unwrap();
    let refused = Client::Cosign3.sign(&alice, "artifact", "late.json").run();
    refused.fails_with(&["501"]);
    for stop in [Stack::terminate, Stack::kill] {
        stop(&mut stack);
        stack.resume();
        let info = stack.get("/api/v1/log").expect(200).json();
        assert_eq!((&info["treeSize"], &info["rootHash"]), (&told["tree_size"], &told["root_hash"]));
        assert_eq!(stack.post("/api/v2/log/entries", &json!({})).status, 405);
        for path in ["/checkpoint", "/api/v2/checkpoint"] {
            assert_eq!(text(&stack.get(path).expect(200).text()), last, "the same time after every start");
        }
        accepted(&stack);
        stack.get("/api/v1/log/entries?logIndex=1").expect(200);
        search::wait(&stack);
        let found = search::ask(&stack, &[("log", "rekor"), ("proof", "1"), ("limit", "100")]).expect(200).json();
        search::verify(&stack, &found);
        let count = found["entries"].as_array().unwrap().len();
        assert_eq!(
            (count, found["complete_to"][0]["size"].as_u64()),
            (usize::try_from(entries).unwrap(), Some(entries))
        );
        for bundle in ["v1.json", "v1-after.json"] {
            for client in Client::ALL {
                client.verify(&alice, "artifact", bundle, &signer).run().succeeds();
            }
        }
        stack.get("/readyz").expect(200);
    }
    assert_eq!(frozen(&stack, "rekor")["tree_size"], entries, "nothing changes the second time");
    assert_eq!(text(frozen(&stack, "rekor2")["checkpoint"].as_str().unwrap()), last);
    assert!(!stack.get("/api/v1/log").expect(200).text().contains("frozen"), "Rekor v1 does not say so");

    // A certificate is not issued without its log.
    frozen(&stack, "ct");
    let request = fulcio::key_request_with_token(&Key::generate(), ALICE, &stack.token(ALICE));
    assert_eq!(stack.post(SIGNING_CERT_V2, &request).status, 503);
    stack.check();
}

/// The text of a checkpoint, without its signatures.
fn text(note: &str) -> String {
    format!("{}\n", note.split_once("\n\n").unwrap().0)
}

/// An auditor accepts all logs as they are served.
fn accepted(stack: &Stack) {
    let check = stack.chancery().args("log check --url").arg(stack.url()).arg("--trust");
    check.arg(stack.trust("trusted_root.json")).run().succeeds();
}

const FROZEN: &str = "This log has been frozen, please switch to the latest log.\n";

#[test]
fn a_log_is_frozen_while_no_server_runs() {
    let mut stack = Stack::start_with(&["--default-rekor", "v1"]);
    let before = stack.get("/api/v1/log").expect(200).json();
    stack.terminate();
    let told = frozen(&stack, "rekor");
    assert_eq!(told["tree_size"], before["treeSize"]);
    assert!(told["checkpoint"].as_str().unwrap().starts_with("127.0.0.1 - "), "{told}");
    // The key of the other log signs its last checkpoint when a server has it again.
    assert_eq!(frozen(&stack, "rekor2")["checkpoint"], Value::Null);
    stack.resume();
    assert!(stack.get("/checkpoint").expect(200).text().contains("\nLog frozen — "));
    let alice = stack.person(ALICE);
    alice.write("artifact", "hello");
    Client::SigstorePython.sign(&alice, "artifact", "late.json").run().fails_with(&["Create Entry API not enabled"]);
}
