//! A log elsewhere, whichever protocol it speaks.

use crate::answer::{RemoteEntry, RemoteHead, Shard};
use crate::error::ReadError;
use crate::fetch::Fetcher;
use crate::identity::{LogIdentity, Protocol};
use crate::rekor_v1::RekorV1;
use crate::rfc6962::Rfc6962;
use crate::tiles::Tiled;
use chancery_verify::merkle::TreeHead;
use chancery_verify::{Hash, Rejection};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

/// A log elsewhere: one tree. Clones share connections, and what is remembered.
#[derive(Debug, Clone)]
pub struct RemoteLog(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    identity: LogIdentity,
    transport: Transport,
    /// The first line of its checkpoints, once it is known. It does not change.
    origin: OnceLock<String>,
    /// The size of the largest tree that its key was seen to have signed.
    largest: AtomicU64,
}

#[derive(Debug)]
enum Transport {
    RekorV1(RekorV1),
    Rfc6962(Rfc6962),
    Tiled(Tiled),
}

impl RemoteLog {
    /// The log that `identity` describes. Sends no request.
    ///
    /// # Errors
    /// [`ReadError::Address`] if paths cannot be added to its URL.
    pub fn new(identity: LogIdentity, fetcher: Fetcher) -> Result<Self, ReadError> {
        let address = || ReadError::Address { url: identity.url.to_string() };
        let base = chancery_outbound::base(&identity.url).ok_or_else(address)?;
        let transport = match identity.protocol {
            Protocol::RekorV1 => Transport::RekorV1(RekorV1::new(base, fetcher)),
            Protocol::Rfc6962 => Transport::Rfc6962(Rfc6962::new(base, fetcher)),
            Protocol::RekorV2 => Transport::Tiled(Tiled::entries(base, fetcher)),
            Protocol::StaticCt => Transport::Tiled(Tiled::certificates(base, fetcher)),
        };
        let origin = identity.origin.clone().map(OnceLock::from).unwrap_or_default();
        Ok(Self(Arc::new(Inner { identity, transport, origin, largest: AtomicU64::new(0) })))
    }

    /// What it is known by.
    #[must_use]
    pub fn identity(&self) -> &LogIdentity {
        &self.0.identity
    }

    /// The first line of its checkpoints, once that is known: by the identity, or from the first head.
    #[must_use]
    pub fn origin(&self) -> Option<&str> {
        self.0.origin.get().map(String::as_str)
    }

    /// The newest tree head that it shows. The signature is verified. Nothing is said about its relation to earlier heads.
    ///
    /// # Errors
    /// [`ReadError::Rejected`] or [`ReadError::OtherKey`] if the key has not signed it, or it is of another log.
    pub async fn head(&self) -> Result<RemoteHead, ReadError> {
        let Inner { identity, transport, origin, largest } = &*self.0;
        let mut successor = None;
        let (url, checkpoint) = match transport {
            Transport::RekorV1(log) => {
                let listed = log.checkpoint(origin.get().map(String::as_str)).await?;
                successor = listed.successor;
                (listed.url, listed.checkpoint)
            }
            Transport::Rfc6962(log) => log.checkpoint(&identity.key, origin.get().map(String::as_str)).await?,
            Transport::Tiled(log) => log.checkpoint().await?,
        };
        let opened = identity.open(origin.get().map(String::as_str), &checkpoint);
        let (stated, signed) = opened.map_err(|rejection| match (transport, rejection) {
            (Transport::Rfc6962(_), Rejection::NoteSignature) => ReadError::OtherKey { url: url.clone() },
            (_, rejection) => ReadError::Rejected { url: url.clone(), rejection },
        })?;
        if origin.get_or_init(|| stated.clone()) != &stated {
            // Two first heads at the same moment, of two trees.
            return Err(ReadError::Rejected { url, rejection: Rejection::CheckpointOrigin });
        }
        let TreeHead { size, root } = signed.head;
        largest.fetch_max(size, Ordering::Relaxed);
        let timestamp_ms = signed.timestamp.and_then(|time| i64::try_from(time.millis()).ok());
        Ok(RemoteHead { size, root, checkpoint, timestamp_ms, successor })
    }

    /// The tree head that a checkpoint of this log states. Its signature is verified, and its age is not.
    pub fn open_checkpoint(&self, note: &str) -> Result<TreeHead, Rejection> {
        self.0.identity.open(self.origin(), note).map(|(_, signed)| signed.head)
    }

    /// Entries from `first` on, up to `end`, which must not be above a head: at least one, perhaps fewer than asked for. They
    /// are the server's word: hash them into the tree of a head.
    pub async fn entries(&self, first: u64, end: u64) -> Result<Vec<RemoteEntry>, ReadError> {
        if first >= end {
            return Ok(Vec::new());
        }
        match &self.0.transport {
            Transport::RekorV1(log) => log.entries(self.origin(), first, end).await,
            Transport::Rfc6962(log) => log.entries(first, end).await,
            Transport::Tiled(log) => log.entries_of(first, end, self.known(end)).await,
        }
    }

    /// The inclusion proof of the entry at `index` in the tree of `size` leaves, which must not be above a head. Not verified:
    /// use [`chancery_verify::merkle::verify_inclusion`].
    pub async fn inclusion_proof(&self, index: u64, size: u64) -> Result<Vec<Hash>, ReadError> {
        match &self.0.transport {
            Transport::RekorV1(log) => log.inclusion_proof(self.origin(), index, size).await,
            Transport::Rfc6962(log) => log.inclusion_proof(index, size).await,
            Transport::Tiled(log) => log.inclusion_proof(index, size, self.known(size)).await,
        }
    }

    /// The proof that the tree of `old` leaves is a prefix of the tree of `new` leaves, which must not be above a head. Not
    /// verified: use [`chancery_verify::merkle::verify_consistency`]. Empty where none is needed.
    pub async fn consistency_proof(&self, old: u64, new: u64) -> Result<Vec<Hash>, ReadError> {
        if old == 0 || old >= new {
            return Ok(Vec::new());
        }
        match &self.0.transport {
            Transport::RekorV1(log) => log.consistency_proof(self.origin(), old, new).await,
            Transport::Rfc6962(log) => log.consistency_proof(old, new).await,
            Transport::Tiled(log) => log.consistency_proof(old, new, self.known(new)).await,
        }
    }

    /// The index of the leaf with this hash. `None` if the server says that there is none, which nothing proves.
    ///
    /// # Errors
    /// [`ReadError::Unsupported`] for a log of tiles, which cannot be asked.
    pub async fn index_of(&self, leaf_hash: Hash) -> Result<Option<u64>, ReadError> {
        match &self.0.transport {
            Transport::RekorV1(log) => log.index_of(self.origin(), leaf_hash).await,
            Transport::Rfc6962(log) => log.index_of(leaf_hash, self.known(0)).await,
            Transport::Tiled(_) => {
                Err(ReadError::Unsupported { protocol: self.0.identity.protocol.name(), what: "the index of an entry" })
            }
        }
    }

    /// Forgets what was read and not verified: call it if a proof does not verify, so that the next one is made anew.
    pub fn forget(&self) {
        match &self.0.transport {
            Transport::Tiled(log) => log.forget(),
            Transport::RekorV1(_) | Transport::Rfc6962(_) => {}
        }
    }

    /// The trees below the URL of a Rekor v1 log, the oldest first, as its server lists them. Empty for other protocols.
    pub async fn shards(&self) -> Result<Vec<Shard>, ReadError> {
        match &self.0.transport {
            Transport::RekorV1(log) => log.shards().await.map(|(_, shards)| shards),
            Transport::Rfc6962(_) | Transport::Tiled(_) => Ok(Vec::new()),
        }
    }

    /// The size of the largest tree that is known: partial tiles are there for the newest head.
    fn known(&self, size: u64) -> u64 {
        self.0.largest.load(Ordering::Relaxed).max(size)
    }
}
