//! An event about a new entry, as upstream's servers publish it: `CloudEvents` 1.0 in JSON. Pure.
//!
//! Names and forms are upstream's: the attributes `rekor_entry_kind` and `rekor_signing_subjects`, and as `data` a text, the JSON of
//! protobuf's `TransparencyLogEntry`, in which members with default values are left out.
//!
//! Specification: Rekor's `pkg/events`; `CloudEvents` 1.0, JSON format.

use crate::source::{SourceEntry, Standing};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use chancery_verify::merkle::{self, TreeHead};
use chancery_verify::terms::{self, Summary};
use chancery_verify::{Hash, Timestamp};
use serde::Serialize;

/// The type of the events.
pub const EVENT_TYPE: &str = "dev.sigstore.rekor.events.v1.NewEntry";
/// Their media type alone, and that of several in a list.
const MEDIA_TYPES: [&str; 2] =
    ["application/cloudevents+json; charset=utf-8", "application/cloudevents-batch+json; charset=utf-8"];
/// The media type of `data`.
pub const DATA_TYPE: &str = "application/json";

/// An entry with what it says about itself.
#[derive(Debug)]
pub(super) struct Announced {
    pub(super) entry: SourceEntry,
    pub(super) leaf_hash: Hash,
    /// Empty if it cannot be parsed.
    pub(super) kind: String,
    version: String,
    /// Names of the signers, sorted and joined by commas.
    subjects: String,
}

impl Announced {
    /// Parses an entry. One that cannot be parsed has no kind and no subjects.
    pub(super) fn of(entry: SourceEntry) -> Self {
        let leaf_hash = merkle::leaf_hash(&entry.leaf);
        let summary = terms::summary_of_rekor(&entry.leaf).unwrap_or_default();
        let subjects = subjects(&summary);
        Self { entry, leaf_hash, subjects, version: summary.version.unwrap_or_default(), kind: summary.kind }
    }
}

/// Names in certificates, and e-mail addresses in keys.
fn subjects(summary: &Summary) -> String {
    let signers = summary.signers.iter();
    let names = signers.flat_map(|signer| {
        signer
            .identities
            .iter()
            .map(|identity| identity.value.as_str())
            .chain(signer.key_emails.iter().map(String::as_str))
    });
    let mut names: Vec<&str> = names.collect();
    names.sort_unstable();
    names.join(",")
}

/// What proves an entry.
pub(super) struct Evidence<'a> {
    /// Index in the tree.
    pub(super) index: u64,
    pub(super) standing: &'a Standing,
    pub(super) tree: &'a TreeHead,
    /// The signed note that states the tree.
    pub(super) checkpoint: &'a str,
    /// From the leaf to the root.
    pub(super) hashes: &'a [Hash],
}

/// Members in the order in which upstream writes them.
#[derive(Serialize)]
struct Event<'a> {
    data: String,
    datacontenttype: &'static str,
    id: &'a str,
    rekor_entry_kind: &'a str,
    rekor_signing_subjects: &'a str,
    source: &'static str,
    specversion: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    time: Option<String>,
    r#type: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct TransparencyLogEntry<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    log_index: Option<String>,
    log_id: LogId,
    #[serde(skip_serializing_if = "Option::is_none")]
    kind_version: Option<KindVersion<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    integrated_time: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    inclusion_promise: Option<InclusionPromise>,
    inclusion_proof: InclusionProof<'a>,
    canonicalized_body: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct LogId {
    key_id: String,
}

#[derive(Serialize)]
struct KindVersion<'a> {
    kind: &'a str,
    version: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct InclusionPromise {
    signed_entry_timestamp: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct InclusionProof<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    log_index: Option<String>,
    root_hash: String,
    tree_size: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    hashes: Vec<String>,
    checkpoint: Checkpoint<'a>,
}

#[derive(Serialize)]
struct Checkpoint<'a> {
    envelope: &'a str,
}

/// A 64-bit number as protobuf's JSON has it.
fn number(number: u64) -> Option<String> {
    (number != 0).then(|| number.to_string())
}

/// The event about an entry; `id` is the entry's full name.
pub(super) fn json(id: &str, announced: &Announced, evidence: &Evidence<'_>) -> serde_json::Result<String> {
    let Announced { entry, kind, version, subjects, .. } = announced;
    let Evidence { index, standing, tree, checkpoint, hashes } = *evidence;
    let promise = standing.promise.as_ref();
    let data = TransparencyLogEntry {
        log_index: number(standing.log_index),
        log_id: LogId { key_id: STANDARD.encode(standing.log_id) },
        kind_version: (!kind.is_empty()).then_some(KindVersion { kind, version }),
        integrated_time: standing.integrated_time.and_then(number),
        inclusion_promise: promise.map(|promise| InclusionPromise { signed_entry_timestamp: STANDARD.encode(promise) }),
        inclusion_proof: InclusionProof {
            log_index: number(index),
            root_hash: STANDARD.encode(tree.root),
            tree_size: tree.size.to_string(),
            hashes: hashes.iter().map(|hash| STANDARD.encode(hash)).collect(),
            checkpoint: Checkpoint { envelope: checkpoint },
        },
        canonicalized_body: STANDARD.encode(&entry.leaf),
    };
    let time = entry.timestamp_ms.and_then(|millis| u64::try_from(millis).ok()).map(Timestamp::from_millis);
    serde_json::to_string(&Event {
        data: serde_json::to_string(&data)?,
        datacontenttype: DATA_TYPE,
        id,
        rekor_entry_kind: kind,
        rekor_signing_subjects: subjects,
        source: "/createLogEntry",
        specversion: "1.0",
        time: time.map(Timestamp::rfc3339),
        r#type: EVENT_TYPE,
    })
}

/// Media type and body of a request with these events: of one alone, or of a list.
pub(super) fn request(events: &[String], is_list: bool) -> (&'static str, String) {
    let [alone, list] = MEDIA_TYPES;
    match events {
        [event] if !is_list => (alone, event.clone()),
        events => (list, format!("[{}]", events.join(","))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    const BODY: &str =
        r#"{"apiVersion":"0.0.1","kind":"hashedrekord","spec":{"data":{"hash":{"algorithm":"sha256","value":"00"}}}}"#;

    fn event(leaf: &str, index: u64, standing: &Standing) -> Value {
        let entry = SourceEntry {
            leaf: leaf.to_owned().into(),
            extra: bytes::Bytes::new(),
            timestamp_ms: Some(1_800_000_000_789),
        };
        let tree = TreeHead { size: 9, root: [2; 32] };
        let hashes = if index == 0 { vec![] } else { vec![[3; 32]] };
        let evidence = Evidence { index, standing, tree: &tree, checkpoint: "note\n", hashes: &hashes };
        serde_json::from_str(&json("0abc", &Announced::of(entry), &evidence).unwrap()).unwrap()
    }

    #[test]
    fn an_event_is_as_upstream_publishes_it() {
        let promise = Some(vec![7; 3]);
        let standing = Standing { log_id: [1; 32], log_index: 40, integrated_time: Some(1_800_000_000), promise };
        let event = event(BODY, 5, &standing);
        let data: Value = serde_json::from_str(event["data"].as_str().unwrap()).unwrap();
        let base64 = |byte| STANDARD.encode([byte; 32]);
        let proof = json!({
            "logIndex": "5", "rootHash": base64(2), "treeSize": "9", "hashes": [base64(3)],
            "checkpoint": { "envelope": "note\n" },
        });
        let expected = json!({
            "logIndex": "40", "logId": { "keyId": base64(1) }, "integratedTime": "1800000000",
            "kindVersion": { "kind": "hashedrekord", "version": "0.0.1" },
            "inclusionPromise": { "signedEntryTimestamp": "BwcH" },
            "inclusionProof": proof, "canonicalizedBody": STANDARD.encode(BODY),
        });
        assert_eq!(data, expected);
        let attributes = json!({
            "data": event["data"], "datacontenttype": "application/json", "id": "0abc", "source": "/createLogEntry",
            "rekor_entry_kind": "hashedrekord", "rekor_signing_subjects": "", "specversion": "1.0",
            "time": "2027-01-15T08:00:00Z", "type": "dev.sigstore.rekor.events.v1.NewEntry",
        });
        assert_eq!(event, attributes);
    }

    #[test]
    fn members_with_default_values_are_left_out() {
        let standing = Standing { log_id: [1; 32], log_index: 0, integrated_time: None, promise: None };
        let event = event("no entry", 0, &standing);
        let data: Value = serde_json::from_str(event["data"].as_str().unwrap()).unwrap();
        let members: Vec<&String> = data.as_object().unwrap().keys().collect();
        assert_eq!(members, ["canonicalizedBody", "inclusionProof", "logId"]);
        let proof: Vec<&String> = data["inclusionProof"].as_object().unwrap().keys().collect();
        assert_eq!(proof, ["checkpoint", "rootHash", "treeSize"]);
        assert_eq!(event["rekor_entry_kind"], "");
    }

    #[test]
    fn subjects_are_sorted_and_of_every_signer() {
        let signers = json!([
            { "identities": [{ "kind": "uri", "value": "https://z.example" }, { "kind": "email", "value": "b@x" }] },
            { "format": "pgp", "key_emails": ["a@x"] },
        ]);
        let summary: Summary = serde_json::from_value(json!({ "kind": "dsse", "signers": signers })).unwrap();
        assert_eq!(subjects(&summary), "a@x,b@x,https://z.example");
    }

    #[test]
    fn one_event_is_alone_unless_a_list_is_asked_for() {
        let events = ["{}".to_owned(), "[]".to_owned()];
        assert_eq!(request(&events[..1], false), (MEDIA_TYPES[0], "{}".to_owned()));
        assert_eq!(request(&events[..1], true), (MEDIA_TYPES[1], "[{}]".to_owned()));
        assert_eq!(request(&events, true), (MEDIA_TYPES[1], "[{},[]]".to_owned()));
    }
}
