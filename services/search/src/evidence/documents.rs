//! The contents of members, as JSON. Parsing says what each field is; nothing is verified here.

use super::fault::Fault;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use chancery_verify::{Hash, Timestamp};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// Hashes of a proof: a tree of 2^63 leaves has no longer one.
const MAX_HASHES: usize = 128;

/// An entry of a log, with the evidence that the log has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// When the log took it, by the log's record (RFC 3339).
    pub time: Option<String>,
    /// Leaves of the tree that the proof leads to.
    pub tree_size: u64,
    /// The inclusion proof in hexadecimal, leaf first.
    pub hashes: Vec<String>,
    /// What is hashed into the tree, in base64.
    pub leaf: String,
    /// What is kept beside it, in base64. In a certificate log the submitted chain. No log signs it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub extra: String,
    /// The promise of Rekor v1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub promise: Option<Promise>,
    /// Whether the server was asked for the promise of a log of Rekor v1 and gave none: the log is in quarantine, or is followed
    /// from elsewhere. An entry of such a log has a promise or this.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub promise_withheld: bool,
}

/// A promise of Rekor v1.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Promise {
    /// Index over all shards of the log.
    pub log_index: u64,
    /// Seconds since 1970.
    pub integrated_time: u64,
    /// The signed entry timestamp, in base64.
    pub signature: String,
}

/// An older checkpoint of a log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Consistency {
    /// The signed note.
    pub checkpoint: String,
    /// The proof in hexadecimal that the newest checkpoint extends it.
    pub hashes: Vec<String>,
}

/// A question and its answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Answered {
    /// Filters of the search, by name.
    pub question: Vec<(String, String)>,
    /// The entries that answer it.
    pub entries: Vec<Place>,
    /// How much of each log was searched, by the server's word.
    pub complete_to: Vec<CompleteTo>,
}

/// Where an entry is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Place {
    /// Name of the log.
    pub log: String,
    /// Index in it.
    pub index: u64,
}

/// How much of a log was searched.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CompleteTo {
    /// Name of the log.
    pub log: String,
    /// Its first entries that were searched.
    pub size: u64,
}

/// An entry with its bytes.
#[derive(Debug)]
pub(super) struct Decoded {
    pub(super) time: Option<Timestamp>,
    pub(super) tree_size: u64,
    pub(super) hashes: Vec<Hash>,
    pub(super) leaf: Vec<u8>,
    pub(super) extra: Vec<u8>,
    pub(super) promise: Option<DecodedPromise>,
    pub(super) promise_withheld: bool,
}

/// A promise with its bytes.
#[derive(Debug)]
pub(super) struct DecodedPromise {
    pub(super) log_index: u64,
    pub(super) integrated_time: Timestamp,
    pub(super) signature: Vec<u8>,
}

impl Entry {
    pub(super) fn decoded(&self, member: &str) -> Result<Decoded, Fault> {
        let time = self.time.as_deref().map(|text| {
            Timestamp::bounds_rfc3339(text)
                .map(|(at_or_before, _)| at_or_before)
                .ok_or_else(|| Fault::of(member, "its time is not one of RFC 3339"))
        });
        let promise = self.promise.as_ref().map(|promise| -> Result<DecodedPromise, Fault> {
            Ok(DecodedPromise {
                log_index: promise.log_index,
                integrated_time: Timestamp::from_seconds(promise.integrated_time),
                signature: bytes(member, &promise.signature)?,
            })
        });
        if self.promise.is_some() && self.promise_withheld {
            return Err(Fault::of(member, "it has a promise and says that there is none"));
        }
        Ok(Decoded {
            time: time.transpose()?,
            tree_size: self.tree_size,
            hashes: hashes(member, &self.hashes)?,
            leaf: bytes(member, &self.leaf)?,
            extra: bytes(member, &self.extra)?,
            promise: promise.transpose()?,
            promise_withheld: self.promise_withheld,
        })
    }
}

/// Parses a member.
pub(super) fn parse<T: DeserializeOwned>(member: &str, contents: &[u8]) -> Result<T, Fault> {
    serde_json::from_slice(contents).map_err(|error| Fault::of(member, format!("it cannot be read: {error}")))
}

/// The contents of a member, the same bytes for the same document.
pub(super) fn write<T: Serialize>(member: &str, document: &T) -> Result<Vec<u8>, Fault> {
    let mut contents = serde_json::to_vec_pretty(document).map_err(|error| Fault::of(member, error.to_string()))?;
    contents.push(b'\n');
    Ok(contents)
}

/// Hashes in hexadecimal.
pub(super) fn hashes(member: &str, texts: &[String]) -> Result<Vec<Hash>, Fault> {
    let wrong = || Fault::of(member, "its proof is not a list of hashes in hexadecimal");
    if texts.len() > MAX_HASHES {
        return Err(wrong());
    }
    let hash = |text: &String| -> Option<Hash> { hex::decode(text).ok()?.try_into().ok() };
    texts.iter().map(hash).collect::<Option<_>>().ok_or_else(wrong)
}

fn bytes(member: &str, text: &str) -> Result<Vec<u8>, Fault> {
    STANDARD.decode(text).map_err(|_| Fault::of(member, "it has bytes that are not base64"))
}
