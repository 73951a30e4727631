//! What somebody could do who holds a mirror of the repository but none of its keys (S-37): clients of every
//! implementation refuse it, and go on when the mirror is honest again.

use chancery_tests::{
    ALICE, Person, Stack,
    client::{Signer, with_signer},
    key::Key,
    person::client,
    program::Outcome,
    stack::chancery_binary,
    tuf::TufRepository,
};
use serde_json::{Value, json};
use std::fs;

/// Somebody who follows the mirror with python-tuf, with cosign of two ages and with this program.
struct Follower {
    alice: Person,
    tuf: TufRepository,
}

const COSIGNS: [&str; 2] = ["cosign3", "cosign25"];

impl Follower {
    fn new(stack: &Stack) -> Self {
        let alice = stack.person(ALICE);
        alice.write("artifact", "hello");
        let tuf = TufRepository::start(&alice);
        alice.write("first-root.json", fs::read(&tuf.root).unwrap());
        let follower = Self { alice, tuf };
        for name in COSIGNS {
            follower.initialize(name, "", "first-root.json").succeeds();
        }
        let sign = follower.cosign("cosign3", "").args("sign-blob --yes --identity-token").arg(follower.alice.token());
        sign.args("--bundle bundle.json artifact").run().succeeds();
        follower
    }

    fn cosign(&self, name: &str, state: &str) -> chancery_tests::program::Program {
        let program = self.alice.program(client(&format!("bin/{name}")));
        program.env("TUF_ROOT", self.alice.path(&format!("tuf-{name}{state}")))
    }

    fn initialize(&self, name: &str, state: &str, root: &str) -> Outcome {
        self.cosign(name, state).args("initialize --mirror").arg(&self.tuf.mirror).arg("--root").arg(root).run()
    }

    /// `chancery verify`, with a cache in this directory. What it has fetched would serve for a day: it must ask again.
    fn chancery(&self, cache: &str) -> Outcome {
        let cache = self.alice.path(cache);
        for kept in fs::read_dir(cache.join("chancery/tuf")).into_iter().flatten() {
            drop(fs::remove_file(kept.unwrap().path().join("kept.json")));
        }
        let program = self.alice.program(chancery_binary()).env("XDG_CACHE_HOME", &cache);
        let program = program.args("verify blob artifact --bundle bundle.json --tuf-root first-root.json --tuf-url");
        with_signer(program.arg(&self.tuf.mirror), &Signer::of(&self.alice)).run()
    }

    /// Everyone who has followed the mirror so far, asked to follow it now.
    fn follow(&self) -> Vec<(&'static str, Outcome)> {
        let signer = Signer::of(&self.alice);
        let verify = with_signer(self.cosign("cosign3", "").arg("verify-blob"), &signer);
        let verify = verify.args("--bundle bundle.json artifact").run();
        vec![
            ("python-tuf", self.tuf.follow(&self.alice, "python-tuf")),
            ("cosign3", verify),
            // It does not look for news on its own before what it has expires.
            ("cosign25", self.initialize("cosign25", "", "first-root.json")),
            ("chancery", self.chancery("cache")),
        ]
    }

    fn all_accept(&self) {
        for (_, outcome) in self.follow() {
            outcome.succeeds();
        }
    }

    fn all_refuse(&self, what: &str) {
        for (name, outcome) in self.follow() {
            assert!(!outcome.status.success(), "{name} accepts {what}:\n{}", outcome.report());
        }
    }

    fn read(&self, name: &str) -> Value {
        serde_json::from_slice(&fs::read(self.tuf.directory.join(name)).unwrap()).unwrap()
    }

    fn write(&self, name: &str, contents: &Value) {
        fs::write(self.tuf.directory.join(name), contents.to_string()).unwrap();
    }
}

fn trust(stack: &Stack, verb: &str) {
    stack.chancery().arg("trust").args(verb).arg("--data").arg(stack.data()).run().succeeds();
}

#[test]
fn a_mirror_without_keys_deceives_nobody() {
    let stack = Stack::start();
    let follower = Follower::new(&stack);
    let old = fs::read(follower.tuf.directory.join("timestamp.json")).unwrap();
    for _ in 0..2 {
        trust(&stack, "renew");
    }
    follower.tuf.copy_again();
    follower.all_accept();

    let in_mirror = |name: &str| follower.tuf.directory.join(name);
    let attacks: [(&str, &dyn Fn()); 6] = [
        ("an old timestamp", &|| fs::write(in_mirror("timestamp.json"), &old).unwrap()),
        ("a timestamp that lasts longer", &|| {
            let mut changed = follower.read("timestamp.json");
            changed["signed"]["version"] = json!(99);
            changed["signed"]["expires"] = json!("2099-01-01T00:00:00Z");
            follower.write("timestamp.json", &changed);
        }),
        ("a timestamp signed by a stranger", &|| {
            let mut changed = follower.read("timestamp.json");
            changed["signed"]["version"] = json!(99);
            changed["signatures"][0]["sig"] = json!(hex::encode(Key::generate().sign(b"whatever")));
            follower.write("timestamp.json", &changed);
        }),
        ("a root without a threshold", &|| {
            let mut changed = follower.read("3.root.json");
            changed["signed"]["version"] = json!(4);
            changed["signed"]["roles"]["root"]["threshold"] = json!(0);
            changed["signatures"] = json!([]);
            follower.write("4.root.json", &changed);
        }),
        ("the same root under another number", &|| {
            fs::copy(in_mirror("3.root.json"), in_mirror("4.root.json")).unwrap();
        }),
        ("a root that is no root", &|| fs::write(in_mirror("4.root.json"), "{}").unwrap()),
    ];
    for (what, attack) in attacks {
        attack();
        follower.all_refuse(what);
        follower.tuf.copy_again();
        follower.all_accept();
    }
}

#[test]
fn other_targets_than_were_signed_are_refused() {
    let stack = Stack::start();
    let follower = Follower::new(&stack);
    trust(&stack, "renew");
    for change in ["hullo", "longer", ""] {
        follower.tuf.copy_again();
        let targets = fs::read_dir(follower.tuf.directory.join("targets")).unwrap();
        for path in targets.map(|entry| entry.unwrap().path()) {
            let mut contents = fs::read(&path).unwrap();
            match change {
                "longer" => contents.extend([b'\n'; 100]),
                "" => contents.clear(),
                _ => *contents.last_mut().unwrap() = b'x',
            }
            fs::write(path, contents).unwrap();
        }
        follower.alice.write("first-root.json", fs::read(&follower.tuf.root).unwrap());
        let newcomer = format!("-new-{change}");
        assert!(!follower.tuf.follow(&follower.alice, &newcomer).status.success(), "python-tuf accepts {change:?}");
        for name in COSIGNS {
            let outcome = follower.initialize(name, &newcomer, "first-root.json");
            assert!(!outcome.status.success(), "{name} accepts {change:?}:\n{}", outcome.report());
        }
        let outcome = follower.chancery(&format!("cache{newcomer}"));
        assert!(!outcome.status.success(), "chancery accepts {change:?}:\n{}", outcome.report());
    }
}

#[test]
fn who_is_kept_from_a_root_does_not_believe_its_keys() {
    let stack = Stack::start();
    let follower = Follower::new(&stack);
    trust(&stack, "rotate --role timestamp");
    trust(&stack, "rotate --role root");
    // Without the old key the newest timestamp is signed by the new one alone.
    trust(&stack, "renew --role timestamp");
    fs::remove_file(stack.data().join("keys/tuf-timestamp.pem")).unwrap();
    trust(&stack, "renew --role timestamp");
    follower.tuf.copy_again();
    fs::remove_file(follower.tuf.directory.join("2.root.json")).unwrap();
    follower.all_refuse("a chain of roots with a gap");
    follower.tuf.copy_again();
    follower.all_accept();
}

#[test]
fn one_person_who_signs_twice_is_one_person() {
    let stack = Stack::start();
    let follower = Follower::new(&stack);
    let run = |line: &str| follower.alice.program(chancery_binary()).args(line).run().succeeds();
    for name in ["a", "b"] {
        run(&format!("keys generate --unencrypted --out {name}.pem --public-key {name}.pub"));
    }
    let data = stack.data();
    let data = data.display();
    let keys = "--root-key a.pub --root-key b.pub --root-threshold 2";
    run(&format!("trust metadata export --data {data} --role root {keys} --out 2.json"));
    let key = |name: &str| format!("file:{}", follower.alice.path(&format!("{name}.pem")).display());
    for name in ["a", "b"] {
        run(&format!("trust metadata sign 2.json --key {}", key(name)));
    }
    run(&format!("trust metadata import --data {data} 2.json"));
    follower.tuf.copy_again();
    follower.all_accept();
    run(&format!("trust metadata export --data {data} --role root --out 3.json"));
    run(&format!("trust metadata sign 3.json --key {}", key("a")));
    let mut forged: Value = serde_json::from_slice(&follower.alice.read("3.json")).unwrap();
    let signature = forged["signatures"][0].clone();
    forged["signatures"].as_array_mut().unwrap().push(signature.clone());
    follower.write("3.root.json", &forged);
    follower.all_refuse("a root that one of two has signed twice");
    // And to our own importer, twice or under the other's name.
    let import = |contents: &Value, said: &str| {
        follower.alice.write("forged.json", contents.to_string());
        let line = format!("trust metadata import --data {data} forged.json");
        follower.alice.program(chancery_binary()).args(&line).run().fails_with(&[said]);
    };
    import(&forged, "signed it twice");
    let mut other = forged["signed"]["roles"]["root"]["keyids"].as_array().unwrap().iter();
    let other = other.find(|id| **id != signature["keyid"]).unwrap().clone();
    forged["signatures"][1]["keyid"] = other;
    import(&forged, "could be made here: 1 of 2");
    stack.get("/tuf/3.root.json").expect(404);
}
