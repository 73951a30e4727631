//! Sigstore's prober, which asks an instance for everything and writes to each of its logs, and tessera's check of tiles. Not
//! run unless asked for. Go cannot fetch the prober's repository everywhere, so it is built from a clone:
//!
//! ```text
//! SIGSTORE_PROBERS=… tests/clients/install "$CHANCERY_CLIENTS" sigstore-probers
//! cargo test -p chancery-tests --features sigstore-probers --test sigstore_probers
//! ```
//!
//! Sigstore's other prober, `tiles-fsck`, has the public instance built in. It calls the library whose command is used here.

use chancery_tests::{ALICE, Person, Stack, person::client, program::Outcome, stack::free_port, witness::log_key};
use std::fs;

/// The prober, writing, too, and told of the instance by its trust files. It speaks gRPC without TLS to `localhost` alone.
fn probe(stack: &Stack, alice: &Person) -> Outcome {
    let here = |name: &str| {
        let text = fs::read_to_string(alice.trust(name)).unwrap();
        alice.write(name, text.replace("http://127.0.0.1:", "http://localhost:"))
    };
    let prober = alice.program(client("bin/prober")).args("--one-time --write-prober --logStyle dev --retry 0");
    let prober = prober.arg("--addr").arg(format!("127.0.0.1:{}", free_port()));
    let prober = prober.arg("--signing-config").arg(here("signing_config.json"));
    let prober = prober.arg("--trusted-root").arg(here("trusted_root.json"));
    prober.env("SIGSTORE_ID_TOKEN", stack.token(ALICE)).run()
}

#[test]
fn the_prober_finds_nothing_wrong() {
    let stack = Stack::start();
    let alice = stack.person(ALICE);
    // In the second round it also asks for a proof of consistency, and for entries of its first round.
    for _ in 0..2 {
        let probed = probe(&stack, &alice);
        assert!(probed.written().contains("Complete") && !probed.written().contains("ERROR"), "{}", probed.report());
        probed.succeeds();
    }
    for (log, size) in [("/api/v1/log", 3), ("/ct/dev/ct/v1/get-sth", 5)] {
        let head = stack.get(log).expect(200).json();
        assert_eq!(head.get("treeSize").or_else(|| head.get("tree_size")).unwrap(), size, "{log}: {head}");
    }
}

/// What the check says. It ends well, too, where it has found something.
fn fsck(alice: &Person, stack: &Stack) -> String {
    let check = alice.program(client("bin/tessera-fsck")).args("--ui=false --public_key log.vkey --storage_url");
    check.arg(stack.at("/")).run().written()
}

#[test]
fn the_tiles_of_rekor_v2_make_its_tree() {
    // The check knows no keys but these.
    let [stack, other] = [(); 2].map(|()| Stack::start_with(&["--rekor-v2-key", "ed25519"]));
    let alice = stack.person(ALICE);
    for _ in 0..2 {
        probe(&stack, &alice).succeeds();
    }
    alice.write("log.vkey", log_key(&stack, "rekor2"));
    let said = fsck(&alice, &stack);
    assert!(said.contains("Successfully fsck'd log with size 3"), "{said}");
    // With the key of another log of the same name.
    alice.write("log.vkey", log_key(&other, "rekor2"));
    let said = fsck(&alice, &stack);
    assert!(said.contains("note has no verifiable signatures") && !said.contains("Successfully"), "{said}");
}
