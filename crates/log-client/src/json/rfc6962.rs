//! Answers of certificate logs (RFC 6962 §4).

use super::{malformed, parse};
use crate::answer::RemoteEntry;
use crate::error::ReadError;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use chancery_verify::checkpoint::Checkpoint;
use chancery_verify::merkle::TreeHead;
use chancery_verify::note::{self, KeyName, Note, NoteSignature};
use chancery_verify::{Hash, PublicKey};
use serde::Deserialize;

/// A signed tree head. The signature is not verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedTreeHead {
    /// Size and root hash.
    pub head: TreeHead,
    timestamp: u64,
    signature: Vec<u8>,
}

#[derive(Deserialize)]
struct Sth {
    tree_size: u64,
    timestamp: u64,
    sha256_root_hash: String,
    tree_head_signature: String,
}

#[derive(Deserialize)]
struct Entries {
    entries: Vec<Entry>,
}

#[derive(Deserialize)]
struct Entry {
    leaf_input: String,
    extra_data: String,
}

#[derive(Deserialize)]
struct Consistency {
    #[serde(default)]
    consistency: Option<Vec<String>>,
}

#[derive(Deserialize)]
struct Inclusion {
    #[serde(default)]
    audit_path: Option<Vec<String>>,
}

#[derive(Deserialize)]
struct ProofByHash {
    leaf_index: u64,
}

impl SignedTreeHead {
    /// What `get-sth` answers with.
    ///
    /// # Errors
    /// [`ReadError::Malformed`], as all functions here.
    pub fn read(url: &str, json: &[u8]) -> Result<Self, ReadError> {
        let Sth { tree_size: size, timestamp, sha256_root_hash, tree_head_signature } = parse(url, json)?;
        let wrong = || malformed(url, "a field of the signed tree head is malformed");
        let root = hash(&sha256_root_hash).ok_or_else(wrong)?;
        let signature = STANDARD.decode(&tree_head_signature).map_err(|_| wrong())?;
        Ok(Self { head: TreeHead { size, root }, timestamp, signature })
    }

    /// The same as a note of `origin`, as static-ct-api writes it: the same signature over the same bytes, with the time before
    /// it.
    #[must_use]
    pub fn to_note(&self, origin: &KeyName, key: &PublicKey) -> String {
        let line = NoteSignature {
            key_id: note::static_ct_key_id(origin, key),
            bytes: [self.timestamp.to_be_bytes().as_slice(), &self.signature].concat(),
            name: origin.clone(),
        };
        let text = Checkpoint { origin: origin.to_string(), head: self.head }.to_string();
        Note { text, signatures: vec![line] }.to_string()
    }
}

/// The entries that `get-entries` answers with: at least one, and not more than `most`.
pub fn entries(url: &str, json: &[u8], most: u64) -> Result<Vec<RemoteEntry>, ReadError> {
    let Entries { entries } = parse(url, json)?;
    if entries.is_empty() {
        return Err(malformed(url, "it has no entry"));
    }
    if u64::try_from(entries.len()).unwrap_or(u64::MAX) > most {
        return Err(malformed(url, "it has more entries than were asked for"));
    }
    let opened = |entry: Entry| {
        let leaf = STANDARD.decode(&entry.leaf_input).ok()?;
        let extra = STANDARD.decode(&entry.extra_data).ok()?;
        Some(RemoteEntry { timestamp_ms: timestamp_ms(&leaf), leaf: leaf.into(), extra: extra.into() })
    };
    let opened = entries.into_iter().map(opened).collect::<Option<_>>();
    opened.ok_or_else(|| malformed(url, "an entry is not base64"))
}

/// The inclusion proof that `get-entry-and-proof` answers with. The entry comes with it, and is not looked at.
pub fn inclusion(url: &str, json: &[u8]) -> Result<Vec<Hash>, ReadError> {
    let Inclusion { audit_path } = parse(url, json)?;
    decoded(url, &audit_path.unwrap_or_default())
}

/// The consistency proof that `get-sth-consistency` answers with.
pub fn consistency(url: &str, json: &[u8]) -> Result<Vec<Hash>, ReadError> {
    let Consistency { consistency } = parse(url, json)?;
    decoded(url, &consistency.unwrap_or_default())
}

/// The index that `get-proof-by-hash` answers with.
pub fn index(url: &str, json: &[u8]) -> Result<u64, ReadError> {
    parse(url, json).map(|ProofByHash { leaf_index }| leaf_index)
}

/// When an entry was logged, as its leaf says (RFC 6962 §3.4).
fn timestamp_ms(leaf: &[u8]) -> Option<i64> {
    let (begin, _) = leaf.split_first_chunk::<10>()?;
    let [0, 0, time @ ..] = begin else { return None };
    i64::try_from(u64::from_be_bytes(*time)).ok()
}

fn hash(text: &str) -> Option<Hash> {
    STANDARD.decode(text).ok()?.try_into().ok()
}

fn decoded(url: &str, hashes: &[String]) -> Result<Vec<Hash>, ReadError> {
    let hashes = hashes.iter().map(|text| hash(text)).collect::<Option<_>>();
    hashes.ok_or_else(|| malformed(url, "a hash of the proof is malformed"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_leaf_says_when_it_was_logged() {
        assert_eq!(timestamp_ms(&[0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 0, 1]), Some(258));
        assert_eq!(timestamp_ms(&[0, 1, 0, 0, 0, 0, 0, 0, 1, 2, 0, 1]), None);
        assert_eq!(timestamp_ms(&[0, 0, 0xff, 0, 0, 0, 0, 0, 1, 2]), None);
        assert_eq!(timestamp_ms(&[0, 0, 0]), None);
    }

    #[test]
    fn no_more_entries_are_taken_than_were_asked_for() {
        let json = r#"{"entries":[{"leaf_input":"AAA=","extra_data":""},{"leaf_input":"","extra_data":"AA=="}]}"#;
        let read = |most| entries("http://ct.example", json.as_bytes(), most).map(|entries| entries.len());
        assert_eq!(read(2), Ok(2));
        assert!(matches!(read(1), Err(ReadError::Malformed { .. })));
    }
}
