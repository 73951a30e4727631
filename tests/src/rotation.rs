//! `chancery keys rotate` and what can be seen of it.

use crate::{
    Client, Person,
    client::Signer,
    program::{Outcome, Program},
    stack::Stack,
    waiting::eventually,
};
use serde_json::Value;
use std::{
    fs,
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

/// Threads that ask at the same time.
const CLIENTS: usize = 4;

/// The key of one role of an instance.
#[derive(Clone, Copy)]
pub struct Rotated<'a> {
    stack: &'a Stack,
    role: &'static str,
}

impl<'a> Rotated<'a> {
    pub const fn of(stack: &'a Stack, role: &'static str) -> Self {
        Self { stack, role }
    }

    /// `chancery keys rotate ROLE --data … STEP`.
    pub fn rotate(&self, step: &str) -> Program {
        let program = self.stack.chancery().args("keys rotate").arg(self.role);
        program.arg("--data").arg(self.stack.data()).args(step)
    }

    pub fn step(&self, text: &str) -> Outcome {
        self.rotate(text).run()
    }

    /// The keys of the role as `chancery keys list` has them.
    pub fn generations(&self) -> Vec<Value> {
        let list = self.stack.chancery().args("keys list --json --data").arg(self.stack.data()).run().succeeds();
        let list: Vec<Value> = serde_json::from_str(&list).unwrap();
        list.into_iter().filter(|key| key["role"] == self.role).collect()
    }

    pub fn states(&self) -> Vec<String> {
        self.generations().iter().map(|key| key["state"].as_str().unwrap().to_owned()).collect()
    }
}

/// Gives a replica the other one's keys, as an operator does after each step.
pub fn hand_over(from: &Stack, to: &Stack) {
    let keys = |stack: &Stack| stack.data().join("keys");
    // The ring last: what it names is there.
    for file in fs::read_dir(keys(from)).unwrap().map(|file| file.unwrap().file_name()) {
        if file != "ring.json" && file != "ring.lock" {
            let copy = Program::new("/bin/cp", &from.data()).arg("-p").arg(keys(from).join(&file));
            copy.arg(keys(to).join(&file)).run().succeeds();
        }
    }
    let new = keys(to).join("ring.json.new");
    fs::copy(keys(from).join("ring.json"), &new).unwrap();
    fs::rename(new, keys(to).join("ring.json")).unwrap();
}

/// A list of the trusted root on disk, which is what is served, but for the moment between the two.
pub fn trusted(stack: &Stack, list: &str) -> Vec<Value> {
    let served = || stack.get("/trust/trusted_root.json").expect(200).body;
    let written = || fs::read(stack.trust("trusted_root.json")).unwrap();
    eventually("what is served is what is written", || served() == written());
    let root: Value = serde_json::from_slice(&written()).unwrap();
    root[list].as_array().unwrap().clone()
}

/// Has each of `clients` sign `artifact`; returns their bundles.
pub fn sign(alice: &Person, when: &str, clients: &[Client]) -> Vec<String> {
    let name = |client: &Client| format!("{when}-{client:?}.json");
    for client in clients {
        client.sign(alice, "artifact", &name(client)).run().succeeds();
    }
    clients.iter().map(name).collect()
}

/// Has every client verify what was made by [`sign`].
pub fn verify(alice: &Person, bundles: &[String]) {
    for bundle in bundles {
        for client in Client::ALL {
            client.verify(alice, "artifact", bundle, &Signer::of(alice)).run().succeeds();
        }
    }
}

/// What clients saw who asked without a pause.
#[derive(Debug, Default)]
pub struct Load {
    /// What was answered, as `ask` says it.
    pub answered: Vec<String>,
    pub failures: Vec<String>,
}

impl Load {
    /// Nobody was refused, and both the key before and the one after have answered.
    #[track_caller]
    pub fn failed_nobody(&self, at_least: usize, keys: usize) {
        assert!(self.failures.is_empty(), "{} answered, then: {:#?}", self.answered.len(), self.failures);
        assert!(self.answered.len() >= at_least, "{} were asked for", self.answered.len());
        let mut signers = self.answered.clone();
        signers.sort();
        signers.dedup();
        assert_eq!(signers.len(), keys, "{signers:?}");
    }
}

/// Asks from several threads while `work` is done.
pub fn under_load(ask: impl Fn() -> Result<String, String> + Sync, work: impl FnOnce()) -> Load {
    let (load, stop) = (Mutex::new(Load::default()), AtomicBool::new(false));
    thread::scope(|scope| {
        for _ in 0..CLIENTS {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    let answer = ask();
                    let mut load = load.lock().unwrap();
                    match answer {
                        Ok(signer) => load.answered.push(signer),
                        Err(failure) => load.failures.push(failure),
                    }
                }
            });
        }
        // Also where it panics, so that the threads end.
        let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work));
        stop.store(true, Ordering::Relaxed);
        if let Err(panic) = done {
            std::panic::resume_unwind(panic);
        }
    });
    load.into_inner().unwrap()
}
