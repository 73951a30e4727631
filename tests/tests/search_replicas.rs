//! Two servers over one database index and are asked, are stopped and started: their answers agree, and nothing is twice.

use chancery_tests::{
    Stack,
    key::{Key, sha256, unique},
    postgres,
    rekor::{ENTRIES, hashedrekord},
    search::{RETRIEVE, all_pages, ask, places, wait},
};
use serde_json::json;
use std::{collections::BTreeSet, thread};

fn write(stack: &Stack, key: &Key, count: usize) {
    for _ in 0..count {
        stack.post(ENTRIES, &hashedrekord(key, unique("artifact").as_bytes())).expect(201);
    }
}

#[test]
fn two_replicas_that_both_index_agree() {
    let one = Stack::start_with(&["--database", &postgres::database()]);
    let two = one.replica();
    let key = Key::generate();
    let fingerprint = hex::encode(sha256(&key.public_der()));
    let mine = [("key", fingerprint.as_str())];
    thread::scope(|scope| {
        for stack in [&one, &two] {
            scope.spawn(|| write(stack, &key, 100));
        }
    });
    for stack in [&one, &two] {
        wait(stack);
    }
    let [of_one, of_two] = [&one, &two].map(|stack| all_pages(stack, &mine, "17"));
    assert_eq!(of_one, of_two);
    let distinct: BTreeSet<_> = places(&of_one).into_iter().collect();
    assert_eq!((of_one.len(), distinct.len()), (200, 200), "each once");
    // A page of one server goes on at the other.
    let first = ask(&one, &[("key", &fingerprint), ("limit", "150")]).expect(200).json();
    let cursor = first["cursor"].as_str().unwrap();
    let rest = ask(&two, &[("key", &fingerprint), ("limit", "150"), ("cursor", cursor)]).expect(200).json();
    let both = [first["entries"].as_array().unwrap().clone(), rest["entries"].as_array().unwrap().clone()].concat();
    assert_eq!(both, of_one);
    let ids = |stack: &Stack| -> BTreeSet<String> {
        let key = json!({ "format": "x509", "content": base64(&key.public_pem()) });
        serde_json::from_value(stack.post(RETRIEVE, &json!({ "publicKey": key })).expect(200).json()).unwrap()
    };
    assert_eq!((ids(&one), ids(&one).len()), (ids(&two), 200));
}

fn base64(text: &str) -> String {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    STANDARD.encode(text)
}

#[test]
fn an_index_goes_on_after_a_restart_and_after_a_kill() {
    let mut stack = Stack::start();
    let key = Key::generate();
    let fingerprint = hex::encode(sha256(&key.public_der()));
    let mine = [("key", fingerprint.as_str())];
    write(&stack, &key, 50);
    wait(&stack);
    let cursor = {
        let page = ask(&stack, &[("key", &fingerprint), ("limit", "20")]).expect(200).json();
        page["cursor"].as_str().unwrap().to_owned()
    };
    stack.terminate();
    stack.resume();
    // A cursor outlives the server that made it.
    let rest = ask(&stack, &[("key", &fingerprint), ("limit", "1000"), ("cursor", &cursor)]).expect(200).json();
    assert_eq!(rest["entries"].as_array().unwrap().len(), 30, "{rest}");
    for round in 1..=3 {
        write(&stack, &key, 20);
        stack.kill();
        stack.resume();
        wait(&stack);
        let found = all_pages(&stack, &mine, "33");
        let distinct: BTreeSet<_> = places(&found).into_iter().collect();
        assert_eq!((found.len(), distinct.len()), (50 + 20 * round, 50 + 20 * round), "after {round} kills");
    }
}
