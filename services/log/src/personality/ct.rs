//! Certificate transparency: the personality that keeps the CA honest (RFC 6962).
//!
//! A submitted chain must end in an accepted root; its first certificate is sequenced before the SCT is signed, and the
//! SCT says at which index (the `leaf_index` extension of C2SP static-ct-api). There is no merge delay: an SCT is about an
//! entry that is already in a published tree.

mod chain;
mod http;
mod roots;

use chain::{Accepted, Chains, Issuers};
pub use chain::{ChainRefused, Submission, Submitter};
pub use http::describe;
use roots::Roots;

use crate::read::tiles;
use crate::read::tiles::Files;
use crate::reader::Readers;
use crate::store::StoredEntry;
use crate::{Corrupt, Error, Log, Outcome, Pending, Sealed};
use axum::Router;
use bytes::Bytes;
use chancery_daemon::samples::Samples;
use chancery_verify::checkpoint::Scheme;
use chancery_verify::note::KeyName;
use chancery_verify::sct::{self, ExtraData, LogEntry, MerkleTreeLeaf, SignedCertificateTimestamp};
use chancery_verify::{Hash, Rejection, Timestamp, hash};
use std::sync::Arc;

/// The name of this role's log in a store.
pub const NAME: &str = "ct";

/// Names and signs checkpoints of a static-ct log; its tree id is not part of the name.
pub fn scheme(origin: &str, _tree_id: i64) -> Result<Scheme, Rejection> {
    Ok(Scheme::StaticCt { origin: KeyName::new(origin)? })
}

/// A certificate transparency log.
#[derive(Clone)]
pub struct Ct {
    log: Log,
    /// Path of this log below the base URL, e.g. `/ct/dev`.
    path: Arc<str>,
    chains: Chains,
    /// Of the SCTs.
    samples: Arc<Samples>,
    readers: Readers,
}

/// Why a submission was not answered with an SCT.
#[derive(Debug, thiserror::Error)]
pub enum SubmissionError {
    /// The chain is not one this log accepts.
    #[error(transparent)]
    Refused(#[from] ChainRefused),
    /// The log did not do it.
    #[error(transparent)]
    Log(#[from] Error),
}

impl Ct {
    /// The personality over its log, at `path`, accepting chains that end in one of `roots` (DER).
    pub fn new(log: Log, path: &str, roots: &[Vec<u8>]) -> Result<Self, Rejection> {
        let (chains, samples) = (Chains::new(Roots::new(roots)?), Arc::default());
        Ok(Self { log, path: path.into(), chains, samples, readers: Readers::default() })
    }

    /// The same, whose entries are for `readers`.
    #[must_use]
    pub fn read_by(self, readers: Readers) -> Self {
        Self { readers, ..self }
    }

    /// The next log of a series, at `path`: it accepts the same roots, now and when one is added to either, and has the same
    /// readers.
    #[must_use]
    pub fn beside(&self, log: Log, path: &str) -> Self {
        let (chains, samples) = (Chains::new(self.chains.roots().clone()), Arc::default());
        Self { log, path: path.into(), chains, samples, readers: self.readers.clone() }
    }

    /// Where it is below the base URL.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The log underneath.
    #[must_use]
    pub const fn log(&self) -> &Log {
        &self.log
    }

    /// From now on accepts chains that end in `root` (DER), too.
    pub fn accept_root(&self, root: &[u8]) -> Result<(), Rejection> {
        self.chains.roots().accept(root)
    }

    /// The routes of RFC 6962 §4 and of static-ct-api, below this log's path.
    pub fn router(&self) -> Router {
        let files = tiles::http::router(self.files(), &self.readers);
        Router::new().nest(&self.path, http::router(self.clone()).merge(files))
    }

    /// The log as files, as static-ct-api lays them out.
    #[must_use]
    pub fn files(&self) -> Files {
        Files { log: self.log.clone(), entries: "data", encode: encode_tile_leaf, issuers: issuers_of }
    }

    /// Logs the first certificate of `chain` (DER, leaf first) and returns the SCT about it. A chain whose first
    /// certificate is logged already gets an SCT with the time and index it has had since.
    pub async fn submit(
        &self,
        chain: &[Vec<u8>],
        submission: Submission,
        submitter: Submitter,
    ) -> Result<SignedCertificateTimestamp, SubmissionError> {
        let Accepted { identity_hash, entry, extra, issuers } = self.chains.accept(chain, submission, submitter)?;
        // Before the entry: a fingerprint in a data tile must always lead to its certificate.
        self.keep(&issuers).await?;
        let extra = Bytes::from(extra);
        let pending = Pending {
            identity_hash,
            seal: Box::new(move |index, timestamp| seal(&entry, &extra, index, timestamp)),
            only_first: false,
        };
        let leaf = match self.log.append(pending).await? {
            Outcome::Logged(receipt) => receipt.leaf,
            Outcome::AlreadyLogged { index } => {
                let logged = self.log.entry(index).await?;
                let missing = Corrupt::new("a logged entry is below the published head");
                self.log.judged(logged.ok_or(missing).map_err(Error::from))?.leaf
            }
        };
        Ok(self.log.judged(self.sign(&leaf).await)?)
    }

    /// The issuer with this SHA-256, in DER.
    pub(crate) async fn issuer(&self, fingerprint: Hash) -> Result<Option<Bytes>, Error> {
        Ok(self.log.store().issuer(self.log.record().log_id, fingerprint).await?)
    }

    async fn keep(&self, issuers: &Issuers) -> Result<(), Error> {
        if !issuers.are_stored() {
            self.log.store().put_issuers(self.log.record().log_id, issuers.by_fingerprint()).await?;
            issuers.set_stored();
        }
        Ok(())
    }

    /// Signs what a leaf says; one of many is verified.
    async fn sign(&self, leaf: &[u8]) -> Result<SignedCertificateTimestamp, Error> {
        let refused = |rejection| Corrupt::refused("a certificate timestamp verifies", rejection);
        let MerkleTreeLeaf { timestamp, entry, extensions } = MerkleTreeLeaf::from_bytes(leaf).map_err(refused)?;
        let signer = self.log.signer();
        let signed = sct::sct_signed_bytes(timestamp, &entry, &extensions).map_err(refused)?;
        let signature =
            signer.sign(&signed).await.map_err(|_| Error::Unavailable { reason: "the log's key cannot sign" })?;
        let sct =
            SignedCertificateTimestamp { log_id: signer.public_key().fingerprint(), timestamp, extensions, signature };
        self.samples.check(self.log.sampling_time(), || sct.verify(&entry, signer.public_key()).map_err(refused))?;
        Ok(sct)
    }
}

/// The bytes of a leaf, once its index and time are known.
fn seal(entry: &LogEntry, extra: &Bytes, index: u64, timestamp: Timestamp) -> Result<Sealed, Corrupt> {
    let refused = |rejection| Corrupt::refused("a CT leaf can be encoded", rejection);
    let extensions = sct::leaf_index_extension(index).map_err(refused)?.to_vec();
    let leaf = MerkleTreeLeaf { timestamp, entry: entry.clone(), extensions }.to_bytes().map_err(refused)?;
    Ok(Sealed { leaf: leaf.into(), extra: extra.clone() })
}

/// The parts of an entry as it is stored.
fn parse(leaf: &[u8], extra: &[u8]) -> Result<(MerkleTreeLeaf, ExtraData), Rejection> {
    let leaf = MerkleTreeLeaf::from_bytes(leaf)?;
    let extra = ExtraData::from_bytes(extra, &leaf.entry)?;
    Ok((leaf, extra))
}

/// An entry as data tiles have it.
fn encode_tile_leaf(entry: &StoredEntry) -> Option<Vec<u8>> {
    let (leaf, extra) = parse(&entry.leaf, &entry.extra).ok()?;
    sct::tile_leaf(&leaf, &extra).ok()
}

/// The issuers a data tile names an entry's chain by, in DER.
fn issuers_of(entry: &StoredEntry) -> Option<Vec<Vec<u8>>> {
    match parse(&entry.leaf, &entry.extra).ok()?.1 {
        ExtraData::X509 { chain } | ExtraData::Precert { chain, .. } => Some(chain),
    }
}

/// What an entry says about itself.
pub(crate) struct LoggedCertificate {
    /// SHA-256 of the certificate that was submitted.
    pub(crate) identity_hash: Hash,
    /// When it was logged.
    pub(crate) timestamp: Timestamp,
    /// SHA-256 of the certificates above it.
    pub(crate) issuers: Vec<Hash>,
}

/// Reads an entry as it is stored.
pub(crate) fn logged(leaf: &[u8], extra: &[u8]) -> Result<LoggedCertificate, Rejection> {
    let (leaf, extra) = parse(leaf, extra)?;
    let (submitted, chain) = match (&extra, &leaf.entry) {
        (ExtraData::Precert { precertificate, chain }, _) => (precertificate, chain),
        (ExtraData::X509 { chain }, LogEntry::X509 { certificate }) => (certificate, chain),
        (ExtraData::X509 { .. }, LogEntry::Precert { .. }) => return Err(Rejection::SctMalformed),
    };
    let issuers = chain.iter().map(|issuer| hash::sha256(issuer)).collect();
    Ok(LoggedCertificate { identity_hash: hash::sha256(submitted), timestamp: leaf.timestamp, issuers })
}
