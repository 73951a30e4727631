//! Each change of a file that clients would notice is told, and one that is not known is named.

use super::*;
use serde_json::json;

const START: &str = "2026-11-21T07:00:00Z";
const END: &str = "2027-01-01T00:00:00Z";
/// SHA-256 of «a» and of «b».
const A: &str = "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb";
const B: &str = "3e23e8160039594a33894f6564e1b1348bbd7a0088d42c4acb73eeaed59c009d";

fn log(url: &str, key: &str) -> Value {
    json!({
        "baseUrl": url,
        "hashAlgorithm": "SHA2_256",
        "publicKey": {"rawBytes": STANDARD.encode(key), "keyDetails": "PKIX_ECDSA_P256_SHA_256", "validFor": {"start": START}},
        "logId": {"keyId": "eA=="},
    })
}

fn authority(url: &str, certificate: &str) -> Value {
    let certificates = json!([{"rawBytes": STANDARD.encode(certificate)}, {"rawBytes": "cm9vdA=="}]);
    json!({"uri": url, "certChain": {"certificates": certificates}, "validFor": {"start": START}})
}

fn root() -> Value {
    json!({
        "mediaType": "m",
        "tlogs": [log("https://log.example", "a")],
        "ctlogs": [log("https://log.example/ct/1", "a")],
        "certificateAuthorities": [authority("https://ca.example", "a")],
        "timestampAuthorities": [authority("https://tsa.example/api/v1/timestamp", "a")],
    })
}

#[track_caller]
fn assert_changes(change: impl FnOnce(&mut Value), expected: &[&str]) {
    let mut after = root();
    change(&mut after);
    assert_eq!(trusted_root(&root(), &after), expected);
}

#[test]
fn a_trusted_root_is_compared_in_sentences() {
    assert_changes(|_| {}, &[]);
    assert_changes(
        |root| root["tlogs"][0]["baseUrl"] = "https://b.example".into(),
        &[&format!(
            "signature log https://log.example (key {A}): its URL changes from https://log.example to https://b.example"
        )],
    );
    assert_changes(
        |root| root["certificateAuthorities"][0]["validFor"]["end"] = END.into(),
        &[&format!(
            "certificate authority https://ca.example (certificate {A}): its window is closed: valid until {END}"
        )],
    );
    assert_changes(
        |root| root["ctlogs"][0]["publicKey"]["validFor"]["start"] = END.into(),
        &[&format!("certificate log https://log.example/ct/1 (key {A}): its window starts {END} instead of {START}")],
    );
    assert_changes(
        |root| root["tlogs"].as_array_mut().unwrap().insert(0, log("https://log.example", "b")),
        &[&format!("signature log https://log.example (key {B}) is added, valid from {START}")],
    );
    assert_changes(
        |root| root["timestampAuthorities"] = json!([]),
        &[&format!(
            "timestamp authority https://tsa.example/api/v1/timestamp (certificate {A}) is removed: clients refuse all that it \
             has signed"
        )],
    );
    // Another key in the place of one is not a change of it.
    assert_changes(
        |root| root["ctlogs"][0]["publicKey"]["rawBytes"] = STANDARD.encode("b").into(),
        &[
            &format!("certificate log https://log.example/ct/1 (key {B}) is added, valid from {START}"),
            &format!(
                "certificate log https://log.example/ct/1 (key {A}) is removed: clients refuse all that it has signed"
            ),
        ],
    );
}

#[test]
fn what_has_no_sentence_is_named() {
    let log = format!("signature log https://log.example (key {A})");
    assert_changes(|root| root["mediaType"] = "n".into(), &["its member mediaType changes"]);
    assert_changes(|root| root["extra"] = 1.into(), &["its member extra changes"]);
    assert_changes(
        |root| root["tlogs"][0]["hashAlgorithm"] = "SHA2_512".into(),
        &[&format!("{log}: its member hashAlgorithm changes")],
    );
    assert_changes(
        |root| root["tlogs"][0]["publicKey"]["validFor"]["extra"] = 1.into(),
        &[&format!("{log}: its member publicKey changes")],
    );
    assert_changes(
        |root| root["certificateAuthorities"][0]["certChain"]["certificates"][1]["rawBytes"] = "eA==".into(),
        &[&format!("certificate authority https://ca.example (certificate {A}): its member certChain changes")],
    );
    assert_changes(
        |root| root["ctlogs"] = json!({"a": 1}),
        &[
            "certificate log nothing (key that cannot be read) is added, valid from nothing",
            &format!(
                "certificate log https://log.example/ct/1 (key {A}) is removed: clients refuse all that it has signed"
            ),
        ],
    );
    // The same entry twice, and a file that was not there.
    let twice = |root: &mut Value| root["tlogs"] = json!([root["tlogs"][0], root["tlogs"][0]]);
    assert_changes(twice, &[&format!("{log} is added, valid from {START}")]);
    assert_eq!(trusted_root(&Value::Null, &root()).len(), 5);
}

#[test]
fn a_window_that_is_opened_again_or_moved_is_told() {
    let with_end = |end: Value| {
        let mut root = root();
        root["certificateAuthorities"][0]["validFor"]["end"] = end;
        root
    };
    let closed = with_end(END.into());
    let name = format!("certificate authority https://ca.example (certificate {A})");
    assert_eq!(trusted_root(&closed, &root()), [format!("{name}: its window, closed on {END}, is open again")]);
    let moved = trusted_root(&closed, &with_end("2030-01-01T00:00:00Z".into()));
    assert_eq!(moved, [format!("{name}: its window ends 2030-01-01T00:00:00Z instead of {END}")]);
}

#[test]
fn services_move_come_and_go() {
    let service =
        |url: &str, version: u64| json!({"url": url, "majorApiVersion": version, "validFor": {"start": START}});
    let with = |logs: Vec<Value>| json!({"caUrls": [service("https://ca.example", 1)], "rekorTlogUrls": logs});
    let (a, b) = (|version| service("https://a.example", version), |version| service("https://b.example", version));
    let changes = |before, after| signing_config(&with(before), &with(after));
    assert_eq!(
        changes(vec![a(2), a(1)], vec![b(2), a(1)]),
        [
            "signature log to use https://a.example (API version 2): its URL changes from https://a.example to https://b.example"
        ]
    );
    let mut ended = a(2);
    ended["validFor"]["end"] = END.into();
    assert_eq!(
        changes(vec![a(2)], vec![b(2), ended]),
        [
            format!("signature log to use https://b.example (API version 2) is added, valid from {START}"),
            format!("signature log to use https://a.example (API version 2): its window is closed: valid until {END}"),
        ]
    );
    assert_eq!(
        changes(vec![a(2), a(1)], vec![a(1)]),
        ["signature log to use https://a.example (API version 2) is removed: signers no longer use it"]
    );
    assert_eq!(changes(vec![a(2), a(1)], vec![a(1), a(2)]), ["the order of its rekorTlogUrls changes"]);
}
