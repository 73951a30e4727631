//! Two servers over one PostgreSQL database, killed and started again in turn while they take entries.
//!
//! `CHANCERY_RACE_SECONDS` says for how long; a minute where it does not.

use chancery_tests::{
    Stack,
    http::Request,
    key::{Key, PublicKey, unique},
    postgres,
    rekor::{Checkpoint, ENTRIES, Entry, hash, hashedrekord, leaves},
    rekor_v2, tree,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    env, fs,
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

const WRITERS_PER_REPLICA: usize = 3;
/// One in so many answers has every signature and hash in it checked.
const CHECKED: usize = 16;

/// What both servers said while they could.
#[derive(Default)]
struct Told {
    entries: Mutex<Vec<Entry>>,
    entries_v2: Mutex<Vec<rekor_v2::Entry>>,
    checkpoints: Mutex<BTreeSet<String>>,
    done: AtomicBool,
}

impl Told {
    /// Sends entries to one server, and what it did not answer to the other one: there it is, or it is not, but never
    /// twice.
    fn write(&self, urls: [&str; 2]) {
        let key = Key::generate();
        while !self.done.load(Ordering::Relaxed) {
            let proposal = hashedrekord(&key, unique("artifact").as_bytes());
            for url in urls {
                let Ok(answer) = Request::post(&format!("{url}{ENTRIES}")).json(&proposal).try_send() else { continue };
                match answer.status {
                    201 => self.entries.lock().unwrap().push(Entry::parse(&answer.json())),
                    409 => assert!(answer.header("location").is_some()),
                    503 => thread::sleep(Duration::from_millis(20)),
                    status => panic!("{status}: {}", answer.text()),
                }
            }
        }
    }

    /// The same with the Rekor v2 log.
    fn write_v2(&self, urls: [&str; 2]) {
        let key = Key::generate();
        while !self.done.load(Ordering::Relaxed) {
            let request = rekor_v2::hashedrekord(&key, unique("artifact").as_bytes());
            for url in urls {
                let Ok(answer) = Request::post(&format!("{url}{}", rekor_v2::ENTRIES)).json(&request).try_send() else {
                    continue;
                };
                match answer.status {
                    201 => self.entries_v2.lock().unwrap().push(rekor_v2::Entry(answer.json())),
                    409 => assert!(answer.header("x-log-index").is_some()),
                    503 => thread::sleep(Duration::from_millis(20)),
                    status => panic!("{status}: {}", answer.text()),
                }
            }
        }
    }

    /// Reads checkpoints as an auditor does.
    fn audit(&self, url: &str) {
        while !self.done.load(Ordering::Relaxed) {
            if let Ok(answer) = Request::get(&format!("{url}/tlog/rekor/checkpoint")).try_send() {
                self.checkpoints.lock().unwrap().insert(answer.expect(200).text());
            }
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// Everything the Rekor v2 log has acknowledged is where it was said to be, once.
    fn check_v2(&self, stack: &Stack) {
        let key = rekor_v2::key(stack);
        let newest = Checkpoint::open(&stack.get("/checkpoint").expect(200).text(), &key);
        let logged = leaves(newest.size, |path| stack.get(&format!("/{path}")).expect(200).body);
        assert_eq!(logged.iter().collect::<BTreeSet<_>>().len(), logged.len(), "nothing is logged twice");
        for (number, entry) in self.entries_v2.lock().unwrap().iter().enumerate() {
            assert_eq!(logged[usize::try_from(entry.log_index()).unwrap()], entry.body());
            if number % CHECKED == 0 {
                entry.verify(&key);
            }
        }
    }

    /// Everything acknowledged is where it was said to be, and every checkpoint ever seen is of a prefix.
    fn check(&self, stack: &Stack) {
        let key = PublicKey::from_pem(&fs::read_to_string(stack.trust("rekor.pub")).unwrap());
        let head = stack.get("/tlog/rekor/checkpoint").expect(200).text();
        let newest = Checkpoint::open(&head, &key);
        let logged = leaves(newest.size, |path| stack.get(&format!("/tlog/rekor/{path}")).expect(200).body);
        assert_eq!(logged.iter().collect::<BTreeSet<_>>().len(), logged.len(), "nothing is logged twice");
        let mut indices = BTreeMap::new();
        for (number, entry) in self.entries.lock().unwrap().iter().enumerate() {
            let index = usize::try_from(entry.log_index()).unwrap();
            assert_eq!(logged[index], entry.body(), "entry {index} is what was acknowledged");
            assert_eq!(indices.insert(index, entry.id.clone()), None, "no index was given twice");
            if number % CHECKED == 0 {
                entry.verify(&key);
            }
        }
        for note in self.checkpoints.lock().unwrap().iter() {
            let seen = Checkpoint::open(note, &key);
            let path = format!("/api/v1/log/proof?firstSize={}&lastSize={}", seen.size, newest.size);
            let proof = stack.get(&path).expect(200).json();
            let hashes: Vec<tree::Hash> = proof["hashes"].as_array().unwrap().iter().map(hash).collect();
            let consistent = tree::is_consistent(seen.size, &seen.root, newest.size, &newest.root, &hashes);
            assert!(consistent, "{seen:?} {newest:?}");
        }
    }
}

fn race(replicas: &mut [Stack; 2], told: &Told, time: Duration) -> u32 {
    let urls = [replicas[0].url(), replicas[1].url()];
    thread::scope(|scope| {
        for (first, second) in [(&urls[0], &urls[1]), (&urls[1], &urls[0])] {
            for _ in 0..WRITERS_PER_REPLICA {
                scope.spawn(|| told.write([first, second]));
            }
            scope.spawn(|| told.write_v2([first, second]));
            scope.spawn(|| told.audit(first));
        }
        let begun = Instant::now();
        let mut kills = 0;
        while begun.elapsed() < time {
            // Never the same moment, and sometimes both.
            thread::sleep(Duration::from_millis(400 + u64::from(kills * 137 % 900)));
            let next = usize::from(kills % 2 == 1);
            replicas[next].kill();
            if kills % 5 == 4 {
                replicas[1 - next].kill();
                replicas[1 - next].resume();
            }
            replicas[next].resume();
            kills += 1;
        }
        told.done.store(true, Ordering::Relaxed);
        kills
    })
}

#[test]
fn two_replicas_that_are_killed_in_turn_write_one_history() {
    let seconds = env::var("CHANCERY_RACE_SECONDS").map_or(60, |seconds| seconds.parse().unwrap());
    let one = Stack::start_with(&["--database", &postgres::database()]);
    let two = one.replica();
    let mut replicas = [one, two];
    let told = Told::default();
    let kills = race(&mut replicas, &told, Duration::from_secs(seconds));
    for replica in &replicas {
        replica.get("/readyz").expect(200);
        told.check(replica);
        told.check_v2(replica);
    }
    let (entries, seen) = (told.entries.lock().unwrap().len(), told.checkpoints.lock().unwrap().len());
    let entries_v2 = told.entries_v2.lock().unwrap().len();
    eprintln!("{kills} kills, {entries} and {entries_v2} entries acknowledged, {seen} checkpoints seen");
    assert!(kills >= 4 && entries >= 100 && entries_v2 >= 30, "{kills} kills, {entries} and {entries_v2} entries");
    for replica in &mut replicas {
        replica.check();
    }
}
