//! Reads of a log: entries, and proofs that are made from its tiles and verified before they leave.
//!
//! A self-check of a read can fail because a cache in memory is damaged, or because the database has lost or changed
//! something. So it is made again without the cache. If it fails once more, the stored state is in doubt, and the log is
//! quarantined ([`Log::checked`]): it must not promise more entries over storage that loses them.

use crate::head::Published;
use crate::read::receipt::Receipt;
use crate::store::StoredEntry;
use crate::tree::{planned_tiles, prove_consistency, prove_inclusion};
use crate::{Corrupt, Error, Log};
use chancery_verify::Hash;
use chancery_verify::merkle::{self, Plan, TreeHead};
use chancery_verify::tile::{TileId, Tiles, Trees};

impl Log {
    /// The entry at `index` with its proof in the newest published tree; `None` at or past its size.
    pub async fn entry(&self, index: u64) -> Result<Option<Receipt>, Error> {
        self.checked(|| self.read_entry(index)).await
    }

    async fn read_entry(&self, index: u64) -> Result<Option<Receipt>, Error> {
        let published = self.covering(index.saturating_add(1)).await?;
        if index >= published.tree.size {
            return Ok(None);
        }
        let mut plan = Plan::default();
        let Ok(_) = merkle::inclusion_proof(index, published.tree.size, &mut plan);
        let (mut trees, missing) = self.trees_at_hand(&plan, &published);
        let (entry, read) = self
            .store()
            .entry(self.record().log_id, index, missing)
            .await?
            .ok_or(Corrupt::new("every index below the head has an entry"))?;
        if merkle::leaf_hash(&entry.leaf) != entry.leaf_hash {
            return Err(Corrupt::new("a stored leaf has its leaf hash").into());
        }
        trees.0.extend(self.read_trees(read).0);
        let proof = prove_inclusion(index, &entry.leaf_hash, &published.tree, &trees)?;
        Ok(Some(Receipt {
            index,
            timestamp: entry.timestamp,
            leaf_hash: entry.leaf_hash,
            leaf: entry.leaf,
            published,
            proof,
        }))
    }

    /// The index of the leaf with this hash, where it is below the published head.
    pub async fn index_of(&self, leaf_hash: Hash) -> Result<Option<u64>, Error> {
        self.checked(|| self.find_index(leaf_hash)).await
    }

    async fn find_index(&self, leaf_hash: Hash) -> Result<Option<u64>, Error> {
        let Some(index) = self.store().index_of(self.record().log_id, leaf_hash).await? else { return Ok(None) };
        let published = self.covering(index.saturating_add(1)).await?;
        Ok((index < published.tree.size).then_some(index))
    }

    /// Up to `count` entries from `start` on, all below the published head.
    pub async fn entries(&self, start: u64, count: u32) -> Result<Vec<StoredEntry>, Error> {
        self.checked(|| self.read_entries(start, count)).await
    }

    async fn read_entries(&self, start: u64, count: u32) -> Result<Vec<StoredEntry>, Error> {
        let available = self.readable(start.saturating_add(u64::from(count))).await?.saturating_sub(start);
        let count = count.min(u32::try_from(available).unwrap_or(u32::MAX));
        let entries = self.store().entries(self.record().log_id, start, count).await?;
        if entries.iter().map(|entry| entry.index).eq(start..start + u64::from(count)) {
            Ok(entries)
        } else {
            Err(Corrupt::new("every index below the head has an entry").into())
        }
    }

    /// The entries with these indices, which go up, in order: those of them that are below the published head. Cheaper than a read
    /// of each where they are scattered.
    pub async fn entries_at(&self, indices: &[u64]) -> Result<Vec<StoredEntry>, Error> {
        self.checked(|| self.read_entries_at(indices)).await
    }

    async fn read_entries_at(&self, indices: &[u64]) -> Result<Vec<StoredEntry>, Error> {
        let Some(last) = indices.last() else { return Ok(Vec::new()) };
        let readable = self.readable(last.saturating_add(1)).await?;
        let indices: Vec<u64> = indices.iter().copied().filter(|index| *index < readable).collect();
        let entries = self.store().entries_at(self.record().log_id, indices.clone()).await?;
        if entries.iter().map(|entry| entry.index).eq(indices) {
            Ok(entries)
        } else {
            Err(Corrupt::new("every index below the head has an entry").into())
        }
    }

    /// Inclusion proof of the leaf at `index` in the tree of `size` leaves, verified against that tree's root hash.
    pub async fn inclusion_proof_at(&self, index: u64, leaf_hash: &Hash, size: u64) -> Result<Vec<Hash>, Error> {
        self.checked(|| self.prove_inclusion_at(index, leaf_hash, size)).await
    }

    async fn prove_inclusion_at(&self, index: u64, leaf_hash: &Hash, size: u64) -> Result<Vec<Hash>, Error> {
        let root = self.read_root(size).await?;
        self.inclusion_proof(index, leaf_hash, &TreeHead { size, root }, Tiles::default()).await
    }

    /// From tiles of which some have been `read` already.
    pub(crate) async fn inclusion_proof(
        &self,
        index: u64,
        leaf_hash: &Hash,
        tree: &TreeHead,
        read: Tiles,
    ) -> Result<Vec<Hash>, Error> {
        let mut plan = Plan::default();
        let Ok(_) = merkle::inclusion_proof(index, tree.size, &mut plan);
        let trees = self.trees_for(&plan, read).await?;
        Ok(prove_inclusion(index, leaf_hash, tree, &trees)?)
    }

    /// Index and inclusion proof of the leaf with this hash in the tree of `size` leaves, `size` ≤ published size; `None`
    /// where that tree has no such leaf.
    pub async fn inclusion_proof_by_hash(
        &self,
        leaf_hash: &Hash,
        size: u64,
    ) -> Result<Option<(u64, Vec<Hash>)>, Error> {
        self.checked(|| self.prove_by_hash(leaf_hash, size)).await
    }

    async fn prove_by_hash(&self, leaf_hash: &Hash, size: u64) -> Result<Option<(u64, Vec<Hash>)>, Error> {
        let Some((index, read)) = self.store().leaf(self.record().log_id, *leaf_hash).await? else { return Ok(None) };
        if index >= size {
            return Ok(None);
        }
        let tree = TreeHead { size, root: self.read_root(size).await? };
        Ok(Some((index, self.inclusion_proof(index, leaf_hash, &tree, read).await?)))
    }

    /// Proof that the tree of `old` leaves is a prefix of the tree of `new` leaves; `old` ≤ `new` ≤ published size.
    pub async fn consistency_proof(&self, old: u64, new: u64) -> Result<Vec<Hash>, Error> {
        self.checked(|| self.prove_consistency(old, new)).await
    }

    async fn prove_consistency(&self, old: u64, new: u64) -> Result<Vec<Hash>, Error> {
        let mut plan = Plan::default();
        let Ok(_) = merkle::consistency_proof(old, new, &mut plan);
        let Ok(_) = merkle::root_hash(old, &mut plan);
        let Ok(_) = merkle::root_hash(new, &mut plan);
        let trees = self.trees_for(&plan, Tiles::default()).await?;
        Ok(prove_consistency(old, new, &trees)?)
    }

    /// Root hash of the tree as it was at `size` leaves, `size` ≤ published size.
    pub async fn root_at(&self, size: u64) -> Result<Hash, Error> {
        self.checked(|| self.read_root(size)).await
    }

    async fn read_root(&self, size: u64) -> Result<Hash, Error> {
        let published = self.covering(size).await?;
        if published.tree.size == size {
            return Ok(published.tree.root);
        }
        let mut plan = Plan::default();
        let Ok(_) = merkle::root_hash(size, &mut plan);
        let trees = self.trees_for(&plan, Tiles::default()).await?;
        merkle::root_hash(size, &mut &trees).map_err(|_| Corrupt::new("tiles below the head are stored").into())
    }

    /// The tiles of a plan, of which some have been `read` already.
    async fn trees_for(&self, plan: &Plan, mut read: Tiles) -> Result<Trees, Error> {
        let (mut trees, mut missing) = self.trees_at_hand(plan, &*self.published()?);
        read.0.retain(|id, _| missing.contains(id));
        missing.retain(|id| !read.0.contains_key(id));
        trees.0.extend(self.read_trees(read).0);
        trees.0.extend(self.trees(missing).await?.0);
        Ok(trees)
    }

    /// The tiles of a plan that are in memory, and those that are to be read.
    fn trees_at_hand(&self, plan: &Plan, published: &Published) -> (Trees, Vec<TileId>) {
        let ids = planned_tiles(plan).into_iter();
        let (at_edge, inside): (Vec<_>, Vec<_>) = ids.partition(|id| published.edge.0.contains_key(id));
        let (mut trees, missing) = self.trees_in_memory(inside);
        trees.0.extend(at_edge.into_iter().filter_map(|id| Some((id, published.edge.0.get(&id)?.clone()))));
        (trees, missing)
    }
}
