//! What an operator sees: metrics, the audit log, and request ids that lead from one to the other.

use chancery_tests::{
    ALICE, Client, Stack,
    client::Signer,
    fulcio::{self, Leaf, SIGNING_CERT_V1, SIGNING_CERT_V2},
    http::{Request, Response},
    key::{Key, sha256, unique},
    rekor::{ENTRIES, hashedrekord},
    stack::free_port,
    waiting::eventually,
};
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::PermissionsExt as _,
    path::Path,
    thread,
    time::{Duration, Instant},
};

/// Samples by name and labels, as they are written.
fn samples(metrics: &str) -> BTreeMap<String, f64> {
    let page = Request::get(&format!("{metrics}/metrics")).send().expect(200);
    assert!(page.header("content-type").unwrap().starts_with("text/plain; version=0.0.4"));
    let text = page.text();
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines
        .map(|line| line.rsplit_once(' ').unwrap())
        .map(|(name, value)| (name.into(), value.parse().unwrap()))
        .collect()
}

fn lines(path: &Path) -> Vec<Value> {
    let text = fs::read_to_string(path).unwrap();
    assert!(text.is_empty() || text.ends_with('\n'), "{text}");
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn ask(stack: &Stack, token: &str, request_id: &str) -> Response {
    let request = fulcio::key_request_with_token(&Key::generate(), ALICE, token);
    Request::post(&stack.at(SIGNING_CERT_V2)).header("x-request-id", request_id).json(&request).send()
}

#[test]
fn metrics_have_the_names_that_dashboards_ask_for_and_bounded_labels() {
    let metrics = format!("127.0.0.1:{}", free_port());
    let stack = Stack::start_with(&["--metrics", &metrics, "--default-rekor", "v1"]);
    let metrics = format!("http://{metrics}");
    let before = samples(&metrics);
    assert_eq!((before["fulcio_new_certs"], before["rekor_new_entries"]), (0.0, 1.0), "{before:?}");
    let alice = stack.person(ALICE);
    alice.write("artifact", "hello");
    Client::Cosign3.sign(&alice, "artifact", "bundle.json").run().succeeds();
    Client::Cosign3.verify(&alice, "artifact", "bundle.json", &Signer::of(&alice)).run().succeeds();
    ask(&stack, "nonsense", "1").expect(400);
    let mut token = stack.token(ALICE);
    token.replace_range(token.len() - 8.., "AAAAAAAA");
    ask(&stack, &token, "2").expect(400);
    for path in ["/nothing/here", "/wp-login.php", "/api/v1/log/entries/none"] {
        stack.get(path);
    }
    let after = samples(&metrics);
    let issuer = stack.issuer();
    for (name, expected) in [
        ("fulcio_new_certs".to_owned(), 1.0),
        ("rekor_new_entries".to_owned(), 2.0),
        ("fulcio_api_latency_count{code=\"200\",method=\"post\"}".to_owned(), 1.0),
        ("fulcio_api_latency_count{code=\"400\",method=\"post\"}".to_owned(), 2.0),
        (format!("chancery_certs_total{{issuer=\"{issuer}\",result=\"issued\"}}"), 1.0),
        ("chancery_token_rejected_total{issuer=\"unknown\",reason=\"token.malformed\"}".to_owned(), 1.0),
        (format!("chancery_token_rejected_total{{issuer=\"{issuer}\",reason=\"token.signature\"}}"), 1.0),
        ("chancery_log_size{log=\"ct\"}".to_owned(), 1.0),
        ("chancery_log_size{log=\"rekor\"}".to_owned(), 2.0),
        ("chancery_log_queue_entries{log=\"rekor\"}".to_owned(), 0.0),
        ("chancery_log_state{log=\"rekor\",state=\"active\"}".to_owned(), 1.0),
        ("chancery_log_state{log=\"rekor\",state=\"quarantined\"}".to_owned(), 0.0),
        ("chancery_http_requests_total{code=\"2xx\",method=\"post\",route=\"/api/v2/signingCert\"}".to_owned(), 1.0),
        ("chancery_http_requests_total{code=\"4xx\",method=\"get\",route=\"none\"}".to_owned(), 2.0),
        (format!("chancery_jwks_failing_seconds{{issuer=\"{issuer}\"}}"), 0.0),
        ("chancery_log_cas_conflicts_total{log=\"rekor\"}".to_owned(), 0.0),
        ("chancery_log_batch_seconds_count{log=\"ct\",result=\"integrated\"}".to_owned(), 1.0),
        ("chancery_log_batch_entries_count{log=\"ct\"}".to_owned(), 1.0),
        ("chancery_log_batch_entries_bucket{log=\"ct\",le=\"1\"}".to_owned(), 1.0),
        ("chancery_signatures_total{result=\"failed\"}".to_owned(), 0.0),
        ("chancery_key_generation{role=\"ca\"}".to_owned(), 1.0),
        ("chancery_key_obstacles{role=\"ca\"}".to_owned(), 0.0),
    ] {
        assert_eq!(after.get(&name), Some(&expected), "{name}: {after:#?}");
    }
    for name in [
        "chancery_database_seconds_count{operation=\"integrate\",result=\"ok\"}",
        "chancery_jwks_cache_reads_total{result=\"miss\"}",
        "chancery_jwks_cache_reads_total{result=\"hit\"}",
        "chancery_signatures_total{result=\"passed\"}",
    ] {
        assert!(after.get(name).is_some_and(|count| *count > 0.0), "{name}: {after:#?}");
    }
    let three_years = 3.0 * 365.0 * 86_400.0;
    assert!((three_years - 600.0..=three_years).contains(&after["chancery_ca_seconds_left"]), "{after:#?}");
    assert!(after[&format!("chancery_jwks_age_seconds{{issuer=\"{issuer}\"}}")] < 60.0, "{after:#?}");
    assert!(after.keys().all(|name| !name.contains("wp-login") && !name.contains(ALICE)), "{after:#?}");
    stack.get("/metrics").expect(404);
    Request::get(&format!("{metrics}/metrics")).header("host", "example.org").send().expect(403);
}

#[test]
fn every_decision_is_in_the_audit_log_under_its_request_id() {
    let mut stack = Stack::start();
    let audit = stack.data().join("audit.jsonl");
    let token = stack.token(ALICE);
    let granted = ask(&stack, &token, "my-request.1").expect(200);
    assert_eq!(granted.header("x-request-id"), Some("my-request.1"));
    let refused = ask(&stack, "nonsense", "not a name").expect(400);
    let id = refused.header("x-request-id").unwrap().to_owned();
    assert!(id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit()), "{id}");
    assert_eq!(refused.json()["details"][1]["requestId"], id);
    // A verified person with a proof for somebody else, and what is no request at all.
    let mallory = fulcio::key_request_with_token(&Key::generate(), "mallory@example.test", &token);
    stack.post(SIGNING_CERT_V2, &mallory).expect(400);
    Request::post(&stack.at(SIGNING_CERT_V1))
        .body("application/json", format!("{{\"{token}\":1,\"{token}\":2}}"))
        .send()
        .expect(400);

    let found = lines(&audit);
    let leaf = fulcio::chain(&granted.json()).remove(0);
    let leaf_der = pem_der(&leaf);
    let serial = Leaf::from_pem(&leaf).0.tbs_certificate().serial_number().as_bytes().to_vec();
    assert_eq!(found.len(), 4, "{found:#?}");
    let issued = &found[0];
    for (name, value) in [
        ("event", json!("issued")),
        ("request_id", json!("my-request.1")),
        ("api", json!("v2")),
        ("issuer", json!(stack.issuer())),
        ("identity", json!(ALICE)),
        ("identity_type", json!("email")),
        ("serial", json!(hex::encode(serial))),
        ("fingerprint", json!(hex::encode(sha256(&leaf_der)))),
    ] {
        assert_eq!(issued[name], value, "{name}");
    }
    assert_eq!(issued["ct"]["index"], 0);
    let reasons: Vec<_> = found[1..]
        .iter()
        .map(|line| (line["event"].as_str().unwrap(), line["code"].as_str().unwrap(), line["identity"].as_str()))
        .collect();
    assert_eq!(
        reasons,
        [
            ("refused", "token.malformed", None),
            ("refused", "key.possession", Some(ALICE)),
            ("refused", "request.malformed", None)
        ]
    );
    assert_eq!(found[1]["request_id"], id);
    let text = fs::read_to_string(&audit).unwrap();
    assert!(token.split('.').all(|part| !text.contains(part)), "no part of a token");
    assert_eq!(fs::metadata(&audit).unwrap().permissions().mode() & 0o777, 0o600);

    // A line cut short by a crash is left as it is, and the next one is whole.
    stack.terminate();
    fs::write(&audit, format!("{text}{{\"sche")).unwrap();
    stack.resume();
    ask(&stack, &stack.token(ALICE), "after").expect(200);
    let text = fs::read_to_string(&audit).unwrap();
    let last: Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
    assert_eq!((&last["request_id"], &last["event"]), (&json!("after"), &json!("issued")));
    assert_eq!(text.lines().count(), 6);
}

#[test]
fn nothing_is_issued_that_cannot_be_recorded() {
    // Every write to it fails.
    let stack = Stack::start_with(&["--audit", "/dev/full"]);
    let refused = ask(&stack, &stack.token(ALICE), "1").expect(500).json();
    assert_eq!(refused["details"][0]["reason"], "ca.audit");
    ask(&stack, "nonsense", "2").expect(400);
    assert!(stack.get("/readyz").expect(503).text().contains("the audit log cannot be written"));
    stack.post(ENTRIES, &hashedrekord(&Key::generate(), unique("artifact").as_bytes())).expect(201);
}

#[test]
fn a_read_that_fails_its_self_check_is_counted() {
    let metrics = format!("127.0.0.1:{}", free_port());
    let mut stack = Stack::start_with(&["--metrics", &metrics]);
    let metrics = format!("http://{metrics}");
    stack.post(ENTRIES, &hashedrekord(&Key::generate(), unique("artifact").as_bytes())).expect(201);
    let database = stack.data().join("chancery.db");
    // When all is in one file, so that it can be put back.
    stack.terminate();
    let sound = fs::read(&database).unwrap();
    stack.resume();
    let failed = || {
        let samples = samples(&metrics);
        ["log", "ca"].map(|role| samples[&format!("chancery_{role}_self_check_failures_total")] >= 1.0)
    };
    assert_eq!(failed(), [false, false], "there before anything fails");
    stack.get(&format!("{ENTRIES}?logIndex=1")).expect(200);
    let rekor = "log_id = (SELECT log_id FROM logs WHERE name = 'rekor')";
    stack.tamper(&stack.data(), &format!("DELETE FROM bundle_parts WHERE {rekor}"));
    stack.get(&format!("{ENTRIES}?logIndex=1")).expect(500);
    assert_eq!(failed(), [true, false]);
    stack.terminate();
    fs::write(&database, sound).unwrap();
    // The quarantine ends with a start that proves what is stored.
    stack.resume();
}

/// The request ids in the lines about certificates that were issued.
fn issued(path: &Path) -> Vec<String> {
    let lines = lines(path).into_iter().filter(|line| line["event"] == "issued");
    lines.map(|line| line["request_id"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn an_audit_log_that_is_rotated_away_goes_on_in_a_new_file() {
    let stack = Stack::start();
    let (audit, renamed) = (stack.data().join("audit.jsonl"), stack.data().join("audit.jsonl.1"));
    let token = stack.token(ALICE);
    ask(&stack, &token, "before").expect(200);
    fs::rename(&audit, &renamed).unwrap();
    ask(&stack, &token, "renamed").expect(200);
    assert_eq!((issued(&renamed), issued(&audit)), (vec!["before".into()], vec!["renamed".into()]));
    fs::remove_file(&audit).unwrap();
    ask(&stack, &token, "removed").expect(200);
    assert_eq!(issued(&audit), ["removed"]);
    // With SIGHUP, as logrotate does, there is a file again before anything is to be written.
    fs::remove_file(&audit).unwrap();
    stack.server().hang_up();
    let deadline = Instant::now() + Duration::from_secs(10);
    while !audit.exists() {
        assert!(Instant::now() < deadline, "{}", stack.server().stderr());
        thread::sleep(Duration::from_millis(10));
    }
    ask(&stack, &token, "signalled").expect(200);
    assert_eq!(issued(&audit), ["signalled"]);
    assert_eq!(fs::metadata(&audit).unwrap().permissions().mode() & 0o777, 0o600);
    stack.get("/readyz").expect(200);
}

#[test]
fn a_flood_of_refusals_leaves_a_few_lines_and_a_count() {
    let metrics = format!("127.0.0.1:{}", free_port());
    let mut stack = Stack::start_with(&["--metrics", &metrics]);
    for number in 0..100 {
        ask(&stack, "nonsense", &number.to_string()).expect(400);
    }
    ask(&stack, &stack.token(ALICE), "granted").expect(200);
    // At most one minute ends meanwhile.
    let left_out = samples(&format!("http://{metrics}"))["chancery_audit_left_out_total{reason=\"token.malformed\"}"];
    assert!(matches!(left_out.to_string().as_str(), "90" | "80"), "{left_out}");
    stack.terminate();
    let lines = lines(&stack.data().join("audit.jsonl"));
    let of = |event: &str| lines.iter().filter(|line| line["event"] == event).cloned().collect::<Vec<_>>();
    let counted: u64 = of("left_out").iter().map(|line| line["count"].as_u64().unwrap()).sum();
    assert_eq!(of("refused").len() as u64 + counted, 100, "{lines:#?}");
    assert!(of("left_out").iter().all(|line| line["code"] == "token.malformed"), "{lines:#?}");
    assert_eq!(of("issued").len(), 1);
}

#[test]
fn a_log_as_json_has_the_id_of_the_request_on_every_line_about_it() {
    let stack = Stack::start_with(&["--log-format", "json", "--log", "info,sqlx=debug"]);
    ask(&stack, "nonsense", "my-request.7").expect(400);
    let read = stack.at("/api/v1/log/entries?logIndex=0");
    Request::get(&read).header("x-request-id", "my-read.8").send().expect(200);
    ask(&stack, &stack.token(ALICE), "my-request.9").expect(200);
    let deadline = Instant::now() + Duration::from_secs(10);
    // The lines are written a moment after the answer. The last one may not be complete yet.
    let about = |id: &str| loop {
        let written = stack.server().stderr();
        let complete = written.rsplit_once('\n').map_or("", |(complete, _)| complete);
        let all: Vec<Value> = complete.lines().map(|line| serde_json::from_str(line).expect(line)).collect();
        let found: Vec<Value> = all.into_iter().filter(|line| line["request_id"] == id).collect();
        if !found.is_empty() {
            break found;
        }
        assert!(Instant::now() < deadline, "no line about {id}:\n{written}");
        thread::sleep(Duration::from_millis(20));
    };
    let refused = about("my-request.7");
    let line =
        refused.iter().find(|line| line["message"] == "a request was refused").expect("a line about the refusal");
    assert_eq!((&line["level"], &line["fields"]["code"]), (&json!("WARN"), &json!("token.malformed")));
    assert_eq!(line["fields"]["request_id"], Value::Null, "the span has it");
    assert!(line["time"].as_str().unwrap().ends_with('Z'), "{line}");
    assert!(line["target"].as_str().unwrap().starts_with("chancery_ca"), "{line}");
    let span = &line["spans"][0];
    let found = ["name", "method", "route", "role"].map(|name| span[name].as_str().unwrap());
    assert_eq!(found, ["request", "post", "/api/v2/signingCert", "ca"]);
    // Also where a database answers on a thread of its own, and where a task of its own decides.
    let read = about("my-read.8");
    assert!(read.iter().any(|line| line["target"] == "sqlx::query"), "{read:#?}");
    assert!(read.iter().all(|line| line["spans"][0]["role"] == "log"), "{read:#?}");
    let issued = about("my-request.9");
    assert!(issued.iter().any(|line| line["message"] == "issued a certificate"), "{issued:#?}");
}

/// In text, which people read: what was asked is at the end of the line, once.
#[test]
fn a_log_as_text_names_the_request_once() {
    let stack = Stack::start();
    ask(&stack, "nonsense", "my-request.7").expect(400);
    eventually("the line is written", || stack.server().stderr().contains("a request was refused"));
    let written = stack.server().stderr();
    let line = written.lines().find(|line| line.contains("a request was refused")).unwrap();
    assert!(line.contains("  WARN chancery_ca::http::error: a request was refused code=token.malformed "), "{line}");
    assert!(line.ends_with(" [request my-request.7 post /api/v2/signingCert ca]"), "{line}");
    assert_eq!(line.matches("my-request.7").count(), 1, "{line}");
}

#[test]
fn a_limit_on_the_command_line_is_held() {
    let stack = Stack::start_with(&["--limit-identity", "2", "--limit-issuer", "100"]);
    let token = stack.token(ALICE);
    for id in ["1", "2"] {
        ask(&stack, &token, id).expect(200);
    }
    let refused = ask(&stack, &token, "3").expect(429);
    let wait: u64 = refused.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=30).contains(&wait), "{wait}");
    assert_eq!(refused.json()["details"][0]["reason"], "limit.identity");
    assert_eq!(lines(&stack.data().join("audit.jsonl"))[2]["code"], "limit.identity");
}

fn pem_der(pem: &str) -> Vec<u8> {
    chancery_verify::pem::decode(pem.as_bytes()).unwrap().der
}
