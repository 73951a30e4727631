//! Payloads that a log keeps beside entries, where its operator has said so: payloads of envelopes, and COSE messages. Their
//! entries have only a hash of them.
//!
//! Kept after the entry's commit and before its answer: the payload of an acknowledged entry is not lost. A request that
//! fails in between is repeated by its client, and keeps it then. Nothing is shown that has another hash than the entry says.

use crate::Error;
use crate::store::Store;
use crate::subjects::subjects;
use bytes::Bytes;
use chancery_verify::rekor::attestation_hash;
use chancery_verify::{Hash, hash};
use std::collections::{BTreeMap, BTreeSet};

/// The largest that is kept, in bytes, unless the operator says otherwise; upstream's.
pub const MAX_ATTESTATION_BYTES: usize = 100 * 1024;

/// Whether attestations are kept and shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Attestations {
    /// They are not. As upstream without its flag: payloads may be private, and are sent by whoever reaches the log.
    #[default]
    Dropped,
    /// Those that are not too large are kept. Of the others only the entry is.
    Kept {
        /// The largest that is kept, in bytes.
        max_bytes: usize,
    },
}

impl Attestations {
    /// What is to be kept of what a proposal had beside its body.
    pub(super) fn of(self, attestation: Option<Vec<u8>>) -> Option<Bytes> {
        match self {
            Self::Kept { max_bytes } => attestation.filter(|data| data.len() <= max_bytes).map(Bytes::from),
            Self::Dropped => None,
        }
    }

    /// What is kept and is about one of these terms: up to `count` pairs of a term and a hash. None where nothing is shown.
    pub(super) async fn about(
        self,
        store: &dyn Store,
        subjects: Vec<Vec<u8>>,
        count: u32,
    ) -> Result<Vec<(Vec<u8>, Hash)>, Error> {
        match self {
            Self::Kept { .. } => Ok(store.attestations_about(subjects, count).await?),
            Self::Dropped => Ok(Vec::new()),
        }
    }

    /// Reads what is kept beside an entry.
    pub(super) async fn beside(self, store: &dyn Store, body: &[u8]) -> Result<Option<Bytes>, Error> {
        let (Self::Kept { .. }, Some(digest)) = (self, attestation_hash(body)) else { return Ok(None) };
        let kept = store.attestation(digest).await?;
        Ok(kept.filter(|data| has_hash(data, &digest)))
    }

    /// Reads what is kept beside each of these entries, in their order, with one query. Many entries may have the same.
    pub(super) async fn beside_each(self, store: &dyn Store, bodies: &[Bytes]) -> Result<Vec<Option<Bytes>>, Error> {
        let digests: Vec<Option<Hash>> = match self {
            Self::Kept { .. } => bodies.iter().map(|body| attestation_hash(body)).collect(),
            Self::Dropped => vec![None; bodies.len()],
        };
        let distinct: BTreeSet<Hash> = digests.iter().flatten().copied().collect();
        if distinct.is_empty() {
            return Ok(vec![None; bodies.len()]);
        }
        let kept = store.attestations_with(distinct.into_iter().collect()).await?.into_iter();
        let kept: BTreeMap<Hash, Bytes> = kept.filter(|(digest, data)| has_hash(data, digest)).collect();
        Ok(digests.iter().map(|digest| kept.get(digest.as_ref()?).cloned()).collect())
    }
}

/// Whether what is kept is what an entry says.
fn has_hash(data: &[u8], digest: &Hash) -> bool {
    let is_it = hash::sha256(data) == *digest;
    if !is_it {
        let digest = hex::encode(digest);
        tracing::error!(
            digest,
            "the payload that is kept beside an entry has another hash than the entry says, and is not shown"
        );
    }
    is_it
}

/// Keeps what an entry that is committed has beside it.
pub(super) async fn keep(store: &dyn Store, attestation: Option<Bytes>) -> Result<(), Error> {
    if let Some(data) = attestation {
        let subjects = subjects(&data);
        store.put_attestation(hash::sha256(&data), data, subjects).await?;
    }
    Ok(())
}
