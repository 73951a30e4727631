//! How two signed trees of one log relate. The log's proofs are verified, and nothing is believed without one.

use crate::source::{Source, SourceError};
use chancery_verify::merkle::{self, TreeHead};
use chancery_verify::{Hash, Rejection};

/// How a tree relates to the one that is remembered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Relation {
    /// They are the same.
    Same,
    /// It extends the remembered one, by this proof.
    Newer(Vec<Hash>),
    /// The remembered one extends it.
    Older,
    /// It has as many leaves and another root. No log can do that honestly.
    Forked,
    /// The log does not prove that one extends the other: its proof is wrong.
    Inconsistent { proof: Vec<Hash>, rejection: Rejection },
}

/// Compares `other` with the `known` tree, with a proof of the log's.
///
/// # Errors
/// The log gives no proof, so that nothing can be told.
pub(crate) async fn relate(source: &dyn Source, known: &TreeHead, other: &TreeHead) -> Result<Relation, SourceError> {
    if known.size == other.size {
        return Ok(if known.root == other.root { Relation::Same } else { Relation::Forked });
    }
    let (small, large) = if known.size < other.size { (known, other) } else { (other, known) };
    // A proof that fails is asked for again: the server may have been changed just then.
    let (mut proof, mut verdict) = prove(source, small, large).await?;
    if verdict.is_err() {
        (proof, verdict) = prove(source, small, large).await?;
    }
    Ok(match verdict {
        Ok(()) if known.size < other.size => Relation::Newer(proof),
        Ok(()) => Relation::Older,
        Err(rejection) => Relation::Inconsistent { proof, rejection },
    })
}

async fn prove(
    source: &dyn Source,
    small: &TreeHead,
    large: &TreeHead,
) -> Result<(Vec<Hash>, Result<(), Rejection>), SourceError> {
    let proof = if small.size == 0 { Vec::new() } else { source.consistency_proof(small.size, large.size).await? };
    let verdict = merkle::verify_consistency(small, large, &proof);
    if verdict.is_err() {
        // Else the next one would be made of the same wrong parts.
        source.forget();
    }
    Ok((proof, verdict))
}
