//! sigstore-rs (the crate `sigstore`), in two versions: its Fulcio client, its Rekor client, and its verifier. Not run unless
//! asked for:
//!
//! ```text
//! tests/clients/install "$CHANCERY_CLIENTS" sigstore-rs
//! cargo test -p chancery-tests --features sigstore-rs --test sigstore_rs
//! ```

use chancery_tests::{
    ALICE, Client, MALLORY, Person, Stack,
    client::Signer,
    person::client,
    program::{Outcome, Program},
};

const VERSIONS: [&str; 2] = ["sigstore-rs", "sigstore-rs-older"];

fn program(alice: &Person, version: &str) -> Program {
    alice.program(client(&format!("bin/{version}")))
}

fn sign(alice: &Person, version: &str, artifact: &str, bundle: &str) {
    let sign = program(alice, version).arg("sign").arg("--url").arg(alice.url()).arg("--token").arg(alice.token());
    sign.arg("--challenge").arg(&alice.email).arg("--bundle").arg(bundle).arg(artifact).run().succeeds();
}

fn verify(alice: &Person, version: &str, signer: &Signer, artifact: &str, bundle: &str) -> Outcome {
    let verify = program(alice, version).arg("verify").arg("--trusted-root").arg(alice.trust("trusted_root.json"));
    let verify = verify.arg("--identity").arg(&signer.identity).arg("--issuer").arg(&signer.issuer);
    verify.arg("--bundle").arg(bundle).arg(artifact).run()
}

fn read(alice: &Person, version: &str, artifact: &str) -> Outcome {
    let read = program(alice, version).arg("read").arg("--url").arg(alice.url());
    read.arg("--key").arg(alice.trust("rekor.pub")).arg(artifact).run()
}

#[test]
fn signs_and_verifies() {
    let stack = Stack::start();
    let alice = stack.person(ALICE);
    alice.write("other", "changed");
    let (signer, mallory) = (Signer::of(&alice), Signer { identity: MALLORY.into(), issuer: stack.issuer() });
    for version in VERSIONS {
        alice.write("artifact", format!("signed by {version}"));
        sign(&alice, version, "artifact", "bundle.json");
        verify(&alice, version, &signer, "artifact", "bundle.json").succeeds();
        verify(&alice, version, &signer, "other", "bundle.json").fails_with(&["signature"]);
        verify(&alice, version, &mallory, "artifact", "bundle.json").fails_with(&[MALLORY]);
        // It does not verify the log's signature and proof; cosign does.
        Client::Cosign3.verify(&alice, "artifact", "bundle.json", &signer).run().succeeds();
    }
}

#[test]
fn reads_what_the_log_has_and_verifies_it() {
    let stack = Stack::start();
    let alice = stack.person(ALICE);
    for version in VERSIONS {
        alice.write("artifact", format!("read by {version}"));
        for bundle in ["first.json", "second.json"] {
            sign(&alice, version, "artifact", bundle);
        }
        let found = read(&alice, version, "artifact").succeeds();
        assert_eq!(found.lines().count(), 2, "{found}");
    }
    alice.write("unsigned", "nobody signed this");
    read(&alice, VERSIONS[0], "unsigned").fails_with(&["no entry is found"]);
}
