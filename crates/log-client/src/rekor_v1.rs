//! Rekor v1: one of the trees below a URL, through the API.
//!
//! Its entries are numbered over all trees of the URL, so an index in a tree becomes one of the API by adding the entries of
//! the trees before it. An entry is proven in the newest tree only: a proof in an earlier one is made from that and a
//! consistency proof.

use crate::answer::{RemoteEntry, Shard};
use crate::error::ReadError;
use crate::fetch::Fetcher;
use crate::identity::Protocol;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use chancery_verify::Hash;
use chancery_verify::merkle;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::collections::{BTreeMap, HashMap};
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

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct LogInfo {
    #[serde(default)]
    inactive_shards: Option<Vec<TreeInfo>>,
    #[serde(flatten)]
    active: TreeInfo,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct TreeInfo {
    signed_tree_head: String,
    #[serde(rename = "treeID")]
    tree_id: String,
    tree_size: u64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    body: String,
    integrated_time: i64,
    log_index: u64,
    #[serde(default)]
    verification: Option<Verification>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Verification {
    #[serde(default)]
    inclusion_proof: Option<InclusionProof>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct InclusionProof {
    hashes: Vec<String>,
    tree_size: u64,
}

#[derive(Deserialize)]
struct ConsistencyProof {
    #[serde(default)]
    hashes: Option<Vec<String>>,
}

/// Entries by their ids.
type Entries = BTreeMap<String, Entry>;

impl RekorV1 {
    pub(crate) fn new(base: String, fetcher: Fetcher) -> Self {
        Self { base, fetcher, place: Mutex::new(None) }
    }

    /// The checkpoint of the tree whose checkpoints begin with `origin`, or of the one that takes entries, and where it was
    /// read. Not verified.
    pub(crate) async fn checkpoint(&self, origin: Option<&str>) -> Result<(String, String), ReadError> {
        let (url, shards) = self.shards().await?;
        let shard = find(&url, &shards, origin)?;
        self.remember(shard);
        Ok((url, shard.unverified_checkpoint.clone()))
    }

    /// The trees, the oldest first, and where they are listed.
    pub(crate) async fn shards(&self) -> Result<(String, Vec<Shard>), ReadError> {
        let url = format!("{}/api/v1/log", self.base);
        let read = self.fetcher.limited(MAX_PROOF_BYTES).get(&url).await?;
        let LogInfo { inactive_shards, active } = parse(&url, read)?;
        let trees = inactive_shards.into_iter().flatten().map(|tree| (tree, false)).chain([(active, true)]);
        let (mut shards, mut first_index) = (Vec::new(), 0_u64);
        for (TreeInfo { signed_tree_head, tree_id, tree_size }, is_active) in trees {
            let wrong = |reason| ReadError::Malformed { url: url.clone(), reason };
            let tree_id = tree_id.parse::<i64>().map_err(|_| wrong("a tree id is not a number"))?;
            shards.push(Shard {
                tree_id,
                size: tree_size,
                first_index,
                is_active,
                unverified_checkpoint: signed_tree_head,
            });
            let next = first_index.checked_add(tree_size);
            first_index = next.ok_or_else(|| wrong("the trees have too many entries"))?;
        }
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
            let answer: Vec<Entries> = parse(&url, read)?;
            for (id, entry) in answer.into_iter().flatten() {
                if !is_of_tree(&id, place.tree_id) {
                    return Err(ReadError::Malformed { url, reason: "an entry is of another tree" });
                }
                found.insert(entry.log_index, entry);
            }
        }
        let mut entries = Vec::with_capacity(indices.len());
        for index in indices {
            let Some(entry) = found.remove(&index) else { break };
            entries.push(opened(&url, &entry)?);
        }
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
        let entries: Entries = parse(&url, self.fetcher.get(&url).await?)?;
        let wrong = |reason| ReadError::Malformed { url: url.clone(), reason };
        let (id, entry) = entries.into_iter().next().ok_or_else(|| wrong("it has no entry"))?;
        if !is_of_tree(&id, place.tree_id) {
            return Err(wrong("the entry is of another tree"));
        }
        let proof = entry.verification.and_then(|verification| verification.inclusion_proof);
        let InclusionProof { hashes, tree_size: later } = proof.ok_or_else(|| wrong("the entry has no proof"))?;
        let inclusion = decoded(&url, &hashes)?;
        if later < size {
            return Err(wrong("its proof is to a smaller tree than it has shown"));
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
        let ConsistencyProof { hashes } = parse(&url, read)?;
        decoded(&url, &hashes.unwrap_or_default())
    }

    /// The index of a leaf in the tree.
    pub(crate) async fn index_of(&self, origin: Option<&str>, leaf_hash: Hash) -> Result<Option<u64>, ReadError> {
        let place = self.place(origin).await?;
        let url = self.retrieve_url();
        let body = format!(r#"{{"entryUUIDs":["{:016x}{}"]}}"#, place.tree_id, hex::encode(leaf_hash));
        let Some(read) = self.fetcher.post(&url, &body).await? else { return Ok(None) };
        let answer: Vec<Entries> = parse(&url, Some(read))?;
        let found = answer.into_iter().flatten().find(|(id, _)| is_of_tree(id, place.tree_id));
        Ok(found.and_then(|(_, entry)| entry.log_index.checked_sub(place.first_index)))
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

fn parse<T: DeserializeOwned>(url: &str, read: Option<Bytes>) -> Result<T, ReadError> {
    let missing = || ReadError::Missing { url: url.to_owned(), protocol: Protocol::RekorV1.name() };
    let malformed = |_| ReadError::Malformed { url: url.to_owned(), reason: "it is not the JSON that is expected" };
    serde_json::from_slice(&read.ok_or_else(missing)?).map_err(malformed)
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

/// Whether an entry id is of this tree. One that does not name a tree may be of any.
fn is_of_tree(id: &str, tree_id: i64) -> bool {
    match id.len() {
        80 => id.get(..16).and_then(|tree| i64::from_str_radix(tree, 16).ok()) == Some(tree_id),
        _ => true,
    }
}

fn opened(url: &str, entry: &Entry) -> Result<RemoteEntry, ReadError> {
    let malformed = |_| ReadError::Malformed { url: url.to_owned(), reason: "the body of an entry is not base64" };
    Ok(RemoteEntry {
        leaf: STANDARD.decode(&entry.body).map_err(malformed)?.into(),
        extra: Bytes::new(),
        timestamp_ms: entry.integrated_time.checked_mul(1000),
    })
}

fn decoded(url: &str, hashes: &[String]) -> Result<Vec<Hash>, ReadError> {
    let hash = |text: &String| hex::decode(text).ok().and_then(|hash| Hash::try_from(hash).ok());
    let malformed = || ReadError::Malformed { url: url.to_owned(), reason: "a hash of the proof is malformed" };
    hashes.iter().map(hash).collect::<Option<_>>().ok_or_else(malformed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_id_of_eighty_digits_names_its_tree() {
        let leaf = "a".repeat(64);
        assert!(is_of_tree(&format!("{:016x}{leaf}", 5), 5));
        assert!(!is_of_tree(&format!("{:016x}{leaf}", 5), 6));
        assert!(!is_of_tree(&format!("{}{leaf}", "z".repeat(16)), 6));
        assert!(is_of_tree(&leaf, 6));
        // Not at a boundary of a character.
        assert!(!is_of_tree(&format!("{}{}", "ä".repeat(39), "bb"), 6));
    }

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
