//! A certificate log through the API of RFC 6962.
//!
//! Its signed tree head is written as a note, as static-ct-api has it: the same signature over the same bytes, with the time
//! before it. So whoever keeps checkpoints keeps only one form.

use crate::answer::RemoteEntry;
use crate::error::ReadError;
use crate::fetch::Fetcher;
use crate::identity::Protocol;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use chancery_verify::checkpoint::Checkpoint;
use chancery_verify::merkle::TreeHead;
use chancery_verify::note::{self, KeyName, Note, NoteSignature};
use chancery_verify::{Hash, PublicKey};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use url::Url;

/// Entries that are asked for at once. Most logs answer with fewer.
const PER_REQUEST: u64 = 1000;
/// Heads and proofs.
const MAX_PROOF_BYTES: usize = 64 << 10;

/// A certificate log.
#[derive(Debug)]
pub(crate) struct Rfc6962 {
    base: String,
    fetcher: Fetcher,
}

#[derive(Deserialize)]
struct SignedTreeHead {
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

impl Rfc6962 {
    pub(crate) fn new(base: String, fetcher: Fetcher) -> Self {
        Self { base, fetcher }
    }

    /// The signed tree head as a note of `origin`, or of the URL without its scheme, and where it was read. Not verified.
    pub(crate) async fn checkpoint(
        &self,
        key: &PublicKey,
        origin: Option<&str>,
    ) -> Result<(String, String), ReadError> {
        let (url, sth) = self.signed_tree_head().await?;
        let rejected = |rejection| ReadError::Rejected { url: url.clone(), rejection };
        let host_and_path = self.base.split_once("://").map_or(self.base.as_str(), |(_, rest)| rest);
        let origin = KeyName::new(origin.unwrap_or(host_and_path)).map_err(rejected)?;
        let malformed =
            || ReadError::Malformed { url: url.clone(), reason: "a field of the signed tree head is malformed" };
        let root = hash(&sth.sha256_root_hash).ok_or_else(malformed)?;
        let signature = STANDARD.decode(&sth.tree_head_signature).map_err(|_| malformed())?;
        let head = TreeHead { size: sth.tree_size, root };
        let line = NoteSignature {
            key_id: note::static_ct_key_id(&origin, key),
            bytes: [sth.timestamp.to_be_bytes().as_slice(), &signature].concat(),
            name: origin.clone(),
        };
        let text = Checkpoint { origin: origin.to_string(), head }.to_string();
        let note = Note { text, signatures: vec![line] }.to_string();
        Ok((url, note))
    }

    async fn signed_tree_head(&self) -> Result<(String, SignedTreeHead), ReadError> {
        let url = self.url("get-sth", &[]);
        let read = self.fetcher.limited(MAX_PROOF_BYTES).get(&url).await?;
        let sth = parse(&url, read)?;
        Ok((url, sth))
    }

    /// Entries from `first` on, up to `end`: as many as the log answers with.
    pub(crate) async fn entries(&self, first: u64, end: u64) -> Result<Vec<RemoteEntry>, ReadError> {
        let end = end.min(first.saturating_add(PER_REQUEST));
        let last = end.saturating_sub(1);
        let url = self.url("get-entries", &[("start", &first.to_string()), ("end", &last.to_string())]);
        let Entries { entries } = parse(&url, self.fetcher.get(&url).await?)?;
        let wrong = |reason| ReadError::Malformed { url: url.clone(), reason };
        if entries.is_empty() {
            return Err(wrong("it has no entry"));
        }
        if u64::try_from(entries.len()).unwrap_or(u64::MAX) > end.saturating_sub(first) {
            return Err(wrong("it has more entries than were asked for"));
        }
        let opened = |entry: Entry| {
            let leaf = STANDARD.decode(&entry.leaf_input).ok()?;
            let extra = STANDARD.decode(&entry.extra_data).ok()?;
            Some(RemoteEntry { timestamp_ms: timestamp_ms(&leaf), leaf: leaf.into(), extra: extra.into() })
        };
        let opened = entries.into_iter().map(opened).collect::<Option<_>>();
        opened.ok_or_else(|| wrong("an entry is not base64"))
    }

    /// The inclusion proof of an entry.
    pub(crate) async fn inclusion_proof(&self, index: u64, size: u64) -> Result<Vec<Hash>, ReadError> {
        let (index, size) = (index.to_string(), size.to_string());
        let url = self.url("get-entry-and-proof", &[("leaf_index", &index), ("tree_size", &size)]);
        // The entry comes with it.
        let Inclusion { audit_path } = parse(&url, self.fetcher.get(&url).await?)?;
        decoded(&url, &audit_path.unwrap_or_default())
    }

    /// The proof that a tree is a prefix of another.
    pub(crate) async fn consistency_proof(&self, old: u64, new: u64) -> Result<Vec<Hash>, ReadError> {
        let (old, new) = (old.to_string(), new.to_string());
        let url = self.url("get-sth-consistency", &[("first", &old), ("second", &new)]);
        let read = self.fetcher.limited(MAX_PROOF_BYTES).get(&url).await?;
        let Consistency { consistency } = parse(&url, read)?;
        decoded(&url, &consistency.unwrap_or_default())
    }

    /// The index of a leaf of the tree of `size` leaves, or with 0 of the newest one.
    pub(crate) async fn index_of(&self, leaf_hash: Hash, size: u64) -> Result<Option<u64>, ReadError> {
        let size = if size == 0 { self.signed_tree_head().await?.1.tree_size } else { size };
        if size == 0 {
            return Ok(None);
        }
        let (hash, size) = (STANDARD.encode(leaf_hash), size.to_string());
        let url = self.url("get-proof-by-hash", &[("hash", &hash), ("tree_size", &size)]);
        let Some(read) = self.fetcher.limited(MAX_PROOF_BYTES).get(&url).await? else { return Ok(None) };
        parse(&url, Some(read)).map(|ProofByHash { leaf_index }| Some(leaf_index))
    }

    fn url(&self, question: &str, parameters: &[(&str, &str)]) -> String {
        let url = format!("{}/ct/v1/{question}", self.base);
        if parameters.is_empty() {
            return url;
        }
        // Cannot fail: the base was parsed before.
        Url::parse_with_params(&url, parameters).map_or(url, String::from)
    }
}

/// When an entry was logged, as its leaf says (RFC 6962 §3.4).
fn timestamp_ms(leaf: &[u8]) -> Option<i64> {
    let (begin, _) = leaf.split_first_chunk::<10>()?;
    let [0, 0, time @ ..] = begin else { return None };
    i64::try_from(u64::from_be_bytes(*time)).ok()
}

fn parse<T: DeserializeOwned>(url: &str, read: Option<Bytes>) -> Result<T, ReadError> {
    let missing = || ReadError::Missing { url: url.to_owned(), protocol: Protocol::Rfc6962.name() };
    let malformed = |_| ReadError::Malformed { url: url.to_owned(), reason: "it is not the JSON that is expected" };
    serde_json::from_slice(&read.ok_or_else(missing)?).map_err(malformed)
}

fn hash(text: &str) -> Option<Hash> {
    STANDARD.decode(text).ok()?.try_into().ok()
}

fn decoded(url: &str, hashes: &[String]) -> Result<Vec<Hash>, ReadError> {
    let malformed = || ReadError::Malformed { url: url.to_owned(), reason: "a hash of the proof is malformed" };
    hashes.iter().map(|text| hash(text)).collect::<Option<_>>().ok_or_else(malformed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fetch::Limits;

    #[test]
    fn a_leaf_says_when_it_was_logged() {
        assert_eq!(timestamp_ms(&[0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 0, 1]), Some(258));
        assert_eq!(timestamp_ms(&[0, 1, 0, 0, 0, 0, 0, 0, 1, 2, 0, 1]), None);
        assert_eq!(timestamp_ms(&[0, 0, 0xff, 0, 0, 0, 0, 0, 1, 2]), None);
        assert_eq!(timestamp_ms(&[0, 0, 0]), None);
    }

    #[test]
    fn a_hash_is_escaped_in_a_url() {
        let log = Rfc6962::new("https://ct.example/2026".to_owned(), Fetcher::new(Limits::default()).unwrap());
        let url = log.url("get-proof-by-hash", &[("hash", "+/="), ("tree_size", "3")]);
        assert_eq!(url, "https://ct.example/2026/ct/v1/get-proof-by-hash?hash=%2B%2F%3D&tree_size=3");
        assert_eq!(log.url("get-sth", &[]), "https://ct.example/2026/ct/v1/get-sth");
    }
}
