//! Certificate logs: RFC 6962 and static-ct-api. Both show the same entries.

use super::{
    server::{Asked, Server, not_found, ok},
    tree::{TIME_MS, Tree, name, read_all},
};
use axum::{body::Body, http::Response};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use chancery_log_client::{Protocol, ReadError};
use chancery_verify::{
    Timestamp,
    checkpoint::Scheme,
    hash,
    merkle::leaf_hash,
    sct::{self, ExtraData, LogEntry, MerkleTreeLeaf},
};
use serde_json::json;
use std::{collections::BTreeMap, sync::Arc};

/// Certificates of authorities. They need not parse.
const ISSUERS: [&[u8]; 2] = [b"one authority", b"another"];

/// A certificate log: every second entry is a precertificate.
pub(crate) struct Certificates {
    pub(crate) tree: Tree,
    entries: Vec<(MerkleTreeLeaf, ExtraData)>,
}

impl Certificates {
    pub(crate) fn new(count: u64) -> Self {
        let entries: Vec<_> = (0..count).map(entry).collect();
        Self { tree: Tree::of(entries.iter().map(|(leaf, _)| leaf.to_bytes().unwrap()).collect()), entries }
    }

    fn size(&self) -> u64 {
        self.entries.len() as u64
    }

    fn at(&self, index: u64) -> &(MerkleTreeLeaf, ExtraData) {
        &self.entries[usize::try_from(index).unwrap()]
    }

    pub(crate) fn answer(&self, asked: &Asked) -> Response<Body> {
        match asked.path.strip_prefix("/tiles/") {
            Some(path) => self.file(path),
            None => self.api(asked.path.strip_prefix("/api/ct/v1/").unwrap_or_default()),
        }
    }

    fn file(&self, path: &str) -> Response<Body> {
        if path == "checkpoint" {
            return ok(self.tree.checkpoint(&Scheme::StaticCt { origin: name("ct.example/2026") }, self.size()));
        }
        if let Some(fingerprint) = path.strip_prefix("issuer/") {
            let issuer = ISSUERS.into_iter().find(|issuer| hex::encode(hash::sha256(issuer)) == fingerprint);
            return issuer.map_or_else(not_found, ok);
        }
        let entry = |index| {
            let (leaf, extra) = self.at(index);
            sct::tile_leaf(leaf, extra).unwrap()
        };
        let tile = path.strip_prefix("tile/").and_then(|path| self.tree.tile(path, "data", self.size(), entry));
        tile.map_or_else(not_found, ok)
    }

    fn api(&self, question: &str) -> Response<Body> {
        let (path, query) = question.split_once('?').unwrap_or((question, ""));
        let query: BTreeMap<String, String> = url::form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        let number = |name: &str| query[name].parse::<u64>().unwrap();
        let encoded = |hashes: Vec<[u8; 32]>| hashes.iter().map(|hash| STANDARD.encode(hash)).collect::<Vec<_>>();
        let (tree, size) = (&self.tree, self.size());
        let json = match path {
            "get-sth" => {
                let head = tree.head(size);
                let signed = sct::tree_head_signed_bytes(Timestamp::from_millis(TIME_MS), size, &head.root);
                json!({ "tree_size": size, "timestamp": TIME_MS, "sha256_root_hash": STANDARD.encode(head.root),
                    "tree_head_signature": STANDARD.encode(sct::encode_digitally_signed(&tree.sign(&signed))) })
            }
            "get-sth-consistency" => {
                json!({ "consistency": encoded(tree.consistency(number("first"), number("second"))) })
            }
            "get-entry-and-proof" => {
                json!({ "leaf_input": "", "extra_data": "",
                    "audit_path": encoded(tree.inclusion(number("leaf_index"), number("tree_size"))) })
            }
            "get-proof-by-hash" => {
                let wanted = STANDARD.decode(&query["hash"]).unwrap();
                let found = tree.leaves.iter().position(|leaf| leaf_hash(leaf)[..] == wanted);
                let Some(index) = found else { return not_found() };
                json!({ "leaf_index": index, "audit_path": [] })
            }
            // At most 20.
            "get-entries" => {
                let (start, end) = (number("start"), number("end").min(number("start") + 19));
                let entries = (start..=end).map(|index| {
                    let (leaf, extra) = self.at(index);
                    json!({ "leaf_input": STANDARD.encode(leaf.to_bytes().unwrap()),
                        "extra_data": STANDARD.encode(extra.to_bytes().unwrap()) })
                });
                json!({ "entries": entries.collect::<Vec<_>>() })
            }
            _ => return not_found(),
        };
        ok(json.to_string())
    }
}

fn entry(index: u64) -> (MerkleTreeLeaf, ExtraData) {
    let chain = ISSUERS.map(<[u8]>::to_vec).to_vec();
    let certificate = format!("certificate {index}").into_bytes();
    let (entry, extra) = if index.is_multiple_of(2) {
        let entry = LogEntry::Precert { issuer_key_hash: [7; 32], tbs: certificate.clone() };
        (entry, ExtraData::Precert { precertificate: certificate, chain })
    } else {
        (LogEntry::X509 { certificate }, ExtraData::X509 { chain: chain[1..].to_vec() })
    };
    let extensions = sct::leaf_index_extension(index).unwrap().to_vec();
    (MerkleTreeLeaf { timestamp: Timestamp::from_millis(TIME_MS + index), entry, extensions }, extra)
}

#[tokio::test]
async fn both_protocols_show_the_same_entries() {
    let log = Arc::new(Certificates::new(300));
    let served = Arc::clone(&log);
    let server = Server::start(move |asked| served.answer(asked)).await;
    let key = log.tree.key();
    let logs = [server.log(Protocol::Rfc6962, "/api", &key), server.log(Protocol::StaticCt, "/tiles", &key)];
    for remote in &logs {
        read_all(remote, &log.tree, 300).await;
        assert_eq!(remote.head().await.unwrap().timestamp_ms, i64::try_from(TIME_MS).ok());
        let mut index = 250;
        while index < 300 {
            for entry in remote.entries(index, 300).await.unwrap() {
                let (_, extra) = log.at(index);
                assert_eq!(entry.extra, extra.to_bytes().unwrap(), "{index}");
                assert_eq!(entry.timestamp_ms, i64::try_from(TIME_MS + index).ok());
                index += 1;
            }
        }
    }
    let [api, tiles] = logs;
    assert_eq!(tiles.origin(), Some("ct.example/2026"));
    assert_eq!(api.origin(), Some(format!("{}/api", server.url.replace("http://", "")).as_str()));
    assert_eq!(api.index_of(leaf_hash(log.tree.leaf(9))).await, Ok(Some(9)));
    assert_eq!(api.index_of([1; 32]).await, Ok(None));
    // Each issuer was asked for once.
    let asked = server.paths().into_iter().filter(|path| path.contains("/issuer/")).count();
    assert_eq!(asked, ISSUERS.len());
}

#[tokio::test]
async fn an_issuer_that_is_missing_or_another_is_an_error() {
    let log = Arc::new(Certificates::new(2));
    for missing in [true, false] {
        let served = Arc::clone(&log);
        let server = Server::start(move |asked| {
            if !asked.path.contains("/issuer/") {
                return served.answer(asked);
            }
            if missing { not_found() } else { ok("another authority") }
        })
        .await;
        let remote = server.log(Protocol::StaticCt, "/tiles", &log.tree.key());
        let error = remote.entries(0, 2).await.unwrap_err();
        match error {
            ReadError::Missing { .. } => assert!(missing),
            ReadError::Malformed { .. } => assert!(!missing),
            error => panic!("{error}"),
        }
    }
}
