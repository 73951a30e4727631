//! A generation of a key is published when clients can fetch it; and one that was retired does not come back, whatever is lost.

use chancery_tests::{
    Stack,
    program::{Outcome, Program},
    rotation::{Rotated, trusted},
    stack::chancery_binary,
    waiting::eventually,
};
use serde_json::Value;
use std::{
    fs,
    path::{Path, PathBuf},
};
use tempfile::TempDir;

fn ca(stack: &Stack) -> Rotated<'_> {
    Rotated::of(stack, "ca")
}

/// The holder of the targets key, whose machine is another one.
struct Holder(TempDir);

impl Holder {
    /// Makes the key, and has the TUF repository of `stack` know it instead of its own.
    fn take_over(stack: &Stack) -> Self {
        let holder = Self(TempDir::new().unwrap());
        holder.run("keys generate --unencrypted --out a.pem --public-key a.pub").succeeds();
        holder.on(stack, "export --role root --targets-key a.pub --out root.json").succeeds();
        holder.on(stack, "export --role targets --out first.json").succeeds();
        holder.sign("first.json");
        holder.on(stack, "import root.json first.json").succeeds();
        fs::remove_file(stack.data().join("keys/tuf-targets.pem")).unwrap();
        holder
    }

    fn run(&self, line: &str) -> Outcome {
        Program::new(chancery_binary(), self.0.path()).args(line).run()
    }

    /// `chancery trust metadata …` on the data of `stack`.
    fn on(&self, stack: &Stack, line: &str) -> Outcome {
        let program = Program::new(chancery_binary(), self.0.path()).args("trust metadata").args(line);
        program.arg("--data").arg(stack.data()).run()
    }

    fn sign(&self, file: &str) {
        let key = format!("file:{}", self.0.path().join("a.pem").display());
        let sign = Program::new(chancery_binary(), self.0.path()).args("trust metadata sign").arg(file);
        sign.arg("--key").arg(key).run().succeeds();
    }

    /// Signs the trust files that wait for it.
    fn publish(&self, stack: &Stack, file: &str) {
        self.on(stack, &format!("export --role targets --out {file}")).succeeds();
        self.sign(file);
        self.on(stack, &format!("import {file}")).succeeds();
    }
}

/// The trusted root that TUF clients get.
fn served_root(stack: &Stack) -> String {
    let get = |path: &str| stack.get(&format!("/tuf/{path}")).expect(200);
    let version = |document: &Value, name: &str| document["signed"]["meta"][name]["version"].as_u64().unwrap();
    let timestamp = get("timestamp.json").json();
    let snapshot = get(&format!("{}.snapshot.json", version(&timestamp, "snapshot.json"))).json();
    let targets = get(&format!("{}.targets.json", version(&snapshot, "targets.json"))).json();
    let hash = targets["signed"]["targets"]["trusted_root.json"]["hashes"]["sha256"].as_str().unwrap();
    get(&format!("targets/{hash}.trusted_root.json")).text()
}

fn published(stack: &Stack, generation: usize) -> bool {
    ca(stack).generations()[generation - 1]["published_at_seconds"].is_u64()
}

#[test]
fn a_key_whose_trust_material_waits_for_signatures_is_not_published() {
    let mut stack = Stack::start();
    let holder = Holder::take_over(&stack);
    let said = ca(&stack).step("stage").succeeds();
    assert!(said.contains("it is not published yet: ") && said.contains("chancery trust metadata export"), "{said}");
    assert_eq!(trusted(&stack, "certificateAuthorities").len(), 2, "the file that no TUF client sees has it");
    let refused = ["clients cannot fetch generation 2 yet", "wait for signatures of the TUF targets keys", "--now"];
    ca(&stack).step("activate --overlap 0s").fails_with(&refused);
    let list = stack.chancery().args("keys list --data").arg(stack.data()).run().succeeds();
    assert!(list.contains("not published yet: the new trust files wait for signatures"), "{list}");
    // A restart does not make it published either, and forgets nothing.
    stack.terminate();
    stack.resume();
    eventually("the reason is known again", || {
        let refused = ca(&stack).step("activate --overlap 0s");
        refused.written().contains("wait for signatures")
    });
    assert!(!published(&stack, 2));
    assert!(!served_root(&stack).contains("intermediate G2"));

    holder.publish(&stack, "second.json");
    eventually("the key is published", || published(&stack, 2));
    assert!(served_root(&stack).contains("intermediate G2"));
    // From now on the overlap counts.
    ca(&stack).step("activate").fails_with(&["may be activated from 20", "--overlap"]);
    ca(&stack).step("activate --overlap 0s").succeeds();
    ca(&stack).step("retire").succeeds();
    // The next one, which cannot wait.
    ca(&stack).step("stage").succeeds();
    let said = ca(&stack).step("activate --now").succeeds();
    assert!(said.contains("warning: no client can fetch generation 3 yet: "), "{said}");
    assert!(said.contains("refuse every signature with a certificate that is issued from now on"), "{said}");
    assert!(!published(&stack, 3) && ca(&stack).generations()[2]["signing"] == true);
    holder.publish(&stack, "third.json");
    eventually("the key is published", || published(&stack, 3));
}

#[test]
fn a_rotation_goes_on_if_what_the_server_had_done_is_lost() {
    let mut stack = Stack::start();
    for step in ["stage", "activate --overlap 0s"] {
        ca(&stack).step(step).succeeds();
    }
    stack.terminate();
    take(&stack.data(), &["served.json"]);
    stack.resume();
    eventually("it is known that the old key signs no more", || ca(&stack).step("retire").status.success());
    eventually("what is published is known again", || published(&stack, 2));
}

fn take(from: &Path, names: &[&str]) -> Vec<(PathBuf, Vec<u8>)> {
    let take = |name: &&str| {
        let path = from.join(name);
        let contents = fs::read(&path).unwrap();
        fs::remove_file(&path).unwrap();
        (path, contents)
    };
    names.iter().map(take).collect()
}

fn put_back(files: Vec<(PathBuf, Vec<u8>)>) {
    for (path, contents) in files {
        fs::write(path, contents).unwrap();
    }
}

#[test]
fn a_stolen_key_does_not_come_back_with_a_lost_file() {
    let mut stack = Stack::start();
    for step in ["stage", "activate --overlap 0s", "retire"] {
        ca(&stack).step(step).succeeds();
    }
    let ends = |stack: &Stack| {
        let authorities = trusted(stack, "certificateAuthorities");
        authorities.iter().filter(|authority| authority["validFor"]["end"].is_string()).count()
    };
    eventually("the end is published", || ends(&stack) == 1 && served_root(&stack).contains("\"end\""));
    eventually("the server has recorded it", || {
        fs::read_to_string(stack.data().join("served.json")).unwrap().contains("retired")
    });

    // While the server runs.
    let ring = take(&stack.data(), &["keys/ring.json"]);
    let metadata = stack.get("/tuf/timestamp.json").expect(200).body;
    eventually("the server says so", || {
        stack.server().stderr().contains("keys/ring.json is missing, and a data directory")
    });
    ca(&stack).step("stage").fails_with(&["keys/ring.json is missing", "served.json has it"]);
    assert_eq!((ends(&stack), stack.get("/tuf/timestamp.json").expect(200).body == metadata), (1, true));
    stack.terminate();
    // At the start, by whatever is left: what the server has done, what was published in files, and in the TUF repository.
    let refused = |other: &str| {
        stack.dev_command().run().fails_with(&["keys/ring.json is missing", " of the CA key", other]);
    };
    refused("/served.json has it");
    let mut lost = take(&stack.data(), &["served.json"]);
    refused("/trust/trusted_root.json trusts it until 20");
    lost.extend(take(&stack.data(), &["trust/trusted_root.json"]));
    refused("/tuf trusts it until 20");
    put_back(lost);
    put_back(ring);

    // The certificates of a retired key are lost, or another key's.
    let chain = take(&stack.data(), &["keys/ca-chain.pem"]);
    stack.dev_command().run().fails_with(&["keys/ca-chain.pem"]);
    fs::copy(stack.data().join("keys/ca-2-chain.pem"), stack.data().join("keys/ca-chain.pem")).unwrap();
    let named = ["keys/ring.json has the key with SHA-256", "keys/ca-chain.pem is of the key with SHA-256"];
    stack.dev_command().run().fails_with(&named);
    put_back(chain);
    stack.resume();
    assert_eq!(ends(&stack), 1);
}
