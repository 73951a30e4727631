//! Rekor v1 and v2.

use super::{
    server::{Asked, Server, not_found, ok},
    tree::{Tree, name, read_all},
};
use axum::{body::Body, http::Response};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use chancery_log_client::{Protocol, ReadError};
use chancery_verify::{Rejection, checkpoint::Scheme, merkle::leaf_hash, tile};
use serde_json::{Value, json};
use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

const V2: &str = "log.example";

pub(crate) fn v2_scheme() -> Scheme {
    Scheme::RekorV2 { origin: name(V2) }
}

/// What a Rekor v2 log answers at this size.
pub(crate) fn v2(tree: &Tree, asked: &Asked, size: u64) -> Response<Body> {
    match asked.path.strip_prefix("/log/") {
        Some("checkpoint") => ok(tree.checkpoint(&v2_scheme(), size)),
        Some(path) => {
            let entry = |index| tile::bundle_entry(tree.leaf(index)).unwrap();
            let found = path.strip_prefix("tile/").and_then(|path| tree.tile(path, "entries", size, entry));
            found.map_or_else(not_found, ok)
        }
        None => not_found(),
    }
}

#[tokio::test]
async fn tiles_are_read_and_proven_at_every_size() {
    let tree = Arc::new(Tree::named("entry", 1300));
    let size = Arc::new(AtomicU64::new(0));
    let (served, at) = (Arc::clone(&tree), Arc::clone(&size));
    let server = Server::start(move |asked| v2(&served, asked, at.load(Ordering::Relaxed))).await;
    let log = server.log(Protocol::RekorV2, "/log", &tree.key());
    assert_eq!(log.origin(), None);
    for grown in [3, 255, 256, 257, 700, 1300] {
        size.store(grown, Ordering::Relaxed);
        read_all(&log, &tree, grown).await;
        assert_eq!(log.origin(), Some(V2));
    }
    assert!(matches!(log.index_of([0; 32]).await, Err(ReadError::Unsupported { .. })));
    assert_eq!(log.shards().await, Ok(Vec::new()));
}

#[tokio::test]
async fn a_log_is_known_by_its_first_origin() {
    let tree = Arc::new(Tree::named("entry", 5));
    let served = Arc::clone(&tree);
    let server = Server::start(move |asked| match asked.before {
        0 => v2(&served, asked, 5),
        _ => ok(served.checkpoint(&Scheme::RekorV2 { origin: name("other.example") }, 5)),
    })
    .await;
    let log = server.log(Protocol::RekorV2, "/log", &tree.key());
    log.head().await.unwrap();
    let rejected = log.head().await.unwrap_err();
    assert!(matches!(rejected, ReadError::Rejected { rejection: Rejection::CheckpointOrigin, .. }), "{rejected}");
    let log = server.log_of(Protocol::RekorV2, "/log", &tree.key(), Some("third.example"));
    assert!(matches!(log.head().await, Err(ReadError::Rejected { .. })));
}

/// Entries of the tree before.
const EARLIER: u64 = 7;

fn v1_scheme(tree_id: i64) -> Scheme {
    Scheme::RekorV1 { host: name("rekor.example"), tree_id }
}

fn hexes(hashes: &[[u8; 32]]) -> Vec<String> {
    hashes.iter().map(hex::encode).collect()
}

/// Two trees below one URL: `earlier` has the number 5, and `tree` the number 6.
pub(crate) struct Trees {
    pub(crate) earlier: Tree,
    pub(crate) tree: Tree,
    pub(crate) size: u64,
}

impl Trees {
    pub(crate) fn new() -> Self {
        Self { earlier: Tree::named("earlier", 7), tree: Tree::named("entry", 45), size: 45 }
    }

    fn info(tree: &Tree, tree_id: i64, size: u64) -> Value {
        json!({ "signedTreeHead": tree.checkpoint(&v1_scheme(tree_id), size), "treeID": tree_id.to_string(),
            "treeSize": size, "rootHash": hex::encode(tree.head(size).root) })
    }

    /// The entry at an index over both trees.
    pub(crate) fn entry(&self, index: u64) -> Option<Value> {
        let (tree, tree_id, own, size) = match index.checked_sub(EARLIER) {
            None => (&self.earlier, 5, index, EARLIER),
            Some(own) if own < self.size => (&self.tree, 6, own, self.size),
            Some(_) => return None,
        };
        let leaf = tree.leaf(own);
        let proof = json!({ "hashes": hexes(&tree.inclusion(own, size)), "treeSize": size, "logIndex": own,
            "rootHash": hex::encode(tree.head(size).root), "checkpoint": "" });
        let id = format!("{tree_id:016x}{}", hex::encode(leaf_hash(leaf)));
        Some(json!({ id: { "body": STANDARD.encode(leaf), "integratedTime": 1000 + own, "logIndex": index,
            "logID": "", "verification": { "inclusionProof": proof, "signedEntryTimestamp": "" } } }))
    }

    pub(crate) fn answer(&self, asked: &Asked) -> Response<Body> {
        let (path, query) = asked.path.split_once('?').unwrap_or((asked.path.as_str(), ""));
        let number = |name: &str| {
            let text = query.split('&').find_map(|part| part.strip_prefix(name)).unwrap();
            text.parse::<u64>().unwrap()
        };
        let json = match path {
            "/api/v1/log" => {
                let mut info = Self::info(&self.tree, 6, self.size);
                info["inactiveShards"] = json!([Self::info(&self.earlier, 5, EARLIER)]);
                info
            }
            "/api/v1/log/entries" => self.entry(number("logIndex=")).unwrap(),
            "/api/v1/log/proof" => {
                let tree = if number("treeID=") == 5 { &self.earlier } else { &self.tree };
                json!({ "hashes": hexes(&tree.consistency(number("firstSize="), number("lastSize="))), "rootHash": "" })
            }
            "/api/v1/log/entries/retrieve" => self.retrieved(&serde_json::from_str(&asked.body).unwrap()),
            _ => return not_found(),
        };
        ok(json.to_string())
    }

    fn retrieved(&self, query: &Value) -> Value {
        let indices = query["logIndexes"].as_array().cloned().unwrap_or_default();
        assert!(indices.len() <= 10, "{query}");
        let mut found: Vec<Value> = indices.iter().filter_map(|index| self.entry(index.as_u64().unwrap())).collect();
        // In another order than they were asked for.
        found.reverse();
        for id in query["entryUUIDs"].as_array().into_iter().flatten() {
            let all = (0..EARLIER + self.size).filter_map(|index| self.entry(index));
            found.extend(all.filter(|entry| entry.get(id.as_str().unwrap()).is_some()));
        }
        json!(found)
    }
}

#[tokio::test]
async fn each_tree_of_a_rekor_v1_log_is_one_log() {
    let trees = Arc::new(Trees::new());
    let served = Arc::clone(&trees);
    let server = Server::start(move |asked| served.answer(asked)).await;
    let active = server.log(Protocol::RekorV1, "", &trees.tree.key());
    read_all(&active, &trees.tree, 45).await;
    assert_eq!(active.origin(), Some("rekor.example - 6"));
    let earlier = server.log_of(Protocol::RekorV1, "", &trees.earlier.key(), Some("rekor.example - 5"));
    read_all(&earlier, &trees.earlier, EARLIER).await;
    // The entries say when they were logged.
    let entry = active.entries(3, 4).await.unwrap().remove(0);
    assert_eq!(entry.timestamp_ms, Some(1_003_000));
    for (log, tree) in [(&active, &trees.tree), (&earlier, &trees.earlier)] {
        assert_eq!(log.index_of(leaf_hash(tree.leaf(4))).await, Ok(Some(4)));
        assert_eq!(log.index_of([9; 32]).await, Ok(None));
    }
    assert_eq!(earlier.index_of(leaf_hash(trees.tree.leaf(4))).await, Ok(None));
    let shards = active.shards().await.unwrap();
    let listed: Vec<_> = shards.iter().map(|shard| (shard.tree_id, shard.first_index, shard.is_active)).collect();
    assert_eq!(listed, [(5, 0, false), (6, 7, true)]);
    assert_eq!(shards[0].origin(), Some("rekor.example - 5"));
    // What it says of the next tree comes with the head, in one request.
    let asked = || server.paths().iter().filter(|path| *path == "/api/v1/log").count();
    let before = asked();
    assert_eq!(earlier.head().await.unwrap().successor.as_deref(), Some("rekor.example - 6"));
    assert_eq!(active.head().await.unwrap().successor, None);
    assert_eq!(asked() - before, 2);
    // The key of one tree is none of the other's.
    let other = server.log_of(Protocol::RekorV1, "", &trees.earlier.key(), Some("rekor.example - 6"));
    assert!(matches!(other.head().await, Err(ReadError::Rejected { rejection: Rejection::NoteUnsigned, .. })));
    let none = server.log_of(Protocol::RekorV1, "", &trees.earlier.key(), Some("rekor.example - 9"));
    assert!(matches!(none.head().await, Err(ReadError::Malformed { .. })));
}
