//! Plans and proofs: which tiles a proof needs, and the proof made of them. Every proof is verified before it is returned.

use crate::Corrupt;
use chancery_verify::Hash;
use chancery_verify::merkle::{self, Plan, TreeHead};
use chancery_verify::tile::{TileId, Trees};
use std::collections::BTreeSet;

/// The tiles that hold the nodes of a plan.
pub(crate) fn planned_tiles(plan: &Plan) -> BTreeSet<TileId> {
    plan.nodes.iter().map(|node| TileId::containing(*node)).collect()
}

/// Makes an inclusion proof from `trees` and verifies it.
pub(crate) fn prove_inclusion(
    index: u64,
    leaf_hash: &Hash,
    tree: &TreeHead,
    trees: &Trees,
) -> Result<Vec<Hash>, Corrupt> {
    let proof = merkle::inclusion_proof(index, tree.size, &mut &*trees)
        .map_err(|_| Corrupt::new("the tiles of a proof are at hand"))?;
    merkle::verify_inclusion(index, tree.size, leaf_hash, &proof, &tree.root)
        .map_err(|rejection| Corrupt::refused("an inclusion proof verifies", rejection))?;
    Ok(proof)
}

/// Makes a proof from `trees` that the tree of `old` leaves is a prefix of the one of `new` leaves, and verifies it.
pub(crate) fn prove_consistency(old: u64, new: u64, trees: &Trees) -> Result<Vec<Hash>, Corrupt> {
    let missing = |_| Corrupt::new("tiles below the head are stored");
    let proof = merkle::consistency_proof(old, new, &mut &*trees).map_err(missing)?;
    let old = TreeHead { size: old, root: merkle::root_hash(old, &mut &*trees).map_err(missing)? };
    let new = TreeHead { size: new, root: merkle::root_hash(new, &mut &*trees).map_err(missing)? };
    merkle::verify_consistency(&old, &new, &proof)
        .map_err(|rejection| Corrupt::refused("a consistency proof verifies", rejection))?;
    Ok(proof)
}
