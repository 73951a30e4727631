//! Receipts: the place of an entry, with the proof that it is in a published tree.

use crate::head::{Published, Sequenced};
use crate::tree::{Pending, prove_inclusion};
use crate::{Error, Log};
use bytes::Bytes;
use chancery_verify::tile::Tiles;
use chancery_verify::{Hash, Timestamp};
use std::sync::Arc;

/// Proof that an entry is in a published tree. Verified before anyone sees it.
#[derive(Debug, Clone)]
pub struct Receipt {
    /// Its position.
    pub index: u64,
    /// When it was integrated.
    pub timestamp: Timestamp,
    /// Its leaf hash.
    pub leaf_hash: Hash,
    /// What is hashed into the tree.
    pub leaf: Bytes,
    /// The tree head the proof leads to.
    pub published: Arc<Published>,
    /// Inclusion proof, leaf to root.
    pub proof: Vec<Hash>,
}

/// What became of an entry.
#[derive(Debug)]
pub enum Outcome {
    /// Logged now.
    Logged(Receipt),
    /// Logged before, at this index; it can be read at once.
    AlreadyLogged {
        /// Where.
        index: u64,
    },
}

impl Log {
    /// Appends an entry; returns once it is durable, under a signed checkpoint and provable.
    pub async fn append(&self, pending: Pending) -> Result<Outcome, Error> {
        match self.integrate(pending).await? {
            Sequenced::AlreadyLogged { index } => {
                // The answer names an entry, which must be readable at once.
                self.acknowledged(index.saturating_add(1)).await?;
                Ok(Outcome::AlreadyLogged { index })
            }
            Sequenced::Integrated { index, timestamp, leaf_hash, leaf, published, trees } => {
                let signed = published.tree;
                let published = self.acknowledged(signed.size).await?.unwrap_or(published);
                let proof = if published.tree == signed {
                    self.judged(prove_inclusion(index, &leaf_hash, &signed, &trees).map_err(Error::from))?
                } else {
                    let prove = || self.inclusion_proof(index, &leaf_hash, &published.tree, Tiles::default());
                    self.checked(prove).await?
                };
                Ok(Outcome::Logged(Receipt { index, timestamp, leaf_hash, leaf, published, proof }))
            }
        }
    }
}
