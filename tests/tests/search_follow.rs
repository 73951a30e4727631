//! `chancery search follow`: the logs of an instance, followed by URL into databases of their own, honest and not.

use chancery_tests::{
    ALICE, Client, Stack,
    http::Request,
    key::{Key, sha256, unique},
    postgres,
    program::{Outcome, Program, Running},
    rekor::{ENTRIES, hashedrekord},
    rekor_v2,
    rotation::Rotated,
    search::{self, Liar, SEARCH, path, places, verify},
    stack::free_port,
    waiting::eventually,
};
use serde_json::{Value, json};
use std::{
    collections::BTreeSet,
    fs,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

/// Changes an answer.
type Lie = Box<dyn Fn(&mut Value) + Send + Sync>;

/// Longest a test waits for an index.
const DEADLINE: Duration = Duration::from_mins(1);
/// Path of a log below the base URL, its protocol, and where its checkpoint is.
const LOGS: [(&str, &str, &str); 4] = [
    ("", "rekor-v1", "/tlog/rekor/checkpoint"),
    ("", "rekor-v2", "/checkpoint"),
    ("/ct/dev", "static-ct", "/ct/dev/checkpoint"),
    ("/ct/dev", "rfc6962", "/ct/dev/checkpoint"),
];

fn write(stack: &Stack, key: &Key, count: usize) {
    for _ in 0..count {
        stack.post(ENTRIES, &hashedrekord(key, unique("artifact").as_bytes())).expect(201);
    }
}

fn write_v2(stack: &Stack, key: &Key, count: usize) {
    for _ in 0..count {
        stack.post(rekor_v2::ENTRIES, &rekor_v2::hashedrekord(key, unique("artifact").as_bytes())).expect(201);
    }
}

/// Alice signs, so that there are certificates.
fn sign(stack: &Stack, client: Client, bundle: &str) -> String {
    let alice = stack.person(ALICE);
    let artifact = unique("hello");
    alice.write("artifact", &artifact);
    client.sign(&alice, "artifact", bundle).run().succeeds();
    artifact
}

/// The command, with the trust root of the instance.
fn follow(stack: &Stack, url: &str, database: &str, arguments: &str) -> Program {
    let command = stack.chancery().args("search follow").arg(url).arg("--database").arg(database);
    command.arg("--trusted-root").arg(stack.trust("trusted_root.json")).args("--json").args(arguments)
}

/// What one pass says.
fn passed(outcome: Outcome) -> Value {
    serde_json::from_str(outcome.succeeds().lines().last().unwrap()).unwrap()
}

fn size(stack: &Stack, checkpoint: &str) -> u64 {
    stack.get(checkpoint).expect(200).text().lines().nth(1).unwrap().parse().unwrap()
}

/// Where a running follower answers.
fn url(following: &mut Running) -> String {
    let written = following.wait_for(r#""url":"#);
    let line = written.lines().find(|line| line.contains(r#""url":"#)).unwrap();
    let line: Value = serde_json::from_str(line).unwrap();
    line["url"].as_str().unwrap().to_owned()
}

fn ask(url: &str, parameters: &[(&str, &str)]) -> Value {
    Request::get(&format!("{url}{}", path(SEARCH, parameters))).send().expect(200).json()
}

/// Waits until the index at `url` covers so many entries.
fn wait(url: &str, size: u64) {
    let begun = Instant::now();
    loop {
        let answer = ask(url, &[("limit", "1")]);
        if answer["complete_to"][0]["size"].as_u64().unwrap() >= size {
            return;
        }
        assert!(begun.elapsed() < DEADLINE, "the index does not come to {size}: {answer}");
        thread::sleep(Duration::from_millis(50));
    }
}

fn fingerprint(key: &Key) -> String {
    hex::encode(sha256(&key.public_der()))
}

/// Every log into one database of each kind: each pass ends at a signed tree, and the next one goes on there.
fn follows_every_log_into(database: &str) {
    let stack = Stack::start();
    let key = Key::generate();
    write(&stack, &key, 40);
    write_v2(&stack, &key, 20);
    sign(&stack, Client::Cosign3, "bundle.json");
    let pass = |place: &str, protocol: &str| {
        let arguments = format!("--once --protocol {protocol}");
        passed(follow(&stack, &stack.at(place), database, &arguments).run())
    };
    let mut names = BTreeSet::new();
    let mut before = Vec::new();
    for (place, protocol, checkpoint) in LOGS {
        let least = size(&stack, checkpoint);
        let done = pass(place, protocol);
        let indexed = done["indexed"].as_u64().unwrap();
        assert!(indexed >= least && least > 0, "{protocol}: {done}");
        assert_eq!(done["head"]["tree_size"], indexed, "{done}");
        let note = done["checkpoint"].as_str().unwrap();
        assert!(note.starts_with(done["origin"].as_str().unwrap()), "{done}");
        names.insert(done["log"].as_str().unwrap().to_owned());
        before.push(indexed);
    }
    assert_eq!(names.len(), LOGS.len(), "each has a name of its own: {names:?}");
    write(&stack, &key, 300);
    write_v2(&stack, &key, 5);
    for ((place, protocol, checkpoint), before) in LOGS.into_iter().zip(before) {
        let done = pass(place, protocol);
        assert!(done["indexed"].as_u64().unwrap() >= size(&stack, checkpoint).max(before), "{done}");
        // Nothing is new.
        assert_eq!(pass(place, protocol)["indexed"], done["indexed"]);
    }
}

#[test]
fn every_log_of_an_instance_is_followed_into_sqlite() {
    follows_every_log_into("followed.db");
}

#[test]
fn every_log_of_an_instance_is_followed_into_postgres() {
    follows_every_log_into(&postgres::database());
}

#[test]
fn questions_about_a_followed_log_are_answered_with_proofs() {
    let stack = Stack::start();
    let key = Key::generate();
    write(&stack, &key, 30);
    write_v2(&stack, &key, 30);
    for (name, protocol, checkpoint) in
        [("rekor", "rekor-v1", "/tlog/rekor/checkpoint"), ("rekor2", "rekor-v2", "/checkpoint")]
    {
        let arguments = format!("--protocol {protocol} --name {name} --listen 127.0.0.1:0 --interval 1");
        let mut following = follow(&stack, &stack.url(), &format!("{name}.db"), &arguments).start();
        let url = url(&mut following);
        wait(&url, size(&stack, checkpoint));
        let mine = fingerprint(&key);
        let answer = ask(&url, &[("key", &mine), ("proof", "1"), ("limit", "100")]);
        assert_eq!(answer["entries"].as_array().unwrap().len(), 30, "{answer}");
        verify(&stack, &answer);
        // The log grows under a head of which the proof of an older one is asked.
        if name == "rekor" {
            write(&stack, &key, 7);
        } else {
            write_v2(&stack, &key, 7);
        }
        wait(&url, size(&stack, checkpoint));
        let answer = ask(&url, &[("key", &mine), ("proof", "1"), ("limit", "100"), ("order", "oldest")]);
        assert_eq!(answer["entries"].as_array().unwrap().len(), 37, "{answer}");
        verify(&stack, &answer);
        // The same answers as the instance gives.
        search::wait(&stack);
        let own = stack.get(&path(SEARCH, &[("key", &mine), ("log", name), ("limit", "100"), ("order", "oldest")]));
        assert_eq!(
            places(answer["entries"].as_array().unwrap()),
            places(own.expect(200).json()["entries"].as_array().unwrap())
        );
        following.terminate();
        following.finish().succeeds();
    }
}

#[test]
fn the_commands_ask_a_follower_as_they_ask_a_server() {
    let stack = Stack::start();
    let artifact = sign(&stack, Client::Cosign2, "bundle.json");
    let arguments = "--protocol rekor-v1 --listen 127.0.0.1:0 --interval 1";
    let mut following = follow(&stack, &stack.url(), "log.db", arguments).start();
    let url = url(&mut following);
    wait(&url, size(&stack, "/tlog/rekor/checkpoint"));
    let found = stack.chancery().args("search --identity").arg(ALICE).arg("--url").arg(&url).run();
    assert!(found.succeeds().contains(ALICE));
    let digest = format!("sha256:{}", hex::encode(sha256(artifact.as_bytes())));
    let signed = stack.chancery().arg("artifact").arg(digest).arg("--url").arg(&url);
    let signed = signed.arg("--trusted-root").arg(stack.trust("trusted_root.json")).run();
    // A follower shows no promise, so nobody has signed when it was made.
    assert_eq!(signed.code(), 3, "{}", signed.report());
    assert!(signed.stdout.contains("signed at some time by") && signed.stdout.contains(ALICE), "{}", signed.report());
    following.terminate();
    following.finish().succeeds();
}

#[test]
fn a_signer_in_a_log_that_tells_no_times_is_shown_and_nothing_is_said_of_when() {
    let stack = Stack::start();
    let artifact = sign(&stack, Client::Cosign3, "bundle.json");
    let arguments = "--protocol rekor-v2 --name rekor2 --listen 127.0.0.1:0 --interval 1";
    let mut following = follow(&stack, &stack.url(), "log.db", arguments).start();
    let url = url(&mut following);
    wait(&url, size(&stack, "/checkpoint"));
    let digest = format!("sha256:{}", hex::encode(sha256(artifact.as_bytes())));
    let signed = |json: &str| {
        let command = stack.chancery().arg("artifact").arg(&digest).arg("--url").arg(&url).args(json);
        command.arg("--trusted-root").arg(stack.trust("trusted_root.json")).run()
    };
    let text = signed("");
    assert_eq!(text.code(), 3, "{}", text.report());
    let shown = &text.stdout;
    for part in ["UNDECIDED", "signed at some time by", ALICE, "is not established"] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    let json: Value = serde_json::from_str(&signed("--json").stdout).unwrap();
    let signature = &json["signatures"][0];
    assert_eq!((&json["status"], &signature["verdict"]), (&json!("undecided"), &json!("undated")), "{json}");
    assert!(signature["time"].is_null() && signature["certificate_validity"]["not_after"].is_string(), "{json}");
    // The server says the same.
    let told = Request::get(&format!("{url}/api/artifacts/{digest}")).send().expect(200).json();
    assert_eq!(told["signatures"][0]["verdict"], "undated", "{told}");
    // A period is that of the certificate, and the answer says that the log tells no times.
    let not_before = signature["certificate_validity"]["not_before"].as_str().unwrap();
    for (name, found) in [("from", 1), ("to", 0)] {
        let answer = ask(&url, &[("identity", ALICE), (name, not_before)]);
        assert_eq!(answer["entries"].as_array().unwrap().len(), found, "{name}: {answer}");
        assert_eq!(answer["complete_to"][0]["tells_times"], false, "{answer}");
    }
    // The instance itself has the time on record.
    search::wait(&stack);
    let own = stack.chancery().arg("artifact").arg(&digest).arg("--url").arg(stack.url());
    let own = own.arg("--trusted-root").arg(stack.trust("trusted_root.json")).run();
    // It dates nothing: nobody has signed it.
    assert_eq!(own.code(), 3, "{}", own.report());
    assert!(own.stdout.contains("by the log's record, not proven"), "{}", own.report());
    following.terminate();
    following.finish().succeeds();
}

#[test]
fn a_tree_that_begins_while_its_log_is_followed_is_followed_at_once() {
    let stack = Stack::start();
    let key = Key::generate();
    write(&stack, &key, 5);
    let arguments = "--protocol rekor-v1 --listen 127.0.0.1:0 --interval 1";
    let mut following = follow(&stack, &stack.url(), "trees.db", arguments).start();
    let url = url(&mut following);
    wait(&url, size(&stack, "/tlog/rekor/checkpoint"));
    // The key of the next tree is not trusted yet: it is published now.
    let rotated = Rotated::of(&stack, "rekor");
    rotated.step("stage").succeeds();
    rotated.step("activate --overlap 0s").succeeds();
    write(&stack, &key, 7);
    let mine = fingerprint(&key);
    let found = || ask(&url, &[("key", &mine), ("limit", "100")]);
    eventually("the new tree is indexed", || found()["entries"].as_array().unwrap().len() == 12);
    let answer = ask(&url, &[("key", &mine), ("limit", "100"), ("proof", "1")]);
    let logs: Vec<_> = answer["complete_to"].as_array().unwrap().iter().map(|log| log["log"].clone()).collect();
    assert_eq!(logs.len(), 2, "{answer}");
    following.terminate();
    let ended = following.finish();
    assert!(ended.stderr.contains("has begun, and is followed"), "{}", ended.report());
    ended.succeeds();
    // The next start finds both under the same names.
    let lines = follow(&stack, &stack.url(), "trees.db", "--protocol rekor-v1 --once").run().succeeds();
    let lines: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let mut named: Vec<&Value> = lines.iter().map(|line| &line["log"]).collect();
    let mut logs: Vec<&Value> = logs.iter().collect();
    named.sort_by_key(ToString::to_string);
    logs.sort_by_key(ToString::to_string);
    assert_eq!(named, logs);
}

#[test]
fn a_tree_without_a_trusted_key_is_named_and_left_out() {
    let stack = Stack::start();
    let key = Key::generate();
    write(&stack, &key, 5);
    // Only the key of the first tree: the server's file has that of the newest.
    let first = stack.data().with_file_name("first.pub");
    fs::copy(stack.trust("rekor.pub"), &first).unwrap();
    let command = stack.chancery().args("search follow").arg(stack.url()).args("--database left-out.db --json");
    let command = command.arg("--key").arg(first);
    let mut following = command.args("--protocol rekor-v1 --listen 127.0.0.1:0 --interval 1").start();
    let url = url(&mut following);
    wait(&url, size(&stack, "/tlog/rekor/checkpoint"));
    let rotated = Rotated::of(&stack, "rekor");
    rotated.step("stage").succeeds();
    rotated.step("activate --overlap 0s").succeeds();
    write(&stack, &key, 7);
    following.wait_for("no trusted key has signed its checkpoint");
    let answer = ask(&url, &[("key", &fingerprint(&key)), ("limit", "100")]);
    assert_eq!(answer["entries"].as_array().unwrap().len(), 5, "{answer}");
    following.terminate();
    let ended = following.finish();
    assert_eq!(ended.stderr.matches("no trusted key").count(), 1, "once: {}", ended.report());
    ended.succeeds();
}

#[test]
fn a_follower_that_is_killed_goes_on_where_it_was() {
    let stack = Stack::start();
    let key = Key::generate();
    write(&stack, &key, 50);
    let arguments = "--protocol rekor-v1 --name rekor --listen 127.0.0.1:0 --interval 1";
    let is_done = AtomicBool::new(false);
    thread::scope(|scope| {
        let writer = scope.spawn(|| {
            for _ in 0..40 {
                write(&stack, &key, 10);
            }
            is_done.store(true, Ordering::Relaxed);
        });
        for round in 0_u64.. {
            let mut following = follow(&stack, &stack.url(), "killed.db", arguments).start();
            // At any moment: before it asks, while it indexes, when it has caught up.
            thread::sleep(Duration::from_millis(30 + round * 130 % 1100));
            following.kill();
            if is_done.load(Ordering::Relaxed) && round > 5 {
                break;
            }
        }
        writer.join().unwrap();
    });
    let mut following = follow(&stack, &stack.url(), "killed.db", arguments).start();
    let url = url(&mut following);
    wait(&url, size(&stack, "/tlog/rekor/checkpoint"));
    let answer = ask(&url, &[("key", &fingerprint(&key)), ("limit", "1000")]);
    let found = places(answer["entries"].as_array().unwrap());
    let distinct: BTreeSet<_> = found.iter().cloned().collect();
    assert_eq!((found.len(), distinct.len()), (450, 450), "each once");
    following.terminate();
    following.finish().succeeds();
}

/// The certificate log through its API, before which a liar stands: with the log's key, and the origin that it has elsewhere.
fn follow_certificates(stack: &Stack, liar: &Liar, database: &str) -> Outcome {
    let command = stack.chancery().args("search follow").arg(format!("{}/ct/dev", liar.url()));
    let command = command.arg("--database").arg(database).arg("--key").arg(stack.trust("ctfe.pub"));
    command.args("--protocol rfc6962 --origin 127.0.0.1/ct/dev --once --json").run()
}

#[test]
fn a_log_that_lies_is_found_and_nothing_of_it_is_indexed() {
    let stack = Stack::start();
    for bundle in ["one.json", "two.json", "three.json"] {
        sign(&stack, Client::Cosign3, bundle);
    }
    let lies: [(&str, Lie); 3] = [
        ("not those of its checkpoint", Box::new(|answer: &mut Value| swap(answer, 0, 1))),
        ("is not signed by the key that is given", Box::new(|answer: &mut Value| increase(answer, "tree_size"))),
        ("is not signed by the key that is given", Box::new(|answer: &mut Value| increase(answer, "timestamp"))),
    ];
    for (number, (reason, lie)) in lies.into_iter().enumerate() {
        let liar = Liar::before(&stack, move |_, mut answer| {
            lie(&mut answer);
            answer
        });
        let outcome = follow_certificates(&stack, &liar, &format!("lies-{number}.db"));
        assert_eq!(outcome.code(), 1, "{}", outcome.report());
        // Words for the follower of a log elsewhere, and not for its operator.
        assert!(!outcome.written().contains("chancery log check"), "{}", outcome.report());
        outcome.fails_with(&[reason]);
    }
    // With the truth from there the same database is complete.
    let honest = Liar::before(&stack, |_, answer| answer);
    let done = passed(follow_certificates(&stack, &honest, "lies-0.db"));
    assert_eq!(done["indexed"], size(&stack, "/ct/dev/checkpoint"), "{done}");
}

/// Exchanges two entries of an answer.
fn swap(answer: &mut Value, one: usize, other: usize) {
    if let Some(entries) = answer["entries"].as_array_mut()
        && entries.len() > one.max(other)
    {
        entries.swap(one, other);
    }
}

fn increase(answer: &mut Value, member: &str) {
    if let Some(number) = answer.get(member).and_then(Value::as_u64) {
        answer[member] = json!(number + 1);
    }
}

#[test]
fn a_head_that_shrinks_is_refused() {
    let stack = Stack::start();
    sign(&stack, Client::Cosign3, "one.json");
    let old: Arc<Mutex<Option<Value>>> = Arc::default();
    let (kept, is_old) = (Arc::clone(&old), Arc::new(AtomicBool::new(false)));
    let shows_old = Arc::clone(&is_old);
    let liar = Liar::before(&stack, move |target, answer| {
        if !target.ends_with("/get-sth") {
            return answer;
        }
        let mut kept = kept.lock().unwrap();
        if shows_old.load(Ordering::Relaxed) {
            kept.clone().unwrap()
        } else {
            kept.get_or_insert(answer.clone());
            answer
        }
    });
    let before = passed(follow_certificates(&stack, &liar, "shrinking.db"))["indexed"].as_u64().unwrap();
    sign(&stack, Client::Cosign3, "two.json");
    let after = passed(follow_certificates(&stack, &liar, "shrinking.db"))["indexed"].as_u64().unwrap();
    assert!(after > before);
    is_old.store(true, Ordering::Relaxed);
    let outcome = follow_certificates(&stack, &liar, "shrinking.db");
    assert_eq!(outcome.code(), 1, "{}", outcome.report());
    // Both checkpoints are kept.
    let line = |text: &str| text.strip_prefix("kept: ").map(str::to_owned);
    let kept: Vec<String> = outcome.stderr.lines().filter_map(line).collect();
    assert_eq!(kept.len(), 2, "{}", outcome.report());
    assert!(kept.iter().all(|path| path.starts_with("shrinking.db.") && path.ends_with(".checkpoint")), "{kept:?}");
    assert_eq!(outcome.stderr.matches("signed by the key of the log:\n127.0.0.1/ct/dev\n").count(), 2);
    outcome.fails_with(&["has shown one of", "lags, or was put back"]);
    is_old.store(false, Ordering::Relaxed);
    assert_eq!(passed(follow_certificates(&stack, &liar, "shrinking.db"))["indexed"], after);
}

#[test]
fn what_cannot_be_followed_says_why() {
    let stack = Stack::start();
    let refused = |program: Program, code: i32, reasons: &[&str]| {
        let outcome = program.run();
        assert_eq!(outcome.code(), code, "{}", outcome.report());
        outcome.fails_with(reasons);
    };
    let url = stack.url();
    // Two logs are there.
    refused(follow(&stack, &url, "log.db", "--once"), 2, &["--protocol", "rekor-v1", "rekor-v2"]);
    // The trust root has other logs.
    refused(follow(&stack, &stack.at("/elsewhere"), "log.db", "--once"), 2, &["has no log at", "/ct/dev"]);
    // No key at all.
    let without = stack.chancery().args("search follow").arg(&url).args("--database log.db --once");
    refused(without, 2, &["no key of the log", "--key"]);
    // Another key.
    let other = stack.chancery().args("search follow").arg(&url).args("--database log.db --once --key");
    refused(other.arg(stack.trust("ctfe.pub")), 1, &["no trusted key has signed"]);
    // The database of the instance itself.
    let own = stack.data().join("chancery.db");
    let into = follow(&stack, &url, own.to_str().unwrap(), "--once --protocol rekor-v2");
    refused(into, 2, &["the database of a server"]);
    // Nobody is there.
    let gone = format!("http://127.0.0.1:{}", free_port());
    let gone = stack.chancery().args("search follow").arg(gone).args("--database log.db --once --key");
    refused(gone.arg(stack.trust("rekor.pub")), 3, &["gives no answer"]);
}
