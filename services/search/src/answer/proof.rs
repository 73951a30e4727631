//! Inclusion proofs of entries, in the tree of the checkpoint up to which an answer is complete.

use super::AskError;
use super::entry::Found;
use chancery_verify::merkle::verify_inclusion;
use chancery_verify::{Hash, Rejection};
use futures_util::future::try_join_all;

/// Proofs that are made at the same time.
const PROOFS_AT_ONCE: usize = 8;

/// An entry with its inclusion proof, from the leaf to the root.
pub(crate) struct Proven {
    pub(crate) found: Found,
    pub(crate) hashes: Vec<Hash>,
}

/// Proves each of these entries.
pub(crate) async fn proven(found: Vec<Found>) -> Result<Vec<Proven>, AskError> {
    let mut all = Vec::with_capacity(found.len());
    for some in found.chunks(PROOFS_AT_ONCE) {
        let proofs: Vec<_> = some.iter().map(prove).collect();
        all.extend(try_join_all(proofs).await?);
    }
    Ok(found.into_iter().zip(all).map(|(found, hashes)| Proven { found, hashes }).collect())
}

async fn prove(found: &Found) -> Result<Vec<Hash>, AskError> {
    let contradiction = |rejection| AskError::Contradiction { log: found.log.name.clone(), rejection };
    // Nothing is indexed that is in no published tree.
    let head = found.log.head.as_ref().ok_or_else(|| contradiction(Rejection::CheckpointMissing))?;
    let hashes = found.log.source.inclusion_proof_of(found.index, found.leaf_hash, head.tree.size).await?;
    verify_inclusion(found.index, head.tree.size, &found.leaf_hash, &hashes, &head.tree.root).map_err(contradiction)?;
    Ok(hashes)
}
