//! Questions that are not as they should be, over HTTP: each is answered with a reason, and the server goes on.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use chancery_tests::{
    Stack,
    http::Request,
    key::Key,
    mutation::mutations,
    rekor::{ENTRIES, Entry, dsse, envelope, hashedrekord, intoto_v001, intoto_v002},
    search::{RETRIEVE, SEARCH, ask, path, wait},
};
use serde_json::{Value, json};

const DIGESTS: &str = "/api/search/digests";

/// Posts each change to the document. None is answered with a server's error, and none without a reason.
fn survives(stack: &Stack, target: &str, document: &Value, only: Option<&str>) {
    for mutation in
        mutations(document).into_iter().filter(|mutation| only.is_none_or(|change| mutation.change == change))
    {
        let request = Request::post(&stack.at(target)).body("application/json", mutation.json);
        let answer = request.send();
        let what = || format!("{target}: {} {}: {}", mutation.pointer, mutation.change, answer.text());
        assert!((200..500).contains(&answer.status), "{} {}", answer.status, what());
        let is_told =
            answer.status < 300 || answer.json()["message"].as_str().is_some_and(|message| !message.is_empty());
        assert!(is_told, "{}", what());
    }
}

#[test]
fn no_member_of_a_question_brings_the_server_down() {
    let stack = Stack::start();
    let key = Key::generate();
    let proposal = hashedrekord(&key, b"artifact");
    let entry = Entry::parse(&stack.post(ENTRIES, &proposal).expect(201).json());
    wait(&stack);
    let digest = "ab".repeat(32);
    let content = STANDARD.encode(key.public_pem());
    let question = json!({
        "email": "alice@example.test",
        "subject": "https://example.test/nobody",
        "hash": format!("sha256:{digest}"),
        "publicKey": { "format": "x509", "content": content, "url": "http://127.0.0.1:9/key.pem" },
        "operator": "and",
    });
    survives(&stack, RETRIEVE, &question, None);
    survives(
        &stack,
        DIGESTS,
        &json!({ "digests": [digest, format!("sha512:{}", "cd".repeat(64))], "entries": 2 }),
        None,
    );
    let retrieved = json!({ "entryUUIDs": [entry.id], "logIndexes": [entry.log_index()], "entries": [proposal] });
    survives(&stack, "/api/v1/log/entries/retrieve", &retrieved, None);
    // That every other change to a proposal is refused is tested where its kind is.
    let envelope = envelope(&key, "application/vnd.in-toto+json", br#"{"subject":[]}"#);
    let text = envelope.to_string();
    for proposal in
        [hashedrekord(&key, b"other"), dsse(&key, &text), intoto_v001(&key, &text), intoto_v002(&key, &envelope)]
    {
        survives(&stack, ENTRIES, &proposal, Some("doubled"));
    }
    stack.get(&format!("{ENTRIES}/{}", entry.id)).expect(200);
}

/// Values are parameters of statements, and prefixes are compared as bytes: no character means anything.
#[test]
fn what_means_something_to_a_database_means_nothing_in_a_question() {
    let stack = Stack::start();
    stack.post(ENTRIES, &hashedrekord(&Key::generate(), b"artifact")).expect(201);
    wait(&stack);
    let all = ask(&stack, &[("count", "1")]).expect(200).json()["count"].as_u64().unwrap();
    let hostile = [
        "%",
        "_",
        "%%%%%%%%%%%%%%%%_%",
        "'",
        "\"; DROP TABLE search_pages; --",
        "' OR 1=1 --",
        "\\",
        "*",
        "$1",
        "?1",
        "\u{0}",
    ];
    for value in hostile {
        for name in
            ["identity", "identity-prefix", "domain", "issuer", "repository-prefix", "workflow-ref-prefix", "kind"]
        {
            let answer = ask(&stack, &[(name, value)]);
            let is_nothing = answer.status == 200 && answer.json()["entries"].as_array().is_some_and(Vec::is_empty);
            assert!(is_nothing || answer.status == 400, "{name}={value:?}: {} {}", answer.status, answer.text());
        }
        for name in ["log", "cursor", "digest", "from", "order", "limit"] {
            let status = ask(&stack, &[(name, value)]).status;
            assert_eq!(status, 400, "{name}={value:?}");
        }
    }
    // Many of them, and long ones: within the limits they are looked up, and beyond them refused.
    let many: Vec<(&str, &str)> = std::iter::repeat_n(("identity-prefix", "%_%"), 32).collect();
    ask(&stack, &many).expect(200);
    let long = "x".repeat(12 * 1024 + 1);
    stack.get(&path(SEARCH, &[("identity-prefix", &long)])).expect(400);
    assert_eq!(ask(&stack, &[("count", "1")]).expect(200).json()["count"].as_u64(), Some(all), "nothing is gone");
}
