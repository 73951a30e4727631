//! cosign 2 signs and verifies: Fulcio v1, configured by URLs and by keys in its environment.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use chancery_tests::{
    ALICE, Client, MALLORY, Person, Stack,
    client::{Signer, with_signer, with_signing_config, with_urls},
    program::{Outcome, Program},
    registry::Registry,
};
use serde_json::Value;

fn keyless(person: &Person, program: Program) -> Program {
    with_urls(person, program).arg("--identity-token").arg(person.token())
}

/// Verifies the legacy bundle without asking the server: the inclusion promise is in it.
fn verify_legacy(person: &Person, program: Program, artifact: &str, signer: &Signer) -> Outcome {
    let verify = with_signer(program.args("verify-blob --offline"), signer);
    assert!(person.path("legacy.json").exists());
    verify.args("--bundle legacy.json").arg(artifact).run()
}

#[test]
fn signs_a_blob_into_a_legacy_bundle() {
    let stack = Stack::start();
    let alice = stack.person(ALICE);
    alice.write("artifact", "hello");
    keyless(&alice, alice.cosign2().args("sign-blob --yes")).args("--bundle legacy.json artifact").run().succeeds();
    let signer = Signer::of(&alice);
    verify_legacy(&alice, alice.cosign2(), "artifact", &signer).succeeds();
    alice.write("changed", "hullo");
    verify_legacy(&alice, alice.cosign2(), "changed", &signer).fails_with(&["matching bundle to payload"]);
    let mallory = Signer { identity: MALLORY.into(), ..signer.clone() };
    verify_legacy(&alice, alice.cosign2(), "artifact", &mallory)
        .fails_with(&["none of the expected identities", ALICE]);
    let other_issuer = Signer { issuer: "https://issuer.example.test".into(), ..signer };
    let reason = format!("with issuer {}", stack.issuer());
    verify_legacy(&alice, alice.cosign2(), "artifact", &other_issuer).fails_with(&["none of the expected", &reason]);
}

/// cosign 3 with the keys cosign 2 takes from the environment.
fn cosign3_with_keys(person: &Person) -> Program {
    person
        .cosign3()
        .env("SIGSTORE_ROOT_FILE", person.trust("fulcio-chain.pem"))
        .env("SIGSTORE_REKOR_PUBLIC_KEY", person.trust("rekor.pub"))
        .env("SIGSTORE_CT_LOG_PUBLIC_KEY_FILE", person.trust("ctfe.pub"))
}

#[test]
fn cosign_3_verifies_a_legacy_bundle() {
    let stack = Stack::start();
    let alice = stack.person(ALICE);
    alice.write("artifact", "hello");
    keyless(&alice, alice.cosign2().args("sign-blob --yes")).args("--bundle legacy.json artifact").run().succeeds();
    let cosign3 = cosign3_with_keys(&alice);
    let verify = with_signer(cosign3.args("verify-blob --new-bundle-format=false"), &Signer::of(&alice));
    verify.args("--bundle legacy.json artifact").run().succeeds();
}

#[test]
fn finds_a_detached_signature_in_the_log() {
    let stack = Stack::start();
    let alice = stack.person(ALICE);
    alice.write("artifact", "hello");
    keyless(&alice, alice.cosign2().args("sign-blob --yes --output-signature sig --output-certificate cert"))
        .arg("artifact")
        .run()
        .succeeds();
    let verify = |artifact: &str| {
        let verify =
            with_signer(alice.cosign2().args("verify-blob --signature sig --certificate cert"), &Signer::of(&alice));
        verify.arg("--rekor-url").arg(alice.url()).arg(artifact).run()
    };
    verify("artifact").succeeds();
    alice.write("changed", "hullo");
    verify("changed").fails_with(&["invalid signature"]);
}

#[test]
fn signs_a_blob_into_a_new_bundle() {
    let stack = Stack::start();
    let alice = stack.person(ALICE);
    alice.write("artifact", "hello");
    Client::Cosign2.sign(&alice, "artifact", "bundle.json").run().succeeds();
    Client::Cosign2.verify(&alice, "artifact", "bundle.json", &Signer::of(&alice)).run().succeeds();
}

#[test]
fn signs_a_blob_with_the_signing_config() {
    let stack = Stack::start();
    let alice = stack.person(ALICE);
    alice.write("artifact", "hello");
    with_signing_config(&alice, alice.cosign2().args("sign-blob --yes --new-bundle-format --bundle bundle.json"))
        .arg("--identity-token")
        .arg(alice.token())
        .arg("artifact")
        .run()
        .succeeds();
    Client::Cosign2.verify(&alice, "artifact", "bundle.json", &Signer::of(&alice)).run().succeeds();
}

#[test]
fn attests_a_blob_keyless() {
    let stack = Stack::start();
    let alice = stack.person(ALICE);
    alice.write("artifact", "hello");
    alice.write("predicate.json", r#"{"reviewed": true}"#);
    for (format, verify_options) in
        [("--bundle legacy.json", ""), ("--new-bundle-format --bundle new.json", "--new-bundle-format")]
    {
        keyless(&alice, alice.cosign2().args("attest-blob --yes --type custom --predicate predicate.json"))
            .args(format)
            .arg("artifact")
            .run()
            .succeeds();
        let bundle = format.split(' ').next_back().unwrap();
        let verify = |artifact: &str| {
            let mut verify =
                with_signer(alice.cosign2().args("verify-blob-attestation --type custom"), &Signer::of(&alice));
            if !verify_options.is_empty() {
                verify = verify.args(verify_options).arg("--trusted-root").arg(alice.trust("trusted_root.json"));
            }
            verify.arg("--bundle").arg(bundle).arg(artifact).run()
        };
        verify("artifact").succeeds();
        alice.write("changed", "hullo");
        verify("changed").fails_with(&["digest"]);
    }
}

/// As `intoto` 0.0.1, where this is asked for.
#[test]
fn attests_a_blob_as_an_entry_of_kind_intoto() {
    let stack = Stack::start();
    let alice = stack.person(ALICE);
    alice.write("artifact", "hello");
    alice.write("changed", "hullo");
    alice.write("predicate.json", r#"{"reviewed": true}"#);
    for cosign in [Person::cosign2, Person::cosign25] {
        let attest = "attest-blob --yes --rekor-entry-type intoto --type custom --predicate predicate.json";
        keyless(&alice, cosign(&alice).args(attest)).args("--bundle legacy.json artifact").run().succeeds();
        let bundle: Value = serde_json::from_slice(&alice.read("legacy.json")).unwrap();
        let body = STANDARD.decode(bundle["rekorBundle"]["Payload"]["body"].as_str().unwrap()).unwrap();
        assert!(body.starts_with(br#"{"apiVersion":"0.0.1","kind":"intoto","#), "{}", String::from_utf8_lossy(&body));
        let verify = |artifact: &str| {
            let verify = cosign(&alice).args("verify-blob-attestation --type custom --bundle legacy.json");
            with_signer(verify, &Signer::of(&alice)).arg(artifact).run()
        };
        verify("artifact").succeeds();
        verify("changed").fails_with(&["digest"]);
    }
}

/// Without a bundle it asks the log for the envelope as `dsse` and as `intoto` at once.
#[test]
fn finds_a_detached_attestation_in_the_log() {
    let stack = Stack::start();
    let alice = stack.person(ALICE);
    alice.write("artifact", "hello");
    alice.write("predicate.json", r#"{"reviewed": true}"#);
    let verify = |cosign: Program, person: &Person, by: &Signer| {
        let verify = cosign.args("verify-blob-attestation --type custom --signature sig --certificate cert");
        with_signer(verify, by).arg("--rekor-url").arg(person.url()).arg("artifact").run()
    };
    let by = Signer::of(&alice);
    for kind in ["dsse", "intoto"] {
        let attest = alice.cosign2().args("attest-blob --yes --type custom --predicate predicate.json");
        let attest = attest.args("--output-signature sig --output-certificate cert --rekor-entry-type").arg(kind);
        keyless(&alice, attest).arg("artifact").run().succeeds();
        verify(alice.cosign2(), &alice, &by).succeeds();
        verify(cosign3_with_keys(&alice), &alice, &by).succeeds();
    }
    // Another log has never seen it.
    let other = Stack::start();
    let bob = other.person(ALICE);
    for name in ["artifact", "sig", "cert"] {
        bob.write(name, alice.read(name));
    }
    let bob = bob.trusting(stack.data().join("trust"));
    verify(bob.cosign2(), &bob, &by).fails_with(&["signature not found in transparency log"]);
}

#[test]
fn signs_a_blob_with_a_key_and_logs_it() {
    let stack = Stack::start();
    let alice = stack.person(ALICE);
    alice.write("artifact", "hello");
    alice.cosign2().args("generate-key-pair").run().succeeds();
    alice
        .cosign2()
        .args("sign-blob --yes --key cosign.key --bundle bundle.json --rekor-url")
        .arg(alice.url())
        .arg("artifact")
        .run()
        .succeeds();
    let verify =
        |artifact: &str| alice.cosign2().args("verify-blob --key cosign.pub --bundle bundle.json").arg(artifact).run();
    verify("artifact").succeeds();
    alice.write("changed", "hullo");
    verify("changed").fails_with(&["matching bundle to payload"]);
}

#[test]
fn signs_an_image_keyless_with_annotations() {
    let stack = Stack::start();
    let alice = stack.person(ALICE);
    let registry = Registry::start(&alice);
    let image = registry.push(&alice, "app:1");
    keyless(&alice, alice.cosign2().args("sign --yes -a env=prod")).arg(&image).run().succeeds();
    let signer = Signer::of(&alice);
    let verify = |signer: &Signer, annotation: &str, image: &str| {
        let verify = with_signer(alice.cosign2().args("verify --rekor-url").arg(alice.url()), signer);
        verify.args(annotation).arg(image).run()
    };
    verify(&signer, "-a env=prod", &image).succeeds();
    verify(&signer, "-a env=test", &image).fails_with(&["missing or incorrect annotation"]);
    let mallory = Signer { identity: MALLORY.into(), ..signer.clone() };
    verify(&mallory, "", &image).fails_with(&["none of the expected identities", ALICE]);
    let cosign3 = cosign3_with_keys(&alice).args("verify --new-bundle-format=false -a env=prod");
    with_signer(cosign3, &signer).arg(&image).run().succeeds();
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
    keyless(&alice, alice.cosign2().args("attest --yes --type custom --predicate predicate.json"))
        .arg(&image)
        .run()
        .succeeds();
    let verify = |signer: &Signer| {
        let verify =
            with_signer(alice.cosign2().args("verify-attestation --type custom --rekor-url").arg(alice.url()), signer);
        verify.arg(&image).run()
    };
    let signer = Signer::of(&alice);
    verify(&signer).succeeds();
    verify(&Signer { identity: MALLORY.into(), ..signer }).fails_with(&["none of the expected identities", ALICE]);
}
