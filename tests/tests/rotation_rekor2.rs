//! The Rekor v2 log's key is changed while clients sign: the next log is at another host name, which signers are sent to.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use chancery_tests::{
    ALICE, Person, Stack,
    client::Signer,
    http::Request,
    implementation::{Content, Implementation, Rekor},
    key::{Key, unique},
    rekor_v2::{self, ENTRIES},
    rotation::{Load, Rotated, trusted, under_load},
    waiting::eventually,
};
use serde_json::{Value, json};
use std::{
    fs,
    sync::atomic::{AtomicUsize, Ordering},
};

const CLIENTS: [Implementation; 5] =
    [Implementation::Cosign3, Implementation::Python, Implementation::Js, Implementation::Go, Implementation::Rust];

/// The second name of the machine.
fn second(stack: &Stack) -> String {
    stack.url().replace("127.0.0.1", "localhost")
}

/// The Rekor v2 logs in the trusted root on disk.
fn logs(stack: &Stack) -> Vec<Value> {
    trusted(stack, "tlogs").into_iter().filter(|log| log["checkpointKeyId"].is_object()).collect()
}

/// Where this signing configuration sends signers who know Rekor v2 now.
fn sent_to(config: &Value) -> String {
    let urls = config["rekorTlogUrls"].as_array().unwrap();
    let current = |log: &&Value| log["majorApiVersion"] == 2 && log["validFor"]["end"].is_null();
    let [log] = urls.iter().filter(current).collect::<Vec<_>>()[..] else { panic!("{config}") };
    log["url"].as_str().unwrap().to_owned()
}

fn config(stack: &Stack) -> Value {
    stack.get("/trust/signing_config.json").expect(200).json()
}

/// Logs while `work` is done, half of it as somebody who never fetches a signing configuration again.
fn logging_under_load(stack: &Stack, work: impl FnOnce()) -> Load {
    let (key, old, asked) = (Key::generate(), stack.url(), AtomicUsize::new(0));
    let ask = || {
        let name = unique("artifact");
        let is_old = asked.fetch_add(1, Ordering::Relaxed).is_multiple_of(2);
        let url = if is_old { old.clone() } else { sent_to(&config(stack)) };
        let known = logs(stack);
        let answer =
            Request::post(&format!("{url}{ENTRIES}")).json(&rekor_v2::hashedrekord(&key, name.as_bytes())).try_send();
        match answer {
            Ok(answer) if answer.status == 201 => {
                let entry = answer.json();
                let host = url.split(['/', ':']).nth(3).unwrap().to_owned();
                let note = entry["inclusionProof"]["checkpoint"]["envelope"].as_str().unwrap();
                assert!(note.starts_with(&format!("{host}\n")), "{note}");
                let is_known = known.iter().any(|log| log["logId"] == entry["logId"]);
                if is_known { Ok(host) } else { Err("a log that was not published".to_owned()) }
            }
            Ok(answer) => Err(format!("{url} {} {}", answer.status, answer.text())),
            Err(error) => Err(error.to_string()),
        }
    };
    under_load(ask, work)
}

fn sign(alice: &Person, when: &str) -> Vec<String> {
    let name = |client: &Implementation| format!("{when}-{}.json", client.name());
    for client in CLIENTS {
        client.sign(alice, Content::Blob, Rekor::V2, "artifact", &name(&client)).run().succeeds();
    }
    CLIENTS.iter().map(name).collect()
}

fn verify(alice: &Person, bundles: &[String]) {
    for bundle in bundles {
        for client in CLIENTS {
            client.verify(alice, Content::Blob, "artifact", bundle, &Signer::of(alice)).run().succeeds();
        }
    }
}

/// The host name of the log whose entry is in a bundle.
fn logged_at(alice: &Person, bundle: &str) -> String {
    let bundle: Value = serde_json::from_slice(&alice.read(bundle)).unwrap();
    let note = bundle["verificationMaterial"]["tlogEntries"][0]["inclusionProof"]["checkpoint"]["envelope"].clone();
    note.as_str().unwrap().lines().next().unwrap().to_owned()
}

#[test]
fn a_rotation_under_load_fails_nobody() {
    let mut stack = Stack::start();
    let alice = stack.person(ALICE);
    alice.write("artifact", "hello");
    let mut bundles = sign(&alice, "before");
    let rotated = Rotated::of(&stack, "rekor2");
    let next = second(&stack);
    rotated.step("stage").fails_with(&["--url"]);
    rotated.rotate("stage --url").arg(stack.url()).run().fails_with(&["is the name of an earlier log"]);
    rotated.rotate("stage --url").arg(format!("{next}/v2")).run().fails_with(&["has a path"]);
    let load = logging_under_load(&stack, || {
        rotated.rotate("stage --url").arg(&next).run().succeeds();
        assert_eq!((logs(&stack).len(), sent_to(&config(&stack))), (2, stack.url()));
        bundles.extend(sign(&alice, "staged"));
        rotated.step("activate --overlap 0s").succeeds();
        assert_eq!(sent_to(&config(&stack)), next);
        let after = sign(&alice, "activated");
        assert!(
            after.iter().all(|bundle| logged_at(&alice, bundle) == "localhost"),
            "signers are sent to the next one"
        );
        bundles.extend(after);
    });
    load.failed_nobody(50, 2);
    verify(&alice, &bundles);

    // The one before is read, and takes nothing more.
    rotated.step("retire").succeeds();
    eventually("the retired key has an end", || {
        logs(&stack).iter().any(|log| log["publicKey"]["validFor"]["end"].is_string())
    });
    let write = || Request::post(&stack.at(ENTRIES)).json(&json!({})).send().status;
    eventually("the one before takes nothing more", || write() == 405);
    let says_so = || stack.get("/checkpoint").expect(200).text().contains("\nLog frozen — ");
    eventually("the one before says so", says_so);
    bundles.extend(sign(&alice, "retired"));
    verify(&alice, &bundles);
    for (url, host) in [(stack.url(), "127.0.0.1"), (next.clone(), "localhost")] {
        for path in ["/checkpoint", "/api/v2/checkpoint"] {
            let note = Request::get(&format!("{url}{path}")).send().expect(200).text();
            assert!(note.starts_with(&format!("{host}\n")), "{note}");
            assert_eq!(note.contains("\nLog frozen — "), host == "127.0.0.1", "{note}");
        }
        Request::get(&format!("{url}/api/v2/tile/entries/000.p/2")).send().expect(200);
        // What is not the log's is the same at both.
        Request::get(&format!("{url}/api/v1/log")).send().expect(200);
        let checked = stack.chancery().args("log check --url").arg(&url).arg("--trust");
        checked.arg(stack.trust("trusted_root.json")).run().succeeds();
    }
    let files = stack.trust_files();
    stack.kill();
    stack.resume();
    assert_eq!(stack.trust_files(), files);
    verify(&alice, &sign(&alice, "restarted"));
    assert_eq!(Rotated::of(&stack, "rekor2").states(), ["retired", "active"]);
    stack.check();
}

#[test]
fn the_next_key_is_of_the_kind_of_the_one_before() {
    let stack = Stack::start_with(&["--rekor-v2-key", "ed25519"]);
    let rotated = Rotated::of(&stack, "rekor2");
    rotated.rotate("stage --url").arg(second(&stack)).run().succeeds();
    assert!(rotated.generations().iter().all(|key| key["kind"] == "Ed25519"), "{:?}", rotated.generations());
    let keys = logs(&stack).iter().map(|log| log["publicKey"]["rawBytes"].clone()).collect::<Vec<_>>();
    assert_eq!(STANDARD.decode(keys[0].as_str().unwrap()).unwrap().len(), 44);
    rotated.step("abandon").succeeds();
    eventually("what was abandoned is not published", || logs(&stack).len() == 1);
    assert!(fs::read_to_string(stack.data().join("keys/ring.json")).unwrap().contains("abandoned"));
}
