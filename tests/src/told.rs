//! Two servers over one database that are killed in turn while they take entries, and what both said while they could.

use crate::{
    Stack,
    http::{Request, Response},
    key::{Key, PublicKey, unique},
    rekor::{Checkpoint, ENTRIES, Entry, hash, hashedrekord, leaves},
    rekor_v2, tree,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
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
pub struct Told {
    pub entries: Mutex<Vec<Entry>>,
    pub entries_v2: Mutex<Vec<rekor_v2::Entry>>,
    /// Notes of the Rekor v1 log.
    pub checkpoints: Mutex<BTreeSet<String>>,
    /// Notes of the Rekor v2 log.
    pub checkpoints_v2: Mutex<BTreeSet<String>>,
    /// Whether the database goes away: then a server may say that it cannot be read at the moment.
    without_database: bool,
    done: AtomicBool,
}

impl Told {
    /// Nothing yet, by servers whose database goes away in between.
    pub fn without_database() -> Self {
        Self { without_database: true, ..Self::default() }
    }

    /// What is neither an entry nor a duplicate: a server that cannot do it now says so.
    fn refused(answer: &Response) {
        assert_eq!(answer.status, 503, "{}", answer.text());
        thread::sleep(Duration::from_millis(20));
    }

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
                    _ => Self::refused(&answer),
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
                    _ => Self::refused(&answer),
                }
            }
        }
    }

    /// Reads checkpoints as an auditor does.
    fn audit(&self, url: &str) {
        while !self.done.load(Ordering::Relaxed) {
            self.look(url);
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// Reads the checkpoints of both logs once.
    pub fn look(&self, url: &str) {
        for (path, seen) in [("/tlog/rekor/checkpoint", &self.checkpoints), ("/checkpoint", &self.checkpoints_v2)] {
            let Ok(answer) = Request::get(&format!("{url}{path}")).try_send() else { continue };
            if answer.status == 200 || !self.without_database {
                seen.lock().unwrap().insert(answer.expect(200).text());
            } else {
                Self::refused(&answer);
            }
        }
    }

    /// Everything the Rekor v2 log has acknowledged is where it was said to be, once.
    pub fn check_v2(&self, stack: &Stack) {
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
    pub fn check(&self, stack: &Stack) {
        let key = rekor_key(stack);
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

    /// No two of all the checkpoints that were ever seen are of one size and different trees.
    pub fn is_one_history(&self, stack: &Stack) {
        let (key, key_v2) = (rekor_key(stack), rekor_v2::key(stack));
        let notes = |seen: &Mutex<BTreeSet<String>>| seen.lock().unwrap().iter().cloned().collect::<Vec<_>>();
        let mut v1 = notes(&self.checkpoints);
        v1.extend(self.entries.lock().unwrap().iter().map(Entry::checkpoint));
        let mut v2 = notes(&self.checkpoints_v2);
        v2.extend(self.entries_v2.lock().unwrap().iter().map(rekor_v2::Entry::checkpoint));
        for (notes, key) in [(v1, key), (v2, key_v2)] {
            let mut roots = BTreeMap::new();
            for note in notes {
                let seen = Checkpoint::open(&note, &key);
                let known = *roots.entry((seen.origin.clone(), seen.size)).or_insert(seen.root);
                assert_eq!(known, seen.root, "two trees of {} leaves: {note}", seen.size);
            }
        }
    }
}

fn rekor_key(stack: &Stack) -> PublicKey {
    PublicKey::from_pem(&fs::read_to_string(stack.trust("rekor.pub")).unwrap())
}

/// Has both servers take entries for this time, and kills and starts them in turn. Between two kills `meanwhile` is called
/// with the time that has passed. Returns how often one was killed.
pub fn race(replicas: &mut [Stack; 2], told: &Told, time: Duration, mut meanwhile: impl FnMut(Duration)) -> u32 {
    let urls = [replicas[0].url(), replicas[1].url()];
    told.done.store(false, Ordering::Relaxed);
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
            meanwhile(begun.elapsed());
        }
        told.done.store(true, Ordering::Relaxed);
        kills
    })
}
