//! A certificate log through the API of RFC 6962.
//!
//! Its signed tree head is written as a note, as static-ct-api has it: the same signature over the same bytes, with the time
//! before it. So a program that keeps checkpoints keeps only one form.

use crate::answer::RemoteEntry;
use crate::error::ReadError;
use crate::fetch::Fetcher;
use crate::identity::Protocol;
use crate::json::rfc6962::{self as json, SignedTreeHead};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use chancery_verify::note::KeyName;
use chancery_verify::{Hash, PublicKey};
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
        let note = sth.to_note(&origin, key);
        Ok((url, note))
    }

    async fn signed_tree_head(&self) -> Result<(String, SignedTreeHead), ReadError> {
        let url = self.url("get-sth", &[]);
        let read = self.fetcher.limited(MAX_PROOF_BYTES).get(&url).await?;
        let sth = SignedTreeHead::read(&url, &present(&url, read)?)?;
        Ok((url, sth))
    }

    /// Entries from `first` on, up to `end`: as many as the log answers with.
    pub(crate) async fn entries(&self, first: u64, end: u64) -> Result<Vec<RemoteEntry>, ReadError> {
        let end = end.min(first.saturating_add(PER_REQUEST));
        let last = end.saturating_sub(1);
        let url = self.url("get-entries", &[("start", &first.to_string()), ("end", &last.to_string())]);
        let read = present(&url, self.fetcher.get(&url).await?)?;
        json::entries(&url, &read, end.saturating_sub(first))
    }

    /// The inclusion proof of an entry.
    pub(crate) async fn inclusion_proof(&self, index: u64, size: u64) -> Result<Vec<Hash>, ReadError> {
        let (index, size) = (index.to_string(), size.to_string());
        let url = self.url("get-entry-and-proof", &[("leaf_index", &index), ("tree_size", &size)]);
        json::inclusion(&url, &present(&url, self.fetcher.get(&url).await?)?)
    }

    /// The proof that a tree is a prefix of another.
    pub(crate) async fn consistency_proof(&self, old: u64, new: u64) -> Result<Vec<Hash>, ReadError> {
        let (old, new) = (old.to_string(), new.to_string());
        let url = self.url("get-sth-consistency", &[("first", &old), ("second", &new)]);
        let read = self.fetcher.limited(MAX_PROOF_BYTES).get(&url).await?;
        json::consistency(&url, &present(&url, read)?)
    }

    /// The index of a leaf of the tree of `size` leaves, or with 0 of the newest one.
    pub(crate) async fn index_of(&self, leaf_hash: Hash, size: u64) -> Result<Option<u64>, ReadError> {
        let size = if size == 0 { self.signed_tree_head().await?.1.head.size } else { size };
        if size == 0 {
            return Ok(None);
        }
        let (hash, size) = (STANDARD.encode(leaf_hash), size.to_string());
        let url = self.url("get-proof-by-hash", &[("hash", &hash), ("tree_size", &size)]);
        let Some(read) = self.fetcher.limited(MAX_PROOF_BYTES).get(&url).await? else { return Ok(None) };
        json::index(&url, &read).map(Some)
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

fn present(url: &str, read: Option<Bytes>) -> Result<Bytes, ReadError> {
    read.ok_or_else(|| ReadError::Missing { url: url.to_owned(), protocol: Protocol::Rfc6962.name() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fetch::Limits;

    #[test]
    fn a_hash_is_escaped_in_a_url() {
        let log = Rfc6962::new("https://ct.example/2026".to_owned(), Fetcher::new(Limits::default()).unwrap());
        let url = log.url("get-proof-by-hash", &[("hash", "+/="), ("tree_size", "3")]);
        assert_eq!(url, "https://ct.example/2026/ct/v1/get-proof-by-hash?hash=%2B%2F%3D&tree_size=3");
        assert_eq!(log.url("get-sth", &[]), "https://ct.example/2026/ct/v1/get-sth");
    }
}
