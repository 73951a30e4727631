//! Rekor v1: the personality cosign, sigstore-python, gitsign and rekor-cli speak to.
//!
//! It admits signatures (`chancery-verify::rekor` decides), promises inclusion with a signed entry timestamp, and answers
//! every entry with its proof and checkpoint. When its key is changed the log goes on in another tree, its next shard; clients
//! see one log with one index, see its `shards`.
//!
//! From one ECDSA signature another one over the same bytes can be made without the key (`n - s` for `s`). Clients
//! verify both, so both are admitted, as separate entries: the body is the identity of an entry, and the signature is
//! in the body. The second entry repeats the statement of the first, by the same key or certificate, and replaces
//! nothing.

mod attestations;
mod http;
mod kinds;
mod shards;

pub use attestations::{Attestations, MAX_ATTESTATION_BYTES};
pub use http::describe;
pub use kinds::{KindName, Kinds, UnknownKind};

use crate::personality::seed::{self, Seed};
use crate::read::tiles;
use crate::read::tiles::Files;
use crate::{Access, Corrupt, Error, Log, Outcome, Pending, Receipt};
use axum::Router;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use chancery_daemon::metrics::{MetricError, Metrics};
use chancery_verify::checkpoint::Scheme;
use chancery_verify::note::KeyName;
use chancery_verify::rekor::{Admission, EntryKind, Promise, ProposedEntry};
use chancery_verify::{Hash, Rejection, Timestamp, hash};
use serde_json::json;
use shards::{Shard, Shards, Span};
use std::fmt;
use std::sync::Arc;

/// The name of this role's log in a store.
pub const NAME: &str = "rekor";

/// Names and signs checkpoints of a Rekor v1 log: `host - tree id`, signed as `host`.
pub fn scheme(host: &str, tree_id: i64) -> Result<Scheme, Rejection> {
    Ok(Scheme::RekorV1 { host: KeyName::new(host)?, tree_id })
}

/// A Rekor v1 log. Clones are the same.
#[derive(Clone)]
pub struct RekorV1 {
    shards: Shards,
    access: Access,
    choices: Arc<Choices>,
}

/// What the operator of a log has chosen.
#[derive(Debug, Clone, Default)]
pub struct Choices {
    /// What clients may add. What is logged already can be read whatever it is.
    pub kinds: Kinds,
    /// What is kept beside entries.
    pub attestations: Attestations,
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
    /// SHA-256 of its shard's key.
    pub(crate) log_id: Hash,
    /// Over all shards.
    pub(crate) index: u64,
    /// In its shard.
    pub(crate) receipt: Receipt,
    /// Missing where the log is quarantined: it signs nothing.
    pub(crate) promise: Option<Vec<u8>>,
    /// What is kept beside it; not of one that was just added.
    pub(crate) attestation: Option<Bytes>,
}

/// What the log says about an entry beside its place in the tree of a shard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// SHA-256 of its shard's key.
    pub log_id: Hash,
    /// Over all shards.
    pub index: u64,
    /// The signed entry timestamp. Missing where the log is quarantined: it signs nothing.
    pub promise: Option<Vec<u8>>,
}

/// What became of a submission.
#[derive(Debug)]
pub(crate) enum Submitted {
    Created(Box<ProvenEntry>),
    Exists(EntryId),
}

impl RekorV1 {
    /// The personality over its first shard, for everybody.
    #[must_use]
    pub fn new(first: Log) -> Self {
        Self { shards: Shards::new(first), access: Access::default(), choices: Arc::default() }
    }

    /// The same, for whom `access` allows it.
    #[must_use]
    pub fn restricted(self, access: Access) -> Self {
        Self { access, ..self }
    }

    /// The same, as the operator has chosen.
    #[must_use]
    pub fn with(self, choices: Choices) -> Self {
        Self { choices: Arc::new(choices), ..self }
    }

    /// The first shard.
    #[must_use]
    pub fn first(&self) -> &Log {
        self.shards.first()
    }

    /// Opens another shard: it is read, and written to once every shard before it is frozen. Nothing happens the second time.
    pub async fn add_shard(&self, log: Log) -> Result<(), Error> {
        self.shards.add(log);
        self.shards.refresh().await
    }

    /// From now on every process that has the shard with this number writes to it, and none to one before. The row that says
    /// that the shard before is frozen is the point of no return.
    pub async fn switch_to(&self, number: u64, now: Timestamp) -> Result<(), Error> {
        self.shards.freeze_before(number, now).await?;
        let (span, shard) = self.shards.current()?;
        self.seed_shard(&span, &shard).await
    }

    /// The routes of the API, from `/api/v1/log` on, and the first shard as files below `/tlog/rekor`.
    pub fn router(&self) -> Router {
        self.router_with(None)
    }

    /// As [`Self::router`], measured under Rekor's metric names.
    pub fn measured_router(&self, metrics: &Metrics) -> Result<Router, MetricError> {
        http::Requests::register(metrics).map(|requests| self.router_with(Some(requests)))
    }

    fn router_with(&self, requests: Option<http::Requests>) -> Router {
        http::router(self.clone(), requests).merge(self.files_router(self.first()))
    }

    /// A shard as files, below `/tlog/` and its name.
    pub fn files_router(&self, shard: &Log) -> Router {
        let files = tiles::http::router(Files::of_leaves(shard), &self.access.readers);
        Router::new().nest(&files_path(&shard.record().name), files)
    }

    /// The first shard as files, as tlog-tiles lays them out.
    #[must_use]
    pub fn files(&self) -> Files {
        Files::of_leaves(self.first())
    }

    /// Logs `artifact` as the first entry where there is none.
    pub async fn seed(&self, artifact: &[u8]) -> Result<(), Error> {
        match Seed::needed(self.first(), artifact).await? {
            Some(seed) => append_seed(self.first(), artifact, &seed).await,
            None => Ok(()),
        }
    }

    /// The same for a later shard that has just got its turn; the artifact is its own public key.
    async fn seed_shard(&self, span: &Span, shard: &Shard) -> Result<(), Error> {
        let append = async |artifact: &[u8], seed| append_seed(&shard.log, artifact, &seed).await;
        self.shards.seed(span, shard, append).await
    }

    async fn append(&self, span: &Span, shard: &Shard, pending: Pending) -> Result<Outcome, Error> {
        self.seed_shard(span, shard).await?;
        shard.log.append(pending).await
    }

    /// Appends an admitted entry to the shard that takes entries, whichever that is by then.
    pub(crate) async fn submit(&self, Admission { body, attestation }: Admission) -> Result<Submitted, Error> {
        let attestation = self.choices.attestations.of(attestation);
        let leaf_hash = body.leaf_hash();
        let leaf = Bytes::from(body.into_bytes());
        let (span, shard, outcome) = loop {
            let (span, shard) = self.shards.current()?;
            match self.append(&span, &shard, Pending::of_leaf(leaf.clone(), leaf_hash)).await {
                Err(Error::Frozen) if self.shards.go_on_after(&span).await? => {}
                outcome => break (span, shard, outcome?),
            }
        };
        attestations::keep(shard.log.store(), attestation).await?;
        match outcome {
            Outcome::Logged(receipt) => Ok(Submitted::Created(Box::new(promise(&shard, span, receipt).await?))),
            Outcome::AlreadyLogged { .. } => Ok(Submitted::Exists(entry_id(&shard, leaf_hash))),
        }
    }

    /// The entry with this index over all shards, or `None` past the end.
    pub(crate) async fn by_index(&self, index: u64) -> Result<Option<ProvenEntry>, Error> {
        loop {
            let spans = self.shards.spans();
            if let Some(span) = shards::at(&spans, index) {
                let place = Place { index: index - span.first, shard: self.shards.shard(&span)?, span };
                if let Some(entry) = self.prove(&place).await? {
                    return Ok(Some(entry));
                }
            }
            if !self.shards.have_moved(&spans).await? {
                return Ok(None);
            }
        }
    }

    /// The entry with this leaf hash: of several the one in the shard that takes entries, else the oldest.
    pub(crate) async fn by_leaf_hash(&self, leaf_hash: Hash) -> Result<Option<ProvenEntry>, Error> {
        match self.places(leaf_hash, None).await?.first() {
            Some(place) => self.prove_with(place, leaf_hash).await.map(Some),
            None => Ok(None),
        }
    }

    /// The entry of this name.
    pub(crate) async fn by_id(&self, id: EntryId) -> Result<Option<ProvenEntry>, Error> {
        match self.places(id.leaf_hash, Some(id.tree_id)).await?.first() {
            Some(place) => self.prove_with(place, id.leaf_hash).await.map(Some),
            None => Ok(None),
        }
    }

    /// Every entry with this leaf hash: one for each shard at most.
    pub(crate) async fn all_by_leaf_hash(&self, leaf_hash: Hash) -> Result<Vec<ProvenEntry>, Error> {
        let mut found = Vec::new();
        for place in self.places(leaf_hash, None).await? {
            found.push(self.prove_with(&place, leaf_hash).await?);
        }
        Ok(found)
    }

    /// What is said about an entry that the caller has read: `leaf`, logged at `timestamp`, at `index` in the tree with this
    /// number. `None` if no shard that is or was the current one has the tree.
    pub async fn standing(
        &self,
        tree_id: i64,
        index: u64,
        leaf: &[u8],
        timestamp: Timestamp,
    ) -> Result<Option<Standing>, Error> {
        let Some((span, shard)) = self.shards.place_of_tree(tree_id).await? else { return Ok(None) };
        let (log_id, index) = (shard.log_id, span.first + index);
        let promise = Promise { body: leaf, integrated_time: timestamp.seconds(), log_id: &log_id, log_index: index };
        let is_quarantined = shard.log.quarantine().is_some();
        let promise = if is_quarantined { None } else { Some(sign(&shard, &promise).await?) };
        Ok(Some(Standing { log_id, index, promise }))
    }

    /// What is kept beside entries with these bodies, of any shard, in their order.
    pub async fn attestations(&self, bodies: &[Bytes]) -> Result<Vec<Option<Bytes>>, Error> {
        self.choices.attestations.beside_each(self.first().store(), bodies).await
    }

    /// Whether anything is kept beside entries, and shown.
    #[must_use]
    pub fn keeps_attestations(&self) -> bool {
        matches!(self.choices.attestations, Attestations::Kept { .. })
    }

    /// Which kept statements name the digests of these terms: up to `count` pairs of a term and the SHA-256 of a statement, in no
    /// order. The database's word: the caller reads the statement.
    pub async fn attestations_about(&self, subjects: Vec<Vec<u8>>, count: u32) -> Result<Vec<(Vec<u8>, Hash)>, Error> {
        self.choices.attestations.about(self.first().store(), subjects, count).await
    }

    /// Where a leaf is, if need be only in the tree of this number. What is not open here is passed over.
    async fn places(&self, leaf_hash: Hash, tree_id: Option<i64>) -> Result<Vec<Place>, Error> {
        loop {
            let spans = self.shards.spans();
            let (last, closed) = spans.split_last().ok_or(Corrupt::new("a log has a shard"))?;
            let mut places = Vec::new();
            for span in std::iter::once(last).chain(closed) {
                let Ok(shard) = self.shards.shard(span) else { continue };
                if tree_id.is_some_and(|tree_id| tree_id != shard.log.record().tree_id) {
                    continue;
                }
                let index = shard.log.index_of(leaf_hash).await?;
                places.extend(index.map(|index| Place { shard, span: *span, index }));
            }
            if !places.is_empty() || !self.shards.have_moved(&spans).await? {
                return Ok(places);
            }
        }
    }

    /// The entry at a place, with the leaf that was looked for.
    async fn prove_with(&self, place: &Place, leaf_hash: Hash) -> Result<ProvenEntry, Error> {
        let found = self.prove(place).await?.filter(|entry| entry.receipt.leaf_hash == leaf_hash);
        let missing = Corrupt::new("an entry found by its leaf hash has it");
        place.shard.log.judged(found.ok_or(missing).map_err(Error::from))
    }

    /// The entry at a place, or `None` past the end.
    async fn prove(&self, Place { shard, span, index }: &Place) -> Result<Option<ProvenEntry>, Error> {
        let Some(receipt) = shard.log.entry(*index).await? else { return Ok(None) };
        let attestation = self.choices.attestations.beside(shard.log.store(), &receipt.leaf).await?;
        let entry = if shard.log.quarantine().is_some() {
            unpromised(shard, *span, receipt)
        } else {
            promise(shard, *span, receipt).await?
        };
        Ok(Some(ProvenEntry { attestation, ..entry }))
    }
}

/// Where an entry is.
struct Place {
    shard: Arc<Shard>,
    span: Span,
    /// In the shard.
    index: u64,
}

/// Where a shard's files are below the base URL.
#[must_use]
pub fn files_path(name: &str) -> String {
    format!("/tlog/{name}")
}

async fn append_seed(log: &Log, artifact: &[u8], seed: &Seed) -> Result<(), Error> {
    let kind = EntryKind::HashedRekord;
    let key = STANDARD.encode(seed.key.to_pem());
    let proposal = json!({
        "kind": kind.name(),
        "apiVersion": kind.version(),
        "spec": {
            "data": { "hash": { "algorithm": "sha256", "value": hex::encode(hash::sha256(artifact)) } },
            "signature": { "content": STANDARD.encode(&seed.signature), "publicKey": { "content": key } },
        },
    })
    .to_string();
    let body = ProposedEntry::parse(proposal.as_bytes()).and_then(|proposal| kind.admit(&proposal));
    let body = body.map_err(seed::refused)?;
    let leaf_hash = body.leaf_hash();
    log.append(Pending::of_leaf(body.into_bytes(), leaf_hash).only_first()).await.map(|_| ())
}

fn entry_id(shard: &Shard, leaf_hash: Hash) -> EntryId {
    EntryId { tree_id: shard.log.record().tree_id, leaf_hash }
}

fn unpromised(shard: &Shard, span: Span, receipt: Receipt) -> ProvenEntry {
    let (id, index) = (entry_id(shard, receipt.leaf_hash), span.first + receipt.index);
    ProvenEntry { id, log_id: shard.log_id, index, receipt, promise: None, attestation: None }
}

/// Adds the inclusion promise.
async fn promise(shard: &Shard, span: Span, receipt: Receipt) -> Result<ProvenEntry, Error> {
    let entry = unpromised(shard, span, receipt);
    let signature = sign(shard, &promise_of(&entry)).await?;
    Ok(ProvenEntry { promise: Some(signature), ..entry })
}

/// Signs a promise. Of those by one key one of many is verified, which costs twice what making it does.
async fn sign(shard: &Shard, promise: &Promise<'_>) -> Result<Vec<u8>, Error> {
    let signer = shard.log.signer();
    let signature = signer.sign(&promise.signed_bytes()).await;
    let signature = signature.map_err(|_| Error::Unavailable { reason: "the log's key cannot sign" })?;
    let sample = shard.samples.check(shard.log.sampling_time(), || {
        let verified = promise.verify(signer.public_key(), &signature);
        verified.map_err(|rejection| Corrupt::refused("an inclusion promise verifies", rejection))
    });
    shard.log.judged(sample.map_err(Error::from))?;
    Ok(signature)
}

fn promise_of(entry: &ProvenEntry) -> Promise<'_> {
    Promise {
        body: &entry.receipt.leaf,
        integrated_time: entry.receipt.timestamp.seconds(),
        log_id: &entry.log_id,
        log_index: entry.index,
    }
}
