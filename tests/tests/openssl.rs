//! OpenSSL, which knows nothing of Sigstore, verifies the chain and reads the leaf.

use chancery_tests::{
    ALICE, Person, Stack,
    fulcio::{Leaf, SIGNING_CERT_V2, chain, key_request},
    http::Request,
    key::Key,
};

/// Issues a certificate into `leaf.pem`, `intermediate.pem` and `root.pem`; returns a time at which it counts.
fn issue(stack: &Stack, person: &Person) -> u64 {
    let request =
        Request::post(&stack.at(SIGNING_CERT_V2)).header("Authorization", &format!("Bearer {}", person.token()));
    let chain = chain(&request.json(&key_request(&Key::generate(), &person.email)).send().expect(200).json());
    for (name, pem) in ["leaf.pem", "intermediate.pem", "root.pem"].iter().zip(&chain) {
        person.write(name, format!("{pem}\n"));
    }
    Leaf::from_pem(&chain[0]).validity().0 + 60
}

#[test]
fn verifies_the_chain() {
    let stack = Stack::start();
    let alice = stack.person(ALICE);
    let time = issue(&stack, &alice);
    let verify = |options: &str| {
        alice
            .openssl()
            .args(
                "verify -x509_strict -purpose any -no-CApath -no-CAstore -CAfile root.pem -untrusted intermediate.pem",
            )
            .args(options)
            .arg("leaf.pem")
            .run()
    };
    let said = verify(&format!("-attime {time}"));
    assert!(said.stdout.contains("leaf.pem: OK"), "{}", said.report());
    said.succeeds();
    verify(&format!("-attime {}", time + 3600)).fails_with(&["certificate has expired"]);
    verify(&format!("-attime {time} -purpose sslserver")).fails_with(&["purpose"]);
}

#[test]
fn refuses_the_root_of_another_instance() {
    let (stack, other) = (Stack::start(), Stack::start());
    let (alice, foreign) = (stack.person(ALICE), other.person(ALICE));
    let time = issue(&stack, &alice);
    issue(&other, &foreign);
    alice.write("foreign.pem", foreign.read("root.pem"));
    alice
        .openssl()
        .args("verify -purpose any -no-CApath -no-CAstore -CAfile foreign.pem -untrusted intermediate.pem")
        .args(&format!("-attime {time} leaf.pem"))
        .run()
        .fails_with(&["unable to get"]);
}

#[test]
fn reads_what_the_profile_promises() {
    let stack = Stack::start();
    let alice = stack.person(ALICE);
    issue(&stack, &alice);
    let text = alice.openssl().args("x509 -noout -text -in leaf.pem").run().succeeds();
    for part in [
        "Version: 3",
        "ecdsa-with-SHA256",
        "Digital Signature",
        "Code Signing",
        "email:alice@example.test",
        "CT Precertificate SCTs",
        "1.3.6.1.4.1.57264.1.1",
        "1.3.6.1.4.1.57264.1.8",
    ] {
        assert!(text.contains(part), "{part} is missing:\n{text}");
    }
    let text = alice.openssl().args("x509 -noout -text -in intermediate.pem").run().succeeds();
    for part in ["CA:TRUE, pathlen:0", "Certificate Sign", "Code Signing"] {
        assert!(text.contains(part), "{part} is missing:\n{text}");
    }
    let text = alice.openssl().args("x509 -noout -text -in root.pem").run().succeeds();
    assert!(text.contains("CA:TRUE, pathlen:1"), "{text}");
}
