//! Answers of Rekor v1 (Rekor's OpenAPI document).
//!
//! Entries have the index over all trees of a URL, and an id of 80 digits that begins with the number of their tree.

use super::{malformed, parse};
use crate::answer::{RemoteEntry, Shard};
use crate::error::ReadError;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use chancery_verify::Hash;
use serde::Deserialize;
use std::collections::{BTreeMap, HashMap};

/// Trees of one URL: a tree lasts for months. Whoever follows them verifies a signature for each, again and again.
const MAX_SHARDS: usize = 256;

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
    inclusion_proof: Option<Inclusion>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Inclusion {
    hashes: Vec<String>,
    tree_size: u64,
}

#[derive(Deserialize)]
struct Consistency {
    #[serde(default)]
    hashes: Option<Vec<String>>,
}

/// Entries by their ids.
type Entries = BTreeMap<String, Entry>;

/// The trees that `/api/v1/log` lists, the oldest first.
///
/// # Errors
/// [`ReadError::Malformed`], as all functions here.
pub fn shards(url: &str, json: &[u8]) -> Result<Vec<Shard>, ReadError> {
    let LogInfo { inactive_shards, active } = parse(url, json)?;
    if inactive_shards.as_ref().is_some_and(|shards| shards.len() >= MAX_SHARDS) {
        return Err(malformed(url, "it has too many trees"));
    }
    let trees = inactive_shards.into_iter().flatten().map(|tree| (tree, false)).chain([(active, true)]);
    let (mut shards, mut first_index) = (Vec::new(), 0_u64);
    for (TreeInfo { signed_tree_head, tree_id, tree_size }, is_active) in trees {
        let tree_id = tree_id.parse::<i64>().map_err(|_| malformed(url, "a tree id is not a number"))?;
        shards.push(Shard {
            tree_id,
            size: tree_size,
            first_index,
            is_active,
            unverified_checkpoint: signed_tree_head,
        });
        let next = first_index.checked_add(tree_size);
        first_index = next.ok_or_else(|| malformed(url, "the trees have too many entries"))?;
    }
    Ok(shards)
}

/// The entries that `/api/v1/log/entries/retrieve` answers with, by their index over all trees. All must be of this tree.
pub fn entries(url: &str, json: &[u8], tree_id: i64) -> Result<HashMap<u64, RemoteEntry>, ReadError> {
    let answer: Vec<Entries> = parse(url, json)?;
    let mut found = HashMap::new();
    for (id, entry) in answer.into_iter().flatten() {
        if !is_of_tree(&id, tree_id) {
            return Err(malformed(url, "an entry is of another tree"));
        }
        found.insert(entry.log_index, opened(url, &entry)?);
    }
    Ok(found)
}

/// The inclusion proof of the entry that `/api/v1/log/entries` answers with, and the size of the tree that it leads to.
pub fn inclusion(url: &str, json: &[u8], tree_id: i64) -> Result<(Vec<Hash>, u64), ReadError> {
    let entries: Entries = parse(url, json)?;
    let (id, entry) = entries.into_iter().next().ok_or_else(|| malformed(url, "it has no entry"))?;
    if !is_of_tree(&id, tree_id) {
        return Err(malformed(url, "the entry is of another tree"));
    }
    let proof = entry.verification.and_then(|verification| verification.inclusion_proof);
    let Inclusion { hashes, tree_size } = proof.ok_or_else(|| malformed(url, "the entry has no proof"))?;
    Ok((decoded(url, &hashes)?, tree_size))
}

/// The consistency proof that `/api/v1/log/proof` answers with.
pub fn consistency(url: &str, json: &[u8]) -> Result<Vec<Hash>, ReadError> {
    let Consistency { hashes } = parse(url, json)?;
    decoded(url, &hashes.unwrap_or_default())
}

/// The index over all trees of the first entry of this tree that `/api/v1/log/entries/retrieve` answers with.
pub fn index(url: &str, json: &[u8], tree_id: i64) -> Result<Option<u64>, ReadError> {
    let answer: Vec<Entries> = parse(url, json)?;
    let found = answer.into_iter().flatten().find(|(id, _)| is_of_tree(id, tree_id));
    Ok(found.map(|(_, entry)| entry.log_index))
}

/// Whether an entry id is of this tree. One that does not name a tree may be of any.
fn is_of_tree(id: &str, tree_id: i64) -> bool {
    match id.len() {
        80 => id.get(..16).and_then(|tree| i64::from_str_radix(tree, 16).ok()) == Some(tree_id),
        _ => true,
    }
}

fn opened(url: &str, entry: &Entry) -> Result<RemoteEntry, ReadError> {
    let leaf = STANDARD.decode(&entry.body).map_err(|_| malformed(url, "the body of an entry is not base64"))?;
    Ok(RemoteEntry { leaf: leaf.into(), extra: Bytes::new(), timestamp_ms: entry.integrated_time.checked_mul(1000) })
}

fn decoded(url: &str, hashes: &[String]) -> Result<Vec<Hash>, ReadError> {
    let hash = |text: &String| hex::decode(text).ok().and_then(|hash| Hash::try_from(hash).ok());
    let hashes = hashes.iter().map(hash).collect::<Option<_>>();
    hashes.ok_or_else(|| malformed(url, "a hash of the proof is malformed"))
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
    fn trees_follow_each_other_and_have_no_more_entries_than_an_index_can_name() {
        let tree = |tree_id: &str, size: u64| {
            format!(r#""signedTreeHead":"log - {tree_id}\n","treeID":"{tree_id}","treeSize":{size},"rootHash":"ab""#)
        };
        let info = |inactive: &str, active: &str| format!(r#"{{"inactiveShards":{inactive},{active}}}"#);
        let read = |json: &str| shards("http://log.example", json.as_bytes());
        let two = read(&info(&format!("[{{{}}}]", tree("5", 7)), &tree("6", 3))).unwrap();
        let listed: Vec<_> = two.iter().map(|shard| (shard.tree_id, shard.first_index, shard.is_active)).collect();
        assert_eq!(listed, [(5, 0, false), (6, 7, true)]);
        assert_eq!(read(&info("null", &tree("6", 3))).map(|shards| shards.len()), Ok(1));
        for (inactive, active) in [
            ("null", tree("x", 3)),
            ("7", tree("6", 3)),
            (format!("[{{{}}}]", tree("5", u64::MAX)).as_str(), tree("6", 1)),
            (format!("[{}]", vec![format!("{{{}}}", tree("5", 1)); MAX_SHARDS].join(",")).as_str(), tree("6", 1)),
        ] {
            assert!(matches!(read(&info(inactive, &active)), Err(ReadError::Malformed { .. })), "{inactive} {active}");
        }
    }
}
