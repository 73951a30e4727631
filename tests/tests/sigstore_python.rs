//! sigstore-python signs and verifies with the client trust configuration. It sends a CSR, checks the SCT at once and
//! rebuilds the logged bytes, so it finds mistakes that cosign overlooks.

use chancery_tests::{ALICE, Client, MALLORY, Stack, client::Signer};

#[test]
fn signs_and_verifies() {
    let stack = Stack::start();
    let alice = stack.person(ALICE);
    alice.write("artifact", "hello");
    Client::SigstorePython.sign(&alice, "artifact", "bundle.json").run().succeeds();
    let signer = Signer::of(&alice);
    let verify =
        |artifact: &str, signer: &Signer| Client::SigstorePython.verify(&alice, artifact, "bundle.json", signer).run();
    let said = verify("artifact", &signer);
    assert!(said.written().contains("OK: artifact"), "{}", said.report());
    said.succeeds();
    alice.write("changed", "hullo");
    verify("changed", &signer).fails_with(&[Client::SigstorePython.says_of_changed_blob()]);
    let mallory = Signer { identity: MALLORY.into(), ..signer.clone() };
    verify("artifact", &mallory).fails_with(&[Client::SigstorePython.says_of_other_identity()]);
    let other_issuer = Signer { issuer: "https://issuer.example.test".into(), ..signer };
    verify("artifact", &other_issuer).fails_with(&[Client::SigstorePython.says_of_other_issuer()]);
}

#[test]
fn verifies_without_the_server() {
    let mut stack = Stack::start();
    let alice = stack.person(ALICE);
    alice.write("artifact", "hello");
    Client::SigstorePython.sign(&alice, "artifact", "bundle.json").run().succeeds();
    stack.terminate();
    Client::SigstorePython.verify(&alice, "artifact", "bundle.json", &Signer::of(&alice)).run().succeeds();
}

#[test]
fn attests_and_verifies() {
    let stack = Stack::start();
    let alice = stack.person(ALICE);
    alice.write("artifact", "hello");
    Client::SigstorePython.attest(&alice, "artifact", "bundle.json").run().succeeds();
    Client::SigstorePython.verify_attestation(&alice, "artifact", "bundle.json", &Signer::of(&alice)).run().succeeds();
    alice.write("changed", "hullo");
    Client::SigstorePython
        .verify_attestation(&alice, "changed", "bundle.json", &Signer::of(&alice))
        .run()
        .fails_with(&["in-toto statement has no subject for digest"]);
}
