//! Logs that lie, stall, flood, throttle and lead away.

use super::{
    certificates::Certificates,
    rekor::{Trees, v2, v2_scheme},
    server::{Server, answer, limits, not_found, ok},
    tree::Tree,
};
use chancery_log_client::{Fetcher, Limits, LogIdentity, Protocol, ReadError, RemoteLog};
use chancery_verify::{
    Rejection,
    merkle::{CompactRange, TreeHead, leaf_hash, verify_consistency, verify_inclusion},
    tile,
};
use serde_json::{Value, json};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};

#[tokio::test]
async fn only_the_key_of_the_log_is_believed() {
    let (tree, other) = (Arc::new(Tree::named("entry", 5)), Tree::named("entry", 5));
    let served = Arc::clone(&tree);
    let server = Server::start(move |asked| v2(&served, asked, 5)).await;
    let log = server.log(Protocol::RekorV2, "/log", &other.key());
    assert!(matches!(log.head().await, Err(ReadError::Rejected { rejection: Rejection::NoteUnsigned, .. })));
    assert_eq!(log.origin(), None, "an origin that nobody has signed is not remembered");
    // The right key, and a size that it has not signed.
    let note = tree.checkpoint(&v2_scheme(), 5).replacen("\n5\n", "\n6\n", 1);
    let server = Server::start(move |_| ok(note.clone())).await;
    let log = server.log(Protocol::RekorV2, "/log", &tree.key());
    assert!(matches!(log.head().await, Err(ReadError::Rejected { rejection: Rejection::NoteSignature, .. })));
    for text in ["", "no note", "a\nb\nc\n\n\u{2014} x AAAA\n"] {
        let server = Server::start(move |_| ok(text)).await;
        let error = server.log(Protocol::RekorV2, "/log", &tree.key()).head().await.unwrap_err();
        assert!(matches!(error, ReadError::Rejected { .. }), "{text:?}: {error}");
    }
}

#[tokio::test]
async fn a_tree_head_that_names_no_key_is_not_said_to_be_forged() {
    let log = Arc::new(Certificates::new(4));
    let served = Arc::clone(&log);
    let server = Server::start(move |asked| served.answer(asked)).await;
    let successor = Tree::named("entry", 4).key();
    let error = server.log(Protocol::Rfc6962, "/api", &successor).head().await.unwrap_err();
    assert!(matches!(error, ReadError::OtherKey { .. }), "{error}");
    assert!(error.to_string().contains("may have a successor"), "{error}");
    let error = server.log(Protocol::StaticCt, "/tiles", &successor).head().await.unwrap_err();
    assert!(matches!(error, ReadError::Rejected { rejection: Rejection::NoteUnsigned, .. }), "{error}");
}

#[tokio::test]
async fn entries_and_proofs_of_another_tree_do_not_verify() {
    let (tree, other) = (Arc::new(Tree::named("entry", 300)), Arc::new(Tree::named("changed", 300)));
    let (signed, served) = (Arc::clone(&tree), Arc::clone(&other));
    let server = Server::start(move |asked| match asked.path.as_str() {
        "/log/checkpoint" => v2(&signed, asked, 300),
        _ => v2(&served, asked, 300),
    })
    .await;
    let log = server.log(Protocol::RekorV2, "/log", &tree.key());
    let head = log.head().await.unwrap();
    let mut range = CompactRange::default();
    while range.size() < 300 {
        let entries = log.entries(range.size(), 300).await.unwrap();
        for entry in entries {
            range.push(leaf_hash(&entry.leaf));
        }
    }
    assert_ne!(range.head().root, head.root);
    let proof = log.inclusion_proof(5, 300).await.unwrap();
    let verdict = verify_inclusion(5, 300, &leaf_hash(tree.leaf(5)), &proof, &head.root);
    assert_eq!(verdict, Err(Rejection::RootMismatch));
    let (old, new) = (tree.head(200), TreeHead { size: 300, root: head.root });
    let proof = log.consistency_proof(200, 300).await.unwrap();
    assert_eq!(verify_consistency(&old, &new, &proof), Err(Rejection::RootMismatch));
    // Tiles are remembered until a caller finds them wrong.
    let asked = server.paths().len();
    log.inclusion_proof(5, 300).await.unwrap();
    assert_eq!(server.paths().len(), asked);
    log.forget();
    log.inclusion_proof(5, 300).await.unwrap();
    assert!(server.paths().len() > asked);
}

#[tokio::test]
async fn a_bundle_with_too_few_or_no_entries_is_malformed() {
    let tree = Arc::new(Tree::named("entry", 9));
    let bundle: Vec<u8> = (0..8).flat_map(|index| tile::bundle_entry(tree.leaf(index)).unwrap()).collect();
    let cut = bundle[..bundle.len() - 1].to_vec();
    for body in [bundle, cut, Vec::new(), b"nothing like it".to_vec()] {
        let (served, bytes) = (Arc::clone(&tree), body.clone());
        let server =
            Server::start(
                move |asked| {
                    if asked.path.contains("/entries/") { ok(bytes.clone()) } else { v2(&served, asked, 9) }
                },
            )
            .await;
        let log = server.log(Protocol::RekorV2, "/log", &tree.key());
        let error = log.entries(0, 9).await.unwrap_err();
        assert!(matches!(error, ReadError::Malformed { .. }), "{body:?}: {error}");
    }
    // A hash tile that is cut.
    let served = Arc::clone(&tree);
    let server =
        Server::start(
            move |asked| {
                if asked.path.contains("/tile/0/") { ok(vec![0; 8 * 32]) } else { v2(&served, asked, 9) }
            },
        )
        .await;
    let log = server.log(Protocol::RekorV2, "/log", &tree.key());
    assert!(matches!(log.inclusion_proof(0, 9).await, Err(ReadError::Malformed { .. })));
}

#[tokio::test]
async fn a_tile_that_was_cut_once_is_asked_for_again() {
    let tree = Arc::new(Tree::named("entry", 9));
    let served = Arc::clone(&tree);
    let server = Server::start(move |asked| {
        if asked.path.contains("/tile/0/") && asked.before == 0 { ok(vec![0; 8 * 32]) } else { v2(&served, asked, 9) }
    })
    .await;
    let log = server.log(Protocol::RekorV2, "/log", &tree.key());
    assert!(matches!(log.inclusion_proof(0, 9).await, Err(ReadError::Malformed { .. })));
    let proof = log.inclusion_proof(0, 9).await.unwrap();
    verify_inclusion(0, 9, &leaf_hash(tree.leaf(0)), &proof, &tree.head(9).root).unwrap();
}

#[tokio::test]
async fn an_api_that_answers_with_other_counts_is_malformed() {
    let log = Arc::new(Certificates::new(4));
    let one = json!({ "leaf_input": "AAAA", "extra_data": "" });
    for entries in [json!([]), json!([one, one, one]), json!([{ "leaf_input": "!", "extra_data": "" }]), json!(null)] {
        let body = json!({ "entries": entries }).to_string();
        let server = Server::start(move |_| ok(body.clone())).await;
        let remote = server.log(Protocol::Rfc6962, "/api", &log.tree.key());
        let error = remote.entries(0, 2).await.unwrap_err();
        assert!(matches!(error, ReadError::Malformed { .. }), "{entries}: {error}");
    }
}

/// Rekor v1 with one answer changed.
async fn rekor_with(
    path: &'static str,
    change: impl Fn(&mut Value) + Send + Sync + 'static,
) -> (Arc<Trees>, RemoteLog) {
    let trees = Arc::new(Trees::new());
    let served = Arc::clone(&trees);
    let server = Server::start(move |asked| {
        if asked.path.split('?').next() != Some(path) {
            return served.answer(asked);
        }
        let mut json = match path {
            "/api/v1/log/entries" => served.entry(7 + 3).unwrap(),
            _ => json!([served.entry(7).unwrap(), served.entry(8).unwrap()]),
        };
        change(&mut json);
        ok(json.to_string())
    })
    .await;
    let log = server.log(Protocol::RekorV1, "", &trees.tree.key());
    log.head().await.unwrap();
    (trees, log)
}

#[tokio::test]
async fn rekor_v1_entries_must_be_those_that_were_asked_for() {
    const RETRIEVE: &str = "/api/v1/log/entries/retrieve";
    let (_, log) = rekor_with(RETRIEVE, |json| {
        json.as_array_mut().unwrap().remove(0);
    })
    .await;
    assert!(matches!(log.entries(0, 2).await, Err(ReadError::Malformed { .. })), "the first one is missing");
    let (trees, log) = rekor_with(RETRIEVE, |json| {
        json.as_array_mut().unwrap().remove(1);
    })
    .await;
    assert_eq!(log.entries(0, 2).await.unwrap().len(), 1, "fewer are allowed");
    assert_eq!(log.entries(0, 2).await.unwrap()[0].leaf, trees.tree.leaf(0));
    let (_, log) = rekor_with(RETRIEVE, |json| {
        let entry = json[0].as_object().unwrap().values().next().unwrap().clone();
        json[0] = json!({ format!("{:016x}{}", 5, "0".repeat(64)): entry });
    })
    .await;
    assert!(matches!(log.entries(0, 2).await, Err(ReadError::Malformed { .. })), "it is of another tree");
    let (_, log) = rekor_with(RETRIEVE, |json| *json = json!([{ "x": { "body": 5 } }])).await;
    assert!(matches!(log.entries(0, 2).await, Err(ReadError::Malformed { .. })));
}

#[tokio::test]
async fn a_rekor_v1_proof_is_to_a_tree_that_is_no_smaller() {
    let proof = |json: &mut Value, change: &dyn Fn(&mut Value)| {
        let entry = json.as_object_mut().unwrap().values_mut().next().unwrap();
        change(&mut entry["verification"]["inclusionProof"]);
    };
    let (_, log) =
        rekor_with("/api/v1/log/entries", move |json| proof(json, &|proof| proof["treeSize"] = json!(10))).await;
    assert!(matches!(log.inclusion_proof(3, 20).await, Err(ReadError::Malformed { .. })));
    let (_, log) =
        rekor_with("/api/v1/log/entries", move |json| proof(json, &|proof| proof["hashes"] = json!([]))).await;
    assert!(matches!(log.inclusion_proof(3, 20).await, Err(ReadError::Rejected { .. })));
    let (_, log) = rekor_with("/api/v1/log/entries", move |json| proof(json, &|proof| *proof = json!(null))).await;
    assert!(matches!(log.inclusion_proof(3, 20).await, Err(ReadError::Malformed { .. })));
}

#[tokio::test]
async fn an_answer_without_end_is_cut_off() {
    let tree = Tree::named("entry", 5);
    let server = Server::start(|_| ok(vec![b'x'; 2 << 20])).await;
    for (protocol, path) in [(Protocol::RekorV2, "/log"), (Protocol::RekorV1, ""), (Protocol::Rfc6962, "/api")] {
        let log = server.log(protocol, path, &tree.key());
        assert!(matches!(log.head().await, Err(ReadError::TooLarge { .. })), "{protocol}");
        assert!(matches!(log.entries(0, 5).await, Err(ReadError::TooLarge { .. })), "{protocol}");
    }
}

#[tokio::test]
async fn a_server_that_is_silent_is_not_waited_for() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
    let limits = Limits { request: Duration::from_millis(50), attempts: 2, ..limits() };
    let key = Tree::named("entry", 1).key();
    let identity = LogIdentity { protocol: Protocol::RekorV2, url, key, origin: None };
    let log = RemoteLog::new(identity, Fetcher::new(limits).unwrap()).unwrap();
    let begun = Instant::now();
    let error = log.head().await.unwrap_err();
    assert!(error.is_passing() && matches!(error, ReadError::Unreachable { .. }), "{error}");
    assert!(begun.elapsed() < Duration::from_secs(20));
    drop(listener);
}

#[tokio::test]
async fn a_server_that_is_busy_is_asked_again_when_it_says() {
    let tree = Arc::new(Tree::named("entry", 5));
    for (status, headers) in [(429, &[("retry-after", "1")][..]), (503, &[]), (500, &[])] {
        let served = Arc::clone(&tree);
        let server = Server::start(move |asked| match asked.before {
            0 => answer(status, headers, "later"),
            _ => v2(&served, asked, 5),
        })
        .await;
        let begun = Instant::now();
        let log = server.log(Protocol::RekorV2, "/log", &tree.key());
        assert_eq!(log.head().await.unwrap().size, 5, "{status}");
        assert_eq!(server.paths().len(), 2);
        assert!(headers.is_empty() || begun.elapsed() >= Duration::from_secs(1));
    }
    // For longer than it is waited for: the caller is told at once.
    let server = Server::start(|_| answer(429, &[("retry-after", "3600")], "")).await;
    let error = server.log(Protocol::RekorV2, "/log", &tree.key()).head().await.unwrap_err();
    assert_eq!(error.retry_after(), Some(Duration::from_hours(1)));
    assert!(error.is_passing() && error.to_string().ends_with("in 3600 s"), "{error}");
    assert!(!error.is_refusal());
    assert_eq!(server.paths().len(), 1);
    // For ever.
    let server = Server::start(|_| answer(429, &[], "")).await;
    let error = server.log(Protocol::RekorV2, "/log", &tree.key()).head().await.unwrap_err();
    assert_eq!(error.retry_after(), None);
    assert_eq!(server.paths().len(), 3);
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let tree = Arc::new(Tree::named("entry", 5));
    let served = Arc::clone(&tree);
    let elsewhere = Server::start(move |asked| v2(&served, asked, 5)).await;
    let target = format!("{}/log/checkpoint", elsewhere.url);
    let server = Server::start(move |_| answer(302, &[("location", target.as_str())], "")).await;
    let error = server.log(Protocol::RekorV2, "/log", &tree.key()).head().await.unwrap_err();
    assert!(matches!(error, ReadError::Refused { status: 302, .. }), "{error}");
    assert!(!error.is_passing() && error.to_string().contains("redirects are not followed"), "{error}");
    assert!(elsewhere.paths().is_empty());
}

#[tokio::test]
async fn what_is_missing_is_told_with_the_protocol() {
    let tree = Tree::named("entry", 5);
    let server = Server::start(|_| not_found()).await;
    for protocol in Protocol::ALL {
        let error = server.log(protocol, "/log", &tree.key()).head().await.unwrap_err();
        assert!(error.to_string().contains(protocol.name()), "{error}");
        assert!(matches!(error, ReadError::Missing { .. }), "{error}");
        assert!(!error.is_passing() && error.is_refusal());
    }
    let server = Server::start(|_| answer(401, &[], "")).await;
    let error = server.log(Protocol::RekorV2, "/log", &tree.key()).entries(0, 5).await.unwrap_err();
    assert!(error.needs_token() && error.to_string().ends_with("401"), "{error}");
    for (body, reason) in [
        ("{\"code\":401,\"message\":\"the token\\nhas expired\"}", ": the token\\nhas expired"),
        ("Unauthorized\nthe token has expired\n", ": the token has expired"),
        ("<html>\nlogin\n</html>", "401"),
    ] {
        let server = Server::start(move |_| answer(401, &[], body)).await;
        let error = server.log(Protocol::RekorV2, "/log", &tree.key()).head().await.unwrap_err().to_string();
        assert!(error.ends_with(reason), "{error}");
    }
    let identity = |url: &str| LogIdentity {
        protocol: Protocol::RekorV2,
        url: url.parse().unwrap(),
        key: tree.key(),
        origin: None,
    };
    for url in ["ftp://log.example", "https://me@log.example", "https://log.example/?q=1"] {
        let refused = RemoteLog::new(identity(url), Fetcher::new(limits()).unwrap()).unwrap_err();
        assert!(matches!(refused, ReadError::Address { .. }), "{url}");
    }
}

#[tokio::test]
async fn a_token_is_sent_with_every_request_and_read_each_time() {
    let tree = Arc::new(Tree::named("entry", 5));
    let served = Arc::clone(&tree);
    let server = Server::start(move |asked| v2(&served, asked, 5)).await;
    let fetcher =
        Fetcher::new(limits()).unwrap().with_token(Arc::new(|| Err::<String, String>("it is gone".to_owned())));
    let url = format!("{}/log", server.url).parse().unwrap();
    let identity = LogIdentity { protocol: Protocol::RekorV2, url, key: tree.key(), origin: None };
    let log = RemoteLog::new(identity, fetcher).unwrap();
    assert_eq!(log.head().await, Err(ReadError::Token { reason: "it is gone".to_owned() }));
    assert!(server.paths().is_empty(), "nothing is asked without the token");
}
