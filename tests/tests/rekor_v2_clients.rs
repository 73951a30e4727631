//! Real clients sign into the Rekor v2 log and verify what is there, with a timestamp authority beside it.

use chancery_tests::{
    ALICE, Client, MALLORY, Person, Stack,
    client::{Signer, with_signer, with_signing_config},
    registry::Registry,
    rekor::leaves,
    timestamps::TimestampAuthority,
};
use serde_json::Value;

/// Clients that can sign into such a log.
const SIGNERS: [Client; 2] = [Client::Cosign3, Client::SigstorePython];

fn alice(stack: &Stack) -> (Person, TimestampAuthority) {
    let alice = stack.person(ALICE);
    let authority = TimestampAuthority::start(&alice);
    (authority.trusted_by(alice), authority)
}

/// Demands that a bundle's entry is of the Rekor v2 log and of this kind.
fn is_logged(person: &Person, bundle: &str, kind: &str) {
    let bundle: Value = serde_json::from_slice(&person.read(bundle)).unwrap();
    let entries = bundle["verificationMaterial"]["tlogEntries"].as_array().unwrap();
    assert_eq!(entries.len(), 1);
    let found = &entries[0]["kindVersion"];
    assert_eq!((found["kind"].as_str(), found["version"].as_str()), (Some(kind), Some("0.0.2")), "{bundle}");
}

#[test]
fn every_client_verifies_every_signature() {
    let stack = Stack::start();
    let (alice, _authority) = alice(&stack);
    let signer = Signer::of(&alice);
    alice.write("artifact", "hello");
    alice.write("changed", "hullo");
    for client in SIGNERS {
        let bundle = format!("{client:?}.json");
        client.sign(&alice, "artifact", &bundle).run().succeeds();
        is_logged(&alice, &bundle, "hashedrekord");
        for verifier in Client::ALL {
            let verify = |artifact: &str, signer: &Signer| verifier.verify(&alice, artifact, &bundle, signer).run();
            verify("artifact", &signer).succeeds();
            verify("changed", &signer).fails_with(&[verifier.says_of_changed_blob()]);
            let mallory = Signer { identity: MALLORY.into(), ..signer.clone() };
            verify("artifact", &mallory).fails_with(&[verifier.says_of_other_identity()]);
        }
    }
}

#[test]
fn every_client_verifies_every_attestation() {
    let stack = Stack::start();
    let (alice, _authority) = alice(&stack);
    alice.write("artifact", "hello");
    for client in SIGNERS {
        let bundle = format!("{client:?}.json");
        client.attest(&alice, "artifact", &bundle).run().succeeds();
        is_logged(&alice, &bundle, "hashedrekord");
        for verifier in SIGNERS {
            verifier.verify_attestation(&alice, "artifact", &bundle, &Signer::of(&alice)).run().succeeds();
        }
    }
}

#[test]
fn cosign_signs_with_keys_of_every_kind() {
    let stack = Stack::start();
    let (alice, _authority) = alice(&stack);
    alice.write("artifact", "hello");
    for (name, kind, hash) in [
        ("p256", "EC -pkeyopt ec_paramgen_curve:P-256", "sha256"),
        ("p384", "EC -pkeyopt ec_paramgen_curve:P-384", "sha384"),
        ("p521", "EC -pkeyopt ec_paramgen_curve:P-521", "sha512"),
        ("rsa", "RSA -pkeyopt rsa_keygen_bits:3072", "sha256"),
    ] {
        import_key(&alice, name, kind);
        let bundle = format!("{name}.json");
        with_signing_config(&alice, alice.cosign3().args("sign-blob --yes --key").arg(format!("{name}.key")))
            .arg("--bundle")
            .arg(&bundle)
            .arg("artifact")
            .run()
            .succeeds();
        is_logged(&alice, &bundle, "hashedrekord");
        let verify = alice.cosign3().args("verify-blob --key").arg(format!("{name}.pub")).arg("--bundle").arg(&bundle);
        let verify = verify.arg("--signature-digest-algorithm").arg(hash);
        verify.arg("--trusted-root").arg(alice.trust("trusted_root.json")).arg("artifact").run().succeeds();
    }
}

/// Makes a key of cosign's out of one of openssl's: NAME.key and NAME.pub.
fn import_key(person: &Person, name: &str, kind: &str) {
    person.openssl().args("genpkey -out private.pem -algorithm").args(kind).run().succeeds();
    let import = person.cosign3().args("import-key-pair --yes --key private.pem --output-key-prefix");
    import.arg(name).run().succeeds();
}

#[test]
fn what_cosign_signs_with_ed25519_is_logged() {
    let stack = Stack::start();
    let (alice, _authority) = alice(&stack);
    alice.write("artifact", "hello");
    import_key(&alice, "ed25519", "ED25519");
    // It signs the digest (Ed25519ph), logs that, and then looks for a signature over the artifact in its own bundle.
    with_signing_config(
        &alice,
        alice.cosign3().args("sign-blob --yes --key ed25519.key --bundle bundle.json artifact"),
    )
    .run()
    .fails_with(&["could not verify message"]);
    let logged = leaves(2, |path| stack.get(&format!("/{path}")).expect(200).body);
    let leaf: Value = serde_json::from_slice(&logged[1]).unwrap();
    assert_eq!(leaf["spec"]["hashedRekordV002"]["signature"]["verifier"]["keyDetails"], "PKIX_ED25519_PH");
}

#[test]
fn cosign_signs_and_attests_an_image() {
    let stack = Stack::start();
    let (alice, _authority) = alice(&stack);
    let registry = Registry::start(&alice);
    let image = registry.push(&alice, "app:1");
    alice.write("predicate.json", r#"{"reviewed": true}"#);
    let sign = |command: &str| {
        let program = with_signing_config(&alice, alice.cosign3().args(command));
        program.arg("--identity-token").arg(alice.token()).arg(&image).run().succeeds();
    };
    sign("sign --yes");
    sign("attest --yes --type custom --predicate predicate.json");
    let verify = |command: &str, signer: &Signer| {
        let program = with_signer(alice.cosign3().args(command), signer);
        program.arg("--trusted-root").arg(alice.trust("trusted_root.json")).arg(&image).run()
    };
    let signer = Signer::of(&alice);
    verify("verify", &signer).succeeds();
    verify("verify-attestation --type custom", &signer).succeeds();
    let mallory = Signer { identity: MALLORY.into(), ..signer };
    verify("verify", &mallory).fails_with(&["no matching", MALLORY]);
}

#[test]
fn a_log_with_an_ed25519_key_serves_the_same_clients() {
    let mut stack = Stack::start_with(&["--rekor-v2-key", "ed25519"]);
    let (alice, _authority) = alice(&stack);
    alice.write("artifact", "hello");
    for client in SIGNERS {
        let bundle = format!("{client:?}.json");
        client.sign(&alice, "artifact", &bundle).run().succeeds();
        for verifier in Client::ALL {
            verifier.verify(&alice, "artifact", &bundle, &Signer::of(&alice)).run().succeeds();
        }
    }
    let trust = stack.trust("trusted_root.json");
    stack.chancery().args("log check --url").arg(stack.url()).arg("--trust").arg(trust).run().succeeds();
    let keys = stack.chancery().args("keys list --data").arg(stack.data()).run().succeeds();
    let kind = keys.lines().find(|line| line.starts_with("rekor2 ")).and_then(|line| line.split_whitespace().nth(3));
    assert_eq!(kind, Some("Ed25519"), "{keys}");
    // The kind is decided once; without the option it is what it is.
    stack.terminate();
    stack.options(&[]);
    stack.resume();
    stack.terminate();
    stack.dev_command().args("--rekor-v2-key p256").run().fails_with(&["another kind"]);
}
