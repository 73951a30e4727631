//! The certificate authority over gRPC, asked by Fulcio's own generated client, on the port of everything else.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use chancery_tests::{ALICE, MALLORY, Stack, fulcio::Leaf};
use serde_json::{Value, json};
use std::{
    fs,
    io::{ErrorKind, Read as _, Write as _},
    net::TcpStream,
    time::Duration,
};

/// What the client was told.
fn ask(stack: &Stack, token: &str, challenge: &str, metadata: bool) -> Value {
    let alice = stack.person(ALICE);
    let client = alice.fulcio_grpc().arg(token).arg(challenge);
    let client = if metadata { client.arg("metadata") } else { client };
    serde_json::from_str(&client.run().succeeds()).unwrap()
}

#[test]
fn fulcios_own_client_gets_the_same_answers_as_over_http() {
    let stack = Stack::start();
    let token = stack.token(ALICE);
    for metadata in [false, true] {
        let told = ask(&stack, &token, ALICE, metadata);
        let chain = &told["certificate"]["signedCertificateEmbeddedSct"]["chain"]["certificates"];
        let leaf = Leaf::from_pem(chain[0].as_str().unwrap());
        assert_eq!(leaf.fulcio_string(8), Some(stack.issuer()));
        assert!(leaf.extension("1.3.6.1.4.1.11129.2.4.2").is_some(), "the SCT");
        assert_eq!(told["trustBundle"], stack.get("/api/v2/trustBundle").expect(200).json());
        assert_eq!(told["configuration"], stack.get("/api/v2/configuration").expect(200).json());
        assert_eq!(told["health"], json!({"status": "SERVING"}));
        assert_eq!(told["healthOfCA"], json!({"status": "SERVING"}));
        assert_eq!(told["healthOfNothingRefused"]["code"], 5);
    }
    let audit = fs::read_to_string(stack.data().join("audit.jsonl")).unwrap();
    let lines: Vec<Value> = audit.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 2);
    assert!(lines.iter().all(|line| line["api"] == "grpc" && line["identity"] == ALICE), "{audit}");
}

#[test]
fn refusals_have_fulcios_code_and_text_and_our_reason() {
    let stack = Stack::start_with(&["--limit-identity", "1"]);
    let token = stack.token(ALICE);
    let table = [
        ("nonsense", ALICE, 3, "There was an error processing the identity token", "token.malformed"),
        ("", ALICE, 3, "There was an error processing the identity token", "token.missing"),
        (&token, MALLORY, 3, "The signature supplied in the request could not be verified", "key.possession"),
        (&token, ALICE, 8, "too many requests of this identity", "limit.identity"),
    ];
    for (token, challenge, code, message, reason) in table {
        let refused = &ask(&stack, token, challenge, false)["certificateRefused"];
        assert_eq!(refused["code"], code, "{refused}");
        assert!(refused["message"].as_str().unwrap().starts_with(message), "{refused}");
        let [error, request] = refused["details"].as_array().unwrap().as_slice() else { panic!("{refused}") };
        assert_eq!((&error["reason"], &error["domain"]), (&json!(reason), &json!("chancery")), "{refused}");
        let audit = fs::read_to_string(stack.data().join("audit.jsonl")).unwrap();
        let last: Value = serde_json::from_str(audit.lines().last().unwrap()).unwrap();
        assert_eq!((&last["request_id"], &last["code"]), (&request["requestId"], &json!(reason)));
    }
}

#[test]
fn a_certificate_that_no_log_knows_of_has_an_empty_timestamp() {
    let stack = Stack::start_with(&["--insecure-without-certificate-log"]);
    let told = ask(&stack, &stack.token(ALICE), ALICE, false);
    let beside = &told["certificate"]["signedCertificateDetachedSct"];
    assert_eq!(STANDARD.decode(beside["signedCertificateTimestamp"].as_str().unwrap()).unwrap(), b"");
    assert_eq!(beside["chain"]["certificates"].as_array().unwrap().len(), 3);
}

#[test]
fn who_does_not_say_which_protocol_is_hung_up_on() {
    let stack = Stack::start();
    // Nothing, the beginning of HTTP/2's preface, and a host that is not this machine.
    let foreign = b"GET / HTTP/1.1\r\nhost: example.org\r\nconnection: close\r\n\r\n";
    for (said, answered) in [(&b""[..], &b""[..]), (b"PR", b""), (foreign, b"HTTP/1.1 403")] {
        let mut connection = TcpStream::connect(stack.url().trim_start_matches("http://")).unwrap();
        connection.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        connection.write_all(said).unwrap();
        let mut answer = Vec::new();
        if let Err(error) = connection.read_to_end(&mut answer) {
            // Hung up on with something unread, which is all the same.
            assert_eq!(error.kind(), ErrorKind::ConnectionReset, "{error}");
        }
        assert!(answer.starts_with(answered) && answer.is_empty() == answered.is_empty(), "{answer:?}");
    }
    stack.get("/healthz").expect(200);
}
