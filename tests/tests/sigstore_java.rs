//! sigstore-java signs, in either Rekor, and verifies. Not run unless asked for:
//!
//! ```text
//! tests/clients/install "$CHANCERY_CLIENTS" sigstore-java
//! cargo test -p chancery-tests --features sigstore-java --test sigstore_java
//! ```

use chancery_tests::{
    ALICE, Client, MALLORY, Person, Stack,
    client::{Signer, rekor_version},
    person::client,
    program::{Outcome, Program},
    tuf::TufRepository,
};

fn program(alice: &Person, verb: &str) -> Program {
    // Java takes no proxy from the environment, and nothing here has another address than this machine's.
    alice.program(client("bin/sigstore-java")).arg(verb)
}

fn with_repository(program: Program, tuf: &TufRepository) -> Program {
    program.arg("--mirror").arg(&tuf.mirror).arg("--root").arg(&tuf.root)
}

fn with_files(alice: &Person, program: Program) -> Program {
    let program = program.arg("--trusted-root").arg(alice.trust("trusted_root.json"));
    program.arg("--signing-config").arg(alice.trust("signing_config.json"))
}

fn sign(alice: &Person, rekor: u32, program: Program) {
    let sign = program.arg("--token").arg(alice.token()).arg("--rekor").arg(rekor.to_string());
    sign.args("--bundle bundle.json artifact").run().succeeds();
    assert_eq!(rekor_version(alice, "bundle.json"), Some(rekor));
}

fn verify(program: Program, signer: &Signer, artifact: &str) -> Outcome {
    let verify = program.arg("--identity").arg(&signer.identity).arg("--issuer").arg(&signer.issuer);
    verify.args("--bundle bundle.json").arg(artifact).run()
}

#[test]
fn signs_and_verifies_with_either_rekor() {
    let stack = Stack::start();
    let alice = stack.person(ALICE);
    alice.write("artifact", "hello");
    alice.write("other", "changed");
    let signer = Signer::of(&alice);
    for rekor in [1, 2] {
        sign(&alice, rekor, with_files(&alice, program(&alice, "sign")));
        let verifying = || with_files(&alice, program(&alice, "verify"));
        verify(verifying(), &signer, "artifact").succeeds();
        verify(verifying(), &signer, "other").fails_with(&["digest"]);
        let mallory = Signer { identity: MALLORY.into(), ..signer.clone() };
        verify(verifying(), &mallory, "artifact").fails_with(&["No provided certificate identities matched"]);
        Client::Cosign3.verify(&alice, "artifact", "bundle.json", &signer).run().succeeds();
    }
}

#[test]
fn takes_what_it_trusts_from_the_tuf_repository() {
    let stack = Stack::start();
    let alice = stack.person(ALICE);
    alice.write("artifact", "hello");
    let tuf = TufRepository::start(&alice);
    sign(&alice, 1, with_repository(program(&alice, "sign"), &tuf));
    verify(with_repository(program(&alice, "verify"), &tuf), &Signer::of(&alice), "artifact").succeeds();
}

#[test]
fn verifies_what_cosign_has_signed() {
    let stack = Stack::start();
    let alice = stack.person(ALICE);
    alice.write("artifact", "hello");
    Client::Cosign3.sign(&alice, "artifact", "bundle.json").run().succeeds();
    verify(with_files(&alice, program(&alice, "verify")), &Signer::of(&alice), "artifact").succeeds();
}
