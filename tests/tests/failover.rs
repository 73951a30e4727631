//! The database fails over to its standby while two servers that are killed in turn take entries.
//!
//! Where commits wait for the standby, nothing that was acknowledged is lost. Where they do not, what the standby never had is lost:
//! then the logs are quarantined, and no tree head is signed twice.
//!
//! `CHANCERY_RACE_SECONDS` says for how long entries are taken; a quarter of a minute where it does not.

use chancery_tests::{
    Stack,
    http::Response,
    key::{Key, PublicKey, unique},
    pair::{Pair, Replication},
    program::Program,
    rekor::{ENTRIES, Entry, hashedrekord},
    rekor_v2,
    told::{Told, race},
    waiting::eventually,
};
use std::{
    env, fs,
    path::Path,
    thread,
    time::{Duration, Instant},
};

/// Of so many entries that were acknowledged one is asked for by its id.
const ASKED: usize = 16;
/// What a log in doubt says of the database.
const OTHER_TIMELINE: &str = "the database was on timeline 1 and is now on 2: a standby was promoted";
/// Longest until a server that does not know that something is missing hears of it from the one that does: it waits that long
/// before it adds anything, and the machine is busy.
const HEARD: Duration = Duration::from_secs(30);

fn time() -> Duration {
    Duration::from_secs(env::var("CHANCERY_RACE_SECONDS").map_or(15, |seconds| seconds.parse().unwrap()))
}

fn log_entry(stack: &Stack) -> Response {
    stack.post(ENTRIES, &hashedrekord(&Key::generate(), unique("artifact").as_bytes()))
}

fn log_entry_v2(stack: &Stack) -> Response {
    stack.post(rekor_v2::ENTRIES, &rekor_v2::hashedrekord(&Key::generate(), unique("artifact").as_bytes()))
}

/// Two servers over the database, whose logs have entries of both.
fn replicas(pair: &Pair) -> [Stack; 2] {
    let one = Stack::start_with(&["--database", &pair.url()]);
    let two = one.replica();
    for stack in [&one, &two] {
        log_entry(stack).expect(201);
        log_entry_v2(stack).expect(201);
    }
    [one, two]
}

/// Has both take entries while they are killed in turn, and the database fail over once. Returns how many entries of Rekor v1
/// were acknowledged before.
fn race_over(pair: &Pair, replicas: &mut [Stack; 2], told: &Told) -> usize {
    let (time, mut before) = (time(), None);
    let kills = race(replicas, told, time, |passed| {
        if before.is_none() && passed > time / 3 {
            before = Some(told.entries.lock().unwrap().len());
            pair.fail_over();
        }
    });
    let before = before.expect("it failed over");
    let (entries, entries_v2) = (told.entries.lock().unwrap().len(), told.entries_v2.lock().unwrap().len());
    let seen = told.checkpoints.lock().unwrap().len();
    eprintln!(
        "{kills} kills, {before} of {entries} entries acknowledged before, {entries_v2} of v2, {seen} checkpoints"
    );
    assert!(kills >= 4 && before >= 10 && entries_v2 >= 3, "{kills} kills, {before} and {entries_v2} entries");
    before
}

#[test]
fn a_failover_to_a_synchronous_standby_loses_nothing() {
    let pair = Pair::start(Replication::Synchronous);
    let (mut replicas, told) = (replicas(&pair), Told::without_database());
    let before = race_over(&pair, &mut replicas, &told);
    for replica in &replicas {
        eventually("it is ready", || replica.get("/readyz").status == 200);
        eventually("it takes entries", || log_entry(replica).status == 201);
        eventually("it takes entries of v2", || log_entry_v2(replica).status == 201);
        let said = replica.server().stderr();
        assert!(!said.contains("QUARANTINED"), "{said}");
    }
    // They have waited once, and not again with each start.
    race(&mut replicas, &told, time() / 3, |_| ());
    assert!(told.entries.lock().unwrap().len() > before, "entries were acknowledged after it, too");
    for replica in &replicas {
        eventually("it takes entries", || log_entry(replica).status == 201);
    }
    told.is_one_history(&replicas[0]);
    let key = PublicKey::from_pem(&fs::read_to_string(replicas[0].trust("rekor.pub")).unwrap());
    for replica in &mut replicas {
        told.check(replica);
        told.check_v2(replica);
        for entry in told.entries.lock().unwrap().iter().step_by(ASKED) {
            let read = Entry::parse(&replica.get(&format!("{ENTRIES}/{}", entry.id)).expect(200).json());
            read.verify(&key);
            assert_eq!((read.body(), read.log_index()), (entry.body(), entry.log_index()));
        }
        replica.check();
    }
}

/// It says so, and what has changed about the database, and takes nothing.
fn is_quarantined(stack: &Stack) {
    let said = || stack.get("/readyz").text();
    let says_all = || said().contains("QUARANTINED") && said().contains(OTHER_TIMELINE);
    eventually("it is quarantined and says why", says_all);
    stack.get("/readyz").expect(503);
    log_entry(stack).expect(503);
}

/// What the runbook says: the logs are ended with the data of the first server, and both go on with that.
fn go_on(pair: &Pair, [first, second]: &mut [Stack; 2], logs: &[&str]) {
    for log in logs {
        // A server adds nothing for twenty seconds after a failover.
        let end = first.chancery().args("log end --json --wait 40s --data").arg(first.data()).args("--log").arg(log);
        let end = end.arg("--database").arg(pair.url());
        let next = first.url().replace("127.0.0.1", "localhost");
        let end = if *log == "rekor2" { end.arg("--url").arg(next) } else { end };
        end.run().succeeds();
    }
    eventually("every role does its work", || first.get("/readyz").status == 200);
    log_entry(first).expect(201);
    first.terminate();
    second.kill();
    fs::remove_dir_all(second.data()).unwrap();
    let copy = Program::new("/bin/cp", Path::new("/")).args("-a -T");
    copy.arg(first.data()).arg(second.data()).run().succeeds();
    for stack in [&mut *first, &mut *second] {
        stack.resume();
        eventually("every role does its work", || stack.get("/readyz").status == 200);
        log_entry(stack).expect(201);
    }
    first.check();
    second.check();
}

#[test]
fn a_failover_to_a_standby_that_lags_quarantines_and_forks_nothing() {
    let pair = Pair::start(Replication::Asynchronous);
    let (mut replicas, told) = (replicas(&pair), Told::without_database());
    pair.lag();
    race_over(&pair, &mut replicas, &told);
    for replica in &replicas {
        is_quarantined(replica);
        log_entry_v2(replica).expect(503);
        told.look(&replica.url());
    }
    for replica in &mut replicas {
        replica.kill();
    }
    for replica in &mut replicas {
        replica.resume();
        is_quarantined(replica);
        log_entry_v2(replica).expect(503);
        told.look(&replica.url());
    }
    told.is_one_history(&replicas[0]);
    go_on(&pair, &mut replicas, &["rekor", "rekor2"]);
}

/// One server has acknowledged what the standby never had, and the other one knows nothing of that: for it nothing is missing.
#[test]
fn a_server_that_has_not_seen_what_was_lost_waits_for_the_one_that_has() {
    let pair = Pair::start(Replication::Asynchronous);
    let mut replicas = replicas(&pair);
    pair.lag();
    log_entry(&replicas[0]).expect(201);
    pair.fail_over();
    let begun = Instant::now();
    while !replicas[1].get("/readyz").text().contains("QUARANTINED") {
        let answer = log_entry(&replicas[1]);
        assert_eq!(answer.status, 503, "it may add nothing: {}", answer.text());
        assert!(begun.elapsed() < HEARD, "{}", replicas[1].get("/readyz?verbose").text());
        thread::sleep(Duration::from_millis(20));
    }
    for replica in &mut replicas {
        is_quarantined(replica);
        replica.kill();
        replica.resume();
        is_quarantined(replica);
    }
    go_on(&pair, &mut replicas, &["rekor"]);
}
