//! The certificate log's key is changed while certificates are issued: a new log takes them, the one before is read.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use chancery_tests::{
    ALICE, Client, Stack,
    fulcio::{self, SIGNING_CERT_V2},
    http::Request,
    key::{Key, sha256},
    postgres,
    rotation::{Load, Rotated, hand_over, sign, trusted, under_load, verify},
    waiting::eventually,
};
use serde_json::{Value, json};
use std::sync::atomic::{AtomicUsize, Ordering};

/// The ids of the logs in this trusted root, the one that is used first.
fn ids(root: &Value) -> Vec<Vec<u8>> {
    let id = |log: &Value| STANDARD.decode(log["logId"]["keyId"].as_str().unwrap()).unwrap();
    root["ctlogs"].as_array().unwrap().iter().map(id).collect()
}

fn der(pem: &str) -> Vec<u8> {
    der::pem::decode_vec(pem.trim().as_bytes()).unwrap().1
}

/// Asks for certificates, each of `stacks` in turn, while `work` is done. The log whose timestamp is in one must have been in the trusted root that was
/// fetched before the request.
fn logging_under_load(stacks: &[&Stack], work: impl FnOnce()) -> Load {
    let tokens: Vec<String> = stacks.iter().map(|stack| stack.token(ALICE)).collect();
    let asked = AtomicUsize::new(0);
    let ask = || {
        let number = asked.fetch_add(1, Ordering::Relaxed) % stacks.len();
        let stack = stacks[number];
        let request = fulcio::key_request_with_token(&Key::generate(), ALICE, &tokens[number]);
        let known = ids(&stack.get("/trust/trusted_root.json").expect(200).json());
        match Request::post(&stack.at(SIGNING_CERT_V2)).json(&request).try_send() {
            Ok(answer) if answer.status == 200 => {
                let leaf = der(&fulcio::chain(&answer.json())[0]);
                let log = known.into_iter().find(|id| leaf.windows(id.len()).any(|part| part == id));
                log.map(hex::encode).ok_or_else(|| "a log that was not published".to_owned())
            }
            Ok(answer) => Err(format!("{} {}", answer.status, answer.text())),
            Err(error) => Err(error.to_string()),
        }
    };
    under_load(ask, work)
}

fn size(stack: &Stack, log: &str) -> u64 {
    stack.get(&format!("/ct/{log}/ct/v1/get-sth")).expect(200).json()["tree_size"].as_u64().unwrap()
}

fn both_are_read(stack: &Stack) {
    // Both are read, in both protocols; the old one takes nothing.
    let chain = stack.get("/ct/dev/ct/v1/get-entries?start=0&end=0").expect(200).json();
    assert_eq!(chain["entries"].as_array().unwrap().len(), 1);
    for log in ["dev", "dev-2"] {
        assert!(
            stack
                .get(&format!("/ct/{log}/checkpoint"))
                .expect(200)
                .text()
                .starts_with(&format!("127.0.0.1/ct/{log}\n"))
        );
        stack.get(&format!("/ct/{log}/tile/0/000.p/1")).expect(200);
        assert_eq!(stack.get(&format!("/ct/{log}/nothing")).status, 404);
    }
    let submit = |log: &str| stack.post(&format!("/ct/{log}/ct/v1/add-chain"), &json!({"chain": ["AAAA"]})).status;
    assert_eq!((submit("dev-2"), submit("dev-3")), (400, 404));
    let key = std::fs::read(stack.trust("ctfe.pub")).unwrap();
    assert_eq!(
        sha256(&der(std::str::from_utf8(&key).unwrap())).to_vec(),
        ids(&json!({"ctlogs": trusted(stack, "ctlogs")}))[0]
    );
}

#[test]
fn a_rotation_under_load_fails_nobody() {
    let mut stack = Stack::start();
    let alice = stack.person(ALICE);
    alice.write("artifact", "hello");
    let mut bundles = sign(&alice, "before", &Client::ALL);
    let load = {
        let rotated = Rotated::of(&stack, "ct");
        stack.get("/ct/dev-2/ct/v1/get-sth").expect(404);
        let load = logging_under_load(&[&stack], || {
            let said = rotated.step("stage").succeeds();
            assert!(said.contains("generation 2 is staged") && said.contains("it is published"), "{said}");
            assert_eq!((trusted(&stack, "ctlogs").len(), size(&stack, "dev-2")), (2, 0));
            bundles.extend(sign(&alice, "staged", &Client::ALL));
            assert_eq!(size(&stack, "dev-2"), 0, "what is staged signs nothing");
            rotated.step("activate").fails_with(&["may be activated from 20"]);
            rotated.step("activate --overlap 0s").succeeds();
            bundles.extend(sign(&alice, "activated", &Client::ALL));
            assert!(size(&stack, "dev-2") >= 3);
            rotated.step("retire").succeeds();
            eventually("the retired key has an end", || {
                trusted(&stack, "ctlogs")[1]["publicKey"]["validFor"]["end"].is_string()
            });
            bundles.extend(sign(&alice, "retired", &Client::ALL));
        });
        assert_eq!(rotated.states(), ["retired", "active"]);
        load
    };
    load.failed_nobody(50, 2);
    verify(&alice, &bundles);
    both_are_read(&stack);
    let before = size(&stack, "dev");

    // Across a restart, and once more.
    let files = stack.trust_files();
    stack.kill();
    stack.resume();
    assert_eq!(stack.trust_files(), files);
    bundles = sign(&alice, "restarted", &Client::ALL);
    assert_eq!(size(&stack, "dev"), before, "the retired log is frozen");
    let rotated = Rotated::of(&stack, "ct");
    rotated.step("stage").succeeds();
    rotated.step("activate --overlap 0s").succeeds();
    // The authority's own key is rotated beside it, and every log accepts its root.
    Rotated::of(&stack, "ca").step("stage").succeeds();
    Rotated::of(&stack, "ca").step("activate --overlap 0s").succeeds();
    bundles.extend(sign(&alice, "third", &Client::ALL));
    assert!(size(&stack, "dev-3") >= 3);
    verify(&alice, &bundles);
    // Each is found by its name, with its own key.
    for (log, path) in [("ct", "dev"), ("ct-2", "dev-2"), ("ct-3", "dev-3")] {
        let command = stack.chancery().args("log checkpoint --url").arg(stack.url()).arg("--trust");
        let command = command.arg(stack.trust("trusted_root.json")).args("--log").arg(log);
        assert!(command.run().succeeds().starts_with(&format!("127.0.0.1/ct/{path}\n")), "{log}");
    }
    stack.check();
}

#[test]
fn a_log_that_was_staged_by_mistake_is_given_up() {
    let mut stack = Stack::start();
    let alice = stack.person(ALICE);
    alice.write("artifact", "hello");
    let rotated = Rotated::of(&stack, "ct");
    rotated.step("stage --kind p384").fails_with(&["P-256"]);
    rotated.step("stage").succeeds();
    rotated.step("abandon").succeeds();
    eventually("what was abandoned is not published", || trusted(&stack, "ctlogs").len() == 1);
    verify(&alice, &sign(&alice, "abandoned", &Client::ALL));
    stack.terminate();
    stack.resume();
    verify(&alice, &sign(&alice, "later", &Client::ALL));
}

#[test]
fn two_replicas_fail_nobody() {
    let one = Stack::start_with(&["--database", &postgres::database()]);
    let two = one.replica();
    let alice = one.person(ALICE);
    alice.write("artifact", "hello");
    let mut bundles = sign(&alice, "before", &Client::ALL);
    let rotated = Rotated::of(&one, "ct");
    let load = logging_under_load(&[&one, &two], || {
        rotated.step("stage").succeeds();
        hand_over(&one, &two);
        eventually("both publish it", || trusted(&two, "ctlogs").len() == 2);
        rotated.step("activate --overlap 0s").succeeds();
        bundles.extend(sign(&alice, "activated", &Client::ALL));
        hand_over(&one, &two);
        eventually("both log there", || Rotated::of(&two, "ct").generations()[1]["signing"] == true);
        rotated.step("retire").succeeds();
        hand_over(&one, &two);
        eventually("both publish the end", || trusted(&two, "ctlogs")[1]["publicKey"]["validFor"]["end"].is_string());
        bundles.extend(sign(&alice, "retired", &Client::ALL));
    });
    load.failed_nobody(20, 2);
    verify(&alice, &bundles);
    assert_eq!((size(&one, "dev"), size(&one, "dev-2")), (size(&two, "dev"), size(&two, "dev-2")));
    for mut replica in [one, two] {
        replica.kill();
        replica.resume();
        replica.check();
    }
}
