//! Logs and their witnesses: ours and a foreign one, in both directions, and what happens when they disagree (R-07, R-09,
//!

use chancery_tests::{
    ALICE, Client, Stack,
    client::Signer,
    http::Response,
    key::Key,
    program::Program,
    rekor_v2::{self, hashedrekord},
    stack::free_port,
    timestamps::TimestampAuthority,
    waiting::eventually,
    witness::{Witness, all_have_signed, foreign, log_key},
};
use serde_json::Value;
use std::{
    fs,
    io::{Read as _, Write as _},
    net::TcpListener,
    path::Path,
    thread,
    time::{Duration, Instant},
};

/// Origins of an instance's logs.
const REKOR: &str = "127.0.0.1";
const CT: &str = "127.0.0.1/ct/dev";
/// Where their checkpoints are.
const CHECKPOINT: &str = "/api/v2/checkpoint";
const CT_CHECKPOINT: &str = "/ct/dev/checkpoint";

fn log(stack: &Stack, artifact: &str) -> Response {
    stack.post(rekor_v2::ENTRIES, &hashedrekord(&Key::generate(), artifact.as_bytes()))
}

/// The checkpoint in the answer to an entry.
fn checkpoint_of(entry: &Value) -> String {
    entry["inclusionProof"]["checkpoint"]["envelope"].as_str().expect("a checkpoint").to_owned()
}

/// Whether a note has a line by this name.
fn names(note: &str, name: &str) -> bool {
    note.lines().any(|line| line.starts_with(&format!("— {name} ")))
}

/// Starts the stopped or running server again with these options.
fn restart(stack: &mut Stack, options: &[&str]) {
    stack.terminate();
    stack.options(options);
    stack.resume();
}

#[test]
fn two_organisations_witness_each_other() {
    let (mut one, mut two) = (Stack::start(), Stack::start_with(&["--rekor-v2-key", "ed25519"]));
    let keys = |stack: &Stack| [log_key(stack, "rekor2"), log_key(stack, "ct")];
    let (keys_of_one, keys_of_two) = (keys(&one), keys(&two));
    let follow = |name: &str, keys: &[String; 2]| Witness::start(name, &[&keys[0], &keys[1]]);
    // Each runs the other's.
    let (by_two, by_one) = (follow("two.example/witness", &keys_of_one), follow("one.example/witness", &keys_of_two));
    // Asked to read their files again, they go on.
    [&by_two, &by_one].into_iter().for_each(Witness::hang_up);
    for (stack, witness, keys) in [(&mut one, &by_two, &keys_of_one), (&mut two, &by_one, &keys_of_two)] {
        let option = witness.option();
        restart(stack, &["--witness", &option, "--ct-witness", &option]);
        let person = stack.person(ALICE);
        let authority = TimestampAuthority::start(&person);
        let person = authority.trusted_by(person);
        person.write("artifact", "hello");
        let signer = Signer::of(&person);
        for client in [Client::Cosign3, Client::SigstorePython] {
            let bundle = format!("{client:?}.json");
            client.sign(&person, "artifact", &bundle).run().succeeds();
            let material: Value = serde_json::from_slice(&person.read(&bundle)).unwrap();
            let entry = &material["verificationMaterial"]["tlogEntries"][0];
            assert_eq!(entry["kindVersion"]["version"], "0.0.2");
            all_have_signed(&checkpoint_of(entry), &[&keys[0], &witness.key()]);
            for verifier in Client::ALL {
                let verify = verifier.verify(&person, "artifact", &bundle, &signer);
                let verify = if verifier == Client::Cosign2 { verify.arg("--use-signed-timestamps") } else { verify };
                verify.run().succeeds();
            }
        }
        for (path, key) in [(CHECKPOINT, &keys[0]), (CT_CHECKPOINT, &keys[1])] {
            // The certificate log answers without waiting for this: a timestamp needs no checkpoint.
            let cosigned = |note: &str| names(note, witness.key().split('+').next().unwrap());
            eventually(path, || cosigned(&stack.get(path).expect(200).text()));
            all_have_signed(&stack.get(path).expect(200).text(), &[key, &witness.key()]);
        }
        let shown = witness.checkpoint(REKOR).expect(200).text();
        all_have_signed(&shown, &[&keys[0], &witness.key()]);
        all_have_signed(&witness.checkpoint(CT).expect(200).text(), &[&keys[1], &witness.key()]);
        stack.get("/readyz").expect(200);
    }
}

#[test]
fn a_foreign_witness_cosigns_logs_of_either_kind_of_key() {
    for kind in ["p256", "ed25519"] {
        let mut stack = Stack::start_with(&["--rekor-v2-key", kind]);
        log(&stack, "before").expect(201);
        let keys = [log_key(&stack, "rekor2"), log_key(&stack, "ct")];
        let witness = Witness::start_foreign("foreign.example/witness", &[&keys[0], &keys[1]]);
        let option = witness.option();
        let (witnesses, closed) = (["--witness", &option, "--ct-witness", &option], ["--witness-fail", "closed"]);
        restart(&mut stack, &[witnesses.as_slice(), &closed].concat());
        for number in 0..20 {
            let entry = log(&stack, &format!("artifact {number}")).expect(201).json();
            all_have_signed(&checkpoint_of(&entry), &[&keys[0], &witness.key()]);
        }
        let person = stack.person(ALICE);
        person.write("artifact", "hello");
        Client::Cosign3.sign(&person, "artifact", "bundle.json").run().succeeds();
        all_have_signed(&stack.get(CT_CHECKPOINT).expect(200).text(), &[&keys[1], &witness.key()]);
    }
}

#[test]
fn a_foreign_client_is_witnessed() {
    let stack = Stack::start_with(&["--rekor-v2-key", "ed25519"]);
    let mut witness = Witness::start("ours.example/witness", &[&log_key(&stack, "rekor2")]);
    let home = tempfile::tempdir().unwrap();
    let fetch = |name: &str, path: &str| fs::write(home.path().join(name), stack.get(path).expect(200).body).unwrap();
    fetch("small", CHECKPOINT);
    fetch("other", CT_CHECKPOINT);
    log(&stack, "more").expect(201);
    fetch("large", CHECKPOINT);
    let submit = |witness: &Witness, note: &str, old: &str| {
        foreign(home.path()).arg("submit").arg(witness.url()).arg(note).arg(old).run()
    };
    submit(&witness, "other", "0").fails_with(&["unknown log"]);
    submit(&witness, "small", "9").fails_with(&["old size"]);
    let line = submit(&witness, "large", "0").succeeds();
    let note = fs::read_to_string(home.path().join("large")).unwrap();
    all_have_signed(&format!("{note}{line}"), &[&log_key(&stack, "rekor2"), &witness.key()]);
    // What it has said it remembers, also after a power cut.
    witness.kill();
    witness.resume();
    submit(&witness, "small", "0").fails_with(&[": 2"]);
    submit(&witness, "large", "2").succeeds();
    fs::write(home.path().join("forged"), note.replacen("\n2\n", "\n3\n", 1)).unwrap();
    submit(&witness, "forged", "2").fails_with(&["signature"]);
    submit(&witness, "large", "1").fails_with(&[": 2"]);
}

/// a witness that is gone, with either policy.
#[test]
fn a_log_goes_on_without_its_witness_or_does_not_as_its_policy_says() {
    let mut stack = Stack::start();
    log(&stack, "before").expect(201);
    let mut witness = Witness::start("witness.example", &[&log_key(&stack, "rekor2")]);
    let (option, metrics) = (witness.option(), format!("127.0.0.1:{}", free_port()));
    restart(&mut stack, &["--witness", &option, "--metrics", &metrics]);
    let cosigned = |entry: &Value| names(&checkpoint_of(entry), "witness.example");
    assert!(cosigned(&log(&stack, "with").expect(201).json()));
    witness.kill();
    for number in 0..5 {
        let begun = Instant::now();
        assert!(!cosigned(&log(&stack, &format!("without {number}")).expect(201).json()));
        assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
    }
    stack.get("/readyz").expect(200);
    let page = || chancery_tests::http::Request::get(&format!("http://{metrics}/metrics")).send().text();
    assert!(
        page().contains("chancery_witness_lag_entries{log=\"rekor2\",witness=\"witness.example\"} 5"),
        "{}",
        page()
    );
    let failed = "result=\"unreachable\",witness=\"witness.example\"} 0";
    assert!(page().contains("result=\"unreachable\"") && !page().contains(failed), "{}", page());
    witness.resume();
    eventually("its cosignature comes back", || names(&stack.get(CHECKPOINT).expect(200).text(), "witness.example"));

    restart(&mut stack, &["--witness", &option, "--witness-fail", "closed", "--witness-timeout", "500"]);
    assert!(cosigned(&log(&stack, "closed").expect(201).json()));
    witness.kill();
    let (key, begun) = (Key::generate(), Instant::now());
    let request = hashedrekord(&key, b"refused");
    let refused = stack.post(rekor_v2::ENTRIES, &request).expect(503);
    assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
    assert_eq!(refused.header("retry-after"), Some("5"));
    eventually("readiness", || stack.get("/readyz").status == 503);
    let said = stack.get("/readyz").text();
    assert!(said.starts_with("too few witnesses cosign the checkpoints of the rekor2 log"), "{said}");
    let shown = stack.get(CHECKPOINT).expect(200).text();
    assert!(names(&shown, "witness.example"), "what is shown is witnessed: {shown}");
    // Rekor v1 has no witnesses, and nothing to do with it.
    stack.post("/api/v1/log/entries", &chancery_tests::rekor::hashedrekord(&Key::generate(), b"v1")).expect(201);
    witness.resume();
    eventually("it is ready again", || stack.get("/readyz").status == 200);
    // The entry was in the log all the time: upstream's answer to a duplicate, with the entry.
    let found = stack.post(rekor_v2::ENTRIES, &request).expect(409).json();
    let entry = found["details"].as_array().unwrap().last().unwrap();
    assert!(cosigned(entry), "{found}");
}

/// A server over another state of its data, and what it says about it. Its high-water marks are lost with that state, so that
/// only the witness remembers. The state of before is there afterwards.
fn over(stack: &mut Stack, database: &[u8], look: impl FnOnce(&Stack)) {
    let (file, marks) = (stack.data().join("chancery.db"), stack.data().join("marks"));
    let directory = tempfile::tempdir_in(stack.data().parent().unwrap()).unwrap();
    let kept = directory.path().join("marks");
    let before = fs::read(&file).unwrap();
    fs::rename(&marks, &kept).unwrap();
    fs::write(&file, database).unwrap();
    stack.resume();
    look(stack);
    stack.terminate();
    fs::write(&file, before).unwrap();
    fs::remove_dir_all(&marks).unwrap();
    fs::rename(&kept, &marks).unwrap();
}

/// the database of an hour ago, and a witness that has seen more.
#[test]
fn a_database_that_was_put_back_is_quarantined() {
    let mut stack = Stack::start();
    log(&stack, "first").expect(201);
    let witness = Witness::start("witness.example", &[&log_key(&stack, "rekor2"), &log_key(&stack, "ct")]);
    let option = witness.option();
    for fail in ["open", "closed"] {
        restart(&mut stack, &["--witness", &option, "--ct-witness", &option, "--witness-fail", fail]);
        log(&stack, &format!("kept {fail}")).expect(201);
        stack.terminate();
        let backup = fs::read(stack.data().join("chancery.db")).unwrap();
        stack.resume();
        for number in 0..3 {
            log(&stack, &format!("{fail} {number}")).expect(201);
        }
        let newest = witness.checkpoint(REKOR).expect(200).text();
        stack.terminate();
        over(&mut stack, &backup, |stack| {
            let said = stack.get("/readyz").expect(503).text();
            let reason = "the rekor2 log is QUARANTINED (quarantine.witness_ahead): ";
            assert!(said.starts_with(reason) && said.contains("witness.example"), "{said}");
            let refused = log(stack, "new").expect(503);
            assert_eq!(refused.header("retry-after"), None, "it does not end by itself");
            stack.get(CHECKPOINT).expect(200);
            stack.get("/tile/entries/000.p/2").expect(200);
            // What readiness says to run shows it to somebody who does not believe the witness: the log's own signature.
            let (_, command) = said.trim_end().split_once(" To see what is wrong, run: ").expect("a command");
            let directory = tempfile::tempdir().unwrap();
            let shell = Program::new("/bin/sh", directory.path()).env("PATH", std::env::var_os("PATH").unwrap());
            shell.arg("-c").arg(command).run().fails_with(&["log rekor2", "head"]);
            // The other logs have nothing to do with it.
            stack
                .post("/api/v1/log/entries", &chancery_tests::rekor::hashedrekord(&Key::generate(), b"v1"))
                .expect(201);
            assert_eq!(stack.server().stderr().matches("QUARANTINED").count(), 1);
        });
        assert_eq!(witness.checkpoint(REKOR).expect(200).text(), newest, "the witness has cosigned nothing");
        // With its own database it goes on.
        stack.resume();
        stack.get("/readyz").expect(200);
        log(&stack, &format!("after {fail}")).expect(201);
    }
}

/// a machine was cloned, with key and database.
#[test]
fn a_clone_is_stopped_and_the_first_goes_on() {
    let mut first = Stack::start();
    log(&first, "first").expect(201);
    let witness = Witness::start("witness.example", &[&log_key(&first, "rekor2")]);
    let option = witness.option();
    restart(&mut first, &["--witness", &option]);
    log(&first, "second").expect(201);
    first.terminate();
    // Started while they are the same.
    let mut clone = first.replica();
    clone.get("/readyz").expect(200);
    first.resume();
    log(&first, "of the first").expect(201);
    let refused = log(&clone, "of the clone").expect(503);
    assert_eq!(refused.header("retry-after"), None);
    let said = clone.get("/readyz").expect(503).text();
    assert!(said.contains("QUARANTINED (quarantine.witness_forked)"), "{said}");
    assert!(!clone.get(CHECKPOINT).expect(200).text().contains("\n4\n"), "the second history is not shown");
    // What it has stored is sound in itself.
    let doubt = "the rekor2 log is QUARANTINED (quarantine.recorded): found before: ";
    clone.check_in_doubt(&[doubt, "quarantine.witness_forked", "ChanceryLogQuarantined"]);
    for number in 0..3 {
        let entry = log(&first, &format!("more {number}")).expect(201).json();
        assert!(names(&checkpoint_of(&entry), "witness.example"));
    }
    // Started when the first is ahead.
    first.terminate();
    let before = fs::read(first.data().join("chancery.db")).unwrap();
    first.resume();
    log(&first, "ahead").expect(201);
    first.terminate();
    over(&mut first, &before, |clone| {
        let said = clone.get("/readyz").expect(503).text();
        assert!(said.contains("QUARANTINED (quarantine.witness_ahead)"), "{said}");
    });
    first.resume();
    first.get("/readyz").expect(200);
}

#[test]
fn a_witness_is_one_process_with_one_name() {
    let stack = Stack::start();
    let key = log_key(&stack, "rekor2");
    let witness = Witness::start("witness.example", &[&key]);
    witness.command().run().fails_with(&["another witness is using"]);
    let vkey = |data: &Path| stack.chancery().args("witness vkey --data").arg(data).run();
    assert!(vkey(&witness.data()).succeeds().starts_with("witness.example+"));
    vkey(&stack.data()).fails_with(&["there is no witness in"]);
    let serve = |logs: &str| {
        let command = stack.chancery().args("witness serve --name w.example --data w --listen 127.0.0.1:0 --log");
        command.arg(logs).run()
    };
    serve(&witness.key()).fails_with(&["the public key's algorithm is not supported"]);
    serve("log.example+00000000+AAAA").fails_with(&["verifier key"]);
    stack.chancery().args("witness serve --name w.example").run().fails_with(&["--data"]);
}

/// A witness that answers every request with these bytes. Its key is nobody's.
fn hostile(answer: &'static str) -> String {
    const KEY: &str = "example.org/w+74cab48a+BE74L7zW/hUjXBBzcByXyBhoa/hRfR47UAXqWMP1EAmr";
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for mut connection in listener.incoming().flatten() {
            let mut request = [0; 16 * 1024];
            let _ = connection.read(&mut request);
            let _ = connection.write_all(answer.as_bytes());
        }
    });
    format!("{KEY}@http://{address}")
}

/// B5: a number without a signature stops nothing.
#[test]
fn a_hostile_witness_is_named_and_stops_nothing() {
    let mut stack = Stack::start();
    log(&stack, "before").expect(201);
    let witness = Witness::start("witness.example", &[&log_key(&stack, "rekor2"), &log_key(&stack, "ct")]);
    let (good, metrics) = (witness.option(), format!("127.0.0.1:{}", free_port()));
    let fixed = |status: &str, kind: &str, body: &str| {
        let length = body.len();
        let head = format!("HTTP/1.1 {status}\r\ncontent-type: {kind}\r\ncontent-length: {length}\r\n");
        &*Box::leak(format!("{head}connection: close\r\n\r\n{body}").into_boxed_str())
    };
    for (answer, state, why) in [
        (
            fixed("409 Conflict", "text/x.tlog.size", "1000\n"),
            "unproven",
            "it does not prove: its checkpoint cannot be",
        ),
        (fixed("409 Conflict", "text/x.tlog.size", "18446744073709551615\n"), "unproven", "1844674407370955161"),
        (fixed("422 Unprocessable Entity", "text/plain", "no\n"), "refused", "it refused with status 422"),
        (fixed("200 OK", "text/plain", "no line\n"), "invalid", "its answer is refused"),
        (fixed("404 Not Found", "text/plain", "unknown log\n"), "refused", "it refused with status 404"),
    ] {
        let bad = hostile(answer);
        for fail in ["open", "closed"] {
            let options = ["--witness", &bad, "--witness", &good, "--ct-witness", &bad, "--ct-witness", &good];
            let policy = ["--witness-quorum", "1", "--witness-fail", fail, "--metrics", &metrics];
            restart(&mut stack, &[&options[..], &policy[..]].concat());
            for number in 0..3 {
                let entry = log(&stack, &format!("{answer} {fail} {number}")).expect(201).json();
                assert!(names(&checkpoint_of(&entry), "witness.example"));
            }
            let warned = || stack.get("/readyz").expect(200).text();
            eventually("a warning", || {
                warned().contains("warning: the witness example.org/w does not cosign the rekor2")
            });
            let said = warned();
            assert!(
                said.starts_with("ready\n") && said.contains(&format!("({state})")) && said.contains(why),
                "{said}"
            );
            assert!(!said.contains("witness.example"), "the good one is not named: {said}");
            let page = chancery_tests::http::Request::get(&format!("http://{metrics}/metrics")).send().text();
            for line in [
                format!("chancery_witness_state{{log=\"rekor2\",state=\"{state}\",witness=\"example.org/w\"}} 1"),
                "chancery_witness_state{log=\"rekor2\",state=\"cosigned\",witness=\"witness.example\"} 1".to_owned(),
                "chancery_log_state{log=\"rekor2\",state=\"active\"} 1".to_owned(),
            ] {
                assert!(page.contains(&line), "{line}\n{page}");
            }
        }
    }
}
