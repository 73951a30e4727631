//! What a server has about a digest: entries with their proofs, and what Rekor v1 has beside them. Nothing of it is verified
//! here.

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
    let (mut entries, mut seen) = (Vec::new(), BTreeSet::new());
    for _ in 0..MAX_PAGES {
        let answer: Answer = server.json(&path, &parameters).await?;
        let shown = answer.signatures.into_iter().map(|signature| signature.entry);
        // An entry with several signers is there several times.
        let shown: Vec<Shown> = shown.filter(|entry| seen.insert((entry.log.clone(), entry.index))).collect();
        let ids: Vec<String> = shown.iter().map(|entry| entry.id.clone()).collect();
        for (entry, beside) in shown.into_iter().zip(beside(server, &ids).await?) {
            entries.push(opened(entry, beside.unwrap_or_default(), &answer.complete_to)?);
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
