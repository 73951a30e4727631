//! Rekor v1: the personality cosign, sigstore-python, gitsign and rekor-cli speak to.
//!
//! It admits signatures (`chancery-verify::rekor` decides), promises inclusion with a signed entry timestamp, and answers
//! every entry with its proof and checkpoint. One shard: the index over all shards is the index in the tree.
//!
//! Whoever sees an ECDSA signature can make another one over the same bytes (`n - s` for `s`). Clients verify both, so both are
//! admitted, as entries of their own: the body is the identity of an entry, and the signature is in the body. The second says
//! what the first said, by the same key or certificate, and takes nothing's place.

mod http;

use crate::seed::{self, Seed};
use crate::tiles::Files;
use crate::{Corrupt, Error, Log, Outcome, Pending, Receipt, tiles};
use axum::Router;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use chancery_daemon::samples::Samples;
use chancery_verify::checkpoint::Scheme;
use chancery_verify::note::KeyName;
use chancery_verify::rekor::{Body, EntryKind, Promise, ProposedEntry};
use chancery_verify::{Hash, Rejection, hash};
use serde_json::json;
use std::fmt;
use std::sync::Arc;

/// The name of this role's log in a store.
pub const NAME: &str = "rekor";

/// Names and signs checkpoints of a Rekor v1 log: `host - tree id`, signed as `host`.
pub fn scheme(host: &str, tree_id: i64) -> Result<Scheme, Rejection> {
    Ok(Scheme::RekorV1 { host: KeyName::new(host)?, tree_id })
}

/// A Rekor v1 log.
#[derive(Clone)]
pub struct RekorV1 {
    log: Log,
    log_id: Hash,
    /// Of the promises made for entries that were logged before.
    samples: Arc<Samples>,
}

/// An entry's full name: tree id and leaf hash, 80 hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct EntryId {
    pub(crate) tree_id: i64,
    pub(crate) leaf_hash: Hash,
}

impl fmt::Display for EntryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}{}", self.tree_id, hex::encode(self.leaf_hash))
    }
}

/// A logged entry with everything that proves it.
#[derive(Debug)]
pub(crate) struct ProvenEntry {
    pub(crate) id: EntryId,
    pub(crate) receipt: Receipt,
    /// Missing where the log is quarantined: it signs nothing.
    pub(crate) promise: Option<Vec<u8>>,
}

/// What became of a submission.
#[derive(Debug)]
pub(crate) enum Submitted {
    Created(Box<ProvenEntry>),
    Exists(EntryId),
}

impl RekorV1 {
    /// The personality over its log.
    #[must_use]
    pub fn new(log: Log) -> Self {
        let log_id = log.signer().public_key().fingerprint();
        Self { log, log_id, samples: Arc::default() }
    }

    /// The log underneath.
    #[must_use]
    pub const fn log(&self) -> &Log {
        &self.log
    }

    /// The routes of the API, from `/api/v1/log` on, and the log as files below `/tlog/rekor`.
    pub fn router(&self) -> Router {
        let files = tiles::http::router(self.files());
        http::router(self.clone()).nest(&format!("/tlog/{NAME}"), files)
    }

    /// The log as files, as tlog-tiles lays them out.
    #[must_use]
    pub fn files(&self) -> Files {
        Files::of_leaves(&self.log)
    }

    /// Logs `artifact` as the first entry where there is none.
    pub async fn seed(&self, artifact: &[u8]) -> Result<(), Error> {
        let Some(seed) = Seed::needed(&self.log, artifact).await? else { return Ok(()) };
        let kind = EntryKind::HashedRekord;
        let key = STANDARD.encode(seed.key.to_pem());
        let proposal = json!({
            "kind": kind.name(),
            "apiVersion": kind.version(),
            "spec": {
                "data": { "hash": { "algorithm": "sha256", "value": hex::encode(hash::sha256(artifact)) } },
                "signature": { "content": STANDARD.encode(seed.signature), "publicKey": { "content": key } },
            },
        })
        .to_string();
        let body = ProposedEntry::parse(proposal.as_bytes()).and_then(|proposal| kind.admit(&proposal));
        self.submit(body.map_err(seed::refused)?).await.map(|_| ())
    }

    /// Appends an admitted entry.
    pub(crate) async fn submit(&self, body: Body) -> Result<Submitted, Error> {
        let leaf_hash = body.leaf_hash();
        match self.log.append(Pending::of_leaf(body.into_bytes(), leaf_hash)).await? {
            Outcome::Logged(receipt) => {
                // Verifying a promise costs twice what making it does, and half of what an entry costs in all. What can go
                // wrong with a key or with these bytes goes wrong for every entry of a batch: its last one stands for it.
                let stands_for_batch = receipt.index + 1 == receipt.published.tree.size;
                let entry = self.promise(receipt).await?;
                if stands_for_batch {
                    self.verify(&entry)?;
                }
                Ok(Submitted::Created(Box::new(entry)))
            }
            Outcome::AlreadyLogged { .. } => Ok(Submitted::Exists(self.entry_id(leaf_hash))),
        }
    }

    /// The entry at `index`, or `None` past the end.
    pub(crate) async fn by_index(&self, index: u64) -> Result<Option<ProvenEntry>, Error> {
        match self.log.entry(index).await? {
            Some(receipt) if self.log.quarantine().is_some() => {
                Ok(Some(ProvenEntry { id: self.entry_id(receipt.leaf_hash), receipt, promise: None }))
            }
            Some(receipt) => {
                let entry = self.promise(receipt).await?;
                if self.samples.take(self.log.now()) {
                    let verdict = self.verify(&entry);
                    self.samples.record(verdict.is_ok());
                    verdict?;
                }
                Ok(Some(entry))
            }
            None => Ok(None),
        }
    }

    /// The entry with this leaf hash.
    pub(crate) async fn by_leaf_hash(&self, leaf_hash: Hash) -> Result<Option<ProvenEntry>, Error> {
        let Some(index) = self.log.index_of(leaf_hash).await? else { return Ok(None) };
        let entry = self.by_index(index).await?;
        match entry.as_ref().map(|entry| entry.receipt.leaf_hash) {
            Some(found) if found != leaf_hash => Err(Corrupt::new("an entry found by its leaf hash has it").into()),
            _ => Ok(entry),
        }
    }

    pub(crate) fn entry_id(&self, leaf_hash: Hash) -> EntryId {
        EntryId { tree_id: self.log.record().tree_id, leaf_hash }
    }

    /// Adds the inclusion promise.
    async fn promise(&self, receipt: Receipt) -> Result<ProvenEntry, Error> {
        let signature = self.log.signer().sign(&self.promise_of(&receipt).signed_bytes()).await;
        let signature = signature.map_err(|_| Error::Unavailable { reason: "the log's key cannot sign" })?;
        Ok(ProvenEntry { id: self.entry_id(receipt.leaf_hash), receipt, promise: Some(signature) })
    }

    /// Verifies the inclusion promise, if there is one.
    fn verify(&self, entry: &ProvenEntry) -> Result<(), Corrupt> {
        let Some(signature) = &entry.promise else { return Ok(()) };
        let verified = self.promise_of(&entry.receipt).verify(self.log.signer().public_key(), signature);
        verified.map_err(|rejection| Corrupt::refused("an inclusion promise verifies", rejection))
    }

    fn promise_of<'a>(&'a self, receipt: &'a Receipt) -> Promise<'a> {
        Promise {
            body: &receipt.leaf,
            integrated_time: receipt.timestamp.seconds(),
            log_id: &self.log_id,
            log_index: receipt.index,
        }
    }
}
