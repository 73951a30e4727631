//! The timestamp authority's key is changed while clients ask: nobody notices, and every timestamp that was ever made counts.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use chancery_tests::{
    ALICE, Client, Person, Stack,
    client::Signer,
    http::Request,
    program::Program,
    rotation::{Load, Rotated, trusted, under_load},
    waiting::eventually,
};
use chancery_verify::Timestamp;
use serde_json::Value;
use std::{
    fs, thread,
    time::{Duration, SystemTime},
};

const PATH: &str = "/api/v1/timestamp";
const QUERY: &str = "application/timestamp-query";

/// The certificates of every generation that is to be trusted, in DER, the one that signs first.
fn chains(stack: &Stack) -> Vec<Vec<Vec<u8>>> {
    let decode = |certificate: &Value| STANDARD.decode(certificate["rawBytes"].as_str().unwrap()).unwrap();
    let authorities = trusted(stack, "timestampAuthorities");
    let chains = authorities.iter().map(|authority| authority["certChain"]["certificates"].as_array().unwrap());
    chains.map(|chain| chain.iter().map(decode).collect()).collect()
}

fn end(stack: &Stack, position: usize) -> Value {
    trusted(stack, "timestampAuthorities")[position]["validFor"]["end"].clone()
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}

/// A reply with certificates to `query.tsq`.
fn reply(stack: &Stack, query: &[u8]) -> Result<Vec<u8>, String> {
    match Request::post(&stack.at(PATH)).body(QUERY, query).try_send() {
        Ok(answer) if answer.status == 200 => Ok(answer.body),
        Ok(answer) => Err(format!("{} {}", answer.status, answer.text())),
        Err(error) => Err(error.to_string()),
    }
}

/// Asks while `work` is done. Whoever signs must have been in the trusted root that was fetched before the request.
fn stamping_under_load(stack: &Stack, query: &[u8], work: impl FnOnce()) -> Load {
    let leaves = || {
        let root = stack.get("/trust/trusted_root.json").expect(200).json();
        let authorities = root["timestampAuthorities"].as_array().unwrap();
        let leaves = authorities.iter().map(|authority| authority["certChain"]["certificates"][0]["rawBytes"].clone());
        leaves.map(|leaf| leaf.as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let ask = || {
        let known = leaves();
        let reply = reply(stack, query)?;
        let signer = known.into_iter().find(|leaf| contains(&reply, &STANDARD.decode(leaf).unwrap()));
        signer.ok_or_else(|| "it signed before it was published".to_owned())
    };
    under_load(ask, work)
}

/// Signs with every client that can, into the logs of both protocols, and has OpenSSL ask.
fn sign(alice: &Person, stack: &Stack, when: &str, query: &[u8]) -> Vec<String> {
    alice.write(&format!("{when}.tsr"), reply(stack, query).unwrap());
    let mut bundles = Vec::new();
    for client in [Client::Cosign3, Client::SigstorePython] {
        bundles.push(format!("{when}-{client:?}.json"));
        client.sign(alice, "artifact", bundles.last().unwrap()).run().succeeds();
    }
    let bundle = format!("{when}-v2.json");
    let program = alice.cosign3().args("sign-blob --yes --signing-config");
    let program = program.arg(alice.trust("signing_config_rekor_v2.json")).arg("--trusted-root");
    let program = program.arg(alice.trust("trusted_root.json")).arg("--identity-token").arg(alice.token());
    program.arg("--bundle").arg(&bundle).arg("artifact").run().succeeds();
    bundles.push(bundle);
    bundles
}

/// Verifies a bundle by its timestamp.
fn verify(alice: &Person, client: Client, bundle: &str) -> Program {
    let program = client.verify(alice, "artifact", bundle, &Signer::of(alice));
    if client == Client::SigstorePython { program } else { program.arg("--use-signed-timestamps") }
}

/// What OpenSSL says with every root that is to be trusted.
fn openssl_verifies(alice: &Person, stack: &Stack, when: &str) {
    let pem = |der: &Vec<u8>| {
        let text = STANDARD.encode(der);
        format!("-----BEGIN CERTIFICATE-----\n{text}\n-----END CERTIFICATE-----\n")
    };
    let roots: String = chains(stack).iter().map(|chain| pem(chain.last().unwrap())).collect();
    alice.write("roots.pem", roots);
    let program = alice.openssl().args("ts -verify -queryfile query.tsq -CAfile roots.pem -in");
    program.arg(format!("{when}.tsr")).run().succeeds();
}

fn prepared(stack: &Stack) -> (Person, Vec<u8>) {
    let alice = stack.person(ALICE);
    alice.write("artifact", "hello");
    alice.openssl().args("ts -query -data artifact -sha256 -cert -out query.tsq").run().succeeds();
    let query = alice.read("query.tsq");
    (alice, query)
}

#[test]
fn a_rotation_under_load_fails_nobody() {
    let mut stack = Stack::start();
    let (alice, query) = prepared(&stack);
    let mut bundles = sign(&alice, &stack, "before", &query);
    let load = {
        let rotated = Rotated::of(&stack, "tsa");
        let certchain = || stack.get("/api/v1/timestamp/certchain").expect(200).text();
        let first = certchain();
        let load = stamping_under_load(&stack, &query, || {
            let said = rotated.step("stage").succeeds();
            assert!(said.contains("generation 2 is staged") && said.contains("it is published"), "{said}");
            assert_eq!(chains(&stack).len(), 2);
            assert_eq!(certchain(), first, "what is staged signs nothing");
            bundles.extend(sign(&alice, &stack, "staged", &query));
            rotated.step("activate").fails_with(&["may be activated from 20", "--overlap"]);
            let said = rotated.step("activate --overlap 0s").succeeds();
            assert!(said.contains("the server signs with it"), "{said}");
            assert_ne!(certchain(), first);
            eventually("the new chain is the current one", || {
                fs::read_to_string(stack.trust("tsa-chain.pem")).unwrap() == certchain()
            });
            bundles.extend(sign(&alice, &stack, "activated", &query));
            rotated.step("retire").succeeds();
            eventually("the retired key has an end", || end(&stack, 1).is_string());
            bundles.extend(sign(&alice, &stack, "retired", &query));
        });
        assert_eq!(rotated.states(), ["retired", "active"]);
        load
    };
    load.failed_nobody(100, 2);
    for client in Client::ALL {
        for bundle in &bundles {
            verify(&alice, client, bundle).run().succeeds();
        }
    }
    for when in ["before", "staged", "activated", "retired"] {
        openssl_verifies(&alice, &stack, when);
    }
    // Again, and across a restart in the middle.
    Rotated::of(&stack, "tsa").step("stage").succeeds();
    let files = stack.trust_files();
    stack.kill();
    stack.resume();
    assert_eq!(stack.trust_files(), files);
    Rotated::of(&stack, "tsa").step("activate --overlap 0s").succeeds();
    let files = || stack.trust_files();
    eventually("the third chain is the current one", || {
        String::from_utf8(files()["tsa-chain.pem"].clone()).unwrap().len() > 100 && chains(&stack).len() == 3
    });
    sign(&alice, &stack, "third", &query);
    openssl_verifies(&alice, &stack, "third");
    assert_eq!(Rotated::of(&stack, "tsa").states(), ["retired", "outgoing", "active"]);
    assert_eq!(Rotated::of(&stack, "ca").states(), ["active"], "nothing but the one key was rotated");
    stack.check();
}

#[test]
fn what_a_stolen_key_stamps_later_does_not_count() {
    let stack = Stack::start();
    let (alice, query) = prepared(&stack);
    let rotated = Rotated::of(&stack, "tsa");
    let pause = || thread::sleep(Duration::from_secs(2));
    let in_time = sign(&alice, &stack, "in-time", &query);
    pause();
    let stolen = Timestamp::from_seconds(SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs()).rfc3339();
    pause();
    let too_late = sign(&alice, &stack, "too-late", &query);
    rotated.step("stage").succeeds();
    rotated.step("activate --overlap 0s").succeeds();
    rotated
        .step("retire --end 2200-01-01T00:00:00Z")
        .fails_with(&["the time of the last signature that can depend on the key"]);
    rotated.rotate("retire --end").arg(&stolen).run().succeeds();
    eventually("the end is published", || end(&stack, 1) == stolen.as_str());
    for client in Client::ALL {
        for bundle in &in_time {
            verify(&alice, client, bundle).run().succeeds();
        }
        // Entries of Rekor v1 have a time of their own, which sigstore-python takes where the timestamp does not count.
        for bundle in too_late.iter().filter(|bundle| client != Client::SigstorePython || bundle.contains("v2")) {
            let refused = verify(&alice, client, bundle).run();
            assert!(!refused.status.success(), "{client:?} {bundle}: {}", refused.report());
        }
    }
}

#[test]
fn certificates_of_somebody_else_s_making_are_taken_if_they_fit() {
    let stack = Stack::start();
    let rotated = Rotated::of(&stack, "tsa");
    let maker = Stack::start();
    let key = format!("file:{}", stack.data().join("other.pem").display());
    fs::copy(maker.data().join("keys/tsa.pem"), stack.data().join("other.pem")).unwrap();
    let stage = |chain: &str| {
        rotated.rotate("stage --key").arg(&key).arg("--chain").arg(maker.data().join("keys").join(chain)).run()
    };
    stage("ca-chain.pem").fails_with(&["cannot use", "ca-chain.pem"]);
    assert_eq!(rotated.states(), ["active"]);
    stage("tsa-chain.pem").succeeds();
    rotated.step("activate --overlap 0s").succeeds();
    let certchain = |stack: &Stack| stack.get("/api/v1/timestamp/certchain").expect(200).text();
    assert_eq!(certchain(&stack), certchain(&maker));
    rotated.step("retire").succeeds();
}
