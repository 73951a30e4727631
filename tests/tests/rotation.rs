//! The certificate authority's key is changed while clients sign: nobody notices, and everything ever signed still verifies.

use chancery_tests::{
    ALICE, Client, Stack,
    client::Signer,
    fulcio::{self, SIGNING_CERT_V2, split_pem},
    http::Request,
    key::Key,
    program::{Outcome, Program},
    rotation::{Load, Rotated, sign, trusted, under_load},
    stack::free_port,
    token::Token,
    waiting::eventually,
};
use chancery_verify::Timestamp;
use der::DecodePem as _;
use serde_json::Value;
use std::{
    fs,
    path::Path,
    thread,
    time::{Duration, Instant, SystemTime},
};
use x509_cert::Certificate;

fn rotate(stack: &Stack, step: &str) -> Program {
    Rotated::of(stack, "ca").rotate(step)
}

fn step(stack: &Stack, text: &str) -> Outcome {
    Rotated::of(stack, "ca").step(text)
}

fn generations(stack: &Stack) -> Vec<Value> {
    Rotated::of(stack, "ca").generations()
}

fn states(stack: &Stack) -> Vec<String> {
    Rotated::of(stack, "ca").states()
}

/// Whether clients can fetch the newest generation.
fn is_published(stack: &Stack) -> bool {
    generations(stack).last().is_some_and(|newest| newest["published_at_seconds"].is_u64())
}

fn authorities(stack: &Stack) -> Vec<Value> {
    trusted(stack, "certificateAuthorities")
}

/// The issuing certificates of the trust bundle.
fn bundle(stack: &Stack) -> Vec<String> {
    let bundle = stack.get("/api/v2/trustBundle").expect(200).json();
    let chains = bundle["chains"].as_array().unwrap();
    chains.iter().map(|chain| chain["certificates"][0].as_str().unwrap().trim().to_owned()).collect()
}

/// The certificate that issues at this moment.
fn issuing(stack: &Stack) -> String {
    let request = fulcio::key_request_with_token(&Key::generate(), ALICE, &stack.token(ALICE));
    fulcio::chain(&stack.post(SIGNING_CERT_V2, &request).expect(200).json()).remove(1)
}

fn roots_of_log(stack: &Stack) -> usize {
    stack.get("/ct/dev/ct/v1/get-roots").expect(200).json()["certificates"].as_array().unwrap().len()
}

fn subject(pem: &str) -> String {
    Certificate::from_pem(pem).unwrap().tbs_certificate().subject().to_string()
}

/// Asks for certificates while `work` is done. Whoever issues must have been in the trust bundle that was fetched before the
/// request.
fn issuing_under_load(stack: &Stack, work: impl FnOnce()) -> Load {
    let (url, token) = (stack.at(SIGNING_CERT_V2), stack.token(ALICE));
    let ask = || {
        let request = fulcio::key_request_with_token(&Key::generate(), ALICE, &token);
        let known = bundle(stack);
        match Request::post(&url).json(&request).try_send() {
            Ok(answer) if answer.status == 200 => {
                let [_, issuer, ..] = &fulcio::chain(&answer.json())[..] else { return Err(answer.text()) };
                let name = subject(issuer);
                if known.contains(issuer) { Ok(name) } else { Err(format!("{name} issued before it was published")) }
            }
            Ok(answer) => Err(format!("{} {}", answer.status, answer.text())),
            Err(error) => Err(error.to_string()),
        }
    };
    under_load(ask, work)
}

#[test]
fn a_rotation_under_load_fails_nobody() {
    let mut stack = Stack::start();
    let alice = stack.person(ALICE);
    alice.write("artifact", "hello");
    let mut bundles = sign(&alice, "before", &Client::ALL);
    let first = issuing(&stack);
    let load = issuing_under_load(&stack, || {
        let said = step(&stack, "stage").succeeds();
        assert!(said.contains("generation 2 is staged") && said.contains("it is published"), "{said}");
        assert_eq!((bundle(&stack).len(), authorities(&stack).len(), roots_of_log(&stack)), (2, 2, 2));
        assert_eq!(split_pem(&fs::read_to_string(stack.trust("fulcio-chain.pem")).unwrap()).len(), 4);
        assert_eq!(split_pem(&stack.get("/api/v1/rootCert").expect(200).text()).len(), 4);
        assert_eq!(issuing(&stack), first, "what is staged issues nothing");
        bundles.extend(sign(&alice, "staged", &[Client::Cosign3]));

        step(&stack, "stage").fails_with(&["generation 2 is already staged"]);
        step(&stack, "retire").fails_with(&["no generation is outgoing"]);
        step(&stack, "activate").fails_with(&["may be activated from 20", "--overlap"]);
        let said = step(&stack, "activate --overlap 0s").succeeds();
        assert!(said.contains("the server signs with it"), "{said}");
        assert_eq!(bundle(&stack), [issuing(&stack), first.clone()]);
        assert_ne!(issuing(&stack), first);
        bundles.extend(sign(&alice, "activated", &Client::ALL));

        step(&stack, "stage").fails_with(&["generation 1 is already outgoing"]);
        step(&stack, "retire").succeeds();
        eventually("the retired key has an end", || !authorities(&stack)[1]["validFor"]["end"].is_null());
        bundles.extend(sign(&alice, "retired", &[Client::Cosign3]));
        assert_eq!((bundle(&stack).len(), authorities(&stack).len(), roots_of_log(&stack)), (1, 2, 2));
        assert_eq!(split_pem(&fs::read_to_string(stack.trust("fulcio-chain.pem")).unwrap()).len(), 2);
    });
    load.failed_nobody(100, 2);
    assert!(load.answered.iter().any(|issuer| issuer.contains("intermediate G2")), "{:?}", load.answered);

    let signer = Signer::of(&alice);
    for bundle in &bundles {
        for client in Client::ALL {
            client.verify(&alice, "artifact", bundle, &signer).run().succeeds();
        }
    }
    assert_eq!(states(&stack), ["retired", "active"]);
    let [retired, active] = generations(&stack).try_into().unwrap();
    assert!(retired["counts_until_seconds"].is_u64() && active["counts_until_seconds"].is_null());
    assert_eq!((&retired["signing"], &active["signing"]), (&false.into(), &true.into()));
    // What has been rotated once is rotated again.
    step(&stack, "stage").succeeds();
    step(&stack, "activate --overlap 0s").succeeds();
    assert!(subject(&issuing(&stack)).contains("intermediate G3"));
    assert_eq!(states(&stack), ["retired", "outgoing", "active"]);
    stack.check();
}

#[test]
fn what_a_stolen_key_signs_later_does_not_count() {
    let stack = Stack::start();
    let alice = stack.person(ALICE);
    alice.write("artifact", "hello");
    let moment = || {
        thread::sleep(Duration::from_secs(2));
        let now = Timestamp::from_seconds(SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs()).rfc3339();
        thread::sleep(Duration::from_secs(2));
        now
    };
    Client::Cosign3.sign(&alice, "artifact", "in-time.json").run().succeeds();
    let stolen = moment();
    Client::Cosign3.sign(&alice, "artifact", "too-late.json").run().succeeds();
    step(&stack, "stage").succeeds();
    step(&stack, "activate --overlap 0s").succeeds();
    step(&stack, "retire --end 2020-01-01T00:00:00Z").fails_with(&["before the start of the key"]);
    step(&stack, "retire --end 2200-01-01T00:00:00Z")
        .fails_with(&["the time of the last signature that can depend on the key"]);
    step(&stack, "retire --end yesterday").fails_with(&["2026-11-21T07:00:00Z"]);
    rotate(&stack, "retire --end").arg(&stolen).run().succeeds();
    eventually("the end is published", || authorities(&stack)[1]["validFor"]["end"] == stolen.as_str());
    let signer = Signer::of(&alice);
    for client in Client::ALL {
        client.verify(&alice, "artifact", "in-time.json", &signer).run().succeeds();
    }
    for client in [Client::Cosign3, Client::Cosign2] {
        client.verify(&alice, "artifact", "too-late.json", &signer).run().fails_with(&["certificate"]);
    }
}

#[test]
fn every_state_survives_a_restart() {
    let mut stack = Stack::start();
    let alice = stack.person(ALICE);
    alice.write("artifact", "hello");
    let signer = Signer::of(&alice);
    let mut bundles = sign(&alice, "first", &[Client::Cosign3]);
    let mut restart = |stack: &mut Stack, stop: fn(&mut Stack), state: &str| {
        let (trust, shown, issuer) = (stack.trust_files(), bundle(stack), issuing(stack));
        stop(stack);
        stack.resume();
        assert_eq!((stack.trust_files(), bundle(stack)), (trust, shown), "{state}");
        assert_eq!(issuing(stack), issuer, "{state}");
        bundles.extend(sign(&alice, state, &[Client::Cosign3]));
        for bundle in &bundles {
            Client::Cosign3.verify(&alice, "artifact", bundle, &signer).run().succeeds();
        }
    };
    for stop in [Stack::terminate, Stack::kill] {
        step(&stack, "stage").succeeds();
        restart(&mut stack, stop, "staged");
        step(&stack, "activate --overlap 0s").succeeds();
        restart(&mut stack, stop, "activated");
        step(&stack, "retire").succeeds();
        eventually("the end is published", || !authorities(&stack)[1]["validFor"]["end"].is_null());
        // The authority takes its certificate out of the bundle by itself.
        eventually("it issues for one key", || bundle(&stack).len() == 1);
        restart(&mut stack, stop, "retired");
    }
    step(&stack, "stage").succeeds();
    step(&stack, "abandon").succeeds();
    eventually("what was abandoned is not published", || bundle(&stack).len() == 1);
    restart(&mut stack, Stack::terminate, "abandoned");

    // While no server runs, its steps are taken when it starts.
    stack.terminate();
    let said = step(&stack, "stage --wait 0s").succeeds();
    assert!(said.contains("no running server has taken this step yet"), "{said}");
    step(&stack, "activate --overlap 0s")
        .fails_with(&["the server has not published generation ", " yet; a running server"]);
    stack.resume();
    eventually("what was staged is published", || bundle(&stack).len() == 2 && is_published(&stack));
    stack.kill();
    step(&stack, "activate --overlap 0s --wait 0s").succeeds();
    step(&stack, "retire").fails_with(&["has not stopped signing with generation 3"]);
    stack.resume();
    assert!(subject(&issuing(&stack)).contains("intermediate G5"), "4 was abandoned");
    assert_eq!(states(&stack), ["retired", "retired", "outgoing", "abandoned", "active"]);
}

#[test]
fn a_key_that_cannot_be_used_stops_nobody() {
    let metrics = format!("127.0.0.1:{}", free_port());
    let mut stack = Stack::start_with(&["--metrics", &metrics]);
    let obstacles = || {
        let page = Request::get(&format!("http://{metrics}/metrics")).send().expect(200).text();
        let line = |name: &str| page.lines().find_map(|line| line.strip_prefix(name)).unwrap().trim().to_owned();
        (line("chancery_key_generation{role=\"ca\"}"), line("chancery_key_obstacles{role=\"ca\"}"))
    };
    let first = issuing(&stack);
    let key = stack.data().join("keys/ca-2.pem");
    step(&stack, "stage").succeeds();
    assert_eq!(obstacles(), ("1".to_owned(), "0".to_owned()));
    stack.terminate();
    let aside = stack.data().join("aside.pem");
    fs::rename(&key, &aside).unwrap();
    stack.resume();
    // It was published, and stays so; it must not be activated.
    eventually("the obstacle is told", || obstacles().1 == "1");
    assert_eq!(bundle(&stack).len(), 2);
    step(&stack, "activate --overlap 0s").fails_with(&["cannot use generation 2", "ca-2.pem is missing"]);
    let list = stack.chancery().args("keys list --data").arg(stack.data()).run().succeeds();
    assert!(list.contains("ca-2.pem is missing"), "{list}");

    // Activated while nobody could see that it cannot be: the one before goes on.
    fs::rename(&aside, &key).unwrap();
    eventually("the key is back", || obstacles().1 == "0");
    stack.terminate();
    step(&stack, "activate --overlap 0s --wait 0s").succeeds();
    fs::rename(&key, &aside).unwrap();
    stack.resume();
    assert_eq!(issuing(&stack), first);
    stack.get("/readyz").expect(200);
    assert_eq!(obstacles(), ("1".to_owned(), "1".to_owned()));
    step(&stack, "retire").fails_with(&["has not stopped signing with generation 1"]);
    // Another key in its place is not taken for it.
    fs::copy(stack.data().join("keys/ca.pem"), &key).unwrap();
    thread::sleep(Duration::from_secs(11));
    assert_eq!(issuing(&stack), first);
    fs::rename(&aside, &key).unwrap();
    eventually("the active key signs", || issuing(&stack) != first);
    assert_eq!(obstacles(), ("2".to_owned(), "0".to_owned()));

    // A ring that is damaged changes nothing.
    let ring = stack.data().join("keys/ring.json");
    let text = fs::read_to_string(&ring).unwrap();
    fs::write(&ring, &text[..text.len() / 2]).unwrap();
    eventually("the fault is told", || obstacles().1 == "1");
    assert!(subject(&issuing(&stack)).contains("G2"));
    fs::write(&ring, text).unwrap();
    eventually("the fault is gone", || obstacles().1 == "0");
}

#[test]
fn a_verb_that_is_killed_anywhere_leaves_the_state_before_or_after() {
    let stack = Stack::start();
    let begun = Instant::now();
    step(&stack, "activate").fails_with(&["no generation is staged"]);
    let whole = begun.elapsed();
    let mut taken = 0;
    for round in 0..60 {
        let before = states(&stack);
        let next = match before.last().map(String::as_str) {
            Some("staged") if round % 3 == 0 => "abandon",
            Some("staged") => "activate --overlap 0s",
            _ if before.contains(&"outgoing".to_owned()) => "retire",
            _ => "stage",
        };
        let mut verb = rotate(&stack, next).start();
        // From nothing to more than everything; making keys takes as long again as starting the program.
        thread::sleep(whole * 8 * (round % 20) / 20);
        verb.kill();
        verb.finish();
        let after = states(&stack);
        taken += usize::from(after != before);
        assert!(after.len() <= before.len() + 1);
        assert_eq!(after.iter().filter(|state| *state == "active").count(), 1, "{after:?}");
        issuing(&stack);
    }
    assert!(taken > 3, "only {taken} steps were taken before they were killed");
    // Whatever is left over is in nobody's way.
    let states = states(&stack);
    if states.contains(&"staged".to_owned()) {
        step(&stack, "abandon").succeeds();
    }
    // Where the last one that was killed had activated a key, the server needs a moment to follow.
    let outgoing = |states: &[String]| states.contains(&"outgoing".to_owned());
    if outgoing(&states) {
        eventually("the outgoing key is retired", || {
            drop(step(&stack, "retire"));
            !outgoing(&self::states(&stack))
        });
    }
    step(&stack, "stage").succeeds();
    step(&stack, "activate --overlap 0s").succeeds();
    let alice = stack.person(ALICE);
    alice.write("artifact", "hello");
    sign(&alice, "after", &[Client::Cosign3]);
    Client::Cosign3.verify(&alice, "artifact", "after-Cosign3.json", &Signer::of(&alice)).run().succeeds();
}

#[test]
fn the_next_key_may_be_elsewhere_and_have_certificates_of_its_own() {
    let token = Token::new();
    token.import("next", "-algorithm EC -pkeyopt ec_paramgen_curve:P-384");
    token.import("third", "-algorithm EC -pkeyopt ec_paramgen_curve:P-256");
    token.import("other", "-algorithm RSA -pkeyopt rsa_keygen_bits:2048");
    let environment = [("SOFTHSM2_CONF", token.configuration())];
    let stack = Stack::start_in(&environment, &[]);
    let alice = stack.person(ALICE);
    alice.write("artifact", "hello");
    let mut bundles = sign(&alice, "file", &[Client::Cosign3]);
    rotate(&stack, "stage --key").arg(token.uri("nobody")).run().fails_with(&["cannot use the CA key"]);
    let directory = Path::new("/nowhere/key.pem");
    rotate(&stack, "stage --key").arg(format!("file:{}", directory.display())).run().fails_with(&["/nowhere/key.pem"]);
    let own = format!("file:{}", stack.data().join("keys/ca.pem").display());
    rotate(&stack, "stage --key").arg(own).run().fails_with(&["this is already the key of generation 1"]);
    rotate(&stack, "stage --key").arg(token.uri("next")).run().succeeds();
    step(&stack, "activate --overlap 0s").succeeds();
    bundles.extend(sign(&alice, "token", &Client::ALL));
    step(&stack, "retire").succeeds();
    assert_eq!(generations(&stack)[1]["kind"], "P-384");

    // Certificates that somebody else has made for the key.
    let maker = Stack::start_in(&environment, &["--ca-key", &token.uri("other")]);
    let chain = maker.data().join("keys/ca-chain.pem");
    rotate(&stack, "stage --key")
        .arg(token.uri("third"))
        .arg("--chain")
        .arg(&chain)
        .run()
        .fails_with(&["no certificate in it is for the key"]);
    rotate(&stack, "stage --key").arg(token.uri("other")).arg("--chain").arg(&chain).run().succeeds();
    step(&stack, "activate --overlap 0s").succeeds();
    assert_eq!(issuing(&stack), issuing(&maker), "the same certificate issues in both");
    bundles.extend(sign(&alice, "chain", &Client::ALL));
    for bundle in &bundles {
        for client in Client::ALL {
            client.verify(&alice, "artifact", bundle, &Signer::of(&alice)).run().succeeds();
        }
    }
}

#[test]
fn a_log_elsewhere_must_accept_the_root_first() {
    let mut stack = Stack::start();
    let chain = stack.trust("fulcio-chain.pem").display().to_string();
    let mut log = Stack::start_with(&["--ct-log-accepts", &chain]);
    stack.terminate();
    stack.options(&["--ct-log-url", &log.at("/ct/dev"), "--ct-log-key", &log.trust("ctfe.pub").display().to_string()]);
    stack.resume();
    let first = issuing(&stack);
    step(&stack, "stage").fails_with(&["does not have the root of the new chain"]);
    assert_eq!((states(&stack), bundle(&stack).len()), (vec!["active".to_owned(), "staged".to_owned()], 1));
    step(&stack, "activate --overlap 0s").fails_with(&["cannot use generation 2"]);
    // Its operator adds it.
    let next = stack.data().join("keys/ca-2-chain.pem").display().to_string();
    log.terminate();
    log.options(&["--ct-log-accepts", &chain, "--ct-log-accepts", &next]);
    log.resume();
    eventually("the chain is published", || bundle(&stack).len() == 2 && is_published(&stack));
    step(&stack, "activate --overlap 0s").succeeds();
    assert_ne!(issuing(&stack), first);
}
