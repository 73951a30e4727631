//! Success bodies.

use crate::answer::counting::Count;
use crate::answer::entry::{Found, Place};
use crate::answer::logs::AskedLog;
use crate::answer::proof::Proven;
use crate::source::LogKind;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use chancery_verify::terms::Summary;
use chancery_verify::{Hash, Timestamp};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Serialize;
use std::sync::Arc;

/// Name of the schema of summaries, which is written by hand.
pub(super) const SUMMARY: &str = "EntrySummary";

/// A page of entries, or their number.
#[derive(Serialize, JsonSchema)]
#[serde(untagged)]
#[schemars(rename = "SearchAnswer")]
pub(super) enum Answer {
    Page(Page),
    Counts(Counts),
}

/// A page of entries.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "SearchPage")]
pub(super) struct Page {
    pub(super) entries: Vec<Entry>,
    /// Of the next page. `null` after the last one: only then everything was looked at.
    pub(super) cursor: Option<String>,
    pub(super) complete_to: Vec<CompleteTo>,
}

/// How far the answer is complete in one log.
#[derive(Serialize, JsonSchema)]
pub(super) struct CompleteTo {
    /// Name of the log.
    log: String,
    /// `signatures` or `certificates`.
    holds: &'static str,
    /// The first entries of the log that were searched. A later entry is not part of the answer.
    size: u64,
    /// Whether the log tells when it took its entries. If not, as a log that is read from tiles of Rekor v2, `time` of its
    /// entries is `null`, and `from` and `to` leave out only entries whose certificates were not valid in the period.
    tells_times: bool,
    /// A tree that has these entries. `null` while nothing is indexed.
    checkpoint: Option<Checkpoint>,
}

/// A signed tree head.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "SearchCheckpoint")]
struct Checkpoint {
    /// At least `size`. Inclusion proofs lead to this tree.
    tree_size: u64,
    /// In hexadecimal.
    root_hash: String,
    /// The signed note.
    note: String,
}

impl CompleteTo {
    pub(super) fn of(log: &AskedLog) -> Self {
        let checkpoint = log.head.as_ref().map(|head| Checkpoint {
            tree_size: head.tree.size,
            root_hash: hex::encode(head.tree.root),
            note: head.note.clone(),
        });
        let tells_times = log.source.tells_times();
        Self { log: log.name.clone(), holds: holds(log.kind), size: log.size, tells_times, checkpoint }
    }

    /// Of each of these logs.
    pub(super) fn of_all<'a>(logs: impl IntoIterator<Item = &'a Arc<AskedLog>>) -> Vec<Self> {
        logs.into_iter().map(|log| Self::of(log)).collect()
    }
}

const fn holds(kind: LogKind) -> &'static str {
    match kind {
        LogKind::Rekor => "signatures",
        LogKind::Certificates => "certificates",
    }
}

/// An entry of a log.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "SearchEntry")]
pub(super) struct Entry {
    /// Name of the log.
    log: String,
    /// Position in this log.
    index: u64,
    /// The leaf hash; in Rekor v1 the entry id, which has the number of the tree before it.
    id: String,
    /// When the log took it (RFC 3339), by the log's own record. `null` if the log does not tell.
    time: Option<String>,
    /// What the entry says. `null` if it cannot be parsed.
    #[schemars(schema_with = "summary")]
    summary: Option<Summary>,
    /// Why it cannot be parsed.
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<String>,
    /// Only if a proof was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    proof: Option<Proof>,
}

/// What proves an entry, together with the checkpoint of its log in `complete_to`.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "SearchProof")]
struct Proof {
    /// What is hashed into the tree, in base64: the canonical body in Rekor, the `MerkleTreeLeaf` in a certificate log.
    leaf: String,
    /// What is kept beside it, in base64: in a certificate log the submitted chain. No hash covers it.
    #[serde(skip_serializing_if = "String::is_empty")]
    extra: String,
    /// The inclusion proof in hexadecimal, leaf first.
    hashes: Vec<String>,
}

fn summary(_: &mut SchemaGenerator) -> Schema {
    let summary = format!("#/components/schemas/{SUMMARY}");
    json_schema!({ "anyOf": [{ "$ref": summary }, { "type": "null" }] })
}

impl Entry {
    pub(super) fn of(found: &Found) -> Self {
        let (summary, problem) = match found.summary() {
            Ok(summary) => (Some(summary), None),
            Err(rejection) => (None, Some(rejection.to_string())),
        };
        Self {
            log: found.log.name.clone(),
            index: found.index,
            id: found.id(),
            time: found.time.map(Timestamp::rfc3339_millis),
            summary,
            problem,
            proof: None,
        }
    }

    pub(super) fn proven(Proven { found, hashes }: &Proven) -> Self {
        let (leaf, extra) = (STANDARD.encode(&found.leaf), STANDARD.encode(&found.extra));
        Self { proof: Some(Proof { leaf, extra, hashes: hexadecimals(hashes) }), ..Self::of(found) }
    }

    /// Its parts, for a table.
    pub(super) fn cells(&self) -> Cells<'_> {
        Cells {
            log: &self.log,
            index: self.index,
            id: &self.id,
            time: self.time.as_deref().unwrap_or_default(),
            summary: self.summary.as_ref(),
        }
    }
}

/// What a table shows of an entry.
pub(super) struct Cells<'a> {
    pub(super) log: &'a str,
    pub(super) index: u64,
    pub(super) id: &'a str,
    pub(super) time: &'a str,
    pub(super) summary: Option<&'a Summary>,
}

pub(super) fn hexadecimals(hashes: &[Hash]) -> Vec<String> {
    hashes.iter().map(hex::encode).collect()
}

/// An entry as others refer to it.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "SearchReference")]
pub(super) struct Reference {
    log: String,
    index: u64,
    id: String,
    time: Option<String>,
}

impl Reference {
    pub(super) fn of(place: &Place) -> Self {
        Self {
            log: place.log.name.clone(),
            index: place.index,
            id: place.id(),
            time: place.time.map(Timestamp::rfc3339_millis),
        }
    }
}

/// How many entries match.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "SearchCounts")]
pub(super) struct Counts {
    /// In all logs.
    count: u64,
    /// Whether there may be more: counting ended at a limit.
    at_least: bool,
    logs: Vec<LogCount>,
    complete_to: Vec<CompleteTo>,
}

/// How many entries of one log match.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "SearchCount")]
struct LogCount {
    log: String,
    count: u64,
    at_least: bool,
    /// `entries` if every counted entry was read and meets the filters; `index` if only the index was asked.
    counted: &'static str,
}

impl Counts {
    pub(super) fn of(counts: &[Count]) -> Self {
        let logs = counts.iter().map(|Count { log, entries, at_least, read }| LogCount {
            log: log.name.clone(),
            count: *entries,
            at_least: *at_least,
            counted: if *read { "entries" } else { "index" },
        });
        Self {
            count: counts.iter().map(|count| count.entries).fold(0, u64::saturating_add),
            at_least: counts.iter().any(|count| count.at_least),
            logs: logs.collect(),
            complete_to: CompleteTo::of_all(counts.iter().map(|count| &count.log)),
        }
    }
}
