//! cosign 3 signs and verifies, configured by the instance's trust files.

use chancery_tests::{
    ALICE, Client, MALLORY, Person, Stack,
    client::{Signer, with_signer, with_signing_config},
    program::Program,
    registry::Registry,
};

fn trusted_root(person: &Person, program: Program) -> Program {
    program.arg("--trusted-root").arg(person.trust("trusted_root.json"))
}

/// Keyless options for signing.
fn keyless(person: &Person, program: Program) -> Program {
    with_signing_config(person, program).arg("--identity-token").arg(person.token())
}

#[test]
fn signs_a_blob_keyless() {
    let stack = Stack::start();
    let alice = stack.person(ALICE);
    alice.write("artifact", "hello");
    Client::Cosign3.sign(&alice, "artifact", "bundle.json").run().succeeds();
    let said = Client::Cosign3.verify(&alice, "artifact", "bundle.json", &Signer::of(&alice)).run();
    assert!(said.written().contains("Verified OK"), "{}", said.report());
    said.succeeds();
}

#[test]
fn takes_the_token_from_a_file_and_from_the_environment() {
    let stack = Stack::start();
    let alice = stack.person(ALICE);
    alice.write("artifact", "hello");
    alice.write("token", alice.token());
    let sign = || with_signing_config(&alice, alice.cosign3().args("sign-blob --yes"));
    sign().args("--identity-token token --bundle by-file.json artifact").run().succeeds();
    sign().env("SIGSTORE_ID_TOKEN", alice.token()).args("--bundle by-variable.json artifact").run().succeeds();
    for bundle in ["by-file.json", "by-variable.json"] {
        Client::Cosign3.verify(&alice, "artifact", bundle, &Signer::of(&alice)).run().succeeds();
    }
}

#[test]
fn attests_a_blob_keyless() {
    let stack = Stack::start();
    let alice = stack.person(ALICE);
    alice.write("artifact", "hello");
    alice.write("predicate.json", r#"{"reviewed": true}"#);
    keyless(&alice, alice.cosign3().args("attest-blob --yes --type custom --predicate predicate.json"))
        .args("--bundle bundle.json artifact")
        .run()
        .succeeds();
    let verify = |signer: &Signer, kind: &str, artifact: &str| {
        let verify = with_signer(trusted_root(&alice, alice.cosign3().arg("verify-blob-attestation")), signer);
        verify.arg("--type").arg(kind).args("--bundle bundle.json").arg(artifact).run()
    };
    let signer = Signer::of(&alice);
    verify(&signer, "custom", "artifact").succeeds();
    verify(&signer, "slsaprovenance1", "artifact").fails_with(&["predicate type"]);
    let mallory = Signer { identity: MALLORY.into(), ..signer.clone() };
    verify(&mallory, "custom", "artifact").fails_with(&["no matching CertificateIdentity found", MALLORY]);
    alice.write("changed", "hullo");
    verify(&signer, "custom", "changed").fails_with(&["digest"]);
}

#[test]
fn signs_a_blob_with_a_key_and_logs_it() {
    let stack = Stack::start();
    let alice = stack.person(ALICE);
    alice.write("artifact", "hello");
    alice.cosign3().args("generate-key-pair").run().succeeds();
    with_signing_config(&alice, alice.cosign3().args("sign-blob --yes --key cosign.key --bundle bundle.json"))
        .arg("artifact")
        .run()
        .succeeds();
    let verify = |key: &str, artifact: &str| {
        let verify = trusted_root(&alice, alice.cosign3().args("verify-blob --bundle bundle.json"));
        verify.arg("--key").arg(key).arg(artifact).run()
    };
    verify("cosign.pub", "artifact").succeeds();
    alice.write("changed", "hullo");
    verify("cosign.pub", "changed").fails_with(&["failed to verify signature"]);
    alice.cosign3().args("generate-key-pair --output-key-prefix other").run().succeeds();
    verify("other.pub", "artifact").fails_with(&["failed to verify"]);
}

#[test]
fn signs_an_image_keyless_with_annotations() {
    let stack = Stack::start();
    let alice = stack.person(ALICE);
    let registry = Registry::start(&alice);
    let image = registry.push(&alice, "app:1");
    keyless(&alice, alice.cosign3().args("sign --yes -a env=prod")).arg(&image).run().succeeds();
    let signer = Signer::of(&alice);
    let verify = |signer: &Signer, annotation: &str, image: &str| {
        let verify = trusted_root(&alice, with_signer(alice.cosign3().arg("verify"), signer));
        verify.args(annotation).arg(image).run()
    };
    verify(&signer, "", &image).succeeds();
    verify(&signer, "-a env=prod", &image).succeeds();
    verify(&signer, "-a env=test", &image).fails_with(&["annotation"]);
    verify(&Signer { identity: MALLORY.into(), ..signer.clone() }, "", &image).fails_with(&["no matching", MALLORY]);
    let other_issuer = Signer { issuer: "https://issuer.example.test".into(), ..signer.clone() };
    verify(&other_issuer, "", &image).fails_with(&["no matching", "issuer.example.test"]);
    let cosign2 = trusted_root(&alice, alice.cosign2().args("verify --new-bundle-format --use-signed-timestamps"));
    with_signer(cosign2, &signer).arg(&image).run().succeeds();
    let unsigned = registry.push(&alice, "app:2");
    verify(&signer, "", &unsigned).fails_with(&["no signatures found"]);
}

#[test]
fn attests_an_image_keyless() {
    let stack = Stack::start();
    let alice = stack.person(ALICE);
    let registry = Registry::start(&alice);
    let image = registry.push(&alice, "app:1");
    alice.write("predicate.json", r#"{"reviewed": true}"#);
    keyless(&alice, alice.cosign3().args("attest --yes --type custom --predicate predicate.json"))
        .arg(&image)
        .run()
        .succeeds();
    let verify = |signer: &Signer, kind: &str| {
        let verify = trusted_root(&alice, with_signer(alice.cosign3().arg("verify-attestation"), signer));
        verify.arg("--type").arg(kind).arg(&image).run()
    };
    let signer = Signer::of(&alice);
    verify(&signer, "custom").succeeds();
    verify(&signer, "spdx").fails_with(&["predicate"]);
    verify(&Signer { identity: MALLORY.into(), ..signer }, "custom").fails_with(&["no matching", MALLORY]);
}

#[test]
fn signs_an_image_with_a_key() {
    let stack = Stack::start();
    let alice = stack.person(ALICE);
    let registry = Registry::start(&alice);
    let image = registry.push(&alice, "app:1");
    alice.cosign3().args("generate-key-pair").run().succeeds();
    with_signing_config(&alice, alice.cosign3().args("sign --yes --key cosign.key")).arg(&image).run().succeeds();
    trusted_root(&alice, alice.cosign3().args("verify --key cosign.pub")).arg(&image).run().succeeds();
}
