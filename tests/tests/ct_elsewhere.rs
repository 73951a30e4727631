//! Certificates logged in another instance's certificate log, over HTTP, and certificates that no log knows of.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use chancery_tests::{
    ALICE, Client, Stack,
    client::Signer,
    fulcio::{self, Leaf, SIGNING_CERT_V1, SIGNING_CERT_V2},
    http::{Request, Response},
    key::Key,
};
use chancery_verify::sct;
use serde_json::{Value, json};

/// The id of the only log that has promised anything about this certificate.
fn log_id(leaf: &Leaf) -> String {
    let (list, _) = leaf.extension("1.3.6.1.4.1.11129.2.4.2").expect("an SCT list");
    STANDARD.encode(sct::list_from_extension(&list).unwrap()[0].log_id)
}

fn certificate(stack: &Stack) -> Response {
    let request = fulcio::key_request_with_token(&Key::generate(), ALICE, &stack.token(ALICE));
    stack.post(SIGNING_CERT_V2, &request)
}

fn ct_size(stack: &Stack) -> u64 {
    stack.get("/ct/dev/ct/v1/get-sth").expect(200).json()["tree_size"].as_u64().unwrap()
}

fn log_ids(stack: &Stack) -> Vec<String> {
    let root: Value = serde_json::from_slice(&stack.trust_files()["trusted_root.json"]).unwrap();
    let ids = root["ctlogs"].as_array().unwrap().iter().map(|log| log["logId"]["keyId"].as_str().unwrap().to_owned());
    ids.collect()
}

#[test]
fn certificates_are_logged_in_another_instances_log() {
    let mut authority = Stack::start();
    let alice = authority.person(ALICE);
    alice.write("artifact", "hello");
    // Signed under the own log: must count for ever.
    Client::Cosign3.sign(&alice, "artifact", "before.json").run().succeeds();
    let own = log_ids(&authority);

    let chain = authority.trust("fulcio-chain.pem").display().to_string();
    let mut log = Stack::start_with(&["--ct-log-accepts", &chain]);
    let (url, key) = (log.at("/ct/dev"), log.trust("ctfe.pub").display().to_string());
    authority.terminate();
    authority.options(&["--ct-log-url", &url, "--ct-log-key", &key]);
    authority.resume();
    assert_eq!(log_ids(&authority), [log_ids(&log), own].concat());

    let (own_size, size) = (ct_size(&authority), ct_size(&log));
    let leaf = fulcio::chain(&certificate(&authority).expect(200).json()).remove(0);
    assert_eq!(log_id(&Leaf::from_pem(&leaf)), log_ids(&authority)[0]);
    assert_eq!((ct_size(&authority), ct_size(&log)), (own_size, size + 1));

    let signer = Signer::of(&alice);
    for client in Client::ALL {
        client.sign(&alice, "artifact", "after.json").run().succeeds();
        client.verify(&alice, "artifact", "after.json", &signer).run().succeeds();
    }
    Client::Cosign3.verify(&alice, "artifact", "before.json", &signer).run().succeeds();

    // A log that restarts costs nothing: the connection that was kept is found broken, and made again.
    log.terminate();
    log.resume();
    certificate(&authority).expect(200);
    log.terminate();
    let refusal = certificate(&authority).expect(503).json();
    assert_eq!(refusal["message"], "Error entering certificate in CTL");
    assert_eq!((&refusal["code"], &refusal["details"][0]["reason"]), (&json!(14), &json!("ct.unavailable")));
    log.resume();
    certificate(&authority).expect(200);
}

#[test]
fn a_log_with_another_key_or_other_roots_gets_nothing_issued() {
    let mut authority = Stack::start();
    let chain = authority.trust("fulcio-chain.pem").display().to_string();
    let (log, stranger) = (Stack::start_with(&["--ct-log-accepts", &chain]), Stack::start());
    for (log, key, reason) in [(&log, &stranger, "ct.promise"), (&stranger, &stranger, "ct.refused")] {
        let (url, key) = (log.at("/ct/dev"), key.trust("ctfe.pub").display().to_string());
        authority.terminate();
        authority.options(&["--ct-log-url", &url, "--ct-log-key", &key]);
        authority.resume();
        let refusal = certificate(&authority).expect(500).json();
        assert_eq!(refusal["details"][0]["reason"], reason);
    }
    let half = authority.chancery().args("dev --listen 127.0.0.1:0 --data x --ct-log-url http://127.0.0.1:9").run();
    half.fails_with(&["--ct-log-key"]);
}

#[test]
fn issuing_without_a_log_is_asked_for_in_so_many_words_and_said_at_every_start() {
    let mut stack = Stack::start_with(&["--insecure-without-certificate-log"]);
    for _ in 0..2 {
        assert!(stack.server().stderr().contains("WITHOUT a certificate log"), "{}", stack.server().stderr());
        let answer = certificate(&stack).expect(200).json();
        let detached = &answer["signedCertificateDetachedSct"];
        assert_eq!(detached["signedCertificateTimestamp"], "");
        let leaf = Leaf::from_pem(detached["chain"]["certificates"][0].as_str().unwrap());
        assert!(leaf.extension("1.3.6.1.4.1.11129.2.4.2").is_none());
        let key = Key::generate();
        let request = fulcio::v1_request(&key, key.public_pem().as_bytes(), ALICE);
        let token = format!("Bearer {}", stack.token(ALICE));
        let v1 = Request::post(&stack.at(SIGNING_CERT_V1)).header("authorization", &token).json(&request).send();
        assert_eq!(v1.expect(201).header("sct"), None);
        assert_eq!(ct_size(&stack), 0);
        stack.terminate();
        stack.resume();
    }
    let alice = stack.person(ALICE);
    alice.write("artifact", "hello");
    // The client finds out by itself.
    let signed = Client::Cosign3.sign(&alice, "artifact", "bundle.json").run();
    assert!(
        !signed.status.success() || {
            let verified = Client::Cosign3.verify(&alice, "artifact", "bundle.json", &Signer::of(&alice)).run();
            !verified.status.success()
        }
    );
}
