//! Timestamps, asked for and verified by programs that know nothing of this server: OpenSSL, cosign, sigstore-python and
//! its RFC 3161 library.

use chancery_tests::{
    ALICE, Client, Person, Stack,
    client::{Signer, with_signer, with_urls},
    http::Request,
    key::sha256,
    program::Outcome,
};
use chancery_verify::{
    HashAlgorithm,
    timestamping::{self, Imprint},
};
use std::{fs, path::Path};

const PATH: &str = "/api/v1/timestamp";
const QUERY: &str = "application/timestamp-query";

/// Has OpenSSL write a query with `options` for the file `artifact`, posts it, and keeps the reply in `reply.tsr`.
fn timestamp(stack: &Stack, person: &Person, options: &str) {
    person.openssl().args("ts -query -data artifact -out query.tsq").args(options).run().succeeds();
    let response = Request::post(&stack.at(PATH)).body(QUERY, person.read("query.tsq")).send().expect(200);
    assert_eq!(response.header("content-type"), Some("application/timestamp-reply"));
    person.write("reply.tsr", &response.body);
}

/// `openssl ts -verify` with these options, trusting the root of the instance.
fn openssl_verify(person: &Person, options: &str) -> Outcome {
    person.openssl().args("ts -verify -in reply.tsr -CAfile root.pem").args(options).run()
}

/// Splits the published chain into `leaf.pem` and `root.pem`.
fn split_chain(person: &Person) {
    let chain = fs::read_to_string(person.trust("tsa-chain.pem")).unwrap();
    let (leaf, root) = chain.split_once("-----END CERTIFICATE-----\n").unwrap();
    person.write("leaf.pem", format!("{leaf}-----END CERTIFICATE-----\n"));
    person.write("root.pem", root);
}

#[test]
fn openssl_verifies_every_hash_with_and_without_certificates() {
    let stack = Stack::start();
    let alice = stack.person(ALICE);
    alice.write("artifact", "hello");
    alice.write("changed", "hullo");
    split_chain(&alice);
    for hash in ["-sha256", "-sha384", "-sha512"] {
        for nonce in ["", "-no_nonce"] {
            for policy in ["", "-tspolicy 1.3.6.1.4.1.57264.2"] {
                timestamp(&stack, &alice, &format!("{hash} -cert {nonce} {policy}"));
                openssl_verify(&alice, "-data artifact").succeeds();
                openssl_verify(&alice, "-queryfile query.tsq").succeeds();
                timestamp(&stack, &alice, &format!("{hash} {nonce} {policy}"));
                openssl_verify(&alice, "-queryfile query.tsq -untrusted leaf.pem").succeeds();
            }
        }
    }
    openssl_verify(&alice, "-data changed -untrusted leaf.pem").fails_with(&["message imprint mismatch"]);
    openssl_verify(&alice, "-queryfile query.tsq").fails_with(&["signer certificate not found"]);
    let before = alice.read("query.tsq");
    // As the README has it, with the published file for the root.
    timestamp(&stack, &alice, "-sha256 -cert");
    let published = alice.openssl().args("ts -verify -in reply.tsr -queryfile query.tsq -CAfile");
    published.arg(alice.trust("tsa-chain.pem")).run().succeeds();
    timestamp(&stack, &alice, "-sha256 -cert");
    alice.write("query.tsq", before);
    openssl_verify(&alice, "-queryfile query.tsq").fails_with(&["mismatch"]);
}

#[test]
fn openssl_reads_what_the_profile_promises() {
    let stack = Stack::start();
    let alice = stack.person(ALICE);
    alice.write("artifact", "hello");
    timestamp(&stack, &alice, "-sha256 -cert");
    let text = alice.openssl().args("ts -reply -in reply.tsr -text").run().succeeds();
    for part in [
        "Status: Granted.",
        "Policy OID: 1.3.6.1.4.1.57264.2",
        "Hash Algorithm: sha256",
        "Accuracy: 0x01 seconds",
        "Ordering: no",
        "DirName:/O=Chancery development/CN=Chancery development timestamps",
    ] {
        assert!(text.contains(part), "{part} is missing:\n{text}");
    }
    let chain = alice.trust("tsa-chain.pem");
    let text = alice.openssl().args("x509 -noout -text -in").arg(&chain).run().succeeds();
    for part in [
        "X509v3 Extended Key Usage: critical\n                Time Stamping\n",
        "X509v3 Key Usage: critical",
        "Digital Signature",
        "Subject Key Identifier",
        "Authority Key Identifier",
    ] {
        assert!(text.contains(part), "{part} is missing:\n{text}");
    }
    assert!(!text.contains("CA:TRUE"), "{text}");
    let served = stack.get("/api/v1/timestamp/certchain").expect(200).body;
    assert_eq!(served, fs::read(&chain).unwrap());
    assert_eq!(stack.get("/trust/tsa-chain.pem").expect(200).body, served);
}

#[test]
fn answers_have_the_chain_where_an_operator_includes_it() {
    let stack = Stack::start_with(&["--tsa-include-chain-in-response"]);
    let alice = stack.person(ALICE);
    alice.write("artifact", "hello");
    split_chain(&alice);
    for (options, certificates) in [("-sha256 -cert", 2), ("-sha256", 0)] {
        timestamp(&stack, &alice, options);
        alice.openssl().args("ts -reply -in reply.tsr -token_out -out token.der").run().succeeds();
        let listed = alice.openssl().args("pkcs7 -inform DER -in token.der -print_certs").run().succeeds();
        assert_eq!(listed.matches("BEGIN CERTIFICATE").count(), certificates, "{listed}");
        openssl_verify(&alice, "-queryfile query.tsq -untrusted leaf.pem").succeeds();
    }
    for (number, client) in Client::ALL.into_iter().enumerate() {
        let bundle = format!("bundle{number}.json");
        client.sign(&alice, "artifact", &bundle).run().succeeds();
        client.verify(&alice, "artifact", &bundle, &Signer::of(&alice)).run().succeeds();
    }
}

#[test]
fn extensions_are_refused_or_copied_as_configured() {
    let extension = [0x30, 0x0b, 6, 3, 0x2a, 3, 4, 4, 4, 1, 2, 3, 4];
    let imprint = Imprint { hash: HashAlgorithm::Sha256, digest: &sha256(b"hello"), null_parameters: true };
    let asked = timestamping::Request {
        imprint,
        policy: None,
        nonce: Some(&[7]),
        certificates: true,
        extensions: Some(&extension),
    };
    let send = |stack: &Stack| Request::post(&stack.at(PATH)).body(QUERY, asked.to_der()).send();
    let refused = send(&Stack::start()).expect(400).json();
    assert_eq!(refused["message"], "unaccepted extension: requested extensions are not supported by the TSA");
    let stack = Stack::start_with(&["--tsa-allow-custom-extensions"]);
    let alice = stack.person(ALICE);
    alice.write("artifact", "hello");
    split_chain(&alice);
    alice.write("reply.tsr", &send(&stack).expect(200).body);
    openssl_verify(&alice, "-data artifact").succeeds();
    let text = alice.openssl().args("ts -reply -in reply.tsr -text").run().succeeds();
    assert!(text.contains("1.2.3.4"), "{text}");
}

#[test]
fn the_refusals_of_a_running_server_are_upstream_s() {
    let stack = Stack::start();
    let alice = stack.person(ALICE);
    alice.write("artifact", "hello");
    for (options, message) in [
        ("-sha1", "Weak hash algorithm in timestamp request"),
        ("-md5", "Weak hash algorithm in timestamp request"),
        ("-sha256 -tspolicy 1.2.3.4", "unaccepted policy: requested TSA policy is not supported by the TSA"),
    ] {
        alice.openssl().args("ts -query -data artifact -out query.tsq").args(options).run().succeeds();
        let response = Request::post(&stack.at(PATH)).body(QUERY, alice.read("query.tsq")).send().expect(400);
        assert_eq!(response.json()["message"], message, "{options}");
    }
}

#[test]
fn cosign_3_timestamps_what_it_signs_and_demands_it() {
    let stack = Stack::start();
    let alice = stack.person(ALICE);
    alice.write("artifact", "hello");
    Client::Cosign3.sign(&alice, "artifact", "bundle.json").run().succeeds();
    let signer = Signer::of(&alice);
    let verify = || Client::Cosign3.verify(&alice, "artifact", "bundle.json", &signer).args("--use-signed-timestamps");
    verify().run().succeeds();
    // The same without the timestamp, and with one of another instance.
    let bundle = String::from_utf8(alice.read("bundle.json")).unwrap();
    let mut changed: serde_json::Value = serde_json::from_str(&bundle).unwrap();
    let stamps = changed.pointer_mut("/verificationMaterial/timestampVerificationData").expect("a timestamp").take();
    assert_eq!(stamps["rfc3161Timestamps"].as_array().unwrap().len(), 1);
    alice.write("bundle.json", changed.to_string());
    verify().run().fails_with(&["timestamp"]);
    let other = Stack::start();
    let mallory = other.person(ALICE);
    mallory.write("artifact", "hello");
    Client::Cosign3.sign(&mallory, "artifact", "bundle.json").run().succeeds();
    let foreign: serde_json::Value = serde_json::from_slice(&mallory.read("bundle.json")).unwrap();
    changed["verificationMaterial"]["timestampVerificationData"] =
        foreign["verificationMaterial"]["timestampVerificationData"].clone();
    alice.write("bundle.json", changed.to_string());
    verify().run().fails_with(&["timestamp"]);
}

#[test]
fn cosign_2_takes_the_authority_s_url_and_chain() {
    let stack = Stack::start();
    let alice = stack.person(ALICE);
    alice.write("artifact", "hello");
    let signed = with_urls(&alice, alice.cosign2().args("sign-blob --yes")).arg("--identity-token").arg(alice.token());
    let signed = signed.arg("--timestamp-server-url").arg(stack.at(PATH));
    signed.args("--rfc3161-timestamp stamp.json --bundle bundle.json artifact").run().succeeds();
    let verify = |chain: &str| {
        let program =
            alice.cosign2().args("verify-blob --bundle bundle.json --rfc3161-timestamp stamp.json --rekor-url");
        let program = program.arg(stack.url()).arg("--timestamp-certificate-chain").arg(chain);
        with_signer(program.args("--use-signed-timestamps"), &Signer::of(&alice)).arg("artifact").run()
    };
    verify(&alice.trust("tsa-chain.pem")).succeeds();
    let other = Stack::start();
    verify(&other.person(ALICE).trust("tsa-chain.pem")).fails_with(&["timestamp"]);
}

#[test]
fn sigstore_python_timestamps_what_it_signs() {
    let stack = Stack::start();
    let alice = stack.person(ALICE);
    alice.write("artifact", "hello");
    Client::SigstorePython.sign(&alice, "artifact", "bundle.json").run().succeeds();
    let bundle: serde_json::Value = serde_json::from_slice(&alice.read("bundle.json")).unwrap();
    let stamps = &bundle["verificationMaterial"]["timestampVerificationData"]["rfc3161Timestamps"];
    assert_eq!(stamps.as_array().map(Vec::len), Some(1), "{bundle}");
    for client in Client::ALL {
        client.verify(&alice, "artifact", "bundle.json", &Signer::of(&alice)).run().succeeds();
    }
}

/// Builds a request, sends it and verifies the answer with the library sigstore-python uses.
const RFC3161_CLIENT: &str = r#"
import sys, urllib.request
from cryptography import x509
from rfc3161_client import TimestampRequestBuilder, VerifierBuilder, decode_timestamp_response
from rfc3161_client.base import HashAlgorithm
url, chain = sys.argv[1:]
leaf, root = x509.load_pem_x509_certificates(open(chain, "rb").read())
for algorithm in (HashAlgorithm.SHA256, HashAlgorithm.SHA512):
    for certificates in (True, False):
        request = TimestampRequestBuilder().data(b"hello").hash_algorithm(algorithm)
        request = request.cert_request(cert_request=certificates).nonce(nonce=True).build()
        headers = {"Content-Type": "application/timestamp-query"}
        asked = urllib.request.Request(url, request.as_bytes(), headers)
        response = decode_timestamp_response(urllib.request.urlopen(asked).read())
        verifier = VerifierBuilder.from_request(request).tsa_certificate(leaf).add_root_certificate(root).build()
        assert verifier.verify_message(response, b"hello")
        try:
            verifier.verify_message(response, b"hullo")
        except Exception:
            continue
        sys.exit("a timestamp of something else was accepted")
print("verified")
"#;

#[test]
fn the_python_library_for_rfc_3161_verifies() {
    let stack = Stack::start();
    let alice = stack.person(ALICE);
    let python = alice.program(chancery_tests::person::client("venv/bin/python3")).args("-c").arg(RFC3161_CLIENT);
    let said = python.arg(stack.at(PATH)).arg(alice.trust("tsa-chain.pem")).run();
    assert!(said.stdout.contains("verified"), "{}", said.report());
}

#[test]
fn a_restart_and_an_earlier_version_s_directory_change_nothing_that_is_trusted() {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden/data-schema-1");
    let mut stack = Stack::over(&golden);
    let alice = stack.person(ALICE);
    alice.write("artifact", "hello");
    split_chain(&alice);
    timestamp(&stack, &alice, "-sha256 -cert");
    let (reply, files) = (alice.read("reply.tsr"), stack.trust_files());
    stack.terminate();
    stack.resume();
    assert_eq!(stack.trust_files(), files);
    timestamp(&stack, &alice, "-sha256 -cert");
    openssl_verify(&alice, "-data artifact").succeeds();
    alice.write("reply.tsr", reply);
    openssl_verify(&alice, "-data artifact").succeeds();
    // From now on a missing key is not made anew.
    stack.terminate();
    fs::remove_file(stack.data().join("keys/tsa.pem")).unwrap();
    stack.dev_command().run().fails_with(&["keys/tsa.pem is missing"]);
    stack.log_check();
}
