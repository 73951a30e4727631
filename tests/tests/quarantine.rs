//! A log whose stored state is in doubt is read, and not written to or signed; one that is another log does not start.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use chancery_tests::{
    ALICE, Stack,
    fulcio::{SIGNING_CERT_V2, chain, key_request},
    http::{Request, Response},
    key::Key,
    program::{Outcome, Program},
    rekor::{ENTRIES, hashedrekord},
    rekor_v2,
    rotation::Rotated,
    search,
    waiting::eventually,
};
use serde_json::{Value, json};
use std::{fs, path::Path, thread, time::Duration};

/// Entries that follow each other after this time each have a checkpoint that is stored; faster ones share one.
const APART: Duration = Duration::from_millis(200);

fn issue(stack: &Stack) -> Response {
    let request = Request::post(&stack.at(SIGNING_CERT_V2));
    let request = request.header("Authorization", &format!("Bearer {}", stack.token(ALICE)));
    request.json(&key_request(&Key::generate(), ALICE)).send()
}

fn log_entry(stack: &Stack, artifact: &[u8]) -> Response {
    stack.post(ENTRIES, &hashedrekord(&Key::generate(), artifact))
}

/// Submits a certificate to the log it is already in.
fn add_chain(stack: &Stack, chain: &[String]) -> Response {
    let der = |pem: &String| pem.lines().filter(|line| !line.starts_with('-')).collect::<String>();
    stack.post("/ct/dev/ct/v1/add-chain", &json!({"chain": chain.iter().map(der).collect::<Vec<_>>()}))
}

/// What readiness says first, and how the command it names ends.
fn readiness(stack: &Stack) -> (String, Outcome) {
    let said = stack.get("/readyz").expect(503).text();
    stack.chancery().args("health --url").arg(stack.url()).run().fails_with(&[said.trim_end()]);
    let first = said.lines().next().unwrap();
    let (reason, command) = first.split_once(" To see what is wrong, run: ").expect("a command");
    let shell = Program::new("/bin/sh", Path::new("/")).arg("-c").arg(command);
    (reason.to_owned(), shell.run())
}

/// Starts the server over changed data, and has `look` look at it. Afterwards everything is as it was.
fn over(stack: &mut Stack, sql: &str, look: impl FnOnce(&Stack)) {
    let database = stack.data().join("chancery.db");
    let before = fs::read(&database).unwrap();
    // What the server remembers of its logs outside the database.
    let marks = fs::read_dir(stack.data().join("marks")).unwrap().map(|mark| mark.unwrap().path());
    let marks: Vec<_> = marks.map(|mark| (fs::read(&mark).unwrap(), mark)).collect();
    stack.tamper(&stack.data(), sql);
    stack.resume();
    look(stack);
    let said = stack.server().stderr();
    assert_eq!(said.matches("quarantine: QUARANTINED").count(), 1, "one line says it: {said}");
    stack.terminate();
    fs::write(&database, before).unwrap();
    for (mark, path) in marks {
        fs::write(path, mark).unwrap();
    }
}

#[test]
fn rekor_in_doubt_is_read_and_not_written() {
    let mut stack = Stack::start();
    for number in 0..3 {
        log_entry(&stack, format!("artifact {number}").as_bytes()).expect(201);
        thread::sleep(APART);
    }
    let head = stack.get("/api/v1/log").expect(200).json();
    search::wait(&stack);
    stack.check();
    // What was indexed before, as far as the log shows it in each case.
    let found = |stack: &Stack| search::entries(stack, &[("log", "rekor"), ("end-index", "3")]).len();
    let log = "log_id = (SELECT log_id FROM logs WHERE name = 'rekor')";
    for (sql, code, finding, size) in [
        (
            format!("UPDATE bundle_parts SET root_hash = zeroblob(32) WHERE first_index = 3 AND {log}"),
            "edge",
            "head: ",
            4,
        ),
        (format!("DELETE FROM bundle_parts WHERE first_index = 3 AND {log}"), "shrunk", "head: ", 3),
        (
            format!("UPDATE checkpoints SET note = replace(note, '4', '5') WHERE tree_size = 4 AND {log}"),
            "checkpoint",
            "checkpoint ",
            3,
        ),
    ] {
        over(&mut stack, &sql, |stack| {
            let (reason, check) = readiness(stack);
            let said = format!("the rekor log is QUARANTINED (quarantine.{code}): ");
            assert!(reason.starts_with(&said), "{reason}");
            check.fails_with(&["log rekor", finding]);
            let refused = log_entry(stack, b"another").expect(503);
            assert_eq!(refused.header("retry-after"), None, "it does not end by itself");
            let message = "the transparency log is quarantined until its operator has looked at it";
            assert_eq!(refused.json(), json!({"code": 503, "message": message}));

            let shown = stack.get("/api/v1/log").expect(200).json();
            assert_eq!(shown["treeSize"], size);
            let same = shown["signedTreeHead"] == head["signedTreeHead"];
            assert_eq!(same, size == 4, "what was signed before is shown: {shown}");
            let entry = stack.get(&format!("{ENTRIES}?logIndex=1")).expect(200).json();
            let verification = &entry.as_object().unwrap().values().next().unwrap()["verification"];
            assert_eq!(verification["inclusionProof"]["treeSize"], size);
            assert_eq!(verification["signedEntryTimestamp"], Value::Null, "nothing is signed");
            stack.get("/tlog/rekor/tile/entries/000.p/3").expect(200);
            assert_eq!(found(stack), 3);
            // The other log has nothing to do with it.
            issue(stack).expect(200);
        });
    }
    // Without a single checkpoint to show, there are still the entries.
    let forged = format!("UPDATE checkpoints SET note = replace(note, '127', '128') WHERE {log}");
    over(&mut stack, &forged, |stack| {
        stack.get("/api/v1/log").expect(503);
        stack.get("/tlog/rekor/checkpoint").expect(503);
        stack.get("/tlog/rekor/tile/entries/000.p/4").expect(200);
        assert_eq!(found(stack), 3);
        stack.get("/healthz").expect(200);
    });
    // Put right, it goes on.
    stack.resume();
    stack.get("/readyz").expect(200);
    log_entry(&stack, b"another").expect(201);
    stack.check();
}

#[test]
fn no_certificate_is_issued_while_its_log_is_in_doubt() {
    let mut stack = Stack::start();
    let logged = chain(&issue(&stack).expect(200).json());
    add_chain(&stack, &logged).expect(200);
    let head = stack.get("/ct/dev/ct/v1/get-sth").expect(200).json();
    stack.check();
    let damage = "UPDATE bundle_parts SET root_hash = zeroblob(32)
        WHERE first_index = 1 AND log_id = (SELECT log_id FROM logs WHERE name = 'ct')";
    over(&mut stack, damage, |stack| {
        let (reason, check) = readiness(stack);
        assert!(reason.starts_with("the ct log is QUARANTINED (quarantine.edge): "), "{reason}");
        eventually("the banner", || stack.server().stdout().contains("Stop with Ctrl-C"));
        let banner = stack.server().stdout();
        assert!(banner.contains("NOT READY") && banner.contains(&reason) && !banner.contains("Paste"), "{banner}");
        check.fails_with(&["log ct"]);
        assert!(issue(stack).status >= 500, "no certificate without a logged precertificate");
        let refused = add_chain(stack, &logged).expect(503);
        assert_eq!(refused.text(), "Service Unavailable\nthe log is quarantined\n");
        let shown = stack.get("/ct/dev/ct/v1/get-sth").expect(200).json();
        assert_eq!(shown["sha256_root_hash"], head["sha256_root_hash"]);
        let checkpoint = stack.get("/ct/dev/checkpoint").expect(200).text();
        let (_, signature) = checkpoint.trim_end().rsplit_once(' ').unwrap();
        let signed = STANDARD.encode(&STANDARD.decode(signature).unwrap()[12..]);
        assert_eq!(shown["tree_head_signature"], signed, "the signature that was made then");
        assert_eq!(
            stack.get("/ct/dev/ct/v1/get-entries?start=0&end=1").expect(200).json()["entries"][1]["x"],
            Value::Null
        );
        log_entry(stack, b"another").expect(201);
    });
    stack.resume();
    issue(&stack).expect(200);
    stack.check();
}

///
#[test]
fn another_address_is_another_log() {
    let mut stack = Stack::start();
    stack.check();
    let moved = stack.chancery().args("dev --listen 127.0.0.2:0 --data").arg(stack.data()).run();
    moved.fails_with(&["cannot open the ct log", "start with the address it had"]);
}

/// what belongs together is there together, or nothing is made.
#[test]
fn keys_without_their_logs_and_logs_without_their_keys_do_not_start() {
    let mut stack = Stack::start();
    log_entry(&stack, b"artifact").expect(201);
    stack.check();
    let data = stack.data();
    let away = data.with_extension("away");
    let start = || stack.chancery().args("dev --listen 127.0.0.1:0 --data").arg(&data).run();
    for (lost, reason) in [
        ("chancery.db", "put it back"),
        ("keys/rekor.pem", "put it back"),
        ("keys", "put it back"),
        ("instance.json", "not a data directory of chancery"),
    ] {
        fs::rename(data.join(lost), &away).unwrap();
        start().fails_with(&[reason]);
        if lost == "keys" {
            fs::remove_dir_all(data.join("keys")).unwrap();
        }
        fs::rename(&away, data.join(lost)).unwrap();
    }
    // An empty database is no database.
    fs::rename(data.join("chancery.db"), &away).unwrap();
    fs::write(data.join("chancery.db"), b"").unwrap();
    start().fails_with(&["cannot open the ct log", "connect to the database it was in, or restore it"]);
    for file in ["chancery.db", "chancery.db-wal", "chancery.db-shm"] {
        let _ = fs::remove_file(data.join(file));
    }
    fs::rename(&away, data.join("chancery.db")).unwrap();
    stack.resume();
    stack.check();
}

/// B4: a read that finds a hole says so, and not only to the one who asked.
#[test]
fn a_read_that_finds_a_hole_quarantines_its_log() {
    for (name, read) in [
        ("rekor", "/api/v1/log/entries?logIndex=1"),
        ("rekor2", "/tile/entries/000.p/3"),
        ("ct", "/ct/dev/ct/v1/get-entries?start=0&end=2"),
    ] {
        // The index would read the hole first.
        let mut stack = Stack::start_with(&["--without-search"]);
        for number in 0..3 {
            log_entry(&stack, format!("artifact {number}").as_bytes()).expect(201);
            let key = Key::generate();
            let request = rekor_v2::hashedrekord(&key, format!("artifact {number}").as_bytes());
            stack.post(rekor_v2::ENTRIES, &request).expect(201);
            issue(&stack).expect(200);
        }
        stack.get(read).expect(200);
        let entry = format!("first_index = 1 AND log_id = (SELECT log_id FROM logs WHERE name = '{name}')");
        let take_away = format!(
            "CREATE TABLE kept AS SELECT * FROM bundle_parts WHERE {entry}; DELETE FROM bundle_parts WHERE {entry}"
        );
        stack.tamper(&stack.data(), &take_away);
        stack.get("/readyz").expect(200);
        stack.get(read).expect(500);
        let (reason, check) = readiness(&stack);
        let said = format!("the {name} log is QUARANTINED (quarantine.invariant): ");
        assert!(reason.starts_with(&said) && reason.contains("every index below the head has an entry"), "{reason}");
        check.fails_with(&[&format!("log {name}"), "entry 1"]);
        // The other logs have nothing to do with it.
        let refused = [
            log_entry(&stack, b"new").status,
            stack.post(rekor_v2::ENTRIES, &rekor_v2::hashedrekord(&Key::generate(), b"new")).status,
            issue(&stack).status,
        ];
        let expected = [("rekor", 201), ("rekor2", 201), ("ct", 200)];
        assert_eq!(refused, expected.map(|(other, status)| if other == name { 503 } else { status }));
        stack.kill();
        // What a start needs is gone, too.
        stack.resume();
        assert!(stack.get("/readyz").expect(503).text().starts_with(&format!("the {name} log is QUARANTINED")));
        stack.kill();
        // Put back, it goes on.
        stack.tamper(&stack.data(), "INSERT INTO bundle_parts SELECT * FROM kept");
        stack.resume();
        stack.get("/readyz").expect(200);
        stack.get(read).expect(200);
        stack.check();
    }
}

#[test]
fn a_database_from_before_the_newest_log_is_not_ready() {
    let mut stack = Stack::start();
    log_entry(&stack, b"one").expect(201);
    stack.terminate();
    let database = stack.data().join("chancery.db");
    let older = fs::read(&database).unwrap();
    stack.resume();
    let rekor = Rotated::of(&stack, "rekor");
    for step in ["stage", "activate --now"] {
        rekor.step(step).succeeds();
    }
    eventually("the next log takes entries", || log_entry(&stack, b"two").status == 201);
    stack.terminate();
    let newest = fs::read(&database).unwrap();
    fs::write(&database, older).unwrap();
    stack.resume();
    eventually("it says that the log is missing", || {
        let said = stack.get("/readyz");
        said.status == 503 && said.text().contains("this database does not have it")
    });
    assert_ne!(log_entry(&stack, b"three").status, 201);
    stack.terminate();
    fs::write(&database, newest).unwrap();
}
