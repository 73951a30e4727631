//! The target for questions to a search: queries of URLs with their cursors, and bodies of JSON.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use chancery_search::http::can_be_asked;
use serde_json::json;

/// A target.
pub type Target = fn(&[u8]);

/// Every target by name.
pub const ALL: [(&str, Target); 1] = [("question", question)];

/// The seeds of a target: first queries, then bodies of batches, then bodies of Rekor's search.
pub fn seeds(_: &str) -> Vec<Vec<u8>> {
    let digest = "ab".repeat(32);
    let key = STANDARD.encode(include_str!("../../../services/search/tests/index/key.pem"));
    let queries = [
        format!(
            "digest=sha256:{digest}&identity=alice@example.com&issuer=https://accounts.example.com&proof=1&limit=50"
        ),
        "identity-prefix=https%3A%2F%2Fgithub.com%2Facme%2F&kind=dsse&kind=intoto&log=rekor&order=oldest&count=1"
            .to_owned(),
        "from=2026-01-01&to=2026-02-01T12:00:00Z&first-index=1&end-index=100&predicate-type=x%27%3B--%25_".to_owned(),
        format!(
            "id={}{digest}&key={digest}&serial=4a10&domain=example.com&material=gitcommit:{}",
            "0".repeat(16),
            "0b".repeat(20)
        ),
    ];
    let batches = [
        json!({ "digests": [digest, format!("sha512:{}", "cd".repeat(64)), "ab".repeat(20)], "entries": 10 }),
        json!({ "digests": [format!("gitcommit:{}", "0b".repeat(20))] }),
    ];
    let retrieved = [
        json!({ "email": "alice@example.com", "subject": "https://example.com", "hash": digest, "operator": "and" }),
        json!({ "publicKey": { "format": "x509", "content": key, "url": "http://127.0.0.1:9" }, "operator": null }),
        json!({ "hash": format!("sha1:{}", "ab".repeat(20)), "email": "", "subject": null }),
    ];
    let bodies = batches.into_iter().chain(retrieved).map(|body| body.to_string());
    queries.into_iter().chain(bodies).map(String::into_bytes).collect()
}

/// Whatever is asked is a question or is refused, whichever of the three forms it is read in.
pub fn question(input: &[u8]) {
    let [query, batch, retrieved] = can_be_asked(input);
    assert!(!query || str::from_utf8(input).is_ok(), "the query of a URL is text");
    let is_object = input.trim_ascii_start().starts_with(b"{");
    assert!(is_object || !(batch || retrieved), "a body is an object, and no list of its members");
}
