//! Rekor v1: one of the trees below a URL, through the API.
//!
//! Its entries are numbered over all trees of the URL, so an index in a tree becomes one of the API by adding the entries of
//! the trees before it. An entry is proven in the newest tree only: a proof in an earlier one is made from that and a
//! consistency proof.

use crate::answer::{RemoteEntry, Shard};
use crate::error::ReadError;
use crate::fetch::Fetcher;
use crate::identity::Protocol;
use crate::json::rekor_v1 as json;
use bytes::Bytes;
use chancery_verify::Hash;
use chancery_verify::merkle;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

/// Entries that Rekor answers with at most.
const PER_REQUEST: usize = 10;
/// Heads and proofs.
const MAX_PROOF_BYTES: usize = 1 << 20;

/// A Rekor v1 log.
#[derive(Debug)]
pub(crate) struct RekorV1 {
    base: String,
    fetcher: Fetcher,
    /// Where the tree was among the others the last time.
    place: Mutex<Option<Place>>,
}

/// A tree, and the index of its first entry in the API.
#[derive(Debug, Clone, Copy)]
struct Place {
    tree_id: i64,
    first_index: u64,
}

/// A tree as the server lists it. Not verified.
#[derive(Debug)]
pub(crate) struct Listed {
    /// Where it is listed.
    pub(crate) url: String,
    pub(crate) checkpoint: String,
    /// The first line of the checkpoints of the tree that takes entries, if that is another one.
    pub(crate) successor: Option<String>,
}

impl RekorV1 {
    pub(crate) fn new(base: String, fetcher: Fetcher) -> Self {
        Self { base, fetcher, place: Mutex::new(None) }
    }

    /// The tree whose checkpoints begin with `origin`, or the one that takes entries.
    pub(crate) async fn checkpoint(&self, origin: Option<&str>) -> Result<Listed, ReadError> {
        let (url, shards) = self.shards().await?;
        let shard = find(&url, &shards, origin)?;
        self.remember(shard);
        let checkpoint = shard.unverified_checkpoint.clone();
        let successor = shards.iter().find(|other| other.is_active && other.tree_id != shard.tree_id);
        let successor = successor.and_then(Shard::origin).map(str::to_owned);
        Ok(Listed { url, checkpoint, successor })
    }

    /// The trees, the oldest first, and where they are listed.
    pub(crate) async fn shards(&self) -> Result<(String, Vec<Shard>), ReadError> {
        let url = format!("{}/api/v1/log", self.base);
        let read = self.fetcher.limited(MAX_PROOF_BYTES).get(&url).await?;
        let shards = json::shards(&url, &present(&url, read)?)?;
        Ok((url, shards))
    }

    /// Entries from `first` on, up to `end`, from a few requests of ten.
    pub(crate) async fn entries(
        &self,
        origin: Option<&str>,
        first: u64,
        end: u64,
    ) -> Result<Vec<RemoteEntry>, ReadError> {
        let place = self.place(origin).await?;
        let url = self.retrieve_url();
        let most = PER_REQUEST.saturating_mul(self.fetcher.limits().parallel.max(1));
        let end = end.min(first.saturating_add(u64::try_from(most).unwrap_or(u64::MAX)));
        let indices: Vec<u64> = (first..end).map(|index| index.saturating_add(place.first_index)).collect();
        let bodies = indices.chunks(PER_REQUEST).map(|chunk| format!(r#"{{"logIndexes":{chunk:?}}}"#)).collect();
        let mut found = HashMap::new();
        for read in self.fetcher.post_all(&url, bodies).await? {
            found.extend(json::entries(&url, &present(&url, read)?, place.tree_id)?);
        }
        // They may come in any order, and there may be fewer.
        let entries: Vec<RemoteEntry> = indices.iter().map_while(|index| found.remove(index)).collect();
        if entries.is_empty() {
            return Err(ReadError::Malformed { url, reason: "an entry below its tree size is missing" });
        }
        Ok(entries)
    }

    /// The inclusion proof of an entry.
    pub(crate) async fn inclusion_proof(
        &self,
        origin: Option<&str>,
        index: u64,
        size: u64,
    ) -> Result<Vec<Hash>, ReadError> {
        let place = self.place(origin).await?;
        let url = format!("{}/api/v1/log/entries?logIndex={}", self.base, index.saturating_add(place.first_index));
        let read = present(&url, self.fetcher.get(&url).await?)?;
        let (inclusion, later) = json::inclusion(&url, &read, place.tree_id)?;
        if later < size {
            let reason = "its proof is to a smaller tree than it has shown";
            return Err(ReadError::Malformed { url, reason });
        }
        let consistency = if later == size || size.is_power_of_two() {
            Vec::new()
        } else {
            self.consistency_proof(origin, size, later).await?
        };
        let made = merkle::earlier_inclusion_proof((index, size), later, &inclusion, &consistency);
        made.map_err(|rejection| ReadError::Rejected { url, rejection })
    }

    /// The proof that a tree is a prefix of another.
    pub(crate) async fn consistency_proof(
        &self,
        origin: Option<&str>,
        old: u64,
        new: u64,
    ) -> Result<Vec<Hash>, ReadError> {
        let Place { tree_id, .. } = self.place(origin).await?;
        let url = format!("{}/api/v1/log/proof?firstSize={old}&lastSize={new}&treeID={tree_id}", self.base);
        let read = self.fetcher.limited(MAX_PROOF_BYTES).get(&url).await?;
        json::consistency(&url, &present(&url, read)?)
    }

    /// The index of a leaf in the tree.
    pub(crate) async fn index_of(&self, origin: Option<&str>, leaf_hash: Hash) -> Result<Option<u64>, ReadError> {
        let place = self.place(origin).await?;
        let url = self.retrieve_url();
        let body = format!(r#"{{"entryUUIDs":["{:016x}{}"]}}"#, place.tree_id, hex::encode(leaf_hash));
        let Some(read) = self.fetcher.post(&url, &body).await? else { return Ok(None) };
        let index = json::index(&url, &read, place.tree_id)?;
        Ok(index.and_then(|index| index.checked_sub(place.first_index)))
    }

    /// Where the tree is among the others. Its first entry stays where it is, however many trees come later.
    async fn place(&self, origin: Option<&str>) -> Result<Place, ReadError> {
        let known = *self.place.lock().unwrap_or_else(PoisonError::into_inner);
        if let (Some(known), Some(tree_id)) = (known, origin.and_then(tree_id))
            && known.tree_id == tree_id
        {
            return Ok(known);
        }
        let (url, shards) = self.shards().await?;
        Ok(self.remember(find(&url, &shards, origin)?))
    }

    fn remember(&self, shard: &Shard) -> Place {
        let place = Place { tree_id: shard.tree_id, first_index: shard.first_index };
        *self.place.lock().unwrap_or_else(PoisonError::into_inner) = Some(place);
        place
    }

    fn retrieve_url(&self) -> String {
        format!("{}/api/v1/log/entries/retrieve", self.base)
    }
}

fn present(url: &str, read: Option<Bytes>) -> Result<Bytes, ReadError> {
    read.ok_or_else(|| ReadError::Missing { url: url.to_owned(), protocol: Protocol::RekorV1.name() })
}

/// The number of a tree, from the first line of its checkpoints.
fn tree_id(origin: &str) -> Option<i64> {
    origin.rsplit_once(" - ").and_then(|(_, number)| number.parse().ok())
}

/// The tree whose checkpoints begin with `origin`, or the one that takes entries.
fn find<'a>(url: &str, shards: &'a [Shard], origin: Option<&str>) -> Result<&'a Shard, ReadError> {
    let found = match origin {
        Some(origin) => shards.iter().find(|shard| Some(shard.tree_id) == tree_id(origin)),
        None => shards.iter().find(|shard| shard.is_active),
    };
    let reason = "the tree is not among those that it lists";
    found.ok_or_else(|| ReadError::Malformed { url: url.to_owned(), reason })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tree_is_found_by_its_number_and_else_the_active_one() {
        let shard = |tree_id, is_active| Shard {
            tree_id,
            size: 3,
            first_index: 0,
            is_active,
            unverified_checkpoint: String::new(),
        };
        let shards = [shard(1, false), shard(2, true)];
        let found = |origin| find("http://log.example", &shards, origin).map(|shard| shard.tree_id);
        assert_eq!(found(None), Ok(2));
        assert_eq!(found(Some("log.example - 1")), Ok(1));
        for unknown in ["log.example - 3", "log.example", "log.example - x"] {
            assert!(found(Some(unknown)).is_err(), "{unknown}");
        }
    }
}
