//! Questions about what the logs hold: filters, pages, exports, counts, and what cannot be asked.

use chancery_tests::{
    ALICE, Client, MALLORY, Stack,
    http::Request,
    key::{Key, sha256, unique},
    rekor::{ENTRIES, Entry, dsse, envelope, hashedrekord},
    rekor_v2,
    search::{SEARCH, all_pages, ask, entries, path, places, verify, wait},
};
use serde_json::{Value, json};
use std::{
    collections::BTreeSet,
    sync::atomic::{AtomicBool, Ordering},
    thread,
};

fn digest(artifact: &[u8]) -> String {
    format!("sha256:{}", hex::encode(sha256(artifact)))
}

/// Logs an artifact in Rekor v1; returns its index.
fn log(stack: &Stack, key: &Key, artifact: &[u8]) -> u64 {
    Entry::parse(&stack.post(ENTRIES, &hashedrekord(key, artifact)).expect(201).json()).log_index()
}

/// Alice signs with a certificate, into Rekor v1 and v2.
fn signed(stack: &Stack) -> String {
    let alice = stack.person(ALICE);
    let artifact = unique("hello");
    alice.write("artifact", &artifact);
    Client::Cosign2.sign(&alice, "artifact", "v1.json").run().succeeds();
    Client::Cosign3.sign(&alice, "artifact", "v2.json").run().succeeds();
    artifact
}

#[test]
fn an_entry_is_found_by_everything_that_it_says() {
    let stack = Stack::start();
    let artifact = signed(&stack);
    let key = Key::generate();
    log(&stack, &key, b"other");
    wait(&stack);
    let found = entries(&stack, &[("digest", &digest(artifact.as_bytes()))]);
    let logs: BTreeSet<&str> = found.iter().map(|entry| entry["log"].as_str().unwrap()).collect();
    assert_eq!(logs, BTreeSet::from(["rekor", "rekor2"]), "{found:?}");
    for entry in &found {
        let signer = &entry["summary"]["signers"][0];
        let (serial, fingerprint) =
            (signer["serial"].as_str().unwrap(), signer["certificate_sha256"].as_str().unwrap());
        assert_eq!(signer["identities"][0], json!({"kind": "email", "value": ALICE}), "{entry}");
        let id = entry["id"].as_str().unwrap();
        for (name, value) in [
            ("identity", ALICE),
            ("identity", "ALICE@example.test"),
            ("identity-prefix", "alice@"),
            ("identity-kind", "email"),
            ("domain", "example.test"),
            ("issuer", &stack.issuer()),
            ("serial", serial),
            ("certificate", fingerprint),
            ("key", signer["key_sha256"].as_str().unwrap()),
            ("kind", "hashedrekord"),
            ("id", id),
            ("id", &id[id.len() - 64..]),
            ("digest", &hex::encode(sha256(artifact.as_bytes()))),
            ("artifact", &digest(artifact.as_bytes())),
            ("log", entry["log"].as_str().unwrap()),
        ] {
            let found = entries(&stack, &[(name, value)]);
            assert!(found.contains(entry), "{name}={value}: {found:?}");
        }
        for (name, value) in [
            ("identity", MALLORY),
            ("identity-prefix", "mallory"),
            ("domain", "ample.test"),
            ("issuer", "https://issuer.example.test"),
            ("serial", "01"),
            ("kind", "dsse"),
            ("digest", &digest(b"nothing")),
            ("log", "ct"),
        ] {
            let found = entries(&stack, &[(name, value)]);
            assert!(!found.contains(entry), "{name}={value}: {found:?}");
        }
    }
    // The certificates of both signatures are in the certificate log.
    let certificates = entries(&stack, &[("identity", ALICE), ("log", "ct")]);
    assert_eq!(certificates.len(), 2, "{certificates:?}");
    assert!(certificates.iter().all(|entry| entry["summary"]["kind"] == "precertificate"), "{certificates:?}");
    // A key without a certificate is found by its fingerprint, and by no name.
    let fingerprint = hex::encode(sha256(&key.public_der()));
    let found = entries(&stack, &[("key", &fingerprint)]);
    assert_eq!(found.len(), 1);
    assert_eq!(found[0]["summary"]["digests"], json!([digest(b"other")]), "{found:?}");
}

#[test]
fn filters_must_all_hold_and_values_of_one_are_alternatives() {
    let stack = Stack::start();
    let (one, other) = (Key::generate(), Key::generate());
    let fingerprint = |key: &Key| hex::encode(sha256(&key.public_der()));
    for artifact in [&b"a"[..], b"b"] {
        log(&stack, &one, artifact);
        log(&stack, &other, artifact);
    }
    let statement = br#"{"_type":"https://in-toto.io/Statement/v1","subject":[]}"#;
    let signed = envelope(&one, "application/vnd.in-toto+json", statement);
    stack.post(ENTRIES, &dsse(&one, &signed.to_string())).expect(201);
    wait(&stack);
    let count = |parameters: &[(&str, &str)]| entries(&stack, parameters).len();
    let (a, b) = (digest(b"a"), digest(b"b"));
    assert_eq!(count(&[("digest", &a)]), 2);
    assert_eq!(count(&[("digest", &a), ("digest", &b)]), 4);
    assert_eq!(count(&[("digest", &a), ("key", &fingerprint(&one))]), 1);
    assert_eq!(count(&[("key", &fingerprint(&one))]), 3);
    assert_eq!(count(&[("key", &fingerprint(&one)), ("kind", "dsse")]), 1);
    assert_eq!(count(&[("key", &fingerprint(&one)), ("kind", "dsse"), ("digest", &a)]), 0);
    // The payload of the envelope is in the entry by its hash.
    assert_eq!(count(&[("digest", &digest(statement))]), 1);
    // By time: everything was logged between yesterday and tomorrow.
    let all = entries(&stack, &[("key", &fingerprint(&one)), ("order", "oldest")]);
    let (first, last) = (all[0]["time"].as_str().unwrap(), all[2]["time"].as_str().unwrap());
    let by_time = |from: &str, to: &str| count(&[("key", &fingerprint(&one)), ("from", from), ("to", to)]);
    assert_eq!(by_time("2020-01-01", "2120-01-01"), 3);
    assert_eq!(by_time("2020-01-01", "2020-12-31"), 0);
    assert_eq!(by_time(last, "2120-01-01"), all.iter().filter(|entry| entry["time"] == last).count());
    assert_eq!(by_time("2020-01-01", first), 0, "the end is no part of a period");
    // By index.
    let (first, last) = (all[0]["index"].as_u64().unwrap(), all[2]["index"].as_u64().unwrap());
    let by_index = |from: u64, end: u64| {
        count(&[("log", "rekor"), ("first-index", &from.to_string()), ("end-index", &end.to_string())])
    };
    assert_eq!(by_index(first, last + 1), 5);
    assert_eq!(by_index(first + 1, last), 3);
    assert_eq!(by_index(last, first), 0);
}

#[test]
fn what_cannot_be_asked_is_refused_with_what_would_be_right() {
    let stack = Stack::start();
    wait(&stack);
    let refused = |parameters: &[(&str, &str)], reason: &str, text: &str| {
        let answer = ask(&stack, parameters).expect(400);
        assert_eq!(answer.header("content-type"), Some("application/json"));
        let body = answer.json();
        assert_eq!(body["code"], 3, "{body}");
        assert_eq!(body["details"][0]["reason"], reason, "{body}");
        assert!(body["message"].as_str().unwrap().contains(text), "{body}");
    };
    for (name, value, text) in [
        ("identitty", "a", "identitty: there is no such parameter"),
        ("digest", "sha256:ab", "digest: write a digest as ALGORITHM:HEX"),
        ("serial", "xyz", "serial: write it like "),
        ("identity", "", "identity: it has no value"),
        ("log", "rekor9", "log: there is no log rekor9; the logs are: "),
        ("limit", "1001", "limit: write a number from 1 to 1000"),
        ("limit", "0", "limit: write a number from 1 to 1000"),
        ("order", "up", "order: write newest or oldest"),
        ("from", "today", "from: write a time as "),
        ("format", "xml", "format: write json, ndjson or csv"),
        ("proof", "yes", "proof: write 1 or 0"),
    ] {
        refused(&[(name, value)], "search.parameter", text);
    }
    refused(&[("from", "2026-11-30"), ("to", "2026-11-01")], "search.parameter", "to: it is not after from");
    refused(&[("limit", "1"), ("limit", "2")], "search.parameter", "limit: it is given more than once");
    refused(&[("format", "csv"), ("proof", "1")], "search.parameter", "proof: a table has no proofs");
    for cursor in ["x", "AAAA", "%"] {
        refused(&[("cursor", cursor)], "search.cursor", "it is not a cursor of this server");
    }
    // A cursor of another question.
    let cursor = ask(&stack, &[("limit", "1")]).expect(200).json()["cursor"].as_str().map(str::to_owned).unwrap();
    assert!(ask(&stack, &[("cursor", &cursor)]).status == 200);
    refused(&[("cursor", &cursor), ("kind", "dsse")], "search.cursor", "it belongs to another question");
    refused(&[("cursor", &cursor), ("order", "oldest")], "search.cursor", "it belongs to another question");
}

#[test]
fn pages_together_are_everything_once_in_order_and_prove_it() {
    let stack = Stack::start();
    let key = Key::generate();
    for _ in 0..25 {
        log(&stack, &key, unique("artifact").as_bytes());
        let request = rekor_v2::hashedrekord(&key, unique("artifact").as_bytes());
        stack.post(rekor_v2::ENTRIES, &request).expect(201);
    }
    wait(&stack);
    let fingerprint = hex::encode(sha256(&key.public_der()));
    let mine = [("key", fingerprint.as_str())];
    let whole = entries(&stack, &[("key", &fingerprint), ("limit", "1000")]);
    assert_eq!(whole.len(), 50);
    for limit in ["1", "7", "50", "1000"] {
        assert_eq!(all_pages(&stack, &mine, limit), whole, "{limit}");
    }
    // Whole seconds are written without a fraction.
    let time = |entry: &Value| {
        let text = entry["time"].as_str().unwrap();
        if text.contains('.') { text.to_owned() } else { text.replace('Z', ".000Z") }
    };
    let times: Vec<String> = whole.iter().map(time).collect();
    assert!(times.iter().rev().is_sorted(), "newest first over both logs: {times:?}");
    let mut oldest = all_pages(&stack, &[("key", &fingerprint), ("order", "oldest")], "7");
    for log in ["rekor", "rekor2"] {
        let indices = |entries: &[Value]| {
            places(entries).into_iter().filter(|(name, _)| name == log).map(|(_, index)| index).collect::<Vec<_>>()
        };
        assert!(indices(&whole).iter().rev().is_sorted() && indices(&oldest).is_sorted(), "{log}");
    }
    oldest.sort_by_key(|entry| places(std::slice::from_ref(entry)));
    let mut newest = whole.clone();
    newest.sort_by_key(|entry| places(std::slice::from_ref(entry)));
    assert_eq!(oldest, newest);
    let proven = ask(&stack, &[("key", &fingerprint), ("limit", "1000"), ("proof", "1")]).expect(200).json();
    assert_eq!(places(proven["entries"].as_array().unwrap()), places(&whole));
    verify(&stack, &proven);
    // Every entry there is, the certificates among them.
    verify(&stack, &ask(&stack, &[("limit", "1000"), ("proof", "1")]).expect(200).json());
}

#[test]
fn pages_stay_right_while_the_logs_grow() {
    let stack = Stack::start();
    let key = Key::generate();
    let mut before: Vec<u64> = (0..30).map(|_| log(&stack, &key, unique("artifact").as_bytes())).collect();
    wait(&stack);
    let (fingerprint, done) = (hex::encode(sha256(&key.public_der())), AtomicBool::new(false));
    thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                log(&stack, &key, unique("artifact").as_bytes());
            }
        });
        for order in ["newest", "oldest"] {
            let mine = [("key", fingerprint.as_str()), ("order", order), ("log", "rekor"), ("end-index", "1000000")];
            let mut found: Vec<u64> =
                places(&all_pages(&stack, &mine, "3")).into_iter().map(|(_, index)| index).collect();
            let in_order = found.is_sorted_by(|one, next| if order == "newest" { one > next } else { one < next });
            if !in_order {
                done.store(true, Ordering::Relaxed);
            }
            assert!(in_order, "{order}: {found:?}");
            // What was there when the first page was asked for is on one of the pages.
            found.sort_unstable();
            let missing = before.iter().find(|index| found.binary_search(index).is_err());
            if missing.is_some() {
                done.store(true, Ordering::Relaxed);
            }
            assert_eq!(missing, None, "{order}");
            if order == "newest" {
                before = found;
            }
        }
        done.store(true, Ordering::Relaxed);
    });
}

#[test]
fn an_export_says_how_it_ended() {
    let stack = Stack::start();
    let key = Key::generate();
    for _ in 0..5 {
        log(&stack, &key, unique("artifact").as_bytes());
    }
    signed(&stack);
    wait(&stack);
    let all = entries(&stack, &[("limit", "1000")]);
    for accept in [None, Some("application/x-ndjson")] {
        let format = if accept.is_none() { "?format=ndjson" } else { "" };
        let mut request = Request::get(&stack.at(&format!("{SEARCH}{format}")));
        if let Some(accept) = accept {
            request = request.header("Accept", accept);
        }
        let answer = request.send().expect(200);
        assert_eq!(answer.header("content-type"), Some("application/x-ndjson"));
        let mut lines: Vec<Value> = answer.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let end = lines.pop().unwrap();
        assert_eq!(lines, all);
        assert_eq!((&end["end"]["entries"], &end["end"]["cursor"]), (&all.len().into(), &Value::Null), "{end}");
        assert_eq!(end["end"]["complete_to"].as_array().unwrap().len(), 3, "{end}");
    }
    let limited = ask(&stack, &[("format", "ndjson"), ("limit", "2"), ("proof", "1")]).expect(200).text();
    let lines: Vec<Value> = limited.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 3, "{limited}");
    let cursor = lines[2]["end"]["cursor"].as_str().unwrap();
    verify(&stack, &json!({"entries": lines[..2], "complete_to": lines[2]["end"]["complete_to"]}));
    let rest = entries(&stack, &[("cursor", cursor), ("limit", "1000")]);
    assert_eq!(rest, all[2..]);

    let table = ask(&stack, &[("format", "csv")]).expect(200);
    assert_eq!(table.header("content-type"), Some("text/csv; charset=utf-8"));
    let text = table.text();
    let rows: Vec<&str> = text.split("\r\n").collect();
    assert!(rows[0].starts_with("\"time\",\"log\",\"index\",\"id\",\"kind\""), "{text}");
    assert_eq!(rows.len(), all.len() + 2, "a header, a row for each entry of one signer, and an end: {text}");
    assert!(rows.iter().any(|row| row.contains(&format!("\"{ALICE}\",\"{}\"", stack.issuer()))), "{text}");
}

#[test]
fn entries_are_counted() {
    let stack = Stack::start();
    let key = Key::generate();
    for _ in 0..5 {
        log(&stack, &key, unique("artifact").as_bytes());
    }
    signed(&stack);
    wait(&stack);
    let fingerprint = hex::encode(sha256(&key.public_der()));
    for parameters in [
        &[][..],
        &[("key", fingerprint.as_str())],
        &[("identity", ALICE)],
        &[("identity-prefix", "alice@"), ("log", "ct")],
        &[("key", &fingerprint), ("kind", "hashedrekord")],
        &[("identity", MALLORY)],
        &[("from", "2020-01-01"), ("log", "rekor")],
    ] {
        let counted = ask(&stack, &[parameters, &[("count", "1")]].concat()).expect(200).json();
        let all = entries(&stack, &[parameters, &[("limit", "1000")]].concat());
        assert_eq!(counted["count"], all.len(), "{parameters:?}: {counted}");
        assert_eq!(counted["at_least"], false, "{parameters:?}: {counted}");
        let by_log = counted["logs"].as_array().unwrap().iter().map(|log| log["count"].as_u64().unwrap());
        assert_eq!(by_log.sum::<u64>(), all.len() as u64, "{parameters:?}: {counted}");
    }
}

#[test]
fn many_digests_are_looked_for_at_once() {
    let stack = Stack::start();
    let key = Key::generate();
    let artifacts: Vec<String> = (0..20).map(|_| unique("artifact")).collect();
    let mut logged = Vec::new();
    for artifact in artifacts.iter().step_by(2) {
        logged.push(log(&stack, &key, artifact.as_bytes()));
    }
    // One is in the log twice.
    log(&stack, &Key::generate(), artifacts[0].as_bytes());
    wait(&stack);
    let ask = |body: &Value| stack.post("/api/search/digests", body);
    let digests: Vec<String> = artifacts.iter().map(|artifact| digest(artifact.as_bytes())).collect();
    let answer = ask(&json!({"digests": digests})).expect(200).json();
    let known = answer["digests"].as_array().unwrap();
    assert_eq!(known.iter().map(|known| known["digest"].as_str().unwrap()).collect::<Vec<_>>(), digests);
    for (number, known) in known.iter().enumerate() {
        let entries = known["entries"].as_array().unwrap();
        assert_eq!(entries.len(), usize::from(number.is_multiple_of(2)), "{known}");
        assert_eq!(known["more"], number == 0, "{known}");
        if number > 0 && number.is_multiple_of(2) {
            assert_eq!(places(entries), [("rekor".to_owned(), logged[number / 2])]);
        }
    }
    let both = ask(&json!({"digests": [digests[0]], "entries": 10})).expect(200).json();
    assert_eq!(both["digests"][0]["entries"].as_array().unwrap().len(), 2, "{both}");
    assert_eq!(both["digests"][0]["more"], false, "{both}");
    // Ten thousand, of which none is there.
    let many: Vec<String> = (0..10_000_u32).map(|number| digest(&number.to_be_bytes())).collect();
    let answer = ask(&json!({"digests": many})).expect(200).json();
    assert!(answer["digests"].as_array().unwrap().iter().all(|known| known["entries"] == json!([])));
    let too_many = [&many[..], &digests[..]].concat();
    for (body, text) in [
        (json!({"digests": []}), "ask for 1 to 10000 digests"),
        (json!({"digests": too_many}), "ask for 1 to 10000 digests"),
        (json!({"digests": ["sha256:ab"]}), "digests[0]: write a digest"),
        (json!({"digests": digests, "entries": 11}), "entries: write a number from 1 to 10"),
        (json!({"digest": digests}), "the body must be "),
    ] {
        let refused = ask(&body).expect(400).json();
        assert!(refused["message"].as_str().unwrap().contains(text), "{refused}");
    }
}

#[test]
fn answers_are_kept_by_no_cache_and_paths_may_end_with_a_slash() {
    let stack = Stack::start();
    wait(&stack);
    let digest = digest(b"x");
    for path in [
        path(SEARCH, &[]),
        "/api/search/".to_owned(),
        format!("/api/artifacts/{digest}/"),
        "/api/certificates/".to_owned(),
    ] {
        let answer = stack.get(&path).expect(200);
        assert_eq!(answer.header("cache-control"), Some("no-store"), "{path}");
        assert_eq!(answer.header("access-control-allow-origin"), None, "{path}");
    }
}
