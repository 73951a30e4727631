//! Every client verifies what every client signed, and refuses the same things.

use chancery_tests::{ALICE, Client, MALLORY, Stack, client::Signer};

/// The name of the bundle a client makes.
fn bundle(client: Client) -> String {
    format!("{client:?}.json")
}

#[test]
fn every_client_verifies_every_signature() {
    let stack = Stack::start();
    let alice = stack.person(ALICE);
    alice.write("artifact", "hello");
    for client in Client::ALL {
        client.sign(&alice, "artifact", &bundle(client)).run().succeeds();
    }
    for signer in Client::ALL {
        for verifier in Client::ALL {
            verifier.verify(&alice, "artifact", &bundle(signer), &Signer::of(&alice)).run().succeeds();
        }
    }
}

#[test]
fn every_client_verifies_every_attestation() {
    let stack = Stack::start();
    let alice = stack.person(ALICE);
    alice.write("artifact", "hello");
    for client in Client::ALL {
        client.attest(&alice, "artifact", &bundle(client)).run().succeeds();
    }
    for signer in Client::ALL {
        for verifier in Client::ALL {
            verifier.verify_attestation(&alice, "artifact", &bundle(signer), &Signer::of(&alice)).run().succeeds();
        }
    }
}

#[test]
fn every_client_refuses_a_changed_blob_another_identity_and_another_issuer() {
    let stack = Stack::start();
    let alice = stack.person(ALICE);
    alice.write("artifact", "hello");
    alice.write("changed", "hullo");
    Client::Cosign3.sign(&alice, "artifact", "bundle.json").run().succeeds();
    let signer = Signer::of(&alice);
    let mallory = Signer { identity: MALLORY.into(), ..signer.clone() };
    let other_issuer = Signer { issuer: "https://issuer.example.test".into(), ..signer.clone() };
    for client in Client::ALL {
        let verify = |artifact: &str, signer: &Signer| client.verify(&alice, artifact, "bundle.json", signer).run();
        verify("changed", &signer).fails_with(&[client.says_of_changed_blob()]);
        verify("artifact", &mallory).fails_with(&[client.says_of_other_identity()]);
        verify("artifact", &other_issuer).fails_with(&[client.says_of_other_issuer()]);
    }
}
