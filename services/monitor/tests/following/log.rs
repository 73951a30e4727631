//! A log in memory that does what a test wants: also what no honest log does.

use bytes::Bytes;
use chancery_monitor::{Answer, LogKind, Source, SourceEntry, SourceError, SourceHead};
use chancery_verify::checkpoint::Scheme;
use chancery_verify::merkle::{self, TreeHead};
use chancery_verify::note::KeyName;
use chancery_verify::tile::{Edge, Tiles};
use chancery_verify::{Hash, PublicKey, Rejection, Timestamp};
use rcgen::{KeyPair, PublicKeyData as _, SigningKey as _};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// First line of its checkpoints.
pub(crate) const ORIGIN: &str = "log.example.org";

/// What it shows now.
#[derive(Default)]
pub(crate) struct Shown {
    /// Its leaves.
    pub(crate) leaves: Vec<Bytes>,
    /// What is beside each, if it is a certificate log.
    pub(crate) extras: Vec<Bytes>,
    /// The size of the tree that it shows; all leaves by default.
    pub(crate) size: Option<usize>,
    /// A leaf that it serves instead of the one at this index.
    pub(crate) instead: Option<(usize, Bytes)>,
    /// Whether it answers nothing.
    pub(crate) is_away: bool,
    /// Whether its proofs are wrong.
    pub(crate) lies: bool,
    /// Whether they are only until they are read anew.
    pub(crate) is_mixed_up: bool,
    /// What it says instead of a proof.
    pub(crate) unproven: Option<SourceError>,
    /// When it says that it has signed its head.
    pub(crate) timestamp_ms: Option<i64>,
    /// How long it takes to show entries.
    pub(crate) delay: Duration,
    /// Another tree that it says is used now.
    pub(crate) successor: Option<String>,
    /// Requests for entries.
    pub(crate) reads: usize,
    /// Requests for its head.
    pub(crate) heads: usize,
    /// Requests for consistency proofs.
    pub(crate) proofs: usize,
}

/// The log. Clones are the same log.
#[derive(Clone)]
pub(crate) struct FakeLog {
    key: Arc<KeyPair>,
    kind: LogKind,
    shown: Arc<Mutex<Shown>>,
}

fn scheme() -> Scheme {
    Scheme::RekorV2 { origin: KeyName::new(ORIGIN).unwrap() }
}

fn tree(leaves: &[Bytes]) -> (TreeHead, Tiles) {
    let (mut edge, mut tiles) = (Edge::default(), Tiles::default());
    for leaf in leaves {
        edge.append(merkle::leaf_hash(leaf), &mut tiles);
    }
    (TreeHead { size: edge.size(), root: edge.root() }, tiles)
}

impl FakeLog {
    pub(crate) fn new(kind: LogKind) -> Self {
        Self { key: Arc::new(KeyPair::generate().unwrap()), kind, shown: Arc::default() }
    }

    /// A Rekor log with leaves that say nothing.
    pub(crate) fn with_leaves(count: usize) -> Self {
        let log = Self::new(LogKind::Rekor);
        log.change(|shown| shown.leaves = (0..count).map(|number| format!("leaf {number}").into()).collect());
        log
    }

    /// Another log with this one's key: its second history.
    pub(crate) fn twin(&self) -> Self {
        Self { key: Arc::clone(&self.key), kind: self.kind, shown: Arc::default() }
    }

    pub(crate) fn change<T>(&self, change: impl FnOnce(&mut Shown) -> T) -> T {
        change(&mut self.shown.lock().unwrap())
    }

    pub(crate) fn add(&self, leaf: Bytes) {
        self.change(|shown| shown.leaves.push(leaf));
    }

    fn public(&self) -> PublicKey {
        PublicKey::from_spki_der(&self.key.subject_public_key_info()).unwrap()
    }

    /// The signed note of its first `size` leaves.
    pub(crate) fn checkpoint(&self, size: usize) -> String {
        let (head, _) = self.change(|shown| tree(&shown.leaves[..size]));
        let now = Timestamp::from_seconds(0);
        let signature = self.key.sign(&scheme().signed_bytes(&head, now)).unwrap();
        scheme().note(&head, now, &self.public(), &signature)
    }

    fn answer<T>(&self, answer: impl FnOnce(&mut Shown) -> T) -> Result<T, SourceError> {
        self.change(|shown| {
            if shown.is_away {
                return Err(SourceError { reason: "it is away".to_owned(), is_refusal: false });
            }
            Ok(answer(shown))
        })
    }
}

impl Source for FakeLog {
    fn kind(&self) -> LogKind {
        self.kind
    }

    fn head(&self) -> Answer<'_, SourceHead> {
        Box::pin(async move {
            let (size, tree, timestamp_ms, successor) = self.answer(|shown| {
                shown.heads += 1;
                let size = shown.size.unwrap_or(shown.leaves.len());
                (size, tree(&shown.leaves[..size]).0, shown.timestamp_ms, shown.successor.clone())
            })?;
            Ok(SourceHead { tree, checkpoint: self.checkpoint(size), timestamp_ms, successor })
        })
    }

    fn open_checkpoint(&self, checkpoint: &str) -> Result<TreeHead, Rejection> {
        scheme().open(checkpoint, &self.public())
    }

    fn entries(&self, first: u64, end: u64) -> Answer<'_, Vec<SourceEntry>> {
        Box::pin(async move {
            tokio::time::sleep(self.change(|shown| shown.delay)).await;
            self.answer(|shown| {
                shown.reads += 1;
                // Fewer than are asked for, as any log may answer.
                let (first, end) = (usize::try_from(first).unwrap(), usize::try_from(end.min(first + 700)).unwrap());
                let entry = |index: usize| SourceEntry {
                    leaf: match &shown.instead {
                        Some((wrong, leaf)) if *wrong == index => leaf.clone(),
                        _ => shown.leaves[index].clone(),
                    },
                    extra: shown.extras.get(index).cloned().unwrap_or_default(),
                    timestamp_ms: Some(1000),
                };
                (first..end).map(entry).collect()
            })
        })
    }

    fn consistency_proof(&self, old: u64, new: u64) -> Answer<'_, Vec<Hash>> {
        Box::pin(async move {
            self.answer(|shown| {
                shown.proofs += 1;
                if let Some(error) = &shown.unproven {
                    return Err(error.clone());
                }
                if new > shown.leaves.len() as u64 {
                    return Err(SourceError { reason: format!("it has no tree of {new} leaves"), is_refusal: true });
                }
                let (_, tiles) = tree(&shown.leaves);
                let mut proof = merkle::consistency_proof(old, new, &mut &tiles).unwrap();
                if shown.lies || shown.is_mixed_up {
                    proof.push([7; 32]);
                }
                Ok(proof)
            })?
        })
    }

    fn forget(&self) {
        self.change(|shown| shown.is_mixed_up = false);
    }
}
