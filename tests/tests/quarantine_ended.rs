//! Logs whose newest state is lost are ended as the runbook says, and signing goes on in their successors: nothing that was signed
//! stops verifying, nothing is forked, and no index is given twice (B3).

use chancery_tests::{
    ALICE, Client, Person, Stack,
    client::Signer,
    key::Key,
    postgres,
    program::{Outcome, Program},
    rekor::{ENTRIES, Entry, hashedrekord},
    rekor_v2,
    waiting::eventually,
};
use serde_json::{Value, json};
use std::{fs, path::PathBuf, thread, time::Duration};

/// The logs, in the order in which the runbook ends them.
const LOGS: [&str; 3] = ["ct", "rekor", "rekor2"];
/// Signers of both versions of Rekor.
const SIGNERS: [Client; 2] = [Client::Cosign3, Client::Cosign2];
/// How long a command is left alive before it is killed, in milliseconds.
const LIVES: [u64; 4] = [0, 10, 30, 90];

/// Where the logs of an instance are kept, and a backup of them.
enum Kept {
    File { database: PathBuf, backup: PathBuf },
    Server { name: String, backup: String },
}

impl Kept {
    fn options(&self) -> Vec<String> {
        match self {
            Self::File { .. } => Vec::new(),
            Self::Server { name, .. } => vec!["--database".to_owned(), postgres::url(name)],
        }
    }

    /// Copies the database of a stopped server.
    fn back_up(&self) {
        match self {
            Self::File { database, backup } => {
                fs::copy(database, backup).unwrap();
            }
            Self::Server { name, backup } => copy(name, backup),
        }
    }

    /// Puts the copy in its place.
    fn restore(&self) {
        match self {
            Self::File { database, backup } => {
                for part in ["db-wal", "db-shm"] {
                    let _ = fs::remove_file(database.with_extension(part));
                }
                fs::copy(backup, database).unwrap();
            }
            Self::Server { name, backup } => {
                postgres::execute(None, &format!("DROP DATABASE {name} WITH (FORCE)")).unwrap();
                copy(backup, name);
            }
        }
    }
}

fn copy(from: &str, to: &str) {
    // The server may need a moment to see that the last connection has gone.
    let copied = || postgres::execute(None, &format!("CREATE DATABASE {to} TEMPLATE {from}"));
    eventually("the database is copied", || copied().is_ok());
}

fn on_sqlite() -> (Stack, Kept) {
    let stack = Stack::start();
    let database = stack.data().join("chancery.db");
    let backup = stack.data().with_extension("backup");
    (stack, Kept::File { database, backup })
}

fn on_postgres() -> (Stack, Kept) {
    let name = postgres::name();
    let backup = format!("{name}_backup");
    let kept = Kept::Server { name, backup };
    let options = kept.options();
    let options: Vec<&str> = options.iter().map(String::as_str).collect();
    (Stack::start_with(&options), kept)
}

fn sign(alice: &Person, when: &str) -> Vec<String> {
    let name = |client: &Client| format!("{when}-{client:?}.json");
    for client in SIGNERS {
        client.sign(alice, "artifact", &name(&client)).run().succeeds();
    }
    SIGNERS.iter().map(name).collect()
}

fn verify(alice: &Person, bundles: &[String]) {
    for bundle in bundles {
        for client in SIGNERS {
            client.verify(alice, "artifact", bundle, &Signer::of(alice)).run().succeeds();
        }
    }
}

fn log_entry(stack: &Stack, artifact: &str) -> Entry {
    Entry::parse(&stack.post(ENTRIES, &hashedrekord(&Key::generate(), artifact.as_bytes())).expect(201).json())
}

/// The runbook's command for this log.
fn end(stack: &Stack, kept: &Kept, log: &str) -> Program {
    let command = stack.chancery().args("log end --json --data").arg(stack.data()).arg("--log").arg(log);
    let command = kept.options().iter().fold(command, Program::arg);
    if log == "rekor2" { command.arg("--url").arg(stack.url().replace("127.0.0.1", "localhost")) } else { command }
}

fn printed(outcome: Outcome) -> Value {
    serde_json::from_str(&outcome.succeeds()).unwrap()
}

/// An instance whose database is put back below what was published. Returns what was signed before, and the sizes of the logs.
fn put_back(stack: &mut Stack, kept: &Kept, alice: &Person) -> Vec<String> {
    let mut bundles = sign(alice, "kept");
    log_entry(stack, "kept");
    stack.terminate();
    kept.back_up();
    stack.resume();
    // What is lost.
    bundles.extend(sign(alice, "lost"));
    log_entry(stack, "lost");
    stack.terminate();
    kept.restore();
    bundles
}

/// Every log is where it was ended, and the successors take what comes.
fn goes_on(stack: &Stack, alice: &Person, ended: &[Value], when: &str) -> Vec<String> {
    eventually("every role does its work", || stack.get("/readyz").status == 200);
    let bundles = sign(alice, when);
    let [ct, rekor, rekor2] = ended else { panic!("{ended:?}") };
    let sth = stack.get("/ct/dev/ct/v1/get-sth").expect(200).json();
    assert_eq!(sth["tree_size"], ct["tree_size"]);
    assert!(stack.get("/ct/dev-2/ct/v1/get-sth").expect(200).json()["tree_size"].as_u64() > Some(0));
    let info = stack.get("/api/v1/log").expect(200).json();
    let shard = &info["inactiveShards"][0];
    assert_eq!((&shard["treeSize"], &shard["rootHash"]), (&rekor["tree_size"], &rekor["root_hash"]));
    // What was kept is proven, what was lost is not there, and its indices are not given again.
    let (kept, published) = (rekor["tree_size"].as_u64().unwrap(), rekor["published_size"].as_u64().unwrap());
    stack.get(&format!("{ENTRIES}?logIndex={}", kept - 1)).expect(200);
    for index in kept..published {
        stack.get(&format!("{ENTRIES}?logIndex={index}")).expect(404);
    }
    let next = log_entry(stack, when);
    assert!(next.log_index() > published, "{} after {published}", next.log_index());
    stack.get(&format!("{ENTRIES}?logIndex={}", next.log_index())).expect(200);
    let checkpoint = stack.get("/checkpoint").expect(200).text();
    assert_eq!(checkpoint.lines().nth(1), Some(rekor2["tree_size"].to_string().as_str()));
    stack.post(rekor_v2::ENTRIES, &json!({})).expect(405);
    bundles
}

/// The whole way: QUARANTINED, the verb for each log, signing again. `interrupted` kills the verb again and again.
fn an_operator_goes_on((mut stack, kept): (Stack, Kept), is_running: bool, interrupted: bool) {
    let alice = stack.person(ALICE);
    alice.write("artifact", "hello");
    let mut bundles = put_back(&mut stack, &kept, &alice);
    if is_running {
        stack.resume();
        let said = stack.get("/readyz").expect(503).text();
        for log in LOGS {
            assert!(said.contains(&format!("the {log} log is QUARANTINED (quarantine.mark_newer)")), "{log}: {said}");
        }
        stack.post(ENTRIES, &hashedrekord(&Key::generate(), b"refused")).expect(503);
    }
    // The older state is sound in itself, and in doubt nevertheless.
    let check = stack.chancery().args("log check --data").arg(stack.data());
    let doubts = LOGS.map(|log| format!("the {log} log is QUARANTINED (quarantine."));
    let doubts = doubts.iter().map(String::as_str).chain(["quarantine.mark_newer", "ChanceryLogQuarantined"]);
    kept.options().iter().fold(check, Program::arg).run().fails_with(&doubts.collect::<Vec<_>>());
    end(&stack, &kept, "nothing").run().fails_with(&["there is no log nothing"]);
    let without = stack.chancery().args("log end --log rekor2 --data").arg(stack.data());
    kept.options().iter().fold(without, Program::arg).run().fails_with(&["--url"]);
    let mut ended = Vec::new();
    for log in LOGS {
        for life in LIVES.into_iter().filter(|_| interrupted) {
            let mut killed = end(&stack, &kept, log).start();
            thread::sleep(Duration::from_millis(life));
            killed.kill();
            killed.finish();
        }
        let command = end(&stack, &kept, log);
        let told = printed(if is_running { command.run() } else { command.args("--wait 0s").run() });
        let number = |name: &str| told[name].as_u64().unwrap();
        assert!(number("lost") > 0 && number("tree_size") + number("lost") == number("published_size"), "{told}");
        assert_eq!(told["successor"], json!({"log": format!("{log}-2"), "generation": 2, "signs": is_running}));
        // It is done once.
        assert_eq!(printed(end(&stack, &kept, log).args("--wait 0s").run())["root_hash"], told["root_hash"]);
        ended.push(told);
    }
    if !is_running {
        stack.resume();
    }
    bundles.extend(goes_on(&stack, &alice, &ended, "after"));
    verify(&alice, &bundles);
    stack.log_check();
    stack.kill();
    stack.resume();
    bundles.extend(goes_on(&stack, &alice, &ended, "restarted"));
    verify(&alice, &bundles);
    assert!(!stack.server().stderr().contains("QUARANTINED"), "{}", stack.server().stderr());
    // A log with nothing wrong is not ended.
    end(&stack, &kept, "rekor-2").run().fails_with(&["finds nothing wrong with this log"]);
    stack.check();
}

#[test]
fn while_the_server_runs_on_sqlite() {
    an_operator_goes_on(on_sqlite(), true, false);
}

#[test]
fn while_the_server_runs_on_postgres() {
    an_operator_goes_on(on_postgres(), true, true);
}

#[test]
fn while_no_server_runs_on_sqlite() {
    an_operator_goes_on(on_sqlite(), false, true);
}

#[test]
fn while_no_server_runs_on_postgres() {
    an_operator_goes_on(on_postgres(), false, false);
}

/// B2: one server that finds a fault stops the other one, and both stay stopped until it is put right.
#[test]
fn every_replica_is_quarantined() {
    let (mut first, kept) = on_postgres();
    let Kept::Server { name, .. } = &kept else { unreachable!() };
    for number in 0..3 {
        log_entry(&first, &format!("entry {number}"));
    }
    let mut second = first.replica();
    let put = |from: u64, to: u64| {
        let log = "log_id = (SELECT log_id FROM logs WHERE name = 'rekor')";
        let sql = format!(
            "ALTER TABLE bundle_parts DISABLE TRIGGER USER; \
             UPDATE bundle_parts SET first_index = {to} WHERE first_index = {from} AND {log}; \
             ALTER TABLE bundle_parts ENABLE TRIGGER USER"
        );
        postgres::execute(Some(name), &sql).unwrap();
    };
    put(1, 1000);
    first.get(&format!("{ENTRIES}?logIndex=1")).expect(500);
    for stack in [&first, &second] {
        eventually("it is quarantined", || stack.get("/readyz").status == 503);
        let said = stack.get("/readyz").expect(503).text();
        assert!(said.starts_with("the rekor log is QUARANTINED"), "{said}");
        stack.post(ENTRIES, &hashedrekord(&Key::generate(), b"new")).expect(503);
    }
    second.kill();
    second.resume();
    assert!(second.get("/readyz").expect(503).text().starts_with("the rekor log is QUARANTINED"));
    second.kill();
    first.kill();
    put(1000, 1);
    for stack in [&mut first, &mut second] {
        stack.resume();
        stack.get("/readyz").expect(200);
        log_entry(stack, &stack.url());
    }
    second.terminate();
    first.check();
    second.check();
}
