//! Stopped or killed while it takes entries, the server comes back with the same keys, the same logs and everything it
//! ever acknowledged.

use chancery_tests::{
    ALICE, Client, Person, Stack,
    client::Signer,
    http::Request,
    key::{Key, PublicKey, unique},
    rekor::{Checkpoint, ENTRIES, Entry, hash, hashedrekord, leaves},
    rekor_v2, tree,
};
use std::{
    collections::BTreeSet,
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

const WRITERS: usize = 6;
/// How many entries must be acknowledged before the server is stopped.
const ENOUGH: usize = 60;

fn rekor_key(stack: &Stack) -> PublicKey {
    PublicKey::from_pem(&std::fs::read_to_string(stack.trust("rekor.pub")).unwrap())
}

/// What a server has acknowledged, by log.
#[derive(Default)]
struct Acknowledged {
    v1: Vec<Entry>,
    v2: Vec<rekor_v2::Entry>,
}

/// Writes to both signature logs from several threads at once, has `stop` end the server in the middle of it, and returns
/// every entry that was acknowledged.
fn interrupt(stack: &mut Stack, stop: fn(&mut Stack)) -> Acknowledged {
    let (acknowledged, stopped) = (Mutex::new(Acknowledged::default()), AtomicBool::new(false));
    let (url, url_v2) = (stack.at(ENTRIES), stack.at(rekor_v2::ENTRIES));
    thread::scope(|scope| {
        for _ in 0..WRITERS {
            scope.spawn(|| {
                let key = Key::generate();
                while !stopped.load(Ordering::Relaxed) {
                    let request = Request::post(&url).json(&hashedrekord(&key, unique("artifact").as_bytes()));
                    // No answer, or one that breaks off, is no promise. A refusal to take more is none either.
                    if let Ok(answer) = request.try_send()
                        && answer.status == 201
                    {
                        acknowledged.lock().unwrap().v1.push(Entry::parse(&answer.json()));
                    }
                    let request = rekor_v2::hashedrekord(&key, unique("artifact").as_bytes());
                    if let Ok(answer) = Request::post(&url_v2).json(&request).try_send()
                        && answer.status == 201
                    {
                        acknowledged.lock().unwrap().v2.push(rekor_v2::Entry(answer.json()));
                    }
                }
            });
        }
        let deadline = Instant::now() + Duration::from_mins(1);
        let enough = || {
            let acknowledged = acknowledged.lock().unwrap();
            acknowledged.v1.len() >= ENOUGH && acknowledged.v2.len() >= ENOUGH
        };
        while !enough() && Instant::now() < deadline {
            thread::sleep(Duration::from_millis(1));
        }
        stop(stack);
        stopped.store(true, Ordering::Relaxed);
    });
    let acknowledged = acknowledged.into_inner().unwrap();
    let counts = (acknowledged.v1.len(), acknowledged.v2.len());
    assert!(counts.0 >= ENOUGH && counts.1 >= ENOUGH, "only {counts:?} entries in a minute");
    acknowledged
}

/// Every acknowledged entry is there, unchanged, with a proof that verifies.
fn all_there(stack: &Stack, acknowledged: &Acknowledged) {
    all_there_v2(stack, &acknowledged.v2);
    let (key, acknowledged) = (rekor_key(stack), &acknowledged.v1);
    for entry in acknowledged {
        entry.verify(&key);
        let read = Entry::parse(&stack.get(&format!("{ENTRIES}/{}", entry.id)).expect(200).json());
        read.verify(&key);
        assert_eq!(
            (read.body(), read.log_index(), read.integrated_time()),
            (entry.body(), entry.log_index(), entry.integrated_time())
        );
    }
    let mut indices: Vec<u64> = acknowledged.iter().map(Entry::log_index).collect();
    indices.sort_unstable();
    indices.dedup();
    assert_eq!(indices.len(), acknowledged.len(), "no index was given twice");
}

/// The same of the Rekor v2 log, from its files.
fn all_there_v2(stack: &Stack, acknowledged: &[rekor_v2::Entry]) {
    let key = rekor_v2::key(stack);
    let head = Checkpoint::open(&stack.get("/checkpoint").expect(200).text(), &key);
    let logged = leaves(head.size, |path| stack.get(&format!("/{path}")).expect(200).body);
    let mut indices = BTreeSet::new();
    for entry in acknowledged {
        entry.verify(&key);
        assert_eq!(logged[usize::try_from(entry.log_index()).unwrap()], entry.body());
        assert!(indices.insert(entry.log_index()), "no index was given twice");
    }
}

/// The head now extends the head then.
fn extends(stack: &Stack, old: &Checkpoint) {
    let info = stack.get("/api/v1/log").expect(200).json();
    let new = Checkpoint::open(info["signedTreeHead"].as_str().unwrap(), &rekor_key(stack));
    assert_eq!(new.origin, old.origin, "the same log");
    let proof =
        stack.get(&format!("/api/v1/log/proof?firstSize={}&lastSize={}", old.size, new.size)).expect(200).json();
    let hashes: Vec<tree::Hash> = proof["hashes"].as_array().unwrap().iter().map(hash).collect();
    assert!(tree::is_consistent(old.size, &old.root, new.size, &new.root, &hashes), "{old:?} {new:?}");
}

fn head(stack: &Stack) -> Checkpoint {
    let info = stack.get("/api/v1/log").expect(200).json();
    Checkpoint::open(info["signedTreeHead"].as_str().unwrap(), &rekor_key(stack))
}

fn sign_before(stack: &Stack) -> Person {
    let alice = stack.person(ALICE);
    alice.write("artifact", "hello");
    Client::Cosign3.sign(&alice, "artifact", "before.json").run().succeeds();
    alice
}

fn survives(stop: fn(&mut Stack)) {
    let mut stack = Stack::start();
    let alice = sign_before(&stack);
    let (trust, before) = (stack.trust_files(), head(&stack));
    let acknowledged = interrupt(&mut stack, stop);
    stack.log_check();
    stack.resume();
    assert_eq!(stack.trust_files(), trust, "the same keys, byte for byte");
    all_there(&stack, &acknowledged);
    extends(&stack, &before);
    Client::Cosign3.verify(&alice, "artifact", "before.json", &Signer::of(&alice)).run().succeeds();
    Client::SigstorePython.verify(&alice, "artifact", "before.json", &Signer::of(&alice)).run().succeeds();
    // What a client did not hear of it sends again, and it goes on where it was.
    let proposal = hashedrekord(&Key::generate(), unique("artifact").as_bytes());
    stack.post(ENTRIES, &proposal).expect(201);
    Client::Cosign2.sign(&alice, "artifact", "after.json").run().succeeds();
    Client::Cosign3.verify(&alice, "artifact", "after.json", &Signer::of(&alice)).run().succeeds();
    stack.check();
}

#[test]
fn stopped_while_it_takes_entries() {
    survives(Stack::terminate);
}

#[test]
fn killed_while_it_takes_entries() {
    survives(Stack::kill);
}

#[test]
fn stopped_as_soon_as_it_answers() {
    let mut stack = Stack::start();
    for _ in 0..10 {
        // Demands that the server ends well: a signal must not find it before it is caught.
        stack.terminate();
        stack.resume();
    }
}

#[test]
fn killed_again_and_again() {
    let mut stack = Stack::start();
    let mut acknowledged = Acknowledged::default();
    for _ in 0..4 {
        let Acknowledged { v1, v2 } = interrupt(&mut stack, Stack::kill);
        acknowledged.v1.extend(v1);
        acknowledged.v2.extend(v2);
        stack.resume();
    }
    all_there(&stack, &acknowledged);
    stack.check();
}

#[test]
fn stopped_while_certificates_are_issued() {
    let mut stack = Stack::start();
    let trust = stack.trust_files();
    let (url, token) = (stack.at("/api/v2/signingCert"), stack.token(ALICE));
    let (issued, stopped) = (Mutex::new(0), AtomicBool::new(false));
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while !stopped.load(Ordering::Relaxed) {
                    let body = chancery_tests::fulcio::key_request(&Key::generate(), ALICE);
                    let request = Request::post(&url).header("Authorization", &format!("Bearer {token}")).json(&body);
                    if request.try_send().is_ok_and(|answer| answer.status == 200) {
                        *issued.lock().unwrap() += 1;
                    }
                }
            });
        }
        while *issued.lock().unwrap() < 20 {
            thread::sleep(Duration::from_millis(1));
        }
        stack.kill();
        stopped.store(true, Ordering::Relaxed);
    });
    stack.resume();
    assert_eq!(stack.trust_files(), trust);
    let size = stack.get("/ct/dev/ct/v1/get-sth").expect(200).json()["tree_size"].as_u64().unwrap();
    assert!(size >= issued.into_inner().unwrap(), "no certificate without a logged precertificate");
    stack.check();
}
