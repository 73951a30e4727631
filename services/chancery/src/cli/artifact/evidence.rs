//! The evidence of a server about a digest: entries with their proofs, and the promises and statements that Rekor v1 has beside
//! them. Nothing of it is verified here.

use super::super::search::{
    beside::{Beside, Promise, beside},
    server::{AskError, Server, not_understood},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use chancery_verify::{Hash, HashAlgorithm, Timestamp};
use serde::Deserialize;
use std::collections::BTreeSet;

/// Pages that are read: with more entries the artifact was signed by very many.
const MAX_PAGES: usize = 64;
/// Bytes of all entries about a digest, with what is beside them.
const MAX_BYTES: usize = 512 * 1024 * 1024;
/// Entries for which it is asked what is beside them, before that is counted.
const TOGETHER: usize = 8;

/// Entries about one digest.
pub(super) struct Evidence {
    pub(super) entries: Vec<Entry>,
    /// The logs that were searched, and how many of their first entries.
    pub(super) complete_to: Vec<(String, u64)>,
}

/// An entry as a server shows it.
pub(super) struct Entry {
    /// The server's name of the log.
    pub(super) log: String,
    pub(super) index: u64,
    pub(super) leaf: Vec<u8>,
    pub(super) hashes: Vec<Hash>,
    /// Size of the tree of the checkpoint.
    pub(super) tree_size: u64,
    pub(super) root_hash: Hash,
    /// A signed note.
    pub(super) checkpoint: String,
    /// The time by the log's record.
    pub(super) recorded: Option<Timestamp>,
    /// What Rekor v1 promises.
    pub(super) promise: Option<Promise>,
    /// The payload that Rekor v1 keeps beside it.
    pub(super) attestation: Option<Vec<u8>>,
}

impl Entry {
    /// What it takes in memory, about. Each has its checkpoint.
    fn bytes(&self) -> usize {
        let parts = [self.leaf.len(), self.checkpoint.len(), self.attestation.as_ref().map_or(0, Vec::len)];
        parts.into_iter().sum()
    }
}

#[derive(Deserialize)]
struct Answer {
    signatures: Vec<Signature>,
    cursor: Option<String>,
    complete_to: Vec<CompleteTo>,
}

#[derive(Deserialize)]
struct Signature {
    entry: Shown,
}

/// An entry of an answer.
#[derive(Deserialize)]
pub(in crate::cli) struct Shown {
    pub(in crate::cli) log: String,
    pub(in crate::cli) index: u64,
    pub(in crate::cli) id: String,
    pub(in crate::cli) time: Option<String>,
    pub(in crate::cli) proof: Option<Proof>,
}

/// What proves it.
#[derive(Deserialize)]
pub(in crate::cli) struct Proof {
    pub(in crate::cli) leaf: String,
    #[serde(default)]
    pub(in crate::cli) extra: String,
    pub(in crate::cli) hashes: Vec<String>,
}

/// How far an answer is complete.
#[derive(Deserialize)]
pub(in crate::cli) struct CompleteTo {
    pub(in crate::cli) log: String,
    pub(in crate::cli) holds: String,
    pub(in crate::cli) size: u64,
    pub(in crate::cli) checkpoint: Option<Checkpoint>,
}

/// A tree head.
#[derive(Deserialize)]
pub(in crate::cli) struct Checkpoint {
    pub(in crate::cli) tree_size: u64,
    root_hash: String,
    pub(in crate::cli) note: String,
}

/// Asks for every entry about a digest.
pub(super) async fn gather(server: &Server, algorithm: HashAlgorithm, digest: &[u8]) -> Result<Evidence, AskError> {
    let path = format!("/api/artifacts/{}:{}", algorithm.name(), hex::encode(digest));
    let mut parameters = Vec::new();
    let (mut entries, mut seen, mut bytes) = (Vec::new(), BTreeSet::new(), 0_usize);
    for _ in 0..MAX_PAGES {
        let answer: Answer = server.json(&path, &parameters).await?;
        let shown = answer.signatures.into_iter().map(|signature| signature.entry);
        // An entry with several signers is there several times.
        let mut shown = shown.filter(|entry| seen.insert((entry.log.clone(), entry.index)));
        loop {
            let together: Vec<Shown> = shown.by_ref().take(TOGETHER).collect();
            if together.is_empty() {
                break;
            }
            let ids: Vec<String> = together.iter().map(|entry| entry.id.clone()).collect();
            for (entry, beside) in together.into_iter().zip(beside(server, &ids).await?) {
                let entry = opened(entry, beside.unwrap_or_default(), &answer.complete_to)?;
                bytes = bytes.saturating_add(entry.bytes());
                if bytes > MAX_BYTES {
                    return Err(AskError::Unanswered(format!(
                        "the entries about this have more than {MAX_BYTES} bytes"
                    )));
                }
                entries.push(entry);
            }
        }
        let Some(cursor) = answer.cursor else {
            let complete_to = answer.complete_to.into_iter().map(|log| (log.log, log.size)).collect();
            return Ok(Evidence { entries, complete_to });
        };
        parameters = vec![("cursor".to_owned(), cursor)];
    }
    Err(AskError::Unanswered(format!("there are more than {} entries about this", entries.len())))
}

fn opened(shown: Shown, beside: Beside, complete_to: &[CompleteTo]) -> Result<Entry, AskError> {
    let log = complete_to.iter().find(|log| log.log == shown.log).and_then(|log| log.checkpoint.as_ref());
    let (Some(proof), Some(checkpoint)) = (&shown.proof, log) else { return Err(not_understood()) };
    let hashes = proof.hashes.iter().map(|text| hash(text)).collect::<Option<Vec<Hash>>>();
    let leaf = STANDARD.decode(&proof.leaf).ok();
    let (Some(hashes), Some(leaf), Some(root_hash)) = (hashes, leaf, hash(&checkpoint.root_hash)) else {
        return Err(not_understood());
    };
    Ok(Entry {
        promise: beside.promise,
        attestation: beside.attestation,
        recorded: shown.time.as_deref().and_then(Timestamp::bounds_rfc3339).map(|(millis, _)| millis),
        log: shown.log,
        index: shown.index,
        leaf,
        hashes,
        tree_size: checkpoint.tree_size,
        root_hash,
        checkpoint: checkpoint.note.clone(),
    })
}

fn hash(text: &str) -> Option<Hash> {
    hex::decode(text).ok()?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::search::server::ServerArguments;
    use axum::{Json, Router, routing::get};
    use serde_json::json;
    use tokio::net::TcpListener;

    #[tokio::test]
    async fn more_than_fits_in_memory_is_not_gathered() {
        let checkpoint = json!({ "tree_size": 1, "root_hash": "00".repeat(32), "note": "n".repeat(1 << 20) });
        let entry = |index: u64| {
            let proof = json!({ "leaf": "e30=", "hashes": [] });
            json!({ "entry": { "log": "rekor", "index": index, "id": "00", "time": null, "proof": proof } })
        };
        let page = |entries: u64| {
            let complete_to = json!([{ "log": "rekor", "holds": "signatures", "size": 1, "checkpoint": checkpoint }]);
            json!({ "signatures": (0..entries).map(entry).collect::<Vec<_>>(), "cursor": null, "complete_to": complete_to })
        };
        for (entries, expected) in [(2, "2 entries"), (513, "the entries about this have more than 536870912 bytes")] {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let url = format!("http://{}", listener.local_addr().unwrap());
            let page = page(entries);
            let routes = Router::new().route("/api/artifacts/{digest}", get(move || async move { Json(page) }));
            tokio::spawn(async move { axum::serve(listener, routes).await });
            let server = Server::new(&ServerArguments::at(&url), None).unwrap();
            let told = match gather(&server, HashAlgorithm::Sha256, &[7; 32]).await {
                Ok(evidence) => format!("{} entries", evidence.entries.len()),
                Err(error) => error.to_string(),
            };
            assert_eq!(told, expected);
        }
    }
}
